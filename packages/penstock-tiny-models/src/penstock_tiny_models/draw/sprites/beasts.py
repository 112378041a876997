"""Animals that walk on four legs, seen from the side, looking to the right."""

# Points stay in rows: a sprite is read as a figure, not as a list.
# fmt: off

from collections.abc import Sequence
from math import cos, pi, sin

from penstock_tiny_models.draw.colours import COLOURS, Colour, dark, is_dark, light, mix
from penstock_tiny_models.draw.pen import Pen, Point
from penstock_tiny_models.draw.sprites.sprite import Look, sprite

INK: Colour = (38, 34, 44)
WHITE: Colour = (250, 250, 248)
ROSE: Colour = (240, 160, 160)
CREAM: Colour = (250, 232, 200)
HOOF: Colour = (70, 58, 52)


def legs(
    pen: Pen,
    xs: Sequence[float],
    top: float,
    width: float,
    coat: Colour,
    foot: Colour,
    far: bool = False,
) -> None:
    """Straight legs that end in a hoof or a paw; the far ones are darker and a bit higher."""
    colour = dark(coat, 0.25) if far else coat
    lift = 0.025 if far else 0.0
    for x in xs:
        pen.limb([(x, top), (x + 0.008, 0.05 + lift)], width, colour)
        pen.box(x - width * 0.52, lift, x + width * 0.68, lift + 0.055, foot, corner=0.02)


def paws(pen: Pen, xs: Sequence[float], top: float, width: float, coat: Colour, far: bool = False
         ) -> None:
    colour = dark(coat, 0.25) if far else coat
    lift = 0.02 if far else 0.0
    for x in xs:
        pen.limb([(x, top), (x, 0.06 + lift)], width, colour)
        pen.ellipse(x + width * 0.2, 0.035 + lift, width * 0.72, 0.037, colour)


def eye(pen: Pen, x: float, y: float, size: float = 0.02, coat: Colour = WHITE) -> None:
    if is_dark(coat):
        pen.dot(x, y, size * 1.5, WHITE)
    pen.dot(x, y, size, INK)
    pen.dot(x + size * 0.3, y + size * 0.35, size * 0.35, WHITE)


def _horse_body(pen: Pen, coat: Colour, mane: Colour, stripes: bool = False) -> None:
    pen.limb([(-0.42, 0.62), (-0.54, 0.56), (-0.55, 0.36), (-0.5, 0.24)], 0.09, mane)
    legs(pen, (-0.25, 0.3), 0.45, 0.085, coat, HOOF, far=True)
    pen.blob(
        [(-0.44, 0.6), (-0.36, 0.68), (-0.1, 0.65), (0.12, 0.66), (0.27, 0.8), (0.36, 0.96),
         (0.43, 0.98), (0.5, 0.88), (0.57, 0.76), (0.55, 0.69), (0.48, 0.69), (0.42, 0.76),
         (0.39, 0.62), (0.33, 0.47), (0.22, 0.4), (0.0, 0.37), (-0.22, 0.38), (-0.38, 0.42),
         (-0.45, 0.5)],
        coat,
    )
    legs(pen, (-0.36, 0.2), 0.46, 0.09, coat, HOOF)
    pen.ellipse(-0.33, 0.5, 0.105, 0.12, coat, edge=False)
    pen.ellipse(0.2, 0.5, 0.1, 0.1, coat, edge=False)
    if stripes:
        _stripes(pen)
    pen.polygon([(0.36, 0.95), (0.375, 1.05), (0.43, 0.965)], coat)
    pen.blob(
        [(0.4, 1.0), (0.33, 0.99), (0.24, 0.87), (0.13, 0.7), (0.14, 0.62), (0.22, 0.68),
         (0.25, 0.72), (0.27, 0.7), (0.3, 0.82), (0.34, 0.88), (0.38, 0.92)],
        mane,
    )
    eye(pen, 0.44, 0.88, 0.02, coat)
    pen.dot(0.545, 0.735, 0.012, dark(coat, 0.7))
    pen.line([(0.56, 0.7), (0.5, 0.705)], 0.01, dark(coat, 0.6))


def _stripes(pen: Pen) -> None:
    for x in (-0.36, -0.26, -0.16, -0.06, 0.04, 0.14):
        pen.line([(x, 0.65), (x + 0.02, 0.55), (x, 0.44)], 0.03, INK, smooth=True)
    for x, y in ((0.24, 0.72), (0.29, 0.62), (0.31, 0.82)):
        pen.line([(x, y), (x + 0.07, y - 0.05)], 0.026, INK)
    for x in (-0.36, 0.2):
        for y in (0.34, 0.26, 0.18):
            pen.line([(x - 0.035, y), (x + 0.045, y)], 0.024, INK)
    pen.line([(0.46, 0.95), (0.42, 0.82)], 0.02, INK)
    pen.blob([(0.5, 0.69), (0.55, 0.7), (0.565, 0.76), (0.52, 0.77)], INK, edge=False)


_HORSE = {"seat": (-0.03, 0.66), "head": (0.43, 0.97, 0.2), "eyes": (0.45, 0.875, 0.2),
          "neck": (0.3, 0.72, 0.24), "hand": (0.57, 0.71), "hip": (0, 0.1), "top": (-0.06, 0.65)}


