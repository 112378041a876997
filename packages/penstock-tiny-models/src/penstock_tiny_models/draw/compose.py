"""From a picture (what stands where) to marks on a page: sprites joined at their spots."""

from dataclasses import replace
from random import Random

from penstock_tiny_models.draw import places
from penstock_tiny_models.draw.colours import COLOURS, Colour
from penstock_tiny_models.draw.measure import (
    COLUMN_STEP,
    SIZE_FACTORS,
    box_of,
    pairs,
    row_step,
    size_held,
    size_of,
    size_upon,
    spread,
)
from penstock_tiny_models.draw.pen import Frame, Mark, Pen
from penstock_tiny_models.draw.places import Scenery
from penstock_tiny_models.draw.program import NATURAL, Noun, Picture, Unit
from penstock_tiny_models.draw.sprites import SPRITES, Look, Spot
from penstock_tiny_models.draw.things import THINGS

_AIRY = ("space", "sky", "underwater", "sea")
SMALLEST_ALONE = 0.52  # of the page, for a thing alone on it
HIDDEN_SHARE = 0.38  # of whoever sits in a vessel
LOWEST_FLIGHT = 0.64  # what stands higher on the page than this touches no ground
_WORN_AT = ("head", "eyes", "neck")


def marks_of(picture: Picture, width: int, height: int, seed: int) -> list[Mark]:
    """Everything to draw, back to front. The seed varies what the program leaves open."""
    page = Pen(Frame.page(0, height, height))
    scenery = Scenery(page, width / height, picture.light, Random(seed))
    places.background(scenery, picture.place, picture.colour)
    composer = Composer(page, picture.place, width, height, Random(seed + 1))
    for unit in sorted(nearer(picture), key=_distance):
        composer.unit(unit)
    places.weather(scenery, picture.place)
    return page.marks


def nearer(picture: Picture) -> tuple[Unit, ...]:
    """A small thing that stands alone in the middle is shown from nearer."""
    if len(picture.units) != 1:
        return picture.units
    (unit,) = picture.units
    box = box_of(unit)
    largest = max(box.width, box.height) * unit.scale
    central = 0.25 < unit.x < 0.75 and unit.y - box.height * unit.scale / 2 > 0.3
    if largest >= SMALLEST_ALONE or not central or unit.noun.size in ("tiny", "small"):
        return picture.units
    factor = SMALLEST_ALONE / largest
    height = factor * box.height * unit.scale
    y = min(0.93, unit.y)
    if picture.place == "plain" or _bottom(unit) in ("page", "sky"):
        y = min(y, (1 + height) / 2 + 0.06)
    x = 0.5 + (unit.x - 0.5) * 0.6
    return (replace(unit, x=x, y=y, scale=unit.scale * factor),)


def _distance(unit: Unit) -> tuple[bool, float]:
    """What is in the sky lies behind, then whatever stands higher on the page."""
    return _bottom(unit) != "sky" or bool(unit.joined), unit.y


def _bottom(unit: Unit) -> str:
    """Where the lowest noun of the unit is at home."""
    base = _base_of(unit)
    return THINGS[base[1].thing if base else unit.noun.thing].home


def _base_of(unit: Unit) -> tuple[str, Noun] | None:
    return next((each for each in unit.joined if each[0] in ("ride", "on", "in")), None)


