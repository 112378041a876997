"""The server half: a listening socket, its connections, and their end."""

import asyncio
import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from penstock.http.connection import Connection, ServerLimits
from penstock.http.message import FaultRenderer, Handler, Screen, plain_fault

SWEEP_INTERVAL_S = 0.5


class Server:
    """A listening server; made by `listen`, used as an async context manager."""

    def __init__(
        self,
        handler: Handler,
        *,
        limits: ServerLimits,
        fault: FaultRenderer = plain_fault,
        screen: Screen | None = None,
    ) -> None:
        self.handler = handler
        self.limits = limits
        self.fault = fault
        self.screen = screen
        self.connections: set[Connection] = set()
        self.draining = False
        #: Unique over processes: random once, then counted.
        prefix = b"req-%b" % os.urandom(6).hex().encode()
        self.request_ids: Iterator[bytes] = map((prefix + b"%08x").__mod__, itertools.count(1))
        self._listener: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._idle = asyncio.Event()

    async def listen(
        self, *, host: str | None = None, port: int = 0, socket_path: Path | None = None
    ) -> None:
        """Open the socket. Raises OSError when the address is taken or not ours."""
        loop = asyncio.get_running_loop()
        if socket_path is not None:
            await asyncio.to_thread(socket_path.unlink, missing_ok=True)
            self._listener = await loop.create_unix_server(
                lambda: Connection(self), str(socket_path), backlog=1024
            )
        else:
            self._listener = await loop.create_server(
                lambda: Connection(self), host, port, backlog=1024
            )
        self._sweeper = loop.create_task(self._sweep())

    @property
    def port(self) -> int:
        assert self._listener is not None
        return int(self._listener.sockets[0].getsockname()[1])

    async def drain(self, timeout_s: float) -> int:
        """Stop listening, let what runs finish; returns how many requests had to be cut."""
        self.draining = True
        if self._listener is not None:
            self._listener.close()
        for connection in list(self.connections):
            connection.close_when_idle()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.connections:
                    self._idle.clear()
                    await self._idle.wait()
        cut = sum(connection.busy for connection in self.connections)
        for connection in list(self.connections):
            connection.abort()
        if self._sweeper is not None:
            self._sweeper.cancel()
        return cut

    def hurry(self) -> None:
        """Cut what is still running: `drain` returns at once."""
        for connection in list(self.connections):
            connection.abort()

    def forget(self, connection: "Connection") -> None:
        self.connections.discard(connection)
        if not self.connections:
            self._idle.set()

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_INTERVAL_S)
            now_s = loop.time()
            for connection in list(self.connections):
                connection.check_time(now_s)
