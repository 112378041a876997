"""Usage -> counters: what each model was asked and gave, whether or not the client stayed.

Plain numbers while requests run, Prometheus's families when it asks: a request pays for a few
additions. Names follow OpenTelemetry's semantic conventions for generative AI where those have one.
"""

import time
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Literal, get_args

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from penstock.domain.event import Event, Finished, Prompt, Started
from penstock.domain.usage import NOTHING, Usage

Operation = Literal["chat", "text_completion", "embeddings", "image_generation"]
Outcome = Literal["ok", "error", "client_left"]

DURATION_BUCKETS_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160)
FIRST_TOKEN_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
LABELS = ("gen_ai_operation_name", "gen_ai_request_model")


class Distribution:
    """A histogram: how many values fell up to each bound, and their sum."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def buckets(self) -> list[tuple[str, float]]:
        """Prometheus's cumulative buckets."""
        found = 0
        out = []
        for bound, count in zip((*map(float, self.bounds), float("inf")), self.counts, strict=True):
            found += count
            out.append(("+Inf" if bound == float("inf") else str(bound), float(found)))
        return out


class Series:
    """One model's numbers for one operation."""

    __slots__ = ("cached_tokens", "duration", "first_token", "input_tokens", "outcomes",
                 "output_tokens")  # fmt: skip

    def __init__(self) -> None:
        self.input_tokens = 0
        self.cached_tokens = 0
        self.output_tokens = 0
        self.outcomes: dict[Outcome, int] = dict.fromkeys(get_args(Outcome), 0)
        self.duration = Distribution(DURATION_BUCKETS_S)
        self.first_token = Distribution(FIRST_TOKEN_BUCKETS_S)


class Meter(Collector):
    """All numbers of one server."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._series: dict[tuple[Operation, str], Series] = {}
        registry.register(self)

    def begin(self, operation: Operation, model: str) -> "Recording":
        """Start recording a request. `model` is a deployment's name, never a client's text."""
        series = self._series.get((operation, model))
        if series is None:
            series = self._series[operation, model] = Series()
        return Recording(series)

    def collect(self) -> Iterable[CounterMetricFamily | HistogramMetricFamily]:
        tokens = CounterMetricFamily(
            "gen_ai_usage_tokens",
            "Tokens read (input, of which input_cached came from a cache) and made (output).",
            labels=(*LABELS, "gen_ai_token_type"),
        )
        outcomes = CounterMetricFamily(
            "penstock_generations",
            "Requests that reached a model, by how they ended.",
            labels=(*LABELS, "outcome"),
        )
        duration = HistogramMetricFamily(
            "gen_ai_server_request_duration_seconds",
            "From the parsed request to its last byte, or to its client's leaving.",
            labels=LABELS,
        )
        first_token = HistogramMetricFamily(
            "gen_ai_server_time_to_first_token_seconds",
            "From the parsed request to the first piece of the answer.",
            labels=LABELS,
        )
        for labels, series in self._series.items():
            tokens.add_metric((*labels, "input"), series.input_tokens)
            tokens.add_metric((*labels, "input_cached"), series.cached_tokens)
            tokens.add_metric((*labels, "output"), series.output_tokens)
            for outcome, count in series.outcomes.items():
                outcomes.add_metric((*labels, outcome), count)
            duration.add_metric(labels, series.duration.buckets(), series.duration.sum)
            first_token.add_metric(labels, series.first_token.buckets(), series.first_token.sum)
        return [tokens, outcomes, duration, first_token]


class Recording:
    """One request while it runs: counts as events go by, so that a leaving client is counted too.

    The engine's own numbers replace the running count when a call ends.
    """

    __slots__ = ("_began_s", "_first_s", "_series", "calls")

    def __init__(self, series: Series) -> None:
        self._series = series
        self._began_s = time.perf_counter()
        self._first_s: float | None = None
        self.calls: dict[int, Usage] = {}

    def count(self, call: int, batch: list[Event]) -> None:
        """Take a batch of the given call's events into account."""
        if self._first_s is None:
            self._first_s = time.perf_counter()
        last = batch[-1]
        if isinstance(last, Finished):
            self.calls[call] = last.usage
            return
        before = self.calls.get(call, NOTHING)
        prompt_tokens, cached_tokens = before.prompt_tokens, before.cached_tokens
        made = before.completion_tokens
        for event in batch:
            if isinstance(event, Started):
                prompt_tokens, cached_tokens = event.prompt_tokens, event.cached_tokens
            elif not isinstance(event, Prompt | Finished):
                made += event.tokens
        self.calls[call] = Usage(prompt_tokens, made, cached_tokens)

    def end(self, outcome: Outcome, usage: Usage) -> None:
        series = self._series
        now_s = time.perf_counter()
        series.outcomes[outcome] += 1
        series.input_tokens += usage.prompt_tokens
        series.cached_tokens += usage.cached_tokens
        series.output_tokens += usage.completion_tokens
        series.duration.observe(now_s - self._began_s)
        if self._first_s is not None:
            series.first_token.observe(self._first_s - self._began_s)
