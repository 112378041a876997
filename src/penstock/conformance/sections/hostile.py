"""Requests that are made to do harm. They come last: after one of them a server may be gone."""

import json
from typing import Any

from penstock.conformance.check import check, expect, expect_none
from penstock.conformance.subject import Subject
from penstock.conformance.wire import Reply

DEPTH = 20_000
ENUM_VALUES = 100_000


@check
def deep_schemas_are_refused(subject: Subject) -> None:
    """A schema of 20,000 levels is refused with 4xx, as a format and as a tool's parameters.

    Source: OpenAI guide, structured outputs: up to 10 levels of nesting.
    """
    deep = '{"type":"object","properties":{"a":' * DEPTH + "{}" + "}}" * DEPTH
    tool = {"type": "function", "function": {"name": "f", "parameters": "DEEP"}}
    fields: dict[str, dict[str, Any]] = {
        "a format": {"response_format": _strict("DEEP")},
        "a tool": {"tools": [tool]},
    }
    for label, each in fields.items():
        text = json.dumps(subject.chat_body(**each)).replace('"DEEP"', deep)
        reply = subject.post("/chat/completions", text.encode())
        expect(400 <= reply.status < 500, f"{label}: status {reply.status}: {reply.complaint}")
        _expect_alive(subject)


@check
def huge_enums_do_no_harm(subject: Subject) -> None:
    """A schema with an enum of 100,000 values is refused with 4xx, or honoured.

    Source: OpenAI guide, structured outputs: up to 1,000 enum values.
    """
    enum = {"type": "string", "enum": [f"value {i}" for i in range(ENUM_VALUES)]}
    _expect_no_harm(subject, _schema_reply(subject, enum))


@check
def catastrophic_patterns_do_no_harm(subject: Subject) -> None:
    """A schema with a pattern that back-tracks without end is refused with 4xx, or honoured.

    Source: JSON Schema, pattern; OWASP, regular expression denial of service.
    """
    pattern = {"type": "string", "pattern": "^(a+)+(b|(c+)+)+$"}
    _expect_no_harm(subject, _schema_reply(subject, pattern))


@check
def endless_references_do_no_harm(subject: Subject) -> None:
    """A schema that refers to itself and nothing else is refused with 4xx, or honoured.

    Source: JSON Schema, section 9.4.1: should not make use of infinite recursive nesting.
    """
    _expect_no_harm(subject, _schema_reply(subject, {"$ref": "#/properties/a"}))


@check
def huge_numbers_are_refused(subject: Subject) -> None:
    """Numbers beyond all reason are refused: n, top_logprobs and max_tokens of 10^30.

    Source: OpenAI's schema CreateChatCompletionRequest; an unbounded n has brought servers down.
    """
    fields: dict[str, dict[str, Any]] = {
        "n 10^9": {"n": 10**9},
        "n 10^30": {"n": 10**30},
        "top_logprobs 10^9": {"logprobs": True, "top_logprobs": 10**9},
        "max_tokens 10^30": {"max_tokens": 10**30},
        "max_tokens -10^30": {"max_tokens": -(10**30)},
    }
    bodies = {label: subject.chat_body(**each) for label, each in fields.items()}
    expect_none(subject.accepted("/chat/completions", bodies))
    _expect_alive(subject)


def _strict(schema: object) -> dict[str, Any]:
    named = {"name": "thing", "schema": schema, "strict": True}
    return {"type": "json_schema", "json_schema": named}


def _schema_reply(subject: Subject, inner: dict[str, Any]) -> Reply:
    schema = {
        "type": "object",
        "properties": {"a": inner},
        "required": ["a"],
        "additionalProperties": False,
    }
    body = subject.chat_body(response_format=_strict(schema), max_tokens=16)
    return subject.post("/chat/completions", body)


def _expect_no_harm(subject: Subject, reply: Reply) -> None:
    expect(reply.status < 500, f"status {reply.status}: {reply.complaint}")
    expect(reply.status >= 400 or "choices" in reply.json, "neither refused nor answered")
    _expect_alive(subject)


def _expect_alive(subject: Subject) -> None:
    """The model still answers: a gateway lists its models also when what runs them has died."""
    reply = subject.post("/chat/completions", subject.chat_body("Hello!", max_tokens=1))
    expect(reply.status == 200, f"afterwards a chat is answered with {reply.status}")
