"""The seam for fleets: where replicas run, and what of them outlives this process."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from penstock.engines.base import Launch


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Whose a replica is, wherever it runs. `copy_id` is never used again for another."""

    deployment_id: str
    generation: int
    copy_id: str


class Leftover(msgspec.Struct, frozen=True, kw_only=True):
    """A replica that still runs although this process has not started it."""

    place: Place
    pid: int
    adoptable: bool


class StartFailed(Exception):
    """The machine has no room for it now, for one thing; another start may help."""


class Process(Protocol):
    """A replica's process, here or on another machine."""

    @property
    def pid(self) -> int: ...

    @property
    def running(self) -> bool: ...

    async def wait(self) -> int:
        """Its exit status, once it has ended; below 0: the signal that ended it."""

    @property
    def said(self) -> list[str]:
        """Its last lines on standard error: the best reason there is when it fails."""

    async def stop(self, grace_s: float) -> None:
        """Ask it to end, and end it after `grace_s`, with all that it started."""

    def memory_bytes(self) -> int:
        """What it holds, with its children; shared pages in parts, and none of files that are only
        mapped. Blocks; 0 once it has ended."""

    def gpu_bytes(self) -> Mapping[int, int]:
        """What it holds of GPUs, with its children, by their index, as far as is known. Blocks."""


class Fleet(Protocol):
    """Where replicas run."""

    def directory(self, place: Place) -> Path:
        """Where a replica's files go, its socket among them. Raises StartFailed."""

    def discard(self, place: Place) -> None:
        """Its process has ended for good: its files go. Blocks. Twice is once."""

    async def start(self, launch: Launch, place: Place) -> Process:
        """Raises OSError when the program cannot be run, and StartFailed."""

    async def leftovers(self) -> Sequence[Leftover]:
        """What still runs of servers that have ended."""

    async def adopt(self, leftover: Leftover) -> Process:
        """Its process, to be kept as if started here. Raises OSError when it is gone."""

    async def end(self, leftover: Leftover) -> None:
        """Stop what nobody wants any more. Twice is once."""
