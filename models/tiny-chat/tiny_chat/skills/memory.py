# ruff: noqa: SIM905 - long lists read better as text
"""Remembering what was said: by the user, by the system prompt, or in a text to read."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tiny_chat import words
from tiny_chat.dialogue import Dialogue, Message, assistant, exchange, system, user
from tiny_chat.manners import cased, spoken
from tiny_chat.source import Source

NOTED = "Okay, I will remember that."
NOT_TOLD = "You have not told me that yet."


class Fact(NamedTuple):
    """Something told, the ways to ask for it, and the sentence and word that answer."""

    told: str
    asked: str
    answer: str
    value: str


_BELONGINGS = (
    "favourite colour|favourite food|favourite animal|favourite city|favourite number|"
    "favourite song|best friend|sister|brother|dog|cat|horse|mother|father|boss|teacher|"
    "neighbour|doctor|phone number|room number|password|pin|code|user name|order number|"
    "flight number|license plate|street|school|company|team|project|hobby|sport|instrument|"
    "shoe size|email|birthday|car|boat|bike|hometown|middle name|last name|nickname|"
    "lucky number|seat|locker|desk"
).split("|")
_COMMON = (
    "secret word|password|wifi password|code|door code|magic word|answer|meeting room|"
    "deadline|budget|project name|server name|winner|topic|meeting day|safe word|"
    "order number|phone number|opening hour|office city|launch date|contact person|"
    "support email|product name|company name|discount code|invoice number|gate|platform|room|"
    "menu|price|manager|capital|key word|test word"
).split("|")

_TELL_NAME = (
    "my name is <v>",
    "I am <v>",
    "I'm <v>",
    "call me <v>",
    "you can call me <v>",
    "people call me <v>",
    "the name is <v>",
    "I am called <v>",
    "my friends call me <v>",
    "my first name is <v>",
    "<v> is my name",
    "this is <v> speaking",
)
_ASK_NAME = (
    "what is my name?",
    "what's my name?",
    "who am I?",
    "do you [remember|know|recall] my name?",
    "[tell me|say|repeat|give me] my name",
    "what was my name[| again]?",
    "can you tell me my name?",
    "how am I called?",
    "what did I say my name was?",
    "what am I called?",
    "my name?",
    "which name did I give you?",
    "do you still know who I am?",
    "what do [people|my friends] call me?",
)
_TELL_HOME = (
    "I live in <v>",
    "I am from <v>",
    "my home is in <v>",
    "I moved to <v>",
    "I [stay|work and live] in <v>",
    "I come from <v>",
    "my [town|city|home] is <v>",
    "home for me is <v>",
)
_ASK_HOME = (
    "where do I live?",
    "[which|what] [city|town|place] do I live in?",
    "do you [remember|know] where I live?",
    "[tell me|say] where I live",
    "where is my home?",
    "in which [city|town|place] do I live?",
    "where am I from?",
    "what is my [city|town]?",
    "where do I come from?",
)
_TELL_AGE = (
    "I am <v> years old",
    "my age is <v>",
    "I just turned <v>",
    "I am <v>",
    "I will be <v> this year",
    "I'm <v> years old",
)
_ASK_AGE = (
    "how old am I?",
    "what is my age?",
    "[tell me|say] my age",
    "do you [know|remember] how old I am?",
    "what age am I?",
    "my age?",
    "do you remember my age?",
)
_TELL_JOB = (
    "I work as <v>",
    "I am <v>",
    "my job is <v>",
    "I earn my money as <v>",
    "I am <v> by trade",
    "I'm <v>",
)
_ASK_JOB = (
    "what is my job?",
    "what do I do [for work|for a living]?",
    "do you [know|remember] my job?",
    "what do I work as?",
    "[tell me|say] my job",
    "my profession?",
    "how do I earn my money?",
)
_TELL_LIKE = (
    "I like <v>",
    "I love <v>",
    "I am a fan of <v>",
    "I really like <v>",
    "I enjoy <v>",
    "I prefer <v>",
)
_ASK_LIKE = (
    "what do I like?",
    "do you [remember|know] what I like?",
    "what do I love?",
    "[tell me|say] what I like",
    "what did I say I like?",
    "which thing do I like?",
    "what do I enjoy?",
)
_TELL_PET = (
    "I have <v>",
    "I own <v>",
    "I bought <v>",
    "I've got <v>",
    "there is <v> at my home",
    "I got <v> for my birthday",
)
_ASK_PET = (
    "what do I have?",
    "do you [remember|know] what I have?",
    "[tell me|say] what I have",
    "what did I say I have?",
    "what do I own?",
    "which thing do I have?",
)
_TELL_MINE = (
    "my <k> is <v>",
    "my <k> is [called|named] <v>",
    "<v> is my <k>",
    "the name of my <k> is <v>",
    "my <k>: <v>",
    "as my <k> I have <v>",
    "for my <k>, take <v>",
)
_ASK_MINE = (
    "what is my <k>?",
    "what's my <k>?",
    "[tell me|say|repeat|give me] my <k>",
    "do you [remember|know|recall] my <k>?",
    "what was my <k>[| again]?",
    "which <k> [is mine|do I have]?",
    "who or what is my <k>?",
    "my <k>?",
    "can you tell me my <k>?",
)
_TELL_THE = (
    "the <k> is <v>",
    "<v> is the <k>",
    "the <k>: <v>",
    "our <k> is <v>",
    "note the <k>: <v>",
    "the <k> will be <v>",
    "use <v> as the <k>",
)
_ASK_THE = (
    "what is the <k>?",
    "what's the <k>?",
    "[tell me|say|repeat|give me] the <k>",
    "do you [remember|know|recall] the <k>?",
    "what was the <k>[| again]?",
    "which <k> [is it|was it|did I say]?",
    "the <k>?",
    "can you tell me the <k>?",
    "I forgot the <k>, what is it?",
)


def fact(source: Source) -> Fact:
    """Something that a user could tell about himself or his things."""
    kind = source.one((_name, _name, _home, _age, _job, _like, _pet, _mine, _mine, _the, _the))
    return kind(source)


def _made(source: Source, tell: tuple[str, ...], ask: tuple[str, ...], answer: str, v: str) -> Fact:
    told = source.phrase(tell).replace("<v>", v)
    return Fact(told, source.phrase(ask), answer.replace("<v>", v), v)


def _name(source: Source) -> Fact:
    return _made(source, _TELL_NAME, _ASK_NAME, "Your name is <v>.", source.person())


def _home(source: Source) -> Fact:
    return _made(source, _TELL_HOME, _ASK_HOME, "You live in <v>.", source.place())


def _age(source: Source) -> Fact:
    age = str(source.number(5, 90))
    return _made(source, _TELL_AGE, _ASK_AGE, "You are <v> years old.", age)


def _job(source: Source) -> Fact:
    job = words.with_article(source.one(words.JOBS))
    return _made(source, _TELL_JOB, _ASK_JOB, "You work as <v>.", job)


def _like(source: Source) -> Fact:
    liked = source.one((source.noun(), source.pseudoword(), source.one(words.SPORTS)))
    return _made(source, _TELL_LIKE, _ASK_LIKE, "You like <v>.", liked)


def _pet(source: Source) -> Fact:
    owned = f"a {source.one(words.COLOURS)} {source.noun()}"
    return _made(source, _TELL_PET, _ASK_PET, "You have <v>.", owned)


def _mine(source: Source) -> Fact:
    return _keyed(source, _TELL_MINE, _ASK_MINE, "Your <k> is <v>.", _BELONGINGS)


def _the(source: Source) -> Fact:
    return _keyed(source, _TELL_THE, _ASK_THE, "The <k> is <v>.", _COMMON)


def _keyed(
    source: Source,
    tell: tuple[str, ...],
    ask: tuple[str, ...],
    answer: str,
    keys: list[str],
) -> Fact:
    key = source.one(keys) if source.chance(0.75) else source.word()
    made = _made(source, tell, ask, answer, _loose_value(source))
    return made._replace(
        told=made.told.replace("<k>", key),
        asked=made.asked.replace("<k>", key),
        answer=made.answer.replace("<k>", key),
    )


def _loose_value(source: Source) -> str:
    makers: tuple[Callable[[], str], ...] = (
        source.person,
        source.place,
        source.word,
        source.word,
        source.code,
        lambda: str(source.amount()),
        lambda: source.text(2, 3),
    )
    return source.one(makers)()


_TELLING = ("", "", "", "hi, ", "please remember: ", "note that ", "remember that ", "by the way, ")


def _telling(source: Source, told: list[str]) -> str:
    text = words.listing(told) if source.chance(0.5) else ". ".join(map(_capital, told))
    text = source.one(_TELLING) + text
    return (_capital(text) if source.chance(0.7) else text) + source.one(("", "."))


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def distinct_facts(source: Source, count: int) -> list[Fact]:
    """Facts that no question can confuse."""
    found: dict[str, Fact] = {}
    while len(found) < count:
        new = fact(source)
        subject = " ".join(new.answer.removesuffix(f"{new.value}.").split()[:4])
        found.setdefault(subject, new)
    return list(found.values())


def recall(source: Source) -> Dialogue:
    facts = distinct_facts(source, source.one((1, 1, 2, 2, 3)))
    wanted = source.one(facts)
    asked = cased(source, wanted.asked)
    told = [f.told for f in facts]
    if len(facts) == 1 and source.chance(0.25):
        return exchange(
            f"{_telling(source, told).rstrip('.')}. {_capital(wanted.asked)}", wanted.answer
        )
    if source.chance(0.6):
        opening: tuple[Message, ...] = (user(_telling(source, told)), assistant(NOTED))
    else:
        pairs = ((user(_telling(source, [one])), assistant(NOTED)) for one in told)
        opening = tuple(message for pair in pairs for message in pair)
    return Dialogue((*opening, user(asked), assistant(wanted.answer)))


def not_told(source: Source) -> Dialogue:
    """Asking for what was never said, sometimes after something else was."""
    facts = distinct_facts(source, 2)
    kept = tuple(f for f in facts if not f.answer.startswith(("You like", "You have", "The ")))
    if len(kept) < 2:
        return not_told(source)
    told, wanted = kept
    question, answer = user(cased(source, wanted.asked)), assistant(NOT_TOLD)
    if source.chance(0.5):
        return Dialogue((question, answer))
    opening = (user(_telling(source, [told.told])), assistant(NOTED))
    return Dialogue((*opening, question, answer))


_INFORMED = (
    "<f>",
    "You are a helpful assistant. <f>",
    "Facts: <f>",
    "[Use|Know|Remember] [this|these facts]: <f>",
    "You work for <n>. <f>",
    "Context: <f>",
    "[Information|Notes] for the assistant: <f>",
    "You help customers. <f>",
)


def informed(source: Source) -> Dialogue:
    """The fact stands in the system prompt."""
    facts = [_the(source) for _ in range(source.one((1, 2, 3)))]
    if len({f.asked.split("?")[0].split()[-1] for f in facts}) < len(facts):
        return informed(source)
    wanted = source.one(facts)
    told = " ".join(_capital(f.told) + "." for f in facts)
    prompt = source.phrase(_INFORMED).replace("<f>", told)
    prompt = prompt.replace("<n>", source.pseudoword().title())
    return Dialogue((system(prompt), user(cased(source, wanted.asked)), assistant(wanted.answer)))


_ABOUT_PEOPLE = (
    (
        "<n> lives in <v>.",
        ("where does <n> live?", "which city does <n> live in?", "in which city does <n> live?"),
    ),
    ("<n> is <v> years old.", ("how old is <n>?", "what is the age of <n>?", "what age is <n>?")),
    (
        "<n> likes <v>.",
        ("what does <n> like?", "which thing does <n> like?", "tell me what <n> likes"),
    ),
    (
        "<n> works as <v>.",
        ("what is the job of <n>?", "what does <n> work as?", "what does <n> do?"),
    ),
    ("<n> has <v>.", ("what does <n> have?", "which thing does <n> have?", "tell me what <n> has")),
)
_READING = (
    "<t> <q>",
    "Text: <t> Question: <q>",
    "[Read this|Here is a text]: <t> <q>",
    "<t>\n<q>",
    "Context: <t>\n\nQuestion: <q>",
    "Here is a text. <t> Now tell me: <q>",
    "<q> <t>",
    "Answer from the text. <t> <q>",
)


def _people_value(source: Source, kind: int) -> str:
    makers: tuple[Callable[[], str], ...] = (
        source.place,
        lambda: str(source.number(3, 90)),
        source.word,
        lambda: words.with_article(source.one(words.JOBS)),
        lambda: f"a {source.one(words.COLOURS)} {source.one(words.THINGS)}",
    )
    return makers[kind]()


def reading(source: Source) -> Dialogue:
    """A few sentences about people, and a question about one of them."""
    people: list[str] = []
    while len(people) < source.one((2, 2, 3, 4)):
        if (name := source.person()) not in people:
            people.append(name)
    kinds = [source.number(0, len(_ABOUT_PEOPLE) - 1) for _ in people]
    sentences = [
        _ABOUT_PEOPLE[kind][0].replace("<n>", name).replace("<v>", _people_value(source, kind))
        for name, kind in zip(people, kinds, strict=True)
    ]
    chosen = source.number(0, len(people) - 1)
    asked = source.one(_ABOUT_PEOPLE[kinds[chosen]][1]).replace("<n>", people[chosen])
    text = " ".join(sentences)
    if source.chance(0.6):
        question = source.phrase(_READING).replace("<q>", _capital(asked)).replace("<t>", text)
        return exchange(question, sentences[chosen])
    if source.chance(0.5):
        return Dialogue((system(text), user(cased(source, asked)), assistant(sentences[chosen])))
    told = (user(text), assistant(NOTED))
    return Dialogue((*told, user(spoken(source, asked)), assistant(sentences[chosen])))


_LOOKUP = (
    "what is <k>?",
    "<k>?",
    "[tell me|give me|look up|find] <k>",
    "[the|] value of <k>?",
    "what does <k> [have|hold]?",
    "which value has <k>?",
    "and <k> is?",
)


def look_up(source: Source) -> Dialogue:
    """A list of pairs and one key: the plainest exercise in copying."""
    keys = list({source.word() for _ in range(source.number(2, 6))})
    values = [_loose_value(source) for _ in keys]
    joint = source.one((" = ", ": ", " is ", " -> "))
    listed = ", ".join(k + joint + v for k, v in zip(keys, values, strict=True))
    chosen = source.number(0, len(keys) - 1)
    asked = source.phrase(_LOOKUP).replace("<k>", keys[chosen])
    return exchange(f"{source.one(('', '', 'Given: '))}{listed}. {_capital(asked)}", values[chosen])
