"""Server-sent events as OpenAI-speaking engines send them: one `data:` line per event."""

from penstock.domain.errors import EngineFailed

MAX_EVENT_BYTES = 4 * 1024 * 1024
DONE = b"[DONE]"


class EventSplitter:
    """Cuts a body, however it was cut by the network, into the payloads of its `data:` lines.

    Comments and other fields are skipped. `[DONE]` is no payload: where an answer ends is told by
    its finish reason, and some engines forget to say `[DONE]`.
    """

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Raises EngineFailed when a line is longer than MAX_EVENT_BYTES."""
        if self._rest:
            data = self._rest + data
        if data.startswith(b"data: ") and data.endswith(b"\n\n") and b"\r" not in data:
            payloads = data[6:-2].split(b"\n\ndata: ")
            if data.count(b"\n") == 2 * len(payloads):
                # The shape that nearly all reads have: whole events, nothing else.
                self._rest = b""
                if payloads[-1] == DONE:
                    payloads.pop()
                return payloads
        lines = data.split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > MAX_EVENT_BYTES:
            raise EngineFailed("The engine sent an event without end.")
        return [
            payload
            for line in lines
            if line.startswith(b"data:") and (payload := line[5:].strip()) != DONE
        ]

    def end(self) -> list[bytes]:
        """What stands in a last line without an end."""
        return self.feed(b"\n") if self._rest else []
