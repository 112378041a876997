"""A deployment: that a version is to run, and how far it has come."""

import secrets
import string
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

import msgspec

#: DeepInfra's `type`; `declared` ones come from flags and penstock.toml, not from the API.
DeploymentKind = Literal["llm", "lora", "declared"]

IDENTIFIER_LENGTH = 16
IDENTIFIER_ALPHABET = string.ascii_letters + string.digits


class DeploymentStatus(StrEnum):
    """DeepInfra's words for how far a deployment has come."""

    INITIALIZING = "initializing"
    DOWNLOADING = "downloading"
    DEPLOYING = "deploying"
    RUNNING = "running"
    STOPPED = "stopped"
    FAILED = "failed"
    DELETED = "deleted"


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """How many replicas there shall be. `min_instances` 0: none while nobody asks."""

    min_instances: int = 1
    max_instances: int = 1

    @property
    def varies(self) -> bool:
        """Whether there may be more while there is more to do."""
        return self.max_instances > max(1, self.min_instances)

    def within(self, replicas: int) -> int:
        """As many, or the nearest number that is allowed while somebody asks."""
        return min(max(replicas, self.min_instances, 1), max(self.max_instances, 1))


class DeploymentSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What is desired; written by the API only. Each change makes `generation` one more.

    `version_id` None: the weights are not here yet, so the version is not known. `fallback_version`
    is what ran before a change, to return to when the new one crashes again and again.
    `pinned` ones are never stopped to make room. `idle_stop_s` None: never stopped for idleness
    while `min_instances` are wanted. `settings` are those of `config.settings.ModelSettings` that
    were given.
    """

    id: str
    model: str
    kind: DeploymentKind
    source: str
    created_at: datetime
    updated_at: datetime
    account_id: str | None = None
    version_id: str | None = None
    fallback_version: str | None = None
    generation: int = 1
    scale: Scale = Scale()
    stopped: bool = False
    deleted: bool = False
    pinned: bool = False
    idle_stop_s: float | None = None
    gpu: str | None = None
    num_gpus: int = 1
    max_batch_size: int | None = None
    settings: dict[str, Any] = {}


class DeploymentProgress(msgspec.Struct, frozen=True, kw_only=True):
    """What is observed; written by control only. `percent` is of a download.

    `wanted` is how many replicas there are to be now, by what there is to do.
    """

    status: DeploymentStatus
    generation: int = 0
    running: int = 0
    pending: int = 0
    wanted: int = 0
    percent: int | None = None
    fail_reason: str = ""
    update_error: str | None = None


class DeploymentEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a deployment's log, for people."""

    deployment_id: str
    at: datetime
    message: str
    level: Literal["info", "warning", "error"] = "info"


def new_deployment_id() -> str:
    """Of 62 letters and digits, as DeepInfra's are; nobody guesses one."""
    return "".join(secrets.choice(IDENTIFIER_ALPHABET) for _ in range(IDENTIFIER_LENGTH))
