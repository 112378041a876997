"""Birds, sea animals, reptiles and insects."""

# Points stay in rows: a sprite is read as a figure, not as a list.
# fmt: off

from penstock_tiny_models.draw.colours import COLOURS, Colour, dark, is_dark, light, mix
from penstock_tiny_models.draw.pen import Pen
from penstock_tiny_models.draw.sprites.beasts import CREAM, INK, ROSE, WHITE, eye
from penstock_tiny_models.draw.sprites.sprite import Look, sprite

BEAK: Colour = (246, 160, 40)


def _feet(pen: Pen, xs: tuple[float, ...], top: float, size: float = 0.05) -> None:
    for x in xs:
        pen.line([(x, top), (x, 0.015)], 0.022, dark(BEAK, 0.15))
        for toe in (-size, 0, size):
            pen.line([(x, 0.03), (x + toe, 0.008)], 0.016, dark(BEAK, 0.15))


@sprite(top=(0.1, 0.6), head=(0.24, 0.64, 0.22), eyes=(0.28, 0.52, 0.18), neck=(0.16, 0.36, 0.24),
        hand=(0.46, 0.48), hip=(0, 0.02))
def bird(pen: Pen, look: Look) -> None:
    coat = look.colour
    pen.blob([(-0.28, 0.3), (-0.46, 0.26), (-0.47, 0.36), (-0.26, 0.42)], dark(coat, 0.3))
    _feet(pen, (-0.02, 0.08), 0.14)
    pen.blob([(-0.34, 0.34), (-0.2, 0.44), (0.0, 0.5), (0.12, 0.62), (0.27, 0.64), (0.37, 0.54),
              (0.35, 0.4), (0.26, 0.2), (0.06, 0.1), (-0.16, 0.16)], coat)
    pen.blob([(0.34, 0.4), (0.24, 0.2), (0.06, 0.11), (0.08, 0.24), (0.2, 0.38)],
             light(coat, 0.55), edge=False)
    pen.polygon([(0.35, 0.55), (0.35, 0.46), (0.48, 0.49)], BEAK)
    pen.blob([(0.08, 0.44), (-0.08, 0.46), (-0.3, 0.36), (-0.36, 0.26), (-0.14, 0.24),
              (0.06, 0.3)], dark(coat, 0.2))
    eye(pen, 0.27, 0.53, 0.026, coat)


@sprite(top=(0, 0.96), head=(0.02, 0.95, 0.26), eyes=(0.05, 0.83, 0.2), neck=(0, 0.66, 0.24),
        hand=(0.2, 0.78), hip=(0, 0.05))
def parrot(pen: Pen, look: Look) -> None:
    coat = look.colour
    pen.blob([(-0.06, 0.3), (0.04, 0.3), (-0.02, 0.02), (-0.12, 0.0), (-0.14, 0.06)],
             COLOURS["blue"] if look.natural else dark(coat, 0.35))
    _feet(pen, (-0.02, 0.08), 0.26)
    pen.ellipse(0.01, 0.48, 0.17, 0.29, coat)
    pen.blob([(0.12, 0.62), (0.16, 0.44), (0.08, 0.24), (0.02, 0.4)],
             COLOURS["yellow"] if look.natural else light(coat, 0.5), edge=False)
    pen.blob([(-0.1, 0.66), (0.02, 0.62), (0.0, 0.4), (-0.14, 0.18), (-0.19, 0.4)],
             COLOURS["blue"] if look.natural else dark(coat, 0.25))
    pen.ellipse(0.03, 0.81, 0.15, 0.145, COLOURS["red"] if look.natural else coat)
    pen.ellipse(0.08, 0.83, 0.06, 0.055, WHITE, edge=False)
    pen.blob([(0.15, 0.87), (0.24, 0.82), (0.23, 0.72), (0.18, 0.75), (0.13, 0.77)], INK)
    pen.dot(0.08, 0.835, 0.024, INK)


@sprite(seat=(-0.08, 0.42), top=(-0.1, 0.44), head=(0.24, 0.73, 0.24), eyes=(0.28, 0.62, 0.18),
        neck=(0.2, 0.4, 0.22), hand=(0.44, 0.55), hip=(0, 0.02))
