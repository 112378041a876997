"""What the fake engine says: words, tool arguments and vectors that follow from the request alone.

One word is one token. Nothing here knows of HTTP, of time or of faults.
"""

import hashlib
import math
import struct
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from typing import Any

import msgspec

DEFAULT_TOKENS = 16
VECTOR_LENGTH = 8
#: The seed chooses one, so that two choices of one request differ as they do from a real model.
OPENINGS = ("You said:", "I heard:", "Once more:", "To repeat:", "It was:")


class Reply(msgspec.Struct, kw_only=True):
    """`pieces` are one token each. They are a tool call's arguments when `tool` names a tool."""

    pieces: list[str]
    finish_reason: str
    prompt_tokens: int
    tool: str | None = None

    @property
    def usage(self) -> dict[str, int]:
        completion_tokens = len(self.pieces)
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": self.prompt_tokens + completion_tokens,
        }


def echo(prompt: str, *, prompt_tokens: int, max_tokens: int | None, seed: int | None) -> Reply:
    """A sentence about `prompt`, over and over until `max_tokens`.

    Without `max_tokens` the answer ends by itself, after DEFAULT_TOKENS.
    """
    words = [*OPENINGS[(seed or 0) % len(OPENINGS)].split(), *prompt.split(), "-"]
    length = DEFAULT_TOKENS if max_tokens is None else max_tokens
    pieces = [word if i == 0 else f" {word}" for i, word in enumerate(islice(cycle(words), length))]
    return Reply(
        pieces=pieces,
        finish_reason="stop" if max_tokens is None else "length",
        prompt_tokens=prompt_tokens,
    )


def recite(
    text: str, *, prompt_tokens: int, max_tokens: int | None, tool: str | None = None
) -> Reply:
    """`text` as it stands, cut at `max_tokens`."""
    words = text.split(" ")
    pieces = [word if i == 0 else f" {word}" for i, word in enumerate(words)]
    whole = max_tokens is None or len(pieces) <= max_tokens
    reason = ("tool_calls" if tool else "stop") if whole else "length"
    return Reply(
        pieces=pieces[:max_tokens], finish_reason=reason, prompt_tokens=prompt_tokens, tool=tool
    )


def example(schema: dict[str, Any] | None) -> Any:
    """A value that a plain JSON Schema takes; `{"fake": true}` when it says nothing."""
    if not schema:
        return {"fake": True}
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for alternatives in ("anyOf", "oneOf"):
        if schema.get(alternatives):
            return example(schema[alternatives][0])
    kind = schema.get("type", "object")
    return EXAMPLES[kind[0] if isinstance(kind, list) else kind](schema)


def _example_object(schema: dict[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties")
    if not properties:
        return {"fake": True}
    return {name: example(inner) for name, inner in properties.items()}


EXAMPLES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "object": _example_object,
    "array": lambda schema: [example(schema.get("items") or {"type": "string"})],
    "string": lambda schema: "fake".ljust(schema.get("minLength", 0), "e"),
    "integer": lambda schema: math.ceil(schema.get("minimum", 1)),
    "number": lambda schema: schema.get("minimum", 1.5),
    "boolean": lambda schema: True,
    "null": lambda schema: None,
}


def vector(text: str | Sequence[int], dimensions: int = VECTOR_LENGTH) -> list[float]:
    """A unit vector that is the hash of `text`, cut to `dimensions`, 1 to VECTOR_LENGTH."""
    spelled = text if isinstance(text, str) else " ".join(map(str, text))
    numbers = struct.unpack(f"<{VECTOR_LENGTH}i", hashlib.sha256(spelled.encode()).digest())
    row = [number + 0.5 for number in numbers[:dimensions]]  # the half: never a row of zeros
    length = math.hypot(*row)
    return [number / length for number in row]
