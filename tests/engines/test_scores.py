"""Scores of an engine that may answer anything."""

import json
from typing import Any

import pytest

from penstock.domain.errors import EngineFailed
from penstock.engines.scores import scores_of, sigmoid, unchanged


def answer(*results: Any, **more: Any) -> bytes:
    return json.dumps(
        {"results": [{"index": i, "relevance_score": s} for i, s in results]} | more
    ).encode()


def test_scores_come_in_the_order_of_the_documents() -> None:
    body = answer((2, 0.9), (0, 0.5), (1, 0.1), usage={"prompt_tokens": 7, "total_tokens": 7})
    found = scores_of(body, 3, unchanged)
    assert (found.values, found.prompt_tokens) == ((0.5, 0.1, 0.9), 7)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'{"results": null}',
        answer(),
        answer((0, 0.5)),
        answer((0, 0.5), (0, 0.6)),
        answer((0, 0.5), (2, 0.6)),
        answer((0, 0.5), (-1, 0.6)),
        answer((0, 0.5), (1, None)),
        answer((0, 0.5), (1, "high")),
        answer((0, 0.5), (1, 0.6), (1, 0.7)),
        answer((0, 0.5), (1, 0.6)).replace(b"0.6", b"NaN"),
    ],
)
def test_a_score_that_is_missing_or_none_is_the_engines_failure(body: bytes) -> None:
    with pytest.raises(EngineFailed):
        scores_of(body, 2, unchanged)


def test_a_sigmoid_has_no_overflow() -> None:
    assert [sigmoid(x) for x in (-1e308, -800.0, 0.0, 800.0, 1e308)] == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert sigmoid(2.0) + sigmoid(-2.0) == pytest.approx(1)
    assert scores_of(answer((0, 0.0)), 1, sigmoid).values == (0.5,)
