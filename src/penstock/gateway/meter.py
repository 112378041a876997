"""Usage -> counters: what each model was asked and gave, whether or not the client stayed.

Plain numbers while requests run, Prometheus's families when it asks: a request pays for a few
additions. Names follow OpenTelemetry's semantic conventions for generative AI where those have one.
"""

import operator
from asyncio import CancelledError
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import perf_counter
from types import TracebackType
from typing import Any, Literal, Self, get_args

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from penstock.domain.errors import NotAdmitted
from penstock.domain.event import Event, Finished, Prompt, Started, Text
from penstock.domain.usage import NOTHING, Usage, total

Operation = Literal[
    "chat",
    "text_completion",
    "embeddings",
    "rerank",
    "image_generation",
    "image_classification",
]
Outcome = Literal["ok", "error", "client_left"]

DURATION_BUCKETS_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160)
FIRST_TOKEN_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
PACE_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
LABELS = ("gen_ai_operation_name", "gen_ai_request_model")
#: So many values wait at most to be sorted in.
SORT_IN_AT = 256


class Distribution:
    """A histogram: how many values fell up to each bound, and their sum.

    `observe` only takes a value down: they are sorted in by the hundred, or when somebody looks.
    """

    __slots__ = ("_counts", "_sum", "bounds", "new", "observe")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.new: list[float] = []
        self.observe = self.new.append
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    @property
    def counts(self) -> list[int]:
        self.sort_in()
        return self._counts

    @property
    def sum(self) -> float:
        self.sort_in()
        return self._sum

    def sort_in(self) -> None:
        new = self.new
        new.sort()
        self._sum += sum(new)
        below = 0
        for at, bound in enumerate(self.bounds):
            up_to_here = bisect_right(new, bound, below)
            self._counts[at] += up_to_here - below
            below = up_to_here
        self._counts[-1] += len(new) - below
        new.clear()

    def restore(self, counts: Sequence[int], sum_: float) -> None:
        """Have what another had, and nothing else."""
        self.new.clear()
        self._counts, self._sum = list(counts), sum_

    def noted(self) -> Self:
        """As it is now, for good."""
        return self._with(list(self.counts), self.sum)

    def __sub__(self, before: Self) -> Self:
        counts = [now - then for now, then in zip(self.counts, before.counts, strict=True)]
        return self._with(counts, self.sum - before.sum)

    def __add__(self, other: Self) -> Self:
        counts = [one + two for one, two in zip(self.counts, other.counts, strict=True)]
        return self._with(counts, self.sum + other.sum)

    def _with(self, counts: list[int], sum_: float) -> Self:
        made = type(self)(self.bounds)
        made.restore(counts, sum_)
        return made

    @property
    def mean(self) -> float:
        """0 where there is no value."""
        count = sum(self.counts)
        return self.sum / count if count else 0.0

    def quantile(self, share: float) -> float:
        """About the value that `share` of all are below; the largest bound where that is more."""
        wanted, lower = share * sum(self.counts), 0.0
        for bound, count in zip(self.bounds, self.counts, strict=False):
            if count and count >= wanted:
                return lower + (bound - lower) * wanted / count
            wanted -= count
            lower = bound
        return lower if sum(self.counts) else 0.0

    def buckets(self) -> list[tuple[str, float]]:
        """Prometheus's cumulative buckets."""
        found = 0
        out = []
        for bound, count in zip((*map(float, self.bounds), float("inf")), self.counts, strict=True):
            found += count
            out.append(("+Inf" if bound == float("inf") else str(bound), float(found)))
        return out


