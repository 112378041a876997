"""How many replicas the calls ask for, as tables."""

import pytest

from penstock.control.autoscale import Peak, Traffic, follow, replicas_for
from penstock.domain.deployment import Scale

OVER_S = 300.0


def after(*parts: tuple[int, int]) -> Traffic:
    """So many calls for so many seconds, then so many for so many."""
    now_s = 0.0
    traffic = Traffic(at_s=now_s)
    for calls, seconds in parts:
        for _ in range(seconds):
            traffic = follow(traffic, calls, now_s, over_s=OVER_S)
            now_s += 1
    return traffic


def mean(calls: float, highest: float | None = None) -> Traffic:
    peaks = (Peak(0.0, calls if highest is None else highest),)
    return Traffic(at_s=0.0, mean=calls, peaks=peaks)


#: traffic, the scale, wanted until now, ready -> wanted. A replica takes 4 calls.
CASES = {
    "as many calls as places are no reason": (mean(4), (1, 3), 1, 1, 1),
    "more are one": (mean(4.1), (1, 3), 1, 1, 2),
    "however many more": (mean(400), (1, 9), 1, 1, 2),
    "not before all are ready": (mean(400), (1, 9), 3, 2, 3),
    "not beyond the most": (mean(400), (1, 3), 3, 3, 3),
    "a quiet one goes back": (mean(0), (1, 3), 3, 3, 1),
    "as far as what it had lately allows": (mean(0, 5), (1, 5), 5, 5, 2),
    "to as many as leave places free": (mean(0, 6), (1, 5), 5, 5, 3),
    "also while one of them is not ready": (mean(0), (1, 3), 3, 2, 1),
    "not below the fewest": (mean(0), (2, 5), 4, 4, 2),
    "one of no instances has one while it is awake": (mean(0), (0, 3), 2, 2, 1),
    "what is wanted is what the scale allows now": (mean(4), (1, 2), 9, 2, 2),
}


@pytest.mark.parametrize("name", CASES)
def test_how_many_are_wanted(name: str) -> None:
    traffic, (fewest, most), wanted, ready, right = CASES[name]
    scale = Scale(min_instances=fewest, max_instances=most)
    assert replicas_for(traffic, scale, wanted=wanted, ready=ready, takes=4) == right


#: what was -> the mean, and the highest of what counts.
PASTS = {
    "nothing": (((0, 10),), 0, 0),
    "a steady number is the mean": (((8, 30),), 8, 8),
    "a second of many is little of it": (((1, 60), (9, 1), (1, 1)), 3.3, 3.3),
    "twice as many as it was, after two seconds": (((0, 60), (8, 1), (8, 2)), 3.9, 3.9),
    "the highest is remembered": (((8, 30), (0, 200)), 0, 8),
    "and forgotten": (((8, 30), (0, 340)), 0, 0),
}


@pytest.mark.parametrize("name", PASTS)
def test_what_is_known_of_the_past(name: str) -> None:
    parts, lately, highest = PASTS[name]
    traffic = after(*parts)
    assert traffic.mean == pytest.approx(lately, abs=0.1)
    assert traffic.highest == pytest.approx(highest, abs=0.1)
    assert len(traffic.peaks) <= 12


def test_a_long_silence_between_two_looks_is_a_silence() -> None:
    traffic = follow(after((8, 30), (0, 1)), 9, 5000.0, over_s=OVER_S)
    assert (traffic.mean, traffic.highest) == (0, 0)
