"""What this process has of each deployment: its replicas, what is being prepared, what it knows.

The loop's memory: written by the loop and by what it starts, and looked at as values.
"""

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

import msgspec

from penstock.control.autoscale import Traffic, follow
from penstock.control.claim import NOTHING, Claim
from penstock.control.observed import Copy, Observed, Preparation, Wish
from penstock.control.recipe import Recipe
from penstock.control.supervise import Supervisor
from penstock.domain.deployment import DeploymentProgress
from penstock.domain.replica import ReplicaRecord, ReplicaState, ReplicaStatus
from penstock.engines.registry import LocalSource
from penstock.fleet.base import Place
from penstock.fleet.group import ReplicaGroup
from penstock.fleet.replica import Replica


class Kept:
    """A replica that is kept. `replica` and `supervisor` stand once its engine is made."""

    def __init__(self, place: Place, recipe: Recipe, *, claim: Claim, now_s: float) -> None:
        self.place = place
        self.recipe = recipe
        self.claim = claim
        self.used_s = now_s
        self.started_at = datetime.now(UTC)
        self.replica: Replica | None = None
        self.supervisor: Supervisor | None = None
        self.ready_s: float | None = None
        self.served_before = self.served = 0
        self.measured_s = float("-inf")
        self.draining = self.for_room = self.ending = False
        self.drain_until_s: float | None = None
        self.fault: str | None = None
        self.version_id: str | None = None

    def look(self, now_s: float) -> Copy:
        """As it is now. Its last use is known as well as it is looked at."""
        replica, supervisor = self.replica, self.supervisor
        state = replica.status.state if replica is not None else ReplicaState.STARTING
        reason = (replica.status.reason or "") if replica is not None else ""
        if self.fault is not None:
            state, reason = ReplicaState.FAILED, self.fault
        claim = NOTHING if state is ReplicaState.FAILED else self.claim
        calls = 0
        if replica is not None:
            calls = replica.in_flight
            if calls or replica.served != self.served:
                self.used_s = now_s
            self.served = replica.served
            if state is not ReplicaState.READY:
                self.ready_s = None
            elif self.ready_s is None:
                self.ready_s = self.used_s = now_s
                self.served_before = replica.served
        return Copy(
            id=self.place.copy_id,
            recipe=self.recipe,
            generation=self.place.generation,
            state=state,
            memory_bytes=claim.memory_bytes,
            gpu_bytes=claim.gpu_bytes,
            used_s=self.used_s,
            takes=replica.engine.slots if replica is not None else 0,
            calls=calls,
            served=self.served - self.served_before,
            failures=supervisor.failures if supervisor is not None else 0,
            ready_s=self.ready_s,
            planning=replica is None and self.fault is None and not self.ending,
            draining=self.draining,
            drain_until_s=self.drain_until_s,
            for_room=self.for_room,
            ending=self.ending,
            reason=reason,
        )

    def record(self) -> ReplicaRecord:
        """What is written down of it."""
        status = ReplicaStatus(state=ReplicaState.STARTING)
        if self.fault is not None:
            status = ReplicaStatus(state=ReplicaState.FAILED, reason=self.fault)
        elif self.replica is not None:
            status = self.replica.status
        return ReplicaRecord(
            id=self.place.copy_id,
            deployment_id=self.place.deployment_id,
            generation=self.place.generation,
            started_at=self.started_at,
            state=status.state,
            version_id=self.version_id,
            memory_bytes=self.claim.memory_bytes,
            reason=status.reason,
            restarts=status.restarts,
            pid=status.pid,
        )


class Preparing:
    """A recipe's way to a replica: `source` once its weights are here, and what version it is."""

    def __init__(self, recipe: Recipe) -> None:
        self.seen = Preparation(recipe=recipe)
        self.source: LocalSource | None = None
        self.version_id: str | None = None
        self.task: asyncio.Task[None] | None = None

    def note(self, **changes: Any) -> None:
        self.seen = msgspec.structs.replace(self.seen, **changes)


