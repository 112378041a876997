"""The deployments that a caller may see and change."""

import asyncio

from penstock.domain.deployment import DeploymentSpec
from penstock.domain.errors import NotFound
from penstock.domain.key import Principal
from penstock.store.deployments import DeploymentStore

SHOWN_CHARACTERS = 64


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


def is_of(spec: DeploymentSpec, principal: Principal) -> bool:
    """Whether a deployment is the caller's."""
    if spec.account_id is None:
        return principal.is_operator
    return spec.account_id == principal.account_id
