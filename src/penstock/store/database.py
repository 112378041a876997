"""The database: SQLite beside the server, or PostgreSQL. Open, migrate, read, write."""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, insert, make_url, update
from sqlalchemy.engine import Connection, ExceptionContext
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from penstock.config.settings import without_password
from penstock.domain.errors import DatabaseUnavailable
from penstock.store.tables import ALEMBIC_VERSION, METADATA, REVISIONS

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_MS = 10_000
CONNECT_TIMEOUT_S = 10
#: The newest file in `migrations/versions`; a database that has it needs no look at the others.
LATEST_REVISION = "0005"
#: What says that a database cannot be used; InternalError: that it is read-only, among others.
UNUSABLE = (OperationalError, InterfaceError, InternalError)
#: PostgreSQL's code of a statement that writes where nothing may be written.
READ_ONLY = "25006"
#: Names the lock under which a PostgreSQL database is migrated: "penstock", as a number.
MIGRATION_LOCK = 0x70656E73746F636B


class CannotOpenDatabase(Exception):
    """The database cannot be used; the text is a sentence for a person, without a password."""


class NewerDatabase(CannotOpenDatabase):
    """The database was written by a newer Penstock than this one."""


class Subject(StrEnum):
    """What is kept in memory too, and has to be read again when it was written."""

    KEYS = "keys"
    CATALOGUE = "catalogue"
    DEPLOYMENTS = "deployments"


class Database:
    """Connections for reading and writing. All of it blocks: call it in a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(reading=True)
        # SQLite lets waiting writers starve one another; a lock serves them all.
        self._turn = threading.Lock() if engine.dialect.name == "sqlite" else None

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view. Raises DatabaseUnavailable."""
        with _in_words(), self._reader.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self, *subjects: Subject) -> Iterator[Connection]:
        """A transaction: when the block ends, all of it is on the disk; when it raises, nothing.

        Those who write of the same subject take turns, whatever process they are in, so that what
        one reads holds until it has written. No subject: observations, which have one writer.
        Raises DatabaseUnavailable.
        """
        turn = self._turn or contextlib.nullcontext()
        with _in_words(), turn, self._engine.begin() as connection:
            for subject in sorted(subjects):  # in one order, so that nobody waits in a circle
                connection.execute(
                    update(REVISIONS)
                    .where(REVISIONS.c.subject == subject)
                    .values(number=REVISIONS.c.number + 1)
                )
            yield connection

    def close(self) -> None:
        self._engine.dispose()


@contextlib.contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except (*UNUSABLE, PoolTimeout) as error:
        why = _first_line(error)
        raise DatabaseUnavailable(f"The database cannot be used just now: {why}") from error


def open_database(place: Path | str) -> Database:
    """SQLite at the path `place`, or PostgreSQL at the URL; migrated to what this program knows.

    Before a SQLite file is migrated it is copied to a file beside it, named after its schema.
    Raises CannotOpenDatabase, NewerDatabase, OSError.
    """
    engine = _sqlite(place) if isinstance(place, Path) else _postgresql(place)
    try:
        _migrate(engine)
    except BaseException as error:
        engine.dispose()
        if not isinstance(error, UNUSABLE):
            raise
        raise CannotOpenDatabase(
            f"Cannot use the database {_place(engine)}: {_first_line(error)}"
        ) from None
    if isinstance(place, Path):
        place.chmod(0o600)
    return Database(engine)


def _sqlite(path: Path) -> Engine:
    engine = create_engine(URL.create("sqlite", database=str(path)))
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _postgresql(url: str) -> Engine:
    try:
        parsed = make_url(url).set(drivername="postgresql+psycopg")
        engine = create_engine(
            parsed,
            pool_pre_ping=True,  # a server that was started again has dropped our connections
            connect_args={"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "penstock"},
        )
    except (ArgumentError, ValueError):
        raise CannotOpenDatabase(
            "database_url is no URL of a database. Write postgresql://USER@HOST/NAME."
        ) from None
    except ModuleNotFoundError:
        raise CannotOpenDatabase(
            "database_url needs a package that is not installed: pip install 'penstock[postgres]'"
        ) from None
    event.listen(engine, "handle_error", _leave_read_only)
    event.listen(engine, "before_cursor_execute", _replace_nul, retval=True)
    return engine


def _leave_read_only(context: ExceptionContext) -> None:
    """A connection that began while its server was read-only stays so: the next one is new."""
    if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True


def _replace_nul(
    _connection: Connection, _cursor: Any, statement: str, values: Any, _context: Any, many: bool
) -> tuple[str, Any]:
    """PostgreSQL refuses a text with NUL in it, which a request's or an engine's may have."""
    if not values:
        return statement, values
    if many:
        return statement, [_without_nul(row) for row in values]
    return statement, _without_nul(values)


def _without_nul(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.replace("\0", "\ufffd") if isinstance(value, str) else value
        for name, value in row.items()
    }


def _set_up(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are ours: see _begin
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    _write_ahead(cursor)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    """For this one lock SQLite does not wait: several that open a new file at once would fail."""
    give_up = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
        time.sleep(0.01)


def _begin(connection: Connection) -> None:
    """A writer takes the lock at once: a transaction that upgrades later can only fail."""
    reading = connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


# -- migration ---------------------------------------------------------------------------------


def _migrate(engine: Engine) -> None:
    with engine.execution_options(reading=True).begin() as connection:
        if _current_revision(connection) == LATEST_REVISION:
            return
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # Two servers may start at the same moment. SQLite's own lock is taken already.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
        current = _current_revision(connection)
        if current == LATEST_REVISION:
            return
        if current is None:
            _create(connection)
            return
        # Alembic takes a third of a start, and is needed once an upgrade.
        from alembic import command
        from alembic.config import Config
        from alembic.script import ScriptDirectory

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        scripts = ScriptDirectory.from_config(config)
        if current not in {s.revision for s in scripts.walk_revisions()}:
            raise NewerDatabase(
                f"{_place(engine)} was written by a newer Penstock (its schema is {current!r}). "
                "Upgrade Penstock, or give another PENSTOCK_HOME or database_url."
            )
        if engine.dialect.name == "sqlite":
            _back_up(Path(str(engine.url.database)), current)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _create(connection: Connection) -> None:
    """A new database, as all migrations together would make it."""
    METADATA.create_all(connection, checkfirst=False)
    connection.execute(insert(REVISIONS), [{"subject": s, "number": 0} for s in Subject])
    connection.execute(insert(ALEMBIC_VERSION).values(version_num=LATEST_REVISION))


def _back_up(path: Path, revision: str) -> None:
    """Copy the database as it is to `NAME-REVISION.db` beside it, whole or not at all."""
    copy = path.with_name(f"{path.stem}-{revision}{path.suffix}")
    new = copy.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    with (
        contextlib.closing(sqlite3.connect(path)) as source,
        contextlib.closing(sqlite3.connect(new)) as target,
    ):
        source.backup(target)
    new.replace(copy)


def _current_revision(connection: Connection) -> str | None:
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    row = connection.exec_driver_sql("SELECT version_num FROM alembic_version").first()
    return str(row[0]) if row else None


def _place(engine: Engine) -> str:
    """The file, or the URL without its password."""
    url = engine.url
    if engine.dialect.name == "sqlite":
        return str(url.database)
    return without_password(url.render_as_string())


def _first_line(error: SQLAlchemyError) -> str:
    said = error.orig if isinstance(error, DBAPIError) else error
    return (str(said).strip() or "it does not answer").splitlines()[0]
