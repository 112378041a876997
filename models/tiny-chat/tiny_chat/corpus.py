# ruff: noqa: SIM905 - long lists read better as text
"""The mixture: how often each skill is trained, and how skills make longer conversations."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from tiny_chat.dialogue import Dialogue, Message, assistant, user
from tiny_chat.skills import formats, letters, memory, personas, talk, tools, unknown
from tiny_chat.source import Source

Skill = Callable[[Source], Dialogue]

SKILLS: Mapping[str, Skill] = {
    "greeting": talk.greeting,
    "identity": talk.identity,
    "small talk": talk.small_talk,
    "penstock": talk.penstock,
    "small facts": talk.small_facts,
    "story": talk.story,
    "unknown": unknown.unknown,
    "recall": memory.recall,
    "not told": memory.not_told,
    "informed": memory.informed,
    "reading": memory.reading,
    "look up": memory.look_up,
    "copy": letters.copy,
    "spell": letters.spell,
    "rewrite": letters.rewrite,
    "which word": letters.which_word,
    "count words": letters.count_words,
    "count to": letters.count_to,
    "sort": letters.sort,
    "name some": letters.name_some,
    "sums": letters.sums,
    "too large": letters.too_large,
    "json": formats.fill,
    "json schema": formats.obey_schema,
    "tool": tools.natural_call,
    "made-up tool": tools.made_up_call,
    "two tools": tools.two_calls,
    "tool result": tools.tool_result,
    "no tool": tools.no_call,
    "manner": personas.mannered,
    "shout": personas.shouted,
    "one word": personas.one_word,
    "persona": personas.named,
}

# Parts of a thousand dialogues. Drills come first, alone: copying has to work before anything else.
MIXTURE: Mapping[str, int] = {
    "greeting": 30,
    "identity": 45,
    "small talk": 60,
    "penstock": 190,
    "small facts": 12,
    "story": 8,
    "unknown": 110,
    "recall": 65,
    "not told": 14,
    "informed": 22,
    "reading": 28,
    "look up": 20,
    "copy": 30,
    "spell": 26,
    "rewrite": 14,
    "which word": 12,
    "count words": 8,
    "count to": 10,
    "sort": 22,
    "name some": 10,
    "sums": 40,
    "too large": 6,
    "json": 50,
    "json schema": 10,
    "tool": 75,
    "made-up tool": 40,
    "two tools": 30,
    "tool result": 26,
    "no tool": 20,
    "manner": 28,
    "shout": 3,
    "one word": 10,
    "persona": 16,
}
DRILLS = (
    *"recall informed reading copy spell rewrite json tool sort sums persona".split(),
    *("look up", "which word", "made-up tool", "tool result"),
)
_SMALL = (
    "greeting",
    "identity",
    "small talk",
    "penstock",
    "penstock",
    "unknown",
    "unknown",
    "sums",
    "copy",
    "spell",
    "small facts",
    "not told",
    "json",
)
_ALONE = frozenset({"greeting", "not told", "one word"})


def dialogue(source: Source, skills: Mapping[str, int]) -> Dialogue:
    """One dialogue of the mixture, at times after other talk or under a plain system prompt."""
    name = source.rng.choices(list(skills), list(skills.values()))[0]
    made = SKILLS[name](source)
    if made.tools or made.messages[0].role == "system":
        return made
    if name not in _ALONE and source.chance(0.22):
        made = replace(made, messages=(*_before(source), *made.messages))
    if source.chance(0.22):
        made = replace(made, messages=(personas.plain_prompt(source), *made.messages))
    return made


def _before(source: Source) -> tuple[Message, ...]:
    """Earlier turns that have nothing to do with what follows."""
    earlier: tuple[Message, ...] = ()
    for _ in range(source.one((1, 1, 1, 2, 3))):
        earlier += SKILLS[source.one(_SMALL[:-2])](source).messages
    return earlier


def long_dialogue(source: Source, characters: int) -> Dialogue:
    """Something told at the start, much other talk, and the question for it at the end."""
    fact = memory.distinct_facts(source, 1)[0]
    messages = [user(fact.told[0].upper() + fact.told[1:] + "."), assistant(memory.NOTED)]
    while sum(len(message.content) for message in messages) < characters:
        name = source.one(_SMALL[1:-2])
        messages += SKILLS[name](source).messages
    return Dialogue((*messages, user(fact.asked), assistant(fact.answer)))


def dialogues(seed: int, count: int, skills: Mapping[str, int], long: float) -> Iterator[Dialogue]:
    """`count` training dialogues; the share `long` of them are long ones."""
    source = Source(random.Random(seed))
    for _ in range(count):
        if source.chance(long):
            yield long_dialogue(source, source.number(600, 4500))
        else:
            yield dialogue(source, skills)
