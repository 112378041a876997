"""A drawing replica: `penstock_tiny_models.draw` behind a unix socket.

    GET  /health  200 once the model is loaded
    POST /draw    {"prompt", "width", "height", "seed"} -> PNG bytes

One picture at a time; a client that leaves stops its picture before the next step.
"""

import argparse
import asyncio
import sys
import threading
from pathlib import Path

import msgspec
import uvloop

from penstock.domain.image import ImageCall
from penstock.engines.workers.parent import end_with_parent
from penstock.http.message import Answer, Request, Response, plain_fault
from penstock.http.server import Server, ServerLimits

PNG = b"content-type: image/png\r\n"


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
            call = msgspec.json.decode(request.body, type=ImageCall)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return plain_fault(400, f"The body is not as it should be: {error}.")
        return Response(headers=PNG, body=await self._draw(call))

    async def _draw(self, call: ImageCall) -> bytes:
        gone = threading.Event()
        async with self._one_at_a_time:
            drawing = asyncio.ensure_future(asyncio.to_thread(self._picture, call, gone))
            try:
                return await asyncio.shield(drawing)
            except asyncio.CancelledError:
                gone.set()
                await asyncio.wait([drawing])
                raise

    def _picture(self, call: ImageCall, gone: threading.Event) -> bytes:
        return self._drawer.draw(
            call.prompt,
            width=call.width,
            height=call.height,
            seed=call.seed,
            keep_going=lambda: not gone.is_set(),
        )


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
    server = Server(worker.handle, limits=ServerLimits(head_timeout_s=3600, idle_timeout_s=3600))
    await server.listen(socket_path=socket_path)
    await asyncio.Event().wait()


if __name__ == "__main__":
    main()
