"""What the reconciler decides: a deployment's life as tables, then random faults on a fleet."""

from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from world import BUDGET, GPUS, World, claim_of, kinds, need_of, recipe, wish

from penstock.control.actions import Adopt, Drain, StopUnknown
from penstock.control.claim import Claim, total
from penstock.control.decide import decide, recipe_in_force
from penstock.control.observed import Wish
from penstock.control.progress import progress_of
from penstock.domain.deployment import DeploymentStatus, Scale
from penstock.domain.replica import ReplicaState
from penstock.fleet.base import Leftover, Place

GOOD = recipe("a", 1)
BETTER = recipe("a", 2)


def running(*wishes: Wish, **more: Any) -> World:
    """A world in which these have been up for a while."""
    world = World(*wishes, **more)
    world.settle()
    world.calm(10)
    world.done.clear()
    return world


def status(world: World, id_: str = "a") -> DeploymentStatus:
    return progress_of(world.wishes[id_], world.seen[id_]).status


def update(world: World, what: Any, **more: Any) -> None:
    before = world.wishes["a"]
    generation = before.spec.generation + 1
    world.want(wish("a", what, generation=generation, fallback=before.recipe, **more))


def changed(world: World, id_: str = "a", **changes: Any) -> None:
    """The next generation, of the same recipe."""
    before = world.wishes[id_]
    spec = msgspec.structs.replace(before.spec, generation=before.spec.generation + 1, **changes)
    world.want(msgspec.structs.replace(before, spec=spec))


# -- one deployment --------------------------------------------------------------------------------


def test_a_deployment_is_prepared_then_started() -> None:
    world = World(wish("a", GOOD))
    assert kinds(world.settle()) == ["Prepare"]
    assert status(world) is DeploymentStatus.INITIALIZING
    world.prepare("a")
    assert kinds(world.settle()) == ["Start"]
    assert status(world) is DeploymentStatus.DEPLOYING
    world.load(world.copies[0])
    assert world.settle() == []
    assert status(world) is DeploymentStatus.RUNNING


def test_one_of_no_instances_is_prepared_and_waits_to_be_asked_for() -> None:
    world = running(wish("a", GOOD, instances=0))
    assert world.copies == []
    assert status(world) is DeploymentStatus.RUNNING
    world.call("a")
    assert kinds(world.settle()) == ["Start"]
    world.calm(5)
    assert world.waiting["a"] == 0


def test_an_idle_one_stops_and_a_call_brings_it_back() -> None:
    world = running(wish("a", GOOD, idle_stop_s=60))
    world.calm(70)
    assert kinds(world.done) == ["Sleep", "Drain", "Stop"]
    assert world.copies == []
    world.call("a")
    world.calm(3)
    assert world.waiting["a"] == 0


def test_a_pinned_one_is_never_idle() -> None:
    world = running(wish("a", GOOD, idle_stop_s=60, pinned=True))
    world.calm(100)
    assert world.done == []


def test_a_stop_lets_calls_finish_within_the_bound() -> None:
    world = running(wish("a", GOOD))
    world.call("a")
    changed(world, stopped=True)
    assert kinds(world.settle()) == ["Drain"]
    assert status(world) is DeploymentStatus.STOPPED
    world.now_s += world.policy.drain_timeout_s - 1
    assert world.settle() == []
    world.now_s += 1
    assert kinds(world.settle()) == ["Stop"]


def test_a_deleted_one_is_forgotten_when_nothing_is_left_of_it() -> None:
    world = running(wish("a", GOOD))
    changed(world, deleted=True)
    assert kinds(world.settle()) == ["Drain", "Stop"]
    world.end()
    assert kinds(world.settle()) == ["Forget"]


def test_one_that_vanished_from_what_is_wanted_goes_too() -> None:
    world = running(wish("a", GOOD))
    del world.wishes["a"]
    world.settle()
    world.end()
    assert kinds(world.settle()) == ["Forget"]


def test_an_update_starts_the_new_beside_the_old_and_then_drains_the_old() -> None:
    world = running(wish("a", GOOD))
    world.call("a")
    update(world, BETTER)
    world.settle()
    world.prepare("a")
    world.settle()
    assert [copy.recipe for copy in world.ready("a")] == [GOOD]
    world.load(world.copies[-1])
    assert kinds(world.settle()) == ["Drain"]
    assert [copy.recipe for copy in world.ready("a")] == [BETTER]
    world.finish(world.copies[0])
    assert kinds(world.settle()) == ["Stop"]


