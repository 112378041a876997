"""A fleet that is only simulated: decisions are carried out on values, and faults are made up."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from penstock.config.settings import ModelSettings
from penstock.control.actions import (
    Action,
    Drain,
    Forget,
    Prepare,
    Rescale,
    Resume,
    RollBack,
    Sleep,
    Start,
    Stop,
)
from penstock.control.autoscale import Traffic, follow
from penstock.control.claim import Claim, Need, total
from penstock.control.decide import Policy, decide, recipe_in_force
from penstock.control.observed import Copy, Observed, Preparation, Wish
from penstock.control.recipe import Recipe
from penstock.domain.deployment import DeploymentSpec, Scale
from penstock.domain.replica import ReplicaState

THEN = datetime(2026, 1, 1, tzinfo=UTC)
BUDGET = 10
#: What is free of each GPU, by its index; the last one is smaller, and gives smaller parts.
GPUS = {0: 10, 1: 10, 2: 5}
#: What becomes of a recipe: by the last letter of its source.
FATES = {"g": "good", "u": "unfit", "c": "crashes before it is ready", "l": "crashes afterwards"}
ROUNDS = 60
#: Calls that a copy takes at once.
TAKES = 4


def recipe(
    name: str, number: int, fate: str = "g", need: int = 4, gpu: int = 0, gpus: int = 1
) -> Recipe:
    """`gpu` is what it takes of each of so many large GPUs; of small ones it takes the half."""
    source = f"fake:?gpu_mib={gpu}.{gpus}&load_s={number}.{need}{fate}"
    return Recipe(name, source, ModelSettings(source="fake:"))


def fate_of(of: Recipe) -> str:
    return of.source[-1]


def need_of(of: Recipe) -> Need:
    memory = int(of.source[-2])
    flag = of.source.partition("&")[0].removeprefix("fake:?gpu_mib=")
    gpu, gpus = map(int, flag.split("."))
    parts = {0: gpu, 1: gpu, 2: -(-gpu // 2)}
    return Need(memory, gpus, parts) if gpu else Need(memory)


def wish(
    name: str,
    what: Recipe,
    *,
    generation: int = 1,
    instances: int = 1,
    most: int = 1,
    fallback: Recipe | None = None,
    idle_stop_s: float | None = None,
    pinned: bool = False,
) -> Wish:
    spec = DeploymentSpec(
        id=name,
        model=name,
        kind="llm",
        source=what.source,
        created_at=THEN,
        updated_at=THEN,
        generation=generation,
        scale=Scale(min_instances=instances, max_instances=max(most, instances)),
        pinned=pinned,
    )
    return Wish(spec=spec, recipe=what, fallback=fallback, idle_stop_s=idle_stop_s)


class World:
    """What is wanted, what there is, and a clock. `done` are all actions so far."""

    def __init__(self, *wishes: Wish, boot: bool = False, budget: int = BUDGET) -> None:
        self.now_s = 0.0
        self.policy = Policy(budget_bytes=budget, gpu_bytes=GPUS, drain_timeout_s=30)
        self.wishes: dict[str, Wish] = {}
        self.seen: dict[str, Observed] = {}
        self.waiting: dict[str, int] = {}
        self.done: list[Action] = []
        self._ran: list[Recipe] = []
        self._copies = 0
        for each in wishes:
            self.want(each, boot=boot)

    def want(self, wanted: Wish, *, boot: bool = False) -> None:
        """As the reconciler does: a new generation begins with a clean slate, if it is to run other
        replicas."""
        id_ = wanted.spec.id
        before = self.wishes.get(id_)
        self.wishes[id_] = wanted
        seen = self.seen.get(id_) or Observed(id=id_, wished_s=self.now_s)
        if before is None or before.spec.generation != wanted.spec.generation:
            recipes = (wanted.recipe, wanted.fallback)
            if before is None or not wanted.keeps_replicas_of(before):
                seen = msgspec.structs.replace(
                    seen, proven=False, rolled_back=None, update_error=None
                )
            elif seen.rolled_back is not None:
                seen = msgspec.structs.replace(seen, rolled_back=wanted.spec.generation)
            seen = msgspec.structs.replace(
                seen,
                wished_s=self.now_s,
                boot=boot,
                asleep=wanted.spec.scale.min_instances == 0 and not seen.copies,
                preparations=[
                    p for p in seen.preparations if p.recipe in recipes and p.fault is None
                ],
            )
        self.seen[id_] = seen
        self.waiting.setdefault(id_, 0)

    def last_that_ran(self, id_: str) -> Recipe | None:
        """What an update returns to if it fails, as the route of updates says it."""
        before = self.wishes.get(id_)
        if before is None:
            return None
        undone = self.seen[id_].rolled_back == before.spec.generation
        return before.recipe if before.recipe in self._ran and not undone else before.fallback

    # -- deciding and doing --------------------------------------------------------------------

    def settle(self) -> list[Action]:
        """Decide and do until there is nothing to do; all that was done."""
        before = len(self.done)
        for _ in range(ROUNDS):
            self._look()
            actions = decide(self.wishes, self.seen, (), self.now_s, self.policy)
            if not actions:
                return self.done[before:]
            for action in actions:
                self.do(action)
        raise AssertionError(f"no end of deciding: {self.done[-6:]}")

    def _look(self) -> None:
        for id_, seen in self.seen.items():
            up = any(copy.ready for copy in seen.copies)
            asked_s = seen.asked_s
            if up or not self.waiting[id_]:
                asked_s = None
            elif asked_s is None:
                asked_s = self.now_s
            calls = self.waiting[id_] + sum(copy.calls for copy in seen.copies)
            traffic = follow(
                seen.traffic or Traffic(at_s=self.now_s),
                calls,
                self.now_s,
                over_s=self.policy.scale_down_after_s,
            )
            self._set(id_, asked_s=asked_s, calls=calls, traffic=traffic)

    def do(self, action: Action) -> None:
        """Raises AssertionError for what must never be decided."""
        self.done.append(action)
        match action:
            case Prepare(id_, what):
                prepared = [*self.seen[id_].preparations, Preparation(recipe=what)]
                self._set(id_, preparations=prepared)
            case Start(id_, generation, what, offer):
                need = need_of(what)
                assert offer.memory_bytes >= need.memory_bytes
                assert len(offer.gpu_bytes) == need.gpu_count
                assert all(need.gpu_bytes[gpu] == each for gpu, each in offer.gpu_bytes.items())
                self._copies += 1
                copy = Copy(
                    id=f"{id_}-{self._copies}",
                    recipe=what,
                    generation=generation,
                    state=ReplicaState.STARTING,
                    memory_bytes=need.memory_bytes,
                    gpu_bytes=offer.gpu_bytes,
                    used_s=self.now_s,
                    takes=TAKES,
                )
                self._set(id_, copies=[*self.seen[id_].copies, copy], asleep=False)
                assert not self.overcommitted
            case Drain(id_, copy_id, until_s, for_room):
                copy = self.copy(copy_id)
                assert not (for_room and self.stays_by_right(copy))
                self.change(
                    copy_id,
                    state=ReplicaState.STOPPING,
                    draining=True,
                    drain_until_s=until_s,
                    for_room=for_room,
                )
            case Resume(id_, copy_id):
                assert self.copy(copy_id).calls > 0
                self.change(copy_id, state=ReplicaState.READY, draining=False, for_room=False)
                self._set(id_, asleep=False)
            case Stop(_, copy_id):
                copy = self.copy(copy_id)
                assert not copy.calls or self.now_s >= (copy.drain_until_s or float("inf"))
                self.change(copy_id, ending=True)
            case Sleep(id_, _):
                self._set(id_, asleep=True, wanted=0)
            case Rescale(id_, replicas, _, no_more_before_s):
                scale = self.wishes[id_].spec.scale
                assert max(1, scale.min_instances) <= replicas <= scale.max_instances
                before = scale.within(self.seen[id_].wanted)
                assert replicas <= before + 1
                assert replicas < before or len(self.ready(id_)) == before
                self._set(id_, wanted=replicas, no_more_before_s=no_more_before_s)
            case RollBack(id_, generation, reason):
                self._set(id_, rolled_back=generation, update_error=reason)
            case Forget(id_):
                assert not self.seen[id_].copies
                del self.seen[id_], self.waiting[id_]
                self.wishes.pop(id_, None)
            case _:
                raise AssertionError(action)

    def _set(self, id_: str, **changes: object) -> None:
        self.seen[id_] = msgspec.structs.replace(self.seen[id_], **changes)

    def change(self, copy_id: str, **changes: object) -> None:
        for id_, seen in self.seen.items():
            copies = [
                msgspec.structs.replace(c, **changes) if c.id == copy_id else c for c in seen.copies
            ]
            self._set(id_, copies=copies)

    # -- asking --------------------------------------------------------------------------------

    @property
    def copies(self) -> list[Copy]:
        return [copy for seen in self.seen.values() for copy in seen.copies]

    @property
    def memory(self) -> int:
        return sum(copy.memory_bytes for copy in self.copies)

    @property
    def overcommitted(self) -> Claim:
        """What is taken beyond what there is."""
        there_is = Claim(self.policy.budget_bytes, self.policy.gpu_bytes)
        return total(claim_of(copy) for copy in self.copies).beyond(there_is)

    def copy(self, copy_id: str) -> Copy:
        return next(copy for copy in self.copies if copy.id == copy_id)

    def is_pinned(self, copy: Copy) -> bool:
        wanted = self.wishes.get(copy.id.rpartition("-")[0])
        if wanted is None or wanted.off or not wanted.spec.pinned:
            return False
        return copy.recipe == recipe_in_force(wanted, self.seen[wanted.spec.id])

    def stays_by_right(self, copy: Copy) -> bool:
        """Whether it is pinned, and there are no more than the fewest beside it."""
        id_ = copy.id.rpartition("-")[0]
        alike = [c for c in self.seen[id_].copies if c.live and c.recipe == copy.recipe]
        return self.is_pinned(copy) and len(alike) <= self.wishes[id_].spec.scale.within(0)

    def ready(self, id_: str) -> list[Copy]:
        return [copy for copy in self.seen[id_].copies if copy.ready]

    # -- what happens --------------------------------------------------------------------------

    def prepare(self, id_: str) -> None:
        """What is being prepared is here, or turns out to be unfit."""
        self._set(
            id_,
            preparations=[
                msgspec.structs.replace(p, fault="It is unfit.")
                if fate_of(p.recipe) == "u"
                else msgspec.structs.replace(p, need=need_of(p.recipe))
                for p in self.seen[id_].preparations
            ],
        )

    def load(self, copy: Copy) -> None:
        """A starting copy gets ready, or fails."""
        if fate_of(copy.recipe) == "c":
            self.fail(copy)
        elif copy.live and not copy.ready:
            self.change(copy.id, state=ReplicaState.READY, ready_s=self.now_s, used_s=self.now_s)
            self._ran.append(copy.recipe)
            id_ = copy.id.rpartition("-")[0]
            waited, self.waiting[id_] = self.waiting[id_], 0
            self.change(copy.id, calls=waited, served=copy.served + waited)

    def fail(self, copy: Copy) -> None:
        """Its process dies; the fifth time before it ever was ready it gives up."""
        failures = copy.failures + 1
        gives_up = failures >= 5 and fate_of(copy.recipe) == "c"
        if copy.draining:
            self.change(copy.id, calls=0)
        else:
            state = ReplicaState.FAILED if gives_up else ReplicaState.RESTARTING
            self.change(copy.id, state=state, failures=failures, calls=0, ready_s=None)
            if gives_up:
                self.change(copy.id, memory_bytes=0, gpu_bytes={})

    def call(self, id_: str) -> None:
        """A call takes a ready copy, or waits."""
        if ready := self.ready(id_):
            copy = min(ready, key=lambda c: c.calls)
            self.change(copy.id, calls=copy.calls + 1, served=copy.served + 1, used_s=self.now_s)
        else:
            self.waiting[id_] += 1

    def finish(self, copy: Copy) -> None:
        """All its calls end."""
        self.change(copy.id, calls=0, used_s=self.now_s)

    def end(self) -> None:
        """What was told to end has ended."""
        for id_, seen in self.seen.items():
            self._set(id_, copies=[copy for copy in seen.copies if not copy.ending])

    def busy(self, id_: str, calls: int, seconds: int, *, loads: bool = True) -> None:
        """As many calls all the time: each that ends is followed by another."""
        for _ in range(seconds):
            self.now_s += 1
            self.prepare(id_)
            for copy in self.copies:
                if copy.calls:
                    self.finish(copy)
                elif copy.live and not copy.ready and loads:
                    self.load(copy)
            self.end()
            self.waiting[id_] = 0
            for _ in range(calls):
                self.call(id_)
            self.settle()

    def calm(self, seconds: int = 120) -> None:
        """Time goes by without faults other than those of bad recipes."""
        for _ in range(seconds):
            self.now_s += 1
            for id_ in self.seen:
                self.prepare(id_)
            for copy in self.copies:
                if copy.ready and fate_of(copy.recipe) == "l":
                    self.fail(copy)
                elif copy.calls:
                    self.finish(copy)
                elif copy.live and not copy.ready:
                    self.load(copy)
            self.end()
            self.settle()


def claim_of(copy: Copy) -> Claim:
    return Claim(copy.memory_bytes, copy.gpu_bytes)


def kinds(actions: Sequence[Action]) -> list[str]:
    return [type(action).__name__ for action in actions]
