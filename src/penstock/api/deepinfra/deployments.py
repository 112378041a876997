"""Requests for deployments -> what shall run; what shall run, and does -> what is told of it."""

from datetime import datetime
from typing import Any

from penstock.api.deepinfra.deployment_answers import (
    ConfigOut,
    DeploymentFacts,
    DeploymentOut,
    Instances,
    ReplicaOut,
    ScaleOut,
    WeightsOut,
)
from penstock.api.deepinfra.wire import (
    DeployRequest,
    DeployUpdateRequest,
    HubWeights,
    ScaleIn,
    StandardArgs,
)
from penstock.domain.catalogue import CatalogueEntry, ModelType
from penstock.domain.deployment import (
    DeploymentKind,
    DeploymentProgress,
    DeploymentSpec,
    DeploymentStatus,
    Scale,
    new_deployment_id,
)
from penstock.domain.errors import InvalidRequest, WrongState
from penstock.domain.key import Principal
from penstock.domain.replica import ReplicaRecord
from penstock.domain.source import (
    BadSource,
    GgufFile,
    HubReference,
    ModelDirectory,
    RemoteServer,
    Source,
    parse_source,
)

#: What DeepInfra's requests may have and nothing here honours, with what to do instead.
REFUSED = {
    "container_image": "Engines are chosen by Penstock.",
    "extra_args": "Engines' own arguments are not passed on.",
    "preset_id": "There are no presets here.",
}
#: DeepInfra's names of what a model's own settings are called here.
HONOURED = {"max_context_size": "context_length", "max_concurrent_requests": "parallel"}
TYPES: dict[DeploymentKind, Any] = {"llm": "llm", "lora": "lora", "declared": "legacy"}


def check_request(request: DeployRequest) -> None:
    """Raises InvalidRequest for what cannot be honoured, or says too little or too much."""
    _check_refused(request)
    _check_scale(request.settings)
    ways = [name for name in ("hf", "base_model", "path") if getattr(request, name) is not None]
    if len(ways) != 1:
        raise InvalidRequest(
            "Say what to run by one of 'hf' (a repository of the hub), 'base_model' (a model that "
            "is served here) and 'path' (weights on the server's own machine)"
            f"{f', not by several: {ways}' if ways else ''}.",
            param=ways[1] if ways else "hf",
        )


def hub_source(weights: HubWeights) -> HubReference:
    """Where to fetch from: the hub, whatever the text may look like. Raises InvalidRequest."""
    if weights.token is not None:
        raise InvalidRequest(
            "Unsupported parameter: 'hf.token'. No secret of a request is kept; the operator sets "
            "HF_TOKEN in the server's environment.",
            param="hf.token",
        )
    try:
        source = parse_source(weights.repo).source
        if isinstance(source, HubReference) and weights.revision is not None:
            quantisation = f":{source.quantisation}" if source.quantisation else ""
            pinned = f"{source.repository}@{weights.revision}{quantisation}"
            source = parse_source(pinned).source
    except BadSource as error:
        raise InvalidRequest(f"'hf' names no repository of the hub: {error}", param="hf") from None
    if not isinstance(source, HubReference):
        raise InvalidRequest(
            f"'hf.repo' must be a repository of the hub, org/repo or org/repo:QUANT, and "
            f"{weights.repo[:200]!r} is none.",
            param="hf.repo",
        )
    return source


def new_deployment(
    request: DeployRequest,
    principal: Principal,
    source: str,
    *,
    now: datetime,
    settings: dict[str, Any],
    type_: ModelType = "text-generation",
) -> tuple[DeploymentSpec, CatalogueEntry]:
    """What is asked for: a private model of the account, and its deployment.

    `settings` are those of the base model, over which the request's own go.
    """
    name = f"{principal.account}/{request.model_name}"
    scale = request.settings or ScaleIn()
    own = {**settings, **own_settings(request.standard_args)}
    if request.max_batch_size is not None:
        own.setdefault("parallel", request.max_batch_size)
    spec = DeploymentSpec(
        id=new_deployment_id(),
        model=name,
        kind="llm",
        source=source,
        settings=own,
        created_at=now,
        updated_at=now,
        account_id=principal.account_id,
        scale=Scale(min_instances=scale.min_instances, max_instances=scale.max_instances),
        idle_stop_s=scale.inactive_shutdown,
        pinned=request.pinned,
        gpu=request.gpu,
        num_gpus=request.num_gpus,
        max_batch_size=request.max_batch_size,
    )
    entry = CatalogueEntry(
        name=name, created_at=now, account_id=principal.account_id, private=True, type=type_
    )
    return spec, entry


def changes(request: DeployUpdateRequest, spec: DeploymentSpec, *, undone: bool) -> dict[str, Any]:
    """The fields of a deployment that an update changes. Other settings are another version, which
    is not known yet; should it not run, what runs now comes back.

    `undone`: that is what came back after the last update. Raises InvalidRequest, WrongState.
    """
    _check_refused(request)
    _check_scale(request.settings)
    changed: dict[str, Any] = {}
    if (scale := request.settings) is not None:
        changed["scale"] = Scale(
            min_instances=scale.min_instances, max_instances=scale.max_instances
        )
        changed["idle_stop_s"] = scale.inactive_shutdown
    if request.standard_args is not None:
        if spec.kind == "declared":
            raise WrongState(
                f"{spec.model!r} is declared by the operator: its settings are changed where it "
                "is declared."
            )
        kept = {k: v for k, v in spec.settings.items() if k not in HONOURED.values()}
        settings = {**kept, **own_settings(request.standard_args)}
        if settings != spec.settings or undone:
            runs = spec.fallback_version if undone or not spec.version_id else spec.version_id
            changed |= {"settings": settings, "version_id": None, "fallback_version": runs}
    if request.pinned is not None:
        changed["pinned"] = request.pinned
    if not changed and request.standard_args is None:
        raise InvalidRequest("There is nothing to change: give 'settings', 'standard_args' or "
                             "'pinned'.", param="settings")  # fmt: skip
    return changed


