"""Everything is built here, once, and passed down."""

import asyncio
import contextlib
import gc
import logging
import os
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Self

import msgspec
from prometheus_client import CollectorRegistry

from penstock.api.cors import Cors
from penstock.api.deepinfra.activity_handlers import ActivityHandlers
from penstock.api.deepinfra.adapter_handlers import AdapterHandlers
from penstock.api.deepinfra.catalogue_handlers import CatalogueHandlers
from penstock.api.deepinfra.deployment_handlers import DeploymentHandlers
from penstock.api.deepinfra.inference_handlers import InferenceHandlers
from penstock.api.deepinfra.own import OwnAdapters
from penstock.api.errors import fault_response
from penstock.api.loopback import Loopback
from penstock.api.openai.handlers import OpenAIHandlers
from penstock.api.openai.pictures import FETCH_TIMEOUT_S, MAX_PICTURE_BYTES, PictureReader
from penstock.api.openapi import describe, page
from penstock.api.routes import (
    Dispatcher,
    adapter_routes,
    catalogue_routes,
    deployment_routes,
    inference_routes,
    openai_routes,
    service_routes,
)
from penstock.api.service import ServiceHandlers
from penstock.config.load import home
from penstock.config.settings import ModelSettings, Settings
from penstock.control.adapters import Unwatched
from penstock.control.decide import Policy
from penstock.control.declare import Declared, declare
from penstock.control.deployable import Deployables
from penstock.control.digest import Digester
from penstock.control.download import Progress
from penstock.control.fetch import Fetcher
from penstock.control.fitting import Fitting
from penstock.control.gpus import gpus
from penstock.control.machine import memory_budget_bytes
from penstock.control.presence import this_server
from penstock.control.recipe import EngineMaker, Recipe, recipe_of
from penstock.control.reconcile import Reconciler
from penstock.control.record import Recorder
from penstock.control.supervise import RestartPolicy
from penstock.control.wishes import wishes_of
from penstock.domain.adapter import Adapter
from penstock.domain.errors import Conflict, DatabaseUnavailable
from penstock.domain.key import OPERATOR, Principal
from penstock.domain.source import Source
from penstock.engines.base import CannotStart, Engine
from penstock.engines.registry import LocalSource
from penstock.fleet.groups import Groups
from penstock.fleet.local import LocalFleet
from penstock.gateway.auth import Keyring
from penstock.gateway.gauges import DeploymentGauges
from penstock.gateway.history import NOTE_EVERY_S, History
from penstock.gateway.meter import Meter
from penstock.gateway.pipeline import Gateway, Waits
from penstock.gateway.resolve import Catalogue, Contents
from penstock.http.connection import ServerLimits
from penstock.http.loopback import is_loopback
from penstock.http.public_fetch import PublicFetcher
from penstock.http.server import Server
from penstock.store.database import Subject
from penstock.store.home import Stores, open_stores
from penstock.store.watch import Watch

log = logging.getLogger(__name__)

FIRST_KEY = "auto"
STATE_POLL_S = 1.0


