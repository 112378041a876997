"""Who may take memory and who goes for it, as tables."""

import pytest

from penstock.control.claim import Claim, Need
from penstock.control.room import GREETING_S, PATIENCE_S, TURN_S, Applicant, Resident, share_out

NOW_S = 100.0


def asks(name: str, need: int, waited_s: float = 0.0, *, may_evict: bool = True) -> Applicant:
    return Applicant(
        deployment_id=name, need=Need(need), since_s=NOW_S - waited_s, may_evict=may_evict
    )


def stays(
    name: str,
    memory: int,
    *,
    unused_s: float = 10.0,
    calls: int = 0,
    ready_for_s: float | None = 50.0,
    served: int = 1,
    pinned: bool = False,
    leaving: bool = False,
    going_for_room: bool = False,
    old: bool = False,
) -> Resident:
    return Resident(
        deployment_id=name,
        copy_id=name,
        claim=Claim(memory),
        used_s=NOW_S - unused_s,
        calls=calls,
        served=served,
        ready_s=None if ready_for_s is None else NOW_S - ready_for_s,
        pinned=pinned,
        leaving=leaving or going_for_room,
        going_for_room=going_for_room,
        old=old,
    )


LONG = PATIENCE_S + 1
#: applicants, residents -> who may start, who goes; of a budget of 10.
CASES = {
    "there is room": ([asks("a", 4)], [stays("x", 6)], "a", []),
    "the longest unused goes": (
        [asks("a", 4)],
        [stays("x", 5, unused_s=3), stays("y", 5, unused_s=9)],
        None,
        ["y"],
    ),
    "no more go than is needed": (
        [asks("a", 6)],
        [stays("x", 2, unused_s=9), stays("y", 6, unused_s=5), stays("z", 2, unused_s=1)],
        None,
        ["y"],
    ),
    "nobody is chosen where that would not be enough": (
        [asks("a", 9)],
        [stays("x", 5, calls=1), stays("y", 5)],
        None,
        [],
    ),
    "the pinned stay": ([asks("a", 5)], [stays("x", 6, pinned=True), stays("y", 4)], None, []),
    "the busy stay while nobody has waited long": (
        [asks("a", 5)],
        [stays("x", 10, calls=1)],
        None,
        [],
    ),
    "the busy stop taking calls for one who has waited": (
        [asks("a", 5, LONG)],
        [stays("x", 10, calls=1)],
        None,
        ["x"],
    ),
    "the idle go before the busy": (
        [asks("a", 5, LONG)],
        [stays("x", 5, calls=1, unused_s=50), stays("y", 5)],
        None,
        ["y"],
    ),
    "who has just been waited for has its turn": (
        [asks("a", 5, LONG)],
        [stays("x", 10, calls=1, ready_for_s=TURN_S - 1)],
        None,
        [],
    ),
    "who starts because calls wait for it goes on": (
        [asks("a", 5, LONG)],
        [stays("x", 10, calls=1, ready_for_s=None)],
        None,
        [],
    ),
    "who starts though nobody asks may go": (
        [asks("a", 5)],
        [stays("x", 10, ready_for_s=None, served=0)],
        None,
        ["x"],
    ),
    "who is ready and has not been greeted yet stays a moment": (
        [asks("a", 5)],
        [stays("x", 10, ready_for_s=GREETING_S / 2, served=0)],
        None,
        [],
    ),
    "what is leaving is waited for": (
        [asks("a", 5)],
        [stays("x", 6, leaving=True), stays("y", 4)],
        None,
        [],
    ),
    "first come, first served": ([asks("late", 4, 1), asks("early", 4, 2)], [], "early", []),
    "a small one does not overtake a large one by taking its room": (
        [asks("large", 8, 1), asks("small", 2, 0.5)],
        [stays("x", 8, calls=1)],
        None,
        [],
    ),
    "a small one starts in room that the large one does not need": (
        [asks("large", 8, LONG), asks("small", 2, 1)],
        [stays("x", 8, calls=1)],
        "small",
        ["x"],
    ),
    "one that pinned ones keep out does not hold up the others": (
        [asks("hopeless", 8, LONG), asks("small", 2)],
        [stays("x", 5, pinned=True)],
        "small",
        [],
    ),
    "one that may evict nobody starts in what room there is": (
        [asks("a", 4, may_evict=False)],
        [stays("x", 6)],
        "a",
        [],
    ),
    "one that may evict nobody evicts nobody": (
        [asks("a", 5, may_evict=False)],
        [stays("x", 6)],
        None,
        [],
    ),
    "who is asked for comes before who is not": (
        [asks("boot", 6, 9, may_evict=False), asks("asked", 6)],
        [],
        "asked",
        [],
    ),
    "an old copy of its own goes, if it has waited": (
        [asks("a", 6, LONG)],
        [stays("a", 6, calls=1, ready_for_s=1, old=True)],
        None,
        ["a"],
    ),
    "one of its own that is as new stays, and nobody waits for its room": (
        [asks("a", 6, LONG), asks("b", 4)],
        [stays("a", 6)],
        "b",
        [],
    ),
    "one of its own that is as new stays, also where others may go later": (
        [asks("a", 4, LONG)],
        [stays("a", 4), stays("x", 4, calls=1, ready_for_s=1)],
        None,
        [],
    ),
    "copies that have grown beyond the budget": ([], [stays("x", 6), stays("y", 5)], None, ["x"]),
    "grown beyond the budget, all busy": ([], [stays("x", 11, calls=1)], None, []),
}


@pytest.mark.parametrize("case", CASES)
def test_room(case: str) -> None:
    applicants, residents, admitted, victims = CASES[case]
    verdict = share_out(applicants, residents, budget_bytes=10, now_s=NOW_S)
    assert (verdict.admitted.deployment_id if verdict.admitted else None) == admitted
    assert [victim.copy_id for victim in verdict.victims] == victims


def test_what_is_offered_leaves_the_others_what_they_need() -> None:
    waiting = [asks("a", 2, 3), asks("b", 3, 2), asks("c", 4, 1)]
    verdict = share_out(waiting, [], budget_bytes=20, now_s=NOW_S)
    assert verdict.admitted == waiting[0]
    assert verdict.offer.memory_bytes == 13
    tight = share_out(waiting, [], budget_bytes=9, now_s=NOW_S)
    assert tight.offer.memory_bytes == 2


def test_who_goes_for_room_stays_when_nobody_needs_it_any_more() -> None:
    going = stays("x", 8, calls=1, going_for_room=True)
    still = share_out([asks("a", 5, LONG)], [going], budget_bytes=10, now_s=NOW_S)
    assert (still.victims, still.reprieved) == ((), ())
    given_up = share_out([], [going], budget_bytes=10, now_s=NOW_S)
    assert given_up.reprieved == (going,)


def test_who_finds_no_room_and_may_evict_nobody_is_told() -> None:
    verdict = share_out(
        [asks("a", 5, may_evict=False)], [stays("x", 6)], budget_bytes=10, now_s=NOW_S
    )
    assert [applicant.deployment_id for applicant in verdict.crowded_out] == ["a"]
