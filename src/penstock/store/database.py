"""The database: open, migrate, and the ways of SQLite."""

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import Connection

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_MS = 10_000
#: The newest file in `migrations/versions`; a database that has it needs no look at the others.
LATEST_REVISION = "0001"


class NewerDatabase(Exception):
    """The database was written by a newer Penstock than this one."""


def open_database(path: Path) -> Engine:
    """SQLite in WAL mode at `path`, migrated to what this program knows.

    Raises NewerDatabase.
    """
    engine = create_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin_immediate)
    _migrate(engine)
    path.chmod(0o600)
    return engine


def _set_up(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are ours: see _begin_immediate
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock at once: a transaction that upgrades later can only fail."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _migrate(engine: Engine) -> None:
    with engine.begin() as connection:
        current = _current_revision(connection)
        if current == LATEST_REVISION:
            return
        # Alembic takes a third of a start, and is needed once an upgrade.
        from alembic import command
        from alembic.config import Config
        from alembic.script import ScriptDirectory

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        scripts = ScriptDirectory.from_config(config)
        if current is not None and current not in {s.revision for s in scripts.walk_revisions()}:
            raise NewerDatabase(
                f"{engine.url.database} was written by a newer Penstock (its schema is "
                f"{current!r}). Upgrade Penstock, or give another PENSTOCK_HOME."
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _current_revision(connection: Connection) -> str | None:
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    row = connection.exec_driver_sql("SELECT version_num FROM alembic_version").first()
    return str(row[0]) if row else None
