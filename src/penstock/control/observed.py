"""What is wanted and what there is, as values that decisions are made from.

Times are seconds of one monotonic clock.
"""

from collections.abc import Mapping, Sequence

import msgspec

from penstock.control.autoscale import Traffic
from penstock.control.claim import NO_GPUS, Need
from penstock.control.recipe import Recipe
from penstock.domain.deployment import DeploymentSpec
from penstock.domain.model import Capabilities
from penstock.domain.replica import ReplicaState

#: A copy in one of these takes no calls and will not by itself.
ENDED = frozenset({ReplicaState.FAILED, ReplicaState.STOPPED})


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment that is wanted. `fallback` is what ran before `recipe`, to return to.

    `capabilities` are what its version is known to do, and `version_source` is where its weights
    are. `idle_stop_s` is that of the deployment or of the server; None: idle copies stay.
    """

    spec: DeploymentSpec
    recipe: Recipe
    fallback: Recipe | None = None
    capabilities: Capabilities | None = None
    version_source: str | None = None
    idle_stop_s: float | None = None

    @property
    def off(self) -> bool:
        return self.spec.stopped or self.spec.deleted

    def keeps_replicas_of(self, before: "Wish") -> bool:
        """Whether it changes something and wants the same replicas: more of them, or pinned.

        One that changes nothing asks to try once more.
        """
        mine, theirs = self.spec, before.spec
        return (
            (self.recipe, self.fallback, self.off) == (before.recipe, before.fallback, before.off)
        ) and (
            (mine.scale, mine.pinned, mine.idle_stop_s)
            != (theirs.scale, theirs.pinned, theirs.idle_stop_s)
        )


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """A replica. `calls` are in flight; `failures` counts in a row; `used_s` is its last use.

    `takes` is how many calls it takes at once; `gpu_bytes` what it takes of GPUs, by their index.

    `planning`: until it is known what it takes, all that it was offered counts as its own.
    `draining`: it takes no calls. That ends at `drain_until_s`, or is not bounded; one that drains
    `for_room` may be resumed. `ending`: its process is being stopped.
    """

    id: str
    recipe: Recipe
    generation: int
    state: ReplicaState
    memory_bytes: int = 0
    gpu_bytes: Mapping[int, int] = NO_GPUS
    used_s: float = 0.0
    takes: int = 1
    calls: int = 0
    served: int = 0
    failures: int = 0
    ready_s: float | None = None
    planning: bool = False
    draining: bool = False
    drain_until_s: float | None = None
    for_room: bool = False
    ending: bool = False
    reason: str = ""

    @property
    def live(self) -> bool:
        """Whether it serves, or is going to."""
        return not self.draining and not self.ending and self.state not in ENDED

    @property
    def failed(self) -> bool:
        """Whether it has given up; it has no process any more."""
        return self.state is ReplicaState.FAILED and not self.draining and not self.ending

    @property
    def ready(self) -> bool:
        return self.live and self.state is ReplicaState.READY


class Preparation(msgspec.Struct, frozen=True, kw_only=True):
    """How far a recipe's weights have come. One of the three, or none while it is under way.

    `need` is the least that a copy takes of memory; `fault` why there will never be one.
    `replaced`: the weights are not those of the version that was known, so no copy of it goes on.
    """

    recipe: Recipe
    percent: int | None = None
    need: Need | None = None
    fault: str | None = None
    replaced: bool = False

    @property
    def done(self) -> bool:
        return self.need is not None or self.fault is not None


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment as it is. `calls` are all that run or wait, whether they have a copy or not.

    `asked_s` is since when calls wait that no copy can take; `wished_s` since when its generation
    is known. `asleep`: nothing runs until it is asked for. `boot`: it was wanted when the server
    started, so it takes what room there is and sends nobody away. `rolled_back` is the generation
    that was given up for the fallback, for the reason `update_error`. `proven`: the recipe of this
    generation has run long enough to be trusted.

    `wanted` is how many replicas its calls ask for; what its scale allows goes before that.
    `traffic` is what that is decided by, and stands where the scale leaves a choice. None is added
    before `no_more_before_s`.
    """

    id: str
    wished_s: float
    copies: Sequence[Copy] = ()
    preparations: Sequence[Preparation] = ()
    calls: int = 0
    asked_s: float | None = None
    asleep: bool = False
    boot: bool = False
    rolled_back: int | None = None
    proven: bool = False
    wanted: int = 0
    traffic: Traffic | None = None
    no_more_before_s: float = 0.0
    update_error: str | None = None

    def preparation(self, recipe: Recipe) -> Preparation | None:
        return next((p for p in self.preparations if p.recipe == recipe), None)
