"""Model string -> deployment."""

from collections.abc import Iterable, Iterator

from penstock.domain.errors import ModelNotFound
from penstock.gateway.deployment import Deployment


class Catalogue:
    """The deployments by name."""

    def __init__(self, deployments: Iterable[Deployment]) -> None:
        self._deployments = {d.model.name: d for d in deployments}

    def __iter__(self) -> Iterator[Deployment]:
        return iter(self._deployments.values())

    def resolve(self, name: str) -> Deployment:
        """Raises ModelNotFound, naming the models there are."""
        deployment = self._deployments.get(name)
        if deployment is None:
            known = ", ".join(self._deployments) or "none"
            raise ModelNotFound(
                f"The model {name[:200]!r} does not exist here. Models: {known}.", param="model"
            )
        return deployment
