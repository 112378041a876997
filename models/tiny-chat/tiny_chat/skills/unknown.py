# ruff: noqa: SIM905 - a list of words reads better as text
"""Everything else that people ask. There is one honest answer to all of it.

The questions are assembled from parts so that few are ever seen twice, and many of them stand
close to a question the model can answer (a key to a house, a stream in a valley), so that only
the right company of words leads to another answer.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from tiny_chat import words
from tiny_chat.dialogue import Dialogue, exchange
from tiny_chat.grammars import grammar
from tiny_chat.manners import careless, spoken, with_a_near_word
from tiny_chat.places import DATA
from tiny_chat.source import Source

IGNORANCE = "I do not know that; I am only a tiny demo model."

# Words that would make a question one about Penstock.
_OURS = frozenset("key token server client model password picture letter number".split())
_FAMILIES = (*("tasks", "world", "near") * 3, "noise")


@cache
def _phrasings() -> Mapping[str, Any]:
    return tomllib.loads((DATA / "unknown.toml").read_text(encoding="utf-8"))


@cache
def _subjects() -> list[str]:
    return " ".join(_phrasings()["subjects"].split()).split(", ")


def _filled(source: Source, text: str) -> str:
    makers: dict[str, Callable[[], str]] = {
        "<s>": lambda: source.one(_subjects()) if source.chance(0.7) else source.word(),
        "<w>": lambda: _foreign_word(source),
        "<n>": source.person,
        "<p>": source.place,
        "<a>": lambda: source.one(words.ADJECTIVES),
        "<c>": lambda: source.one(words.STRANGE_COUNTRIES),
        "<d>": lambda: str(source.number(30, 2100)),
        "<q>": lambda: source.pseudoword() if source.chance(0.6) else _letters(source),
    }
    for slot, make in makers.items():
        while slot in text:
            text = text.replace(slot, make(), 1)
    return text


def _foreign_word(source: Source) -> str:
    while (word := source.word()) in _OURS:
        pass
    return word


def _letters(source: Source) -> str:
    return "".join(source.one("qwertzuiopasdfghjkl") for _ in range(source.number(3, 8)))


def unknown_question(source: Source) -> str:
    family = source.one(_FAMILIES)
    made = grammar("unknown") if family != "noise" else ()
    text = source.phrase(_phrasings()[family], made)
    if not source.held_out and source.chance(0.2):
        text = with_a_near_word(source, text)
    return _filled(source, text)


def unknown(source: Source) -> Dialogue:
    return exchange(spoken(source, careless(source, unknown_question(source))), IGNORANCE)
