"""Models, their versions, aliases and prices."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.engine import Connection

from penstock.domain.catalogue import CatalogueEntry
from penstock.domain.errors import Conflict, NotFound
from penstock.domain.model import Capabilities
from penstock.domain.price import Price
from penstock.domain.version import Version
from penstock.store.database import Database, Subject
from penstock.store.rows import row_of, struct_of
from penstock.store.tables import ADAPTERS, ALIASES, MODELS, PRICES, VERSIONS

WITHDRAWN = MODELS.c.withdrawn_at.is_not(None)


class CatalogueStore:
    """The one writer of what the catalogue knows.

    A name means one model, be it its own or an alias. A model that was declared and no longer is
    gets withdrawn: only `declared` shows it, others may take its names, and what was said of it is
    there when it is declared again.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[CatalogueEntry]:
        """Every model, by name."""
        with self._database.reading() as connection:
            return _entries(connection)

    def get(self, name: str) -> CatalogueEntry | None:
        """The model of this very name; aliases are not looked at."""
        with self._database.reading() as connection:
            return next(iter(_entries(connection, name)), None)

    def versions(self, model: str | None = None) -> list[Version]:
        """Those of a model, or of all, also withdrawn ones; the newest first."""
        asked = select(VERSIONS)
        if model is not None:
            asked = asked.where(VERSIONS.c.model == model)
        with self._database.reading() as connection:
            rows = connection.execute(asked.order_by(VERSIONS.c.created_at.desc()))
            return [_version(row) for row in rows]

    def add(self, entry: CatalogueEntry) -> None:
        """A new model, with its aliases and prices. Raises Conflict when a name is taken."""
        with self._database.writing(Subject.CATALOGUE) as connection:
            add_model(connection, entry)

    def change(self, name: str, **fields: Any) -> CatalogueEntry:
        """The model with new values of some of its fields. Raises NotFound, Conflict."""
        with self._database.writing(Subject.CATALOGUE) as connection:
            entry = msgspec.structs.replace(_entry(connection, name), **fields)
            _replace(connection, entry)
        return entry

    def deprecate(self, name: str, *, replaced_by: str | None, at: datetime | None = None) -> None:
        """From `at` on (None: now) calls go to `replaced_by`. Raises NotFound, Conflict."""
        with self._database.writing(Subject.CATALOGUE) as connection:
            entry = _entry(connection, name)
            heir = replaced_by
            while heir is not None:
                if heir == name:
                    raise Conflict(f"{name!r} would be replaced by itself in the end.")
                heir = _entry(connection, heir).replaced_by
            at = at or datetime.now(UTC)
            _replace(
                connection,
                msgspec.structs.replace(entry, deprecated_at=at, replaced_by=replaced_by),
            )

    def release(self, version: Version) -> None:
        """From now on the bare name of its model means `version`. Raises NotFound."""
        with self._database.writing(Subject.CATALOGUE) as connection:
            release_version(connection, version)

    def learn(self, model: str, version_id: str, capabilities: Capabilities) -> None:
        """What the version turned out to be able to do; an unknown version is passed over."""
        with self._database.writing(Subject.CATALOGUE) as connection:
            connection.execute(
                update(VERSIONS)
                .where(VERSIONS.c.model == model, VERSIONS.c.id == version_id)
                .values(capabilities=msgspec.to_builtins(capabilities))
            )

    def remove(self, name: str) -> None:
        """The model, with its versions, aliases and prices. Raises NotFound, Conflict."""
        with self._database.writing(Subject.CATALOGUE) as connection:
            _entry(connection, name)
            remove_model(connection, name)

    def declared(self) -> dict[str, CatalogueEntry]:
        """The operator's models by name, with those withdrawn."""
        with self._database.reading() as connection:
            return {entry.name: entry for entry in _entries(connection, operators=True)}

    def declare(self, entries: Sequence[CatalogueEntry], versions: Sequence[Version]) -> None:
        """The operator's models are `entries`, each at its version of `versions`, and no others.

        Raises Conflict when a name is taken.
        """
        with self._database.writing(Subject.CATALOGUE) as connection:
            known = {entry.name: entry for entry in _entries(connection, operators=True)}
            withdrawn = set(connection.execute(select(MODELS.c.name).where(WITHDRAWN)).scalars())
            gone = known.keys() - withdrawn - {entry.name for entry in entries}
            changed = [e for e in entries if e != known.get(e.name) or e.name in withdrawn]
            connection.execute(
                update(MODELS).where(MODELS.c.name.in_(gone)).values(withdrawn_at=datetime.now(UTC))
            )
            # All let go of their aliases before any takes one: it may be another's.
            let_go = [entry.name for entry in changed]
            connection.execute(delete(ALIASES).where(ALIASES.c.model.in_(let_go)))
            for entry in changed:
                if entry.name not in known:
                    add_model(connection, entry)
                else:
                    _replace(connection, entry)
            for version in versions:
                release_version(connection, version)


# -- the statements, for transactions that write of more than the catalogue ----------------------


