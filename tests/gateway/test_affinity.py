"""Which replica a prompt goes to, as a table and as properties; prompts as chains of blocks."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_steps import replica_of

from penstock.domain.generation import (
    Chat,
    Function,
    FunctionCall,
    Generation,
    ImagePart,
    ImageURL,
    Message,
    MessageToolCall,
    Prompt,
    Text,
    TextPart,
    Tokens,
    Tool,
)
from penstock.fleet.prefixes import Prefixes
from penstock.gateway.affinity import (
    BLOCK_CHARACTERS,
    BLOCK_TOKENS,
    LOAD_FACTOR,
    MOST_BLOCKS,
    Candidate,
    chain,
    choose,
)
from penstock.gateway.pick import best_for

candidates_of = st.lists(
    st.builds(
        Candidate, st.integers(0, 20), st.integers(1, 16), st.integers(0, 99), st.integers(0, 8)
    ),
    min_size=1,
    max_size=8,
)


@pytest.mark.parametrize(
    ("candidates", "blocks", "chosen"),
    [
        # (in_flight, slots, served, matched)
        pytest.param([(0, 4, 0, 0)], 8, 0, id="the only one"),
        pytest.param([(0, 4, 0, 0), (0, 4, 0, 8)], 8, 1, id="who has read it"),
        pytest.param([(0, 4, 0, 5), (0, 4, 0, 8)], 8, 1, id="who has read most of it"),
        pytest.param([(0, 4, 3, 0), (0, 4, 9, 3)], 8, 0, id="less than half is not worth it"),
        pytest.param([(0, 4, 3, 0), (0, 4, 9, 4)], 8, 1, id="half is"),
        pytest.param([(0, 4, 0, 0), (2, 4, 0, 8)], 8, 0, id="who has read it has too much to do"),
        pytest.param([(2, 4, 0, 0), (2, 4, 0, 8)], 8, 1, id="as much as others is not too much"),
        pytest.param([(3, 8, 0, 0), (4, 4, 0, 8)], 8, 0, id="who has read it has no free slot"),
        pytest.param([(3, 9, 0, 8), (1, 1, 0, 0)], 8, 0, id="a full one is the last choice"),
        pytest.param([(2, 4, 0, 0), (1, 4, 0, 0)], 8, 1, id="nobody has: the least busy"),
        pytest.param([(1, 4, 7, 0), (1, 4, 5, 0)], 8, 1, id="and of these who served least"),
        pytest.param([(0, 4, 5, 0), (0, 4, 4, 0)], 0, 1, id="a prompt of less than a block"),
        pytest.param([(0, 4, 9, 8), (0, 4, 2, 8)], 8, 1, id="two have read it, one served less"),
    ],
)
def test_a_prompt_goes_to_who_has_read_it_unless_it_is_busy(
    candidates: list[tuple[int, int, int, int]], blocks: int, chosen: int
) -> None:
    assert choose([Candidate(*values) for values in candidates], blocks) == chosen


@given(candidates_of, st.integers(0, 8))
def test_nobody_gets_more_than_its_bounded_share_but_the_least_busy(
    candidates: list[Candidate], blocks: int
) -> None:
    chosen = candidates[choose(candidates, blocks)]
    calls = 1 + sum(candidate.in_flight for candidate in candidates)
    bound = math.ceil(LOAD_FACTOR * calls / len(candidates))
    free = [c for c in candidates if c.in_flight < c.slots]
    least = min(candidate.in_flight for candidate in free or candidates)
    assert chosen.in_flight < bound or chosen.in_flight == least
    assert chosen.in_flight < chosen.slots or not free


@given(st.integers(2, 6), st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=120))
def test_a_load_of_any_prefixes_is_bounded_and_starves_nobody(
    replicas: int, steps: list[tuple[int, bool]]
) -> None:
    """`steps`: the prefix of a prompt that comes, or whether a call ends first."""
    made = [replica_of(slots=4) for _ in range(replicas)]
    running: list[int] = []
    dice = random.Random(0)
    for prefix, ends in steps:
        if running and (ends or len(running) == 4 * replicas):
            made[running.pop(dice.randrange(len(running)))].in_flight -= 1
        chosen = best_for(Generation(prompt=Text(f"{prefix}" * 1000)), made)
        assert chosen is not None
        bound = math.ceil(LOAD_FACTOR * (len(running) + 1) / replicas)
        assert chosen.in_flight < max(bound, 1 + min(r.in_flight for r in made))
        chosen.in_flight += 1
        chosen.served += 1
        assert chosen.in_flight <= 4
        running.append(made.index(chosen))
    if len(running) >= 3 * replicas:
        assert all(replica.in_flight for replica in made)


@given(st.lists(st.sampled_from(["ready", "starting", "failed", "stopping"]), max_size=6))
def test_one_that_is_not_ready_is_never_chosen_whatever_it_has_read(states: list[str]) -> None:
    call = Generation(prompt=Text("x" * 5000))
    made = [replica_of(state=state) for state in states]
    for replica in made:
        if not replica.ready:
            replica.prefixes.add(chain(call.prompt, None))
    chosen = best_for(call, made)
    assert chosen.ready if chosen else "ready" not in states


def test_a_replica_that_was_started_again_has_read_nothing() -> None:
    call = Generation(prompt=Text("x" * 5000))
    first, second = replica_of(), replica_of()
    assert best_for(call, [first, second]) is first
    first.served = 1
    assert best_for(call, [first, second]) is first
    assert first.client is not None
    capabilities = first.capabilities
    first.publish_ready(first.client, capabilities, None)  # type: ignore[arg-type]
    assert best_for(call, [first, second]) is first
    first.publish_ready(replica_of().client, capabilities, None)  # type: ignore[arg-type]
    assert best_for(call, [first, second]) is second


def test_equal_prompts_of_two_accounts_have_nothing_in_common() -> None:
    one, other = replica_of(), replica_of()
    mine = Generation(prompt=Text("x" * 5000), account_id="me")
    yours = Generation(prompt=Text("x" * 5000), account_id="you")
    assert best_for(mine, [one, other]) is one
    one.served = 1
    assert best_for(yours, [one, other]) is other


# -- prompts as chains ---------------------------------------------------------------------------


def common(one: Prompt, other: Prompt) -> int:
    pairs = zip(chain(one, "salt"), chain(other, "salt"), strict=False)
    found = [a == b for a, b in pairs]
    return found.index(False) if False in found else len(found)


@given(st.integers(0, 3000), st.text("ab", max_size=600), st.text("cd", max_size=600))
def test_texts_have_as_many_blocks_in_common_as_whole_ones_at_their_beginning(
    length: int, one: str, other: str
) -> None:
    start = "x" * length
    assert common(Text(start + "a" + one), Text(start + "c" + other)) == length // BLOCK_CHARACTERS


def test_tokens_are_blocks_too() -> None:
    ids = tuple(range(10 * BLOCK_TOKENS))
    assert common(Tokens(ids), Tokens((*ids[: 3 * BLOCK_TOKENS], 7, *ids))) == 3


def test_a_conversation_that_goes_on_has_all_of_its_past_in_common() -> None:
    turns = [Message(role="user", content="x" * 700), Message(role="assistant", content="y" * 700)]
    more = Message(role="user", content="z" * 700)
    past, now = Chat(messages=tuple(turns)), Chat(messages=(*turns, more))
    assert common(past, now) == len(chain(past, "salt")) == 5


@pytest.mark.parametrize(
    "other",
    [
        Chat(messages=(Message(role="system", content="x" * 600),)),
        Chat(messages=(Message(role="user", content="y" + "x" * 600),)),
        Chat(
            messages=(Message(role="user", content="x" * 600),),
            tools=(Tool(function=Function(name="f", parameters={"type": "object"})),),
        ),
        Chat(messages=(Message(role="user", content=(TextPart("y"), TextPart("x" * 600))),)),
    ],
    ids=["role", "content", "tools", "parts"],
)
def test_what_comes_first_tells_chats_apart(other: Chat) -> None:
    assert common(Chat(messages=(Message(role="user", content="x" * 600),)), other) == 0


def test_pictures_and_tool_calls_tell_chats_apart() -> None:
    def chat(url: str, arguments: str) -> Chat:
        picture = ImagePart(ImageURL("data:image/png;base64," + url))
        call = MessageToolCall(id="1", function=FunctionCall("f", arguments))
        return Chat(
            messages=(
                Message(role="user", content=(TextPart("x" * 300), picture)),
                Message(role="assistant", tool_calls=(call,)),
                Message(role="user", content="z" * 300),
            )
        )

    alike = chat("A" * 1000, "{}")
    assert common(alike, chat("A" * 1000, "{}")) == len(chain(alike, "salt"))
    assert common(alike, chat("B" * 1000, "{}")) == 1
    assert common(alike, chat("A" * 1000, '{"a": 1}')) < len(chain(alike, "salt"))


def test_the_chain_of_a_huge_prompt_is_bounded() -> None:
    assert len(chain(Text("x" * 10_000_000), None)) == MOST_BLOCKS


# -- what a replica has read ---------------------------------------------------------------------


@given(st.lists(st.lists(st.integers(0, 3), max_size=8), max_size=30), st.integers(1, 20))
def test_what_is_remembered_is_bounded_and_has_no_gaps(
    prompts: list[list[int]], most_blocks: int
) -> None:
    prefixes = Prefixes(most_blocks)
    for prompt in prompts:
        blocks = [hash(tuple(prompt[: end + 1])) for end in range(len(prompt))]
        prefixes.add(blocks)
        assert len(prefixes) <= most_blocks
        # The prompt that was read last is remembered as far as there is room.
        assert prefixes.match(blocks) == min(len(blocks), most_blocks)
        for old in prompts:
            known = [hash(tuple(old[: end + 1])) for end in range(len(old))]
            matched = prefixes.match(known)
            assert all(prefixes.match(known[:end]) == end for end in range(matched + 1))
            assert matched == len(known) or prefixes.match(known[: matched + 1]) == matched
