"""Processes on this machine: start, listen to what they complain of, stop for good."""

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import psutil

from penstock.engines.base import Launch
from penstock.fleet.base import Leftover, Place, StartFailed
from penstock.fleet.gpu_use import gpu_bytes_of
from penstock.fleet.memory_use import memory_bytes_of

RUN_PREFIX = "penstock-run-"
#: In a replica's directory: what runs there, for a server that comes after a killed one.
RECORD = "process.json"
#: How long leftovers are waited for: a killed process gives back its memory at its end.
LEFTOVERS_END_S = 10.0
KEPT_LINES = 200
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

    @property
    def said(self) -> list[str]:
        """Its last lines on standard error: the best reason there is when it fails."""
        return list(self._lines)

    async def stop(self, grace_s: float) -> None:
        """SIGTERM, and SIGKILL when that has not helped after `grace_s`; and to what it left."""
        if self.running:
            self._signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await self._process.wait()
        if self.running:
            self._signal(signal.SIGKILL)
            await self._process.wait()
        self._signal(signal.SIGKILL)  # its own children: they may hold a GPU
        self._listening.cancel()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def memory_bytes(self) -> int:
        """By the kernel's count, with all children. Blocks."""
        return sum(map(memory_bytes_of, self._family()))

    def gpu_bytes(self) -> Mapping[int, int]:
        """By the driver's count. Blocks."""
        return gpu_bytes_of([each.pid for each in self._family()])

    def _family(self) -> list[psutil.Process]:
        """It and all its children; nobody once it has ended."""
        try:
            process = psutil.Process(self.pid)
            return [process, *process.children(recursive=True)]
        except psutil.Error:
            return []

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


class _Record(msgspec.Struct, frozen=True):
    """`started_at_s` is the system's own figure: with it a pid names one process for ever."""

    place: Place
    pid: int
    started_at_s: float


class LocalFleet:
    """Starts replicas as children of this process, each in a process group of its own.

    A child's standard input is a pipe that only we hold open: when we end, however, it ends. So
    nothing is ever adopted here; what a child has started and left behind is found by the next
    server and ended (`end_leftovers`).

    As a context it has a private directory for sockets, with a short path.
    """

    def __init__(self) -> None:
        self._base = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
        self._directory: Path | None = None
        self._directories: dict[Place, Path] = {}
        self._count = 0

    def __enter__(self) -> Self:
        name = f"{RUN_PREFIX}{os.getpid()}-"
        self._directory = Path(tempfile.mkdtemp(prefix=name, dir=self._base))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._directory is not None
        shutil.rmtree(self._directory, ignore_errors=True)

    def directory(self, place: Place) -> Path:
        """Raises StartFailed where there is no room for it."""
        assert self._directory is not None
        if place not in self._directories:
            self._count += 1
            path = self._directory / str(self._count)
            try:
                path.mkdir(mode=0o700)
            except OSError as error:
                raise StartFailed(f"There is no place for its files: {error}.") from None
            self._directories[place] = path
        return self._directories[place]

    def discard(self, place: Place) -> None:
        """Its files may be in memory, and there are many copies in a server's life."""
        if (path := self._directories.pop(place, None)) is not None:
            shutil.rmtree(path, ignore_errors=True)

    async def start(self, launch: Launch, place: Place) -> LocalProcess:
        """Raises OSError when the program cannot be run, and StartFailed when it runs and cannot be
        written down, so that it would be lost if this server were killed."""
        started = await asyncio.create_subprocess_exec(
            *launch.argv,
            env={**os.environ, **launch.environment},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        process = LocalProcess(started)
        try:
            _write_record(launch.socket_path.parent / RECORD, place, process.pid)
        except OSError as error:
            await process.stop(0)
            raise StartFailed(f"Its process cannot be written down: {error}.") from None
        return process

    def end_leftovers(self) -> None:
        """End what servers that were killed have left, and wait for it: it holds memory, of GPUs
        too, that is about to be counted. Blocks."""
        for directory in self._directories_of_the_dead():
            records = [_read_record(file) for file in directory.glob(f"*/{RECORD}")]
            left = [process for record in records if record for process in _group_of(record)]
            for process in left:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            _wait_for_the_end(left)
            shutil.rmtree(directory, ignore_errors=True)

    async def leftovers(self) -> Sequence[Leftover]:
        """None: `end_leftovers` has seen to them."""
        return ()

    def _directories_of_the_dead(self) -> Iterator[Path]:
        for stale in self._base.glob(f"{RUN_PREFIX}*"):
            pid = stale.name.removeprefix(RUN_PREFIX).partition("-")[0]
            with contextlib.suppress(OSError, ValueError):
                if stale.stat().st_uid == os.getuid() and not psutil.pid_exists(int(pid)):
                    yield stale

    async def adopt(self, leftover: Leftover) -> LocalProcess:
        raise ProcessLookupError(f"Process {leftover.pid} is not a child of this server.")

    async def end(self, leftover: Leftover) -> None:
        with contextlib.suppress(OSError):
            os.killpg(leftover.pid, signal.SIGKILL)


def _write_record(file: Path, place: Place, pid: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        record = _Record(place, pid, psutil.Process(pid).create_time())
        file.write_bytes(msgspec.json.encode(record))


def _read_record(file: Path) -> _Record | None:
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode(file.read_bytes(), type=_Record)
    return None


def _group_of(record: _Record) -> list[psutil.Process]:
    """The process and what it has started, though it may have ended itself; nobody if another has
    its pid now."""
    with contextlib.suppress(psutil.NoSuchProcess):
        if psutil.Process(record.pid).create_time() != record.started_at_s:
            return []
    members = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if (
                os.getpgid(process.pid) == record.pid
                and process.create_time() >= record.started_at_s
            ):
                members.append(process)
    return members


def _wait_for_the_end(processes: Sequence[psutil.Process]) -> None:
    end_s = time.monotonic() + LEFTOVERS_END_S
    while any(map(_holds_memory, processes)) and time.monotonic() < end_s:
        time.sleep(0.02)


def _holds_memory(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False
