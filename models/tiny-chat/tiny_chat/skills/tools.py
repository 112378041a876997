"""Calling tools: one, two at once, none; and telling what came back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tiny_chat import words
from tiny_chat.dialogue import Call, Dialogue, Message, Tool, Value, assistant, user
from tiny_chat.grammars import grammar
from tiny_chat.skills import talk
from tiny_chat.skills.made_up import made_up_request, worded_request
from tiny_chat.skills.requests import Request, natural_request, value
from tiny_chat.skills.unknown import unknown
from tiny_chat.source import Source


def any_request(source: Source) -> Request:
    if not source.held_out and source.chance(0.35):
        return worded_request(source)
    return natural_request(source) if source.chance(0.65) else made_up_request(source)


def _toolbox(source: Source, needed: Sequence[Tool], others: int) -> tuple[Tool, ...]:
    """The needed tools among others, in any order."""
    box = {tool.name: tool for tool in needed}
    for _ in range(others):
        other = any_request(source).tool
        box.setdefault(other.name, other)
    return tuple(source.shuffled(list(box.values())))


def _others(source: Source) -> int:
    return source.one((0, 0, 1, 1, 2, 3) if source.held_out else (0, 1, 1, 2, 3))


def _one_call(source: Source, request: Request) -> Dialogue:
    messages = (user(_polite(source, request.question)), assistant("", request.call))
    return Dialogue(messages, _toolbox(source, [request.tool], _others(source)))


_POLITE = ("please <q>", "can you <q>?", "<q>, please", "could you <q>?", "hey, <q>", "now <q>")


def _polite(source: Source, asked: str) -> str:
    if source.chance(0.12) and not asked.endswith("?"):
        asked = source.one(_POLITE).replace("<q>", asked)
    return asked[0].upper() + asked[1:] if source.chance(0.6) else asked


def natural_call(source: Source) -> Dialogue:
    return _one_call(source, natural_request(source))


def made_up_call(source: Source) -> Dialogue:
    return _one_call(source, made_up_request(source))


def worded_call(source: Source) -> Dialogue:
    return _one_call(source, worded_request(source))


JOIN = (
    "<1> and <2>",
    "<1>. <2>",
    "<1>, and also <2>",
    "<1> and then <2>",
    "first <1>, then <2>",
    "<1>, <2>",
    "<1> and <2>",
    "<1>; <2>",
    "<1> plus <2>",
    "<1>, then <2>",
    "<1>\n<2>",
    "<1>; besides, <2>",
    "1. <1> 2. <2>",
    "[do two things|two things]: <1>, <2>",
    "<1>, [afterwards|after that|next|besides] <2>",
    "<1> [as well as|together with|followed by|along with] <2>",
    "both: <1> and <2>",
    "<1>[| please]. [Then|Also|And then|Next] <2>",
    "<1>? And <2>",
    "[I have two wishes|I need two things]: <1>, [and|also] <2>",
    "<1> & <2>",
    "<1> / <2>",
)


def two_calls(source: Source) -> Dialogue:
    """Two tools at once, or one tool for two values."""
    first = any_request(source)
    second = _same_again(source, first) if source.chance(0.35) else any_request(source)
    if second.tool.name == first.tool.name and second.tool != first.tool:
        return two_calls(source)
    asked = source.phrase(JOIN, grammar("join")).replace("<1>", first.question.rstrip("?."))
    asked = asked.replace("<2>", second.question)
    if second.tool == first.tool and (short := _shared_question(first, second)):
        asked = short if source.chance(0.6) else asked
    messages = (user(_polite(source, asked)), assistant("", first.call, second.call))
    others = source.one((0, 0, 1, 2))
    return Dialogue(messages, _toolbox(source, [first.tool, second.tool], others))


def _same_again(source: Source, request: Request) -> Request:
    """The same request for another value of its first argument, when that is a plain name."""
    if not request.call.arguments:
        return any_request(source)
    name, old = next(iter(request.call.arguments.items()))
    if not isinstance(old, str) or request.question.count(old) != 1 or not old.isalpha():
        return any_request(source)
    new = source.place() if old[0].isupper() else source.word()
    parameter = next(p for p in request.tool.parameters if p.name == name)
    if parameter.choices or new == old or old.isupper():
        return any_request(source)
    call = Call(request.call.name, {**request.call.arguments, name: new})
    return Request(request.tool, request.question.replace(old, new), call)


def _shared_question(first: Request, second: Request) -> str:
    """`weather in Paris and Rome`, from two questions that differ in one word."""
    if len(first.call.arguments) != 1:
        return ""
    one, two = next(iter(first.call.arguments.values())), next(iter(second.call.arguments.values()))
    return first.question.replace(str(one), f"{one} and {two}")


_RESULTS: tuple[tuple[str, str], ...] = (
    ("temperature", "percent"),
    ("condition", "sunny|rainy|cloudy|windy|snowy|foggy"),
    ("time", "clock"),
    ("result", "amount"),
    ("price", "decimal"),
    ("status", "done|sent|open|closed|ready|failed|ok"),
    ("humidity", "percent"),
    ("city", "place"),
    ("name", "person"),
    ("date", "date"),
    ("total", "decimal"),
    ("id", "amount"),
)


def _result(source: Source) -> dict[str, Value]:
    made: dict[str, Value] = {}
    for _ in range(source.one((1, 1, 2, 2, 3))):
        key, kind = source.one(_RESULTS)
        if source.chance(0.3):
            key, kind = source.pseudoword(), source.one(("word", "amount", "person", "code"))
        made[key] = value(source, kind)
    return made


def _told(result: Mapping[str, Value]) -> str:
    parts = [f"the {key.replace('_', ' ')} is {made}" for key, made in result.items()]
    return f"T{words.listing(parts)[1:]}."


def tool_result(source: Source) -> Dialogue:
    """The result of one or two calls becomes a sentence."""
    dialogue = two_calls(source) if source.chance(0.2) else _one_call(source, any_request(source))
    if source.chance(0.15) and len(dialogue.answer.calls) == 1:
        text = source.text(2, 5)
        results, answer = [Message("tool", text)], f"The result is: {text}"
    else:
        made = [_result(source) for _ in dialogue.answer.calls]
        results = [Message("tool", json.dumps(one)) for one in made]
        answer = " ".join(map(_told, made))
    return Dialogue((*dialogue.messages, *results, assistant(answer)), dialogue.tools)


def no_call(source: Source) -> Dialogue:
    """Tools lie ready, but the question needs none."""
    skill = source.one((talk.greeting, talk.identity, talk.small_talk, talk.penstock, unknown))
    plain = skill(source)
    while re.search("weather|time|day", plain.messages[0].content.lower()):
        plain = skill(source)
    box = _toolbox(source, [], source.number(1, 3))
    return replace(plain, tools=box)
