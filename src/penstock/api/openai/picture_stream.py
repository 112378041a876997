"""Pictures as an event stream: comments while they are made, then OpenAI's events.

As with a model that starts (`cold.py`): the head is sent when the pictures are there or after
QUIET_S, and until then an error has a status. OpenAI's streams of pictures end without `[DONE]`.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from typing import Literal

import msgspec

from penstock.api.openai.answers import ImageEvent
from penstock.api.openai.cold import COMMENT_EVERY_S, QUIET_S
from penstock.api.openai.sse import error_event
from penstock.domain.errors import PenstockError
from penstock.domain.image import AnyImageCall, Progress
from penstock.gateway.pipeline import Watch
from penstock.http.message import Answer, StreamingResponse

EventType = Literal["image_generation.completed", "image_edit.completed"]
WAITING = b": waiting\n\n"


async def picture_stream(
    event: EventType,
    calls: Sequence[AnyImageCall],
    draw: Callable[[Watch], Coroutine[None, None, Sequence[bytes]]],
) -> Answer:
    """The pictures that `draw` makes of `calls`, each as an `event`.

    Raises what it raises, while nothing has been sent.
    """
    comments: asyncio.Queue[bytes] = asyncio.Queue()  # as many as there are steps

    def watch(picture: int, progress: Progress) -> None:
        comments.put_nowait(comment(picture, len(calls), progress))

    drawing = asyncio.ensure_future(draw(watch))
    drawing.add_done_callback(lambda _: comments.put_nowait(b""))
    try:
        await asyncio.wait({drawing}, timeout=QUIET_S)
    except asyncio.CancelledError:
        drawing.cancel()
        raise
    if drawing.done():
        drawing.result()
    return StreamingResponse(chunks=_stream(event, calls, drawing, comments))


async def _stream(
    event: EventType,
    calls: Sequence[AnyImageCall],
    drawing: asyncio.Future[Sequence[bytes]],
    comments: asyncio.Queue[bytes],
) -> AsyncGenerator[bytes, None]:
    """Closing it gives the pictures up."""
    try:
        while not drawing.done():
            said = WAITING
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(COMMENT_EVERY_S):
                    said = await comments.get()
            if said:
                yield said
        for call, picture in zip(calls, drawing.result(), strict=True):
            yield written(event, call, picture)
    except PenstockError as error:
        yield error_event(error)
    finally:
        drawing.cancel()


def comment(picture: int, pictures: int, progress: Progress) -> bytes:
    """Such as ": picture 2 of 3, step 7 of 28", which clients pass over."""
    which = f"picture {picture + 1} of {pictures}, " if pictures > 1 else ""
    return f": {which}step {progress.step} of {progress.steps}\n\n".encode()


def written(event: EventType, call: AnyImageCall, picture: bytes) -> bytes:
    told = ImageEvent(
        type=event,
        created_at=int(time.time()),
        b64_json=picture,
        size=f"{call.width}x{call.height}",
    )
    return b"event: %b\ndata: %b\n\n" % (event.encode(), msgspec.json.encode(told))
