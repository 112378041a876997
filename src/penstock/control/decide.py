"""What to do next, so that what there is becomes what is wanted: a function of values."""

import math
from collections.abc import Container, Iterable, Mapping, Sequence

import msgspec

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
from penstock.control.autoscale import replicas_for
from penstock.control.claim import NO_GPUS, Claim
from penstock.control.observed import Copy, Observed, Wish
from penstock.control.recipe import Recipe
from penstock.control.room import Applicant, Resident, share_out
from penstock.fleet.base import Leftover


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """`budget_bytes` of memory, and `gpu_bytes` of each GPU, by its index, are for all together.

    `crash_loop` failures in a row undo an update. `drain_timeout_s` bounds a drain.

    Replicas go when fewer were enough for `scale_down_after_s`. When a further one does not start,
    another is tried after `scale_up_again_s`.
    """

    budget_bytes: int
    gpu_bytes: Mapping[int, int] = NO_GPUS
    drain_timeout_s: float = 30.0
    crash_loop: int = 5
    scale_down_after_s: float = 300.0
    scale_up_again_s: float = 60.0


def decide(
    wishes: Mapping[str, Wish],
    observed: Mapping[str, Observed],
    leftovers: Iterable[Leftover],
    now_s: float,
    policy: Policy,
) -> list[Action]:
    """Everything that can be done now. Deciding again once it is done gives the rest."""
    actions: list[Action] = []
    for leftover in leftovers:
        actions += about_leftover(leftover, wishes, observed)
    adopting = {a.leftover.place.deployment_id for a in actions if isinstance(a, Adopt)}
    applicants: list[Applicant] = []
    residents: list[Resident] = []
    for id_, seen in observed.items():
        wish = wishes.get(id_)
        if wish is None or wish.off:
            its = list(put_away(seen, now_s, policy, forget=wish is None or wish.spec.deleted))
        else:
            its = list(tend(wish, seen, now_s, policy))
            if id_ not in adopting:
                applicants += asking(wish, seen)
        actions += its
        going = {action.copy_id for action in its if isinstance(action, Drain)}
        residents += residing(wish, seen, going)
    planning = any(copy.planning for seen in observed.values() for copy in seen.copies)
    # After an update is undone, other copies are the right ones.
    if not planning and not any(isinstance(action, RollBack) for action in actions):
        actions += about_room(wishes, observed, applicants, residents, now_s, policy)
    return actions


def about_leftover(
    leftover: Leftover, wishes: Mapping[str, Wish], observed: Mapping[str, Observed]
) -> Iterable[Action]:
    """One of an earlier generation, or of nothing that is wanted, does not go on."""
    place = leftover.place
    wish, seen = wishes.get(place.deployment_id), observed.get(place.deployment_id)
    current = wish is not None and not wish.off and wish.spec.generation == place.generation
    if wish is None or seen is None or not current or not leftover.adoptable:
        yield StopUnknown(leftover)
        return
    preparation = seen.preparation(wish.recipe)
    if preparation is not None and (preparation.fault is not None or preparation.replaced):
        yield StopUnknown(leftover)
    elif preparation is not None and preparation.need is not None:
        yield Adopt(leftover)


def put_away(seen: Observed, now_s: float, policy: Policy, *, forget: bool) -> Iterable[Action]:
    """End every copy of a deployment that is stopped or deleted."""
    yield from drain((c for c in seen.copies), seen, now_s, policy)
    yield from (Stop(seen.id, copy.id) for copy in seen.copies if copy.failed)
    yield from finish(seen, now_s)
    if forget and not seen.copies:
        yield Forget(seen.id)


def drain(copies: Iterable[Copy], seen: Observed, now_s: float, policy: Policy) -> Iterable[Action]:
    """Let these go, within the bound, also if they were to go without one."""
    for copy in copies:
        unbounded = copy.draining and copy.drain_until_s is None and not copy.ending
        if copy.live or unbounded:
            yield Drain(seen.id, copy.id, now_s + policy.drain_timeout_s)


def finish(seen: Observed, now_s: float) -> Iterable[Action]:
    """Stop what has drained."""
    for copy in seen.copies:
        late = copy.drain_until_s is not None and now_s >= copy.drain_until_s
        if copy.draining and not copy.ending and (copy.calls == 0 or late):
            yield Stop(seen.id, copy.id)


