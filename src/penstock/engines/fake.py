"""The engine for tests and demos: a real process that answers at a set speed, or fails as told.

It speaks OpenAI's dialect, so all but its start is `OpenAIServer`'s.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from penstock.domain.gpu import Gpu
from penstock.domain.model import Capabilities
from penstock.engines.base import CannotStart, Launch, local_client
from penstock.engines.openai.dialects import DIALECTS
from penstock.engines.openai.engine import ATTRIBUTES, OpenAIServer
from penstock.http.client import DEFAULT_TIMEOUTS, Client, Timeouts

EMBEDDING_LENGTH = 8
#: Its process takes 20 MB without ballast.
WORKER_BYTES = 32 * 1024**2
MIB = 1024**2


class Fake(OpenAIServer):
    """`flags` are those of `python -m penstock.engines.workers.fake`, without the dashes. What they
    claim of `gpus` is not touched."""

    name: ClassVar[str] = "fake"

    def __init__(
        self,
        flags: Mapping[str, str],
        *,
        model: str,
        gpus: Sequence[Gpu] = (),
        slots: int = 256,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        super().__init__("http://fake/v1", model=model, slots=slots, timeouts=timeouts)
        self._flags = dict(flags)
        self._gpus = gpus

    def launch(self, run_dir: Path) -> Launch | None:
        socket_path = run_dir / "fake.sock"
        argv = [sys.executable, "-m", "penstock.engines.workers.fake", "--with-parent"]
        argv += ["--socket", str(socket_path), "--model", self.model]
        for name, value in self._flags.items():
            argv.append(f"--{name.replace('_', '-')}")
            if value != "true":
                argv.append(value)
        gpus = self._chosen_gpus()
        shown = {"CUDA_VISIBLE_DEVICES": ",".join(map(str, gpus))} if gpus else {}
        return Launch(
            argv=tuple(argv),
            socket_path=socket_path,
            environment=shown,
            memory_bytes=WORKER_BYTES + self._number("ballast_mib", 0) * MIB,
            gpus=gpus,
            gpu_bytes=self._number("gpu_mib", 0) * MIB,
        )

    def _chosen_gpus(self) -> tuple[int, ...]:
        """Those with the most free memory, if it is to have any. Raises CannotStart."""
        if not self._number("gpu_mib", 0):
            return ()
        count = self._number("gpus", 1)
        if count > len(self._gpus):
            raise CannotStart(f"It is to run on {count} GPUs, and there are {len(self._gpus)}.")
        emptiest = sorted(self._gpus, key=lambda gpu: gpu.free_bytes, reverse=True)
        return tuple(gpu.index for gpu in emptiest[:count])

    def _number(self, flag: str, default: int) -> int:
        """Raises CannotStart."""
        text = self._flags.get(flag, str(default))
        if not text.isdecimal():
            raise CannotStart(f"{flag} is {text!r}, and should be a whole number.")
        return int(text)

    def connect(self, launch: Launch | None) -> Client:
        return local_client(launch, timeouts=self.timeouts)

    async def is_ready(self, client: Client) -> bool:
        async with client.get("/v1/models") as exchange:
            return exchange.status == 200

    async def inspect(self, client: Client) -> Capabilities:
        return Capabilities(
            tasks=DIALECTS["generic"].tasks,
            attributes=ATTRIBUTES,
            embedding_length=EMBEDDING_LENGTH,
            dimensions=tuple(range(1, EMBEDDING_LENGTH + 1)),
        )
