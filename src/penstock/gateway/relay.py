"""Replica -> events; another try where nothing has been said yet."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing

from penstock.domain.embedding import EmbeddingCall, Vectors
from penstock.domain.errors import EngineFailed
from penstock.domain.generation import Generation
from penstock.engines.base import Batches
from penstock.fleet.replica import Replica
from penstock.http.client import Broken

#: A call that broke its engine may be why it broke: it gets one more try, not many.
TRIES = 2

Pick = Callable[[], Awaitable[Replica]]


async def relay(pick: Pick, call: Generation) -> Batches:
    """The call's batches of events. Raises EngineFailed, or what `pick` and the engine raise."""
    for remaining in reversed(range(TRIES)):
        replica = await pick()
        assert replica.client is not None
        said_something = False
        replica.in_flight += 1
        try:
            async with aclosing(replica.engine.generate(replica.client, call)) as batches:
                async for batch in batches:
                    said_something = True
                    yield batch
            return
        except Broken as broken:
            if said_something or not remaining:
                raise EngineFailed(f"The engine failed: {broken}.") from None
        finally:
            replica.in_flight -= 1


async def relay_embedding(pick: Pick, call: EmbeddingCall) -> Vectors:
    """The call's vectors. Raises EngineFailed, or what `pick` and the engine raise."""
    for remaining in reversed(range(TRIES)):
        replica = await pick()
        assert replica.client is not None
        replica.in_flight += 1
        try:
            return await replica.engine.embed(replica.client, call)
        except Broken as broken:
            if not remaining:
                raise EngineFailed(f"The engine failed: {broken}.") from None
        finally:
            replica.in_flight -= 1
    raise AssertionError("unreachable")
