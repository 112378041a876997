"""LoRA adapters of a real model: each a model of its own name, all in the same batches."""

import concurrent.futures
import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from adapter_files import gguf_adapter, numbers, peft_adapter
from gguf_files import chat_model_path
from hub import serving_hub
from openai import OpenAI
from rawhttp import Reply
from serving import Server, serving, until
from test_lifecycle import run

Serve = Callable[..., Server]
MODELS = ("base", "warm", "cold")
FILE = """
[[models]]
name = "base"
source = "penstock/tiny-chat"
parallel = 2
context_length = 512
adapters = {{ warm = "{warm}", cold = "{cold}" }}
"""
QUESTIONS = ("Hello, who are you?", "What is the capital of France?", "Tell me of the sea.")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("adapters")
    warm = gguf_adapter(home / "warm.gguf", seed=1)
    cold = peft_adapter(home / "cold", seed=2)
    (home / "penstock.toml").write_text(FILE.format(warm=warm, cold=cold))
    with serving(home=home) as server:
        yield server


def ask(server: Server, model: str, question: str, **more: Any) -> Reply:
    return server.chat(model, question, **({"max_tokens": 24, "temperature": 0} | more))


def answer(server: Server, model: str, question: str, **more: Any) -> str:
    reply = ask(server, model, question, **more)
    assert reply.status == 200, reply.body
    assert reply.json["model"] == model
    return str(reply.json["choices"][0]["message"]["content"])


def test_adapters_are_models_that_say_something_else(server: Server) -> None:
    said = [answer(server, model, QUESTIONS[0]) for model in MODELS]
    assert len(set(said)) == 3
    assert answer(server, "base", QUESTIONS[0]) == said[0]


def test_the_base_says_what_it_says_without_adapters(
    server: Server, bundled_server: Server
) -> None:
    for question in QUESTIONS:
        alone = ask(bundled_server, "penstock/tiny-chat", question).json
        assert answer(server, "base", question) == alone["choices"][0]["message"]["content"]


def test_the_list_of_models_tells_what_an_adapter_changes(server: Server) -> None:
    models = {m["id"]: m for m in server.get("/v1/models").json["data"]}
    assert set(models) == set(MODELS)
    assert [models[name]["parent"] for name in MODELS] == [None, "base", "base"]
    assert models["warm"]["metadata"] == models["base"]["metadata"]
    prints = [ask(server, name, "hi").json["system_fingerprint"] for name in MODELS]
    assert len(set(prints)) == 3


def test_servers_of_one_state_keep_their_adapters(serve: Serve, tmp_path: Path) -> None:
    """Also of the same model, and over what either writes later."""
    home = tmp_path / "home"
    servers = {}
    for name, seed in (("warm", 1), ("cold", 2)):
        file = gguf_adapter(tmp_path / f"{name}.gguf", seed=seed)
        config = tmp_path / f"{name}.toml"
        config.write_text(
            '[[models]]\nname = "base"\nsource = "penstock/tiny-chat"\ncontext_length = 512\n'
            f'parallel = 1\nadapters = {{ {name} = "{file}" }}\n'
        )
        servers[name] = serve(home=home, flags=("--config", str(config)))
    key = run(home, "keys", "create", "new").stdout.split()[0]
    for name, server in servers.items():
        until(lambda server=server: server.get("/v1/models", key=key).status == 200, "read again")  # type: ignore[misc]
        assert answer(server, name, "hi", max_tokens=4)
        assert {m["id"] for m in server.get("/v1/models").json["data"]} == {"base", name}


def test_mixed_calls_say_what_each_says_alone(server: Server) -> None:
    """18 at a time on 2 slots, so that most batches hold several adapters.

    Few tokens: in a larger batch sums are made in another order, and nearly equal tokens may change
    places.
    """
    pairs = [(model, question) for model in MODELS for question in QUESTIONS] * 2
    alone = {pair: answer(server, *pair, max_tokens=8) for pair in set(pairs)}
    with concurrent.futures.ThreadPoolExecutor(len(pairs)) as pool:
        mixed = list(pool.map(lambda pair: answer(server, *pair, max_tokens=8), pairs))
    assert mixed == [alone[pair] for pair in pairs]


def test_completions_streams_and_scores_are_of_the_adapter_too(server: Server) -> None:
    client = OpenAI(base_url=server.url, api_key=server.key)
    found = []
    for model in MODELS:
        stream = client.completions.create(
            model=model, prompt="Once upon a time", max_tokens=12, temperature=0, stream=True
        )
        text = "".join(chunk.choices[0].text for chunk in stream if chunk.choices)
        scored = client.completions.create(
            model=model, prompt="Once upon a time", max_tokens=0, echo=True, logprobs=1
        )
        logprobs = scored.choices[0].logprobs
        assert logprobs is not None
        assert logprobs.token_logprobs is not None
        found.append((text, tuple(logprobs.token_logprobs[1:])))
    assert len({text for text, _ in found}) == 3
    assert len({scores for _, scores in found}) == 3


def test_a_message_that_spells_a_control_token_is_read_by_the_adapter_too(server: Server) -> None:
    said = {answer(server, model, f"{QUESTIONS[2]} <|im_end|>") for model in MODELS}
    assert len(said) == 3


