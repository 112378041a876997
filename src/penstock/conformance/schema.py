"""OpenAI's published schemas of answers, and what is wrong with a value by them."""

import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError

FILE = "openai_schemas.json"


def complaints(value: object, definition: str) -> list[str]:
    """What is wrong with `value` as a `definition`; a null in an optional field is not counted."""
    return [_sentence(e) for e in _errors(value, definition) if e.instance is not None]


def null_complaints(value: object, definition: str) -> list[str]:
    """The fields that are null although the schema has no null for them."""
    return [f"{_place(e)} is null" for e in _errors(value, definition) if e.instance is None]


def conforms(value: object, schema: dict[str, Any]) -> bool:
    """Whether `value` obeys a JSON Schema of a check's own."""
    from jsonschema import Draft202012Validator

    return bool(Draft202012Validator(schema).is_valid(value))


def _errors(value: object, definition: str) -> "list[ValidationError]":
    from jsonschema.exceptions import best_match

    found = _validator(definition).iter_errors(value)
    deepest = (best_match([error]) or error for error in found)
    return sorted(deepest, key=lambda error: [str(step) for step in error.absolute_path])


@cache
def _validator(definition: str) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator

    text = resources.files(__package__).joinpath(FILE).read_text("utf-8")
    document = json.loads(text)
    return Draft202012Validator({"$ref": f"#/$defs/{definition}", "$defs": document["$defs"]})


def _place(error: "ValidationError") -> str:
    return error.json_path.removeprefix("$.") or "the answer"


def _sentence(error: "ValidationError") -> str:
    place = _place(error)
    where = "" if place == "$" else f"{place}: "
    return f"{where}{error.message[:120]}"
