"""Who may take memory, and who goes for it: first come, first served.

    applicant   a copy that is to start, and how much memory it needs
    resident    a copy that holds memory
    victim      a resident that goes so that an applicant may come

A victim is idle, the longest unused first; a busy one only stops taking calls, and goes when its
last has finished. That is done when somebody has waited for PATIENCE_S, and to nobody that has not
been ready for TURN_S: who has been waited for serves those who waited.
"""

import math
from collections.abc import Sequence

import msgspec

PATIENCE_S = 2.0
TURN_S = 5.0
#: A copy that is ready and has served nobody yet is left alone so long.
GREETING_S = 1.0


class Applicant(msgspec.Struct, frozen=True, kw_only=True):
    """`may_evict` false: it starts in what room there is, or not at all."""

    deployment_id: str
    need_bytes: int
    since_s: float
    may_evict: bool


class Resident(msgspec.Struct, frozen=True, kw_only=True):
    """A copy with memory. `calls` are all of its deployment; `leaving`: it goes already.

    `going_for_room` are those of them that could stay if nobody needed their room any more.
    """

    deployment_id: str
    copy_id: str
    memory_bytes: int
    used_s: float
    calls: int
    served: int
    ready_s: float | None
    pinned: bool = False
    leaving: bool = False
    going_for_room: bool = False


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`admitted` may start now and take up to `offer_bytes`; `victims` shall go.

    `reprieved` were going and need not. `crowded_out` may evict nobody and found no room.
    """

    admitted: Applicant | None = None
    offer_bytes: int = 0
    victims: tuple[Resident, ...] = ()
    reprieved: tuple[Resident, ...] = ()
    crowded_out: tuple[Applicant, ...] = ()


def share_out(
    applicants: Sequence[Applicant],
    residents: Sequence[Resident],
    *,
    budget_bytes: int,
    now_s: float,
) -> Verdict:
    """What to do about memory now. One is admitted at a time: what it really takes is told next."""
    free = budget_bytes - sum(resident.memory_bytes for resident in residents)
    pinned = sum(resident.memory_bytes for resident in residents if resident.pinned)
    # Those that leave for good; those that go for room are chosen anew each time.
    coming = sum(r.memory_bytes for r in residents if r.leaving and not r.going_for_room)
    pool = [r for r in residents if not r.pinned and (not r.leaving or r.going_for_room)]
    queue = sorted(applicants, key=lambda a: (not a.may_evict, a.since_s))
    if free < 0:  # copies have grown
        overdraft = Applicant(deployment_id="", need_bytes=0, since_s=now_s, may_evict=True)
        queue.insert(0, overdraft)
    admitted: tuple[Applicant, int] | None = None
    victims: list[Resident] = []
    crowded_out: list[Applicant] = []
    for applicant in queue:
        need = applicant.need_bytes
        if need <= free:
            admitted = admitted or (applicant, free)
            free -= need
        elif not applicant.may_evict:
            crowded_out.append(applicant)
        elif need > budget_bytes - pinned:
            continue  # nothing that could be done now helps it: it must not hold up the others
        elif (chosen := choose_victims(applicant, pool, need - free - coming, now_s)) is None:
            free, coming = min(free, 0), 0  # the next room is its, whoever comes after it
        else:
            pool = [resident for resident in pool if resident not in chosen]
            victims += chosen
            coming += sum(victim.memory_bytes for victim in chosen)
            free -= max(0, need - coming)
            coming = max(0, coming - need)
    others = sum(a.need_bytes for a in applicants) - (admitted[0].need_bytes if admitted else 0)
    return Verdict(
        admitted=admitted[0] if admitted else None,
        offer_bytes=max(admitted[0].need_bytes, admitted[1] - others) if admitted else 0,
        victims=tuple(victim for victim in victims if not victim.going_for_room),
        reprieved=tuple(r for r in residents if r.going_for_room and r not in victims),
        crowded_out=tuple(crowded_out),
    )


def choose_victims(
    applicant: Applicant, pool: Sequence[Resident], missing_bytes: int, now_s: float
) -> list[Resident] | None:
    """Who goes so that `missing_bytes` come free: as few as are enough, or None for nobody.

    Those that were sent away before stay chosen, then the idle, then its own deployment's old
    copies, then the busy.
    """
    if missing_bytes <= 0:
        return []
    ranked = [(_rank(r, applicant, now_s), r.used_s, r) for r in pool]
    candidates = sorted((entry for entry in ranked if entry[0] < math.inf), key=lambda e: e[:2])
    chosen: list[Resident] = []
    for _, _, resident in candidates:
        chosen.append(resident)
        missing_bytes -= resident.memory_bytes
        if missing_bytes <= 0:
            return _without_surplus(chosen, -missing_bytes)
    return None


def _rank(resident: Resident, applicant: Applicant, now_s: float) -> float:
    patient = now_s - applicant.since_s >= PATIENCE_S
    if resident.going_for_room:
        return 0
    if resident.deployment_id == applicant.deployment_id:
        return 2 if patient else math.inf
    ready_for_s = -1.0 if resident.ready_s is None else now_s - resident.ready_s
    if resident.calls == 0:
        fresh = resident.ready_s is not None and not resident.served and ready_for_s < GREETING_S
        return math.inf if fresh else 1
    return 3 if patient and ready_for_s >= TURN_S else math.inf


def _without_surplus(chosen: list[Resident], surplus_bytes: int) -> list[Resident]:
    """The same without those that the last one, being large, has made needless."""
    needed = []
    for resident in chosen:
        if resident.memory_bytes <= surplus_bytes:
            surplus_bytes -= resident.memory_bytes
        else:
            needed.append(resident)
    return needed
