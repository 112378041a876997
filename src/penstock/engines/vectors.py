"""Embedding answers in OpenAI's shape, turned into rows of little-endian float32."""

import math
import sys
from array import array
from collections.abc import Iterable

import msgspec

from penstock.domain.errors import EngineFailed

#: A request may have 2,048 inputs, and a vector some 4,096 numbers of 20 characters.
MAX_ANSWER_BYTES = 256 * 1024 * 1024


class _Row(msgspec.Struct):
    embedding: list[float]
    index: int | None = None


class _Usage(msgspec.Struct, frozen=True):
    prompt_tokens: int = 0


class _Answer(msgspec.Struct):
    data: list[_Row]
    usage: _Usage = _Usage()


_decode = msgspec.json.Decoder(_Answer).decode


def float_rows(body: bytes, expected: int) -> tuple[list[list[float]], int]:
    """The vectors of an answer in the order of their inputs, and the prompt's tokens.

    Raises EngineFailed when there are not `expected` of them or one is no list of numbers.
    """
    try:
        answer = _decode(body)
    except msgspec.MsgspecError:
        raise EngineFailed("The engine's embeddings are not in OpenAI's shape.") from None
    if len(answer.data) != expected:
        raise EngineFailed(f"The engine made {len(answer.data)} embeddings of {expected}.")
    ordered = sorted(
        enumerate(answer.data), key=lambda item: item[0] if item[1].index is None else item[1].index
    )
    return [row.embedding for _, row in ordered], answer.usage.prompt_tokens


def unit_rows(rows: Iterable[list[float]]) -> tuple[bytes, ...]:
    """Each row scaled to length 1 (a row of zeros stays), as little-endian float32."""
    return tuple(_pack(_unit(row)) for row in rows)


def _unit(row: list[float]) -> list[float]:
    length = math.sqrt(math.fsum(x * x for x in row))
    return [x / length for x in row] if length else row


def _pack(row: list[float]) -> bytes:
    packed = array("f", row)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def unpack(row: bytes) -> list[float]:
    """The numbers of a row."""
    numbers = array("f")
    numbers.frombytes(row)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()
