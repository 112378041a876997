"""Deployments: what is desired."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.engine import Connection

from penstock.domain.adapter import Adapter
from penstock.domain.catalogue import CatalogueEntry
from penstock.domain.deployment import DeploymentSpec, Scale
from penstock.domain.errors import Conflict, NotFound
from penstock.domain.version import Version
from penstock.store.adapters import add_adapter
from penstock.store.catalogue import add_model, release_version, remove_model
from penstock.store.database import Database, Subject
from penstock.store.rows import row_of, struct_of
from penstock.store.tables import DEPLOYMENTS

#: What a declaration says of a deployment. What else there is was said of it since, and stays.
DECLARED_FIELDS = ("source", "settings", "version_id", "scale", "pinned", "idle_stop_s")
#: Of these, what settings say. They hold until others say something else.
BY_SETTINGS = ("scale", "pinned", "idle_stop_s")


class DeploymentStore:
    """The one writer of what shall run. A name has one deployment, beside those deleted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, *, deleted: bool = False) -> list[DeploymentSpec]:
        """The oldest first; with `deleted`, those too that have been deleted."""
        asked = select(DEPLOYMENTS).order_by(DEPLOYMENTS.c.created_at, DEPLOYMENTS.c.id)
        if not deleted:
            asked = asked.where(DEPLOYMENTS.c.deleted.is_(False))
        with self._database.reading() as connection:
            return [_spec(row) for row in connection.execute(asked)]

    def get(self, id: str) -> DeploymentSpec | None:
        """Also one that has been deleted."""
        with self._database.reading() as connection:
            row = connection.execute(select(DEPLOYMENTS).where(DEPLOYMENTS.c.id == id)).first()
            return None if row is None else _spec(row)

    def create(
        self,
        spec: DeploymentSpec,
        *,
        entry: CatalogueEntry | None = None,
        adapter: Adapter | None = None,
    ) -> None:
        """A new deployment, with the new model that it is of, all or nothing.

        `adapter`: the model is one, and `entry` describes it. Raises Conflict when the name is
        taken, NotFound when the adapter's base is unknown.
        """
        with self._database.writing(Subject.CATALOGUE, Subject.DEPLOYMENTS) as connection:
            if adapter is not None:
                assert entry is not None
                add_adapter(connection, adapter, entry)
            elif entry is not None:
                add_model(connection, entry)
            _insert(connection, spec)

    def change(self, id: str, *, at_generation: int | None = None, **fields: Any) -> DeploymentSpec:
        """The deployment with new values of some of its fields, one generation on.

        With `at_generation`, only if nobody has changed it since. Raises NotFound for one that is
        unknown or deleted, Conflict.
        """
        with self._database.writing(Subject.DEPLOYMENTS) as connection:
            return _change(connection, _live(connection, id, at_generation), **fields)

    def delete(self, id: str) -> DeploymentSpec:
        """Marks it deleted, and removes its model from the catalogue. Raises NotFound, Conflict."""
        with self._database.writing(Subject.CATALOGUE, Subject.DEPLOYMENTS) as connection:
            spec = _live(connection, id)
            remove_model(connection, spec.model)
            return _change(connection, spec, deleted=True)

    def settle(
        self, id: str, version: Version, *, at_generation: int | None = None
    ) -> DeploymentSpec:
        """What its weights turned out to be; the name means `version` then.

        No new generation: nobody wants anything else. Raises NotFound, Conflict.
        """
        with self._database.writing(Subject.CATALOGUE, Subject.DEPLOYMENTS) as connection:
            spec = _live(connection, id, at_generation)
            release_version(connection, version)
            spec = msgspec.structs.replace(spec, version_id=version.id)
            _put(connection, spec)
            return spec

    def declare(self, specs: Sequence[DeploymentSpec]) -> None:
        """The declared deployments are those of `specs`, and no others.

        One that is known by its model keeps its id, and what was said of it since; one that is
        another now is a generation on. Raises Conflict when a name is taken.
        """
        with self._database.writing(Subject.DEPLOYMENTS) as connection:
            asked = select(DEPLOYMENTS).where(DEPLOYMENTS.c.kind == "declared")
            known = {row.model: _spec(row) for row in connection.execute(asked)}
            for spec in specs:
                old = known.pop(spec.model, None)
                if old is None:
                    _insert(connection, spec)
                    continue
                said = {name: getattr(spec, name) for name in DECLARED_FIELDS}
                if spec.settings == old.settings:
                    said |= {name: getattr(old, name) for name in BY_SETTINGS}
                said["deleted"] = False
                if any(getattr(old, name) != value for name, value in said.items()):
                    _change(connection, old, **said)
            for old in known.values():
                if not old.deleted:
                    _change(connection, old, deleted=True)

    def forget_deleted(self, *, before: datetime) -> None:
        """Those that accounts deleted before then are gone for good, with their logs."""
        with self._database.writing(Subject.DEPLOYMENTS) as connection:
            connection.execute(
                delete(DEPLOYMENTS).where(
                    DEPLOYMENTS.c.deleted.is_(True),
                    DEPLOYMENTS.c.kind != "declared",
                    DEPLOYMENTS.c.updated_at < before,
                )
            )


def is_written_down(connection: Connection, id: str) -> bool:
    """Whether there is a row of it; what serves an old version for a while has none."""
    asked = select(DEPLOYMENTS.c.id).where(DEPLOYMENTS.c.id == id)
    return connection.execute(asked).first() is not None


def _spec(row: Row[Any]) -> DeploymentSpec:
    scale = Scale(min_instances=row.min_instances, max_instances=row.max_instances)
    return struct_of(DeploymentSpec, row, scale=scale)


def _row(spec: DeploymentSpec) -> dict[str, Any]:
    return row_of(spec, DEPLOYMENTS) | row_of(spec.scale, DEPLOYMENTS)


def _live(connection: Connection, id: str, at_generation: int | None = None) -> DeploymentSpec:
    row = connection.execute(
        select(DEPLOYMENTS).where(DEPLOYMENTS.c.id == id, DEPLOYMENTS.c.deleted.is_(False))
    ).first()
    if row is None:
        raise NotFound(f"There is no deployment {id!r}.")
    if at_generation is not None and row.generation != at_generation:
        raise Conflict(f"The deployment {id!r} has been changed in the meantime.")
    return _spec(row)


def _insert(connection: Connection, spec: DeploymentSpec) -> None:
    """Raises Conflict."""
    _check_free(connection, spec)
    connection.execute(insert(DEPLOYMENTS).values(_row(spec)))


def _change(connection: Connection, spec: DeploymentSpec, **fields: Any) -> DeploymentSpec:
    changed = msgspec.structs.replace(
        spec, **fields, generation=spec.generation + 1, updated_at=datetime.now(UTC)
    )
    if spec.deleted and not changed.deleted:
        _check_free(connection, changed)
    _put(connection, changed)
    return changed


def _put(connection: Connection, spec: DeploymentSpec) -> None:
    connection.execute(update(DEPLOYMENTS).where(DEPLOYMENTS.c.id == spec.id).values(_row(spec)))


def _check_free(connection: Connection, spec: DeploymentSpec) -> None:
    """Raises Conflict when another deployment has the name."""
    taken = select(DEPLOYMENTS.c.id).where(
        DEPLOYMENTS.c.model == spec.model, DEPLOYMENTS.c.deleted.is_(False)
    )
    if connection.execute(taken).first() is not None:
        raise Conflict(f"There is a deployment of {spec.model!r} already.")