def _mane_of(coat: Colour) -> Colour:
    return light(coat, 0.35) if is_dark(coat) else dark(coat, 0.55)


@sprite(**_HORSE)
def horse(pen: Pen, look: Look) -> None:
    _horse_body(pen, look.colour, _mane_of(look.colour))


@sprite(**_HORSE)
def zebra(pen: Pen, look: Look) -> None:
    _horse_body(pen, look.colour, INK, stripes=True)


@sprite(**_HORSE)
def unicorn(pen: Pen, look: Look) -> None:
    _horse_body(pen, look.colour, look.second((226, 132, 208)))
    pen.polygon([(0.42, 0.97), (0.47, 0.94), (0.54, 1.14)], COLOURS["gold"])
    pen.line([(0.45, 0.99), (0.49, 0.98)], 0.012, WHITE)
    pen.line([(0.475, 1.04), (0.505, 1.03)], 0.01, WHITE)


@sprite(seat=(-0.05, 0.62), top=(-0.05, 0.62), head=(0.43, 0.74, 0.22), eyes=(0.45, 0.64, 0.2),
        neck=(0.31, 0.56, 0.26), hand=(0.55, 0.5), hip=(0, 0.1))
def cow(pen: Pen, look: Look) -> None:
    coat = look.colour
    patch = dark(coat, 0.3) if not look.natural else (60, 50, 50)
    pen.line([(-0.46, 0.58), (-0.54, 0.5), (-0.53, 0.3)], 0.03, dark(coat, 0.4), smooth=True)
    pen.ellipse(-0.53, 0.27, 0.03, 0.05, patch)
    legs(pen, (-0.28, 0.28), 0.32, 0.09, coat, HOOF, far=True)
    pen.ellipse(-0.14, 0.27, 0.1, 0.07, ROSE)
    pen.blob([(-0.47, 0.57), (-0.4, 0.64), (0.0, 0.62), (0.3, 0.63), (0.38, 0.5), (0.3, 0.32),
              (0.0, 0.27), (-0.36, 0.29), (-0.48, 0.4)], coat)
    legs(pen, (-0.38, 0.19), 0.34, 0.095, coat, HOOF)
    pen.blob([(-0.3, 0.6), (-0.12, 0.6), (-0.08, 0.48), (-0.22, 0.4), (-0.34, 0.48)], patch,
             edge=False)
    pen.blob([(0.08, 0.58), (0.22, 0.55), (0.18, 0.42), (0.06, 0.44)], patch, edge=False)
    pen.line([(0.38, 0.74), (0.34, 0.82)], 0.035, CREAM)
    pen.line([(0.48, 0.74), (0.52, 0.82)], 0.035, CREAM)
    pen.ellipse(0.32, 0.69, 0.065, 0.032, coat, degrees=-25)
    pen.ellipse(0.55, 0.7, 0.06, 0.03, coat, degrees=25)
    pen.blob([(0.35, 0.74), (0.51, 0.74), (0.54, 0.6), (0.52, 0.5), (0.37, 0.5), (0.34, 0.6)], coat)
    pen.ellipse(0.45, 0.5, 0.105, 0.065, ROSE)
    pen.dot(0.42, 0.51, 0.014, dark(ROSE, 0.6))
    pen.dot(0.49, 0.51, 0.014, dark(ROSE, 0.6))
    eye(pen, 0.4, 0.64, 0.018, coat)
    eye(pen, 0.49, 0.64, 0.018, coat)


@sprite(seat=(-0.05, 0.58), top=(-0.05, 0.58), head=(0.33, 0.6, 0.26), eyes=(0.36, 0.48, 0.2),
        neck=(0.2, 0.4, 0.3), hand=(0.5, 0.36), hip=(0, 0.08))
def pig(pen: Pen, look: Look) -> None:
    coat = look.colour
    pen.arc(-0.5, 0.42, 0.055, 0.055, 0, 300, 0.022, dark(coat))
    legs(pen, (-0.24, 0.22), 0.2, 0.1, coat, dark(coat, 0.5), far=True)
    pen.ellipse(-0.06, 0.34, 0.42, 0.245, coat)
    legs(pen, (-0.32, 0.13), 0.2, 0.11, coat, dark(coat, 0.5))
    pen.ellipse(0.33, 0.42, 0.165, 0.165, coat)
    pen.polygon([(0.2, 0.53), (0.22, 0.66), (0.32, 0.58)], dark(coat, 0.12))
    pen.polygon([(0.36, 0.58), (0.45, 0.66), (0.46, 0.53)], dark(coat, 0.12))
    pen.ellipse(0.43, 0.39, 0.075, 0.06, dark(coat, 0.16))
    pen.dot(0.41, 0.39, 0.014, dark(coat, 0.65))
    pen.dot(0.455, 0.39, 0.014, dark(coat, 0.65))
    eye(pen, 0.31, 0.47, 0.02, coat)
    eye(pen, 0.42, 0.48, 0.018, coat)


@sprite(seat=(-0.06, 0.62), top=(-0.06, 0.64), head=(0.36, 0.68, 0.22), eyes=(0.39, 0.56, 0.18),
        neck=(0.24, 0.46, 0.26), hand=(0.5, 0.46), hip=(0, 0.08))
