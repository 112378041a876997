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
from llama_server import llama_server
from real_vllm import START_S, RunningVllm

from penstock.control.local_source import bundled_source
from penstock.control.machine import free_memory_bytes
from penstock.control.supervise import RestartPolicy, Supervisor
from penstock.domain.embedding import EmbeddingCall
from penstock.domain.errors import InvalidRequest, UnsupportedParameter
from penstock.domain.event import Event, Finished, Reasoning, ScoredText, Started, Text, ToolCall
from penstock.domain.event import Prompt as EchoedPrompt
from penstock.domain.generation import (
    Chat,
    Function,
    Generation,
    JsonSchema,
    Message,
    Prompt,
    Regex,
    Sampling,
    Tokens,
    Tool,
)
from penstock.domain.generation import Text as TextPrompt
from penstock.domain.replica import ReplicaState
from penstock.domain.source import FakeEngine, GgufFile, RemoteServer
from penstock.engines.base import Engine
from penstock.engines.formats.gguf import read_metadata
from penstock.engines.openai.dialects import DIALECTS
from penstock.engines.openai.engine import OpenAIServer
from penstock.engines.registry import EngineOptions, LocalSource, make_engine
from penstock.engines.vectors import unpack
from penstock.fleet.base import Place
from penstock.fleet.local import LocalFleet
from penstock.fleet.replica import Replica
from penstock.http.client import Client, Timeouts

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

#: The first test of them waits for its start.
VLLM = pytest.param("vllm", marks=pytest.mark.timeout(START_S))
#: The same, as a server of someone else's.
REMOTE_VLLM = pytest.param("remote vllm", marks=pytest.mark.timeout(START_S))
TEXT_ENGINES = ("fake", "openai", "llama-server", "llama_cpp", VLLM, REMOTE_VLLM)
EMBEDDING_ENGINES = ("fake", "openai", "onnx")


def options() -> EngineOptions:
    return EngineOptions(
        free_memory_bytes=free_memory_bytes(), parallel=4, timeouts=Timeouts(stall_timeout_s=120)
    )


@asynccontextmanager
async def running(engine: Engine, run_dir: Path) -> AsyncIterator[Replica]:
    """The engine's replica, ready; ended afterwards."""
    replica = Replica(engine)
    place = Place(deployment_id="d", generation=1, copy_id="c")
    with LocalFleet() as fleet:
        supervisor = Supervisor(
            replica, name=engine.name, fleet=fleet, place=place, policy=RestartPolicy()
        )
        supervisor.start()
        try:
            async with asyncio.timeout(START_S):
                while not replica.ready:
                    assert replica.status.state is not ReplicaState.FAILED, replica.status.reason
                    await replica.changed()
            yield replica
        finally:
            await supervisor.stop()


@asynccontextmanager
async def connected(engine: Engine, client: Client) -> AsyncIterator[Replica]:
    """A replica whose process has been started already."""
    replica = Replica(engine)
    replica.publish_ready(client, await engine.inspect(client), None)
    try:
        yield replica
    finally:
        await client.aclose()


@asynccontextmanager
async def started(
    name: str, run_dir: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Replica]:
    if name in ("vllm", "remote vllm"):
        vllm: RunningVllm = request.getfixturevalue("vllm")
        remote = OpenAIServer("http://vllm/v1", model="m")
        engine = vllm.engine if name == "vllm" else remote
        async with connected(engine, vllm.engine.connect(vllm.launch)) as replica:
            assert remote.dialect is DIALECTS["vllm" if name == "remote vllm" else "generic"]
            yield replica
        return
    if name in ("openai", "llama-server"):
        chat = bundled_source("penstock/tiny-chat")
        assert isinstance(chat, GgufFile)
        async with fake_server() if name == "openai" else llama_server(chat.path) as url:
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
    async with started(request.param, run_dir, request) as replica:
        yield replica


@pytest.fixture(params=EMBEDDING_ENGINES)
async def embedder(request: pytest.FixtureRequest, run_dir: Path) -> AsyncGenerator[Replica, None]:
    async with started(request.param, run_dir, request) as replica:
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


@pytest.mark.parametrize("name", ["llama_cpp", VLLM, REMOTE_VLLM])
async def test_prompt_scores_equal_those_of_single_steps(
    name: str, run_dir: Path, request: pytest.FixtureRequest
) -> None:
    """The grammar that makes the engine generate the prompt reports what a plain step would."""
    async with started(name, run_dir, request) as replica:
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


