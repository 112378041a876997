"""An engine's answer, from bytes to events: split, decode, look for stops."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Self

from penstock.domain.errors import EngineFailed
from penstock.domain.event import Event, Finished, ScoredText, Started, Text, ToolCall
from penstock.domain.secret import Secret
from penstock.domain.usage import Usage
from penstock.engines.base import Batches
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
    `secret` is hidden in what the server says of its errors. Iterating raises that, EngineFailed,
    and Broken. A class and not a generator, since this is
    where every token passes.
    """

    __slots__ = (
        "_chunks",
        "_exchange",
        "_finished",
        "_open",
        "_refusal",
        "_scanner",
        "_secret",
        "_splitter",
    )

    def __init__(
        self,
        exchange: Exchange,
        stops: tuple[str, ...],
        refusal: Refusal,
        secret: Secret | None = None,
    ) -> None:
        self._exchange = exchange
        self._refusal = refusal
        self._secret = secret
        self._open = False
        self._chunks = ChunkReader()
        self._scanner = StopScanner(stops) if stops else None
        self._finished = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Event]:
        exchange = self._exchange
        if not self._open:
            await exchange.open()
            self._open = True
            if exchange.status != 200:
                raise await self._refusal(exchange)
            if exchange.headers.get(b"content-type", b"").startswith(b"application/json"):
                body = exchange.read_now() or await exchange.read(MAX_PLAIN_BYTES)
                events = self._feed([body])
                if self._chunks.failure is None:
                    self._end(events)
                    return events
            self._splitter = EventSplitter()
        while not self._finished:
            if self._chunks.failure is not None:
                raise self._hidden(self._chunks.failure)
            data = await exchange.next_batch()
            events = [] if data is None else self._feed(self._splitter.feed(data))
            if exchange.complete and not self._finished and self._chunks.failure is None:
                if rest := self._splitter.end():
                    events += self._feed(rest)
                self._end(events)
            if events:
                return events
        raise StopAsyncIteration

    async def aclose(self) -> None:
        if self._open:
            self._open = False
            self._finished = True
            self._exchange.close()

    def _hidden(self, failure: EngineFailed) -> EngineFailed:
        """The failure, without the secret."""
        secret = self._secret
        return failure if secret is None else EngineFailed(secret.hide_in(failure.message))

    def _feed(self, payloads: list[bytes]) -> list[Event]:
        events = self._chunks.read(payloads)
        return events if self._scanner is None else self._scan(self._scanner, events)

    def _end(self, events: list[Event]) -> None:
        """Add what is to be told when all has been read."""
        if self._finished:
            return
        self._finished = True
        end = self._chunks.finished()
        if self._scanner is not None:
            events += self._scanner.flush()
            if self._scanner.matched:
                end = Finished("stop", end.usage)  # the engine did not know of it and went on
        events.append(end)

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


async def first_call_only(stream: Batches) -> AsyncGenerator[list[Event], None]:
    """Without the second tool call and what follows, for engines that do not honour the wish.

    One that has told how long the prompt is gets cut off; of another the rest is read, since it
    tells only then.
    """
    started: Started | None = None
    completion_tokens = 0
    async with aclosing(stream) as batches:
        async for batch in batches:
            kept: list[Event] = []
            for event in batch:
                if isinstance(event, ToolCall) and event.call > 0:
                    if started is None:
                        continue
                    usage = Usage(started.prompt_tokens, completion_tokens, started.cached_tokens)
                    yield [*kept, Finished("tool_calls", usage)]
                    return
                if isinstance(event, Started):
                    started = event
                completion_tokens += getattr(event, "tokens", 0)
                kept.append(event)
            if kept:
                yield kept
