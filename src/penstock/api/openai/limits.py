"""Bounds on what becomes a prompt, checked before any engine sees it."""

from penstock.domain.errors import ContextLengthExceeded

#: A prompt longer than this many characters a token of context cannot fit: spare the engine it.
CHARACTERS_PER_TOKEN = 64


def check_length(characters: int, context_length: int | None, param: str) -> None:
    """Raises ContextLengthExceeded for a prompt that no tokeniser could make short enough."""
    if context_length is not None and characters > context_length * CHARACTERS_PER_TOKEN:
        raise ContextLengthExceeded(
            f"'{param}' has {characters} characters; this model's context length is "
            f"{context_length} tokens.",
            param=param,
        )
