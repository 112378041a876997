"""The engine for tests and demos: a real process that answers at a set speed, or fails as told.

It speaks OpenAI's dialect, so all but its start is `OpenAIServer`'s.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from penstock.domain.model import Capabilities
from penstock.engines.base import Launch, local_client
from penstock.engines.openai import OpenAIServer
from penstock.http.client import Client

EMBEDDING_LENGTH = 8


class Fake(OpenAIServer):
    """`flags` are those of `python -m penstock.engines.workers.fake`, without the dashes."""

    name: ClassVar[str] = "fake"

    def __init__(
        self,
        flags: Mapping[str, str],
        *,
        model: str,
        slots: int = 256,
        stall_timeout_s: float = 120.0,
    ) -> None:
        super().__init__(
            "http://fake/v1", model=model, slots=slots, stall_timeout_s=stall_timeout_s
        )
        self._flags = dict(flags)

    def launch(self, run_dir: Path) -> Launch | None:
        socket_path = run_dir / "fake.sock"
        argv = [sys.executable, "-m", "penstock.engines.workers.fake", "--with-parent"]
        argv += ["--socket", str(socket_path), "--model", self.model]
        for name, value in self._flags.items():
            argv.append(f"--{name.replace('_', '-')}")
            if value != "true":
                argv.append(value)
        return Launch(argv=tuple(argv), socket_path=socket_path)

    def connect(self, launch: Launch | None) -> Client:
        return local_client(launch, base_path="/v1", stall_timeout_s=self.stall_timeout_s)

    async def is_ready(self, client: Client) -> bool:
        async with client.get("/models") as exchange:
            return exchange.status == 200

    async def inspect(self, client: Client) -> Capabilities:
        can = await super().inspect(client)
        return Capabilities(
            tasks=can.tasks, attributes=can.attributes, embedding_length=EMBEDDING_LENGTH
        )
