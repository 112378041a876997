"""People and what walks like them. They stand and look at us, or ride, seen from the side."""

# Points stay in rows: a sprite is read as a figure, not as a list.
# fmt: off

from dataclasses import dataclass

from penstock_tiny_models.draw.colours import COLOURS, Colour, dark, is_dark, light
from penstock_tiny_models.draw.pen import Pen, bow, rays
from penstock_tiny_models.draw.sprites.sprite import Look, sprite

INK: Colour = (38, 34, 44)
WHITE: Colour = (250, 250, 248)
BLUSH: Colour = (240, 140, 130)
SKINS: tuple[Colour, ...] = ((250, 212, 178), (232, 182, 140), (190, 132, 92), (130, 86, 58))
HAIRS: tuple[Colour, ...] = ((66, 42, 30), (34, 28, 30), (208, 158, 74), (150, 74, 38))
DENIM: Colour = (58, 78, 128)
SHOES: Colour = (70, 52, 46)
STEEL: Colour = (176, 186, 198)
GOLD = COLOURS["gold"]

# Where things are joined to anyone with a figure.
_HEAD = (0.0, 0.925, 0.32)
_EYES = (0.0, 0.825, 0.27)
_NECK = (0.0, 0.675, 0.26)
_HAND = (0.3, 0.6)
_HIP = (0.0, 0.36)
_FIGURE = {"head": _HEAD, "eyes": _EYES, "neck": _NECK, "hand": _HAND, "hip": _HIP}


@dataclass(frozen=True)
class Outfit:
    skin: Colour
    shirt: Colour
    trousers: Colour = DENIM
    shoes: Colour = SHOES
    sleeves: Colour | None = None
    gloves: Colour | None = None
    skirt: bool = False


def skin_of(look: Look) -> Colour:
    return look.rng.choice(SKINS)


def body(pen: Pen, outfit: Outfit, look: Look) -> None:
    """Legs, trunk and arms, up to the neck."""
    sleeves = outfit.sleeves or outfit.shirt
    hands = outfit.gloves or outfit.skin
    if look.riding:
        _riding_legs(pen, outfit)
        _trunk(pen, outfit)
        pen.limb([(0.02, 0.62), (0.14, 0.5), (0.27, 0.5)], 0.085, sleeves)
        pen.ellipse(0.29, 0.5, 0.045, 0.045, hands)
    else:
        _standing_legs(pen, outfit)
        pen.limb([(-0.12, 0.63), (-0.19, 0.52), (-0.2, 0.41)], 0.085, sleeves)
        pen.ellipse(-0.2, 0.38, 0.045, 0.05, hands)
        if not look.holding:
            pen.limb([(0.12, 0.63), (0.19, 0.52), (0.2, 0.41)], 0.085, sleeves)
            pen.ellipse(0.2, 0.38, 0.045, 0.05, hands)
        _trunk(pen, outfit)
    if look.holding:
        pen.limb([(0.1, 0.63), (0.2, 0.52), (0.29, 0.57)], 0.085, sleeves)
        pen.ellipse(0.3, 0.6, 0.05, 0.05, hands)
    pen.box(-0.045, 0.64, 0.045, 0.74, outfit.skin, edge=False)


def _standing_legs(pen: Pen, outfit: Outfit) -> None:
    legs = outfit.skin if outfit.skirt else outfit.trousers
    for side in (-1, 1):
        pen.limb([(0.065 * side, 0.38), (0.08 * side, 0.07)], 0.1, legs)
        pen.ellipse(0.095 * side, 0.035, 0.075, 0.035, outfit.shoes)


def _riding_legs(pen: Pen, outfit: Outfit) -> None:
    legs = outfit.skin if outfit.skirt else outfit.trousers
    pen.limb([(0.0, 0.38), (0.14, 0.28), (0.1, 0.08)], 0.11, legs)
    pen.ellipse(0.14, 0.04, 0.085, 0.04, outfit.shoes)


