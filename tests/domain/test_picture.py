"""The sides that a picture claims, against what Pillow wrote."""

import io
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from penstock.domain.picture import NotAPicture, header_of


def written(format_: str, size: tuple[int, int], mode: str = "RGB", **how: Any) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, 7).save(file, format_, **how)
    return file.getvalue()


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (257, 65), (1000, 3)])
@pytest.mark.parametrize(
    ("format_", "mode", "how"),
    [
        ("png", "RGB", {}),
        ("png", "1", {}),
        ("png", "RGBA", {"compress_level": 9}),
        ("jpeg", "RGB", {}),
        ("jpeg", "L", {"progressive": True, "comment": b"\xff\xc0" * 99, "dpi": (72, 72)}),
        ("webp", "RGB", {"lossless": True}),
        ("webp", "RGB", {"lossless": False}),
        ("webp", "RGBA", {"lossless": False, "exif": b"Exif\0\0" + bytes(40)}),
    ],
)
def test_format_and_sides_are_read(
    format_: str, mode: str, how: dict[str, Any], size: tuple[int, int]
) -> None:
    found = header_of(written(format_, size, mode, **how))
    assert (found.format, found.width, found.height) == (format_, *size)
    assert found.pixels == size[0] * size[1]


def test_a_jpegs_thumbnail_is_not_taken_for_the_picture() -> None:
    small = written("jpeg", (8, 8))
    outer = written("jpeg", (640, 480))
    app1 = b"\xff\xe1" + struct.pack(">H", len(small) + 2) + small
    found = header_of(outer[:2] + app1 + outer[2:])
    assert (found.width, found.height) == (640, 480)


@pytest.mark.parametrize("filler", [b"\xff\xe0\x00\x02", b"\xff"])
def test_a_jpeg_is_not_searched_for_its_picture_to_the_end(filler: bytes) -> None:
    plain = written("jpeg", (8, 8))
    assert header_of(plain[:2] + filler * 4000 + plain[2:]).pixels == 64
    with pytest.raises(NotAPicture, match="its picture does not begin"):
        header_of(plain[:2] + filler * 4096 + plain[2:])


def test_a_claim_is_read_without_the_pixels() -> None:
    huge = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + struct.pack(">II", 2**31 - 1, 2**31 - 1)
    assert header_of(huge).pixels == (2**31 - 1) ** 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a" + bytes(40),
        b"<svg/>",
        b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIDAT" + bytes(20),
        b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + bytes(20),
        b"\xff\xd8\xff" + bytes(40),
        b"RIFF\0\0\0\0WEBPABCD" + bytes(40),
    ],
)
def test_what_is_none_is_refused_with_a_reason(data: bytes) -> None:
    with pytest.raises(NotAPicture, match=r"^(is|has) "):
        header_of(data)


@given(st.data())
def test_a_cut_or_damaged_picture_is_refused_or_read_but_never_more(data: st.DataObject) -> None:
    whole = written(data.draw(st.sampled_from(["png", "jpeg", "webp"])), (33, 17))
    spoiled = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 4))):
        if spoiled:
            spoiled[data.draw(st.integers(0, len(spoiled) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = header_of(bytes(spoiled))
    except NotAPicture:
        return
    assert found.width > 0
    assert found.height > 0
