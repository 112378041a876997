"""A real PostgreSQL for tests: a cluster of their own, in a temporary directory, on a socket."""

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

DEBIAN = Path("/usr/lib/postgresql")
START_S = 60.0
#: Where a database is: the file of SQLite, or the URL of PostgreSQL.
Place = Path | str


class NoPostgres(Exception):
    """There is none on this machine; the text says what was looked for."""


class Cluster:
    """`database()` makes a new, empty one, and returns its URL."""

    def __init__(self, directory: Path, programs: Path) -> None:
        self._directory = directory
        self._programs = programs
        self._numbers = itertools.count()

    def database(self) -> str:
        name = f"test{next(self._numbers)}"
        self.psql(f"CREATE DATABASE {name}")
        return f"postgresql://penstock@/{name}?host={self._directory}"

    def psql(self, statement: str, *, database: str = "postgres") -> None:
        program = [str(self._programs / "psql"), "-h", str(self._directory), "-U", "penstock"]
        subprocess.run(
            [*program, "-q", "-d", database, "-c", statement], check=True, capture_output=True
        )


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """Raises NoPostgres."""
    programs = _programs()
    directory = Path(tempfile.mkdtemp(prefix="penstock-pg-"))
    user = _unprivileged(directory)
    data = directory / "data"
    try:
        subprocess.run(
            [*user, programs / "initdb", "-D", data, "-U", "penstock", "-A", "trust", "-N"],
            check=True,
            capture_output=True,
            cwd=directory,
        )
        options: list[str | Path] = ["-D", data, "-c", "listen_addresses=", "-c", "fsync=off"]
        options += ["-c", f"unix_socket_directories={directory}"]
        with (directory / "log").open("wb") as log:
            server = subprocess.Popen(
                # It ends with the tests, however they end.
                ["setpriv", "--pdeathsig", "QUIT", *user[1:], programs / "postgres", *options],
                stdout=log,
                stderr=log,
                cwd=directory,
            )
        try:
            _wait(server, programs, directory)
            yield Cluster(directory, programs)
        finally:
            server.send_signal(signal.SIGQUIT)
            server.wait(30)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _programs() -> Path:
    on_path = shutil.which("initdb")
    found = [Path(on_path).resolve().parent] if on_path else sorted(DEBIAN.glob("*/bin"))
    if not found or not shutil.which("setpriv"):
        raise NoPostgres(f"neither initdb on PATH nor {DEBIAN}/*/bin, or no setpriv")
    return found[-1]


def _unprivileged(directory: Path) -> list[str]:
    """How to run a program as somebody whom PostgreSQL allows: not as root."""
    if os.getuid() != 0:
        return ["setpriv"]
    somebody = next(name for name in ("postgres", "nobody") if _exists(name))
    shutil.chown(directory, somebody)
    entry = pwd.getpwnam(somebody)
    return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _wait(server: subprocess.Popen[bytes], programs: Path, directory: Path) -> None:
    end_s = time.monotonic() + START_S
    ask: list[str | Path] = [programs / "pg_isready", "-q", "-h", directory]
    while subprocess.run(ask, check=False).returncode != 0:
        assert server.poll() is None, (directory / "log").read_text()
        assert time.monotonic() < end_s, "PostgreSQL does not start"
        time.sleep(0.05)