def sheep(pen: Pen, look: Look) -> None:
    wool, skin = look.colour, (84, 74, 78)
    legs(pen, (-0.22, 0.16), 0.24, 0.07, skin, INK, far=True)
    legs(pen, (-0.3, 0.08), 0.24, 0.075, skin, INK)
    puffs = ((-0.4, 0.4), (-0.33, 0.54), (-0.16, 0.6), (0.03, 0.6), (0.17, 0.52), (0.22, 0.38),
             (0.12, 0.27), (-0.06, 0.23), (-0.26, 0.26))
    for x, y in puffs:
        pen.ellipse(x, y, 0.115, 0.105, wool)
    pen.ellipse(-0.09, 0.41, 0.31, 0.19, wool, edge=False)
    pen.ellipse(0.24, 0.56, 0.07, 0.03, skin, degrees=25)
    pen.blob([(0.27, 0.64), (0.42, 0.64), (0.5, 0.5), (0.46, 0.4), (0.34, 0.44), (0.27, 0.54)],
             skin)
    for x in (0.26, 0.33, 0.4):
        pen.ellipse(x, 0.66, 0.06, 0.05, wool)
    pen.dot(0.4, 0.56, 0.026, WHITE)
    pen.dot(0.405, 0.56, 0.014, INK)


@sprite(seat=(-0.1, 0.5), top=(-0.1, 0.5), head=(0.32, 0.84, 0.26), eyes=(0.36, 0.71, 0.2),
        neck=(0.22, 0.5, 0.24), hand=(0.5, 0.6), hip=(0, 0.1))
def dog(pen: Pen, look: Look) -> None:
    coat = look.colour
    ear = light(coat, 0.3) if is_dark(coat) else dark(coat, 0.4)
    pen.limb([(-0.36, 0.44), (-0.46, 0.56), (-0.45, 0.7)], 0.065, coat)
    paws(pen, (-0.22, 0.24), 0.28, 0.09, coat, far=True)
    pen.blob([(-0.4, 0.46), (-0.3, 0.53), (0.0, 0.5), (0.2, 0.6), (0.3, 0.5), (0.26, 0.32),
              (0.05, 0.25), (-0.3, 0.25), (-0.4, 0.34)], coat)
    paws(pen, (-0.33, 0.15), 0.3, 0.1, coat)
    pen.ellipse(0.29, 0.68, 0.165, 0.155, coat)
    pen.ellipse(0.43, 0.62, 0.1, 0.075, light(coat, 0.35))
    pen.ellipse(0.5, 0.66, 0.04, 0.032, INK)
    pen.arc(0.43, 0.6, 0.055, 0.035, 210, 330, 0.014, dark(coat, 0.7))
    pen.ellipse(0.44, 0.555, 0.03, 0.04, (232, 110, 120))
    pen.blob([(0.16, 0.82), (0.27, 0.8), (0.25, 0.64), (0.18, 0.52), (0.09, 0.56), (0.1, 0.7)],
             ear)
    eye(pen, 0.36, 0.73, 0.024, coat)
    pen.line([(0.15, 0.53), (0.31, 0.5)], 0.035, look.second(COLOURS["red"]))


@sprite(seat=(-0.1, 0.47), top=(-0.1, 0.47), head=(0.29, 0.83, 0.26), eyes=(0.29, 0.7, 0.24),
        neck=(0.24, 0.52, 0.24), hand=(0.37, 0.6), hip=(0, 0.1))
def cat(pen: Pen, look: Look) -> None:
    coat, mark = look.colour, dark(look.colour, 0.3)
    pen.limb([(-0.32, 0.4), (-0.44, 0.5), (-0.4, 0.7), (-0.46, 0.84)], 0.07, coat)
    paws(pen, (-0.2, 0.22), 0.24, 0.08, coat, far=True)
    pen.blob([(-0.37, 0.4), (-0.26, 0.49), (0.0, 0.46), (0.2, 0.52), (0.3, 0.42), (0.24, 0.26),
              (0.0, 0.22), (-0.28, 0.22), (-0.37, 0.3)], coat)
    for x in (-0.2, -0.1, 0.0):
        pen.line([(x, 0.465), (x + 0.01, 0.36)], 0.024, mark)
    paws(pen, (-0.3, 0.14), 0.26, 0.088, coat)
    for side in (-1, 1):
        x = 0.29 + 0.1 * side
        pen.polygon([(x - 0.07, 0.75), (x + 0.035 * side, 0.9), (x + 0.07, 0.75)], coat)
        pen.polygon([(x - 0.032, 0.78), (x + 0.03 * side, 0.86), (x + 0.035, 0.78)], ROSE,
                    edge=False)
    pen.ellipse(0.29, 0.66, 0.19, 0.155, coat)
    for x in (-0.035, 0.0, 0.035):
        pen.line([(0.29 + x, 0.805), (0.29 + x, 0.765)], 0.016, mark)
    for side in (-1, 1):
        pen.ellipse(0.29 + 0.08 * side, 0.68, 0.036, 0.042, (188, 226, 110), edge=False)
        pen.ellipse(0.29 + 0.08 * side, 0.68, 0.016, 0.036, INK, edge=False)
        for y in (0.6, 0.625):
            pen.line([(0.29 + 0.06 * side, 0.61), (0.29 + 0.24 * side, y)], 0.007,
                     WHITE if is_dark(coat) else INK)
    pen.polygon([(0.265, 0.635), (0.315, 0.635), (0.29, 0.605)], (226, 110, 120), edge=False)
    for side in (-1, 1):
        pen.arc(0.29 + 0.03 * side, 0.6, 0.03, 0.025, 180, 360, 0.01, dark(coat, 0.7))


