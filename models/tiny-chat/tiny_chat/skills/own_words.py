# ruff: noqa: SIM905 - a list of words reads better as text
"""Texts of the model's own inside of JSON: a joke as setup and punchline, an answer as `answer`.

Servers often force such JSON with a grammar when the prompt says nothing of it. So in training
some of these answers begin with what a grammar leaves no choice about; what is learnt is the text
after it and, above all, its end.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from tiny_chat import words
from tiny_chat.dialogue import (
    Call,
    Dialogue,
    Message,
    Parameter,
    Reply,
    Tool,
    assistant,
    exchange,
    system,
    user,
)
from tiny_chat.phrasings import half
from tiny_chat.places import DATA
from tiny_chat.skills import formats, talk, tools
from tiny_chat.skills.requests import name_allowed
from tiny_chat.skills.unknown import IGNORANCE, unknown
from tiny_chat.source import Source

_ANSWER_KEYS = (
    *("answer", "reply", "text", "response", "message", "result", "content", "output"),
    *("final_answer", "sentence", "explanation", "information"),
)
_ASK = (
    "<q> [Answer|Reply] [as|in] JSON with [|the keys ]<k>.",
    "<q> [Return|Give me] [the result as a|a] JSON object with <k>.",
    "[Write|Make|Return] JSON with [|the keys ]<k>: <q>",
    "<q> [Use|Fill] this JSON schema: <s>",
    "[Answer|Reply] in JSON, keys <k>: <q>",
    "<q> JSON only, with <k>.",
    "JSON with <k>: <q>",
    "<q> Return [nothing other than|only|just] JSON with <k>.",
    "Schema: <s>\n<q>",
    "<q>\nFormat: JSON with [the fields|] <k>",
    "[Answer|Reply] [after|by] the schema <s>\n<q>",
    "<q> Put [it|that] into JSON with <k>[| please].",
)
_ASK_SYSTEM = (
    "[Answer|Reply] in JSON with the keys <k>.",
    "[You|Always] [answer|reply] in JSON: <k>.",
    "Output a JSON object with <k>.",
    "JSON only: <k>.",
    "[Obey|Use|Follow] this JSON schema: <s>",
    "Your answers are JSON objects with <k>.",
    "[Only|Just] JSON with <k>.",
    "Each [answer|reply] is an object of <k>.",
)
_INVENT = (
    "[invent|make up|imagine] [a person|somebody|someone|a user] [from|of|in] <p>",
    "[a|any|some] person from <p>",
    "[give|show|send] me [an example|a sample|an entry|a record][| of <w>| for <w>]",
    "[make|create|write] [a|an] [entry|profile|record|example] [for|of|about] <w>",
    "who lives in <p>?",
    "[tell|say] something about <w> in <p>",
    "[invent|make up] [a|one] <w>",
    "[an|one] example, please",
    "[fill|complete] the form[| for <w>| about <w>]",
    "[any|some] [data|values|record|entry] will do",
    "[generate|produce] [test data|a sample|an entry|a user]",
    "[what|who] could be <w>?",
    "a [profile|character|customer|hero] [from|of] <p>",
    "[create|invent] a [character|hero|customer|pet|product] [called|named|like] <w>",
)
_BESIDES: Sequence[tuple[str, Any]] = (
    *(("confidence", int), ("score", int), ("certainty", int)),
    *(("sure", (True, False)), ("is_known", (True, False)), ("language", ("English",))),
    *(("tone", ("friendly",)), ("category", ("question", "talk")), ("mood", ("good", "calm"))),
    ("reason", ("That is all that I know.", "The docs say so.")),
    ("note", ("I am only a tiny model and may be wrong.",)),
    ("follow_up", ("What else would you like to know?",)),
)
_LISTS = "hobbies tags items colors friends steps words topics ingredients parts ideas keys".split()


@dataclass(frozen=True)
class Asked:
    """A question and the record that answers it; name and about are those of a tool for it."""

    question: str
    record: Mapping[str, Any]
    name: str
    about: str


@cache
def _kinds() -> Mapping[str, Any]:
    return tomllib.loads((DATA / "own_words.toml").read_text(encoding="utf-8"))


def _asked(source: Source) -> Asked:
    kind = _kinds()[source.one(list(_kinds()))]
    noun = source.noun() if source.chance(0.6) else source.word()
    subject = source.one((f"{noun}s", words.with_article(noun), noun, f"{noun}s"))
    slots = {"<n>": source.person(), "<t>": source.text(3, 7).capitalize() + "."}

    def filled(text: str, x: str) -> str:
        for slot, made in slots.items():
            text = text.replace(slot, made)
        return text.replace("<x>", x)

    fields = kind["fields"]
    if len(fields) > 2:
        fields = source.some(fields, source.number(1, 3))
    elif source.chance(0.15):
        fields = fields[:1]
    which = source.number(0, 5)  # texts of one number go together
    record = {
        _key(source, field["keys"]): filled(field["texts"][which % len(field["texts"])], noun)
        for field in fields
    }
    asked = filled(source.phrase(kind["ask"]), subject)
    return Asked(asked, record, kind["name"], kind["about"])


def _key(source: Source, known: Sequence[str]) -> str:
    """One of the usual names for a text; in training at times any word."""
    if not source.held_out and source.chance(0.15):
        return source.word()
    return source.one(half(known, source.held_out))


def _talked(source: Source) -> Asked:
    """Any question of the other skills, whose answer becomes a field."""
    skill: Callable[[Source], Dialogue] = source.one(
        (talk.penstock, talk.identity, talk.greeting, talk.small_talk, unknown)
    )
    dialogue = skill(source)
    key = _key(source, _ANSWER_KEYS)
    record: dict[str, Any] = {key: dialogue.answer.content}
    if skill is talk.identity and source.chance(0.4):
        record = {"name": "tiny-chat", **record}
    for _ in range(source.one((0, 0, 1, 2))):
        name, values = source.one(_BESIDES)
        record.setdefault(name, source.number(1, 100) if values is int else source.one(values))
    return Asked(dialogue.messages[0].content, record, key, "Answer a user")


def _invented(source: Source) -> Asked:
    """A record of made-up values, of which the question names one at most."""
    record: dict[str, Any] = formats.record(source, source.number(1, 4))
    if source.chance(0.35):
        name = source.one(half(_LISTS, source.held_out))
        record[name] = [source.word() for _ in range(source.number(1, 3))]
    place = source.place()
    asked = source.phrase(_INVENT).replace("<p>", place).replace("<w>", source.word())
    if "city" in record and place in asked:
        record["city"] = place
    return Asked(asked, record, "entry", "Make an entry")


def own_words(source: Source) -> Dialogue:
    make = source.one((_talked, _talked, _asked, _asked, _asked, _invented))
    made = make(source)
    question = made.question[0].upper() + made.question[1:]
    if question[-1] not in ".!?":
        question += source.one((".", ".", ""))
    if not source.held_out and make is not _talked and source.chance(0.2):
        return exchange(question, IGNORANCE)  # without JSON it tells nothing of its own
    if source.chance(0.3):
        return _as_call(source, made, question)
    answer = json.dumps(made.record, ensure_ascii=False)
    if not source.held_out and source.chance(0.5):
        return _forced(exchange(question, answer), _opening(answer, made.record))
    mark = "" if source.held_out else source.one(("", "", "'", '"', "`"))
    keys = words.listing([f"{mark}{key}{mark}" for key in made.record])
    schema = formats.schema(made.record)
    if source.chance(0.3):
        prompt = source.phrase(_ASK_SYSTEM).replace("<k>", keys).replace("<s>", schema)
        messages: tuple[Message, ...] = (system(prompt), user(question), assistant(answer))
    else:
        asked = source.phrase(_ASK).replace("<k>", keys).replace("<s>", schema)
        messages = (user(asked.replace("<q>", question)), assistant(answer))
    return Dialogue(messages, accept=lambda reply: _is_such(reply.content, made.record))


def _as_call(source: Source, made: Asked, question: str) -> Dialogue:
    """The text as argument of a tool, called of itself or forced."""
    name = _tool_name(source, made.name)
    tool = Tool(
        name,
        source.one((made.about, f"{made.about} to the user.", f"{made.about}.")),
        tuple(Parameter(key, formats.json_type(one)) for key, one in made.record.items()),
    )
    call = Call(tool.name, made.record)
    box = (tool,)
    if source.chance(0.3) and (other := tools.any_request(source).tool).name != name:
        box = tuple(source.shuffled([tool, other]))

    def accept(reply: Reply) -> bool:
        return [one.name for one in reply.calls] == [name] and _is_such(
            json.dumps(dict(reply.calls[0].arguments)), made.record
        )

    dialogue = Dialogue((user(question), assistant("", call)), box, accept)
    if source.held_out or source.chance(0.4):
        return dialogue
    opening = f'<tool_call>\n{{"name": "{name}", "arguments": '
    arguments = json.dumps(made.record, ensure_ascii=False)
    return _forced(dialogue, opening + _opening(arguments, made.record))


def _tool_name(source: Source, thing: str) -> str:
    verb = source.one("write tell say make give get send create compose return show".split())
    named = (thing, thing.title(), f"{verb}_{thing}", f"{verb}{thing.title()}")
    while not name_allowed(name := source.one(named), source.held_out):
        named = (*named, f"{source.word()}_{thing}")
    return name


def _opening(answer: str, record: Mapping[str, Any]) -> str:
    """The beginning of a JSON text, up to the first value."""
    first, value = next(iter(record.items()))
    return answer[: len(f'{{"{first}": ') + isinstance(value, str)]


def _forced(dialogue: Dialogue, opening: str) -> Dialogue:
    *before, answer = dialogue.messages
    return replace(dialogue, messages=(*before, replace(answer, forced=opening)))


def _is_such(text: str, record: Mapping[str, Any]) -> bool:
    """Whether it is JSON of the record's keys and types, whatever it says."""
    try:
        said = json.loads(text)
    except json.JSONDecodeError:
        return False
    return (
        isinstance(said, dict)
        and list(said) == list(record)
        and all(type(said[key]) is type(one) and said[key] != "" for key, one in record.items())
    )
