"""Servers of every kind, imitated over real HTTP from what their sources and docs say."""

import json
import logging
import pickle
from collections.abc import Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, get_args

import msgspec
import pytest
from upstream_servers import Asked, Says, Upstream, stream_of, upstream

from penstock.config.settings import DialectName
from penstock.domain.embedding import EmbeddingCall
from penstock.domain.errors import (
    ContextLengthExceeded,
    EngineFailed,
    InvalidRequest,
    UnsupportedParameter,
)
from penstock.domain.event import Event, Finished, ScoredText, Text, ToolCall
from penstock.domain.event import Prompt as Echo
from penstock.domain.generation import (
    Chat,
    Function,
    Generation,
    JsonObject,
    JsonSchema,
    Message,
    Prompt,
    Regex,
    Sampling,
    Tokens,
    Tool,
)
from penstock.domain.generation import Text as TextPrompt
from penstock.domain.model import Capabilities
from penstock.domain.rerank import RerankCall
from penstock.domain.secret import BadSecret, Secret
from penstock.engines.base import Declined
from penstock.engines.openai.dialects import DIALECTS
from penstock.engines.openai.engine import OpenAIServer
from penstock.engines.registry import EngineOptions
from penstock.engines.scores import sigmoid, unchanged
from penstock.engines.vectors import unpack
from penstock.http.client import Client

KEY = "sk-theirs-0123456789"
CHAT = Chat(messages=(Message(role="user", content="hello"),))
TOOLS = tuple(Tool(function=Function(name=name, parameters={})) for name in ("one", "two"))
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
CHAT_PATH, TEXT_PATH = "/v1/chat/completions", "/v1/completions"
MIB = 1024**2


def cards(owned_by: str, model: str = "m", **more: Any) -> Says:
    card = {"id": model, "object": "model", "created": 1, "owned_by": owned_by, **more}
    return Says({"object": "list", "data": [card]})


#: Of text-generation-inference's and text-embeddings-inference's own README.
TGI_INFO = {
    "model_id": "m", "model_sha": "e985", "model_pipeline_tag": "text-generation",
    "max_concurrent_requests": 128, "max_best_of": 2, "max_stop_sequences": 4,
    "max_input_tokens": 3000, "max_total_tokens": 4096, "validation_workers": 2,
    "max_client_batch_size": 4, "router": "text-generation-router", "version": "3.3.6",
}  # fmt: skip
TEI_INFO = {
    "model_id": "m", "model_sha": "fca1", "model_dtype": "float16",
    "model_type": {"embedding": {"pooling": "cls"}}, "max_concurrent_requests": 256,
    "max_input_length": 512, "max_batch_tokens": 8192, "max_batch_requests": None,
    "max_client_batch_size": 2, "tokenization_workers": 4, "version": "1.8.2",
}  # fmt: skip
PROPS = {
    "default_generation_settings": {"id": 0, "n_ctx": 2048}, "total_slots": 4,
    "modalities": {"vision": True, "audio": False}, "build_info": "b11549",
}  # fmt: skip
PENSTOCK = {
    "engine": "llama_cpp", "state": "ready", "tasks": ["chat", "completions"],
    "attributes": ["max_tokens", "temperature", "logprobs"], "context_length": 2048,
}  # fmt: skip

