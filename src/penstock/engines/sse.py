"""Server-sent events as OpenAI-speaking engines send them: one `data:` line per event."""

from collections.abc import AsyncGenerator

from penstock.domain.errors import EngineFailed
from penstock.http.client import Exchange

MAX_EVENT_BYTES = 4 * 1024 * 1024
DONE = b"[DONE]"


async def data_batches(exchange: Exchange) -> AsyncGenerator[list[bytes], None]:
    """The payloads of `data:` lines, as many at a time as one read held.

    Comments and other fields are skipped. Ends after `[DONE]` or at the end of the body; which of
    the two is no matter to us, since an answer's end is its finish reason.
    Raises EngineFailed when a line is longer than MAX_EVENT_BYTES.
    """
    rest = b""
    async for batch in exchange:
        lines = (rest + batch if rest else batch).split(b"\n")
        rest = lines.pop()
        if len(rest) > MAX_EVENT_BYTES:
            raise EngineFailed("The engine sent an event without end.")
        payloads = []
        for line in lines:
            if line.startswith(b"data:"):
                payload = line[5:].strip()
                if payload == DONE:
                    # Read on to the end of the body, so that the connection can be kept.
                    continue
                payloads.append(payload)
        if payloads:
            yield payloads
    if rest.startswith(b"data:") and rest[5:].strip() != DONE:
        yield [rest[5:].strip()]