def test_an_update_without_room_for_both_drains_the_old_first() -> None:
    world = running(wish("a", recipe("a", 1, need=6)))
    update(world, recipe("a", 2, need=6))
    world.calm(10)
    assert kinds(world.done)[-2:] == ["Stop", "Start"]
    assert len(world.ready("a")) == 1


def test_a_change_of_scale_leaves_the_running_alone() -> None:
    world = running(wish("a", GOOD))
    world.want(wish("a", GOOD, generation=2, instances=2))
    world.calm(5)
    assert kinds(world.done) == ["Start"]
    world.want(wish("a", GOOD, generation=3, instances=1))
    world.calm(5)
    assert kinds(world.done) == ["Start", "Drain", "Stop"]


@pytest.mark.parametrize("fate", ["u", "c", "l"])
def test_an_update_that_fails_is_undone_by_itself(fate: str) -> None:
    world = running(wish("a", GOOD))
    update(world, recipe("a", 2, fate))
    world.calm(60)
    assert "RollBack" in kinds(world.done)
    assert [copy.recipe for copy in world.ready("a")] == [GOOD]
    assert progress_of(world.wishes["a"], world.seen["a"]).update_error
    assert status(world) is DeploymentStatus.RUNNING


def test_an_update_that_another_needs_the_room_of_goes_as_a_whole() -> None:
    """Its old copies too: they would have a new one started, and sent away, for ever."""
    world = running(wish("a", recipe("a", 1, need=1), instances=2))
    world.want(
        wish(
            "a", recipe("a", 2, need=9), generation=2, instances=0, fallback=recipe("a", 1, need=1)
        )
    )
    world.want(wish("b", recipe("b", 1, need=2)))
    world.calm(20)
    assert (world.seen["a"].asleep, len(world.ready("b"))) == (True, 1)
    world.done.clear()
    world.call("a")
    world.calm(20)
    assert world.waiting["a"] == 0
    assert [copy.recipe for copy in world.ready("a")] == [recipe("a", 2, need=9)]


@pytest.mark.parametrize("fate", ["u", "c", "l"])
def test_an_undone_update_is_tried_again_only_when_it_is_asked_for(fate: str) -> None:
    good = recipe("a", 1, need=2)
    world = running(wish("a", good))
    update(world, recipe("a", 2, fate, need=2))
    world.calm(60)
    world.done.clear()
    changed(world, scale=Scale(min_instances=2, max_instances=2))
    changed(world, pinned=True)
    changed(world, idle_stop_s=60)
    world.calm(60)
    assert kinds(world.done) == ["Start"]
    assert [copy.recipe for copy in world.ready("a")] == [good, good]
    assert progress_of(world.wishes["a"], world.seen["a"]).update_error
    changed(world)
    world.calm(60)
    assert "RollBack" in kinds(world.done)


def test_the_old_serves_until_the_update_is_undone() -> None:
    world = running(wish("a", GOOD))
    update(world, recipe("a", 2, "c"))
    for _ in range(30):
        world.calm(1)
        assert world.ready("a")


def test_what_has_proven_itself_is_not_undone() -> None:
    world = running(wish("a", BETTER, fallback=GOOD))
    world.seen["a"] = msgspec.structs.replace(world.seen["a"], proven=True)
    for _ in range(9):
        world.fail(world.copies[0])
        world.settle()
    assert "RollBack" not in kinds(world.done)


@pytest.mark.parametrize("fate", ["u", "c"])
def test_a_first_start_that_fails_is_failed_until_it_is_asked_again(fate: str) -> None:
    world = running(wish("a", recipe("a", 1, fate)))
    assert status(world) is DeploymentStatus.FAILED
    world.calm(20)
    assert status(world) is DeploymentStatus.FAILED
    changed(world)
    world.settle()
    assert status(world) is not DeploymentStatus.FAILED


# -- as many as there is to do for -----------------------------------------------------------------


def test_it_grows_while_there_is_more_to_do_and_one_by_one() -> None:
    world = running(wish("a", recipe("a", 1, need=1), most=3))
    world.busy("a", 4, 30)
    assert world.done == []
    world.busy("a", 15, 20, loads=False)
    assert kinds(world.done) == ["Rescale", "Start"]
    world.busy("a", 15, 9)
    assert kinds(world.done) == ["Rescale", "Start"] * 2
    assert len(world.ready("a")) == 3
    assert progress_of(world.wishes["a"], world.seen["a"]).wanted == 3


