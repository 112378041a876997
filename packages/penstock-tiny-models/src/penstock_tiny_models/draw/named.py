"""Holds a program to the words of its caption, as far as tables can tell.

No thing is drawn that is not mentioned and each mentioned one is; place and light are named ones
where any is named; nothing stands where a named relation or the edge of the page forbids it. What
is joined to what, and where everything stands, is for the network to say.
"""

from collections.abc import Sequence
from itertools import pairwise

from penstock_tiny_models.draw.lexicon import COUNTS, LIGHTS, PLACES
from penstock_tiny_models.draw.measure import box_of
from penstock_tiny_models.draw.mentions import Mention, read
from penstock_tiny_models.draw.program import (
    END,
    FACINGS,
    JOINTS,
    NATURAL,
    SCALES,
    XS,
    YS,
    Noun,
    Unit,
    share,
)
from penstock_tiny_models.draw.relations import Placed, Relations
from penstock_tiny_models.draw.things import THINGS

# Words without which nothing is joined in that way.
_JOINT_WORDS = {
    "ride": {"ride", "ridden-by", "on"},
    "on": {"on", "top"},
    "in": {"in", "ride", "ridden-by"},
    "hold": {"hold", "hand", "with"},
    "wear": {"wear", "head", "with", "in"},
}
# What is most likely joined in that way: a thing with one of these roles, if one is left.
_JOINT_ROLES = {
    "ride": {"mount"},
    "on": {"support", "mount"},
    "in": {"vessel"},
    "hold": {"held"},
    "wear": {"head", "eyes", "neck"},
}
# Words that join whatever the thing; without one, a thing of another role is not joined so.
_STRONG_WORDS = {
    "hold": {"hold", "hand"},
    "wear": {"wear", "head"},
    "ride": {"ride", "ridden-by"},
    "on": {"on", "top"},
    "in": {"ride", "ridden-by"},
}
_FACING = {"left": FACINGS[0], "right": FACINGS[1]}
_OVER_THE_EDGE = 0.05  # how far a unit may reach beyond the top of the page
_ANYTHING = tuple(Mention(thing, COUNTS) for thing in THINGS)


class Named:
    """What a caption names and the program has not drawn yet.

    `plain` is the caption without the looks of its things: all that is left to understand.
    """

    def __init__(self, caption: Sequence[str]) -> None:
        reading = read(caption)
        self.plain = reading.plain
        self.nothing = not reading.mentions
        self._mentions = reading.mentions
        self._undrawn = list(range(len(reading.mentions)))
        self._words = set(caption)
        beside = [pair for pair in pairwise(caption) if "facing" in pair]
        self._facings = {_FACING[word] for pair in beside for word in pair if word in _FACING}
        self._relations = Relations(reading)
        self._placed: list[Placed] = []
        self._begin_unit()

    def _begin_unit(self) -> None:
        self._joint = ""  # that ties the noun being written to the first one of its unit
        self._count = ""
        self._nouns: list[tuple[str, Noun]] = []
        self._drawn: set[int] = set()  # the mentions in the unit
        self._place: dict[str, float] = {}
        self._scale = self._placed[-1].unit.scale if self._placed else SCALES[-3]

    def fitting(self, slot: str, allowed: Sequence[str]) -> Sequence[str]:
        """Those of the grammar's tokens that agree with the caption; all where none does."""
        if slot == "joint or x":
            joints = [token for token in allowed if token in JOINTS and self._may_join(token)]
            return [*joints, *self.fitting("x", [token for token in allowed if token in XS])]
        return [token for token in allowed if self._fits(slot, token)] or allowed

    def take(self, slot: str, token: str) -> None:
        """The program goes on with this token, of any slot but a noun's thing and looks."""
        if token in JOINTS and slot == "joint or x":
            self._joint = token
        elif token in COUNTS:
            self._count = token
        elif token in XS or token in YS:
            self._place[token[0]] = share(token)
        elif slot == "scale":
            self._scale = SCALES[int(token[1:])]
        elif slot == "facing":
            self._placed.append(self._placing())
            self._begin_unit()

    def choices(self) -> Sequence[Mention]:
        """What may be drawn now, so many as the program has just said."""
        apt = [self._mentions[number] for number in self._apt() or self._undrawn]
        return [mention for mention in apt if self._count in mention.counts] or apt or _ANYTHING

    def draw(self, mention: Mention) -> None:
        number = next((n for n in self._undrawn if self._mentions[n] == mention), None)
        if number is not None:
            self._undrawn.remove(number)
            self._drawn.add(number)
        count = COUNTS.index(self._count) + 1
        self._nouns.append((self._joint, Noun(mention.thing, count, mention.size)))

    def _placing(self, **place: float) -> Placed:
        """The unit that is being written, where it stands as far as that is known."""
        (_, first), *joined = self._nouns
        where = {**self._place, **place}
        return Placed(
            Unit(first, tuple(joined), **where, scale=self._scale), frozenset(self._drawn)
        )

    def _apt(self, joint: str | None = None) -> list[int]:
        """The mentions that may come next, or that this joint may tie to the unit."""
        joint = self._joint if joint is None else joint
        free = [number for number in self._undrawn if self._is_beside_unit(number)]
        roles = _JOINT_ROLES.get(joint, set())
        apt = [n for n in free if roles & THINGS[self._mentions[n].thing].roles]
        strong = not joint or _STRONG_WORDS[joint] & self._words
        return apt or (free if strong else [])

    def _is_beside_unit(self, number: int) -> bool:
        """Whether a mention could be in the unit: what is joined is said in one breath."""
        return not self._drawn or (
            bool(self._drawn & {number - 1, number + 1})
            and not any(self._relations.apart(number, drawn) for drawn in self._drawn)
        )

    def _fits(self, slot: str, token: str) -> bool:
        match slot:
            case "place":
                named = {("plain" if word == "background" else word) for word in self._words}
                return token in named or not named & set(PLACES)
            case "light":
                return token in (self._words & set(LIGHTS) or {"day"})
            case "colour":  # the background's
                return token == NATURAL or token in self._words
            case "scale":
                unit = self._placing().unit
                box, scale = box_of(unit), SCALES[int(token[1:])]
                return box.width * scale <= 1 and box.height * scale <= unit.y + _OVER_THE_EDGE
            case "facing":
                return len(self._facings) != 1 or token in self._facings
            case "x" | "y":
                placing = self._placing(**{slot: share(token)})
                return self._relations.allow(placing, self._placed, slot)
            case "unit or end" if token == END:
                return not self._undrawn
            case "count" | "unit or end":
                return self.nothing or any(
                    token in self._mentions[number].counts for number in self._apt()
                )
        return True

    def _may_join(self, joint: str) -> bool:
        left = self.nothing or self._apt(joint)
        return bool(left) and bool(_JOINT_WORDS[joint] & self._words)
