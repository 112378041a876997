"""Images: request -> calls, pictures -> one object."""

import base64
import secrets
import time

from penstock.api.openai.wire import ImageObject, ImagesRequest, ImagesResponse
from penstock.domain.errors import InvalidRequest, UnsupportedParameter
from penstock.domain.image import ImageCall, ImageSizes
from penstock.domain.model import Capabilities

SEEDS = 2**31


def image_calls(request: ImagesRequest, capabilities: Capabilities) -> list[ImageCall]:
    """One call per picture; picture i has the seed plus i. Raises InvalidRequest and its kin."""
    if request.response_format == "url":
        raise UnsupportedParameter(
            "'response_format' must be 'b64_json': this server does not keep pictures to link to.",
            param="response_format",
        )
    assert capabilities.image_sizes is not None
    width, height = size_of(request.size, capabilities.image_sizes)
    seed = secrets.randbelow(SEEDS) if request.seed is None else request.seed
    return [
        ImageCall(prompt=request.prompt, width=width, height=height, seed=(seed + at) % SEEDS)
        for at in range(request.n or 1)
    ]


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


def images_response(calls: list[ImageCall], pictures: list[bytes]) -> ImagesResponse:
    return ImagesResponse(
        created=int(time.time()),
        data=[ImageObject(base64.b64encode(picture).decode()) for picture in pictures],
        size=f"{calls[0].width}x{calls[0].height}",
    )