class CannotServe(Exception):
    """The server cannot be started as asked; the text is a sentence for a person."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A model to serve: as it was asked for, and where its weights are on this machine."""

    name: str
    asked: Source
    source: LocalSource
    settings: ModelSettings

    @property
    def source_text(self) -> str:
        return str(self.asked)

    @property
    def recipe(self) -> Recipe:
        return recipe_of(self.name, self.source_text, self.settings)


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What lies under PENSTOCK_HOME: `first_secret` only at the first start."""

    stores: Stores
    watch: Watch
    first_secret: str | None


def open_state(home: Path, *, database_url: str, wanted_key: str | None) -> State:
    """Keys, with a first one made when there is none and none was ever there.

    The first key is kept in the file `cli-key` too, readable by its owner only, so that the CLI
    finds it: that file is a client's credential, and the server never reads it.

    Raises CannotOpenHome, CannotOpenDatabase.
    """
    stores = open_stores(home, database_url)
    keys, secret = stores.keys, None
    if keys.never_used() or (not keys.any() and not cli_key_file(home).exists()):
        _, secret = keys.create(FIRST_KEY, wanted_key)
        write_private(cli_key_file(home), secret)
    return State(stores=stores, watch=Watch(stores.database), first_secret=secret)


def cli_key_file(home: Path) -> Path:
    return home / "cli-key"


def write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def check_exposure(settings: Settings, *, has_keys: bool) -> None:
    """Raises CannotServe for a server that strangers could use."""
    if is_loopback(settings.host) or (settings.auth and has_keys):
        return
    if not settings.auth:
        raise CannotServe(
            f"--no-auth works on a loopback address only, and {settings.host} is none: anybody "
            "could use the server. Leave --no-auth away, or listen on 127.0.0.1."
        )
    raise CannotServe(
        f"{settings.host} can be reached from other machines and there is no key. Make one first: "
        "penstock keys create NAME"
    )


def try_engines(maker: EngineMaker, wanted: Sequence[Wanted], budget_bytes: int) -> list[Engine]:
    """Each model's engine, if it were alone. Raises CannotServe for one that will never start."""
    engines = []
    for model in wanted:
        try:
            engine = maker.make(model.recipe, model.source, free_bytes=budget_bytes)
            choice = maker.choose(model.recipe, model.source)
        except CannotStart as error:
            raise CannotServe(f"{model.name} cannot be served. {error}") from None
        log.info("%s runs on %s: %s", model.name, choice.engine, choice.reason)
        engines.append(engine)
    return engines


def declare_wanted(
    settings: Settings,
    stores: Stores,
    maker: EngineMaker,
    wanted: Sequence[Wanted],
    engines: Sequence[Engine],
    progress: Progress,
) -> None:
    """Write down what the operator wants. Raises CannotServe."""
    try:
        models = [
            Declared(
                name=model.name,
                source=model.asked,
                local=model.source,
                engine=engine.name,
                settings=model.settings,
                adapters=maker.adapters(model.recipe),
            )
            for model, engine in zip(wanted, engines, strict=True)
        ]
        declare(
            models,
            catalogue=stores.catalogue,
            deployments=stores.deployments,
            adapters=stores.adapters,
            digester=Digester(stores.digests, progress),
            context_length=settings.context_length,
        )
    except (CannotStart, Conflict) as error:
        raise CannotServe(str(error)) from None


def contents_of(stores: Stores, declared: Collection[str], adapted: Sequence[Adapter]) -> Contents:
    """All that the gateway's index is made of. Blocks.

    Of what is declared, that of which this very server was told, by the names of the models, and
    the adapters of these: another that shares the state may have been told of others.
    """
    accounts = (adapter for adapter in stores.adapters.all() if adapter.account_id is not None)
    adapters = [*adapted, *accounts]
    ours = {*declared, *(adapter.name for adapter in adapted)}
    entries = [entry for name, entry in stores.catalogue.declared().items() if name in ours]
    entries += [entry for entry in stores.catalogue.all() if entry.account_id is not None]
    names = {entry.name for entry in entries}
    specs = stores.deployments.all(deleted=True)
    return Contents(
        entries=entries,
        versions=[version for version in stores.catalogue.versions() if version.model in names],
        adapters=adapters,
        specs=[
            *(spec for spec in specs if spec.kind != "declared" and not spec.deleted),
            *(
                msgspec.structs.replace(spec, deleted=False)
                for spec in specs
                if spec.kind == "declared" and spec.model in declared
            ),
        ],
    )


def declared_adapters(stores: Stores, wanted: Sequence[Wanted]) -> list[Adapter]:
    """Those of the models that this very server was told of, as they have just been written."""
    names = {name for model in wanted for name in model.settings.adapters}
    return [a for a in stores.adapters.all() if a.account_id is None and a.name in names]


