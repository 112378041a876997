"""What the operator's flags and file declare -> what the stores have of it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

import msgspec

from penstock.config.settings import CatalogueSettings, ModelSettings
from penstock.control.digest import Digester, given, pinned
from penstock.domain.adapter import Adapter
from penstock.domain.catalogue import CatalogueEntry
from penstock.domain.deployment import DeploymentSpec, Scale, new_deployment_id
from penstock.domain.price import Price
from penstock.domain.source import GgufFile, ModelDirectory, Source, parse_source
from penstock.domain.version import Version
from penstock.engines.registry import LocalSource
from penstock.store.adapters import AdapterStore
from penstock.store.catalogue import CatalogueStore
from penstock.store.deployments import DeploymentStore

#: How long the log of a deleted deployment can be read.
DELETED_ARE_KEPT = timedelta(days=30)


def facts(settings: CatalogueSettings) -> dict[str, Any]:
    """The fields of a catalogue entry that the operator has said something of."""
    said = {
        name: value
        for name in CatalogueSettings.__struct_fields__
        if (value := getattr(settings, name)) is not None
    }
    if (day := said.pop("deprecated", None)) is not None:
        said["deprecated_at"] = datetime.combine(day, time(), UTC)
    if (prices := said.pop("prices", None)) is not None:
        said["prices"] = tuple(Price.of(unit, price) for unit, price in prices.items())
    return said


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """A model that the operator wants, its weights on this machine.

    `source` is how it was asked for, `local` where it lies; `engine` is the name of what runs it.
    `adapters` are where those of its settings lie, by their names.
    """

    name: str
    source: Source
    local: LocalSource
    engine: str
    settings: ModelSettings
    adapters: Mapping[str, LocalSource] = {}


def declare(
    models: Sequence[Declared],
    *,
    catalogue: CatalogueStore,
    deployments: DeploymentStore,
    adapters: AdapterStore,
    digester: Digester,
    context_length: int | None,
) -> None:
    """Make the declared models, versions, deployments and adapters these, and no others.

    A model of the same weights and settings keeps its version. `context_length` is the server's,
    for models with none of their own. Blocks. Raises CannotStart, Conflict.
    """
    now = datetime.now(UTC)
    versions = [
        Version(
            id=digester.version_id(
                model.local,
                engine=model.engine,
                settings=model.settings,
                context_length=context_length,
            ),
            model=model.name,
            engine=model.engine,
            source=pinned(model.source, model.local),
            created_at=now,
            settings=given(model.settings),
        )
        for model in models
    ]
    changing = [adapter for model in models for adapter in _adapters(model, digester, now)]
    known = catalogue.declared()
    entries = [
        msgspec.structs.replace(
            known.get(model.name) or CatalogueEntry(name=model.name, created_at=now),
            **facts(model.settings),
        )
        for model in models
    ]
    entries += [
        known.get(adapter.name) or CatalogueEntry(name=adapter.name, created_at=now)
        for adapter in changing
    ]
    catalogue.declare(entries, versions)
    adapters.declare(changing, bases=[model.name for model in models])
    deployments.declare(
        # A moment apart, so that they are listed in the order in which they are declared.
        [
            _spec(model, version, now + timedelta(microseconds=number))
            for number, (model, version) in enumerate(zip(models, versions, strict=True))
        ]
    )
    deployments.forget_deleted(before=now - DELETED_ARE_KEPT)


def _adapters(model: Declared, digester: Digester, now: datetime) -> list[Adapter]:
    return [
        Adapter(
            name=name,
            base=model.name,
            source=_absolute(name, text),
            created_at=now,
            digest=digester.digest_of(model.adapters[name]) if name in model.adapters else None,
        )
        for name, text in model.settings.adapters.items()
    ]


def _absolute(name: str, text: str) -> str:
    """The source of an adapter, so that it means the same in any directory."""
    source = parse_source(f"{name}={text}").source
    return pinned(source, source) if isinstance(source, GgufFile | ModelDirectory) else str(source)


def _spec(model: Declared, version: Version, now: datetime) -> DeploymentSpec:
    own = model.settings
    return DeploymentSpec(
        id=new_deployment_id(),
        model=model.name,
        kind="declared",
        source=str(model.source),
        created_at=now,
        updated_at=now,
        version_id=version.id,
        scale=Scale(
            min_instances=own.replicas, max_instances=max(own.replicas, own.max_replicas or 0)
        ),
        settings=given(own),
    )
