"""A circuit breaker as a value: who does not answer is left alone for a while, then probed.

    closed    calls go through; an answer forgets the failures before it
    doubted   calls go through, but so many in a row got server errors: a probe decides
    open      no call goes through, after so many failures in a row, until the wait is over
    half-open the wait is over: one probe decides whether it closes, or opens for twice as long

The probe is a question of our own, never a client's request: a request that breaks every server it
meets could otherwise keep the circuit open for everybody else. For the same reason server errors
only raise doubts: they may be the fault of one client's requests. Who had any is probed by a trial,
a call that is answered, since such servers may well list their models. Times are seconds of one
clock.
"""

from typing import Literal

import msgspec

CircuitState = Literal["closed", "doubted", "open", "half-open"]


class CircuitPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The wait doubles from `first_wait_s` to `longest_wait_s` while probes fail."""

    failures: int = 5
    first_wait_s: float = 1.0
    longest_wait_s: float = 30.0


class Circuit(msgspec.Struct, frozen=True, kw_only=True):
    """`failures` and `openings` are counted since the last answer to a client's call.

    `doubtful` tells that there were server errors among the failures.
    """

    failures: int = 0
    openings: int = 0
    open_until_s: float | None = None
    doubtful: bool = False


#: Nothing has failed. An answer makes a circuit this very object again.
CLOSED = Circuit()


def state_of(circuit: Circuit, policy: CircuitPolicy, now_s: float) -> CircuitState:
    if circuit.open_until_s is None:
        doubted = circuit.doubtful and circuit.failures >= policy.failures
        return "doubted" if doubted else "closed"
    return "open" if now_s < circuit.open_until_s else "half-open"


def after_failure(
    circuit: Circuit, policy: CircuitPolicy, now_s: float, retry_after_s: float = 0.0
) -> Circuit:
    """What a failed call makes of it. `retry_after_s` is what the server asked for.

    A call that began before the circuit opened and fails later changes nothing.
    """
    if circuit.open_until_s is not None:
        return circuit
    if circuit.failures + 1 < policy.failures:
        return msgspec.structs.replace(circuit, failures=circuit.failures + 1)
    return after_failed_probe(circuit, policy, now_s, retry_after_s)


def after_server_error(circuit: Circuit) -> Circuit:
    """What a call makes of it that was answered, but with a server error."""
    if circuit.open_until_s is not None:
        return circuit
    return msgspec.structs.replace(circuit, failures=circuit.failures + 1, doubtful=True)


def after_failed_probe(
    circuit: Circuit, policy: CircuitPolicy, now_s: float, retry_after_s: float = 0.0
) -> Circuit:
    """Open, for twice as long as before."""
    doubled_s = policy.first_wait_s * 2.0 ** min(circuit.openings, 32)
    wait_s = min(policy.longest_wait_s, max(doubled_s, retry_after_s))
    return Circuit(
        failures=circuit.failures + 1,
        openings=circuit.openings + 1,
        open_until_s=now_s + wait_s,
        doubtful=circuit.doubtful,
    )


def after_probe(circuit: Circuit) -> Circuit:
    """Closed by a probe that was answered; the next opening still lasts longer than the last."""
    return Circuit(openings=circuit.openings)
