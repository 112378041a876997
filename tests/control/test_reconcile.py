"""The reconciler with real processes and a real database: what is wanted comes to be."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import penstock_tiny_models
import psutil
import pytest
from hub import serving_hub

from penstock.config.settings import Settings
from penstock.control.decide import Policy
from penstock.control.fetch import Fetcher
from penstock.control.presence import this_server
from penstock.control.recipe import EngineMaker
from penstock.control.reconcile import Reconciler
from penstock.control.record import Recorder
from penstock.control.supervise import RestartPolicy
from penstock.control.wishes import wishes_of
from penstock.domain.catalogue import CatalogueEntry
from penstock.domain.deployment import (
    DeploymentProgress,
    DeploymentSpec,
    DeploymentStatus,
    Scale,
)
from penstock.domain.model import Capabilities
from penstock.domain.replica import ReplicaRecord, ReplicaState
from penstock.domain.version import deployment_of_version
from penstock.engines.base import Launch
from penstock.fleet.base import Fleet, Leftover, Place, Process
from penstock.fleet.group import ReplicaGroup
from penstock.fleet.groups import Groups
from penstock.fleet.local import LocalFleet, LocalProcess
from penstock.store.home import Stores, open_stores

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PLENTY = 10**10
LONG_S = 120.0


class Here:
    """A server's control side, and what it may be asked."""

    def __init__(self, stores: Stores, fleet: Fleet, home: Path, budget_bytes: int) -> None:
        self.stores = stores
        self.settings = Settings()
        self.groups = Groups()
        maker = EngineMaker(self.settings, cache_dir=home, budget_bytes=budget_bytes, gpus=())
        self.recorder = Recorder(stores, context_length=None, server=this_server())
        self.reconciler = Reconciler(
            groups=self.groups,
            fleet=fleet,
            maker=maker,
            fetcher=Fetcher(
                cache_dir=home,
                budget_bytes=budget_bytes,
                check_engine=maker.check_engine,
                here={},
            ),
            policy=Policy(budget_bytes=budget_bytes, drain_timeout_s=1),
            restarts=RestartPolicy(first_wait_s=0.01, longest_wait_s=0.05, stop_grace_s=1),
            recorder=self.recorder,
        )
        self.look()

    def look(self) -> None:
        """As the server does when the stores have changed."""
        specs, versions = self.stores.deployments.all(), self.stores.catalogue.versions()
        for spec in specs:
            self.groups.get(spec.id)  # as the gateway's index does
        self.reconciler.want(wishes_of(specs, versions, (), self.settings))

    def deploy(self, name: str, source: str = "fake:", **more: Any) -> None:
        spec = DeploymentSpec(
            id=name, model=name, kind="llm", source=source, created_at=NOW, updated_at=NOW, **more
        )
        entry = CatalogueEntry(name=name, created_at=NOW)
        self.stores.deployments.create(spec, entry=entry)
        self.look()

    def change(self, name: str, **fields: Any) -> None:
        self.stores.deployments.change(name, **fields)
        self.look()

    def spec(self, name: str) -> DeploymentSpec:
        spec = self.stores.deployments.get(name)
        assert spec is not None
        return spec

    def capabilities(self, name: str) -> Capabilities | None:
        """What is written down of its only version."""
        (version,) = self.stores.catalogue.versions(name)
        return version.capabilities

    def written(self, name: str) -> DeploymentProgress:
        nothing = DeploymentProgress(status=DeploymentStatus.INITIALIZING)
        return self.stores.progress.all().get(name, nothing)

    def group(self, name: str) -> ReplicaGroup:
        return self.groups.get(name)

    def status(self, name: str) -> DeploymentStatus:
        return self.group(name).progress.status

    def pids(self, name: str) -> list[int]:
        return [r.status.pid for r in self.group(name).replicas if r.ready and r.status.pid]


@asynccontextmanager
async def server(
    home: Path, fleet: Fleet | None = None, *, budget_bytes: int = PLENTY
) -> AsyncIterator[Here]:
    stores = open_stores(home)
    async with AsyncExitStack() as stack:
        stack.callback(stores.database.close)
        here = Here(stores, fleet or stack.enter_context(LocalFleet()), home, budget_bytes)
        await stack.enter_async_context(here.recorder)
        await stack.enter_async_context(here.reconciler)
        yield here


