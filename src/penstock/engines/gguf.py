"""What a GGUF file says about its model, read without loading it, and the memory it will take.

Only the header, the key/values and the table of tensors are read; the file is untrusted, so every
count and length is checked against a bound and against the file's end before it is believed.
The format: github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

from penstock.domain.source import BadSource, gguf_parts

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
LARGEST_INTEGER = 2**32 - 1
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

#: Keys whose value is kept; everything else is skipped.
KEPT = frozenset(
    {
        "general.architecture",
        "general.name",
        "general.type",
        "general.alignment",
        "split.count",
        "tokenizer.chat_template",
        "tokenizer.ggml.bos_token_id",
        "tokenizer.ggml.eos_token_id",
        "tokenizer.ggml.add_bos_token",
        "tokenizer.ggml.add_eos_token",
    }
)
#: The same, after the architecture's name and a dot.
KEPT_OF_THE_ARCHITECTURE = frozenset(
    {
        "context_length",
        "block_count",
        "embedding_length",
        "vocab_size",
        "pooling_type",
        "attention.causal",
        "attention.head_count",
        "attention.head_count_kv",
        "attention.key_length",
        "attention.value_length",
    }
)
VOCABULARY = "tokenizer.ggml.tokens"

#: By the number in the file. "last" is the last token's state, "rank" a score of documents.
POOLING_TYPES = (None, "mean", "cls", "last", "rank")

#: Architectures that look at a text once and keep no cache.
ENCODERS = frozenset(
    {
        "bert",
        "eurobert",
        "gemma-embedding",
        "jina-bert-v2",
        "jina-bert-v3",
        "modern-bert",
        "neo-bert",
        "nomic-bert",
        "nomic-bert-moe",
    }
)

F16_BYTES = 2
F32_BYTES = 4

# What a child of ours takes besides weights and cache: measured with xllamacpp 2026.10.11549 on
# x86-64, a little above the worst of six models from 3 MB to 640 MB.
ENGINE_BYTES = 48_000_000
SLOT_BYTES = 5_000_000
#: Of a token of the vocabulary: the tokenizer's tables.
VOCABULARY_BYTES = 600
#: Of a number of the embedding, for each token that is worked on at once.
WORK_BYTES = 64
#: How many tokens of prompts are worked on at once; an embedder takes a whole text at once.
BATCH_TOKENS = 512
#: Prompts of the past that the engine keeps beside its slots, as its worker asks it to.
PROMPT_CACHE_BYTES = 64 * 1024 * 1024


class GgufError(Exception):
    """The file is not a GGUF model that can be used; the text is a sentence that says why."""


class GgufMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says; None where it says nothing.

    `file_size_bytes` is of all parts together. `head_count` and `head_count_kv` have one number per
    layer (0 where a layer has no attention). `pooling_type` is one of `POOLING_TYPES`. `kind` is
    "model", "adapter" (a LoRA) or "mmproj" (the eyes of a vision model): only a model can be
    served by itself.
    """

    architecture: str
    kind: str = "model"
    name: str | None = None
    file_size_bytes: int
    split_count: int = 1
    context_length: int | None = None
    block_count: int | None = None
    embedding_length: int | None = None
    vocabulary_size: int | None = None
    head_count: tuple[int, ...] = ()
    head_count_kv: tuple[int, ...] = ()
    key_length: int | None = None
    value_length: int | None = None
    causal: bool = True
    pooling_type: str | None = None
    chat_template: str | None = None
    bos_token_id: int | None = None
    eos_token_id: int | None = None
    add_bos_token: bool | None = None
    add_eos_token: bool | None = None

    @property
    def embeds(self) -> bool:
        """Whether the model makes vectors; all others make text."""
        return self.pooling_type is not None or self.architecture in ENCODERS


class MemoryEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that a replica cannot do without, at the most.

    A tool that shows resident memory may show the weights twice: llama.cpp repacks some kinds
    (Q4_0, Q4_K, …) into memory of its own, and what was mapped is then given back when it is
    needed elsewhere.
    """

    weights_bytes: int
    kv_cache_bytes: int
    overhead_bytes: int

    @property
    def total_bytes(self) -> int:
        return self.weights_bytes + self.kv_cache_bytes + self.overhead_bytes


def read_metadata(path: Path) -> GgufMetadata:
    """Read `path`; of a model in several files, its first. Raises GgufError, OSError."""
    file_size_bytes = sum(part.stat().st_size for part in _parts(path))
    with path.open("rb") as file:
        reader = _Reader(file, path.stat().st_size)
        tensor_count, key_count = reader.header()
        values, vocabulary_size = reader.key_values(key_count)
        reader.check_tensors(tensor_count, alignment=_alignment(values))
    return _metadata(values, vocabulary_size, file_size_bytes)


def estimate_memory(
    metadata: GgufMetadata, *, context_tokens: int, parallel: int
) -> MemoryEstimate:
    """What llama.cpp takes at most for `metadata` on a CPU, all figures in bytes.

    `context_tokens` is the pool that all `parallel` slots share, in tokens.

        weights  = size of the file(s), mapped or repacked
        kv_cache = 2 (F16) × (key_length + value_length) × Σ over layers of head_count_kv
                   × context_tokens; 0 for encoders
        overhead = ENGINE_BYTES + vocabulary × VOCABULARY_BYTES + parallel × SLOT_BYTES + work
        work     = text: BATCH_TOKENS × (embedding_length × WORK_BYTES + 2 × context_tokens)
                         + the prompt cache, no more than kv_cache
                   vectors: batch × (embedding_length × WORK_BYTES + 4 × vocabulary + 4 × batch),
                         batch = context_tokens / parallel

    llama.cpp reserves a score per token of the vocabulary also where only vectors are wanted, so
    that a multilingual embedder with a long context needs gigabytes. Layers with a sliding window
    or a compressed cache take less than what is said here.
    """
    kv_cache_bytes = _kv_bytes_per_token(metadata) * context_tokens
    vocabulary_size = metadata.vocabulary_size or 0
    work_bytes = (
        _vectors_work_bytes(metadata, context_tokens // parallel)
        if metadata.embeds
        else _text_work_bytes(metadata, context_tokens) + min(PROMPT_CACHE_BYTES, kv_cache_bytes)
    )
    return MemoryEstimate(
        weights_bytes=metadata.file_size_bytes,
        kv_cache_bytes=kv_cache_bytes,
        overhead_bytes=(
            ENGINE_BYTES + vocabulary_size * VOCABULARY_BYTES + parallel * SLOT_BYTES + work_bytes
        ),
    )


def _kv_bytes_per_token(metadata: GgufMetadata) -> int:
    if metadata.architecture in ENCODERS:
        return 0
    length = (metadata.key_length or 0) + (metadata.value_length or 0)
    return F16_BYTES * length * sum(metadata.head_count_kv)


def _text_work_bytes(metadata: GgufMetadata, context_tokens: int) -> int:
    numbers_bytes = (metadata.embedding_length or 0) * WORK_BYTES
    mask_bytes = F16_BYTES * context_tokens
    return BATCH_TOKENS * (numbers_bytes + mask_bytes)


def _vectors_work_bytes(metadata: GgufMetadata, batch_tokens: int) -> int:
    numbers_bytes = (metadata.embedding_length or 0) * WORK_BYTES
    scores_bytes = F32_BYTES * (metadata.vocabulary_size or 0)
    mask_bytes = F32_BYTES * batch_tokens
    return batch_tokens * (numbers_bytes + scores_bytes + mask_bytes)


# -- from values to metadata -------------------------------------------------------------------


def _parts(path: Path) -> tuple[Path, ...]:
    try:
        parts = tuple(path.with_name(name) for name in gguf_parts(path.name))
    except BadSource as error:
        raise GgufError(str(error)) from None
    if path != parts[0]:
        raise GgufError(f"It is not the first part of the model. Name {parts[0].name}")
    missing = [part.name for part in parts if not part.is_file()]
    if missing and len(parts) > 1:
        raise GgufError(f"The model has {len(parts)} parts, and {missing[0]} is missing.")
    return parts


def _metadata(
    values: Mapping[str, Value], vocabulary_size: int | None, file_size_bytes: int
) -> GgufMetadata:
    architecture = _text(values, "general.architecture")
    if not architecture:
        raise GgufError("The file does not say which architecture its model has.")
    prefix = f"{architecture}."
    layers = _integer(values, prefix + "block_count")
    if layers is not None and layers > MOST_LAYERS:
        raise GgufError(f"The file speaks of {layers} layers, which cannot be.")
    head_count = _per_layer(values, prefix + "attention.head_count", layers)
    head_count_kv = _per_layer(values, prefix + "attention.head_count_kv", layers) or head_count
    embedding_length = _integer(values, prefix + "embedding_length")
    head_length = _head_length(embedding_length, head_count)
    return GgufMetadata(
        architecture=architecture,
        kind=_text(values, "general.type") or "model",
        name=_text(values, "general.name"),
        file_size_bytes=file_size_bytes,
        split_count=_integer(values, "split.count") or 1,
        context_length=_integer(values, prefix + "context_length"),
        block_count=layers,
        embedding_length=embedding_length,
        vocabulary_size=vocabulary_size or _integer(values, prefix + "vocab_size"),
        head_count=head_count,
        head_count_kv=head_count_kv,
        key_length=_integer(values, prefix + "attention.key_length") or head_length,
        value_length=_integer(values, prefix + "attention.value_length") or head_length,
        causal=_flag(values, prefix + "attention.causal") is not False,
        pooling_type=_pooling_type(_integer(values, prefix + "pooling_type") or 0),
        chat_template=_text(values, "tokenizer.chat_template"),
        bos_token_id=_integer(values, "tokenizer.ggml.bos_token_id"),
        eos_token_id=_integer(values, "tokenizer.ggml.eos_token_id"),
        add_bos_token=_flag(values, "tokenizer.ggml.add_bos_token"),
        add_eos_token=_flag(values, "tokenizer.ggml.add_eos_token"),
    )


def _head_length(embedding_length: int | None, head_count: tuple[int, ...]) -> int | None:
    """llama.cpp's default for the length of keys and values."""
    heads = next((count for count in head_count if count), 0)
    return embedding_length // heads if embedding_length and heads else None


