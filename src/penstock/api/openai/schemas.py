"""JSON Schemas and patterns of clients, checked before an engine makes a grammar of them.

Engines are no judges of them: llama.cpp ends in a segmentation fault at 20,000 levels, takes all
memory for an array of a billion items, and for what it cannot read it generates without any
grammar and says nothing.
"""

import math
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from penstock.domain.errors import InvalidRequest

MAX_DEPTH = 32
MAX_NODES = 5_000
#: The most items, characters or properties that a schema may ask for.
MAX_COUNT = 10_000
#: The largest bound of a number: what a double holds exactly. llama.cpp gets lost near 64 bits.
MAX_NUMBER = 2**53
#: Altogether in a schema: engines write each out, before anybody else gets a token.
MAX_ITEMS = 10_000
MAX_PROPERTIES = 1_000
#: The most characters that a pattern may have when its repeats are written out, and its groups.
MAX_PATTERN = 10_000
MAX_GROUPS = 64

TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})

_PIECE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{\d*,?\d*\}|.", re.DOTALL)
_NOT_REGULAR = re.compile(r"\\[1-9]|\(\?(?:[=!>(]|<[=!]|P=)|[\x00-\x08]")
#: Spellings that Python does not know.
_NAMED_GROUP = re.compile(r"\(\?<(?![=!])")
_FOREIGN = re.compile(r"\\[pP](?:\{\w+\}|\w)")


def check_schema(schema: dict[str, Any], param: str) -> None:
    """Raises InvalidRequest, with the place in it, for a schema that no engine should see."""
    _check_size(schema, param)
    places = [_Place(schema, "#")]
    items = properties = 0
    while places:
        here = places.pop()
        if isinstance(here.value, bool):
            continue
        if not isinstance(here.value, dict):
            raise _invalid(param, here.path, "it must be a schema")
        _check_place(here, schema, param)
        items += max(here.value.get("minItems", 0), here.value.get("maxItems", 0))
        properties += len(here.value.get("properties", ()))
        if items > MAX_ITEMS or properties > MAX_PROPERTIES:
            raise InvalidRequest(
                f"'{param}' is too large: all its arrays together may have {MAX_ITEMS} items, all "
                f"its objects {MAX_PROPERTIES} properties.",
                param=param,
            )
        places.extend(_inner(here))


def check_regex(pattern: str, param: str) -> None:
    """Raises InvalidRequest for a pattern that is no regular expression, or a huge one."""
    if not _is_pattern(pattern) or _NOT_REGULAR.search(pattern):
        raise InvalidRequest(
            f"'{param}' must be a regular expression, without look-around and back-references, of "
            f"at most {MAX_PATTERN} characters when its repeats are written out.",
            param=param,
        )


class _Place(NamedTuple):
    value: Any
    path: str


class _Expected(NamedTuple):
    holds: Callable[[Any], bool]
    sentence: str


def _check_size(schema: object, param: str) -> None:
    """Found level by level, without recursion."""
    nodes = 0
    level = [schema]
    for _ in range(MAX_DEPTH):
        inner: list[object] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
        nodes += len(inner)
        if nodes > MAX_NODES:
            raise InvalidRequest(
                f"'{param}' is too large: a schema may have {MAX_NODES} values.", param=param
            )
        if not inner:
            return
        level = inner
    raise InvalidRequest(
        f"'{param}' is nested too deeply: a schema may have {MAX_DEPTH} levels.", param=param
    )


def _check_place(here: _Place, root: dict[str, Any], param: str) -> None:
    for keyword, value in here.value.items():
        expected = KEYWORDS.get(keyword)
        if expected is not None and not expected.holds(value):
            raise _invalid(param, here.path, f"'{keyword}' must be {expected.sentence}")
    for least, most in BOUNDS:
        if here.value.get(least, 0) > here.value.get(most, math.inf):
            raise _invalid(param, here.path, f"'{least}' must not be above '{most}'")
    if _has_no_number(here.value):
        raise _invalid(param, here.path, "no number is within the bounds")
    if "$ref" in here.value and not _leads_somewhere(here.value, root):
        raise _invalid(param, here.path, "'$ref' must lead to a place in this schema: '#/…'")


def _inner(place: _Place) -> Iterator[_Place]:
    """The schemas right inside a schema."""
    for keyword, value in place.value.items():
        path = f"{place.path}/{keyword}"
        if keyword in ONE_SCHEMA or (keyword in ONE_OR_MANY and not isinstance(value, list)):
            yield _Place(value, path)
        elif keyword in MANY_SCHEMAS or keyword in ONE_OR_MANY:
            yield from (_Place(inner, f"{path}/{at}") for at, inner in enumerate(value))
        elif keyword in NAMED_SCHEMAS:
            yield from (_Place(inner, f"{path}/{name}") for name, inner in value.items())