def test_it_shrinks_after_a_quiet_while_and_cuts_no_call() -> None:
    world = running(wish("a", recipe("a", 1, need=1), most=3))
    world.busy("a", 15, 15)
    world.done.clear()
    world.busy("a", 2, 290)
    assert world.done == []
    for _ in range(60):
        world.now_s += 1
        world.settle()
    assert kinds(world.done) == ["Rescale", "Drain", "Stop", "Rescale", "Drain"]
    (going,) = [copy for copy in world.copies if copy.draining and not copy.ending]
    world.now_s += 1000
    world.settle()
    assert not world.copy(going.id).ending
    world.finish(going)
    assert kinds(world.settle())[-1] == "Stop"


def test_a_stop_bounds_a_drain_that_had_no_bound() -> None:
    world = running(wish("a", GOOD, instances=2))
    for copy in world.ready("a"):
        world.change(copy.id, calls=1)
    world.want(wish("a", GOOD, generation=2))
    assert [action.until_s for action in world.settle() if isinstance(action, Drain)] == [None]
    changed(world, stopped=True)
    world.settle()
    world.now_s += world.policy.drain_timeout_s
    assert kinds(world.settle()) == ["Stop", "Stop"]


def test_it_grows_in_free_room_only() -> None:
    world = running(wish("a", GOOD, most=3), wish("b", GOOD))
    world.busy("a", 15, 60)
    assert [len(world.ready(name)) for name in "ab"] == [1, 1]
    changed_b = world.wishes["b"].spec
    world.want(
        msgspec.structs.replace(
            world.wishes["b"], spec=msgspec.structs.replace(changed_b, generation=2, stopped=True)
        )
    )
    world.busy("a", 15, 10)
    assert len(world.ready("a")) == 2
    assert world.memory == 8


def test_a_further_one_gives_its_room_to_another_model_even_if_pinned() -> None:
    world = running(wish("a", GOOD, most=2, pinned=True))
    world.busy("a", 15, 10)
    assert len(world.ready("a")) == 2
    world.want(wish("b", GOOD))
    world.calm(5)
    assert [len(world.ready(name)) for name in "ab"] == [1, 1]


def test_a_further_one_that_fails_is_not_missed_and_tried_again_later() -> None:
    world = running(wish("a", recipe("a", 1, need=1), most=2))
    world.busy("a", 15, 3, loads=False)
    new = next(copy for copy in world.copies if not copy.ready)
    world.change(new.id, state=ReplicaState.FAILED, memory_bytes=0, reason="Out of memory.")
    world.done.clear()
    assert kinds(world.settle()) == ["Rescale", "Stop"]
    assert status(world) is DeploymentStatus.RUNNING
    world.busy("a", 15, 50)
    assert len(world.copies) == 1
    world.busy("a", 15, 20)
    assert len(world.ready("a")) == 2


def test_an_update_that_may_yet_fail_does_not_grow() -> None:
    world = running(wish("a", recipe("a", 1, need=1), most=2))
    update(world, recipe("a", 2, need=1), most=2)
    world.settle()
    world.prepare("a")
    world.busy("a", 15, 30)
    assert len(world.ready("a")) == 1
    world.seen["a"] = msgspec.structs.replace(world.seen["a"], proven=True)
    world.busy("a", 15, 5)
    assert len(world.ready("a")) == 2


def test_one_of_no_instances_grows_and_then_rests() -> None:
    world = running(wish("a", recipe("a", 1, need=1), instances=0, most=2, idle_stop_s=60))
    world.busy("a", 15, 20)
    assert len(world.ready("a")) == 2
    world.calm(70)
    assert world.copies == []
    world.call("a")
    world.calm(5)
    assert len(world.ready("a")) == 1


# -- several of them -------------------------------------------------------------------------------


def test_at_the_start_the_first_ones_run_and_the_others_wait_to_be_asked_for() -> None:
    world = running(*(wish(name, recipe(name, 1)) for name in "abc"), boot=True)
    assert [len(world.ready(name)) for name in "abc"] == [1, 1, 0]
    assert status(world, "c") is DeploymentStatus.RUNNING
    assert "Drain" not in kinds(world.done)


def test_a_call_for_a_third_sends_the_longest_unused_away() -> None:
    world = running(*(wish(name, recipe(name, 1)) for name in "abc"), boot=True)
    world.call("b")
    world.finish(world.ready("b")[0])
    world.call("c")
    world.calm(5)
    assert [len(world.ready(name)) for name in "abc"] == [0, 1, 1]
    world.calm(50)
    assert [len(world.ready(name)) for name in "abc"] == [0, 1, 1]


