"""The fake engine, each of its flags through a real process."""

import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from struct import unpack
from typing import Any, NamedTuple

import pytest

from penstock.http.client import Broken, Client, Origin, Timeouts

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
EMBEDDINGS = "/v1/embeddings"
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "hello there"}]}
WEATHER = {
    "name": "weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 3}},
    },
}
OTHER = {"name": "other"}


class Answer(NamedTuple):
    """What came, and why no more did when the connection broke."""

    status: int
    body: bytes
    broken: str | None = None

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def payloads(self) -> list[str]:
        events = self.body.decode().split("\n\n")
        assert events.pop() == ""
        assert all(event.startswith("data: ") for event in events)
        return [event.removeprefix("data: ") for event in events]

    @property
    def chunks(self) -> list[Any]:
        return [json.loads(payload) for payload in self.payloads if payload != "[DONE]"]


class Fake(NamedTuple):
    process: subprocess.Popen[bytes]
    client: Client

    async def listens(self, within_s: float = 20) -> None:
        async with asyncio.timeout(within_s):
            while True:
                with suppress(Broken):
                    await self.get("/health")
                    return
                await asyncio.sleep(0.02)

    async def post(self, path: str, body: Any) -> Answer:
        received = b""
        async with self.client.post(path, json.dumps(body).encode()) as exchange:
            try:
                async for batch in exchange:
                    received += batch
            except Broken as broken:
                return Answer(exchange.status, received, str(broken))
            return Answer(exchange.status, received)

    async def get(self, path: str) -> Answer:
        async with self.client.get(path) as exchange:
            return Answer(exchange.status, await exchange.read())

    async def stream(self, **more: Any) -> Answer:
        return await self.post(CHAT, HELLO | {"stream": True} | more)


def argv(*flags: object) -> list[str]:
    return [sys.executable, "-m", "penstock.engines.workers.fake", *map(str, flags)]


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """A directory whose path is short enough for a unix socket."""
    with tempfile.TemporaryDirectory(prefix="pen-") as path:
        yield Path(path)


@asynccontextmanager
async def fake(run_dir: Path, *flags: object, stall_timeout_s: float = 60) -> AsyncIterator[Fake]:
    socket_path = run_dir / "s.sock"
    socket_path.unlink(missing_ok=True)
    command = argv("--socket", socket_path, *flags)
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        timeouts = Timeouts(stall_timeout_s=stall_timeout_s)
        client = Client(Origin(socket_path=str(socket_path)), timeouts=timeouts)
        running = Fake(process, client)
        try:
            await running.listens()
            yield running
        finally:
            await client.aclose()
            process.kill()


async def eventually(holds: Callable[[], Any], within_s: float = 20) -> None:
    deadline_s = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline_s, "this took too long"
        await asyncio.sleep(0.02)