async def until(ask: Callable[[], Any], what: str) -> None:
    try:
        async with asyncio.timeout(LONG_S):
            while not ask():
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"not within {LONG_S:g} s: {what}") from None


def lines(here: Here, name: str) -> str:
    return "\n".join(event.message for event in here.stores.events.of(name))


async def test_the_replicas_that_run_are_written_down(tmp_path: Path) -> None:
    async with server(tmp_path) as here:
        here.deploy("one", scale=Scale(min_instances=2, max_instances=2))
        await until(lambda: len(here.pids("one")) == 2, "two run")
        await until(lambda: there(here) == set(here.pids("one")), "both are written down")
        killed = here.pids("one")[0]
        psutil.Process(killed).kill()
        await until(lambda: killed not in there(here) and len(there(here)) == 2, "another one is")
        ready = [ReplicaState.READY] * 2
        await until(lambda: [row.state for row in rows_of(here, "one")] == ready, "both are ready")
        rows = rows_of(here, "one")
        assert sorted(row.restarts for row in rows) == [0, 1]
        assert {row.version_id for row in rows} == {here.spec("one").version_id}
        assert min(row.memory_bytes for row in rows) > 0
        here.change("one", stopped=True)
        await until(lambda: not here.stores.replicas.of("one"), "none is")
        here.deploy("two", "fake:?refuse_to_start=true")
        await until(lambda: failures(here, "two"), "why it does not start is")
        here.stores.deployments.delete("two")
        here.look()
        await until(lambda: not here.stores.replicas.of("two"), "what is deleted is not")
        assert len(here.stores.servers.all()) == 1
    stores = open_stores(tmp_path)
    assert stores.servers.all() == []
    stores.database.close()


def ask(here: Here, name: str) -> ReplicaGroup:
    """Somebody calls, and waits for a replica."""
    group = here.group(name)
    group.waiting += 1
    group.wake()
    return group


async def test_what_serves_an_old_version_leaves_no_record_and_ends_none(tmp_path: Path) -> None:
    async with server(tmp_path) as here:
        here.deploy("a")
        await until(lambda: here.group("a").up and here.spec("a").version_id, "it is up")
        first = here.spec("a").version_id
        assert first is not None
        here.change("a", source="fake:?tokens_per_second=99", version_id=None)
        await until(lambda: here.spec("a").version_id, "it has another version")
        here.look()
        old = ask(here, deployment_of_version(first))
        await until(lambda: old.up, "the first one is up too")
        here.deploy("one")
        await until(lambda: there(here) == set(here.pids("one")) != set(), "others are noted")
        await until(lambda: "Ready" in lines(here, "one"), "what is said of them, too")


def rows_of(here: Here, name: str) -> list[ReplicaRecord]:
    return [replica for _, replica in here.stores.replicas.of(name)]


def there(here: Here) -> set[int | None]:
    return {replica.pid for replica in rows_of(here, "one")}


def claims(here: Here, name: str) -> list[int]:
    return [replica.memory_bytes for replica in rows_of(here, name)]


def failures(here: Here, name: str) -> list[str]:
    return [replica.reason for replica in rows_of(here, name) if replica.reason]


async def test_a_deployment_runs_and_what_it_turned_out_to_be_is_written_down(
    tmp_path: Path,
) -> None:
    async with server(tmp_path) as here:
        here.deploy("a")
        await until(lambda: here.group("a").up, "it is up")
        await until(lambda: here.spec("a").version_id, "its version is known")
        here.look()
        version_id = here.spec("a").version_id
        await until(lambda: here.capabilities("a"), "what it can do is known")
        running = DeploymentStatus.RUNNING
        await until(lambda: here.written("a").status is running, "its progress is written")
        (pid,) = here.pids("a")
        here.stores.deployments.delete("a")
        here.look()
        await until(lambda: not psutil.pid_exists(pid), "its process has ended")
    assert version_id is not None


async def test_what_is_known_of_a_version_holds_before_it_runs_again(tmp_path: Path) -> None:
    async with server(tmp_path) as here:
        here.deploy("a", scale=Scale(min_instances=0, max_instances=1))
        await until(lambda: here.spec("a").version_id, "its version is known")
        assert here.group("a").replicas == ()
        here.look()
        group = here.group("a")
        group.waiting += 1
        group.wake()
        await until(lambda: group.up, "it is started")
        group.waiting -= 1
        await until(
            lambda: here.stores.catalogue.versions("a")[0].capabilities, "what it can do is known"
        )
    async with server(tmp_path) as here:
        assert here.group("a").capabilities is not None
        assert (here.group("a").replicas, here.group("a").state) == ((), "idle")


