"""Who may take memory, and who goes for it: first come, first served.

    applicant   a copy that is to start, and how much memory it needs
    resident    a copy that holds memory
    victim      a resident that goes so that an applicant may come

Memory is that of the machine, and that of each of its GPUs. A victim is idle, the longest unused
first; a busy one only stops taking calls, and goes when its last has finished. That is done when
somebody has waited for PATIENCE_S, and to nobody that has not been ready for TURN_S: who has been
waited for serves those who waited.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

import msgspec

from penstock.control.claim import NO_GPUS, NOTHING, Claim, Need, total

PATIENCE_S = 2.0
TURN_S = 5.0
#: A copy that is ready and has served nobody yet is left alone so long.
GREETING_S = 1.0


class Applicant(msgspec.Struct, frozen=True, kw_only=True):
    """`may_evict` false: it starts in what room there is, or not at all."""

    deployment_id: str
    need: Need
    since_s: float
    may_evict: bool


class Resident(msgspec.Struct, frozen=True, kw_only=True):
    """A copy with memory. `calls` are all of its deployment; `leaving`: it goes already.

    `going_for_room` are those of them that could stay if nobody needed their room any more. `old`
    ones are replaced by others of their deployment.
    """

    deployment_id: str
    copy_id: str
    claim: Claim
    used_s: float
    calls: int
    served: int
    ready_s: float | None
    pinned: bool = False
    leaving: bool = False
    going_for_room: bool = False
    old: bool = False


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`admitted` may start now, where and with as much as `offer` says; `victims` shall go.

    `reprieved` were going and need not. `crowded_out` may evict nobody and found no room. For
    `hopeless` ones there is none, whoever goes, beside the pinned and their own.
    """

    admitted: Applicant | None = None
    offer: Claim = NOTHING
    victims: tuple[Resident, ...] = ()
    reprieved: tuple[Resident, ...] = ()
    crowded_out: tuple[Applicant, ...] = ()
    hopeless: tuple[Applicant, ...] = ()


class Room(msgspec.Struct, frozen=True):
    """`free` is what nobody holds, below 0 where copies have grown. `coming` is held by copies that
    leave, and nobody waits for it yet."""

    free: Claim
    coming: Claim

    def fits(self, need: Need, more: Claim) -> bool:
        """Whether there is a place once all that is coming, and `more`, has come."""
        return need.place(self._in_time(more)) is not None

    def covers(self, overdraft: Claim, more: Claim) -> bool:
        return not overdraft.beyond(self.coming.plus(more))

    def awaiting(self, more: Claim) -> "Room":
        return Room(self.free, self.coming.plus(more))

    def promised(self, need: Need) -> "Room":
        """Without what one takes that waits for it, and has a place in time."""
        claim = need.place(self._in_time(NOTHING))
        assert claim is not None
        return self._spent(claim)

    def closed(self, *, memory: bool, gpus: Collection[int]) -> "Room":
        """With nothing of these for those who come later."""
        return Room(
            self.free.emptied(memory=memory, gpus=gpus),
            self.coming.emptied(memory=memory, gpus=gpus),
        )

    def kept_for(self, need: Need, ceiling: Claim) -> "Room":
        """The next room is its, whoever comes after it: on each GPU that it could ever have."""
        gpus = [i for i, each in need.gpu_bytes.items() if each <= ceiling.gpu_bytes.get(i, 0)]
        if self.fits(Need(need.memory_bytes), NOTHING):
            return self._spent(Claim(need.memory_bytes)).closed(memory=False, gpus=gpus)
        return self.closed(memory=True, gpus=gpus)

    def _in_time(self, more: Claim) -> Claim:
        return self.free.plus(self.coming).plus(more)

    def _spent(self, claim: Claim) -> "Room":
        """What is coming is spent first."""
        return Room(self.free.minus(claim.beyond(self.coming)), self.coming.beyond(claim))


class Eviction:
    """Who is sent away, step by step: `room` as it is then, and `victims` so far."""

    def __init__(self, room: Room, residents: Sequence[Resident], now_s: float) -> None:
        self.room = room
        self.victims: list[Resident] = []
        self._pool = [r for r in residents if not r.pinned and (not r.leaving or r.going_for_room)]
        self._now_s = now_s

    def settle_overdraft(self, overdraft: Claim) -> None:
        """Of copies that have grown."""
        nobody = Applicant(deployment_id="", need=Need(), since_s=self._now_s, may_evict=True)
        if not self._evict(nobody, partial(self.room.covers, overdraft)):
            memory = overdraft.memory_bytes > 0
            self.room = self.room.closed(memory=memory, gpus=overdraft.gpu_bytes)

    def make_room(self, applicant: Applicant, ceiling: Claim) -> None:
        """For one that will have a place when its victims have gone, or as soon as there is one."""
        if self._evict(applicant, partial(self.room.fits, applicant.need)):
            self.room = self.room.promised(applicant.need)
        else:
            self.room = self.room.kept_for(applicant.need, ceiling)

    def _evict(self, applicant: Applicant, is_enough: Callable[[Claim], bool]) -> bool:
        chosen = choose_victims(applicant, self._pool, is_enough, self._now_s)
        if chosen is None:
            return False
        self._pool = [resident for resident in self._pool if resident not in chosen]
        self.victims += chosen
        self.room = self.room.awaiting(total(victim.claim for victim in chosen))
        return True


