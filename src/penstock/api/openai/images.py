"""Images: request -> calls, pictures -> one object."""

import secrets
import time
from collections.abc import Mapping
from typing import Any

from penstock.api.openai.answers import ImageObject, ImagesResponse
from penstock.api.openai.wire import (
    ImageEditsRequest,
    ImagesRequest,
    ImageVariationsRequest,
    PicturesRequest,
    StreamedPicturesRequest,
)
from penstock.domain.errors import InvalidRequest, UnsupportedParameter
from penstock.domain.image import AnyImageCall, ImageCall, ImageEdit, ImageSizes, ImageVariation
from penstock.domain.model import Capabilities
from penstock.domain.picture import Header, NotAPicture, header_of

SEEDS = 2**31
#: Who draws for those who name no model: DeepInfra's default, then whatever diffuses, then ours.
FLUX = frozenset({"black-forest-labs/FLUX.1-schnell", "black-forest-labs/FLUX-1-schnell"})
DRAWING_ENGINES = ("diffusers", "tiny_draw")
TINY_DRAW = "penstock/tiny-draw"


def image_calls(request: ImagesRequest, capabilities: Capabilities) -> list[AnyImageCall]:
    """One call per picture; picture i has the seed plus i. Raises InvalidRequest and its kin."""
    check_files(request)
    width, height = size_of(request.size, sizes_of(capabilities))
    return [
        ImageCall(
            prompt=request.prompt,
            width=width,
            height=height,
            seed=seed,
            previews=previews_of(request),
            **manner_of(request),
        )
        for seed in seeds_of(request)
    ]


def edit_calls(request: ImageEditsRequest, capabilities: Capabilities) -> list[AnyImageCall]:
    """As `image_calls`; the mask has the picture's sides, and so has what comes of it."""
    check_files(request)
    sizes = sizes_of(capabilities)
    image = picture_of(request.image, "image", sizes)
    if request.mask is not None:
        mask = picture_of(request.mask, "mask", sizes)
        if (mask.width, mask.height) != (image.width, image.height):
            raise InvalidRequest(
                f"'mask' is {mask.width}x{mask.height} pixels, 'image' {image.width}x"
                f"{image.height}; both must be the same.",
                param="mask",
            )
    if request.size not in (None, "auto", f"{image.width}x{image.height}"):
        raise InvalidRequest(
            f"'size' must be that of 'image', {image.width}x{image.height}, or left out.",
            param="size",
        )
    return [
        ImageEdit(
            prompt=request.prompt,
            image=request.image,
            mask=request.mask,
            width=image.width,
            height=image.height,
            seed=seed,
            previews=previews_of(request),
            **manner_of(request),
        )
        for seed in seeds_of(request)
    ]


def variation_calls(
    request: ImageVariationsRequest, capabilities: Capabilities
) -> list[AnyImageCall]:
    """As `image_calls`; without a size, the picture's own."""
    check_files(request)
    sizes = sizes_of(capabilities)
    image = picture_of(request.image, "image", sizes)
    given = None if request.size == "auto" else request.size
    width, height = size_of(given or f"{image.width}x{image.height}", sizes)
    return [
        ImageVariation(
            image=request.image, width=width, height=height, seed=seed, **manner_of(request)
        )
        for seed in seeds_of(request)
    ]


def default_drawer(engines: Mapping[str, str | None]) -> str:
    """The model that draws when none is named, of those there are, with the engine of each."""
    drawers = [name for name, engine in engines.items() if engine in DRAWING_ENGINES]

    def rank(name: str) -> tuple[bool, int]:
        return name not in FLUX, DRAWING_ENGINES.index(engines[name] or "")

    return min(drawers, key=rank, default=TINY_DRAW)


def check_files(request: PicturesRequest) -> None:
    """What is asked of the files that come. Raises InvalidRequest, UnsupportedParameter."""
    if request.output_format in (None, "png") and request.output_compression not in (None, 100):
        raise InvalidRequest(
            "'output_compression' must be 100 for a PNG, which loses nothing: ask for 'jpeg' or "
            "'webp' in 'output_format'.",
            param="output_compression",
        )
    if request.response_format == "url":
        raise UnsupportedParameter(
            "'response_format' must be 'b64_json': this server does not keep pictures to link to.",
            param="response_format",
        )


def manner_of(request: PicturesRequest) -> dict[str, Any]:
    """How a picture is to be made and written, as fields of a `Drawing`."""
    return {
        "format": request.output_format or "png",
        "compression": 100 if request.output_compression is None else request.output_compression,
        "negative_prompt": request.negative_prompt,
        "num_inference_steps": request.num_inference_steps,
        "guidance_scale": request.guidance_scale,
    }


def previews_of(request: StreamedPicturesRequest) -> int:
    """How many pictures that are half made are wanted. Raises InvalidRequest."""
    if request.partial_images and not request.stream:
        raise InvalidRequest(
            "'partial_images' come in a stream: send 'stream': true too.", param="partial_images"
        )
    return request.partial_images or 0


def seeds_of(request: PicturesRequest) -> list[int]:
    """A seed for each of the pictures that are asked for."""
    first = secrets.randbelow(SEEDS) if request.seed is None else request.seed
    return [(first + at) % SEEDS for at in range(request.n or 1)]


def sizes_of(capabilities: Capabilities) -> ImageSizes:
    assert capabilities.image_sizes is not None, "an engine that makes pictures has sizes"
    return capabilities.image_sizes


def picture_of(data: bytes, param: str, sizes: ImageSizes) -> Header:
    """What a given picture claims to be. Raises InvalidRequest before anything is decoded."""
    try:
        header = header_of(data)
    except NotAPicture as error:
        raise InvalidRequest(f"'{param}' {error}.", param=param) from None
    if not sizes.allow(header.width, header.height):
        raise InvalidRequest(
            f"'{param}' is {header.width}x{header.height} pixels; this model takes {sizes}.",
            param=param,
        )
    return header


def size_of(size: str | None, sizes: ImageSizes) -> tuple[int, int]:
    """ "WIDTHxHEIGHT" as numbers. Raises InvalidRequest, naming the sizes the model can make."""
    if size is None or size == "auto":
        return sizes.default, sizes.default
    width, _, height = size.partition("x")
    if not sizes.allow(int(width), int(height)):
        raise InvalidRequest(
            f"'size' {size!r} cannot be made by this model; it can make {sizes}.", param="size"
        )
    return int(width), int(height)


def images_response(calls: list[AnyImageCall], pictures: list[bytes]) -> ImagesResponse:
    return ImagesResponse(
        created=int(time.time()),
        data=[ImageObject(picture) for picture in pictures],
        size=f"{calls[0].width}x{calls[0].height}",
        output_format=calls[0].format,
    )
