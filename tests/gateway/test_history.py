"""What the meter had counted at past moments."""

import msgspec
from prometheus_client import CollectorRegistry

from penstock.domain.statistics import HOUR_S, Histogram
from penstock.domain.usage import Usage
from penstock.gateway.history import HOURS, History, Span, series_of
from penstock.gateway.meter import Distribution, Meter


def work(meter: Meter, times: int) -> None:
    for _ in range(times):
        with meter.record("embeddings", "m", (0,)) as recording:
            recording.charge(Usage(prompt_tokens=10))


def test_a_range_has_what_was_done_in_it() -> None:
    meter = Meter(CollectorRegistry())
    history = History(meter)

    def requests(since_s: float, until_s: float) -> int:
        done = history.between("m", Span(since_s, until_s, now_s=1000))
        return sum(series.requests for series in done.values())

    assert requests(0, 1000) == 0
    work(meter, 3)
    history.note(100)
    work(meter, 2)
    history.note(200)
    history.note(300)
    work(meter, 4)
    assert requests(0, 1000) == requests(0, 2000) == 9
    assert requests(100, 1000) == 6
    assert requests(100, 250) == 2
    assert requests(0, 99) == requests(1000, 2000) == requests(250, 250) == 0
    done = history.between("m", Span(0, 200, 1000))["embeddings"]
    assert (done.input_tokens, sum(done.duration.counts)) == (50, 5)
    assert history.between("other", Span(0, 1000, 1000)) == {}


def test_a_month_of_hours_is_kept_and_no_more() -> None:
    meter = Meter(CollectorRegistry())
    history = History(meter)
    for hour in range(HOURS + 10):
        for minute in range(2):
            work(meter, 1)
            history.note(hour * HOUR_S + minute * 60)
    now_s = (HOURS + 10) * HOUR_S
    long_ago = history.between("m", Span(0, 20 * HOUR_S, now_s))["embeddings"]
    assert long_ago.requests == 2 * 20
    assert history.between("m", Span(0, now_s, now_s))["embeddings"].requests == 2 * (HOURS + 10)
    notes = history._notes["embeddings", "m"]
    assert len(notes._hours) == HOURS


def test_what_each_hour_had_is_told_for_servers_to_come() -> None:
    meter = Meter(CollectorRegistry())
    history = History(meter)
    work(meter, 3)
    (first,) = history.note(10 * HOUR_S + 60)
    work(meter, 2)
    (more,) = history.note(10 * HOUR_S + 120)
    assert history.note(10 * HOUR_S + 180) == []
    work(meter, 4)
    (next_,) = history.note(11 * HOUR_S)
    assert [each.hour for each in (first, more, next_)] == [10, 10, 11]
    assert [series_of(each).requests for each in (first, more, next_)] == [3, 5, 4]
    again = series_of(more)
    assert (again.input_tokens, sum(again.duration.counts)) == (50, 5)
    assert again.duration.mean > 0
    other = msgspec.structs.replace(more, duration=Histogram([1, 2], 3.0))
    assert (series_of(other).requests, series_of(other).duration.sum) == (5, 0)


def test_quantiles_of_a_distribution() -> None:
    seconds = Distribution((1, 2, 4))
    assert (seconds.mean, seconds.quantile(0.95)) == (0, 0)
    for value in (0.5, 1.5, 1.5, 3):
        seconds.observe(value)
    assert seconds.mean == 6.5 / 4
    assert seconds.quantile(0.25) == 1
    assert seconds.quantile(0.75) == 2
    assert 2 < seconds.quantile(0.95) < 4
    seconds.observe(100)
    assert seconds.quantile(1) == 4
    before = seconds.noted()
    seconds.observe(3)
    assert (seconds - before).counts == [0, 0, 1, 0]
    assert (before + before).sum == 2 * before.sum
