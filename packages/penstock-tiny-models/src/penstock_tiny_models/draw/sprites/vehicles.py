"""What drives, sails and flies."""

# Points stay in rows: a sprite is read as a figure, not as a list.
# fmt: off

from penstock_tiny_models.draw.colours import COLOURS, Colour, dark, light
from penstock_tiny_models.draw.pen import Pen, bow
from penstock_tiny_models.draw.sprites.beasts import INK, WHITE
from penstock_tiny_models.draw.sprites.buildings import GLASS, WOOD
from penstock_tiny_models.draw.sprites.sprite import Look, sprite

TYRE: Colour = (48, 46, 52)
CHROME: Colour = (196, 202, 210)
LAMP: Colour = (255, 236, 150)


def wheel(pen: Pen, x: float, radius: float, hub: Colour = CHROME) -> None:
    pen.ellipse(x, radius, radius, radius, TYRE)
    pen.ellipse(x, radius, radius * 0.55, radius * 0.55, hub, edge=False)
    pen.dot(x, radius, radius * 0.18, TYRE)


@sprite(inside=(-0.08, 0.38, 0.62), top=(-0.05, 0.58), seat=(-0.06, 0.3), hip=(0, 0.1))
def car(pen: Pen, look: Look) -> None:
    paint = look.colour
    if look.carrying:  # an open car, so that its driver is seen
        pen.polygon([(0.18, 0.36), (0.3, 0.36), (0.2, 0.56), (0.15, 0.56)], GLASS, alpha=200)
        pen.blob([(-0.38, 0.36), (-0.36, 0.46), (-0.28, 0.46), (-0.26, 0.36)], dark(paint, 0.4))
    else:
        pen.blob([(-0.42, 0.36), (-0.34, 0.5), (-0.22, 0.585), (0.12, 0.585), (0.24, 0.5),
                  (0.36, 0.36)], paint)
        pen.polygon([(-0.33, 0.37), (-0.21, 0.53), (-0.06, 0.53), (-0.06, 0.37)], GLASS)
        pen.polygon([(-0.01, 0.37), (-0.01, 0.53), (0.12, 0.53), (0.27, 0.37)], GLASS)
    pen.blob([(-0.63, 0.2), (-0.6, 0.35), (-0.4, 0.39), (0.34, 0.39), (0.56, 0.33), (0.64, 0.22),
              (0.6, 0.13), (-0.6, 0.13)], paint)
    pen.line([(-0.03, 0.36), (-0.03, 0.17)], 0.012, dark(paint))
    pen.line([(-0.14, 0.31), (-0.07, 0.31)], 0.02, dark(paint, 0.5))
    pen.ellipse(0.58, 0.27, 0.04, 0.035, LAMP)
    pen.ellipse(-0.6, 0.28, 0.025, 0.035, (200, 40, 40))
    for x in (-0.36, 0.36):
        wheel(pen, x, 0.135, look.second(CHROME))


@sprite(top=(0, 0.74), seat=(0, 0.7))
def bus(pen: Pen, look: Look) -> None:
    paint = look.colour
    pen.box(-0.66, 0.12, 0.66, 0.74, paint, corner=0.07)
    for x in (-0.56, -0.34, -0.12, 0.1):
        pen.box(x, 0.42, x + 0.17, 0.64, GLASS, corner=0.02)
    pen.box(0.34, 0.16, 0.49, 0.64, GLASS, corner=0.02)
    pen.box(0.54, 0.38, 0.67, 0.66, GLASS, corner=0.02)
    pen.line([(-0.65, 0.32), (0.3, 0.32)], 0.024, dark(paint, 0.3))
    pen.ellipse(0.63, 0.23, 0.03, 0.035, LAMP)
    for x in (-0.4, 0.22):
        wheel(pen, x, 0.125, look.second(CHROME))


@sprite(top=(-0.2, 0.72), seat=(-0.2, 0.72))
def truck(pen: Pen, look: Look) -> None:
    paint = look.colour
    pen.box(-0.68, 0.12, 0.68, 0.2, INK)
    pen.box(-0.68, 0.2, 0.24, 0.74, light(paint, 0.55))
    for x in (-0.5, -0.3, -0.1, 0.08):
        pen.line([(x, 0.24), (x, 0.7)], 0.012, dark(light(paint, 0.55), 0.15))
    pen.blob([(0.28, 0.18), (0.28, 0.58), (0.5, 0.58), (0.6, 0.4), (0.69, 0.36), (0.69, 0.18)],
             paint)
    pen.polygon([(0.36, 0.38), (0.36, 0.54), (0.48, 0.54), (0.57, 0.38)], GLASS)
    pen.ellipse(0.66, 0.27, 0.03, 0.035, LAMP)
    for x in (-0.5, -0.24, 0.48):
        wheel(pen, x, 0.125, look.second(CHROME))


