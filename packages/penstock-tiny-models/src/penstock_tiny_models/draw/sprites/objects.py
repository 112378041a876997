"""Clothes, things of the house, and food."""

# Points stay in rows: a sprite is read as a figure, not as a list.
# fmt: off

from penstock_tiny_models.draw.colours import COLOURS, Colour, dark, is_dark, light, mix
from penstock_tiny_models.draw.pen import Pen, bow
from penstock_tiny_models.draw.sprites.beasts import CREAM, INK, WHITE
from penstock_tiny_models.draw.sprites.buildings import WOOD
from penstock_tiny_models.draw.sprites.nature import LEAF
from penstock_tiny_models.draw.sprites.sprite import Look, sprite

CHROME: Colour = (196, 202, 210)
FLAME: Colour = (255, 168, 40)

# Clothes: `grip` is where they touch who wears them, and `fit` how wide they are there.


@sprite(fit=(0, 0.08, 0.7), grip=(0, 0.08), top=(0, 0.72))
def hat(pen: Pen, look: Look) -> None:
    pen.box(-0.29, 0.1, 0.29, 0.72, look.colour, corner=0.05)
    band = look.second(COLOURS["red"] if look.colour != COLOURS["red"] else INK)
    pen.box(-0.295, 0.13, 0.295, 0.27, band, edge=False)
    pen.ellipse(0, 0.09, 0.5, 0.085, look.colour)


@sprite(fit=(-0.06, 0.06, 0.74), grip=(0, 0.06))
def cap(pen: Pen, look: Look) -> None:
    pen.blob([(0.24, 0.12), (0.55, 0.12), (0.56, 0.04), (0.3, 0.02)], dark(look.colour, 0.2))
    pen.polygon([(0.32, 0.04), (-0.44, 0.04), *reversed(bow(-0.06, 0.06, 0.38, 0.44, 0, 180, 18))],
                look.colour)
    pen.line([(-0.06, 0.06), (-0.06, 0.48)], 0.014, dark(look.colour))
    pen.ellipse(-0.06, 0.5, 0.05, 0.035, look.colour)


@sprite(fit=(0, 0.06, 0.72), grip=(0, 0.06))
def crown(pen: Pen, look: Look) -> None:
    pen.polygon([(-0.38, 0.02), (0.38, 0.02), (0.45, 0.5), (0.22, 0.26), (0, 0.58), (-0.22, 0.26),
                 (-0.45, 0.5)], look.colour)
    for x, name in ((-0.22, "red"), (0.0, "blue"), (0.22, "green")):
        pen.ellipse(x, 0.13, 0.05, 0.05, COLOURS[name])
    for x, y in ((-0.45, 0.5), (0, 0.58), (0.45, 0.5)):
        pen.ellipse(x, y, 0.05, 0.05, look.colour)


@sprite(fit=(0, 0.2, 0.84), grip=(0, 0.1))
def helmet(pen: Pen, look: Look) -> None:
    pen.polygon([(0.45, 0.14), (-0.45, 0.14), *reversed(bow(0, 0.2, 0.45, 0.56, 0, 180, 20))],
                look.colour)
    pen.line(bow(0, 0.2, 0.2, 0.54, 30, 150, 10), 0.05, light(look.colour, 0.4))
    pen.line([(-0.46, 0.16), (0.46, 0.16)], 0.09, dark(look.colour, 0.3))


@sprite(fit=(0, 0.2, 0.98), grip=(0, 0.1))
def glasses(pen: Pen, look: Look) -> None:
    pen.line([(-0.08, 0.24), (0.08, 0.24)], 0.06, look.colour)
    for side in (-1, 1):
        pen.ellipse(0.26 * side, 0.2, 0.215, 0.185, look.colour)
        shade = (70, 84, 120) if is_dark(look.colour) else (176, 222, 244)
        pen.ellipse(0.26 * side, 0.2, 0.16, 0.13, shade, edge=False)
        pen.line([(0.2 * side - 0.04, 0.24), (0.2 * side + 0.04, 0.27)], 0.03, WHITE)


@sprite(fit=(0, 0.66, 0.8), grip=(0, 0.66))
def scarf(pen: Pen, look: Look) -> None:
    pen.box(0.08, 0.02, 0.3, 0.62, dark(look.colour, 0.12), corner=0.03)
    for y in (0.12, 0.2):
        pen.line([(0.09, y), (0.29, y)], 0.03, light(look.colour, 0.5))
    pen.blob([(-0.44, 0.72), (-0.2, 0.62), (0.2, 0.62), (0.44, 0.72), (0.4, 0.56), (0.15, 0.48),
              (-0.15, 0.48), (-0.4, 0.56)], look.colour)


