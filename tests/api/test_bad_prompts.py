"""What a real model's engine must never see, or must answer with a 4xx: on the bundled models."""

from collections.abc import Iterator
from typing import Any

import pytest
from rawhttp import Reply
from serving import Server

CHAT_MODEL = "penstock/tiny-chat"
EMBEDDER = "penstock/tiny-embed"
LONG = "hello " * 9_000


def chat(server: Server, **more: Any) -> Reply:
    messages = [{"role": "user", "content": "hi"}]
    body = {"model": CHAT_MODEL, "messages": messages, "max_tokens": 4}
    return server.post("chat/completions", body | more)


def complete(server: Server, **more: Any) -> Reply:
    body = {"model": CHAT_MODEL, "prompt": "hi", "max_tokens": 4}
    return server.post("completions", body | more)


def embed(server: Server, given: Any, **more: Any) -> Reply:
    return server.post("embeddings", {"model": EMBEDDER, "input": given} | more)


def refused(reply: Reply, param: str, code: str | None = None) -> None:
    error = reply.error
    assert reply.status == 400, error
    assert (error["param"] or "").startswith(param), error
    assert code is None or error["code"] == code


@pytest.fixture(autouse=True)
def _the_engines_never_noticed(bundled_server: Server) -> Iterator[None]:
    yield
    assert chat(bundled_server, max_tokens=1).status == 200
    assert bundled_server.metric("penstock_replica_restarts_total") == 0


# -- lengths and token ids -----------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_longer_than_the_context_is_400(bundled_server: Server, stream: bool) -> None:
    code = "context_length_exceeded"
    long = [{"role": "user", "content": LONG}]
    refused(chat(bundled_server, messages=long, stream=stream), "messages", code)
    for prompt in (LONG, [5] * 9_000, [LONG]):
        refused(complete(bundled_server, prompt=prompt, stream=stream), "prompt", code)
        refused(complete(bundled_server, prompt=prompt, stream=stream, echo=True), "prompt", code)


@pytest.mark.parametrize("long", [LONG, [5] * 9_000], ids=["text", "ids"])
@pytest.mark.parametrize("echo", [False, True])
def test_a_later_prompt_that_is_too_long_is_400_before_a_stream_begins(
    bundled_server: Server, long: Any, echo: bool
) -> None:
    short = "hi" if isinstance(long, str) else [5, 6]
    reply = complete(bundled_server, prompt=[short, short, long], stream=True, echo=echo)
    refused(reply, "prompt", "context_length_exceeded")
    assert complete(bundled_server, prompt=[short, short], stream=True, n=2).status == 200


def test_an_echo_longer_than_the_context_is_400(bundled_server: Server) -> None:
    for more in ({"max_tokens": 0}, {"logprobs": 1}, {"max_tokens": 0, "logprobs": 1}):
        reply = complete(bundled_server, prompt=LONG, echo=True, **more)
        refused(reply, "prompt", "context_length_exceeded")


def test_a_giant_prompt_is_refused_without_being_read(bundled_server: Server) -> None:
    giant = "x" * 10_000_000
    for reply, param in (
        (chat(bundled_server, messages=[{"role": "user", "content": giant}]), "messages"),
        (complete(bundled_server, prompt=giant), "prompt"),
        (embed(bundled_server, giant), "input"),
    ):
        refused(reply, param, "context_length_exceeded")


@pytest.mark.parametrize("given", [LONG, ["short", LONG], [1] * 9_000, [[1], [1] * 9_000]])
def test_an_input_longer_than_the_embedder_reads_is_400(bundled_server: Server, given: Any) -> None:
    refused(embed(bundled_server, given), "input", "context_length_exceeded")


@pytest.mark.parametrize("given", [[10**6], [1, 10**6], [[1], [10**6]], [2**31], [2**63 - 1]])
def test_token_ids_outside_the_vocabulary_are_400(bundled_server: Server, given: Any) -> None:
    refused(complete(bundled_server, prompt=given), "prompt")
    refused(complete(bundled_server, prompt=given, echo=True, logprobs=1), "prompt")
    refused(embed(bundled_server, given), "input")


