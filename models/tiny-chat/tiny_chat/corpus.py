# ruff: noqa: SIM905 - long lists read better as text
"""The mixture: how often each skill is trained, and how skills make longer conversations."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from tiny_chat.dialogue import Dialogue, Message, assistant, user
from tiny_chat.manners import cased
from tiny_chat.skills import formats, letters, memory, own_words, personas, talk, tools, unknown
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
    "json of its own": own_words.own_words,
    "tool": tools.natural_call,
    "made-up tool": tools.made_up_call,
    "any tool": tools.worded_call,
    "two tools": tools.two_calls,
    "tool result": tools.tool_result,
    "no tool": tools.no_call,
    "manner": personas.mannered,
    "shout": personas.shouted,
    "one word": personas.one_word,
    "persona": personas.named,
}

# Parts among all dialogues. One with tools is three to five times as long as a plain question.
# Drills come first, alone: copying has to work before anything else.
MIXTURE: Mapping[str, int] = {
    "greeting": 220,
    "identity": 300,
    "small talk": 110,
    "penstock": 700,
    "small facts": 4,
    "story": 8,
    "unknown": 480,
    "recall": 320,
    "not told": 24,
    "informed": 26,
    "reading": 14,
    "look up": 40,
    "copy": 70,
    "spell": 20,
    "rewrite": 6,
    "which word": 6,
    "count words": 3,
    "count to": 4,
    "sort": 4,
    "name some": 3,
    "sums": 20,
    "too large": 3,
    "json": 220,
    "json schema": 24,
    "json of its own": 110,
    "tool": 320,
    "made-up tool": 60,
    "any tool": 160,
    "two tools": 600,
    "tool result": 14,
    "no tool": 34,
    "manner": 26,
    "shout": 10,
    "one word": 9,
    "persona": 24,
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
    if name == "recall" and source.chance(0.4):
        *told, asked, answer = made.messages
        made = replace(made, messages=(*told, *_before(source), asked, answer))
    elif name not in _ALONE and source.chance(0.22):
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
    messages = list(memory.told(source, [fact]))
    while sum(len(message.content) for message in messages) < characters:
        name = source.one(_SMALL[1:-2])
        messages += SKILLS[name](source).messages
    return Dialogue((*messages, user(fact.asked), assistant(fact.answer)))


def long_talk(source: Source, characters: int) -> Dialogue:
    """Some facts told here and there, much other talk, and questions for them at any distance."""
    facts = memory.distinct_facts(source, source.number(2, 4))
    untold, told, messages = list(facts), list[memory.Fact](), list[Message]()
    while untold or sum(len(message.content) for message in messages) < characters:
        if untold and (not told or source.chance(0.3)):
            told.append(untold.pop())
            messages += memory.told(source, [told[-1]])
        elif source.chance(0.35):
            messages += _asked_again(source, source.one(told))
        else:
            messages += SKILLS[source.one(_SMALL[1:-2])](source).messages
    return Dialogue((*messages, *_asked_again(source, told[0])))


def _asked_again(source: Source, fact: memory.Fact) -> tuple[Message, Message]:
    return user(cased(source, fact.asked)), assistant(fact.answer)


def dialogues(seed: int, count: int, skills: Mapping[str, int], long: float) -> Iterator[Dialogue]:
    """`count` training dialogues; the share `long` of them are long ones."""
    source = Source(random.Random(seed))
    for _ in range(count):
        if source.chance(long):
            yield long_talk(source, source.one((300, 600, 1000, 1600, 2500, 4500)))
        else:
            yield dialogue(source, skills)