@pytest.mark.parametrize("name", ["llama_cpp", VLLM])
async def test_a_prompt_that_is_too_long_is_the_clients_error(
    name: str, run_dir: Path, request: pytest.FixtureRequest
) -> None:
    async with started(name, run_dir, request) as replica:
        long = TextPrompt("word " * 5000)
        with pytest.raises(InvalidRequest) as caught:
            await events_of(replica, call_of(long))
        assert caught.value.code == "context_length_exceeded"


@pytest.mark.parametrize(
    "text", ["a zebra b", "zebra", " zebra\n\nzebra!", "é zebra 日本", "xzebray"]
)
async def test_text_kept_as_text_gives_the_tokens_of_the_plain_rendering(
    run_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    text: str,
) -> None:
    """A word is said to spell a control token: the engine must find every token in its cache."""
    call = call_of(Chat(messages=(Message(role="user", content=text),)), max_tokens=1)
    async with started("llama_cpp", run_dir, request) as replica:
        assert replica.client is not None
        plain = (await events_of(replica, call))[-1]
        metadata = read_metadata(replica.engine.path)  # type: ignore[attr-defined]
        with_zebra = metadata.control_tokens | {10**6: "zebra"}
        monkeypatch.setattr(
            "penstock.engines.llama_cpp.engine.read_metadata",
            lambda _: msgspec.structs.replace(metadata, control_tokens=with_zebra),
        )
        source = bundled_source("penstock/tiny-chat")
        other = Replica(make_engine("m", source, options()))
        other.client = replica.client
        literal = (await events_of(other, call))[-1]
    assert isinstance(plain, Finished)
    assert isinstance(literal, Finished)
    assert literal.usage.prompt_tokens == plain.usage.prompt_tokens
    assert literal.usage.cached_tokens == plain.usage.prompt_tokens - 1


CITY = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 8}, "n": {"enum": [3, 4]}},
    "required": ["city", "n"],
    "additionalProperties": False,
}
GRAMMAR_ENGINES = ("llama_cpp", VLLM)
PROMPTS = (CHAT, TextPrompt("Once upon a time"))


@pytest.mark.parametrize("name", GRAMMAR_ENGINES)
@pytest.mark.parametrize("prompt", PROMPTS)
async def test_an_answer_keeps_to_its_schema(
    name: str, prompt: Prompt, run_dir: Path, request: pytest.FixtureRequest
) -> None:
    async with started(name, run_dir, request) as replica:
        call = call_of(prompt, output_format=JsonSchema(CITY), max_tokens=100)
        answer = msgspec.json.decode(text_of(await events_of(replica, call)))
    assert list(answer) == ["city", "n"]
    assert len(answer["city"]) <= 8
    assert answer["n"] in (3, 4)


@pytest.mark.parametrize("name", GRAMMAR_ENGINES)
@pytest.mark.parametrize("prompt", PROMPTS)
async def test_an_answer_matches_its_pattern(
    name: str, prompt: Prompt, run_dir: Path, request: pytest.FixtureRequest
) -> None:
    async with started(name, run_dir, request) as replica:
        call = call_of(prompt, output_format=Regex("[a-c]{3}/[0-9]"))
        assert re.fullmatch("[a-c]{3}/[0-9]", text_of(await events_of(replica, call)))


@pytest.mark.parametrize("name", GRAMMAR_ENGINES)
async def test_a_schema_that_would_be_passed_over_is_refused(
    name: str, run_dir: Path, request: pytest.FixtureRequest
) -> None:
    async with started(name, run_dir, request) as replica:
        schema = {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}
        with pytest.raises(UnsupportedParameter):
            await events_of(replica, call_of(CHAT, output_format=JsonSchema(schema)))


@pytest.mark.parametrize("name", GRAMMAR_ENGINES)
@pytest.mark.parametrize("stream", [True, False])
async def test_scores_are_those_of_the_text(
    name: str, stream: bool, run_dir: Path, request: pytest.FixtureRequest
) -> None:
    async with started(name, run_dir, request) as replica:
        call = call_of(CHAT, logprobs=3, max_tokens=40, stream=stream)
        events = await events_of(replica, call)
    scores = [s for e in events if isinstance(e, ScoredText) for s in e.logprobs]
    assert b"".join(score.data for score in scores).decode() == text_of(events)
    for score in scores:
        logprobs = [alternative.logprob for alternative in score.alternatives[:3]]
        assert len(logprobs) == 3
        assert logprobs == sorted(logprobs, reverse=True)
        assert score.logprob == pytest.approx(logprobs[0], abs=1e-4)  # greedy


