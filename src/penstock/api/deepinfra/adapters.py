"""LoRA adapters as DeepInfra's routes have them: what is sent, and what is told."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from penstock.domain.adapter import Adapter, deployment_of_adapter
from penstock.domain.catalogue import CatalogueEntry
from penstock.domain.deployment import DeploymentProgress, DeploymentSpec, DeploymentStatus
from penstock.domain.errors import InvalidRequest
from penstock.domain.key import Principal
from penstock.domain.source import BadSource, HubReference, check_name, parse_source
from penstock.fleet.group import ReplicaGroup

Line = Annotated[str, Meta(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)")]


class LoraModelRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`hf_model_name` is a repository of the hub; `path` is ours: a file or directory of the
    server's machine. One of the two says where the adapter lies. `base_model_name` None: what the
    adapter names itself."""

    lora_model_name: Line
    base_model_name: Line | None = None
    hf_model_name: Line | None = None
    path: Line | None = None
    hf_token: Any = None


def adapter_name(request: LoraModelRequest, principal: Principal) -> str:
    """`account/name`, of which the account may be left out. Raises InvalidRequest."""
    name = request.lora_model_name.removeprefix(f"{principal.account}/")
    try:
        check_name(full := f"{principal.account}/{name}")
    except BadSource as error:
        raise InvalidRequest(str(error), param="lora_model_name") from None
    if "/" in name:
        raise InvalidRequest(
            f"'lora_model_name' is a name, or {principal.account}/name, and "
            f"{request.lora_model_name[:100]!r} is neither.",
            param="lora_model_name",
        )
    return full


def hub_repository(request: LoraModelRequest) -> str:
    """Raises InvalidRequest for what is no repository, or comes with a secret."""
    if request.hf_token is not None:
        raise InvalidRequest(
            "Unsupported parameter: 'hf_token'. No secret of a request is kept; the operator sets "
            "HF_TOKEN for the server.",
            param="hf_token",
        )
    try:
        source = parse_source(f"adapter={request.hf_model_name}").source
    except BadSource:
        source = None
    if not isinstance(source, HubReference):
        raise InvalidRequest(
            "'hf_model_name' must be a repository of the hub, org/repo or org/repo@REVISION.",
            param="hf_model_name",
        )
    return str(source)


def new_adapter(
    name: str, source: str, base: str, principal: Principal, *, now: datetime
) -> tuple[Adapter, CatalogueEntry]:
    """A private model of the account, which is its base changed."""
    adapter = Adapter(
        name=name, base=base, source=source, created_at=now, account_id=principal.account_id
    )
    entry = CatalogueEntry(name=name, created_at=now, account_id=principal.account_id, private=True)
    return adapter, entry


def adapter_spec(adapter: Adapter, base: DeploymentSpec) -> DeploymentSpec:
    """An adapter, told as a deployment: it runs wherever its base does."""
    return DeploymentSpec(
        id=deployment_of_adapter(adapter.name),
        model=adapter.name,
        kind="lora",
        source=adapter.source,
        created_at=adapter.created_at,
        updated_at=adapter.created_at,
        account_id=adapter.account_id,
        scale=base.scale,
        stopped=base.stopped,
        pinned=base.pinned,
        idle_stop_s=base.idle_stop_s,
        gpu=base.gpu,
        num_gpus=base.num_gpus,
        max_batch_size=base.max_batch_size,
    )


def adapter_progress(adapter: str, base: ReplicaGroup) -> DeploymentProgress:
    """Running as soon as a ready replica of its base knows it; as its base while none runs.

    Failed, when the replicas could not get its files.
    """
    ready = [replica for replica in base.replicas if replica.ready]
    knowing = sum(adapter in replica.engine.adapters for replica in ready)
    if not ready:
        return base.progress
    told = (replica.engine.lost_adapters.get(adapter) for replica in ready)
    lost = next((why for why in told if why is not None), None)
    if lost is not None and not knowing:
        return DeploymentProgress(status=DeploymentStatus.FAILED, fail_reason=lost)
    return DeploymentProgress(
        status=DeploymentStatus.RUNNING if knowing else DeploymentStatus.DEPLOYING,
        running=knowing,
        pending=len(base.replicas) - knowing,
        wanted=base.progress.wanted,
        fail_reason=base.progress.update_error or "",
    )
