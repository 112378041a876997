"""The groups of all deployments: where control and the gateway meet."""

from collections.abc import Callable, Iterator

from penstock.fleet.group import ReplicaGroup


class Groups:
    """Each deployment's group, made when either side first asks for it.

    `wake` is told when a call finds no ready replica in one of them; control sets it.
    """

    def __init__(self) -> None:
        self._groups: dict[str, ReplicaGroup] = {}
        self.wake: Callable[[], None] = lambda: None

    def get(self, deployment_id: str) -> ReplicaGroup:
        group = self._groups.get(deployment_id)
        if group is None:
            group = self._groups[deployment_id] = ReplicaGroup()
            group.wake = self._wake
        return group

    def __iter__(self) -> Iterator[tuple[str, ReplicaGroup]]:
        return iter(tuple(self._groups.items()))

    def _wake(self) -> None:
        self.wake()

    def drop(self, deployment_id: str) -> None:
        """Forget a deployment that is deleted. Twice is once."""
        self._groups.pop(deployment_id, None)
