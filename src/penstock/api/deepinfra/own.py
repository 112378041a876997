"""The deployments and adapters that a caller may see and change."""

import asyncio

from penstock.api.deepinfra.adapters import adapter_progress, adapter_spec
from penstock.api.deepinfra.deployment_answers import DeploymentOut
from penstock.api.deepinfra.deployments import deployment_out
from penstock.domain.adapter import Adapter
from penstock.domain.deployment import DeploymentSpec
from penstock.domain.errors import NotFound
from penstock.domain.key import Principal
from penstock.fleet.groups import Groups
from penstock.gateway.resolve import Catalogue
from penstock.store.adapters import AdapterStore
from penstock.store.deployments import DeploymentStore

SHOWN_CHARACTERS = 64


class OwnAdapters:
    """Those of the caller's account, and for the operator those that are declared."""

    def __init__(self, store: AdapterStore, *, catalogue: Catalogue, groups: Groups) -> None:
        self._store = store
        self._catalogue = catalogue
        self._groups = groups

    async def all(self, principal: Principal) -> list[Adapter]:
        known = await asyncio.to_thread(self._store.all)
        return [adapter for adapter in known if is_of(adapter, principal)]

    async def deployments(self, principal: Principal) -> list[DeploymentOut]:
        """Told as deployments, which run wherever their bases do."""
        bases = ((a, self._catalogue.spec(a.base)) for a in await self.all(principal))
        return [self.deployment(adapter, base) for adapter, base in bases if base is not None]

    def deployment(self, adapter: Adapter, base: DeploymentSpec) -> DeploymentOut:
        deployment = self._catalogue.deployment(adapter.name)
        return deployment_out(
            adapter_spec(adapter, base),
            adapter_progress(adapter.name, self._groups.get(base.id)),
            task="text-generation",
            engine=deployment.model.engine if deployment is not None else None,
            version_id=None,
        )


class OwnDeployments:
    """Those of the caller's account, and for the operator those that are declared."""

    def __init__(self, store: DeploymentStore) -> None:
        self._store = store

    async def all(self, principal: Principal, *, deleted: bool = False) -> list[DeploymentSpec]:
        """The oldest first; with `deleted`, those too that have been deleted."""
        known = await asyncio.to_thread(self._store.all, deleted=deleted)
        return [spec for spec in known if is_of(spec, principal)]

    async def known(self, id_: str, principal: Principal) -> DeploymentSpec:
        """Also one that has been deleted. Raises NotFound, the same for somebody else's."""
        spec = await asyncio.to_thread(self._store.get, id_[:SHOWN_CHARACTERS])
        if spec is None or not is_of(spec, principal):
            raise NotFound(f"There is no deployment {id_[:SHOWN_CHARACTERS]!r}.")
        return spec

    async def live(self, id_: str, principal: Principal) -> DeploymentSpec:
        """Raises NotFound, also for one that has been deleted."""
        spec = await self.known(id_, principal)
        if spec.deleted:
            raise NotFound(f"The deployment {spec.id!r} is deleted.")
        return spec


def is_of(one: DeploymentSpec | Adapter, principal: Principal) -> bool:
    """Whether a deployment or an adapter is the caller's."""
    if one.account_id is None:
        return principal.is_operator
    return one.account_id == principal.account_id
