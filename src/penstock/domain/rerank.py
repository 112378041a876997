"""What a reranker is asked for, and what it answers."""

import msgspec


class RerankCall(msgspec.Struct, frozen=True, kw_only=True):
    """How well each document answers the query."""

    query: str
    documents: tuple[str, ...]


class Scores(msgspec.Struct, frozen=True):
    """`values` are from 0 to 1, one per document, in order."""

    values: tuple[float, ...]
    prompt_tokens: int