class App:
    """A whole server. Use it as an async context manager; `serve` runs until `stop` is set."""

    def __init__(
        self, settings: Settings, state: State, wanted: Sequence[Wanted], progress: Progress
    ) -> None:
        """`progress` hears of weights that take long to read. Raises CannotServe."""
        check_exposure(settings, has_keys=state.stores.keys.any())
        self.settings = settings
        self._state = state
        stores = state.stores
        self.keyring = make_keyring(settings, stores)
        self._fleet = LocalFleet()
        self._fleet.end_leftovers()
        budget_bytes = memory_budget_bytes(settings.memory_limit)
        cache_dir = home() / "weights"
        maker = EngineMaker(settings, cache_dir=cache_dir, budget_bytes=budget_bytes, gpus=gpus())
        engines = try_engines(maker, wanted, budget_bytes)
        declare_wanted(settings, stores, maker, wanted, engines, progress)
        self._order = {model.name: number for number, model in enumerate(wanted)}
        self._adapted = declared_adapters(stores, wanted)
        contents = contents_of(stores, self._order, self._adapted)
        groups = Groups()
        catalogue = self._catalogue = Catalogue(groups, queue_limit=settings.queue_limit)
        catalogue.replace(contents)
        served = (catalogue.deployment(model.name) for model in wanted)
        self.deployments = [deployment for deployment in served if deployment is not None]
        registry = CollectorRegistry()
        registry.register(DeploymentGauges(catalogue))
        meter = Meter(registry)
        self._history = History(meter)
        server = this_server()
        gateway = Gateway(
            catalogue=catalogue,
            meter=meter,
            waits=Waits(
                queue_timeout_s=settings.queue_timeout_s, ready_timeout_s=settings.ready_timeout_s
            ),
        )
        service = ServiceHandlers(
            catalogue=catalogue,
            registry=registry,
            open_metrics=is_loopback(settings.host),
            draining=lambda: self.server.draining,
        )
        pictures = _picture_reader(settings)
        handlers = OpenAIHandlers(
            gateway,
            image_model=settings.image_model,
            max_body_bytes=settings.max_body_bytes,
            pictures=pictures,
        )
        inference = InferenceHandlers(
            gateway, max_body_bytes=settings.max_body_bytes, pictures=pictures
        )
        deployables = make_deployables(settings, maker)
        own_adapters = OwnAdapters(stores.adapters, catalogue=catalogue, groups=groups)
        routes = [
            *openai_routes(handlers),
            *inference_routes(inference),
            *catalogue_routes(CatalogueHandlers(catalogue)),
            *deployment_routes(
                DeploymentHandlers(
                    store=stores.deployments,
                    adapters=own_adapters,
                    catalogue=catalogue,
                    groups=groups,
                    deployables=deployables,
                    changed=self._deployments_changed,
                    max_body_bytes=settings.max_body_bytes,
                ),
                ActivityHandlers(
                    store=stores.deployments,
                    events=stores.events,
                    catalogue=catalogue,
                    history=self._history,
                    statistics=stores.statistics,
                    replicas=stores.replicas,
                    server=server.id,
                ),
            ),
            *adapter_routes(
                AdapterHandlers(
                    adapters=stores.adapters,
                    models=stores.catalogue,
                    own=own_adapters,
                    catalogue=catalogue,
                    deployables=deployables,
                    fitting=Fitting(
                        maker,
                        cache_dir=cache_dir,
                        digester=Digester(stores.digests, Unwatched()),
                    ),
                    changed=self._deployments_changed,
                    max_body_bytes=settings.max_body_bytes,
                )
            ),
            *service_routes(service),
        ]
        service.describe(msgspec.json.encode(describe(routes)), page(routes).encode())
        origins = settings.cors_origins.split()
        dispatcher = Dispatcher(
            routes,
            self.keyring,
            Loopback(self.keyring, origins) if is_loopback(settings.host) else None,
        )
        self.server = Server(
            Cors(dispatcher.answer, origins) if origins else dispatcher.answer,
            limits=_limits(settings),
            fault=fault_response,
            screen=dispatcher.screen,
        )
        self._recorder = Recorder(
            state.stores, context_length=settings.context_length, server=server
        )
        self._reconciler = Reconciler(
            groups=groups,
            fleet=self._fleet,
            maker=maker,
            fetcher=Fetcher(
                cache_dir=cache_dir,
                budget_bytes=budget_bytes,
                check_engine=maker.check_engine,
                here={model.source_text: model.source for model in wanted},
            ),
            policy=Policy(
                budget_bytes=budget_bytes,
                gpu_bytes=maker.budget.gpu_bytes,
                drain_timeout_s=settings.drain_timeout_s,
                scale_down_after_s=settings.scale_down_after_s,
            ),
            restarts=RestartPolicy(
                ready_timeout_s=settings.start_timeout_s, stop_grace_s=settings.stop_grace_s
            ),
            recorder=self._recorder,
        )
        self._want(contents)
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Listens and starts the engines. Raises CannotServe."""
        settings = self.settings
        self.keyring.replace(self._state.stores.keys.principals())
        try:
            await self.server.listen(host=settings.host, port=settings.port)
        except OSError as error:
            raise CannotServe(
                f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}. "
                "Choose another --port, or stop what holds it."
            ) from None
        self._stack.enter_context(self._fleet)
        await self._stack.enter_async_context(self._recorder)
        await self._stack.enter_async_context(self._reconciler)
        self._watching = [
            asyncio.create_task(self._watch_state()),
            asyncio.create_task(self._note_history()),
        ]
        _calm_garbage_collector()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Drains: no new work, what runs may finish within the bound, no child is left behind."""
        cut = await self.server.drain(self.settings.drain_timeout_s)
        if cut:
            log.warning("%d requests were cut: they ran longer than drain_timeout_s", cut)
        for task in self._watching:
            task.cancel()
        self._recorder.figures(self._history.note(time.time()))
        await self._stack.aclose()
        self._state.stores.database.close()

    async def _watch_state(self) -> None:
        """What is written, by whomever, holds here within STATE_POLL_S."""
        news: frozenset[Subject] = frozenset()
        away = failed = False
        while True:
            await asyncio.sleep(STATE_POLL_S)
            try:
                news |= await asyncio.to_thread(self._state.watch.changed)
                await self._take_over(news)
                news, away, failed = frozenset(), False, False
            except DatabaseUnavailable as error:
                if not away:
                    log.warning("%s What was read last holds until it is back.", error)
                away = True
            except Exception:
                if not failed:
                    log.exception("What was written could not be taken over. It is tried again.")
                failed = True

    async def _take_over(self, changed: Collection[Subject]) -> None:
        stores = self._state.stores
        if Subject.KEYS in changed:
            self.keyring.replace(await asyncio.to_thread(stores.keys.principals))
        if Subject.CATALOGUE in changed or Subject.DEPLOYMENTS in changed:
            contents = await asyncio.to_thread(contents_of, stores, self._order, self._adapted)
            self._catalogue.replace(contents)
            self._want(contents)

    def _want(self, contents: Contents) -> None:
        """Have it run: at the start, what the operator named first comes first."""
        others = len(self._order)
        specs = sorted(contents.specs, key=lambda spec: self._order.get(spec.model, others))
        self._reconciler.want(wishes_of(specs, contents.versions, contents.adapters, self.settings))

    async def _deployments_changed(self) -> None:
        """Somebody has changed what shall run, in this very process."""
        await self._take_over({Subject.CATALOGUE, Subject.DEPLOYMENTS})

    async def _note_history(self) -> None:
        while True:
            await asyncio.sleep(NOTE_EVERY_S)
            self._recorder.figures(self._history.note(time.time()))


