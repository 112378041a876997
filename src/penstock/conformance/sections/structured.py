"""Answers that are JSON, and JSON that obeys a schema."""

import json
from typing import Any

from penstock.conformance.check import Failed, Skipped, check, expect, expect_none
from penstock.conformance.schema import conforms
from penstock.conformance.subject import Subject, official, text_of

TOKENS = 256
#: Bounded in every direction, so that even a model that talks nonsense comes to an end.
FLAT = {
    "type": "object",
    "properties": {
        "colour": {"type": "string", "enum": ["red", "green", "blue"]},
        "count": {"type": "integer", "enum": [1, 2, 3]},
        "big": {"type": "boolean"},
    },
    "required": ["colour", "count", "big"],
    "additionalProperties": False,
}
NESTED = {
    "type": "object",
    "properties": {
        "things": {
            "type": "array",
            "items": {"$ref": "#/$defs/thing"},
            "minItems": 1,
            "maxItems": 2,
        },
        "note": {"anyOf": [{"type": "null"}, {"type": "string", "enum": ["yes", "no"]}]},
    },
    "required": ["things", "note"],
    "additionalProperties": False,
    "$defs": {
        "thing": {
            "type": "object",
            "properties": {"kind": {"type": "string", "enum": ["cup", "spoon"]}},
            "required": ["kind"],
            "additionalProperties": False,
        }
    },
}


@check
def json_object_is_an_object(subject: Subject) -> None:
    """With response_format json_object the answer is a JSON object.

    Source: OpenAI API reference, response_format: guarantees the message is valid JSON.
    """
    answer = subject.chat(
        'Answer with the JSON object {"a": 1} and nothing else.',
        response_format={"type": "json_object"},
        max_tokens=TOKENS,
    )
    text = text_of(answer)
    expect(text.lstrip().startswith("{"), f"it begins {text[:40]!r}")
    if answer["choices"][0]["finish_reason"] == "length":
        raise Skipped("the model did not come to an end")
    expect(isinstance(_parsed(text), dict), f"it is {text[:60]!r}")


@check
def flat_schema_is_obeyed(subject: Subject) -> None:
    """With a strict json_schema the answer obeys it.

    Source: OpenAI guide, structured outputs: adherence to the schema.
    """
    _expect_obeyed(subject, FLAT)


@check
def nested_schema_is_obeyed(subject: Subject) -> None:
    """Arrays, anyOf and references within a schema are obeyed.

    Source: OpenAI guide, structured outputs: supported schemas, definitions, anyOf.
    """
    _expect_obeyed(subject, NESTED)


@check
def streamed_answer_obeys(subject: Subject) -> None:
    """A stream obeys the schema, too.

    Source: OpenAI guide, structured outputs: streaming.
    """
    stream = subject.chat_stream(
        "Describe a thing.", response_format=_strict(FLAT), max_tokens=TOKENS
    )
    text = stream.text()
    expect(conforms(_parsed(text), FLAT), f"it is {text[:80]!r}")


@check
def official_client_parses(subject: Subject) -> None:
    """The official client parses the answer into a model of pydantic's.

    Source: openai-python, chat.completions.parse.
    """
    from typing import Literal

    from pydantic import BaseModel

    class Thing(BaseModel):
        colour: Literal["red", "green", "blue"]
        big: bool

    with official():
        answer = subject.client.chat.completions.parse(
            model=subject.models.of("chat"),
            messages=[{"role": "user", "content": "Describe a thing."}],
            response_format=Thing,
            temperature=0,
            max_tokens=TOKENS,
            extra_body=subject.extra,
        )
    expect(answer.choices[0].message.parsed is not None, "nothing was parsed")


@check
def text_is_the_default(subject: Subject) -> None:
    """response_format text is the same as none.

    Source: OpenAI API reference, response_format: text is the default.
    """
    question, whole = subject.long_answer()
    found = text_of(subject.chat(question, max_tokens=48, response_format={"type": "text"}))
    expect(found == whole, f"{found[:40]!r}, without {whole[:40]!r}")


@check
def malformed_formats_are_refused(subject: Subject) -> None:
    """An unknown type, a missing schema, and a schema that is none are refused.

    Source: OpenAI's schema CreateChatCompletionRequest, response_format.
    """
    formats: dict[str, object] = {
        "a string": "json",
        "no type": {},
        "type zork": {"type": "zork"},
        "no json_schema": {"type": "json_schema"},
        "schema of text": {"type": "json_schema", "json_schema": {"name": "a", "schema": "x"}},
        "type nonsense": _strict({"type": "nonsense"}),
        "properties of text": _strict({"type": "object", "properties": "x"}),
        "a reference to nothing": _strict({"$ref": "#/$defs/nothing"}),
    }
    bodies = {label: subject.chat_body(response_format=each) for label, each in formats.items()}
    expect_none(subject.accepted("/chat/completions", bodies))


def _expect_obeyed(subject: Subject, schema: dict[str, Any]) -> None:
    answer = subject.chat("Describe a thing.", response_format=_strict(schema), max_tokens=TOKENS)
    text = text_of(answer)
    expect(conforms(_parsed(text), schema), f"it is {text[:80]!r}")


def _strict(schema: object) -> dict[str, Any]:
    named = {"name": "thing", "schema": schema, "strict": True}
    return {"type": "json_schema", "json_schema": named}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise Failed(f"it is not JSON: {text[:80]!r}") from None
