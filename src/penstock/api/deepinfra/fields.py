"""A request's struct -> its fields, one by one, as DeepInfra's `fields_in` lists them."""

from collections.abc import Collection, Iterator
from functools import cache
from typing import Any

import msgspec

from penstock.api.deepinfra.answers import ModelFieldInfo

BOUNDS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
NULL = {"type": "null"}


def fields_of(type_: type[msgspec.Struct], honoured: Collection[str]) -> list[ModelFieldInfo]:
    """Those of `honoured`, in their order, each followed by the fields inside it."""
    return [field for field in _all_fields(type_) if (field.parent or field.name) in honoured]


def schema_of(type_: type[Any], honoured: Collection[str] | None = None) -> dict[str, Any]:
    """A JSON Schema that stands by itself; with `honoured`, of these fields alone."""
    schema = msgspec.json.schema(type_)
    definitions = schema.pop("$defs")
    own = definitions.pop(type_.__name__)
    if honoured is not None:
        own["properties"] = {
            name: value for name, value in own["properties"].items() if name in honoured
        }
    return {**own, "$defs": definitions}


@cache
def _all_fields(type_: type[msgspec.Struct]) -> tuple[ModelFieldInfo, ...]:
    schema = msgspec.json.schema(type_)
    return tuple(_fields(schema["$defs"][type_.__name__], schema["$defs"], parent=None))


def _fields(
    schema: dict[str, Any], definitions: dict[str, Any], *, parent: str | None
) -> Iterator[ModelFieldInfo]:
    for name, property_ in schema["properties"].items():
        kinds = [kind for kind in property_.get("anyOf", [property_]) if kind != NULL]
        yield ModelFieldInfo(
            name=name,
            parent=parent,
            ftype=" | ".join(dict.fromkeys(map(_type, kinds))),
            allowed=[v for kind in kinds for v in kind.get("enum", ()) if v is not None] or None,
            default=property_.get("default"),
            **{bound: kind[bound] for kind in kinds for bound in BOUNDS if bound in kind},
        )
        inner = definitions.get(_named(kinds[0])) if len(kinds) == 1 else None
        if inner is not None and parent is None and "properties" in inner:
            yield from _fields(inner, definitions, parent=name)


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return "object"
    if "enum" in schema:
        return "string"
    kind = schema.get("type", "any")
    return kind if isinstance(kind, str) else " | ".join(k for k in kind if k != "null")


def _named(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]
