"""One running copy of a model, as the gateway sees it and control keeps it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from penstock.domain.circuit import (
    CLOSED,
    Circuit,
    CircuitPolicy,
    after_failed_probe,
    after_failure,
    after_probe,
    after_server_error,
    state_of,
)
from penstock.domain.load import Load
from penstock.domain.model import Capabilities
from penstock.domain.replica import ReplicaState, ReplicaStatus
from penstock.engines.base import Engine
from penstock.fleet.prefixes import Prefixes
from penstock.http.client import Client

CIRCUIT_POLICY = CircuitPolicy()


class Replica:
    """Written by control (`publish_ready`, `publish`), read by the gateway.

    `client` and `capabilities` stand once it has been ready; `in_flight` counts calls that run,
    `version_id` is what it answers by, once that is known;
    `served` all that ever began, `prefixes` are what it has read since its process began,
    `ejections` counts how often its circuit has opened. `told` hears of every change of its status:
    its group sets it. The gateway tells how calls went (`answered`, `broke`, `erred`): after too
    many failures in a row control, which waits in `tripped`, probes it, and nobody picks it until
    then, unless they were server errors only. `load` is what its engine last said, where it says
    so.
    """

    def __init__(self, engine: Engine, circuit_policy: CircuitPolicy = CIRCUIT_POLICY) -> None:
        self.engine = engine
        self.told: Callable[[], None] = lambda: None
        self.circuit = CLOSED
        self._circuit_policy = circuit_policy
        self.last_failure = ""
        self.status = ReplicaStatus(state=ReplicaState.STARTING)
        self.client: Client | None = None
        self.capabilities: Capabilities | None = None
        self.ready = False
        self.version_id: str | None = None
        self.in_flight = 0
        self.served = 0
        self.load: Load | None = None
        self.prefixes = Prefixes()
        self.ejections = 0
        self._changed = asyncio.Event()
        self._tripped = asyncio.Event()

    def publish_ready(self, client: Client, capabilities: Capabilities, pid: int | None) -> None:
        if client is not self.client:
            self.prefixes.clear()
        self.client = client
        self.capabilities = capabilities
        self.circuit = after_probe(self.circuit)
        self._tripped.clear()
        self.publish(
            ReplicaStatus(state=ReplicaState.READY, restarts=self.status.restarts, pid=pid)
        )

    def publish(self, status: ReplicaStatus) -> None:
        self.status = status
        self.ready = status.state is ReplicaState.READY
        self._changed.set()
        self._changed = asyncio.Event()
        self.told()

    def answered(self) -> None:
        """A call has begun to be answered."""
        if self.circuit is not CLOSED and self.circuit.open_until_s is None:
            self.circuit = CLOSED
            self._tripped.clear()

    def broke(self, reason: str, retry_after_s: float | None = None) -> None:
        """A call was not answered, for this `reason`."""
        self._open(after_failure, reason, retry_after_s)

    def erred(self, reason: str) -> None:
        """A call was answered with a server error."""
        self.last_failure = reason
        self.circuit = after_server_error(self.circuit)
        now_s = asyncio.get_running_loop().time()
        if state_of(self.circuit, self._circuit_policy, now_s) == "doubted":
            self._tripped.set()

    def probe_failed(self, reason: str) -> None:
        """Control asked, and had no answer either."""
        self._open(after_failed_probe, reason, None)

    def _open(
        self, after: Callable[..., Circuit], reason: str, retry_after_s: float | None
    ) -> None:
        now_s = asyncio.get_running_loop().time()
        self.last_failure = reason
        self.circuit = after(self.circuit, self._circuit_policy, now_s, retry_after_s or 0.0)
        if self.circuit.open_until_s is not None:
            self.ejections += self.ready
            self.ready = False
            self._tripped.set()

    async def tripped(self) -> None:
        """Returns as soon as the circuit is open or doubted."""
        await self._tripped.wait()

    def changed(self) -> Coroutine[Any, Any, object]:
        """Await it to know that the status has changed since this call, not since the await."""
        return self._changed.wait()
