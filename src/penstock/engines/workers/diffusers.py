"""A picture replica: diffusers behind a unix socket.

    GET  /health      200 once the model is loaded
    GET  /properties  {"tasks", "attributes", "sizes"}
    POST /draw        a call of `penstock.domain.image` -> {"picture": base64} or {"error": {…}},
                      after a line {"step": 3, "steps": 28} for each step, at times with a
                      "preview", and an empty one every few seconds: a picture may take an hour on a
                      CPU, and who waits has to know that it is still worked on

Calls that are alike are drawn together. A client that leaves stops its picture before the next
step, unless others are drawn with it.

It may run in an interpreter of its own (`guest.py`), so it needs no more of Penstock's packages
than msgspec and httptools.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from penstock.domain.image import AnyImageCall, Progress
from penstock.engines.diffusers.memory import Dtype
from penstock.engines.diffusers.pipeline_files import NotAPipeline, PipelineFiles
from penstock.engines.workers.parent import end_with_parent
from penstock.engines.workers.picture_batching import PictureBatcher, TooMuch
from penstock.engines.workers.pictures import Unusable
from penstock.http.connection import ServerLimits
from penstock.http.message import (
    JSON,
    Answer,
    Request,
    Response,
    StreamingResponse,
    plain_fault,
)
from penstock.http.server import Server

if TYPE_CHECKING:
    from penstock.engines.workers.painter import Painter, Picture

log = logging.getLogger(__name__)

#: The gateway bounds what clients send; pictures come as base64.
LIMITS = ServerLimits(max_body_bytes=256 * 1024 * 1024, head_timeout_s=3600, idle_timeout_s=3600)
BLANK = b"\n"
BLANK_EVERY_S = 10.0


class PictureWorker:
    """The handler of the process's server."""

    def __init__(self, painter: "Painter", batcher: "PictureBatcher[Picture]") -> None:
        self._painter = painter
        self._batcher = batcher
        self._looking = ThreadPoolExecutor(1, thread_name_prefix="look")
        self._routes = {
            ("GET", "/health"): self.health,
            ("GET", "/properties"): self.properties,
            ("POST", "/draw"): self.draw,
        }

    async def handle(self, request: Request) -> Answer:
        serve = self._routes.get((request.method, request.path))
        if serve is None:
            return plain_fault(404, f"There is no {request.method} {request.path}.")
        try:
            return await serve(request)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return plain_fault(400, f"The body is not as it should be: {error}.")
        except Unusable as unusable:
            told = {"message": str(unusable), "param": unusable.param, "code": unusable.code}
            return Response(status=400, body=msgspec.json.encode({"error": told}))

    async def health(self, request: Request) -> Answer:
        return Response(body=b'{"status":"ok"}')

    async def properties(self, request: Request) -> Answer:
        painter = self._painter
        told = {
            "tasks": painter.tasks,
            "attributes": painter.attributes,
            "sizes": painter.sizes,
        }
        return Response(body=msgspec.json.encode(told))

    async def draw(self, request: Request) -> Answer:
        call = msgspec.json.decode(request.body, type=AnyImageCall)
        loop = asyncio.get_running_loop()
        picture = await loop.run_in_executor(self._looking, self._painter.look_at, call)
        return StreamingResponse(chunks=self._drawn(picture), headers=JSON, probe=BLANK)

    async def _drawn(self, picture: "Picture") -> AsyncGenerator[bytes, None]:
        """Steps and blanks while it is made, then the picture. Closing it gives the picture up."""
        lines: asyncio.Queue[bytes] = asyncio.Queue()  # as many as there are steps

        def told(progress: Progress) -> None:
            lines.put_nowait(msgspec.json.encode(progress) + b"\n")

        drawing = asyncio.ensure_future(self._batcher.submit(picture, told))
        drawing.add_done_callback(lambda _: lines.put_nowait(BLANK))
        try:
            yield BLANK
            while not drawing.done():
                line = BLANK
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(BLANK_EVERY_S):
                        line = await lines.get()
                yield line
            yield msgspec.json.encode(_outcome(drawing))
        finally:
            drawing.cancel()


def _outcome(drawing: "asyncio.Future[bytes]") -> dict[str, Any]:
    try:
        return {"picture": drawing.result()}
    except TooMuch as error:
        return {"error": {"message": f"{error}. A smaller size may fit."}}
    except Exception as error:
        log.exception("a picture failed")
        return {"error": {"message": f"{type(error).__name__}: {error}"}}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True, help="a directory")
    parser.add_argument("--dtype", choices=get_args(Dtype), required=True, help="on a CPU")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=8, help="pictures; 1: no batches")
    parser.add_argument("--transformer", type=Path, help="a GGUF file")
    parser.add_argument(
        "--adapter", nargs=2, action="append", default=[], help="a name and a file of safetensors"
    )
    parser.add_argument("--steps", type=int, help="when a request says nothing")
    parser.add_argument("--guidance", type=float, help="when a request says nothing")
    return parser.parse_args()


def load(options: argparse.Namespace) -> "Painter":
    """Ends the process with a sentence when it cannot be done."""
    try:
        import torch

        from penstock.engines.workers import painter, pipeline_loading
    except ImportError as error:
        sys.exit(f"{sys.executable} cannot draw: {error}. It needs: penstock[images]")
    torch.set_num_threads(options.threads)
    try:
        return pipeline_loading.load(
            PipelineFiles.read(options.model),
            dtype=options.dtype,
            transformer=options.transformer,
            defaults=painter.Defaults(
                num_inference_steps=options.steps, guidance_scale=options.guidance
            ),
            adapters={name: Path(file) for name, file in options.adapter},
        )
    except (NotAPipeline, painter.CannotLoad) as error:
        sys.exit(str(error))


async def serve(options: argparse.Namespace, painter: "Painter") -> None:
    batcher = PictureBatcher(painter.paint, max_items=options.batch, max_pixels=painter.most_pixels)
    server = Server(PictureWorker(painter, batcher).handle, limits=LIMITS)
    await server.listen(socket_path=options.socket)
    await batcher.serve()


def main() -> None:
    end_with_parent()
    # Nothing may be fetched, and what libraries say must not hide the reason of a failure.
    os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_PROGRESS_BARS="1")
    options = arguments()
    asyncio.run(serve(options, load(options)))


if __name__ == "__main__":
    main()
