r"""What clients of the platform routes send (DeepInfra's OpenAPI document), with bounds.

What cannot be honoured here is refused by its name, never dropped. `path` and `pinned` are ours.
Patterns end in `$(?!\n)` because Python's `$` also matches before a last line break.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

#: DeepInfra's names of graphics cards, and "cpu". Written down only: an engine takes what there is.
Gpu = Literal[
    "cpu", "L4-24GB", "L40S-48GB", "A100-80GB", "H100-80GB", "H200-141GB", "B200-180GB",
    "B300-270GB", "B300-288GB", "RTXPRO6000-96GB", "other",
]  # fmt: skip
ShortName = Annotated[str, Meta(pattern=r"^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,63}$(?!\n)")]
Line = Annotated[str, Meta(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)")]
Refused = Any


class HubWeights(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`repo` is org/repo on the hub, or org/repo:QUANT; `revision` a branch, tag or commit."""

    repo: Line
    revision: Line | None = None
    token: Line | None = None


class ScaleIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How many replicas. `inactive_shutdown` is in seconds; null: not stopped for idleness."""

    min_instances: Annotated[int, Meta(ge=0, le=64)] = 1
    max_instances: Annotated[int, Meta(ge=1, le=64)] = 1
    inactive_shutdown: Annotated[float, Meta(gt=0, le=31 * 86_400)] | None = None


class StandardArgs(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Settings of the engine. The first two are honoured; another one is refused."""

    max_context_size: Annotated[int, Meta(ge=16, le=2**31 - 1)] | None = None
    max_concurrent_requests: Annotated[int, Meta(ge=1, le=1024)] | None = None
    gpu_memory_fraction: Refused = None
    max_prefill_tokens: Refused = None
    kv_cache_dtype: Refused = None
    enable_prefix_caching: Refused = None
    quantization: Refused = None


class DeployRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One of `hf`, `base_model` and `path` says what to run."""

    model_name: ShortName
    gpu: Gpu = "cpu"
    num_gpus: Annotated[int, Meta(ge=1, le=8)] = 1
    max_batch_size: Annotated[int, Meta(ge=1, le=256)] | None = None
    hf: HubWeights | None = None
    base_model: Line | None = None
    path: Line | None = None
    settings: ScaleIn | None = None
    standard_args: StandardArgs | None = None
    pinned: bool = False
    container_image: Refused = None
    extra_args: Refused = None
    preset_id: Refused = None


class DeployUpdateRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is given replaces what was; the rest stays."""

    settings: ScaleIn | None = None
    standard_args: StandardArgs | None = None
    pinned: bool | None = None
    extra_args: Refused = None


class DeployHubRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The older way to deploy a repository, which deepctl uses."""

    model_name: Line
    task: Line | None = None
    provider: Literal["huggingface", "deepinfra", "cnt"] | None = None
    version: Line | None = None
