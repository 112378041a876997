"""Which things a caption mentions, how many of each, and which looks are said of them.

English settles this by place: a look before a noun is that noun's ("a big red cat"), any other is
said of the noun before it ("a cat in red", "a house, its roof in blue"). What the mentioned things
do with one another is not known here; the network reads that.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from penstock_tiny_models.draw.colours import COLOURS
from penstock_tiny_models.draw.lexicon import COUNTS, PLURAL, SIZES, plural
from penstock_tiny_models.draw.program import NATURAL
from penstock_tiny_models.draw.things import THINGS

LOOKS = frozenset((*COLOURS, *SIZES))
DETERMINERS = frozenset(("a", "some", *COUNTS))
_AFTER_A_NOUN = frozenset((PLURAL, "that", "it", "in", "of", "with", ",", "and"))
_SAID_OF_A_NOUN = frozenset(("colour", "garment", "part"))  # "with a red part": nothing unknown
_VAGUE = COUNTS[1:5]  # what "some" may be
_SAME_PLURAL = {t.name for t in THINGS.values() if any(plural(word) == word for word in t.words)}


@dataclass(frozen=True)
class Mention:
    """A noun as the caption has it; `counts` are the numbers that it may mean."""

    thing: str
    counts: tuple[str, ...] = ("one",)
    size: str = "medium"
    colour: str = NATURAL
    accent: str = NATURAL

    def tokens(self) -> list[str]:
        """As the program writes it, after its number."""
        return [self.size, self.thing, self.colour, self.accent]


@dataclass(frozen=True)
class Reading:
    """The things that a caption names, in its order (a second "the cat" is the first one again),
    the caption without the looks that are said of them, and for each noun in it the number of its
    mention."""

    mentions: tuple[Mention, ...]
    plain: tuple[str, ...]
    nouns: tuple[int, ...]


def read(tokens: Sequence[str]) -> Reading:
    reader = _Reader(tokens)
    return Reading(tuple(reader.mentions), tuple(_plain(reader.marked)), tuple(reader.nouns))


# What may stand around looks that are said after their noun: "cat, it is big", "man with a red
# garment", "house and its part is blue", "box of red colour".
_SAID_AFTER = re.compile(
    r"(?: ,| \.| and)*(?: that| it)?(?: wear| with)?(?: it)?(?: in| of)?(?: a)?"
    r"(?: part| garment| colour)?(?: that| in)?"
    r" <after>(?:(?: ,| and| that| in)* <after>)*(?: in)?(?: colour| part| garment)?"
    r"(?: ,(?= ,))?"
)
_SAID_BEFORE = re.compile(r"(?: <before>(?: colour)?(?: ,| and)*)* <before>(?: colour)?")


def _plain(marked: Sequence[str]) -> list[str]:
    text = "".join(f" {token}" for token in marked)
    text = _SAID_BEFORE.sub("", _SAID_AFTER.sub("", text))
    return text.split()


class _Reader:
    """Reads a caption from left to right."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self.mentions: list[Mention] = []
        self.nouns: list[int] = []
        self.marked = list(tokens)  # with the looks of mentions replaced
        self._tokens = tokens
        self._last: int | None = None  # the mention that a look after its noun is said of
        spoken_for = {look for at in self._nouns() for look in self._looks_before(at)}
        for at, token in enumerate(tokens):
            if token in THINGS:
                self._last = self._noun(at)
                self.nouns.append(self._last)
            elif token in LOOKS and at not in spoken_for and self._last is not None:
                self.mentions[self._last] = self._with_look(self.mentions[self._last], at)

    def _nouns(self) -> list[int]:
        return [at for at, token in enumerate(self._tokens) if token in THINGS]

    def _at(self, at: int) -> str:
        return self._tokens[at] if 0 <= at < len(self._tokens) else ""

    def _looks_before(self, noun: int) -> list[int]:
        """Where the looks before a noun are, at most one colour and one size."""
        found: list[int] = []
        at = self._before(noun, found)
        while self._at(at) in LOOKS:
            kinds = {self._tokens[look] in COLOURS for look in found}
            if (self._at(at) in COLOURS) in kinds or self._is_said_after(at):
                break
            found.append(at)
            at = self._before(at, found)
        return found

    def _before(self, at: int, found: list[int]) -> int:
        """One step back, over "coloured" and over what stands between two looks."""
        at -= 1
        if self._at(at) == "colour":  # "a red coloured cat"
            return at - 1
        start = at
        while found and self._at(start) in (",", "and"):
            start -= 1
        opened = self._at(start - 1) not in _AFTER_A_NOUN and self._at(start - 1) not in THINGS
        return start if self._at(start) in LOOKS and opened else at

    def _is_said_after(self, at: int) -> bool:
        """Whether a look is said of the noun before it: "of red colour", "its colour is red"."""
        of = self._at(at - 1) == "of" and self._at(at + 1) == "colour"
        return of or (self._at(at - 1) == "colour" and self._at(at) in COLOURS)

    def _noun(self, at: int) -> int:
        """Which mention the noun is: a new one, or one again."""
        thing, looks = self._tokens[at], self._looks_before(at)
        determiner = self._at(min(looks, default=at) - 1)
        many = self._at(at + 1) == PLURAL
        if not looks and determiner not in DETERMINERS:
            again = [
                number
                for number, mention in enumerate(self.mentions)
                if mention.thing == thing and (mention.counts != ("one",)) == many
            ]
            if again:
                return again[-1]
        mention = Mention(thing, self._counts(thing, determiner, many))
        for look in looks:
            self.marked[look] = "<before>"
            kind = "colour" if self._tokens[look] in COLOURS else "size"
            mention = replace(mention, **{kind: self._tokens[look]})
        self.mentions.append(mention)
        return len(self.mentions) - 1

    def _counts(self, thing: str, determiner: str, many: bool) -> tuple[str, ...]:
        if determiner in COUNTS:
            return (determiner,)
        if many or (determiner == "some" and thing in _SAME_PLURAL):
            said = [token for token in self._tokens if token in COUNTS[1:]]
            return tuple(dict.fromkeys((*_VAGUE, *said)))
        return ("one",)

    def _with_look(self, mention: Mention, at: int) -> Mention:
        look = self._tokens[at]
        kind = "colour" if look in COLOURS else "size"
        first, last = at, at
        while self._at(first - 1) in LOOKS:
            first -= 1
        while self._at(last + 1) in LOOKS:
            last += 1
        before, after = self._at(first - 1), self._at(last + 1)
        if "background" in (before, after) or (before == "on" and look in COLOURS):
            return mention
        if before in DETERMINERS and after not in _SAID_OF_A_NOUN:
            return mention  # an unknown thing's
        if kind == "colour" and (after == "part" or "part" in (before, self._at(first - 2))):
            kind = "accent"
        self.marked[at] = "<after>"
        taken = getattr(mention, kind) not in (NATURAL, "medium")
        paintable = kind != "accent" or THINGS[mention.thing].part
        return replace(mention, **{kind: look}) if paintable and not taken else mention