def tend(wish: Wish, seen: Observed, now_s: float, policy: Policy) -> Iterable[Action]:
    """All about one deployment that does not touch others: what starts is decided by room."""
    if (fault := fault_of_update(wish, seen, policy)) is not None:
        yield RollBack(seen.id, wish.spec.generation, fault)
        return
    recipe = recipe_in_force(wish, seen)
    if seen.preparation(recipe) is None and not (seen.boot and seen.asleep and not seen.calls):
        yield Prepare(seen.id, recipe)
    live = by_worth(copy for copy in seen.copies if copy.recipe == recipe and copy.live)
    old = [copy for copy in seen.copies if copy.recipe != recipe]
    if sum(copy.ready for copy in live) >= copies_when_awake(wish, seen):
        yield from drain(old, seen, now_s, policy)
    else:
        yield from drain((c for c in old if c.live and not c.ready), seen, now_s, policy)
    if is_idle(wish, seen, live, now_s):
        yield Sleep(seen.id, f"Idle for {wish.idle_stop_s:g} s.")
        yield from drain(live, seen, now_s, policy)
    else:
        yield from rescale(wish, seen, live, now_s, policy)
        for copy in live[copies_when_awake(wish, seen) :]:
            yield Drain(seen.id, copy.id, None)  # nobody needs its room: its calls have time
    # What has given up stays, so that its reason can be read, until it is asked to try again, or
    # there are enough without it.
    failed = [copy for copy in seen.copies if copy.failed]
    current = [c for c in failed if c.recipe == recipe and c.generation == wish.spec.generation]
    stay = current[: max(0, copies_when_awake(wish, seen) - len(live))]
    yield from (Stop(seen.id, copy.id) for copy in failed if copy not in stay)
    yield from finish(seen, now_s)


def by_worth(copies: Iterable[Copy]) -> list[Copy]:
    """The ones to keep first."""
    return sorted(copies, key=lambda copy: (copy.ready, copy.calls, copy.used_s), reverse=True)


def rescale(
    wish: Wish, seen: Observed, live: Sequence[Copy], now_s: float, policy: Policy
) -> Iterable[Rescale]:
    """Another number of replicas, where the scale leaves a choice and they are known."""
    scale, wanted = wish.spec.scale, copies_when_awake(wish, seen)
    ready = [copy for copy in live if copy.ready]
    if not scale.varies or seen.traffic is None or not ready:
        return
    failed = next((copy for copy in seen.copies if copy.failed), None)
    if failed is not None and wanted > scale.within(len(live)):
        reason = f"A further replica does not start. {failed.reason}".strip()
        again_s = now_s + policy.scale_up_again_s
        yield Rescale(seen.id, scale.within(len(live)), reason, again_s)
        return
    takes = sum(copy.takes for copy in ready) / len(ready)
    right = replicas_for(seen.traffic, scale, wanted=wanted, ready=len(ready), takes=takes)
    if right > wanted and may_grow(wish, seen, now_s):
        calls = f"There are {seen.traffic.mean:.1f} calls at once"
        yield Rescale(seen.id, right, f"{calls}, and a replica takes {takes:g}.")
    elif right < wanted:
        calls = f"For {policy.scale_down_after_s:g} s there were {seen.traffic.highest:.1f} calls"
        yield Rescale(seen.id, right, f"{calls} at once at the most; a replica takes {takes:g}.")


def may_grow(wish: Wish, seen: Observed, now_s: float) -> bool:
    """Not soon after a further replica did not start, and not while an update may yet fail."""
    trusted = wish.fallback is None or seen.proven or seen.rolled_back == wish.spec.generation
    return trusted and now_s >= seen.no_more_before_s


def fault_of_update(wish: Wish, seen: Observed, policy: Policy) -> str | None:
    """Why this generation is given up for the one before, if it is."""
    if wish.fallback is None or seen.rolled_back == wish.spec.generation or seen.proven:
        return None
    preparation = seen.preparation(wish.recipe)
    if preparation is not None and preparation.fault is not None:
        return preparation.fault
    for copy in seen.copies:
        if copy.recipe == wish.recipe and not copy.ending:
            if copy.failed:
                return f"It does not start. {copy.reason}".strip()
            if copy.failures >= policy.crash_loop:
                return f"It failed {copy.failures} times in a row. {copy.reason}".strip()
    return None


def recipe_in_force(wish: Wish, seen: Observed) -> Recipe:
    """What is to run: the fallback, where the recipe of this generation has been given up."""
    given_up = seen.rolled_back == wish.spec.generation
    return wish.fallback if given_up and wish.fallback is not None else wish.recipe


def copies_when_awake(wish: Wish, seen: Observed) -> int:
    return wish.spec.scale.within(seen.wanted)


def is_idle(wish: Wish, seen: Observed, live: Sequence[Copy], now_s: float) -> bool:
    """Whether it has been ready for long and nobody has called."""
    if wish.idle_stop_s is None or wish.spec.pinned or not live or seen.calls:
        return False
    used_s = max(copy.used_s for copy in live)
    return all(copy.ready for copy in live) and now_s - used_s >= wish.idle_stop_s