def _trunk(pen: Pen, outfit: Outfit) -> None:
    if outfit.skirt:
        hem = 0.3 if outfit.skirt else 0.36
        pen.blob(
            [(-0.11, 0.68), (0.11, 0.68), (0.12, 0.5), (0.23, hem - 0.1), (0, hem - 0.13),
             (-0.23, hem - 0.1), (-0.12, 0.5)],
            outfit.shirt,
        )
    else:
        pen.box(-0.145, 0.36, 0.145, 0.69, outfit.shirt, corner=0.07)
        pen.box(-0.14, 0.36, 0.14, 0.4, dark(outfit.shirt, 0.45), edge=False)


def face(pen: Pen, skin: Colour, y: float = 0.82, smile: bool = True) -> None:
    pen.ellipse(0, y, 0.135, 0.14, skin)
    for side in (-1, 1):
        pen.ellipse(0.05 * side, y + 0.01, 0.017, 0.024, INK, edge=False)
        pen.ellipse(0.083 * side, y - 0.04, 0.025, 0.017, BLUSH, edge=False, alpha=120)
    if smile:
        pen.arc(0, y - 0.035, 0.05, 0.04, 200, 340, 0.013, dark(skin, 0.7))


def short_hair(pen: Pen, hair: Colour) -> None:
    pen.blob(
        [(-0.145, 0.8), (-0.15, 0.9), (-0.08, 0.98), (0.04, 0.99), (0.14, 0.93), (0.145, 0.8),
         (0.11, 0.88), (0.0, 0.9), (-0.1, 0.88)],
        hair,
    )


def long_hair(pen: Pen, hair: Colour) -> None:
    """The part behind the face; a fringe goes on top of it."""
    pen.blob(
        [(-0.13, 0.94), (0, 0.99), (0.13, 0.94), (0.18, 0.8), (0.18, 0.62), (0.08, 0.6),
         (-0.08, 0.6), (-0.18, 0.62), (-0.18, 0.8)],
        hair,
    )


def fringe(pen: Pen, hair: Colour) -> None:
    pen.blob(
        [(-0.145, 0.82), (-0.13, 0.92), (0, 0.985), (0.13, 0.92), (0.145, 0.82), (0.09, 0.885),
         (-0.03, 0.9), (-0.1, 0.87)],
        hair,
    )


@sprite(**_FIGURE)
def man(pen: Pen, look: Look) -> None:
    skin, hair = skin_of(look), look.rng.choice(HAIRS)
    body(pen, Outfit(skin, look.colour, look.second(DENIM)), look)
    face(pen, skin)
    short_hair(pen, hair)


@sprite(**_FIGURE)
def woman(pen: Pen, look: Look) -> None:
    skin, hair = skin_of(look), look.rng.choice(HAIRS)
    long_hair(pen, hair)
    body(pen, Outfit(skin, look.colour, shoes=dark(look.colour), skirt=True), look)
    face(pen, skin)
    fringe(pen, hair)


@sprite(**_FIGURE)
def boy(pen: Pen, look: Look) -> None:
    skin, hair = skin_of(look), look.rng.choice(HAIRS)
    body(pen, Outfit(skin, look.colour, (196, 168, 118), WHITE), look)
    face(pen, skin)
    short_hair(pen, hair)
    pen.polygon([(-0.03, 0.98), (0.02, 1.04), (0.05, 0.97)], hair)


@sprite(**_FIGURE)
def girl(pen: Pen, look: Look) -> None:
    skin, hair = skin_of(look), look.rng.choice(HAIRS)
    for side in (-1, 1):
        pen.blob([(0.12 * side, 0.88), (0.24 * side, 0.9), (0.26 * side, 0.76),
                  (0.2 * side, 0.68), (0.17 * side, 0.8)], hair)
        pen.ellipse(0.145 * side, 0.875, 0.028, 0.028, look.colour)
    body(pen, Outfit(skin, look.colour, shoes=WHITE, skirt=True), look)
    face(pen, skin)
    fringe(pen, hair)


