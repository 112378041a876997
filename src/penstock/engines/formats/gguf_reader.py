"""The bytes of a GGUF file -> values and tensors, without loading it.

Only the header, the key/values and the table of tensors are read; the file is untrusted, so every
count and length is checked against a bound and against the file's end before it is believed.
The format: github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import math
import struct
from collections.abc import Callable, Mapping
from typing import BinaryIO

import msgspec

from penstock.engines.control_tokens import CONTROL_NAMES, CONTROL_TYPES

Number = int | float | bool
Value = Number | str | tuple[Number, ...]

MAGIC = b"GGUF"
VERSIONS = (2, 3)

MOST_KEYS = 10_000
MOST_TENSORS = 1_000_000
MOST_LAYERS = 10_000
MOST_DIMENSIONS = 4
#: All strings of all arrays together; the largest vocabularies have 300,000 tokens and as many
#: merges.
MOST_STRINGS = 8_000_000
LONGEST_KEY_BYTES = 65_535
LONGEST_NAME_BYTES = 65_535
#: Of a value that is kept. The longest chat templates have some 30 kB.
LONGEST_VALUE_BYTES = 1024 * 1024
#: What is read over rather than sought over.
SHORT_BYTES = 1024
DEFAULT_ALIGNMENT = 32

STRING, ARRAY = 8, 9
#: Of every other type: how `struct` reads it.
SCALARS: Mapping[int, struct.Struct] = {
    0: struct.Struct("<B"),
    1: struct.Struct("<b"),
    2: struct.Struct("<H"),
    3: struct.Struct("<h"),
    4: struct.Struct("<I"),
    5: struct.Struct("<i"),
    6: struct.Struct("<f"),
    7: struct.Struct("<?"),
    10: struct.Struct("<Q"),
    11: struct.Struct("<q"),
    12: struct.Struct("<d"),
}
U32, U64 = SCALARS[4], SCALARS[10]
INTEGERS_32 = frozenset({4, 5})

#: ggml's types of plain numbers, by the number in the file: name, and bytes of a number.
PLAIN_KINDS: Mapping[int, tuple[str, int]] = {0: ("F32", 4), 1: ("F16", 2), 30: ("BF16", 2)}

VOCABULARY = "tokenizer.ggml.tokens"
VOCABULARY_TYPES = "tokenizer.ggml.token_type"


class GgufError(Exception):
    """The file is not a GGUF model that can be used; the text is a sentence that says why."""


class GgufTensor(msgspec.Struct, frozen=True):
    """`shape` is as the file has it: the length of a row comes first. `kind` is a number of
    ggml's types; `offset` is from the beginning of the data, in bytes."""

    shape: tuple[int, ...]
    kind: int
    offset: int

    @property
    def end(self) -> int:
        """Where its data ends; of a kind that is not in PLAIN_KINDS, where it may end at least."""
        _, number_bytes = PLAIN_KINDS.get(self.kind, ("", 0))
        return self.offset + max(1, math.prod(self.shape) * number_bytes)


