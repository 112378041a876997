"""Fetches what strangers name by URL, from public addresses only.

A name is resolved once, every address that it has must be public, and the connection goes to the
address that was looked at: neither a second answer of its name server, nor a redirection, nor an
odd spelling (`0x7f.1`, `[::ffff:127.0.0.1]`) leads anywhere else. TLS is checked by the name.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable
from urllib.parse import urljoin, urlsplit

import msgspec

from penstock.http.client import Broken, Client, Origin, Timeouts

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
#: Raises OSError when the name cannot be resolved.
Resolve = Callable[[str, int], Awaitable[list[str]]]

MAX_URL_CHARACTERS = 4096
MAX_REDIRECTIONS = 3
PORTS = {"http": 80, "https": 443}
REDIRECTIONS = frozenset({301, 302, 303, 307, 308})
#: Addresses of IPv6 that stand for one of IPv4 and that `ipaddress` takes for public (RFC 6052).
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

#: Not of the public internet, though some versions of `ipaddress` take them for it: protocol
#: assignments (192.0.0.192 has metadata in a cloud), local NAT64, documentation, segment routing.
SET_APART = tuple(
    map(
        ipaddress.ip_network,
        ("192.0.0.0/24", "64:ff9b:1::/48", "2001:db8::/32", "3fff::/20", "5f00::/16"),
    )
)

#: What no URL has; parsers disagree about a backslash and about white space.
_ODD = re.compile(r"[\x00-\x20\x7f-\U0010ffff\\]")


class NotFetched(Exception):
    """The text is a sentence without a subject, for clients: it tells nothing of this network."""


class _Target(msgspec.Struct, frozen=True):
    host: str
    port: int
    tls: bool
    path: str


class PublicFetcher:
    """GETs of URLs; no cookies, no credentials, a connection for each.

    `is_allowed`, `resolve` and `any_port` are there for tests.
    """

    def __init__(
        self,
        *,
        max_bytes: int,
        timeout_s: float,
        is_allowed: Callable[[Address], bool] | None = None,
        resolve: Resolve | None = None,
        any_port: bool = False,
    ) -> None:
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._is_allowed = is_allowed or is_public
        self._resolve = resolve or resolve_once
        self._any_port = any_port

    async def fetch(self, url: str) -> bytes:
        """The body of a 200. Raises NotFetched."""
        try:
            async with asyncio.timeout(self._timeout_s):
                for _ in range(1 + MAX_REDIRECTIONS):
                    found = await self._get(url)
                    if isinstance(found, bytes):
                        return found
                    url = urljoin(url, found)
        except TimeoutError:
            raise NotFetched(f"was not there within {self._timeout_s:g} s") from None
        except Broken:
            raise NotFetched("could not be fetched") from None
        raise NotFetched("redirects too often")

    async def _get(self, url: str) -> bytes | str:
        """The body, or where it is instead."""
        target = self._target_of(url)
        address = await self._address_of(target)
        origin = Origin(host=target.host, port=target.port, tls=target.tls, address=address)
        timeouts = Timeouts(
            connect_timeout_s=self._timeout_s,
            first_byte_timeout_s=self._timeout_s,
            stall_timeout_s=self._timeout_s,
        )
        client = Client(origin, headers=b"accept: image/*\r\n", reuse=False, timeouts=timeouts)
        try:
            async with client.get(target.path) as exchange:
                location = exchange.headers.get(b"location")
                if exchange.status in REDIRECTIONS and location is not None:
                    return location.decode("latin-1")
                if exchange.status != 200:
                    raise NotFetched(f"was answered with status {exchange.status}")
                return await exchange.read(self._max_bytes)
        finally:
            await client.aclose()

    def _target_of(self, url: str) -> _Target:
        if len(url) > MAX_URL_CHARACTERS or _ODD.search(url):
            raise NotFetched("is no URL that is fetched")
        try:
            parts = urlsplit(url)
            port = parts.port or PORTS.get(parts.scheme)
        except ValueError:
            raise NotFetched("is no URL that is fetched") from None
        if parts.scheme not in PORTS or not parts.hostname or "@" in parts.netloc:
            raise NotFetched("is no http or https URL without a user name")
        assert port is not None
        if port != PORTS[parts.scheme] and not self._any_port:
            raise NotFetched("has a port of its own; only 80 and 443 are fetched from")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return _Target(parts.hostname, port, parts.scheme == "https", path)

    async def _address_of(self, target: _Target) -> str:
        """The address to connect to; one that is not public among several forbids them all."""
        try:
            found = await self._resolve(target.host, target.port)
        except (OSError, UnicodeError):
            found = []
        if not found:
            raise NotFetched("has a host that cannot be found")
        if not all(self._is_allowed(ipaddress.ip_address(address)) for address in found):
            raise NotFetched("leads to an address that is not public")
        return found[0]


async def resolve_once(host: str, port: int) -> list[str]:
    """All addresses of a name, or of a number in any spelling. Raises OSError, UnicodeError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def is_public(address: Address) -> bool:
    """Whether it is a machine on the internet, also when one of IPv4 is hidden in it."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return False
        hidden = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in NAT64:
            hidden.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if any(inner is not None and not is_public(inner) for inner in hidden):
            return False
        if address.ipv4_mapped is not None:
            return True
    if any(address in network for network in SET_APART):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved
