"""What a sprite is: a drawing function and the spots where other sprites are joined to it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from penstock_tiny_models.draw.colours import Colour
from penstock_tiny_models.draw.pen import Pen


class Spot(NamedTuple):
    x: float
    y: float
    size: float = 1.0  # the width of what is put there


@dataclass(frozen=True)
class Look:
    """How one sprite is to look this time."""

    colour: Colour
    accent: Colour | None = None
    natural: bool = True  # whether the colour is the thing's own, not the caption's
    riding: bool = False
    holding: bool = False
    carrying: bool = False  # something is upon or in it
    rng: Random = field(default_factory=lambda: Random(0))

    def second(self, usual: Colour) -> Colour:
        """The colour of the part that an accent paints."""
        return self.accent or usual


Drawing = Callable[[Pen, Look], None]


@dataclass(frozen=True)
class Sprite:
    draw: Drawing
    spots: dict[str, Spot]

    def spot(self, name: str) -> Spot | None:
        """head, eyes, neck (worn there), hand, grip (held there), seat, top, hip, inside"""
        return self.spots.get(name)


def sprite(**spots: tuple[float, ...]) -> Callable[[Drawing], Sprite]:
    """Makes a sprite of a drawing function; its name is the thing's."""
    return lambda draw: Sprite(draw, {name: Spot(*spot) for name, spot in spots.items()})
