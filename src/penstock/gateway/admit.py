"""Deployment -> a lease on its places, held for the whole call."""

import asyncio
from types import TracebackType
from typing import Self

from penstock.domain.errors import TooManyRequests
from penstock.gateway.lane import Full, Lane

RETRY_AFTER_S = 1


class Lease:
    """Places, or turns for them, that are given back when the context is left, however it is."""

    __slots__ = ("_calls", "_lane", "_left", "_model", "_turns")

    def __init__(
        self,
        lane: Lane,
        calls: int,
        turns: list[asyncio.Future[None] | None] | None,
        model: str,
    ) -> None:
        self._lane = lane
        self._calls = calls
        self._turns = turns
        self._model = model
        self._left: set[int] | None = None

    @property
    def waits(self) -> bool:
        """Whether any call has to wait for its turn."""
        return self._turns is not None

    async def turn(self, call: int, timeout_s: float) -> None:
        """Returns when call number `call` may run. Raises TooManyRequests when that takes long."""
        turn = self._turns[call] if self._turns is not None else None
        if turn is None:
            return
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.shield(turn)
        except TimeoutError:
            raise TooManyRequests(
                f"{self._model!r} is busy: no place came free within {timeout_s:g} s. "
                "Try again later.",
                retry_after_s=RETRY_AFTER_S,
            ) from None

    def give_back(self, call: int) -> None:
        """Let another have the place of call number `call`. Twice is once."""
        if self._left is None:
            self._left = set()
        if call not in self._left:
            self._left.add(call)
            self._lane.leave(self._turns[call] if self._turns is not None else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._calls == 1 and self._turns is None and self._left is None:
            self._lane.leave()
            return
        # The last ones first: a turn that has not come must not be called by a place given back.
        for call in reversed(range(self._calls)):
            self.give_back(call)


def admit(lane: Lane, calls: int, model: str) -> Lease:
    """A lease on places for `calls` engine calls. Raises TooManyRequests at once when full."""
    try:
        return Lease(lane, calls, lane.enter(calls), model)
    except Full:
        raise TooManyRequests(
            f"{model!r} is busy: {lane.running} calls run and {lane.waiting} wait, which is the "
            "most this server allows. Try again in a moment.",
            retry_after_s=RETRY_AFTER_S,
        ) from None
