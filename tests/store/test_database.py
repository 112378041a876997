"""Opening, migrating, watching, and what is left after a kill; on real databases."""

import contextlib
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from postgres import Cluster, NoPostgres, Place, cluster
from sqlalchemy import Connection, create_engine, inspect, make_url, text
from sqlalchemy.engine.interfaces import ReflectedIndex

from penstock.domain.catalogue import CatalogueEntry
from penstock.domain.errors import DatabaseUnavailable
from penstock.domain.key import Key
from penstock.store.catalogue import CatalogueStore
from penstock.store.database import (
    LATEST_REVISION,
    MIGRATIONS,
    CannotOpenDatabase,
    Database,
    NewerDatabase,
    Subject,
    open_database,
)
from penstock.store.home import open_stores
from penstock.store.keys import KeyStore
from penstock.store.tables import METADATA
from penstock.store.watch import Watch

PEPPER = b"p" * 32
#: Reads and writes by itself; what it says it has written has to be there.
WRITER = """
import pathlib, sys
from penstock.store.database import open_database
from penstock.store.keys import KeyStore
place = sys.argv[1]
keys = KeyStore(open_database(place if "://" in place else pathlib.Path(place)), b"p" * 32)
for number in range(100_000):
    keys.create(f"{sys.argv[2]}-{number}")
    print(number, flush=True)
"""


