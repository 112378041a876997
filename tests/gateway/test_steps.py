"""The steps of a request as values: lane, admit, pick, relay, meter, totals, stops, back-off."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from penstock.control.supervise import RestartPolicy, restart_wait_s
from penstock.domain.circuit import CircuitPolicy
from penstock.domain.errors import EngineFailed, ModelNotReady, NotAdmitted, TooManyRequests
from penstock.domain.event import Event, Finished, ScoredText, Text, TokenLogprob
from penstock.domain.generation import Generation
from penstock.domain.generation import Text as Prompt
from penstock.domain.model import Capabilities
from penstock.domain.replica import ReplicaState, ReplicaStatus
from penstock.domain.usage import NOTHING, Usage, total
from penstock.engines.base import Batches, Declined, Engine, Launch
from penstock.engines.stop import StopScanner
from penstock.fleet.group import ReplicaGroup
from penstock.fleet.replica import Replica
from penstock.gateway.admit import Lease, admit
from penstock.gateway.lane import Lane
from penstock.gateway.meter import Meter
from penstock.gateway.pick import best_for, least_busy, pick
from penstock.gateway.relay import Relay
from penstock.gateway.retry import retry_wait_s
from penstock.http.client import Broken, Client, Origin

CALL = Generation(prompt=Prompt("hello"))

# -- lane and admit ------------------------------------------------------------------------------


def counts(lane: Lane) -> tuple[int, int]:
    return lane.running, lane.waiting


async def has_turn(lease: Lease, call: int = 0) -> bool:
    try:
        await lease.turn(call, 0.001)
    except TooManyRequests:
        return False
    return True


async def test_a_lane_serves_first_come_first_served() -> None:
    lane = Lane(slots=1, queue_limit=2)
    first, second, third = (admit(lane, 1, "m") for _ in range(3))
    assert counts(lane) == (1, 2)
    first.give_back(0)
    assert await has_turn(second)
    assert not await has_turn(third)
    assert counts(lane) == (1, 1)


async def test_a_lane_takes_all_calls_of_a_request_or_none() -> None:
    lane = Lane(slots=2, queue_limit=2)
    with pytest.raises(TooManyRequests):
        admit(lane, 5, "m")
    assert counts(lane) == (0, 0)
    with admit(lane, 4, "m"):
        assert counts(lane) == (2, 2)
    assert counts(lane) == (0, 0)


async def test_nobody_overtakes_the_queue() -> None:
    lane = Lane(slots=2, queue_limit=2)
    running = admit(lane, 2, "m")
    waiting = admit(lane, 1, "m")
    running.give_back(0)
    late = admit(lane, 1, "m")
    assert await has_turn(waiting)
    assert not await has_turn(late)


async def test_giving_back_twice_is_once() -> None:
    lane = Lane(slots=1, queue_limit=1)
    with admit(lane, 1, "m") as lease:
        lease.give_back(0)
        lease.give_back(0)
    assert counts(lane) == (0, 0)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 4)), max_size=60), st.integers(1, 4))
def test_a_lane_never_runs_more_than_its_slots_nor_idles_before_a_queue(
    steps: list[tuple[bool, int]], slots: int
) -> None:
    async def play() -> None:
        lane = Lane(slots=slots, queue_limit=5)
        held: list[tuple[Lease, int]] = []
        with contextlib.ExitStack() as stack:
            for enters, number in steps:
                if enters:
                    try:
                        lease = stack.enter_context(admit(lane, number, "m"))
                        held += [(lease, call) for call in range(number)]
                    except TooManyRequests:
                        assert lane.waiting + number > 5
                elif held:
                    lease, call = held.pop(number % len(held))
                    lease.give_back(call)
                assert lane.running + lane.waiting == len(held)
                assert lane.running <= slots
                assert lane.waiting <= 5
                assert not lane.waiting or lane.running == slots
        assert counts(lane) == (0, 0)

    asyncio.run(play())


async def test_a_full_lane_is_429_at_once_and_a_slow_one_is_429_in_time() -> None:
    lane = Lane(slots=1, queue_limit=1)
    with admit(lane, 1, "m"), admit(lane, 1, "m") as lease:
        with pytest.raises(TooManyRequests) as full:
            admit(lane, 1, "m")
        assert full.value.retry_after_s == 1
        with pytest.raises(TooManyRequests, match=r"0\.01 s"):
            await lease.turn(0, 0.01)
    assert counts(lane) == (0, 0)


async def test_a_request_that_is_cancelled_in_the_queue_leaves_it() -> None:
    lane = Lane(slots=1, queue_limit=1)

    async def wait() -> None:
        with admit(lane, 1, "m") as lease:
            await lease.turn(0, 60)

    with admit(lane, 1, "m"):
        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0)
        assert counts(lane) == (1, 1)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert counts(lane) == (1, 0)
    assert counts(lane) == (0, 0)


# -- pick and relay ------------------------------------------------------------------------------


class Script(Engine):
    """Plays what it is given, one entry a call: batches, and an exception at their end."""

    name: ClassVar[str] = "script"
    slots = 1

    def __init__(self, *calls: list[Any]) -> None:
        self.calls = list(calls)
        self.closed = 0

    def launch(self, run_dir: Path) -> Launch | None:
        return None

    def connect(self, launch: Launch | None) -> Client:
        return Client(Origin())

    async def is_ready(self, client: Client) -> bool:
        return True

    async def inspect(self, client: Client) -> Capabilities:
        return Capabilities(tasks=frozenset(), attributes=frozenset())

    def generate(self, client: Client, call: Generation) -> Batches:
        return self._play(self.calls.pop(0))

    async def _play(self, steps: list[Any]) -> AsyncGenerator[list[Event], None]:
        try:
            for step in steps:
                if isinstance(step, Exception):
                    raise step
                yield step
        finally:
            self.closed += 1


def replica_of(
    engine: Engine | None = None, state: str = "ready", in_flight: int = 0, slots: int = 1
) -> Replica:
    replica = Replica(engine or Script())
    replica.engine.slots = slots
    replica.client = Client(Origin())
    replica.in_flight = in_flight
    replica.publish(ReplicaStatus(state=ReplicaState(state)))
    return replica


def group_of(*replicas: Replica) -> ReplicaGroup:
    group = ReplicaGroup()
    group.publish(group.progress, replicas)
    return group


@pytest.mark.parametrize(
    ("replicas", "chosen"),
    [
        ([], None),
        ([("starting", 0)], None),
        ([("ready", 9)], 0),
        ([("ready", 3), ("ready", 2), ("ready", 4)], 1),
        ([("restarting", 0), ("ready", 5)], 1),
        ([("failed", 0), ("stopping", 0)], None),
    ],
)
def test_the_least_busy_ready_replica_is_picked(
    replicas: list[tuple[str, int]], chosen: int | None
) -> None:
    made = [replica_of(state=state, in_flight=busy) for state, busy in replicas]
    assert least_busy(made) is (None if chosen is None else made[chosen])


@pytest.mark.parametrize(
    ("replicas", "chosen"),
    [
        ([("ready", 0), ("ready", 9)], 1),
        ([("ready", 0), ("starting", 0)], 0),
        ([("failed", 0), ("ready", 9), ("ready", 8)], 2),
    ],
)
async def test_another_try_goes_to_another_replica_if_there_is_one(
    replicas: list[tuple[str, int]], chosen: int
) -> None:
    made = [replica_of(state=state, in_flight=busy) for state, busy in replicas]
    picked = await pick(group_of(*made), least_busy, made[0], timeout_s=5, model="m")
    assert picked is made[chosen]


@pytest.mark.parametrize("adapter", [None, "warm"])
async def test_a_call_waits_for_a_replica_that_knows_its_adapter(adapter: str | None) -> None:
    call = Generation(prompt=Prompt("hello"), adapter=adapter)
    old, new = replica_of(), replica_of(state="starting")
    new.engine.adapters = ("warm",)
    group = group_of(old, new)
    picking = asyncio.create_task(pick(group, partial(best_for, call), timeout_s=5, model="m"))
    await asyncio.sleep(0)
    new.publish(ReplicaStatus(state=ReplicaState.READY))
    assert await picking is (old if adapter is None else new)


async def test_ejections_are_counted_also_of_replicas_that_have_gone() -> None:
    replica, other = replica_of(), replica_of()
    group = group_of(replica, other)
    for _ in range(CircuitPolicy().failures):
        replica.broke("it does not answer")
    assert (replica.ready, other.ready) == (False, True)
    assert group.ejections == 1
    group.publish(group.progress, (other,))
    assert group.ejections == 1


async def test_picking_waits_for_a_replica_to_get_ready() -> None:
    replica = replica_of(state="starting")
    group = group_of(replica)
    picking = asyncio.create_task(pick(group, least_busy, timeout_s=5, model="m"))
    await asyncio.sleep(0)
    replica.publish(ReplicaStatus(state=ReplicaState.READY))
    assert await picking is replica


@pytest.mark.parametrize("state", [state for state in ReplicaState if state != "ready"])
async def test_picking_gives_up_in_time_or_at_once(state: ReplicaState) -> None:
    with pytest.raises(ModelNotReady, match=state.value) as error:
        await pick(group_of(replica_of(state=state)), least_busy, timeout_s=0.01, model="m")
    assert error.value.retry_after_s


BROKEN = Broken("it closed the connection", answered=False)
DOWN = Declined(EngineFailed("503"), failing=True)
HELLO: list[Event] = [Text("hello")]
END: list[Event] = [Finished("stop")]


def without_waiting(failure: Broken | Declined, tries: int) -> float | None:
    return None if retry_wait_s(failure, tries, jitter=0) is None else 0.0


async def relayed(engine: Script, monkeypatch: pytest.MonkeyPatch) -> list[list[Event]]:
    monkeypatch.setattr("penstock.gateway.relay.another_try", without_waiting)
    replica = replica_of(engine)

    async def again(failed: Replica | None) -> Replica:
        return replica

    relay = Relay(replica, CALL, again)
    try:
        return [batch async for batch in relay]
    finally:
        await relay.aclose()
        assert replica.in_flight == 0


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        ([[HELLO, END]], [HELLO, END]),
        ([[BROKEN], [HELLO, END]], [HELLO, END]),
        ([[BROKEN], [BROKEN], [HELLO, END]], None),
        ([[HELLO, BROKEN], [HELLO, END]], None),
        ([[EngineFailed("it says no")], [HELLO, END]], None),
        ([[DOWN], [DOWN], [HELLO, END]], [HELLO, END]),
        ([[DOWN], [DOWN], [DOWN], [HELLO, END]], None),
    ],
)
async def test_another_try_is_made_only_when_nothing_was_said(
    calls: list[list[Any]], said: list[Any] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Script(*calls)
    if said is None:
        with pytest.raises(EngineFailed):
            await relayed(engine, monkeypatch)
    else:
        assert await relayed(engine, monkeypatch) == said
    assert engine.closed == len(calls) - len(engine.calls)


async def test_a_replica_that_fails_again_and_again_is_not_picked_until_it_is_ready_again() -> None:
    replica = replica_of()
    for _ in range(4):
        replica.broke("it closed the connection")
    replica.answered()
    for _ in range(4):
        replica.broke("it closed the connection")
    assert replica.ready
    replica.broke("it closed the connection")
    assert least_busy([replica]) is None
    async with asyncio.timeout(1):
        await replica.tripped()
    assert replica.client is not None
    replica.publish_ready(replica.client, await Script().inspect(replica.client), None)
    assert least_busy([replica]) is replica


# -- usage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("calls", "prompts", "expected"),
    [
        ([Usage(5, 3)], [0], Usage(5, 3)),
        ([Usage(5, 3), Usage(5, 4)], [0, 0], Usage(5, 7)),
        ([Usage(5, 3, 2), Usage(5, 4, 5)], [0, 0], Usage(5, 7, 2)),
        ([Usage(5, 3), Usage(7, 4)], [0, 1], Usage(12, 7)),
        ([Usage(5, 1), Usage(5, 1), Usage(7, 1), Usage(7, 1)], [0, 0, 1, 1], Usage(12, 4)),
    ],
)
def test_a_prompt_counts_once_however_many_choices_were_made_of_it(
    calls: list[Usage], prompts: list[int], expected: Usage
) -> None:
    assert total(dict(enumerate(calls)), prompts) == expected


def test_a_choice_whose_first_sibling_never_answered_still_counts_its_prompt() -> None:
    assert total({1: Usage(5, 4)}, [0, 0]) == Usage(5, 4)
    assert total({1: Usage(5, 4), 2: Usage(5, 1)}, [0, 0, 0]) == Usage(5, 5)


def test_nothing_is_counted_when_no_call_was_answered() -> None:
    assert total({}, [0, 0]) == NOTHING


usages = st.builds(Usage, st.integers(0, 99), st.integers(0, 99))


@given(st.lists(st.tuples(usages, st.integers(0, 3)), min_size=1, max_size=12))
def test_completion_tokens_are_summed_and_prompts_never_counted_twice(
    rows: list[tuple[Usage, int]],
) -> None:
    calls = {at: usage for at, (usage, _) in enumerate(rows)}
    prompts = [prompt for _, prompt in rows]
    found = total(calls, prompts)
    first = {p: u.prompt_tokens for u, p in reversed(rows)}
    assert found.completion_tokens == sum(u.completion_tokens for u, _ in rows)
    assert found.prompt_tokens == sum(first.values())


def sample(registry: CollectorRegistry, name: str, **labels: str) -> float:
    for family in registry.collect():
        for found in family.samples:
            if found.name == name and labels.items() <= found.labels.items():
                return float(found.value)
    return 0.0


def test_the_meter_counts_a_request_that_was_left_by_what_had_gone_by() -> None:
    registry = CollectorRegistry()
    with (
        contextlib.suppress(asyncio.CancelledError),
        Meter(registry).record("chat", "m", (0,)) as recording,
    ):
        recording.count(0, [Text("a"), Text("b")])
        recording.count(0, [Text("c")])
        raise asyncio.CancelledError
    tokens = "gen_ai_usage_tokens_total"
    assert sample(registry, tokens, gen_ai_token_type="output") == 3
    assert sample(registry, "penstock_generations_total", outcome="client_left") == 1
    assert sample(registry, "gen_ai_server_request_duration_seconds_count") == 1


@pytest.mark.parametrize(
    ("error", "batches", "errors"),
    [
        (NotAdmitted("busy"), [], 0),
        (NotAdmitted("busy"), [[Text("of another of its calls")]], 1),
        (TooManyRequests("its engine is busy"), [], 1),
    ],
)
def test_the_meter_counts_no_request_that_reached_no_model(
    error: TooManyRequests, batches: list[list[Event]], errors: int
) -> None:
    registry = CollectorRegistry()
    with (
        contextlib.suppress(TooManyRequests),
        Meter(registry).record("chat", "m", (0, 0)) as recording,
    ):
        for batch in batches:
            recording.count(0, batch)
        raise error
    assert sample(registry, "penstock_generations_total", outcome="error") == errors
    assert sample(registry, "gen_ai_server_request_duration_seconds_count") == errors


# -- stops ---------------------------------------------------------------------------------------

letters = st.text(alphabet="abc", max_size=24)
stops_of = st.lists(st.text(alphabet="abc", min_size=1, max_size=4), min_size=1, max_size=4)


def cut(text: str, sizes: list[int]) -> list[str]:
    pieces = []
    for size in sizes:
        pieces.append(text[:size])
        text = text[size:]
    return [*pieces, text]


def scanned(pieces: list[Any], stops: list[str]) -> tuple[str, list[Any], StopScanner]:
    """The text that comes through, its events, and the scanner."""
    scanner = StopScanner(tuple(stops))
    events: list[Any] = []
    for piece in pieces:
        events += scanner.feed(piece)
        if scanner.matched:
            break
    else:
        events += scanner.flush()
    return "".join(event.text for event in events), events, scanner


def before_stop(text: str, stops: list[str]) -> str:
    """The text before the stop that is complete first, as who reads letter by letter would say."""
    for end in range(len(text) + 1):
        begins = [end - len(stop) for stop in stops if text[:end].endswith(stop)]
        if begins:
            return text[: min(begins)]
    return text


@given(letters, stops_of, st.lists(st.integers(0, 5), max_size=24))
def test_text_however_cut_ends_before_the_stop_that_is_complete_first(
    text: str, stops: list[str], sizes: list[int]
) -> None:
    whole, _, scanner = scanned([Text(piece) for piece in cut(text, sizes)], stops)
    assert whole == before_stop(text, stops)
    assert scanner.matched == any(stop in text for stop in stops)


@given(letters, stops_of, st.lists(st.integers(0, 5), max_size=24))
def test_text_with_logprobs_however_cut_ends_before_that_stop_too(
    text: str, stops: list[str], sizes: list[int]
) -> None:
    pieces = [
        ScoredText(piece, tuple(TokenLogprob(c, -1.0, c.encode()) for c in piece))
        for piece in cut(text, sizes)
    ]
    whole, events, _ = scanned(pieces, stops)
    assert whole == before_stop(text, stops)
    assert "".join(score.token for event in events for score in event.logprobs) == whole


@given(letters, stops_of)
def test_nothing_is_held_back_that_cannot_begin_a_stop(text: str, stops: list[str]) -> None:
    scanner = StopScanner(tuple(stops))
    said = ""
    for at, letter in enumerate(text):
        said += "".join(event.text for event in scanner.feed(Text(letter)))  # type: ignore[union-attr]
        if scanner.matched:
            return
        held = text[len(said) : at + 1]
        assert not held or any(stop.startswith(held) for stop in stops)


@given(letters, stops_of, st.lists(st.integers(0, 5), max_size=24))
def test_tokens_are_counted_once_however_their_text_is_cut(
    text: str, stops: list[str], sizes: list[int]
) -> None:
    pieces = [Text(piece) for piece in cut(text, sizes) if piece]
    _, events, scanner = scanned(pieces, stops)
    if not scanner.matched:
        assert sum(event.tokens for event in events) == len(pieces)


# -- back-off ------------------------------------------------------------------------------------


def test_restarts_wait_longer_and_longer_up_to_a_bound() -> None:
    policy = RestartPolicy(first_wait_s=0.5, longest_wait_s=30)
    waits = [restart_wait_s(policy, failures) for failures in range(1, 9)]
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert restart_wait_s(policy, 10_000) == 30
