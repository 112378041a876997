"""Deployment -> a lease on its places, held for the whole call."""

import asyncio
from types import TracebackType
from typing import Self

import msgspec

from penstock.domain.errors import NotAdmitted
from penstock.gateway.lane import Full, Lane

RETRY_AFTER_S = 1


def admit(lane: Lane, calls: int, model: str) -> "Lease":
    """Places for `calls` engine calls. Raises NotAdmitted at once when the lane is full."""
    try:
        turns = lane.enter(calls)
    except Full:
        raise NotAdmitted(
            f"{model!r} is busy: {lane.running} calls run and {lane.waiting} wait, which is "
            "the most this server allows. Try again in a moment.",
            retry_after_s=RETRY_AFTER_S,
        ) from None
    return Lease(lane, calls, model, turns)


class Lease(msgspec.Struct, gc=False):
    """Places, or turns for them, that are given back when the context is left, however it is.

    `turns` are those of the `calls`, if any of them has to wait; `given_back` has a bit for each.
    """

    lane: Lane
    calls: int
    model: str
    turns: list[asyncio.Future[None] | None] | None
    given_back: int = 0

    async def turn(self, call: int, timeout_s: float) -> None:
        """Returns when call number `call` may run. Raises NotAdmitted when that takes long."""
        turn = self.turns[call] if self.turns is not None else None
        if turn is None:
            return
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.shield(turn)
        except TimeoutError:
            raise NotAdmitted(
                f"{self.model!r} is busy: no place came free within {timeout_s:g} s. "
                "Try again later.",
                retry_after_s=RETRY_AFTER_S,
            ) from None

    def give_back(self, call: int) -> None:
        """Let another have the place of call number `call`. Twice is once."""
        bit = 1 << call
        if not self.given_back & bit:
            self.given_back |= bit
            self.lane.leave(None if self.turns is None else self.turns[call])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.calls == 1 and self.turns is None and not self.given_back:
            self.lane.leave()
            return
        # The last ones first: a turn that has not come must not be called by a place given back.
        for call in reversed(range(self.calls)):
            self.give_back(call)
