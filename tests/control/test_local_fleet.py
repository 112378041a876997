"""Processes on this machine: what they hold, and what a server that was killed has left."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from penstock.engines.base import Launch
from penstock.fleet.base import Place
from penstock.fleet.local import RECORD, RUN_PREFIX, LocalFleet, _Record

PLACE = Place(deployment_id="d", generation=1, copy_id="c")
#: Starts another one and tells its pid; both wait for ever.
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""
#: Maps a file and reads all of it, and has memory of its own, and shared memory with a child.
HOLDER = """
import mmap, os, sys, time
MIB = 1024 ** 2
file = open(sys.argv[1], "rb")
mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
sum(mapped[::4096])
own = bytearray(b"1") * (32 * MIB)
shared = mmap.mmap(-1, 16 * MIB)
shared.write(b"1" * (16 * MIB))
if os.fork() == 0:
    sum(shared[::4096])
    sys.stderr.write("ready\\n")
    sys.stderr.flush()
time.sleep(600)
"""


@pytest.fixture
def family() -> Iterator[tuple[psutil.Process, psutil.Process]]:
    """A replica's process and its child, in a group of their own."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        child = psutil.Process(int(process.stdout.readline()))
        yield psutil.Process(process.pid), child
        for each in (child, process):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def left(runs: Path, process: psutil.Process, *, server: int) -> Path:
    directory = runs / f"{RUN_PREFIX}{server}-x"
    (directory / "1").mkdir(parents=True)
    record = _Record(PLACE, process.pid, process.create_time())
    (directory / "1" / RECORD).write_bytes(msgspec.json.encode(record))
    return directory


def ended_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("first", ["lives", "has ended"])
def test_of_a_dead_server_all_is_ended_before_memory_is_counted(
    runs: Path, family: tuple[psutil.Process, psutil.Process], first: str
) -> None:
    parent, child = family
    directory = left(runs, parent, server=ended_pid())
    if first == "has ended":
        parent.kill()
        while not is_gone(parent):
            pass
    LocalFleet().end_leftovers()
    assert is_gone(parent)
    assert is_gone(child)
    assert not directory.exists()


def test_what_is_of_a_living_server_or_of_nobody_stays(
    runs: Path, family: tuple[psutil.Process, psutil.Process]
) -> None:
    parent, child = family
    directory = left(runs, parent, server=os.getpid())
    other = left(runs, parent, server=ended_pid())
    record = _Record(PLACE, parent.pid, parent.create_time() - 1)  # another had its pid before
    (other / "1" / RECORD).write_bytes(msgspec.json.encode(record))
    LocalFleet().end_leftovers()
    assert not is_gone(parent)
    assert not is_gone(child)
    assert directory.exists()
    assert not other.exists()


async def test_the_pages_of_a_mapped_file_are_not_held(tmp_path: Path) -> None:
    mib = 1024**2
    file = tmp_path / "weights"
    file.write_bytes(bytes(128 * mib))
    with LocalFleet() as fleet:
        argv = (sys.executable, "-c", HOLDER, str(file))
        launch = Launch(argv=argv, socket_path=fleet.directory(PLACE) / "socket")
        process = await fleet.start(launch, PLACE)
        try:
            async with asyncio.timeout(60):
                while "ready" not in process.said:
                    await asyncio.sleep(0.01)
            assert 48 * mib <= process.memory_bytes() < 128 * mib
        finally:
            await process.stop(1)
        assert process.memory_bytes() == 0
