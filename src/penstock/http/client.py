"""The client half: kept connections to one origin, answers read in batches.

A batch is all that the socket had when the reader woke, so a fast stream costs one wake-up per
batch and not one per event. The peer is untrusted: its head, its pace and its silence are bounded.
"""

import asyncio
import ssl
from collections.abc import Awaitable
from types import TracebackType
from typing import Self, cast
from urllib.parse import urlsplit

import httptools
import msgspec

SWEEP_INTERVAL_S = 0.5
BUFFER_BYTES = 256 * 1024
MAX_HEAD_BYTES = 64 * 1024
#: Of a body, where whoever reads it says nothing else.
MAX_BODY_BYTES = 64 * 1024 * 1024
NEVER = float("inf")


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server listens: unix socket, or host and port. `base_path` begins each path.

    `address` is where the host is, for those who must not ask for it again.
    """

    host: str = "localhost"
    port: int = 80
    tls: bool = False
    socket_path: str | None = None
    base_path: str = ""
    address: str | None = None

    @classmethod
    def parse(cls, url: str) -> Self:
        """Raises ValueError when the URL is not http(s) with a host."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not an http:// or https:// URL with a host.")
        if parts.username or parts.password:
            raise ValueError("A URL with a user name in it is not taken; give the key as a key.")
        tls = parts.scheme == "https"
        return cls(
            host=parts.hostname,
            port=parts.port or (443 if tls else 80),
            tls=tls,
            base_path=parts.path.rstrip("/"),
        )

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        if self.port == (443 if self.tls else 80):
            return host
        return f"{host}:{self.port}"


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """How long a server is waited for: until it accepts, until it begins to answer, and whenever it
    is silent in the middle of an answer."""

    connect_timeout_s: float = 10.0
    first_byte_timeout_s: float = 600.0
    stall_timeout_s: float = 120.0


DEFAULT_TIMEOUTS = Timeouts()


class Broken(Exception):
    """The exchange failed on the wire: refused, reset, cut short, not HTTP, or silent too long.

    `answered` tells whether a byte of the answer had come: if not, another try is harmless.
    """

    def __init__(self, sentence: str, *, answered: bool) -> None:
        super().__init__(sentence)
        self.answered = answered