@sprite(top=(-0.1, 0.62), seat=(0.0, 0.52), hip=(0, 0.1))
def train(pen: Pen, look: Look) -> None:
    paint = look.colour
    for x, y, r in ((0.4, 0.86, 0.09), (0.26, 0.95, 0.11), (0.1, 1.0, 0.08)):
        pen.ellipse(x, y - 0.06, r, r * 0.8, (226, 226, 232))
    pen.polygon([(0.36, 0.52), (0.5, 0.52), (0.54, 0.74), (0.32, 0.74)], INK)
    pen.box(-0.2, 0.2, 0.6, 0.54, paint, corner=0.06)
    for x in (0.0, 0.22):
        pen.line([(x, 0.21), (x, 0.53)], 0.03, COLOURS["gold"])
    pen.ellipse(0.12, 0.56, 0.06, 0.05, COLOURS["gold"])
    pen.box(-0.6, 0.18, -0.16, 0.74, paint)
    pen.box(-0.5, 0.46, -0.26, 0.66, GLASS)
    pen.box(-0.66, 0.72, -0.1, 0.79, dark(paint, 0.4), corner=0.03)
    pen.box(-0.64, 0.14, 0.62, 0.22, (150, 44, 40))
    pen.polygon([(0.58, 0.2), (0.58, 0.02), (0.72, 0.02)], (150, 44, 40))
    pen.ellipse(0.6, 0.44, 0.045, 0.05, LAMP)
    for x, r in ((-0.44, 0.13), (-0.1, 0.13), (0.2, 0.1), (0.44, 0.1)):
        wheel(pen, x, r, look.second((150, 44, 40)))
    pen.line([(-0.44, 0.13), (-0.1, 0.13)], 0.03, CHROME)


@sprite(top=(-0.24, 0.88), seat=(-0.26, 0.5), hip=(0, 0.36))
def tractor(pen: Pen, look: Look) -> None:
    paint = look.colour
    pen.box(0.24, 0.5, 0.29, 0.74, INK)
    if not look.carrying:
        pen.box(-0.42, 0.4, 0.06, 0.84, GLASS)
        for x in (-0.42, 0.06):
            pen.line([(x, 0.4), (x, 0.84)], 0.03, dark(paint, 0.3))
        pen.box(-0.48, 0.83, 0.12, 0.89, paint, corner=0.02)
    pen.box(-0.4, 0.26, 0.5, 0.54, paint, corner=0.05)
    for y in (0.34, 0.4, 0.46):
        pen.line([(0.2, y), (0.42, y)], 0.014, dark(paint, 0.4))
    pen.ellipse(0.5, 0.44, 0.03, 0.04, LAMP)
    hub = look.second(COLOURS["yellow"])
    wheel(pen, -0.28, 0.27, hub)
    wheel(pen, 0.38, 0.16, hub)


@sprite(seat=(-0.16, 0.6), hip=(0, 0.4), top=(-0.16, 0.62))
def bicycle(pen: Pen, look: Look) -> None:
    paint = look.colour
    rim = look.second(TYRE)
    for x in (-0.34, 0.34):
        pen.line(bow(x, 0.22, 0.2, 0.2, 0, 360, 28), 0.035, rim)
        for i in range(6):
            pen.line([(x, 0.22), bow(x, 0.22, 0.19, 0.19, 60 * i, 60 * i, 1)[0]], 0.007, CHROME)
    frame = [(-0.34, 0.22), (-0.18, 0.52), (0.24, 0.52), (-0.02, 0.2), (-0.34, 0.22)]
    pen.line(frame, 0.04, paint)
    pen.line([(-0.02, 0.2), (-0.2, 0.58)], 0.036, paint)
    pen.line([(0.34, 0.22), (0.22, 0.62)], 0.04, paint)
    pen.line([(0.14, 0.68), (0.22, 0.62), (0.32, 0.66), (0.34, 0.6)], 0.032, INK, smooth=True)
    pen.ellipse(-0.2, 0.6, 0.1, 0.03, INK)
    pen.ellipse(-0.02, 0.2, 0.045, 0.045, CHROME)
    pen.line([(-0.02, 0.2), (0.04, 0.1)], 0.022, CHROME)
    pen.line([(-0.01, 0.1), (0.09, 0.1)], 0.03, INK)


