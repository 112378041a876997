"""An engine's answer, from bytes to events: split, decode, look for stops."""

from collections.abc import Awaitable, Callable
from typing import Self

from penstock.domain.event import Event, Finished, ScoredText, Text
from penstock.engines.chunks import ChunkReader
from penstock.engines.sse import EventSplitter
from penstock.engines.stop import StopScanner
from penstock.http.client import Exchange

MAX_PLAIN_BYTES = 64 * 1024 * 1024

Refusal = Callable[[Exchange], Awaitable[Exception]]


class Answer:
    """Batches of events: all that one read of the socket held. Ends after `Finished`.

    The request goes out when the first batch is asked for; `aclose` drops what is left, which
    stops the engine. A server that did not stream, because it was not asked to or does not know
    how, gives one batch. `refusal` makes an exception of an answer whose status is not 200.
    Iterating raises that, EngineFailed, and Broken. A class and not a generator, since this is
    where every token passes.
    """

    __slots__ = ("_chunks", "_exchange", "_finished", "_open", "_refusal", "_scanner", "_splitter")

    def __init__(self, exchange: Exchange, stops: tuple[str, ...], refusal: Refusal) -> None:
        self._exchange = exchange
        self._refusal = refusal
        self._open = False
        self._splitter = EventSplitter()
        self._chunks = ChunkReader()
        self._scanner = StopScanner(stops) if stops else None
        self._finished = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Event]:
        exchange = self._exchange
        if not self._open:
            await exchange.__aenter__()
            self._open = True
            if exchange.status != 200:
                raise await self._refusal(exchange)
            if b"json" in exchange.headers.get(b"content-type", b""):
                events = self._feed([await exchange.read(MAX_PLAIN_BYTES)])
                if self._chunks.failure is None:
                    return [*events, *self._end()]
        while not self._finished:
            if self._chunks.failure is not None:
                raise self._chunks.failure
            data = await exchange.next_batch()
            events = [] if data is None else self._feed(self._splitter.feed(data))
            if exchange.complete and not self._finished and self._chunks.failure is None:
                events += self._end()
            if events:
                return events
        raise StopAsyncIteration

    async def aclose(self) -> None:
        if self._open:
            self._open = False
            self._finished = True
            self._exchange.close()

    def _feed(self, payloads: list[bytes]) -> list[Event]:
        events = self._chunks.read(payloads)
        return events if self._scanner is None else self._scan(self._scanner, events)

    def _end(self) -> list[Event]:
        events = self._feed(self._splitter.end())
        if self._finished:
            return events
        self._finished = True
        end = self._chunks.finished()
        if self._scanner is None:
            return [*events, end]
        if self._scanner.matched:
            end = Finished("stop", end.usage)  # the engine did not know of it and went on
        return [*events, *self._scanner.flush(), end]

    def _scan(self, scanner: StopScanner, events: list[Event]) -> list[Event]:
        """What surely comes before any stop.

        After a match there is nothing more to tell; but the engine is only cut off when we know
        what to charge, which not every engine tells before its end.
        """
        out: list[Event] = []
        tokens_after = 0  # made before we could say stop: the same answer has the same bill
        for event in events:
            if scanner.matched:
                tokens_after += getattr(event, "tokens", 0)
            elif isinstance(event, Text | ScoredText):
                out.extend(scanner.feed(event))
            else:
                out.append(event)
        if scanner.matched and self._chunks.knows_prompt and not self._finished:
            self._finished = True
            out.append(self._chunks.stopped(tokens_after))
        return out
