"""Plants, stones, and what is in the sky."""

# Points stay in rows: a sprite is read as a figure, not as a list.
# fmt: off

from penstock_tiny_models.draw.colours import COLOURS, Colour, dark, light, mix
from penstock_tiny_models.draw.pen import Pen, bow, rays
from penstock_tiny_models.draw.sprites.beasts import CREAM, WHITE
from penstock_tiny_models.draw.sprites.sprite import Look, sprite

BARK: Colour = (122, 78, 46)
LEAF: Colour = (70, 160, 74)


@sprite(top=(0, 1.02))
def tree(pen: Pen, look: Look) -> None:
    bark, leaf = look.second(BARK), look.colour
    pen.blob([(-0.07, 0.5), (0.07, 0.5), (0.075, 0.12), (0.14, 0.0), (-0.14, 0.0), (-0.075, 0.12)],
             bark)
    pen.line([(0.03, 0.4), (0.16, 0.54)], 0.05, bark)
    for x, y, r in ((-0.22, 0.58, 0.2), (0.22, 0.58, 0.2), (-0.14, 0.82, 0.2), (0.15, 0.82, 0.2)):
        pen.ellipse(x, y, r, r * 0.95, leaf)
    pen.ellipse(0, 0.7, 0.28, 0.28, leaf, edge=False)
    pen.ellipse(0.0, 0.9, 0.18, 0.17, leaf, edge=False)
    for x, y in ((-0.2, 0.72), (0.1, 0.86), (0.2, 0.64), (-0.04, 0.62)):
        pen.arc(x, y, 0.06, 0.05, 30, 150, 0.018, light(leaf, 0.3))


@sprite(top=(0.04, 0.98))
def palm(pen: Pen, look: Look) -> None:
    bark, leaf = look.second((156, 110, 66)), look.colour
    pen.limb([(-0.1, 0.0), (-0.06, 0.36), (0.0, 0.66), (0.06, 0.86)], 0.085, bark)
    for x, y in ((-0.09, 0.14), (-0.07, 0.28), (-0.04, 0.42), (-0.005, 0.56), (0.03, 0.7)):
        pen.line([(x - 0.035, y), (x + 0.035, y - 0.012)], 0.014, dark(bark, 0.35))
    for tip, bend in (((-0.42, 0.68), (-0.24, 0.98)), ((0.48, 0.66), (0.34, 0.98)),
                      ((-0.3, 0.5), (-0.2, 0.86)), ((0.38, 0.48), (0.3, 0.84)),
                      ((0.12, 1.14), (0.02, 1.06))):
        pen.blob([(0.06, 0.9), bend, tip, ((bend[0] + tip[0]) / 2 * 0.82,
                                           (bend[1] + tip[1]) / 2 - 0.07)],
                 leaf)
    for x, y in ((0.02, 0.83), (0.11, 0.83), (0.07, 0.79)):
        pen.ellipse(x, y, 0.045, 0.045, (110, 70, 40))


@sprite(top=(0, 1.05))
def pine(pen: Pen, look: Look) -> None:
    leaf = dark(look.colour, 0.15) if look.natural else look.colour
    pen.box(-0.06, 0, 0.06, 0.2, BARK)
    for y, half in ((0.16, 0.33), (0.42, 0.27), (0.66, 0.21)):
        pen.polygon([(-half, y), (half, y), (0, y + 0.46)], leaf)
        pen.polygon([(0, y + 0.46), (half, y), (half * 0.3, y)], dark(leaf, 0.12), edge=False)


