"""Replica -> events; another try where nothing has been said yet."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Self, TypeVar

from penstock.domain.errors import EngineFailed
from penstock.domain.event import Event
from penstock.domain.generation import Generation
from penstock.engines.base import Batches, Engine
from penstock.fleet.replica import Replica
from penstock.http.client import Broken, Client

#: A call that broke its engine may be why it broke: it gets one more try, not many.
TRIES = 2
#: How long control may take to notice that a replica has died.
NOTICE_S = 1.0

T = TypeVar("T")
Pick = Callable[[], Awaitable[Replica]]
Ask = Callable[[Engine, Client], Awaitable[T]]


class Relay:
    """One call's batches of events. `aclose` it in any case: that is what stops the engine.

    `replica` is where it is tried first. Iterating raises EngineFailed, or what `pick` and the
    engine raise. A class and not a generator, since this is where every token passes.
    """

    __slots__ = ("_batches", "_call", "_pick", "_replica", "_said_something", "_tries")

    def __init__(self, replica: Replica, call: Generation, pick: Pick) -> None:
        self._call = call
        self._pick = pick
        self._tries = 0
        self._said_something = False
        self._open(replica)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Event]:
        while True:
            try:
                batch = await self._batches.__anext__()
            except Broken as broken:
                failed = self._replica
                await self.aclose()
                if self._said_something or self._tries == TRIES:
                    raise EngineFailed(f"The engine failed: {broken}.") from None
                self._open(await _pick_again(failed, self._pick))
            else:
                self._said_something = True
                return batch

    def _open(self, replica: Replica) -> None:
        assert replica.client is not None
        self._tries += 1
        self._batches: Batches = replica.engine.generate(replica.client, self._call)
        self._replica: Replica | None = replica
        replica.in_flight += 1

    async def aclose(self) -> None:
        """Stop the engine's work, if any is left, and let go of the replica. Twice is once."""
        if self._replica is not None:
            self._replica.in_flight -= 1
            self._replica = None
            await self._batches.aclose()


async def relay_whole(replica: Replica, ask: Ask[T], pick: Pick) -> T:
    """An answer in one piece: what `ask` gets from a replica, or from another after a failure.

    Raises EngineFailed, or what `pick` and `ask` raise.
    """
    for remaining in reversed(range(TRIES)):
        assert replica.client is not None
        replica.in_flight += 1
        try:
            return await ask(replica.engine, replica.client)
        except Broken as broken:
            if not remaining:
                raise EngineFailed(f"The engine failed: {broken}.") from None
        finally:
            replica.in_flight -= 1
        replica = await _pick_again(replica, pick)
    raise AssertionError("unreachable")


async def _pick_again(failed: Replica | None, pick: Pick) -> Replica:
    """A replica for another try. One that has just died still counts as ready for a moment."""
    replica = await pick()
    if replica is failed:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(replica.changed(), NOTICE_S)
        replica = await pick()
    return replica