#: What each kind answers to who asks what it is, and what is made of it: kind, context length.
SERVERS: dict[str, tuple[dict[str, Says], str, int | None]] = {
    "vllm": ({"GET /v1/models": cards("vllm", max_model_len=4096)}, "vllm", 4096),
    "sglang": ({"GET /v1/models": cards("sglang", max_model_len=8192)}, "sglang", 8192),
    "lmdeploy": ({"GET /v1/models": cards("lmdeploy")}, "lmdeploy", None),
    "tgi": ({"GET /v1/models": cards("org"), "GET /info": Says(TGI_INFO)}, "tgi", 4096),
    "tei": ({"GET /info": Says(TEI_INFO)}, "tei", None),
    "llama-server": (
        {"GET /v1/models": cards("llamacpp"), "GET /props": Says(PROPS)}, "llama-server", 2048,
    ),
    "ollama": ({"GET /v1/models": cards("library")}, "ollama", None),
    "ollama, a user's": (
        {"GET /v1/models": cards("me"), "GET /api/version": Says({"version": "0.20.1"})},
        "ollama", None,
    ),
    "openai": ({"GET /v1/models": cards("system")}, "openai", None),
    "penstock": (
        {"GET /v1/models": cards("penstock", metadata={"context_length": 2048}, penstock=PENSTOCK)},
        "penstock", 2048,
    ),
    "a provider": ({"GET /v1/models": cards("meta", context_length=131072)}, "generic", 131072),
    "no list": ({}, "generic", None),
    "nonsense": ({"GET /v1/models": Says(b"<html>"), "GET /info": Says([1])}, "generic", None),
    "odd fields": (
        {"GET /v1/models": cards("x", context_length="long", metadata=[], penstock=3)},
        "generic", None,
    ),
}  # fmt: skip


@asynccontextmanager
async def inspected(server: Upstream, **more: Any) -> Any:
    engine = OpenAIServer(server.url, model="m", **more)
    client = engine.connect(None)
    try:
        yield engine, client, await engine.inspect(client)
    finally:
        await client.aclose()


def imitation(name: str, **posts: Any) -> Any:
    routes, kind, _ = SERVERS[name]
    server = "llama.cpp" if kind == "llama-server" else "uvicorn"
    return upstream(routes | posts, name=server)


async def events_of(engine: OpenAIServer, client: Client, call: Generation) -> list[Event]:
    async with aclosing(engine.generate(client, call)) as batches:
        return [event async for batch in batches for event in batch]


def call_of(prompt: Prompt = CHAT, **more: Any) -> Generation:
    return Generation(prompt=prompt, **more)


ANSWER = Says(
    {
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "hi"},
                "text": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1},
    }
)
STREAM = stream_of(
    {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "hi"}}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}},
)


def answers(asked: Asked) -> Says:
    return STREAM if asked.body.get("stream") else ANSWER


POSTS: Mapping[str, Any] = {f"POST {CHAT_PATH}": answers, f"POST {TEXT_PATH}": answers}


async def body_of(name: str, call: Generation) -> dict[str, Any]:
    """What a server of that kind is sent."""
    with imitation(name, **POSTS) as server:
        async with inspected(server) as (engine, client, _):
            await events_of(engine, client, call)
        (body,) = server.posted(CHAT_PATH) + server.posted(TEXT_PATH)
        return dict(body)


# -- what a server is -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", SERVERS)
async def test_a_server_is_known_by_what_it_says(name: str) -> None:
    _, kind, context_length = SERVERS[name]
    with imitation(name) as server:
        async with inspected(server) as (engine, _, can):
            assert engine.dialect is DIALECTS[kind]
            assert can.context_length == context_length
            assert not can.attributes & DIALECTS[kind].ignores
    assert len(server.asked) <= 3


def test_every_dialect_can_be_set_and_every_kind_is_imitated() -> None:
    assert set(get_args(DialectName)) == DIALECTS.keys()
    assert {kind for _, kind, _ in SERVERS.values()} == DIALECTS.keys()


async def test_a_setting_goes_before_what_a_server_says() -> None:
    with imitation("vllm") as server:
        async with inspected(server, dialect="tgi") as (engine, _, can):
            assert engine.dialect is DIALECTS["tgi"]
            assert can.context_length == 4096


@pytest.mark.parametrize(
    ("name", "tasks"),
    [
        ("tei", {"embeddings"}),
        ("tgi", {"chat", "completions"}),
        ("penstock", {"chat", "completions"}),
        ("vllm", {"chat", "completions", "embeddings", "rerank"}),
    ],
)
async def test_its_tasks(name: str, tasks: set[str]) -> None:
    with imitation(name) as server:
        async with inspected(server) as (_, _, can):
            assert can.tasks == tasks


async def capabilities_of(name: str) -> Capabilities:
    with imitation(name) as server:
        async with inspected(server) as (_, _, can):
            assert isinstance(can, Capabilities)
            return can