@sprite(head=(0, 0.985, 0.34), eyes=(0.02, 0.815, 0.27), neck=(0, 0.66, 0.28), hand=_HAND, hip=_HIP)
def astronaut(pen: Pen, look: Look) -> None:
    suit = look.colour
    trim = (230, 110, 40) if look.natural else dark(suit, 0.5)
    pen.box(-0.2, 0.4, 0.12, 0.74, dark(suit, 0.25), corner=0.06)  # life support
    outfit = Outfit(suit, suit, suit, (120, 126, 140), gloves=(120, 126, 140))
    body(pen, outfit, look)
    pen.box(-0.08, 0.46, 0.08, 0.58, light(suit, 0.3), corner=0.02)
    for x, lamp in ((-0.045, COLOURS["red"]), (0.0, COLOURS["green"]), (0.045, COLOURS["blue"])):
        pen.dot(x, 0.52, 0.018, lamp)
    pen.box(-0.14, 0.37, 0.14, 0.4, trim, edge=False)
    pen.ellipse(0, 0.82, 0.185, 0.18, suit)  # helmet
    pen.ellipse(0.02, 0.82, 0.142, 0.125, (36, 48, 92))
    pen.ellipse(0.045, 0.8, 0.1, 0.085, (64, 92, 156), edge=False)
    pen.ellipse(-0.035, 0.88, 0.04, 0.018, WHITE, edge=False, degrees=35, alpha=220)
    pen.ellipse(-0.185, 0.82, 0.025, 0.05, trim)
    pen.box(-0.12, 0.64, 0.12, 0.67, trim, corner=0.012)


@sprite(head=(0, 1.0, 0.3), eyes=_EYES, neck=_NECK, hand=_HAND, hip=_HIP)
def king(pen: Pen, look: Look) -> None:
    skin = skin_of(look)
    _cape(pen, look.colour)
    body(pen, Outfit(skin, light(look.colour, 0.15), dark(look.colour, 0.5)), look)
    pen.line([(-0.12, 0.42), (0.12, 0.42)], 0.035, GOLD)
    face(pen, skin, smile=False)
    pen.blob([(-0.13, 0.8), (-0.05, 0.785), (0.05, 0.785), (0.13, 0.8), (0.09, 0.66), (0, 0.62),
              (-0.09, 0.66)], (188, 186, 190))
    pen.ellipse(0, 0.765, 0.035, 0.014, (170, 70, 70), edge=False)
    gold_crown(pen)


def _cape(pen: Pen, colour: Colour) -> None:
    pen.blob([(-0.12, 0.7), (0.12, 0.7), (0.24, 0.3), (0.25, 0.06), (-0.25, 0.06), (-0.24, 0.3)],
             dark(colour, 0.3))


def gold_crown(pen: Pen) -> None:
    pen.polygon([(-0.13, 0.9), (0.13, 0.9), (0.16, 1.04), (0.08, 0.98), (0, 1.07), (-0.08, 0.98),
                 (-0.16, 1.04)], GOLD)
    for x, jewel in ((-0.08, COLOURS["red"]), (0, COLOURS["blue"]), (0.08, COLOURS["red"])):
        pen.dot(x, 0.935, 0.018, jewel)


@sprite(head=(0, 1.0, 0.3), eyes=_EYES, neck=_NECK, hand=_HAND, hip=_HIP)
def queen(pen: Pen, look: Look) -> None:
    skin, hair = skin_of(look), look.rng.choice(HAIRS)
    long_hair(pen, hair)
    body(pen, Outfit(skin, look.colour, skirt=True), look)
    if not look.riding:
        pen.blob([(-0.11, 0.5), (0.11, 0.5), (0.2, 0.3), (0.27, 0.03), (0, 0.0), (-0.27, 0.03),
                  (-0.2, 0.3)], look.colour)
        pen.line([(-0.25, 0.07), (0, 0.045), (0.25, 0.07)], 0.03, GOLD, smooth=True)
    pen.line([(-0.11, 0.5), (0.11, 0.5)], 0.03, GOLD)
    face(pen, skin)
    fringe(pen, hair)
    gold_crown(pen)