@sprite(top=(0, 0.72), head=(0, 0.74, 0.3), eyes=(0, 0.6, 0.24), neck=(0, 0.42, 0.26),
        hand=(0.17, 0.34), hip=(0, 0.06))
def rabbit(pen: Pen, look: Look) -> None:
    fur = look.colour
    pen.ellipse(-0.25, 0.12, 0.085, 0.085, WHITE)
    for side in (-1, 1):
        pen.ellipse(0.08 * side, 0.84, 0.055, 0.17, fur, degrees=-9 * side)
        pen.ellipse(0.08 * side, 0.84, 0.028, 0.13, ROSE, edge=False, degrees=-9 * side)
    pen.ellipse(0, 0.22, 0.22, 0.22, fur)
    pen.ellipse(0, 0.2, 0.13, 0.15, light(fur, 0.5), edge=False)
    for side in (-1, 1):
        pen.ellipse(0.14 * side, 0.045, 0.1, 0.045, fur)
        pen.ellipse(0.13 * side, 0.33, 0.045, 0.08, fur, degrees=25 * side)
    pen.ellipse(0, 0.57, 0.2, 0.17, fur)
    for side in (-1, 1):
        eye(pen, 0.08 * side, 0.6, 0.026, fur)
        pen.ellipse(0.12 * side, 0.53, 0.03, 0.02, ROSE, edge=False, alpha=150)
    pen.ellipse(0, 0.545, 0.022, 0.016, (226, 110, 120), edge=False)
    pen.box(-0.028, 0.455, 0.028, 0.505, WHITE, edge=False)
    pen.line([(0, 0.5), (0, 0.46)], 0.006, (150, 150, 150))


@sprite(top=(-0.1, 0.42), head=(0.27, 0.44, 0.2), eyes=(0.32, 0.34, 0.16), neck=(0.16, 0.26, 0.2),
        hand=(0.48, 0.24), hip=(0, 0.04))
def mouse(pen: Pen, look: Look) -> None:
    fur = look.colour
    pen.line([(-0.3, 0.14), (-0.44, 0.1), (-0.44, 0.28), (-0.5, 0.34)], 0.028, ROSE, smooth=True)
    pen.blob([(-0.36, 0.12), (-0.3, 0.32), (-0.1, 0.43), (0.12, 0.42), (0.3, 0.4), (0.48, 0.22),
              (0.4, 0.12), (0.1, 0.05), (-0.26, 0.05)], fur)
    for x in (-0.2, 0.16):
        pen.ellipse(x, 0.035, 0.07, 0.032, ROSE)
    pen.ellipse(0.1, 0.45, 0.1, 0.11, dark(fur, 0.12))
    pen.ellipse(0.25, 0.46, 0.11, 0.12, fur)
    pen.ellipse(0.25, 0.46, 0.07, 0.08, ROSE, edge=False)
    eye(pen, 0.34, 0.3, 0.025, fur)
    pen.ellipse(0.48, 0.22, 0.03, 0.028, (226, 110, 120))
    for y in (0.14, 0.2):
        pen.line([(0.4, 0.2), (0.52, y)], 0.006, INK)


@sprite(seat=(-0.08, 0.44), top=(-0.08, 0.44), head=(0.35, 0.7, 0.24), eyes=(0.37, 0.57, 0.2),
        neck=(0.24, 0.42, 0.22), hand=(0.5, 0.46), hip=(0, 0.08))
def fox(pen: Pen, look: Look) -> None:
    coat, sock = look.colour, dark(look.colour, 0.75)
    pen.blob([(-0.3, 0.34), (-0.44, 0.44), (-0.56, 0.36), (-0.55, 0.18), (-0.44, 0.14),
              (-0.34, 0.24)], coat)
    pen.blob([(-0.57, 0.34), (-0.56, 0.17), (-0.46, 0.13), (-0.5, 0.26)], WHITE)
    legs(pen, (-0.18, 0.24), 0.24, 0.065, coat, sock, far=True)
    pen.blob([(-0.34, 0.38), (-0.2, 0.45), (0.05, 0.43), (0.24, 0.5), (0.32, 0.38), (0.22, 0.25),
              (-0.05, 0.21), (-0.28, 0.22)], coat)
    legs(pen, (-0.27, 0.16), 0.25, 0.07, coat, sock)
    for side in (-1, 1):
        x = 0.34 + 0.1 * side
        pen.polygon([(x - 0.06, 0.63), (x + 0.03 * side, 0.77), (x + 0.06, 0.62)], coat)
        pen.polygon([(x - 0.026, 0.65), (x + 0.026 * side, 0.72), (x + 0.026, 0.65)], INK,
                    edge=False)
    pen.blob([(0.16, 0.6), (0.25, 0.66), (0.44, 0.66), (0.53, 0.58), (0.48, 0.48), (0.37, 0.39),
              (0.24, 0.47)], coat)
    pen.polygon([(0.19, 0.56), (0.28, 0.52), (0.36, 0.4), (0.25, 0.46)], WHITE, edge=False)
    pen.polygon([(0.51, 0.56), (0.44, 0.52), (0.37, 0.4), (0.47, 0.47)], WHITE, edge=False)
    eye(pen, 0.28, 0.57, 0.022)
    eye(pen, 0.43, 0.57, 0.022)
    pen.ellipse(0.365, 0.41, 0.03, 0.024, INK)


