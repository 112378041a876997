"""The server half: one asyncio protocol per connection, one task per request.

Everything a client can do with a socket ends here: half-closed sockets, slow heads and bodies,
giant heads, pipelining, HTTP/1.0, leaving in the middle. A handler only sees whole requests, and is
cancelled when its client has gone.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections import deque
from contextlib import aclosing
from pathlib import Path
from typing import cast

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
    plain_fault,
)

log = logging.getLogger(__name__)

SWEEP_INTERVAL_S = 1.0
PROBE_INTERVAL_S = 0.4
PIPELINE_DEPTH = 8
SCREEN_ABOVE_BYTES = 64 * 1024
NEVER = float("inf")


class ServerLimits(msgspec.Struct, kw_only=True, frozen=True):
    """What one client may take of the server."""

    max_head_bytes: int = 64 * 1024
    max_body_bytes: int = 32 * 1024 * 1024
    max_connections: int = 4096
    head_timeout_s: float = 20.0
    body_timeout_s: float = 60.0
    idle_timeout_s: float = 75.0
    write_timeout_s: float = 60.0


class Server:
    """A listening server; made by `listen`, used as an async context manager."""

    def __init__(
        self,
        handler: Handler,
        *,
        limits: ServerLimits,
        fault: FaultRenderer = plain_fault,
        screen: Screen | None = None,
    ) -> None:
        self.handler = handler
        self.limits = limits
        self.fault = fault
        self.screen = screen
        self.connections: set[Connection] = set()
        self.draining = False
        self._id_prefix = f"req-{os.urandom(6).hex()}"
        self._served = 0
        self._listener: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._idle = asyncio.Event()

    async def listen(
        self, *, host: str | None = None, port: int = 0, socket_path: Path | None = None
    ) -> None:
        """Open the socket. Raises OSError when the address is taken or not ours."""
        loop = asyncio.get_running_loop()
        if socket_path is not None:
            await asyncio.to_thread(socket_path.unlink, missing_ok=True)
            self._listener = await loop.create_unix_server(
                lambda: Connection(self), str(socket_path), backlog=1024
            )
        else:
            self._listener = await loop.create_server(
                lambda: Connection(self), host, port, backlog=1024
            )
        self._sweeper = loop.create_task(self._sweep())

    @property
    def port(self) -> int:
        assert self._listener is not None
        return int(self._listener.sockets[0].getsockname()[1])

    def next_request_id(self) -> str:
        self._served += 1
        return f"{self._id_prefix}{self._served:08x}"

    async def drain(self, timeout_s: float) -> int:
        """Stop listening, let what runs finish; returns how many requests had to be cut."""
        self.draining = True
        if self._listener is not None:
            self._listener.close()
        for connection in list(self.connections):
            connection.close_when_idle()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.connections:
                    self._idle.clear()
                    await self._idle.wait()
        cut = sum(connection.busy for connection in self.connections)
        for connection in list(self.connections):
            connection.abort()
        if self._sweeper is not None:
            self._sweeper.cancel()
        return cut

    def hurry(self) -> None:
        """Cut what is still running: `drain` returns at once."""
        for connection in list(self.connections):
            connection.abort()

    def forget(self, connection: "Connection") -> None:
        self.connections.discard(connection)
        if not self.connections:
            self._idle.set()

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_INTERVAL_S)
            now = loop.time()
            for connection in [c for c in self.connections if c.deadline_s < now]:
                connection.overdue()


class Connection(asyncio.Protocol):
    """One client's socket. `deadline_s` is the loop time at which it has waited too long."""

    __slots__ = (
        "_body",
        "_body_bytes",
        "_closing",
        "_half_closed",
        "_has_head",
        "_head_bytes",
        "_headers",
        "_in_head",
        "_method",
        "_path",
        "_pending",
        "_query",
        "_refused",
        "_responding",
        "_resumed",
        "_started",
        "_url",
        "_version",
        "deadline_s",
        "loop",
        "parser",
        "server",
        "task",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(self, server: Server) -> None:
        self.server = server
        self.loop = asyncio.get_running_loop()
        self.parser = httptools.HttpRequestParser(self)
        self.task: asyncio.Task[None] | None = None
        self.deadline_s = self.loop.time() + server.limits.head_timeout_s
        self._pending: deque[tuple[Request, str, bool]] = deque()
        self._resumed: asyncio.Future[None] | None = None
        self._responding: Answer | None = None
        self._closing = False
        self._half_closed = False
        self._refused = False
        self._in_head = True
        self._has_head = False
        self._head_bytes = 0
        self._started = False
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._body_bytes = 0

    @property
    def busy(self) -> bool:
        return self.task is not None

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
        if self.task is not None:
            self.task.cancel()

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
            self.parser = httptools.HttpRequestParser(_BodyOnly(self) if framing else self)
            if framing:
                self.parser.feed_data(b"POST / HTTP/1.1\r\nconnection: close\r\n%b\r\n" % framing)
            if rest := data[upgrade.args[0] :]:
                self.data_received(rest)
            return
        except httptools.HttpParserError as error:
            self._refuse(400, f"This is not a well-formed HTTP request: {_cause(error)}.")
            return
        if self._in_head and self._head_bytes > self.server.limits.max_head_bytes:
            self._refuse_head()

    def eof_received(self) -> bool:
        """A client may close its sending side and still wait for its answer."""
        self._half_closed = True
        if self.task is None and not self._pending:
            return False
        self.loop.call_later(PROBE_INTERVAL_S, self._probe)
        return True

    def pause_writing(self) -> None:
        self._resumed = self.loop.create_future()
        self.deadline_s = self.loop.time() + self.server.limits.write_timeout_s

    def resume_writing(self) -> None:
        if self._resumed is not None and not self._resumed.done():
            self._resumed.set_result(None)
        self._resumed = None
        self.deadline_s = NEVER if self.task is not None else self._idle_deadline()

    # -- the parser calls these ------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._in_head = True
        self._has_head = False
        self._started = True
        self._url = b""
        self._headers = {}
        self._body = []
        self._body_bytes = 0
        if self.task is None:
            self.deadline_s = self.loop.time() + self.server.limits.head_timeout_s

    def on_url(self, url: bytes) -> None:
        self._url = self._url + url if self._url else url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._has_head:
            return  # a trailer: it changes nothing
        name = name.lower()
        if name == b"authorization" and name in self._headers:
            value = b""  # two credentials: which one is meant is anyone's guess, so neither
        self._headers[name] = value

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._has_head = True
        if self._head_bytes > self.server.limits.max_head_bytes and self._head_is_too_large():
            self._refuse_head()
            return
        parser = self.parser
        self._method = parser.get_method().decode("latin-1")
        self._version = parser.get_http_version()
        path, _, query = _origin_form(self._url.decode("latin-1")).partition("?")
        self._path, self._query = path, query
        if self.task is None:
            self.deadline_s = self.loop.time() + self.server.limits.body_timeout_s
        headers = self._headers
        length = int(headers.get(b"content-length", b"0") or b"0")
        if length > self.server.limits.max_body_bytes:
            self._refuse(413, self._too_large())
            return
        expects = headers.get(b"expect")
        if length > SCREEN_ABOVE_BYTES or expects or b"transfer-encoding" in headers:
            self._screen()
        if expects and not self._refused:
            if expects.lower() != b"100-continue":
                self._refuse(417, "The only expectation this server meets is 100-continue.")
            elif self._version != "1.0" and self.task is None:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_chunk_header(self) -> None:
        """What comes next is a chunk, or trailers, which are bounded as a head is."""
        self._in_head = True
        self._head_bytes = 0

    def on_body(self, body: bytes) -> None:
        self._in_head = False
        self._body_bytes += len(body)
        if self._body_bytes > self.server.limits.max_body_bytes:
            self._refuse(413, self._too_large())
        elif not self._refused:
            self._body.append(body)

    def on_message_complete(self) -> None:
        if b"upgrade" in self._headers and self._framing_after_upgrade():
            return  # llhttp takes the body for the new protocol: `data_received` reads it
        self._in_head = True
        self._started = False
        self._head_bytes = 0
        if self._refused:
            return
        body = self._body
        request = Request(
            method=self._method,
            path=self._path,
            query=self._query,
            headers=self._headers,
            body=body[0] if len(body) == 1 else b"".join(body),
            id=self.server.next_request_id(),
        )
        keep_alive = self.parser.should_keep_alive()
        if self.task is None:
            self._begin(request, self._version, keep_alive)
            return
        self._pending.append((request, self._version, keep_alive))
        if len(self._pending) >= PIPELINE_DEPTH:
            self.transport.pause_reading()

    # -- one request -----------------------------------------------------------------------

    def _begin(self, request: Request, version: str, keep_alive: bool) -> None:
        self.deadline_s = NEVER
        self.task = self.loop.create_task(self._serve(request, version, keep_alive))

    async def _serve(self, request: Request, version: str, keep_alive: bool) -> None:
        keep_alive = keep_alive and not self.server.draining
        try:
            answer = await self._answer(request)
            if isinstance(answer, Response):
                self._write(answer, request, version, keep_alive)
                if self._resumed is not None:
                    await self._resumed
            else:
                keep_alive = keep_alive and version != "1.0"
                await self._stream(answer, request, version, keep_alive)
        except asyncio.CancelledError:
            self.transport.abort()
        except Exception:
            log.exception("request %s broke off in the middle of its answer", request.id)
            self.abort()
        finally:
            self.task = None
            self._responding = None
            self._next(keep_alive)

    async def _answer(self, request: Request) -> Answer:
        try:
            return await self.server.handler(request)
        except Exception:
            log.exception("request %s failed", request.id)
            return self.server.fault(500, "The server failed on this request. It is logged.")

    def _head(
        self, answer: Answer, request_id: str, framing: bytes, version: str, keep_alive: bool
    ) -> bytes:
        persistence = b""
        if not keep_alive:
            persistence = b"connection: close\r\n"
        elif version == "1.0":
            persistence = b"connection: keep-alive\r\n"
        return b"%b%bx-request-id: %b\r\n%b%b\r\n" % (
            STATUS_LINES[answer.status],
            answer.headers,
            request_id.encode(),
            persistence,
            framing,
        )

    def _write(self, answer: Response, request: Request, version: str, keep_alive: bool) -> None:
        framing = b"content-length: %d\r\n" % len(answer.body)
        head = self._head(answer, request.id, framing, version, keep_alive)
        self.transport.write(head if request.method == "HEAD" else head + answer.body)

    async def _stream(
        self, answer: StreamingResponse, request: Request, version: str, keep_alive: bool
    ) -> None:
        """Chunked for HTTP/1.1; until the end of the connection for HTTP/1.0."""
        chunked = version != "1.0"
        framing = b"transfer-encoding: chunked\r\n" if chunked else b""
        head = self._head(answer, request.id, framing, version, keep_alive)
        write = self.transport.write
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

    def _next(self, keep_alive: bool) -> None:
        if self._closing or self._refused:
            return
        if not keep_alive or (self._half_closed and not self._pending):
            self._close()
        elif self._pending:
            request, version, keep_alive = self._pending.popleft()
            if not self._pending:
                self.transport.resume_reading()
            self._begin(request, version, keep_alive)
        elif self.server.draining:
            self._close()
        elif self._resumed is None:
            self.deadline_s = self._idle_deadline()

    # -- refusing and ending ---------------------------------------------------------------

    def _idle_deadline(self) -> float:
        limits = self.server.limits
        wait_s = limits.head_timeout_s if self._started else limits.idle_timeout_s
        return self.loop.time() + wait_s

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
        return len(self._url) + size > self.server.limits.max_head_bytes

    def _refuse_head(self) -> None:
        self._refuse(431, "The request's head (request line and headers) is too large.")

    def _too_large(self) -> str:
        return f"The request body is larger than {self.server.limits.max_body_bytes} bytes."

    def _screen(self) -> None:
        if self.server.screen is None or self.task is not None:
            return
        head = Request(
            method=self._method,
            path=self._path,
            query=self._query,
            headers=self._headers,
            body=b"",
            id="",
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
        if self.task is not None:
            self.transport.abort()
            return
        request_id = self.server.next_request_id()
        framing = b"content-length: %d\r\n" % len(answer.body)
        self.transport.write(
            self._head(answer, request_id, framing, "1.1", keep_alive=False) + answer.body
        )
        self._linger()

    def _linger(self) -> None:
        """Close so that the client gets to read the answer while it may still be sending."""
        sock = self.transport.get_extra_info("socket")
        with contextlib.suppress(OSError, NotImplementedError):
            if self.transport.can_write_eof() and sock.family != socket.AF_UNIX:
                self.transport.write_eof()
                self.deadline_s = self.loop.time() + 2 * SWEEP_INTERVAL_S
                return
        self._close()

    def _close(self) -> None:
        self._closing = True
        self.transport.close()

    def abort(self) -> None:
        self._closing = True
        self.transport.abort()

    def close_when_idle(self) -> None:
        if self.task is None and not self._pending:
            self._close()

    def overdue(self) -> None:
        """The sweeper found that `deadline_s` has passed."""
        self.deadline_s = NEVER
        if self._refused or self.task is not None or not self._started:
            self.abort()
        else:
            self._refuse(408, "The request did not arrive in time.")

    def _probe(self) -> None:
        """Find out whether a half-closed client still reads: writing to a gone one resets."""
        if self._closing or self.task is None:
            return
        streaming = self._responding
        if isinstance(streaming, StreamingResponse):
            probe = streaming.probe
            if self._version != "1.0":
                probe = b"%x\r\n%b\r\n" % (len(probe), probe)
            self.transport.write(probe)
        elif self._version != "1.0":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # The first write makes a gone client's system say so; only the next one fails.
        self.loop.call_later(PROBE_INTERVAL_S, self._probe)


class _BodyOnly:
    """Takes a body whose head has been read already, and nothing behind it."""

    def __init__(self, connection: Connection) -> None:
        self.on_chunk_header = connection.on_chunk_header
        self.on_body = connection.on_body
        self.on_message_complete = connection.on_message_complete


def _origin_form(url: str) -> str:
    """`http://host/path`, which a server must understand too, as `/path`."""
    _, separator, rest = url.partition("://")
    return "/" + rest.partition("/")[2] if separator and not url.startswith("/") else url


def _cause(error: Exception) -> str:
    return str(error).rstrip(".") or "it could not be parsed"