@sprite(fit=(0, 0.25, 0.8), grip=(0, 0.25))
def tie(pen: Pen, look: Look) -> None:
    for side in (-1, 1):
        pen.blob([(0.02 * side, 0.25), (0.36 * side, 0.46), (0.44 * side, 0.25),
                  (0.36 * side, 0.04)], look.colour)
    pen.ellipse(0, 0.25, 0.09, 0.1, dark(look.colour, 0.2))


@sprite(grip=(0.3, 0.42), inside=(-0.08, 0.64, 0.85), top=(-0.08, 0.74), hip=(0, 0.1))
def cup(pen: Pen, look: Look) -> None:
    handle = look.second(look.colour)
    pen.line(bow(0.24, 0.4, 0.19, 0.19, -90, 90, 14), 0.1, dark(handle))
    pen.line(bow(0.24, 0.4, 0.19, 0.19, -90, 90, 14), 0.075, handle)
    if not look.carrying:
        for x in (-0.2, -0.04):
            pen.line([(x, 0.76), (x + 0.05, 0.83), (x, 0.89), (x + 0.04, 0.95)], 0.028,
                     (226, 230, 236), smooth=True)
        pen.ellipse(-0.08, 0.68, 0.34, 0.09, dark(look.colour, 0.3))
        pen.ellipse(-0.08, 0.67, 0.28, 0.06, (104, 66, 40), edge=False)
    pen.blob([(-0.42, 0.67), (-0.08, 0.6), (0.26, 0.67), (0.24, 0.3), (0.16, 0.04), (-0.08, 0.01),
              (-0.32, 0.04), (-0.4, 0.3)], look.colour)


@sprite(grip=(-0.42, 0.4), top=(0, 0.74))
def teapot(pen: Pen, look: Look) -> None:
    pen.line(bow(-0.32, 0.38, 0.19, 0.19, 90, 270, 14), 0.07, dark(look.colour, 0.15))
    pen.blob([(0.26, 0.2), (0.42, 0.42), (0.56, 0.6), (0.5, 0.63), (0.36, 0.52), (0.24, 0.42)],
             look.colour)
    pen.ellipse(0, 0.34, 0.36, 0.32, look.colour)
    pen.ellipse(0, 0.63, 0.17, 0.07, dark(look.colour, 0.15))
    pen.ellipse(0, 0.73, 0.05, 0.05, COLOURS["gold"])
    for x in (-0.14, 0, 0.14):
        pen.dot(x, 0.32, 0.045, light(look.colour, 0.5))


@sprite(grip=(0, 0.35))
def bottle(pen: Pen, look: Look) -> None:
    pen.blob([(-0.07, 1.0), (0.07, 1.0), (0.08, 0.78), (0.19, 0.62), (0.19, 0.06), (0.12, 0.0),
              (-0.12, 0.0), (-0.19, 0.06), (-0.19, 0.62), (-0.08, 0.78)], look.colour)
    pen.box(-0.185, 0.2, 0.185, 0.48, CREAM, edge=False)
    pen.box(-0.075, 0.96, 0.075, 1.07, (170, 120, 76))


@sprite(grip=(0, 0.1), top=(0, 0.88))
def ball(pen: Pen, look: Look) -> None:
    pen.ellipse(0, 0.45, 0.43, 0.43, look.colour)
    other = WHITE if look.colour != COLOURS["white"] else COLOURS["red"]
    for start in (75, 195, 315):
        pen.polygon([(0, 0.45), *bow(0, 0.45, 0.43, 0.43, start, start + 60, 10)], other,
                    edge=False)
    pen.ellipse(0, 0.45, 0.085, 0.085, look.colour)
    pen.ellipse(-0.17, 0.65, 0.07, 0.045, WHITE, edge=False, degrees=35, alpha=170)


@sprite(grip=(0, 0.0), top=(0, 1.18))
def balloon(pen: Pen, look: Look) -> None:
    pen.line([(0, 0.0), (0.04, 0.18), (-0.04, 0.34), (0, 0.5)], 0.018, (110, 110, 116), smooth=True)
    pen.polygon([(-0.05, 0.47), (0.05, 0.47), (0, 0.54)], dark(look.colour, 0.2))
    pen.blob([(0, 1.18), (0.22, 1.08), (0.29, 0.86), (0.18, 0.63), (0, 0.53), (-0.18, 0.63),
              (-0.29, 0.86), (-0.22, 1.08)], look.colour)
    pen.ellipse(-0.11, 0.98, 0.05, 0.085, WHITE, edge=False, degrees=-25, alpha=170)


