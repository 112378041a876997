"""One client's socket, as an asyncio protocol: bytes in, requests to the handler, answers out.

Everything a client can do with a socket ends here: half-closed sockets, slow heads and bodies,
giant heads, pipelining, HTTP/1.0, leaving in the middle. A handler only sees whole requests, and is
cancelled when its client has gone.
"""

import asyncio
import contextlib
import logging
import socket
from collections import deque
from collections.abc import Iterator
from contextlib import aclosing
from typing import Protocol, cast

import httptools
import msgspec

from penstock.http.message import (
    STATUS_LINES,
    Answer,
    FaultRenderer,
    Handler,
    Request,
    Response,
    Screen,
    StreamingResponse,
)

log = logging.getLogger(__name__)

PROBE_INTERVAL_S = 0.4
LINGER_S = 2.0
PIPELINE_DEPTH = 8
#: Of two credentials, or two hosts, which one is meant is anyone's guess: so neither is taken.
SINGULAR = frozenset((b"authorization", b"host"))
#: A body so long is not waited for if it would be in vain.
SCREEN_ABOVE_BYTES = 64 * 1024
NEVER = float("inf")
#: The parts of a request; between requests there is none.
HEAD = "head"
BODY = "body"
#: What an answer says of its connection.
CLOSE = b"connection: close\r\n"
KEEP = b""
KEEP_HTTP10 = b"connection: keep-alive\r\n"
FAILED = "The server failed on this request. It is logged."


class ServerLimits(msgspec.Struct, kw_only=True, frozen=True):
    """What one client may take of the server."""

    max_head_bytes: int = 64 * 1024
    max_body_bytes: int = 32 * 1024 * 1024
    max_connections: int = 4096
    head_timeout_s: float = 20.0
    body_timeout_s: float = 60.0
    idle_timeout_s: float = 75.0
    write_timeout_s: float = 60.0


class Host(Protocol):
    """What a connection asks of the server that it belongs to."""

    handler: Handler
    limits: ServerLimits
    fault: FaultRenderer
    screen: Screen | None
    draining: bool
    connections: "set[Connection]"
    request_ids: Iterator[bytes]

    def forget(self, connection: "Connection") -> None: ...