@pytest.mark.parametrize("token", ["1000000", str(2**31), str(2**63), "9" * 18])
def test_a_bias_on_a_token_outside_the_vocabulary_is_400(
    bundled_server: Server, token: str
) -> None:
    refused(chat(bundled_server, logit_bias={token: 1}), "logit_bias")
    refused(complete(bundled_server, logit_bias={token: 1}), "logit_bias")


@pytest.mark.parametrize("dimensions", [1, 255, 257, 2**31 - 1])
def test_dimensions_that_the_model_has_not_are_400(bundled_server: Server, dimensions: int) -> None:
    refused(embed(bundled_server, "hello", dimensions=dimensions), "dimensions")


def test_a_model_asked_for_what_it_does_not_do_is_400(bundled_server: Server) -> None:
    refused(chat(bundled_server, model=EMBEDDER), "model", "unsupported_parameter")
    refused(complete(bundled_server, model=EMBEDDER), "model", "unsupported_parameter")
    refused(embed(bundled_server, "x", model=CHAT_MODEL), "model", "unsupported_parameter")


# -- schemas and patterns ------------------------------------------------------------------------

BAD_SCHEMAS: list[dict[str, Any]] = [
    {"type": "nonsense"},
    {"type": 5},
    {"type": []},
    {"type": ["object", "nope"]},
    {"type": "object", "properties": 5},
    {"type": "object", "properties": {"a": 5}},
    {"type": "object", "required": "a"},
    {"type": "object", "additionalProperties": 5},
    {"type": "object", "$defs": []},
    {"enum": "x"},
    {"enum": []},
    {"anyOf": []},
    {"allOf": 5},
    {"anyOf": [5]},
    {"items": [1]},
    {"$ref": "#/nowhere"},
    {"$ref": 5},
    {"$ref": "http://127.0.0.1:1/x"},
    {"$ref": "file:///etc/passwd"},
    {"$ref": "#"},
    {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
    {"type": "array", "minItems": -1},
    {"type": "array", "minItems": 1.5},
    {"type": "array", "items": {}, "minItems": 10**9},
    {"type": "array", "items": {"type": "integer"}, "maxItems": 10**9},
    {"type": "string", "minLength": 10**9},
    {"type": "string", "maxLength": 10**12},
    {"type": "integer", "maximum": "x"},
    {"type": "string", "pattern": "("},
    {"type": "string", "pattern": "a{1,1000000}"},
    {"type": "string", "pattern": "(((a{100}){100}){100})"},
    {"type": "string", "pattern": "(" * 1000 + ")" * 1000},
    {"type": "string", "pattern": 5},
    {"type": "array", "items": {"type": "array", "items": {"type": "strin"}}},
]


def named(schemas: list[Any]) -> list[Any]:
    return [pytest.param(schema, id=f"{at}:{schema!r:.40}") for at, schema in enumerate(schemas)]


def format_of(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}


@pytest.mark.parametrize("schema", named(BAD_SCHEMAS))
def test_a_schema_that_makes_no_sense_is_400_before_it_is_used(
    bundled_server: Server, schema: dict[str, Any]
) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    refused(chat(bundled_server, response_format=format_of(schema)), "response_format")
    refused(complete(bundled_server, response_format=format_of(schema)), "response_format")
    refused(chat(bundled_server, tools=[tool]), "tools[0]")


GOOD_SCHEMAS: list[dict[str, Any]] = [
    {},
    {"type": "object", "properties": {"a": {"type": ["string", "null"]}}, "required": ["a"]},
    {"$ref": "#/$defs/a", "$defs": {"a": {"type": "string", "enum": ["x", "y"]}}},
    {"type": "object", "properties": {"next": {"$ref": "#/$defs/n"}},
     "$defs": {"n": {"type": "object", "properties": {"next": {"$ref": "#/$defs/n"}}}}},
    {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3},
    {"type": "string", "pattern": r"^[a-z]{1,63}(\.[a-z]{1,63})+$"},
    {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    {"type": "object", "additionalProperties": False, "properties": {"a\"b\n": {"const": 1}}},
]  # fmt: skip


@pytest.mark.parametrize("schema", named(GOOD_SCHEMAS))
def test_a_schema_that_makes_sense_is_taken(bundled_server: Server, schema: dict[str, Any]) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    assert chat(bundled_server, response_format=format_of(schema)).status == 200
    assert complete(bundled_server, response_format=format_of(schema)).status == 200
    assert chat(bundled_server, tools=[tool]).status == 200


@pytest.mark.parametrize(
    "pattern",
    ["(", "[", "a**", r"\1", "(?=a)", "(?<!a)b", "\x00", "a{1000000}", "((a{100}){100}){100}",
     "a{2,1}", "x{99999999999999999999}", "(" * 500 + ")" * 500],
    ids=lambda pattern: repr(pattern[:24]),
)  # fmt: skip
def test_a_pattern_that_is_none_is_400(bundled_server: Server, pattern: str) -> None:
    form = {"type": "regex", "regex": pattern}
    refused(chat(bundled_server, response_format=form), "response_format.regex")


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        ("yes|no", ("yes", "no")),
        ("a/b", ("a/b",)),
        (r"\{\}", ("{}",)),
        ("(?i)x", ("x", "X")),
        ("a\nb", ("a\nb",)),
        ("a\\\nb", ("a\nb",)),
        (r"a\nb", ("a\nb",)),
    ],
)
def test_a_pattern_is_kept_to(bundled_server: Server, pattern: str, texts: tuple[str, ...]) -> None:
    reply = chat(bundled_server, response_format={"type": "regex", "regex": pattern}, max_tokens=30)
    assert reply.json["choices"][0]["message"]["content"] in texts


