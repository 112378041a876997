"""Pictures, through the official client and through raw HTTP, made by the bundled model."""

import base64
import io
import json
from typing import Any

import pytest
from openai import BadRequestError, OpenAI
from openai.types import ImageEditCompletedEvent, ImageGenCompletedEvent, ImagesResponse
from PIL import Image, ImageChops, ImageStat
from rawhttp import request
from serving import Server, until

from penstock.api.openai.images import default_drawer

PROMPT = "A photo of an astronaut riding a horse on Mars."


@pytest.fixture
def client(bundled_server: Server) -> OpenAI:
    return OpenAI(base_url=bundled_server.url, api_key=bundled_server.key, max_retries=0)


def pictures_of(client: OpenAI, *, n: int = 1, size: str = "256x256", seed: int = 7) -> list[bytes]:
    answer = client.images.generate(
        prompt=PROMPT,
        n=n,
        size=size,
        extra_body={"seed": seed},
    )
    return [base64.b64decode(image.b64_json or "") for image in answer.data or []]


def test_the_seed_pages_example_gives_a_picture_of_the_asked_size(client: OpenAI) -> None:
    answer = client.images.generate(prompt=PROMPT, size="1024x1024", quality="standard", n=1)
    assert answer.data is not None
    picture = Image.open(io.BytesIO(base64.b64decode(answer.data[0].b64_json or "")))
    assert (picture.format, picture.size) == ("PNG", (1024, 1024))