def _pooling_type(number: int) -> str | None:
    if number >= len(POOLING_TYPES):
        raise GgufError(f"The file asks for pooling type {number}, which is not known.")
    return POOLING_TYPES[number]


def _alignment(values: Mapping[str, Value]) -> int:
    alignment = _integer(values, "general.alignment")
    if alignment is None:
        return DEFAULT_ALIGNMENT
    if alignment == 0 or alignment & (alignment - 1):
        raise GgufError(f"Its alignment is {alignment}, which is not a power of two.")
    return alignment


def _text(values: Mapping[str, Value], key: str) -> str | None:
    value = values.get(key)
    if value is None or isinstance(value, str):
        return value
    raise GgufError(f"{key} is not a text.")


def _flag(values: Mapping[str, Value], key: str) -> bool | None:
    value = values.get(key)
    if value is None or isinstance(value, bool):
        return value
    raise GgufError(f"{key} is neither true nor false.")


def _integer(values: Mapping[str, Value], key: str) -> int | None:
    value = values.get(key)
    return None if value is None else _checked_integer(key, value)


def _checked_integer(key: str, value: Value) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_INTEGER:
        raise GgufError(f"{key} is not a whole number from 0 to {LARGEST_INTEGER}.")
    return value


def _per_layer(values: Mapping[str, Value], key: str, layers: int | None) -> tuple[int, ...]:
    """The number for each layer; a single one holds for all of them."""
    value = values.get(key)
    if value is None or layers is None:
        return ()
    if not isinstance(value, tuple):
        return (_checked_integer(key, value),) * layers
    if len(value) != layers:
        raise GgufError(f"{key} has {len(value)} numbers for {layers} layers.")
    return tuple(_checked_integer(key, number) for number in value)


# -- from bytes to values ----------------------------------------------------------------------


class _Reader:
    """Reads forward through `file`, and never past `size_bytes`."""

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self._file = file
        self._size_bytes = size_bytes
        self._position = 0
        self._strings_left = MOST_STRINGS

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
                vocabulary_size = self._skip_array()
            elif _is_kept(key):
                values[key] = self._value(kind)
            else:
                self._skip(kind)
        return values, vocabulary_size

    def check_tensors(self, count: int, *, alignment: int) -> None:
        """Raises GgufError when the data of a tensor begins behind the file's end."""
        last_offset = -1
        for _ in range(count):
            self._skip_string(LONGEST_NAME_BYTES)
            dimensions = self._unsigned(U32)
            if dimensions > MOST_DIMENSIONS:
                raise GgufError(f"A tensor has {dimensions} dimensions, which cannot be.")
            self._advance(dimensions * U64.size + U32.size)
            last_offset = max(last_offset, self._unsigned(U64))
        data_start = -(-self._position // alignment) * alignment
        if count and data_start + last_offset >= self._size_bytes:
            raise self._cut_short()

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
        if kind != STRING:
            self._advance(_scalar(kind).size * count)
            return count
        self._strings_left -= count
        if self._strings_left < 0:
            raise GgufError(f"The file speaks of more than {MOST_STRINGS} strings.")
        self._skip_strings(count)
        return count

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


def _is_kept(key: str) -> bool:
    return key in KEPT or key.partition(".")[2] in KEPT_OF_THE_ARCHITECTURE


def _scalar(kind: int) -> struct.Struct:
    scalar = SCALARS.get(kind)
    if scalar is None:
        raise GgufError(f"A value of the header has type {kind}, which cannot be here.")
    return scalar
