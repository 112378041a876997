"""What stands where beside what, as far as a caption's words settle it.

The noun after "left of" is what the relation is to, the one before it is what stands there; "it" is
the first thing named. Positions that would gainsay this are never written.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from penstock_tiny_models.draw.lexicon import PLACES
from penstock_tiny_models.draw.measure import box_of
from penstock_tiny_models.draw.mentions import DETERMINERS, Reading
from penstock_tiny_models.draw.program import Unit
from penstock_tiny_models.draw.things import THINGS

GAP = 0.1  # of the page, between the middles of what stands beside one another


def _middle(unit: Unit) -> float:
    return unit.y - box_of(unit).height * unit.scale / 2


# One unit with its relation to another, both placed.
HOLDS: dict[str, Callable[[Unit, Unit], bool]] = {
    "left-of": lambda one, other: one.x < other.x - GAP,
    "right-of": lambda one, other: one.x > other.x + GAP,
    "above": lambda one, other: one.y < other.y and _middle(one) < _middle(other),
    "below": lambda one, other: one.y > other.y and _middle(one) > _middle(other),
    "behind": lambda one, other: one.y < other.y,
    "front": lambda one, other: one.y > other.y,
    "beside": lambda one, other: abs(one.x - other.x) > GAP,
}
# A unit at a side of the page.
SIDES: dict[str, Callable[[Unit], bool]] = {
    "left": lambda unit: unit.x < 0.45,
    "right": lambda unit: unit.x > 0.55,
    "top": lambda unit: _middle(unit) < 0.45,
    "bottom": lambda unit: _middle(unit) > 0.55,
}
_WITH_IT = ("with", "it")  # and something of its own
SIDEWAYS = frozenset(("left-of", "right-of", "beside", "left", "right"))


@dataclass(frozen=True)
class Placed:
    """A unit of the program and the mentions that are in it."""

    unit: Unit
    mentions: frozenset[int]


@dataclass(frozen=True)
class _Related:
    kind: str
    to: int  # a mention
    movers: tuple[int, ...]  # mentions, the first one outside the unit of `to` is meant


class Relations:
    """The relations of one caption."""

    def __init__(self, reading: Reading) -> None:
        self._plain = reading.plain
        self._nouns = reading.nouns
        at = [place for place, token in enumerate(self._plain) if token in HOLDS]
        found = [self._related(place) for place in at]
        related = [each for each in found if each]
        self._related_to = {each.to for each in related}
        self._all = related
        between = [place for place, word in enumerate(self._plain) if word == "between"]
        self._between = between[0] if len(between) == 1 else None
        self._sides = self._two_sides()
        self._divided = set(self._divisions())

    def allow(self, new: Placed, placed: Sequence[Placed], slot: str) -> bool:
        """Whether a unit may have this x ("x") or y ("y"), beside those that have their place."""
        for other in placed:
            for kind, first in self._kinds(new.mentions, other.mentions):
                one, two = (new, other) if first else (other, new)
                if (kind in SIDEWAYS) == (slot == "x") and not HOLDS[kind](one.unit, two.unit):
                    return False
        for mention, side in self._sides.items():
            if mention in new.mentions and (side in SIDEWAYS) == (slot == "x"):
                return SIDES[side](new.unit)
        return slot != "x" or len(placed) != 2 or self._allows_between(new, placed)

    def apart(self, one: int, other: int) -> bool:
        """Whether words between two mentions say that they are in no unit together."""
        return frozenset((one, other)) in self._divided

    def _divides(self, place: int) -> bool:
        """Whether a new unit begins after this word."""
        word, rest = self._plain[place], (*self._plain[place + 1 : place + 3], "", "")
        if word == ".":
            return rest[0] not in ("it", "with", "that", "and")
        if word in SIDES:
            return bool(self._sides)
        named_next = rest[rest[0] == "it"] in (*DETERMINERS, *THINGS)
        return named_next and (word in HOLDS or word == "between" or (word, rest[0]) == _WITH_IT)

    def _divisions(self) -> Iterator[frozenset[int]]:
        for place in range(len(self._plain)):
            before, after = self._around(place)
            if before and after and self._divides(place):
                yield frozenset((before[-1], after[0]))

    def _two_sides(self) -> dict[int, str]:
        """Which mention is at which side, where a caption says it of two: "left a cat, right"."""
        at = [
            place
            for place, word in enumerate(self._plain)
            if word in SIDES and "facing" not in self._plain[max(0, place - 1) : place + 2]
        ]
        if {self._plain[place] for place in at} not in ({"left", "right"}, {"top", "bottom"}):
            return {}
        if len(at) != 2:
            return {}
        comes_first = not self._around(at[0])[0]
        sides = {}
        for place in at:
            before, after = self._around(place)
            mentions = after[:1] if comes_first else before[-1:]
            sides |= dict.fromkeys(mentions, self._plain[place])
        return sides

    def _kinds(self, new: frozenset[int], other: frozenset[int]) -> list[tuple[str, bool]]:
        """The relations between two units, and whether it is the new one that is so related."""
        found = []
        for related in self._all:
            for one, two in ((new, other), (other, new)):
                mover = next((m for m in self._movers(related) if m not in two), None)
                if related.to in two and mover in one:
                    found.append((related.kind, one is new))
        return found

    def _movers(self, related: _Related) -> list[int]:
        elsewhere = self._related_to - {related.to}
        nearest, *later = related.movers or (-1,)
        return [nearest, *(mention for mention in later if mention not in elsewhere)]

    def _around(self, place: int) -> tuple[list[int], list[int]]:
        """The mentions before and after a place in the caption."""
        before = sum(token in THINGS for token in self._plain[:place])
        return list(self._nouns[:before]), list(self._nouns[before:])

    def _related(self, place: int) -> _Related | None:
        before, after = self._around(place)
        following = [*self._plain[place + 1 : place + 3], "", ""]
        if following[0] == "it" and before:
            return _Related(self._plain[place], before[0], (*before[:-2:-1], *after))
        over_land = following[0] in PLACES or (following[0] == "a" and following[1] in PLACES)
        if over_land or not after:
            return None
        return _Related(self._plain[place], after[0], (*before[:-2:-1], *after[1:]))

    def _allows_between(self, new: Placed, placed: Sequence[Placed]) -> bool:
        if self._between is None:
            return True
        units = sorted((new, *placed), key=lambda each: min(each.mentions, default=0))
        _, after = self._around(self._between)
        later = [unit for unit in units if unit.mentions <= set(after)]
        if self._plain[self._between + 1 : self._between + 2] == ("it",) and later:
            flanks = [units[0], later[0]]
        else:
            flanks = later[:2] if len(later) >= 2 else units[:2]
        middle = next((unit for unit in units if unit not in flanks), None)
        if middle is None:
            return True
        xs = sorted(flank.unit.x for flank in flanks)
        return xs[0] + GAP < middle.unit.x < xs[1] - GAP
