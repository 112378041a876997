"""What an embedding engine is asked for, and what it answers."""

import msgspec

Inputs = tuple[str, ...] | tuple[tuple[int, ...], ...]


class EmbeddingCall(msgspec.Struct, frozen=True, kw_only=True):
    """Texts or lists of token ids, in order. `dimensions` None means the model's own length."""

    inputs: Inputs
    dimensions: int | None = None


class Vectors(msgspec.Struct, frozen=True):
    """`rows` are little-endian float32, one `bytes` per input, each of unit length."""

    rows: tuple[bytes, ...]
    prompt_tokens: int
