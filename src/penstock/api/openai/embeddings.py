"""Embeddings: request -> call, vectors -> one object."""

import base64

from penstock.api.openai.limits import check_length
from penstock.api.openai.request import check_token_ids
from penstock.api.openai.wire import (
    EmbeddingList,
    EmbeddingObject,
    EmbeddingRequest,
    EmbeddingUsage,
)
from penstock.domain.embedding import EmbeddingCall, Vectors
from penstock.domain.errors import InvalidRequest, UnsupportedParameter
from penstock.domain.model import Capabilities
from penstock.engines.vectors import unpack

MAX_INPUTS = 2048


def embedding_call(request: EmbeddingRequest, capabilities: Capabilities) -> EmbeddingCall:
    """Raises InvalidRequest, UnsupportedParameter, ContextLengthExceeded."""
    return EmbeddingCall(
        inputs=inputs_of(request, capabilities),
        dimensions=dimensions_of(request, capabilities),
    )


def inputs_of(
    request: EmbeddingRequest, capabilities: Capabilities
) -> tuple[str, ...] | tuple[tuple[int, ...], ...]:
    """`input` as a tuple: a string, strings, token ids, or lists of token ids."""
    given = request.input
    if isinstance(given, str):
        given = [given]
    elif all(isinstance(item, int) for item in given):
        given = [given]  # type: ignore[list-item]
    if len(given) > MAX_INPUTS:
        raise InvalidRequest(
            f"'input' has {len(given)} inputs; {MAX_INPUTS} are allowed.", param="input"
        )
    if all(isinstance(item, str) for item in given):
        for text in given:
            check_length(len(str(text)), capabilities.max_input_tokens, "input")
        if not all(given):
            raise InvalidRequest("'input' must not hold an empty string.", param="input")
        return tuple(map(str, given))
    if all(isinstance(item, list) for item in given):
        for ids in given:
            check_token_ids(ids, capabilities, "input")  # type: ignore[arg-type]
        return tuple(tuple(ids) for ids in given)  # type: ignore[arg-type]
    raise InvalidRequest(
        "'input' must be a string, strings, token ids or lists of token ids, not a mixture.",
        param="input",
    )


def dimensions_of(request: EmbeddingRequest, capabilities: Capabilities) -> int | None:
    wanted = request.dimensions
    if wanted is None or wanted == capabilities.embedding_length:
        return None
    allowed = capabilities.dimensions
    if allowed == "any" or wanted in allowed:
        return wanted
    can = ", ".join(map(str, allowed)) or f"{capabilities.embedding_length} only"
    raise UnsupportedParameter(
        f"This model's vectors cannot have {wanted} dimensions; they can have {can}.",
        param="dimensions",
    )


def embedding_list(request: EmbeddingRequest, model: str, vectors: Vectors) -> EmbeddingList:
    """Floats, or base64 of little-endian float32, which the official clients ask for."""
    as_base64 = request.encoding_format == "base64"
    return EmbeddingList(
        data=[
            EmbeddingObject(base64.b64encode(row).decode() if as_base64 else unpack(row), index)
            for index, row in enumerate(vectors.rows)
        ],
        model=model,
        usage=EmbeddingUsage(vectors.prompt_tokens, vectors.prompt_tokens),
    )
