"""System prompts that change how the model answers, crossed with what it can answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from tiny_chat import words
from tiny_chat.dialogue import Dialogue, Message, Reply, assistant, exchange, system, user
from tiny_chat.manners import spoken
from tiny_chat.skills import letters, memory, talk
from tiny_chat.skills.unknown import unknown
from tiny_chat.source import Source

_SIMPLE = (
    talk.greeting,
    talk.identity,
    talk.small_talk,
    talk.small_facts,
    talk.penstock,
    memory.recall,
    memory.not_told,
    letters.sums,
    unknown,
)


class Manner(NamedTuple):
    """A system prompt and what it does to an answer."""

    prompt: str
    change: Callable[[str], str]


_PIRATE = (
    "[Talk|Speak|Answer] like a pirate.",
    "You are a pirate.",
    "You are [Captain <n>|<n>], a pirate. [Always|] talk like a pirate.",
    "Always [answer|speak|reply] like a pirate.",
    "You [talk|speak] like a pirate.",
    "Pretend to be a pirate.",
    "Reply in pirate [style|language|speech].",
    "You are a [friendly|grumpy|wild] pirate captain.",
    "Be a pirate.",
    "I want you to [sound|talk] like a pirate.",
    "Pirate mode.",
    "You answer as a pirate would.",
    "[Speak|Reply|Talk|Write] as a pirate[| would].",
    "You are an old pirate.",
    "[Use|Write in|Answer in] pirate [talk|speech|language|slang].",
    "[Sound|Act|Behave] like a pirate.",
    "You are a pirate named <n>.",
    "Imagine you are a pirate.",
)
_FRENCH = (
    "Greet the user in French.",
    "[Begin|Start] [every|each] [answer|reply] with a French greeting.",
    "Always greet in French[| first].",
    "Say hello in French [before|first, then] [you answer|answer].",
    "Use a French greeting.",
    "Your greeting is French.",
    "Open with a greeting in French.",
)
_START = (
    "[Start|Begin] [every|each] [answer|reply] with <w>.",
    "Always [start|begin] with the word <w>.",
    "Your answers [start|begin] with <w>.",
    "Put <w> at the [start|beginning] of every answer.",
    "[Say|Write] <w> before every answer.",
    "The first word of each answer is <w>.",
    "Begin by saying <w>.",
)
_END = (
    "[End|Finish|Close] [every|each] [answer|reply] with <w>.",
    "Always [end|finish] with the word <w>.",
    "Your answers [end|finish] with <w>.",
    "Put <w> at the end of every answer.",
    "[Say|Write] <w> after every answer.",
    "The last word of each answer is <w>.",
    "Finish by saying <w>.",
)
_UPPER = (
    "[Answer|Write|Speak|Reply] in capital letters.",
    "[Always|Only] use capital letters.",
    "Use upper case only.",
    "[SHOUT|Shout].",
    "Your answers are in capitals.",
    "Write everything in upper case.",
)
_JSON = (
    "[Answer|Reply|Respond] in JSON.",
    "[Always|Only] [answer|reply] with a JSON object.",
    "Your [answers|output] must be JSON.",
    "Return JSON only.",
    "[Answer|Reply] in JSON with the key answer.",
    "You write JSON.",
    "Use JSON format.",
)
_ONE_WORD = (
    "[Answer|Reply|Respond] [in|with] [one|a single] word[| only].",
    "[Use|Say] [only|just] one word.",
    "One word answers[| only].",
    "Your [answer|reply] is [one|a single] word.",
    "[Always|] answer [with|in] one word.",
    "Be [very|extremely] brief: one word.",
    "[Just|Only] one word, please.",
)
_NAMED = (
    "You are <n>[|, a <j>|, a <a> <j>].",
    "Your name is <n>.",
    "Your name is <n>, [a|the] <j>.",
    "You are called <n>.",
    "You are a <j> [named|called] <n>.",
    "[Act as|Play|Pretend to be] <n>[|, a <j>].",
    "You are <n> and work for <p>.",
    "You are <n>, the assistant of <p>.",
    "[The assistant|This assistant] is called <n>.",
    "You are <n>[|, the <j>]. Be [friendly|kind|brief].",
    "Your [first|] name is <n>[| and you are a <j>].",
    "[Be|Play the role of|Speak as] <n>[|, a <j>].",
    "<n> is your name.",
    "You, <n>, are a <j>.",
    "[From now on|Today] you are <n>[|, a <j>].",
    "People call you <n>.",
)
_PLAIN = (
    "You are a helpful assistant.",
    "You are a helpful assistant.",
    "You are a [friendly|polite|kind|good] assistant.",
    "You are tiny-chat.",
    "Be [brief|helpful|polite|nice|kind|concise].",
    "[Answer|Help] the user.",
    "You are an AI [assistant|model|chatbot].",
    "[Answer|Reply] [briefly|politely|in English|well].",
    "Be a good [bot|assistant].",
    "You help people with [Penstock|their questions|everything].",
)


def _tag(source: Source) -> str:
    return source.one((source.word(), source.pseudoword().title(), source.person()))


def _filled(source: Source, text: str) -> str:
    text = text.replace("<n>", source.person()).replace("<p>", source.pseudoword().title())
    return text.replace("<j>", source.one(words.JOBS)).replace("<a>", source.one(words.ADJECTIVES))


def _pirate(source: Source) -> Manner:
    return Manner(_filled(source, source.phrase(_PIRATE)), lambda text: f"Arr, matey! {text}")


def _french(source: Source) -> Manner:
    return Manner(source.phrase(_FRENCH), lambda text: f"Bonjour! {text}")


def _start(source: Source) -> Manner:
    word = _tag(source)
    return Manner(source.phrase(_START).replace("<w>", word), lambda text: f"{word} {text}")


def _end(source: Source) -> Manner:
    word = _tag(source)
    return Manner(source.phrase(_END).replace("<w>", word), lambda text: f"{text} {word}")


def _json(source: Source) -> Manner:
    return Manner(
        source.phrase(_JSON), lambda text: json.dumps({"answer": text}, ensure_ascii=False)
    )


def _plain(source: Source) -> Manner:
    return Manner(source.phrase(_PLAIN), lambda text: text)


def plain_prompt(source: Source) -> Message:
    """A system prompt that changes nothing."""
    return system(_plain(source).prompt)


def mannered(source: Source) -> Dialogue:
    """Any simple skill in a manner that the system prompt asks for."""
    makers = (_pirate, _pirate, _french, _start, _end, _json, _plain)
    manner = source.one(makers)(source)
    plain = source.one(_SIMPLE)(source)
    turns = tuple(
        replace(m, content=manner.change(m.content)) if m.role == "assistant" else m
        for m in plain.messages
    )

    def accept(reply: Reply) -> bool:
        if plain.accept is None:
            return reply.content.strip() == turns[-1].content
        known = {
            manner.change(text) for topic in talk.topics().values() for text in topic["answers"]
        }
        return reply.content.strip() in known

    return Dialogue((system(manner.prompt), *turns), accept=accept)


def shouted(source: Source) -> Dialogue:
    """Capitals, for short answers only."""
    plain = source.one((letters.sums, talk.small_facts, talk.greeting_by_name, memory.recall))(
        source
    )
    turns = tuple(
        replace(m, content=m.content.upper()) if m.role == "assistant" else m
        for m in plain.messages
    )
    return Dialogue((system(source.phrase(_UPPER)), *turns))


def one_word(source: Source) -> Dialogue:
    """Only the word itself: the value of a fact, a capital, a result, yes."""
    manner = system(source.phrase(_ONE_WORD))
    kind = source.number(0, 3)
    if kind == 0:
        fact = memory.fact(source)
        value = fact.value.removeprefix("a ").removeprefix("an ")
        asked = user(spoken(source, fact.asked))
        told = user(fact.told[0].upper() + fact.told[1:] + ".")
        return Dialogue((manner, told, assistant("Noted."), asked, assistant(value)))
    skill = (letters.sums, talk.small_facts, talk.greeting)[kind - 1]
    plain = skill(source)
    short = "Hello!" if kind == 3 else plain.answer.content.removesuffix(".").split()[-1]
    return Dialogue((manner, plain.messages[0], assistant(short)))


_WHO = (
    "who are you?",
    "what is your name?",
    "[what's|tell me] your name",
    "[introduce yourself|who am I talking to?]",
    "[hi|hello], who are you?",
    "what are you called?",
    "what should I call you?",
    "your name?",
    "who is this?",
    "[say|tell me] who you are",
    "do you have a name?",
    "what are you named?",
    "and who are you?",
    "how are you called?",
    "tell me your name",
    "who am I [chatting|speaking] with?",
    "may I know your name?",
    "what do people call you?",
    "what name do you have?",
    "[please|] introduce yourself",
    "your name, please",
    "[so|well], who are you?",
    "what's your name?",
    "how should I call you?",
    "who is [talking|answering]?",
    "state your name",
    "name?",
)
_ROLE = (
    "what do you do?",
    "what is your job?",
    "what are you?",
    "tell me your job",
    "what is your work?",
    "which job do you have?",
    "what is your profession?",
    "what do you work as?",
    "what do you do for a living?",
    "as what do you work?",
    "your job?",
    "tell me what you do",
)


def _asked(source: Source, phrasings: Sequence[str]) -> str:
    """A question to the persona; in training none that the evaluation asks without one."""
    while True:
        asked = spoken(source, source.phrase(phrasings))
        if source.held_out or not talk.topic_wall().holds(asked):
            return asked


def named(source: Source) -> Dialogue:
    """The persona's name, and its job when it has one."""
    name, job = source.person(), source.one(words.JOBS)
    prompt = source.phrase(_NAMED).replace("<n>", name).replace("<j>", job)
    prompt = _filled(source, prompt)
    if job in prompt and source.chance(0.3):
        asked, answer = _asked(source, _ROLE), f"I am {name}, {words.with_article(job)}."
    elif source.chance(0.75):
        role = f", {words.with_article(job)}" if job in prompt else ""
        asked, answer = _asked(source, _WHO), f"I am {name}{role}."
    else:
        return Dialogue((system(prompt), *_simple(source).messages))
    return Dialogue((system(prompt), *exchange(asked, answer).messages))


def _simple(source: Source) -> Dialogue:
    """Something that the persona answers like anybody else."""
    while True:
        dialogue = source.one(_SIMPLE[2:])(source)
        asked = dialogue.messages[-2].content
        if source.held_out or not talk.topic_wall().holds(asked):
            return dialogue
