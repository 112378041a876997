"""Which web pages may call this server from a browser (fetch.spec.whatwg.org, "CORS protocol").

It opens no door: a page still needs a key. Without it a browser keeps the answers from the page.
"""

import re
from collections.abc import Iterable

import msgspec

from penstock.http.message import Answer, Handler, Request, Response

METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"
#: What a page's script may read beside the headers that it may always read.
EXPOSED = b"x-request-id, retry-after, deprecation, link"
PREFLIGHT_LASTS_S = 7200
_HEADER_NAMES = re.compile(rb"[\w!#$%&'*+.^`|~, -]{1,2048}")


class Cors:
    """The handler before the handler: answers preflights, and marks what pages may read."""

    def __init__(self, handler: Handler, origins: Iterable[str]) -> None:
        """`origins` as browsers send them ("https://example.com"), or "*" for all."""
        self._handler = handler
        self._origins = {origin.encode() for origin in origins}

    async def __call__(self, request: Request) -> Answer:
        origin = request.headers.get(b"origin")
        allowed = self._allowed(origin)
        if allowed and _is_preflight(request):
            return Response(headers=allowed + _permission(request))
        answer = await self._handler(request)
        return msgspec.structs.replace(answer, headers=answer.headers + allowed + self._vary())

    def _allowed(self, origin: bytes | None) -> bytes:
        """The header lines that let a page of `origin` read the answer, or b""."""
        if origin is None or not self._origins & {origin, b"*"}:
            return b""
        named = b"*" if b"*" in self._origins else origin
        return (
            b"access-control-allow-origin: %b\r\naccess-control-expose-headers: %b\r\n"
        ) % (named, EXPOSED)  # fmt: skip

    def _vary(self) -> bytes:
        """A cache must not give one page's answer to another's."""
        return b"" if b"*" in self._origins else b"vary: origin\r\n"


def _is_preflight(request: Request) -> bool:
    return request.method == "OPTIONS" and b"access-control-request-method" in request.headers


def _permission(request: Request) -> bytes:
    """Any method of ours, and the headers asked for: official clients send a dozen of their own."""
    lines = b"access-control-allow-methods: %b\r\naccess-control-max-age: %d\r\n" % (
        METHODS,
        PREFLIGHT_LASTS_S,
    )
    wanted = request.headers.get(b"access-control-request-headers", b"")
    if _HEADER_NAMES.fullmatch(wanted):
        lines += b"access-control-allow-headers: %b\r\n" % wanted
    return lines + b"vary: origin, access-control-request-headers\r\n"