def test_what_is_no_longer_wanted_makes_room_before_others_do() -> None:
    """In the step in which it is told to go: nobody else is sent away, nor is it told twice."""
    world = running(
        wish("a", recipe("a", 1, need=2)), wish("b", recipe("b", 1, need=4), instances=2)
    )
    world.now_s += 10
    world.call("b")
    world.finish(world.ready("b")[0])  # the longest unused is a
    world.want(wish("c", recipe("c", 1, need=2)))
    assert kinds(world.settle()) == ["Prepare"]
    world.prepare("c")
    changed(world, "b", scale=Scale(min_instances=1, max_instances=1))
    world.done.clear()
    world.calm(5)
    assert kinds(world.done) == ["Drain", "Stop", "Start"]
    assert [len(world.ready(id_)) for id_ in "abc"] == [1, 1, 1]


def test_a_new_deployment_makes_itself_room() -> None:
    world = running(*(wish(name, recipe(name, 1)) for name in "ab"), boot=True)
    world.want(wish("c", recipe("c", 1)))
    world.calm(5)
    assert len(world.ready("c")) == 1


def test_a_busy_one_gives_its_room_when_its_calls_have_finished() -> None:
    world = running(*(wish(name, recipe(name, 1, need=6)) for name in "ab"), boot=True)
    world.call("a")
    world.call("b")
    for _ in range(5):
        world.now_s += 1
        world.settle()
    (copy,) = world.copies
    assert (copy.draining, copy.ending, copy.calls) == (True, False, 1)
    world.finish(copy)
    assert kinds(world.settle()) == ["Stop"]
    world.calm(5)
    assert world.waiting["b"] == 0


def test_one_that_was_to_give_room_stays_when_nobody_waits_any_more() -> None:
    world = running(*(wish(name, recipe(name, 1, need=6)) for name in "ab"), boot=True)
    world.call("a")
    world.call("b")
    for _ in range(5):
        world.now_s += 1
        world.settle()
    world.waiting["b"] = 0
    assert kinds(world.settle()) == ["Resume"]
    assert len(world.ready("a")) == 1


def test_busy_old_replicas_give_their_room_to_the_new_ones_once_and_cut_no_call() -> None:
    world = running(wish("a", recipe("a", 1, need=3), instances=2))
    old = [copy.id for copy in world.copies]
    world.call("a")
    world.call("a")
    update(world, recipe("a", 2, need=4), instances=2)
    for _ in range(60):
        world.now_s += 1
        world.prepare("a")
        world.settle()
    assert kinds(world.done) == ["Prepare", "Drain", "Drain", "Start"]
    assert [world.copy(id_).calls for id_ in old] == [1, 1]
    world.calm(5)
    assert [copy.recipe.source[-2] for copy in world.ready("a")] == ["4", "4"]


def test_new_replicas_that_do_not_all_fit_do_not_send_each_other_away() -> None:
    world = running(
        wish("a", recipe("a", 1, need=1), instances=2), wish("b", recipe("b", 1, need=1))
    )
    update(world, recipe("a", 2, need=7), instances=2)
    world.calm(20)
    assert kinds(world.done) == ["Prepare", "Start", "Drain", "Drain", "Stop", "Stop"]
    assert [len(world.ready(name)) for name in "ab"] == [1, 1]


def test_an_undone_update_leaves_a_pinned_one_where_it_is() -> None:
    world = running(
        wish("a", recipe("a", 1, need=9)), wish("b", recipe("b", 1, need=2), instances=0)
    )
    update(world, recipe("a", 2, "u"), pinned=True)
    world.settle()
    world.prepare("a")
    world.call("b")
    world.calm(20)
    assert kinds(world.done) == ["Prepare", "RollBack"]
    assert [len(world.ready(name)) for name in "ab"] == [1, 0]


# -- memory of GPUs --------------------------------------------------------------------------------


def gpus_of(world: World, id_: str) -> list[dict[int, int]]:
    return [dict(copy.gpu_bytes) for copy in world.ready(id_)]