@sprite(seat=(-0.14, 0.46), hip=(0, 0.36), top=(-0.14, 0.48))
def motorcycle(pen: Pen, look: Look) -> None:
    paint = look.colour
    for x in (-0.4, 0.4):
        wheel(pen, x, 0.2, look.second(CHROME))
    pen.line([(0.4, 0.2), (0.24, 0.58)], 0.045, CHROME)
    pen.line([(-0.4, 0.2), (-0.06, 0.24)], 0.05, CHROME)
    pen.blob([(-0.16, 0.14), (-0.18, 0.34), (0.12, 0.36), (0.2, 0.2), (0.1, 0.12)], (90, 90, 98))
    pen.line([(-0.5, 0.14), (0.02, 0.14)], 0.05, CHROME)
    pen.blob([(-0.56, 0.44), (-0.34, 0.42), (-0.06, 0.38), (0.0, 0.45), (-0.2, 0.48), (-0.46, 0.5)],
             INK)
    pen.blob([(-0.08, 0.36), (0.0, 0.52), (0.2, 0.54), (0.28, 0.42), (0.12, 0.34)], paint)
    pen.blob([(-0.58, 0.36), (-0.46, 0.46), (-0.3, 0.4), (-0.42, 0.38)], paint)
    pen.line([(0.24, 0.58), (0.18, 0.68), (0.08, 0.66)], 0.034, INK)
    pen.ellipse(0.32, 0.52, 0.055, 0.055, LAMP)


@sprite(top=(0, 0.18))
def skateboard(pen: Pen, look: Look) -> None:
    for x in (-0.28, 0.28):
        wheel(pen, x, 0.07, look.second((250, 240, 220)))
    pen.limb([(-0.48, 0.22), (-0.36, 0.165), (0.36, 0.165), (0.48, 0.22)], 0.05, look.colour)


@sprite(inside=(-0.2, 0.3, 0.75), seat=(-0.2, 0.2), top=(-0.3, 0.3), hip=(0, 0.1))
def boat(pen: Pen, look: Look) -> None:
    hull = look.colour
    sail = look.second(WHITE)
    pen.line([(0.08, 0.2), (0.08, 1.08)], 0.034, WOOD)
    pen.polygon([(0.12, 0.36), (0.12, 1.04), (0.48, 0.36)], sail)
    if not look.carrying:
        pen.polygon([(0.04, 0.4), (0.04, 0.96), (-0.22, 0.4)], dark(sail, 0.1))
    pen.polygon([(0.08, 1.08), (0.08, 0.99), (-0.1, 1.035)], COLOURS["red"])
    pen.polygon([(-0.54, 0.3), (0.55, 0.3), (0.38, 0.02), (-0.38, 0.02)], hull)
    pen.line([(-0.52, 0.28), (0.53, 0.28)], 0.045, dark(hull, 0.3))


@sprite(inside=(-0.46, 0.34, 0.42), top=(-0.44, 0.36), seat=(-0.44, 0.36), hip=(0, 0.1))
def ship(pen: Pen, look: Look) -> None:
    hull, funnel = look.colour, look.second(COLOURS["red"])
    for x, y, r in ((0.0, 0.86, 0.06), (-0.12, 0.9, 0.08)):
        pen.ellipse(x, y - 0.06, r, r * 0.8, (220, 220, 226))
    for x in (-0.08, 0.16):
        pen.box(x - 0.07, 0.5, x + 0.07, 0.76, funnel)
        pen.box(x - 0.07, 0.68, x + 0.07, 0.76, INK, edge=False)
    pen.box(-0.3, 0.32, 0.42, 0.46, WHITE)
    pen.box(-0.2, 0.46, 0.3, 0.57, WHITE)
    for x in (-0.2, -0.06, 0.08, 0.22, 0.34):
        pen.ellipse(x, 0.39, 0.03, 0.03, GLASS)
    pen.polygon([(-0.68, 0.34), (0.7, 0.36), (0.54, 0.02), (-0.54, 0.02)], hull)
    pen.polygon([(-0.58, 0.1), (0.575, 0.1), (0.54, 0.02), (-0.54, 0.02)], (170, 50, 46),
                edge=False)
    for x in (-0.4, -0.2, 0.0, 0.2, 0.4):
        pen.dot(x, 0.23, 0.028, LAMP)


