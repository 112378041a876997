"""A download, or a long read, as people see it: a bar on a terminal, lines in a log.

Everything goes to stderr, so that stdout stays for what a command answers.
"""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

import click

from penstock.control.download import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

LINE_EVERY_S = 5.0


def download_progress() -> Progress:
    """A bar where stderr is a terminal, lines otherwise."""
    return ProgressBar() if sys.stderr.isatty() else ProgressLines(sys.stderr)


class ProgressBar:
    """Name, bar, percent, size, speed and the time that is left."""

    def __init__(self) -> None:
        self._running: tuple[RichProgress, TaskID] | None = None

    def note(self, sentence: str) -> None:
        if self._running:
            self._running[0].console.print(sentence, highlight=False, markup=False)
        else:
            click.echo(sentence, err=True)

    def start(self, total_bytes: int, label: str, *, arrived_bytes: int) -> None:
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
        from rich.progress import Progress as RichProgress

        bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        bar.start()
        self._running = bar, bar.add_task(escape(label), total=total_bytes, completed=arrived_bytes)

    def advance(self, size_bytes: int) -> None:
        assert self._running is not None
        bar, task = self._running
        bar.update(task, advance=size_bytes)

    def finish(self) -> None:
        assert self._running is not None
        self._running[0].stop()
        self._running = None


class ProgressLines:
    """A line at the beginning, every `LINE_EVERY_S` seconds, and at the end.

    `clock` gives seconds from any point on.
    """

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._label = ""
        self._total_bytes = self._done_bytes = self._arrived_bytes = 0
        self._started_s = self._spoken_s = 0.0

    def note(self, sentence: str) -> None:
        print(sentence, file=self._stream, flush=True)

    def start(self, total_bytes: int, label: str, *, arrived_bytes: int) -> None:
        self._label, self._total_bytes = label, total_bytes
        self._done_bytes = self._arrived_bytes = arrived_bytes
        self._started_s = self._spoken_s = self._clock()
        here = f", of which {_megabytes(arrived_bytes)} are here" if arrived_bytes else ""
        self.note(f"{label}: {_megabytes(total_bytes)} to come{here}")

    def advance(self, size_bytes: int) -> None:
        self._done_bytes += size_bytes
        if self._clock() - self._spoken_s >= LINE_EVERY_S:
            self._speak()

    def finish(self) -> None:
        self._speak()

    def _speak(self) -> None:
        self._spoken_s = self._clock()
        passed_s = self._spoken_s - self._started_s
        speed = (self._done_bytes - self._arrived_bytes) / passed_s if passed_s > 0 else 0.0
        left_bytes = self._total_bytes - self._done_bytes
        left = f", {left_bytes / speed:.0f} s left" if left_bytes > 0 and speed > 0 else ""
        percent = 100 * self._done_bytes // self._total_bytes if self._total_bytes else 100
        self.note(
            f"{self._label}: {percent} %, {_megabytes(self._done_bytes)} of "
            f"{_megabytes(self._total_bytes)}, {speed / 1e6:.1f} MB/s{left}"
        )


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB"
