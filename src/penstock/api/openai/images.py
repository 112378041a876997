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
    check_response_format(request)
    width, height = size_of(request.size, sizes_of(capabilities))
    return [
        ImageCall(prompt=request.prompt, width=width, height=height, seed=seed, **steps_of(request))
        for seed in seeds_of(request)
    ]


def edit_calls(request: ImageEditsRequest, capabilities: Capabilities) -> list[AnyImageCall]:
    """As `image_calls`; the mask has the picture's sides, and so has what comes of it."""
    check_response_format(request)
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
            **steps_of(request),
        )
        for seed in seeds_of(request)
    ]


def variation_calls(
    request: ImageVariationsRequest, capabilities: Capabilities
) -> list[AnyImageCall]:
    """As `image_calls`; without a size, the picture's own."""
    check_response_format(request)
    sizes = sizes_of(capabilities)
    image = picture_of(request.image, "image", sizes)
    given = None if request.size == "auto" else request.size
    width, height = size_of(given or f"{image.width}x{image.height}", sizes)
    return [
        ImageVariation(
            image=request.image, width=width, height=height, seed=seed, **steps_of(request)
        )
        for seed in seeds_of(request)
    ]


def default_drawer(engines: Mapping[str, str | None]) -> str:
    """The model that draws when none is named, of those there are, with the engine of each."""
    drawers = [name for name, engine in engines.items() if engine in DRAWING_ENGINES]

    def rank(name: str) -> tuple[bool, int]:
        return name not in FLUX, DRAWING_ENGINES.index(engines[name] or "")

    return min(drawers, key=rank, default=TINY_DRAW)


def check_response_format(request: PicturesRequest) -> None:
    if request.response_format == "url":
        raise UnsupportedParameter(
            "'response_format' must be 'b64_json': this server does not keep pictures to link to.",
            param="response_format",
        )


def steps_of(request: PicturesRequest) -> dict[str, Any]:
    """How the steps of a picture are to be made, as fields of a `Drawing`."""
    return {
        "negative_prompt": request.negative_prompt,
        "num_inference_steps": request.num_inference_steps,
        "guidance_scale": request.guidance_scale,
    }


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
    )
