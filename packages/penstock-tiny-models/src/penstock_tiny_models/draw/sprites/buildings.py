"""Houses and other buildings."""

# Points stay in rows: a sprite is read as a figure, not as a list.
# fmt: off

from penstock_tiny_models.draw.colours import COLOURS, Colour, dark, light
from penstock_tiny_models.draw.pen import Pen, bow
from penstock_tiny_models.draw.sprites.beasts import INK, WHITE
from penstock_tiny_models.draw.sprites.sprite import Look, sprite

GLASS: Colour = (160, 212, 240)
LIT: Colour = (255, 226, 130)
WOOD: Colour = (130, 84, 50)
TILE: Colour = (178, 66, 50)


def window(pen: Pen, x: float, y: float, half: float, frame: Colour = WHITE) -> None:
    pen.box(x - half, y - half, x + half, y + half, GLASS)
    pen.line([(x, y - half), (x, y + half)], half * 0.22, frame)
    pen.line([(x - half, y), (x + half, y)], half * 0.22, frame)


@sprite(top=(0, 0.97))
def house(pen: Pen, look: Look) -> None:
    wall = (250, 236, 206) if look.natural and look.colour == COLOURS["white"] else look.colour
    roof = look.second(TILE if look.colour != COLOURS["red"] else (96, 76, 70))
    pen.box(0.2, 0.66, 0.31, 0.96, dark(TILE, 0.25))
    pen.box(-0.42, 0.0, 0.42, 0.55, wall)
    pen.polygon([(-0.52, 0.54), (0.52, 0.54), (0, 0.98)], roof)
    pen.box(-0.1, 0.0, 0.1, 0.33, WOOD)
    pen.dot(0.06, 0.16, 0.016, COLOURS["gold"])
    window(pen, -0.27, 0.28, 0.085)
    window(pen, 0.27, 0.28, 0.085)
    pen.ellipse(0, 0.7, 0.07, 0.07, GLASS)


@sprite(top=(0, 0.72))
def castle(pen: Pen, look: Look) -> None:
    wall, tip = look.colour, look.second(COLOURS["blue"])
    pen.box(-0.4, 0.0, 0.4, 0.56, wall)
    _battlements(pen, -0.3, 0.3, 0.56, 5, wall)
    for x, top in ((-0.43, 0.72), (0.43, 0.72)):
        pen.box(x - 0.12, 0.0, x + 0.12, top, dark(wall, 0.1))
        pen.polygon([(x - 0.15, top), (x + 0.15, top), (x, top + 0.3)], tip)
        pen.line([(x, top + 0.29), (x, top + 0.38)], 0.014, INK)
        pen.polygon([(x, top + 0.38), (x + 0.1, top + 0.35), (x, top + 0.31)], COLOURS["red"])
        pen.box(x - 0.03, 0.48, x + 0.03, 0.6, (60, 60, 74), corner=0.025)
    pen.polygon([(-0.12, 0.0), (0.12, 0.0), (0.12, 0.2), *bow(0, 0.2, 0.12, 0.12, 0, 180, 10)],
                WOOD)
    for x in (-0.06, 0, 0.06):
        pen.line([(x, 0.0), (x, 0.28)], 0.01, dark(WOOD, 0.4))
    for x in (-0.18, 0.18):
        pen.box(x - 0.03, 0.38, x + 0.03, 0.48, (60, 60, 74), corner=0.025)


def _battlements(pen: Pen, x0: float, x1: float, y: float, count: int, wall: Colour) -> None:
    step = (x1 - x0) / (2 * count - 1)
    for i in range(count):
        left = x0 + 2 * i * step
        pen.box(left, y - 0.005, left + step, y + 0.08, wall)


@sprite(top=(0, 1.2))
def skyscraper(pen: Pen, look: Look) -> None:
    wall = look.colour
    pen.line([(0, 1.15), (0, 1.25)], 0.016, dark(wall))
    pen.box(-0.14, 1.0, 0.14, 1.17, dark(wall, 0.12))
    pen.box(-0.26, 0.0, 0.26, 1.06, wall)
    for row in range(7):
        for column in range(4):
            colour = LIT if (row * 3 + column * 5) % 4 == 0 else GLASS
            x, y = -0.2 + column * 0.115, 0.18 + row * 0.12
            pen.box(x, y, x + 0.065, y + 0.075, colour, edge=False)
    pen.box(-0.08, 0.0, 0.08, 0.13, dark(wall, 0.5))


@sprite(top=(0.1, 0.7))
def church(pen: Pen, look: Look) -> None:
    wall = (246, 240, 226) if look.natural else look.colour
    roof = look.second((110, 84, 76))
    pen.box(-0.1, 0.0, 0.45, 0.45, wall)
    pen.polygon([(-0.14, 0.44), (0.5, 0.44), (0.36, 0.68), (-0.02, 0.68)], roof)
    pen.box(-0.42, 0.0, -0.08, 0.74, wall)
    pen.polygon([(-0.46, 0.73), (-0.04, 0.73), (-0.25, 1.08)], roof)
    pen.line([(-0.25, 1.07), (-0.25, 1.24)], 0.022, COLOURS["gold"])
    pen.line([(-0.31, 1.18), (-0.19, 1.18)], 0.022, COLOURS["gold"])
    pen.ellipse(-0.25, 0.6, 0.06, 0.06, GLASS)
    pen.polygon([(-0.33, 0.0), (-0.17, 0.0), (-0.17, 0.2), *bow(-0.25, 0.2, 0.08, 0.1, 0, 180, 8)],
                WOOD)
    for x in (0.06, 0.2, 0.34):
        pen.polygon([(x - 0.04, 0.12), (x + 0.04, 0.12), (x + 0.04, 0.26),
                     *bow(x, 0.26, 0.04, 0.06, 0, 180, 8)], GLASS)


@sprite(top=(0, 1.22))
def lighthouse(pen: Pen, look: Look) -> None:
    paint = look.colour
    stripe = WHITE if paint != COLOURS["white"] else COLOURS["red"]
    pen.polygon([(0.1, 1.02), (0.5, 1.14), (0.5, 0.9)], (255, 244, 170), edge=False, alpha=150)
    pen.blob([(-0.3, 0.0), (-0.24, 0.1), (0.24, 0.1), (0.3, 0.0)], (130, 130, 136))
    pen.polygon([(-0.19, 0.07), (0.19, 0.07), (0.12, 0.9), (-0.12, 0.9)], paint)
    for y0, y1 in ((0.24, 0.41), (0.58, 0.75)):
        w0, w1 = 0.19 - (y0 - 0.07) * 0.084, 0.19 - (y1 - 0.07) * 0.084
        pen.polygon([(-w0, y0), (w0, y0), (w1, y1), (-w1, y1)], stripe, edge=False)
    pen.box(-0.16, 0.89, 0.16, 0.93, INK)
    pen.box(-0.09, 0.93, 0.09, 1.08, (255, 240, 150))
    pen.polygon([(-0.13, 1.07), (0.13, 1.07), (0, 1.22)], dark(paint, 0.2))
    pen.box(-0.05, 0.08, 0.05, 0.2, WOOD)


@sprite(top=(0, 0.98))
def windmill(pen: Pen, look: Look) -> None:
    wall, cap = look.colour, look.second(TILE)
    pen.polygon([(-0.24, 0.0), (0.24, 0.0), (0.15, 0.78), (-0.15, 0.78)], wall)
    pen.blob([(-0.18, 0.77), (-0.12, 0.93), (0, 0.99), (0.12, 0.93), (0.18, 0.77)], cap)
    pen.box(-0.07, 0.0, 0.07, 0.2, WOOD)
    window(pen, 0, 0.4, 0.055)
    for angle in (30, 120, 210, 300):
        blade = pen.at(0, 0.8, degrees=angle)
        blade.box(0.0, 0.02, 0.42, 0.12, (246, 240, 220))
        for x in (0.14, 0.28):
            blade.line([(x, 0.02), (x, 0.12)], 0.008, WOOD)
        blade.line([(0, 0), (0.42, 0)], 0.024, WOOD)
    pen.ellipse(0, 0.8, 0.04, 0.04, WOOD)


@sprite(top=(0, 0.78))
def tent(pen: Pen, look: Look) -> None:
    cloth = look.colour
    pen.polygon([(-0.56, 0.0), (0.56, 0.0), (0.0, 0.8)], cloth)
    pen.polygon([(0.56, 0.0), (0.0, 0.8), (0.22, 0.0)], dark(cloth, 0.2), edge=False)
    pen.polygon([(-0.22, 0.0), (0.22, 0.0), (0.0, 0.56)], (56, 48, 50))
    pen.polygon([(-0.22, 0.0), (-0.06, 0.0), (0.0, 0.56)], light(cloth, 0.3))
    pen.line([(0, 0.78), (0, 0.86)], 0.018, WOOD)


@sprite(top=(0, 0.6))
def igloo(pen: Pen, look: Look) -> None:
    snow = light(look.colour, 0.1)
    line = dark(snow, 0.22)
    pen.polygon([(0.54, 0.0), (-0.54, 0.0), *reversed(bow(0, 0.0, 0.54, 0.62, 0, 180, 26))], snow)
    for y, half in ((0.17, 0.52), (0.34, 0.45), (0.5, 0.31)):
        pen.line([(-half, y), (half, y)], 0.012, line)
    for x, y0, y1 in ((-0.3, 0.0, 0.17), (0.42, 0.0, 0.17), (-0.4, 0.17, 0.34), (-0.1, 0.34, 0.5),
                      (0.12, 0.34, 0.5), (0.34, 0.17, 0.34), (0.0, 0.5, 0.61), (-0.28, 0.34, 0.46)):
        pen.line([(x, y0), (x, y1)], 0.012, line)
    pen.polygon([(0.26, 0.0), (-0.18, 0.0), *reversed(bow(0.04, 0.0, 0.22, 0.36, 0, 180, 14))],
                snow)
    pen.polygon([(0.2, 0.0), (-0.12, 0.0), *reversed(bow(0.04, 0.0, 0.16, 0.28, 0, 180, 14))],
                (62, 80, 108))
