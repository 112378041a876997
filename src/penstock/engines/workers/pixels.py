"""A picture's file -> the numbers that a graph is given, by Pillow, as transformers does it."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from penstock.engines.onnx.zero_shot_files import Preprocessing

Floats = NDArray[np.float32]

FORMATS = ("PNG", "JPEG", "WEBP")
#: The gateway looks at what a picture claims; what it turns out to be is looked at here.
MAX_PIXELS = 25_000_000


class NotReadable(Exception):
    """The bytes are no picture that can be decoded. The text tells nothing of our memory."""


def pixels_of(data: bytes, how: Preprocessing) -> Floats:
    """float32 [3, height, width]. Raises NotReadable."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise NotReadable(f"It has more than {MAX_PIXELS} pixels.")
            picture = ImageOps.exif_transpose(opened).convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, MemoryError):
        raise NotReadable("It cannot be decoded.") from None
    picture = cropped(scaled(picture, how), how.sides)
    numbers = np.asarray(picture, dtype=np.float64) * how.factor
    numbers = (numbers - np.array(how.mean)) / np.array(how.deviation)
    return np.ascontiguousarray(numbers.transpose(2, 0, 1), dtype=np.float32)


def scaled(picture: Image.Image, how: Preprocessing) -> Image.Image:
    """Raises NotReadable for a strip that would have gigabytes when its shorter side is scaled."""
    size = how.size
    if how.shortest_side is not None:
        short, long = sorted(picture.size)
        other = max(1, int(how.shortest_side * long / short))
        if how.shortest_side * other > MAX_PIXELS:
            raise NotReadable("It is too long for its width.")
        sides = (how.shortest_side, other)
        size = sides if picture.width <= picture.height else sides[::-1]
    if size is None or size == picture.size:
        return picture
    return picture.resize(size, Image.Resampling(how.resampling))


def cropped(picture: Image.Image, sides: tuple[int, int]) -> Image.Image:
    """The middle; black around it where the picture is smaller."""
    width, height = sides
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))
