"""The drawing program: which tokens may follow which, and the picture that they spell.

    program: PLACE COLOUR LIGHT unit* "end"
    unit:    noun (JOINT noun)* X Y SCALE FACING
    noun:    COUNT SIZE THING COLOUR ACCENT

A JOINT ties a noun to the first one of its unit ("ride", "hold" ...) and "natural" is the colour
of whatever the caption gave no colour. X and Y are where the unit stands (the middle of its foot),
SCALE is how large a person beside it would be, all as shares of the page.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from penstock_tiny_models.draw import lexicon
from penstock_tiny_models.draw.colours import COLOURS
from penstock_tiny_models.draw.lexicon import COUNTS, LIGHTS, PLACES, SIZES
from penstock_tiny_models.draw.things import THINGS, settled

START, END, NATURAL = "<draw>", "<end>", "natural"
JOINTS = ("ride", "on", "in", "hold", "wear")
FACINGS = ("face-left", "face-right")
STEPS_X = STEPS_Y = 24
SCALES = (0.1, 0.13, 0.17, 0.21, 0.26, 0.32, 0.39, 0.47, 0.56, 0.66)
MOST_TOKENS = 120
MOST_NOUNS = 4  # in one unit

XS = tuple(f"x{i}" for i in range(STEPS_X))
YS = tuple(f"y{i}" for i in range(STEPS_Y))
SCALE_NAMES = tuple(f"s{i}" for i in range(len(SCALES)))

TOKENS: tuple[str, ...] = (
    "<pad>",
    START,
    END,
    NATURAL,
    *lexicon.TOKENS,
    *FACINGS,
    *XS,
    *YS,
    *SCALE_NAMES,
)


@dataclass(frozen=True)
class Noun:
    """So many of a thing, with what the caption says of its looks."""

    thing: str
    count: int = 1
    size: str = "medium"
    colour: str = NATURAL
    accent: str = NATURAL

    def tokens(self) -> list[str]:
        return [COUNTS[self.count - 1], self.size, self.thing, self.colour, self.accent]


@dataclass(frozen=True)
class Unit:
    """A noun, the nouns joined to it, and where they stand."""

    noun: Noun
    joined: tuple[tuple[str, Noun], ...] = ()
    x: float = 0.5
    y: float = 0.85
    scale: float = 0.5
    faces_left: bool = False

    def tokens(self) -> list[str]:
        tokens = self.noun.tokens()
        for joint, noun in self.joined:
            tokens += [joint, *noun.tokens()]
        nearest = min(range(len(SCALES)), key=lambda i: abs(SCALES[i] - self.scale))
        return [
            *tokens,
            XS[_step(self.x, STEPS_X)],
            YS[_step(self.y, STEPS_Y)],
            SCALE_NAMES[nearest],
            FACINGS[0 if self.faces_left else 1],
        ]


@dataclass(frozen=True)
class Picture:
    place: str = "plain"
    colour: str = NATURAL
    light: str = "day"
    units: tuple[Unit, ...] = field(default=())

    def tokens(self) -> list[str]:
        body = [token for unit in self.units for token in unit.tokens()]
        return [self.place, self.colour, self.light, *body, END]


def _step(share: float, steps: int) -> int:
    return max(0, min(steps - 1, int(share * steps)))


def share(token: str) -> float:
    """Where on the page an X or Y token is."""
    return (int(token[1:]) + 0.5) / (STEPS_X if token in XS else STEPS_Y)


NOUN_SLOTS = ("count", "size", "thing", "colour", "accent")
PLACE_SLOTS = ("x", "y", "scale", "facing")
_CHOICES: dict[str, tuple[str, ...]] = {
    "place": tuple(PLACES),
    "light": tuple(LIGHTS),
    "count": COUNTS,
    "size": SIZES,
    "thing": tuple(THINGS),
    "colour": (NATURAL, *COLOURS),
    "accent": (NATURAL, *COLOURS),
    "x": XS,
    "y": YS,
    "scale": SCALE_NAMES,
    "facing": FACINGS,
}


class Grammar:
    """Follows a program token by token and says what may come next."""

    def __init__(self) -> None:
        self._slots: list[str] = ["place", "colour", "light"]
        self._nouns = 0
        self._units = 0
        self._length = 0
        self.ended = False

    @property
    def slot(self) -> str:
        """The kind of token that comes next: a key of the slots, "joint or x" or "unit or end"."""
        if self._slots:
            return self._slots[0]
        return "joint or x" if self._nouns else "unit or end"

    def allowed(self) -> tuple[str, ...]:
        slot = self.slot
        if slot == "joint or x":
            return XS if self._nouns >= MOST_NOUNS or self._is_long() else (*JOINTS, *XS)
        if slot == "unit or end":
            return (END,) if self._is_long() else (END, *COUNTS)
        return _CHOICES[slot]

    def _is_long(self) -> bool:
        return self._length > MOST_TOKENS - 20

    def take(self, token: str) -> None:
        slot = self.slot
        self._length += 1
        if self._slots:
            self._slots.pop(0)
            if slot == "facing":
                self._nouns, self._units = 0, self._units + 1
            elif slot == "accent":
                self._nouns += 1
        elif slot == "joint or x":
            self._slots = list(NOUN_SLOTS) if token in JOINTS else list(PLACE_SLOTS[1:])
        elif token == END:
            self.ended = True
        else:
            self._slots = list(NOUN_SLOTS[1:])


def parse(tokens: Sequence[str]) -> Picture:
    """The picture that a program spells, its joints settled.

    ValueError when the grammar forbids a token.
    """
    grammar = Grammar()
    for token in tokens:
        if grammar.ended or token not in grammar.allowed():
            raise ValueError(f"{token!r} cannot stand here: {' '.join(tokens)}")
        grammar.take(token)
    if not grammar.ended:
        raise ValueError("the program does not end")
    place, colour, light = tokens[:3]
    return Picture(place, colour, light, tuple(_units(iter(tokens[3:]))))


def _units(rest: Iterator[str]) -> Iterator[Unit]:
    token = next(rest)
    while token != END:
        first = _noun(token, rest)
        joined: list[tuple[str, Noun]] = []
        token = next(rest)
        while token in JOINTS:
            noun = _noun(next(rest), rest)
            joined.append((settled(token, first.thing, noun.thing), noun))
            token = next(rest)
        yield Unit(
            first,
            tuple(joined),
            x=share(token),
            y=share(next(rest)),
            scale=SCALES[int(next(rest)[1:])],
            faces_left=next(rest) == FACINGS[0],
        )
        token = next(rest)


def _noun(count: str, rest: Iterator[str]) -> Noun:
    size, thing, colour, accent = (next(rest) for _ in range(4))
    return Noun(thing, COUNTS.index(count) + 1, size, colour, accent)
