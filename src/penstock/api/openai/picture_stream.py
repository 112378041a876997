"""Pictures as an event stream: comments while they are made, then OpenAI's events.

As with a model that starts (`cold.py`): the head is sent when the pictures are there or after
QUIET_S, and until then an error has a status. OpenAI's streams of pictures end without `[DONE]`.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from typing import Any, Literal

import msgspec

from penstock.api.openai.answers import ImageEvent, PartialEventType, PartialImageEvent
from penstock.api.openai.cold import COMMENT_EVERY_S, QUIET_S
from penstock.api.openai.sse import error_event
from penstock.domain.errors import PenstockError
from penstock.domain.image import AnyImageCall, Progress
from penstock.gateway.pipeline import Watch
from penstock.http.message import Answer, StreamingResponse

EventType = Literal["image_generation.completed", "image_edit.completed"]
PARTIAL: Mapping[EventType, PartialEventType] = {
    "image_generation.completed": "image_generation.partial_image",
    "image_edit.completed": "image_edit.partial_image",
}
WAITING = b": waiting\n\n"
END = b""


async def picture_stream(
    event: EventType,
    calls: Sequence[AnyImageCall],
    draw: Callable[[Watch], Coroutine[None, None, Sequence[bytes]]],
) -> Answer:
    """The pictures that `draw` makes of `calls`, each as an `event`, after its previews.

    Raises what it raises, while nothing has been sent.
    """
    said: asyncio.Queue[bytes] = asyncio.Queue()  # as many as there are steps
    previews = [0] * len(calls)

    def watch(picture: int, progress: Progress) -> None:
        call = calls[picture]
        if progress.preview is None:
            said.put_nowait(comment(picture, len(calls), progress))
        elif previews[picture] < call.previews:  # a picture that is begun anew has more
            said.put_nowait(half_made(event, call, previews[picture], progress.preview))
            previews[picture] += 1

    drawing = asyncio.ensure_future(draw(watch))
    drawing.add_done_callback(lambda _: said.put_nowait(END))
    try:
        await asyncio.wait({drawing}, timeout=QUIET_S)
    except asyncio.CancelledError:
        drawing.cancel()
        raise
    if drawing.done():
        drawing.result()
    return StreamingResponse(chunks=_stream(event, calls, drawing, said))


async def _stream(
    event: EventType,
    calls: Sequence[AnyImageCall],
    drawing: asyncio.Future[Sequence[bytes]],
    said: asyncio.Queue[bytes],
) -> AsyncGenerator[bytes, None]:
    """Closing it gives the pictures up."""
    try:
        while (line := await _next(said)) != END:
            yield line
        for call, picture in zip(calls, drawing.result(), strict=True):
            yield made(event, call, picture)
    except PenstockError as error:
        yield error_event(error)
    finally:
        drawing.cancel()


async def _next(said: asyncio.Queue[bytes]) -> bytes:
    try:
        async with asyncio.timeout(COMMENT_EVERY_S):
            return await said.get()
    except TimeoutError:
        return WAITING


def comment(picture: int, pictures: int, progress: Progress) -> bytes:
    """Such as ": picture 2 of 3, step 7 of 28", which clients pass over."""
    which = f"picture {picture + 1} of {pictures}, " if pictures > 1 else ""
    return f": {which}step {progress.step} of {progress.steps}\n\n".encode()


def half_made(event: EventType, call: AnyImageCall, index: int, preview: bytes) -> bytes:
    type_ = PARTIAL[event]
    return written(
        PartialImageEvent(type=type_, partial_image_index=index, **told_of(call, preview))
    )


def made(event: EventType, call: AnyImageCall, picture: bytes) -> bytes:
    return written(ImageEvent(type=event, **told_of(call, picture)))


def told_of(call: AnyImageCall, picture: bytes) -> dict[str, Any]:
    """The fields of any `PictureEvent`."""
    return {
        "created_at": int(time.time()),
        "b64_json": picture,
        "size": f"{call.width}x{call.height}",
        "output_format": call.format,
    }


def written(event: ImageEvent | PartialImageEvent) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event.type.encode(), msgspec.json.encode(event))
