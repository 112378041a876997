"""What a server's handler takes and gives: requests and answers as values."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from http import HTTPStatus

import msgspec

JSON = b"content-type: application/json\r\n"
EVENT_STREAM = (
    b"content-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\n"
    b"x-accel-buffering: no\r\n"
)


class Request(msgspec.Struct, kw_only=True, gc=False):
    """One complete request.

    `headers` has lower-case names; the last of several equal ones wins, but for `authorization`,
    of which a second one makes the server refuse the request. `path` is percent-decoded by the
    route table, not here. `http10` and `keep_alive` are about its connection, and for the server.
    """

    method: str
    path: str
    query: str
    headers: dict[bytes, bytes]
    body: bytes
    id: bytes
    http10: bool = False
    keep_alive: bool = True


class Response(msgspec.Struct, kw_only=True, gc=False):
    """A whole answer. `headers` are ready header lines, each ending in CRLF."""

    status: int = 200
    headers: bytes = JSON
    body: bytes = b""


class StreamingResponse(msgspec.Struct, kw_only=True):
    """An answer that is sent as it comes.

    `probe` are bytes that mean nothing to the reader; the server sends them to find out whether a
    client that closed its sending side still reads.
    """

    chunks: AsyncGenerator[bytes, None]
    status: int = 200
    headers: bytes = EVENT_STREAM
    probe: bytes = b":\n\n"


Answer = Response | StreamingResponse
Handler = Callable[[Request], Awaitable[Answer]]
#: (status, sentence) -> the body that tells a client of a fault found below the handler
FaultRenderer = Callable[[int, str], Response]
#: request head, before its body is read -> an answer that refuses it, or None
Screen = Callable[[Request], Answer | None]


STATUS_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}


def plain_fault(status: int, sentence: str) -> Response:
    """The fault renderer of servers that no stranger talks to."""
    body = msgspec.json.encode({"error": {"message": sentence, "code": status}})
    return Response(status=status, body=body)