class GgufReader:
    """Reads forward through `file`, and never past `size_bytes`.

    Of the key/values it keeps those that `is_kept` says. Its methods go in the order that they
    stand in, each once, and raise GgufError, OSError.
    """

    def __init__(self, file: BinaryIO, size_bytes: int, is_kept: Callable[[str], bool]) -> None:
        self._file = file
        self._size_bytes = size_bytes
        self._is_kept = is_kept
        self._position = 0
        self._strings_left = MOST_STRINGS
        self._token_types: tuple[int, ...] = ()
        self._tokens_at = 0

    def header(self) -> tuple[int, int]:
        """How many tensors and how many key/values follow."""
        if self._take(min(len(MAGIC), self._size_bytes)) != MAGIC:
            raise GgufError("It is not a GGUF file: it does not begin with 'GGUF'.")
        version = self._unsigned(U32)
        if version not in VERSIONS:
            raise GgufError(f"Its GGUF version is {version:#x}; versions 2 and 3 can be read.")
        tensor_count, key_count = self._unsigned(U64), self._unsigned(U64)
        if tensor_count > MOST_TENSORS or key_count > MOST_KEYS:
            raise GgufError(
                f"The file speaks of {tensor_count} tensors and {key_count} keys, which cannot be."
            )
        return tensor_count, key_count

    def key_values(self, count: int) -> tuple[dict[str, Value], int | None]:
        """The values that are kept, and the number of tokens of the vocabulary."""
        values: dict[str, Value] = {}
        vocabulary_size: int | None = None
        for _ in range(count):
            key = self._string(LONGEST_KEY_BYTES)
            kind = self._unsigned(U32)
            if key in values:
                raise GgufError(f"{key} is there twice.")
            if key == VOCABULARY and kind == ARRAY:
                self._tokens_at = self._position
                vocabulary_size = self._skip_array()
            elif key == VOCABULARY_TYPES and kind == ARRAY:
                self._token_types = self._integers()
            elif self._is_kept(key):
                values[key] = self._value(kind)
            else:
                self._skip(kind)
        return values, vocabulary_size

    def check_tensors(self, count: int, *, alignment: int) -> None:
        """Raises GgufError when the data of a tensor begins behind the file's end."""
        last_offset = -1
        for _ in range(count):
            self._skip_string(LONGEST_NAME_BYTES)
            self._advance(self._dimensions() * U64.size + U32.size)
            last_offset = max(last_offset, self._unsigned(U64))
        self._check_data(last_offset + 1, alignment)

    def tensors(self, count: int, *, alignment: int) -> dict[str, GgufTensor]:
        """What they are. Raises GgufError when one's data ends behind the file's end."""
        found: dict[str, GgufTensor] = {}
        for _ in range(count):
            name = self._string(LONGEST_NAME_BYTES)
            if name in found:
                raise GgufError(f"The tensor {name[:100]!r} is there twice.")
            shape = tuple(self._unsigned(U64) for _ in range(self._dimensions()))
            found[name] = GgufTensor(shape, self._unsigned(U32), self._unsigned(U64))
        self._check_data(max((t.end for t in found.values()), default=0), alignment)
        return found

    def _dimensions(self) -> int:
        dimensions = self._unsigned(U32)
        if dimensions > MOST_DIMENSIONS:
            raise GgufError(f"A tensor has {dimensions} dimensions, which cannot be.")
        return dimensions

    def _check_data(self, end: int, alignment: int) -> None:
        """`end` is where the last tensor's data ends, in bytes behind the table."""
        data_start = -(-self._position // alignment) * alignment
        if end and data_start + end > self._size_bytes:
            raise self._cut_short()

    def control_tokens(self, vocabulary_size: int) -> dict[int, str]:
        """The vocabulary, read again now that the types of its tokens are known."""
        found: dict[int, str] = {}
        self._position = self._tokens_at
        self._file.seek(self._tokens_at)
        if not vocabulary_size or self._unsigned(U32) != STRING:
            return found
        self._file.seek(U64.size, 1)
        types, known = self._token_types, len(self._token_types)
        read, unpack = self._file.read, U64.unpack
        for token in range(vocabulary_size):
            prefix = read(U64.size)
            if len(prefix) < U64.size:
                raise self._cut_short()
            (length_bytes,) = unpack(prefix)
            if length_bytes > SHORT_BYTES:
                self._file.seek(length_bytes, 1)
                continue
            text = read(length_bytes)
            if (token < known and types[token] in CONTROL_TYPES) or text in CONTROL_NAMES:
                found[token] = text.decode("utf-8", errors="replace")
        return found

    # A value is either built or skipped.

    def _value(self, kind: int) -> Value:
        if kind == STRING:
            return self._string(LONGEST_VALUE_BYTES)
        if kind == ARRAY:
            return self._numbers()
        return self._number(_scalar(kind))

    def _numbers(self) -> tuple[Number, ...]:
        kind, count = self._unsigned(U32), self._unsigned(U64)
        scalar = _scalar(kind)
        if count > MOST_LAYERS:
            raise GgufError(f"A list with a number per layer has {count} numbers.")
        return tuple(self._number(scalar) for _ in range(count))

    def _integers(self) -> tuple[int, ...]:
        """An array of 32-bit integers; of another type, nothing."""
        kind, count = self._unsigned(U32), self._unsigned(U64)
        if count > MOST_STRINGS:
            raise GgufError(f"The file speaks of more than {MOST_STRINGS} tokens.")
        if kind in INTEGERS_32:
            return struct.unpack(f"<{count}i", self._take(U32.size * count))
        self._skip_elements(kind, count)
        return ()

    def _skip(self, kind: int) -> None:
        if kind == STRING:
            self._skip_string(self._size_bytes)
        elif kind == ARRAY:
            self._skip_array()
        else:
            self._advance(_scalar(kind).size)

    def _skip_array(self) -> int:
        """The number of its elements. Arrays of arrays are refused, as llama.cpp does."""
        kind, count = self._unsigned(U32), self._unsigned(U64)
        self._skip_elements(kind, count)
        return count

    def _skip_elements(self, kind: int, count: int) -> None:
        if kind != STRING:
            self._advance(_scalar(kind).size * count)
            return
        self._strings_left -= count
        if self._strings_left < 0:
            raise GgufError(f"The file speaks of more than {MOST_STRINGS} strings.")
        self._skip_strings(count)

    def _skip_strings(self, count: int) -> None:
        """The same as `_skip_string` again and again: a vocabulary makes it the hot loop."""
        read, unpack, position, end = self._file.read, U64.unpack, self._position, self._size_bytes
        for _ in range(count):
            prefix = read(U64.size)
            if len(prefix) < U64.size:
                raise self._cut_short()
            (length_bytes,) = unpack(prefix)
            position += U64.size + length_bytes
            if position > end:
                raise self._cut_short()
            if length_bytes < SHORT_BYTES:
                read(length_bytes)
            else:
                self._file.seek(length_bytes, 1)
        self._position = position

    # The lowest layer: nothing below reads behind the end.

    def _string(self, longest_bytes: int) -> str:
        length_bytes = self._unsigned(U64)
        if length_bytes > longest_bytes:
            raise GgufError(f"A text of the header has {length_bytes} bytes, which cannot be.")
        return self._take(length_bytes).decode("utf-8", errors="replace")

    def _skip_string(self, longest_bytes: int) -> None:
        length_bytes = self._unsigned(U64)
        if length_bytes > longest_bytes:
            raise self._cut_short()
        self._advance(length_bytes)

    def _number(self, scalar: struct.Struct) -> Number:
        number: Number = scalar.unpack(self._take(scalar.size))[0]
        return number

    def _unsigned(self, scalar: struct.Struct) -> int:
        number: int = scalar.unpack(self._take(scalar.size))[0]
        return number

    def _take(self, length_bytes: int) -> bytes:
        self._check(length_bytes)
        taken = self._file.read(length_bytes)
        if len(taken) < length_bytes:  # someone shortens it while we read
            raise self._cut_short()
        self._position += length_bytes
        return taken

    def _advance(self, length_bytes: int) -> None:
        self._check(length_bytes)
        self._file.seek(length_bytes, 1)
        self._position += length_bytes

    def _check(self, length_bytes: int) -> None:
        if self._position + length_bytes > self._size_bytes:
            raise self._cut_short()

    def _cut_short(self) -> GgufError:
        return GgufError(
            f"The file ends too early, after {self._size_bytes} bytes: it is damaged or was not "
            "copied completely. Fetch it again."
        )


def _scalar(kind: int) -> struct.Struct:
    scalar = SCALARS.get(kind)
    if scalar is None:
        raise GgufError(f"A value of the header has type {kind}, which cannot be here.")
    return scalar
