# ruff: noqa: SIM905 - a list of words reads better as text
"""Lists of phrasings: their [a|b|] choices, and which of them training never sees."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import product
from typing import TypeVar

T = TypeVar("T")
CHOICE = re.compile(r"\[([^\[\]]*)\]")
SMALL_WORDS = frozenset("the a an do to of is my i can it in for".split())  # may get lost
_CLOSED_LIST = 6  # shorter lists are wholly in both halves


def is_split(phrasings: Sequence[T]) -> bool:
    """Whether a list is long enough for some of it to be held out."""
    return len(phrasings) >= _CLOSED_LIST


def half(phrasings: Sequence[T], held_out: bool) -> list[T]:
    """The part of a list of phrasings that one side of the wall may use."""
    if not is_split(phrasings):
        return list(phrasings)
    return [p for number, p in enumerate(phrasings) if (number % 6 == 5) == held_out]


def held_out_part(phrasings: Sequence[T]) -> list[T]:
    """What only the evaluation uses; nothing of a closed list."""
    return half(phrasings, held_out=True) if is_split(phrasings) else []


def expansions(phrasing: str) -> Iterator[str]:
    """Everything that a phrasing can become."""
    parts = CHOICE.split(phrasing)
    choices = [part.split("|") if odd % 2 else [part] for odd, part in enumerate(parts)]
    return ("".join(made) for made in product(*choices))


def plain(text: str) -> str:
    """Small letters and single spaces only."""
    return " ".join(re.findall(r"[^\W_]+", text.lower().replace("'", "")))


def core(text: str) -> str:
    """What two questions are compared by: plain, and without the words that may get lost."""
    parts = plain(text).split()
    return " ".join([part for part in parts if part not in SMALL_WORDS] or parts)


def all_expansions(phrasings: Iterable[str]) -> Iterator[str]:
    return (text for one in phrasings for text in expansions(one))


@cache
def held_out_questions(phrasings: tuple[str, ...]) -> frozenset[str]:
    """What the held-out phrasings of a list become; slots stay."""
    return frozenset(map(core, all_expansions(held_out_part(phrasings))))
