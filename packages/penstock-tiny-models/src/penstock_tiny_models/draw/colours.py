"""The colours that captions can name, as the drawing shows them."""

Colour = tuple[int, int, int]

COLOURS: dict[str, Colour] = {
    "red": (222, 49, 49),
    "orange": (245, 138, 31),
    "yellow": (250, 208, 44),
    "green": (64, 160, 67),
    "blue": (48, 107, 214),
    "purple": (132, 66, 176),
    "pink": (244, 139, 178),
    "brown": (139, 90, 51),
    "black": (43, 43, 48),
    "white": (250, 250, 248),
    "gray": (140, 146, 153),
    "cyan": (72, 196, 214),
    "gold": (224, 168, 22),
    "silver": (192, 200, 208),
}


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """`share` of the other colour in the one."""
    r, g, b = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return r, g, b


def dark(colour: Colour, share: float = 0.35) -> Colour:
    return mix(colour, (18, 16, 36), share)


def light(colour: Colour, share: float = 0.4) -> Colour:
    return mix(colour, (255, 255, 255), share)


def is_dark(colour: Colour) -> bool:
    r, g, b = colour
    return r * 0.3 + g * 0.59 + b * 0.11 < 80
