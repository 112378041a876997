"""Writes down what control observes, in the order in which it happened, without keeping it waiting.

What has not been written when the server is killed is seen again after its start; only lines of the
log may be lost, those of the last half second.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Literal

from penstock.control.adapters import Unwatched
from penstock.control.digest import Digester, given, pinned
from penstock.control.presence import Presence
from penstock.control.recipe import Recipe
from penstock.domain.deployment import DeploymentEvent, DeploymentProgress, DeploymentSpec
from penstock.domain.errors import Conflict, DatabaseUnavailable, NotFound
from penstock.domain.model import Capabilities
from penstock.domain.replica import ReplicaRecord
from penstock.domain.server import Server
from penstock.domain.source import parse_source
from penstock.domain.statistics import Figures
from penstock.domain.version import Version
from penstock.engines.registry import LocalSource
from penstock.store.home import Stores

log = logging.getLogger(__name__)

WRITE_EVERY_S = 0.5
#: Lines that wait while the database is away; the oldest are given up.
MOST_LINES = 10_000

Level = Literal["info", "warning", "error"]


class Recorder:
    """The one writer of progress, of replicas, of statistics, of deployments' logs, and of what
    control learns of versions."""

    def __init__(self, stores: Stores, *, context_length: int | None, server: Server) -> None:
        """`context_length` is the server's, which is a part of versions without their own."""
        self._stores = stores
        self._server = server
        self._presence = Presence(stores.servers, server)
        self._context_length = context_length
        self._digester = Digester(stores.digests, Unwatched())
        self._progress: dict[str, DeploymentProgress] = {}
        self._replicas: dict[str, tuple[ReplicaRecord, ...]] = {}
        self._replicas_written: dict[str, tuple[ReplicaRecord, ...]] = {}
        self._learnt: list[Callable[[], None]] = []
        self._figures: dict[tuple[str, str, int], Figures] = {}
        self._lines: deque[DeploymentEvent] = deque(maxlen=MOST_LINES)
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Recorder":
        await asyncio.to_thread(self._presence.begin)
        self._task = asyncio.create_task(self._run(), name="record")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._ending.set()
        await self._task
        with contextlib.suppress(DatabaseUnavailable):
            await asyncio.to_thread(self._presence.end)

    # -- what is told ----------------------------------------------------------------------

    def progress(self, deployment_id: str, progress: DeploymentProgress) -> None:
        """How far it is now; only the last counts."""
        self._progress[deployment_id] = progress

    def replicas(self, deployment_id: str, replicas: Iterable[ReplicaRecord]) -> None:
        """All that this server has of a deployment."""
        self._replicas[deployment_id] = tuple(replicas)

    def line(self, deployment_id: str, message: str, level: Level = "info") -> None:
        """A line of the deployment's log."""
        at = datetime.now(UTC)
        self._lines.append(
            DeploymentEvent(deployment_id=deployment_id, at=at, message=message, level=level)
        )

    def learn(self, model: str, version_id: str, capabilities: Capabilities) -> None:
        """What a version can do."""
        self._learnt.append(lambda: self._stores.catalogue.learn(model, version_id, capabilities))

    def figures(self, figures: Iterable[Figures]) -> None:
        """What has been counted in this hour; of each hour only the last counts."""
        for each in figures:
            self._figures[each.model, each.operation, each.hour] = each

    # -- what is asked ---------------------------------------------------------------------

    def known_progress(self) -> dict[str, DeploymentProgress]:
        """As it was last written. Blocks."""
        return self._stores.progress.all()

    def version_of(self, recipe: Recipe, local: LocalSource, engine: str) -> Version:
        """The version that a recipe's weights turn out to be.

        Reads the weights, unless their digests are known: blocks. Raises CannotStart.
        """
        return Version(
            id=self._digester.version_id(
                local, engine=engine, settings=recipe.settings, context_length=self._context_length
            ),
            model=recipe.name,
            engine=engine,
            source=pinned(parse_source(f"{recipe.name}={recipe.source}").source, local),
            created_at=datetime.now(UTC),
            settings=given(recipe.settings),
        )

    def settle(self, spec: DeploymentSpec, version: Version) -> None:
        """Let a deployment's model mean `version`, unless it has been changed meanwhile. Blocks."""
        with contextlib.suppress(NotFound, Conflict, DatabaseUnavailable):
            self._stores.deployments.settle(spec.id, version, at_generation=spec.generation)

    # -- writing ---------------------------------------------------------------------------

    async def _run(self) -> None:
        """Whatever fails is tried again, and told once."""
        away = failed = False
        while not self._ending.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WRITE_EVERY_S):
                    await self._ending.wait()
            try:
                await asyncio.to_thread(self._write)
                away = failed = False
            except DatabaseUnavailable as error:
                if not away:
                    log.warning("%s What is observed is written when it is back.", error)
                away = True
            except Exception:
                if not failed:
                    log.exception("What is observed could not be written. It is tried again.")
                failed = True
                self._presence.doubt()  # without our row, none of our replicas can be written

    def _write(self) -> None:
        """What could not be written stays for the next time."""
        if not self._presence.renew():
            self._replicas_written.clear()
        self._write_replicas()
        for id_, progress in list(self._progress.items()):
            self._stores.progress.put(id_, progress)
            if self._progress.get(id_) is progress:
                del self._progress[id_]
        while self._learnt:
            self._learnt[0]()
            self._learnt.pop(0)
        if figures := dict(self._figures):
            self._stores.statistics.put(self._server.id, list(figures.values()))
            for key, each in figures.items():
                if self._figures[key] is each:
                    del self._figures[key]
        if lines := list(self._lines):
            self._stores.events.add(*lines)
            for _ in lines:
                self._lines.popleft()

    def _write_replicas(self) -> None:
        for id_, replicas in list(self._replicas.items()):
            if self._replicas_written.get(id_, ()) != replicas:
                self._stores.replicas.put(self._server.id, id_, replicas)
            self._replicas_written[id_] = replicas
            if not replicas and self._replicas[id_] is replicas:
                del self._replicas[id_], self._replicas_written[id_]