async def test_what_more_it_says_of_its_model() -> None:
    assert (await capabilities_of("llama-server")).sees
    assert (await capabilities_of("tei")).max_input_tokens == 512
    penstock = await capabilities_of("penstock")
    assert "logprobs" in penstock.attributes
    assert "top_k" not in penstock.attributes


# -- how it is asked ------------------------------------------------------------------------------

NAMED = msgspec.structs.replace(CHAT, tools=TOOLS, tool_choice=("two",))
NONE = msgspec.structs.replace(CHAT, tools=TOOLS, tool_choice="none")
ONE_CALL = msgspec.structs.replace(CHAT, tools=TOOLS, parallel_tool_calls=False)
REGEX = call_of(output_format=Regex("a+"))
JSON = call_of(output_format=JsonSchema(SCHEMA, "n"))
OPENAI_SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}


@pytest.mark.parametrize(
    ("name", "call", "sent"),
    [
        ("no list", call_of(), {"model": "m", "temperature": None, "stream": True}),
        ("no list", call_of(stream=False), {"stream": None, "stream_options": None}),
        ("vllm", call_of(), {"temperature": 1, "top_p": 1, "top_k": 0, "repetition_penalty": 1}),
        ("vllm", call_of(sampling=Sampling(temperature=0)), {"temperature": 0, "top_p": 1}),
        ("vllm", call_of(), {"stream_options": {
            "include_usage": True, "continuous_usage_stats": True}}),
        ("vllm", REGEX, {"structured_outputs": {"regex": "a+"}, "response_format": None}),
        ("vllm", call_of(account_id="ada"), {"cache_salt": "ada"}),
        ("sglang", call_of(account_id="ada"), {"cache_salt": "ada"}),
        ("no list", call_of(account_id="ada"), {"cache_salt": None}),
        ("sglang", call_of(), {"top_k": -1}),
        ("sglang", call_of(sampling=Sampling(top_k=0)), {"top_k": -1}),
        ("sglang", call_of(sampling=Sampling(top_k=7)), {"top_k": 7}),
        ("sglang", REGEX, {"regex": "a+"}),
        ("lmdeploy", REGEX, {"response_format": {"type": "regex_schema", "regex_schema": "a+"}}),
        ("lmdeploy", call_of(), {"temperature": 1, "top_k": 0}),
        ("tgi", REGEX, {"response_format": {"type": "regex", "value": "a+"}}),
        ("tgi", JSON, {"response_format": {"type": "json", "value": SCHEMA}}),
        ("penstock", REGEX, {"response_format": {"type": "regex", "regex": "a+"}}),
        ("a provider", JSON, {"response_format": OPENAI_SCHEMA}),
        ("openai", call_of(max_tokens=5), {"max_completion_tokens": 5, "max_tokens": None}),
        ("openai", call_of(TextPrompt("a"), max_tokens=5), {"max_tokens": 5}),
        ("llama-server", call_of(stream=False), {"stream": True, "return_progress": True}),
        ("llama-server", call_of(), {"temperature": 1, "top_k": 0, "min_p": 0}),
        ("llama-server", call_of(sampling=Sampling(repetition_penalty=1.5)),
         {"repeat_penalty": 1.5, "repetition_penalty": None}),
        ("llama-server", call_of(logprobs=0), {"logprobs": True, "top_logprobs": 1}),
        ("llama-server", call_of(TextPrompt("a"), output_format=JsonObject()),
         {"json_schema": {"type": "object"}, "response_format": None}),
        ("llama-server", call_of(NAMED), {"tool_choice": "required"}),
        ("llama-server", call_of(stop=("x",)), {"stop": None}),
        ("vllm", call_of(stop=("x",)), {"stop": ["x"]}),
        ("vllm", call_of(stop=("x",), stream=False), {"stop": ["x"], "stream": None}),
        ("vllm", call_of(stop=("x",), logprobs=1, stream=False), {"stop": None, "stream": True}),
        ("a provider", call_of(stop=("x",), logprobs=1, stream=False),
         {"stop": ["x"], "stream": None}),
        ("openai", call_of(stop=tuple("abcdef")), {"stop": ["a", "b", "c", "d"]}),
        ("tgi", call_of(stop=tuple("abcdef")), {"stop": ["a", "b", "c", "d"]}),
        ("a provider", call_of(stop=tuple("abcdef")), {"stop": list("abcdef")}),
        ("tgi", call_of(sampling=Sampling(top_p=1.0, seed=3)), {"top_p": None, "seed": 3}),
        ("tgi", call_of(sampling=Sampling(top_p=0.0)), {"top_p": 1e-6}),
        ("sglang", call_of(sampling=Sampling(top_p=0.0)), {"top_p": 1e-6}),
        ("openai", call_of(sampling=Sampling(top_p=0.0)), {"top_p": 0}),
        ("tgi", call_of(sampling=Sampling(top_p=0.9)), {"top_p": 0.9}),
        ("llama-server", call_of(ONE_CALL), {"parallel_tool_calls": None}),
        ("vllm", call_of(ONE_CALL), {"parallel_tool_calls": False}),
        ("vllm", call_of(NAMED),
         {"tool_choice": {"type": "function", "function": {"name": "two"}}}),
        ("ollama", call_of(NONE), {"tools": None, "tool_choice": None}),
        ("vllm", call_of(Tokens((1, 2))), {"prompt": [1, 2]}),
        ("sglang", call_of(TextPrompt("a"), logprobs=2), {"logprobs": 2, "top_logprobs": None}),
        ("vllm", call_of(logprobs=2), {"logprobs": True, "top_logprobs": 3}),
        ("vllm", call_of(logprobs=0), {"logprobs": True, "top_logprobs": 0}),
        ("a provider", call_of(logprobs=2), {"logprobs": True, "top_logprobs": 2}),
        ("vllm", call_of(max_tokens=10**6), {"max_tokens": 4096}),
    ],
)  # fmt: skip
async def test_each_kind_is_asked_in_its_words(
    name: str, call: Generation, sent: dict[str, Any]
) -> None:
    body = await body_of(name, call)
    assert {field: body.get(field) for field in sent} == sent


