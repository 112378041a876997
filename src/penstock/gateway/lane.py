"""The places of a deployment, and the queue before them: first come, first served, bounded."""

import asyncio
from collections import deque


class Full(Exception):
    """The queue has no room for that many."""


class Lane:
    """`slots` calls run at a time; at most `queue_limit` wait for their turn."""

    __slots__ = ("_queue", "queue_limit", "running", "slots")

    def __init__(self, *, slots: int, queue_limit: int) -> None:
        self.slots = slots
        self.queue_limit = queue_limit
        self.running = 0
        self._queue: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def enter(self, calls: int) -> "list[asyncio.Future[None] | None] | None":
        """Places for `calls` calls, all or none: None when all are free now.

        Else one entry per call: None for a place, or the future of its turn. Raises Full.
        """
        if not self._queue and self.running + calls <= self.slots:
            self.running += calls
            return None
        free = 0 if self._queue else max(0, self.slots - self.running)
        if len(self._queue) + calls - free > self.queue_limit:
            raise Full
        self.running += free
        loop = asyncio.get_running_loop()
        turns = [loop.create_future() for _ in range(calls - free)]
        self._queue.extend(turns)
        return [*[None] * free, *turns]

    def leave(self, turn: "asyncio.Future[None] | None" = None) -> None:
        """Give back a place, or a turn that has or has not come."""
        if turn is not None and not turn.done():
            self._queue.remove(turn)
            turn.cancel()
            return
        self.running -= 1
        if self._queue:
            self._call_up()

    def resize(self, slots: int) -> None:
        """Have as many places; calls that run beyond fewer ones finish."""
        self.slots = slots
        self._call_up()

    def _call_up(self) -> None:
        while self._queue and self.running < self.slots:
            self.running += 1
            self._queue.popleft().set_result(None)
