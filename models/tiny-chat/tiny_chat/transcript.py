"""Conversations written down for people to read: hand-typed ones, and mixed held-out ones."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tiny_chat import evaluation
from tiny_chat.dialogue import Call, Message, Parameter, Tool, assistant, system, user
from tiny_chat.places import DATA
from tiny_chat.served import Served
from tiny_chat.skills.requests import naturals
from tiny_chat.template import call_text


def transcripts(gguf: Path) -> Iterator[str]:
    served = Served(gguf, slots=1)
    talks = tomllib.loads((DATA / "off_script.toml").read_text(encoding="utf-8"))["talk"]
    for talk in talks:
        yield "\n".join(_played(served, talk)) + "\n"


def mixed(gguf: Path, count: int) -> Iterator[str]:
    """Held-out dialogues of the mixture; `?` before an answer that is not the expected one."""
    for number, case in enumerate(evaluation.mixed(Served(gguf), count), 1):
        *before, asked, wanted = case.dialogue.messages
        yield f"--- {number}"
        yield from (
            f"[{one.role}] {one.content or _said(one.content, one.calls)}" for one in before
        )
        yield f"[{asked.role}] {asked.content}"
        reply = case.answer.reply
        yield f"A{' ' if case.right else '?'} {_said(reply.content, reply.calls)}"
        if not case.right:
            yield f"wanted: {_said(wanted.content, wanted.calls)}"


def _said(content: str, calls: Sequence[Call]) -> str:
    return " ".join([content, *map(call_text, calls)]).strip()


def _played(served: Served, talk: dict[str, Any]) -> Iterator[str]:
    messages: list[Message] = []
    tools = [_tool(name) for name in talk.get("tools", [])]
    if instructions := talk.get("system"):
        messages.append(system(instructions))
        yield f"[system: {instructions}]"
    if tools:
        yield f"[tools: {', '.join(tool.name for tool in tools)}]"
    for turn in talk["turns"]:
        result = turn.startswith("{")
        messages.append(Message("tool", turn) if result else user(turn))
        reply = served.chat(messages, tools).reply
        messages.append(assistant(reply.content, *reply.calls))
        yield f"{'T' if result else 'U'}: {turn}"
        yield f"A: {_said(reply.content, reply.calls)}"


def _tool(name: str) -> Tool:
    natural = next(one for one in naturals() if one.name == name)
    parameters = tuple(
        Parameter(argument, "number" if "amount" in kind else "string", not kind.endswith("?"))
        for argument, kind in natural.kinds.items()
    )
    return Tool(natural.name, natural.about, parameters)