def add_model(connection: Connection, entry: CatalogueEntry) -> None:
    """Raises Conflict. It may take the name of one that is withdrawn, which is then forgotten."""
    same_name = select(MODELS.c.name).where(MODELS.c.name == entry.name, WITHDRAWN)
    if connection.execute(same_name).first() is not None:
        remove_model(connection, entry.name)
    _check_names(connection, "", [entry.name, *entry.aliases])
    connection.execute(insert(MODELS).values(row_of(entry, MODELS)))
    _put_aliases_and_prices(connection, entry)


def remove_model(connection: Connection, name: str) -> None:
    """Raises Conflict while adapters need it. What it replaced has no successor then."""
    adapters = connection.execute(select(ADAPTERS.c.name).where(ADAPTERS.c.base == name))
    if names := adapters.scalars().all():
        raise Conflict(f"{name!r} is the base of {', '.join(names)}. Delete the adapters first.")
    replaced = update(MODELS).where(MODELS.c.replaced_by == name)
    connection.execute(replaced.values(replaced_by=None))
    connection.execute(delete(MODELS).where(MODELS.c.name == name))


def release_version(connection: Connection, version: Version) -> None:
    """Keeps `version`, if it is new, and makes it the current one. Raises NotFound."""
    current = connection.execute(
        select(MODELS.c.current_version).where(MODELS.c.name == version.model)
    ).one_or_none()
    if current is None:
        raise NotFound(f"There is no model called {version.model!r}.")
    if current.current_version == version.id:
        return
    kept = select(VERSIONS.c.id).where(
        VERSIONS.c.model == version.model, VERSIONS.c.id == version.id
    )
    if connection.execute(kept).first() is None:
        capabilities = msgspec.to_builtins(version.capabilities)
        row = row_of(version, VERSIONS) | {"capabilities": capabilities}
        connection.execute(insert(VERSIONS).values(row))
    _update(connection, version.model, {"current_version": version.id})


def _entries(
    connection: Connection, name: str | None = None, *, operators: bool = False
) -> list[CatalogueEntry]:
    """By name: those that can be called, or all that the operator ever declared."""
    which = MODELS.c.account_id.is_(None) if operators else ~WITHDRAWN
    models = select(MODELS).where(which).order_by(MODELS.c.name)
    aliases, prices = select(ALIASES).order_by(ALIASES.c.alias), select(PRICES)
    if name is not None:
        models = models.where(MODELS.c.name == name)
        aliases = aliases.where(ALIASES.c.model == name)
        prices = prices.where(PRICES.c.model == name)
    aliases_of: dict[str, list[str]] = defaultdict(list)
    for row in connection.execute(aliases):
        aliases_of[row.model].append(row.alias)
    prices_of: dict[str, list[Price]] = defaultdict(list)
    for row in connection.execute(prices.order_by(PRICES.c.unit)):
        prices_of[row.model].append(struct_of(Price, row))
    return [
        struct_of(
            CatalogueEntry,
            row,
            tags=tuple(row.tags),
            aliases=tuple(aliases_of[row.name]),
            prices=tuple(prices_of[row.name]),
        )
        for row in connection.execute(models)
    ]


def _version(row: Row[Any]) -> Version:
    capabilities = msgspec.convert(row.capabilities, Capabilities | None)
    return struct_of(Version, row, capabilities=capabilities)


def _entry(connection: Connection, name: str) -> CatalogueEntry:
    for entry in _entries(connection, name):
        return entry
    raise NotFound(f"There is no model called {name!r}.")


def _replace(connection: Connection, entry: CatalogueEntry) -> None:
    """All that is known of a model, which is not withdrawn any more. Raises Conflict."""
    _check_names(connection, entry.name, [entry.name, *entry.aliases])
    _update(connection, entry.name, row_of(entry, MODELS) | {"withdrawn_at": None})
    connection.execute(delete(ALIASES).where(ALIASES.c.model == entry.name))
    connection.execute(delete(PRICES).where(PRICES.c.model == entry.name))
    _put_aliases_and_prices(connection, entry)


def _update(connection: Connection, name: str, values: dict[str, Any]) -> None:
    connection.execute(update(MODELS).where(MODELS.c.name == name).values(values))


def _put_aliases_and_prices(connection: Connection, entry: CatalogueEntry) -> None:
    # Whoever has them still is withdrawn.
    connection.execute(delete(ALIASES).where(ALIASES.c.alias.in_(entry.aliases)))
    aliases = [{"alias": alias, "model": entry.name} for alias in entry.aliases]
    prices = [{"model": entry.name, **row_of(price, PRICES)} for price in entry.prices]
    if aliases:
        connection.execute(insert(ALIASES), aliases)
    if prices:
        connection.execute(insert(PRICES), prices)


def _check_names(connection: Connection, owner: str, names: Iterable[str]) -> None:
    """Raises Conflict when one of `names` means another model than `owner`, or is there twice.

    `owner` "": the model is not there yet.
    """
    names = list(names)
    models = connection.execute(
        select(MODELS.c.name).where(MODELS.c.name.in_(names), MODELS.c.name != owner, ~WITHDRAWN)
    )
    aliases = connection.execute(
        select(ALIASES.c.alias)
        .join(MODELS)
        .where(ALIASES.c.alias.in_(names), ALIASES.c.model != owner, ~WITHDRAWN)
    )
    taken = [*models.scalars(), *aliases.scalars(), *(n for n in names if names.count(n) > 1)]
    if taken:
        raise Conflict(f"There is a model called {taken[0]!r} already.")