def make_keyring(settings: Settings, stores: Stores) -> Keyring:
    """With --no-auth every caller is the operator."""
    anyone = None
    if not settings.auth:
        anyone = Principal(account_id=stores.keys.operator_id(), key_id="none", account=OPERATOR)
    return Keyring(stores.pepper, anyone=anyone)


def make_deployables(settings: Settings, maker: EngineMaker) -> Deployables:
    others = [Path(text).expanduser() for text in settings.deploy_paths.split(":") if text]
    return Deployables(home() / "models", others, maker)


def _calm_garbage_collector() -> None:
    """All that was built so far stays: walking it again and again would cost more than requests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _picture_reader(settings: Settings) -> PictureReader:
    fetcher = None
    if settings.fetch_images:
        fetcher = PublicFetcher(max_bytes=MAX_PICTURE_BYTES, timeout_s=FETCH_TIMEOUT_S)
    return PictureReader(fetcher, max_bytes=settings.max_body_bytes)


def _limits(settings: Settings) -> ServerLimits:
    return ServerLimits(
        max_body_bytes=settings.max_body_bytes,
        max_connections=settings.max_connections,
        head_timeout_s=settings.head_timeout_s,
        body_timeout_s=settings.body_timeout_s,
        idle_timeout_s=settings.idle_timeout_s,
        write_timeout_s=settings.write_timeout_s,
    )