@sprite(head=(0, 1.12, 0.2), eyes=_EYES, neck=(0, 0.6, 0.24), hand=_HAND, hip=_HIP)
def wizard(pen: Pen, look: Look) -> None:
    skin = skin_of(look)
    outfit = Outfit(skin, look.colour, dark(look.colour), SHOES)
    body(pen, outfit, look)
    if not look.riding:
        pen.blob([(-0.12, 0.66), (0.12, 0.66), (0.19, 0.3), (0.24, 0.03), (0, 0.01), (-0.24, 0.03),
                  (-0.19, 0.3)], look.colour)
        pen.line([(-0.15, 0.42), (0.15, 0.42)], 0.03, GOLD)
    face(pen, skin, smile=False)
    pen.blob([(-0.13, 0.8), (-0.05, 0.775), (0.05, 0.775), (0.13, 0.8), (0.1, 0.62), (0, 0.45),
              (-0.1, 0.62)], (232, 232, 236))
    pen.polygon([(-0.15, 0.89), (0.15, 0.89), (0.03, 1.13), (0.06, 1.24), (-0.02, 1.2)],
                look.colour)
    pen.ellipse(0, 0.89, 0.22, 0.04, dark(look.colour, 0.15))
    for x, y, r in ((-0.03, 0.98, 0.035), (0.05, 1.03, 0.025), (-0.07, 0.2, 0.04),
                    (0.08, 0.28, 0.03)):
        if y > 0.5 or not look.riding:
            pen.polygon(rays(x, y, r, r * 0.42, 5), COLOURS["yellow"], edge=False)


@sprite(head=(0, 1.0, 0.36), eyes=_EYES, neck=_NECK, hand=_HAND, hip=_HIP)
def pirate(pen: Pen, look: Look) -> None:
    skin = skin_of(look)
    body(pen, Outfit(skin, WHITE, (70, 56, 60), INK, sleeves=look.colour), look)
    pen.box(-0.145, 0.38, -0.05, 0.69, look.colour, corner=0.03)
    pen.box(0.05, 0.38, 0.145, 0.69, look.colour, corner=0.03)
    pen.box(-0.145, 0.37, 0.145, 0.42, INK, edge=False)
    face(pen, skin)
    pen.blob([(-0.1, 0.77), (0, 0.775), (0.1, 0.77), (0.05, 0.69), (-0.05, 0.69)], (60, 40, 34))
    pen.line([(-0.12, 0.9), (0.12, 0.81)], 0.018, INK)
    pen.ellipse(0.05, 0.835, 0.042, 0.038, INK, edge=False)
    pen.blob([(-0.25, 0.9), (-0.12, 0.92), (0.0, 0.9), (0.12, 0.92), (0.25, 0.9), (0.14, 1.02),
              (0, 1.08), (-0.14, 1.02)], INK)
    pen.ellipse(0, 0.995, 0.032, 0.032, WHITE, edge=False)
    pen.line([(-0.05, 0.94), (0.05, 0.965)], 0.013, WHITE)
    pen.line([(-0.05, 0.965), (0.05, 0.94)], 0.013, WHITE)


@sprite(head=(0, 0.99, 0.34), eyes=_EYES, neck=_NECK, hand=_HAND, hip=_HIP)
def knight(pen: Pen, look: Look) -> None:
    steel = look.colour
    body(pen, Outfit(dark(steel, 0.3), steel, steel, dark(steel, 0.35), gloves=dark(steel, 0.3)),
         look)
    pen.line([(0, 0.42), (0, 0.66)], 0.015, dark(steel))
    for side in (-1, 1):
        pen.ellipse(0.14 * side, 0.64, 0.065, 0.06, light(steel, 0.2))
    pen.box(-0.145, 0.68, 0.145, 0.97, steel, corner=0.11)
    pen.box(-0.13, 0.8, 0.13, 0.855, INK, corner=0.02)
    for x in (-0.06, 0.0, 0.06):
        pen.line([(x, 0.71), (x, 0.76)], 0.016, dark(steel, 0.6))
    pen.blob([(-0.02, 0.96), (0.02, 0.96), (0.0, 1.06), (-0.12, 1.1), (-0.2, 1.0), (-0.1, 1.02)],
             COLOURS["red"])


@sprite(head=(0, 1.02, 0.36), eyes=_EYES, neck=_NECK, hand=_HAND, hip=_HIP)
def cowboy(pen: Pen, look: Look) -> None:
    skin, hide = skin_of(look), (150, 96, 52)
    body(pen, Outfit(skin, look.colour, DENIM, (110, 66, 36)), look)
    for side in (-1, 1):
        pen.box(min(0.05 * side, 0.145 * side), 0.42, max(0.05 * side, 0.145 * side), 0.68,
                dark(hide, 0.15), corner=0.03)
    pen.box(-0.145, 0.37, 0.145, 0.42, hide, edge=False)
    pen.ellipse(0, 0.395, 0.035, 0.03, GOLD)
    pen.polygon([(-0.1, 0.69), (0.1, 0.69), (0, 0.6)], COLOURS["red"])
    face(pen, skin)
    pen.blob([(-0.12, 0.93), (-0.11, 1.05), (-0.03, 1.03), (0.03, 1.03), (0.11, 1.05),
              (0.12, 0.93)], hide)
    pen.blob([(-0.29, 0.96), (-0.15, 0.9), (0, 0.885), (0.15, 0.9), (0.29, 0.96), (0.13, 0.945),
              (0, 0.935), (-0.13, 0.945)], hide)


