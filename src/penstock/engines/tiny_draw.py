"""The bundled drawing model: a caption becomes a drawing program, the program a PNG."""

import sys
from pathlib import Path
from typing import ClassVar

import msgspec

from penstock.domain.errors import EngineFailed, InvalidRequest
from penstock.domain.image import AnyImageCall, ImageSizes, Told, unheard
from penstock.domain.model import Capabilities
from penstock.engines import attributes
from penstock.engines.base import CannotStart, Engine, Launch, local_client
from penstock.engines.chunks import error_message
from penstock.http.client import DEFAULT_TIMEOUTS, Client, Timeouts

SIZES = ImageSizes(smallest=64, largest=2048)
WORKER_BYTES = 150 * 1024 * 1024
MAX_PICTURE_BYTES = 64 * 1024 * 1024


class TinyDraw(Engine):
    """`directory` holds what `penstock_tiny_models.draw.Drawer` reads."""

    name: ClassVar[str] = "tiny_draw"

    def __init__(
        self, directory: Path, *, slots: int = 1, timeouts: Timeouts = DEFAULT_TIMEOUTS
    ) -> None:
        if not directory.is_dir():
            raise CannotStart(f"{directory} is not there: reinstall penstock-tiny-models.")
        self.directory = directory
        self.slots = slots
        self.timeouts = timeouts

    def launch(self, run_dir: Path) -> Launch | None:
        socket_path = run_dir / "draw.sock"
        return Launch(
            argv=(
                sys.executable, "-m", "penstock.engines.workers.tiny_draw",
                "--socket", str(socket_path),
                "--model", str(self.directory),
            ),
            socket_path=socket_path,
            environment={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            memory_bytes=WORKER_BYTES,
        )  # fmt: skip

    def connect(self, launch: Launch | None) -> Client:
        return local_client(launch, timeouts=self.timeouts)

    async def is_ready(self, client: Client) -> bool:
        async with client.get("/health") as exchange:
            return exchange.status == 200

    async def inspect(self, client: Client) -> Capabilities:
        return Capabilities(
            tasks=frozenset({"images", "image_edits", "image_variations"}),
            attributes=attributes.IMAGE,
            image_sizes=SIZES,
        )

    async def draw(self, client: Client, call: AnyImageCall, told: Told = unheard) -> bytes:
        async with client.post("/draw", msgspec.json.encode(call)) as exchange:
            body = await exchange.read(MAX_PICTURE_BYTES)
            if exchange.status == 400:
                message, error = error_message(body)
                raise InvalidRequest(message, param=error.get("param") or "prompt")
            if exchange.status != 200:
                raise EngineFailed(f"The engine could not draw: {error_message(body)[0]}")
            return body