@sprite(grip=(0, 0.3), top=(0, 0.98))
def umbrella(pen: Pen, look: Look) -> None:
    handle = look.second(WOOD)
    pen.line([(0, 0.96), (0, 0.1), *bow(0.07, 0.1, 0.07, 0.08, 180, 350, 8)], 0.04, handle)
    pen.polygon([*bow(0, 0.52, 0.5, 0.44, 0, 180, 24),
                 *(point for x in (-0.375, -0.125, 0.125, 0.375)
                   for point in bow(x, 0.51, 0.125, 0.07, 180, 0, 6))], look.colour)
    for x in (-0.25, 0.25):
        pen.line([(x, 0.52), (x * 0.55, 0.78), (0, 0.96)], 0.012, dark(look.colour), smooth=True)
    pen.line([(0, 0.52), (0, 0.96)], 0.012, dark(look.colour))
    pen.line([(0, 0.95), (0, 1.02)], 0.03, INK)


@sprite(grip=(-0.16, 0.0))
def kite(pen: Pen, look: Look) -> None:
    pen.line([(-0.16, 0.0), (0.02, 0.14), (-0.06, 0.3), (0, 0.46)], 0.016, (110, 110, 116),
             smooth=True)
    for x, y in ((-0.02, 0.16), (-0.05, 0.31)):
        for side in (-1, 1):
            pen.polygon([(x, y), (x + 0.09 * side, y + 0.045), (x + 0.09 * side, y - 0.045)],
                        COLOURS["yellow"])
    pen.polygon([(0, 1.18), (0.34, 0.86), (0, 0.42), (-0.34, 0.86)], look.colour)
    pen.polygon([(0, 1.18), (0.34, 0.86), (0, 0.86)], light(look.colour, 0.45), edge=False)
    pen.polygon([(0, 0.42), (-0.34, 0.86), (0, 0.86)], light(look.colour, 0.45), edge=False)
    pen.line([(0, 1.18), (0, 0.42)], 0.016, WOOD)
    pen.line([(-0.34, 0.86), (0.34, 0.86)], 0.016, WOOD)


@sprite(grip=(-0.3, 0.25))
def flag(pen: Pen, look: Look) -> None:
    pen.line([(-0.3, 0.0), (-0.3, 1.06)], 0.045, WOOD)
    pen.blob([(-0.29, 1.02), (-0.1, 1.06), (0.14, 0.98), (0.4, 1.02), (0.38, 0.78), (0.4, 0.58),
              (0.14, 0.54), (-0.1, 0.62), (-0.29, 0.58)], look.colour)
    pen.ellipse(-0.3, 1.08, 0.04, 0.04, COLOURS["gold"])


@sprite(grip=(0, 0.14))
def sword(pen: Pen, look: Look) -> None:
    pen.polygon([(-0.055, 0.28), (0.055, 0.28), (0.055, 0.96), (0, 1.1), (-0.055, 0.96)],
                look.colour)
    pen.line([(0, 0.3), (0, 1.0)], 0.016, dark(look.colour, 0.25))
    pen.box(-0.17, 0.22, 0.17, 0.29, COLOURS["gold"], corner=0.02)
    pen.box(-0.04, 0.05, 0.04, 0.23, look.second((110, 66, 40)))
    pen.ellipse(0, 0.045, 0.05, 0.05, COLOURS["gold"])


@sprite(grip=(0, 0.1), top=(0, 0.7))
def book(pen: Pen, look: Look) -> None:
    pen.polygon([(-0.5, 0.06), (0, 0.0), (0.5, 0.06), (0.5, 0.66), (0, 0.58), (-0.5, 0.66)],
                look.colour)
    for side in (-1, 1):
        pen.blob([(0, 0.05), (0.24 * side, 0.11), (0.46 * side, 0.1), (0.46 * side, 0.7),
                  (0.24 * side, 0.73), (0, 0.66)], WHITE)
        for y in (0.28, 0.38, 0.48, 0.58):
            pen.line([(0.09 * side, y), (0.38 * side, y + 0.02)], 0.018, (150, 150, 160))
    pen.line([(0, 0.04), (0, 0.66)], 0.018, (170, 170, 176))


