"""Embeddings: request -> call, vectors -> one object."""

import base64
from typing import Any

from penstock.api.openai.answers import EmbeddingList, EmbeddingObject, EmbeddingUsage
from penstock.api.openai.limits import check_length
from penstock.api.openai.request import check_token_ids
from penstock.api.openai.wire import EmbeddingRequest
from penstock.domain.embedding import EmbeddingCall, Inputs, Vectors
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


def inputs_of(request: EmbeddingRequest, capabilities: Capabilities) -> Inputs:
    """`input` as a tuple: a string, strings, token ids, or lists of token ids."""
    given: list[Any] = request.input if isinstance(request.input, list) else [request.input]
    if all(isinstance(item, int) for item in given):
        given = [given]
    if len(given) > MAX_INPUTS:
        raise InvalidRequest(
            f"'input' has {len(given)} inputs; {MAX_INPUTS} are allowed.", param="input"
        )
    if all(isinstance(item, str) for item in given):
        return texts_of(given, capabilities)
    if all(isinstance(item, list) for item in given):
        for ids in given:
            check_token_ids(ids, capabilities, "input")
        return tuple(map(tuple, given))
    raise InvalidRequest(
        "'input' must be a string, strings, token ids or lists of token ids, not a mixture.",
        param="input",
    )


def texts_of(texts: list[str], capabilities: Capabilities) -> tuple[str, ...]:
    for text in texts:
        if not text:
            raise InvalidRequest("'input' must not hold an empty string.", param="input")
        check_length(len(text), capabilities.max_input_tokens, "input")
    return tuple(texts)


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
