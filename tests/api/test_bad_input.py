"""What clients get wrong, or try: 4xx in OpenAI's shape that names the field, and life goes on."""

import base64
import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from rawhttp import Reply, Wire, head, request
from serving import Server

Serve = Callable[..., Server]
CHAT: dict[str, Any] = {"model": "fast", "messages": [{"role": "user", "content": "hello"}]}
COMPLETION: dict[str, Any] = {"model": "fast", "prompt": "hello"}
EMBEDDING: dict[str, Any] = {"model": "fast", "input": "hello"}
BODIES = {"chat/completions": CHAT, "completions": COMPLETION, "embeddings": EMBEDDING}
ENDPOINTS = pytest.mark.parametrize("endpoint", BODIES)


class Literal:
    """JSON that `json.dumps` would not write."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text[:20]


def encode(body: Any) -> bytes:
    literals: list[str] = []

    def mark(value: Any) -> str:
        literals.append(value.text)
        return f"literal-{len(literals) - 1}"

    text = json.dumps(body, default=mark)
    for at, literal in enumerate(literals):
        text = text.replace(f'"literal-{at}"', literal)
    return text.encode()


def rows(values: Iterable[Any]) -> list[Any]:
    """Parameters with short ids, none twice."""
    return [pytest.param(value, id=f"{at}:{value!r:.24}") for at, value in enumerate(values)]


def refused(reply: Reply, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """The error of a 400, at `param` or inside it."""
    error = reply.error
    assert reply.status == 400, error
    assert error["type"] == "invalid_request_error"
    assert reply.headers["x-request-id"]
    if param is not None:
        named = error["param"] or ""
        assert named == param or named.startswith((f"{param}[", f"{param}.")), error
    if code is not None:
        assert error["code"] == code
    return error


@pytest.fixture(scope="module", autouse=True)
def _engines_never_noticed(fake_server: Server) -> Iterator[None]:
    yield
    assert fake_server.metric("penstock_replica_restarts_total") == 0
    assert fake_server.running() == 0


@pytest.fixture(autouse=True)
def _it_still_answers_afterwards(fake_server: Server) -> Iterator[None]:
    yield
    assert fake_server.post("embeddings", EMBEDDING).status == 200


# -- types and ranges ----------------------------------------------------------------------------

Values = tuple[Any, ...]
HUGE = Literal("1" * 400)
NOT_NUMBERS: Values = ("1", True, [], {})
NOT_FLOATS = (*NOT_NUMBERS, Literal("1e400"), Literal("-1e400"), HUGE)
NOT_INTS = (*NOT_NUMBERS, 1.5, Literal("1e400"), 2**64, -(2**64), HUGE)
NOT_BOOLS: Values = (0, 1, "true", [], {})
NOT_TEXTS: Values = (1, True, [], {})

SAMPLED: dict[str, Values] = {
    "max_tokens": (*NOT_INTS, -1, -(2**31), 2**31),
    "temperature": (*NOT_FLOATS, -0.01, 2.01),
    "top_p": (*NOT_FLOATS, -0.01, 1.01),
    "top_k": (*NOT_INTS, -1),
    "min_p": (*NOT_FLOATS, -0.01, 1.01),
    "presence_penalty": (*NOT_FLOATS, -2.01, 2.01),
    "frequency_penalty": (*NOT_FLOATS, -2.01, 2.01),
    "repetition_penalty": (*NOT_FLOATS, -0.01, 0, 2.01),
    "n": (*NOT_INTS, 0, -1, 129, 2**31, 10**18),
    "seed": (*NOT_INTS, 2**63),
    "stop": (1, True, {}, [1], [[]], [""], "", ["a"] * 17, [None]),
    "logit_bias": (1, "x", [], {"a": 1}, {"-1": 1}, {"1": 101}, {"1": -101}, {"1": "x"}, {"1.5": 1},
                   {str(n): 1 for n in range(5_000)}),
    "stream": NOT_BOOLS,
    "user": (*NOT_TEXTS, "x" * 100_000),
    "response_format": (1, "json_object", [], {}, {"type": None}, {"type": "xml"}, {"type": 1},
                        {"type": "json_schema"}, {"type": "json_schema", "json_schema": {}},
                        {"type": "json_schema", "json_schema": {"name": "x"}},
                        {"type": "json_schema", "json_schema": {"name": "x", "schema": "x"}},
                        {"type": "json_schema", "json_schema": {"name": "x", "schema": []}},
                        {"type": "json_schema", "json_schema": {"name": "a b", "schema": {}}},
                        {"type": "regex"}, {"type": "regex", "regex": ""},
                        {"type": "regex", "regex": 1}),
    "model": (1, True, [], {}, None, "", "x" * 1000),
}  # fmt: skip

CHAT_WRONG = SAMPLED | {
    "max_tokens": (*SAMPLED["max_tokens"], 0),
    "max_completion_tokens": (*NOT_INTS, 0, -1, 2**31),
    "modalities": (1, "text", {}, [], ["audio"], ["text", "audio"], [None]),
    "logprobs": (*NOT_BOOLS, 5),
    "top_logprobs": (*NOT_INTS, -1, 21, 5),
    "parallel_tool_calls": NOT_BOOLS,
    "reasoning_effort": (*NOT_TEXTS, "", "extreme"),
    "reasoning": (1, "high", {"effort": "extreme"}, {"enabled": 1}),
    "chat_template_kwargs": (1, "x", [], {str(n): 1 for n in range(33)}),
    "messages": (None, 1, "x", {}, [], [1], ["x"], [None], [[]], [{}],
                 [{"role": "user"}], [{"role": "user", "content": None}],
                 [{"role": "user", "content": 1}], [{"role": "user", "content": []}],
                 [{"role": "user", "content": [1]}], [{"role": "user", "content": [{}]}],
                 [{"role": "user", "content": [{"type": "text"}]}],
                 [{"role": "user", "content": [{"type": "text", "text": 1}]}],
                 [{"role": "user", "content": [{"type": "video"}]}],
                 [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}],
                 [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}],
                 [{"role": "nobody", "content": "x"}], [{"role": 1, "content": "x"}],
                 [{"role": "", "content": "x"}], [{"content": "x"}],
                 [{"role": "system"}], [{"role": "tool", "content": "x"}],
                 [{"role": "assistant", "tool_calls": [{}]}],
                 [{"role": "assistant", "tool_calls": "x"}],
                 [{"role": "user", "content": "x", "name": 1}],
                 [{"role": "user", "content": "x"}] * 10_001),
}  # fmt: skip

COMPLETION_WRONG = SAMPLED | {
    "max_tokens": (*SAMPLED["max_tokens"], 0),
    "echo": NOT_BOOLS,
    "logprobs": (*NOT_INTS, -1, 6),
    "best_of": (*NOT_INTS, 0, -1, 2, 10**9),
    "suffix": (1, [], "x"),
    "prompt": (None, 1, True, {}, [], [[]], [[], [1]], ["a", 1], [1, "a"], [[1], "a"], ["a", [1]],
               [[1], 2], [None], [True], [1.5], [-1], [[-1]], [{}], [["a"]], [[[1]]], [[1, None]],
               ["a"] * 129),
}  # fmt: skip

EMBEDDING_WRONG: dict[str, Values] = {
    "model": SAMPLED["model"],
    "input": (None, 1, True, {}, "", [], [""], ["a", ""], [[]], [[], [1]], ["a", 1], [1, "a"],
              [[1], "a"], ["a", [1]], [None], [True], [1.5], [-1], [[-1]], [{}], [[[1]]],
              ["a"] * 2049, [[1]] * 2049),
    "encoding_format": (*NOT_TEXTS, "", "int8", "FLOAT"),
    "dimensions": (*NOT_INTS, 0, -1, 9, 2**31),
    "user": (*NOT_TEXTS, "x" * 100_000),
}  # fmt: skip


WRONG = {
    "chat/completions": CHAT_WRONG,
    "completions": COMPLETION_WRONG,
    "embeddings": EMBEDDING_WRONG,
}


@pytest.mark.parametrize(
    ("endpoint", "field"), [(endpoint, field) for endpoint in WRONG for field in WRONG[endpoint]]
)
def test_a_wrong_value_of_a_field_is_400_and_the_field_is_named(
    fake_server: Server, subtests: pytest.Subtests, endpoint: str, field: str
) -> None:
    for value in WRONG[endpoint][field]:
        with subtests.test(value=f"{value!r:.60}"):
            refused(fake_server.post(endpoint, encode(BODIES[endpoint] | {field: value})), field)


@pytest.mark.parametrize(
    ("endpoint", "field", "value"),
    [
        ("chat/completions", field, value)
        for field, value in [
            ("temperature", 0), ("temperature", 2), ("top_p", 0), ("top_p", 1),
            ("presence_penalty", -2), ("frequency_penalty", 2), ("n", 1), ("n", 128),
            ("max_tokens", 1), ("max_completion_tokens", 1), ("seed", -1), ("seed", 2**63 - 1),
            ("stop", ["a"] * 4), ("logit_bias", {"1": 100}), ("logit_bias", {}),
            ("user", "somebody"), ("temperature", 1e-300), ("tools", None),
        ]
    ] + [
        ("completions", "logprobs", None), ("completions", "prompt", ""),
        ("completions", "best_of", 1), ("completions", "prompt", [1, 2]),
        ("embeddings", "dimensions", 8), ("embeddings", "input", [1, 2]),
        ("embeddings", "input", ["a"] * 2048),
    ] + [
        (endpoint, field, value)
        for endpoint in BODIES
        for field, value in [("metadata", {"a": "b"}), ("store", True), ("service_tier", "auto"),
                             ("safety_identifier", "x"), ("prompt_cache_key", "x")]
    ],
)  # fmt: skip
def test_what_lies_on_the_bound_is_taken(
    fake_server: Server, endpoint: str, field: str, value: Any
) -> None:
    body = BODIES[endpoint] | {"max_tokens": 2} if endpoint != "embeddings" else EMBEDDING
    assert fake_server.post(endpoint, {**body, field: value}).status == 200


@ENDPOINTS
@pytest.mark.parametrize(
    "literal", ["NaN", "Infinity", "-Infinity", "nan", "1.", ".5", "01", "0x1", "1_000"]
)
def test_numbers_that_json_does_not_know_are_400(
    fake_server: Server, endpoint: str, literal: str
) -> None:
    for field in ("temperature", "max_tokens", "dimensions", "metadata"):
        refused(fake_server.post(endpoint, encode(BODIES[endpoint] | {field: Literal(literal)})))


@pytest.mark.parametrize("endpoint", BODIES)
def test_every_optional_field_may_be_null(fake_server: Server, endpoint: str) -> None:
    nulls = dict.fromkeys(WRONG[endpoint]) | dict.fromkeys(("metadata", "store", "service_tier"))
    assert fake_server.post(endpoint, nulls | BODIES[endpoint]).status == 200


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream_options": {"include_usage": True}, "stream": False}, "stream_options"),
        ({"stream": True, "stream_options": {"include_usage": 1}}, "stream_options"),
        ({"stream": True, "stream_options": []}, "stream_options"),
        ({"top_logprobs": 1}, "top_logprobs"),
        ({"top_logprobs": 1, "logprobs": False}, "top_logprobs"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": "required", "tools": []}, "tool_choice"),
    ],
)
def test_fields_that_do_not_go_together_are_refused(
    fake_server: Server, more: dict[str, Any], param: str
) -> None:
    refused(fake_server.post("chat/completions", CHAT | more), param)


# -- unknown fields ------------------------------------------------------------------------------


@ENDPOINTS
@pytest.mark.parametrize(
    "field",
    ["nonsense", "Model", "", "n_discard", "cache_prompt", "grammar", "id_slot", "mirostat",
     "api_base", "base_url", "chat_template", "samplers", "lora", "prompt_embeds",
     "truncate_prompt_tokens", "return_progress", "ignore_eos", "__proto__", "functions",
     "function_call", "n_predict"],
)  # fmt: skip
def test_an_unknown_field_is_named(fake_server: Server, endpoint: str, field: str) -> None:
    reply = fake_server.post(endpoint, BODIES[endpoint] | {field: 1})
    assert refused(reply, code="unknown_parameter")["param"] == field


# -- bodies --------------------------------------------------------------------------------------


@ENDPOINTS
@pytest.mark.parametrize(
    "body",
    rows([b"", b"null", b"[]", b'"x"', b"1", b"true", b"{", b"}", b"[", b"{}x",
     b"{'a': 1}", b"{a: 1}", b'{"model": }', b'{"model" "fast"}', b"NaN", b"\x00",
     b"\xff\xfe{\x00}\x00", b"<xml/>",
     b"model=fast", b'{"model": "fa\xffst"}', b'{"model": "\xed\xa0\x80"}', b'{"mod\xffel": 1}',
     b'{"model": "\\x"}', b'{"model": "\\u12"}', b"[" * 100_000, b'{"a":' * 100_000,
     b"[" * 100_000 + b"]" * 100_000, b'{"model": "fast"', b"\n" * 1000, b"1e400", b"-",
     b"1" * 100_000, b'{"model": "\t"}']),
)  # fmt: skip
def test_a_body_that_is_no_json_object_is_400(
    fake_server: Server, endpoint: str, body: bytes
) -> None:
    refused(fake_server.post(endpoint, body))


@pytest.mark.parametrize("bom", [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"])
def test_a_byte_order_mark_is_taken_or_refused(fake_server: Server, bom: bytes) -> None:
    assert fake_server.post("chat/completions", bom + encode(CHAT)).status in (200, 400)


@pytest.mark.parametrize("text", ["\ud800", "\udc00x", "a\ud83d", "\udfff\ud800"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_lone_surrogate_is_no_fault_of_ours(fake_server: Server, text: str, stream: bool) -> None:
    messages = [{"role": "user", "content": text}]
    for endpoint, body in [
        ("chat/completions", CHAT | {"messages": messages, "stream": stream}),
        ("chat/completions", CHAT | {"stop": text, "stream": stream}),
        ("completions", COMPLETION | {"prompt": text, "echo": True, "stream": stream}),
        ("embeddings", EMBEDDING | {"input": text}),
        ("embeddings", EMBEDDING | {"model": text}),
        ("chat/completions", CHAT | {text: 1}),
        ("chat/completions", CHAT | {"user": text}),
    ]:
        assert fake_server.post(endpoint, body).status in (200, 400, 404)


def test_the_last_of_two_equal_fields_counts_for_check_and_use_alike(fake_server: Server) -> None:
    start = encode(CHAT)[:-1]
    refused(fake_server.post("chat/completions", start + b',"n":1,"n":0}'), "n")
    assert fake_server.post("chat/completions", start + b',"n":0,"n":1}').status in (200, 400)
    twice = fake_server.post("chat/completions", start + b',"model":"nobody"}')
    assert twice.status == 404


DEEP = Literal("[" * 100_000 + "]" * 100_000)
DEEP_OBJECT = Literal('{"a":' * 100_000 + "1" + "}" * 100_000)
SCHEMA_20_000 = Literal('{"properties":{"a":' * 20_000 + "{}" + "}}" * 20_000)
SCHEMA_100 = Literal('{"properties":{"a":' * 100 + "{}" + "}}" * 100)
SCHEMA_WIDE = {"enum": [str(n) for n in range(200_000)]}
SCHEMAS = (DEEP_OBJECT, SCHEMA_20_000, SCHEMA_100, SCHEMA_WIDE)


def tool(**function: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", **function}}


DEEP_FIELDS = ("metadata", "messages", "tools", "tool_choice", "response_format", "stop",
               "logit_bias", "chat_template_kwargs", "reasoning", "model", "stream_options",
               "nonsense", "webhook")  # fmt: skip


@pytest.mark.parametrize("deep", rows([DEEP, DEEP_OBJECT]))
@pytest.mark.parametrize("field", DEEP_FIELDS)
def test_nesting_of_100_000_levels_is_400(fake_server: Server, field: str, deep: Any) -> None:
    refused(fake_server.post("chat/completions", encode(CHAT | {field: deep})))


@pytest.mark.parametrize("deep", rows([DEEP, DEEP_OBJECT]))
def test_deep_prompts_and_inputs_are_400(fake_server: Server, deep: Any) -> None:
    refused(fake_server.post("completions", encode(COMPLETION | {"prompt": deep})))
    refused(fake_server.post("embeddings", encode(EMBEDDING | {"input": deep})))


@pytest.mark.parametrize("schema", rows(SCHEMAS))
def test_schemas_beyond_reason_are_400(fake_server: Server, schema: Any) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    for endpoint in ("chat/completions", "completions"):
        body = BODIES[endpoint] | {"response_format": form}
        refused(fake_server.post(endpoint, encode(body)))
    body = CHAT | {"tools": [tool(parameters=schema)]}
    refused(fake_server.post("chat/completions", encode(body)))


# -- tools ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tools",
    rows([1, "x", {}, [1], ["x"], [None], [{}], [[]], [{"type": "function"}], [{"function": {}}],
     [{"type": "function", "function": None}], [{"type": "function", "function": "f"}],
     [{"type": "function", "function": {}}], [{"type": "retrieval", "function": {"name": "f"}}],
     [{"function": {"name": "f"}}], [tool(name=1)], [tool(name="")], [tool(name="a b")],
     [tool(name="é")], [tool(name="x" * 1000)], [tool(parameters=[])], [tool(parameters="x")],
     [tool(parameters=1)], [tool(description=1)], [tool(strict="yes")], [tool()] * 129]),
)  # fmt: skip
def test_malformed_tools_are_named(fake_server: Server, tools: Any) -> None:
    refused(fake_server.post("chat/completions", CHAT | {"tools": tools}), "tools")


@pytest.mark.parametrize(
    "choice",
    rows([1, True, [], {}, "f", "any", {"type": "function"}, {"function": {"name": "f"}},
     {"type": "function", "function": {}}, {"type": "function", "function": {"name": 1}},
     {"type": "function", "function": {"name": "other"}},
     {"type": "x", "function": {"name": "f"}}]),
)  # fmt: skip
def test_a_malformed_tool_choice_is_named(fake_server: Server, choice: Any) -> None:
    body = CHAT | {"tools": [tool()], "tool_choice": choice}
    refused(fake_server.post("chat/completions", body), "tool_choice")


@pytest.mark.parametrize("arguments", rows(["{", "nonsense", "[" * 100_000, 1, None, {}]))
def test_calls_in_the_history_need_arguments_that_are_json(
    fake_server: Server, arguments: Any
) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": arguments}}
    messages = [*CHAT["messages"], {"role": "assistant", "tool_calls": [call]}]
    refused(fake_server.post("chat/completions", CHAT | {"messages": messages}), "messages")


# -- models --------------------------------------------------------------------------------------

NOBODIES = ["nobody", "FAST", " fast", "fast:unknown-version", "deploy_id:unknown", "org/nobody",
            "../fast", "fast\x00", "*", "fast/", "💧", "' OR 1=1 --"]  # fmt: skip


@ENDPOINTS
@pytest.mark.parametrize("name", NOBODIES)
@pytest.mark.parametrize("stream", [False, True])
def test_an_unknown_model_is_404(
    fake_server: Server, endpoint: str, name: str, stream: bool
) -> None:
    more = {"stream": stream} if endpoint != "embeddings" else {}
    reply = fake_server.post(endpoint, BODIES[endpoint] | {"model": name} | more)
    assert reply.status == 404
    assert (reply.error["code"], reply.error["param"]) == ("model_not_found", "model")


@pytest.mark.parametrize("prefix", ["/v1", "/v1/openai"])
@pytest.mark.parametrize(
    "path",
    ["nobody", "org/nobody", "a/b/c/d", "org%2Fnobody", "..%2Ffast", "%ff", "%", "fast/", "%00"],
)
def test_an_unknown_model_cannot_be_retrieved(fake_server: Server, prefix: str, path: str) -> None:
    reply = fake_server.get(f"{prefix}/models/{path}")
    assert reply.status == 404
    assert (reply.error["code"], reply.error["param"]) == ("model_not_found", "model")


@pytest.mark.parametrize("prefix", ["/v1", "/v1/openai"])
@pytest.mark.parametrize("path", ["org/name-with.slashes", "org%2Fname-with.slashes"])
def test_a_model_whose_name_has_slashes_can_be_retrieved(
    fake_server: Server, prefix: str, path: str
) -> None:
    model = fake_server.get(f"{prefix}/models/{path}").json
    assert (model["id"], model["object"]) == ("org/name-with.slashes", "model")
    assert isinstance(model["created"], int)


@ENDPOINTS
def test_a_missing_model_is_400(fake_server: Server, endpoint: str) -> None:
    body = {name: value for name, value in BODIES[endpoint].items() if name != "model"}
    refused(fake_server.post(endpoint, body), "model")


@pytest.mark.parametrize(
    ("endpoint", "field"),
    [("chat/completions", "messages"), ("completions", "prompt"), ("embeddings", "input")],
)
def test_a_missing_field_is_named(fake_server: Server, endpoint: str, field: str) -> None:
    refused(fake_server.post(endpoint, {"model": "fast"}), field)


# -- keys ----------------------------------------------------------------------------------------


def bad_credentials(key: str) -> dict[str, bytes | None]:
    claims = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=")
    true = key.encode()
    return {
        "none": None,
        "empty": b"",
        "scheme only": b"Bearer",
        "no key": b"Bearer ",
        "key only": true,
        "basic": b"Basic " + base64.b64encode(b":" + true),
        "another scheme": b"Token " + true,
        "prefix": b"Bearer " + true[:-1],
        "suffix": b"Bearer " + true[1:],
        "longer": b"Bearer " + true + b"x",
        "twice": b"Bearer " + true + b" " + true,
        "with comma": b"Bearer " + true + b", Bearer x",
        "upper": b"Bearer " + true.upper(),
        "quoted": b'Bearer "' + true + b'"',
        "alg none": b"Bearer " + claims + b"." + claims + b".",
        "latin-1": b"Bearer \xe9\xff",
        "utf-8": "Bearer sk-penstock-é💧".encode(),
        "6 KB": b"Bearer " + b"a" * 6000,
        "sql": b"Bearer ' OR 1=1; DROP TABLE keys; --",
        "percent": b"Bearer %00",
        "tab": b"Bearer\t" + true,
    }


@pytest.mark.parametrize("form", bad_credentials("k" * 20))
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/openai/completions"),
        ("POST", "/v1/embeddings"),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/fast"),
    ],
)
def test_a_bad_credential_is_401_before_the_body_is_read(
    fake_server: Server, form: str, method: str, path: str
) -> None:
    given = bad_credentials(fake_server.key)[form]
    line = b"" if given is None else b"authorization: " + given + b"\r\n"
    with fake_server.wire() as wire:
        sent = request(method, path, b"not json").replace(b"\r\n", b"\r\n" + line, 1)
        reply = wire.send(sent).final()
    assert reply.status == 401
    assert reply.headers["www-authenticate"].startswith("Bearer")
    assert reply.error["code"] == "invalid_api_key"
    assert fake_server.key.encode() not in reply.body


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_scheme_may_be_spelled_in_any_case(fake_server: Server, scheme: str) -> None:
    headers = {"authorization": f"{scheme} {fake_server.key}"}
    assert fake_server.get("/v1/models", headers=headers, key="").status == 200


@pytest.mark.parametrize("header", ["x-api-key", "api-key", "proxy-authorization", "cookie"])
def test_a_key_elsewhere_is_no_key(fake_server: Server, header: str) -> None:
    headers = {header: fake_server.key}
    assert fake_server.get("/v1/models", headers=headers, key="").status == 401
    assert fake_server.get(f"/v1/models?api_key={fake_server.key}", key="").status == 401


@pytest.mark.parametrize("header", ["host", "x-forwarded-for", "x-real-ip", "x-forwarded-host",
                                    "forwarded", "x-original-url", "x-rewrite-url"])  # fmt: skip
def test_no_other_header_opens_the_door(fake_server: Server, header: str) -> None:
    headers = {header: "127.0.0.1/health"}
    assert fake_server.get("/v1/models", headers=headers, key="").status == 401


# -- routes and encodings ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    rows(["/v1", "/v1/", "/v2/chat/completions", "/chat/completions", "/v1/chat",
     "/v1/chat/completions/", "/v1//models", "//v1/models", "/v1/models/", "/V1/models",
     "/v1/engines", "/api/chat", "/v1/chat%2Fcompletions", "/v1/../v1/models", "/health/",
     "/.env", "/v1/openai",
     "/" + "a" * 9000, "/%ff", "/v1/audio/speech"]),
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_path_is_404(fake_server: Server, path: str, method: str) -> None:
    reply = fake_server.send(method, path)
    assert reply.status == 404
    assert reply.error["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        (method, f"{prefix}/{path}", allow)
        for prefix in ("/v1", "/v1/openai")
        for path, allow, methods in [
            ("chat/completions", "POST", ("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD")),
            ("completions", "POST", ("GET",)),
            ("embeddings", "POST", ("GET",)),
            ("models", "GET, HEAD", ("POST", "DELETE")),
            ("models/fast", "GET, HEAD", ("POST", "DELETE")),
            ("models/org/name-with.slashes", "GET, HEAD", ("POST", "DELETE")),
        ]
        for method in methods
    ]
    + [("POST", "/health", "GET, HEAD"), ("DELETE", "/metrics", "GET, HEAD")],
)
def test_a_wrong_method_is_405_and_the_right_ones_are_told(
    fake_server: Server, method: str, path: str, allow: str
) -> None:
    reply = fake_server.send(method, path, b"" if method == "HEAD" else b"{}")
    assert (reply.status, reply.headers["allow"]) == (405, allow)
    assert method == "HEAD" or reply.error["code"] == "method_not_allowed"


def test_a_gzip_body_is_read(fake_server: Server) -> None:
    for name in ("gzip", "GZIP", "x-gzip"):
        reply = fake_server.post(
            "chat/completions", gzip.compress(encode(CHAT)), headers={"content-encoding": name}
        )
        assert reply.status == 200


def test_a_gzip_body_of_several_members_is_read_whole(fake_server: Server) -> None:
    text = encode(CHAT)
    body = gzip.compress(text[:20]) + gzip.compress(b"") + gzip.compress(text[20:])
    headers = {"content-encoding": "gzip"}
    assert fake_server.post("chat/completions", body, headers=headers).status == 200
    cut = gzip.compress(text[:20]) + gzip.compress(b"") * 100_000 + gzip.compress(text[20:])
    refused(fake_server.post("chat/completions", cut, headers=headers))


def test_a_gzip_body_may_come_in_chunks(fake_server: Server) -> None:
    zipped = gzip.compress(encode(CHAT))
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in zipped) + b"0\r\n\r\n"
    head = {
        "host": "x",
        "authorization": f"Bearer {fake_server.key}",
        "content-encoding": "gzip",
        "transfer-encoding": "chunked",
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    with fake_server.wire() as wire:
        wire.send(b"POST /v1/chat/completions HTTP/1.1\r\n%b\r\n%b" % (lines.encode(), chunks))
        assert wire.reply().status == 200


def test_the_bound_holds_for_the_inflated_body_to_the_byte(serve: Serve) -> None:
    server = serve("fast=fake:", flags=["--max-body-bytes", "4096"])
    headers = {"content-encoding": "gzip"}
    for size, status in ((4096, 200), (4097, 413)):
        body = encode(CHAT).ljust(size)
        assert (
            server.post("chat/completions", gzip.compress(body), headers=headers).status == status
        )


@pytest.mark.parametrize(
    "body",
    rows([b"", b"x", encode(CHAT), gzip.compress(encode(CHAT))[:-9],
     gzip.compress(encode(CHAT))[5:], gzip.compress(b"{"), gzip.compress(b"\xff"),
     gzip.compress(encode(CHAT)) + b"{}"]),
)  # fmt: skip
def test_a_gzip_body_that_is_none_is_400(fake_server: Server, body: bytes) -> None:
    headers = {"content-encoding": "gzip"}
    refused(fake_server.post("chat/completions", body, headers=headers))


def test_a_gzip_bomb_is_413(fake_server: Server) -> None:
    bomb = gzip.compress(b" " * 200_000_000 + encode(CHAT), 9)
    for body in (bomb, gzip.compress(bomb)):
        reply = fake_server.post("chat/completions", body, headers={"content-encoding": "gzip"})
        assert reply.status in (400, 413)
        assert reply.error["type"] == "invalid_request_error"


@pytest.mark.parametrize("name", ["br", "deflate", "zstd", "gzip, gzip", "nonsense", "compress"])
def test_another_encoding_is_415(fake_server: Server, name: str) -> None:
    headers = {"content-encoding": name}
    reply = fake_server.post("chat/completions", encode(CHAT), headers=headers)
    assert (reply.status, reply.error["code"]) == (415, "unsupported_content_encoding")


@pytest.mark.parametrize("kind", ["text/plain", "", "application/x-www-form-urlencoded", "x"])
def test_the_content_type_does_not_matter(fake_server: Server, kind: str) -> None:
    headers = {"content-type": kind}
    assert fake_server.post("chat/completions", CHAT, headers=headers).status == 200


def test_a_body_beside_a_get_is_ignored(fake_server: Server) -> None:
    assert fake_server.send("GET", "/v1/models", b"{").status == 200
    with Wire.to(fake_server.base) as wire:
        wire.send(head("GET", "/health", {"content-length": "2"}) + b"{}")
        assert wire.final().status == 200
