"""Everything is built here, once, and passed down."""

import asyncio
import contextlib
import gc
import hashlib
import ipaddress
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import msgspec
from prometheus_client import CollectorRegistry

from penstock.api.errors import fault_response
from penstock.api.openai.handlers import OpenAIHandlers
from penstock.api.openapi import describe, page
from penstock.api.routes import Dispatcher, openai_routes, service_routes
from penstock.api.service import ServiceHandlers
from penstock.config.settings import ModelSettings, Settings
from penstock.control.machine import engine_threads, free_memory_bytes
from penstock.control.supervise import RestartPolicy, Supervisor
from penstock.domain.key import Key
from penstock.domain.model import Model
from penstock.domain.source import GgufFile, ModelDirectory
from penstock.engines.base import CannotStart, Engine
from penstock.engines.registry import EngineOptions, LocalSource, make_engine
from penstock.fleet.local import LocalFleet
from penstock.fleet.replica import Replica
from penstock.gateway.auth import Keyring
from penstock.gateway.deployment import Deployment
from penstock.gateway.gauges import DeploymentGauges
from penstock.gateway.lane import Lane
from penstock.gateway.meter import Meter
from penstock.gateway.pipeline import Gateway, Waits
from penstock.gateway.resolve import Catalogue
from penstock.http.server import Server, ServerLimits
from penstock.store.home import open_keys
from penstock.store.keys import KeyStore, KeyWatch

log = logging.getLogger(__name__)

FIRST_KEY = "auto"
KEY_POLL_S = 1.0
RUN_PREFIX = "penstock-run-"


class CannotServe(Exception):
    """The server cannot be started as asked; the text is a sentence for a person."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A model to serve, its weights on this machine. `source_text` is how it was asked for."""

    name: str
    source_text: str
    source: LocalSource
    settings: ModelSettings


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What lies under PENSTOCK_HOME: `first_secret` only at the first start."""

    keys: KeyStore
    watch: KeyWatch
    pepper: bytes
    first_secret: str | None


def open_state(home: Path, *, wanted_key: str | None) -> State:
    """Keys, with a first one made when there is none and none was ever there.

    The first key is kept in the file `cli-key` too, readable by its owner only, so that the CLI
    finds it: that file is a client's credential, and the server never reads it.

    Raises CannotOpenHome, NewerDatabase.
    """
    first_start = not (home / "penstock.db").exists()
    keys, watch, pepper = open_keys(home)
    secret = None
    if first_start or (not keys.all() and not cli_key_file(home).exists()):
        _, secret = keys.create(FIRST_KEY, wanted_key)
        write_private(cli_key_file(home), secret)
    return State(keys=keys, watch=watch, pepper=pepper, first_secret=secret)


def cli_key_file(home: Path) -> Path:
    return home / "cli-key"


def write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_exposure(settings: Settings, keys: Sequence[Key]) -> None:
    """Raises CannotServe for a server that strangers could use."""
    if is_loopback(settings.host) or (settings.auth and keys):
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


@contextlib.contextmanager
def run_directory() -> Iterator[Path]:
    """A private directory for sockets, with a short path; those of dead servers are cleared."""
    base = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    for stale in base.glob(f"{RUN_PREFIX}*"):
        pid = stale.name.removeprefix(RUN_PREFIX).partition("-")[0]
        with contextlib.suppress(OSError, ValueError):
            if stale.stat().st_uid == os.getuid() and not _is_alive(int(pid)):
                shutil.rmtree(stale, ignore_errors=True)
    path = Path(tempfile.mkdtemp(prefix=f"{RUN_PREFIX}{os.getpid()}-", dir=base))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def make_engines(settings: Settings, wanted: Sequence[Wanted]) -> list[Engine]:
    """Each model's engine; memory is given out in order. Raises CannotServe with the figures."""
    free_bytes = free_memory_bytes()
    engines = []
    for model in wanted:
        own = model.settings
        options = EngineOptions(
            free_memory_bytes=free_bytes,
            threads=own.threads or settings.threads or engine_threads(),
            context_length=own.context_length or settings.context_length,
            parallel=own.parallel or settings.parallel,
            gpu_layers=settings.gpu_layers if own.gpu_layers is None else own.gpu_layers,
            embedding_batch_tokens=settings.embedding_batch_tokens,
            stall_timeout_s=settings.stall_timeout_s,
            key=_remote_key(own),
        )
        try:
            engine = make_engine(model.name, model.source, options)
            launch = engine.launch(Path())
        except CannotStart as error:
            raise CannotServe(f"{model.name} cannot be served. {error}") from None
        free_bytes -= launch.memory_bytes if launch is not None else 0
        engines.append(engine)
    return engines


def _remote_key(model: ModelSettings) -> str | None:
    if model.key_env is None:
        return None
    key = os.environ.get(model.key_env)
    if not key:
        raise CannotServe(
            f"The key of {model.source} should be in the environment variable {model.key_env}, "
            "which is not set."
        )
    return key