class Client:
    """Connections to one origin."""

    def __init__(
        self,
        origin: Origin,
        *,
        headers: bytes = b"",
        reuse: bool = True,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        self.origin = origin
        self.reuse = reuse
        self.timeouts = timeouts
        persistence = b"" if reuse else b"connection: close\r\n"
        self._headers = b"host: %b\r\n%b%b" % (origin.authority.encode(), headers, persistence)
        self._post_heads: dict[str, bytes] = {}
        self._idle: list[_Wire] = []
        self._wires: set[_Wire] = set()
        self._sweeper: asyncio.Task[None] | None = None
        self._tls = ssl.create_default_context() if origin.tls else None

    def post(self, path: str, body: bytes) -> "Exchange":
        head = self._post_heads.get(path)
        if head is None:
            head = self._post_heads[path] = b"POST %b HTTP/1.1\r\n%b%b" % (
                (self.origin.base_path + path).encode(),
                self._headers,
                b"content-type: application/json\r\ncontent-length: ",
            )
        return Exchange(self, b"%b%d\r\n\r\n%b" % (head, len(body), body))

    def get(self, path: str) -> "Exchange":
        target = (self.origin.base_path + path).encode()
        return Exchange(self, b"GET %b HTTP/1.1\r\n%b\r\n" % (target, self._headers))

    def send(self, method: str, path: str, body: bytes = b"") -> "Exchange":
        """Any other method."""
        target = (self.origin.base_path + path).encode()
        lines = b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
        head = b"%b %b HTTP/1.1\r\n%b%b\r\n" % (method.encode(), target, self._headers, lines)
        return Exchange(self, head + body)

    async def aclose(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
        for wire in list(self._wires):
            wire.transport.abort()
        self._idle.clear()

    async def _connect(self) -> "_Wire":
        loop = asyncio.get_running_loop()
        if self._sweeper is None:
            self._sweeper = loop.create_task(self._sweep())
        origin = self.origin
        try:
            async with asyncio.timeout(self.timeouts.connect_timeout_s):
                if origin.socket_path is not None:
                    _, wire = await loop.create_unix_connection(
                        lambda: _Wire(self), origin.socket_path
                    )
                else:
                    _, wire = await loop.create_connection(
                        lambda: _Wire(self),
                        origin.address or origin.host,
                        origin.port,
                        ssl=self._tls,
                        server_hostname=origin.host if origin.tls else None,
                    )
        except TimeoutError:
            raise Broken("no connection in time", answered=False) from None
        except OSError as error:
            raise Broken(f"no connection: {error.strerror or error}", answered=False) from None
        return wire

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_INTERVAL_S)
            now_s = loop.time()
            for wire in list(self._wires):
                wire.check_time(now_s)


class Exchange:
    """One request and its answer; leaving the context early drops the connection.

    Raises Broken. After `async with` has entered, `status` and `headers` (lower-case names) are
    there; iterate over the exchange for the body's batches, or `read` it whole.
    """

    __slots__ = ("_client", "_request", "_wire", "headers", "status")

    status: int
    headers: dict[bytes, bytes]

    def __init__(self, client: Client, request: bytes) -> None:
        self._client = client
        self._request = request

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def open(self) -> None:
        """Send the request and wait for the answer's head. Raises Broken.

        A kept connection may have been closed by its peer a moment ago: then once more, on a new
        one. A peer that is silent is not asked again.
        """
        client = self._client
        idle = client._idle
        again = False
        while True:
            kept = bool(idle) and not again
            wire = idle.pop() if kept else await client._connect()
            if wire.lost:
                continue
            self._wire = wire
            try:
                await wire.start(self._request)
            except BaseException:
                wire.transport.abort()
                raise
            if wire.status:
                self.status = wire.status
                self.headers = wire.headers
                return
            wire.transport.abort()
            if wire.received_bytes or wire.silent or not kept:
                answered = wire.received_bytes > 0
                raise Broken(wire.failure or "it gave no answer", answered=answered)
            again = True

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Keep the connection for the next request, or drop it when the answer is not all read."""
        wire = self._wire
        client = self._client
        if wire.complete and wire.keep_alive and client.reuse and not (wire.lost or wire.paused):
            client._idle.append(wire)
        else:
            wire.transport.abort()

    @property
    def complete(self) -> bool:
        """Whether the whole body has been handed out."""
        return self._wire.complete and not self._wire.batches

    def next_batch(self) -> Awaitable[bytes | None]:
        """All of the body that has come since the last one; None at its end. Raises Broken."""
        return self._wire.next_batch()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        batch = await self._wire.next_batch()
        if batch is None:
            raise StopAsyncIteration
        return batch

    def read_now(self) -> bytes | None:
        """The whole body if it has come with its head, as small ones do; else None."""
        wire = self._wire
        return wire.batches.pop() if wire.complete and len(wire.batches) == 1 else None

    async def read(self, limit_bytes: int = MAX_BODY_BYTES) -> bytes:
        """The whole body. Raises Broken when it is longer than `limit_bytes`."""
        wire = self._wire
        parts: list[bytes] = []
        size = 0
        while (batch := await wire.next_batch()) is not None:
            size += len(batch)
            if size > limit_bytes:
                raise Broken(f"the answer is longer than {limit_bytes} bytes", answered=True)
            parts.append(batch)
        return parts[0] if len(parts) == 1 else b"".join(parts)


class _Unasked(Exception):
    """Another answer follows the one that was asked for: stops the parser."""


class _Wire(asyncio.Protocol):
    __slots__ = (
        "_client",
        "_loop",
        "_parser",
        "_waiter",
        "batches",
        "buffered_bytes",
        "complete",
        "deadline_s",
        "failure",
        "headers",
        "keep_alive",
        "lost",
        "paused",
        "received_bytes",
        "silent",
        "status",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(self, client: Client) -> None:
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self.failure: str | None = None
        self.paused = False
        self.lost = False
        self.silent = False
        #: None: it has just been heard, and the sweeper starts the clock when it passes.
        self.deadline_s: float | None = NEVER
        self.batches: list[bytes] = []
        self.complete = True
        self.keep_alive = True
        self.status = 0
        self.headers: dict[bytes, bytes] = {}

    def start(self, request: bytes) -> "asyncio.Future[None]":
        """Send a request. The future is done when the answer's head is there, or the wire broke."""
        self.headers = {}
        self.status = 0
        self.batches = []
        self.received_bytes = self.buffered_bytes = 0
        self.complete = False
        self.deadline_s = None
        self.transport.write(request)
        self._waiter = self._loop.create_future()
        return self._waiter

    async def next_batch(self) -> bytes | None:
        while True:
            if batches := self.batches:
                batch = batches[0] if len(batches) == 1 else b"".join(batches)
                batches.clear()
                self.buffered_bytes = 0
                if self.paused:
                    self.paused = False
                    self.transport.resume_reading()
                    self.deadline_s = None
                return batch
            if self.complete:
                return None
            if self.failure:
                raise Broken(self.failure, answered=True)
            self._waiter = self._loop.create_future()
            await self._waiter

    def fail(self, sentence: str) -> None:
        if not self.complete and self.failure is None:
            self.failure = sentence
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def check_time(self, now_s: float) -> None:
        """The sweeper passes."""
        if self.deadline_s is None:
            timeouts = self._client.timeouts
            self.deadline_s = now_s + (
                timeouts.stall_timeout_s if self.received_bytes else timeouts.first_byte_timeout_s
            )
        elif self.deadline_s < now_s:
            self.silent = True
            self.fail("it was silent for too long")
            self.transport.abort()

    # -- the transport calls these ---------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._client._wires.add(self)

    def data_received(self, data: bytes) -> None:
        if self.complete:  # bytes that nobody asked for
            self.lost = True
            self.transport.abort()
            return
        self.received_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.fail("it switched protocols unasked")
        except httptools.HttpParserError:
            self.lost = True
            self.fail("its answer is not HTTP")
        if not self.status and self.received_bytes > MAX_HEAD_BYTES:
            self.fail("the head of its answer is too long")
        self.deadline_s = NEVER if self.complete else None
        if self.buffered_bytes > BUFFER_BYTES and not self.paused:
            self.paused = True
            self.transport.pause_reading()
            self.deadline_s = NEVER  # now it is our reader who is slow
        waiter = self._waiter
        if self.status and waiter is not None and not waiter.done():
            waiter.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._client._wires.discard(self)
        if not self.complete and self.status and self._ends_with_connection():
            self.complete = True
        self.fail("it closed the connection" if exc is None else f"the connection broke: {exc}")

    def _ends_with_connection(self) -> bool:
        return (
            self.failure is None
            and b"content-length" not in self.headers
            and b"transfer-encoding" not in self.headers
        )

    # -- the parser calls these ------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self.status:
            raise _Unasked

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.status:  # else it is a trailer
            self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:
            self.status = status
            self.keep_alive = self._parser.should_keep_alive()
        else:
            self.headers = {}

    def on_body(self, body: bytes) -> None:
        self.batches.append(body)
        self.buffered_bytes += len(body)

    def on_message_complete(self) -> None:
        if self.status:
            self.complete = True