def echoes(asked: Asked) -> Says:
    """As vLLM: the first token has no log-probability."""
    if not asked.body.get("echo"):
        return answers(asked)
    logprobs = {
        "tokens": ["Once", " upon"],
        "token_logprobs": [None, -2.0],
        "top_logprobs": [None, {" upon": -2.0, " more": -1.0}],
    }
    choice = {"index": 0, "text": "Once upon", "logprobs": logprobs, "finish_reason": "length"}
    return Says({"choices": [choice], "usage": {"prompt_tokens": 2, "completion_tokens": 0}})


@pytest.mark.parametrize("max_tokens", [0, 4])
async def test_a_prompt_comes_back_with_its_scores(max_tokens: int) -> None:
    call = call_of(TextPrompt("Once upon"), echo=True, logprobs=2, max_tokens=max_tokens)
    with imitation("vllm", **{f"POST {TEXT_PATH}": echoes}) as server:
        async with inspected(server) as (engine, client, _):
            prompt, *rest = await events_of(engine, client, call)
        asked = server.posted(TEXT_PATH)
    assert isinstance(prompt, Echo)
    assert prompt.logprobs is not None
    assert [score.logprob for score in prompt.logprobs] == [None, -2.0]
    assert [other.token for other in prompt.logprobs[1].alternatives] == [" more", " upon"]
    assert asked[0] == {
        "model": "m", "prompt": "Once upon", "echo": True, "max_tokens": 0, "logprobs": 2,
    }  # fmt: skip
    assert len(asked) == (1 if max_tokens == 0 else 2)
    end = rest[-1]
    assert isinstance(end, Finished)
    assert end.usage.prompt_tokens == (2 if max_tokens == 0 else 3)


async def test_of_a_tool_that_must_be_called_only_that_one_is_shown() -> None:
    body = await body_of("llama-server", call_of(NAMED))
    assert [tool["function"]["name"] for tool in body["tools"]] == ["two"]