def test_models_spread_over_gpus_and_a_call_for_a_third_sends_one_away() -> None:
    whole = [wish(name, recipe(name, 1, need=1, gpu=9)) for name in "abc"]
    world = running(*whole, boot=True)
    assert [gpus_of(world, name) for name in "abc"] == [[{0: 9}], [{1: 9}], [{2: 5}]]
    world.want(wish("d", recipe("d", 1, need=1, gpu=9), instances=0))
    world.call("b")
    world.finish(world.ready("b")[0])
    world.call("d")
    world.calm(5)
    assert [gpus_of(world, name) for name in "abcd"] == [[], [{1: 9}], [{2: 5}], [{0: 9}]]


def test_one_over_several_gpus_waits_for_all_of_them() -> None:
    world = running(*(wish(name, recipe(name, 1, need=1, gpu=9)) for name in "ab"), boot=True)
    world.want(wish("c", recipe("c", 1, need=1, gpu=8, gpus=2)))
    world.call("a")
    for _ in range(9):
        world.now_s += 1
        world.prepare("c")
        world.settle()
    assert not world.ready("c")
    world.calm(5)
    assert gpus_of(world, "c") == [{0: 8, 1: 8}]


def test_an_update_without_room_on_a_gpu_drains_the_old_first() -> None:
    world = running(*(wish(n, recipe(n, 1, need=1, gpu=10), pinned=True) for n in "bc"))
    world.want(wish("a", recipe("a", 1, need=1, gpu=10)))
    world.calm(5)
    assert gpus_of(world, "a") == [{2: 5}]
    world.done.clear()
    update(world, recipe("a", 2, need=1, gpu=8))
    world.calm(10)
    assert kinds(world.done) == ["Prepare", "Drain", "Stop", "Start"]
    assert gpus_of(world, "a") == [{2: 4}]


def test_a_further_one_evicts_nobody_from_a_gpu() -> None:
    world = running(
        wish("a", recipe("a", 1, need=1, gpu=6), most=5),
        *(wish(name, recipe(name, 1, need=1, gpu=8)) for name in "bc"),
    )
    world.busy("a", 15, 60)
    assert gpus_of(world, "a") == [{0: 6}]
    assert [len(world.ready(name)) for name in "bc"] == [1, 1]


# -- what an earlier server left -------------------------------------------------------------------


def leftover(id_: str = "a", generation: int = 1, *, adoptable: bool = True) -> Leftover:
    place = Place(deployment_id=id_, generation=generation, copy_id="x")
    return Leftover(place=place, pid=1, adoptable=adoptable)


@pytest.mark.parametrize(
    ("left", "kind"),
    [
        (leftover(), Adopt),
        (leftover(generation=0), StopUnknown),
        (leftover("nobody"), StopUnknown),
        (leftover(adoptable=False), StopUnknown),
    ],
)
def test_what_still_runs_is_adopted_or_stopped(left: Leftover, kind: type) -> None:
    world = World(wish("a", GOOD))
    world.settle()
    world.prepare("a")
    actions = decide(world.wishes, world.seen, [left], 0, world.policy)
    assert isinstance(actions[0], kind)


# -- random faults ---------------------------------------------------------------------------------

NAMES = ("a", "b", "c", "d")
names = st.sampled_from(NAMES)


