"""Does what has been decided: starts, drains, ends replicas, and brings what they need.

A deed itself is done at once, without an `await`; what takes time goes on by itself and ends by
waking the loop.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine
from typing import Any

from penstock.control.actions import (
    Action,
    Adopt,
    Drain,
    Forget,
    Prepare,
    Rescale,
    Resume,
    RollBack,
    Sleep,
    Start,
    Stop,
    StopUnknown,
)
from penstock.control.claim import Claim, Need, total
from penstock.control.fetch import Fetcher
from penstock.control.fetch_error import FetchError
from penstock.control.recipe import EngineMaker, Recipe, claim_of
from penstock.control.record import Level, Recorder
from penstock.control.supervise import RestartPolicy, Supervisor
from penstock.control.tended import Kept, Preparing, Tended
from penstock.domain.deployment import DeploymentSpec
from penstock.domain.source import BadSource
from penstock.domain.version import Version, deployment_of_version
from penstock.engines.base import CannotStart
from penstock.engines.registry import LocalSource
from penstock.fleet.base import Fleet, Leftover, Place
from penstock.fleet.groups import Groups
from penstock.fleet.replica import Replica

log = logging.getLogger(__name__)

LEVELS: dict[Level, int] = {
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
MEASURE_EVERY_S = 10.0


class Actuator:
    """Works on what the loop tends. `leftovers` are what earlier servers left, until it is dealt
    with."""

    def __init__(
        self,
        tended: dict[str, Tended],
        *,
        groups: Groups,
        fleet: Fleet,
        maker: EngineMaker,
        fetcher: Fetcher,
        restarts: RestartPolicy,
        recorder: Recorder,
        wake: Callable[[], None],
    ) -> None:
        """`wake` is called when something that took time has ended."""
        self._tended = tended
        self._groups = groups
        self._fleet = fleet
        self._maker = maker
        self._fetcher = fetcher
        self._restarts = restarts
        self._recorder = recorder
        self._wake = wake
        self._effects: set[asyncio.Task[None]] = set()
        self.leftovers: list[Leftover] = []
        self._deeds: dict[type[Action], Callable[[Any, float], None]] = {
            Adopt: self._adopt,
            StopUnknown: self._stop_unknown,
            Prepare: self._prepare,
            Start: self._start,
            Drain: self._drain,
            Resume: self._resume,
            Stop: self._stop,
            Sleep: self._sleep,
            Rescale: self._rescale,
            RollBack: self._roll_back,
            Forget: self._forget,
        }

    def do(self, action: Action, now_s: float) -> None:
        self._deeds[type(action)](action, now_s)

    async def aclose(self) -> None:
        """Nothing goes on, and no replica runs any more."""
        preparing = [p.task for t in self._tended.values() for p in t.preparing if p.task]
        for task in [*self._effects, *preparing]:
            task.cancel()
        supervisors = [
            kept.supervisor
            for tended in self._tended.values()
            for kept in tended.kept
            if kept.supervisor is not None
        ]
        await asyncio.gather(*(supervisor.stop() for supervisor in supervisors))
        await asyncio.gather(*self._effects, *preparing, return_exceptions=True)

    def settle(self, tended: Tended, spec: DeploymentSpec, recipe: Recipe) -> None:
        """Have its version written down, once in each generation."""
        preparing = tended.about(recipe)
        if tended.settled != spec.generation and preparing is not None and preparing.source:
            tended.settled = spec.generation
            self._spawn(self._settle_now(spec, preparing, preparing.source))

    def measure(self, now_s: float) -> None:
        """Have each replica's memory measured, now and then."""
        for tended in self._tended.values():
            for kept in tended.kept:
                due = now_s - kept.measured_s >= MEASURE_EVERY_S
                if kept.ready_s is not None and due and not kept.ending:
                    kept.measured_s = now_s
                    self._spawn(self._measure_one(tended, kept))

    # -- deeds: one about a copy that has gone meanwhile is past ---------------------------------

    def _adopt(self, action: Adopt, now_s: float) -> None:
        leftover = action.leftover
        self.leftovers.remove(leftover)
        tended = self._tended[leftover.place.deployment_id]
        assert tended.wish is not None
        recipe = tended.wish.recipe
        preparing = tended.about(recipe)
        need = preparing.seen.need if preparing is not None else None
        claim = self._claim_of_leftover(need or Need())
        kept = tended.keep(Kept(leftover.place, recipe, claim=claim, now_s=now_s))
        self._spawn(self._run_copy(tended, kept, leftover))

    def _stop_unknown(self, action: StopUnknown, now_s: float) -> None:
        self.leftovers.remove(action.leftover)
        self._spawn(self._fleet.end(action.leftover))

    def _prepare(self, action: Prepare, now_s: float) -> None:
        tended = self._tended[action.deployment_id]
        preparing = Preparing(action.recipe)
        tended.preparing.append(preparing)
        self._recorder.line(tended.id, f"Preparing {action.recipe.source}.")
        preparing.task = asyncio.create_task(self._bring(tended, preparing))

    def _start(self, action: Start, now_s: float) -> None:
        tended = self._tended[action.deployment_id]
        place = self._place(action.deployment_id, action.generation)
        self._recorder.line(tended.id, f"Starting the replica {place.copy_id}.")
        kept = tended.keep(Kept(place, action.recipe, claim=action.offer, now_s=now_s))
        self._spawn(self._run_copy(tended, kept))

    def _drain(self, action: Drain, now_s: float) -> None:
        if (kept := self._tended[action.deployment_id].of(action.copy_id)) is not None:
            kept.draining = True
            kept.drain_until_s, kept.for_room = action.until_s, action.for_room
            if kept.supervisor is not None:
                kept.supervisor.drain()

    def _resume(self, action: Resume, now_s: float) -> None:
        tended = self._tended[action.deployment_id]
        if (kept := tended.of(action.copy_id)) is not None and not kept.ending:
            kept.draining = kept.for_room = tended.asleep = False
            if kept.supervisor is not None:
                kept.supervisor.resume()

    def _stop(self, action: Stop, now_s: float) -> None:
        tended = self._tended[action.deployment_id]
        if (kept := tended.of(action.copy_id)) is not None:
            kept.ending = True
            self._spawn(self._end_copy(tended, kept))

    def _sleep(self, action: Sleep, now_s: float) -> None:
        tended = self._tended[action.deployment_id]
        tended.asleep, tended.wanted = True, 0
        self._say(tended, f"{action.reason} It starts when it is asked for.")

    def _rescale(self, action: Rescale, now_s: float) -> None:
        tended = self._tended[action.deployment_id]
        tended.wanted = action.replicas
        tended.no_more_before_s = max(tended.no_more_before_s, action.no_more_before_s)
        self._say(tended, f"{action.reason} Replicas wanted from now on: {action.replicas}.")

    def _roll_back(self, action: RollBack, now_s: float) -> None:
        tended = self._tended[action.deployment_id]
        tended.rolled_back, tended.update_error = action.generation, action.reason
        self._say(tended, f"The update is undone: {action.reason}", "error")

    def _forget(self, action: Forget, now_s: float) -> None:
        tended = self._tended.pop(action.deployment_id)
        tended.call_off()
        self._recorder.replicas(tended.id, ())
        tended.group.listeners.remove(self._wake)
        self._groups.drop(action.deployment_id)

    def _say(self, tended: Tended, sentence: str, level: Level = "info") -> None:
        """In the server's log and in the deployment's own."""
        log.log(LEVELS[level], "%s: %s", tended.name, sentence)
        self._recorder.line(tended.id, sentence, level)

    def _place(self, deployment_id: str, generation: int) -> Place:
        """Of a new copy; not even another server has given this one."""
        copy_id = f"{deployment_id}-{secrets.token_hex(4)}"
        return Place(deployment_id=deployment_id, generation=generation, copy_id=copy_id)

    # -- effects: each ends by waking the loop ---------------------------------------------------

    def _spawn(self, effect: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(effect)
        self._effects.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._effects.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("The reconciler could not do something.", exc_info=error)
        self._wake()

    async def _bring(self, tended: Tended, preparing: Preparing) -> None:
        """Fetch the weights and find out what a copy needs at least."""
        recipe = preparing.seen.recipe

        def tell(percent: int | None) -> None:
            preparing.note(percent=percent)
            self._wake()

        try:
            known = tended.version_source(recipe)
            source = await self._fetcher.bring(recipe, tell, version_source=known)
            whole, _ = await asyncio.to_thread(self._maker.without_lost, recipe)
            need = await asyncio.to_thread(self._maker.need, whole, source)
            if not self._is_first(tended, recipe):
                await self._recognise(tended, preparing, source)
        except (BadSource, FetchError, CannotStart, OSError) as error:
            preparing.note(percent=None, fault=str(error))
            log.error("%s cannot be served. %s", recipe.name, error)
        else:
            preparing.source = source
            preparing.note(percent=None, need=need)
            if (wish := tended.wish) is not None and self._is_first(tended, recipe):
                self.settle(tended, wish.spec, recipe)
        self._wake()

    async def _recognise(self, tended: Tended, preparing: Preparing, source: LocalSource) -> None:
        """Find out what version the weights are, before it takes over from another.

        A deployment whose weights have been replaced has a new version. What was asked for as a
        version is that one or nothing. Raises CannotStart.
        """
        version = await asyncio.to_thread(self._version, preparing.seen.recipe, source)
        preparing.version_id = version.id
        wish = tended.wish
        if wish is None or wish.recipe != preparing.seen.recipe or wish.spec.version_id is None:
            return
        spec, before = wish.spec, wish.spec.version_id
        if before == version.id:
            return
        if spec.id == deployment_of_version(before):
            raise CannotStart(
                f"{version.source} is not the version {before[:12]} any more: its weights have "
                "been replaced, or settings of the server are others."
            )
        preparing.note(replaced=True)
        changed = f"Its weights, or settings of the server, have changed since {before[:12]}"
        self._say(tended, f"{changed}: it is the version {version.id[:12]} now.", "warning")
        tended.settled = spec.generation
        await asyncio.to_thread(self._recorder.settle, spec, version)

    async def _settle_now(
        self, spec: DeploymentSpec, preparing: Preparing, source: LocalSource
    ) -> None:
        version = await asyncio.to_thread(self._version, preparing.seen.recipe, source)
        preparing.version_id = version.id
        await asyncio.to_thread(self._recorder.settle, spec, version)

    def _version(self, recipe: Recipe, source: LocalSource) -> Version:
        return self._recorder.version_of(recipe, source, self._maker.choose(recipe, source).engine)

    def _is_first(self, tended: Tended, recipe: Recipe) -> bool:
        """Whether the recipe is that of a first version: there is none to fall back to."""
        wish = tended.wish
        return (
            wish is not None
            and wish.recipe == recipe
            and wish.fallback is None
            and wish.spec.version_id is None
        )

    async def _run_copy(self, tended: Tended, kept: Kept, leftover: Leftover | None = None) -> None:
        """Make an engine that takes no more than its claim, and keep a replica of it.

        The process of `leftover` is taken over, instead of starting one.
        """
        preparing = tended.about(kept.recipe)
        source = preparing.source if preparing is not None else None
        need = preparing.seen.need if preparing is not None else None
        if preparing is None or source is None or need is None:  # it has been changed again
            tended.kept.remove(kept)
            return
        try:
            whole, lost = await asyncio.to_thread(self._maker.without_lost, kept.recipe)
            engine = await asyncio.to_thread(
                self._maker.make,
                whole,
                source,
                free_bytes=kept.claim.memory_bytes,
                gpus=self._maker.offered(kept.claim),
            )
            claim = await asyncio.to_thread(claim_of, engine)
            if leftover is not None and lost:  # it numbers its adapters otherwise
                await self._fleet.end(leftover)
                leftover = None
            process = await self._fleet.adopt(leftover) if leftover is not None else None
        except (CannotStart, OSError) as error:
            self._no_copy(tended, kept, preparing, str(error))
            return
        if kept.ending:  # it was stopped while its engine was made
            return
        engine.lost_adapters = lost
        for why in lost.values():
            self._say(tended, f"It goes without an adapter. {why}", "warning")
        kept.claim = claim.at_least(Claim(need.memory_bytes, kept.claim.gpu_bytes))
        kept.replica = Replica(engine)
        kept.supervisor = Supervisor(
            kept.replica,
            name=kept.recipe.name,
            fleet=self._fleet,
            place=kept.place,
            policy=self._restarts,
            process=process,
        )
        if not tended.group.up:
            tended.group.slots = engine.slots
        kept.supervisor.start()

    def _no_copy(self, tended: Tended, kept: Kept, preparing: Preparing, fault: str) -> None:
        """There is no engine for this copy: nor for any other, unless one of them runs."""
        if any(other.ready_s is not None for other in tended.kept):
            log.warning("%s: no further replica. %s", kept.recipe.name, fault)
            kept.fault = fault
        else:
            log.error("%s cannot be served. %s", kept.recipe.name, fault)
            preparing.note(need=None, fault=fault)
            tended.kept.remove(kept)

    def _claim_of_leftover(self, need: Need) -> Claim:
        """Fleets do not tell which GPUs it has: taken for those that are free, or would be."""
        held = total(kept.claim for tended in self._tended.values() for kept in tended.kept)
        budget = self._maker.budget
        return need.on_gpus(budget.minus(held)) or need.on_gpus(budget) or Claim(need.memory_bytes)

    async def _end_copy(self, tended: Tended, kept: Kept) -> None:
        if kept.supervisor is not None:
            await kept.supervisor.stop()
        tended.kept.remove(kept)

    async def _measure_one(self, tended: Tended, kept: Kept) -> None:
        """What it really takes counts when that is more; its next start asks for as much.

        Neither grows beyond the budget: it would be sent away at once, and could never come back.
        """
        if kept.supervisor is None:
            return
        taken = await asyncio.to_thread(kept.supervisor.taken)
        if excess := taken.within(self._maker.budget).beyond(kept.claim):
            kept.claim = kept.claim.plus(excess)
            preparing = tended.about(kept.recipe)
            if preparing is not None and preparing.seen.need is not None:
                preparing.note(need=preparing.seen.need.grown(excess, self._maker.budget))