def duck(pen: Pen, look: Look) -> None:
    coat = look.colour
    _feet(pen, (-0.06, 0.06), 0.1, 0.06)
    pen.blob([(-0.45, 0.42), (-0.34, 0.38), (-0.1, 0.42), (0.1, 0.42), (0.22, 0.46), (0.3, 0.3),
              (0.2, 0.12), (-0.04, 0.06), (-0.28, 0.12), (-0.4, 0.28)], coat)
    pen.blob([(0.06, 0.34), (-0.1, 0.37), (-0.3, 0.32), (-0.22, 0.2), (-0.04, 0.17)],
             dark(coat, 0.14))
    pen.ellipse(0.24, 0.58, 0.145, 0.14, coat)
    pen.blob([(0.35, 0.6), (0.46, 0.57), (0.45, 0.52), (0.34, 0.52)], BEAK)
    eye(pen, 0.28, 0.62, 0.024, coat)


@sprite(top=(-0.04, 0.56), head=(0.2, 0.82, 0.2), eyes=(0.24, 0.73, 0.16), neck=(0.16, 0.5, 0.2),
        hand=(0.37, 0.7), hip=(0, 0.05))
def chicken(pen: Pen, look: Look) -> None:
    coat, comb = look.colour, (214, 40, 46)
    _feet(pen, (-0.05, 0.07), 0.16, 0.06)
    for x, y in ((-0.42, 0.6), (-0.44, 0.5), (-0.4, 0.4)):
        pen.ellipse(x + 0.07, y, 0.1, 0.06, dark(coat, 0.18), degrees=-25)
    pen.blob([(-0.36, 0.54), (-0.22, 0.46), (-0.04, 0.48), (0.08, 0.7), (0.2, 0.82), (0.3, 0.74),
              (0.28, 0.5), (0.22, 0.26), (0.04, 0.14), (-0.18, 0.16), (-0.32, 0.3)], coat)
    pen.blob([(0.02, 0.42), (-0.1, 0.42), (-0.24, 0.34), (-0.1, 0.24), (0.04, 0.28)],
             dark(coat, 0.14))
    for x, y in ((0.13, 0.82), (0.2, 0.86), (0.27, 0.82)):
        pen.ellipse(x, y, 0.045, 0.05, comb)
    pen.polygon([(0.29, 0.73), (0.29, 0.65), (0.39, 0.69)], BEAK)
    pen.ellipse(0.29, 0.6, 0.03, 0.05, comb)
    eye(pen, 0.23, 0.73, 0.022, coat)


@sprite(top=(0, 0.96), head=(0, 0.95, 0.3), eyes=(0, 0.8, 0.24), neck=(0, 0.62, 0.3),
        hand=(0.28, 0.46), hip=(0, 0.06))
def penguin(pen: Pen, look: Look) -> None:
    coat = look.colour
    for side in (-1, 1):
        pen.ellipse(0.1 * side, 0.035, 0.1, 0.04, BEAK)
        pen.ellipse(0.24 * side, 0.42, 0.06, 0.19, coat, degrees=18 * side)
    pen.blob([(0, 0.98), (0.16, 0.9), (0.19, 0.74), (0.24, 0.5), (0.25, 0.26), (0.16, 0.06),
              (-0.16, 0.06), (-0.25, 0.26), (-0.24, 0.5), (-0.19, 0.74), (-0.16, 0.9)], coat)
    belly = WHITE if not (coat[0] > 230 and coat[1] > 230) else (206, 214, 224)
    pen.blob([(0, 0.62), (0.14, 0.56), (0.18, 0.3), (0.1, 0.1), (-0.1, 0.1), (-0.18, 0.3),
              (-0.14, 0.56)], belly, edge=False)
    for side in (-1, 1):
        pen.ellipse(0.07 * side, 0.78, 0.085, 0.105, belly, edge=False)
    for side in (-1, 1):
        eye(pen, 0.06 * side, 0.81, 0.024)
    pen.polygon([(-0.06, 0.76), (0.06, 0.76), (0, 0.67)], BEAK)


@sprite(top=(0, 0.9), head=(0, 0.88, 0.34), eyes=(0, 0.7, 0.3), neck=(0, 0.48, 0.34),
        hand=(0.22, 0.24), hip=(0, 0.05))
