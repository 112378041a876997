"""The loop that makes what there is what is wanted: it owns the clock and the memory.

What to do is decided in decide.py, and done by actuate.py, without an `await` between looking and
doing, so that no call comes between: a call that has been counted is never cut, and one that is not
yet finds the replica gone and waits for another.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Mapping

from penstock.control.actuate import Actuator
from penstock.control.decide import Policy, decide, recipe_in_force
from penstock.control.fetch import Fetcher
from penstock.control.observed import Observed, Wish
from penstock.control.progress import progress_of
from penstock.control.recipe import EngineMaker
from penstock.control.record import Recorder
from penstock.control.supervise import RestartPolicy
from penstock.control.tended import Tended
from penstock.domain.deployment import DeploymentProgress, DeploymentStatus
from penstock.fleet.base import Fleet
from penstock.fleet.groups import Groups

log = logging.getLogger(__name__)

TICK_S = 1.0

#: One that is looked after only when it is asked for.
SPARE = DeploymentProgress(status=DeploymentStatus.RUNNING)
#: Of deciding and doing in one step: it ends far sooner, unless two rules undo each other.
MOST_ROUNDS = 100


def is_spare(wish: Wish) -> bool:
    """Whether nothing is to be done before somebody asks: its weights have been here before."""
    spec = wish.spec
    return spec.scale.min_instances == 0 and spec.version_id is not None and not wish.off


class Reconciler:
    """Use it as an async context manager: when it is left, no replica runs any more."""

    def __init__(
        self,
        *,
        groups: Groups,
        fleet: Fleet,
        maker: EngineMaker,
        fetcher: Fetcher,
        policy: Policy,
        restarts: RestartPolicy,
        recorder: Recorder,
    ) -> None:
        self._wishes: dict[str, Wish] = {}
        self._groups = groups
        groups.wake = self.wake
        self._fleet = fleet
        self._policy = policy
        self._restarts = restarts
        self._recorder = recorder
        self._before: dict[str, DeploymentProgress] = {}
        self._tended: dict[str, Tended] = {}
        self._actuator = Actuator(
            self._tended,
            groups=groups,
            fleet=fleet,
            maker=maker,
            fetcher=fetcher,
            restarts=restarts,
            recorder=recorder,
            wake=self.wake,
        )
        self._woken = asyncio.Event()
        self._loop_task: asyncio.Task[None] | None = None
        self._booted = False
        self._take_note = False

    async def __aenter__(self) -> "Reconciler":
        self._actuator.leftovers = list(await self._fleet.leftovers())
        self._before = await asyncio.to_thread(self._recorder.known_progress)
        self.step()
        self._booted = True
        self._loop_task = asyncio.create_task(self._run(), name="reconcile")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._loop_task is not None
        self._loop_task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._loop_task
        await self._actuator.aclose()

    def want(self, wishes: Iterable[Wish]) -> None:
        """All that is wanted from now on. One that is wanted only while it is asked for is not
        looked at before it is."""
        self._wishes = {wish.spec.id: wish for wish in wishes}
        self._take_note = True
        self.wake()

    def wake(self) -> None:
        """Look again soon: something has changed."""
        self._woken.set()

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._woken.wait()
            self._woken.clear()
            try:
                self.step()
            except Exception:
                log.exception("The reconciler stumbled; it goes on in %g s.", TICK_S)
                await asyncio.sleep(TICK_S)

    # -- one step: no await in here ------------------------------------------------------------

    def step(self) -> None:
        """Look, decide, do, until there is nothing to do now."""
        now_s = asyncio.get_running_loop().time()
        self._note_wishes(now_s)
        for _ in range(MOST_ROUNDS):
            observed = self._look(now_s)
            leftovers = self._actuator.leftovers
            actions = decide(self._wishes, observed, leftovers, now_s, self._policy)
            if not actions:
                break
            for action in actions:
                self._actuator.do(action, now_s)
        for id_, seen in self._look(now_s).items():
            self._show(self._tended[id_], self._wishes.get(id_), seen)
        self._actuator.measure(now_s)

    def _note_wishes(self, now_s: float) -> None:
        asked = {id_ for id_, group in self._groups if group.waiting and id_ not in self._tended}
        if not self._take_note and not asked:
            return
        self._take_note = False
        for id_, wish in self._wishes.items():
            if id_ in self._tended or id_ in asked or not is_spare(wish):
                tended = self._tend(id_, now_s)
                tended.want(wish, now_s, boot=not self._booted)
                tended.remember(self._before.pop(id_, None))
        for id_, group in self._groups:
            wanted = self._wishes.get(id_)
            if wanted is not None and group.capabilities is None:
                group.capabilities = wanted.capabilities
            if wanted is not None and id_ not in self._tended:
                group.publish(SPARE, ())

    def _tend(self, id_: str, now_s: float) -> Tended:
        tended = self._tended.get(id_)
        if tended is None:
            group = self._groups.get(id_)
            tended = self._tended[id_] = Tended(id_, group, now_s)
            group.listeners.append(self.wake)
        return tended

    def _look(self, now_s: float) -> Mapping[str, Observed]:
        """All but those that rest: of a thousand deployments, most do."""
        return {
            id_: tended.look(
                now_s,
                forgiven_after_s=self._restarts.forgiven_after_s,
                scale_down_after_s=self._policy.scale_down_after_s,
            )
            for id_, tended in self._tended.items()
            if not tended.rests(self._wishes.get(id_))
        }

    def _show(self, tended: Tended, wish: Wish | None, seen: Observed) -> None:
        """Publish what has changed."""
        tended.shown = wish
        self._note_replicas(tended)
        if wish is None:
            return
        progress = progress_of(wish, seen)
        version_id, serving = tended.serving(recipe_in_force(wish, seen))
        replicas = tuple(kept.replica for kept in serving if kept.replica is not None)
        for kept in tended.kept:
            if kept.replica is not None and kept not in serving:
                kept.replica.told = self.wake
        before = tended.group.progress
        if progress != before:
            self._recorder.progress(tended.id, progress)
            if progress.fail_reason and progress.fail_reason != before.fail_reason:
                self._recorder.line(tended.id, progress.fail_reason, "error")
            if progress.running > before.running:
                self._recorder.line(tended.id, f"Ready: {progress.running} replicas.")
        for copy in seen.copies:
            if copy.failures > tended.failures.get(copy.id, 0):
                self._recorder.line(tended.id, copy.reason, "warning")
        tended.failures = {copy.id: copy.failures for copy in seen.copies}
        shown = (tended.group.progress, tended.group.replicas, tended.group.version_id)
        if (progress, replicas, version_id) != shown:
            tended.group.publish(progress, replicas, version_id)
        self._learn(tended, wish, seen)

    def _note_replicas(self, tended: Tended) -> None:
        there = tuple(kept.record() for kept in tended.kept)
        if there != tended.recorded:
            tended.recorded = there
            self._recorder.replicas(tended.id, there)

    def _learn(self, tended: Tended, wish: Wish, seen: Observed) -> None:
        """Note what a version turns out to be and to be able to do, once it runs."""
        recipe = recipe_in_force(wish, seen)
        ready = next((k for k in tended.kept if k.ready_s and k.recipe == recipe), None)
        if ready is None or ready.replica is None or recipe != wish.recipe:
            return
        spec, can = wish.spec, ready.replica.capabilities
        if spec.version_id is None:
            self._actuator.settle(tended, spec, recipe)
            return
        known = can == wish.capabilities or tended.taught == spec.version_id
        # Weights that were replaced are another version, which is not written down for a moment.
        if can is not None and not known and ready.version_id == spec.version_id:
            tended.taught = spec.version_id
            self._recorder.learn(spec.model, spec.version_id, can)
