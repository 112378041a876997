"""A whole Penstock over a real vLLM: what clients see, and what is left when vLLM dies."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from adapter_files import peft_adapter
from rawhttp import Reply, error_of
from real_vllm import START_S, vllm_python
from safetensors_model import write_embedder, write_safetensors_model
from serving import Server, environment, is_alive, serving, until

pytestmark = pytest.mark.timeout(3 * START_S)

#: What a loaded machine may take: for an answer, and to end vLLM's three processes.
WAIT_S = 60.0
STOP_S = 180.0
MODEL = "tiny"
ADAPTER = "tiny-changed"
CONFIG = """\
vllm_python = "{python}"

[[models]]
name = "{model}"
source = "{directory}"
dtype = "float32"
parallel = 16
adapters = {{ "{adapter}" = "{adapter_directory}" }}
"""
#: Checks of `penstock conformance` that this engine cannot pass, each with the reason.
EXCUSED: dict[str, str] = {}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("vllm")
    directory = write_safetensors_model(home / "tiny-chat")
    config = home / "penstock.toml"
    config.write_text(
        CONFIG.format(
            python=vllm_python(),
            model=MODEL,
            directory=directory,
            adapter=ADAPTER,
            adapter_directory=peft_adapter(home / "adapter"),
        )
    )
    with serving(home=home, env={"PENSTOCK_CONFIG": str(config)}, ready=False) as server:
        wait_ready(server)
        yield server
        server.remember_children()
        assert server.stop(STOP_S) == 0, "nothing is left of it"


def wait_ready(server: Server) -> None:
    try:
        until(lambda: server.get("/ready").status == 200, "vLLM is ready", START_S)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{server.log}") from None
    server.remember_children()


def processes(server: Server) -> list[psutil.Process]:
    """vLLM's, the one that speaks HTTP first, then its core, which computes."""
    (main,) = psutil.Process(server.process.pid).children()
    others = main.children(recursive=True)
    others.sort(key=lambda process: "EngineCore" not in " ".join(process.cmdline()))
    return [main, *others]


def restarts(server: Server) -> float:
    return server.metric("penstock_replica_restarts_total", gen_ai_request_model=MODEL)


def made(server: Server) -> float:
    """Tokens that were made, as they are charged."""
    return server.metric("gen_ai_usage_tokens_total", gen_ai_token_type="output")


def test_the_engine_and_the_reason_are_told(server: Server) -> None:
    assert f"{MODEL} runs on vllm: its weights are safetensors" in server.log
    assert f"{MODEL}, memory: 10 MiB weights + " in server.log


def test_what_it_can_do_is_shown(server: Server) -> None:
    shown = server.get(f"/v1/models/{MODEL}").json["penstock"]
    assert shown["engine"] == "vllm"
    assert shown["context_length"] == 2048
    assert "<|im_start|>" in shown["input_format"]


def test_it_speaks_openai_as_exactly_as_the_others(server: Server) -> None:
    command = [sys.executable, "-m", "penstock", "conformance", server.url, "--json"]
    done = subprocess.run(
        [*command, "--model", MODEL, "--timeout-s", "120"],
        env=environment(server.home, key=server.key),
        capture_output=True,
        text=True,
    )
    assert "ended with status" not in server.log, server.log
    checks = json.loads(done.stdout)["checks"]
    failed = {c["name"]: c["reason"] for c in checks if c["outcome"] == "failed"}
    assert {name: failed[name] for name in failed.keys() - EXCUSED.keys()} == {}
    passed = [c["name"] for c in checks if c["outcome"] == "passed"]
    assert len(passed) > 100, passed


@pytest.mark.parametrize("stream", [True, False])
def test_a_leaving_client_is_charged_what_was_made(server: Server, stream: bool) -> None:
    before = made(server)
    body = {"model": MODEL, "prompt": "Once upon a time", "max_tokens": 1900, "stream": stream}
    body |= {"logit_bias": {"2809": -100}, "temperature": 0}
    with contextlib.closing(server.wire()) as wire:
        wire.send(completion(server, body))
        until(lambda: running_in_vllm(server) == 1, "vLLM works on it", WAIT_S)
        time.sleep(1.0)
    until(lambda: server.running() == 0, "vLLM is told", WAIT_S)
    charged = until(lambda: made(server) - before, "the tokens are counted", WAIT_S)
    assert 1 < charged < 1900
    until(lambda: running_in_vllm(server) == 0, "vLLM stops", WAIT_S)


