"""Processes of a benchmark: started on one CPU, looked at in /proc, stopped by their own ids.

Nothing here ever looks a process up by its name. A child dies with the runner however the runner
dies, and when it is stopped, descendants that outlive it are stopped too, and reported: a server
that leaves processes behind is a finding.
"""

import contextlib
import ctypes
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

PR_SET_PDEATHSIG = 1
STOP_SECONDS = 15.0
ORPHAN_SECONDS = 2.0


class DidNotStart(RuntimeError):
    """A process ended, or said nothing in time, instead of becoming ready."""


class Died(RuntimeError):
    """A process ended while it was measured."""


@dataclass(frozen=True)
class Child:
    """One process that we started, and the file that holds what it printed."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def pids(self) -> list[int]:
        """The process and all its descendants."""
        return list(_family(self.pid))

    def check(self) -> None:
        """Raises Died. Without it a dead server would look like one that answers wrongly."""
        if (code := self.process.poll()) is not None:
            raise Died(f"{self.name} ended with {code} while it was measured:\n{self.last_words()}")

    def last_words(self, lines: int = 12) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self) -> list[int]:
        """End the process and whatever descends from it; the ids of those that outlived it."""
        with _signals_ignored():
            family = _family(self.pid)
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS)
            wait_until(lambda: not _alive(family), ORPHAN_SECONDS)
            left = _alive(family)
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait(STOP_SECONDS)
        if left:
            say(f"{self.name}: had to be killed after {STOP_SECONDS:.0f} s: {left}")
        return left


def say(text: str) -> None:
    """Progress for the human who waits; stdout is for the result."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def start(
    argv: Sequence[str],
    *,
    name: str,
    folder: Path,
    env: Mapping[str, str] | None = None,
    cpu: int | None = None,
) -> Child:
    """Start a process bound to `cpu`, its output in a file.

    It leads a group of its own, so that a terminal's Ctrl-C reaches the runner only. It stays in
    the runner's session: Linux shares a CPU out by sessions first (autogroups), and all targets
    must have the same part of it.
    """
    log = folder / f"{name}.log"
    libc = ctypes.CDLL(None)

    def before_exec() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})

    with log.open("wb") as output:
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
            preexec_fn=before_exec,
        )
    return Child(name, process, log)


@contextlib.contextmanager
def running(child: Child) -> Iterator[Child]:
    try:
        yield child
    finally:
        child.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_ready(child: Child, port: int, path: str, seconds: float, key: str = "") -> None:
    """Wait until GET `path` answers 200."""

    def ready() -> bool:
        if child.process.poll() is not None:
            raise DidNotStart(f"{child.name} ended at once:\n{child.last_words()}")
        return _status(port, path, key) == 200

    if not wait_until(ready, seconds):
        raise DidNotStart(f"{child.name} is not ready after {seconds:.0f} s:\n{child.last_words()}")


def memory_mb(pids: Sequence[int]) -> float:
    """Resident memory of the processes together."""
    kib = 0
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/status") as status:
            kib += sum(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    return kib / 1024


def worker(parent: Child, module: str) -> tuple[int, list[str]]:
    """The id and the arguments of the one process under `parent` that runs a module, or a file."""
    for found in workers(parent, module).items():
        return found
    raise DidNotStart(f"{parent.name} has no process that runs {module}")


def workers(parent: Child, module: str) -> dict[int, list[str]]:
    """The processes under `parent` that run a Python module: their arguments by their ids."""
    found = {}
    for pid in parent.pids():
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
            if any(word == module or word.endswith(f"/{module}") for word in words):
                found[pid] = words
    return found


def cpu_seconds(pids: Sequence[int]) -> float:
    """CPU time that the processes have used since they began, threads included.

    The clock of a process is numbered as the kernel does it (CPUCLOCK_SCHED of `pid`).
    """
    total = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += time.clock_gettime((~pid << 3) | 2)
    return total


def runnable_seconds(pids: Sequence[int]) -> float:
    """Time that their threads have been ready to run while something else had the CPU."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError, IndexError):
                total += int(task.read_text().split()[1])
    return total / 1e9


@contextlib.contextmanager
def ending_cleanly() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind the stack as Ctrl-C does, so that children are stopped."""

    def unwind(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, unwind) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _signals_ignored() -> Iterator[None]:
    """A second Ctrl-C must not cut the clean-up short; every wait in it is bounded."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _status(port: int, path: str, key: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def _stat(pid: int) -> tuple[str, int, int] | None:
    """State, parent and start time; the start time tells a process from a later one of its id."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return None
    return fields[0], int(fields[1]), int(fields[19])


def _family(root: int) -> dict[int, int]:
    """`root` and its descendants, each with its start time."""
    stats = {int(p): s for p in os.listdir("/proc") if p.isdigit() and (s := _stat(int(p)))}
    children: dict[int, list[int]] = defaultdict(list)
    for pid, (_, parent, _) in stats.items():
        children[parent].append(pid)
    family: dict[int, int] = {}
    todo = [root]
    while todo:
        pid = todo.pop()
        if pid in stats:
            family[pid] = stats[pid][2]
        todo += children[pid]
    return family


def _alive(family: Mapping[int, int]) -> list[int]:
    def same(pid: int, started: int) -> bool:
        stat = _stat(pid)
        return stat is not None and stat[0] != "Z" and stat[2] == started

    return [pid for pid, started in family.items() if same(pid, started)]
