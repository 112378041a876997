"""LoRA adapters. Each is a model too, of the catalogue; it is made and removed there with it."""

from collections.abc import Sequence

from sqlalchemy import delete, insert, select
from sqlalchemy.engine import Connection

from penstock.domain.adapter import Adapter
from penstock.domain.catalogue import CatalogueEntry
from penstock.domain.errors import NotFound
from penstock.store.catalogue import add_model
from penstock.store.database import Database, Subject
from penstock.store.rows import row_of, struct_of
from penstock.store.tables import ADAPTERS, MODELS


class AdapterStore:
    """The one writer of adapters. They go with their model: `CatalogueStore.remove`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Adapter]:
        """By name."""
        with self._database.reading() as connection:
            rows = connection.execute(select(ADAPTERS).order_by(ADAPTERS.c.name))
            return [struct_of(Adapter, row) for row in rows]

    def of_base(self, base: str) -> list[Adapter]:
        """Those that change the model `base`, by name."""
        return [adapter for adapter in self.all() if adapter.base == base]

    def add(self, adapter: Adapter, entry: CatalogueEntry) -> None:
        """A new adapter, and the model that it is. Raises NotFound, Conflict."""
        with self._database.writing(Subject.CATALOGUE) as connection:
            add_adapter(connection, adapter, entry)

    def declare(self, adapters: Sequence[Adapter], *, bases: Sequence[str]) -> None:
        """The operator's of these bases are `adapters`, and no others.

        Their models and bases are there. What another server has declared of other bases stays.
        """
        with self._database.writing(Subject.CATALOGUE) as connection:
            operators = select(ADAPTERS).where(
                ADAPTERS.c.account_id.is_(None), ADAPTERS.c.base.in_(bases)
            )
            known = {row.name: struct_of(Adapter, row) for row in connection.execute(operators)}
            wanted = {adapter.name: adapter for adapter in adapters}
            for name, adapter in known.items():
                if name in wanted and _same(adapter, wanted[name]):
                    del wanted[name]
                else:
                    connection.execute(delete(ADAPTERS).where(ADAPTERS.c.name == name))
            for adapter in wanted.values():
                # It may have been declared of another base before.
                connection.execute(delete(ADAPTERS).where(ADAPTERS.c.name == adapter.name))
                connection.execute(insert(ADAPTERS).values(row_of(adapter, ADAPTERS)))


def _same(one: Adapter, other: Adapter) -> bool:
    return (one.base, one.source, one.digest) == (other.base, other.source, other.digest)


def add_adapter(connection: Connection, adapter: Adapter, entry: CatalogueEntry) -> None:
    """Raises NotFound for an unknown base, Conflict for a name that is taken."""
    base = select(MODELS.c.name).where(
        MODELS.c.name == adapter.base, MODELS.c.withdrawn_at.is_(None)
    )
    if connection.execute(base).first() is None:
        raise NotFound(f"There is no model called {adapter.base!r} to be changed by an adapter.")
    add_model(connection, entry)
    connection.execute(insert(ADAPTERS).values(row_of(adapter, ADAPTERS)))