def completion(server: Server, body: dict[str, object]) -> bytes:
    data = json.dumps(body).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {server.key}\r\n"
    return f"{head}content-length: {len(data)}\r\n\r\n".encode() + data


def running_in_vllm(server: Server) -> float:
    return server.metric("penstock_engine_requests_running", gen_ai_request_model=MODEL)


@pytest.mark.parametrize("number", [1, 0], ids=["its core", "its HTTP"])
def test_vllm_that_dies_ends_each_stream_in_a_typed_error_and_is_back(
    server: Server, number: int
) -> None:
    before = restarts(server)
    with contextlib.ExitStack() as stack:
        wires = [
            stack.enter_context(server.open_chat(MODEL, max_tokens=1900, logit_bias={"2809": -100}))
            for _ in range(4)
        ]
        until(lambda: server.running() == 4, "four streams run", WAIT_S)
        time.sleep(1.0)
        family = processes(server)
        family[number].kill()
        for wire in wires:
            broken = last_error(wire.final())
            assert (broken["type"], broken["code"]) == ("server_error", "engine_error")
    until(lambda: restarts(server) == before + 1, "it is started again", STOP_S)
    until(lambda: not any(map(is_alive, family)), "nothing is left of it", STOP_S)
    wait_ready(server)
    assert server.chat(MODEL, max_tokens=5).status == 200


def test_an_adapter_is_a_model_of_its_own_in_the_same_process(server: Server) -> None:
    own, adapted, again = (prompt_scores(server, name) for name in (MODEL, ADAPTER, MODEL))
    assert own == pytest.approx(again, abs=0.01)
    assert own != pytest.approx(adapted, abs=0.1)
    processes(server)  # there is one


def prompt_scores(server: Server, model: str) -> list[float]:
    """How likely a text is, token by token but the first, which has no score."""
    body = {"model": model, "prompt": "How do I stream?", "echo": True, "logprobs": 0}
    answer = server.post("completions", body | {"max_tokens": 0}).json
    scores: list[float] = answer["choices"][0]["logprobs"]["token_logprobs"][1:]
    return scores


def test_prompts_are_scored_while_others_run(server: Server) -> None:
    body = {"model": MODEL, "prompt": [[7] * 9, [8] * 5], "echo": True, "logprobs": 1}
    asked = [body | {"max_tokens": tokens} for tokens in (1, 9, 16) * 8]
    before = restarts(server)
    with ThreadPoolExecutor(4) as clients:
        replies = list(clients.map(lambda each: server.post("completions", each), asked))
    assert {reply.status for reply in replies} == {200}
    assert restarts(server) == before


def test_an_embedding_model_in_safetensors(tmp_path: Path) -> None:
    """On vLLM's runner for pooling, as exactly as the other embedding models."""
    directory = write_embedder(
        tmp_path / "embedder", config={"is_matryoshka": True, "matryoshka_dimensions": [16, 32]}
    )
    flags = ("--vllm-python", str(vllm_python()))
    with serving(
        f"embedder={directory}", "fast=fake:", home=tmp_path, flags=flags, ready=False
    ) as server:
        wait_ready(server)
        assert (
            "embedder runs on vllm: it makes embeddings, and there is no ONNX graph" in server.log
        )
        shown = server.get("/v1/models/embedder").json["penstock"]
        assert (shown["max_input_tokens"], shown["embedding_length"]) == (512, 192)
        command = [sys.executable, "-m", "penstock", "conformance", server.url, "--json"]
        done = subprocess.run(
            [*command, "--model", "fast", "--section", "embeddings", "--timeout-s", "120"],
            env=environment(server.home, key=server.key),
            capture_output=True,
            text=True,
        )
        report = json.loads(done.stdout)
        assert report["models"]["embeddings"] == "embedder"
        assert {c["name"]: c["reason"] for c in report["checks"] if c["outcome"] != "passed"} == {}
        body = {"model": "embedder", "input": [[7] * 513]}
        reply = server.post("embeddings", body)
        assert (reply.status, reply.error["code"]) == (400, "context_length_exceeded")
        assert reply.error["param"] == "input"
        assert server.chat("embedder").error["param"] == "model"


def last_error(reply: Reply) -> dict[str, object]:
    *_, last, done = reply.payloads
    assert done == "[DONE]"
    return error_of(json.loads(last))