def owl(pen: Pen, look: Look) -> None:
    coat = look.colour
    for side in (-1, 1):
        pen.polygon([(0.06 * side, 0.84), (0.22 * side, 0.96), (0.24 * side, 0.76)], coat)
    pen.blob([(0, 0.86), (0.2, 0.82), (0.27, 0.62), (0.26, 0.3), (0.14, 0.06), (-0.14, 0.06),
              (-0.26, 0.3), (-0.27, 0.62), (-0.2, 0.82)], coat)
    pen.ellipse(0, 0.3, 0.17, 0.22, light(coat, 0.5), edge=False)
    for y, xs in ((0.42, (-0.07, 0.0, 0.07)), (0.33, (-0.1, -0.035, 0.035, 0.1)),
                  (0.24, (-0.07, 0.0, 0.07)), (0.16, (-0.035, 0.035))):
        for x in xs:
            pen.arc(x, y, 0.028, 0.028, 180, 360, 0.013, dark(coat, 0.2))
    for side in (-1, 1):
        pen.ellipse(0.25 * side, 0.38, 0.06, 0.2, dark(coat, 0.25), degrees=8 * side)
        pen.ellipse(0.11 * side, 0.68, 0.125, 0.125, light(coat, 0.6))
        pen.ellipse(0.1 * side, 0.68, 0.075, 0.075, (250, 200, 60))
        pen.dot(0.095 * side, 0.68, 0.042, INK)
        pen.dot(0.095 * side + 0.014, 0.7, 0.013, WHITE)
        for toe in (0.04, 0.08, 0.12):
            pen.ellipse(toe * side, 0.045, 0.02, 0.04, BEAK)
    pen.polygon([(-0.04, 0.63), (0.04, 0.63), (0, 0.54)], BEAK)


@sprite(seat=(0, 0.52), top=(0, 0.52), head=(0.26, 0.48, 0.2), eyes=(0.3, 0.37, 0.18),
        neck=(0.16, 0.2, 0.2), hand=(0.46, 0.26), hip=(0, 0.05))
def fish(pen: Pen, look: Look) -> None:
    coat, fin = look.colour, dark(look.colour, 0.22)
    pen.blob([(-0.06, 0.48), (0.04, 0.6), (0.2, 0.56), (0.18, 0.46)], fin)
    pen.blob([(0.0, 0.14), (0.04, 0.02), (0.16, 0.08), (0.14, 0.16)], fin)
    pen.blob([(-0.26, 0.32), (-0.4, 0.5), (-0.5, 0.52), (-0.44, 0.3), (-0.5, 0.08), (-0.4, 0.1)],
             fin)
    pen.blob([(-0.32, 0.3), (-0.12, 0.46), (0.12, 0.52), (0.34, 0.44), (0.47, 0.3), (0.34, 0.16),
              (0.12, 0.08), (-0.12, 0.14)], coat)
    pen.blob([(0.3, 0.17), (0.12, 0.09), (-0.12, 0.15), (0.1, 0.2)], light(coat, 0.5), edge=False)
    for x in (-0.14, -0.02, 0.1):
        for y in (0.24, 0.34):
            pen.arc(x, y, 0.05, 0.05, 90, 270, 0.014, fin)
    pen.blob([(0.1, 0.28), (-0.02, 0.2), (0.0, 0.32)], fin)
    pen.ellipse(0.31, 0.35, 0.05, 0.05, WHITE)
    pen.dot(0.325, 0.35, 0.026, INK)
    pen.arc(0.42, 0.23, 0.05, 0.035, 110, 250, 0.013, dark(coat, 0.6))


@sprite(seat=(0.0, 0.42), top=(0, 0.42), head=(0.36, 0.4, 0.22), eyes=(0.42, 0.3, 0.16),
        neck=(0.2, 0.2, 0.22), hand=(0.54, 0.22), hip=(0, 0.1))
