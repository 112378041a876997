"""One running copy of a model, as the gateway sees it and control keeps it."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from penstock.domain.model import Capabilities
from penstock.domain.replica import ReplicaState, ReplicaStatus
from penstock.engines.base import Engine
from penstock.http.client import Client


class Replica:
    """Written by control (`publish_ready`, `publish`), read by the gateway.

    `client` and `capabilities` stand once it has been ready; `in_flight` counts calls.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.status = ReplicaStatus(state=ReplicaState.STARTING)
        self.client: Client | None = None
        self.capabilities: Capabilities | None = None
        self.in_flight = 0
        self._changed = asyncio.Event()

    @property
    def ready(self) -> bool:
        return self.status.state is ReplicaState.READY

    def publish_ready(self, client: Client, capabilities: Capabilities, pid: int | None) -> None:
        self.client = client
        self.capabilities = capabilities
        self.publish(
            ReplicaStatus(state=ReplicaState.READY, restarts=self.status.restarts, pid=pid)
        )

    def publish(self, status: ReplicaStatus) -> None:
        self.status = status
        self._changed.set()
        self._changed = asyncio.Event()

    def changed(self) -> Coroutine[Any, Any, object]:
        """Await it to know that the status has changed since this call, not since the await."""
        return self._changed.wait()
