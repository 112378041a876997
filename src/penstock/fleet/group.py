"""The replicas of one deployment: control adds and takes away, the gateway picks among them."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from penstock.domain.deployment import DeploymentProgress, DeploymentStatus
from penstock.domain.model import Capabilities
from penstock.domain.replica import ReplicaState
from penstock.fleet.replica import Replica

#: Places of a deployment of which no replica was ready yet: how many calls wait for the start.
SLOTS_UNTIL_KNOWN = 1024


#: How a deployment without replicas is called, where its status does not say it best.
STATES = {
    DeploymentStatus.INITIALIZING: "starting",
    DeploymentStatus.DEPLOYING: "starting",
    DeploymentStatus.RUNNING: "idle",
}


class Demand(Protocol):
    """Calls for a deployment: a lane, for one."""

    running: int

    @property
    def waiting(self) -> int: ...


class ReplicaGroup:
    """What the gateway knows of a running deployment, and what it asks of control.

    `replicas` is replaced and never changed in place, so a reader keeps what it began with; `up`
    tells whether one of them is ready. `capabilities` are those of its version, once a replica has
    been ready. `waiting` counts the calls that wait for a replica: while it is not 0, control
    starts one. `demands` hold all calls, waiting or at work: while there are some, control does
    not take the last replica away. `version_id` is the version of all that may be picked.
    """

    def __init__(self) -> None:
        self.replicas: tuple[Replica, ...] = ()
        self.progress = DeploymentProgress(status=DeploymentStatus.INITIALIZING)
        self.capabilities: Capabilities | None = None
        self.version_id: str | None = None
        self.slots = SLOTS_UNTIL_KNOWN
        self.up = False
        self.waiting = 0
        self.demands: list[Demand] = []
        self._retired_restarts = 0
        self._retired_ejections = 0
        #: Told after every change; the lane of the deployment, for one, follows `slots`.
        self.listeners: list[Callable[[], None]] = []
        #: Told when a call finds no ready replica.
        self.wake: Callable[[], None] = lambda: None
        self._changed = asyncio.Event()

    def publish(
        self,
        progress: DeploymentProgress,
        replicas: tuple[Replica, ...],
        version_id: str | None = None,
    ) -> None:
        """Show a new state, of these replicas from now on, which are of one version."""
        gone = [replica for replica in self.replicas if replica not in replicas]
        self._retired_restarts += sum(replica.status.restarts for replica in gone)
        self._retired_ejections += sum(replica.ejections for replica in gone)
        self.progress = progress
        self.replicas = replicas
        self.version_id = version_id
        for replica in replicas:
            replica.told = self.refresh
        self.refresh()

    def refresh(self) -> None:
        """Tell everyone who looks or waits that a replica has changed."""
        ready = [replica for replica in self.replicas if replica.ready]
        self.up = bool(ready)
        if ready:
            self.capabilities = ready[0].capabilities
            self.slots = sum(replica.engine.slots for replica in ready)
        for listener in self.listeners:
            listener()
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def calls(self) -> int:
        """All that wait or are at work; one that waits for a replica may be counted twice."""
        return self.waiting + self.demand

    @property
    def demand(self) -> int:
        """All that have a place or wait for one, each once."""
        return sum(demand.running + demand.waiting for demand in self.demands)

    @property
    def restarts(self) -> int:
        """How often an engine was started again, of all replicas there ever were."""
        return self._retired_restarts + sum(r.status.restarts for r in self.replicas)

    @property
    def ejections(self) -> int:
        """How often one was left alone since it did not answer, of all there ever were."""
        return self._retired_ejections + sum(r.ejections for r in self.replicas)

    @property
    def state(self) -> str:
        """In a word: that of its most advanced replica, or how far the deployment has come."""
        states = {replica.status.state for replica in self.replicas}
        first = next((state for state in ReplicaState if state in states), None)
        return first.value if first else STATES.get(self.progress.status, self.progress.status)

    def changed(self) -> Coroutine[Any, Any, object]:
        """Await it to know that the state has changed since this call, not since the await."""
        return self._changed.wait()
