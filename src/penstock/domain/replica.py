"""One running copy of a model."""

from datetime import datetime
from enum import StrEnum

import msgspec


class ReplicaState(StrEnum):
    """starting -> ready -> stopping -> stopped; a replica that ends unasked is failed.

    One that runs and does not answer is unreachable until it does.
    """

    READY = "ready"
    STARTING = "starting"
    UNREACHABLE = "unreachable"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    FAILED = "failed"
    STOPPED = "stopped"


class ReplicaStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a replica; `reason` tells in a sentence why it is not ready."""

    state: ReplicaState
    reason: str | None = None
    restarts: int = 0
    pid: int | None = None


class ReplicaRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is written down of a replica. `memory_bytes` is what it is expected to take, or takes
    when that is more."""

    id: str
    deployment_id: str
    generation: int
    started_at: datetime
    state: ReplicaState
    version_id: str | None = None
    memory_bytes: int = 0
    reason: str | None = None
    restarts: int = 0
    pid: int | None = None