async def test_an_idle_one_rests_and_comes_back_when_it_is_asked_for(tmp_path: Path) -> None:
    async with server(tmp_path) as here:
        here.deploy("a", idle_stop_s=0.5)
        group = here.group("a")
        for _ in range(2):
            await until(lambda: group.up, "it is up")
            await until(lambda: group.state == "idle", "it rests")
            assert (group.replicas, group.progress.running) == ((), 0)
            group.waiting += 1
            group.wake()
            await until(lambda: group.up, "it is up again")
            group.waiting -= 1


async def test_one_that_takes_more_than_there_is_goes_for_another_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalProcess, "memory_bytes", lambda _: PLENTY)
    budget_bytes = 10**9
    async with server(tmp_path, budget_bytes=budget_bytes) as here:
        here.deploy("a")
        a = here.group("a")
        await until(lambda: a.up, "it is up")
        await until(lambda: claims(here, "a") == [budget_bytes], "the whole budget is its own")
        here.deploy("b")
        await until(lambda: here.group("b").up, "the other one has its room")
        await until(lambda: a.state == "idle", "it rests")
        a.waiting += 1
        a.wake()
        await until(lambda: a.up, "it is up again")
        a.waiting -= 1


@pytest.mark.parametrize(
    "bad", ["fake:?refuse_to_start=true", "/there/is/no/such.gguf", "fake:?ballast_mib=many"]
)
async def test_an_update_that_fails_is_undone_and_stays_undone(tmp_path: Path, bad: str) -> None:
    async with server(tmp_path) as here:
        here.deploy("a")
        await until(lambda: here.group("a").up and here.spec("a").version_id, "it is up")
        before = here.spec("a").version_id
        (pid,) = here.pids("a")
        here.change("a", source=bad, version_id=None, fallback_version=before)
        error = lambda: here.group("a").progress.update_error  # noqa: E731
        await until(error, "it is undone")
        assert here.pids("a") == [pid]
        assert here.group("a").version_id == before
        assert here.status("a") is DeploymentStatus.RUNNING
        await until(lambda: here.written("a").update_error, "that is written down")
        await until(lambda: "undone" in lines(here, "a"), "its log says so")
    async with server(tmp_path) as here:
        await until(lambda: here.group("a").up, "what ran before runs again")
        assert here.group("a").progress.update_error


async def test_an_undone_update_is_not_tried_again_by_another_number_of_replicas(
    tmp_path: Path,
) -> None:
    async with server(tmp_path) as here:
        here.deploy("a")
        await until(lambda: here.group("a").up and here.spec("a").version_id, "it is up")
        before, group = here.spec("a").version_id, here.group("a")
        bad = "fake:?refuse_to_start=true"
        here.change("a", source=bad, version_id=None, fallback_version=before)
        await until(lambda: group.progress.update_error, "it is undone")
        told: list[str | None] = []
        group.listeners.append(lambda: told.append(group.progress.update_error))
        here.change("a", scale=Scale(min_instances=2, max_instances=2))
        await until(lambda: len(here.pids("a")) == 2, "both run")
        here.change("a", pinned=True)
        generation = here.spec("a").generation
        await until(lambda: group.progress.generation == generation, "it is pinned")
        assert told
        assert all(told)
        assert group.version_id == before
        here.change("a", stopped=False)  # as `start` does
        await until(lambda: None in told, "it is tried anew")


async def test_an_update_replaces_what_runs_at_once_and_without_a_gap(tmp_path: Path) -> None:
    async with server(tmp_path) as here:
        here.deploy("a", scale=Scale(min_instances=2, max_instances=2))
        await until(lambda: here.group("a").up and here.spec("a").version_id, "it is up")
        await until(lambda: len(here.pids("a")) == 2, "both are up")
        first, pids = here.spec("a").version_id, here.pids("a")
        told: list[tuple[str | None, bool]] = []

        def look() -> None:
            """As a call would find it."""
            group = here.group("a")
            ready = [replica for replica in group.replicas if replica.ready]
            runs = [replica.engine.launch(tmp_path) for replica in ready]
            told.extend((group.version_id, bool(each and "99" in each.argv)) for each in runs)
            if not ready:
                told.append(("gap", False))

        def notice() -> None:
            asyncio.get_running_loop().call_soon(look)

        here.group("a").listeners.append(notice)
        here.change(
            "a", source="fake:?tokens_per_second=99", version_id=None, fallback_version=first
        )
        await until(lambda: not {*here.pids("a")} & {*pids}, "the new ones are up")
        await until(lambda: not any(map(psutil.pid_exists, pids)), "the old ones have ended")
        await until(lambda: here.spec("a").version_id, "its version is known")
        second = here.spec("a").version_id
        assert list(dict.fromkeys(told)) == [(first, False), (second, True)]