def asking(wish: Wish, seen: Observed) -> Iterable[Applicant]:
    """The copies that are missing, once it is known what they need."""
    recipe = recipe_in_force(wish, seen)
    preparation = seen.preparation(recipe)
    if preparation is None or preparation.need is None:
        return
    if seen.asleep and seen.asked_s is None:
        return
    # One that goes for room while it works may yet stay.
    standing = [c for c in seen.copies if c.live or c.failed or (c.for_room and c.calls)]
    right = [copy for copy in standing if copy.recipe == recipe]
    replaces = any(not copy.failed for copy in standing if copy.recipe != recipe)
    fewest = wish.spec.scale.within(0)
    for number in range(len(right), copies_when_awake(wish, seen)):
        urgent = seen.asked_s is not None or not seen.boot
        since_s = seen.wished_s if seen.asked_s is None else seen.asked_s
        yield Applicant(
            deployment_id=seen.id,
            need=preparation.need,
            since_s=since_s if number < fewest or replaces else math.inf,
            may_evict=replaces or (number == 0 and urgent),
        )


def residing(wish: Wish | None, seen: Observed, going: Container[str]) -> Iterable[Resident]:
    """The copies that hold memory. Of a pinned deployment's, as many stay as there are at least.

    `going` are those that have just been told to go: their room is coming as it is.
    """
    pinned: list[Copy] = []
    recipe = recipe_in_force(wish, seen) if wish is not None else None
    if wish is not None and not wish.off and wish.spec.pinned:
        staying = [c for c in seen.copies if not c.draining and c.id not in going]
        right = by_worth(c for c in staying if c.recipe == recipe)
        pinned = right[: wish.spec.scale.within(0)]
    for copy in seen.copies:
        goes = copy.id in going
        yield Resident(
            deployment_id=seen.id,
            copy_id=copy.id,
            claim=Claim(copy.memory_bytes, copy.gpu_bytes),
            used_s=copy.used_s,
            calls=seen.calls,
            served=copy.served,
            ready_s=copy.ready_s,
            pinned=copy in pinned,
            leaving=goes or copy.draining or copy.ending or copy.failed,
            going_for_room=copy.for_room and copy.calls > 0 and not copy.ending and not goes,
            old=copy.recipe != recipe,
        )


def loses_update(wish: Wish | None, seen: Observed, victims: Container[str]) -> bool:
    """Whether all copies go that were to take over from old ones. Then the old ones go as well: if
    they stayed, others would be started in their place and sent away, again and again."""
    if wish is None:
        return False
    recipe = recipe_in_force(wish, seen)
    right = [copy for copy in seen.copies if copy.live and copy.recipe == recipe]
    return bool(right) and all(copy.id in victims for copy in right)


def about_room(
    wishes: Mapping[str, Wish],
    observed: Mapping[str, Observed],
    applicants: Sequence[Applicant],
    residents: Sequence[Resident],
    now_s: float,
    policy: Policy,
) -> Iterable[Action]:
    """Who starts, who goes for it, and who sleeps for want of room."""
    verdict = share_out(
        applicants,
        residents,
        budget_bytes=policy.budget_bytes,
        gpu_bytes=policy.gpu_bytes,
        now_s=now_s,
    )
    for resident in verdict.reprieved:
        yield Resume(resident.deployment_id, resident.copy_id)
    victims = {victim.copy_id for victim in verdict.victims}
    applying = {applicant.deployment_id for applicant in applicants}
    for id_ in dict.fromkeys(victim.deployment_id for victim in verdict.victims):
        seen = observed[id_]
        staying = [copy for copy in seen.copies if copy.live and copy.id not in victims]
        if (not staying and id_ not in applying) or loses_update(wishes.get(id_), seen, victims):
            yield Sleep(id_, "Stopped to make room for another.")
            yield from (Drain(id_, copy.id, None) for copy in staying)
    for victim in verdict.victims:
        yield Drain(victim.deployment_id, victim.copy_id, None, for_room=True)
    for id_ in dict.fromkeys(applicant.deployment_id for applicant in verdict.crowded_out):
        seen = observed[id_]
        awake = not seen.asleep and seen.asked_s is None
        if awake and not any(copy.live for copy in seen.copies):
            yield Sleep(id_, "There is no room for it beside the others.")
    for id_ in dict.fromkeys(applicant.deployment_id for applicant in verdict.hopeless):
        seen, recipe = observed[id_], recipe_in_force(wishes[id_], observed[id_])
        if any(copy.ready and copy.recipe == recipe for copy in seen.copies):
            # The old ones have waited for more of the new, which will not come.
            old = [copy for copy in seen.copies if copy.recipe != recipe]
            yield from drain(old, seen, now_s, policy)
    if (admitted := verdict.admitted) is not None:
        id_ = admitted.deployment_id
        wish = wishes[id_]
        recipe = recipe_in_force(wish, observed[id_])
        yield Start(id_, wish.spec.generation, recipe, verdict.offer)
