"""Who may take memory of GPUs and who goes for it, as tables; and what a need is made of."""

from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_room import LONG, NOW_S, asks, stays

from penstock.control.claim import NOTHING, Claim, Need, total
from penstock.control.room import Applicant, Resident, share_out

#: What is free of each GPU, and of memory.
GPUS = {0: 10, 1: 10}
BUDGET = 10


def wants(name: str, gpu: int, waited_s: float = 0.0, *, count: int = 1, **more: bool) -> Applicant:
    """One byte of memory, and as many of each of so many GPUs."""
    need = Need(1, count, dict.fromkeys(GPUS, gpu))
    return msgspec.structs.replace(asks(name, 1, waited_s, **more), need=need)


def holds(name: str, gpu_bytes: Mapping[int, int], memory: int = 1, **more: float) -> Resident:
    resident = stays(name, memory, **more)  # type: ignore[arg-type]
    return msgspec.structs.replace(resident, claim=Claim(memory, gpu_bytes))


#: applicants, residents -> who may start and on which GPUs, who goes.
CASES = {
    "it gets the GPU with the most free": (
        [wants("a", 4)],
        [holds("x", {0: 3})],
        ("a", [1]),
        [],
    ),
    "it gets the GPU that has enough": (
        [wants("a", 6)],
        [holds("x", {0: 9}), holds("y", {1: 4})],
        ("a", [1]),
        [],
    ),
    "it gets as many as it needs": (
        [wants("a", 6, count=2)],
        [holds("x", {0: 4}), holds("y", {1: 2})],
        ("a", [0, 1]),
        [],
    ),
    "the longest unused goes": (
        [wants("a", 8)],
        [holds("x", {0: 8}, unused_s=3), holds("y", {1: 8}, unused_s=9)],
        None,
        ["y"],
    ),
    "one without GPUs goes for nobody who needs a GPU": (
        [wants("a", 8)],
        [stays("old", 2, unused_s=99), holds("x", {0: 8, 1: 8})],
        None,
        ["x"],
    ),
    "those on a GPU where it would not help stay": (
        [wants("a", 8)],
        [
            holds("x", {0: 4}, unused_s=9),
            holds("y", {0: 4}, calls=1),
            holds("z", {1: 8}, unused_s=1),
        ],
        None,
        ["z"],
    ),
    "one goes where one is enough": (
        [wants("a", 7)],
        [holds("x", {0: 4}, unused_s=9), holds("y", {1: 5}, unused_s=8)],
        None,
        ["x"],
    ),
    "one over both GPUs sends both away": (
        [wants("a", 7, count=2)],
        [holds("x", {0: 4}), holds("y", {1: 5}), stays("z", 1)],
        None,
        ["x", "y"],
    ),
    "memory and a GPU may be short at once": (
        [msgspec.structs.replace(wants("a", 7), need=Need(6, 1, dict.fromkeys(GPUS, 7)))],
        [
            stays("x", 5, unused_s=1),
            holds("y", {0: 9}, unused_s=2),
            holds("z", {1: 9}, unused_s=1, calls=1),
        ],
        None,
        ["y", "x"],
    ),
    "the pinned stay": (
        [wants("a", 8)],
        [holds("x", {0: 8}, pinned=True), holds("y", {1: 8}, calls=1)],
        None,
        [],
    ),
    "the busy stop taking calls for one who has waited": (
        [wants("a", 8, LONG)],
        [holds("x", {0: 8}, pinned=True), holds("y", {1: 8}, calls=1)],
        None,
        ["y"],
    ),
    "what is leaving is waited for": (
        [wants("a", 8)],
        [holds("x", {0: 8}, leaving=True), holds("y", {1: 8})],
        None,
        [],
    ),
    "one that pinned ones keep out does not hold up the others": (
        [wants("hopeless", 8, 9), wants("small", 2)],
        [holds("x", {0: 5}, pinned=True), holds("y", {1: 5}, pinned=True)],
        ("small", [0]),
        [],
    ),
    "a small one does not overtake a large one by taking its GPU": (
        [wants("large", 8, 1), wants("small", 2, 0.5)],
        [holds("x", {0: 8}, calls=1), holds("y", {1: 8}, calls=1)],
        None,
        [],
    ),
    "a small one starts on a GPU that the large one could never have": (
        [wants("large", 8, 1), wants("small", 2, 0.5)],
        [holds("x", {0: 8}, calls=1), holds("y", {1: 4}, pinned=True)],
        ("small", [1]),
        [],
    ),
    "one without GPUs does not wait for those that wait for a GPU": (
        [wants("large", 8, 1), asks("cpu", 5)],
        [holds("x", {0: 8}, calls=1), holds("y", {1: 8}, calls=1)],
        ("cpu", []),
        [],
    ),
    "but leaves them the memory that they will need": (
        [wants("large", 8, 1), asks("cpu", 8, may_evict=False)],
        [holds("x", {0: 8}, calls=1), holds("y", {1: 8}, calls=1)],
        None,
        [],
    ),
    "one that waits for memory keeps its GPU": (
        [
            msgspec.structs.replace(wants("a", 8, 1), need=Need(9, 1, {0: 8})),
            msgspec.structs.replace(wants("b", 4), need=Need(0, 1, {0: 4})),
        ],
        [stays("x", 8, calls=1)],
        None,
        [],
    ),
    "one that may evict nobody evicts nobody": (
        [wants("a", 8, may_evict=False)],
        [holds("x", {0: 8}), holds("y", {1: 8})],
        None,
        [],
    ),
    "copies that have grown on a GPU": (
        [],
        [holds("x", {0: 6}), holds("y", {0: 5}), holds("z", {1: 9}, unused_s=50)],
        None,
        ["x"],
    ),
    "a small one does not take the memory that one on a GPU waits for": (
        [msgspec.structs.replace(wants("a", 2, 1), need=Need(9, 1, {0: 2})), asks("cpu", 2)],
        [stays("x", 8, calls=1)],
        None,
        [],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_room_on_gpus(case: str) -> None:
    applicants, residents, admitted, victims = CASES[case]
    verdict = share_out(applicants, residents, budget_bytes=BUDGET, gpu_bytes=GPUS, now_s=NOW_S)
    assert [victim.copy_id for victim in verdict.victims] == victims
    if admitted is None:
        assert verdict.admitted is None
        return
    name, gpus = admitted
    assert verdict.admitted is not None
    assert verdict.admitted.deployment_id == name
    assert sorted(verdict.offer.gpu_bytes) == gpus


amounts = st.integers(0, 12)
claims = st.builds(Claim, amounts, st.dictionaries(st.integers(0, 3), amounts))
needs = st.builds(
    Need, amounts, st.integers(0, 3), st.dictionaries(st.integers(0, 3), st.integers(1, 6))
)


@given(needs, claims)
def test_a_need_is_placed_where_there_is_enough_or_nowhere(need: Need, free: Claim) -> None:
    claim = need.place(free)
    parts = [each for i, each in need.gpu_bytes.items() if each <= free.gpu_bytes.get(i, 0)]
    alike = max((parts.count(each) for each in parts), default=0)
    assert (claim is not None) == (
        need.memory_bytes <= free.memory_bytes and alike >= need.gpu_count
    )
    if claim is not None:
        assert not claim.beyond(free)
        assert claim.memory_bytes == need.memory_bytes
        assert len(claim.gpu_bytes) == need.gpu_count
        assert claim.gpu_bytes.items() <= need.gpu_bytes.items()
        assert len({*claim.gpu_bytes.values()}) <= 1


@given(claims, claims)
def test_no_more_counts_than_there_is(taken: Claim, most: Claim) -> None:
    counted = taken.within(most)
    assert counted.memory_bytes == min(taken.memory_bytes, most.memory_bytes)
    assert not counted.beyond(most)
    assert counted.gpu_bytes.keys() == taken.gpu_bytes.keys() & most.gpu_bytes.keys()
    assert not counted.beyond(taken)


@given(needs, claims, claims)
def test_a_need_grows_by_what_was_found_as_far_as_there_is_any(
    need: Need, excess: Claim, more: Claim
) -> None:
    most = more.at_least(Claim(need.memory_bytes, need.gpu_bytes))
    grown = need.grown(excess, most)
    wholly = need.memory_bytes + excess.memory_bytes
    assert grown.memory_bytes == min(wholly, most.memory_bytes)
    for index, each in need.gpu_bytes.items():
        assert each <= grown.gpu_bytes[index] <= most.gpu_bytes[index]
    largest = max(excess.gpu_bytes.values(), default=0)
    for index, each in grown.gpu_bytes.items():
        assert each in (need.gpu_bytes[index] + largest, most.gpu_bytes[index])


@given(claims, claims)
def test_claims_add_up(one: Claim, other: Claim) -> None:
    lacking = one.beyond(other)
    assert lacking.plus(other) == one.at_least(other)
    assert one.minus(other).at_least(NOTHING) == lacking
    assert bool(lacking) == any(part.beyond(other) for part in one.parts())
    assert total(one.parts()).at_least(one) == one