@sprite(grip=(0, 0.7))
def key(pen: Pen, look: Look) -> None:
    pen.line([(0, 0.06), (0, 0.62)], 0.1, dark(look.colour))
    for y, x in ((0.1, 0.17), (0.24, 0.13)):
        pen.line([(0, y), (x, y)], 0.095, dark(look.colour))
        pen.line([(0, y), (x, y)], 0.07, look.colour)
    pen.line([(0, 0.06), (0, 0.62)], 0.075, look.colour)
    pen.line(bow(0, 0.78, 0.15, 0.15, 0, 360, 24), 0.11, dark(look.colour))
    pen.line(bow(0, 0.78, 0.15, 0.15, 0, 360, 24), 0.085, look.colour)


@sprite(grip=(0, 0.3))
def lamp(pen: Pen, look: Look) -> None:
    stand = look.second((120, 100, 90))
    pen.ellipse(0, 0.04, 0.2, 0.045, stand)
    pen.line([(0, 0.05), (0, 0.6)], 0.05, stand)
    pen.polygon([(-0.32, 0.56), (0.32, 0.56), (0.18, 1.0), (-0.18, 1.0)], look.colour)
    pen.ellipse(0, 0.56, 0.32, 0.05, (255, 246, 196))


@sprite(grip=(0, 0.1), top=(0, 0.7))
def candle(pen: Pen, look: Look) -> None:
    pen.ellipse(0, 0.87, 0.09, 0.13, FLAME)
    pen.ellipse(0, 0.84, 0.045, 0.07, (255, 240, 150), edge=False)
    pen.line([(0, 0.7), (0, 0.8)], 0.022, INK)
    pen.box(-0.13, 0.05, 0.13, 0.7, look.colour, corner=0.03)
    pen.blob([(-0.13, 0.7), (0.13, 0.7), (0.12, 0.56), (0.05, 0.62), (-0.02, 0.5), (-0.08, 0.6)],
             light(look.colour, 0.3), edge=False)
    pen.ellipse(0, 0.05, 0.2, 0.05, COLOURS["gold"])


@sprite(grip=(0, 0.1), top=(0, 0.9))
def clock(pen: Pen, look: Look) -> None:
    for side in (-1, 1):
        pen.line([(0.2 * side, 0.2), (0.3 * side, 0.0)], 0.06, (90, 84, 90))
        pen.ellipse(0.24 * side, 0.86, 0.12, 0.09, COLOURS["gold"], degrees=-35 * side)
    rim = COLOURS["red"] if look.natural else dark(look.colour, 0.35)
    pen.ellipse(0, 0.48, 0.42, 0.42, rim)
    pen.ellipse(0, 0.48, 0.33, 0.33, look.colour)
    ink = WHITE if is_dark(look.colour) else INK
    for angle in range(0, 360, 30):
        near, far = bow(0, 0.48, 0.29, 0.29, angle, angle, 1)[0], bow(0, 0.48, 0.26, 0.26, angle,
                                                                      angle, 1)[0]
        pen.line([near, far], 0.022, ink)
    pen.line([(0, 0.48), (-0.12, 0.6)], 0.036, ink)
    pen.line([(0, 0.48), (0.08, 0.71)], 0.026, ink)
    pen.dot(0, 0.48, 0.03, rim)


@sprite(grip=(0, 0.62))
def guitar(pen: Pen, look: Look) -> None:
    pen.box(-0.035, 0.5, 0.035, 1.0, (96, 60, 38))
    pen.box(-0.06, 0.98, 0.06, 1.13, (70, 44, 30), corner=0.02)
    pen.blob([(0, 0.62), (0.13, 0.58), (0.15, 0.46), (0.11, 0.38), (0.22, 0.24), (0.19, 0.06),
              (0, 0.0), (-0.19, 0.06), (-0.22, 0.24), (-0.11, 0.38), (-0.15, 0.46), (-0.13, 0.58)],
             look.colour)
    pen.ellipse(0, 0.36, 0.075, 0.075, (60, 40, 30))
    pen.box(-0.09, 0.12, 0.09, 0.16, (60, 40, 30))
    for x in (-0.02, 0.0, 0.02):
        pen.line([(x, 0.14), (x, 1.04)], 0.006, CREAM)


@sprite(grip=(0, 0.1), top=(0, 0.6))
def drum(pen: Pen, look: Look) -> None:
    pen.box(-0.4, 0.1, 0.4, 0.54, look.colour)
    pen.ellipse(0, 0.1, 0.4, 0.1, look.colour)
    pen.box(-0.39, 0.1, 0.39, 0.5, look.colour, edge=False)
    for i in range(4):
        x = -0.4 + 0.2 * i
        pen.line([(x, 0.5), (x + 0.1, 0.06), (x + 0.2, 0.5)], 0.018, CREAM)
    pen.ellipse(0, 0.54, 0.4, 0.11, CREAM)
    pen.line([(-0.1, 0.56), (0.3, 0.74)], 0.04, WOOD)
    pen.line([(0.1, 0.56), (-0.3, 0.74)], 0.04, WOOD)