class Connection(asyncio.Protocol):
    """One client's socket, with one task for all of its requests.

    `busy` while a request is being answered; `deadline_s` is the loop time at which the client has
    been waited for too long. While a connection is idle the sweeper sets it, and not each answer.
    """

    __slots__ = (
        "_awaited",
        "_body",
        "_body_bytes",
        "_closing",
        "_full",
        "_half_closed",
        "_head_bytes",
        "_headers",
        "_http10",
        "_idle",
        "_in_head",
        "_keep_alive",
        "_limits",
        "_method",
        "_part",
        "_path",
        "_pending",
        "_query",
        "_refused",
        "_responding",
        "_resumed",
        "_task",
        "_url",
        "busy",
        "deadline_s",
        "loop",
        "parser",
        "server",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(self, server: Host) -> None:
        self.server = server
        self._limits = server.limits
        self.loop = asyncio.get_running_loop()
        self.parser = httptools.HttpRequestParser(self)
        self.busy = False
        self.deadline_s: float | None = self.loop.time() + server.limits.head_timeout_s
        self._task: asyncio.Task[None] | None = None
        self._idle: asyncio.Future[None] | None = None
        self._pending: deque[Request] = deque()
        self._full = False
        self._resumed: asyncio.Future[None] | None = None
        self._responding: Answer | None = None
        self._closing = False
        self._half_closed = False
        self._refused = False
        self._part: str | None = None
        self._awaited: str | None = None
        self._in_head = True
        self._head_bytes = 0
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._body_bytes = 0

    # -- the transport calls these ---------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        server = self.server
        server.connections.add(self)
        if len(server.connections) > server.limits.max_connections:
            self._refuse(503, "Too many open connections. Try again in a moment.")

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.forget(self)
        self._closing = True
        self.deadline_s = NEVER
        if self._resumed is not None and not self._resumed.done():
            self._resumed.cancel()
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._in_head:
            self._head_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # We speak nothing but HTTP/1.1: the request stands, the offer to switch is declined.
            framing = self._framing_after_upgrade()
            self.parser = httptools.HttpRequestParser(_BodyFirst(self) if framing else self)
            if framing:
                self.parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % framing)
            if rest := data[upgrade.args[0] :]:
                self.data_received(rest)
            return
        except httptools.HttpParserError as error:
            self._refuse(400, f"This is not a well-formed HTTP request: {_cause(error)}.")
            return
        if self._in_head and self._head_bytes > self._limits.max_head_bytes:
            self._refuse_head()
        elif self._part is not None and not self.busy and not self._refused:
            self._await_rest(self._part)

    def _await_rest(self, part: str) -> None:
        """A request has begun and not ended. Its head and its body are timed from their beginnings,
        so that a trickle of bytes buys nothing."""
        if part != self._awaited:
            self._awaited = part
            limits = self._limits
            timeout_s = limits.body_timeout_s if part is BODY else limits.head_timeout_s
            self.deadline_s = self.loop.time() + timeout_s

    def eof_received(self) -> bool:
        """A client may close its sending side and still wait for its answer."""
        self._half_closed = True
        if not self.busy:
            return False
        self.loop.call_later(PROBE_INTERVAL_S, self._probe)
        return True

    def pause_writing(self) -> None:
        self._resumed = self.loop.create_future()
        self.deadline_s = self.loop.time() + self._limits.write_timeout_s

    def resume_writing(self) -> None:
        if self._resumed is not None and not self._resumed.done():
            self._resumed.set_result(None)
        self._resumed = None
        if not self._closing:
            self.deadline_s = NEVER if self.busy else None

    # -- the parser calls these ------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._part = HEAD

    def on_url(self, url: bytes) -> None:
        self._url = self._url + url if self._url else url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._part is BODY:
            return  # a trailer: it changes nothing
        name = name.lower()
        headers = self._headers
        if name in headers and name in SINGULAR:
            value = b""
        headers[name] = value

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._part = BODY
        limits = self._limits
        if self._head_bytes > limits.max_head_bytes and self._head_is_too_large():
            self._refuse_head()
            return
        parser = self.parser
        headers = self._headers
        self._keep_alive = parser.should_keep_alive()
        # HTTP/1.0 keeps a connection only for a header that asks for it: seldom is it to be asked.
        maybe_http10 = not self._keep_alive or b"connection" in headers
        self._http10 = maybe_http10 and parser.get_http_version() == "1.0"
        self._method = parser.get_method().decode()
        url = self._url.decode("latin-1")
        if not url.startswith("/"):
            url = _origin_form(url)
        self._path, _, self._query = url.partition("?")
        if not headers.get(b"host") and not self._http10:
            self._refuse(400, "A request of HTTP/1.1 has one header Host, which names the server.")
            return
        length = int(headers.get(b"content-length") or b"0")
        if length > limits.max_body_bytes:
            self._refuse(413, self._too_large())
        elif length > SCREEN_ABOVE_BYTES or b"expect" in headers or b"transfer-encoding" in headers:
            self._ask_before_body()

    def _ask_before_body(self) -> None:
        """Refuse what would be refused anyway; tell a client to go on that waits to be told."""
        self._screen()
        expects = self._headers.get(b"expect")
        if expects and not self._refused:
            if expects.lower() != b"100-continue":
                self._refuse(417, "The only expectation this server meets is 100-continue.")
            elif not self._http10 and not self.busy:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_chunk_header(self) -> None:
        """What comes next is a chunk, or trailers, which are bounded as a head is."""
        self._in_head = True
        self._head_bytes = 0

    def on_body(self, body: bytes) -> None:
        self._in_head = False
        self._body_bytes += len(body)
        if self._body_bytes > self._limits.max_body_bytes:
            self._refuse(413, self._too_large())
        elif not self._refused:
            self._body.append(body)

    def on_message_complete(self) -> None:
        headers, body = self._headers, self._body
        if b"upgrade" in headers and self._framing_after_upgrade():
            return  # llhttp takes the body for the new protocol: `data_received` reads it
        self._part = self._awaited = None
        self._in_head = True
        self._head_bytes = self._body_bytes = 0
        self._url = b""
        self._headers = {}
        self._body = []
        if self._refused:
            return
        self._pending.append(
            Request(
                method=self._method,
                path=self._path,
                query=self._query,
                headers=headers,
                body=body[0] if len(body) == 1 else b"".join(body),
                id=next(self.server.request_ids),
                http10=self._http10,
                keep_alive=self._keep_alive,
            )
        )
        if self.busy:
            if len(self._pending) >= PIPELINE_DEPTH:
                self._full = True
                self.transport.pause_reading()
            return
        self.busy = True
        self.deadline_s = NEVER
        if self._idle is not None:
            self._idle.set_result(None)
        elif self._task is None:
            self._task = self.loop.create_task(self._run())

    # -- answering -------------------------------------------------------------------------

    async def _run(self) -> None:
        """Answer requests in turn until the connection ends.

        One task for all of them, and few steps in it: to make and to forget a task costs as much
        as a small request.
        """
        server = self.server
        pending = self._pending
        try:
            while True:
                request = pending.popleft()
                if self._full and not pending:
                    self._full = False
                    self.transport.resume_reading()
                try:
                    answer = await server.handler(request)
                except Exception:
                    log.exception("request %s failed", request.id.decode())
                    answer = server.fault(500, FAILED)
                request.keep_alive = request.keep_alive and not server.draining
                if isinstance(answer, Response):
                    self._write(answer, request)
                else:
                    await self._stream(answer, request)
                if self._resumed is not None:
                    await self._resumed
                if self._closing or self._refused:
                    return
                ends = not pending and (self._half_closed or server.draining)
                if ends or not request.keep_alive:
                    self._close()
                    return
                if not pending:
                    self.busy = False
                    self.deadline_s = None
                    self._idle = self.loop.create_future()
                    await self._idle
        except asyncio.CancelledError:
            self.transport.abort()

    def _write(self, answer: Response, request: Request) -> None:
        self.transport.write(
            b"%b%bx-request-id: %b\r\n%bcontent-length: %d\r\n\r\n%b"
            % (
                STATUS_LINES[answer.status],
                answer.headers,
                request.id,
                _persistence(request) if request.http10 or not request.keep_alive else KEEP,
                len(answer.body),
                b"" if request.method == "HEAD" else answer.body,
            )
        )

    async def _stream(self, answer: StreamingResponse, request: Request) -> None:
        """Chunked for HTTP/1.1; until the end of the connection for HTTP/1.0."""
        chunked = not request.http10
        request.keep_alive = request.keep_alive and chunked
        head = b"%b%bx-request-id: %b\r\n%b%b\r\n" % (
            STATUS_LINES[answer.status],
            answer.headers,
            request.id,
            _persistence(request),
            b"transfer-encoding: chunked\r\n" if chunked else b"",
        )
        write = self.transport.write
        try:
            async with aclosing(answer.chunks) as chunks:
                async for chunk in chunks:
                    if chunked:
                        chunk = b"%x\r\n%b\r\n" % (len(chunk), chunk)
                    if head:
                        chunk, head = head + chunk, b""
                        self._responding = answer
                    write(chunk)
                    if self._resumed is not None:
                        await self._resumed
            write(head + (b"0\r\n\r\n" if chunked else b""))
        except Exception:
            log.exception("request %s broke off in its answer", request.id.decode())
            self.abort()
        finally:
            self._responding = None

    # -- refusing and ending ---------------------------------------------------------------

    def _framing_after_upgrade(self) -> bytes:
        """The header that tells how long the body is that follows an offer to upgrade, or b""."""
        if not self.parser.should_upgrade():
            return b""
        if b"transfer-encoding" in self._headers:
            return b"transfer-encoding: chunked\r\n"
        length = int(self._headers.get(b"content-length") or b"0")
        return b"content-length: %d\r\n" % length if length else b""

    def _head_is_too_large(self) -> bool:
        size = sum(len(name) + len(value) for name, value in self._headers.items())
        return len(self._url) + size > self._limits.max_head_bytes

    def _refuse_head(self) -> None:
        self._refuse(431, "The request's head (request line and headers) is too large.")

    def _too_large(self) -> str:
        return f"The request body is larger than {self._limits.max_body_bytes} bytes."

    def _screen(self) -> None:
        if self.server.screen is None or self.busy:
            return
        head = Request(
            method=self._method,
            path=self._path,
            query=self._query,
            headers=self._headers,
            body=b"",
            id=b"",
        )
        answer = self.server.screen(head)
        if isinstance(answer, Response):
            self._refuse_with(answer)

    def _refuse(self, status: int, sentence: str) -> None:
        self._refuse_with(self.server.fault(status, sentence))

    def _refuse_with(self, answer: Response) -> None:
        """Answer below the handler, then close: what follows on this socket is not read."""
        self._refused = True
        self._body = []
        if self.busy:
            self.transport.abort()
            return
        request = Request(
            method="",
            path="",
            query="",
            headers={},
            body=b"",
            id=next(self.server.request_ids),
            keep_alive=False,
        )
        self._write(answer, request)
        self._linger()

    def _linger(self) -> None:
        """Close so that the client gets to read the answer while it may still be sending."""
        sock = self.transport.get_extra_info("socket")
        with contextlib.suppress(OSError, NotImplementedError):
            if self.transport.can_write_eof() and sock.family != socket.AF_UNIX:
                self.transport.write_eof()
                self.deadline_s = self.loop.time() + LINGER_S
                return
        self._close()

    def _close(self) -> None:
        """Close when the client has read what it was sent, for which it has its time."""
        self._closing = True
        self.deadline_s = self.loop.time() + self._limits.write_timeout_s
        self.transport.close()

    def abort(self) -> None:
        self._closing = True
        self.transport.abort()

    def close_when_idle(self) -> None:
        if not self.busy:
            self._close()

    def check_time(self, now_s: float) -> None:
        """The sweeper passes: an idle connection's time begins, or a client's time is up."""
        if self.deadline_s is None:
            limits = self._limits
            self.deadline_s = now_s + (
                limits.idle_timeout_s if self._part is None else limits.head_timeout_s
            )
        elif self.deadline_s < now_s:
            self.deadline_s = NEVER
            if self._closing or self._refused or self.busy or self._part is None:
                self.abort()
            else:
                self._refuse(408, "The request did not arrive in time.")

    def _probe(self) -> None:
        """Find out whether a half-closed client still reads: writing to a gone one resets."""
        if self._closing or not self.busy:
            return
        streaming = self._responding
        if isinstance(streaming, StreamingResponse):
            probe = streaming.probe
            if not self._http10:
                probe = b"%x\r\n%b\r\n" % (len(probe), probe)
            self.transport.write(probe)
        elif not self._http10:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # The first write makes a gone client's system say so; only the next one fails.
        self.loop.call_later(PROBE_INTERVAL_S, self._probe)


class _BodyFirst:
    """A connection to a parser that is to begin with a body, whose head has been read already.

    The parser is given a head of ours, which stops here; the heads that follow are the client's.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.on_header = connection.on_header  # which takes none while a body is awaited
        self.on_chunk_header = connection.on_chunk_header
        self.on_body = connection.on_body
        self.on_message_complete = connection.on_message_complete

    def on_message_begin(self) -> None:
        if self._connection._part is not BODY:
            self._connection.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if self._connection._part is not BODY:
            self._connection.on_url(url)

    def on_headers_complete(self) -> None:
        if self._connection._part is not BODY:
            self._connection.on_headers_complete()


def _persistence(request: Request) -> bytes:
    if not request.keep_alive:
        return CLOSE
    return KEEP_HTTP10 if request.http10 else KEEP


def _origin_form(url: str) -> str:
    """`http://host/path`, which a server must understand too, as `/path`."""
    _, separator, rest = url.partition("://")
    return "/" + rest.partition("/")[2] if separator else url


def _cause(error: Exception) -> str:
    return str(error).rstrip(".") or "it could not be parsed"
