"""A model that is being served: its name, its replicas, its lane."""

import copy

from penstock.domain.model import Capabilities, Model
from penstock.fleet.group import ReplicaGroup
from penstock.gateway.lane import Lane


class Deployment:
    """What a model string resolves to.

    `only_for` is the account that may use it; None: every caller may. `notice` are header lines
    that its answers carry, each ending in CRLF, where there is something to be told of its name.
    `adapter` is what its replicas are to change the model by; None: nothing. `counted_as` is the
    model that its calls are counted for, by whatever name it was called.
    """

    def __init__(self, id: str, model: Model, group: ReplicaGroup, *, queue_limit: int) -> None:
        self.id = id
        self.model = model
        self.counted_as = model.name
        self.group = group
        self.only_for: str | None = None
        self.notice = b""
        self.adapter: str | None = None
        self.lane = Lane(slots=group.slots, queue_limit=queue_limit)
        group.listeners.append(self._follow)
        group.demands.append(self.lane)

    def called(self, model: Model, notice: bytes = b"") -> "Deployment":
        """The same replicas and the same lane under another name."""
        view = copy.copy(self)
        view.model = model
        view.notice = notice
        return view

    def adapted(self, model: Model, adapter: str, *, only_for: str | None) -> "Deployment":
        """The same replicas and the same lane, changed by an adapter, as a model of its own."""
        view = self.called(model)
        view.adapter = adapter
        view.counted_as = model.name
        view.only_for = only_for or self.only_for
        return view

    @property
    def capabilities(self) -> Capabilities | None:
        """What it can do; None before a replica has been ready for the first time."""
        return self.group.capabilities

    @property
    def has_room(self) -> bool:
        """Whether a call would be at work at once, without waiting for a place or a start."""
        lane = self.lane
        free = lane.running < lane.slots and not lane.waiting
        return free and any(replica.ready for replica in self.group.replicas)

    def _follow(self) -> None:
        self.lane.resize(self.group.slots)
