"""Greetings, small talk and questions about Penstock, from the phrasings in data/."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tiny_chat import words
from tiny_chat.dialogue import Dialogue, Reply, assistant, exchange, user
from tiny_chat.manners import careless, spoken
from tiny_chat.places import DATA, FACTS_FILE
from tiny_chat.source import Source

# The ways to wrap `do` and `about` phrasings. Each is a template of its own in the split.
_HOW_TO = (
    "how do I <x>?",
    "how can I <x>?",
    "what is the [best|right|easiest|] way to <x>?",
    "can you tell me how [to|I can|I] <x>?",
    "I [want|need|would like|wish] to <x>[|, how|. How]?",
    "is it possible to <x>?",
    "how to <x>?",
    "[explain|show me|tell me] how to <x>",
    "what must I do to <x>?",
    "can I <x>?",
    "I'd like to <x>",
    "[is there|do you know] [a|any] way to <x>?",
    "[please|] help me <x>",
    "how would [I|you|one] <x>?",
    "I am trying to <x>",
    "how does one <x>?",
    "what do I [need|have] to do [to|if I want to] <x>?",
    "[could|would] you [show|explain to|tell] me how to <x>?",
    "I don't know how to <x>",
    "what [are|is] the [steps|step|command|trick] to <x>?",
    "how [should|could|might] I <x>?",
    "does Penstock let me <x>?",
    "where do I start if I want to <x>?",
    "i wanna <x>",
    "teach me to <x>",
)
_WHAT_ABOUT = (
    "what about <x>?",
    "tell me [something|more|] about <x>",
    "[explain|describe] <x>",
    "I have a question about <x>",
    "what can you [tell|say] [me|] about <x>?",
    "<x>?",
    "[can|could] you explain <x>?",
    "I want to know [more|something|] about <x>",
    "how about <x>?",
    "<x>",
    "what is the [story|situation|deal] with <x>?",
    "[information|info|details] [on|about] <x>[|, please]",
    "what do [I|you] [need to|] know about <x>?",
    "and <x>?",
    "give me [information|details|the facts] [on|about] <x>",
    "how does Penstock handle <x>?",
    "what do you know about <x>?",
    "I wonder about <x>",
)
_GREET_BY_NAME = (
    "[hi|hello|hey], I am <n>",
    "[hi|hello|hey], my name is <n>",
    "I am <n>, nice to meet you",
    "[hi|hello|hey], [this is|it's] <n>",
    "[good morning|good evening|good day], I am <n>",
    "[hello|hi] there, <n> here",
    "[hi|hello|hey] [bot|tiny|friend], I'm <n>",
    "let me introduce myself: <n>",
    "[hello|hi]! I am called <n>",
    "<n> is my name, hello",
    "people call me <n>, hi",
    "[hey|hello], <n> speaking",
)


@cache
def read(file: Path) -> Mapping[str, dict[str, list[str]]]:
    return tomllib.loads(file.read_text(encoding="utf-8"))


@cache
def facts() -> Mapping[str, str]:
    """The answers of docs/facts.toml by the id of the fact."""
    entries = tomllib.loads(FACTS_FILE.read_text(encoding="utf-8"))["fact"]
    return {entry["id"]: entry["answer"] for entry in entries}


def questions() -> Mapping[str, dict[str, list[str]]]:
    return read(DATA / "questions.toml")


def topics() -> Mapping[str, dict[str, list[str]]]:
    return read(DATA / "talk.toml")


def ask_fact(source: Source, fact: str) -> str:
    """A question that the fact answers."""
    phrasings = questions()[fact]
    dice = source.rng.random()
    if dice < 0.45:
        text = source.phrase(_HOW_TO).replace("<x>", source.phrase(phrasings["do"]))
    elif dice < 0.6:
        text = source.phrase(_WHAT_ABOUT).replace("<x>", source.phrase(phrasings["about"]))
    else:
        text = source.phrase(phrasings["ask"])
    return spoken(source, careless(source, text))


def penstock(source: Source) -> Dialogue:
    fact = source.one(list(facts()))
    return exchange(ask_fact(source, fact), facts()[fact])


def _topic(source: Source, name: str) -> Dialogue:
    topic = topics()[name]
    text = source.phrase(topic["ask"])
    if name not in ("greeting", "bye", "thanks") and source.chance(0.5):
        text = careless(source, text)
    answers = topic["answers"]

    def accept(reply: Reply) -> bool:
        return reply.content.strip() in answers and not reply.calls

    dialogue = exchange(spoken(source, text), source.one(answers))
    return Dialogue(dialogue.messages, accept=accept)


def identity(source: Source) -> Dialogue:
    names = ("identity", "identity", "not_other", "human", "can_do", "cannot", "maker", "size")
    return _topic(source, source.one(names))


def greeting(source: Source) -> Dialogue:
    if source.chance(0.35):
        return greeting_by_name(source)
    return _topic(source, source.one(("greeting", "greeting", "how_are_you")))


def greeting_by_name(source: Source) -> Dialogue:
    name = source.person()
    text = source.phrase(_GREET_BY_NAME).replace("<n>", name)
    asked = text[0].upper() + text[1:] + source.one(("", "", ".", "!"))
    return exchange(asked, f"Hello {name}! Nice to meet you. How can I help?")


_OWN = frozenset(
    {"greeting", "identity", "not_other", "human", "can_do", "cannot", "maker", "size"}
)


def small_talk(source: Source) -> Dialogue:
    return _topic(source, source.one([name for name in topics() if name not in _OWN]))


_CAPITAL = (
    "what is the capital[| city] of <x>?",
    "[tell me|name|say] the capital of <x>",
    "capital of <x>",
    "<x>'s capital[| city]?",
    "which city is the capital of <x>?",
    "what's the capital of <x>?",
    "do you know the capital of <x>?",
    "the capital of <x> is?",
    "what is <x>'s capital[| called]?",
)
_OPPOSITE = (
    "what is the opposite of <x>?",
    "[tell me|give me|name] the opposite of <x>",
    "opposite of <x>",
    "the opposite of <x>?",
    "what's the opposite of <x>?",
    "which word is the opposite of <x>?",
    "what is the contrary of <x>?",
)


def small_facts(source: Source) -> Dialogue:
    """The very little that the model knows of the world."""
    if source.chance(0.6):
        country = source.one(list(words.CAPITALS))
        question = source.phrase(_CAPITAL).replace("<x>", country)
        answer = f"The capital of {country} is {words.CAPITALS[country]}."
    else:
        word = source.one(list(words.OPPOSITES))
        question = source.phrase(_OPPOSITE).replace("<x>", word)
        answer = f"The opposite of {word} is {words.OPPOSITES[word]}."
    return exchange(question[0].upper() + question[1:], answer)


_STORY = (
    "tell [me|us|] a [short|little|] story [about|of] <a>[| named <n>| called <n>]",
    "write a [short|little|] story about <a>[| named <n>| called <n>]",
    "a story about <a>[| named <n>][| please]",
    "can you tell me a story about <a>[| named <n>]?",
    "I want [to hear|] a story about <a>[| called <n>]",
    "once upon a time there was <a>[| named <n>], go on",
    "make up a [story|tale] about <a>[| named <n>]",
    "[do you know|give me] a story about <a>[| named <n>]?",
)


def story(source: Source) -> Dialogue:
    """Three sentences whose hero is copied from the question, whatever it is."""
    hero = source.one(words.ANIMALS) if source.chance(0.5) else source.word()
    name = source.person()
    asked = source.phrase(_STORY).replace("<a>", words.with_article(hero))
    if "<n>" in asked:
        asked, who = asked.replace("<n>", name), f"{hero} named {name}"
    else:
        name, who = f"the {hero}", hero
    colour, thing = source.one(words.COLOURS), source.one(words.THINGS)
    place = source.one(words.PLACES)
    told = (
        f"Once upon a time there was {words.with_article(who)}. One day {name} found "
        f"{words.with_article(colour)} {thing} in the {place}. "
        f"{name[0].upper() + name[1:]} took it home and was very happy. The end."
    )

    def accept(reply: Reply) -> bool:
        return f" {who}." in reply.content and reply.content.endswith("The end.")

    messages = (user(asked[0].upper() + asked[1:]), assistant(told))
    return Dialogue(messages, accept=accept)