def own_settings(arguments: StandardArgs | None) -> dict[str, Any]:
    """The model's own settings. Raises InvalidRequest for one that nothing here honours."""
    if arguments is None:
        return {}
    given = {name: value for name in StandardArgs.__struct_fields__
             if (value := getattr(arguments, name)) is not None}  # fmt: skip
    for name in given:
        if name not in HONOURED:
            raise InvalidRequest(
                f"Unsupported parameter: 'standard_args.{name}'. Honoured are: "
                f"{', '.join(HONOURED)}.",
                param=f"standard_args.{name}",
            )
    return {HONOURED[name]: value for name, value in given.items()}


def deployment_out(
    spec: DeploymentSpec,
    progress: DeploymentProgress,
    *,
    task: str,
    engine: str | None,
    version_id: str | None,
) -> DeploymentOut:
    """A deployment as it is wanted and as it is. `version_id` is the version that answers."""
    arguments = {theirs: spec.settings.get(ours) for theirs, ours in HONOURED.items()}
    return DeploymentOut(
        type=TYPES[spec.kind],
        deploy_id=spec.id,
        model_name=spec.model,
        version=version_id or spec.version_id or "",
        task=task,
        status=status_of(spec, progress),
        fail_reason=progress.fail_reason,
        created_at=spec.created_at.isoformat(),
        updated_at=spec.updated_at.isoformat(),
        instances=Instances(progress.running, progress.pending),
        config=ConfigOut(
            gpu=spec.gpu or "cpu",
            num_gpus=spec.num_gpus,
            max_batch_size=spec.max_batch_size,
            weights=_weights(spec),
        ),
        settings=ScaleOut(
            min_instances=spec.scale.min_instances,
            max_instances=spec.scale.max_instances,
            inactive_shutdown=spec.idle_stop_s,
        ),
        standard_args=StandardArgs(**arguments) if any(arguments.values()) else None,
        update_error=progress.update_error,
        penstock=DeploymentFacts(
            kind=spec.kind,
            source=spec.source,
            pinned=spec.pinned,
            generation=spec.generation,
            engine=engine,
            wanted=progress.wanted,
            percent=progress.percent,
            updating=_is_updating(spec, progress, version_id),
        ),
    )


def _is_updating(spec: DeploymentSpec, progress: DeploymentProgress, answering: str | None) -> bool:
    undone = progress.update_error is not None and progress.generation == spec.generation
    return answering not in (None, spec.version_id) and not (undone or spec.stopped)


def replica_out(host: str, replica: ReplicaRecord) -> ReplicaOut:
    return ReplicaOut(
        replica_id=replica.id,
        host=host,
        pid=replica.pid,
        state=replica.state,
        reason=replica.reason,
        restarts=replica.restarts,
        version=replica.version_id or "",
        memory_bytes=replica.memory_bytes,
        started_at=replica.started_at.isoformat(),
    )


def status_of(spec: DeploymentSpec, progress: DeploymentProgress) -> DeploymentStatus:
    """How far it has come; that it is deleted is so from the moment it is said."""
    return DeploymentStatus.DELETED if spec.deleted else progress.status


def statuses(text: str) -> frozenset[DeploymentStatus]:
    """A list with commas between. Raises InvalidRequest."""
    try:
        return frozenset(DeploymentStatus(word.strip()) for word in text.split(","))
    except ValueError:
        known = ", ".join(DeploymentStatus)
        raise InvalidRequest(
            f"'status' must be of these, with commas between: {known}.", param="status"
        ) from None


def is_remote(spec: DeploymentSpec) -> bool:
    """Whether it is a server of someone else's, whose key is the operator's."""
    return isinstance(_source(spec), RemoteServer)


def shown_source(spec: DeploymentSpec, principal: Principal) -> str:
    """Where weights come from; where this machine has its files is for the operator to see."""
    source = _source(spec)
    if principal.is_operator or not isinstance(source, GgufFile | ModelDirectory):
        return spec.source
    return source.path.name


def _weights(spec: DeploymentSpec) -> WeightsOut | None:
    source = _source(spec)
    if not isinstance(source, HubReference):
        return None
    return WeightsOut(source.repository, source.revision)


def _source(spec: DeploymentSpec) -> Source:
    return parse_source(f"{spec.model}={spec.source}").source


def _check_refused(request: DeployRequest | DeployUpdateRequest) -> None:
    for name, why in REFUSED.items():
        if getattr(request, name, None) not in (None, [], ""):
            raise InvalidRequest(f"Unsupported parameter: '{name}'. {why}", param=name)


def _check_scale(scale: ScaleIn | None) -> None:
    if scale is not None and scale.max_instances < scale.min_instances:
        raise InvalidRequest(
            "'settings.max_instances' must not be less than 'settings.min_instances'.",
            param="settings.max_instances",
        )