@sprite(grip=(0, 0.24), top=(0, 0.95))
def flower(pen: Pen, look: Look) -> None:
    pen.line([(0, 0.0), (0.01, 0.6)], 0.045, LEAF)
    pen.blob([(0.0, 0.16), (0.18, 0.34), (0.22, 0.3), (0.14, 0.16)], LEAF)
    pen.blob([(0.0, 0.24), (-0.16, 0.4), (-0.2, 0.36), (-0.12, 0.24)], LEAF)
    for x, y in ((0, 0.91), (0.15, 0.8), (0.095, 0.62), (-0.095, 0.62), (-0.15, 0.8)):
        pen.ellipse(x, y, 0.105, 0.105, look.colour)
    core = COLOURS["yellow"] if look.colour != COLOURS["yellow"] else COLOURS["orange"]
    pen.ellipse(0, 0.755, 0.09, 0.09, look.second(core))


@sprite(grip=(0, 0.24), top=(0, 1.05))
def sunflower(pen: Pen, look: Look) -> None:
    pen.line([(0, 0.0), (0, 0.6)], 0.05, LEAF)
    for side in (-1, 1):
        pen.blob([(0.0, 0.2), (0.2 * side, 0.38), (0.27 * side, 0.32), (0.16 * side, 0.18)], LEAF)
    pen.polygon(rays(0, 0.8, 0.3, 0.19, 14), look.colour)
    pen.ellipse(0, 0.8, 0.155, 0.155, (110, 66, 34))
    for x, y in bow(0, 0.8, 0.085, 0.085, 0, 320, 7):
        pen.dot(x, y, 0.018, (70, 40, 24))


@sprite(grip=(0, 0.15), top=(0, 0.82))
def mushroom(pen: Pen, look: Look) -> None:
    pen.blob([(-0.13, 0.42), (0.13, 0.42), (0.17, 0.12), (0.12, 0.0), (-0.12, 0.0), (-0.17, 0.12)],
             CREAM)
    pen.blob([(-0.42, 0.4), (-0.34, 0.64), (-0.16, 0.8), (0.16, 0.8), (0.34, 0.64), (0.42, 0.4),
              (0.2, 0.35), (-0.2, 0.35)], look.colour)
    for x, y, r in ((-0.2, 0.55, 0.07), (0.03, 0.68, 0.075), (0.23, 0.52, 0.06), (0.02, 0.46,
                                                                                  0.045)):
        pen.ellipse(x, y, r, r * 0.9, WHITE, edge=False)


@sprite(grip=(0, 0.1), top=(0, 0.98))
def cactus(pen: Pen, look: Look) -> None:
    green = look.colour
    pen.limb([(-0.02, 0.4), (-0.26, 0.42), (-0.26, 0.66)], 0.12, green)
    pen.limb([(0.02, 0.3), (0.26, 0.32), (0.26, 0.54)], 0.12, green)
    pen.limb([(0, 0.0), (0, 0.86)], 0.21, green)
    for x in (-0.05, 0.05):
        pen.line([(x, 0.08), (x, 0.86)], 0.012, dark(green, 0.3))
    for x, y in ((-0.1, 0.2), (0.1, 0.44), (-0.1, 0.6), (0.1, 0.74), (0, 0.5), (0, 0.3), (0, 0.8)):
        pen.line([(x - 0.025, y + 0.012), (x + 0.025, y - 0.012)], 0.01, CREAM)
    pen.ellipse(0.0, 0.965, 0.06, 0.045, COLOURS["pink"])


@sprite(top=(0, 0.54))
def bush(pen: Pen, look: Look) -> None:
    leaf = look.colour
    for x, y, r in ((-0.3, 0.2, 0.2), (0.3, 0.2, 0.2), (-0.13, 0.33, 0.22), (0.15, 0.32, 0.21)):
        pen.ellipse(x, y, r, r * 0.95, leaf)
    pen.box(-0.4, 0.02, 0.4, 0.26, leaf, corner=0.1, edge=False)
    for x, y in ((-0.25, 0.3), (0.05, 0.38), (0.26, 0.26), (-0.05, 0.2)):
        pen.ellipse(x, y, 0.03, 0.03, look.second(COLOURS["red"]), edge=False)