@pytest.mark.parametrize(
    ("name", "call", "param"),
    [
        ("a provider", REGEX, "response_format"),
        ("ollama", REGEX, "response_format"),
        ("llama-server", REGEX, "response_format"),
        ("tgi", call_of(TextPrompt("a"), output_format=JsonObject()), "response_format"),
        ("ollama", call_of(TextPrompt("a"), output_format=JsonObject()), "response_format"),
        ("ollama", call_of(NAMED), "tool_choice"),
        ("tgi", call_of(Tokens((1,))), "prompt"),
        ("sglang", call_of(TextPrompt("a"), echo=True, logprobs=1), "echo"),
        ("vllm", call_of(ONE_CALL, output_format=JsonObject()), "response_format"),
    ],
)
async def test_what_it_cannot_do_is_refused_by_name_before_it_is_asked(
    name: str, call: Generation, param: str
) -> None:
    with imitation(name, **POSTS) as server:
        async with inspected(server) as (engine, client, _):
            with pytest.raises(UnsupportedParameter) as refused:
                await events_of(engine, client, call)
        assert refused.value.param == param
        assert not server.posted(CHAT_PATH) + server.posted(TEXT_PATH)


# -- what it answers ------------------------------------------------------------------------------


def call_chunk(index: int, name: str) -> dict[str, Any]:
    call = {"index": index, "id": f"call_{name}", "type": "function"}
    function = {"name": name, "arguments": '{"city":"Rome"}'}
    return {"choices": [{"index": 0, "delta": {"tool_calls": [call | {"function": function}]}}]}


async def test_a_second_call_is_dropped_where_the_server_does_not_honour_the_wish() -> None:
    """Ollama sends whole calls, a chunk each; the bill is its own."""
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    usage = {"choices": [], "usage": {"prompt_tokens": 30, "completion_tokens": 20}}
    said = stream_of(call_chunk(0, "one"), call_chunk(1, "two"), end, usage)
    with imitation("ollama", **{f"POST {CHAT_PATH}": said}) as server:
        async with inspected(server) as (engine, client, _):
            events = await events_of(engine, client, call_of(ONE_CALL))
    assert [event.name for event in events if isinstance(event, ToolCall)] == ["one"]
    assert isinstance(events[-1], Finished)
    assert (events[-1].reason, events[-1].usage.prompt_tokens) == ("tool_calls", 30)


async def test_more_stops_than_a_server_takes_all_count() -> None:
    call = call_of(stop=("a", "b", "c", "d", "i"))
    with imitation("tgi", **POSTS) as server:
        async with inspected(server) as (engine, client, _):
            *events, end = await events_of(engine, client, call)
    assert "".join(event.text for event in events if isinstance(event, Text)) == "h"
    assert isinstance(end, Finished)
    assert end.reason == "stop"


def as_vllm_scores(asked: Asked) -> Says:
    """Told of a stop, vLLM holds text back and cuts it, and has the scores of the stop's tokens."""
    tokens = ["one", " ", "E", "ND", " two"]
    pieces = tokens
    if asked.body.get("stop"):
        tokens, pieces = tokens[:4], ["o", "n", "e", " "]
    chunks: list[Any] = []
    for at, (token, piece) in enumerate(zip(tokens, pieces, strict=True), 1):
        score = {"token": token, "logprob": -float(at), "bytes": list(token.encode())}
        usage = {"prompt_tokens": 3, "completion_tokens": at}
        choice = {"index": 0, "delta": {"content": piece}, "logprobs": {"content": [score]}}
        chunks.append({"choices": [choice], "usage": usage})
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage}
    if asked.body.get("stream"):
        return stream_of(*chunks, end)
    choices = [chunk["choices"][0] for chunk in chunks]
    message = {"content": "".join(pieces)}
    scores = [score for choice in choices for score in choice["logprobs"]["content"]]
    whole = {"message": message, "logprobs": {"content": scores}, "finish_reason": "stop"}
    return Says({"choices": [whole], "usage": usage})


