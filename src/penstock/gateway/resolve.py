"""Model string -> deployment, by an index in memory that is made anew when the store has changed.

    NAME               a model, by its name or by an alias
    NAME:VERSION       that version of it: 64 hexadecimal digits, or the first 12 or more of them
    deploy_id:ID       that deployment
    a deprecated NAME  what replaces it, from its date on

A private model is there for its own account only; for all others it does not exist.
"""

import difflib
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from urllib.parse import quote

import msgspec

from penstock.domain.adapter import Adapter, deployment_of_adapter
from penstock.domain.catalogue import CatalogueEntry
from penstock.domain.deployment import DeploymentSpec
from penstock.domain.errors import ModelNotFound, ModelNotReady
from penstock.domain.key import Principal
from penstock.domain.model import Model
from penstock.domain.version import (
    Version,
    deployment_of_version,
    fingerprint_of,
    split_version,
)
from penstock.fleet.groups import Groups
from penstock.gateway.deployment import Deployment

DEPLOYMENT_PREFIX = "deploy_id:"
#: A version may be named by its first digits: as many as a fingerprint has, or more.
FEWEST_DIGITS = 12
#: How far successors of successors are followed.
MOST_SUCCESSORS = 8
SHOWN_NAMES = 20
#: When to ask again for a version that is being rolled out.
ROLL_OUT_S = 5


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """All that the index is made of. `specs` may hold deleted deployments."""

    entries: Sequence[CatalogueEntry] = ()
    versions: Sequence[Version] = ()
    specs: Sequence[DeploymentSpec] = ()
    adapters: Sequence[Adapter] = ()