@sprite(grip=(0, 0.1), top=(0, 0.72))
def gift(pen: Pen, look: Look) -> None:
    ribbon = look.second(COLOURS["gold"] if look.colour != COLOURS["gold"] else COLOURS["red"])
    pen.box(-0.38, 0.0, 0.38, 0.54, look.colour)
    pen.box(-0.44, 0.52, 0.44, 0.7, light(look.colour, 0.15))
    pen.box(-0.07, 0.0, 0.07, 0.7, ribbon, edge=False)
    for side in (-1, 1):
        pen.blob([(0, 0.7), (0.12 * side, 0.92), (0.29 * side, 0.9), (0.24 * side, 0.75)], ribbon)
    pen.ellipse(0, 0.73, 0.055, 0.055, dark(ribbon, 0.15))


@sprite(grip=(0, 0.1), inside=(0, 0.6, 0.9), top=(0, 0.74), hip=(0, 0.1))
def box(pen: Pen, look: Look) -> None:
    card = mix(look.colour, (226, 178, 120), 0.6) if look.natural else look.colour
    pen.box(-0.4, 0.0, 0.4, 0.6, card)
    pen.polygon([(-0.4, 0.6), (-0.02, 0.6), (-0.14, 0.78), (-0.52, 0.76)], dark(card, 0.12))
    pen.polygon([(0.4, 0.6), (0.02, 0.6), (0.14, 0.78), (0.52, 0.76)], dark(card, 0.12))
    pen.box(-0.07, 0.0, 0.07, 0.6, light(card, 0.35), edge=False)


@sprite(grip=(0, 0.06), top=(0, 0.7))
def cake(pen: Pen, look: Look) -> None:
    for x in (-0.18, 0.0, 0.18):
        pen.box(x - 0.022, 0.66, x + 0.022, 0.84, COLOURS["blue"] if x else COLOURS["red"])
        pen.ellipse(x, 0.88, 0.026, 0.042, FLAME)
    pen.ellipse(0, 0.06, 0.5, 0.06, CHROME)
    pen.box(-0.42, 0.06, 0.42, 0.4, (232, 190, 130), corner=0.03)
    pen.line([(-0.41, 0.22), (0.41, 0.22)], 0.04, WHITE)
    pen.box(-0.3, 0.38, 0.3, 0.64, (232, 190, 130), corner=0.03)
    for half, y in ((0.43, 0.38), (0.31, 0.64)):
        drips = [(half * k / 4, y - (0.1 if k % 2 else 0.05)) for k in range(4, -5, -1)]
        pen.blob([(-half, y + 0.04), (0, y + 0.07), (half, y + 0.04), *drips], look.colour)
    for x, y in ((-0.2, 0.68), (0.1, 0.67), (0.22, 0.66), (-0.3, 0.4), (0.34, 0.4)):
        pen.dot(x, y, 0.022, COLOURS["red"] if look.colour != COLOURS["red"] else WHITE)


@sprite(grip=(0, 0.15), top=(0, 0.85))
def cupcake(pen: Pen, look: Look) -> None:
    pen.polygon([(-0.3, 0.4), (0.3, 0.4), (0.2, 0.0), (-0.2, 0.0)], (196, 140, 84))
    for x in (-0.15, -0.05, 0.05, 0.15):
        pen.line([(x, 0.02), (x * 1.4, 0.38)], 0.016, dark((196, 140, 84), 0.3))
    for y, half, high in ((0.44, 0.36, 0.12), (0.58, 0.27, 0.11), (0.71, 0.17, 0.1)):
        pen.ellipse(0, y, half, high, look.colour)
    pen.ellipse(0, 0.84, 0.075, 0.075, COLOURS["red"])
    for x, y, name in ((-0.2, 0.48, "blue"), (0.05, 0.45, "yellow"), (0.22, 0.5, "green"),
                       (-0.08, 0.6, "yellow"), (0.13, 0.62, "blue")):
        pen.dot(x, y, 0.022, COLOURS[name])