@pytest.mark.parametrize("stream", [False, True])
async def test_the_scores_are_those_of_the_text_before_a_stop(stream: bool) -> None:
    call = call_of(stop=("END",), logprobs=0, stream=stream)
    with imitation("vllm", **{f"POST {CHAT_PATH}": as_vllm_scores}) as server:
        async with inspected(server) as (engine, client, _):
            *events, end = await events_of(engine, client, call)
    pieces = [event for event in events if isinstance(event, ScoredText)]
    assert "".join(piece.text for piece in pieces) == "one "
    scores = [score for piece in pieces for score in piece.logprobs]
    assert [(score.token, score.logprob) for score in scores] == [("one", -1.0), (" ", -2.0)]
    assert isinstance(end, Finished)
    assert (end.reason, end.usage.completion_tokens) == ("stop", 4)


async def test_calls_that_a_server_does_not_number_are_told_apart_by_their_names() -> None:
    def piece(name: str | None, arguments: str) -> dict[str, Any]:
        function = {"name": name, "arguments": arguments}
        return {"choices": [{"delta": {"tool_calls": [{"function": function}]}}]}

    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    said = stream_of(piece("one", "{}"), piece("one", "{"), piece(None, "}"), end)
    with imitation("no list", **{f"POST {CHAT_PATH}": said}) as server:
        async with inspected(server) as (engine, client, _):
            events = await events_of(engine, client, call_of(NAMED))
    pieces = [(e.call, e.name, e.arguments) for e in events if isinstance(e, ToolCall)]
    assert pieces == [(0, "one", "{}"), (1, "one", "{"), (1, None, "}")]


@pytest.mark.parametrize("again", ["one", ""])
async def test_a_name_that_a_server_repeats_is_told_once(again: str) -> None:
    """As LM Studio and others do: clients concatenate what comes again."""

    def piece(call: int, name: str | None, arguments: str) -> dict[str, Any]:
        function = {"name": name, "arguments": arguments}
        return {"choices": [{"delta": {"tool_calls": [{"index": call, "function": function}]}}]}

    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    said = stream_of(
        piece(0, "one", ""), piece(0, again, '{"a":'), piece(0, again, "1}"),
        piece(1, "two", "{"), piece(1, again, "}"), end,
    )  # fmt: skip
    with imitation("no list", **{f"POST {CHAT_PATH}": said}) as server:
        async with inspected(server) as (engine, client, _):
            events = await events_of(engine, client, call_of(NAMED))
    pieces = [(e.call, e.name, e.arguments) for e in events if isinstance(e, ToolCall)]
    assert pieces == [
        (0, "one", ""), (0, None, '{"a":'), (0, None, "1}"), (1, "two", "{"), (1, None, "}"),
    ]  # fmt: skip


TOO_LONG = [
    ("vllm", 400, {"object": "error", "message": "This model's maximum context length is 4096 "
     "tokens. However, you requested 5000 tokens.", "type": "BadRequestError", "code": 400}),
    ("sglang", 400, {"object": "error", "message": "The input (5000 tokens) is longer than the "
     "model's context length (4096 tokens).", "type": "BadRequestError", "code": 400}),
    ("tgi", 422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= "
     "4096. Given: 5000 `inputs` tokens", "error_type": "validation"}),
    ("tei", 413, {"error": "Input validation error: `inputs` must have less than 512 tokens. "
     "Given: 600", "error_type": "Validation"}),
    ("llama-server", 400, {"error": {"code": 400, "type": "exceed_context_size_error",
     "message": "the request exceeds the available context size. try increasing it"}}),
    ("openai", 400, {"error": {"message": "This model's maximum context length is 8192 tokens.",
     "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded"}}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "status", "body"), TOO_LONG, ids=[row[0] for row in TOO_LONG])
async def test_a_prompt_that_is_too_long_is_known_in_every_kinds_words(
    name: str, status: int, body: Any
) -> None:
    with imitation(name, **{f"POST {CHAT_PATH}": Says(body, status)}) as server:
        async with inspected(server) as (engine, client, _):
            with pytest.raises(ContextLengthExceeded):
                await events_of(engine, client, call_of())


