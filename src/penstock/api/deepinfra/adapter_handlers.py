"""The routes of LoRA adapters: a sentence each, over the store and what runs."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import msgspec

from penstock.api.body import decode
from penstock.api.deepinfra.adapters import (
    LoraModelRequest,
    adapter_name,
    hub_repository,
    new_adapter,
)
from penstock.api.deepinfra.catalogue import Sight, model_out
from penstock.api.deepinfra.own import OwnAdapters
from penstock.control.deployable import Deployables, NotDeployable
from penstock.control.fitting import Fitting
from penstock.domain.deployment import DeploymentSpec
from penstock.domain.errors import InvalidRequest, ModelNotFound, NotFound, WrongState
from penstock.domain.key import Principal
from penstock.engines.base import CannotStart
from penstock.gateway.resolve import Catalogue
from penstock.http.message import Answer, Request, Response
from penstock.store.adapters import AdapterStore
from penstock.store.catalogue import CatalogueStore

encode = msgspec.json.encode

#: Of an account: each takes memory beside its base, and some of every start.
MOST_ADAPTERS = 100


class AdapterHandlers:
    """Adapters of the caller's account; those that the operator declared are the operator's."""

    def __init__(
        self,
        *,
        adapters: AdapterStore,
        models: CatalogueStore,
        own: OwnAdapters,
        catalogue: Catalogue,
        deployables: Deployables,
        fitting: Fitting,
        changed: Callable[[], Awaitable[None]],
        max_body_bytes: int,
    ) -> None:
        """`changed` is told after every change of what shall run."""
        self._adapters = adapters
        self._models = models
        self._catalogue = catalogue
        self._own = own
        self._deployables = deployables
        self._fitting = fitting
        self._changed = changed
        self._max_body_bytes = max_body_bytes
        self._decode = msgspec.json.Decoder(LoraModelRequest)

    async def create(self, http: Request, principal: Principal) -> Answer:
        """Once it is here and known to fit: then its base's replicas are replaced, one by one."""
        request = decode(self._decode, http, self._max_body_bytes)
        if len(await self._own.all(principal)) >= MOST_ADAPTERS:
            raise WrongState(
                f"There are {MOST_ADAPTERS} adapters of this account, which is the most. Remove "
                "some first."
            )
        name = adapter_name(request, principal)
        source = self._source(request)
        try:
            named = await self._base_name(request, name, source)
            base = self._base(named, principal)
            adapter, entry = new_adapter(name, source, base.model, principal, now=datetime.now(UTC))
            running = self._catalogue.running(base.model)
            beside = await asyncio.to_thread(self._adapters.of_base, base.model)
            adapter = await asyncio.to_thread(self._fitting.fit, adapter, base, running, beside)
        except CannotStart as error:
            raise InvalidRequest(str(error), param=where(request)) from None
        await asyncio.to_thread(self._adapters.add, adapter, entry)
        await self._changed()
        return Response(body=encode(self._own.deployment(adapter, base)))

    async def delete(self, http: Request, principal: Principal, name: str) -> Answer:
        """By its name; its account may be left out."""
        names = (name, f"{principal.account}/{name}")
        adapter = next((a for a in await self._own.all(principal) if a.name in names), None)
        if adapter is None:
            raise NotFound(f"You have no adapter {name[:100]!r}.")
        if adapter.account_id is None:
            raise WrongState(
                f"{name!r} is declared by the operator: it goes when it is no longer declared."
            )
        await asyncio.to_thread(self._models.remove, adapter.name)
        await self._changed()
        return Response(body=encode({"lora_model_name": adapter.name}))

    async def list_adapters(self, http: Request, principal: Principal) -> Answer:
        """The adapters that the caller may use, as models."""
        known = {adapter.name for adapter in await asyncio.to_thread(self._adapters.all)}
        seen = (e for e in self._catalogue.entries(principal) if e.name in known)
        told = [
            model_out(Sight(entry, self._catalogue.deployment(entry.name), principal))
            for entry in seen
        ]
        return Response(body=encode(told))

    async def list_deployments(self, http: Request, principal: Principal) -> Answer:
        """The caller's own adapters, as deployments."""
        return Response(body=encode(await self._own.deployments(principal)))

    def _source(self, request: LoraModelRequest) -> str:
        if (request.hf_model_name is None) == (request.path is None):
            raise InvalidRequest(
                "Say where the adapter lies by one of 'hf_model_name' (a repository of the hub) "
                "and 'path' (on the server's own machine).",
                param="hf_model_name",
            )
        if request.path is None:
            return hub_repository(request)
        try:
            return str(self._deployables.find(request.path))
        except NotDeployable as error:
            raise InvalidRequest(str(error), param="path") from None

    async def _base_name(self, request: LoraModelRequest, name: str, source: str) -> str:
        """What was asked for, or what the adapter says of itself."""
        if request.base_model_name is not None:
            return request.base_model_name
        named = await asyncio.to_thread(self._fitting.named_base, name, source)
        if named is None:
            raise InvalidRequest(
                "The adapter does not say what it was made for: name the model in "
                "'base_model_name'.",
                param="base_model_name",
            )
        return named

    def _base(self, name: str, principal: Principal) -> DeploymentSpec:
        try:
            entry = self._catalogue.entry(name, principal)
        except ModelNotFound as error:
            raise InvalidRequest(error.message, param="base_model_name") from None
        base = self._catalogue.spec(entry.name)
        if base is None:
            raise InvalidRequest(
                f"{entry.name!r} has no weights of its own to be changed by an adapter.",
                param="base_model_name",
            )
        return base


def where(request: LoraModelRequest) -> str:
    """The field that says where the adapter lies."""
    return "path" if request.path is not None else "hf_model_name"
