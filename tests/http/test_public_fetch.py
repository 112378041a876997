"""The guard of what is fetched by URL, against a real server and name servers that lie."""

import asyncio
import ipaddress
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from penstock.http.public_fetch import NotFetched, PublicFetcher, is_public

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody"


class Site:
    """A server on loopback that answers by path, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {"/": OK}
        self.heads: list[str] = []
        self.port = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        writer.write(
            self.answers.get(head.split()[1], b"HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n")
        )
        await writer.drain()
        if head.startswith("GET /stall"):
            await reader.read()  # until the client has gone
        writer.close()
        await writer.wait_closed()

    def url(self, path: str = "/", host: str = "site.test") -> str:
        return f"http://{host}:{self.port}{path}"


@pytest.fixture
async def site() -> AsyncGenerator[Site, None]:
    site = Site()
    server = await asyncio.start_server(site.handle, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    yield site
    server.close()
    await server.wait_closed()


def fetcher(names: dict[str, list[list[str]]], **more: Any) -> PublicFetcher:
    """`names` has, for each host, what it is resolved to the first time, the second, and so on.

    The loopback address stands for a public one, 10.0.0.1 for one that is not.
    """

    async def resolve(host: str, port: int) -> list[str]:
        answers = names[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    return PublicFetcher(
        max_bytes=more.pop("max_bytes", 1000),
        timeout_s=more.pop("timeout_s", 20.0),
        resolve=resolve,
        is_allowed=lambda address: address == ipaddress.ip_address("127.0.0.1"),
        any_port=True,
    )


HERE = {"site.test": [["127.0.0.1"]]}


async def test_a_body_is_fetched_with_the_hosts_own_name(site: Site) -> None:
    site.answers["/?a=b"] = OK
    assert await fetcher(HERE).fetch(site.url("/?a=b")) == b"body"
    assert f"host: site.test:{site.port}" in site.heads[-1].lower()


async def test_a_name_is_asked_for_once(site: Site) -> None:
    """A name server that answers otherwise the second time leads nowhere."""
    rebinding = {"site.test": [["127.0.0.1"], ["10.0.0.1"]]}
    assert await fetcher(rebinding).fetch(site.url()) == b"body"


@pytest.mark.parametrize("found", [["10.0.0.1"], ["127.0.0.1", "10.0.0.1"], []])
async def test_any_address_that_is_not_public_forbids_the_name(site: Site, found: Any) -> None:
    with pytest.raises(NotFetched):
        await fetcher({"site.test": [found]}).fetch(site.url())
    assert not site.heads


async def test_a_redirection_is_looked_at_like_a_url(site: Site) -> None:
    names = {**HERE, "inner.test": [["10.0.0.1"]]}
    for target in (site.url(host="inner.test"), "file:///etc/passwd", "//inner.test/", "\\\\x"):
        site.answers["/go"] = (
            f"HTTP/1.1 302 Found\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n".encode()
        )
        with pytest.raises(NotFetched):
            await fetcher(names).fetch(site.url("/go"))
    site.answers["/go"] = b"HTTP/1.1 301 Moved\r\nlocation: /\r\ncontent-length: 0\r\n\r\n"
    assert await fetcher(names).fetch(site.url("/go")) == b"body"


async def test_redirections_come_to_an_end(site: Site) -> None:
    site.answers["/go"] = b"HTTP/1.1 302 F\r\nlocation: /go\r\ncontent-length: 0\r\n\r\n"
    with pytest.raises(NotFetched, match="too often"):
        await fetcher(HERE).fetch(site.url("/go"))
    assert len(site.heads) == 4


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n" + b"x" * 100_000,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000,
        b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n",
        b"garbage",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
    ],
    ids=range(6),
)
async def test_odd_answers_are_refused(site: Site, answer: bytes) -> None:
    site.answers["/"] = answer
    with pytest.raises(NotFetched):
        await fetcher(HERE).fetch(site.url())


async def test_a_server_that_stalls_is_left(site: Site) -> None:
    site.answers["/stall"] = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n"
    with pytest.raises(NotFetched, match="within"):
        await fetcher(HERE, timeout_s=0.3).fetch(site.url("/stall"))


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2606:4700::1", True), ("::ffff:8.8.8.8", True),
        ("127.0.0.1", False), ("10.1.2.3", False), ("169.254.169.254", False),
        ("100.100.100.200", False), ("0.0.0.0", False), ("192.0.0.192", False),
        ("224.0.0.1", False), ("240.0.0.1", False), ("::", False), ("::1", False),
        ("::ffff:10.0.0.1", False), ("64:ff9b::a00:1", False), ("2002:a00:1::", False),
        ("fe80::1", False), ("fe80::1%1", False), ("fd00:ec2::254", False), ("ff02::1", False),
        ("2001:0:4136:e378:8000:63bf:f5ff:fffe", False), ("::127.0.0.1", False),
        ("64:ff9b:1::a00:1", False), ("2001:db8::1", False), ("198.18.0.1", False),
    ],
)  # fmt: skip
def test_what_is_public(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public
