"""What a deployment has done in a range of time -> DeepInfra's statistics."""

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import add

from penstock.api.deepinfra.deployment_answers import (
    DetailedStatsOut,
    EmbeddingStats,
    StatsOut,
    TextStats,
    TimeStats,
)
from penstock.domain.price import Price
from penstock.gateway.meter import Operation, Series

TEXT: tuple[Operation, ...] = ("chat", "text_completion")
VECTORS: tuple[Operation, ...] = ("embeddings", "rerank")
Done = Mapping[Operation, Series]


def stats(done: Done, prices: Iterable[Price]) -> StatsOut:
    """All kinds of work together."""
    all_ = together(done, tuple(done))
    return StatsOut(
        requests=all_.requests,
        total_time=round(all_.duration.sum * 1000),
        total_tokens=all_.input_tokens + all_.output_tokens,
        input_tokens=all_.input_tokens,
        output_tokens=all_.output_tokens,
        total_amount=cents(all_, prices),
        avg_time=all_.duration.mean * 1000,
        avg95_time=all_.duration.quantile(0.95) * 1000,
        errors=all_.outcomes["error"],
    )


def detailed_stats(done: Done, prices: Iterable[Price]) -> DetailedStatsOut:
    """Each kind of work by itself."""
    text, vectors = together(done, TEXT), together(done, VECTORS)
    others = together(done, tuple(done.keys() - {*TEXT, *VECTORS}))
    return DetailedStatsOut(
        llm=TextStats(
            requests=text.requests,
            input_tokens=text.input_tokens,
            output_tokens=text.output_tokens,
            avg_ttft_ms=text.first_token.mean * 1000,
            avg95_ttft_ms=text.first_token.quantile(0.95) * 1000,
            avg_tpt_ms=text.pace.mean * 1000,
            avg95_tpt_ms=text.pace.quantile(0.95) * 1000,
            total_amount_cents=cents(text, prices),
            errors=text.outcomes["error"],
        )
        if text.requests
        else None,
        embeddings=EmbeddingStats(
            requests=vectors.requests,
            input_tokens=vectors.input_tokens,
            avg_tpt_ms=vectors.duration.mean * 1000,
            avg95_tpt_ms=vectors.duration.quantile(0.95) * 1000,
            total_amount_cents=cents(vectors, prices),
            errors=vectors.outcomes["error"],
        )
        if vectors.requests
        else None,
        time=TimeStats(
            requests=others.requests,
            total_time_s=round(others.duration.sum),
            total_amount_cents=cents(others, prices),
            avg_time_ms=others.duration.mean * 1000,
            avg95_time_ms=others.duration.quantile(0.95) * 1000,
            errors=others.outcomes["error"],
        )
        if others.requests
        else None,
    )


def together(done: Done, operations: Iterable[Operation]) -> Series:
    return reduce(add, (done[each] for each in operations if each in done), Series())


def cents(series: Series, prices: Iterable[Price]) -> int:
    """What the tokens cost, at the prices of now."""
    usd = {price.unit: price.usd_per_unit for price in prices}
    read = usd.get("input_token", 0.0)
    fresh = series.input_tokens - series.cached_tokens
    total = fresh * read + series.cached_tokens * usd.get("cached_input_token", read)
    return round(100 * (total + series.output_tokens * usd.get("output_token", 0.0)))