@contextlib.contextmanager
def raw(place: Place) -> Iterator[Connection]:
    """A connection that knows nothing of the store."""
    url = f"sqlite:///{place}" if isinstance(place, Path) else make_url(place)
    if not isinstance(url, str):
        url = url.set(drivername="postgresql+psycopg")
    engine = create_engine(url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def migrate_to(place: Place, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with raw(place) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def index_text(index: ReflectedIndex) -> str:
    where = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return f"{index['name']} {index['unique']} {index['column_names']} {where}"


def contents(place: Place) -> dict[str, Any]:
    """All that a database is made of, and holds."""
    with raw(place) as connection:
        found = inspect(connection)
        tables = {
            table: {
                "columns": {
                    column["name"]: (str(column["type"]), column["nullable"])
                    for column in found.get_columns(table)
                },
                "primary": found.get_pk_constraint(table),
                "foreign": sorted(map(str, found.get_foreign_keys(table))),
                "unique": sorted(map(str, found.get_unique_constraints(table))),
                "indexes": sorted(map(index_text, found.get_indexes(table))),
            }
            for table in found.get_table_names()
        }
        rows = {
            name: connection.execute(text(f"SELECT {columns} FROM {name}")).fetchall()
            for name, columns in (
                ("revisions", "subject, number"),
                ("alembic_version", "*"),
            )
        }
    return {"tables": tables, "rows": rows}


def test_a_new_database_is_one_that_has_been_upgraded(tmp_path: Path) -> None:
    same_for_both(tmp_path / "migrated.db", tmp_path / "new.db")


def test_a_new_postgresql_database_is_one_that_has_been_upgraded(postgresql: Cluster) -> None:
    same_for_both(postgresql.database(), postgresql.database())


def same_for_both(migrated: Place, new: Place) -> None:
    migrate_to(migrated, "head")
    open_database(new).close()
    assert contents(new) == contents(migrated)
    assert contents(new)["tables"].keys() == METADATA.tables.keys()


def test_the_latest_revision_is_the_one_that_is_named() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == LATEST_REVISION


def test_an_upgrade_keeps_what_there_was(place: Place) -> None:
    migrate_to(place, "0001")
    with raw(place) as connection:
        connection.execute(
            text("INSERT INTO accounts VALUES ('a', 'default', '2026-11-01 10:00:00')")
        )
        connection.execute(
            text(
                "INSERT INTO keys (id, account_id, name, digest, hint, created_at)"
                " VALUES ('k', 'a', 'laptop', :digest, '…abcd', '2026-11-01 10:00:00')"
            ),
            {"digest": b"d" * 32},
        )
    database = open_database(place)
    (key,) = KeyStore(database, PEPPER).all()
    assert isinstance(key, Key)
    assert (key.name, key.account, key.digest) == ("laptop", "default", b"d" * 32)
    database.close()


def test_a_file_is_copied_before_it_is_upgraded(tmp_path: Path) -> None:
    path = tmp_path / "penstock.db"
    migrate_to(path, "0001")
    with raw(path) as connection:
        connection.execute(text("INSERT INTO accounts VALUES ('a', 'mine', '2026-11-01')"))
    open_database(path).close()
    copy = tmp_path / "penstock-0001.db"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [
            ("0001",)
        ]
        assert connection.execute("SELECT name FROM accounts").fetchall() == [("mine",)]
    before = {file.name for file in tmp_path.iterdir()}
    open_database(path).close()
    assert {file.name for file in tmp_path.iterdir()} == before


def test_an_upgrade_that_cannot_copy_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "penstock.db"
    migrate_to(path, "0001")
    (tmp_path / "penstock-0001.new").mkdir()
    with pytest.raises(OSError):
        open_database(path)
    with raw(path) as connection:
        assert inspect(connection).get_table_names() == ["accounts", "alembic_version", "keys"]


def test_servers_that_start_at_once_migrate_once(place: Place) -> None:
    failures: list[BaseException] = []
    ready = threading.Barrier(4)

    def start() -> None:
        ready.wait()
        try:
            open_database(place).close()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_new_file_is_waited_for_while_another_sets_it_up(tmp_path: Path) -> None:
    """What SQLite does not do by itself for the switch to its write-ahead log."""
    path = tmp_path / "penstock.db"
    with contextlib.closing(
        sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    ) as other:
        other.execute("BEGIN IMMEDIATE")
        lets_go = threading.Timer(0.3, other.execute, ["ROLLBACK"])
        lets_go.start()
        open_database(path).close()
        lets_go.join()


def test_a_database_of_a_newer_penstock_is_refused_with_a_sentence(place: Place) -> None:
    open_database(place).close()
    with raw(place) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerDatabase, match="Upgrade Penstock"):
        open_database(place)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://me:hush@127.0.0.1:1/x", "Cannot use the database postgresql"),
        ("postgresql://me:hush@[::1/x", "no URL of a database"),
    ],
)
def test_a_database_that_cannot_be_reached_is_told_without_the_password(
    tmp_path: Path, url: str, sentence: str
) -> None:
    with pytest.raises(CannotOpenDatabase, match=sentence) as told:
        open_stores(tmp_path, url)
    assert "hush" not in str(told.value)


def test_a_server_of_databases_may_be_restarted(postgresql: Cluster) -> None:
    database = open_database(postgresql.database())
    keys = KeyStore(database, PEPPER)
    keys.create("laptop")
    others = "pid <> pg_backend_pid() AND backend_type = 'client backend'"
    postgresql.psql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
    assert [key.name for key in keys.all()] == ["laptop"]
    database.close()


def test_a_database_that_is_away_is_told_in_words() -> None:
    with contextlib.ExitStack() as running:
        try:
            place = running.enter_context(cluster()).database()
        except NoPostgres as reason:
            pytest.skip(f"NOT TESTED ON POSTGRESQL: {reason}")
        database = open_database(place)
        watch = Watch(database)
        running.close()
        for ask in (KeyStore(database, PEPPER).all, watch.changed):
            with pytest.raises(DatabaseUnavailable, match="cannot be used just now"):
                ask()
        with pytest.raises(DatabaseUnavailable):
            KeyStore(database, PEPPER).create("laptop")
        database.close()