def logged(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def content(chunks: list[Any]) -> str:
    return "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])


# -- its answers -----------------------------------------------------------------------------


async def test_a_stream_has_openais_shape(run_dir: Path) -> None:
    async with fake(run_dir, "--model", "org/parrot") as it:
        answer = await it.stream(max_tokens=5, stream_options={"include_usage": True})
    assert answer.payloads[-1] == "[DONE]"
    first, *pieces, last, usage = answer.chunks
    assert first["choices"][0]["delta"]["role"] == "assistant"
    assert [c["choices"][0]["delta"] for c in pieces] == [
        {"content": word} for word in ("You", " said:", " hello", " there", " -")
    ]
    assert [c["choices"][0]["finish_reason"] for c in (first, *pieces)] == [None] * 6
    assert (last["choices"][0]["delta"], last["choices"][0]["finish_reason"]) == ({}, "length")
    assert all(chunk["usage"] is None for chunk in answer.chunks[:-1])
    assert usage["choices"] == []
    assert usage["usage"] == {"prompt_tokens": 2, "completion_tokens": 5, "total_tokens": 7}
    frames = {(c["id"], c["object"], c["created"], c["model"]) for c in answer.chunks}
    assert len(frames) == 1
    assert frames.pop()[1::2] == ("chat.completion.chunk", "org/parrot")


async def test_usage_comes_only_when_it_is_asked_for(run_dir: Path) -> None:
    async with fake(run_dir) as it:
        answer = await it.stream()
    assert all(chunk["choices"] and "usage" not in chunk for chunk in answer.chunks)


async def test_a_plain_answer_is_the_stream_in_one_piece(run_dir: Path) -> None:
    async with fake(run_dir) as it:
        plain = (await it.post(CHAT, HELLO)).json
        streamed = await it.stream()
    choice = plain["choices"][0]
    assert plain["object"] == "chat.completion"
    assert choice["message"]["content"] == content(streamed.chunks)
    assert choice["finish_reason"] == "stop"
    assert plain["usage"]["completion_tokens"] == 16 == len(choice["message"]["content"].split())


async def test_the_seed_changes_the_answer_and_repeats_it(run_dir: Path) -> None:
    async with fake(run_dir) as it:
        bodies = [HELLO | {"seed": seed} for seed in (1, 1, 2)]
        said = [(await it.post(CHAT, body)).json["choices"][0] for body in bodies]
    assert said[0] == said[1] != said[2]


@pytest.mark.parametrize("prompt", ["one two", [11, 12]])
async def test_completions_take_text_and_token_ids(run_dir: Path, prompt: Any) -> None:
    body = {"prompt": prompt, "max_tokens": 4}
    async with fake(run_dir) as it:
        plain = (await it.post(COMPLETIONS, body)).json
        options = {"stream": True, "stream_options": {"include_usage": True}}
        streamed = await it.post(COMPLETIONS, body | options)
    words = prompt.split() if isinstance(prompt, str) else prompt
    text = f"You said: {words[0]} {words[1]}"
    assert plain["object"] == "text_completion"
    assert plain["choices"] == [
        {"index": 0, "text": text, "logprobs": None, "finish_reason": "length"}
    ]
    *pieces, usage = streamed.chunks
    assert "".join(chunk["choices"][0]["text"] for chunk in pieces) == text
    assert usage["usage"] == plain["usage"]
    assert plain["usage"]["prompt_tokens"] == 2


@pytest.mark.parametrize(
    "choice", ["required", {"type": "function", "function": {"name": "weather"}}]
)
async def test_a_forced_tool_is_called(run_dir: Path, choice: Any) -> None:
    names = [WEATHER, OTHER] if choice == "required" else [OTHER, WEATHER]
    tools = [{"type": "function", "function": function} for function in names]
    async with fake(run_dir) as it:
        plain = (await it.post(CHAT, HELLO | {"tools": tools, "tool_choice": choice})).json
        streamed = await it.stream(tools=tools, tool_choice=choice)
        free = (await it.post(CHAT, HELLO | {"tools": tools})).json
    assert "tool_calls" not in free["choices"][0]["message"]
    message = plain["choices"][0]["message"]
    assert message["content"] is None
    assert plain["choices"][0]["finish_reason"] == "tool_calls"
    assert message["tool_calls"][0]["function"]["name"] == "weather"
    arguments = message["tool_calls"][0]["function"]["arguments"]
    assert json.loads(arguments) == {"city": "fake", "days": 3}
    calls = [c["choices"][0]["delta"].get("tool_calls", [{}])[0] for c in streamed.chunks]
    assert calls[0]["function"] == {"name": "weather", "arguments": ""}
    assert "".join(c["function"]["arguments"] for c in calls if c) == arguments
    assert streamed.chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


async def test_script(run_dir: Path) -> None:
    lines = [
        {"when": "hello", "call": "other", "arguments": {"with": "ünïcode"}},
        {"when": "hello there", "say": "General  Kenobi!"},
        {"when": "hello", "say": "never"},
    ]
    script = run_dir / "script.json"
    script.write_text(json.dumps(lines))
    tools = [{"type": "function", "function": function} for function in (WEATHER, OTHER)]
    async with fake(run_dir, "--script", script) as it:
        plain = (await it.post(CHAT, HELLO)).json["choices"][0]["message"]
        called = (await it.post(CHAT, HELLO | {"tools": tools})).json["choices"][0]
        none = (await it.post(CHAT, HELLO | {"tools": tools, "tool_choice": "none"})).json
        bye = {"messages": [{"role": "user", "content": "bye"}]}
        unknown = (await it.post(CHAT, bye)).json["choices"][0]["message"]
    assert plain["content"] == "General  Kenobi!"
    assert none["choices"][0]["message"]["content"] == "General  Kenobi!"
    (call,) = called["message"]["tool_calls"]
    assert called["finish_reason"] == "tool_calls"
    assert call["function"]["name"] == "other"
    assert json.loads(call["function"]["arguments"]) == {"with": "ünïcode"}
    assert unknown["content"].startswith("You said: bye")


async def test_json_is_answered_when_it_is_asked_for(run_dir: Path) -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}}
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    async with fake(run_dir) as it:
        plain = (await it.post(CHAT, HELLO | {"response_format": form})).json
    assert json.loads(plain["choices"][0]["message"]["content"]) == {"ok": True}


