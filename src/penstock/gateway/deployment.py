"""A model that is being served: its name, its replicas, its lane."""

from penstock.domain.model import Capabilities, Model
from penstock.fleet.replica import Replica
from penstock.gateway.lane import Lane


class Deployment:
    """What a model string resolves to."""

    def __init__(self, model: Model, replicas: list[Replica], lane: Lane) -> None:
        self.model = model
        self.replicas = replicas
        self.lane = lane

    @property
    def capabilities(self) -> Capabilities | None:
        """What it can do; None before a replica has been ready for the first time."""
        return self.replicas[0].capabilities