@sprite(head=(0, 1.0, 0.3), eyes=_EYES, neck=_NECK, hand=_HAND, hip=_HIP)
def clown(pen: Pen, look: Look) -> None:
    skin = (255, 240, 228)
    for side in (-1, 1):
        pen.blob([(0.08 * side, 0.96), (0.22 * side, 0.94), (0.26 * side, 0.83),
                  (0.18 * side, 0.75), (0.1 * side, 0.8)], (236, 98, 36))
    body(pen, Outfit(skin, look.colour, look.colour, COLOURS["red"], gloves=WHITE), look)
    for y, colour in ((0.6, COLOURS["red"]), (0.51, COLOURS["blue"]), (0.43, COLOURS["green"])):
        pen.ellipse(0, y, 0.032, 0.032, colour)
    pen.blob([(-0.16, 0.71), (-0.08, 0.68), (0, 0.7), (0.08, 0.68), (0.16, 0.71), (0.1, 0.63),
              (0, 0.65), (-0.1, 0.63)], WHITE)
    face(pen, skin, smile=False)
    pen.blob([(-0.08, 0.78), (0, 0.755), (0.08, 0.78), (0.05, 0.72), (-0.05, 0.72)],
             COLOURS["red"])
    pen.ellipse(0, 0.805, 0.042, 0.042, COLOURS["red"])
    pen.polygon([(-0.08, 0.93), (0.08, 0.93), (0.02, 1.07)], look.colour)
    pen.ellipse(0.02, 1.07, 0.032, 0.032, COLOURS["red"])


@sprite(head=(0, 0.945, 0.34), eyes=(0, 0.83, 0.28), neck=(0, 0.67, 0.24), hand=(0.31, 0.6),
        hip=_HIP)
def robot(pen: Pen, look: Look) -> None:
    metal, joint = look.colour, dark(look.colour, 0.45)
    if look.riding:
        pen.limb([(0.0, 0.36), (0.14, 0.28), (0.1, 0.08)], 0.09, joint, smooth=False)
        pen.box(0.02, 0.0, 0.2, 0.07, metal, corner=0.02)
    else:
        for side in (-1, 1):
            pen.limb([(0.075 * side, 0.38), (0.075 * side, 0.06)], 0.07, joint)
            pen.box(0.085 * side - 0.075, 0.0, 0.085 * side + 0.075, 0.08, metal, corner=0.02)
    _robot_arms(pen, look, metal, joint)
    pen.box(-0.17, 0.34, 0.17, 0.68, metal, corner=0.03)
    pen.box(-0.1, 0.46, 0.1, 0.6, (40, 52, 66), corner=0.02)
    pen.line([(-0.07, 0.52), (-0.03, 0.52), (0.0, 0.57), (0.03, 0.48), (0.07, 0.53)], 0.014,
             (90, 240, 150))
    for x, lamp in ((-0.06, COLOURS["red"]), (0.0, COLOURS["yellow"]), (0.06, COLOURS["green"])):
        pen.dot(x, 0.4, 0.02, lamp)
    pen.box(-0.05, 0.67, 0.05, 0.72, joint, edge=False)
    pen.box(-0.16, 0.71, 0.16, 0.94, metal, corner=0.04)
    for side in (-1, 1):
        pen.ellipse(0.07 * side, 0.845, 0.042, 0.042, (255, 240, 130))
        pen.dot(0.07 * side, 0.845, 0.018, INK)
        pen.box(0.18 * side - 0.022, 0.79, 0.18 * side + 0.022, 0.88, joint)
    pen.box(-0.08, 0.745, 0.08, 0.78, (40, 52, 66), corner=0.01)
    pen.line([(0, 0.95), (0, 1.0)], 0.016, joint)
    pen.ellipse(0, 1.0, 0.03, 0.03, COLOURS["red"])