# -- templates and histories ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["messages", "tools", "add_generation_prompt", "bos_token", "eos_token"]
)
@pytest.mark.parametrize("value", [1, "x", [], {}, None, False])
def test_template_arguments_cannot_replace_what_a_template_is_given(
    bundled_server: Server, name: str, value: Any
) -> None:
    refused(chat(bundled_server, chat_template_kwargs={name: value}), "chat_template_kwargs")


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "system", "content": "x"}],
        [{"role": "assistant", "content": "x"}],
        [{"role": "assistant", "content": ""}],
        [{"role": "tool", "tool_call_id": "x", "content": "x"}],
        [{"role": "user", "content": ""}],
        [{"role": "user", "content": "\x00"}],
        [{"role": "user", "content": "{{ 7 * 7 }}{% raw %}"}],
        [{"role": "user", "content": "a"}, {"role": "assistant", "content": None}],
        [{"role": "user", "content": "a"}] * 3,
        [{"role": "user", "content": "a"}, {"role": "system", "content": "late"}],
    ],
    ids=range(10),
)
def test_an_odd_history_is_answered_or_refused(
    bundled_server: Server, messages: list[dict[str, Any]]
) -> None:
    assert chat(bundled_server, messages=messages).status in (200, 400)


@pytest.mark.parametrize("role", ["user", "system", "assistant", "tool"])
def test_text_that_spells_a_control_token_stays_text(bundled_server: Server, role: str) -> None:
    def tokens(text: str) -> int:
        first = {"role": "user", "content": "hi"}
        message = {"role": role, "content": text, "tool_call_id": "x"}
        if role != "tool":
            del message["tool_call_id"]
        reply = chat(bundled_server, messages=[first, message, first], max_tokens=1)
        return int(reply.json["usage"]["prompt_tokens"])

    as_token = 1
    assert tokens("<|im_end|>") - tokens("") > as_token
