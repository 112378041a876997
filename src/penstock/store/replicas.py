"""Replicas that run, or ran when something was last heard of them."""

from sqlalchemy import delete, insert, select

from penstock.domain.replica import ReplicaRecord, ReplicaState
from penstock.store.database import Database
from penstock.store.rows import row_of, struct_of
from penstock.store.tables import REPLICAS


class ReplicaStore:
    """The one writer of replicas; control calls it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[ReplicaRecord]:
        """The oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(select(REPLICAS).order_by(REPLICAS.c.started_at))
            return [struct_of(ReplicaRecord, row, state=ReplicaState(row.state)) for row in rows]

    def put(self, replica: ReplicaRecord) -> None:
        """In the place of what was known before."""
        with self._database.writing() as connection:
            connection.execute(delete(REPLICAS).where(REPLICAS.c.id == replica.id))
            connection.execute(insert(REPLICAS).values(row_of(replica, REPLICAS)))

    def forget(self, id: str) -> None:
        """It has ended."""
        with self._database.writing() as connection:
            connection.execute(delete(REPLICAS).where(REPLICAS.c.id == id))
