"""How far deployments have come, as it is observed."""

from sqlalchemy import delete, insert, select

from penstock.domain.deployment import DeploymentProgress, DeploymentStatus
from penstock.store.database import Database
from penstock.store.deployments import is_written_down
from penstock.store.rows import row_of, struct_of
from penstock.store.tables import PROGRESS


class ProgressStore:
    """The one writer of progress; control calls it, and nobody watches it here."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> dict[str, DeploymentProgress]:
        """By deployment; one that was never looked at has none."""
        with self._database.reading() as connection:
            return {
                row.deployment_id: struct_of(
                    DeploymentProgress, row, status=DeploymentStatus(row.status)
                )
                for row in connection.execute(select(PROGRESS))
            }

    def put(self, deployment_id: str, progress: DeploymentProgress) -> None:
        """In the place of what was known before; an unknown deployment is passed over."""
        row = {"deployment_id": deployment_id, **row_of(progress, PROGRESS)}
        with self._database.writing() as connection:
            connection.execute(delete(PROGRESS).where(PROGRESS.c.deployment_id == deployment_id))
            if is_written_down(connection, deployment_id):
                connection.execute(insert(PROGRESS).values(row))
