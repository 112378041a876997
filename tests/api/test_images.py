"""Pictures, through the official client and through raw HTTP, made by the bundled model."""

import base64
import io

import pytest
from openai import BadRequestError, OpenAI
from PIL import Image
from serving import Server

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
        ("output_format", "webp", "invalid_value"),
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


def test_a_refused_size_names_those_that_can_be_made(client: OpenAI) -> None:
    with pytest.raises(BadRequestError, match="from 64 to 2048 pixels"):
        pictures_of(client, size="4096x4096")