def _big_cat(pen: Pen, coat: Colour) -> None:
    paws(pen, (-0.26, 0.22), 0.3, 0.1, coat, far=True)
    pen.blob([(-0.44, 0.46), (-0.34, 0.55), (0.0, 0.51), (0.24, 0.56), (0.32, 0.42), (0.24, 0.27),
              (0.0, 0.24), (-0.34, 0.25), (-0.44, 0.34)], coat)


def _big_cat_face(pen: Pen, coat: Colour) -> None:
    for side in (-1, 1):
        pen.ellipse(0.33 + 0.12 * side, 0.71, 0.048, 0.048, coat)
        pen.ellipse(0.33 + 0.12 * side, 0.71, 0.024, 0.024, dark(coat, 0.5), edge=False)
    pen.ellipse(0.33, 0.58, 0.16, 0.15, coat)
    pen.ellipse(0.33, 0.51, 0.085, 0.06, light(coat, 0.7), edge=False)
    pen.polygon([(0.29, 0.55), (0.37, 0.55), (0.33, 0.51)], (110, 60, 56), edge=False)
    for side in (-1, 1):
        eye(pen, 0.33 + 0.065 * side, 0.61, 0.021, coat)
        pen.arc(0.33 + 0.03 * side, 0.495, 0.03, 0.024, 180, 360, 0.01, dark(coat, 0.7))


_BIG_CAT = {"seat": (-0.12, 0.52), "top": (-0.12, 0.53), "head": (0.33, 0.74, 0.26),
            "eyes": (0.33, 0.61, 0.22), "neck": (0.28, 0.42, 0.26), "hand": (0.36, 0.48),
            "hip": (0, 0.1)}


@sprite(**{**_BIG_CAT, "head": (0.33, 0.8, 0.26)})
def lion(pen: Pen, look: Look) -> None:
    coat, mane = look.colour, mix(dark(look.colour, 0.3), (150, 70, 20), 0.55)
    pen.line([(-0.4, 0.42), (-0.52, 0.42), (-0.54, 0.6)], 0.04, dark(coat, 0.15), smooth=True)
    pen.ellipse(-0.54, 0.63, 0.05, 0.065, mane)
    _big_cat(pen, coat)
    paws(pen, (-0.35, 0.12), 0.3, 0.105, coat)
    for i in range(11):
        x, y = _round(0.33, 0.58, 0.19, i, 11)
        pen.ellipse(x, y, 0.078, 0.078, mane)
    pen.ellipse(0.33, 0.58, 0.2, 0.2, mane, edge=False)
    _big_cat_face(pen, coat)


def _round(x: float, y: float, radius: float, i: int, count: int) -> Point:
    return x + radius * cos(2 * pi * i / count), y + radius * sin(2 * pi * i / count)


@sprite(**_BIG_CAT)
def tiger(pen: Pen, look: Look) -> None:
    coat = look.colour
    pen.limb([(-0.4, 0.42), (-0.52, 0.42), (-0.53, 0.62)], 0.06, coat)
    for y in (0.48, 0.56):
        pen.line([(-0.56, y), (-0.5, y)], 0.028, INK)
    _big_cat(pen, coat)
    for x in (-0.32, -0.21, -0.1, 0.01, 0.12):
        pen.polygon([(x - 0.022, 0.53), (x + 0.03, 0.525), (x + 0.012, 0.36)], INK, edge=False)
    paws(pen, (-0.35, 0.12), 0.3, 0.105, coat)
    for x in (-0.35, 0.12):
        for y in (0.12, 0.19):
            pen.line([(x - 0.045, y), (x + 0.03, y)], 0.022, INK)
    _big_cat_face(pen, coat)
    for x in (0.29, 0.33, 0.37):
        pen.line([(x, 0.725), (x, 0.675)], 0.016, INK)
    for side in (-1, 1):
        for y in (0.58, 0.54):
            pen.line([(0.33 + 0.155 * side, y), (0.33 + 0.11 * side, y - 0.005)], 0.014, INK)


