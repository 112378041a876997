"""Pictures of a prompt."""

import base64
import struct
from typing import Any

from penstock.conformance.check import Failed, Skipped, check, expect, expect_none
from penstock.conformance.schema import complaints
from penstock.conformance.subject import EventStream, Subject, official

SIZES = ("256x256", "512x512", "1024x1024")
#: The fields of OpenAI's ImageGenCompletedEvent.
COMPLETED = (
    "b64_json",
    "background",
    "created_at",
    "output_format",
    "quality",
    "size",
    "type",
    "usage",
)
PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"


@check
def answer_fits_the_schema(subject: Subject) -> None:
    """An answer fits OpenAI's schema.

    Source: OpenAI's schema ImagesResponse.
    """
    expect_none(complaints(subject.draw(response_format="b64_json"), "ImagesResponse")[:3])


@check
def picture_has_the_size_asked_for(subject: Subject) -> None:
    """A picture has the size that was asked for; a size that cannot be made is refused.

    Source: OpenAI API reference, images: size.
    """
    for size in SIZES:
        body = subject.image_body(size=size, response_format="b64_json")
        reply = subject.post("/images/generations", body)
        if reply.status == 400:
            continue
        expect(reply.status == 200, f"{size}: status {reply.status}: {reply.complaint}")
        (picture,) = _pictures(reply.json)
        expect(_size(picture) == size, f"{_size(picture)} for {size}")
        return
    raise Skipped(f"the model makes none of {', '.join(SIZES)}")


@check
def as_many_as_asked_for(subject: Subject) -> None:
    """`n` pictures come.

    Source: OpenAI API reference, images: n.
    """
    found = _pictures(subject.draw(n=2, response_format="b64_json"))
    expect(len(found) == 2, f"{len(found)} pictures")


@check
def official_client_draws(subject: Subject) -> None:
    """The official client gets a picture.

    Source: openai-python, images.generate.
    """
    with official():
        answer = subject.client.images.generate(
            model=subject.models.of("images"), prompt="a red circle", response_format="b64_json"
        )
    expect(answer.data and answer.data[0].b64_json, "there is no picture")


@check
def official_client_reads_a_stream(subject: Subject) -> None:
    """A stream ends in a picture with the fields of OpenAI's event, or `stream` is refused.

    Source: OpenAI API reference, image generation streaming: image_generation.completed.
    """
    from openai import BadRequestError

    with official():
        try:
            stream = subject.client.images.generate(
                model=subject.models.of("images"), prompt="a red circle", stream=True
            )
            events = list(stream)
        except BadRequestError as refused:
            expect(refused.param == "stream", f"{refused.param!r} is named, not 'stream'")
            return
    expect(events, "there is no event")
    last = events[-1].model_dump()
    expect(last.get("type") == "image_generation.completed", f"the last is {last.get('type')!r}")
    missing = [name for name in COMPLETED if last.get(name) is None]
    expect(not missing, f"it has no {', '.join(missing)}")
    _size(base64.b64decode(last["b64_json"]))


@check
def partial_images_are_honoured_or_refused(subject: Subject) -> None:
    """A stream has at most as many partial images as are asked for, or they are refused.

    Source: OpenAI API reference, images: partial_images.
    """
    body = subject.image_body(stream=True, partial_images=2)
    reply = subject.post("/images/generations", body)
    if reply.status == 400:
        param = reply.json["error"].get("param")
        expect(param in ("stream", "partial_images"), f"{param!r} is named, not 'partial_images'")
        return
    expect(reply.status == 200, f"status {reply.status}: {reply.complaint}")
    kinds = [event.get("type") for event in EventStream(reply).events]
    expect(kinds[-1:] == ["image_generation.completed"], f"the events are {kinds}")
    expect(kinds.count("image_generation.partial_image") <= 2, f"the events are {kinds}")


@check
def url_is_honoured_or_refused(subject: Subject) -> None:
    """response_format url gives a link, or is refused; it is not ignored.

    Source: OpenAI API reference, images: response_format.
    """
    reply = subject.post("/images/generations", subject.image_body(response_format="url"))
    if reply.status == 400:
        return
    expect(reply.status == 200, f"status {reply.status}: {reply.complaint}")
    expect(reply.json["data"][0].get("url"), "there is no link")


@check
def wrong_requests_are_refused(subject: Subject) -> None:
    """No prompt, an empty one, n of 0 and sizes that are none are refused.

    Source: OpenAI's schema CreateImageRequest.
    """
    bodies: dict[str, object] = {
        "no prompt": {"model": subject.models.of("images")},
        "prompt of 5": {"model": subject.models.of("images"), "prompt": 5},
        "n 0": subject.image_body(n=0),
        "n 11": subject.image_body(n=11),
        "size huge": subject.image_body(size="huge"),
        "size 0x0": subject.image_body(size="0x0"),
        "size 99999x99999": subject.image_body(size="99999x99999"),
        "format zork": subject.image_body(response_format="zork"),
    }
    expect_none(subject.accepted("/images/generations", bodies))


def _pictures(answer: Any) -> list[bytes]:
    texts = [item.get("b64_json") for item in answer["data"]]
    expect(all(texts), "a picture is missing")
    return [base64.b64decode(text) for text in texts]


def _size(picture: bytes) -> str:
    """WIDTHxHEIGHT of a PNG or JPEG. Raises Failed when it is neither."""
    if picture.startswith(PNG):
        width, height = struct.unpack(">II", picture[16:24])
        return f"{width}x{height}"
    if picture.startswith(JPEG):
        return _jpeg_size(picture)
    if picture[:4] == b"RIFF" and picture[8:12] == b"WEBP":
        raise Skipped("it is a WebP, whose size is not looked at")
    raise Failed(f"it is no picture: {picture[:8]!r}")


def _jpeg_size(picture: bytes) -> str:
    at = 2
    while at + 9 < len(picture):
        marker, length = picture[at + 1], struct.unpack(">H", picture[at + 2 : at + 4])[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", picture[at + 5 : at + 9])
            return f"{width}x{height}"
        at += 2 + length
    raise Failed("it is a broken JPEG")
