"""A drawing replica: `penstock_tiny_models.draw` behind a unix socket.

    GET  /health  200 once the model is loaded
    POST /draw    a call of `penstock.domain.image` -> a file

One picture at a time; a client that leaves stops its picture before the next step.
"""

import argparse
import asyncio
import sys
import threading
from pathlib import Path

import msgspec
import uvloop
from PIL import Image

from penstock.domain.image import AnyImageCall, ImageEdit, ImageVariation
from penstock.engines.workers.caption import caption_of, with_caption
from penstock.engines.workers.parent import end_with_parent
from penstock.engines.workers.pictures import Unusable, opened, to_file
from penstock.http.connection import ServerLimits
from penstock.http.message import Answer, Request, Response, plain_fault
from penstock.http.server import Server

#: The gateway bounds what clients send; pictures come as base64.
LIMITS = ServerLimits(max_body_bytes=256 * 1024 * 1024, head_timeout_s=3600, idle_timeout_s=3600)
FILE = b"content-type: application/octet-stream\r\n"


class DrawingWorker:
    """The handler of the process's server."""

    def __init__(self, directory: Path) -> None:
        from penstock_tiny_models.draw import Drawer

        self._drawer = Drawer(directory)
        self._one_at_a_time = asyncio.Lock()

    async def handle(self, request: Request) -> Answer:
        if (request.method, request.path) == ("GET", "/health"):
            return Response(body=b'{"status":"ok"}')
        if (request.method, request.path) != ("POST", "/draw"):
            return plain_fault(404, f"There is no {request.method} {request.path}.")
        try:
            call = msgspec.json.decode(request.body, type=AnyImageCall)
            return Response(headers=FILE, body=await self._draw(call))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return plain_fault(400, f"The body is not as it should be: {error}.")
        except Unusable as unusable:
            told = {"message": str(unusable), "param": unusable.param}
            return Response(status=400, body=msgspec.json.encode({"error": told}))

    async def _draw(self, call: AnyImageCall) -> bytes:
        gone = threading.Event()
        async with self._one_at_a_time:
            drawing = asyncio.ensure_future(asyncio.to_thread(self._picture, call, gone))
            try:
                return await asyncio.shield(drawing)
            except asyncio.CancelledError:
                gone.set()
                await asyncio.wait([drawing])
                raise

    def _picture(self, call: AnyImageCall, gone: threading.Event) -> bytes:
        match call:
            case ImageVariation():
                prompt = caption_of(call.image)
                if prompt is None:
                    raise Unusable(
                        "image",
                        "This model can only vary drawings of its own: they carry their caption, "
                        "and 'image' has none.",
                    )
            case _:
                prompt = call.prompt
        drawn = self._drawer.draw(
            prompt,
            width=call.width,
            height=call.height,
            seed=call.seed,
            keep_going=lambda: not gone.is_set(),
        )
        if isinstance(call, ImageEdit):
            return repainted(call, drawn)
        if call.format == "png":
            return with_caption(drawn, prompt)
        return to_file(opened(drawn, "image"), call)


def repainted(call: ImageEdit, drawn: bytes) -> bytes:
    """`drawn` where the mask is transparent, `call.image` elsewhere. Raises Unusable."""
    image = opened(call.image, "image").convert("RGBA")
    mask = image if call.mask is None else opened(call.mask, "mask").convert("RGBA")
    kept = mask.getchannel("A")
    if kept.getextrema()[0] == 255:
        raise Unusable(
            "mask",
            "Nothing is to be edited: this model paints where 'mask', or without one 'image', is "
            "transparent.",
        )
    new = opened(drawn, "image").convert("RGB")
    return to_file(Image.composite(image.convert("RGB"), new, kept), call)


def main() -> None:
    end_with_parent()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    options = parser.parse_args()
    uvloop.run(_serve(options.socket, options.model))


async def _serve(socket_path: Path, directory: Path) -> None:
    try:
        worker = DrawingWorker(directory)
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"The drawing model in {directory} cannot be read: {error}")
    server = Server(worker.handle, limits=LIMITS)
    await server.listen(socket_path=socket_path)
    await asyncio.Event().wait()


if __name__ == "__main__":
    main()