class Tended:
    """A deployment, as far as this process has come with it."""

    def __init__(self, id_: str, group: ReplicaGroup, now_s: float) -> None:
        self.id = id_
        self.group = group
        self.wish: Wish | None = None
        self.wished_s = now_s
        self.kept: list[Kept] = []
        self.preparing: list[Preparing] = []
        self.asked_s: float | None = None
        self.asleep = False
        self.boot = False
        self.proven = False
        self.wanted = 0
        self.traffic: Traffic | None = None
        self.no_more_before_s = 0.0
        self.rolled_back: int | None = None
        self.update_error: str | None = None
        self.shown: Wish | None = None
        self.recorded: tuple[ReplicaRecord, ...] = ()
        self.taught: str | None = None
        self.failures: dict[str, int] = {}
        self.settled: int | None = None

    def want(self, wish: Wish, now_s: float, *, boot: bool) -> None:
        """Take note of what is wanted; a new generation begins with a clean slate, unless it leaves
        the replicas as they are: then an update that was undone stays undone."""
        before, self.wish = self.wish, wish
        if before is not None and before.spec.generation == wish.spec.generation:
            return
        if before is None or not wish.keeps_replicas_of(before):
            self.proven = False
            self.rolled_back = self.update_error = None
        elif self.rolled_back is not None:
            self.rolled_back = wish.spec.generation
        self.wished_s = now_s
        self.boot = boot
        self.asleep = wish.spec.scale.min_instances == 0 and not self.kept
        if wish.off:
            self.wanted = 0
        recipes = () if wish.off else (wish.recipe, wish.fallback)
        self.call_off(but=recipes)
        self.preparing = [
            p for p in self.preparing if p.seen.recipe in recipes and p.seen.fault is None
        ]

    def rests(self, wish: Wish | None) -> bool:
        """Whether there is nothing to do for it as long as it is wanted so and nobody calls."""
        if wish is None or wish is not self.shown or self.group.waiting:
            return False
        if self.kept or self.group.replicas or self.recorded:
            return False
        return wish.off or (self.asleep and all(p.seen.done for p in self.preparing))

    def remember(self, before: DeploymentProgress | None) -> None:
        """An update that an earlier server has undone stays undone."""
        if before is None or self.wish is None or not before.update_error:
            return
        if before.generation == self.wish.spec.generation:
            self.rolled_back, self.update_error = before.generation, before.update_error

    @property
    def name(self) -> str:
        return self.wish.recipe.name if self.wish is not None else self.id

    def call_off(self, but: Collection[Recipe | None] = ()) -> None:
        """Nobody waits for these weights any more."""
        for preparing in self.preparing:
            if preparing.seen.recipe not in but and preparing.task is not None:
                preparing.task.cancel()

    def keep(self, kept: Kept) -> Kept:
        self.kept.append(kept)
        self.asleep = False
        return kept

    def of(self, copy_id: str) -> Kept | None:
        return next((kept for kept in self.kept if kept.place.copy_id == copy_id), None)

    def about(self, recipe: Recipe) -> Preparing | None:
        return next((p for p in self.preparing if p.seen.recipe == recipe), None)

    def version_of(self, recipe: Recipe) -> str | None:
        """The version that a recipe is: by its weights once they are here, until then by what is
        written down. None while that is not known."""
        wish, preparing = self.wish, self.about(recipe)
        if preparing is not None and preparing.version_id is not None:
            return preparing.version_id
        if wish is not None and recipe == wish.recipe:
            return wish.spec.version_id
        return wish.spec.fallback_version if wish is not None and recipe == wish.fallback else None

    def version_source(self, recipe: Recipe) -> str | None:
        """Where the weights are of the version that a recipe is known to be."""
        wish = self.wish
        return wish.version_source if wish is not None and recipe == wish.recipe else None

    def serving(self, in_force: Recipe) -> tuple[str | None, list[Kept]]:
        """The one version that answers now, and the replicas that may be picked.

        In a roll-out it is the old one as long as it is there, so that all calls change over in one
        moment, and each answer tells its version rightly.
        """
        for kept in self.kept:
            kept.version_id = kept.version_id or self.version_of(kept.recipe)
            if kept.replica is not None:
                kept.replica.version_id = kept.version_id
        ready = [kept.version_id for kept in self.kept if kept.ready_s and not kept.draining]
        version_id = self.group.version_id
        if version_id not in ready:
            version_id = ready[0] if ready else self.version_of(in_force)
        shown = (version_id, None)
        return version_id, [k for k in self.kept if k.draining or k.version_id in shown]

    def look(self, now_s: float, *, forgiven_after_s: float, scale_down_after_s: float) -> Observed:
        group = self.group
        if self.wish is None or not self.wish.spec.scale.varies:
            self.traffic = None
        else:
            before = self.traffic or Traffic(at_s=now_s)
            self.traffic = follow(before, group.demand, now_s, over_s=scale_down_after_s)
        if group.up or not group.waiting:
            self.asked_s = None
        elif self.asked_s is None:
            self.asked_s = now_s
        copies = [kept.look(now_s) for kept in self.kept]
        if self.wish is not None and not self.proven:
            self.proven = any(
                copy.recipe == self.wish.recipe
                and copy.ready_s is not None
                and now_s - copy.ready_s >= forgiven_after_s
                for copy in copies
            )
        return Observed(
            id=self.id,
            wished_s=self.wished_s,
            copies=copies,
            preparations=[preparing.seen for preparing in self.preparing],
            calls=group.calls,
            asked_s=self.asked_s,
            asleep=self.asleep,
            boot=self.boot,
            rolled_back=self.rolled_back,
            proven=self.proven,
            wanted=self.wanted,
            traffic=self.traffic,
            no_more_before_s=self.no_more_before_s,
            update_error=self.update_error,
        )
