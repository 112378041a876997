"""Any JSON at all is a request or an error of ours, never anything else: decoders and builders."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.api.body import decode
from penstock.api.openai.chat import chat_job
from penstock.api.openai.completions import completion_job
from penstock.api.openai.embeddings import embedding_call
from penstock.api.openai.request import check_attributes, check_stream_options
from penstock.api.openai.schemas import check_regex, check_schema
from penstock.api.openai.wire import ChatCompletionRequest, CompletionRequest, EmbeddingRequest
from penstock.domain.errors import PenstockError
from penstock.domain.model import Capabilities
from penstock.engines.openai.engine import ATTRIBUTES
from penstock.http.message import Request

CAN = Capabilities(
    tasks=frozenset({"chat", "completions", "embeddings"}),
    attributes=ATTRIBUTES,
    context_length=100,
    max_input_tokens=100,
    embedding_length=8,
    dimensions=(4,),
    vocabulary_size=50,
)

texts = st.text(max_size=8) | st.sampled_from(["user", "tool", "text", "auto", "function", "{}"])
numbers = st.integers() | st.floats() | st.sampled_from([0, 1, -1, 2**31, 2**63, 1e400])
leaves = st.none() | st.booleans() | numbers | texts
keys = st.sampled_from(
    ["role", "content", "type", "text", "function", "name", "parameters", "arguments", "id",
     "tool_calls", "tool_call_id", "schema", "json_schema", "regex", "effort", "image_url", "x"]
)  # fmt: skip
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=12,
)

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
COMPLETION: dict[str, Any] = {"model": "m", "prompt": "hello"}
EMBEDDING: dict[str, Any] = {"model": "m", "input": "hello"}


def http(body: bytes, encoding: bytes | None = None) -> Request:
    headers = {} if encoding is None else {b"content-encoding": encoding}
    return Request(method="POST", path="/", query="", headers=headers, body=body, id=b"1")


def refusal(check: Callable[[], object]) -> PenstockError | None:
    """The error of ours that `check` raises, if any; whatever else it raises goes on."""
    try:
        check()
    except PenstockError as error:
        return error
    return None


def take(type_: Any, body: bytes, encoding: bytes | None = None) -> None:
    """All that stands between a body and an engine raises nothing but a PenstockError."""
    error = refusal(lambda: build(type_, http(body, encoding)))
    if error is not None:
        assert 400 <= error.status < 500
        assert error.message.encode()
        assert error.param is None or error.param.encode()


def build(type_: Any, http_request: Request) -> None:
    request = decode(msgspec.json.Decoder(type_), http_request, 1024 * 1024)
    if isinstance(request, EmbeddingRequest):
        embedding_call(request, CAN)
        return
    assert isinstance(request, ChatCompletionRequest | CompletionRequest)
    check_stream_options(request)
    check_attributes(request, CAN)
    if isinstance(request, ChatCompletionRequest):
        msgspec.json.encode(chat_job(request, CAN).calls)
    else:
        msgspec.json.encode(completion_job(request, CAN).calls)


def near(base: dict[str, Any], type_: type[msgspec.Struct]) -> st.SearchStrategy[bytes]:
    """Bodies that are right but for some fields, in which anything may stand."""
    fields = st.sampled_from(type_.__struct_fields__)
    return st.dictionaries(fields, anything, max_size=4).map(lambda wrong: dump(base | wrong))


def dump(body: Any) -> bytes:
    return json.dumps(body).encode()


@pytest.mark.parametrize("type_", [ChatCompletionRequest, CompletionRequest, EmbeddingRequest])
@given(body=st.binary(max_size=64) | anything.map(dump), encoding=st.sampled_from([None, b"gzip"]))
def test_any_body_is_taken_or_refused(type_: Any, body: bytes, encoding: bytes | None) -> None:
    take(type_, body, encoding)


@given(near(CHAT, ChatCompletionRequest))
def test_any_chat_is_taken_or_refused(body: bytes) -> None:
    take(ChatCompletionRequest, body)


@given(near(COMPLETION, CompletionRequest))
def test_any_completion_is_taken_or_refused(body: bytes) -> None:
    take(CompletionRequest, body)


@given(near(EMBEDDING, EmbeddingRequest))
def test_any_embedding_is_taken_or_refused(body: bytes) -> None:
    take(EmbeddingRequest, body)


messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "system", "assistant", "tool", "developer"])},
        optional={
            "content": texts | st.lists(st.fixed_dictionaries({"type": texts, "text": texts})),
            "name": leaves,
            "tool_call_id": texts,
            "refusal": leaves,
            "tool_calls": st.lists(
                st.fixed_dictionaries(
                    {"id": texts, "type": st.just("function"),
                     "function": st.fixed_dictionaries({"name": texts, "arguments": texts})}
                ),
                max_size=2,
            ),
        },
    ),
    min_size=1,
    max_size=4,
)  # fmt: skip


@given(messages)
def test_any_history_is_taken_or_refused(history: list[Any]) -> None:
    take(ChatCompletionRequest, dump(CHAT | {"messages": history}))


schema_keys = st.sampled_from(
    ["type", "properties", "items", "anyOf", "$ref", "$defs", "enum", "required", "pattern",
     "minItems", "maxLength", "additionalProperties", "minimum", "prefixItems", "not", "a"]
)  # fmt: skip
schema_leaves = leaves | st.sampled_from(
    ["#", "#/", "#/$defs/a", "#/items/0", "object", "string", "^a{2}$", "(", float("nan"), 1e300]
)
schemas = st.dictionaries(
    schema_keys,
    st.recursive(
        schema_leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(schema_keys, inner, max_size=4),
        max_leaves=12,
    ),
    max_size=5,
)


@given(schemas)
def test_any_schema_is_taken_or_refused(schema: dict[str, Any]) -> None:
    error = refusal(lambda: check_schema(schema, "schema"))
    assert error is None or (error.status, error.param) == (400, "schema")


@given(st.text(alphabet=r"ab(){}[]|*+?\^$.,0129:<>=!PpL-", max_size=30))
def test_any_pattern_is_taken_or_refused(pattern: str) -> None:
    error = refusal(lambda: check_regex(pattern, "regex"))
    assert error is None or (error.status, error.param) == (400, "regex")