def test_a_database_that_is_read_only_for_a_while_is_told_in_words(postgresql: Cluster) -> None:
    place = postgresql.database()
    name = make_url(place).database
    database = open_database(place)
    keys = KeyStore(database, PEPPER)
    keys.create("before")
    postgresql.psql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    postgresql.psql(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    )
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable, match="read-only"):
            keys.create("while")
    assert [key.name for key in keys.all()] == ["before"]
    with pytest.raises(DatabaseUnavailable, match="read-only"):
        keys.create("while")
    postgresql.psql(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    keys.create("after")
    assert [key.name for key in keys.all()] == ["before", "after"]
    database.close()


def test_a_full_disk_is_told_in_words_and_nothing_is_half_written(tmp_path: Path) -> None:
    database = open_database(tmp_path / "penstock.db")
    catalogue = CatalogueStore(database)
    with database.reading() as connection:
        (pages,) = connection.exec_driver_sql("PRAGMA page_count").one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 1}")
    big = CatalogueEntry(name="big", created_at=datetime.now(UTC), description="x" * 1_000_000)
    with pytest.raises(DatabaseUnavailable, match="full"):
        catalogue.add(big)
    assert catalogue.all() == []
    with database.reading() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 100000")
    catalogue.add(big)
    assert catalogue.all() == [big]
    database.close()


# -- watching ----------------------------------------------------------------------------------


def test_the_watch_sees_what_others_write(database: Database, place: Place) -> None:
    watch = Watch(database)
    assert watch.changed() == frozenset()
    other = open_database(place)
    KeyStore(other, PEPPER).create("laptop")
    assert watch.changed() == {Subject.KEYS}
    assert watch.changed() == frozenset()
    other.close()


def test_what_fails_is_no_news(database: Database) -> None:
    watch = Watch(database)
    with pytest.raises(ZeroDivisionError), database.writing(Subject.KEYS):
        _ = 1 / 0
    assert watch.changed() == frozenset()


def test_readers_do_not_wait_for_a_writer(database: Database) -> None:
    keys = KeyStore(database, PEPPER)
    keys.create("laptop")
    with database.writing(Subject.KEYS):
        assert [key.name for key in keys.all()] == ["laptop"]


# -- kill -9 -----------------------------------------------------------------------------------


@pytest.mark.parametrize("acknowledged", [1, 7, 30])
def test_what_was_acknowledged_survives_a_kill(
    place: Place, acknowledged: int, writer: Callable[[str], "subprocess.Popen[str]"]
) -> None:
    child = writer("only")
    assert child.stdout is not None
    for _ in range(acknowledged):
        said = child.stdout.readline()
    child.kill()
    said = (child.stdout.read().splitlines() or [said])[-1]
    child.wait()
    database = open_database(place)
    names = {key.name for key in KeyStore(database, PEPPER).all()}
    # One more may have been written and not said.
    assert names - {f"only-{int(said) + 1}"} == {f"only-{n}" for n in range(int(said) + 1)}
    database.close()


def test_processes_write_at_once_and_one_is_killed(
    place: Place, writer: Callable[[str], "subprocess.Popen[str]"]
) -> None:
    open_database(place).close()
    children = {name: writer(name) for name in ("left", "right")}
    for child in children.values():
        assert child.stdout is not None
        child.stdout.readline()
    children["left"].kill()
    right = children["right"].stdout
    assert right is not None
    last = [right.readline() for _ in range(10)][-1]
    children["right"].kill()
    database = open_database(place)
    names = {key.name for key in KeyStore(database, PEPPER).all()}
    assert {"left-0", *(f"right-{n}" for n in range(int(last) + 1))} <= names
    database.close()


@pytest.fixture
def writer(place: Place) -> Iterator[Callable[[str], "subprocess.Popen[str]"]]:
    """`writer(NAME)`: a process that writes keys NAME-0, NAME-1, … until it is killed."""
    with contextlib.ExitStack() as stack:

        def start(name: str) -> "subprocess.Popen[str]":
            argv = [sys.executable, "-c", WRITER, str(place), name]
            child = stack.enter_context(subprocess.Popen(argv, stdout=subprocess.PIPE, text=True))
            stack.callback(child.kill)
            return child

        yield start
