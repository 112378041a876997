"""The places of a deployment, and the queue before them: first come, first served, bounded."""

import asyncio
from collections import deque


class Full(Exception):
    """The queue has no room for that many."""


class Ticket:
    """One place, or the promise of one."""

    __slots__ = ("_lane", "_turn", "state")

    def __init__(self, lane: "Lane") -> None:
        self._lane = lane
        self._turn: asyncio.Future[None] | None = None
        self.state = "running"

    def wait_for(self, turn: asyncio.Future[None]) -> None:
        self._turn = turn
        self.state = "waiting"

    @property
    def waiting(self) -> bool:
        return self.state == "waiting"

    async def turn(self, timeout_s: float) -> None:
        """Returns when the place is there. Raises TimeoutError."""
        if self._turn is not None:
            async with asyncio.timeout(timeout_s):
                await asyncio.shield(self._turn)

    def call(self) -> None:
        self.state = "running"
        assert self._turn is not None
        if not self._turn.done():
            self._turn.set_result(None)

    def give_back(self) -> None:
        """Leave the place or the queue. Twice is once."""
        self._lane.leave(self)


class Lane:
    """`slots` tickets run at a time; at most `queue_limit` wait."""

    def __init__(self, *, slots: int, queue_limit: int) -> None:
        self.slots = slots
        self.queue_limit = queue_limit
        self.running = 0
        self._queue: deque[Ticket] = deque()

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def take(self, count: int) -> list[Ticket]:
        """`count` tickets, all or none. Raises Full."""
        free = max(0, self.slots - self.running) if not self._queue else 0
        if len(self._queue) + count - free > self.queue_limit:
            raise Full
        tickets = []
        for _ in range(count):
            ticket = Ticket(self)
            if not self._queue and self.running < self.slots:
                self.running += 1
            else:
                ticket.wait_for(asyncio.get_running_loop().create_future())
                self._queue.append(ticket)
            tickets.append(ticket)
        return tickets

    def leave(self, ticket: Ticket) -> None:
        if ticket.state == "waiting":
            self._queue.remove(ticket)
        elif ticket.state == "running":
            self.running -= 1
            while self._queue and self.running < self.slots:
                self.running += 1
                self._queue.popleft().call()
        ticket.state = "left"
