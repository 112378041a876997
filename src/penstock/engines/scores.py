"""Rerank answers in the two usual shapes, turned into scores from 0 to 1."""

import math
from collections.abc import Callable

import msgspec

from penstock.domain.errors import EngineFailed
from penstock.domain.rerank import Scores


class _Result(msgspec.Struct):
    index: int
    relevance_score: float


class _Usage(msgspec.Struct, frozen=True):
    prompt_tokens: int = 0
    total_tokens: int = 0


class _Answer(msgspec.Struct):
    results: list[_Result]
    usage: _Usage = _Usage()


class _Counted(msgspec.Struct, frozen=True):
    prompt_tokens: int = 0


class _Rank(msgspec.Struct):
    index: int
    score: float
    meta_info: _Counted | None = None


_decode = msgspec.json.Decoder(_Answer).decode
_decode_ranks = msgspec.json.Decoder(list[_Rank]).decode


def scores_of(body: bytes, expected: int, scale: Callable[[float], float]) -> Scores:
    """A score for each of `expected` documents, in their order, each put through `scale`.

    The shape is Jina's: llama-server, vLLM. Raises EngineFailed when one is missing or no number.
    """
    try:
        answer = _decode(body)
    except msgspec.MsgspecError:
        raise EngineFailed("The engine's scores are not in the usual shape.") from None
    found = [(result.index, result.relevance_score) for result in answer.results]
    usage = answer.usage
    prompt_tokens = usage.prompt_tokens or usage.total_tokens
    return Scores(_in_order(found, expected, scale), prompt_tokens)


def ranks_of(body: bytes, expected: int, scale: Callable[[float], float]) -> Scores:
    """The same of a bare list: text-embeddings-inference, SGLang."""
    try:
        ranks = _decode_ranks(body)
    except msgspec.MsgspecError:
        raise EngineFailed("The engine's scores are not in the usual shape.") from None
    prompt_tokens = sum(rank.meta_info.prompt_tokens for rank in ranks if rank.meta_info)
    found = [(rank.index, rank.score) for rank in ranks]
    return Scores(_in_order(found, expected, scale), prompt_tokens)


def _in_order(
    found: list[tuple[int, float]], expected: int, scale: Callable[[float], float]
) -> tuple[float, ...]:
    by_index = dict(found)
    if len(found) != expected or by_index.keys() != set(range(expected)):
        raise EngineFailed(f"The engine gave {len(found)} scores for {expected} documents.")
    return tuple(scale(by_index[index]) for index in range(expected))


def sigmoid(logit: float) -> float:
    """From 0 to 1, without overflow."""
    if logit >= 0:
        return 1 / (1 + math.exp(-logit))
    return math.exp(logit) / (1 + math.exp(logit))


def unchanged(score: float) -> float:
    return score
