"""Replica -> events; another try where nothing has been said yet."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Self, TypeVar

from penstock.domain.circuit import CLOSED
from penstock.domain.errors import EngineFailed, PenstockError
from penstock.domain.event import Event, Finished
from penstock.domain.generation import Generation
from penstock.engines.base import Batches, Declined, Engine
from penstock.fleet.replica import Replica
from penstock.gateway.retry import retry_wait_s
from penstock.http.client import Broken, Client

T = TypeVar("T")
#: Given the replica that has failed, if any: rather another.
Pick = Callable[[Replica | None], Awaitable[Replica]]
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
            except (Broken, Declined) as failure:
                failed = self._replica
                assert failed is not None
                await self.aclose()
                note(failed, failure)
                wait_s = None if self._said_something else another_try(failure, self._tries)
                if wait_s is None:
                    raise told(failure) from None
                self._open(await _pick_again(failed, self._pick, wait_s))
            else:
                if not self._said_something:
                    self._said_something = True
                    assert self._replica is not None
                    self._replica.answered()
                return batch

    def _open(self, replica: Replica) -> None:
        assert replica.client is not None
        self._tries += 1
        self._batches: Batches = replica.engine.generate(replica.client, self._call)
        self._replica: Replica | None = replica
        replica.in_flight += 1
        replica.served += 1

    async def aclose(self) -> None:
        """Stop the engine's work, if any is left, and let go of the replica. Twice is once."""
        if self._replica is not None:
            self._replica.in_flight -= 1
            self._replica = None
            await self._batches.aclose()


async def folded(
    call: Generation,
    number: int,
    count: Callable[[int, list[Event]], None],
    engine: Engine,
    client: Client,
) -> list[Event]:
    """All events of a call; `count` is told of each batch as it comes, as of call `number`."""
    batches = engine.generate(client, call)
    try:
        events = await batches.__anext__()
        count(number, events)
        while not isinstance(events[-1], Finished):
            batch = await batches.__anext__()
            count(number, batch)
            events += batch
        return events
    finally:
        await batches.aclose()


async def relay_whole(replica: Replica, ask: Ask[T], pick: Pick) -> T:
    """An answer in one piece: what `ask` gets from a replica, or from another after a failure.

    Raises EngineFailed, or what `pick` and `ask` raise.
    """
    tries = 0
    while True:
        client = replica.client
        assert client is not None
        tries += 1
        replica.in_flight += 1
        replica.served += 1
        try:
            answer = await ask(replica.engine, client)
        except (Broken, Declined) as failure:
            note(replica, failure)
            wait_s = another_try(failure, tries)
            if wait_s is None:
                raise told(failure) from None
        else:
            if replica.circuit is not CLOSED:
                replica.answered()
            return answer
        finally:
            replica.in_flight -= 1
        replica = await _pick_again(replica, pick, wait_s)


def note(replica: Replica, failure: Broken | Declined) -> None:
    """Tell the replica's circuit, unless the server was only busy."""
    if isinstance(failure, Broken):
        replica.broke(str(failure))
    elif failure.failing and not failure.passing:
        replica.erred(str(failure))
    elif failure.failing:
        replica.broke(str(failure), failure.retry_after_s)


def another_try(failure: Broken | Declined, tries: int) -> float | None:
    return retry_wait_s(failure, tries, jitter=random.random())  # noqa: S311 no secret


def told(failure: Broken | Declined) -> PenstockError:
    """What the client gets of a failure that no other try has mended."""
    if isinstance(failure, Declined):
        return failure.error
    return EngineFailed(f"The engine failed: {failure}.")


async def _pick_again(failed: Replica, pick: Pick, wait_s: float) -> Replica:
    """A replica for another try: another at once, the same one after a while.

    One that has just died still counts as ready for a moment: its change of state ends the wait.
    """
    replica = await pick(failed)
    if replica is failed:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(replica.changed(), wait_s)
        replica = await pick(failed)
    return replica
