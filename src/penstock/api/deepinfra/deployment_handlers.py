"""The routes of what shall run: a sentence each, over the store and what runs."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from penstock.api.body import decode
from penstock.api.deepinfra.catalogue import Sight
from penstock.api.deepinfra.deployment_answers import (
    DeploymentOut,
    DeployStatusOut,
    GpuAvailability,
    GpuAvailabilityOut,
)
from penstock.api.deepinfra.deployments import (
    changes,
    check_request,
    deployment_out,
    hub_source,
    is_remote,
    new_deployment,
    shown_source,
    status_of,
    statuses,
)
from penstock.api.deepinfra.own import OwnAdapters, OwnDeployments
from penstock.api.deepinfra.query import parameter
from penstock.api.deepinfra.wire import (
    DeployHubRequest,
    DeployRequest,
    DeployUpdateRequest,
    HubWeights,
)
from penstock.config.settings import ModelSettings
from penstock.control.deployable import Deployables, NotDeployable
from penstock.control.gpus import gpus
from penstock.domain.catalogue import ModelType
from penstock.domain.deployment import DeploymentProgress, DeploymentSpec, DeploymentStatus
from penstock.domain.errors import InvalidRequest, ModelNotFound, NotFound, WrongState
from penstock.domain.key import Principal
from penstock.fleet.groups import Groups
from penstock.gateway.resolve import Catalogue
from penstock.http.message import Answer, Request, Response
from penstock.store.deployments import DeploymentStore

encode = msgspec.json.encode

#: Of an account, beside those deleted: a client in a loop must not fill the disk.
MOST_DEPLOYMENTS = 1000


class DeploymentHandlers:
    """Deployments of the caller's account; those that the operator declared are the operator's."""

    def __init__(
        self,
        *,
        store: DeploymentStore,
        adapters: OwnAdapters,
        catalogue: Catalogue,
        groups: Groups,
        deployables: Deployables,
        changed: Callable[[], Awaitable[None]],
        max_body_bytes: int,
    ) -> None:
        """`changed` is told after every change of what shall run."""
        self._store = store
        self._catalogue = catalogue
        self._groups = groups
        self._own = OwnDeployments(store)
        self._adapters = adapters
        self._deployables = deployables
        self._changed = changed
        self._max_body_bytes = max_body_bytes
        self._decode_deploy = msgspec.json.Decoder(DeployRequest)
        self._decode_update = msgspec.json.Decoder(DeployUpdateRequest)
        self._decode_hub = msgspec.json.Decoder(DeployHubRequest)

    # -- what shall run --------------------------------------------------------------------

    async def create(self, http: Request, principal: Principal) -> Answer:
        request = decode(self._decode_deploy, http, self._max_body_bytes)
        return Response(body=encode(self._told(await self._deploy(request, principal), principal)))

    async def create_from_hub(self, http: Request, principal: Principal) -> Answer:
        """The older way: the repository alone, and its own name for the model."""
        request = decode(self._decode_hub, http, self._max_body_bytes)
        weights = HubWeights(repo=request.model_name, revision=request.version)
        name = hub_source(weights).repository.rpartition("/")[2]
        spec = await self._deploy(DeployRequest(model_name=name, hf=weights), principal)
        return Response(body=encode(DeployStatusOut(spec.id)))

    async def _deploy(self, request: DeployRequest, principal: Principal) -> DeploymentSpec:
        check_request(request)
        if len(await self._own.all(principal)) >= MOST_DEPLOYMENTS:
            raise WrongState(
                f"There are {MOST_DEPLOYMENTS} deployments of this account, which is the most. "
                "Delete some first."
            )
        source, settings = await self._weights(request, principal)
        base = self._base(request, principal)
        spec, entry = new_deployment(
            request,
            principal,
            source,
            now=datetime.now(UTC),
            settings=settings,
            type_=base.type if base is not None else "text-generation",
        )
        await asyncio.to_thread(self._store.create, spec, entry=entry)
        await self._changed()
        return spec

    async def _weights(
        self, request: DeployRequest, principal: Principal
    ) -> tuple[str, dict[str, Any]]:
        """Where the weights come from, and the settings that come with them."""
        if request.hf is not None:
            return str(hub_source(request.hf)), {}
        if request.path is not None:
            return await asyncio.to_thread(self._local, request.model_name, request.path), {}
        assert request.base_model is not None
        entry = self._catalogue.entry(request.base_model, principal)
        base = self._catalogue.spec(entry.name)
        if base is None or base.kind == "lora" or is_remote(base):
            raise InvalidRequest(
                f"{entry.name!r} cannot be deployed again: it has no weights of its own.",
                param="base_model",
            )
        return base.source, base.settings

    def _local(self, name: str, path: str) -> str:
        try:
            source = self._deployables.find(path)
            self._deployables.check(name, source, ModelSettings(source=str(source)))
        except NotDeployable as error:
            raise InvalidRequest(str(error), param="path") from None
        return str(source)

    def _base(self, request: DeployRequest, principal: Principal) -> Sight | None:
        if request.base_model is None:
            return None
        entry = self._catalogue.entry(request.base_model, principal)
        return Sight(entry, self._catalogue.deployment(entry.name), principal)

    async def update(self, http: Request, principal: Principal, id_: str) -> Answer:
        spec = await self._own.live(id_, principal)
        request = decode(self._decode_update, http, self._max_body_bytes)
        now = self._progress(spec)
        undone = now.update_error is not None and now.generation == spec.generation
        changed = changes(request, spec, undone=undone)
        same = all(getattr(spec, name) == value for name, value in changed.items())
        if same and request.standard_args is None:
            return Response(body=encode(DeployStatusOut(id_)))  # nor is what failed tried again
        return await self._change(spec, **changed)

    async def delete(self, http: Request, principal: Principal, id_: str) -> Answer:
        spec = await self._own.live(id_, principal)
        if spec.kind == "declared":
            raise WrongState(
                f"{spec.model!r} is declared by the operator: it goes when it is no longer "
                "declared. It can be stopped."
            )
        await asyncio.to_thread(self._store.delete, id_)
        await self._changed()
        return Response(body=encode(DeployStatusOut(id_)))

    async def stop(self, http: Request, principal: Principal, id_: str) -> Answer:
        spec = await self._own.live(id_, principal)
        if spec.stopped:
            return Response(body=encode(DeployStatusOut(id_)))
        return await self._change(spec, stopped=True)

    async def start(self, http: Request, principal: Principal, id_: str) -> Answer:
        """Also one that has failed: it is tried anew."""
        spec = await self._own.live(id_, principal)
        if not spec.stopped and self._progress(spec).status is not DeploymentStatus.FAILED:
            return Response(body=encode(DeployStatusOut(id_)))
        return await self._change(spec, stopped=False)

    async def _change(self, spec: DeploymentSpec, **fields: Any) -> Answer:
        await asyncio.to_thread(
            lambda: self._store.change(spec.id, at_generation=spec.generation, **fields)
        )
        await self._changed()
        return Response(body=encode(DeployStatusOut(spec.id)))

    # -- what there is ---------------------------------------------------------------------

    async def list_deployments(self, http: Request, principal: Principal) -> Answer:
        """Those of the given statuses, or all that are not deleted; then the adapters."""
        wanted = parameter(http, "status")
        some = statuses(wanted) if wanted else frozenset(DeploymentStatus) - {
            DeploymentStatus.DELETED
        }  # fmt: skip
        told = [
            self._told(spec, principal)
            for spec in await self._own.all(principal, deleted=DeploymentStatus.DELETED in some)
            if status_of(spec, self._progress(spec)) in some
        ]
        adapters = await self._adapters.deployments(principal)
        told += [adapter for adapter in adapters if adapter.status in some]
        return Response(body=encode(told))

    async def show(self, http: Request, principal: Principal, id_: str) -> Answer:
        """An adapter too, by the id that its creation told."""
        try:
            told = self._told(await self._own.known(id_, principal), principal)
        except NotFound:
            adapters = await self._adapters.deployments(principal)
            found = next((each for each in adapters if each.deploy_id == id_), None)
            if found is None:
                raise
            told = found
        return Response(body=encode(told))

    async def gpu_availability(self, http: Request, principal: Principal) -> Answer:
        """What this machine has to run on; it is yours, so an hour costs nothing."""
        found = await asyncio.to_thread(gpus)
        names = ["cpu", *dict.fromkeys(f"1x{gpu.name}" for gpu in found)]
        here = [
            GpuAvailability(
                gpu_config=name, usd_per_hour=0.0, available=True, recommended=name == names[-1]
            )
            for name in names
        ]
        return Response(body=encode(GpuAvailabilityOut(here)))

    # -- telling ---------------------------------------------------------------------------

    def _progress(self, spec: DeploymentSpec) -> DeploymentProgress:
        if spec.deleted:
            return DeploymentProgress(status=DeploymentStatus.DELETED)
        return self._groups.get(spec.id).progress

    def _told(self, spec: DeploymentSpec, principal: Principal) -> DeploymentOut:
        deployment = self._catalogue.deployment(spec.model)
        task: ModelType = "text-generation"
        with contextlib.suppress(ModelNotFound):
            entry = self._catalogue.entry(spec.model, principal)
            task = Sight(entry, deployment, principal).type
        return deployment_out(
            msgspec.structs.replace(spec, source=shown_source(spec, principal)),
            self._progress(spec),
            task=task,
            engine=deployment.model.engine if deployment is not None else None,
            version_id=None if spec.deleted else self._groups.get(spec.id).version_id,
        )