@pytest.mark.parametrize(
    ("status", "body", "error", "text"),
    [
        (400, {"message": "top_p must be in (0, 1]", "code": 400}, InvalidRequest, "top_p must"),
        (422, {"error": "`seed` must be positive", "error_type": "x"}, InvalidRequest, "seed"),
        (404, {"error": {"message": "model 'm' not found"}}, EngineFailed, "not found"),
        (424, {"error": "backend died", "error_type": "Backend"}, EngineFailed, "backend died"),
        (500, b"<html>", Declined, "500"),
    ],
)
async def test_its_errors_are_ours(status: int, body: Any, error: Any, text: str) -> None:
    with imitation("no list", **{f"POST {CHAT_PATH}": Says(body, status)}) as server:
        async with inspected(server) as (engine, client, _):
            with pytest.raises(error, match=text):
                await events_of(engine, client, call_of())


@pytest.mark.parametrize(
    "broken",
    [
        {"error": "Request failed during generation", "error_type": "generation"},
        {"error": {"message": "boom", "type": "InternalServerError", "code": 500}},
        {"object": "error", "error": {"message": "KV cache pool is full"}},
    ],
)
async def test_an_error_in_the_middle_of_a_stream_is_one(broken: Any) -> None:
    said = stream_of({"choices": [{"index": 0, "delta": {"content": "hi"}}]}, broken)
    with imitation("tgi", **{f"POST {CHAT_PATH}": said}) as server:
        async with inspected(server) as (engine, client, _):
            batches = engine.generate(client, call_of())
            assert await anext(aiter(batches)) == [Text("hi")]
            with pytest.raises(EngineFailed):
                await anext(aiter(batches))
            await batches.aclose()


def embeds(asked: Asked) -> Says:
    data = [
        {"index": at, "embedding": [float(len(text)), 0.0, 1.0]}
        for at, text in enumerate(asked.body["input"])
    ]
    tokens = sum(map(len, asked.body["input"]))
    return Says({"data": data[::-1], "usage": {"prompt_tokens": tokens, "total_tokens": tokens}})


async def test_embeddings_are_asked_for_in_parts_as_large_as_the_server_takes() -> None:
    with imitation("tei", **{"POST /v1/embeddings": embeds}) as server:
        async with inspected(server) as (engine, client, _):
            vectors = await engine.embed(client, EmbeddingCall(inputs=("a", "bb", "ccc")))
            assert len(vectors.rows) == 3
            assert vectors.prompt_tokens == 6
            assert [b["input"] for b in server.posted("/v1/embeddings")] == [["a", "bb"], ["ccc"]]
            with pytest.raises(UnsupportedParameter, match="token ids"):
                await engine.embed(client, EmbeddingCall(inputs=((1, 2),)))


async def test_no_answer_is_asked_for_that_would_be_too_long_to_read() -> None:
    """1,000 long vectors are 80 MB of JSON, which would be a failure of the server's."""
    inputs = tuple("x" * (1 + at % 7) for at in range(600))
    with imitation("no list", **{"POST /v1/embeddings": embeds}) as server:
        async with inspected(server) as (engine, client, _):
            vectors = await engine.embed(client, EmbeddingCall(inputs=inputs))
        asked = [len(body["input"]) for body in server.posted("/v1/embeddings")]
    assert asked == [256, 256, 88]
    lengths = [row[0] / row[2] for row in map(unpack, vectors.rows)]
    assert lengths == pytest.approx([len(text) for text in inputs])
    assert vectors.prompt_tokens == sum(map(len, inputs))


async def test_an_answer_of_long_vectors_is_read() -> None:
    def spacious(asked: Asked) -> Says:
        return Says(json.dumps(embeds(asked).body).encode() + b" " * (65 * MIB))

    with imitation("no list", **{"POST /v1/embeddings": spacious}) as server:
        async with inspected(server) as (engine, client, _):
            vectors = await engine.embed(client, EmbeddingCall(inputs=("a",)))
    assert len(vectors.rows) == 1


async def test_dimensions_that_a_server_ignores_are_refused() -> None:
    with imitation("no list", **{"POST /v1/embeddings": embeds}) as server:
        async with inspected(server) as (engine, client, _):
            assert await engine.embed(client, EmbeddingCall(inputs=("a",), dimensions=3))
            with pytest.raises(UnsupportedParameter) as refused:
                await engine.embed(client, EmbeddingCall(inputs=("a",), dimensions=2))
            assert refused.value.param == "dimensions"


