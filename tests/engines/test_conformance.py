"""One suite for every engine: what the gateway may rely on, whatever runs the model."""

import asyncio
import math
import re
import sys
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from penstock.control.local_source import bundled_source
from penstock.control.machine import free_memory_bytes
from penstock.control.supervise import RestartPolicy, Supervisor
from penstock.domain.embedding import EmbeddingCall
from penstock.domain.errors import InvalidRequest
from penstock.domain.event import Event, Finished, Reasoning, ScoredText, Started, Text, ToolCall
from penstock.domain.generation import (
    Chat,
    Function,
    Generation,
    Message,
    Prompt,
    Sampling,
    Tokens,
    Tool,
)
from penstock.domain.generation import Text as TextPrompt
from penstock.domain.replica import ReplicaState
from penstock.domain.source import FakeEngine, RemoteServer
from penstock.engines.base import Engine
from penstock.engines.registry import EngineOptions, LocalSource, make_engine
from penstock.engines.vectors import unpack
from penstock.fleet.local import LocalFleet
from penstock.fleet.replica import Replica

GREEDY = Sampling(temperature=0.0)
CHAT = Chat(messages=(Message(role="user", content="Hello! Who are you?"),))
TOOLS = tuple(
    Tool(
        function=Function(
            name=name,
            description=f"Get the {name[4:]} of a city.",
            parameters={
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        )
    )
    for name in ("get_weather", "get_time")
)

TEXT_ENGINES = ("fake", "openai", "llama_cpp")
EMBEDDING_ENGINES = ("fake", "openai", "onnx")


def options() -> EngineOptions:
    return EngineOptions(free_memory_bytes=free_memory_bytes(), parallel=4, stall_timeout_s=30.0)


@asynccontextmanager
async def running(engine: Engine, run_dir: Path) -> AsyncIterator[Replica]:
    """The engine's replica, ready; ended afterwards."""
    replica = Replica(engine)
    supervisor = Supervisor(
        replica, name=engine.name, fleet=LocalFleet(), run_dir=run_dir, policy=RestartPolicy()
    )
    supervisor.start()
    try:
        async with asyncio.timeout(60):
            while not replica.ready:
                assert replica.status.state is not ReplicaState.FAILED, replica.status.reason
                await replica.changed()
        yield replica
    finally:
        await supervisor.stop()


@asynccontextmanager
async def started(name: str, run_dir: Path) -> AsyncIterator[Replica]:
    if name == "openai":
        async with fake_server() as url:
            engine = make_engine("m", RemoteServer(url, "fake"), options())
            async with running(engine, run_dir) as replica:
                yield replica
        return
    sources: dict[str, LocalSource] = {
        "fake": FakeEngine(),
        "llama_cpp": bundled_source("penstock/tiny-chat"),
        "onnx": bundled_source("penstock/tiny-embed"),
    }
    async with running(make_engine("m", sources[name], options()), run_dir) as replica:
        yield replica


@asynccontextmanager
async def fake_server() -> AsyncIterator[str]:
    """A server that speaks OpenAI, started by somebody else: its base URL."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "penstock.engines.workers.fake",
        "--port",
        "0",
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        line = (await process.stdout.readline()).decode()
        found = re.search(r":([0-9]+)", line.partition("127.0.0.1")[2])
        assert found, line
        yield f"http://127.0.0.1:{found[1]}/v1"
    finally:
        process.terminate()
        await process.wait()


@pytest.fixture(params=TEXT_ENGINES)
async def writer(request: pytest.FixtureRequest, run_dir: Path) -> AsyncGenerator[Replica, None]:
    async with started(request.param, run_dir) as replica:
        yield replica


@pytest.fixture(params=EMBEDDING_ENGINES)
async def embedder(request: pytest.FixtureRequest, run_dir: Path) -> AsyncGenerator[Replica, None]:
    async with started(request.param, run_dir) as replica:
        yield replica


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """A directory with a short path: a unix socket's may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="pst-") as path:
        yield Path(path)


async def events_of(replica: Replica, call: Generation) -> list[Event]:
    assert replica.client is not None
    events: list[Event] = []
    async with aclosing(replica.engine.generate(replica.client, call)) as batches:
        async for batch in batches:
            assert batch, "no batch is empty"
            events += batch
    return events


def text_of(events: list[Event]) -> str:
    return "".join(e.text for e in events if isinstance(e, Text | ScoredText))


def call_of(prompt: Prompt, **changes: object) -> Generation:
    call = Generation(prompt=prompt, sampling=GREEDY, max_tokens=12)
    return msgspec.structs.replace(call, **changes)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("prompt", [CHAT, TextPrompt("Once upon a time")])
async def test_an_answer_ends_in_finished_exactly_once(
    writer: Replica, prompt: Prompt, stream: bool
) -> None:
    events = await events_of(writer, call_of(prompt, stream=stream))
    assert [isinstance(e, Finished) for e in events].count(True) == 1
    end = events[-1]
    assert isinstance(end, Finished)
    assert end.reason in ("stop", "length")
    assert end.usage.prompt_tokens > 0
    assert 0 < end.usage.completion_tokens <= 12


async def test_max_tokens_is_kept(writer: Replica) -> None:
    events = await events_of(writer, call_of(TextPrompt("Once upon a time"), max_tokens=1))
    end = events[-1]
    assert isinstance(end, Finished)
    assert (end.reason, end.usage.completion_tokens) == ("length", 1)


async def test_the_same_call_gives_the_same_answer(writer: Replica) -> None:
    first, second = [text_of(await events_of(writer, call_of(CHAT))) for _ in range(2)]
    assert first == second


@pytest.mark.parametrize("stream", [True, False])
async def test_a_stop_cuts_the_answer_before_its_first_match(writer: Replica, stream: bool) -> None:
    whole = text_of(await events_of(writer, call_of(CHAT)))
    stop = whole[4:7]
    events = await events_of(writer, call_of(CHAT, stop=(stop,), stream=stream))
    assert text_of(events) == whole[: whole.index(stop)]
    end = events[-1]
    assert isinstance(end, Finished)
    assert end.reason == "stop"
    assert end.usage.prompt_tokens > 0


async def test_text_held_back_for_a_stop_that_never_comes_is_given_out(writer: Replica) -> None:
    whole = text_of(await events_of(writer, call_of(CHAT)))
    stop = whole[-2:] + "never"
    assert text_of(await events_of(writer, call_of(CHAT, stop=(stop,)))) == whole


async def test_closing_a_call_frees_the_engine(writer: Replica) -> None:
    assert writer.client is not None
    for _ in range(8):  # twice the slots: none may stay taken
        batches = writer.engine.generate(writer.client, call_of(CHAT, max_tokens=None))
        await batches.__anext__()
        await batches.aclose()
    async with asyncio.timeout(20):
        assert text_of(await events_of(writer, call_of(CHAT)))


async def test_a_named_tool_is_called(writer: Replica) -> None:
    chat = msgspec.structs.replace(CHAT, tools=TOOLS, tool_choice=("get_time",))
    events = await events_of(writer, call_of(chat, max_tokens=60))
    calls = [e for e in events if isinstance(e, ToolCall)]
    assert [c.name for c in calls if c.name] == ["get_time"]
    assert isinstance(msgspec.json.decode("".join(c.arguments for c in calls)), dict)


async def test_no_tool_is_called_when_none_may_be(writer: Replica) -> None:
    chat = msgspec.structs.replace(CHAT, tools=TOOLS, tool_choice="none")
    events = await events_of(writer, call_of(chat, max_tokens=40))
    assert not [e for e in events if isinstance(e, ToolCall)]


async def test_counting_as_it_goes_matches_the_end(writer: Replica) -> None:
    events = await events_of(writer, call_of(CHAT))
    counted = sum(
        e.tokens for e in events if isinstance(e, Text | ScoredText | Reasoning | ToolCall)
    )
    end = events[-1]
    assert isinstance(end, Finished)
    assert abs(counted - end.usage.completion_tokens) <= 1  # the end token may be counted
    for event in events:
        if isinstance(event, Started):
            assert event.prompt_tokens == end.usage.prompt_tokens


async def test_many_calls_at_once_do_not_mix(writer: Replica) -> None:
    alone = text_of(await events_of(writer, call_of(CHAT)))
    together = await asyncio.gather(*(events_of(writer, call_of(CHAT)) for _ in range(4)))
    assert {text_of(events) for events in together} == {alone}


async def test_embeddings_are_unit_vectors_in_order(embedder: Replica) -> None:
    assert embedder.client is not None
    texts = ("a cat", "a kitten on a mat", "the stock exchange")
    together = await embedder.engine.embed(embedder.client, EmbeddingCall(inputs=texts))
    for text, row in zip(texts, together.rows, strict=True):
        alone = await embedder.engine.embed(embedder.client, EmbeddingCall(inputs=(text,)))
        assert unpack(row) == pytest.approx(unpack(alone.rows[0]), abs=1e-5)
        assert math.hypot(*unpack(row)) == pytest.approx(1.0, abs=1e-5)
    assert together.prompt_tokens > 0


async def test_what_it_says_it_can_do_is_complete(embedder: Replica) -> None:
    assert embedder.capabilities is not None
    assert "embeddings" in embedder.capabilities.tasks


@pytest.mark.parametrize("name", ["llama_cpp"])
async def test_prompt_scores_equal_those_of_single_steps(name: str, run_dir: Path) -> None:
    """The grammar that makes the engine generate the prompt reports what a plain step would."""
    async with started(name, run_dir) as replica:
        ids = (40, 51, 62, 73, 84)
        call = call_of(Tokens(ids), echo=True, logprobs=5, max_tokens=0)
        prompt = (await events_of(replica, call))[0]
        assert prompt.logprobs[0].logprob is None  # type: ignore[union-attr, index]
        for at in range(1, len(ids)):
            step = call_of(Tokens(ids[:at]), logprobs=5, max_tokens=1)
            scored = next(e for e in await events_of(replica, step) if isinstance(e, ScoredText))
            best = max(a.logprob for a in scored.logprobs[0].alternatives)
            entry = prompt.logprobs[at]  # type: ignore[union-attr, index]
            assert max(a.logprob for a in entry.alternatives) == pytest.approx(best, abs=1e-3)


async def test_a_prompt_that_is_too_long_is_the_clients_error(run_dir: Path) -> None:
    async with started("llama_cpp", run_dir) as replica:
        long = TextPrompt("word " * 5000)
        with pytest.raises(InvalidRequest) as caught:
            await events_of(replica, call_of(long))
        assert caught.value.code == "context_length_exceeded"
