"""The circuit breaker and the waits between tries, as tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.domain.circuit import (
    CLOSED,
    Circuit,
    CircuitPolicy,
    after_failed_probe,
    after_failure,
    after_probe,
    after_server_error,
    state_of,
)
from penstock.domain.errors import EngineFailed, TooManyRequests
from penstock.engines.base import Declined
from penstock.gateway.retry import RetryPolicy, retry_wait_s
from penstock.http.client import Broken

POLICY = CircuitPolicy(failures=3, first_wait_s=1, longest_wait_s=8)
OPEN = Circuit(failures=3, openings=1, open_until_s=11)


@pytest.mark.parametrize(
    ("circuit", "now_s", "retry_after_s", "after"),
    [
        (CLOSED, 10, 0, Circuit(failures=1)),
        (Circuit(failures=1), 10, 0, Circuit(failures=2)),
        (Circuit(failures=2), 10, 0, OPEN),
        (Circuit(failures=2), 10, 5, Circuit(failures=3, openings=1, open_until_s=15)),
        (Circuit(failures=2), 10, 99, Circuit(failures=3, openings=1, open_until_s=18)),
        (Circuit(failures=2, openings=2), 10, 0, Circuit(failures=3, openings=3, open_until_s=14)),
        (OPEN, 10.5, 0, OPEN),
        (OPEN, 11.5, 0, OPEN),
    ],
)
def test_failures_in_a_row_open_it_and_late_ones_change_nothing(
    circuit: Circuit, now_s: float, retry_after_s: float, after: Circuit
) -> None:
    assert after_failure(circuit, POLICY, now_s, retry_after_s) == after


def test_each_failed_probe_doubles_the_wait_up_to_a_bound() -> None:
    circuit, waits = CLOSED, []
    for now_s in range(0, 700, 100):
        circuit = after_failed_probe(circuit, POLICY, now_s)
        assert circuit.open_until_s is not None
        waits.append(circuit.open_until_s - now_s)
    assert waits == [1, 2, 4, 8, 8, 8, 8]


def test_a_probe_closes_it_and_what_fails_again_soon_waits_longer() -> None:
    closed = after_probe(OPEN)
    assert state_of(closed, POLICY, 12) == "closed"
    again = closed
    for _ in range(POLICY.failures):
        again = after_failure(again, POLICY, 20)
    assert again.open_until_s == 22


@pytest.mark.parametrize(
    ("circuit", "now_s", "state"),
    [
        (CLOSED, 0, "closed"),
        (Circuit(failures=2, doubtful=True), 0, "closed"),
        (Circuit(failures=3, doubtful=True), 0, "doubted"),
        (OPEN, 10.9, "open"),
        (OPEN, 11, "half-open"),
    ],
)
def test_its_state(circuit: Circuit, now_s: float, state: str) -> None:
    assert state_of(circuit, POLICY, now_s) == state


def test_server_errors_raise_doubts_which_a_trial_settles() -> None:
    """They never open it by themselves, however many; with other failures they count."""
    circuit = CLOSED
    for _ in range(10):
        circuit = after_server_error(circuit)
    assert state_of(circuit, POLICY, 0) == "doubted"
    assert after_probe(circuit) == CLOSED
    opened = after_failed_probe(circuit, POLICY, 10)
    assert (state_of(opened, POLICY, 10.5), opened.doubtful) == ("open", True)
    assert after_server_error(opened) == opened
    twice = after_server_error(after_server_error(CLOSED))
    assert state_of(after_failure(twice, POLICY, 10), POLICY, 10.5) == "open"


steps = st.lists(st.sampled_from(["fail", "answer", "probe ok", "probe fails"]), max_size=40)


@given(steps)
def test_it_is_open_only_after_failures_in_a_row_or_a_failed_probe(story: list[str]) -> None:
    circuit, row = CLOSED, 0
    for now_s, step in enumerate(story):
        is_open = circuit.open_until_s is not None
        match step:
            case "fail":
                circuit, row = after_failure(circuit, POLICY, now_s), row + 1
                assert is_open or (circuit.open_until_s is not None) == (row >= POLICY.failures)
            case "answer" if not is_open:
                circuit, row = CLOSED, 0
            case "probe ok":
                circuit, row = after_probe(circuit), 0
                assert circuit.open_until_s is None
            case "probe fails":
                circuit = after_failed_probe(circuit, POLICY, now_s)
                assert circuit.open_until_s is not None
                assert now_s < circuit.open_until_s <= now_s + POLICY.longest_wait_s


RETRY = RetryPolicy(tries=3, tries_broken=2, first_wait_s=1, patience_s=8)
BROKEN = Broken("it closed the connection", answered=False)
DOWN = Declined(EngineFailed("503"), failing=True)
FAULTY = Declined(EngineFailed("500"), failing=True, passing=False)


def busy(retry_after_s: float) -> Declined:
    return Declined(TooManyRequests("429"), failing=False, retry_after_s=retry_after_s)


@pytest.mark.parametrize(
    ("failure", "tries", "jitter", "wait_s"),
    [
        (BROKEN, 1, 0.0, 1),
        (BROKEN, 1, 1.0, 1.5),
        (BROKEN, 2, 0.0, None),
        (DOWN, 1, 0.0, 1),
        (DOWN, 2, 0.5, 2.5),
        (DOWN, 3, 0.0, None),
        (FAULTY, 1, 0.0, None),
        (busy(4), 1, 0.0, 4),
        (busy(4), 1, 1.0, 6),
        (busy(0), 1, 0.0, 1),
        (busy(9), 1, 0.0, None),
    ],
)
def test_how_long_until_another_try(
    failure: Broken | Declined, tries: int, jitter: float, wait_s: float | None
) -> None:
    assert retry_wait_s(failure, tries, jitter=jitter, policy=RETRY) == wait_s
