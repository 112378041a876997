"""Deployments from the hub: fetched, started, called; and what is told when that cannot be."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from gguf_files import chat_model_path
from hub import serving_hub
from rawhttp import Reply
from serving import Server, serving, until

DONE = ("running", "failed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server, and a hub of three repositories: one good, one of pickles, one cut short."""
    served = tmp_path_factory.mktemp("hub")
    whole = chat_model_path().read_bytes()
    for repository, files in {
        "org/good-GGUF": {"good-Q8_0.gguf": whole},
        "org/pickles": {"pytorch_model.bin": b"\x80\x04", "README.md": b"# No weights"},
        "org/short-GGUF": {"short-Q8_0.gguf": whole[:100_000]},
    }.items():
        (served / repository).mkdir(parents=True)
        for name, content in files.items():
            (served / repository / name).write_bytes(content)
    own = {"HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_TELEMETRY": "1"}
    home = tmp_path_factory.mktemp("home")
    with (
        serving_hub(served) as hub,
        serving("fake:", home=home, env={**own, "HF_ENDPOINT": hub.url}) as server,
    ):
        yield server


def deploy(server: Server, name: str, repo: str, **more: Any) -> dict[str, Any]:
    body = {"model_name": name, "gpu": "cpu", "hf": {"repo": repo, **more}}
    reply = server.send("POST", "/deploy/llm", json.dumps(body).encode())
    assert reply.status == 200, reply.body
    made: dict[str, Any] = reply.json
    return made


def ended(server: Server, made: dict[str, Any]) -> dict[str, Any]:
    """The deployment, when it runs or has failed."""

    def ask() -> Reply | None:
        reply = server.get(f"/deploy/{made['deploy_id']}")
        return reply if reply.json["status"] in DONE else None

    now: dict[str, Any] = until(ask, "it runs or has failed", within_s=60).json
    return now


def test_a_repository_is_fetched_and_called_while_it_comes(server: Server) -> None:
    made = deploy(server, "good", "org/good-GGUF:Q8_0", revision="main")
    assert made["config"]["weights"] == {"repo": "org/good-GGUF", "revision": "main"}
    reply = server.chat(f"deploy_id:{made['deploy_id']}", max_tokens=2)
    assert (reply.status, reply.json["model"]) == (200, "default/good")
    assert ended(server, made)["status"] == "running"
    (line,) = (m for m in server.get("/models/private/list").json
               if m["model_name"] == "default/good")  # fmt: skip
    assert (line["type"], line["max_tokens"]) == ("text-generation", 2048)


@pytest.mark.parametrize(
    ("name", "repo", "told"),
    [
        ("pickled", "org/pickles", ("pytorch_model.bin", ".gguf")),
        ("short", "org/short-GGUF", ("short-Q8_0.gguf",)),
        ("nowhere", "org/nothing-there", ("org/nothing-there",)),
    ],
)
def test_what_cannot_be_served_fails_with_the_reason(
    server: Server, name: str, repo: str, told: tuple[str, ...]
) -> None:
    made = deploy(server, name, repo)
    now = ended(server, made)
    assert now["status"] == "failed", now
    assert all(word in now["fail_reason"] for word in told), now["fail_reason"]
    assert "Traceback" not in now["fail_reason"]
    reply = server.chat(f"default/{name}")
    assert (reply.status, reply.error["code"]) == (503, "model_not_ready")
    assert server.chat("fake", max_tokens=1).status == 200
    server.send("DELETE", f"/deploy/{made['deploy_id']}")
    assert server.chat(f"default/{name}").status == 404
