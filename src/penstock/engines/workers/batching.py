"""Batches across requests: whatever waits when the model is free goes together.

Nothing ever sleeps to gather more: under load a queue forms by itself while a batch runs, and on an
idle model a text goes at once.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

log = logging.getLogger(__name__)

#: Token ids of an input, or the numbers of a picture, of which all have the same length.
Ids = Sized
#: B inputs -> B rows. It raises for the batch when one of them is bad.
Run = Callable[[Sequence[Any]], Sequence[bytes]]

#: What a call of the model costs besides its tokens, in tokens (about 10 for all-MiniLM-L6-v2, far
#: more for tiny models). No batch is padded for more than that: two batches would be cheaper.
CALL_TOKENS = 16
#: How many waiting items are looked at to fill one batch, in batches.
WINDOW_BATCHES = 4
#: More padding than any batch has.
NEVER = 1 << 62


class Item:
    """One input of a request."""

    __slots__ = ("ids", "index", "job", "taken")

    def __init__(self, job: "Job", index: int, ids: Ids) -> None:
        self.job = job
        self.index = index
        self.ids = ids
        self.taken = False


class Job:
    """One request: the items that still wait, the rows that are there, and who waits for them."""

    __slots__ = ("_items", "done", "rows", "size")

    def __init__(self, inputs: Sequence[Ids], done: "asyncio.Future[None]") -> None:
        self.done = done
        self.size = len(inputs)
        self.rows: dict[int, bytes] = {}
        items = (Item(self, i, ids) for i, ids in enumerate(inputs))
        # Like beside like: what goes into one batch lies together, mostly at the front.
        self._items = deque(sorted(items, key=lambda item: len(item.ids)))

    def waiting(self) -> Iterator[Item]:
        return (item for item in self._items if not item.taken)

    def take(self, item: Item) -> bool:
        """Returns whether it was the last one."""
        item.taken = True
        while self._items and self._items[0].taken:
            self._items.popleft()
        return not self._items

    def add(self, index: int, row: bytes) -> None:
        self.rows[index] = row
        if len(self.rows) == self.size and not self.done.done():
            self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


def in_turn(jobs: Iterable[Job]) -> Iterator[Item]:
    """The waiting items: the first of each job, the second of each, and so on."""
    queues = deque(job.waiting() for job in jobs)
    while queues:
        queue = queues.popleft()
        if (item := next(queue, None)) is not None:
            yield item
            queues.append(queue)


def choose(candidates: Sequence[Item], *, max_tokens: int, max_items: int) -> list[Item]:
    """The first candidate and those of the others that are nearest to it in length.

    `max_tokens` bounds the padded batch, though not its first item: that one must go some day.
    """
    first = candidates[0]
    ordered = sorted(candidates, key=lambda item: len(item.ids))
    low = ordered.index(first)
    high = low + 1
    padding, longest = 0, len(first.ids)
    while high - low < max_items:
        size = high - low
        shorter = longest - len(ordered[low - 1].ids) if low > 0 else NEVER
        longer = (len(ordered[high].ids) - longest) * size if high < len(ordered) else NEVER
        padding += min(shorter, longer)
        if padding > CALL_TOKENS:
            break
        if shorter > longer:
            longest = len(ordered[high].ids)
        if longest * (size + 1) > max_tokens:
            break
        low, high = (low - 1, high) if shorter <= longer else (low, high + 1)
    return ordered[low:high]


class Collector:
    """One queue before one thread, which may serve other queues too.

    A request that comes while a big one is worked on takes its turn after the current batch.
    """

    def __init__(
        self,
        run: Run,
        *,
        max_tokens: int,
        max_items: int,
        thread: ThreadPoolExecutor | None = None,
    ) -> None:
        self._run = run
        self._max_tokens = max_tokens
        self._max_items = max_items
        self._jobs: deque[Job] = deque()
        self._arrived = asyncio.Event()
        self._thread = thread or ThreadPoolExecutor(1, thread_name_prefix="model")

    async def submit(self, inputs: Sequence[Ids]) -> list[bytes]:
        """The rows of `inputs`, in order. Cancelling it drops what has not been started.

        Raises what `run` raises on one of them alone.
        """
        job = Job(inputs, asyncio.get_running_loop().create_future())
        self._jobs.append(job)
        self._arrived.set()
        try:
            await job.done
        finally:
            if job in self._jobs:
                self._jobs.remove(job)
        return [job.rows[i] for i in range(job.size)]

    async def serve(self) -> None:
        """Run batches for ever."""
        while True:
            if not self._jobs:
                self._arrived.clear()
                await self._arrived.wait()
            await self._work_on(self._take())

    def _take(self) -> list[Item]:
        """The next batch; the job whose turn it was goes to the end of the queue."""
        window = list(islice(in_turn(self._jobs), WINDOW_BATCHES * self._max_items))
        batch = choose(window, max_tokens=self._max_tokens, max_items=self._max_items)
        self._jobs.rotate(-1)
        for item in batch:
            if item.job.take(item):
                self._jobs.remove(item.job)
        return batch

    async def _work_on(self, batch: Sequence[Item]) -> None:
        loop = asyncio.get_running_loop()
        try:
            rows = await loop.run_in_executor(self._thread, self._run, [i.ids for i in batch])
        except Exception as error:
            if len(batch) == 1:
                log.exception("an input of %d tokens failed", len(batch[0].ids))
                batch[0].job.fail(error)
                return
            for item in batch:  # one bad input must not spoil those of others
                await self._work_on([item])
            return
        for item, row in zip(batch, rows, strict=True):
            item.job.add(item.index, row)
