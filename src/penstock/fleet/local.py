"""Processes on this machine: start, listen to what they complain of, stop for good."""

import asyncio
import contextlib
import os
import signal
from collections import deque

from penstock.engines.base import Launch

KEPT_LINES = 200
SHOWN_LINES = 6
MAX_LINE_BYTES = 64 * 1024


class LocalProcess:
    """A child process and the last lines of its standard error."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._listening = asyncio.create_task(self._listen())

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    async def wait(self) -> int:
        """Its exit status, once it has ended and all its complaints are read."""
        status = await self._process.wait()
        with contextlib.suppress(TimeoutError):
            # Not `wait_for`, which swallows a cancellation that comes as its future is done.
            async with asyncio.timeout(1.0):
                await asyncio.shield(self._listening)
        return status

    def complaint(self) -> str:
        """What it last said on standard error: the best reason there is when it fails."""
        return "\n".join(list(self._lines)[-SHOWN_LINES:])

    async def stop(self, grace_s: float) -> None:
        """SIGTERM, and SIGKILL when that has not helped after `grace_s`."""
        if self.running:
            self._signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await self._process.wait()
        if self.running:
            self._signal(signal.SIGKILL)
            await self._process.wait()
        self._listening.cancel()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    async def _listen(self) -> None:
        stream = self._process.stderr
        assert stream is not None
        rest = b""
        while block := await stream.read(MAX_LINE_BYTES):
            *lines, rest = (rest + block).split(b"\n")
            rest = rest[-MAX_LINE_BYTES:]
            self._lines.extend(line.decode("utf-8", "replace").strip() for line in lines if line)
        if rest:
            self._lines.append(rest.decode("utf-8", "replace").strip())


class LocalFleet:
    """Starts replicas as children of this process, each in a process group of its own.

    A child's standard input is a pipe that only we hold open: when we end, however, it ends.
    """

    async def start(self, launch: Launch) -> LocalProcess:
        """Raises OSError when the program cannot be run."""
        process = await asyncio.create_subprocess_exec(
            *launch.argv,
            env={**os.environ, **launch.environment},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        return LocalProcess(process)