def shark(pen: Pen, look: Look) -> None:
    coat = look.colour
    pen.polygon([(-0.12, 0.36), (-0.06, 0.6), (0.12, 0.38)], coat)
    pen.blob([(-0.44, 0.28), (-0.56, 0.5), (-0.6, 0.52), (-0.53, 0.26), (-0.58, 0.06), (-0.52,
                                                                                        0.08)],
             coat)
    pen.blob([(-0.5, 0.28), (-0.26, 0.34), (0.04, 0.42), (0.34, 0.4), (0.6, 0.28), (0.44, 0.16),
              (0.1, 0.1), (-0.24, 0.18)], coat)
    pen.blob([(0.58, 0.27), (0.44, 0.17), (0.1, 0.11), (-0.2, 0.19), (0.1, 0.22), (0.4, 0.24)],
             WHITE, edge=False)
    pen.polygon([(0.06, 0.18), (-0.1, 0.0), (0.2, 0.14)], dark(coat, 0.2))
    for x in (0.2, 0.24, 0.28):
        pen.line([(x, 0.34), (x - 0.02, 0.24)], 0.013, dark(coat, 0.5))
    pen.blob([(0.36, 0.2), (0.53, 0.24), (0.46, 0.16), (0.38, 0.15)], (120, 40, 50))
    for x in (0.4, 0.44, 0.48):
        pen.polygon([(x - 0.018, 0.215), (x + 0.018, 0.225), (x, 0.185)], WHITE, edge=False)
    eye(pen, 0.42, 0.31, 0.022, coat)


@sprite(seat=(0.0, 0.58), top=(0, 0.58), head=(0.3, 0.52, 0.26), eyes=(0.4, 0.34, 0.16),
        neck=(0.1, 0.2, 0.3), hand=(0.56, 0.2), hip=(0, 0.1))
def whale(pen: Pen, look: Look) -> None:
    coat = look.colour
    water = (120, 190, 236)
    for side in (-1, 1):
        pen.line([(0.22, 0.58), (0.22 + 0.05 * side, 0.72), (0.22 + 0.13 * side, 0.7)], 0.028,
                 water, smooth=True)
    pen.line([(0.22, 0.56), (0.22, 0.66)], 0.03, water)
    pen.blob([(-0.46, 0.44), (-0.62, 0.66), (-0.5, 0.7), (-0.43, 0.6), (-0.34, 0.7), (-0.24, 0.64),
              (-0.38, 0.44)], coat)
    pen.blob([(-0.48, 0.5), (-0.34, 0.36), (-0.14, 0.5), (0.14, 0.58), (0.42, 0.52), (0.58, 0.34),
              (0.55, 0.14), (0.36, 0.04), (0.0, 0.02), (-0.32, 0.12), (-0.46, 0.32)], coat)
    pen.blob([(0.57, 0.24), (0.54, 0.13), (0.36, 0.05), (0.0, 0.03), (-0.26, 0.11), (0.0, 0.16),
              (0.3, 0.2)], light(coat, 0.65), edge=False)
    for x in (0.04, 0.16, 0.28, 0.4):
        pen.line([(x, 0.155), (x - 0.03, 0.05)], 0.012, dark(coat, 0.1))
    pen.blob([(0.14, 0.2), (0.0, 0.08), (-0.06, 0.1), (0.02, 0.24)], dark(coat, 0.2))
    eye(pen, 0.4, 0.32, 0.026, coat)
    pen.arc(0.5, 0.28, 0.07, 0.05, 200, 300, 0.013, dark(coat, 0.6))


@sprite(seat=(0.0, 0.52), top=(0, 0.52), head=(0.32, 0.5, 0.22), eyes=(0.38, 0.38, 0.16),
        neck=(0.18, 0.26, 0.22), hand=(0.56, 0.28), hip=(0, 0.1))
def dolphin(pen: Pen, look: Look) -> None:
    coat = look.colour
    pen.polygon([(-0.08, 0.46), (-0.12, 0.66), (0.1, 0.5)], dark(coat, 0.2))
    pen.blob([(-0.4, 0.18), (-0.56, 0.22), (-0.55, 0.12), (-0.47, 0.08), (-0.5, 0.0), (-0.38,
                                                                                       0.02)],
             dark(coat, 0.15))
    pen.blob([(-0.46, 0.08), (-0.3, 0.3), (-0.06, 0.48), (0.2, 0.52), (0.38, 0.44), (0.46, 0.34),
              (0.57, 0.3), (0.56, 0.25), (0.42, 0.25), (0.2, 0.22), (-0.06, 0.2), (-0.28, 0.1)],
             coat)
    pen.blob([(0.54, 0.255), (0.42, 0.255), (0.2, 0.225), (-0.06, 0.205), (0.1, 0.29), (0.34, 0.3)],
             WHITE, edge=False)
    pen.polygon([(0.12, 0.24), (0.0, 0.06), (0.22, 0.22)], dark(coat, 0.2))
    eye(pen, 0.37, 0.38, 0.022, coat)