@sprite(grip=(0, 0.1))
def pizza(pen: Pen, look: Look) -> None:
    pen.ellipse(0, 0.45, 0.43, 0.43, (206, 146, 76))
    pen.ellipse(0, 0.45, 0.36, 0.36, look.colour if not look.natural else (248, 204, 96))
    for angle in (0, 60, 120):
        ends = bow(0, 0.45, 0.42, 0.42, angle, angle + 180, 1)
        pen.line(ends, 0.012, (190, 130, 60))
    for x, y in ((-0.18, 0.6), (0.15, 0.64), (0.22, 0.38), (-0.08, 0.26), (-0.24, 0.4), (0.04,
                                                                                         0.46)):
        pen.ellipse(x, y, 0.065, 0.065, (204, 58, 44))
    for x, y in ((0.0, 0.7), (-0.1, 0.46), (0.12, 0.28)):
        pen.ellipse(x, y, 0.035, 0.018, LEAF, edge=False, degrees=30)


@sprite(grip=(0, 0.1), top=(0, 0.7))
def burger(pen: Pen, look: Look) -> None:
    bun = (226, 156, 76) if look.natural else look.colour
    pen.box(-0.42, 0.02, 0.42, 0.2, bun, corner=0.08)
    pen.box(-0.45, 0.18, 0.45, 0.31, (112, 66, 44), corner=0.05)
    pen.polygon([(-0.44, 0.34), (0.44, 0.34), (0.3, 0.25), (0.12, 0.33), (-0.1, 0.24), (-0.26,
                                                                                        0.33)],
                COLOURS["yellow"])
    pen.blob([(-0.48, 0.36), (-0.3, 0.3), (-0.15, 0.37), (0, 0.3), (0.16, 0.37), (0.32, 0.3),
              (0.48, 0.36), (0.3, 0.42), (-0.3, 0.42)], (112, 190, 72))
    pen.polygon([(0.44, 0.4), (-0.44, 0.4), *reversed(bow(0, 0.42, 0.44, 0.31, 0, 180, 18))], bun)
    for x, y in ((-0.2, 0.58), (0, 0.65), (0.2, 0.58), (-0.06, 0.53), (0.12, 0.5)):
        pen.ellipse(x, y, 0.026, 0.015, CREAM, edge=False)


@sprite(grip=(0, 0.2))
def ice_cream(pen: Pen, look: Look) -> None:
    cone = look.second((224, 168, 96))
    pen.polygon([(-0.2, 0.56), (0.2, 0.56), (0, 0.0)], cone)
    for x, y in ((-0.1, 0.5), (0.0, 0.5), (0.1, 0.5), (-0.05, 0.36), (0.05, 0.36), (0.0, 0.22)):
        pen.polygon([(x, y - 0.06), (x + 0.035, y), (x, y + 0.06), (x - 0.035, y)],
                    dark(cone, 0.18), edge=False)
    pen.ellipse(0, 0.66, 0.26, 0.2, look.colour)
    pen.ellipse(0, 0.88, 0.19, 0.17, light(look.colour, 0.45) if not is_dark(look.colour)
                else look.colour)
    pen.ellipse(0.03, 1.05, 0.055, 0.055, COLOURS["red"])


@sprite(grip=(0, 0.2), top=(0, 0.8))
def apple(pen: Pen, look: Look) -> None:
    pen.blob([(0, 0.72), (0.2, 0.8), (0.39, 0.66), (0.38, 0.34), (0.2, 0.02), (0, 0.06),
              (-0.2, 0.02), (-0.38, 0.34), (-0.39, 0.66), (-0.2, 0.8)], look.colour)
    pen.line([(0, 0.7), (0.03, 0.86)], 0.045, (100, 66, 40))
    pen.blob([(0.03, 0.82), (0.14, 0.94), (0.3, 0.92), (0.18, 0.8)], LEAF)
    pen.ellipse(-0.2, 0.6, 0.055, 0.1, WHITE, edge=False, degrees=-20, alpha=150)


@sprite(grip=(-0.1, 0.25))
def banana(pen: Pen, look: Look) -> None:
    pen.blob([(-0.44, 0.62), (-0.36, 0.3), (-0.1, 0.08), (0.24, 0.06), (0.45, 0.2), (0.2, 0.24),
              (-0.08, 0.32), (-0.28, 0.5), (-0.36, 0.68)], look.colour)
    pen.line([(-0.38, 0.52), (-0.22, 0.27), (0.06, 0.14), (0.36, 0.16)], 0.016,
             dark(look.colour, 0.25), smooth=True)
    pen.line([(-0.4, 0.63), (-0.4, 0.71)], 0.06, (110, 84, 40))
    pen.dot(0.44, 0.2, 0.03, (90, 70, 40))