RERANKED = {
    "vllm": ("/v1/rerank", "documents", {"results": [
        {"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}],
        "usage": {"total_tokens": 9}}),
    "sglang": ("/v1/rerank", "documents", [
        {"score": 0.9, "index": 1, "meta_info": {"prompt_tokens": 5}},
        {"score": 0.1, "index": 0, "document": "a", "meta_info": {"prompt_tokens": 4}}]),
    "tei": ("/rerank", "texts", [{"index": 1, "score": 0.9}, {"index": 0, "score": 0.1}]),
    "llama-server": ("/v1/rerank", "documents", {"results": [
        {"index": 0, "relevance_score": -2.1972246}, {"index": 1, "relevance_score": 2.1972246}],
        "usage": {"prompt_tokens": 9, "total_tokens": 9}}),
}  # fmt: skip


@pytest.mark.parametrize("name", RERANKED)
async def test_scores_of_every_shape_are_probabilities_in_order(name: str) -> None:
    path, field, body = RERANKED[name]
    said = Says(body, headers={"x-compute-tokens": "9"} if name == "tei" else {})
    with imitation(name, **{f"POST {path}": said}) as server:
        async with inspected(server) as (engine, client, _):
            scores = await engine.rerank(client, RerankCall(query="q", documents=("a", "b")))
        (asked,) = server.posted(path)
    assert asked[field] == ["a", "b"]
    assert scores.values == pytest.approx((0.1, 0.9), abs=1e-6)
    assert scores.prompt_tokens == 9


@pytest.mark.parametrize(
    ("end", "scale"),
    [("</s>", sigmoid), ("", sigmoid), ("<|im_end|>", unchanged), (None, unchanged)],
)
async def test_a_score_of_llama_server_does_not_depend_on_other_documents(
    end: str | None, scale: Callable[[float], float]
) -> None:
    """A cross-encoder's logit may be any number; those of Qwen's are probabilities already."""
    given = (0.2, 0.9)
    results = [{"index": at, "relevance_score": score} for at, score in enumerate(given)]
    said = Says({"results": results})
    props = Says(PROPS | {"eos_token": end})
    with imitation("llama-server", **{"POST /v1/rerank": said, "GET /props": props}) as server:
        async with inspected(server) as (engine, client, _):
            scores = await engine.rerank(client, RerankCall(query="q", documents=("a", "b")))
    assert scores.values == pytest.approx(tuple(map(scale, given)))


# -- keys -----------------------------------------------------------------------------------------


def test_a_secret_is_shown_to_nobody() -> None:
    secret = Secret(KEY)
    options = EngineOptions(free_memory_bytes=1, key=secret)
    engine = OpenAIServer("http://127.0.0.1:1/v1", model="m", key=secret)
    for shown in (repr(secret), str(secret), repr(options), repr(engine), f"{options}"):
        assert KEY not in shown
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        msgspec.json.encode(options)
    assert secret.reveal() == KEY


@pytest.mark.parametrize("text", ["", "two words", "line\r\nx: y", "ключ", "a\n"])
def test_what_is_no_key_is_refused_unshown(text: str) -> None:
    with pytest.raises(BadSecret) as refused:
        Secret(text)
    assert not text or text not in str(refused.value)


@pytest.mark.parametrize(
    "answer",
    [
        Says({"error": {"message": f"Incorrect API key provided: {KEY}."}}, 401),
        Says({"error": f"no such thing for {KEY}"}, 400),
        Says({"error": f"{KEY} broke it"}, 500),
        stream_of({"error": {"message": f"{KEY} has no money left"}}),
    ],
)
async def test_a_key_that_a_server_repeats_goes_no_further(
    answer: Says, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with imitation("no list", **{f"POST {CHAT_PATH}": answer}) as server:
        async with inspected(server, key=Secret(KEY)) as (engine, client, _):
            with pytest.raises((Declined, EngineFailed, InvalidRequest)) as failure:
                await events_of(engine, client, call_of())
        assert all(a.headers["authorization"] == f"Bearer {KEY}" for a in server.asked)
    assert KEY not in str(failure.value)
    assert KEY not in caplog.text