@sprite(top=(0, 0.9), head=(0, 0.86, 0.36), eyes=(0, 0.6, 0.3), neck=(0, 0.42, 0.3),
        hand=(0.44, 0.34), hip=(0, 0.05))
def octopus(pen: Pen, look: Look) -> None:
    coat = look.colour
    for i, x in enumerate((-0.22, 0.22, -0.16, 0.16, -0.08, 0.08)):
        side = -1 if x < 0 else 1
        reach = (0.44, 0.36, 0.2)[i // 2]
        tip = (0.34, 0.04, 0.02)[i // 2]
        pen.limb([(x, 0.4), (x + 0.08 * side, 0.16), (reach * side, 0.08), ((reach + 0.01) * side,
                                                                            tip)],
                 0.075, dark(coat, 0.1) if i < 2 else coat)
    pen.blob([(0, 0.9), (0.24, 0.8), (0.28, 0.58), (0.2, 0.36), (0.0, 0.32), (-0.2, 0.36),
              (-0.28, 0.58), (-0.24, 0.8)], coat)
    for x, y, r in ((-0.14, 0.78, 0.03), (0.1, 0.8, 0.04), (0.0, 0.85, 0.02)):
        pen.dot(x, y, r, light(coat, 0.35))
    for side in (-1, 1):
        pen.ellipse(0.1 * side, 0.6, 0.065, 0.075, WHITE)
        pen.dot(0.095 * side, 0.59, 0.036, INK)
    pen.arc(0, 0.48, 0.06, 0.04, 200, 340, 0.014, dark(coat, 0.7))


@sprite(top=(0, 0.5), head=(0, 0.5, 0.3), eyes=(0, 0.58, 0.3), neck=(0, 0.2, 0.3),
        hand=(0.5, 0.52), hip=(0, 0.05))
def crab(pen: Pen, look: Look) -> None:
    coat = look.colour
    for side in (-1, 1):
        for x, y in ((0.44, 0.16), (0.4, 0.06), (0.32, 0.01)):
            pen.limb([(0.22 * side, 0.22), (0.36 * side, y + 0.12), (x * side, y)], 0.04,
                     dark(coat, 0.15), smooth=False)
        pen.limb([(0.26 * side, 0.3), (0.42 * side, 0.36), (0.44 * side, 0.46)], 0.06, coat)
        pen.ellipse(0.44 * side, 0.53, 0.11, 0.1, coat)
        pen.line([(0.44 * side, 0.54), (0.42 * side, 0.64)], 0.03, dark(coat, 0.6))
        pen.line([(0.1 * side, 0.4), (0.1 * side, 0.54)], 0.025, dark(coat))
        pen.ellipse(0.1 * side, 0.57, 0.045, 0.045, WHITE)
        pen.dot(0.1 * side, 0.575, 0.022, INK)
    pen.ellipse(0, 0.28, 0.32, 0.2, coat)
    pen.arc(0, 0.25, 0.09, 0.05, 200, 340, 0.016, dark(coat, 0.7))


@sprite(seat=(-0.06, 0.54), top=(-0.06, 0.56), head=(0.43, 0.44, 0.18), eyes=(0.46, 0.36, 0.14),
        neck=(0.36, 0.2, 0.14), hand=(0.55, 0.28), hip=(0, 0.05))
def turtle(pen: Pen, look: Look) -> None:
    skin = light(look.colour, 0.3)
    shell = dark(look.colour, 0.2)
    pen.polygon([(-0.4, 0.16), (-0.55, 0.1), (-0.4, 0.1)], skin)
    for x in (-0.3, 0.2):
        pen.blob([(x - 0.07, 0.2), (x + 0.08, 0.2), (x + 0.1, 0.02), (x - 0.05, 0.0)], skin)
    pen.limb([(0.28, 0.18), (0.4, 0.26)], 0.12, skin)
    pen.ellipse(0.44, 0.32, 0.11, 0.1, skin)
    pen.blob([(-0.44, 0.14), (-0.4, 0.34), (-0.24, 0.5), (-0.04, 0.56), (0.16, 0.5), (0.3, 0.34),
              (0.34, 0.14), (-0.05, 0.1)], shell)
    for x, y, r in ((-0.06, 0.38, 0.11), (-0.26, 0.3, 0.075), (0.14, 0.3, 0.075)):
        pen.polygon([(x - r, y), (x - r / 2, y + r), (x + r / 2, y + r), (x + r, y),
                     (x + r / 2, y - r), (x - r / 2, y - r)], light(shell, 0.25), edge=False)
    pen.line([(-0.44, 0.14), (-0.05, 0.1), (0.34, 0.14)], 0.045, dark(shell, 0.3), smooth=True)
    eye(pen, 0.47, 0.35, 0.02)
    pen.arc(0.5, 0.29, 0.04, 0.025, 190, 310, 0.012, dark(skin, 0.6))


@sprite(top=(0, 0.6), head=(0, 0.6, 0.3), eyes=(0, 0.58, 0.36), neck=(0, 0.24, 0.3),
        hand=(0.3, 0.24), hip=(0, 0.04))
def frog(pen: Pen, look: Look) -> None:
    skin = look.colour
    for side in (-1, 1):
        pen.ellipse(0.28 * side, 0.16, 0.14, 0.13, dark(skin, 0.12), degrees=20 * side)
        pen.ellipse(0.33 * side, 0.035, 0.11, 0.035, skin)
    pen.ellipse(0, 0.22, 0.25, 0.2, skin)
    pen.ellipse(0, 0.17, 0.16, 0.13, light(skin, 0.6), edge=False)
    for side in (-1, 1):
        pen.limb([(0.13 * side, 0.22), (0.14 * side, 0.05)], 0.065, skin)
        pen.ellipse(0.16 * side, 0.03, 0.075, 0.03, skin)
        pen.ellipse(0.15 * side, 0.57, 0.1, 0.1, skin)
    pen.ellipse(0, 0.43, 0.27, 0.17, skin)
    for side in (-1, 1):
        pen.ellipse(0.15 * side, 0.58, 0.062, 0.062, WHITE, edge=False)
        pen.dot(0.15 * side, 0.58, 0.034, INK)
        pen.ellipse(0.2 * side, 0.4, 0.035, 0.025, ROSE, edge=False, alpha=160)
        pen.dot(0.03 * side, 0.48, 0.01, dark(skin, 0.6))
    pen.arc(0, 0.43, 0.17, 0.08, 195, 345, 0.016, dark(skin, 0.6))


@sprite(top=(0.38, 0.6), head=(0.4, 0.58, 0.18), eyes=(0.43, 0.51, 0.14), neck=(0.34, 0.3, 0.14),
        hand=(0.56, 0.42), hip=(0, 0.03))
def snake(pen: Pen, look: Look) -> None:
    skin = look.colour
    path = [(-0.54, 0.08), (-0.4, 0.05), (-0.28, 0.2), (-0.14, 0.08), (0.02, 0.07), (0.16, 0.22),
            (0.28, 0.1), (0.38, 0.14), (0.32, 0.34), (0.38, 0.48)]
    pen.limb(path, 0.11, skin)
    for x, y in ((-0.34, 0.13), (-0.21, 0.15), (-0.06, 0.08), (0.09, 0.14), (0.22, 0.17),
                 (0.35, 0.2), (0.335, 0.34)):
        pen.dot(x, y, 0.032, COLOURS["yellow"] if look.natural else light(skin, 0.5))
    pen.line([(0.5, 0.45), (0.58, 0.44)], 0.016, (214, 40, 60))
    pen.line([(0.58, 0.44), (0.61, 0.47)], 0.012, (214, 40, 60))
    pen.line([(0.58, 0.44), (0.61, 0.41)], 0.012, (214, 40, 60))
    pen.ellipse(0.42, 0.49, 0.11, 0.08, skin)
    eye(pen, 0.44, 0.52, 0.022, skin)


@sprite(seat=(-0.08, 0.62), top=(-0.08, 0.64), head=(0.4, 0.56, 0.14), eyes=(0.42, 0.64, 0.18),
        neck=(0.36, 0.26, 0.14), hand=(0.5, 0.36), hip=(0, 0.04))
def snail(pen: Pen, look: Look) -> None:
    shell = look.colour
    flesh: Colour = (226, 196, 140)
    for x in (0.38, 0.47):
        pen.line([(x - 0.02, 0.42), (x, 0.6)], 0.025, dark(flesh, 0.1))
        pen.ellipse(x, 0.62, 0.035, 0.035, WHITE)
        pen.dot(x + 0.008, 0.62, 0.017, INK)
    pen.blob([(-0.52, 0.01), (-0.3, 0.12), (0.1, 0.14), (0.26, 0.22), (0.32, 0.4), (0.42, 0.46),
              (0.51, 0.36), (0.48, 0.16), (0.36, 0.02), (0.0, 0.0)], flesh)
    pen.ellipse(-0.08, 0.36, 0.29, 0.28, shell)
    pen.line([(-0.08, 0.36), (0.0, 0.36), (0.0, 0.46), (-0.12, 0.48), (-0.2, 0.36), (-0.12, 0.22),
              (0.06, 0.22), (0.12, 0.38)], 0.036, dark(shell, 0.45), smooth=True)
    pen.arc(0.47, 0.34, 0.04, 0.03, 200, 320, 0.013, dark(flesh, 0.6))


@sprite(top=(0, 0.7), head=(0, 0.72, 0.14), eyes=(0, 0.68, 0.12), neck=(0, 0.56, 0.1),
        hand=(0.1, 0.4), hip=(0, 0.3))
def butterfly(pen: Pen, look: Look) -> None:
    wing, spot = look.colour, light(look.colour, 0.55)
    for side in (-1, 1):
        pen.blob([(0.03 * side, 0.5), (0.2 * side, 0.8), (0.46 * side, 0.82), (0.48 * side, 0.58),
                  (0.3 * side, 0.42)], wing)
        pen.blob([(0.03 * side, 0.44), (0.26 * side, 0.42), (0.36 * side, 0.24), (0.26 * side,
                                                                                  0.06),
                  (0.1 * side, 0.16)], dark(wing, 0.15))
        pen.ellipse(0.32 * side, 0.66, 0.085, 0.085, spot, edge=False)
        pen.ellipse(0.22 * side, 0.25, 0.055, 0.06, spot, edge=False)
        pen.dot(0.42 * side, 0.74, 0.025, WHITE)
        pen.line([(0.01 * side, 0.7), (0.07 * side, 0.84), (0.13 * side, 0.86)], 0.014, INK,
                 smooth=True)
    pen.ellipse(0, 0.44, 0.04, 0.24, (70, 50, 50))
    pen.ellipse(0, 0.69, 0.055, 0.055, (70, 50, 50))


@sprite(seat=(-0.06, 0.5), top=(-0.06, 0.52), head=(0.28, 0.5, 0.2), eyes=(0.32, 0.4, 0.16),
        neck=(0.2, 0.24, 0.18), hand=(0.4, 0.2), hip=(0, 0.04))
def bee(pen: Pen, look: Look) -> None:
    coat = look.colour
    stripe = INK if not is_dark(coat) else COLOURS["yellow"]
    pen.polygon([(-0.4, 0.32), (-0.48, 0.3), (-0.4, 0.27)], stripe)
    pen.ellipse(-0.14, 0.6, 0.12, 0.2, (214, 236, 250), degrees=28)
    pen.ellipse(0.04, 0.62, 0.12, 0.2, (228, 244, 252), degrees=-12)
    pen.ellipse(-0.08, 0.3, 0.33, 0.22, coat)
    for x, h in ((-0.28, 0.15), (-0.14, 0.21), (0.0, 0.21), (0.13, 0.17)):
        pen.line([(x, 0.3 + h * 0.9), (x - 0.02, 0.3), (x, 0.3 - h * 0.9)], 0.055, stripe,
                 smooth=True)
    pen.ellipse(0.28, 0.34, 0.155, 0.155, coat)
    for x, y in ((0.34, 0.6), (0.46, 0.56)):
        pen.line([(x - 0.06, 0.46), (x, y)], 0.016, INK)
        pen.dot(x, y, 0.026, INK)
    eye(pen, 0.33, 0.38, 0.03, coat)
    pen.arc(0.33, 0.3, 0.06, 0.04, 210, 330, 0.014, dark(coat, 0.8))
    pen.ellipse(0.24, 0.3, 0.035, 0.025, mix(ROSE, CREAM, 0.2), edge=False)