def share_out(
    applicants: Sequence[Applicant],
    residents: Sequence[Resident],
    *,
    budget_bytes: int,
    gpu_bytes: Mapping[int, int] = NO_GPUS,
    now_s: float,
) -> Verdict:
    """What to do about memory now. One is admitted at a time: what it really takes is told next.

    `gpu_bytes` is what all models together may have of each GPU, by its index.
    """
    budget = Claim(budget_bytes, gpu_bytes)
    free = budget.minus(total(r.claim for r in residents))
    # Those that leave for good; those that go for room are chosen anew each time.
    coming = total(r.claim for r in residents if r.leaving and not r.going_for_room)
    eviction = Eviction(Room(free, coming), residents, now_s)
    for overdraft in NOTHING.beyond(free).parts():
        eviction.settle_overdraft(overdraft)
    admitted: tuple[Applicant, Claim, Claim] | None = None
    crowded_out: list[Applicant] = []
    hopeless: list[Applicant] = []
    for applicant in sorted(applicants, key=lambda a: (not a.may_evict, a.since_s)):
        need, room = applicant.need, eviction.room
        if (claim := need.place(room.free)) is not None:
            admitted = admitted or (applicant, claim, room.free)
            eviction.room = Room(room.free.minus(claim), room.coming)
        elif not applicant.may_evict:
            crowded_out.append(applicant)
        elif need.place(ceiling := budget.minus(_staying(applicant, residents))) is None:
            hopeless.append(applicant)  # it must not hold up the others
        else:
            eviction.make_room(applicant, ceiling)
    victims = eviction.victims
    return Verdict(
        admitted=admitted[0] if admitted else None,
        offer=_offer(*admitted, applicants) if admitted else NOTHING,
        victims=tuple(victim for victim in victims if not victim.going_for_room),
        reprieved=tuple(r for r in residents if r.going_for_room and r not in victims),
        crowded_out=tuple(crowded_out),
        hopeless=tuple(hopeless),
    )


def _staying(applicant: Applicant, residents: Sequence[Resident]) -> Claim:
    """What those hold that never go for it: the pinned, and others of its own that are not old."""
    id_ = applicant.deployment_id
    return total(
        resident.claim
        for resident in residents
        if resident.pinned
        or (resident.deployment_id == id_ and not resident.old and not resident.leaving)
    )


def _offer(
    admitted: Applicant, claim: Claim, free: Claim, applicants: Sequence[Applicant]
) -> Claim:
    """Its claim, and what memory the others do not need."""
    others = sum(a.need.memory_bytes for a in applicants) - admitted.need.memory_bytes
    memory_bytes = max(claim.memory_bytes, free.memory_bytes - others)
    return Claim(memory_bytes, claim.gpu_bytes)


def choose_victims(
    applicant: Applicant,
    pool: Sequence[Resident],
    is_enough: Callable[[Claim], bool],
    now_s: float,
) -> list[Resident] | None:
    """Who goes so that enough comes free: as few as that takes, or None for nobody.

    Those that were sent away before stay chosen, then the idle, then its own deployment's old
    copies, then the busy.
    """
    if is_enough(NOTHING):
        return []
    ranked = [(_rank(r, applicant, now_s), r.used_s, r) for r in pool]
    candidates = sorted((entry for entry in ranked if entry[0] < math.inf), key=lambda e: e[:2])
    chosen: list[Resident] = []
    for _, _, resident in candidates:
        chosen.append(resident)
        if is_enough(total(each.claim for each in chosen)):
            return _without_needless(chosen, is_enough)
    return None


def _rank(resident: Resident, applicant: Applicant, now_s: float) -> float:
    patient = now_s - applicant.since_s >= PATIENCE_S
    if resident.going_for_room:
        return 0
    if resident.deployment_id == applicant.deployment_id:
        return 2 if patient and resident.old else math.inf
    ready_for_s = -1.0 if resident.ready_s is None else now_s - resident.ready_s
    if resident.calls == 0:
        fresh = resident.ready_s is not None and not resident.served and ready_for_s < GREETING_S
        return math.inf if fresh else 1
    return 3 if patient and ready_for_s >= TURN_S else math.inf


def _without_needless(chosen: list[Resident], is_enough: Callable[[Claim], bool]) -> list[Resident]:
    """The same without those that would not help, or that a large one has made needless."""
    for resident in tuple(chosen):
        rest = [each for each in chosen if each is not resident]
        if is_enough(total(each.claim for each in rest)):
            chosen = rest
    return chosen
