"""What shall run, and what is observed of it."""

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from postgres import Place

from penstock.domain.adapter import Adapter
from penstock.domain.catalogue import CatalogueEntry
from penstock.domain.deployment import (
    DeploymentEvent,
    DeploymentProgress,
    DeploymentSpec,
    DeploymentStatus,
    Scale,
    new_deployment_id,
)
from penstock.domain.errors import Conflict, NotFound
from penstock.domain.replica import ReplicaRecord, ReplicaState
from penstock.domain.server import Server
from penstock.domain.version import Version
from penstock.store import events as events_module
from penstock.store.catalogue import CatalogueStore
from penstock.store.database import Database, open_database
from penstock.store.deployments import DeploymentStore
from penstock.store.events import EventStore
from penstock.store.keys import KeyStore
from penstock.store.progress import ProgressStore
from penstock.store.replicas import ReplicaStore
from penstock.store.servers import ServerStore

HERE = Server(id="h" * 32, host="here", pid=7, process_started_s=1.5)
THERE = Server(id="t" * 32, host="there", pid=7, process_started_s=1795780000.25)
NOW = datetime(2026, 11, 28, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def deployments(database: Database) -> DeploymentStore:
    return DeploymentStore(database)


@pytest.fixture
def account(database: Database) -> str:
    return KeyStore(database, b"p" * 32).create("laptop")[0].account_id


def spec(model: str, **more: object) -> DeploymentSpec:
    fields = {"id": new_deployment_id(), "kind": "llm", "source": "org/repo", **more}
    return DeploymentSpec(model=model, created_at=NOW, updated_at=NOW, **fields)  # type: ignore[arg-type]


def entry(name: str) -> CatalogueEntry:
    return CatalogueEntry(name=name, created_at=NOW)


def version(model: str, letter: str) -> Version:
    return Version(id=letter * 64, model=model, engine="fake", source="fake:", created_at=NOW)


def test_a_deployment_is_read_as_it_was_written(deployments: DeploymentStore, account: str) -> None:
    whole = spec(
        "me/mine",
        account_id=account,
        version_id="a" * 64,
        fallback_version="b" * 64,
        scale=Scale(min_instances=0, max_instances=4),
        stopped=True,
        pinned=True,
        idle_stop_s=0.5,
        gpu="A100-80GB",
        num_gpus=2,
        max_batch_size=96,
        settings={"context_length": 4096},
    )
    deployments.create(whole)
    deployments.create(spec("other"))
    assert deployments.get(whole.id) == whole
    assert [each for each in deployments.all(deleted=True) if each.account_id == account] == [whole]
    assert len(deployments.all()) == 2
    assert deployments.get("nobody") is None


def test_a_text_with_nul_is_no_fault(deployments: DeploymentStore, database: Database) -> None:
    one = spec("chat")
    deployments.create(one)
    assert deployments.get("\0") is None
    assert deployments.get(f"{one.id}\0") is None
    said = DeploymentEvent(deployment_id=one.id, at=NOW, message="died: \0.", level="error")
    EventStore(database).add(said)
    (line,) = EventStore(database).of(one.id)
    assert line.message in ("died: \0.", "died: \ufffd.")
    catalogue = CatalogueStore(database)
    catalogue.add(msgspec.structs.replace(entry("odd"), aliases=("a\0", "b\0")))
    assert len(catalogue.all()[0].aliases) == 2


def test_each_change_is_a_generation(deployments: DeploymentStore) -> None:
    first = spec("chat")
    deployments.create(first)
    second = deployments.change(first.id, scale=Scale(min_instances=2, max_instances=3))
    assert deployments.get(first.id) == second
    assert (second.generation, second.scale.max_instances) == (2, 3)
    assert second.updated_at > first.updated_at
    with pytest.raises(Conflict, match="changed in the meantime"):
        deployments.change(first.id, at_generation=1, stopped=True)
    assert deployments.change(first.id, at_generation=2, stopped=True).stopped


def test_a_name_has_one_deployment(deployments: DeploymentStore) -> None:
    first = spec("chat")
    deployments.create(first, entry=entry("chat"))
    with pytest.raises(Conflict, match="'chat' already"):
        deployments.create(spec("chat"))
    deployments.delete(first.id)
    deployments.create(spec("chat"), entry=entry("chat"))
    assert [d.deleted for d in deployments.all(deleted=True)].count(True) == 1
    assert len(deployments.all()) == 1
    with pytest.raises(NotFound):
        deployments.change(first.id, stopped=True)


def test_of_two_at_once_one_wins(deployments: DeploymentStore, database: Database) -> None:
    outcomes: list[str] = []
    ready = threading.Barrier(8)

    def create() -> None:
        ready.wait()
        try:
            deployments.create(spec("chat"), entry=entry("chat"))
            outcomes.append("won")
        except Conflict:
            outcomes.append("lost")

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["lost"] * 7 + ["won"]
    assert len(deployments.all()) == len(CatalogueStore(database).all()) == 1


def test_changes_at_once_are_all_made(deployments: DeploymentStore) -> None:
    first = spec("chat")
    deployments.create(first)

    def change() -> None:
        for _ in range(10):
            deployments.change(first.id, pinned=True)

    threads = [threading.Thread(target=change) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (last,) = deployments.all()
    assert last.generation == 41


def test_a_deployment_is_made_with_its_model_or_not_at_all(
    deployments: DeploymentStore, database: Database
) -> None:
    catalogue = CatalogueStore(database)
    deployments.create(spec("chat"), entry=entry("chat"))
    catalogue.add(entry("taken"))
    with pytest.raises(Conflict):
        deployments.create(spec("taken"), entry=entry("taken"))
    catalogue.remove("chat")
    with pytest.raises(Conflict):
        deployments.create(spec("chat"), entry=entry("chat"))
    assert [known.name for known in catalogue.all()] == ["taken"]
    assert [known.model for known in deployments.all()] == ["chat"]


def test_an_adapters_deployment_is_made_and_deleted_with_it(
    deployments: DeploymentStore, database: Database
) -> None:
    catalogue = CatalogueStore(database)
    base = spec("base")
    deployments.create(base, entry=entry("base"))
    tuned = spec("tuned", kind="lora")
    adapter = Adapter(name="tuned", base="base", source="./a.gguf", created_at=NOW)
    deployments.create(tuned, entry=entry("tuned"), adapter=adapter)
    with pytest.raises(Conflict, match="base of tuned"):
        deployments.delete(base.id)
    assert not deployments.all()[0].deleted
    assert deployments.delete(tuned.id).deleted
    assert deployments.delete(base.id).deleted
    assert catalogue.all() == []


def test_a_version_is_settled_without_a_new_generation(
    deployments: DeploymentStore, database: Database
) -> None:
    first = spec("chat")
    deployments.create(first, entry=entry("chat"))
    settled = deployments.settle(first.id, version("chat", "a"), at_generation=1)
    assert settled == msgspec.structs.replace(first, version_id="a" * 64)
    assert deployments.get(first.id) == settled
    catalogue = CatalogueStore(database)
    assert [known.current_version for known in catalogue.all()] == ["a" * 64]
    deployments.change(first.id, version_id=None)
    with pytest.raises(Conflict):
        deployments.settle(first.id, version("chat", "b"), at_generation=1)
    assert len(catalogue.versions()) == 1


def test_declared_deployments_keep_their_ids(deployments: DeploymentStore) -> None:
    of_api = spec("me/mine")
    deployments.create(of_api)

    def declare(*names: str, version_id: str, **more: object) -> list[DeploymentSpec]:
        specs = [spec(n, kind="declared", version_id=version_id, **more) for n in names]
        deployments.declare(specs)
        live = [d for d in deployments.all() if d.kind == "declared"]
        return sorted(live, key=lambda d: d.model)

    one, two = declare("one", "two", version_id="a" * 64)
    pinned = deployments.change(one.id, pinned=True, stopped=True)
    assert declare("one", version_id="a" * 64) == [pinned]
    gone = deployments.get(two.id)
    assert gone is not None
    assert gone.deleted
    renewed, back = declare("one", "two", version_id="b" * 64)
    assert (renewed.id, renewed.generation, renewed.pinned) == (one.id, 3, True)
    assert (back.id, back.deleted) == (two.id, False)
    settings = {"replicas": 3}
    (by_file,) = declare(
        "one", version_id="b" * 64, scale=Scale(max_instances=3), settings=settings
    )
    assert (by_file.scale.max_instances, by_file.pinned, by_file.stopped) == (3, False, True)
    assert of_api in deployments.all()
    with pytest.raises(Conflict, match="me/mine"):
        declare("me/mine", version_id="a" * 64)


def test_the_long_deleted_are_forgotten(deployments: DeploymentStore, database: Database) -> None:
    old, kept = spec("old"), spec("kept")
    for made in (old, kept):
        deployments.create(made, entry=entry(made.model))
        EventStore(database).add(DeploymentEvent(deployment_id=made.id, at=NOW, message="made"))
        deployments.delete(made.id)
    deployments.declare([spec("declared", kind="declared")])
    deployments.declare([])
    deployments.forget_deleted(before=NOW)
    assert len(deployments.all(deleted=True)) == 3
    deployments.forget_deleted(before=datetime.now(UTC) + timedelta(seconds=1))
    assert [d.kind for d in deployments.all(deleted=True)] == ["declared"]
    assert EventStore(database).of(old.id) == []


def test_progress_is_what_was_last_seen(deployments: DeploymentStore, database: Database) -> None:
    one = spec("chat")
    deployments.create(one)
    progress = ProgressStore(database)
    loading = DeploymentProgress(status=DeploymentStatus.DOWNLOADING, generation=1, percent=40)
    failed = DeploymentProgress(
        status=DeploymentStatus.FAILED, generation=1, fail_reason="No.", update_error="Why."
    )
    for seen in (loading, failed):
        progress.put(one.id, seen)
        assert progress.all() == {one.id: seen}


def test_replicas_are_written_down_until_they_end(
    deployments: DeploymentStore, database: Database
) -> None:
    one = spec("chat")
    deployments.create(one)
    replicas, servers = ReplicaStore(database), ServerStore(database)
    for server in (HERE, THERE):
        servers.enter(server, NOW)
    starting = ReplicaRecord(
        id="r1", deployment_id=one.id, generation=1, started_at=NOW, state=ReplicaState.STARTING
    )
    ready = msgspec.structs.replace(
        starting, state=ReplicaState.READY, pid=123, restarts=1, version_id="a" * 64, reason="x"
    )
    other = msgspec.structs.replace(starting, id="r2", started_at=NOW + timedelta(seconds=1))
    replicas.put(THERE.id, one.id, [other])
    for seen in (starting, ready):
        replicas.put(HERE.id, one.id, [seen])
        assert replicas.of(one.id) == [("here", seen), ("there", other)]
    replicas.put(HERE.id, one.id, [])
    assert replicas.of(one.id) == [("there", other)]
    servers.leave(THERE.id)
    assert replicas.of(one.id) == []


def test_a_server_that_is_not_heard_of_is_forgotten(
    deployments: DeploymentStore, database: Database
) -> None:
    one = spec("chat")
    deployments.create(one)
    replicas, servers = ReplicaStore(database), ServerStore(database)
    servers.enter(HERE, NOW)
    servers.enter(THERE, NOW)
    there = ReplicaRecord(
        id="r1", deployment_id=one.id, generation=1, started_at=NOW, state=ReplicaState.READY
    )
    replicas.put(THERE.id, one.id, [there])
    later = NOW + timedelta(minutes=1)
    assert servers.seen(HERE.id, later, not_since=NOW)
    assert len(servers.all()) == 2
    assert servers.seen(HERE.id, later, not_since=later)
    assert servers.all() == [HERE]
    assert replicas.of(one.id) == []
    assert not servers.seen(THERE.id, later, not_since=NOW)
    servers.enter(THERE, later, gone=[HERE.id])
    assert servers.all() == [THERE]


def test_the_log_is_read_from_either_end(
    deployments: DeploymentStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "KEPT_EVENTS", 20)
    one, other = spec("one"), spec("other")
    deployments.create(one)
    deployments.create(other)
    events = EventStore(database)
    events.add(DeploymentEvent(deployment_id=other.id, at=NOW, message="other"))

    def at(second: int) -> datetime:
        return NOW + timedelta(seconds=second)

    for n in range(0, 30, 2):
        events.add(
            DeploymentEvent(deployment_id=one.id, at=at(n), message=f"{n}"),
            DeploymentEvent(deployment_id=one.id, at=at(n + 1), message=f"{n + 1}", level="error"),
        )

    def read(**bounds: object) -> list[int]:
        return [int(event.message) for event in events.of(one.id, **bounds)]  # type: ignore[arg-type]

    assert read() == list(range(10, 30))
    assert read(limit=3) == [27, 28, 29]
    assert read(since=at(12), limit=3) == [12, 13, 14]
    assert read(until=at(12), limit=1) == [11]
    assert read(since=at(12), until=at(14)) == [12, 13]
    assert events.of(one.id, limit=1)[0].level == "error"
    assert [event.message for event in events.of(other.id)] == ["other"]


# -- kill -9 -----------------------------------------------------------------------------------

#: Makes, changes and deletes deployments at random, and says what was acknowledged.
WRITER = """
import os, pathlib, random, sys
from datetime import UTC, datetime
from penstock.domain.catalogue import CatalogueEntry
from penstock.domain.deployment import DeploymentSpec, new_deployment_id
from penstock.store.database import open_database
from penstock.store.deployments import DeploymentStore
place = sys.argv[1]
store = DeploymentStore(open_database(place if "://" in place else pathlib.Path(place)))
alive = []
def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())  # in one piece, or not at all
for number in range(100_000):
    now = datetime.now(UTC)
    what = random.choice(["create", "create", "change", "delete"]) if alive else "create"
    if what == "create":
        spec = DeploymentSpec(id=new_deployment_id(), model=f"m{number}", kind="llm", source="x",
                              created_at=now, updated_at=now)
        say("create", spec.id, 1)
        store.create(spec, entry=CatalogueEntry(name=spec.model, created_at=now))
        alive.append([spec.id, 1])
        say("done", spec.id, 1)
    else:
        chosen = random.choice(alive)
        chosen[1] += 1
        say(what, *chosen)
        if what == "change":
            store.change(chosen[0], stopped=True)
        else:
            store.delete(chosen[0])
            alive.remove(chosen)
        say("done", *chosen)
"""


@pytest.mark.parametrize("lines", [3, 10, 41, 80])
def test_a_kill_among_changes_loses_nothing_and_leaves_nothing_half(
    place: Place, lines: int
) -> None:
    argv = [sys.executable, "-c", WRITER, str(place)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        said = [child.stdout.readline().split() for _ in range(lines)]
        child.kill()
        said += [line.split() for line in child.stdout.read().splitlines()]
    database = open_database(place)
    deployments = DeploymentStore(database)
    found = {spec.id: spec for spec in deployments.all(deleted=True)}
    generations = {id_: int(number) for what, id_, number in said if what == "done"}
    deleted = {id_ for what, id_, _ in said[:-1] if what == "delete"}
    *_, (last, last_id, last_generation) = said
    for id_, generation in generations.items():
        unsure = last != "done" and id_ == last_id
        assert found[id_].generation in (generation, int(last_generation) if unsure else generation)
        assert found[id_].deleted is (id_ in deleted) or unsure
    assert found.keys() - generations.keys() <= {last_id}
    live = {spec.model for spec in found.values() if not spec.deleted}
    assert {known.name for known in CatalogueStore(database).all()} == live
    database.close()
