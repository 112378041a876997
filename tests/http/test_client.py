"""The client half against peers that mean no good."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from penstock.http.client import MAX_HEAD_BYTES, Broken, Client, Origin, Timeouts

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
WITHIN_S = 5


class Peer:
    """A server of one behaviour: `act` is called for each request, with its connection."""

    def __init__(self, act: Callable[[asyncio.StreamWriter], Awaitable[Any]]) -> None:
        self.act = act
        self.connections = 0
        self.requests = 0
        self.gone = asyncio.Event()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.requests += 1
                await self.act(writer)
        except (OSError, asyncio.IncompleteReadError):
            self.gone.set()
        finally:
            writer.close()


def says(*parts: bytes, close: bool = False) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    """Sends the parts one by one, then ends the connection if `close`."""

    async def act(writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.01)
        if close:
            raise OSError

    return act


@asynccontextmanager
async def peer_and_client(act: Any, **settings: Any) -> AsyncIterator[tuple[Peer, Client]]:
    peer = Peer(act)
    server = await asyncio.start_server(peer.connected, "127.0.0.1")
    client = Client(Origin(host="127.0.0.1", port=server.sockets[0].getsockname()[1]), **settings)
    try:
        async with asyncio.timeout(WITHIN_S):
            yield peer, client
    finally:
        await client.aclose()
        server.close()


async def keep_connections(client: Client, number: int) -> None:
    """Have the client keep so many connections."""
    async with AsyncExitStack() as stack:
        exchanges = [await stack.enter_async_context(client.get("/")) for _ in range(number)]
        for exchange in exchanges:
            await exchange.read()


async def fetch(client: Client) -> tuple[int, bytes]:
    async with client.get("/") as exchange:
        return exchange.status, await exchange.read()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"SSH-2.0-OpenSSH_9.9\r\n", "not HTTP"),
        (b"\x15\x03\x03\x00\x02\x02\x46" * 10, "not HTTP"),
        (b"HTTP/1.1 abc\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", "not HTTP"),
        (CHUNKED + b"zz\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * 2 * MAX_HEAD_BYTES, "too long"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * MAX_HEAD_BYTES, "too long"),
        (b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n", "switched"),
        (b"", "closed"),
        (b"HTTP/1.1 200", "closed"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc", "closed"),
        (CHUNKED + b"5\r\nab", "closed"),
        (CHUNKED + b"5\r\nabcde\r\n", "closed"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_a_peer_that_speaks_no_http_or_breaks_off_is_broken(said: bytes, why: str) -> None:
    async with peer_and_client(says(said, close=True)) as (_, client):
        with pytest.raises(Broken, match=why):
            await fetch(client)
        assert not client._idle


@pytest.mark.parametrize(("said", "answered"), [(b"", False), (b"H", True), (OK[:-1], True)])
async def test_broken_tells_whether_anything_was_answered(said: bytes, answered: bool) -> None:
    async with peer_and_client(says(said, close=True)) as (_, client):
        with pytest.raises(Broken) as broken:
            await fetch(client)
        assert broken.value.answered is answered


async def test_an_endless_head_is_not_kept() -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x: y\r\n" * 100)
            await writer.drain()
            await asyncio.sleep(0)

    async with peer_and_client(drip) as (peer, client):
        with pytest.raises(Broken, match="too long"):
            await fetch(client)
        await peer.gone.wait()


async def test_an_endless_body_is_bounded_by_its_reader() -> None:
    async def pour(writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)
        while True:
            writer.write(b"1000\r\n" + bytes(4096) + b"\r\n")
            await writer.drain()

    async with peer_and_client(pour) as (peer, client):
        with pytest.raises(Broken, match="longer than 100000"):
            async with client.get("/") as exchange:
                await exchange.read(100_000)
        await peer.gone.wait()


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\n", CHUNKED, CHUNKED + b"2\r\nab\r\n"])
async def test_silence_is_bounded(said: bytes) -> None:
    timeouts = Timeouts(first_byte_timeout_s=0.1, stall_timeout_s=0.1)
    async with peer_and_client(says(said), timeouts=timeouts) as (peer, client):
        with pytest.raises(Broken, match="silent"):
            await fetch(client)
        await peer.gone.wait()


async def test_nobody_listening_is_broken_at_once() -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    server.close()
    with pytest.raises(Broken, match="no connection"):
        await fetch(Client(Origin(host="127.0.0.1", port=port)))


async def test_a_kept_connection_is_used_again() -> None:
    async with peer_and_client(says(OK)) as (peer, client):
        assert [await fetch(client) for _ in range(3)] == [(200, b"ok")] * 3
        assert peer.connections == 1


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n\r\nok",
    ],
)
async def test_a_connection_that_will_close_is_not_kept(said: bytes) -> None:
    async with peer_and_client(says(said, close=True)) as (peer, client):
        assert [await fetch(client) for _ in range(2)] == [(200, b"ok")] * 2
        assert peer.connections == 2


async def test_a_kept_connection_that_was_closed_meanwhile_is_replaced_unseen() -> None:
    async with peer_and_client(says(OK, close=True)) as (peer, client):
        assert [await fetch(client) for _ in range(3)] == [(200, b"ok")] * 3
        assert peer.connections == 3


async def test_a_silent_peer_is_not_asked_again_on_another_kept_connection() -> None:
    timeouts = Timeouts(first_byte_timeout_s=0.1)
    async with peer_and_client(says(OK), timeouts=timeouts) as (peer, client):
        await keep_connections(client, 3)
        peer.act = says()
        with pytest.raises(Broken, match="silent"):
            await fetch(client)
        assert (peer.connections, peer.requests) == (3, 3 + 1)


async def test_a_request_on_a_kept_connection_that_is_closed_is_sent_once_more() -> None:
    async with peer_and_client(says(OK)) as (peer, client):
        await keep_connections(client, 3)
        peer.act = says(close=True)
        with pytest.raises(Broken, match="closed"):
            await fetch(client)
        assert (peer.connections, peer.requests) == (3 + 1, 3 + 2)


@pytest.mark.parametrize("parts", [(OK, OK), (OK + OK,), (OK, b"garbage"), (OK + b"garbage",)])
async def test_bytes_that_nobody_asked_for_never_answer_another_request(
    parts: tuple[bytes, ...],
) -> None:
    first = True

    async def act(writer: asyncio.StreamWriter) -> None:
        nonlocal first
        said, first = (parts if first else (OK.replace(b"ok", b"no"),)), False
        await says(*said)(writer)

    async with peer_and_client(act) as (peer, client):
        assert await fetch(client) == (200, b"ok")
        await asyncio.sleep(0.05)  # nothing tells when the unasked bytes are here
        assert await fetch(client) == (200, b"no")
        assert peer.connections == 2


async def test_interim_answers_are_skipped() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
    async with peer_and_client(says(interim, OK)) as (_, client), client.get("/") as exchange:
        assert exchange.status == 200
        assert exchange.headers == {b"content-length": b"2"}
        assert await exchange.read() == b"ok"


async def test_leaving_in_the_middle_drops_the_connection() -> None:
    async with peer_and_client(says(CHUNKED + b"2\r\nab\r\n")) as (peer, client):
        async with client.get("/") as exchange:
            assert await anext(exchange) == b"ab"
        await peer.gone.wait()
        assert not client._wires


async def test_being_cancelled_before_the_head_drops_the_connection() -> None:
    async with peer_and_client(says()) as (peer, client):
        task = asyncio.create_task(fetch(client))
        while not peer.connections:
            await asyncio.sleep(0.01)
        task.cancel()
        await peer.gone.wait()
        assert not client._wires


async def test_a_slow_reader_holds_its_peer_back() -> None:
    sent = 0

    async def pour(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(CHUNKED)
        for _ in range(400):
            writer.write(b"10000\r\n" + bytes(65536) + b"\r\n")
            await writer.drain()
            sent += 1
        writer.write(b"0\r\n\r\n")

    async with peer_and_client(pour) as (_, client), client.get("/") as exchange:
        await asyncio.sleep(0.3)  # time enough for all of it, on loopback
        assert sent < 300
        assert len(await exchange.read()) == 400 * 65536


async def test_the_body_comes_in_batches_of_all_there_is() -> None:
    pieces = b"".join(b"1\r\n%d\r\n" % (n % 10) for n in range(1000))
    async with peer_and_client(says(CHUNKED + pieces + b"0\r\n\r\n")) as (_, client):
        async with client.get("/") as exchange:
            await asyncio.sleep(0.1)
            batches = [batch async for batch in exchange]
        assert len(batches) < 20
        assert len(b"".join(batches)) == 1000


@pytest.mark.parametrize(
    "url",
    ["ftp://x/", "x", "http://", "http:///v1", "http://user:pw@x/", "http://x:99999/", "//x/v1"],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        Origin.parse(url)


@pytest.mark.parametrize(
    ("url", "authority", "path"),
    [
        ("http://x/v1/", "x", "/v1"),
        ("https://x", "x", ""),
        ("http://x:8080/a/b", "x:8080", "/a/b"),
        ("https://x:80/v1", "x:80", "/v1"),
        ("http://[::1]:8080/v1", "[::1]:8080", "/v1"),
    ],
)
def test_an_address_is_taken_apart(url: str, authority: str, path: str) -> None:
    origin = Origin.parse(url)
    assert (origin.authority, origin.base_path) == (authority, path)
