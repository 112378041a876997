"""A request for a model that is not up: what its client hears while it waits, or at once.

A plain request simply waits. A stream that has waited for QUIET_S gets its head and comments with
the state, which clients pass over and proxies take for a sign of life. From then on an error can
only be told inside the stream.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing

from penstock.api.openai.sse import DONE, error_event
from penstock.domain.errors import EngineOverloaded, PenstockError
from penstock.fleet.group import ReplicaGroup
from penstock.gateway.deployment import Deployment
from penstock.http.message import Answer, StreamingResponse

#: So long a start may take before the head is sent: until then an error has a status.
QUIET_S = 1.0
COMMENT_EVERY_S = 5.0

Ask = Callable[[], Awaitable[Answer]]


def check_room(deployment: Deployment, calls: int) -> None:
    """For a request that is not to wait (DeepInfra's `fail_fast`). Raises EngineOverloaded."""
    lane = deployment.lane
    if not deployment.group.up or lane.waiting or lane.running + calls > lane.slots:
        raise EngineOverloaded


async def cold_stream(
    group: ReplicaGroup, start: Coroutine[None, None, object], ask: Ask
) -> Answer:
    """The answer of `ask` once `start` is done, with comments if that takes long.

    Raises what both raise, while nothing has been sent.
    """
    starting = asyncio.ensure_future(start)
    try:
        await asyncio.wait({starting}, timeout=QUIET_S)
    except asyncio.CancelledError:
        starting.cancel()
        raise
    if not starting.done():
        return StreamingResponse(chunks=_commented(group, starting, ask))
    starting.result()
    return await ask()


async def _commented(
    group: ReplicaGroup, starting: asyncio.Future[object], ask: Ask
) -> AsyncGenerator[bytes, None]:
    try:
        said, said_s = b"", 0.0
        clock_s = asyncio.get_running_loop().time
        while not starting.done():
            comment = b": %b\n\n" % state_text(group).encode()
            if comment != said or clock_s() - said_s >= COMMENT_EVERY_S:
                said, said_s = comment, clock_s()
                yield comment
            changed = asyncio.ensure_future(group.changed())
            await asyncio.wait(
                {starting, changed},
                timeout=said_s + COMMENT_EVERY_S - clock_s(),
                return_when=asyncio.FIRST_COMPLETED,
            )
            changed.cancel()
        starting.result()
        answer = await ask()
    except PenstockError as error:
        yield error_event(error) + DONE
        return
    finally:
        starting.cancel()
    assert isinstance(answer, StreamingResponse)
    async with aclosing(answer.chunks) as chunks:
        async for chunk in chunks:
            yield chunk


def state_text(group: ReplicaGroup) -> str:
    """Such as "downloading 37 %"."""
    percent = group.progress.percent
    return group.state if percent is None else f"{group.state} {percent} %"