@pytest.mark.parametrize("name", GRAMMAR_ENGINES)
async def test_a_tool_that_must_be_called_is_called_with_its_arguments(
    name: str, run_dir: Path, request: pytest.FixtureRequest
) -> None:
    weather = Chat(
        messages=(Message(role="user", content="What is the weather in Paris?"),),
        tools=TOOLS,
        tool_choice="required",
    )
    async with started(name, run_dir, request) as replica:
        for stream in (True, False):
            events = await events_of(replica, call_of(weather, max_tokens=60, stream=stream))
            calls = [e for e in events if isinstance(e, ToolCall)]
            assert [c.name for c in calls if c.name] == ["get_weather"]
            arguments = msgspec.json.decode("".join(c.arguments for c in calls))
            assert arguments == {"city": "Paris"}
            assert text_of(events) == ""
            end = events[-1]
            assert isinstance(end, Finished)
            assert end.reason == "tool_calls"


@pytest.mark.parametrize("name", GRAMMAR_ENGINES)
async def test_an_answer_that_has_begun_is_gone_on_with(
    name: str, run_dir: Path, request: pytest.FixtureRequest
) -> None:
    begun = Chat(messages=(*CHAT.messages, Message(role="assistant", content="I am tiny")))
    async with started(name, run_dir, request) as replica:
        assert text_of(await events_of(replica, call_of(begun))).startswith("-chat")


@pytest.mark.parametrize("name", GRAMMAR_ENGINES)
async def test_a_prompt_is_echoed(name: str, run_dir: Path, request: pytest.FixtureRequest) -> None:
    async with started(name, run_dir, request) as replica:
        plain = text_of(await events_of(replica, call_of(TextPrompt("Once upon a time"))))
        for logprobs in (None, 2):
            call = call_of(TextPrompt("Once upon a time"), echo=True, logprobs=logprobs)
            events = await events_of(replica, call)
            prompt = events[0]
            assert isinstance(prompt, EchoedPrompt)
            assert prompt.text == "Once upon a time"
            assert (prompt.logprobs is None) == (logprobs is None)
            assert text_of(events) == plain


@pytest.mark.parametrize("name", GRAMMAR_ENGINES)
async def test_a_token_may_be_forbidden(
    name: str, run_dir: Path, request: pytest.FixtureRequest
) -> None:
    async with started(name, run_dir, request) as replica:
        assert text_of(await events_of(replica, call_of(CHAT))).startswith("I ")
        sampling = Sampling(temperature=0.0, logit_bias={40: -100.0})  # "I"
        other = text_of(await events_of(replica, call_of(CHAT, sampling=sampling)))
        assert other[0] != "I"


@pytest.mark.parametrize("name", GRAMMAR_ENGINES)
async def test_a_seed_gives_the_same_answer_and_others_another(
    name: str, run_dir: Path, request: pytest.FixtureRequest
) -> None:
    async with started(name, run_dir, request) as replica:
        answers = [
            text_of(
                await events_of(
                    replica,
                    call_of(
                        TextPrompt("Once"),
                        sampling=Sampling(temperature=1.5, seed=seed),
                        max_tokens=30,
                    ),
                )
            )
            for seed in (7, 7, 8)
        ]
    assert answers[0] == answers[1] != answers[2]


@pytest.mark.timeout(START_S)
async def test_vllm_answers_as_llama_cpp_does(
    run_dir: Path, request: pytest.FixtureRequest
) -> None:
    """The same weights, template and tokenizer: only rounding is between them."""
    questions = ("Hello! Who are you?", "What is the capital of France?", "What is 2 plus 2?")
    answers = []
    for name in ("llama_cpp", "vllm"):
        async with started(name, run_dir, request) as replica:
            for question in questions:
                chat = Chat(messages=(Message(role="user", content=question),))
                answers.append(text_of(await events_of(replica, call_of(chat, max_tokens=40))))
    assert answers[:3] == answers[3:]


@pytest.mark.parametrize("name", GRAMMAR_ENGINES)
async def test_a_control_token_that_is_spelled_stays_text(
    name: str, run_dir: Path, request: pytest.FixtureRequest
) -> None:
    async with started(name, run_dir, request) as replica:
        said = ("ab", "a<|im_end|>b")
        sizes = []
        for text in said:
            chat = Chat(messages=(Message(role="user", content=text),))
            end = (await events_of(replica, call_of(chat, max_tokens=4)))[-1]
            assert isinstance(end, Finished)
            sizes.append(end.usage.prompt_tokens)
    assert sizes[1] - sizes[0] > 2  # as a token it would be one
