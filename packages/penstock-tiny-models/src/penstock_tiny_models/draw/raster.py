"""From recorded marks to pixels and PNG, through Pillow: drawn large, then made small."""

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw

from penstock_tiny_models.draw.pen import Fill, Mark, Stroke

LARGEST_CANVAS = 1600  # of the longer side, before it is made small: a bound for time


def supersampling(width: int, height: int) -> int:
    """How many times larger to draw, so that edges come out smooth."""
    return max(1, min(4, round(LARGEST_CANVAS / max(width, height))))


def pixels(marks: Sequence[Mark], width: int, height: int) -> Image.Image:
    factor = supersampling(width, height)
    image = Image.new("RGB", (width * factor, height * factor), (255, 255, 255))
    solid, glass = ImageDraw.Draw(image), ImageDraw.Draw(image, "RGBA")
    for mark in marks:
        _draw(solid if mark.alpha == 255 else glass, mark, factor)
    return image if factor == 1 else image.reduce(factor)


def _draw(draw: ImageDraw.ImageDraw, mark: Mark, factor: int) -> None:
    colour = mark.colour if mark.alpha == 255 else (*mark.colour, mark.alpha)
    points = [(x * factor, y * factor) for x, y in mark.points]
    match mark:
        case Fill():
            draw.polygon(points, fill=colour)
        case Stroke(width=width):
            _stroke(draw, points, width * factor, colour)


def _stroke(
    draw: ImageDraw.ImageDraw,
    points: list[tuple[float, float]],
    width: float,
    colour: tuple[int, ...],
) -> None:
    draw.line(points, fill=colour, width=max(1, round(width)))
    radius = width / 2
    if radius >= 1:
        for x, y in points:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()
