"""The servers that share the database, as long as they are heard of."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, insert, select, update

from penstock.domain.server import Server
from penstock.store.database import Database
from penstock.store.rows import row_of, struct_of
from penstock.store.tables import SERVERS


class ServerStore:
    """The one writer of servers; control calls it. With a server its replicas are forgotten."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Server]:
        with self._database.reading() as connection:
            return [struct_of(Server, row) for row in connection.execute(select(SERVERS))]

    def enter(self, server: Server, at: datetime, *, gone: Collection[str] = ()) -> None:
        """It serves from now on; those of the ids in `gone` have ended."""
        with self._database.writing() as connection:
            connection.execute(delete(SERVERS).where(SERVERS.c.id.in_(gone)))
            connection.execute(insert(SERVERS).values(**row_of(server, SERVERS), seen_at=at))

    def seen(self, id: str, at: datetime, *, not_since: datetime) -> bool:
        """It still serves. Others that were not heard of since then are forgotten.

        False: it has been forgotten itself.
        """
        with self._database.writing() as connection:
            connection.execute(delete(SERVERS).where(SERVERS.c.seen_at < not_since))
            known = connection.execute(update(SERVERS).where(SERVERS.c.id == id).values(seen_at=at))
            return known.rowcount > 0

    def leave(self, id: str) -> None:
        """It has ended."""
        with self._database.writing() as connection:
            connection.execute(delete(SERVERS).where(SERVERS.c.id == id))
