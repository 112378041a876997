"""Deployment -> one ready replica, waiting for it within a bound."""

import asyncio
from collections.abc import Callable, Sequence

from penstock.domain.deployment import DeploymentStatus
from penstock.domain.errors import ModelNotReady
from penstock.domain.generation import Generation
from penstock.domain.replica import ReplicaState
from penstock.fleet.group import ReplicaGroup
from penstock.fleet.replica import Replica
from penstock.gateway import affinity

#: Of a deployment; one that merely has no replica now gets one because a call waits.
HOPELESS = frozenset({DeploymentStatus.FAILED, DeploymentStatus.STOPPED, DeploymentStatus.DELETED})
RETRY_AFTER_S = 5

#: Chooses among replicas, of which some may not be ready; None when none is.
Choose = Callable[[Sequence[Replica]], Replica | None]


def knowing(adapter: str, replicas: Sequence[Replica]) -> Sequence[Replica]:
    """Those that know the adapter. Raises ModelNotReady when a ready one could not get it."""
    found = [replica for replica in replicas if adapter in replica.engine.adapters]
    if not found and any(r.ready and adapter in r.engine.lost_adapters for r in replicas):
        raise ModelNotReady(
            f"{adapter!r} is not ready: its files could not be had.", retry_after_s=RETRY_AFTER_S
        )
    return found


def least_busy(replicas: Sequence[Replica], adapter: str | None = None) -> Replica | None:
    """The ready replica with the fewest calls in flight, of those that know the adapter."""
    if adapter is not None:
        replicas = knowing(adapter, replicas)
    if len(replicas) == 1:
        return replicas[0] if replicas[0].ready else None
    ready = (replica for replica in replicas if replica.ready)
    return min(ready, key=lambda replica: (replica.in_flight, replica.served), default=None)


def best_for(call: Generation, replicas: Sequence[Replica]) -> Replica | None:
    """The ready replica for a prompt: of several, rather one that has read its beginning.

    Only one that knows the call's adapter: it may have come after the others began.
    """
    if call.adapter is not None:
        replicas = knowing(call.adapter, replicas)
    if len(replicas) == 1:
        return replicas[0] if replicas[0].ready else None
    ready = [replica for replica in replicas if replica.ready]
    if not ready:
        return None
    blocks = affinity.chain(call.prompt, salt=(call.account_id, call.adapter))
    candidates = [
        affinity.Candidate(r.in_flight, r.engine.slots, r.served, r.prefixes.match(blocks))
        for r in ready
    ]
    chosen = ready[affinity.choose(candidates, len(blocks))]
    chosen.prefixes.add(blocks)
    return chosen


async def pick(
    group: ReplicaGroup,
    choose: Choose,
    avoid: Replica | None = None,
    *,
    timeout_s: float,
    model: str,
) -> Replica:
    """One that is not `avoid`, if any such is ready.

    Raises ModelNotReady, with the reason, when none gets ready in time or none ever will.
    """
    others = [replica for replica in group.replicas if replica is not avoid]
    chosen = choose(others) or choose(group.replicas)
    return chosen if chosen is not None else await _wait(group, choose, timeout_s, model)


async def _wait(group: ReplicaGroup, choose: Choose, timeout_s: float, model: str) -> Replica:
    group.waiting += 1
    try:
        async with asyncio.timeout(timeout_s):
            while (replica := choose(group.replicas)) is None:
                if is_hopeless(group):
                    raise _not_ready(group, model)
                changed = group.changed()
                group.wake()
                await changed
            return replica
    except TimeoutError:
        raise _not_ready(group, model) from None
    finally:
        group.waiting -= 1


def is_hopeless(group: ReplicaGroup) -> bool:
    """Whether waiting is no use, or would only pile up calls behind a server that is down."""
    if group.progress.status in HOPELESS:
        return True
    states = {replica.status.state for replica in group.replicas}
    return states == {ReplicaState.UNREACHABLE}


def _not_ready(group: ReplicaGroup, model: str) -> ModelNotReady:
    """Says the state; the reason is the operator's and stays in the log and `penstock models`."""
    return ModelNotReady(
        f"{model!r} is not ready: it is {group.state}.",
        retry_after_s=RETRY_AFTER_S,
    )