@sprite(grip=(0, 0.5))
def carrot(pen: Pen, look: Look) -> None:
    for x in (-0.12, 0.0, 0.12):
        pen.blob([(0, 0.72), (x * 1.6 - 0.04, 0.92), (x * 1.8, 1.06), (x * 1.6 + 0.05, 0.92)], LEAF)
    pen.blob([(-0.18, 0.66), (0, 0.76), (0.18, 0.66), (0.1, 0.3), (0, 0.0), (-0.1, 0.3)],
             look.colour)
    for x, y in ((-0.12, 0.56), (0.06, 0.45), (-0.06, 0.32)):
        pen.line([(x, y), (x + 0.08, y)], 0.016, dark(look.colour, 0.3))


@sprite(grip=(0, 0.1), top=(0, 0.7))
def pumpkin(pen: Pen, look: Look) -> None:
    pen.line([(0, 0.64), (0.04, 0.82)], 0.08, (86, 120, 52))
    for x, r in ((-0.28, 0.2), (0.28, 0.2), (-0.15, 0.2), (0.15, 0.2), (0.0, 0.17)):
        pen.ellipse(x, 0.35, r, 0.33, look.colour)
    for side in (-1, 1):
        pen.polygon([(0.09 * side, 0.4), (0.25 * side, 0.4), (0.17 * side, 0.54)], INK, edge=False)
    pen.polygon([(-0.27, 0.25), (-0.14, 0.2), (-0.07, 0.25), (0.0, 0.19), (0.07, 0.25), (0.14, 0.2),
                 (0.27, 0.25), (0.12, 0.1), (-0.12, 0.1)], INK, edge=False)


@sprite(grip=(0, 0.1), top=(0, 0.88))
def egg(pen: Pen, look: Look) -> None:
    pen.blob([(0, 0.9), (0.2, 0.76), (0.32, 0.4), (0.22, 0.08), (0, 0.0), (-0.22, 0.08),
              (-0.32, 0.4), (-0.2, 0.76)], look.colour)
    pen.ellipse(-0.1, 0.6, 0.05, 0.1, light(look.colour, 0.7), edge=False, degrees=-20)


