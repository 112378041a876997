"""Deployment -> one ready replica, waiting for it within a bound."""

import asyncio
from collections.abc import Sequence

from penstock.domain.errors import ModelNotReady
from penstock.domain.replica import ReplicaState
from penstock.fleet.replica import Replica

HOPELESS = frozenset({ReplicaState.FAILED, ReplicaState.STOPPING, ReplicaState.STOPPED})
RETRY_AFTER_S = 5


def least_busy(replicas: Sequence[Replica]) -> Replica | None:
    """The ready replica with the fewest calls in flight."""
    if len(replicas) == 1:
        return replicas[0] if replicas[0].ready else None
    return min((r for r in replicas if r.ready), key=lambda r: r.in_flight, default=None)


async def pick(replicas: Sequence[Replica], *, timeout_s: float, model: str) -> Replica:
    """Raises ModelNotReady, with the reason, when none gets ready in time or none ever will."""
    replica = least_busy(replicas)
    return replica if replica is not None else await _wait(replicas, timeout_s, model)


async def _wait(replicas: Sequence[Replica], timeout_s: float, model: str) -> Replica:
    try:
        async with asyncio.timeout(timeout_s):
            while (replica := least_busy(replicas)) is None:
                if all(r.status.state in HOPELESS for r in replicas):
                    raise _not_ready(replicas[0], model)
                changes = [asyncio.ensure_future(r.changed()) for r in replicas]
                try:
                    await asyncio.wait(changes, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for change in changes:
                        change.cancel()
            return replica
    except TimeoutError:
        raise _not_ready(replicas[0], model) from None


def _not_ready(replica: Replica, model: str) -> ModelNotReady:
    """Says the state; the reason is the operator's and stays in the log and `penstock models`."""
    return ModelNotReady(
        f"{model!r} is not ready: its engine is {replica.status.state}.",
        retry_after_s=RETRY_AFTER_S,
    )