def fingerprint(model: Wanted, engine: Engine) -> str:
    """Changes when the weights or the settings that change answers do."""
    what = [model.source_text, engine.name, str(model.settings.context_length)]
    if isinstance(model.source, GgufFile | ModelDirectory):
        stat = model.source.path.stat()
        what += [str(stat.st_size), str(stat.st_mtime_ns)]
    return "fp_" + hashlib.sha256("\0".join(what).encode()).hexdigest()[:12]


def make_deployment(settings: Settings, model: Wanted, engine: Engine) -> Deployment:
    return Deployment(
        Model(
            name=model.name,
            engine=engine.name,
            source=model.source_text,
            created=int(time.time()),
            fingerprint=fingerprint(model, engine),
        ),
        [Replica(engine)],
        Lane(slots=engine.slots, queue_limit=settings.queue_limit),
    )


class App:
    """A whole server. Use it as an async context manager; `serve` runs until `stop` is set."""

    def __init__(self, settings: Settings, state: State, wanted: Sequence[Wanted]) -> None:
        """Raises CannotServe."""
        check_exposure(settings, state.keys.all())
        self.settings = settings
        self._state = state
        self.keyring = Keyring(state.pepper, open_to_anyone=not settings.auth)
        engines = make_engines(settings, wanted)
        self.deployments = [
            make_deployment(settings, model, engine)
            for model, engine in zip(wanted, engines, strict=True)
        ]
        catalogue = Catalogue(self.deployments)
        registry = CollectorRegistry()
        registry.register(DeploymentGauges(self.deployments))
        gateway = Gateway(
            keyring=self.keyring,
            catalogue=catalogue,
            meter=Meter(registry),
            waits=Waits(
                queue_timeout_s=settings.queue_timeout_s, ready_timeout_s=settings.ready_timeout_s
            ),
        )
        service = ServiceHandlers(
            catalogue=catalogue, registry=registry, draining=lambda: self.server.draining
        )
        handlers = OpenAIHandlers(
            gateway,
            image_model=settings.image_model,
            max_body_bytes=settings.max_body_bytes,
        )
        routes = [*openai_routes(handlers), *service_routes(service)]
        service.describe(msgspec.json.encode(describe(routes)), page(routes).encode())
        dispatcher = Dispatcher(routes, gateway)
        self.server = Server(
            dispatcher, limits=_limits(settings), fault=fault_response, screen=dispatcher.screen
        )
        self._fleet = LocalFleet()
        self._supervisors: list[Supervisor] = []
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Listens and starts the engines. Raises CannotServe."""
        settings = self.settings
        self.keyring.replace(self._state.keys.all())
        try:
            await self.server.listen(host=settings.host, port=settings.port)
        except OSError as error:
            raise CannotServe(
                f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}. "
                "Choose another --port, or stop what holds it."
            ) from None
        run_dir = self._stack.enter_context(run_directory())
        policy = RestartPolicy(
            ready_timeout_s=settings.start_timeout_s, stop_grace_s=settings.stop_grace_s
        )
        for number, deployment in enumerate(self.deployments):
            replica_dir = run_dir / str(number)
            replica_dir.mkdir(mode=0o700)
            supervisor = Supervisor(
                deployment.replicas[0],
                name=deployment.model.name,
                fleet=self._fleet,
                run_dir=replica_dir,
                policy=policy,
            )
            supervisor.start()
            self._supervisors.append(supervisor)
        self._watching = asyncio.create_task(self._watch_keys())
        _calm_garbage_collector()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Drains: no new work, what runs may finish within the bound, no child is left behind."""
        cut = await self.server.drain(self.settings.drain_timeout_s)
        if cut:
            log.warning("%d requests were cut: they ran longer than drain_timeout_s", cut)
        await asyncio.gather(*(supervisor.stop() for supervisor in self._supervisors))
        self._watching.cancel()
        self._state.watch.close()
        await self._stack.aclose()

    async def _watch_keys(self) -> None:
        """Keys that the CLI makes or deletes hold here within KEY_POLL_S."""
        while True:
            await asyncio.sleep(KEY_POLL_S)
            if await asyncio.to_thread(self._state.watch.changed):
                self.keyring.replace(await asyncio.to_thread(self._state.keys.all))


def _calm_garbage_collector() -> None:
    """All that was built so far stays: walking it again and again would cost more than requests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _limits(settings: Settings) -> ServerLimits:
    return ServerLimits(
        max_body_bytes=settings.max_body_bytes,
        max_connections=settings.max_connections,
        head_timeout_s=settings.head_timeout_s,
        body_timeout_s=settings.body_timeout_s,
        idle_timeout_s=settings.idle_timeout_s,
        write_timeout_s=settings.write_timeout_s,
    )