def _sitting_bear(pen: Pen, fur: Colour, dark_fur: Colour, muzzle: Colour, patches: bool) -> None:
    limbs = dark_fur if patches else fur
    for side in (-1, 1):
        pen.ellipse(0.15 * side, 0.92, 0.075, 0.075, dark_fur if patches else fur)
        pen.ellipse(0.15 * side, 0.92, 0.038, 0.038, dark(limbs, 0.4), edge=False)
    pen.ellipse(0, 0.34, 0.27, 0.3, fur)
    pen.ellipse(0, 0.32, 0.17, 0.2, WHITE if patches else light(fur, 0.35), edge=False)
    for side in (-1, 1):
        pen.ellipse(0.2 * side, 0.08, 0.14, 0.085, limbs)
        pen.ellipse(0.23 * side, 0.08, 0.06, 0.05, dark(limbs, 0.3) if not patches else (90, 84,
                                                                                         88),
                    edge=False)
        pen.limb([(0.22 * side, 0.5), (0.28 * side, 0.38), (0.2 * side, 0.27)], 0.11, limbs)
    pen.ellipse(0, 0.75, 0.22, 0.2, fur)
    if patches:
        for side in (-1, 1):
            pen.ellipse(0.09 * side, 0.77, 0.058, 0.07, dark_fur, edge=False, degrees=-25 * side)
    for side in (-1, 1):
        eye(pen, 0.085 * side, 0.78, 0.023, dark_fur if patches else fur)
    pen.ellipse(0, 0.67, 0.095, 0.075, muzzle, edge=not patches)
    pen.ellipse(0, 0.7, 0.036, 0.026, INK)
    pen.arc(0, 0.665, 0.04, 0.03, 200, 340, 0.012, INK)


_BEAR = {"top": (0, 0.94), "head": (0, 0.92, 0.32), "eyes": (0, 0.78, 0.27), "neck": (0, 0.56,
                                                                                      0.36),
         "hand": (0.2, 0.3), "hip": (0, 0.08)}


@sprite(**_BEAR)
def bear(pen: Pen, look: Look) -> None:
    fur = look.colour
    _sitting_bear(pen, fur, dark(fur, 0.3), light(fur, 0.45), patches=False)


@sprite(**_BEAR)
def panda(pen: Pen, look: Look) -> None:
    _sitting_bear(pen, look.colour, INK, WHITE, patches=True)


@sprite(**_BEAR)
def teddy(pen: Pen, look: Look) -> None:
    fur = light(look.colour, 0.25) if look.natural else look.colour
    _sitting_bear(pen, fur, dark(fur, 0.3), light(fur, 0.5), patches=False)
    for side in (-1, 1):
        pen.polygon([(0, 0.54), (0.13 * side, 0.6), (0.13 * side, 0.48)], COLOURS["red"])
    pen.ellipse(0, 0.54, 0.035, 0.035, dark(COLOURS["red"], 0.2))


@sprite(seat=(-0.08, 0.84), top=(-0.12, 0.85), head=(0.36, 0.86, 0.26), eyes=(0.42, 0.7, 0.16),
        neck=(0.24, 0.54, 0.3), hand=(0.6, 0.2), hip=(0, 0.1))
def elephant(pen: Pen, look: Look) -> None:
    skin = look.colour
    pen.line([(-0.52, 0.64), (-0.58, 0.5), (-0.56, 0.36)], 0.03, dark(skin), smooth=True)
    legs(pen, (-0.28, 0.2), 0.34, 0.14, skin, light(skin, 0.4), far=True)
    pen.blob([(-0.54, 0.62), (-0.42, 0.82), (-0.1, 0.87), (0.2, 0.8), (0.3, 0.6), (0.24, 0.34),
              (0.0, 0.28), (-0.36, 0.28), (-0.52, 0.4)], skin)
    legs(pen, (-0.4, 0.08), 0.36, 0.15, skin, light(skin, 0.4))
    pen.limb([(0.46, 0.62), (0.56, 0.44), (0.53, 0.24), (0.6, 0.16)], 0.095, skin)
    pen.ellipse(0.36, 0.67, 0.19, 0.2, skin)
    pen.ellipse(0.44, 0.6, 0.12, 0.12, skin, edge=False)
    pen.blob([(0.4, 0.5), (0.47, 0.48), (0.56, 0.52), (0.48, 0.43)], WHITE)
    pen.blob([(0.3, 0.84), (0.14, 0.86), (0.06, 0.68), (0.1, 0.5), (0.24, 0.46), (0.32, 0.6)],
             dark(skin, 0.12))
    pen.blob([(0.27, 0.78), (0.16, 0.79), (0.11, 0.67), (0.15, 0.55), (0.24, 0.53), (0.28, 0.64)],
             mix(skin, ROSE, 0.5), edge=False)
    eye(pen, 0.42, 0.7, 0.022, skin)


@sprite(seat=(-0.1, 0.68), top=(-0.14, 0.68), head=(0.28, 1.24, 0.18), eyes=(0.31, 1.15, 0.16),
        neck=(0.14, 0.84, 0.2), hand=(0.42, 1.06), hip=(0, 0.1))
