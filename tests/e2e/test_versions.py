"""Versions of a declared model over restarts: the old one stays, and is started when asked for."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from gguf_files import chat_model_path
from serving import Server, environment, serving, until

from penstock.store.home import open_stores

ONE_AT_A_TIME = {"max_concurrent_requests": 1}
SAID: dict[str, dict[str, object]] = {
    "chat/completions": {"messages": [{"role": "user", "content": "hi"}]},
    "completions": {"prompt": "hi"},
}


def test_an_old_version_is_served_beside_the_new_one(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving("mine=fake:?tokens_per_second=1000", home=home) as server:
        (old,) = server.get("/models/mine/versions").json
        first = server.chat("mine", max_tokens=1).json
    with serving("mine=fake:?tokens_per_second=2000", home=home) as server:
        new, still = server.get("/models/mine/versions").json
        assert still["version"] == old["version"] != new["version"]
        assert server.get("/models/mine").json["version"] == new["version"]
        plain = server.chat("mine", max_tokens=1).json
        assert plain["system_fingerprint"] == f"fp_{new['version'][:12]}"
        before = server.chat(f"mine:{old['version']}", max_tokens=1)
        assert before.status == 200, server.log
        assert before.json["system_fingerprint"] == first["system_fingerprint"]
        assert before.json["model"] == f"mine:{old['version']}"
        stream = server.chat(f"mine:{old['version'][:12]}", max_tokens=1, stream=True)
        assert stream.events[0]["system_fingerprint"] == first["system_fingerprint"]
        until(lambda: server.get("/ready").status == 200, "what was asked for is no trouble")
    with serving("mine=fake:?tokens_per_second=1000", home=home) as server:
        assert server.get("/models/mine").json["version"] == old["version"]
        assert (
            server.chat("mine", max_tokens=1).json["system_fingerprint"]
            == (first["system_fingerprint"])
        )


def test_an_old_version_that_cannot_start_is_no_trouble_of_the_server_s(tmp_path: Path) -> None:
    home, file = tmp_path / "home", tmp_path / "one.gguf"
    file.symlink_to(chat_model_path())
    with serving(f"mine={file}", home=home) as server:
        (old,) = server.get("/models/mine/versions").json
    file.unlink()
    with serving("mine=fake:", home=home) as server:
        assert server.chat(f"mine:{old['version']}", max_tokens=1).status == 503
        assert server.get("/ready").json == {"ready": True, "models": {"mine": "ready"}}


def test_a_native_call_outlives_its_model(tmp_path: Path) -> None:
    with serving("base=fake:?tokens_per_second=20", home=tmp_path / "home") as server:
        wanted = json.dumps({"model_name": "mine", "base_model": "base"}).encode()
        id_ = server.send("POST", "/deploy/llm", wanted).json["deploy_id"]
        assert server.chat("default/mine", max_tokens=1).status == 200
        with ThreadPoolExecutor(2) as clients:
            asked = [
                clients.submit(
                    server.send,
                    "POST",
                    "/v1/inference/default/mine",
                    json.dumps({"input": "hi", "max_new_tokens": 40, "stream": stream}).encode(),
                )
                for stream in (False, True)
            ]
            until(lambda: waiting(server, "running") == 2, "both are answered")
            assert server.send("DELETE", f"/deploy/{id_}").status == 200
            whole, stream = (each.result() for each in asked)
        assert whole.json["num_tokens"] == 40
        assert stream.events[-1]["num_output_tokens"] == 40


@pytest.mark.parametrize("path", SAID)
def test_a_call_that_waited_through_a_change_tells_which_version_answered_it(
    tmp_path: Path, path: str
) -> None:
    with serving("base=fake:?tokens_per_second=20", home=tmp_path / "home") as server:
        wanted = {"model_name": "mine", "base_model": "base", "standard_args": ONE_AT_A_TIME}
        asked_for = server.send("POST", "/deploy/llm", json.dumps(wanted).encode())
        id_ = asked_for.json["deploy_id"]
        before = server.chat("default/mine", max_tokens=1).json["system_fingerprint"]
        body = {"model": "default/mine", "max_tokens": 1, **SAID[path]}
        with ThreadPoolExecutor(2) as clients:
            with server.open_chat("default/mine", max_tokens=1000):
                until(lambda: waiting(server, "running") == 1, "the only place is taken")
                asked = [
                    clients.submit(server.post, path, body | {"stream": stream})
                    for stream in (False, True)
                ]
                until(lambda: waiting(server, "waiting") == 2, "two wait for it")
                change_weights(server, id_, "fake:?tokens_per_second=21")
                until(lambda: of_now(server, id_) != before, "the new version has taken over")
                after = of_now(server, id_)
            whole, stream = (each.result() for each in asked)
        assert whole.json["system_fingerprint"] == after
        assert {event["system_fingerprint"] for event in stream.events} == {after}


def test_an_update_is_a_version_and_one_that_fails_leaves_the_last_good_one(tmp_path: Path) -> None:
    with serving(home=tmp_path / "home", flags=("--memory-limit", "1000000000")) as server:

        def shown() -> dict[str, Any]:
            told: dict[str, Any] = server.get(there).json
            return told

        def update(**arguments: int) -> None:
            body = json.dumps({"standard_args": arguments}).encode()
            assert server.send("PUT", there, body).status == 200

        def another_than(*before: str) -> str:
            until(lambda: shown()["version"] not in ("", *before), "the update runs")
            assert server.chat("default/mine", max_tokens=1).status == 200
            assert shown()["update_error"] is None
            return str(shown()["version"])

        wanted = json.dumps({"model_name": "mine", "base_model": "penstock/tiny-chat"}).encode()
        there = f"/deploy/{server.send('POST', '/deploy/llm', wanted).json['deploy_id']}"
        first = another_than()
        update(max_context_size=512)
        second = another_than(first)
        until(lambda: versions(server) == {first, second}, "both are known")
        for version in (first, second):
            said = server.chat(f"default/mine:{version}", max_tokens=1).json
            assert said["system_fingerprint"] == f"fp_{version[:12]}"
        undone: set[str] = set()
        for slots in (1000, 1024):
            update(max_context_size=2048, max_concurrent_requests=slots)
            until(lambda: shown()["update_error"] not in (None, *undone), "it is undone")
            undone.add(shown()["update_error"])
            assert server.chat("default/mine", max_tokens=1).status == 200
            assert shown()["version"] == second
        assert all("memory" in why for why in undone)
        update(max_context_size=256)
        another_than(first, second)


def test_the_command_waits_until_an_update_answers_or_is_undone(tmp_path: Path) -> None:
    home = tmp_path / "home"

    def update(*flags: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "penstock", "deploy", "update", "mine", *flags],
            env=environment(home, key=server.key, env={"PENSTOCK_BASE_URL": server.url}),
            capture_output=True,
            text=True,
            timeout=120,
        )

    with serving(home=home, flags=("--memory-limit", "1000000000")) as server:
        wanted = json.dumps({"model_name": "mine", "base_model": "penstock/tiny-chat"}).encode()
        id_ = server.send("POST", "/deploy/llm", wanted).json["deploy_id"]
        until(lambda: server.get(f"/deploy/{id_}").json["status"] == "running", "it runs")
        before = of_now(server, id_)
        done = update("--context", "256")
        assert (done.returncode, of_now(server, id_) != before) == (0, True), done.stderr
        now = of_now(server, id_)
        refused = update("--context", "2048", "--parallel", "1024")
        assert refused.returncode == 1
        assert "The change did not work, the old settings are back: " in refused.stderr
        assert of_now(server, id_) == now


def versions(server: Server) -> set[str]:
    return {each["version"] for each in server.get("/models/default/mine/versions").json}


def change_weights(server: Server, id_: str, source: str) -> None:
    stores = open_stores(server.home)
    old = stores.deployments.get(id_)
    assert old is not None
    stores.deployments.change(id_, source=source, version_id=None, fallback_version=old.version_id)
    stores.database.close()


def waiting(server: Server, how: str) -> float:
    return server.metric(f"penstock_calls_{how}", gen_ai_request_model="default/mine")


def of_now(server: Server, id_: str) -> str:
    """The fingerprint of what answers now."""
    return f"fp_{server.get(f'/deploy/{id_}').json['version'][:12]}"