@sprite(top=(0.05, 0.52), seat=(0.05, 0.5), hip=(0, 0.1))
def submarine(pen: Pen, look: Look) -> None:
    paint = look.colour
    pen.line([(0.1, 0.6), (0.1, 0.72), (0.2, 0.72)], 0.035, dark(paint, 0.4))
    pen.box(-0.1, 0.4, 0.2, 0.6, paint, corner=0.05)
    for y in (0.08, 0.38):
        pen.ellipse(-0.6, y - 0.0, 0.03, 0.1, CHROME)
    pen.box(-0.62, 0.2, -0.5, 0.26, CHROME)
    pen.blob([(-0.56, 0.24), (-0.44, 0.4), (-0.1, 0.47), (0.3, 0.46), (0.56, 0.36), (0.63, 0.22),
              (0.54, 0.08), (0.3, 0.01), (-0.1, 0.0), (-0.44, 0.08)], paint)
    for x in (-0.22, 0.06, 0.34):
        pen.ellipse(x, 0.25, 0.085, 0.085, CHROME)
        pen.ellipse(x, 0.25, 0.058, 0.058, GLASS)


@sprite(top=(0.0, 0.46), seat=(0.0, 0.42), hip=(0, 0.1))
def plane(pen: Pen, look: Look) -> None:
    paint, wing = look.colour, look.second(COLOURS["blue"] if look.natural else dark(look.colour,
                                                                                     0.2))
    pen.polygon([(-0.64, 0.6), (-0.5, 0.6), (-0.34, 0.36), (-0.58, 0.3)], wing)
    pen.polygon([(0.0, 0.38), (0.14, 0.38), (-0.04, 0.58), (-0.12, 0.58)], dark(wing, 0.2))
    pen.blob([(-0.62, 0.36), (-0.5, 0.42), (0.3, 0.44), (0.54, 0.38), (0.66, 0.28), (0.52, 0.19),
              (0.2, 0.17), (-0.3, 0.22)], paint)
    pen.polygon([(0.46, 0.38), (0.56, 0.36), (0.61, 0.31), (0.46, 0.31)], GLASS)
    for x in (-0.34, -0.22, -0.1, 0.02, 0.14, 0.26, 0.36):
        pen.dot(x, 0.34, 0.024, GLASS)
    pen.polygon([(-0.02, 0.28), (0.2, 0.28), (-0.06, 0.02), (-0.2, 0.02)], wing)
    pen.ellipse(0.02, 0.12, 0.09, 0.04, CHROME)
    pen.polygon([(-0.52, 0.34), (-0.38, 0.34), (-0.52, 0.24), (-0.62, 0.24)], dark(wing, 0.1))


@sprite(top=(0.1, 0.6), seat=(0.1, 0.55), hip=(0, 0.1))
def helicopter(pen: Pen, look: Look) -> None:
    paint = look.colour
    pen.line([(-0.1, 0.38), (-0.6, 0.46)], 0.09, paint)
    pen.polygon([(-0.64, 0.38), (-0.52, 0.44), (-0.6, 0.62), (-0.68, 0.62)], paint)
    pen.ellipse(-0.6, 0.48, 0.085, 0.085, CHROME, alpha=150)
    pen.line([(0.14, 0.56), (0.14, 0.7)], 0.035, INK)
    pen.blob([(-0.24, 0.36), (-0.1, 0.54), (0.16, 0.6), (0.4, 0.52), (0.54, 0.34), (0.46, 0.2),
              (0.2, 0.14), (-0.1, 0.2)], paint)
    pen.blob([(0.18, 0.54), (0.36, 0.5), (0.49, 0.35), (0.44, 0.3), (0.2, 0.3)], GLASS)
    pen.box(-0.04, 0.32, 0.1, 0.48, GLASS, corner=0.03)
    for x in (0.0, 0.3):
        pen.line([(x, 0.16), (x - 0.02, 0.04)], 0.022, INK)
    pen.line([(-0.2, 0.04), (0.44, 0.04), (0.52, 0.09)], 0.032, INK)
    pen.line([(-0.46, 0.71), (0.74, 0.71)], 0.034, look.second((90, 90, 98)))


