"""What the first bytes of a picture say, without decoding it: its format and its sides.

A few kilobytes can claim, and be, a picture of gigabytes: who takes pictures from strangers looks
here first. Formats: PNG (w3.org/TR/png, 11.2.1), JPEG (ITU-T T.81, B.2.2), WebP (RFC 9649).
"""

from collections.abc import Callable
from typing import Literal

import msgspec

Format = Literal["png", "jpeg", "webp"]

#: Segments and fill bytes before a JPEG's picture: megabytes of empty ones would take seconds.
MAX_JPEG_STEPS = 4096


class NotAPicture(Exception):
    """The bytes are no picture that is known here; the text is a sentence without a subject."""


class Header(msgspec.Struct, frozen=True):
    """`width` and `height` are in pixels, as claimed: nothing is decoded."""

    format: Format
    width: int
    height: int

    @property
    def pixels(self) -> int:
        return self.width * self.height


def header_of(data: bytes) -> Header:
    """Raises NotAPicture."""
    for magic, at, format_, sides in FORMATS:
        if data.startswith(magic, at):
            try:
                width, height = sides(data)
            except IndexError:
                raise NotAPicture(f"is cut short: no {format_.upper()} begins so") from None
            if not (width and height):
                raise NotAPicture("has no pixels")
            return Header(format_, width, height)
    raise NotAPicture("is neither PNG, JPEG nor WebP")


def _png(data: bytes) -> tuple[int, int]:
    if _slice(data, 12, 4) != b"IHDR":
        raise NotAPicture("is not a PNG: it does not begin with its size")
    return _number(data, 16, 4, "big"), _number(data, 20, 4, "big")


def _jpeg(data: bytes) -> tuple[int, int]:
    """Walks over the segments to the frame header, SOF0 to SOF15."""
    at = 2
    for _ in range(MAX_JPEG_STEPS):
        if data[at] != 0xFF:
            raise NotAPicture("is not a JPEG: its segments do not follow each other")
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return _number(data, at + 7, 2, "big"), _number(data, at + 5, 2, "big")
        else:
            at += 2 + _number(data, at + 2, 2, "big")
    raise NotAPicture("is not a JPEG: its picture does not begin")


def _webp(data: bytes) -> tuple[int, int]:
    match _slice(data, 12, 4):
        case b"VP8X":
            return 1 + _number(data, 24, 3, "little"), 1 + _number(data, 27, 3, "little")
        case b"VP8L":
            bits = _number(data, 21, 4, "little")
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"VP8 ":
            return _number(data, 26, 2, "little") & 0x3FFF, _number(data, 28, 2, "little") & 0x3FFF
        case _:
            raise NotAPicture("is not a WebP: it does not begin with a picture")


def _number(data: bytes, at: int, size: int, order: Literal["big", "little"]) -> int:
    return int.from_bytes(_slice(data, at, size), order)


def _slice(data: bytes, at: int, size: int) -> bytes:
    found = data[at : at + size]
    if len(found) < size:
        raise IndexError
    return found


#: magic bytes, where they stand, format, how to find width and height (IndexError: cut short)
FORMATS: tuple[tuple[bytes, int, Format, Callable[[bytes], tuple[int, int]]], ...] = (
    (b"\x89PNG\r\n\x1a\n", 0, "png", _png),
    (b"\xff\xd8\xff", 0, "jpeg", _jpeg),
    (b"WEBP", 8, "webp", _webp),
)
