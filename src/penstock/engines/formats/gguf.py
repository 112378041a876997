"""What a GGUF file says about its model: what its bytes hold, checked and named."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from penstock.domain.source import BadSource, gguf_parts
from penstock.engines.formats.gguf_reader import (
    DEFAULT_ALIGNMENT,
    MOST_LAYERS,
    GgufError,
    GgufReader,
    GgufTensor,
    Value,
)

LARGEST_INTEGER = 2**32 - 1
#: Keys whose value is kept; everything else is skipped.
KEPT = frozenset(
    {
        "general.architecture",
        "general.name",
        "general.type",
        "general.alignment",
        "split.count",
        "adapter.type",
        "adapter.lora.alpha",
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


class GgufMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says; None where it says nothing.

    `file_size_bytes` is of all parts together. `head_count` and `head_count_kv` have one number per
    layer (0 where a layer has no attention). `pooling_type` is one of `POOLING_TYPES`. `kind` is
    "model", "adapter" (a LoRA) or "mmproj" (the eyes of a vision model): only a model can be
    served by itself. `control_tokens` has the texts of control tokens by their ids. The `adapter_…`
    are of an adapter: its type, and what its rank is divided into to scale it.
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
    control_tokens: dict[int, str] = {}
    adapter_type: str | None = None
    adapter_alpha: float | None = None

    @property
    def embeds(self) -> bool:
        """Whether the model makes vectors; all others make text."""
        return self.pooling_type is not None or self.architecture in ENCODERS


def read_tensors(path: Path) -> dict[str, GgufTensor]:
    """The table of tensors of a model, all its files together. Raises GgufError, OSError."""
    found: dict[str, GgufTensor] = {}
    for part in _parts(path):
        with part.open("rb") as file:
            reader = GgufReader(file, part.stat().st_size, _is_kept)
            tensor_count, key_count = reader.header()
            values, _ = reader.key_values(key_count)
            found |= reader.tensors(tensor_count, alignment=_alignment(values))
    return found


def read_metadata(path: Path) -> GgufMetadata:
    """Read `path`; of a model in several files, its first. Raises GgufError, OSError."""
    file_size_bytes = sum(part.stat().st_size for part in _parts(path))
    with path.open("rb") as file:
        reader = GgufReader(file, path.stat().st_size, _is_kept)
        tensor_count, key_count = reader.header()
        values, vocabulary_size = reader.key_values(key_count)
        reader.check_tensors(tensor_count, alignment=_alignment(values))
        control_tokens = reader.control_tokens(vocabulary_size or 0)
    metadata = _metadata(values, vocabulary_size, file_size_bytes)
    return msgspec.structs.replace(metadata, control_tokens=control_tokens)


def _is_kept(key: str) -> bool:
    return key in KEPT or key.partition(".")[2] in KEPT_OF_THE_ARCHITECTURE


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
        adapter_type=_text(values, "adapter.type"),
        adapter_alpha=_real(values, "adapter.lora.alpha"),
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


def _real(values: Mapping[str, Value], key: str) -> float | None:
    value = values.get(key)
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise GgufError(f"{key} is not a number.")


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