class Composer:
    """Draws units on one page."""

    def __init__(self, page: Pen, place: str, width: int, height: int, rng: Random) -> None:
        self.page = page
        self.place = place
        self.aspect = width / height
        self.person = min(width, height) / height  # scale 1 in page units
        self.rng = rng

    def unit(self, unit: Unit) -> None:
        x, y = unit.x * self.aspect, 1 - unit.y
        scale = unit.scale * self.person
        upright = THINGS[unit.noun.thing].home == "ground"
        one = _one(unit)
        step_x, step_y = self._steps(unit, scale, upright)
        count = unit.noun.count if pairs(unit) else 1
        for column, row in spread(count, upright):
            pen = self.page.at(x + column * step_x, y + row * step_y, scale, unit.faces_left)
            self._shadow(pen, one)
            self._joined(pen, one)
        if self.place == "sea" and _bottom(unit) != "sky":
            self._waves(x, y, scale)

    def _steps(self, unit: Unit, scale: float, upright: bool) -> tuple[float, float]:
        box = box_of(_one(unit))
        return COLUMN_STEP * box.width * scale, row_step(upright) * box.height * scale

    def _shadow(self, pen: Pen, unit: Unit) -> None:
        base = _base_of(unit)
        noun = base[1] if base else unit.noun
        thing = THINGS[noun.thing]
        flies = thing.home in ("page", "sky") or unit.y < LOWEST_FLIGHT
        if flies or self.place in _AIRY:
            return
        half = thing.width * size_of(noun) * 0.46
        pen.ellipse(0, 0.01, half, half * 0.13, (20, 20, 40), edge=False, alpha=60)

    def _waves(self, x: float, y: float, scale: float) -> None:
        for dx, dy, half in ((-0.3, 0.0, 0.55), (0.35, -0.02, 0.5), (0.0, -0.06, 0.7)):
            self.page.ellipse(
                x + dx * scale,
                y + dy * scale,
                half * scale,
                0.05 * scale,
                (70, 146, 212),
                edge=False,
                alpha=235,
            )
            self.page.line(
                [
                    (x + (dx - half * 0.6) * scale, y + (dy + 0.02) * scale),
                    (x + (dx + half * 0.6) * scale, y + (dy + 0.02) * scale),
                ],
                0.008 * scale,
                (190, 226, 250),
            )

    # One unit: a noun, alone or upon another

    def _joined(self, pen: Pen, unit: Unit) -> None:
        base = _base_of(unit)
        if base is None:
            self._actor(pen, unit, size_of(unit.noun))
            return
        joint, noun = base
        if joint != "on" and THINGS[noun.thing].can("vessel"):
            self._inside(pen, unit, noun)
        elif joint == "ride":
            self._riding(pen, unit, noun)
        else:
            self._standing(pen, unit, noun)

    def _inside(self, pen: Pen, unit: Unit, vessel: Noun) -> None:
        """The vessel is drawn last and hides what is below its rim."""
        size = size_of(vessel)
        rim = SPRITES[vessel.thing].spot("inside") or Spot(0, 0.5)
        actor_size = min(size_upon(unit.noun, vessel), rim.size * size)
        sunk = HIDDEN_SHARE * THINGS[unit.noun.thing].height * actor_size
        for x in self._abreast(unit, actor_size):
            self._actor(pen.at(rim.x * size + x, rim.y * size - sunk), unit, actor_size)
        self._draw(pen.at(0, 0, size), vessel, carrying=True)

    def _riding(self, pen: Pen, unit: Unit, mount: Noun) -> None:
        size, actor_size = size_of(mount), size_upon(unit.noun, mount)
        self._draw(pen.at(0, 0, size), mount, carrying=True)
        seat = SPRITES[mount.thing].spot("seat")
        if seat is None:  # ridden standing, as a skateboard is
            top = SPRITES[mount.thing].spot("top") or Spot(0, THINGS[mount.thing].height)
            for x in self._abreast(unit, actor_size):
                self._actor(pen.at(top.x * size + x, top.y * size), unit, actor_size)
            return
        hip = SPRITES[unit.noun.thing].spot("hip") or Spot(0, 0.1)
        for x in self._abreast(unit, actor_size):
            place = pen.at(seat.x * size + x, seat.y * size - hip.y * actor_size)
            self._actor(place, unit, actor_size, riding=True)

    def _standing(self, pen: Pen, unit: Unit, support: Noun) -> None:
        size, actor_size = size_of(support), size_upon(unit.noun, support)
        self._draw(pen.at(0, 0, size), support)
        top = SPRITES[support.thing].spot("top") or Spot(0, THINGS[support.thing].height)
        for x in self._abreast(unit, actor_size):
            self._actor(pen.at(top.x * size + x, top.y * size), unit, actor_size)

    def _abreast(self, unit: Unit, size: float) -> list[float]:
        """Where several stand upon one thing."""
        count = 1 if pairs(unit) else unit.noun.count
        step = 0.9 * THINGS[unit.noun.thing].width * size
        return [(i - (count - 1) / 2) * step for i in range(count)]

    # A noun with what it holds and wears

    def _actor(self, pen: Pen, unit: Unit, size: float, riding: bool = False) -> None:
        noun = unit.noun
        sprite = SPRITES[noun.thing]
        own = pen.at(0, 0, size)
        held = [each for joint, each in unit.joined if joint == "hold"]
        self._draw(own, noun, riding=riding, holding=bool(held))
        worn = {name: 0.0 for name in _WORN_AT}
        for joint, each in unit.joined:
            if joint == "wear":
                self._worn(own, noun, each, worn)
        thing = THINGS[noun.thing]
        hand = sprite.spot("hand") or Spot(thing.width * 0.45, thing.height * 0.45)
        for each in held:
            self._held(pen.at(hand.x * size, hand.y * size), each, size)

    def _held(self, pen: Pen, noun: Noun, holder_size: float) -> None:
        thing = THINGS[noun.thing]
        size = size_held(noun, holder_size) / max(thing.width, thing.height)
        grip = SPRITES[noun.thing].spot("grip") or Spot(0, 0.1)
        for i in range(noun.count):
            turn = (i - (noun.count - 1) / 2) * min(26.0, 120 / noun.count)
            place = pen.at(0, 0, size, degrees=-turn)
            self._draw(place.at(-grip.x, -grip.y), noun)

    def _worn(self, pen: Pen, wearer: Noun, noun: Noun, stacked: dict[str, float]) -> None:
        thing = THINGS[noun.thing]
        at = next((name for name in _WORN_AT if thing.can(name)), "head")
        body = THINGS[wearer.thing]
        spot = SPRITES[wearer.thing].spot(at) or Spot(0, body.height * 0.92, body.width * 0.5)
        fit = SPRITES[noun.thing].spot("fit") or Spot(0, 0, thing.width)
        scale = spot.size / fit.size * SIZE_FACTORS[noun.size] ** 0.5
        place = pen.at(spot.x, spot.y + stacked[at], scale)
        stacked[at] += 0.6 * thing.height * scale
        self._draw(place.at(-fit.x, -fit.y), noun)

    def _draw(
        self,
        pen: Pen,
        noun: Noun,
        riding: bool = False,
        holding: bool = False,
        carrying: bool = False,
    ) -> None:
        look = Look(
            self._colour(noun),
            None if noun.accent == NATURAL else COLOURS[noun.accent],
            noun.colour == NATURAL,
            riding,
            holding,
            carrying,
            self.rng,
        )
        SPRITES[noun.thing].draw(pen, look)

    def _colour(self, noun: Noun) -> Colour:
        """The colour said, or one of the thing's own, most often the usual one."""
        if noun.colour != NATURAL:
            return COLOURS[noun.colour]
        own = THINGS[noun.thing].colours
        return COLOURS[own[0] if self.rng.random() < 0.5 else self.rng.choice(own)]


def _one(unit: Unit) -> Unit:
    """One of the pairs or of the group that the unit stands for; in "two men holding two flags"
    each holds one."""
    if not pairs(unit):
        return unit
    count = unit.noun.count
    joined = tuple(
        (joint, replace(noun, count=1) if noun.count == count > 1 else noun)
        for joint, noun in unit.joined
    )
    return replace(unit, noun=replace(unit.noun, count=1), joined=joined)