class Faults(RuleBasedStateMachine):
    """Whatever happens, and in whatever order: what is promised holds after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(boot=True)
        self.numbers = 0

    def fresh(self, name: str, fate: str, need: int, gpu: int, gpus: int) -> Any:
        self.numbers += 1
        return recipe(name, self.numbers, fate, need, gpu, gpus)

    @rule(
        name=names,
        fate=st.sampled_from("gggucl"),
        need=st.integers(1, 9),
        gpu=st.sampled_from([0, 0, 0, 1, 3, 5, 6, 9, 10]),
        gpus=st.sampled_from([1, 1, 2]),
        instances=st.integers(0, 2),
        more=st.sampled_from([0, 0, 1, 2]),
        pinned=st.booleans(),
        idle=st.sampled_from([None, 20]),
    )
    def deploy(
        self,
        name: str,
        fate: str,
        need: int,
        gpu: int,
        gpus: int,
        instances: int,
        more: int,
        pinned: bool,
        idle: Any,
    ) -> None:
        """A new one, or an update of one that is there."""
        before = self.world.wishes.get(name)
        if before is not None and before.spec.deleted:
            return
        self.world.want(
            wish(
                name,
                self.fresh(name, fate, need, gpu, gpus),
                generation=1 if before is None else before.spec.generation + 1,
                instances=instances,
                most=max(1, instances) + more,
                pinned=pinned and need < 4 and gpu < 4,
                idle_stop_s=idle,
                fallback=self.world.last_that_ran(name),
            )
        )

    @rule(name=names, how=st.sampled_from(["stopped", "deleted", "started"]))
    def switch(self, name: str, how: str) -> None:
        before = self.world.wishes.get(name)
        if before is None or before.spec.deleted:
            return
        changes: dict[str, Any] = {how: True} if how != "started" else {"stopped": False}
        spec = msgspec.structs.replace(
            before.spec, generation=before.spec.generation + 1, **changes
        )
        self.world.want(msgspec.structs.replace(before, spec=spec))

    @rule(name=names, instances=st.integers(0, 2), more=st.sampled_from([0, 1, 2]))
    def rescale(self, name: str, instances: int, more: int) -> None:
        """Another number of replicas: what was undone stays undone."""
        before = self.world.wishes.get(name)
        if before is None or before.spec.deleted:
            return
        in_force = recipe_in_force(before, self.world.seen[name])
        most = max(1, instances) + more
        scale = Scale(min_instances=instances, max_instances=most)
        generation = before.spec.generation + 1
        spec = msgspec.structs.replace(before.spec, generation=generation, scale=scale)
        self.world.want(msgspec.structs.replace(before, spec=spec))
        if scale != before.spec.scale:
            now = self.world.wishes[name]
            assert recipe_in_force(now, self.world.seen[name]) == in_force

    @rule(name=names)
    def prepare(self, name: str) -> None:
        if name in self.world.seen:
            self.world.prepare(name)

    @rule(name=names)
    def call(self, name: str) -> None:
        wanted = self.world.wishes.get(name)
        if wanted is not None and not wanted.off:
            self.world.call(name)

    @rule(name=names, calls=st.integers(3, 20), seconds=st.integers(1, 9), loads=st.booleans())
    def crowd(self, name: str, calls: int, seconds: int, *, loads: bool) -> None:
        """Many calls, for a while."""
        wanted = self.world.wishes.get(name)
        if wanted is not None and not wanted.off:
            self.world.busy(name, calls, seconds, loads=loads)

    @rule(name=names)
    def callers_give_up(self, name: str) -> None:
        if name in self.world.waiting:
            self.world.waiting[name] = 0

    @precondition(lambda self: self.world.copies)
    @rule(data=st.data(), what=st.sampled_from(["load", "fail", "finish", "load", "finish"]))
    def happen(self, data: st.DataObject, what: str) -> None:
        copy = data.draw(st.sampled_from(self.world.copies))
        getattr(self.world, what)(copy)

    @rule()
    def end(self) -> None:
        self.world.end()

    @rule(seconds=st.sampled_from([0.1, 1, 3, 10, 40]))
    def wait(self, seconds: float) -> None:
        self.world.now_s += seconds

    @invariant()
    def what_is_promised(self) -> None:
        world = self.world
        world.settle()
        assert not world.overcommitted
        for id_, seen in world.seen.items():
            wanted = world.wishes[id_]
            live = [copy for copy in seen.copies if copy.live]
            if wanted.off:
                assert live == []
                continue
            right = recipe_in_force(wanted, seen)
            many = wanted.spec.scale.within(seen.wanted)
            assert sum(copy.recipe == right for copy in live) <= many
            if sum(copy.recipe == right and copy.ready for copy in live) >= many:
                assert all(copy.recipe == right for copy in live)

    def teardown(self) -> None:
        """When faults stop, everything comes to rest where it is wanted."""
        world = self.world
        world.calm(500)
        world.done.clear()
        world.calm(3)
        pinned = total(claim_of(copy) for copy in world.copies if world.is_pinned(copy))
        ceiling = Claim(BUDGET, GPUS).minus(pinned)
        for id_, seen in world.seen.items():
            wanted = world.wishes[id_]
            assert not wanted.spec.deleted
            if wanted.spec.stopped:
                assert seen.copies == []
                continue
            right = recipe_in_force(wanted, seen)
            fits = need_of(right).place(ceiling) is not None
            bad = status(world, id_) is DeploymentStatus.FAILED or right.source[-1] == "l"
            assert bad or world.ready(id_) or seen.asleep or not fits
            assert bad or not fits or not world.waiting[id_]
            assert len(world.ready(id_)) <= wanted.spec.scale.within(0)


TestFaults = Faults.TestCase
#: What fails is made small first, which takes its time.
pytest.mark.timeout(1200)(TestFaults)
TestFaults.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