async def test_a_failure_is_told_with_its_reason_and_tried_again_when_asked(
    tmp_path: Path,
) -> None:
    async with server(tmp_path, budget_bytes=10**8) as here:
        here.deploy("a", "fake:?ballast_mib=500")
        await until(lambda: here.status("a") is DeploymentStatus.FAILED, "it fails")
        assert "It needs 532 MiB" in here.group("a").progress.fail_reason
        here.change("a", source="fake:")
        await until(lambda: here.group("a").up, "it is up")


async def test_a_download_is_told_of_called_off_and_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "hub" / "org" / "tiny"
    repository.mkdir(parents=True)
    (bundled,) = penstock_tiny_models.path("tiny-chat").glob("*.gguf")
    (repository / "tiny-Q8_0.gguf").write_bytes(bundled.read_bytes())
    size = bundled.stat().st_size
    with serving_hub(tmp_path / "hub", "--bytes-per-second", str(size // 4)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        async with server(tmp_path / "home") as here:
            here.deploy("a", "org/tiny")
            await until(lambda: (here.group("a").progress.percent or 0) >= 10, "some has arrived")
            assert here.status("a") is DeploymentStatus.DOWNLOADING
            assert here.group("a").state == "downloading"
            here.stores.deployments.delete("a")
            here.look()
            (part,) = (tmp_path / "home").rglob("*.part")
            await until(lambda: dict(here.groups) == {}, "it is forgotten")
            await asyncio.sleep(1)
            arrived = part.stat().st_size
            await asyncio.sleep(1)
            assert part.stat().st_size == arrived < size
            here.deploy("b", "org/tiny", scale=Scale(min_instances=0, max_instances=1))
            await until(lambda: here.spec("b").version_id, "all of it is here")
        ranges = [row["range"] for row in hub.requests(containing="tiny-Q8_0") if row["range"]]
        assert any(int(r.removeprefix("bytes=").partition("-")[0]) >= arrived for r in ranges)


async def test_downloads_keep_nothing_waiting_that_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("had", "one", "two"):
        a_model(tmp_path / "hub" / "org" / name / "tiny-Q8_0.gguf")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    asleep = Scale(min_instances=0, max_instances=1)
    with serving_hub(tmp_path / "hub") as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        async with server(tmp_path / "home") as here:
            here.deploy("had", "org/had", scale=asleep)
            await until(lambda: here.spec("had").version_id, "it is fetched")
    with serving_hub(tmp_path / "hub", "--bytes-per-second", "2000") as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        async with server(tmp_path / "home") as here:
            going = DeploymentStatus.DOWNLOADING
            for name in ("one", "two"):
                here.deploy(name, f"org/{name}")
            await until(lambda: here.status("one") is here.status("two") is going, "both come")
            here.deploy("fake")
            await until(lambda: here.group("fake").up, "what needs no download is up")
            ask(here, "had")
            await until(lambda: "Starting" in lines(here, "had"), "what is here starts")
            assert here.status("one") is here.status("two") is going


class Lasting(LocalFleet):
    """A fleet whose replicas outlive the server that started them, as those of a cluster do."""

    def __init__(self) -> None:
        super().__init__()
        self.processes: dict[Place, LocalProcess] = {}

    def discard(self, place: Place) -> None:
        """What runs keeps its socket."""
        if not self.processes[place].running:
            super().discard(place)

    async def start(self, launch: Launch, place: Place) -> LocalProcess:
        process = self.processes[place] = await super().start(launch, place)
        return process

    async def leftovers(self) -> Sequence[Leftover]:
        return [
            Leftover(place=place, pid=process.pid, adoptable=True)
            for place, process in self.processes.items()
            if process.running
        ]

    async def adopt(self, leftover: Leftover) -> LocalProcess:
        return self.processes[leftover.place]

    async def end(self, leftover: Leftover) -> None:
        await self.processes[leftover.place].stop(1)


async def test_what_still_runs_is_adopted_and_what_nobody_wants_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: Any) -> None: ...

    with Lasting() as fleet:
        async with server(tmp_path, fleet) as here:
            here.deploy("stays")
            here.deploy("goes")
            await until(lambda: here.group("stays").up and here.group("goes").up, "they are up")
            (pid,), (other,) = here.pids("stays"), here.pids("goes")
            here.stores.deployments.delete("goes")
            monkeypatch.setattr(LocalProcess, "stop", nothing)
        monkeypatch.undo()
        async with server(tmp_path, fleet) as here:
            await until(lambda: here.pids("stays") == [pid], "it is adopted")
            gone = lambda: not fleet_runs(fleet, other)  # noqa: E731
            await until(gone, "what is deleted has ended")
            assert len(fleet.processes) == 2


def fleet_runs(fleet: Lasting, pid: int) -> bool:
    running: list[Process] = [p for p in fleet.processes.values() if p.running]
    return any(process.pid == pid for process in running)


def a_model(path: Path, *, changed: bool = False) -> Path:
    """The bundled model at `path`; changed: of other weights, by a bit."""
    (bundled,) = penstock_tiny_models.path("tiny-chat").glob("*.gguf")
    content = bundled.read_bytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ changed]))
    return path


