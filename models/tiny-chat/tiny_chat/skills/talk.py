# ruff: noqa: E501 - long lists read better as text
"""Greetings, small talk and questions about Penstock, from the phrasings in data/."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from tiny_chat import words
from tiny_chat.dialogue import Dialogue, Reply, assistant, exchange, user
from tiny_chat.grammars import grammar, grammars
from tiny_chat.manners import careless, spoken, varied
from tiny_chat.places import DATA, FACTS_FILE
from tiny_chat.source import Source
from tiny_chat.wall import Carried, Wall

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
    "how could I <x>?",
    "how might one <x>?",
    "what do I do to <x>?",
    "what should I do to <x>?",
    "[is it|would it be] possible to <x>?",
    "[is there|do you have|do you know of] a [command|method|trick] to <x>?",
    "I need to <x>",
    "[I would love|I have|I was asked|my boss wants me] to <x>",
    "[I have|I am having] [trouble|problems] trying to <x>",
    "[which|what] command [do I use|is there] to <x>?",
    "[what's|whats] the way to <x>?",
    "[am I|are we] able to <x>?",
    "[can|could] [one|you|we|somebody|my friend] <x>?",
    "[could|would|can] you help me [to|] <x>?",
    "[any|is there any] way to <x>?",
    "<x>, how?",
    "how to <x>",
    "<x>[| please]",
    "[may|might|could] I <x>?",
    "I was wondering how to <x>",
    "[I wonder|I'd like to know|I want to know|I'd love to learn] how to <x>",
    "[what does it take|what is needed|what is necessary] to <x>?",
    "how [easy|hard|difficult] is it to <x>?",
    "[where|when] [do|can] I <x>?",
    "[does it|will it|would it] let me <x>?",
    "let me <x>",
    "[my task is|the plan is|the next step is|now I have] to <x>",
    "[a hint|advice|instructions|an example] on how to <x>[|, please]",
    "what if I [want|need|have] to <x>?",
    "how is it possible to <x>?",
    "[I tried|I failed|I am unable|I'm not able] to <x>",
    "[in which way|by what means] can I <x>?",
    "[describe|write down|give me] [how|the steps] to <x>",
)
_PLAINLY = ("how do I <x>?", "how can I <x>?", "can I <x>?")  # said more often than the rest
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
    "[please|] [explain|describe|clarify] <x>[| to me| please]",
    "[tell|teach|show] me about <x>",
    "[help|questions|a question]: <x>",
    "I [have|had|got] [questions|a question] [on|about|regarding] <x>",
    "[is there|do you have] [anything|something|information] [on|about] <x>?",
    "[what|anything] [is there|should I know] about <x>?",
    "[I need|I want|give me] [help|info|advice] [with|on|about] <x>",
    "[my question is|this is|it is] about <x>",
    "how [does it|do things] [look|stand|work] with <x>?",
    "regarding <x>",
    "[let's|let us] talk about <x>",
    "<x>: how?",
    "[so|now|and] <x>?",
    "[you said something|say something|a word] about <x>",
    "[I am|I'm] [interested in|curious about|asking about] <x>",
    "how do you deal with <x>?",
    "<x> [in|with|and] Penstock[|?]",
    "what is it with <x>?",
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
    "[hi|hello|hey]! [I'm|I am|my name is|it's] <n>",
    "[I am|I'm|it is|it's] <n>[|, hi|, hello|, hey][| there]",
    "[my name is|my name's|the name is] <n>[|, hi|, hello|, nice to meet you|, pleased to meet you]",
    "[hi|hello|hey], <n> [is my name|is the name|here|calling|talking|again]",
    "<n> here[|, hi|, hello|, hey]",
    "[hi|hello|hey] [bot|tiny|friend|assistant|model|computer], [my name is|I am|this is|it's] <n>",
    "[good morning|good evening|good day|good afternoon][,|.] [my name is|this is|I'm|it's|here is] <n>",
    "[hi|hello|hey] [you can call me|call me|people call me|everybody calls me] <n>",
    "[you can call me|just call me|please call me|they call me|friends call me] <n>[|, hello|, hi]",
    "[may I|let me|I want to|I'd like to] introduce myself[:|,| as] [|I am|my name is|I'm] <n>",
    "[hi|hello|hey] from <n>",
    "[greetings|hiya|howdy|salut|moin], [I am|I'm|my name is|this is|it's] <n>",
    "[hi|hello|hey], my [first name|full name|nickname|friends' name for me] is <n>",
    "[this|it] is <n>[|, hi|, hello]",
    "[nice|good|pleased|glad] to meet you, [I am|I'm|my name is|this is] <n>",
    "[hi|hello|hey], [I am|I'm] <n> [and I am new here|and this is my first time|from next door|from the office]",
    "hello, [they|people] named me <n>",
    "[hi|hello|hey] [I'm|I am|im|i'm] called <n>",
    "<n>, [pleased to meet you|nice to meet you|hello|hi]",
    "[hi|hello|hey] [my dear|dear|little] [bot|model|friend], [I am|I'm|it's] <n>",
    "[hi|hello|hey], <n> [is here|has arrived|says hello|wants to talk|greets you]",
    "<n> [is here|says hi|greets you|says hello]",
    "[the|my] name is <n>[, by the way|, what's yours| and I say hello|, good day]",
    "[hi|hello|hey] [there|you|again], [my name is|this is|I am] <n>",
    "[it is|it's|this is] me, <n>",
    "[hi|hello|hey]: <n>",
    "I'm <n>[ and I want to chat| and I say hi|, good morning|, how nice to meet you]",
)


_SHORT = frozenset({"greeting", "bye", "thanks", "yes", "no"})


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

    def drawn() -> str:
        if not source.held_out and source.chance(0.12):
            return source.one(_PLAINLY).replace("<x>", source.phrase(phrasings["do"]))
        dice = source.rng.random()
        if dice < 0.45:
            return source.phrase(_HOW_TO).replace("<x>", source.phrase(phrasings["do"]))
        if dice < 0.6:
            return source.phrase(_WHAT_ABOUT).replace("<x>", source.phrase(phrasings["about"]))
        return source.phrase(phrasings["ask"])

    return _worded(source, drawn, fact_wall(), 1.0)


@cache
def fact_wall() -> Wall:
    """What training must never ask about Penstock."""
    entries = questions().values()
    return Wall.of(
        (entry["ask"] for entry in entries),
        (
            Carried.of(_HOW_TO, [entry["do"] for entry in entries]),
            Carried.of(_WHAT_ABOUT, [entry["about"] for entry in entries]),
        ),
    )


@cache
def topic_wall() -> Wall:
    """What training must never say in small talk."""
    return Wall.of(topic["ask"] for topic in topics().values())


def _worded(source: Source, draw: Callable[[], str], wall: Wall, often: float) -> str:
    """A question as somebody types it; in training also said in other ways."""
    while True:
        made = draw()
        if source.chance(often):
            made = careless(source, made if source.held_out else varied(source, made))
        made = spoken(source, made)
        if source.held_out or not wall.holds(made):
            return made


def penstock(source: Source) -> Dialogue:
    fact = source.one(list(facts()))
    return exchange(ask_fact(source, fact), facts()[fact])


def _topic(source: Source, name: str) -> Dialogue:
    topic = topics()[name]
    often = 0.25 if name in _SHORT else 0.7
    made = grammars().get(f"topic_{name}", ())
    text = _worded(source, lambda: source.phrase(topic["ask"], made), topic_wall(), often)
    answers = topic["answers"]

    def accept(reply: Reply) -> bool:
        return reply.content.strip() in answers and not reply.calls

    dialogue = exchange(text, source.one(answers))
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
    text = source.phrase(_GREET_BY_NAME, grammar("greet_by_name")).replace("<n>", name)
    asked = text[0].upper() + text[1:] + source.one(("", "", ".", "!"))
    return exchange(asked, welcome(name))


def welcome(name: str) -> str:
    return f"Hello {name}! Nice to meet you. How can I help?"


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
    "[tell|read|write] [me|us] [a|one] [tale|fairy tale|bedtime story|story] about <a>[| named <n>| called <n>]",
    "[please|now] [tell|write|make] a story [about|with] <a>[| named <n>| called <n>]",
    "[I'd like|I would like|I need] a [story|tale] about <a>[| named <n>| called <n>]",
    "story about <a>[| named <n>| called <n>]",
    "there was <a>[| named <n>| called <n>]. [Go on|Continue|What happened]?",
    "[could|would] you [write|tell|invent] a [tale|story] about <a>[| called <n>]?",
    "begin a story [about|with] <a>[| named <n>]",
    "invent a [story|tale] [about|for] <a>[| called <n>]",
    "a [tale|bedtime story|fairy tale] [about|of] <a>[| named <n>][| please]",
    "let there be a story about <a>[| named <n>]",
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
