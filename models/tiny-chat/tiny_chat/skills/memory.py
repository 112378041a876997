# ruff: noqa: SIM905 - long lists read better as text
"""Remembering what was said: by the user, by the system prompt, or in a text to read."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from tiny_chat import words
from tiny_chat.dialogue import Dialogue, Message, assistant, exchange, system, user
from tiny_chat.grammars import grammar
from tiny_chat.manners import cased, spoken
from tiny_chat.skills import talk
from tiny_chat.source import Source

NOTED = "Okay, I will remember that."
NOT_TOLD = "You have not told me that yet."
_NAME_IS = "Your name is <v>."


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
    "[hello|hi|hey], I am <v>",
    "[hello|hi|hey], my name is <v>",
    "I go by <v>",
    "my name's <v>",
    "[everybody|everyone|my mother|my family] calls me <v>",
    "it's <v>",
    "<v> here",
    "they named me <v>",
    "please call me <v>",
    "I was named <v>",
    "you may call me <v>",
    "[me|myself]: <v>",
    "I answer to <v>",
    "[hi|hello|hey] from <v>",
    "my [full|real|proper|given] name is <v>",
    "<v>, that is [me|my name]",
    "[just|simply] call me <v>",
    "write down that I am called <v>",
    "my parents named me <v>",
)
ASK_NAME = (
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
    "what name do I have?",
    "do you know who I am?",
    "[and|so] what is my name?",
    "what's my name again?",
    "[say|tell me] who I am",
    "tell me what I am called",
    "[remind|remind me of] my name",
    "what is the name I [gave|told] you?",
    "[what|which] name did I [say|tell you|mention]?",
    "how do [people|you] call me?",
    "have I told you my name?",
    "my name is?",
    "what should you call me?",
    "who is [talking|writing] to you?",
    "can you [say|repeat|recall|remember] my name?",
    "you know my name, [right|don't you]?",
    "[which|what] is my name[| please| now]?",
    "tell me my [own|full|first|real] name[| please]",
    "[who|what] did I say I am?",
    "what do you call me?",
    "by which name do you know me?",
    "what name did you [note|save|keep]?",
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
    "I am living in <v>",
    "I'm from <v>",
    "my house is in <v>",
    "I was born in <v>",
    "<v> is my home",
    "<v> is where I live",
    "I reside in <v>",
    "we live in <v>",
    "I am at home in <v>",
    "I settled in <v>",
    "[now|today] I live in <v>",
    "I have [a flat|a house|a home] in <v>",
    "my [flat|home town|hometown|place] is [in|] <v>",
    "I [grew up|stay|dwell|am based] in <v>",
    "you find me in <v>",
    "<v> is my [city|town|home town]",
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
    "where is my house?",
    "what [town|city|place] am I from?",
    "where did I say I live?",
    "do you [remember|recall|know] where I am from?",
    "can you tell me where I live?",
    "[say|tell me] my [city|town]",
    "where am I [living|at home]?",
    "[and|so] where do I live?",
    "what is my home [town|city|place]?",
    "my [city|town|home]?",
    "remind me where I live",
    "what place did I [mention|name]?",
    "which is my [town|city]?",
    "[which|what] is my [town|home town|place]?",
    "tell me [my home|the place I live in|where I come from]",
    "where [is|was] my [flat|place|home town]?",
    "in what [town|city|place] [is my home|am I living]?",
    "where did I [come|say I come] from?",
)
_TELL_AGE = (
    "I am <v> years old",
    "my age is <v>",
    "I just turned <v>",
    "I am <v>",
    "I will be <v> this year",
    "I'm <v> years old",
    "I am <v> years of age",
    "I turned <v> last week",
    "age: <v>",
    "<v> is my age",
    "my age: <v>",
    "I have turned <v>",
    "I'm <v>",
    "I became <v> today",
    "I am now <v>",
    "I have [just|] [become|reached] <v>",
    "I am <v> [of age|now|already|today]",
    "in years I am <v>",
    "[soon|next week] I will be <v>",
)
_ASK_AGE = (
    "how old am I?",
    "what is my age?",
    "[tell me|say] my age",
    "do you [know|remember] how old I am?",
    "what age am I?",
    "my age?",
    "do you remember my age?",
    "what's my age?",
    "how old did I say I am?",
    "can you tell me my age?",
    "[and|so] how old am I?",
    "tell me how old I am",
    "my age was?",
    "remind me of my age",
    "how many years old am I?",
    "do you [recall|know] my age?",
    "what is the age I told you?",
    "[which|what] is my age[| please| now]?",
    "what age [do I have|did I tell you|did I say]?",
    "how [old|many years] am I [now|again|please]?",
    "my age[, please| please| in years]?",
)
_TELL_JOB = (
    "I work as <v>",
    "I am <v>",
    "my job is <v>",
    "I earn my money as <v>",
    "I am <v> by trade",
    "I'm <v>",
    "my work is <v>",
    "by profession I am <v>",
    "I am employed as <v>",
    "they hired me as <v>",
    "my profession is <v>",
    "I became <v>",
    "I earn my bread as <v>",
    "I [started|trained|was hired|serve] as <v>",
    "for a living I am <v>",
    "my [trade|occupation|position|role] is <v>",
    "I am working as <v>",
    "at work I am <v>",
)
_ASK_JOB = (
    "what is my job?",
    "what do I do [for work|for a living]?",
    "do you [know|remember] my job?",
    "what do I work as?",
    "[tell me|say] my job",
    "my profession?",
    "how do I earn my money?",
    "what's my job?",
    "what is my profession?",
    "what work do I do?",
    "what did I say my job is?",
    "can you tell me my job?",
    "[and|so] what is my job?",
    "as what do I work?",
    "what am I by profession?",
    "my job?",
    "tell me what I work as",
    "remind me of my job",
    "how do I make a living?",
    "[which|what] is my [trade|occupation|position|role|work]?",
    "what [trade|work] am I in?",
    "what do I do [at work|all day]?",
    "tell me my [trade|occupation|profession|work]",
    "how do I earn my [bread|living|keep]?",
)
_TELL_LIKE = (
    "I like <v>",
    "I love <v>",
    "I am a fan of <v>",
    "I really like <v>",
    "I enjoy <v>",
    "I prefer <v>",
    "I am fond of <v>",
    "I adore <v>",
    "my thing is <v>",
    "I am into <v>",
    "I care for <v>",
    "what I like is <v>",
    "I [am crazy|am mad] about <v>",
    "<v> is what I like",
    "I [cherish|fancy|treasure|favour] <v>",
    "my passion is <v>",
    "nothing beats <v> for me",
    "I am keen on <v>",
)
_ASK_LIKE = (
    "what do I like?",
    "do you [remember|know] what I like?",
    "what do I love?",
    "[tell me|say] what I like",
    "what did I say I like?",
    "which thing do I like?",
    "what do I enjoy?",
    "what is it that I like?",
    "what am I fond of?",
    "what did I tell you I like?",
    "can you tell me what I like?",
    "[and|so] what do I like?",
    "tell me what I love",
    "what do I really like?",
    "remind me what I like",
    "what am I a fan of?",
    "which thing do I love?",
    "what do I prefer?",
    "what [is|was] my passion?",
    "what [do I|did I say I] [cherish|adore|fancy|care for]?",
    "[which|what] thing [do I prefer|am I fond of|pleases me]?",
    "tell me [what pleases me|what I am fond of|what I prefer]",
)
_TELL_PET = (
    "I have <v>",
    "I own <v>",
    "I bought <v>",
    "I've got <v>",
    "there is <v> at my home",
    "I got <v> for my birthday",
    "I keep <v>",
    "my property is <v>",
    "I found <v>",
    "I was given <v>",
    "at home I have <v>",
    "I just got <v>",
    "I [possess|hold|bring|carry] <v>",
    "<v> is mine",
    "I [received|inherited|won|made|built] <v>",
    "in my house there is <v>",
    "they gave me <v>",
    "I am the owner of <v>",
)
_ASK_PET = (
    "what do I have?",
    "do you [remember|know] what I have?",
    "[tell me|say] what I have",
    "what did I say I have?",
    "what do I own?",
    "which thing do I have?",
    "what is it that I have?",
    "what did I buy or get?",
    "what do I own or have?",
    "can you tell me what I have?",
    "[and|so] what do I have?",
    "what have I got?",
    "tell me what I own",
    "what is mine?",
    "remind me what I have",
    "which thing do I own?",
    "what did I tell you I have?",
    "what [thing|] [belongs to me|is in my house|did I get|did I tell you I own]?",
    "tell me what [is mine|belongs to me|I bought|I got]",
    "what [do I possess|did I receive|is my property]?",
    "which thing [is mine|did I mention]?",
)
_TELL_MINE = (
    "my <k> is <v>",
    "my <k> is [called|named] <v>",
    "<v> is my <k>",
    "the name of my <k> is <v>",
    "my <k>: <v>",
    "as my <k> I have <v>",
    "for my <k>, take <v>",
    "my <k> = <v>",
    "<v> is the name of my <k>",
    "I call my <k> <v>",
    "my <k> would be <v>",
    "the <k> I have is <v>",
    "when I say my <k>, I mean <v>",
    "my <k> was and is <v>",
    "my <k> has the name <v>",
    "<v>, that is my <k>",
    "I [chose|took|picked] <v> as my <k>",
    "[please|] save my <k>: <v>",
    "my <k> [equals|reads|says] <v>",
    "my <k> [now is|is now] <v>",
    "the <k> of mine is <v>",
    "[I have|there is] a <k>: <v>",
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
    "and my <k>?",
    "[say|repeat] what my <k> is",
    "what did I say my <k> [is|was]?",
    "what is the name of my <k>?",
    "which is my <k>?",
    "tell me what my <k> is",
    "remind me of my <k>",
    "do you still [know|remember] my <k>?",
    "I forgot my <k>, what is it?",
    "what did I call my <k>?",
    "how is my <k> called?",
    "so what is my <k>?",
    "what's the name of my <k>?",
    "which <k> did I [mention|name|tell you]?",
    "who is my <k>?",
    "my <k>[, please| please| again| is]?",
    "[look up|show|print|write] my <k>",
    "[which|what] <k> did I [give|tell|name] [you|]?",
    "what [do I have as|have I got as|was saved as] my <k>?",
    "[and what|so which|now what] is my <k>[| please]?",
    "what value has my <k>?",
)
TELL_THE = (
    "the <k> is <v>",
    "<v> is the <k>",
    "the <k>: <v>",
    "our <k> is <v>",
    "note the <k>: <v>",
    "the <k> will be <v>",
    "use <v> as the <k>",
    "the <k> = <v>",
    "let the <k> be <v>",
    "we use <v> as <k>",
    "as <k> we have <v>",
    "the <k> was set to <v>",
    "today the <k> is <v>",
    "<v> will be the <k>",
    "the <k> [equals|reads|says] <v>",
    "the <k> [now is|is now|is always] <v>",
    "[please|] save the <k>: <v>",
    "[we|they] chose <v> as the <k>",
    "<v> was chosen as the <k>",
    "for the <k> [take|use|write] <v>",
    "the <k> has the value <v>",
    "know that the <k> is <v>",
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
    "and the <k>?",
    "what did I say the <k> [is|was]?",
    "tell me what the <k> is",
    "remind me of the <k>",
    "do you still [know|remember] the <k>?",
    "so what is the <k>?",
    "which one is the <k>?",
    "what do we use as the <k>?",
    "[say|repeat] what the <k> is",
    "what's our <k>?",
    "what is our <k>?",
    "I need the <k>",
    "please give me the <k>",
    "which <k> [do we use|did I mention|is used]?",
    "how is the <k> called?",
    "the <k>[, please| please| again| is]?",
    "[look up|show|print|write] the <k>",
    "[which|what] <k> did I [give|tell|name] [you|]?",
    "what [do we have as|was saved as|was chosen as] the <k>?",
    "[and what|so which|now what] is the <k>[| please]?",
    "what value has the <k>?",
)


def fact(source: Source) -> Fact:
    """Something that a user could tell about himself or his things."""
    kind = source.one((_name, _name, _home, _age, _job, _like, _pet, _mine, _mine, _the, _the))
    return kind(source)


class _Ways(NamedTuple):
    """To tell a kind of fact and to ask for it: phrasings, and the name of the grammars."""

    tell: tuple[str, ...]
    ask: tuple[str, ...]
    made: str

    def told(self, source: Source) -> str:
        return source.phrase(self.tell, grammar(f"tell_{self.made}"))

    def asked(self, source: Source) -> str:
        return source.phrase(self.ask, grammar(f"ask_{self.made}"))


_OWN_NAME = _Ways(_TELL_NAME, ASK_NAME, "name")
_HOME = _Ways(_TELL_HOME, _ASK_HOME, "home")
_AGE = _Ways(_TELL_AGE, _ASK_AGE, "age")
_JOB = _Ways(_TELL_JOB, _ASK_JOB, "job")
_LIKE = _Ways(_TELL_LIKE, _ASK_LIKE, "like")
_PET = _Ways(_TELL_PET, _ASK_PET, "pet")
_MINE = _Ways(_TELL_MINE, _ASK_MINE, "mine")
_THE = _Ways(TELL_THE, _ASK_THE, "the")


def _made(source: Source, ways: _Ways, answer: str, value: str) -> Fact:
    said = ways.told(source).replace("<v>", value)
    return Fact(said, ways.asked(source), answer.replace("<v>", value), value)


def _name(source: Source) -> Fact:
    return _made(source, _OWN_NAME, _NAME_IS, source.person())


def _home(source: Source) -> Fact:
    return _made(source, _HOME, "You live in <v>.", source.place())


def _age(source: Source) -> Fact:
    age = str(source.number(5, 90))
    return _made(source, _AGE, "You are <v> years old.", age)


def _job(source: Source) -> Fact:
    job = words.with_article(source.one(words.JOBS))
    return _made(source, _JOB, "You work as <v>.", job)


def _like(source: Source) -> Fact:
    liked = source.one((source.noun(), source.pseudoword(), source.one(words.SPORTS)))
    if not source.held_out and source.chance(0.4):
        liked = source.text(1, 3)
    return _made(source, _LIKE, "You like <v>.", liked)


def _pet(source: Source) -> Fact:
    owned = f"a {source.one(words.COLOURS)} {source.noun()}"
    if not source.held_out and source.chance(0.4):
        owned = words.with_article(source.text(1, 3))
    return _made(source, _PET, "You have <v>.", owned)


def _mine(source: Source) -> Fact:
    return _keyed(source, _MINE, "Your <k> is <v>.", _BELONGINGS)


def _the(source: Source) -> Fact:
    return _keyed(source, _THE, "The <k> is <v>.", _COMMON)


def _keyed(source: Source, ways: _Ways, answer: str, keys: list[str]) -> Fact:
    key = source.one(keys) if source.chance(0.75) else source.word()
    made = _made(source, ways, answer, _loose_value(source))
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
_TO_KEEP = re.compile(r"remember|note|by the way", re.IGNORECASE)


def telling(source: Source, sentences: list[str]) -> str:
    """One text that tells all of it."""
    listed = source.chance(0.5)
    text = words.listing(sentences) if listed else ". ".join(map(_capital, sentences))
    text = source.one(_TELLING) + text
    return (_capital(text) if source.chance(0.7) else text) + source.one(("", "."))


def told(source: Source, facts: list[Fact]) -> tuple[Message, Message]:
    """One message that tells all of it, and the answer: a mere name is greeted."""
    text = telling(source, [fact.told for fact in facts])
    only = facts[0]
    greeted = len(facts) == 1 and only.answer == _NAME_IS.replace("<v>", only.value)
    if greeted and not _TO_KEEP.search(text):
        return user(text), assistant(talk.welcome(only.value))
    return user(text), assistant(NOTED)


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
    if len(facts) == 1 and source.chance(0.25):
        text = telling(source, [wanted.told]).rstrip(".")
        return exchange(f"{text}. {_capital(wanted.asked)}", wanted.answer)
    if source.chance(0.6):
        opening: tuple[Message, ...] = told(source, facts)
    else:
        opening = tuple(message for one in facts for message in told(source, [one]))
    return Dialogue((*opening, user(asked), assistant(wanted.answer)))


def not_told(source: Source) -> Dialogue:
    """Asking for what was never said, sometimes after something else was."""
    facts = distinct_facts(source, 2)
    kept = tuple(f for f in facts if not f.answer.startswith(("You like", "You have", "The ")))
    if len(kept) < 2:
        return not_told(source)
    known, wanted = kept
    question, answer = user(cased(source, wanted.asked)), assistant(NOT_TOLD)
    if source.chance(0.5):
        return Dialogue((question, answer))
    return Dialogue((*told(source, [known]), question, answer))


_INFORMED = (
    "<f>",
    "You are a helpful assistant. <f>",
    "Facts: <f>",
    "[Use|Know|Remember] [this|these facts]: <f>",
    "You work for <n>. <f>",
    "Context: <f>",
    "[Information|Notes] for the assistant: <f>",
    "You help customers. <f>",
    "Remember: <f>",
    "[You should know|Note|Keep in mind]: <f>",
    "<f> Answer the user's questions.",
    "You are <n>'s assistant. <f>",
    "[Background|Knowledge|Data]: <f>",
    "<f> Be brief.",
    "Answer from these facts. <f>",
    "[Here is what you know|What you know]: <f>",
)


def informed(source: Source) -> Dialogue:
    """The fact stands in the system prompt."""
    facts = [_the(source) for _ in range(source.one((1, 2, 3)))]
    if len({f.asked.split("?")[0].split()[-1] for f in facts}) < len(facts):
        return informed(source)
    wanted = source.one(facts)
    known = " ".join(_capital(f.told) + "." for f in facts)
    prompt = source.phrase(_INFORMED).replace("<f>", known)
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
    "[Read|Look at] the text: <t> <q>",
    "[Text|Story|Passage]:\n<t>\n\n<q>",
    "[Given|From] this: <t> [Answer|Tell me]: <q>",
    "<q>\n\n<t>",
    "Question: <q> Text: <t>",
    "[Using|With] this text, answer: <q>\n<t>",
    "<t> So, <q>",
    "<t> My question: <q>",
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
    read = (user(text), assistant(NOTED))
    return Dialogue((*read, user(spoken(source, asked)), assistant(sentences[chosen])))


_LOOKUP = (
    "what is <k>?",
    "<k>?",
    "[tell me|give me|look up|find] <k>",
    "[the|] value of <k>?",
    "what does <k> [have|hold]?",
    "which value has <k>?",
    "and <k> is?",
    "and <k>?",
    "find the value of <k>",
    "[say|show] me <k>",
    "what is the value of <k>?",
    "which one is <k>?",
    "<k> is what?",
    "I need <k>",
    "what belongs to <k>?",
)


def look_up(source: Source) -> Dialogue:
    """A list of pairs and one key: the plainest exercise in copying."""
    keys = list(dict.fromkeys(source.word() for _ in range(source.number(2, 6))))
    values = [_loose_value(source) for _ in keys]
    joint = source.one((" = ", ": ", " is ", " -> "))
    listed = ", ".join(k + joint + v for k, v in zip(keys, values, strict=True))
    chosen = source.number(0, len(keys) - 1)
    asked = source.phrase(_LOOKUP).replace("<k>", keys[chosen])
    return exchange(f"{source.one(('', '', 'Given: '))}{listed}. {_capital(asked)}", values[chosen])
