"""Bounds on what becomes a grammar or a prompt, checked before any engine sees it."""

from penstock.domain.errors import ContextLengthExceeded, InvalidRequest

MAX_SCHEMA_DEPTH = 32
MAX_SCHEMA_NODES = 5_000
#: A prompt longer than this many characters a token of context cannot fit: spare the engine it.
CHARACTERS_PER_TOKEN = 64


def check_schema(schema: object, param: str) -> None:
    """Raises InvalidRequest when a JSON Schema is deeper or larger than an engine survives.

    Found level by level, without recursion: llama.cpp ends in a segmentation fault at 20,000
    levels, and needs minutes for an enum of 200,000 values.
    """
    nodes = 0
    level = [schema]
    for _ in range(MAX_SCHEMA_DEPTH):
        inner: list[object] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
        nodes += len(inner)
        if nodes > MAX_SCHEMA_NODES:
            raise InvalidRequest(
                f"'{param}' is too large: a schema may have {MAX_SCHEMA_NODES} values.",
                param=param,
            )
        if not inner:
            return
        level = inner
    raise InvalidRequest(
        f"'{param}' is nested too deeply: a schema may have {MAX_SCHEMA_DEPTH} levels.",
        param=param,
    )


def check_length(characters: int, context_length: int | None, param: str) -> None:
    """Raises ContextLengthExceeded for a prompt that no tokeniser could make short enough."""
    if context_length is not None and characters > context_length * CHARACTERS_PER_TOKEN:
        raise ContextLengthExceeded(
            f"'{param}' has {characters} characters; this model's context length is "
            f"{context_length} tokens.",
            param=param,
        )