async def test_embeddings_are_unit_vectors_that_follow_from_the_text(run_dir: Path) -> None:
    async with fake(run_dir) as it:
        floats = (await it.post(EMBEDDINGS, {"input": ["a b", "c"]})).json
        coded = (await it.post(EMBEDDINGS, {"input": "c", "encoding_format": "base64"})).json
        ids = (await it.post(EMBEDDINGS, {"input": [1, 2], "dimensions": 3})).json
    rows = [item["embedding"] for item in floats["data"]]
    assert [item["index"] for item in floats["data"]] == [0, 1]
    assert [len(row) for row in rows] == [8, 8]
    assert [sum(x * x for x in row) for row in rows] == pytest.approx([1, 1])
    assert unpack("<8f", b64decode(coded["data"][0]["embedding"])) == pytest.approx(rows[1])
    assert len(ids["data"]) == 1
    assert len(ids["data"][0]["embedding"]) == 3
    assert (floats["usage"]["prompt_tokens"], ids["usage"]["prompt_tokens"]) == (3, 2)


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        (CHAT, {}, None),
        (CHAT, HELLO | {"n": 2}, "n"),
        (CHAT, HELLO | {"max_tokens": 0}, "max_tokens"),
        (CHAT, HELLO | {"tool_choice": "required"}, "tool_choice"),
        (COMPLETIONS, {"prompt": 1}, None),
        (EMBEDDINGS, {"input": []}, "input"),
        (EMBEDDINGS, {"input": ""}, "input"),
        (EMBEDDINGS, {"input": [1, "a"]}, "input"),
        (EMBEDDINGS, {"input": ["a", [1]]}, "input"),
        (EMBEDDINGS, {"input": "a", "dimensions": 9}, "dimensions"),
        (EMBEDDINGS, {"input": "a", "encoding_format": "int8"}, "encoding_format"),
    ],
)
async def test_bad_requests_are_refused(run_dir: Path, path: str, body: Any, param: Any) -> None:
    async with fake(run_dir) as it:
        answer = await it.post(path, body)
    assert answer.status == 400
    assert answer.json["error"]["type"] == "invalid_request_error"
    assert answer.json["error"]["param"] == param


async def test_models_health_and_unknown_paths(run_dir: Path) -> None:
    async with fake(run_dir, "--model", "org/parrot", "--slots", 3) as it:
        models, health, unknown = [
            await it.get(path) for path in ("/v1/models", "/health", "/v1/images")
        ]
    assert [model["id"] for model in models.json["data"]] == ["org/parrot"]
    assert health.json == {"status": "ok", "slots": 3}
    assert (unknown.status, set(unknown.json["error"])) == (
        404,
        {"message", "type", "param", "code"},
    )


# -- its pace --------------------------------------------------------------------------------


async def test_tokens_per_second(run_dir: Path) -> None:
    async with fake(run_dir, "--tokens-per-second", 20) as it:
        start_s = time.monotonic()
        await it.stream(max_tokens=11)
        assert time.monotonic() - start_s >= 0.5


async def test_first_token_after_s(run_dir: Path) -> None:
    async with fake(run_dir, "--first-token-after-s", 0.4) as it:
        start_s = time.monotonic()
        await it.stream(max_tokens=1)
        await it.post(EMBEDDINGS, {"input": "a"})
        assert time.monotonic() - start_s >= 0.8


async def test_load_s(run_dir: Path) -> None:
    async with fake(run_dir, "--load-s", 2) as it:
        early = [await it.get("/health"), await it.stream()]
        await asyncio.sleep(2)
        late = [await it.get("/health"), await it.stream()]
    assert [answer.status for answer in early] == [503, 503]
    assert [answer.status for answer in late] == [200, 200]


# -- its faults ------------------------------------------------------------------------------


async def test_die_after(run_dir: Path) -> None:
    log = run_dir / "log"
    async with fake(run_dir, "--die-after", 3, "--log", log) as it:
        answer = await it.stream()
        assert it.process.wait(10) == 1
    assert answer.broken
    assert content(answer.chunks) == "You said: hello"
    assert [(line["tokens"], line["left"]) for line in logged(log)] == [(3, False)]


async def test_die_once(run_dir: Path) -> None:
    mark = run_dir / "mark"
    flags = ("--die-after", 1, "--die-once", mark)
    async with fake(run_dir, *flags) as it:
        assert (await it.stream()).broken
        assert it.process.wait(10) == 1
    assert mark.exists()
    async with fake(run_dir, *flags) as it:
        assert (await it.stream()).payloads[-1] == "[DONE]"


async def test_die_once_alone_is_before_the_first_token(run_dir: Path) -> None:
    async with fake(run_dir, "--die-once", run_dir / "mark") as it:
        with pytest.raises(Broken):
            await it.post(EMBEDDINGS, {"input": "a"})
        assert it.process.wait(10) == 1


