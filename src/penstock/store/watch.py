"""Notices what other processes write."""

from sqlalchemy import select

from penstock.store.database import Database, Subject
from penstock.store.tables import REVISIONS


class Watch:
    """Tells which subjects were written since the last question, by whomever."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._numbers = self._read()

    def changed(self) -> frozenset[Subject]:
        before, self._numbers = self._numbers, self._read()
        return frozenset(
            subject for subject in Subject if before[subject] != self._numbers[subject]
        )

    def _read(self) -> dict[str, int]:
        with self._database.reading() as connection:
            rows = connection.execute(select(REVISIONS.c.subject, REVISIONS.c.number))
            return {subject: number for subject, number in rows}
