"""The replicas that run, on each of the servers that share the database."""

from collections.abc import Sequence

from sqlalchemy import delete, insert, select

from penstock.domain.replica import ReplicaRecord, ReplicaState
from penstock.store.database import Database
from penstock.store.deployments import is_written_down
from penstock.store.rows import row_of, struct_of
from penstock.store.tables import REPLICAS, SERVERS


class ReplicaStore:
    """The one writer of replicas; control calls it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, deployment_id: str) -> list[tuple[str, ReplicaRecord]]:
        """Each with the host that it runs on; the oldest first."""
        asked = (
            select(SERVERS.c.host, REPLICAS)
            .join(SERVERS)
            .where(REPLICAS.c.deployment_id == deployment_id)
            .order_by(REPLICAS.c.started_at)
        )
        with self._database.reading() as connection:
            return [
                (row.host, struct_of(ReplicaRecord, row, state=ReplicaState(row.state)))
                for row in connection.execute(asked)
            ]

    def put(self, server_id: str, deployment_id: str, replicas: Sequence[ReplicaRecord]) -> None:
        """All that the server has of the deployment, in the place of what was known before.

        Those of an unknown deployment are passed over.
        """
        with self._database.writing() as connection:
            connection.execute(
                delete(REPLICAS).where(
                    REPLICAS.c.server_id == server_id, REPLICAS.c.deployment_id == deployment_id
                )
            )
            if not is_written_down(connection, deployment_id):
                return
            for replica in replicas:
                row = {**row_of(replica, REPLICAS), "server_id": server_id}
                connection.execute(insert(REPLICAS).values(row))
