"""The engine for tests and demos: a real process that answers at a set speed, or fails as told.

It speaks OpenAI's dialect, so all but its start is `OpenAIServer`'s.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

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
    """`flags` are those of `python -m penstock.engines.workers.fake`, without the dashes."""

    name: ClassVar[str] = "fake"

    def __init__(
        self,
        flags: Mapping[str, str],
        *,
        model: str,
        slots: int = 256,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        super().__init__("http://fake/v1", model=model, slots=slots, timeouts=timeouts)
        self._flags = dict(flags)

    def launch(self, run_dir: Path) -> Launch | None:
        socket_path = run_dir / "fake.sock"
        argv = [sys.executable, "-m", "penstock.engines.workers.fake", "--with-parent"]
        argv += ["--socket", str(socket_path), "--model", self.model]
        for name, value in self._flags.items():
            argv.append(f"--{name.replace('_', '-')}")
            if value != "true":
                argv.append(value)
        ballast_mib = self._flags.get("ballast_mib", "0")
        if not ballast_mib.isdecimal():
            raise CannotStart(f"ballast_mib is {ballast_mib!r}, and should be a whole number.")
        memory_bytes = WORKER_BYTES + int(ballast_mib) * MIB
        return Launch(argv=tuple(argv), socket_path=socket_path, memory_bytes=memory_bytes)

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
