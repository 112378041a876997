"""One running copy of a model."""

from enum import StrEnum

import msgspec


class ReplicaState(StrEnum):
    """starting -> ready -> stopping -> stopped; a replica that ends unasked is failed."""

    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"


class ReplicaStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a replica; `reason` tells in a sentence why it is not ready."""

    state: ReplicaState
    reason: str | None = None
    restarts: int = 0
    pid: int | None = None
