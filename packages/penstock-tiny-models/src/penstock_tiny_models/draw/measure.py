"""How large nouns and units are beside one another, before any sprite is drawn.

Everything is in persons: 1 is the height of a grown person. The maker of captions places units by
these measures and the composer draws by them.
"""

from dataclasses import dataclass

from penstock_tiny_models.draw.program import Noun, Unit
from penstock_tiny_models.draw.things import THINGS

SIZE_FACTORS = {"tiny": 0.5, "small": 0.72, "medium": 1.0, "big": 1.3, "huge": 1.6}
SEAT_SHARE = 0.66  # of a mount's height, on average
VESSEL_SHARE = 0.45


@dataclass(frozen=True)
class Box:
    width: float
    height: float


def size_of(noun: Noun) -> float:
    """The length of the sprite's unit for this noun."""
    return THINGS[noun.thing].size * SIZE_FACTORS[noun.size]


def size_upon(noun: Noun, base: Noun) -> float:
    """The same for a noun that rides, stands on or sits in another: never too big for it."""
    if noun.size == "medium":
        return min(size_of(noun), 0.85 * size_of(base))
    return min(size_of(noun), 1.4 * size_of(base))


def size_held(noun: Noun, holder_size: float) -> float:
    """The same for something held: seen well, yet in proportion to the hand."""
    factor = SIZE_FACTORS[noun.size]
    return factor * holder_size * max(0.32, min(0.62, THINGS[noun.thing].size))


def spread(count: int, upright: bool) -> list[tuple[float, float]]:
    """Where `count` equal boxes stand, as (columns, rows) around the middle of the foot.

    Upright things stand in up to three staggered rows that overlap, the farther the higher.
    """
    rows = 1 if count <= 3 else 2 if count <= 8 else 3
    columns = -(-count // rows)
    spots: list[tuple[float, float]] = []
    for row in reversed(range(rows)):
        in_row = min(columns, count - row * columns)
        stagger = 0.25 if upright and row % 2 else 0.0
        for column in range(in_row):
            spots.append((column - (in_row - 1) / 2 + stagger, float(row)))
    return spots


def row_step(upright: bool) -> float:
    return 0.5 if upright else 1.12


COLUMN_STEP = 1.1


def pairs(unit: Unit) -> bool:
    """Whether the unit is so many pairs ("three men riding horses") rather than one group."""
    joined = _base(unit)
    return unit.noun.count > 1 and (joined is None or joined[1].count == unit.noun.count)


def _base(unit: Unit) -> tuple[str, Noun] | None:
    return next((each for each in unit.joined if each[0] in ("ride", "on", "in")), None)


def box_of(unit: Unit) -> Box:
    """The box that the unit fills when a person is 1 high."""
    one = _single(unit)
    if not pairs(unit):
        return one
    return _grid(one, unit.noun.count, THINGS[unit.noun.thing].home == "ground")


def _grid(one: Box, count: int, upright: bool) -> Box:
    spots = spread(count, upright)
    columns = max(x for x, _ in spots) - min(x for x, _ in spots)
    rows = max(y for _, y in spots)
    return Box(one.width * (1 + columns * COLUMN_STEP), one.height * (1 + rows * row_step(upright)))


def _single(unit: Unit) -> Box:
    thing = THINGS[unit.noun.thing]
    base = _base(unit)
    size = size_upon(unit.noun, base[1]) if base else size_of(unit.noun)
    width, height = thing.width * size, thing.height * size
    for joint, noun in unit.joined:
        if joint == "hold":
            width += 0.9 * THINGS[noun.thing].width * size_held(noun, size)
        elif joint == "wear" and THINGS[noun.thing].can("head"):
            height += 0.15 * size
    if base is None:
        return Box(width, height)
    joint, noun = base
    below = THINGS[noun.thing]
    below_size = size_of(noun)
    if unit.noun.count > 1 and noun.count == 1:
        width *= 1 + 0.9 * (unit.noun.count - 1)
    share = _lift(joint, noun)
    return Box(
        max(width, below.width * below_size),
        max(below.height * below_size, below.height * below_size * share + height),
    )


def _lift(joint: str, base: Noun) -> float:
    """Which share of the base's height is below the foot of what is upon it."""
    if joint == "in" or THINGS[base.thing].can("vessel"):
        return VESSEL_SHARE
    return SEAT_SHARE - 0.15 if joint == "ride" else 1.0
