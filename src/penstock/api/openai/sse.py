"""Parts -> server-sent events, whatever kind of chunks are in them.

The rules are OpenAI's, with one of DeepInfra's beside: a client that asked for `include_usage` gets
it in a last chunk without choices, and `"usage": null` before; one that did not gets it on the
chunk with the last finish reason, where DeepInfra's own example reads it.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import msgspec

from penstock.api.errors import error_body
from penstock.api.openai.identity import Identity
from penstock.api.openai.usage import usage_object
from penstock.domain.errors import PenstockError
from penstock.domain.event import Event, Finished
from penstock.domain.usage import Usage, total
from penstock.gateway.pipeline import Part, Parts

DONE = b"data: [DONE]\n\n"
encode = msgspec.json.encode


def error_event(error: PenstockError) -> bytes:
    """An error that can only be told inside a stream; the official clients raise it."""
    return b"data: " + error_body(error) + b"\n\n"


class ChunkWriter(ABC):
    """Turns one request's parts into the bytes of its events.

    A chunk is `head` + the choice + `tail`; both are made once a request, since they are the same
    in every chunk.
    """

    object: bytes

    def __init__(
        self, identity: Identity, *, prompts: Sequence[int], choices: int, include_usage: bool
    ) -> None:
        self._head = b'data: %b,"choices":[' % identity.head(self.object)
        self._tail = b'],"usage":null}\n\n' if include_usage else b"]}\n\n"
        self._include_usage = include_usage
        self._prompts = prompts
        self._open_choices = choices
        self._usage: dict[int, Usage] = {}

    def chunk(self, choice: bytes) -> bytes:
        return self._head + choice + self._tail

    @abstractmethod
    def events(self, call: int, events: list[Event]) -> list[bytes]:
        """The chunks of all events but the end, which may be among them: nothing will follow."""

    @abstractmethod
    def finish(self, call: int, reason: Finished) -> bytes:
        """The choice object of the chunk that ends choice number `call`."""

    def write(self, part: Part) -> bytes:
        """All chunks of one part, ready for the socket."""
        events = part.events
        chunks = self.events(part.call, events)
        last = events[-1] if events else None
        if not isinstance(last, Finished):
            return b"".join(chunks)
        self._usage[part.call] = last.usage
        self._open_choices -= 1
        choice = self.finish(part.call, last)
        if self._include_usage or self._open_choices:
            chunks.append(self.chunk(choice))
        else:
            chunks.append(b"%b%b],%b}\n\n" % (self._head, choice, self._usage_field()))
        if self._include_usage and not self._open_choices:
            chunks.append(b"%b],%b}\n\n" % (self._head, self._usage_field()))
        return b"".join(chunks)

    def _usage_field(self) -> bytes:
        return b'"usage":' + encode(usage_object(total(self._usage, self._prompts)))


async def stream(first: Part, parts: Parts, writer: ChunkWriter) -> AsyncGenerator[bytes, None]:
    """The event stream of an answer whose first part has come.

    An error from here on can only be told inside the stream: as an event with OpenAI's error
    object, which the official clients raise as an exception.
    """
    async with aclosing(parts):
        try:
            if opening := writer.write(first):
                yield opening
            async for part in parts:
                if written := writer.write(part):
                    yield written
        except PenstockError as error:
            yield error_event(error)
    yield DONE
