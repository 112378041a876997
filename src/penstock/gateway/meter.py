"""Usage -> counters: what each model was asked and gave, whether or not the client stayed.

Names follow OpenTelemetry's semantic conventions for generative AI where those have one.
"""

import time
from typing import Literal, get_args

import msgspec
from prometheus_client import CollectorRegistry, Counter, Histogram

from penstock.domain.event import Event, Finished, Prompt, Started
from penstock.domain.usage import NOTHING, Usage

Operation = Literal["chat", "text_completion", "embeddings"]
Outcome = Literal["ok", "error", "client_left"]

DURATION_BUCKETS_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160)
FIRST_TOKEN_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
LABELS = ("gen_ai_operation_name", "gen_ai_request_model")


class Meter:
    """All counters of one server."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._tokens = Counter(
            "gen_ai_usage_tokens",
            "Tokens read (input, of which input_cached) and made (output).",
            (*LABELS, "gen_ai_token_type"),
            registry=registry,
        )
        self._duration = Histogram(
            "gen_ai_server_request_duration_seconds",
            "From the parsed request to the last byte or to the client's leaving.",
            LABELS,
            buckets=DURATION_BUCKETS_S,
            registry=registry,
        )
        self._first_token = Histogram(
            "gen_ai_server_time_to_first_token_seconds",
            "From the parsed request to the first piece of the answer.",
            LABELS,
            buckets=FIRST_TOKEN_BUCKETS_S,
            registry=registry,
        )
        self._outcomes = Counter(
            "penstock_generations",
            "Requests that reached a model, by how they ended.",
            (*LABELS, "outcome"),
            registry=registry,
        )
        self._series: dict[tuple[Operation, str], Series] = {}

    def begin(self, operation: Operation, model: str) -> "Recording":
        """Start recording one request. `model` is the name of a deployment, never a client's text."""
        series = self._series.get((operation, model))
        if series is None:
            series = self._series[operation, model] = self._new_series(operation, model)
        return Recording(series)

    def _new_series(self, operation: Operation, model: str) -> "Series":
        labels = (operation, model)
        return Series(
            input=self._tokens.labels(*labels, "input"),
            input_cached=self._tokens.labels(*labels, "input_cached"),
            output=self._tokens.labels(*labels, "output"),
            duration=self._duration.labels(*labels),
            first_token=self._first_token.labels(*labels),
            outcomes={o: self._outcomes.labels(*labels, o) for o in get_args(Outcome)},
        )


class Series(msgspec.Struct):
    """One model's counters for one operation, looked up once."""

    input: Counter
    input_cached: Counter
    output: Counter
    duration: Histogram
    first_token: Histogram
    outcomes: dict[Outcome, Counter]


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
        made = 0
        for event in batch:
            match event:
                case Finished():
                    self.calls[call] = Usage.of(event)
                    return
                case Started():
                    self.calls[call] = Usage(event.prompt_tokens, 0, event.cached_tokens)
                case Prompt():
                    pass
                case _:
                    made += event.tokens
        if made:
            sofar = self.calls.get(call, NOTHING)
            self.calls[call] = Usage(
                sofar.prompt_tokens, sofar.completion_tokens + made, sofar.cached_tokens
            )

    def end(self, outcome: Outcome, usage: Usage) -> None:
        series = self._series
        now_s = time.perf_counter()
        series.outcomes[outcome].inc()
        series.input.inc(usage.prompt_tokens)
        series.output.inc(usage.completion_tokens)
        if usage.cached_tokens:
            series.input_cached.inc(usage.cached_tokens)
        series.duration.observe(now_s - self._began_s)
        if self._first_s is not None:
            series.first_token.observe(self._first_s - self._began_s)
