"""Batches of pictures across requests: what is alike and waits goes together.

Alike are pictures that the same steps make: equal kind, sides, steps, guidance and adapter. Their
prompts and seeds may differ. Whoever has waited longest decides what is alike with.
"""

import asyncio
import logging
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, Protocol, TypeVar

from penstock.domain.image import Progress, Told, unheard

log = logging.getLogger(__name__)

#: How long an idle model waits for more: the pictures of one request come one after another, and a
#: picture takes far longer than this.
GATHER_S = 0.02


class Paintable(Protocol):
    """A picture to be made. `likeness` is equal for those that can be made together."""

    @property
    def likeness(self) -> Hashable: ...

    @property
    def pixels(self) -> int: ...


P = TypeVar("P", bound=Paintable)
#: Told of each step that has been made, with a progress for each picture of the batch: whether
#: anybody still waits for one of them.
AfterStep = Callable[[Sequence[Progress]], bool]
#: Pictures that are alike -> as many files.
Paint = Callable[[Sequence[P], AfterStep], Sequence[bytes]]


class TooMuch(Exception):
    """There was not enough memory for so many pictures at a time; the text says why."""


class Waiting(Generic[P]):
    """A picture that somebody waits for."""

    __slots__ = ("done", "picture", "told")

    def __init__(self, picture: P, done: "asyncio.Future[bytes]", told: Told = unheard) -> None:
        self.picture = picture
        self.done = done
        self.told = told


def choose(waiting: Sequence[Waiting[P]], *, max_items: int, max_pixels: int) -> list[Waiting[P]]:
    """The first, and those of the others that are alike, in their order.

    `max_pixels` bounds them all together, but not the first: that one must go some day.
    """
    first = waiting[0].picture
    alike = [each for each in waiting if each.picture.likeness == first.likeness]
    return alike[: max(1, min(max_items, max_pixels // first.pixels))]


class PictureBatcher(Generic[P]):
    """One queue before one thread.

    `max_pixels` shrinks when a batch turns out to be more than the memory holds.
    """

    def __init__(self, paint: Paint[P], *, max_items: int, max_pixels: int) -> None:
        self._paint = paint
        self._max_items = max_items
        self._max_pixels = max_pixels
        self._waiting: list[Waiting[P]] = []
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="painter")

    async def submit(self, picture: P, told: Told = unheard) -> bytes:
        """Its file; `told` hears of its steps. Cancelling it drops the picture, or stops its batch
        when it is the last that is waited for. Raises what `paint` raises for it alone."""
        waiting = Waiting(picture, asyncio.get_running_loop().create_future(), told)
        self._waiting.append(waiting)
        self._arrived.set()
        try:
            return await waiting.done
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)

    async def serve(self) -> None:
        """Make batches for ever."""
        while True:
            if not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
                await asyncio.sleep(GATHER_S)
            if self._waiting:
                await self._work_on(self._take())

    def _take(self) -> list[Waiting[P]]:
        batch = choose(self._waiting, max_items=self._max_items, max_pixels=self._max_pixels)
        for each in batch:
            self._waiting.remove(each)
        return batch

    async def _work_on(self, batch: list[Waiting[P]]) -> None:
        wanted = [each for each in batch if not each.done.done()]
        if not wanted:
            return
        pictures = [each.picture for each in wanted]

        loop = asyncio.get_running_loop()

        def after_step(progresses: Sequence[Progress]) -> bool:
            still = [
                pair for pair in zip(wanted, progresses, strict=True) if not pair[0].done.done()
            ]
            for each, progress in still:
                loop.call_soon_threadsafe(each.told, progress)
            return bool(still)

        try:
            files = await loop.run_in_executor(self._thread, self._paint, pictures, after_step)
        except Exception as error:
            await self._recover(wanted, error)
            return
        for each, file in zip(wanted, files, strict=True):
            if not each.done.done():
                each.done.set_result(file)

    async def _recover(self, batch: list[Waiting[P]], error: Exception) -> None:
        """In halves what was too much, one by one what failed: a bad picture spoils no other."""
        if len(batch) == 1:
            if not batch[0].done.done():
                batch[0].done.set_exception(error)
            return
        half = len(batch) // 2 if isinstance(error, TooMuch) else 1
        if isinstance(error, TooMuch):
            self._max_pixels = half * batch[0].picture.pixels
            log.warning("%s: from now on %d such pictures at a time", error, half)
        for at in range(0, len(batch), half):
            await self._work_on(batch[at : at + half])
