"""What models did in past hours, by each of the servers that counted it."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import delete, insert, select

from penstock.domain.statistics import HOUR_S, Figures
from penstock.store.database import Database
from penstock.store.tables import STATISTICS

KEPT_S = 32 * 24 * HOUR_S
KEY = ("server", "model", "operation", "hour")


class StatisticsStore:
    """The one writer of statistics; control calls it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, server: str, figures: Sequence[Figures]) -> None:
        """What `server` (one process, by any name of its own) has counted in an hour until now.

        In the place of what it had put for the same hour. What is older than a month goes.
        """
        with self._database.writing() as connection:
            for each in figures:
                row = _row(server, each)
                same = [STATISTICS.c[name] == row[name] for name in KEY]
                connection.execute(delete(STATISTICS).where(*same))
                connection.execute(insert(STATISTICS).values(row))
            newest_s = max((each.at_s for each in figures), default=0.0)
            connection.execute(delete(STATISTICS).where(STATISTICS.c.at_s < newest_s - KEPT_S))

    def between(self, model: str, since_s: float, until_s: float, *, but: str) -> list[Figures]:
        """What all servers but one have counted of a model, of hours that were noted in a range."""
        asked = select(STATISTICS).where(
            STATISTICS.c.model == model,
            STATISTICS.c.server != but,
            STATISTICS.c.at_s > since_s,
            STATISTICS.c.at_s <= until_s,
        )
        with self._database.reading() as connection:
            rows = connection.execute(asked)
            return [msgspec.json.decode(row.figures, type=Figures) for row in rows]


def _row(server: str, figures: Figures) -> dict[str, Any]:
    return {
        "server": server,
        "model": figures.model,
        "operation": figures.operation,
        "hour": figures.hour,
        "at_s": figures.at_s,
        "figures": msgspec.json.encode(figures).decode(),
    }