def test_an_engine_killed_during_a_mix_comes_back_with_its_adapters(server: Server) -> None:
    before = answer(server, "cold", QUESTIONS[1])
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        asked = [
            pool.submit(server.chat, model, QUESTIONS[2], max_tokens=300)
            for model in MODELS
            for _ in range(2)
        ]
        until(lambda: server.running() == 2, "some are at work")
        (engine,) = [c for c in server.remember_children() if "--adapter" in c.cmdline()]
        engine.send_signal(signal.SIGKILL)
        statuses = {reply.result().status for reply in asked}
    assert statuses <= {200, 502}
    assert answer(server, "cold", QUESTIONS[1]) == before


def test_an_adapter_that_has_gone_does_not_take_its_base_with_it(tmp_path: Path) -> None:
    """Neither on the hub nor on the disk any more, when the server starts again."""
    home, served = tmp_path / "home", tmp_path / "hub"
    for name, seed in (("lost", 1), ("kept", 2)):
        peft_adapter(served / "org" / name, seed=seed)
    with serving_hub(served) as hub:
        env = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": hub.url}
        with serving("base=penstock/tiny-chat", home=home, env=env) as server:
            for name in ("lost", "kept"):
                body = {
                    "lora_model_name": name, "base_model_name": "base",
                    "hf_model_name": f"org/{name}",
                }  # fmt: skip
                added = server.send("POST", "/lora-model", json.dumps(body).encode())
                assert added.status == 200, added.body
        shutil.rmtree(served / "org" / "lost")
        shutil.rmtree(home / "weights" / "models--org--lost")
        with serving("base=penstock/tiny-chat", home=home, env=env) as server:
            said = {answer(server, name, QUESTIONS[0]) for name in ("base", "default/kept")}
            assert len(said) == 2
            reply = ask(server, "default/lost", QUESTIONS[0])
            assert (reply.status, reply.error["code"]) == (503, "model_not_ready")
            told = {m["model_name"]: m for m in server.get("/lora-model").json}
            assert told["default/kept"]["status"] == "running"
            assert told["default/lost"]["status"] == "failed"
            assert "org/lost" in told["default/lost"]["fail_reason"]
            assert "It goes without an adapter" in server.log


def test_a_gguf_adapter_comes_from_the_hub_and_fits_what_runs(tmp_path: Path) -> None:
    """The base is not fetched again, whatever its repository has by now."""
    served = tmp_path / "hub"
    for directory in ("warm", "tiny"):
        (served / "org" / directory).mkdir(parents=True)
    gguf_adapter(served / "org" / "warm" / "warm.gguf", seed=1)
    shutil.copy(chat_model_path(), served / "org" / "tiny" / "tiny-Q8_0.gguf")
    with serving_hub(served) as hub:
        env = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": hub.url}
        with serving("base=org/tiny", home=tmp_path / "home", env=env) as server:
            shutil.copy(chat_model_path(), served / "org" / "tiny" / "tiny-Q4_K_M.gguf")
            body = {
                "lora_model_name": "warm", "base_model_name": "base", "hf_model_name": "org/warm"
            }  # fmt: skip
            added = server.send("POST", "/lora-model", json.dumps(body).encode())
            assert added.status == 200, added.body
            assert answer(server, "default/warm", QUESTIONS[0])
        assert hub.requests(containing="Q4_K_M") == []


def test_unknown_adapters_and_fields_of_the_engine_are_refused(server: Server) -> None:
    reply = server.chat("lukewarm")
    assert (reply.status, reply.error["code"]) == (404, "model_not_found")
    assert server.chat("base", lora=[{"id": 0, "scale": 1}]).status == 400


def test_an_adapter_that_does_not_fit_stops_the_start_with_the_reason(tmp_path: Path) -> None:
    wrong = {name: (a[:, :-8].copy(), b) for name, (a, b) in numbers(1).items() if "attn_q" in name}
    adapter = gguf_adapter(tmp_path / "wrong.gguf", wrong)
    (tmp_path / "penstock.toml").write_text(
        f'[[models]]\nname = "base"\nsource = "penstock/tiny-chat"\n'
        f'adapters = {{ wrong = "{adapter}" }}\n'
    )
    done = run(tmp_path, "serve", "--port", "0")
    assert done.returncode == 1
    assert "It was made for another base" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ('source = "fake:"\nadapters = { a = "./a.gguf" }', "fake, takes no adapters"),
        ('source = "penstock/tiny-embed"\nadapters = { a = "./a.gguf" }', "takes no adapters"),
        ('source = "fake:"\nname = "a"\nadapters = { a = "./a.gguf" }', "Two models are called"),
        ('source = "fake:"\nadapters = { a = "http://x/v1" }', "is not a file, a directory"),
        ('source = "fake:"\nadapters = { "../a" = "./a.gguf" }', "../a"),
    ],
)
def test_adapters_that_cannot_be_are_refused_at_the_start(
    model: str, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "penstock.toml").write_text(f"[[models]]\n{model}\n")
    done = run(tmp_path, "serve", "--port", "0")
    assert done.returncode == 1
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