def giraffe(pen: Pen, look: Look) -> None:
    coat = look.colour
    patch = (176, 104, 40) if look.natural else dark(coat, 0.4)
    pen.line([(-0.34, 0.6), (-0.42, 0.5), (-0.4, 0.38)], 0.024, dark(coat), smooth=True)
    pen.ellipse(-0.4, 0.36, 0.025, 0.045, patch)
    legs(pen, (-0.2, 0.12), 0.45, 0.07, coat, HOOF, far=True)
    pen.blob([(-0.36, 0.58), (-0.26, 0.68), (0.0, 0.7), (0.1, 0.86), (0.2, 1.12), (0.28, 1.2),
              (0.36, 1.18), (0.44, 1.08), (0.42, 1.03), (0.3, 1.06), (0.22, 0.82), (0.16, 0.54),
              (0.06, 0.44), (-0.24, 0.42), (-0.36, 0.48)], coat)
    legs(pen, (-0.28, 0.05), 0.46, 0.075, coat, HOOF)
    for x, y, r in ((-0.25, 0.57, 0.055), (-0.12, 0.6, 0.06), (0.02, 0.6, 0.05), (-0.17, 0.49,
                                                                                  0.04),
                    (-0.03, 0.5, 0.045), (0.09, 0.72, 0.045), (0.15, 0.86, 0.04),
                    (0.19, 0.98, 0.035), (0.1, 0.58, 0.035), (0.24, 1.09, 0.026)):
        pen.blob([(x - r, y), (x - r * 0.3, y + r), (x + r, y + r * 0.5), (x + r * 0.7,
                                                                           y - r * 0.7),
                  (x - r * 0.4, y - r * 0.9)], patch, edge=False)
    for x in (0.26, 0.32):
        pen.line([(x, 1.18), (x - 0.01, 1.27)], 0.02, coat)
        pen.dot(x - 0.01, 1.275, 0.02, patch)
    pen.ellipse(0.2, 1.17, 0.055, 0.024, coat, degrees=-20)
    eye(pen, 0.32, 1.14, 0.02)
    pen.dot(0.42, 1.075, 0.01, INK)


@sprite(seat=(-0.08, 0.72), top=(-0.08, 0.84), head=(0.44, 0.98, 0.2), eyes=(0.47, 0.9, 0.18),
        neck=(0.33, 0.6, 0.22), hand=(0.58, 0.84), hip=(0, 0.1))
def camel(pen: Pen, look: Look) -> None:
    coat = look.colour if not look.natural else (214, 164, 96)
    pen.line([(-0.46, 0.58), (-0.52, 0.48), (-0.5, 0.36)], 0.03, dark(coat), smooth=True)
    legs(pen, (-0.28, 0.2), 0.42, 0.075, coat, dark(coat, 0.5), far=True)
    pen.blob([(-0.48, 0.56), (-0.42, 0.64), (-0.32, 0.7), (-0.26, 0.86), (-0.2, 0.86), (-0.12, 0.7),
              (-0.02, 0.7), (0.04, 0.86), (0.1, 0.86), (0.18, 0.68), (0.26, 0.6), (0.34, 0.66),
              (0.38, 0.86), (0.44, 0.96), (0.52, 0.94), (0.6, 0.86), (0.57, 0.81), (0.47, 0.82),
              (0.46, 0.6), (0.38, 0.46), (0.2, 0.42), (-0.1, 0.4), (-0.36, 0.42), (-0.48, 0.48)],
             coat)
    legs(pen, (-0.38, 0.12), 0.44, 0.08, coat, dark(coat, 0.5))
    pen.polygon([(0.41, 0.94), (0.4, 1.01), (0.46, 0.96)], coat)
    eye(pen, 0.48, 0.89, 0.018, coat)
    pen.line([(0.585, 0.835), (0.52, 0.84)], 0.01, dark(coat, 0.6))


@sprite(top=(0, 0.86), head=(0, 0.84, 0.28), eyes=(0, 0.72, 0.22), neck=(0, 0.53, 0.24),
        hand=(0.29, 0.53), hip=(0, 0.08))
def monkey(pen: Pen, look: Look) -> None:
    fur = look.colour
    skin = mix(CREAM, (240, 190, 150), 0.6)
    pen.line([(-0.16, 0.14), (-0.33, 0.2), (-0.3, 0.42), (-0.22, 0.4)], 0.045, dark(fur, 0.15),
             smooth=True)
    for side in (-1, 1):
        pen.limb([(0.08 * side, 0.26), (0.17 * side, 0.2), (0.11 * side, 0.06)], 0.085, fur)
        pen.ellipse(0.14 * side, 0.035, 0.08, 0.035, skin)
    pen.limb([(-0.12, 0.46), (-0.22, 0.36), (-0.2, 0.24)], 0.075, fur)
    pen.ellipse(-0.2, 0.21, 0.04, 0.04, skin)
    pen.ellipse(0, 0.36, 0.165, 0.2, fur)
    pen.ellipse(0, 0.34, 0.105, 0.14, skin, edge=False)
    pen.limb([(0.12, 0.46), (0.22, 0.4), (0.28, 0.5)], 0.075, fur)
    pen.ellipse(0.29, 0.53, 0.042, 0.042, skin)
    for side in (-1, 1):
        pen.ellipse(0.2 * side, 0.7, 0.07, 0.075, fur)
        pen.ellipse(0.2 * side, 0.7, 0.042, 0.046, skin, edge=False)
    pen.ellipse(0, 0.7, 0.185, 0.175, fur)
    for side in (-1, 1):
        pen.ellipse(0.062 * side, 0.735, 0.075, 0.07, skin, edge=False)
    pen.ellipse(0, 0.64, 0.125, 0.085, skin, edge=False)
    for side in (-1, 1):
        eye(pen, 0.06 * side, 0.73, 0.022)
        pen.dot(0.015 * side, 0.665, 0.009, dark(skin, 0.6))
    pen.arc(0, 0.635, 0.06, 0.04, 200, 340, 0.013, dark(skin, 0.7))


