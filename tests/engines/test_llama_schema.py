"""What llama.cpp's own grammars keep to, as it is written in its source."""

from typing import Any

import pytest

from penstock.domain.errors import InvalidRequest, UnsupportedParameter
from penstock.engines.llama_cpp.schema import check_gbnf, check_gbnf_cost, gbnf_knows_pattern

NAME = {"type": "string"}


@pytest.mark.parametrize(
    ("pattern", "known"),
    [
        ("^a$", True),
        ("^[a-z]{1,3}(?:x|y)+$", True),
        (r"^\(\.\[\-\x41\u0041\\$", True),
        (r"^[\]\\\-^$(?]$", True),
        ("", False),
        ("a", False),
        ("^a", False),
        (r"^\d$", False),
        (r"^[\d]$", False),
        ("^a$|^b$", False),
        ("^(?=a)a$", False),
        ("^(?<n>a)$", False),
        ("^a\\$", False),
    ],
)
def test_patterns_that_gbnf_does_not_read_as_any_string(pattern: str, known: bool) -> None:
    assert gbnf_knows_pattern(pattern) is known


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"title": "x", "type": "object", "properties": {"a": NAME}, "required": ["a"]},
        {"type": "object", "additionalProperties": {"type": "integer", "minimum": 3}},
        {"type": ["string", "null"], "maxLength": 3},
        {"type": ["integer", "string"], "minimum": 3, "minLength": 3},
        {"enum": ["a", 1], "default": 1},
        {"anyOf": [{"$ref": "#/$defs/a"}, {"type": "null"}], "$defs": {"a": NAME}},
        {"type": "array", "items": NAME, "minItems": 1, "uniqueItems": False},
        {"type": "array", "prefixItems": [NAME, NAME]},
        {"type": "string", "format": "uuid"},
        {"type": "number", "format": "double"},
    ],
)
def test_schemas_that_gbnf_keeps_to(schema: dict[str, Any]) -> None:
    check_gbnf(schema, "p")


@pytest.mark.parametrize(
    ("schema", "keyword"),
    [
        ({"$ref": "#/$defs/a", "maxLength": 1, "$defs": {"a": NAME}}, "maxLength"),
        ({"anyOf": [NAME], "type": "string"}, "type"),
        ({"required": ["a"]}, "required"),
        ({"properties": {"a": NAME}, "allOf": [NAME]}, "allOf"),
        ({"type": "integer", "minimum": 1, "exclusiveMinimum": 1}, "exclusiveMinimum"),
        ({"type": "array", "prefixItems": [NAME], "items": NAME}, "prefixItems"),
        ({"type": "array", "prefixItems": [NAME], "minItems": 1}, "minItems"),
        ({"type": ["string", "integer"], "multipleOf": 2}, "multipleOf"),
        ({"$defs": {"a": {"not": {}}}}, "not"),
    ],
)
def test_what_gbnf_leaves_out_is_named(schema: dict[str, Any], keyword: str) -> None:
    with pytest.raises(UnsupportedParameter, match=f"'{keyword}'"):
        check_gbnf({"type": "object", "properties": {"x": schema}}, "p")


def test_the_cost_is_of_all_schemas_together() -> None:
    wide = {"type": "object", "properties": {f"p{i}": NAME for i in range(300)}}
    check_gbnf_cost([wide, wide], "tools")
    check_gbnf_cost([wide | {"required": list(wide["properties"])}] * 50, "tools")
    with pytest.raises(InvalidRequest, match="too many properties"):
        check_gbnf_cost([wide] * 3, "tools")