def test_the_same_seed_gives_the_same_picture_and_another_seed_another(client: OpenAI) -> None:
    first, again, other = (pictures_of(client, seed=seed)[0] for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_several_pictures_equal_the_single_ones(client: OpenAI) -> None:
    together = pictures_of(client, n=3, seed=5)
    assert together == [pictures_of(client, seed=5 + at)[0] for at in range(3)]


def test_sides_may_differ(client: OpenAI) -> None:
    picture = Image.open(io.BytesIO(pictures_of(client, size="320x128")[0]))
    assert picture.size == (320, 128)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("response_format", "url", "unsupported_parameter"),
        ("size", "50000x50000", "invalid_value"),
        ("size", "1x1", "invalid_value"),
        ("size", "big", "invalid_value"),
        ("n", 0, "invalid_value"),
        ("n", 11, "invalid_value"),
        ("n", True, "invalid_value"),
        ("prompt", "", "invalid_value"),
        ("seed", -1, "invalid_value"),
        ("background", "transparent", "invalid_value"),
        ("output_format", "gif", "invalid_value"),
        ("output_compression", 101, "invalid_value"),
        ("output_compression", 50, "invalid_value"),
        ("steps", 4, "unknown_parameter"),
        ("model", "penstock/tiny-chat", "unsupported_parameter"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(
    client: OpenAI, field: str, value: object, code: str
) -> None:
    body = {"prompt": PROMPT, field: value}
    with pytest.raises(BadRequestError) as caught:
        client.post("/images/generations", body=body, cast_to=object)
    assert (caught.value.code, caught.value.param) == (code, field)


WRONG: dict[str, tuple[object, ...]] = {
    "prompt": (None, 1, True, [], {}, "", "x" * 32_001),
    "model": (1, True, [], {}, "", "x" * 1000),
    "n": ("1", True, [], {}, 1.5, 0, -1, 11, 2**31, 10**18),
    "size": (1, True, [], {}, "", "x", "256", "256x", "x256", "256X256", "256x256x3", "-1x256",
             " 256x256", "256x256\n", "999999x1", "1e3x1e3", "0x0"),
    "seed": ("1", True, [], {}, 1.5, -1, 2**31, 2**64),
    "response_format": (1, True, [], "png", ""),
    "output_format": (1, True, [], "svg", "", "PNG"),
    "output_compression": (-1, 101, 99, "100", True, 50.5, []),
    "background": (1, [], "", "none"),
    "stream": (1, "true", [], {}),
    "partial_images": (1, 3, 4, -1, "0", True, []),
    "quality": (1, True, [], "x" * 33),
    "style": (1, [], "x" * 33),
    "moderation": (1, [], "x" * 33),
    "user": (1, [], "x" * 2000),
}  # fmt: skip


@pytest.mark.parametrize("field", WRONG)
def test_a_wrong_value_of_a_field_is_400_and_the_field_is_named(
    bundled_server: Server, subtests: pytest.Subtests, field: str
) -> None:
    for value in WRONG[field]:
        with subtests.test(value=f"{value!r:.40}"):
            reply = bundled_server.post("images/generations", {"prompt": PROMPT, field: value})
            assert (reply.status, reply.error["param"]) == (400, field)


@pytest.mark.parametrize("literal", [b"NaN", b"Infinity", b"1e400", b"1" * 400])
@pytest.mark.parametrize("field", ["n", "seed"])
def test_numbers_that_are_none_are_400(bundled_server: Server, field: str, literal: bytes) -> None:
    body = b'{"prompt": "a cat", "%b": %b}' % (field.encode(), literal)
    assert bundled_server.post("images/generations", body).status == 400


def test_optional_fields_may_be_null_or_say_what_holds_anyway(bundled_server: Server) -> None:
    nulls = dict.fromkeys(WRONG.keys() - {"stream", "partial_images"}) | {
        "prompt": "a cat",
        "size": "64x64",
    }
    assert bundled_server.post("images/generations", nulls).status == 200
    neutral = {
        "output_format": "png",
        "output_compression": 100,
        "background": "auto",
        "response_format": "b64_json",
        "quality": "hd",
        "style": "vivid",
        "moderation": "low",
        "user": "somebody",
        "metadata": {"a": "b"},
    }
    reply = bundled_server.post("images/generations", nulls | neutral)
    assert reply.status == 200
    assert reply.json["size"] == "64x64"
    assert set(reply.json["data"][0]) == {"b64_json"}


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_a_picture_comes_in_the_format_that_is_asked_for(client: OpenAI, kind: Any) -> None:
    """OpenAI's `output_format` and `output_compression`, 100 being the finest."""
    drawn = Image.open(io.BytesIO(pictures_of(client)[0])).convert("RGB")
    sizes = []
    for compression in (5, 100):
        answer = client.images.generate(
            prompt=PROMPT,
            size="256x256",
            output_format=kind,
            output_compression=compression,
            extra_body={"seed": 7},
        )
        assert answer.output_format == kind
        assert answer.data is not None
        data = base64.b64decode(answer.data[0].b64_json or "")
        picture = Image.open(io.BytesIO(data))
        assert (picture.format, picture.size) == (kind.upper(), (256, 256))
        sizes.append(len(data))
    assert sizes[0] < sizes[1] / 3
    off = ImageStat.Stat(ImageChops.difference(picture.convert("RGB"), drawn)).mean
    assert max(off) < 2


def test_an_edit_and_a_stream_have_formats_too(client: OpenAI) -> None:
    answer = client.images.edit(
        image=("i.png", png()), mask=("m.png", left_half()), prompt="a cat", output_format="webp"
    )
    assert answer.data is not None
    data = base64.b64decode(answer.data[0].b64_json or "")
    assert Image.open(io.BytesIO(data)).format == "WEBP"
    (event,) = client.images.generate(
        prompt=PROMPT, size="64x64", output_format="jpeg", stream=True
    )
    assert event.output_format == "jpeg"
    assert Image.open(io.BytesIO(base64.b64decode(event.b64_json))).format == "JPEG"


def test_without_the_default_model_the_error_says_so(fake_server: Server) -> None:
    reply = fake_server.post("images/generations", {"prompt": PROMPT})
    assert (reply.status, reply.error["code"]) == (404, "model_not_found")
    assert reply.error["message"].startswith("No 'model' was named")


# -- streams --------------------------------------------------------------------------------------


def test_the_official_client_reads_a_stream(client: OpenAI) -> None:
    given: dict[str, Any] = {"prompt": PROMPT, "size": "256x256", "extra_body": {"seed": 7}}
    events = list(client.images.generate(stream=True, partial_images=0, n=2, **given))
    assert all(isinstance(event, ImageGenCompletedEvent) for event in events)
    assert [base64.b64decode(event.b64_json) for event in events] == pictures_of(client, n=2)
    (told, _) = events
    assert (told.type, told.size, told.output_format, told.background, told.quality) == (
        "image_generation.completed", "256x256", "png", "opaque", "auto"
    )  # fmt: skip
    assert isinstance(told, ImageGenCompletedEvent)
    assert told.usage.total_tokens == told.usage.input_tokens_details.image_tokens == 0


def test_an_edit_is_streamed_too(client: OpenAI) -> None:
    edited = client.images.edit(
        image=("i.png", png()), mask=("m.png", left_half()), prompt="a red circle", stream=True
    )
    (event,) = edited
    assert isinstance(event, ImageEditCompletedEvent)
    assert event.type == "image_edit.completed"
    assert Image.open(io.BytesIO(base64.b64decode(event.b64_json))).size == (128, 96)


def test_a_streams_errors_before_it_begins_have_a_status(client: OpenAI) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.images.generate(prompt=PROMPT, size="50000x50000", stream=True)
    assert caught.value.param == "size"


def test_pictures_before_the_last_come_in_streams_only(client: OpenAI) -> None:
    """At most so many: this model draws in one go, and so has none."""
    with pytest.raises(BadRequestError, match="stream") as caught:
        client.images.generate(prompt=PROMPT, partial_images=2)
    assert caught.value.param == "partial_images"
    events = client.images.generate(prompt=PROMPT, size="64x64", partial_images=2, stream=True)
    assert [event.type for event in events] == ["image_generation.completed"]


def test_a_client_that_leaves_a_stream_stops_its_pictures(bundled_server: Server) -> None:
    """While it waits, it hears that it does."""
    body = {"prompt": PROMPT, "n": 10, "size": "2048x2048", "seed": 1, "stream": True}
    head = {"authorization": f"Bearer {bundled_server.key}"}
    with bundled_server.wire() as wire:
        wire.send(request("POST", "/v1/images/generations", json.dumps(body).encode(), head))
        until(lambda: bundled_server.running() > 0, "the first picture is begun")
    until(lambda: bundled_server.running() == 0, "the places are free")


def test_a_client_that_leaves_stops_its_pictures(bundled_server: Server, client: OpenAI) -> None:
    body = {"prompt": PROMPT, "n": 10, "size": "2048x2048", "seed": 1}
    head = {"authorization": f"Bearer {bundled_server.key}"}
    before = bundled_server.metric("penstock_generations_total", outcome="client_left")
    with bundled_server.wire() as wire:
        wire.send(request("POST", "/v1/images/generations", json.dumps(body).encode(), head))
        until(lambda: bundled_server.running() > 0, "the first picture is begun")
    until(lambda: bundled_server.running() == 0, "the places are free")
    left = bundled_server.metric("penstock_generations_total", outcome="client_left")
    assert left == before + 1
    assert pictures_of(client, size="64x64")


def test_a_refused_size_names_those_that_can_be_made(client: OpenAI) -> None:
    with pytest.raises(BadRequestError, match="from 64 to 2048 pixels"):
        pictures_of(client, size="4096x4096")


# -- edits and variations -------------------------------------------------------------------------


#: The client warns that OpenAI itself has given the endpoint up.
OLD_ENDPOINT = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")


def png(mode: str = "RGB", size: tuple[int, int] = (128, 96), colour: object = "white") -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, colour).save(out, "PNG")  # type: ignore[arg-type]
    return out.getvalue()


def left_half(size: tuple[int, int] = (128, 96)) -> bytes:
    """A mask that is transparent on the left."""
    mask = Image.new("RGBA", size, (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (0, 0, size[0] // 2, size[1]))
    out = io.BytesIO()
    mask.save(out, "PNG")
    return out.getvalue()


def opened(answer: ImagesResponse, at: int = 0) -> Image.Image:
    assert answer.data is not None
    return Image.open(io.BytesIO(base64.b64decode(answer.data[at].b64_json or ""))).convert("RGB")


def test_an_edit_paints_where_the_mask_is_transparent_and_nowhere_else(client: OpenAI) -> None:
    answer = client.images.edit(
        image=("image.png", png(colour="magenta")),
        mask=("mask.png", left_half()),
        prompt="a red car on a meadow",
        n=2,
    )
    for at in range(2):
        picture = opened(answer, at)
        assert picture.size == (128, 96)
        assert picture.crop((64, 0, 128, 96)).getcolors() == [(64 * 96, (255, 0, 255))]
        assert (255, 0, 255) not in {
            c for _, c in picture.crop((0, 0, 64, 96)).getcolors(9999) or ()
        }


def test_without_a_mask_the_pictures_own_transparency_is_it(client: OpenAI) -> None:
    answer = client.images.edit(image=("i.png", left_half()), prompt="a cat", size="128x96")
    assert opened(answer).getpixel((100, 50)) == (0, 0, 0)


@OLD_ENDPOINT
def test_a_variation_is_another_drawing_of_the_same_caption(client: OpenAI) -> None:
    first = pictures_of(client, seed=1, size="128x128")[0]
    varied = client.images.create_variation(image=("i.png", first), n=2, extra_body={"seed": 2})
    again = pictures_of(client, seed=2, size="128x128", n=2)
    assert [base64.b64decode(image.b64_json or "") for image in varied.data or []] == again


BOMB = png(mode="1", size=(2048, 2048), colour=1).replace(
    (2048).to_bytes(4) + (2048).to_bytes(4), (60_000).to_bytes(4) * 2
)


@pytest.mark.parametrize(
    ("files", "fields", "param", "code"),
    [
        ({"image": BOMB}, {}, "image", "invalid_value"),
        ({"image": b""}, {}, "image", "invalid_value"),
        ({"image": b"GIF89a"}, {}, "image", "invalid_value"),
        ({"image": left_half()[:-40]}, {}, "image", "invalid_value"),
        ({"image": left_half()[:30]}, {}, "image", "invalid_value"),
        ({"image": png()}, {}, "mask", "invalid_value"),
        ({"image": png(), "mask": left_half((64, 64))}, {}, "mask", "invalid_value"),
        ({"image": left_half()}, {"size": "256x256"}, "size", "invalid_value"),
        ({"image": left_half()}, {"n": "many"}, "n", "invalid_value"),
        ({"image": left_half()}, {"n": "0"}, "n", "invalid_value"),
        ({"image": left_half()}, {"steps": "4"}, "steps", "unknown_parameter"),
        ({"image": left_half()}, {"response_format": "url"}, "response_format",
         "unsupported_parameter"),
        ({"image": left_half(), "prompt": b"x"}, {"prompt": None}, "prompt", "invalid_value"),
        ({"mask": left_half()}, {}, "image", "invalid_value"),
        ({"image": left_half()}, {"prompt": None}, "prompt", "invalid_value"),
        ({"image": left_half()}, {"prompt": "x" * 70_000}, "prompt", "invalid_value"),
        ({"image": left_half()}, {"model": "penstock/tiny-chat"}, "model",
         "unsupported_parameter"),
    ],
)  # fmt: skip
def test_what_an_edit_cannot_use_is_refused_by_name(
    client: OpenAI,
    files: dict[str, bytes],
    fields: dict[str, str | None],
    param: str,
    code: str,
) -> None:
    given = {"prompt": "a cat"} | fields
    with pytest.raises(BadRequestError) as caught:
        client.post(
            "/images/edits",
            body={name: value for name, value in given.items() if value is not None},
            files=[(name, (f"{name}.png", data)) for name, data in files.items()],
            options={"headers": {"Content-Type": "multipart/form-data"}},
            cast_to=object,
        )
    assert (caught.value.param, caught.value.code) == (param, code)


@OLD_ENDPOINT
def test_a_drawing_by_somebody_else_cannot_be_varied(client: OpenAI) -> None:
    with pytest.raises(BadRequestError, match="drawings of its own") as caught:
        client.images.create_variation(image=("i.png", png()))
    assert caught.value.param == "image"


@pytest.mark.parametrize(
    "body", [b"", b"--x", b"--x\r\n\r\n", b"--x\r\ncontent-disposition: form-data\r\n\r\n\r\n--x--"]
)
@pytest.mark.parametrize(
    "kind", ["multipart/form-data; boundary=x", "multipart/form-data", "application/json"]
)
def test_a_body_that_is_no_form_is_400(bundled_server: Server, body: bytes, kind: str) -> None:
    reply = bundled_server.post("images/edits", body, headers={"content-type": kind})
    assert reply.status == 400
    assert reply.error["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("engines", "drawer"),
    [
        ({}, "penstock/tiny-draw"),
        ({"chat": "llama_cpp"}, "penstock/tiny-draw"),
        ({"mine": "tiny_draw", "chat": "llama_cpp"}, "mine"),
        ({"mine": "tiny_draw", "sdxl": "diffusers", "sd": "diffusers"}, "sdxl"),
        (
            {"sdxl": "diffusers", "black-forest-labs/FLUX.1-schnell": "diffusers"},
            "black-forest-labs/FLUX.1-schnell",
        ),
        ({"black-forest-labs/FLUX.1-schnell": None, "mine": "tiny_draw"}, "mine"),
    ],
)
def test_who_draws_when_no_model_is_named(engines: dict[str, str | None], drawer: str) -> None:
    assert default_drawer(engines) == drawer