@sprite(seat=(-0.05, 0.7), top=(-0.12, 0.72), head=(0.38, 1.04, 0.26), eyes=(0.42, 0.94, 0.16),
        neck=(0.26, 0.7, 0.24), hand=(0.34, 0.47), hip=(0, 0.1))
def dinosaur(pen: Pen, look: Look) -> None:
    skin, belly = look.colour, light(look.colour, 0.45)
    for x, y in ((-0.44, 0.36), (-0.33, 0.49), (-0.2, 0.6), (-0.07, 0.7), (0.05, 0.81)):
        pen.polygon([(x - 0.06, y), (x - 0.04, y + 0.12), (x + 0.06, y + 0.06)], dark(skin, 0.35))
    pen.limb([(0.1, 0.34), (0.2, 0.2), (0.14, 0.08)], 0.12, dark(skin, 0.22))
    pen.ellipse(0.19, 0.06, 0.1, 0.045, dark(skin, 0.22))
    pen.blob([(-0.57, 0.12), (-0.44, 0.3), (-0.26, 0.46), (-0.06, 0.64), (0.12, 0.86), (0.26, 0.99),
              (0.42, 1.02), (0.56, 0.92), (0.57, 0.82), (0.42, 0.76), (0.34, 0.7), (0.33, 0.5),
              (0.24, 0.32), (0.04, 0.2), (-0.18, 0.18), (-0.38, 0.16)], skin)
    pen.blob([(0.33, 0.66), (0.32, 0.5), (0.22, 0.33), (0.06, 0.24), (0.14, 0.36), (0.22, 0.52),
              (0.26, 0.68)], belly, edge=False)
    pen.limb([(-0.06, 0.36), (0.06, 0.22), (-0.03, 0.09)], 0.15, skin)
    pen.ellipse(0.03, 0.06, 0.13, 0.055, skin)
    pen.limb([(0.22, 0.56), (0.31, 0.52), (0.34, 0.46)], 0.055, dark(skin, 0.12))
    pen.line([(0.56, 0.85), (0.46, 0.83), (0.38, 0.85)], 0.014, dark(skin, 0.6), smooth=True)
    for x in (0.44, 0.49, 0.54):
        pen.polygon([(x - 0.018, 0.842), (x + 0.018, 0.848), (x, 0.81)], WHITE, edge=False)
    eye(pen, 0.39, 0.945, 0.027, skin)
    pen.dot(0.55, 0.92, 0.011, dark(skin, 0.6))


@sprite(seat=(-0.08, 0.55), top=(-0.1, 0.58), head=(0.42, 0.99, 0.24), eyes=(0.47, 0.88, 0.16),
        neck=(0.27, 0.56, 0.2), hand=(0.26, 0.32), hip=(0, 0.1))
def dragon(pen: Pen, look: Look) -> None:
    skin, belly, wing = look.colour, light(look.colour, 0.5), dark(look.colour, 0.3)
    pen.blob([(-0.06, 0.52), (-0.16, 0.8), (-0.42, 1.04), (-0.4, 0.86), (-0.52, 0.84),
              (-0.42, 0.72), (-0.46, 0.62), (-0.28, 0.6)], wing)
    pen.line([(-0.08, 0.56), (-0.4, 1.0)], 0.016, dark(wing, 0.4))
    pen.line([(-0.1, 0.56), (-0.48, 0.82)], 0.016, dark(wing, 0.4))
    pen.limb([(-0.26, 0.34), (-0.46, 0.24), (-0.54, 0.36), (-0.5, 0.46)], 0.08, skin)
    pen.polygon([(-0.56, 0.44), (-0.5, 0.58), (-0.43, 0.46)], wing)
    legs(pen, (-0.12, 0.24), 0.26, 0.09, skin, dark(skin, 0.5), far=True)
    pen.limb([(0.12, 0.46), (0.3, 0.56), (0.34, 0.78)], 0.16, skin)
    pen.blob([(-0.36, 0.4), (-0.22, 0.54), (0.04, 0.55), (0.24, 0.52), (0.28, 0.34), (0.12, 0.22),
              (-0.16, 0.2), (-0.34, 0.26)], skin)
    pen.blob([(0.24, 0.4), (0.12, 0.24), (-0.1, 0.21), (0.02, 0.32)], belly, edge=False)
    legs(pen, (-0.22, 0.14), 0.28, 0.1, skin, dark(skin, 0.5))
    for x in (-0.2, -0.07, 0.06):
        pen.polygon([(x - 0.05, 0.53), (x, 0.62), (x + 0.05, 0.53)], wing)
    pen.polygon([(0.33, 0.95), (0.24, 1.08), (0.4, 0.98)], CREAM)
    pen.blob([(0.26, 0.86), (0.32, 0.98), (0.44, 0.98), (0.6, 0.87), (0.6, 0.78), (0.46, 0.75),
              (0.34, 0.76)], skin)
    pen.line([(0.6, 0.81), (0.46, 0.81)], 0.012, dark(skin, 0.6))
    pen.dot(0.575, 0.865, 0.012, dark(skin, 0.7))
    eye(pen, 0.43, 0.905, 0.026, (255, 255, 255))