@sprite(grip=(0, 0.1), top=(0, 0.54))
def rock(pen: Pen, look: Look) -> None:
    stone = look.colour
    pen.polygon([(-0.48, 0.0), (-0.42, 0.3), (-0.18, 0.52), (0.14, 0.56), (0.4, 0.36), (0.49, 0.0)],
                stone)
    pen.polygon([(-0.18, 0.52), (0.14, 0.56), (0.06, 0.36), (-0.2, 0.34)], light(stone, 0.25),
                edge=False)
    pen.polygon([(0.14, 0.56), (0.4, 0.36), (0.49, 0.0), (0.12, 0.0), (0.06, 0.36)],
                dark(stone, 0.15), edge=False)


@sprite(top=(0, 0.97))
def mountain(pen: Pen, look: Look) -> None:
    stone = look.colour
    pen.polygon([(0.1, 0.0), (0.42, 0.64), (0.75, 0.0)], dark(stone, 0.15))
    pen.polygon([(-0.75, 0.0), (-0.06, 1.0), (0.52, 0.0)], stone)
    pen.polygon([(-0.06, 1.0), (0.52, 0.0), (0.08, 0.0)], dark(stone, 0.14), edge=False)
    snow = look.second(WHITE)
    pen.polygon([(-0.06, 1.0), (-0.27, 0.695), (-0.16, 0.74), (-0.08, 0.64), (0.0, 0.72),
                 (0.115, 0.7)], snow, edge=False)
    pen.polygon([(0.42, 0.64), (0.335, 0.47), (0.41, 0.5), (0.505, 0.47)], snow, edge=False)


@sprite(top=(0, 0.82))
def volcano(pen: Pen, look: Look) -> None:
    stone, lava = look.colour, (246, 96, 30)
    for x, y, r in ((0.04, 0.98, 0.13), (0.17, 1.03, 0.1), (-0.1, 1.02, 0.1)):
        pen.ellipse(x, y, r, r * 0.75, (150, 146, 152))
    pen.polygon([(-0.12, 0.8), (0.12, 0.8), (0.1, 0.96), (0.02, 0.88), (-0.04, 0.98)], lava)
    pen.polygon([(-0.74, 0.0), (-0.16, 0.84), (0.16, 0.84), (0.74, 0.0)], stone)
    pen.polygon([(0.16, 0.84), (0.74, 0.0), (0.2, 0.0), (0.04, 0.84)], dark(stone, 0.15),
                edge=False)
    pen.blob([(-0.16, 0.84), (0.16, 0.84), (0.2, 0.6), (0.13, 0.42), (0.06, 0.62), (-0.02, 0.28),
              (-0.09, 0.6), (-0.2, 0.5)], lava, edge=False)


@sprite(top=(0, 0.5), seat=(0, 0.42), hip=(0, 0.1))
def cloud(pen: Pen, look: Look) -> None:
    mist = look.colour
    for x, y, r in ((-0.34, 0.2, 0.17), (0.34, 0.2, 0.17), (-0.13, 0.33, 0.22), (0.14, 0.3, 0.2)):
        pen.ellipse(x, y, r, r, mist)
    pen.box(-0.4, 0.03, 0.4, 0.3, mist, corner=0.13, edge=False)
    pen.line([(-0.3, 0.03), (0.3, 0.03)], 0.014, dark(mist, 0.3))


@sprite(top=(0, 0.9), eyes=(0, 0.56, 0.4), head=(0, 0.78, 0.4))
def sun(pen: Pen, look: Look) -> None:
    pen.polygon(rays(0, 0.5, 0.5, 0.34, 14), mix(look.colour, COLOURS["orange"], 0.35))
    pen.ellipse(0, 0.5, 0.32, 0.32, look.colour)


