"""Deployment -> a lease on its places, held for the whole call."""

from types import TracebackType
from typing import Self

from penstock.domain.errors import TooManyRequests
from penstock.gateway.lane import Full, Lane, Ticket

RETRY_AFTER_S = 1


class Lease:
    """Tickets that are given back when the context is left, however it is left."""

    __slots__ = ("tickets",)

    def __init__(self, tickets: list[Ticket]) -> None:
        self.tickets = tickets

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for ticket in self.tickets:
            ticket.give_back()


def admit(lane: Lane, calls: int, *, model: str) -> Lease:
    """A lease on places for `calls` engine calls. Raises TooManyRequests at once when full."""
    try:
        return Lease(lane.take(calls))
    except Full:
        raise TooManyRequests(
            f"{model!r} is busy: {lane.running} calls run and {lane.waiting} wait, which is the "
            "most this server allows. Try again in a moment.",
            retry_after_s=RETRY_AFTER_S,
        ) from None


async def wait_for_turn(ticket: Ticket, *, timeout_s: float, model: str) -> None:
    """Raises TooManyRequests when the place has not come in time."""
    try:
        await ticket.turn(timeout_s)
    except TimeoutError:
        raise TooManyRequests(
            f"{model!r} is busy: no place came free within {timeout_s:g} s. Try again later.",
            retry_after_s=RETRY_AFTER_S,
        ) from None