def _robot_arms(pen: Pen, look: Look, metal: Colour, joint: Colour) -> None:
    ends = [(-0.24, 0.4)]
    if look.riding and not look.holding:
        ends = [(0.28, 0.5)]
    elif not look.riding:
        ends.append((0.3, 0.57) if look.holding else (0.24, 0.4))
    else:
        ends = [(0.3, 0.57)]
    for x, y in ends:
        side = 1 if x > 0 else -1
        pen.limb([(0.15 * side, 0.62), (0.24 * side, 0.52), (x, y)], 0.06, joint)
        pen.ellipse(x, y, 0.05, 0.05, metal)


@sprite(head=(0, 0.98, 0.3), eyes=(0, 0.8, 0.3), neck=(0, 0.6, 0.2), hand=_HAND, hip=_HIP)
def alien(pen: Pen, look: Look) -> None:
    skin = look.colour
    body(pen, Outfit(skin, dark(skin, 0.12), dark(skin, 0.12), skin), look)
    for side in (-1, 1):
        pen.line([(0.06 * side, 0.95), (0.11 * side, 1.04)], 0.018, dark(skin))
        pen.ellipse(0.11 * side, 1.05, 0.03, 0.03, COLOURS["yellow"])
    pen.blob([(-0.2, 0.86), (-0.12, 0.97), (0.12, 0.97), (0.2, 0.86), (0.13, 0.72), (0, 0.64),
              (-0.13, 0.72)], skin)
    for side in (-1, 1):
        pen.ellipse(0.085 * side, 0.82, 0.05, 0.075, INK, edge=False, degrees=-28 * side)
        pen.dot(0.07 * side, 0.85, 0.016, WHITE)
    pen.arc(0, 0.71, 0.035, 0.025, 200, 340, 0.012, dark(skin, 0.7))


@sprite(head=(0, 0.86, 0.36), eyes=(0, 0.68, 0.26), neck=(0, 0.5, 0.36), hand=(0.3, 0.46),
        hip=(0, 0.1))
def ghost(pen: Pen, look: Look) -> None:
    pen.blob([(-0.2, 0.72), (-0.1, 0.88), (0.1, 0.88), (0.2, 0.72), (0.24, 0.4), (0.29, 0.05),
              (0.19, 0.1), (0.1, 0.02), (0.0, 0.1), (-0.1, 0.02), (-0.19, 0.1), (-0.29, 0.05),
              (-0.24, 0.4)], look.colour)
    for side in (-1, 1):
        pen.blob([(0.18 * side, 0.5), (0.3 * side, 0.5), (0.31 * side, 0.43), (0.2 * side, 0.38)],
                 look.colour)
    ink = WHITE if is_dark(look.colour) else INK
    for side in (-1, 1):
        pen.ellipse(0.075 * side, 0.69, 0.035, 0.05, ink, edge=False)
    pen.ellipse(0, 0.55, 0.04, 0.055, ink, edge=False)


@sprite(head=(0, 0.97, 0.26), eyes=(0, 0.86, 0.2), neck=(0, 0.71, 0.26), hand=(0.34, 0.62),
        hip=(0, 0.1))
def snowman(pen: Pen, look: Look) -> None:
    snow = look.colour
    pen.line([(-0.12, 0.55), (-0.34, 0.66)], 0.022, (110, 74, 44))
    pen.line([(0.12, 0.55), (0.34, 0.62)], 0.022, (110, 74, 44))
    pen.ellipse(0, 0.2, 0.26, 0.22, snow)
    pen.ellipse(0, 0.54, 0.19, 0.18, snow)
    pen.ellipse(0, 0.83, 0.14, 0.14, snow)
    for y in (0.46, 0.54, 0.62):
        pen.dot(0, y, 0.02, INK)
    for side in (-1, 1):
        pen.dot(0.05 * side, 0.86, 0.018, INK)
    pen.polygon([(-0.01, 0.835), (-0.01, 0.8), (0.13, 0.8)], COLOURS["orange"])
    for x, y in bow(0, 0.81, 0.075, 0.06, 215, 325, 4):
        pen.dot(x, y, 0.011, INK)