class Catalogue:
    """The models there are, and what serves each.

    A deployment stays the same object over changes, since its lane holds those who wait.
    """

    def __init__(self, groups: Groups, *, queue_limit: int) -> None:
        self._groups = groups
        self._queue_limit = queue_limit
        self._deployments: dict[str, Deployment] = {}
        self._answering: dict[str, str | None] = {}
        self.replace(Contents())

    def replace(self, contents: Contents) -> None:
        """Know what `contents` has, and nothing else."""
        self._contents = contents
        self._entries = {entry.name: entry for entry in contents.entries}
        self._aliases = {alias: e.name for e in contents.entries for alias in e.aliases}
        self._versions: dict[str, dict[str, Version]] = defaultdict(dict)
        for version in contents.versions:
            self._versions[version.model][version.id] = version
        live = [s for s in contents.specs if not s.deleted and s.model in self._entries]
        self._specs = {spec.model: spec for spec in live}
        self._model_of = {spec.id: spec.model for spec in live}
        self._model_of |= {deployment_of_adapter(a.name): a.name for a in contents.adapters}
        kept = {spec.id for spec in live}
        kept |= {deployment_of_version(version.id) for version in contents.versions}
        self._deployments = {id_: d for id_, d in self._deployments.items() if id_ in kept}
        self._by_model = dict(self._current_deployments())
        self._by_model |= dict(self._adapted_deployments(contents.adapters))
        self._index = dict(self._plain_names())

    def _current_deployments(self) -> Iterator[tuple[str, Deployment]]:
        """What serves each model, whether or not it runs."""
        for name, spec in self._specs.items():
            entry = self._entries[name]
            id_ = self._answering[spec.id] = self._answering_version(spec)
            version = self._versions[name].get(id_) if id_ else None
            deployment = self._deployment(spec.id, self._model(entry, version, id_), entry)
            if version is not None and deployment.group.capabilities is None:
                # Known since it last ran: what it cannot do is refused without a start.
                deployment.group.capabilities = version.capabilities
            yield name, deployment

    def _answering_version(self, spec: DeploymentSpec) -> str | None:
        """What answers now: in a roll-out, and after one that failed, not what is wanted."""
        running = self._groups.get(spec.id).version_id
        return running or spec.version_id or self._entries[spec.model].current_version

    def _follow(self, id_: str) -> None:
        """Another version may have taken over: answers say so from the same moment on."""
        spec = self._specs.get(self._model_of.get(id_, ""))
        if spec is not None and self._answering_version(spec) != self._answering.get(id_):
            self.replace(self._contents)

    def _adapted_deployments(self, adapters: Sequence[Adapter]) -> Iterator[tuple[str, Deployment]]:
        """An adapter is a model too: its base's deployment, to be changed by it."""
        for adapter in adapters:
            entry, base = self._entries.get(adapter.name), self._by_model.get(adapter.base)
            if entry is None or base is None:
                continue
            of = "\0".join((base.model.fingerprint or "", adapter.digest or adapter.source))
            model = msgspec.structs.replace(
                self._model(entry, None, None),
                engine=base.model.engine,
                source=adapter.source,
                parent=adapter.base,
                version_id=base.model.version_id,
                fingerprint=fingerprint_of(hashlib.sha256(of.encode()).hexdigest()),
            )
            yield adapter.name, base.adapted(model, adapter.name, only_for=owner(entry))

    def _plain_names(self) -> Iterator[tuple[str, Deployment]]:
        """What a request looks at first, and nearly always last: names without a date."""
        for entry in self._entries.values():
            deployment = self.deployment(entry.name)
            if deployment is None or entry.deprecated_at is not None:
                continue
            yield entry.name, deployment
            for alias in entry.aliases:
                model = msgspec.structs.replace(deployment.model, name=alias)
                yield alias, deployment.called(model)

    # -- what a request asks ---------------------------------------------------------------

    def resolve(self, name: str, principal: Principal) -> Deployment:
        """Raises ModelNotFound, with names that there are; ModelNotReady for a version to come."""
        deployment = self._index.get(name) or self._seldom(name)
        # `may_see` in place of a call of it: every request passes here.
        if deployment is None or deployment.only_for not in (None, principal.account_id):
            raise self._not_found(name, principal)
        return deployment

    def _seldom(self, name: str) -> Deployment | None:
        """Whatever is no plain name."""
        if name.startswith(DEPLOYMENT_PREFIX):
            return self.deployment(self._model_of.get(name.removeprefix(DEPLOYMENT_PREFIX), ""))
        model, digits = split_version(name)
        entry = self._entries.get(self._aliases.get(model, model))
        if entry is None:
            return None
        return self._now(entry) if digits is None else self._at(entry, digits)

    def _now(self, entry: CatalogueEntry) -> Deployment | None:
        """What serves a model of a date, or what serves its successor from that date on."""
        heir = entry
        for _ in range(MOST_SUCCESSORS):
            if not is_over(heir) or heir.replaced_by not in self._entries:
                break
            heir = self._entries[heir.replaced_by]
        deployment = self.deployment(heir.name) or self.deployment(entry.name)
        return deployment and deployment.called(deployment.model, deprecation(entry))

    def _at(self, entry: CatalogueEntry, digits: str) -> Deployment | None:
        """What serves a version: the model's deployment, or one that is there while it is asked."""
        version = self.version(entry.name, digits)
        if version is None:
            return None
        spec = self._specs.get(entry.name)
        model = self._model(entry, version, version.id)
        if spec is not None and self._answering.get(spec.id) == version.id:
            deployment = self._by_model[entry.name]
        elif spec is not None and spec.version_id == version.id:
            raise ModelNotReady(
                f"{name_of(entry, version)!r} does not answer: the change to it has not been "
                "completed, or was undone.",
                retry_after_s=ROLL_OUT_S,
            )
        else:
            deployment = self._deployment(deployment_of_version(version.id), model, entry)
        named = msgspec.structs.replace(model, name=name_of(entry, version))
        return deployment.called(named, deprecation(entry))

    def _not_found(self, name: str, principal: Principal) -> ModelNotFound:
        seen = [
            n for n, deployment in self._index.items() if may_see(deployment.only_for, principal)
        ]
        close = difflib.get_close_matches(name[:200], seen, n=1)
        meant = f" Did you mean {close[0]!r}?" if close else ""
        more = f" and {len(seen) - SHOWN_NAMES} more" if len(seen) > SHOWN_NAMES else ""
        return ModelNotFound(
            f"The model {name[:200]!r} does not exist here.{meant} "
            f"Models: {', '.join(seen[:SHOWN_NAMES]) or 'none'}{more}.",
            param="model",
        )

    # -- what the catalogue's readers ask --------------------------------------------------

    def __iter__(self) -> Iterator[Deployment]:
        """All deployments, also of versions that somebody asked for."""
        return iter(tuple(self._deployments.values()))

    def public_names(self) -> set[str]:
        """What calls of models that everybody may use are counted as, adapters among them."""
        served = (*self._deployments.values(), *self._by_model.values())
        return {each.counted_as for each in served if each.only_for is None}

    def entries(self, principal: Principal) -> list[CatalogueEntry]:
        """The models that a caller may see."""
        return [e for e in self._entries.values() if may_see(owner(e), principal)]

    def entry(self, name: str, principal: Principal) -> CatalogueEntry:
        """A model by its name or an alias. Raises ModelNotFound."""
        entry = self._entries.get(self._aliases.get(name, name))
        if entry is None or not may_see(owner(entry), principal):
            raise self._not_found(name, principal)
        return entry

    def versions(self, model: str) -> list[Version]:
        """The newest first."""
        known = self._versions.get(model, {})
        return sorted(known.values(), key=lambda version: version.created_at, reverse=True)

    def version(self, model: str, digits: str) -> Version | None:
        """The one version whose id begins with `digits`."""
        known = self._versions.get(model, {})
        if len(digits) < FEWEST_DIGITS or digits in known:
            return known.get(digits)
        found = [version for id_, version in known.items() if id_.startswith(digits)]
        return found[0] if len(found) == 1 else None

    def running(self, model: str) -> Version | None:
        """The version that answers for a model, or would; None while that is not known."""
        spec = self._specs.get(model)
        id_ = self._answering_version(spec) if spec is not None else None
        return self.version(model, id_) if id_ is not None else None

    def spec(self, model: str) -> DeploymentSpec | None:
        """What is wanted of a model."""
        return self._specs.get(model)

    def deployment(self, model: str) -> Deployment | None:
        """What serves a model, whether or not it runs."""
        return self._by_model.get(model)

    def _deployment(self, id_: str, model: Model, entry: CatalogueEntry) -> Deployment:
        deployment = self._deployments.get(id_)
        if deployment is None:
            group = self._groups.get(id_)
            deployment = self._deployments[id_] = Deployment(
                id_, model, group, queue_limit=self._queue_limit
            )
            group.listeners.append(partial(self._follow, id_))
        # A version may be one of several models: what it does is the one's that asks.
        deployment.model = model
        deployment.counted_as = model.name
        deployment.only_for = owner(entry)
        return deployment

    def _model(
        self, entry: CatalogueEntry, version: Version | None, version_id: str | None
    ) -> Model:
        """`version` is not known yet for a moment after it has taken over."""
        return Model(
            name=entry.name,
            engine=version.engine if version is not None else None,
            source=version.source if version is not None else None,
            created=int(entry.created_at.timestamp()),
            version_id=version_id,
            fingerprint=fingerprint_of(version_id) if version_id is not None else None,
        )


def name_of(entry: CatalogueEntry, version: Version) -> str:
    return f"{entry.name}:{version.id}"


def owner(entry: CatalogueEntry) -> str | None:
    """The account that alone may see a model; None: all may."""
    return entry.account_id if entry.private else None


def may_see(only_for: str | None, principal: Principal) -> bool:
    return only_for is None or only_for == principal.account_id


def is_over(entry: CatalogueEntry) -> bool:
    """Whether its calls go to its successor by now."""
    return entry.deprecated_at is not None and entry.deprecated_at <= datetime.now(UTC)


def deprecation(entry: CatalogueEntry) -> bytes:
    """What tells a client that a name is, or will be, deprecated (RFC 9745, RFC 8288)."""
    if entry.deprecated_at is None:
        return b""
    lines = b"deprecation: @%d\r\n" % int(entry.deprecated_at.timestamp())
    if entry.replaced_by is not None:
        heir = quote(entry.replaced_by).encode()
        lines += b'link: </models/%b>; rel="successor-version"\r\n' % heir
    return lines
