"""The log of each deployment: what happened to it, for people."""

from datetime import datetime

from sqlalchemy import delete, insert, select

from penstock.domain.deployment import DeploymentEvent
from penstock.store.database import Database
from penstock.store.deployments import is_written_down
from penstock.store.rows import row_of, struct_of
from penstock.store.tables import EVENTS

#: Of each deployment; older ones go.
KEPT_EVENTS = 2_000
LONGEST_MESSAGE = 10_000


class EventStore:
    """The one writer of events; control calls it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, *events: DeploymentEvent) -> None:
        """In this order, in one transaction; a message that is too long is cut.

        Those of unknown deployments are passed over.
        """
        with self._database.writing() as connection:
            ids = {event.deployment_id for event in events}
            known = {id_ for id_ in ids if is_written_down(connection, id_)}
            for event in events:
                if event.deployment_id in known:
                    row = row_of(event, EVENTS) | {"message": event.message[:LONGEST_MESSAGE]}
                    connection.execute(insert(EVENTS).values(row))
            for deployment_id in known:
                of_it = EVENTS.c.deployment_id == deployment_id
                newest = select(EVENTS.c.number).where(of_it).order_by(EVENTS.c.number.desc())
                too_old = newest.offset(KEPT_EVENTS).limit(1).scalar_subquery()
                connection.execute(delete(EVENTS).where(of_it, EVENTS.c.number <= too_old))

    def of(
        self,
        deployment_id: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
    ) -> list[DeploymentEvent]:
        """At most `limit`, in order: the first from `since` on, or else the last before `until`."""
        asked = select(EVENTS).where(EVENTS.c.deployment_id == deployment_id)
        if until is not None:
            asked = asked.where(EVENTS.c.at < until)
        if since is not None:
            asked = asked.where(EVENTS.c.at >= since).order_by(EVENTS.c.number)
        else:
            asked = asked.order_by(EVENTS.c.number.desc())
        with self._database.reading() as connection:
            rows = list(connection.execute(asked.limit(limit)))
        events = [struct_of(DeploymentEvent, row) for row in rows]
        return events if since is not None else events[::-1]
