"""The catalogue's routes: a sentence each."""

from collections.abc import Iterable

import msgspec

from penstock.api.deepinfra.catalogue import (
    Sight,
    families,
    family_of,
    family_out,
    model_info,
    model_out,
    safe_host,
    schema_out,
    version_out,
)
from penstock.api.deepinfra.query import parameter
from penstock.domain.catalogue import CatalogueEntry
from penstock.domain.errors import NotFound
from penstock.domain.key import NOBODY, Principal
from penstock.domain.version import Version
from penstock.gateway.resolve import Catalogue
from penstock.http.message import Answer, Request, Response

encode = msgspec.json.encode


class CatalogueHandlers:
    """What there is, for anybody; of private models, for their account only."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def list_models(self, http: Request, principal: Principal) -> Answer:
        return self._listed(self._catalogue.entries(NOBODY), principal)

    async def featured(self, http: Request, principal: Principal) -> Answer:
        entries = self._catalogue.entries(NOBODY)
        return self._listed((entry for entry in entries if entry.featured), principal)

    async def private(self, http: Request, principal: Principal) -> Answer:
        entries = self._catalogue.entries(principal)
        return self._listed((entry for entry in entries if entry.private), principal)

    async def deployed(self, http: Request, principal: Principal) -> Answer:
        """The models that the caller's account has a deployment of."""
        entries = self._catalogue.entries(principal)
        own = (entry for entry in entries if entry.account_id == principal.account_id)
        return self._listed(own, principal)

    async def model(self, http: Request, principal: Principal, name: str) -> Answer:
        entry = self._catalogue.entry(name, principal)
        version = self._version(entry, http)
        return Response(body=encode(model_info(self._sight(entry, principal, http), version)))

    async def versions(self, http: Request, principal: Principal, name: str) -> Answer:
        entry = self._catalogue.entry(name, principal)
        known = self._catalogue.versions(entry.name)
        return Response(body=encode([version_out(version) for version in known]))

    async def schema(self, http: Request, principal: Principal, name: str, key: str) -> Answer:
        entry = self._catalogue.entry(name, principal)
        self._version(entry, http)
        return Response(body=encode(schema_out(self._sight(entry, principal, http), key)))

    async def family_names(self, http: Request, principal: Principal) -> Answer:
        return Response(body=encode(families(self._catalogue.entries(NOBODY))))

    async def family(self, http: Request, principal: Principal, name: str) -> Answer:
        entries = self._catalogue.entries(NOBODY)
        members = [entry for entry in entries if family_of(entry) == name.lower()]
        if not members:
            known = ", ".join(families(entries)) or "none"
            raise NotFound(f"There is no family {name[:100]!r}. Families: {known}.")
        sights = [self._sight(entry, principal) for entry in members]
        return Response(body=encode(family_out(name.lower(), sights)))

    def _listed(self, entries: Iterable[CatalogueEntry], principal: Principal) -> Answer:
        return Response(
            body=encode([model_out(self._sight(entry, principal)) for entry in entries])
        )

    def _sight(
        self, entry: CatalogueEntry, principal: Principal, http: Request | None = None
    ) -> Sight:
        host = safe_host(http.headers.get(b"host") if http is not None else None)
        return Sight(entry, self._catalogue.deployment(entry.name), principal, host)

    def _version(self, entry: CatalogueEntry, http: Request) -> Version | None:
        """The version that the address names, or the current one. Raises NotFound."""
        asked = parameter(http, "version")
        digits = asked or entry.current_version or ""
        version = self._catalogue.version(entry.name, digits)
        if asked and version is None:
            raise NotFound(f"{entry.name!r} has no version {asked[:100]!r}.")
        return version
