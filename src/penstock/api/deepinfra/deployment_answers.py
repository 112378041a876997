"""What the routes of deployments answer, as typed structs (DeepInfra's OpenAPI document)."""

from typing import Any, Literal

import msgspec

from penstock.api.deepinfra.wire import StandardArgs
from penstock.domain.deployment import DeploymentKind, DeploymentStatus
from penstock.domain.replica import ReplicaState


class Instances(msgspec.Struct, frozen=True):
    running: int
    pending: int


class WeightsOut(msgspec.Struct, frozen=True):
    repo: str
    revision: str | None = None


class ConfigOut(msgspec.Struct, frozen=True, kw_only=True):
    """What of a deployment never changes."""

    gpu: str
    num_gpus: int
    max_batch_size: int | None
    weights: WeightsOut | None = None


class ScaleOut(msgspec.Struct, frozen=True, kw_only=True):
    min_instances: int
    max_instances: int
    inactive_shutdown: float | None = None


class DeploymentFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What Penstock adds. `percent` is of a download that is running; `wanted` replicas there are
    to be now; while `updating` another version answers than is wanted.
    """

    kind: DeploymentKind
    source: str
    pinned: bool
    generation: int
    engine: str | None
    wanted: int
    percent: int | None
    updating: bool


class DeploymentOut(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment. `version` is the one that answers, "" until its weights are known; times are in
    ISO 8601."""

    type: Literal["legacy", "llm", "lora", "tts"]
    deploy_id: str
    model_name: str
    version: str
    task: str
    status: DeploymentStatus
    fail_reason: str
    created_at: str
    updated_at: str
    instances: Instances
    config: ConfigOut
    settings: ScaleOut
    standard_args: StandardArgs | None = None
    extra_args: list[str] | None = None
    update_error: str | None = None
    rollout: dict[str, Any] | None = None
    penstock: DeploymentFacts


class ReplicaOut(msgspec.Struct, frozen=True, kw_only=True):
    """One running copy (Penstock's own). `host` is the machine, `pid` its process there once it is
    ready; `reason` tells why it is not, `version` is "" until its weights are known."""

    replica_id: str
    host: str
    pid: int | None
    state: ReplicaState
    reason: str | None
    restarts: int
    version: str
    memory_bytes: int
    started_at: str


class DeployStatusOut(msgspec.Struct, frozen=True):
    deploy_id: str


class StatsOut(msgspec.Struct, frozen=True, kw_only=True):
    """Times are in milliseconds, `total_amount` is in cents."""

    requests: int
    total_time: int
    total_tokens: int
    input_tokens: int
    output_tokens: int
    total_amount: int
    avg_time: float
    avg95_time: float
    errors: int


class TextStats(msgspec.Struct, frozen=True, kw_only=True):
    """`ttft`: time to first token; `tpt`: time per further token."""

    requests: int
    input_tokens: int
    output_tokens: int
    avg_ttft_ms: float
    avg95_ttft_ms: float
    avg_tpt_ms: float
    avg95_tpt_ms: float
    total_amount_cents: int
    errors: int


class EmbeddingStats(msgspec.Struct, frozen=True, kw_only=True):
    """`tpt`: time per request, as DeepInfra's name for it is."""

    requests: int
    input_tokens: int
    avg_tpt_ms: float
    avg95_tpt_ms: float
    total_amount_cents: int
    errors: int


class TimeStats(msgspec.Struct, frozen=True, kw_only=True):
    requests: int
    total_time_s: int
    total_amount_cents: int
    avg_time_ms: float
    avg95_time_ms: float
    errors: int


class DetailedStatsOut(msgspec.Struct, frozen=True, kw_only=True):
    """Each kind of work that was done; null: none of it."""

    llm: TextStats | None = None
    embeddings: EmbeddingStats | None = None
    time: TimeStats | None = None


class ModelStatsOut(msgspec.Struct, frozen=True):
    model_name: str
    requests: int


class GpuAvailability(msgspec.Struct, frozen=True, kw_only=True):
    gpu_config: str
    usd_per_hour: float
    available: bool
    recommended: bool = False


class GpuAvailabilityOut(msgspec.Struct, frozen=True):
    gpus: list[GpuAvailability]


class LogsOut(msgspec.Struct, frozen=True):
    """Lines with their times, in unix seconds as text; the oldest first."""

    entries: list[tuple[str, str]]


class DeploymentLogsOut(msgspec.Struct, frozen=True):
    """The same by what said them: here all are the deployment's own, under its id."""

    entries: dict[str, list[tuple[str, str]]]


class ClientVersionOut(msgspec.Struct, frozen=True):
    """Which versions of DeepInfra's command line would do: all."""

    min: str
    update: str
    latest: str
