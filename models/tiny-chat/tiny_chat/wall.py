# ruff: noqa: SIM905 - long lists read better as text
"""Keeps training questions, however they are varied, from becoming what the evaluation asks.

A held-out question is a held-out phrasing as it is, or any carrier sentence around a held-out
part, or a held-out carrier around any part. Training draws again when it has made one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tiny_chat.phrasings import all_expansions, core, held_out_part, plain

_SLOT = "<x>"
_COURTESY = frozenset("hi hello hey ok so now and well um please sorry thanks but then pls".split())


def _texts(phrasings: Iterable[str]) -> frozenset[str]:
    return frozenset(map(plain, all_expansions(phrasings)))


def _frames(carriers: Iterable[str]) -> frozenset[tuple[str, str]]:
    """What stands before and behind the slot of each carrier."""
    texts = (text.split(_SLOT) for text in all_expansions(carriers))
    return frozenset((plain(before), plain(after)) for before, after in texts)


@dataclass(frozen=True)
class Carried:
    """Carriers and the parts they are put around, as plain text."""

    held_out_frames: frozenset[tuple[str, str]]
    all_frames: frozenset[tuple[str, str]]
    held_out_parts: frozenset[str]
    all_parts: frozenset[str]

    @staticmethod
    def of(carriers: Sequence[str], parts: Sequence[Sequence[str]]) -> Carried:
        return Carried(
            _frames(held_out_part(carriers)),
            _frames(carriers),
            _texts(one for some in parts for one in held_out_part(some)),
            _texts(one for some in parts for one in some),
        )

    def holds(self, bare: str) -> bool:
        return _fits(bare, self.held_out_frames, self.all_parts) or _fits(
            bare, self.all_frames, self.held_out_parts
        )


def _fits(bare: str, frames: frozenset[tuple[str, str]], parts: frozenset[str]) -> bool:
    return any(
        bare.startswith(before)
        and bare.endswith(after)
        and bare[len(before) : len(bare) - len(after)].strip() in parts
        for before, after in frames
    )


@dataclass(frozen=True)
class Wall:
    questions: frozenset[str]
    carried: tuple[Carried, ...] = ()

    @staticmethod
    def of(lists: Iterable[Sequence[str]], carried: tuple[Carried, ...] = ()) -> Wall:
        phrasings = (one for some in lists for one in held_out_part(some))
        return Wall(frozenset(map(core, all_expansions(phrasings))), carried)

    def holds(self, text: str) -> bool:
        """Whether the question is held out, whatever its case, courtesies and small words."""
        asked = list(_with_less_courtesy(plain(text)))
        return not self.questions.isdisjoint(map(core, asked)) or any(
            one.holds(bare) for one in self.carried for bare in asked
        )


def _with_less_courtesy(bare: str) -> Iterator[str]:
    """The text, and what is left of it without some of the courtesies around it."""
    parts = bare.split()
    ends = range(len(parts), _kept_until(parts) - 1, -1)
    starts = range(len(parts) - _kept_until(parts[::-1]) + 1)
    return (" ".join(parts[start:end]) for start in starts for end in ends if start < end)


def _kept_until(parts: Sequence[str]) -> int:
    """How many of the parts are left without the courtesies at the end."""
    kept = len(parts)
    while kept and parts[kept - 1] in _COURTESY:
        kept -= 1
    return kept