@sprite(top=(0, 1.18), seat=(0.0, 0.55), hip=(0, 0.36))
def rocket(pen: Pen, look: Look) -> None:
    hull = look.colour
    fin = look.second(COLOURS["red"] if look.colour != COLOURS["red"] else COLOURS["blue"])
    pen.blob([(-0.1, 0.2), (0.1, 0.2), (0.07, 0.06), (0.0, -0.04), (-0.07, 0.06)], (250, 150, 40))
    pen.blob([(-0.05, 0.2), (0.05, 0.2), (0.03, 0.1), (0.0, 0.04), (-0.03, 0.1)], LAMP, edge=False)
    for side in (-1, 1):
        pen.blob([(0.14 * side, 0.5), (0.31 * side, 0.3), (0.32 * side, 0.12), (0.13 * side, 0.24)],
                 fin)
    pen.blob([(0, 1.2), (0.13, 1.0), (0.19, 0.7), (0.17, 0.36), (0.12, 0.2), (-0.12, 0.2),
              (-0.17, 0.36), (-0.19, 0.7), (-0.13, 1.0)], hull)
    pen.blob([(0, 1.2), (0.08, 1.09), (0.135, 0.97), (0, 0.94), (-0.135, 0.97), (-0.08, 1.09)], fin)
    pen.ellipse(0, 0.72, 0.09, 0.09, CHROME)
    pen.ellipse(0, 0.72, 0.062, 0.062, GLASS)
    pen.line([(-0.15, 0.38), (0.15, 0.38)], 0.03, fin)


@sprite(inside=(0, 0.24, 0.27), seat=(0, 0.1), hip=(0, 0.1), top=(0, 1.18))
def airship(pen: Pen, look: Look) -> None:
    cloth = look.colour
    pale = light(cloth, 0.6)
    for x in (-0.15, 0.15):
        pen.line([(x, 0.22), (x * 1.5, 0.52)], 0.014, INK)
    pen.blob([(0, 1.18), (0.26, 1.1), (0.38, 0.86), (0.3, 0.62), (0.14, 0.42), (-0.14, 0.42),
              (-0.3, 0.62), (-0.38, 0.86), (-0.26, 1.1)], cloth)
    pen.blob([(0, 1.18), (0.11, 1.08), (0.14, 0.84), (0.06, 0.43), (-0.06, 0.43), (-0.14, 0.84),
              (-0.11, 1.08)], pale, edge=False)
    for side in (-1, 1):
        pen.blob([(0.24 * side, 1.11), (0.38 * side, 0.86), (0.3 * side, 0.62), (0.27 * side,
                                                                                 0.86)],
                 pale, edge=False)
    basket = look.second((166, 112, 62))
    pen.box(-0.16, 0.0, 0.16, 0.24, basket, corner=0.03)
    for y in (0.08, 0.16):
        pen.line([(-0.15, y), (0.15, y)], 0.012, dark(basket, 0.3))
    pen.line([(-0.165, 0.235), (0.165, 0.235)], 0.03, dark(basket, 0.35))


@sprite(inside=(0, 0.33, 0.36), top=(0, 0.56), seat=(0, 0.5), hip=(0, 0.1))
def ufo(pen: Pen, look: Look) -> None:
    metal = look.colour
    pen.polygon([(-0.22, 0.16), (0.22, 0.16), (0.36, -0.12), (-0.36, -0.12)], (190, 255, 170),
                edge=False, alpha=110)
    dome = [(0.26, 0.3), (-0.26, 0.3), *reversed(bow(0, 0.3, 0.26, 0.29, 0, 180, 18))]
    if look.carrying:
        pen.polygon(dome, (170, 226, 240), edge=False, alpha=110)
    else:
        pen.polygon(dome, (170, 226, 240))
        pen.ellipse(0, 0.36, 0.075, 0.09, (110, 190, 90), edge=False)
        for side in (-1, 1):
            pen.dot(0.03 * side, 0.38, 0.016, INK)
    pen.ellipse(0, 0.25, 0.6, 0.135, metal)
    pen.ellipse(0, 0.29, 0.36, 0.06, light(metal, 0.4), edge=False)
    for x, y in ((-0.44, 0.23), (-0.23, 0.185), (0.0, 0.17), (0.23, 0.185), (0.44, 0.23)):
        pen.ellipse(x, y, 0.035, 0.03, COLOURS["yellow"])
