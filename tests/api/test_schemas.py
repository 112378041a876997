"""Schemas that are kept to, refused by keyword, or refused before they can do harm."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from rawhttp import Reply
from serving import Server, until

MODEL = "penstock/tiny-chat"
SCHEMA_PARAM = "response_format.json_schema.schema"
TOOL_PARAM = "tools[0].function.parameters"


def format_of(schema: Any) -> dict[str, Any]:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    return {"response_format": form}


def tool_of(schema: Any, *, strict: bool) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {"q": schema}, "required": ["q"]}
    if "$defs" in schema:
        parameters["$defs"] = schema["$defs"]
    function = {"name": "f", "parameters": parameters, "strict": strict}
    return {"tools": [{"type": "function", "function": function}], "tool_choice": "required"}


def ask(server: Server, route: str, more: dict[str, Any]) -> Reply:
    said: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}
    if route == "completions":
        said = {"prompt": "hi"}
    return server.post(route, {"model": MODEL, "max_tokens": 200, "seed": 1} | said | more)


def refused(reply: Reply, param: str, *words: str) -> None:
    assert reply.status == 400, reply
    assert (reply.error["param"] or "").startswith(param), reply.error
    assert all(word in reply.error["message"] for word in words), reply.error


@pytest.fixture(autouse=True)
def _the_engine_never_noticed(bundled_server: Server) -> Iterator[None]:
    yield
    assert bundled_server.chat(MODEL, max_tokens=1).status == 200
    assert bundled_server.metric("penstock_replica_restarts_total") == 0


# -- what no grammar can keep to -----------------------------------------------------------------

BEYOND_GRAMMARS: list[tuple[str, dict[str, Any]]] = [
    ("not", {"type": "string", "not": {"const": "a"}}),
    ("if", {"if": {"type": "string"}, "then": {"maxLength": 3}}),
    ("format", {"type": "string", "format": "zork"}),
    ("format", {"type": "object", "properties": {"a": {"type": "string", "format": "iri"}}}),
    ("pattern", {"type": "string", "pattern": "(?=a)b"}),
    ("pattern", {"type": "string", "pattern": "(?<!a)b"}),
    ("pattern", {"type": "string", "pattern": r"a\b"}),
    ("pattern", {"type": "array", "items": {"type": "string", "pattern": r"(a)\1"}}),
    ("uniqueItems", {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}),
    ("contains", {"type": "array", "contains": {"const": 4}}),
    ("minProperties", {"type": "object", "minProperties": 2}),
    ("propertyNames", {"type": "object", "propertyNames": {"enum": ["a"]}}),
    ("dependentRequired", {"type": "object", "dependentRequired": {"a": ["b"]}}),
    ("unevaluatedProperties", {"type": "object", "unevaluatedProperties": False}),
]
BEYOND_TOOLS: list[tuple[str, dict[str, Any]]] = [
    ("minimum", {"type": "number", "minimum": 3}),
    ("multipleOf", {"type": "integer", "multipleOf": 3}),
    ("pattern", {"type": "string", "pattern": "ab"}),
    ("pattern", {"type": "string", "pattern": r"^\d$"}),
    ("maxLength", {"type": "string", "pattern": "^a$", "maxLength": 3}),
    ("format", {"type": "string", "format": "email"}),
    ("required", {"type": "object", "properties": {"a": {}}, "required": ["b"]}),
    ("patternProperties", {"type": "object", "patternProperties": {"^a": {"type": "integer"}}}),
    ("allOf", {"allOf": [{"type": "string"}, {"maxLength": 3}]}),
    ("maxLength", {"$ref": "#/$defs/a", "maxLength": 3, "$defs": {"a": {"type": "string"}}}),
    ("maxItems", {"type": "array", "items": {}, "maxItems": 9_000}),
]


@pytest.mark.parametrize(("keyword", "schema"), BEYOND_GRAMMARS)
@pytest.mark.parametrize("route", ["chat/completions", "completions"])
def test_what_no_grammar_keeps_to_is_refused_by_its_keyword(
    bundled_server: Server, route: str, keyword: str, schema: dict[str, Any]
) -> None:
    reply = ask(bundled_server, route, format_of(schema))
    refused(reply, SCHEMA_PARAM, f"'{keyword}'")
    assert reply.error["code"] == "unsupported_parameter"


@pytest.mark.parametrize(("keyword", "schema"), BEYOND_GRAMMARS + BEYOND_TOOLS)
def test_a_strict_tool_is_kept_to_or_refused_by_the_keyword(
    bundled_server: Server, keyword: str, schema: dict[str, Any]
) -> None:
    strict = ask(bundled_server, "chat/completions", tool_of(schema, strict=True))
    refused(strict, TOOL_PARAM, f"'{keyword}'")
    hint = ask(bundled_server, "chat/completions", tool_of(schema, strict=False))
    assert hint.status in (200, 400), hint


@pytest.mark.parametrize(
    "schema",
    [
        {"allOf": [{"type": "string"}, {"type": "integer"}]},
        {"type": "string", "format": "date-time", "maxLength": 3},
        {"type": "string", "pattern": "^a$", "minLength": 5},
    ],
)
def test_what_contradicts_itself_is_refused(bundled_server: Server, schema: dict[str, Any]) -> None:
    for route in ("chat/completions", "completions"):
        for _ in range(2):
            refused(ask(bundled_server, route, format_of(schema)), SCHEMA_PARAM)


def test_what_is_refused_is_not_echoed_first(bundled_server: Server) -> None:
    never = format_of({"allOf": [{"type": "string"}, {"type": "integer"}]})
    reply = ask(bundled_server, "completions", never | {"echo": True, "stream": True})
    refused(reply, SCHEMA_PARAM)


# -- what is kept to -----------------------------------------------------------------------------

KEPT: list[tuple[dict[str, Any], Callable[[Any], Any]]] = [
    ({"type": "number", "minimum": 3, "maximum": 3.5}, lambda v: 3 <= v <= 3.5),
    ({"type": "integer", "exclusiveMinimum": 6, "exclusiveMaximum": 8}, lambda v: v == 7),
    ({"type": "string", "pattern": r"^\d{3}$"}, lambda v: re.fullmatch(r"\d{3}", v)),
    ({"type": "string", "pattern": "b", "maxLength": 3}, lambda v: "b" in v and len(v) < 4),
    ({"type": "string", "format": "date"}, lambda v: re.fullmatch(r"\d{4}-\d\d-\d\d", v)),
    ({"type": "string", "format": "uri", "maxLength": 40, "title": "a", "example": "x"},
     lambda v: v.startswith("http")),
    ({"oneOf": [{"const": "a"}, {"type": "null"}], "discriminator": {}},
     lambda v: v in ("a", None)),
    ({"$ref": "#/$defs/a", "description": "x", "$defs": {"a": {"enum": [1, "two"]}}},
     lambda v: v in (1, "two")),
    ({"type": ["string", "null"], "maxLength": 2}, lambda v: v is None or len(v) < 3),
    ({"type": "array", "items": {"const": 1}, "minItems": 2, "maxItems": 3, "uniqueItems": False},
     lambda v: v in ([1, 1], [1, 1, 1])),
    ({"type": "integer", "format": "int32", "minimum": 5, "maximum": 5}, lambda v: v == 5),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "holds"), KEPT)
@pytest.mark.parametrize("route", ["chat/completions", "completions"])
def test_an_answer_keeps_to_its_schema(
    bundled_server: Server,
    route: str,
    schema: dict[str, Any],
    holds: Callable[[Any], Any],
) -> None:
    reply = ask(bundled_server, route, format_of(schema) | {"temperature": 0})
    assert reply.status == 200, reply
    choice = reply.json["choices"][0]
    text = choice["text"] if route == "completions" else choice["message"]["content"]
    assert holds(json.loads(text)), text


# -- what would do harm --------------------------------------------------------------------------


def nested(levels: int) -> str:
    return '{"type":"array","items":' * levels + "{}" + "}" * levels


MONSTERS = {
    "20,000 levels": nested(20_000),
    "200 levels": nested(200),
    "200,000 values": json.dumps({"enum": [f"value {i}" for i in range(200_000)]}),
    "100,000 properties": json.dumps({"properties": {f"p{i}": {} for i in range(100_000)}}),
    "1,001 properties": json.dumps({"properties": {f"p{i}": {} for i in range(1_001)}}),
    "no such place": json.dumps({"$ref": "#/$defs/no"}),
    "in a circle": json.dumps({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}),
    "elsewhere": json.dumps({"$ref": "http://169.254.169.254/latest"}),
    "catastrophic": json.dumps({"type": "string", "pattern": "((a{100}){100}){100}"}),
    "least above most": json.dumps({"type": "string", "minLength": 5, "maxLength": 3}),
    "items least above most": json.dumps({"type": "array", "minItems": 5, "maxItems": 3}),
    "no integer": json.dumps({"type": "integer", "minimum": 1.2, "maximum": 1.8}),
    "64 bits": json.dumps({"type": "integer", "minimum": 2**63 - 1}),
    "300 bits": json.dumps({"type": "integer", "minimum": 2**300}),
    "infinity": '{"type": "integer", "maximum": 1e999}',
    "many items": json.dumps({"items": {"items": {}, "maxItems": 9_000}, "maxItems": 9_000}),
}
TOOL_MONSTERS = {
    "16 digits": json.dumps({"type": "integer", "minimum": 10**15}),
    "16 digits below zero": json.dumps({"type": "integer", "maximum": -(10**15)}),
    "500 optional": json.dumps({"properties": {f"p{i}": {} for i in range(500)}}),
}


def monstrous(server: Server, route: str, schema: str, *, as_tool: bool = False) -> Reply:
    template = tool_of({}, strict=False) if as_tool else format_of({})
    said = {"messages": [{"role": "user", "content": "hi"}], "prompt": "hi"}
    del said["prompt" if route == "chat/completions" else "messages"]
    body = json.dumps({"model": MODEL, "max_tokens": 1} | said | template)
    hole = '"q": {}' if as_tool else '"schema": {}'
    assert hole in body
    filled = body.replace(hole, hole.replace("{}", schema))
    return server.send("POST", f"/v1/{route}", filled.encode())


@pytest.mark.parametrize("name", MONSTERS | TOOL_MONSTERS)
def test_a_monstrous_schema_is_refused(bundled_server: Server, name: str) -> None:
    schema = (MONSTERS | TOOL_MONSTERS)[name]
    routes = ("chat/completions", "completions") if name in MONSTERS else ()
    replies = [monstrous(bundled_server, route, schema) for route in routes]
    replies.append(monstrous(bundled_server, "chat/completions", schema, as_tool=True))
    for reply in replies:
        assert reply.status in (400, 413), (reply.status, reply.body[:300])
        assert reply.error["message"]


def test_streams_beside_monsters_go_on(bundled_server: Server) -> None:
    counted: list[int] = []
    over = threading.Event()

    def listen() -> None:
        form = {"type": "regex", "regex": "(ab ){200}"}
        while not over.is_set():
            reply = bundled_server.chat(MODEL, stream=True, max_tokens=1_000, response_format=form)
            text = "".join(e["choices"][0]["delta"].get("content") or "" for e in reply.events)
            assert text == "ab " * 200
            counted.append(len(text))

    with ThreadPoolExecutor() as pool:
        listener = pool.submit(listen)
        until(lambda: counted, "a first stream")
        before = len(counted)
        attacks = [
            pool.submit(monstrous, bundled_server, "chat/completions", schema, as_tool=True)
            for schema in (MONSTERS | TOOL_MONSTERS).values()
        ]
        assert all(attack.result().status in (400, 413) for attack in attacks)
        until(lambda: len(counted) > before, "another stream, whole")
        over.set()
        listener.result()