@sprite(top=(-0.1, 0.98))
def moon(pen: Pen, look: Look) -> None:
    pale = light(look.colour, 0.45) if look.natural else look.colour
    outer = bow(0.06, 0.5, 0.44, 0.48, 62, 298, 22)
    inner = bow(0.22, 0.5, 0.3, 0.37, 290, 70, 18)
    pen.polygon([*outer, *inner], pale)
    for x, y, r in ((-0.24, 0.56, 0.05), (-0.16, 0.3, 0.04), (-0.12, 0.74, 0.035)):
        pen.ellipse(x, y, r, r, dark(pale, 0.12), edge=False)


@sprite(top=(0, 0.75))
def planet(pen: Pen, look: Look) -> None:
    body, ring = look.colour, look.second(light(look.colour, 0.5))
    back = bow(0, 0.4, 0.6, 0.17, 0, 180, 18)
    front = bow(0, 0.4, 0.6, 0.17, 180, 360, 18)
    tilted = [(x, y + x * 0.3) for x, y in back], [(x, y + x * 0.3) for x, y in front]
    pen.line(tilted[0], 0.075, dark(ring))
    pen.line(tilted[0], 0.05, ring)
    pen.ellipse(0, 0.4, 0.34, 0.34, body)
    pen.blob([(-0.33, 0.46), (0, 0.5), (0.3, 0.56), (0.33, 0.48), (0, 0.42), (-0.34, 0.39)],
             dark(body, 0.15), edge=False)
    pen.blob([(-0.24, 0.19), (0, 0.2), (0.27, 0.25), (0.2, 0.15), (0, 0.1), (-0.16, 0.12)],
             light(body, 0.2), edge=False)
    pen.line(tilted[1], 0.075, dark(ring))
    pen.line(tilted[1], 0.05, ring)


@sprite(top=(0, 0.88), grip=(0, 0.1))
def earth(pen: Pen, look: Look) -> None:
    pen.ellipse(0, 0.45, 0.43, 0.43, look.colour)
    land = (92, 176, 84) if look.colour != COLOURS["green"] else (216, 190, 110)
    pen.blob([(-0.34, 0.6), (-0.2, 0.76), (-0.02, 0.74), (-0.08, 0.6), (-0.2, 0.52), (-0.16, 0.44),
              (-0.28, 0.46)], land, edge=False)
    pen.blob([(-0.16, 0.4), (-0.04, 0.36), (-0.06, 0.22), (-0.14, 0.12), (-0.2, 0.26)], land,
             edge=False)
    pen.blob([(0.1, 0.7), (0.24, 0.72), (0.36, 0.56), (0.28, 0.46), (0.3, 0.3), (0.2, 0.18),
              (0.12, 0.34), (0.06, 0.46), (0.12, 0.58)], land, edge=False)
    pen.ellipse(0, 0.84, 0.13, 0.03, WHITE, edge=False)
    pen.ellipse(0, 0.06, 0.13, 0.03, WHITE, edge=False)


@sprite(top=(0, 0.9), grip=(0, 0.25))
def star(pen: Pen, look: Look) -> None:
    pen.polygon(rays(0, 0.48, 0.5, 0.21, 5), look.colour)


@sprite(top=(0, 0.74))
def rainbow(pen: Pen, look: Look) -> None:
    names = ("red", "orange", "yellow", "green", "blue", "purple")
    for i, name in enumerate(names):
        colour = COLOURS[name] if look.natural else light(look.colour, 0.14 * i)
        radius = 0.71 - 0.07 * i
        pen.line(bow(0, 0.02, radius, radius, 0, 180, 40), 0.074, colour)
    for side in (-1, 1):
        for x, y, r in ((0.42, 0.07, 0.09), (0.54, 0.12, 0.11), (0.66, 0.07, 0.09)):
            pen.ellipse(x * side, y, r, r * 0.85, WHITE)
        pen.box(0.54 * side - 0.13, 0.0, 0.54 * side + 0.13, 0.1, WHITE, corner=0.04, edge=False)