async def test_stall_after(run_dir: Path) -> None:
    async with fake(run_dir, "--stall-after", 2, stall_timeout_s=0.5) as it:
        answer = await it.stream()
        assert it.process.poll() is None
    assert answer.broken == "it was silent for too long"
    assert content(answer.chunks) == "You said:"


async def test_bad_json_after(run_dir: Path) -> None:
    async with fake(run_dir, "--bad-json-after", 1) as it:
        streamed = await it.stream()
        plain = await it.post(CHAT, HELLO)
    with pytest.raises(ValueError):
        json.loads(streamed.payloads[2])
    assert streamed.payloads[-1] == "[DONE]"
    with pytest.raises(ValueError):
        json.loads(plain.body)


async def test_error_in_stream_after(run_dir: Path) -> None:
    async with fake(run_dir, "--error-in-stream-after", 1) as it:
        streamed = await it.stream()
        plain = await it.post(CHAT, HELLO)
    assert streamed.status == 200
    assert streamed.broken is None
    assert streamed.chunks[-1]["error"]["type"] == "server_error"
    assert len(streamed.payloads) == 3
    assert (plain.status, plain.json["error"]["type"]) == (500, "server_error")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(500, "server_error"), (429, "rate_limit_error"), (400, "invalid_request_error")],
)
async def test_status(run_dir: Path, status: int, kind: str) -> None:
    async with fake(run_dir, "--status", status) as it:
        answers = [await it.stream(), await it.post(EMBEDDINGS, {"input": "a"})]
        assert (await it.get("/health")).status == 200
    assert [(a.status, a.json["error"]["type"]) for a in answers] == [(status, kind)] * 2


async def test_forget_done(run_dir: Path) -> None:
    async with fake(run_dir, "--forget-done") as it:
        answer = await it.stream()
    assert answer.broken is None
    assert json.loads(answer.payloads[-1])["choices"][0]["finish_reason"] == "stop"


def test_refuse_to_start(run_dir: Path) -> None:
    command = argv("--socket", run_dir / "s.sock", "--refuse-to-start")
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert ended.stderr == "The fake engine refuses to start, as it was told to.\n"


async def test_sigterm_ends_it_unless_it_is_ignored(run_dir: Path) -> None:
    async with fake(run_dir) as it:
        it.process.terminate()
        assert it.process.wait(10) == -signal.SIGTERM
    async with fake(run_dir, "--ignore-sigterm") as it:
        await it.get("/health")
        it.process.terminate()
        await asyncio.sleep(0.3)
        assert (await it.get("/health")).status == 200


# -- its log, its parent, its port -----------------------------------------------------------


async def test_the_log_tells_what_was_asked_and_sent(run_dir: Path) -> None:
    log = run_dir / "log"
    async with fake(run_dir, "--log", log) as it:
        await it.stream(max_tokens=4)
        await it.post(EMBEDDINGS, {"input": "a"})
        await eventually(lambda: len(logged(log)) == 2)
    chat, embedding = logged(log)
    assert chat == {
        "path": CHAT,
        "body": HELLO | {"stream": True, "max_tokens": 4},
        "tokens": 4,
        "left": False,
    }
    assert (embedding["path"], embedding["body"]) == (EMBEDDINGS, {"input": "a"})


@pytest.mark.parametrize("stream", [True, False])
async def test_the_log_tells_that_a_client_left(run_dir: Path, stream: bool) -> None:
    log = run_dir / "log"
    body = json.dumps(HELLO | {"stream": stream, "max_tokens": 1000}).encode()
    async with fake(run_dir, "--tokens-per-second", 20, "--log", log) as it:

        async def ask() -> None:
            async with it.client.post(CHAT, body) as exchange:
                await exchange.read()

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(), 0.5)
        await eventually(lambda: logged(log), within_s=3)
    (line,) = logged(log)
    assert line["left"]
    assert 1 <= line["tokens"] <= 60


async def test_with_parent(run_dir: Path) -> None:
    async with fake(run_dir, "--with-parent") as it:
        assert it.process.stdin is not None
        it.process.stdin.close()
        assert it.process.wait(10) == 0


async def test_a_port_is_told(run_dir: Path) -> None:
    with subprocess.Popen(argv("--port", 0), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        client = Client(Origin.parse(url))
        async with client.get("/models") as exchange:
            assert exchange.status == 200
            await exchange.read()
        await client.aclose()
        process.kill()


def test_help_tells_of_each_flag() -> None:
    shown = subprocess.run(argv("--help"), capture_output=True, text=True, check=True).stdout
    for flag in ("--die-once", "--stall-after", "--log", "--ignore-sigterm", "--load-s"):
        assert flag in shown