class Series:
    """One model's numbers for one operation; those of a range of time are a difference."""

    __slots__ = ("cached_tokens", "duration", "first_token", "input_tokens", "outcomes",
                 "output_tokens", "pace")  # fmt: skip

    def __init__(self) -> None:
        self.input_tokens = 0
        self.cached_tokens = 0
        self.output_tokens = 0
        self.outcomes: dict[Outcome, int] = dict.fromkeys(get_args(Outcome), 0)
        self.duration = Distribution(DURATION_BUCKETS_S)
        self.first_token = Distribution(FIRST_TOKEN_BUCKETS_S)
        self.pace = Distribution(PACE_BUCKETS_S)

    @property
    def requests(self) -> int:
        return sum(self.outcomes.values())

    def sort_in(self) -> None:
        for distribution in (self.duration, self.first_token, self.pace):
            distribution.sort_in()

    def noted(self) -> "Series":
        """As they are now, for good."""
        return self._each(lambda mine, _: mine.noted() if isinstance(mine, Distribution) else mine)

    def __sub__(self, before: "Series") -> "Series":
        return self._each(operator.sub, before)

    def __add__(self, other: "Series") -> "Series":
        return self._each(operator.add, other)

    def _each(self, combine: Callable[[Any, Any], Any], other: "Series | None" = None) -> "Series":
        """Every number, combined with that of another series."""
        made = Series()
        other = other or made
        made.outcomes = {o: combine(n, other.outcomes[o]) for o, n in self.outcomes.items()}
        for name in NUMBERS:
            setattr(made, name, combine(getattr(self, name), getattr(other, name)))
        return made


TOKENS = ("input_tokens", "cached_tokens", "output_tokens")
DISTRIBUTIONS = ("duration", "first_token", "pace")
#: All of a series but its outcomes.
NUMBERS = (*TOKENS, *DISTRIBUTIONS)


class Meter(Collector):
    """All numbers of one server."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._series: dict[tuple[Operation, str], Series] = {}
        registry.register(self)

    def __iter__(self) -> Iterator[tuple[Operation, str, Series]]:
        """Every series, with what was done and by which model."""
        return iter([(*key, series) for key, series in self._series.items()])

    def record(self, operation: Operation, model: str, prompts: Sequence[int]) -> "Recording":
        """Start recording a request, of which engine call i is given prompt `prompts[i]`.

        `model` is a deployment's name, never a client's text.
        """
        series = self._series.get((operation, model))
        if series is None:
            series = self._series[operation, model] = Series()
        return Recording(series, prompts, perf_counter())

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
        pace = HistogramMetricFamily(
            "gen_ai_server_time_per_output_token_seconds",
            "Of each request, the mean time between its pieces after the first.",
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
            pace.add_metric(labels, series.pace.buckets(), series.pace.sum)
        return [tokens, outcomes, duration, first_token, pace]


class Recording(msgspec.Struct, gc=False):
    """One request while it runs, as a context: how it is left is the request's outcome.

    Counts as events go by, so that a leaving client is counted too; the engine's own numbers
    replace the running count when a call ends. A request that was not admitted is none.
    """

    series: Series
    prompts: Sequence[int]
    began_s: float
    calls: dict[int, Usage] = {}
    first_s: float | None = None

    def count(self, call: int, batch: list[Event]) -> None:
        """Take a batch of the given call's events into account."""
        if self.first_s is None:
            self.first_s = perf_counter()
        last = batch[-1]
        if isinstance(last, Finished):
            self.calls[call] = last.usage
            return
        before = self.calls.get(call, NOTHING)
        prompt_tokens, cached_tokens = before.prompt_tokens, before.cached_tokens
        made = before.completion_tokens
        for event in batch:
            if isinstance(event, Text):  # nearly all are
                made += event.tokens
            elif isinstance(event, Started):
                prompt_tokens, cached_tokens = event.prompt_tokens, event.cached_tokens
            elif not isinstance(event, Prompt | Finished):
                made += event.tokens
        self.calls[call] = Usage(prompt_tokens, made, cached_tokens)

    def charge(self, usage: Usage) -> None:
        """The usage of a request that is one call, answered in one piece."""
        self.calls[0] = usage

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        outcome: Outcome = "ok"
        if kind is not None:
            if issubclass(kind, NotAdmitted) and not self.calls:
                return
            left = issubclass(kind, CancelledError | GeneratorExit)
            outcome = "client_left" if left else "error"
        now_s = perf_counter()
        series = self.series
        usage = total(self.calls, self.prompts)
        series.outcomes[outcome] += 1
        series.input_tokens += usage.prompt_tokens
        series.cached_tokens += usage.cached_tokens
        series.output_tokens += usage.completion_tokens
        series.duration.observe(now_s - self.began_s)
        if self.first_s is not None:
            series.first_token.observe(self.first_s - self.began_s)
            if usage.completion_tokens > 1:
                series.pace.observe((now_s - self.first_s) / (usage.completion_tokens - 1))
        if len(series.duration.new) >= SORT_IN_AT:
            series.sort_in()