def _leads_somewhere(schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """Whether following `$ref` ends at a schema that is more than a reference to another."""
    found: Any = schema
    for _ in range(MAX_DEPTH):
        reference = found.get("$ref") if isinstance(found, dict) else None
        if reference is None:
            return isinstance(found, dict | bool)
        if not isinstance(reference, str) or not reference.startswith("#"):
            return False
        found = root
        for part in reference[1:].split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict) and name in found:
                found = found[name]
            elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
                found = found[int(name)]
            else:
                return False
    return False


def _is_type(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(one, str) and one in TYPES for one in value)
    return isinstance(value, str) and value in TYPES


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_NUMBER
    )


def _has_no_number(schema: dict[str, Any]) -> bool:
    """Whether its bounds leave no number; of integers, no integer."""
    least, most = schema.get("minimum", -2 * MAX_NUMBER), schema.get("maximum", 2 * MAX_NUMBER)
    above = schema.get("exclusiveMinimum", -2 * MAX_NUMBER)
    below = schema.get("exclusiveMaximum", 2 * MAX_NUMBER)
    if schema.get("type") == "integer":
        first = max(math.ceil(least), math.floor(above) + 1)
        return bool(first > min(math.floor(most), math.ceil(below) - 1))
    return bool(least > most or above >= min(most, below) or least >= below)


def _is_count(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= MAX_COUNT and value == int(value)


def _is_pattern(value: Any) -> bool:
    """Whether it is a regular expression as JavaScript, Rust or Python knows them."""
    if not isinstance(value, str) or value.count("(") > MAX_GROUPS:
        return False
    try:
        with warnings.catch_warnings(action="ignore"):  # "[[" is odd in Python only
            re.compile(_NAMED_GROUP.sub("(?P<", _FOREIGN.sub(r"\\w", value)))
    except (re.error, RecursionError, OverflowError):
        return False
    return _pattern_size(value) <= MAX_PATTERN


def _pattern_size(pattern: str) -> int:
    """How many characters a valid pattern has when its `{m,n}` are written out."""
    sizes = [0]
    last = 0
    for piece in _PIECE.findall(pattern):
        if piece == "(":
            sizes.append(0)
        elif piece == ")":
            last = sizes.pop()
            sizes[-1] += last
        elif piece[0] == "{" and (counts := re.findall(r"\d+", piece)):
            factor = max(1, *map(int, counts))
            sizes[-1] += last * (factor - 1)
            last *= factor
        else:
            last = 1
            sizes[-1] += 1
    return sizes[0]


def _is_list(of: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(isinstance(item, of) for item in value)


ONE_SCHEMA = frozenset({"additionalProperties", "not", "if", "then", "else", "contains",
                        "propertyNames", "additionalItems"})  # fmt: skip
MANY_SCHEMAS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
ONE_OR_MANY = frozenset({"items"})
NAMED_SCHEMAS = frozenset({"properties", "patternProperties", "$defs", "definitions"})

#: What the value of a keyword must be. Keywords that are not here are for the engine to judge.
KEYWORDS: dict[str, _Expected] = {
    "type": _Expected(_is_type, f"one or several of {', '.join(sorted(TYPES))}"),
    "enum": _Expected(lambda value: isinstance(value, list) and bool(value), "a list of values"),
    "required": _Expected(_is_list(str), "a list of names"),
    "pattern": _Expected(_is_pattern, "a regular expression of modest size"),
    "format": _Expected(lambda value: isinstance(value, str), "a name"),
    **dict.fromkeys(
        MANY_SCHEMAS,
        _Expected(lambda value: isinstance(value, list) and bool(value), "a list of schemas"),
    ),
    **dict.fromkeys(
        NAMED_SCHEMAS, _Expected(lambda value: isinstance(value, dict), "schemas by name")
    ),
    **dict.fromkeys(
        ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        _Expected(_is_number, "a number of at most 53 bits"),
    ),
    **dict.fromkeys(
        ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"),
        _Expected(_is_count, f"a whole number from 0 to {MAX_COUNT}"),
    ),
}


#: Pairs in which the first must not be above the second: llama.cpp would eat all memory.
BOUNDS = (
    ("minItems", "maxItems"),
    ("minLength", "maxLength"),
    ("minProperties", "maxProperties"),
)


def _invalid(param: str, path: str, what: str) -> InvalidRequest:
    return InvalidRequest(
        f"'{param}' is no valid JSON Schema: at {path[:200]}, {what}.", param=param
    )
