"""Small pictures for tests."""

import io

from PIL import Image


def picture(
    color: tuple[int, int, int], size: tuple[int, int] = (16, 16), format: str = "PNG"
) -> bytes:
    """A picture of one colour."""
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, format)
    return file.getvalue()