async def test_a_deployment_stays_at_the_commit_that_was_fetched_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = a_model(tmp_path / "hub" / "org" / "tiny" / "tiny-Q8_0.gguf")
    with serving_hub(tmp_path / "hub") as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        async with server(tmp_path / "home") as here:
            here.deploy("a", "org/tiny", scale=Scale(min_instances=0, max_instances=1))
            await until(lambda: here.spec("a").version_id, "its version is known")
            first = here.spec("a").version_id
            (version,) = here.stores.catalogue.versions("a")
        a_model(file, changed=True)
        async with server(tmp_path / "home") as here:
            group = ask(here, "a")
            await until(lambda: group.up, "it is up again")
            (replica,) = group.replicas
            launch = replica.engine.launch(tmp_path)
            assert launch is not None
            commit = version.source.partition("@")[2].partition(":")[0]
            assert any(commit in argument for argument in launch.argv)
            assert (group.version_id, here.spec("a").version_id) == (first, first)
            here.deploy("b", "org/tiny", scale=Scale(min_instances=0, max_instances=1))
            await until(lambda: here.spec("b").version_id, "what is new is fetched anew")
            assert here.spec("b").version_id != first


async def test_a_file_that_was_replaced_is_another_version(tmp_path: Path) -> None:
    file = a_model(tmp_path / "model.gguf")
    async with server(tmp_path / "home") as here:
        here.deploy("a", str(file), scale=Scale(min_instances=0, max_instances=1))
        await until(lambda: here.spec("a").version_id, "its version is known")
        first = here.spec("a").version_id
        assert first is not None
    a_model(file, changed=True)
    async with server(tmp_path / "home") as here:
        group = ask(here, "a")
        await until(lambda: group.up, "it is up again")
        await until(lambda: here.spec("a").version_id != first, "its new version is known")
        assert group.version_id == here.spec("a").version_id
        await until(lambda: "have changed" in lines(here, "a"), "its log says so")
        here.look()
        before = ask(here, deployment_of_version(first))
        await until(lambda: before.progress.fail_reason, "the first is not to be had any more")
        assert "is not the version" in before.progress.fail_reason
        assert group.up


async def test_what_still_runs_of_weights_that_were_replaced_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: Any) -> None: ...

    file = a_model(tmp_path / "model.gguf")
    with Lasting() as fleet:
        async with server(tmp_path / "home", fleet) as here:
            here.deploy("a", str(file))
            await until(lambda: here.group("a").up and here.spec("a").version_id, "it is up")
            (pid,), first = here.pids("a"), here.spec("a").version_id
            monkeypatch.setattr(LocalProcess, "stop", nothing)
        monkeypatch.undo()
        a_model(file, changed=True)
        async with server(tmp_path / "home", fleet) as here:
            await until(lambda: here.group("a").up, "it is up again")
            assert pid not in here.pids("a")
            assert here.group("a").version_id != first
            await until(lambda: not fleet_runs(fleet, pid), "what ran before has ended")
