"""Pictures by diffusers, through the official client: real pipelines, tiny and random."""

import base64
import io
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import picture_models
import pytest
from openai import BadRequestError, OpenAI
from openai.types import (
    ImageEditCompletedEvent,
    ImageEditPartialImageEvent,
    ImageGenPartialImageEvent,
    ImagesResponse,
)
from PIL import Image, ImageChops
from rawhttp import request
from serving import Server, serving, until

#: FLUX's, which only follows prompts, and one that is guided away from others.
PLAIN, GUIDED = "flux", "sdxl"
MODELS = (PLAIN, GUIDED)
#: GUIDED, changed by a LoRA.
STYLE = "some/style"
SIDE = 64
#: An interpreter with torch takes its time on a machine that does other things too.
READY_S = 300.0
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="session")
def picture_server(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """MODELS behind a real `penstock serve`, shared by all tests here: leave it as it was."""
    home = tmp_path_factory.mktemp("pictures-home")
    settings = home / "penstock.toml"
    settings.write_text(
        f'diffusers_python = "{picture_models.diffusers_python()}"\n'
        + "".join(f'[[models]]\nsource = "{pictures}/{kind}"\n' for kind in MODELS)
        + f'adapters = {{ "{STYLE}" = "{pictures}/{GUIDED}.safetensors" }}\n'
    )
    with serving(
        home=home,
        flags=("--config", str(settings)),
        ready=False,
    ) as server:
        server.wait_ready(READY_S)
        yield server


@pytest.fixture
def client(picture_server: Server) -> OpenAI:
    return OpenAI(base_url=picture_server.url, api_key=picture_server.key, max_retries=0)


def opened(answer: ImagesResponse) -> list[Image.Image]:
    found = [base64.b64decode(image.b64_json or "") for image in answer.data or []]
    return [Image.open(io.BytesIO(data)).convert("RGB") for data in found]


def draw(
    client: OpenAI,
    model: str = GUIDED,
    prompt: str = "a red cat",
    *,
    size: str = f"{SIDE}x{SIDE}",
    n: int = 1,
    **more: Any,
) -> list[Image.Image]:
    """`more` goes the way that users send what OpenAI does not know: by `extra_body`."""
    steps = {"seed": 7, "num_inference_steps": 2} | more
    return opened(
        client.images.generate(model=model, prompt=prompt, size=size, n=n, extra_body=steps)
    )


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def levels_apart(one: Image.Image, other: Image.Image) -> int:
    """The largest difference of a channel of a pixel."""
    bands = ImageChops.difference(one, other).getextrema()
    return max(int(most) for _, most in bands)  # type: ignore[misc]


RED = Image.new("RGB", (SIDE, SIDE), (200, 30, 30))


def left_half(size: tuple[int, int] = (SIDE, SIDE)) -> bytes:
    """A mask that is transparent on the left."""
    mask = Image.new("RGBA", size, (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (0, 0, size[0] // 2, size[1]))
    return png(mask)


# -- pictures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_a_picture_has_the_asked_size_and_belongs_to_its_seed(client: OpenAI, model: str) -> None:
    first, again, other = (draw(client, model, size="96x64", seed=seed)[0] for seed in (1, 1, 2))
    assert first.size == (96, 64)
    assert first.tobytes() == again.tobytes()
    assert levels_apart(first, other) > 10


def test_what_steps_are_told_changes_the_picture(client: OpenAI) -> None:
    plain = draw(client)[0]
    for told in (
        {"num_inference_steps": 3},
        {"guidance_scale": 2.0},
        {"negative_prompt": "a dog, blurred"},
    ):
        assert levels_apart(plain, draw(client, **told)[0]) > 1, told


@pytest.mark.parametrize("model", MODELS)
def test_several_pictures_equal_the_single_ones_within_a_level(client: OpenAI, model: str) -> None:
    together = draw(client, model, n=3, seed=5)
    for at, picture in enumerate(together):
        assert levels_apart(picture, draw(client, model, seed=5 + at)[0]) <= 1


def test_pictures_of_several_clients_equal_the_single_ones_within_a_level(client: OpenAI) -> None:
    prompts = ["a cat", "two dogs on a meadow", "", "a cat"]

    def one(at: int) -> Image.Image:
        return draw(client, prompt=prompts[at] or "x", seed=at, negative_prompt=prompts[-at])[0]

    alone = [one(at) for at in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(one, range(4)))
    assert [levels_apart(*pair) <= 1 for pair in zip(alone, together, strict=True)] == [True] * 4


def test_an_adapter_is_a_model_of_its_own(client: OpenAI) -> None:
    plain, styled, again = (draw(client, model)[0] for model in (GUIDED, STYLE, GUIDED))
    assert levels_apart(plain, styled) > 10
    assert plain.tobytes() == again.tobytes()
    (edited,) = opened(
        client.images.edit(
            model=STYLE,
            image=("i.png", png(RED)),
            mask=("m.png", left_half()),
            prompt="a cat",
            extra_body={"seed": 3, "num_inference_steps": 2},
        )
    )
    assert edited.size == (SIDE, SIDE)


def test_a_model_tells_what_it_can_be_told(picture_server: Server) -> None:
    plain, guided = (
        set(picture_server.get(f"/v1/models/{model}").json["penstock"]["attributes"])
        for model in MODELS
    )
    assert guided - plain == {"guidance_scale", "negative_prompt"}
    assert "num_inference_steps" in plain


@pytest.mark.parametrize(
    ("model", "field", "value", "code"),
    [
        (PLAIN, "negative_prompt", "blurred", "unsupported_parameter"),
        (PLAIN, "guidance_scale", 3.0, "unsupported_parameter"),
        (GUIDED, "size", "68x64", "invalid_value"),
        (PLAIN, "size", "72x64", "invalid_value"),
        (GUIDED, "size", "50000x50000", "invalid_value"),
        (GUIDED, "size", "4096x64", "invalid_value"),
        (GUIDED, "num_inference_steps", 0, "invalid_value"),
        (GUIDED, "num_inference_steps", 1000, "invalid_value"),
        (GUIDED, "guidance_scale", -1, "invalid_value"),
        (GUIDED, "guidance_scale", 1000, "invalid_value"),
        (GUIDED, "prompt", "x" * 200, "context_length_exceeded"),
        (PLAIN, "prompt", "x" * 300, "context_length_exceeded"),
        (GUIDED, "negative_prompt", "x" * 200, "context_length_exceeded"),
        (GUIDED, "partial_images", 4, "invalid_value"),
        (GUIDED, "partial_images", 2, "invalid_value"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(
    picture_server: Server, model: str, field: str, value: object, code: str
) -> None:
    body = {"model": model, "prompt": "a cat", "size": "64x64"} | {field: value}
    reply = picture_server.post("images/generations", body)
    assert (reply.status, reply.error["param"], reply.error["code"]) == (400, field, code)


def test_a_negative_prompt_without_guidance_is_refused(client: OpenAI) -> None:
    with pytest.raises(BadRequestError, match="changes nothing while") as caught:
        draw(client, negative_prompt="blurred", guidance_scale=0)
    assert caught.value.param == "negative_prompt"


def test_a_long_prompt_is_read_by_the_model_that_can(client: OpenAI) -> None:
    """FLUX has two readers: one takes 77 tokens, the other more."""
    text = "a cat " * 30
    assert levels_apart(draw(client, PLAIN, text)[0], draw(client, PLAIN, text + "!")[0]) > 0


# -- edits and variations -------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_an_edit_paints_where_the_mask_is_transparent_and_nowhere_else(
    client: OpenAI, model: str
) -> None:
    (edited,) = opened(
        client.images.edit(
            model=model,
            image=("i.png", png(RED)),
            mask=("m.png", left_half()),
            prompt="a cat",
            extra_body={"seed": 3, "num_inference_steps": 2},
        )
    )
    right, left = (SIDE // 2, 0, SIDE, SIDE), (0, 0, SIDE // 2, SIDE)
    assert levels_apart(edited.crop(right), RED.crop(right)) == 0
    assert levels_apart(edited.crop(left), RED.crop(left)) > 10


@pytest.mark.parametrize("model", MODELS)
def test_an_edit_without_a_mask_is_of_the_whole_picture(client: OpenAI, model: str) -> None:
    pictures = opened(
        client.images.edit(
            model=model,
            image=("i.png", png(RED)),
            prompt="a cat",
            n=2,
            extra_body={"seed": 3, "num_inference_steps": 2},
        )
    )
    assert [picture.size for picture in pictures] == [(SIDE, SIDE)] * 2
    assert levels_apart(*pictures) > 1
    assert all(levels_apart(picture, RED) > 1 for picture in pictures)


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
@pytest.mark.parametrize("model", MODELS)
def test_a_variation_may_have_another_size(client: OpenAI, model: str) -> None:
    (varied,) = opened(
        client.images.create_variation(
            model=model,
            image=("i.png", png(RED)),
            size="96x64",  # type: ignore[arg-type]
            extra_body={"num_inference_steps": 1},
        )
    )
    assert varied.size == (96, 64)


BOMB = png(Image.new("1", (64, 64))).replace((64).to_bytes(4) * 2, (50_000).to_bytes(4) * 2)


@pytest.mark.parametrize(
    ("files", "param"),
    [
        ({"image": BOMB}, "image"),
        ({"image": png(RED)[:-40]}, "image"),
        ({"image": b"GIF89a"}, "image"),
        ({"image": png(Image.new("RGB", (60, 64)))}, "image"),
        ({"image": png(RED), "mask": left_half((32, 32))}, "mask"),
        ({"image": png(RED), "mask": BOMB}, "mask"),
        ({"image": png(RED), "mask": png(RED)}, "mask"),
        ({"image": png(RED), "mask": left_half()[:-40]}, "mask"),
    ],
)
def test_a_bad_picture_is_400_and_named(
    client: OpenAI, files: dict[str, bytes], param: str
) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.post(
            "/images/edits",
            body={"model": GUIDED, "prompt": "a cat"},
            files=[(name, (f"{name}.png", data)) for name, data in files.items()],
            options={"headers": {"Content-Type": "multipart/form-data"}},
            cast_to=object,
        )
    assert caught.value.param == param


# -- streams --------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2])
def test_who_waits_for_a_stream_hears_of_the_steps(
    picture_server: Server, client: OpenAI, n: int
) -> None:
    wanted: dict[str, Any] = {"size": "128x128", "num_inference_steps": 150}
    body = {"model": GUIDED, "prompt": "a red cat", "seed": 7, "n": n, "stream": True} | wanted
    reply = picture_server.post("images/generations", body)
    assert reply.headers["content-type"].startswith("text/event-stream")
    lines = reply.body.decode().splitlines()
    comments = [line for line in lines if line.startswith(":")]
    which = "picture 2 of 2, " if n == 2 else ""
    assert any(re.fullmatch(rf": {which}step \d+ of 150", comment) for comment in comments)
    told = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert [event["type"] for event in told] == ["image_generation.completed"] * n
    streamed = Image.open(io.BytesIO(base64.b64decode(told[0]["b64_json"]))).convert("RGB")
    assert levels_apart(streamed, draw(client, **wanted)[0]) <= 1


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("model", MODELS)
def test_previews_come_on_the_way(client: OpenAI, model: str, n: int) -> None:
    events = list(
        client.images.generate(
            model=model,
            prompt="a red cat",
            size="96x64",
            n=n,
            stream=True,
            partial_images=2,
            extra_body={"seed": 7, "num_inference_steps": 6},
        )
    )
    kinds = [event.type.removeprefix("image_generation.") for event in events]
    assert kinds == ["partial_image"] * 2 * n + ["completed"] * n
    previews = [event for event in events if isinstance(event, ImageGenPartialImageEvent)]
    assert sorted(event.partial_image_index for event in previews) == sorted([0, 1] * n)
    files = [Image.open(io.BytesIO(base64.b64decode(event.b64_json))) for event in events]
    assert {(file.format, file.size) for file in files} == {("PNG", (96, 64))}
    assert len({file.tobytes() for file in files}) == len(files)
    whole = draw(client, model, size="96x64", num_inference_steps=6)[0]
    assert levels_apart(files[2 * n].convert("RGB"), whole) <= 1


def test_previews_are_in_the_format_that_is_asked_for(client: OpenAI) -> None:
    events = client.images.generate(
        model=GUIDED, prompt="a cat", size="64x64", output_format="webp", stream=True,
        partial_images=1, extra_body={"num_inference_steps": 2},
    )  # fmt: skip
    files = [Image.open(io.BytesIO(base64.b64decode(event.b64_json))) for event in events]
    assert [file.format for file in files] == ["WEBP", "WEBP"]


def test_previews_of_an_edit_show_what_is_kept(client: OpenAI) -> None:
    first, last = client.images.edit(
        model=GUIDED,
        image=("i.png", png(RED)),
        mask=("m.png", left_half()),
        prompt="a cat",
        stream=True,
        partial_images=1,
        extra_body={"seed": 3, "num_inference_steps": 4},
    )
    assert isinstance(first, ImageEditPartialImageEvent)
    for event in (first, last):
        picture = Image.open(io.BytesIO(base64.b64decode(event.b64_json))).convert("RGB")
        right = picture.crop((SIDE // 2, 0, SIDE, SIDE))
        assert levels_apart(right, RED.crop((SIDE // 2, 0, SIDE, SIDE))) == 0


def test_the_official_client_reads_a_stream_of_an_edit(client: OpenAI) -> None:
    edited = client.images.edit(
        model=GUIDED,
        image=("i.png", png(RED)),
        mask=("m.png", left_half()),
        prompt="a cat",
        stream=True,
        extra_body={"seed": 3, "num_inference_steps": 2},
    )
    (event,) = edited
    assert isinstance(event, ImageEditCompletedEvent)
    assert event.type == "image_edit.completed"


# -- leaving --------------------------------------------------------------------------------------


def long_request(server: Server, *, n: int = 1) -> bytes:
    body = {"model": GUIDED, "prompt": "x", "n": n, "size": "512x512", "num_inference_steps": 150}
    head = {"authorization": f"Bearer {server.key}"}
    return request("POST", "/v1/images/generations", json.dumps(body).encode(), head)


def test_a_client_that_leaves_stops_its_pictures(picture_server: Server, client: OpenAI) -> None:
    with picture_server.wire() as wire:
        wire.send(long_request(picture_server, n=2))
        until(lambda: picture_server.running() == 2, "the pictures are begun")
    until(lambda: picture_server.running() == 0, "the places are free")
    assert draw(client)


def test_one_of_a_batch_may_leave(picture_server: Server, client: OpenAI) -> None:
    """Those that stay get the pictures that they would have got alone."""
    wanted: dict[str, Any] = {"size": "128x128", "num_inference_steps": 20}
    alone = draw(client, **wanted)[0]
    with ThreadPoolExecutor(1) as pool, picture_server.wire() as wire:
        body = {"model": GUIDED, "prompt": "x", "seed": 1} | wanted
        head = {"authorization": f"Bearer {picture_server.key}"}
        wire.send(request("POST", "/v1/images/generations", json.dumps(body).encode(), head))
        stays = pool.submit(draw, client, **wanted)
        until(lambda: picture_server.running() == 2, "both are begun")
        wire.close()
        assert levels_apart(stays.result()[0], alone) <= 1