@sprite(grip=(0, 0.2))
def phone(pen: Pen, look: Look) -> None:
    pen.box(-0.24, 0.0, 0.24, 0.95, look.colour, corner=0.07)
    pen.box(-0.195, 0.12, 0.195, 0.85, (120, 190, 236), edge=False)
    names = ("red", "yellow", "green", "purple", "orange", "white")
    for i, name in enumerate(names):
        x, y = -0.12 + 0.12 * (i % 3), 0.68 - 0.16 * (i // 3)
        pen.box(x - 0.04, y - 0.04, x + 0.04, y + 0.04, COLOURS[name], edge=False)
    pen.dot(0, 0.06, 0.03, light(look.colour, 0.5))


@sprite(grip=(0, 0.05), top=(0, 0.76))
def computer(pen: Pen, look: Look) -> None:
    pen.box(-0.4, 0.16, 0.4, 0.78, look.colour, corner=0.04)
    pen.box(-0.35, 0.22, 0.35, 0.73, (46, 66, 104), edge=False)
    for i, (half, name) in enumerate(((0.2, "cyan"), (0.12, "yellow"), (0.24, "green"),
                                      (0.15, "pink"))):
        pen.line([(-0.28, 0.65 - 0.1 * i), (-0.28 + 2 * half, 0.65 - 0.1 * i)], 0.036,
                 COLOURS[name])
    pen.polygon([(-0.44, 0.17), (0.44, 0.17), (0.55, 0.02), (-0.55, 0.02)], light(look.colour,
                                                                                  0.25))
    pen.polygon([(-0.38, 0.14), (0.38, 0.14), (0.44, 0.07), (-0.44, 0.07)], dark(look.colour, 0.3),
                edge=False)


@sprite(top=(0, 0.72))
def television(pen: Pen, look: Look) -> None:
    for side in (-1, 1):
        pen.line([(0.0, 0.72), (0.2 * side, 0.93)], 0.026, (110, 110, 116))
        pen.line([(0.3 * side, 0.1), (0.36 * side, 0.0)], 0.05, (80, 76, 80))
    pen.box(-0.52, 0.07, 0.52, 0.74, look.colour, corner=0.06)
    pen.box(-0.44, 0.15, 0.3, 0.67, (140, 204, 240), corner=0.05)
    pen.polygon([(-0.42, 0.16), (-0.2, 0.4), (-0.06, 0.28), (0.08, 0.46), (0.28, 0.16)], LEAF,
                edge=False)
    pen.dot(0.14, 0.56, 0.06, COLOURS["yellow"])
    for y in (0.58, 0.45):
        pen.ellipse(0.41, y, 0.045, 0.045, CHROME)


@sprite(grip=(0, 0.1))
def camera(pen: Pen, look: Look) -> None:
    pen.box(-0.2, 0.56, 0.2, 0.72, dark(look.colour, 0.1) if not is_dark(look.colour)
            else light(look.colour, 0.15), corner=0.03)
    pen.box(-0.48, 0.02, 0.48, 0.6, look.colour, corner=0.07)
    pen.box(-0.47, 0.36, 0.47, 0.47, CHROME, edge=False)
    pen.ellipse(0, 0.3, 0.23, 0.23, CHROME)
    pen.ellipse(0, 0.3, 0.175, 0.175, (40, 48, 70))
    pen.ellipse(0, 0.3, 0.1, 0.1, (84, 120, 190), edge=False)
    pen.dot(-0.05, 0.36, 0.035, WHITE)
    pen.dot(0.38, 0.53, 0.04, (250, 240, 160))


@sprite(seat=(0.06, 0.42), top=(0.06, 0.44), hip=(0, 0.36))
def chair(pen: Pen, look: Look) -> None:
    wood = look.colour
    pen.line([(-0.22, 0.4), (-0.27, 0.98)], 0.085, dark(wood))
    pen.line([(-0.22, 0.4), (-0.27, 0.98)], 0.06, wood)
    for x0, x1 in ((-0.14, -0.14), (0.18, 0.18)):
        pen.line([(x0, 0.4), (x1, 0.06)], 0.06, dark(wood, 0.3))
    pen.blob([(-0.29, 0.66), (-0.21, 0.64), (-0.23, 1.0), (-0.32, 1.0)], light(wood, 0.12))
    pen.box(-0.28, 0.38, 0.32, 0.47, light(wood, 0.1), corner=0.03)
    for x in (-0.23, 0.27):
        pen.line([(x, 0.4), (x * 1.04, 0.03)], 0.075, dark(wood))
        pen.line([(x, 0.4), (x * 1.04, 0.03)], 0.05, wood)


@sprite(top=(0, 0.64))
def table(pen: Pen, look: Look) -> None:
    wood = look.colour
    for x in (-0.42, 0.42):
        pen.box(x - 0.04, 0.1, x + 0.04, 0.55, dark(wood, 0.3))
    for x in (-0.55, 0.55):
        pen.box(x - 0.045, 0.0, x + 0.045, 0.55, wood)
    pen.box(-0.58, 0.46, 0.58, 0.56, dark(wood, 0.15))
    pen.box(-0.65, 0.54, 0.65, 0.64, light(wood, 0.12), corner=0.025)


@sprite(top=(0.1, 0.42), seat=(0.1, 0.38), hip=(0, 0.3))
def bed(pen: Pen, look: Look) -> None:
    pen.box(-0.68, 0.0, -0.6, 0.68, WOOD, corner=0.03)
    pen.box(0.6, 0.0, 0.68, 0.46, WOOD, corner=0.03)
    pen.box(-0.62, 0.1, 0.62, 0.24, dark(WOOD, 0.15))
    pen.box(-0.6, 0.22, 0.6, 0.38, WHITE, corner=0.05)
    pen.box(-0.58, 0.36, -0.28, 0.5, look.second(WHITE), corner=0.06)
    pen.blob([(-0.26, 0.4), (0.0, 0.44), (0.4, 0.43), (0.62, 0.4), (0.63, 0.16), (-0.24, 0.16)],
             look.colour)
    pen.line([(-0.25, 0.4), (-0.24, 0.17)], 0.06, light(look.colour, 0.5))


@sprite(inside=(0.0, 0.56, 0.9), hip=(0, 0.1))
def bathtub(pen: Pen, look: Look) -> None:
    for x in (-0.34, 0.34):
        pen.ellipse(x, 0.05, 0.07, 0.06, COLOURS["gold"])
    pen.blob([(-0.6, 0.56), (0.6, 0.56), (0.54, 0.24), (0.36, 0.08), (-0.36, 0.08), (-0.54, 0.24)],
             look.colour)
    pen.line([(-0.6, 0.56), (0.6, 0.56)], 0.085, dark(look.colour))
    pen.line([(-0.6, 0.56), (0.6, 0.56)], 0.06, look.colour)
    for x, y, r in ((-0.4, 0.62, 0.09), (-0.26, 0.66, 0.08), (0.3, 0.63, 0.1), (0.44, 0.67, 0.07),
                    (0.14, 0.61, 0.06)):
        pen.ellipse(x, y, r, r, (236, 246, 252))
