"""A download as people see it: lines in a log, a bar on a terminal."""

import io
import os
import pty
import subprocess
import sys

from penstock.cli.progress import ProgressLines


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_lines_come_every_five_seconds() -> None:
    stream, clock = io.StringIO(), Clock()
    lines = ProgressLines(stream, clock=clock)
    lines.note("org/repo: Q4_K_M")
    lines.start(100_000_000, "org/repo", arrived_bytes=20_000_000)
    for _ in range(10):
        clock.now_s += 1
        lines.advance(5_000_000)
    clock.now_s += 1
    lines.advance(30_000_000)
    lines.finish()
    assert stream.getvalue().splitlines() == [
        "org/repo: Q4_K_M",
        "org/repo: 100.0 MB to come, of which 20.0 MB are here",
        "org/repo: 45 %, 45.0 MB of 100.0 MB, 5.0 MB/s, 11 s left",
        "org/repo: 70 %, 70.0 MB of 100.0 MB, 5.0 MB/s, 6 s left",
        "org/repo: 100 %, 100.0 MB of 100.0 MB, 7.3 MB/s",
    ]


def test_nothing_to_fetch_divides_by_nothing() -> None:
    lines = ProgressLines(io.StringIO(), clock=Clock())
    lines.start(0, "org/repo", arrived_bytes=0)
    lines.finish()


SCRIPT = """
from penstock.cli.progress import download_progress
progress = download_progress()
progress.note("before")
progress.start(2_000_000, "org/[repo]", arrived_bytes=500_000)
progress.advance(1_000_000)
progress.note("between [bold]")
progress.advance(500_000)
progress.finish()
progress.note("after")
"""


def test_a_terminal_gets_a_bar() -> None:
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=environment,
        check=True,
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # the terminal's other end is closed
        pass
    os.close(ours)
    text = shown.decode()
    assert done.stdout == b""
    for piece in ("before", "org/[repo]", "100%", "2.0/2.0 MB", "between [bold]", "after"):
        assert piece in text


def test_a_log_gets_lines() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[-1] == "after"
    assert "org/[repo]: 100 %, 2.0 MB of 2.0 MB" in done.stderr
