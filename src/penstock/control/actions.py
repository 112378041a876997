"""What can be done about a deployment, each as a value.

    Prepare   its weights are fetched and measured
    Start     a copy is made, when room.py finds a place for it
    Drain     a copy takes no more calls: surplus, of an old recipe, idle, or for room
    Stop      a drained copy has finished, or its time is up
    Sleep     nothing runs until a call comes
    Rescale   another number of replicas is wanted, by the calls that there are
    RollBack  the recipe of its generation fails: back to the one before
    Forget    it is deleted and nothing is left of it

An action carries what it was decided for, so that the one who acts can see when that is past.
"""

import msgspec

from penstock.control.claim import Claim
from penstock.control.recipe import Recipe
from penstock.fleet.base import Leftover


class Prepare(msgspec.Struct, frozen=True):
    deployment_id: str
    recipe: Recipe


class Start(msgspec.Struct, frozen=True):
    """One copy more, of at most `offer`, on its GPUs."""

    deployment_id: str
    generation: int
    recipe: Recipe
    offer: Claim


class Drain(msgspec.Struct, frozen=True):
    """`until_s` None: however long its calls take. `for_room`: it may be resumed."""

    deployment_id: str
    copy_id: str
    until_s: float | None
    for_room: bool = False


class Resume(msgspec.Struct, frozen=True):
    """Its room is not needed any more: it takes calls again."""

    deployment_id: str
    copy_id: str


class Stop(msgspec.Struct, frozen=True):
    deployment_id: str
    copy_id: str


class Sleep(msgspec.Struct, frozen=True):
    deployment_id: str
    reason: str


class Rescale(msgspec.Struct, frozen=True):
    """From now on so many replicas, and no more of them before `no_more_before_s`."""

    deployment_id: str
    replicas: int
    reason: str
    no_more_before_s: float = 0.0


class RollBack(msgspec.Struct, frozen=True):
    deployment_id: str
    generation: int
    reason: str


class Forget(msgspec.Struct, frozen=True):
    deployment_id: str


class Adopt(msgspec.Struct, frozen=True):
    leftover: Leftover


class StopUnknown(msgspec.Struct, frozen=True):
    leftover: Leftover


Action = (
    Prepare | Start | Drain | Resume | Stop | Sleep | Rescale | RollBack | Forget | Adopt
    | StopUnknown
)  # fmt: skip
