"""JSON Schemas as llama.cpp's grammars keep to them, and a refusal of what those would pass over.

There are two. llguidance makes a grammar of the schema itself; where it cannot, llama.cpp goes on
without one. The other, GBNF, is llama.cpp's own and the only one beside tools and thoughts; what it
does not know it leaves out (common/json-schema.cpp, common/json-schema-to-grammar.cpp).
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from penstock.domain.errors import InvalidRequest, UnsupportedParameter

#: Keywords that say something about values of one type only.
BY_TYPE = {
    "string": frozenset({"minLength", "maxLength", "pattern", "format"}),
    "number": frozenset(
        {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
    ),
    "array": frozenset(
        {"items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems",
         "contains", "minContains", "maxContains", "unevaluatedItems"}
    ),
    "object": frozenset(
        {"properties", "required", "additionalProperties", "patternProperties", "propertyNames",
         "minProperties", "maxProperties", "dependentRequired", "dependentSchemas", "dependencies",
         "unevaluatedProperties"}
    ),
    "boolean": frozenset(),
    "null": frozenset(),
}  # fmt: skip
BY_TYPE["integer"] = BY_TYPE["number"]
FOR_ALL_TYPES = frozenset(
    {"type", "enum", "const", "$ref", "$dynamicRef", "$recursiveRef", "anyOf", "oneOf", "allOf",
     "not", "if", "then", "else"}
)  # fmt: skip
#: Everything that limits values. What is not here (titles, defaults, …) are notes.
LIMITS = FOR_ALL_TYPES.union(*BY_TYPE.values())
DEFINITIONS = frozenset({"$defs", "definitions"})
#: Limits that limit nothing.
IDLE = {
    "uniqueItems": False, "minItems": 0, "minLength": 0, "minProperties": 0,
    "unevaluatedProperties": True, "unevaluatedItems": True, "additionalItems": True,
}  # fmt: skip

#: Where other schemas stand: by name, or one or several.
NAMED = frozenset({"properties", "patternProperties"}) | DEFINITIONS
SEVERAL = frozenset(
    {"anyOf", "oneOf", "allOf", "items", "prefixItems", "additionalItems", "additionalProperties"}
)

#: llguidance, parser/src/json/schema.rs.
LLGUIDANCE_LIMITS = frozenset(
    {"type", "enum", "const", "$ref", "anyOf", "oneOf", "allOf", "items", "prefixItems",
     "additionalItems", "minItems", "maxItems", "properties", "required", "additionalProperties",
     "patternProperties", "minLength", "maxLength", "pattern", "format", "minimum", "maximum",
     "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
)  # fmt: skip
#: llguidance, parser/src/json/formats.rs.
LLGUIDANCE_FORMATS = frozenset(
    {"date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
)
#: Formats by a pattern, where llguidance has none. Not every URI, but nothing else.
PATTERNS = {
    "uri": r"^https?://[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:[0-9]{1,5})?(/[A-Za-z0-9._~-]*)*"
    r"(\?[A-Za-z0-9._~=&-]*)?$"
}
#: Parts of patterns that match between characters, or look elsewhere.
NOT_REGULAR = re.compile(r"\(\?(?:[=!]|<[=!])|(?<!\\)(?:\\\\)*\\[bB1-9]")
#: Where llguidance lets blanks stand, there may be any number: weak models find no end of them.
SPACING = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}

#: What GBNF keeps to, by what it takes a schema for.
GBNF_LIMITS = {
    "object": frozenset({"type", "properties", "required", "additionalProperties"}),
    "array": frozenset({"type", "items", "minItems", "maxItems"}),
    "tuple": frozenset({"type", "items", "prefixItems"}),
    "integer": frozenset({"type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}),
    "pattern": frozenset({"type", "pattern"}),
    "format": frozenset({"type", "format"}),
    "string": frozenset({"type", "minLength", "maxLength"}),
    "enum": frozenset({"type", "enum"}),
    "const": frozenset({"type", "const"}),
    "$ref": frozenset({"$ref"}),
    "anyOf": frozenset({"anyOf"}),
    "oneOf": frozenset({"oneOf"}),
}
GBNF_FORMATS = frozenset({"date", "time", "date-time", "uuid"})
#: Where both stand, the exclusive bound is left out.
INCLUSIVE = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}
#: Squares of how many properties are not required, summed up: it writes out all that follow each.
GBNF_MOST_OPTIONAL = 200_000
#: It knows numbers of 15 digits; from here upwards, or downwards below zero, it gets lost.
GBNF_LARGEST_LIMIT = 10**15
#: It writes an array's items out one inside the other.
GBNF_MOST_ITEMS = 1000


def kept_limits(schema: dict[str, Any], param: str) -> dict[str, Any]:
    """What of `schema` limits values, in words that grammars know.

    Raises UnsupportedParameter with the keyword that they would pass over.
    """
    limits: dict[str, Any] = _copied(schema, "#", param)
    return limits


def llguidance_grammar(schema: dict[str, Any], param: str) -> str:
    """A grammar for `schema`. Raises UnsupportedParameter with the keyword that it has none for."""
    limits = kept_limits(schema, param)
    limits["x-guidance"] = SPACING
    return f"%llguidance {{}}\nstart: %json {msgspec.json.encode(limits).decode()}"


def check_gbnf(schema: dict[str, Any], param: str) -> None:
    """Raises UnsupportedParameter with the first keyword that GBNF would leave out."""
    places = [("#", schema)]
    while places:
        path, here = places.pop()
        limits = _limits(here)
        for alternative in _by_type(limits):
            kind = _gbnf_kind(alternative)
            for keyword, value in alternative.items():
                if keyword not in GBNF_LIMITS.get(kind, {"type"}) or not _gbnf_holds(
                    keyword, value, alternative
                ):
                    raise _refused(param, path, keyword)
        places += _inner(path, here)


def gbnf_keeps_to(schema: dict[str, Any]) -> bool:
    """Whether GBNF will do, which lets a model set blanks as it likes."""
    try:
        check_gbnf(schema, "")
        check_gbnf_cost((schema,), "")
    except InvalidRequest:
        return False
    return True


def check_gbnf_cost(schemas: Iterable[dict[str, Any]], param: str) -> None:
    """Raises InvalidRequest for schemas whose grammar would keep the engine from all other work."""
    places = [("#", schema) for schema in schemas]
    size = 0
    while places:
        path, here = places.pop()
        if isinstance(here, dict):
            optional = here.get("properties", {}).keys() - here.get("required", ())
            size += len(optional) ** 2
            least = max(here.get(keyword, 0) for keyword in ("minimum", "exclusiveMinimum"))
            most = min(here.get(keyword, 0) for keyword in ("maximum", "exclusiveMaximum"))
            if max(least, -most) >= GBNF_LARGEST_LIMIT:
                raise _refused(param, path, "minimum" if least > 0 else "maximum")
        if size > GBNF_MOST_OPTIONAL:
            raise InvalidRequest(
                f"The schemas in '{param}' have too many properties that are not required.",
                param=param,
            )
        places += _inner(path, here)


def _limits(schema: Any) -> dict[str, Any]:
    if not isinstance(schema, dict):
        return {}
    return {
        keyword: value
        for keyword, value in schema.items()
        if keyword in LIMITS and (keyword not in IDLE or value != IDLE[keyword])
    }


def _by_type(limits: dict[str, Any]) -> list[dict[str, Any]]:
    """A schema for each type it allows, without limits of other types."""
    types = limits.get("type")
    if types is None or "$ref" in limits:
        return [limits]
    return [
        {
            keyword: type_ if keyword == "type" else value
            for keyword, value in limits.items()
            if keyword in FOR_ALL_TYPES or keyword in BY_TYPE[type_]
        }
        for type_ in (types if isinstance(types, list) else [types])
    ]


def _gbnf_kind(limits: dict[str, Any]) -> str:
    for keyword in ("$ref", "oneOf", "anyOf", "const", "enum"):
        if keyword in limits:
            return keyword
    type_ = str(limits.get("type") or _implied_type(limits))
    if type_ == "array" and ("prefixItems" in limits or isinstance(limits.get("items"), list)):
        return "tuple"
    if type_ == "string":
        return next((keyword for keyword in ("pattern", "format") if keyword in limits), "string")
    return type_


def _implied_type(limits: dict[str, Any]) -> str:
    """What GBNF takes a schema for that names no type."""
    for type_, signs in (
        ("object", ("properties", "additionalProperties")),
        ("array", ("items", "prefixItems")),
        ("string", ("pattern", "format", "minLength", "maxLength")),
    ):
        if any(sign in limits for sign in signs):
            return type_
    return ""


def _gbnf_holds(keyword: str, value: Any, limits: dict[str, Any]) -> bool:
    match keyword:
        case "required":
            return set(value) <= set(limits.get("properties", ()))
        case "pattern":
            return gbnf_knows_pattern(value)
        case "format":
            return value in GBNF_FORMATS
        case "minItems" | "maxItems":
            return int(value) <= GBNF_MOST_ITEMS
        case "exclusiveMinimum" | "exclusiveMaximum":
            return INCLUSIVE[keyword] not in limits
        case "prefixItems":
            return "items" not in limits
    return True


def gbnf_knows_pattern(pattern: str) -> bool:
    """Whether it is of the kind that GBNF does not read as "any string"."""
    if len(pattern) < 2 or pattern[0] != "^" or pattern[-1] != "$":
        return False
    inner, within_class, at = pattern[1:-1], False, 0
    while at < len(inner):
        character = inner[at]
        if character == "\\":
            known = '\\"[]-trnxuU' if within_class else '\\"[]-trnxuU^$.()|{}*+?'
            if at + 1 == len(inner) or inner[at + 1] not in known:
                return False
            at += 1
        elif character == "]":
            within_class = False
        elif not within_class:
            within_class = character == "["
            if character in "^$" or (inner.startswith("(?", at) and inner[at + 2 : at + 3] != ":"):
                return False
        at += 1
    return True


def _copied(schema: Any, path: str, param: str) -> Any:
    """The schema without its notes, which llguidance takes for limits that it does not know."""
    if not isinstance(schema, dict):
        return schema
    limits = _limits(schema)
    if not _may_be_string(schema):
        limits.pop("format", None)
    if "pattern" not in limits and str(limits.get("format")) in PATTERNS:
        limits["pattern"] = PATTERNS[limits.pop("format")]
    for keyword, value in limits.items():
        if not _llguidance_holds(keyword, value):
            raise _refused(param, path, keyword)
    kept = limits | {name: schema[name] for name in DEFINITIONS & schema.keys()}
    kept = {
        keyword: _copied_inner(keyword, value, f"{path}/{keyword}", param)
        for keyword, value in kept.items()
    }
    if "oneOf" in kept and "anyOf" not in kept:
        kept["anyOf"] = kept.pop("oneOf")
    return kept


def _copied_inner(keyword: str, value: Any, path: str, param: str) -> Any:
    if keyword in NAMED:
        return {name: _copied(inner, f"{path}/{name}", param) for name, inner in value.items()}
    if keyword in SEVERAL and isinstance(value, list):
        return [_copied(inner, f"{path}/{at}", param) for at, inner in enumerate(value)]
    return _copied(value, path, param) if keyword in SEVERAL else value


def _llguidance_holds(keyword: str, value: Any) -> bool:
    match keyword:
        case "pattern":
            return NOT_REGULAR.search(value) is None
        case "format":
            return value in LLGUIDANCE_FORMATS
    return keyword in LLGUIDANCE_LIMITS


def _may_be_string(schema: dict[str, Any]) -> bool:
    types = schema.get("type", "string")
    return "string" in types if isinstance(types, list) else types == "string"


def _inner(path: str, schema: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(schema, dict):
        return
    for keyword, value in schema.items():
        here = f"{path}/{keyword}"
        if keyword in NAMED:
            yield from ((f"{here}/{name}", inner) for name, inner in value.items())
        elif keyword in SEVERAL and isinstance(value, list):
            yield from ((f"{here}/{at}", inner) for at, inner in enumerate(value))
        elif keyword in SEVERAL:
            yield here, value


def _refused(param: str, path: str, keyword: str) -> UnsupportedParameter:
    return UnsupportedParameter(
        f"'{param}' asks for more than this model's engine can keep to: at {path[:200]}, "
        f"'{keyword}'. Leave it out, or say it in words.",
        param=param,
    )
