"""What the meter had counted at past moments, so that a range of time can be told of.

A model's numbers are noted once a minute, if they have changed; three hours of minutes and a month
of hours are kept. What each hour had is also told, for servers that come after this one. Nothing of
this is on the path of a request.
"""

from collections import deque
from collections.abc import Iterable
from itertools import chain
from typing import Any

import msgspec

from penstock.domain.statistics import HOUR_S, Figures, Histogram
from penstock.gateway.meter import DISTRIBUTIONS, TOKENS, Meter, Operation, Series

NOTE_EVERY_S = 60.0
MINUTES = 180
HOURS = 31 * 24


class Span(msgspec.Struct, frozen=True):
    """A range of time in unix seconds, asked for at `now_s`; it may reach into the future."""

    since_s: float
    until_s: float
    now_s: float


class Note(msgspec.Struct, frozen=True):
    """All that a series had counted until `at_s` (unix seconds)."""

    at_s: float
    series: Series


class Notes:
    """The notes of one series: every one of the last hours, and of older hours the last."""

    def __init__(self) -> None:
        self._minutes: deque[Note] = deque(maxlen=MINUTES)
        self._hours: deque[Note] = deque(maxlen=HOURS)

    def add(self, note: Note) -> None:
        self._minutes.append(note)
        if self._hours and self._hours[-1].at_s // HOUR_S == note.at_s // HOUR_S:
            self._hours[-1] = note
        else:
            self._hours.append(note)

    def of_hour(self) -> Series:
        """What has been counted in the hour of the last note, until then."""
        *_, before, last = (Note(0.0, Series()), *self._hours)
        return last.series - before.series

    @property
    def last(self) -> Note | None:
        return self._minutes[-1] if self._minutes else None

    def at(self, moment_s: float) -> Series:
        """What had been counted at a moment."""
        notes: Iterable[Note] = chain(reversed(self._minutes), reversed(self._hours))
        found = (note.series for note in notes if note.at_s <= moment_s)
        return next(found, Series())


class History:
    """Every model's numbers over time."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._notes: dict[tuple[Operation, str], Notes] = {}

    def note(self, now_s: float) -> list[Figures]:
        """Write down what has changed; its figures of this hour. Called every NOTE_EVERY_S."""
        changed = []
        for operation, model, series in self._meter:
            notes = self._notes.setdefault((operation, model), Notes())
            last = notes.last
            if last is None or last.series.requests != series.requests:
                notes.add(Note(now_s, series.noted()))
                changed.append(figures(operation, model, now_s, notes.of_hour()))
        return changed

    def between(self, model: str, span: Span) -> dict[Operation, Series]:
        """What a model did in a range of time, by operation."""
        return {
            operation: self._at(span.until_s, span.now_s, operation, model, series)
            - self._at(span.since_s, span.now_s, operation, model, series)
            for operation, name, series in self._meter
            if name == model
        }

    def _at(
        self, moment_s: float, now_s: float, operation: Operation, model: str, series: Series
    ) -> Series:
        if moment_s >= now_s:
            return series
        notes = self._notes.get((operation, model))
        return notes.at(moment_s) if notes is not None else Series()


def figures(operation: Operation, model: str, at_s: float, series: Series) -> Figures:
    """A series as plain numbers."""
    numbers: dict[str, Any] = {name: getattr(series, name) for name in TOKENS}
    for name in DISTRIBUTIONS:
        distribution = getattr(series, name)
        numbers[name] = Histogram(distribution.counts, distribution.sum)
    outcomes = {str(outcome): count for outcome, count in series.outcomes.items()}
    return Figures(model=model, operation=operation, at_s=at_s, outcomes=outcomes, **numbers)


def series_of(figures: Figures) -> Series:
    """The same again. A histogram that had other bounds is left out."""
    series = Series()
    series.outcomes |= {name: figures.outcomes.get(name, 0) for name in series.outcomes}
    for name in TOKENS:
        setattr(series, name, getattr(figures, name))
    for name in DISTRIBUTIONS:
        told, distribution = getattr(figures, name), getattr(series, name)
        if len(told.counts) == len(distribution.counts):
            distribution.restore(told.counts, told.sum)
    return series
