"""DeepInfra's routes of LoRA adapters: added to a model that runs, used by name, and removed."""

import concurrent.futures
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from adapter_files import gguf_adapter, numbers, peft_adapter
from rawhttp import Reply
from serving import Server, environment, serving, until
from test_deploy import OTHER_KEY, add_account, refusal, send

from penstock.api.deepinfra.deployment_answers import DeploymentOut

TOLD = "Once upon a time"
FILE = """
[[models]]
name = "base"
source = "penstock/tiny-chat"
parallel = 2
context_length = 512

[[models]]
name = "fake"
source = "fake:"
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("lora")
    (home / "penstock.toml").write_text(FILE)
    with serving(home=home) as server:
        add_account(server, "acme", OTHER_KEY)
        yield server


@pytest.fixture(scope="module")
def models(server: Server) -> Path:
    """What may be deployed from."""
    directory = server.home / "models"
    directory.mkdir(exist_ok=True)
    gguf_adapter(directory / "warm.gguf", seed=1)
    peft_adapter(directory / "cold", seed=2, base_model_name_or_path="base")
    return directory


def add(server: Server, key: str | None = None, **body: Any) -> Reply:
    return send(server, "POST", "/lora-model", body, key)


def out(reply: Reply) -> DeploymentOut:
    assert reply.status == 200, reply.body
    return msgspec.json.decode(reply.body, type=DeploymentOut)


def own(server: Server, key: str | None = None) -> dict[str, DeploymentOut]:
    reply = send(server, "GET", "/lora-model", key=key)
    told = msgspec.json.decode(reply.body, type=list[DeploymentOut])
    return {deployment.model_name: deployment for deployment in told}


def say(server: Server, model: str) -> Reply:
    return server.chat(model, "Hello, who are you?", max_tokens=24, temperature=0)


def said(server: Server, model: str) -> str:
    reply = say(server, model)
    assert reply.status == 200, reply.body
    return str(reply.json["choices"][0]["message"]["content"])


def completed(server: Server, model: str) -> str:
    body = {"model": model, "prompt": TOLD, "max_tokens": 24, "temperature": 0}
    return str(server.post("completions", body).json["choices"][0]["text"])


def native(server: Server, model: str) -> str:
    body = {"input": TOLD, "max_new_tokens": 24, "temperature": 0}
    reply = send(server, "POST", f"/v1/inference/{model}", body)
    return str(reply.json["results"][0]["generated_text"])


def test_an_adapter_is_added_used_and_removed_while_its_base_goes_on(
    server: Server, models: Path
) -> None:
    before = said(server, "base")
    statuses: list[int] = []
    done = threading.Event()

    def go_on() -> None:
        while not done.is_set():
            statuses.append(say(server, "base").status)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        loops = [pool.submit(go_on) for _ in range(2)]
        try:
            added = out(
                add(server, lora_model_name="warm", base_model_name="base", path="warm.gguf")
            )
            assert (added.type, added.model_name) == ("lora", "default/warm")
            assert added.status in ("deploying", "running")
            # A call that comes too early waits for the replica that knows the adapter.
            warm = said(server, "default/warm")
            until(lambda: own(server)["default/warm"].status == "running", "it runs")
            assert completed(server, "default/warm") == native(server, "default/warm")
            assert native(server, "default/warm") != native(server, "base")
            by_id = f"deploy_id:{added.deploy_id}"
            assert said(server, by_id) == warm
            assert out(server.get(f"/deploy/{added.deploy_id}")).status == "running"
            listed = {d["deploy_id"]: d["type"] for d in server.get("/deploy/list").json}
            assert listed[added.deploy_id] == "lora"
            cold = out(add(server, lora_model_name="default/cold", path="cold"))
            assert said(server, cold.model_name) not in (warm, before)
        finally:
            done.set()
        for loop in loops:
            loop.result()
    assert set(statuses) == {200}
    assert warm != before == said(server, "base")
    models_listed = {m["id"]: m for m in server.get("/v1/models").json["data"]}
    assert models_listed["default/warm"]["parent"] == "base"
    names = [m["model_name"] for m in server.get("/models/lora/list").json]
    assert sorted(names) == ["default/cold", "default/warm"]
    assert server.get("/models/lora/list", key="").json == []

    for name in ("default/warm", "default/cold"):
        assert send(server, "DELETE", f"/lora-model/{name}").status == 200
        assert say(server, name).status == 404
    assert own(server) == {}
    assert said(server, "base") == before


def test_an_adapter_is_its_account_s_own(server: Server, models: Path) -> None:
    body = {"lora_model_name": "mine", "base_model_name": "base", "path": "warm.gguf"}
    mine = out(add(server, OTHER_KEY, **body))
    assert mine.model_name == "acme/mine"
    assert own(server) == {}
    assert set(own(server, OTHER_KEY)) == {"acme/mine"}
    assert say(server, "acme/mine").status == 404
    refusal(send(server, "DELETE", "/lora-model/acme/mine"), 404)
    assert "already" in refusal(add(server, OTHER_KEY, **body), 409)
    assert send(server, "DELETE", "/lora-model/acme/mine", key=OTHER_KEY).status == 200


def test_adapters_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    """The last of them would have kept the base, which others use, from starting."""
    home = tmp_path / "home"
    (home / "models").mkdir(parents=True)
    gguf_adapter(home / "models" / "big.gguf", numbers(1, rank=512))
    (home / "penstock.toml").write_text(FILE)
    with serving(home=home, flags=("--memory-limit", "130MB")) as server:
        statuses = []
        for number in range(9):
            body = {"lora_model_name": f"a{number}", "base_model_name": "base", "path": "big.gguf"}
            reply = add(server, **body)
            statuses.append(reply.status)
            if reply.status != 200:
                break
        assert statuses[0] == 200
        assert statuses[-1] == 422
        assert "memory" in refusal(reply, 422)
        assert say(server, "base").status == 200


#: What is sent, and what the reason names. Where no name is given it is "x".
REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "no place": ({"base_model_name": "base"}, "by one of"),
    "two places": ({"path": "a.gguf", "hf_model_name": "a/b"}, "by one of"),
    "a bad name": ({"lora_model_name": "../x", "path": "warm.gguf"}, "cannot be the name"),
    "somebody's name": ({"lora_model_name": "acme/x", "path": "warm.gguf"}, "is a name, or"),
    "an unknown field": ({"path": "warm.gguf", "scale": 1}, "scale"),
    "a secret": ({"hf_model_name": "a/b", "hf_token": "t"}, "HF_TOKEN"),
    "no repository": ({"hf_model_name": "./a"}, "must be a repository"),
    "a path outside": ({"path": "../warm.gguf"}, "may be deployed from"),
    "no base": ({"path": "warm.gguf"}, "base_model_name"),
    "an unknown base": ({"path": "warm.gguf", "base_model_name": "nobody"}, "does not exist"),
    "a base that takes none": (
        {"path": "warm.gguf", "base_model_name": "fake"},
        "takes no adapters",
    ),
    "a wrong base": ({"path": "wrong.gguf", "base_model_name": "base"}, "made for another base"),
    "a pickle": ({"path": "pickled", "base_model_name": "base"}, "is a pickle"),
    "a long name": ({"path": "a" * 300}, "cannot be looked at"),
    "a long file": ({"path": "a" * 300 + ".gguf"}, "cannot be read"),
    "not there": ({"path": "nothing.gguf", "base_model_name": "base"}, "An adapter is a .gguf"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_added_is_refused_with_the_reason_and_leaves_nothing(
    server: Server, models: Path, case: str
) -> None:
    body, because = REFUSALS[case]
    if not (models / "wrong.gguf").exists():
        wrong = {n: (a[:, :-8].copy(), b) for n, (a, b) in numbers(1).items() if "attn_q" in n}
        gguf_adapter(models / "wrong.gguf", wrong)
        (models / "pickled").mkdir()
        (models / "pickled" / "adapter_config.json").write_text(
            '{"peft_type": "LORA", "r": 4, "lora_alpha": 8}'
        )
        (models / "pickled" / "adapter_model.bin").write_bytes(b"\x80\x04.")
    assert because in refusal(add(server, **{"lora_model_name": "x", **body}), 422)
    assert own(server) == {}


def test_the_terminal_adds_lists_and_removes(server: Server, tmp_path: Path) -> None:
    def run(*argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "penstock", "lora", *argv, "--url", server.url],
            env=environment(server.home, key=server.key),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def lora(*argv: str) -> str:
        done = run(*argv)
        assert done.returncode == 0, done.stderr
        return done.stdout

    adapter = peft_adapter(tmp_path / "adapter", seed=3)
    assert "default/own is" in lora("add", "own", str(adapter), "--base", "base")
    assert said(server, "default/own") != said(server, "base")
    (row,) = json.loads(lora("list", "--json"))
    assert (row["model"], row["status"]) == ("default/own", "running")
    assert "default/own" in lora("list")
    assert "Removed" in lora("remove", "own")
    assert "There is no adapter" in lora("list")
    refused = run("remove", "nobody")
    assert (refused.returncode, "You have no adapter" in refused.stderr) == (1, True)


def test_rubbish_is_refused(server: Server) -> None:
    for body in (b"", b"[]", b"{", json.dumps({"lora_model_name": "x" * 5000}).encode()):
        assert server.send("POST", "/lora-model", body).status in (400, 422)
    assert server.send("POST", "/lora-model", b"{}", key="").status == 401
