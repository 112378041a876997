"""Edits and variations byte by byte: what forms and the files in them may try."""

import base64
import io
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import pytest
from openai import BadRequestError, OpenAI
from PIL import Image, ImageDraw
from rawhttp import Reply
from serving import Server

BOUNDARY = "b0undary"
RED = (200, 30, 30)
SIDE = 128
#: Where the mask is transparent: the left half.
HOLE = (0, 0, SIDE // 2 - 1, SIDE - 1)


@pytest.fixture
def client(bundled_server: Server) -> OpenAI:
    return OpenAI(base_url=bundled_server.url, api_key=bundled_server.key, max_retries=0)


def picture(size: tuple[int, int] = (SIDE, SIDE), format_: str = "png", **how: Any) -> bytes:
    return _saved(Image.new("RGB", size, RED), format_, **how)


def with_hole(size: tuple[int, int] = (SIDE, SIDE)) -> bytes:
    image = Image.new("RGBA", size, (*RED, 255))
    ImageDraw.Draw(image).rectangle(HOLE, (0, 0, 0, 0))
    return _saved(image, "png")


def _saved(image: Image.Image, format_: str, **how: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format_, **how)
    return file.getvalue()


def claimed(width: int, height: int, *, body: bytes = b"") -> bytes:
    """A small PNG file that claims a size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(body, 9))
        + chunk(b"IEND", b"")
    )


def part(name: str, value: bytes | str, *, head: str = "") -> bytes:
    """A part of a form: bytes are a file."""
    data = value.encode() if isinstance(value, str) else value
    file = '; filename="a.png"' if isinstance(value, bytes) else ""
    disposition = f'Content-Disposition: form-data; name="{name}"{file}\r\n{head}\r\n'
    return f"--{BOUNDARY}\r\n".encode() + disposition.encode() + data + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()
FORM = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}


def post(
    server: Server, path: str, fields: Mapping[str, bytes | str], *, more: bytes = b""
) -> Reply:
    body = b"".join(part(name, value) for name, value in fields.items()) + more + END
    return server.post(f"images/{path}", body, headers=FORM)


EDIT: dict[str, bytes | str] = {"prompt": "a blue fish", "image": with_hole(), "seed": "3"}


def test_several_edits_equal_the_single_ones(bundled_server: Server) -> None:
    together = post(bundled_server, "edits", EDIT | {"n": "2"})
    assert (together.status, together.json["size"]) == (200, f"{SIDE}x{SIDE}")
    singles = [
        post(bundled_server, "edits", EDIT | {"seed": seed}).json["data"][0] for seed in ("3", "4")
    ]
    assert together.json["data"] == singles


@pytest.mark.parametrize("format_", ["jpeg", "webp"])
def test_other_formats_may_be_edited(client: OpenAI, format_: str) -> None:
    answer = client.images.edit(image=picture(format_=format_), mask=with_hole(), prompt="a cat")
    assert answer.data


def test_an_opaque_mask_is_refused(client: OpenAI) -> None:
    with pytest.raises(BadRequestError, match="Nothing is to be edited") as caught:
        client.images.edit(image=picture(), mask=picture(), prompt="a cat")
    assert caught.value.param == "mask"


def test_two_pictures_are_one_too_many(client: OpenAI) -> None:
    with pytest.raises(BadRequestError, match="once only") as caught:
        client.images.edit(image=[with_hole(), with_hole()], prompt="a cat")
    assert caught.value.param == "image"


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
def test_an_edited_picture_and_a_jpeg_have_no_caption_to_vary(client: OpenAI) -> None:
    answer = client.images.edit(image=with_hole(), prompt="a cat")
    assert answer.data
    edited = base64.b64decode(answer.data[0].b64_json or "")
    for image in (picture(format_="jpeg"), edited):
        with pytest.raises(BadRequestError, match="drawings of its own") as caught:
            client.images.create_variation(image=image)
        assert caught.value.param == "image"


# -- bad pictures ----------------------------------------------------------------------------

BOMBS = {
    "text": b"hello",
    "empty": b"",
    "gif": b"GIF89a" + bytes(100),
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "cut short": with_hole()[:-40],
    "cut in its head": with_hole()[:20],
    "jpeg cut short": picture(format_="jpeg")[:-200],
    "claims 2^31 pixels a side": claimed(2**31 - 1, 2**31 - 1),
    "claims 65,000 pixels a side": claimed(65_000, 65_000),
    "is 400 megapixels in 400 kB": claimed(20_000, 20_000, body=bytes(20_000 * 1000)),
    "no pixels": claimed(0, 10),
    "pixels missing": claimed(256, 256),
    "pixels damaged": with_hole()[:60] + b"\xff" * 30 + with_hole()[90:],
}


@pytest.mark.parametrize("endpoint", ["edits", "variations"])
@pytest.mark.parametrize("name", BOMBS)
def test_a_bad_picture_is_400_and_harms_nobody(
    bundled_server: Server, endpoint: str, name: str
) -> None:
    fields = {"image": BOMBS[name]} | ({"prompt": "a cat"} if endpoint == "edits" else {})
    reply = post(bundled_server, endpoint, fields)
    assert (reply.status, reply.error["param"]) == (400, "image")


@pytest.mark.parametrize("name", BOMBS)
def test_a_bad_mask_is_400_and_named(bundled_server: Server, name: str) -> None:
    reply = post(bundled_server, "edits", EDIT | {"mask": BOMBS[name]})
    assert (reply.status, reply.error["param"]) == (400, "mask")


@pytest.mark.parametrize("mask", [with_hole((SIDE, SIDE - 1)), picture(format_="jpeg")])
def test_a_mask_must_fit(bundled_server: Server, mask: bytes) -> None:
    reply = post(bundled_server, "edits", EDIT | {"mask": mask})
    assert (reply.status, reply.error["param"]) == (400, "mask")


def test_no_bomb_has_gone_off(bundled_server: Server, client: OpenAI) -> None:
    assert bundled_server.metric("penstock_replica_restarts_total") == 0
    assert client.images.edit(image=with_hole(), prompt="a cat").data


# -- bad forms -------------------------------------------------------------------------------

WRONG: dict[str, tuple[str | bytes, ...]] = {
    "prompt": ("", "x" * 32_001, "x" * 300_000, b"file"),
    "image": ("aGVsbG8=", "https://example.com/a.png", ""),
    "mask": ("aGVsbG8=", "nothing"),
    "n": ("0", "11", "-1", "1.5", "x", "true", "NaN", "1" * 400),
    "size": ("0x0", "64", "64x64x64", "99999x99999", "x"),
    "seed": ("-1", "x", "1e400", str(2**31)),
    "model": ("", "x" * 300),
    "response_format": ("url", "png"),
    "output_format": ("svg", "gif"),
    "stream": ("perhaps", "1x"),
    "quality": ("x" * 33,),
    "input_fidelity": ("x" * 33,),
    "background": ("transparent", "x"),
    "nonsense": ("1",),
}


@pytest.mark.parametrize("field", WRONG)
def test_a_wrong_field_of_a_form_is_400_and_named(
    bundled_server: Server, subtests: pytest.Subtests, field: str
) -> None:
    for value in WRONG[field]:
        with subtests.test(value=f"{value!r:.40}"):
            reply = post(bundled_server, "edits", EDIT | {field: value})
            assert (reply.status, reply.error["param"]) == (400, field)


def test_a_variation_is_not_streamed(bundled_server: Server) -> None:
    reply = post(bundled_server, "variations", {"image": with_hole(), "stream": "true"})
    assert (reply.status, reply.error["param"]) == (400, "stream")


@pytest.mark.parametrize("field", ["prompt", "image"])
def test_a_missing_field_is_named(bundled_server: Server, field: str) -> None:
    fields = {name: value for name, value in EDIT.items() if name != field}
    reply = post(bundled_server, "edits", fields)
    assert (reply.status, reply.error["param"]) == (400, field)


def test_a_field_given_twice_is_refused(bundled_server: Server) -> None:
    reply = post(bundled_server, "edits", EDIT, more=part("prompt", "another"))
    assert (reply.status, reply.error["param"]) == (400, "prompt")


IMAGE = part("image", with_hole()) + part("prompt", "a cat")
BAD_FORMS = {
    "empty": b"",
    "no form": b"{}",
    "cut short": (IMAGE + END)[:-10],
    "no end": IMAGE,
    "another boundary": (IMAGE + END).replace(BOUNDARY.encode(), b"other"),
    "a part without a name": IMAGE + part("", "x") + END,
    "no disposition": IMAGE + f"--{BOUNDARY}\r\nx: y\r\n\r\nz\r\n".encode() + END,
    "a head without a colon": IMAGE + f"--{BOUNDARY}\r\nxyz\r\n\r\nz\r\n".encode() + END,
    "1,000 parts": IMAGE + part("user", "x") * 1000 + END,
    "a head of 100 kB": IMAGE + part("user", "x", head="x: " + "y" * 100_000 + "\r\n") + END,
    "1,000 heads": IMAGE + part("user", "x", head="x: y\r\n" * 1000) + END,
    "no text": IMAGE + part("user", "x").replace(b"\r\nx\r\n", b"\r\n\xff\r\n") + END,
}


@pytest.mark.parametrize("name", BAD_FORMS)
def test_a_broken_form_is_400(bundled_server: Server, name: str) -> None:
    reply = bundled_server.post("images/edits", BAD_FORMS[name], headers=FORM)
    assert (reply.status, reply.error["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize(
    "kind", ["", "application/json", "multipart/form-data", "multipart/mixed; boundary=b0undary",
             "multipart/form-data; boundary=", "multipart/form-data; boundary=" + "x" * 5000],
)  # fmt: skip
def test_another_content_type_is_400(bundled_server: Server, kind: str) -> None:
    reply = bundled_server.post("images/edits", IMAGE + END, headers={"content-type": kind})
    assert (reply.status, reply.error["type"]) == (400, "invalid_request_error")


def test_a_form_larger_than_the_limit_is_413(bundled_server: Server) -> None:
    body = IMAGE + part("user", bytes(33 * 1024 * 1024)) + END
    reply = bundled_server.post("images/edits", body, headers=FORM)
    assert (reply.status, reply.error["code"]) == (413, "request_too_large")


@pytest.mark.parametrize("endpoint", ["edits", "variations"])
def test_a_model_that_cannot_is_refused_by_what_it_can(
    bundled_server: Server, endpoint: str
) -> None:
    fields = EDIT if endpoint == "edits" else {"image": with_hole()}
    reply = post(bundled_server, endpoint, {**fields, "model": "penstock/tiny-chat"})
    assert (reply.status, reply.error["code"]) == (400, "unsupported_parameter")
    assert f"does not do image_{endpoint}; it does chat" in reply.error["message"]
