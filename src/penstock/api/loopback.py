"""What a server on a loopback address answers without a key: programs of its machine, no web pages.

Pages that somebody opens on that machine reach it too. One that has led a name of its own there
("DNS rebinding") could read the answers: it has that name in Host. One that only sends needs no
leave (fetch.spec.whatwg.org, "no-cors"): it is told by Origin.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from penstock.domain.errors import Forbidden
from penstock.gateway.auth import Keyring
from penstock.http.loopback import is_loopback
from penstock.http.message import Request

ALL = b"*"
SHOWN_BYTES = 200


class Loopback:
    """`origins` are the pages that may call, as for `Cors`: their hosts are names of ours."""

    def __init__(self, keyring: Keyring, origins: Iterable[str]) -> None:
        self._keyring = keyring
        self._origins = {origin.encode() for origin in origins}
        self._names = {name_in(origin.partition(b"://")[2]) for origin in self._origins}

    def check(self, request: Request) -> None:
        """Raises Forbidden for what a page may have sent, and that has no valid key."""
        if ALL in self._origins:
            return
        host = request.headers.get(b"host", b"")
        origin = request.headers.get(b"origin")
        if host and not is_local(host) and name_in(host) not in self._names:
            reason = f"it was asked of {_shown(host)}, which is no name of this machine"
        elif self._keyring.is_open and origin is not None and not self._may_send(origin, host):
            reason = f"it comes from a web page of {_shown(origin)}"
        else:
            return
        if not self._keyring.knows(request.headers.get(b"authorization")):
            raise Forbidden(
                f"Not without a key: {reason}. The setting cors_origins can allow that."
            )

    def _may_send(self, origin: bytes, host: bytes) -> bool:
        """Whether it is a page of this very server, or one that is allowed."""
        return origin in (b"http://" + host, b"https://" + host) or origin in self._origins


@lru_cache(maxsize=256)
def is_local(host: bytes) -> bool:
    """Whether a Host header names a loopback address."""
    return is_loopback(name_in(host).decode("latin-1"))


def name_in(host: bytes) -> bytes:
    """`[::1]:8000` -> `::1`"""
    return re.sub(rb":\d*\Z", b"", host).strip(b"[]").lower()


def _shown(header: bytes) -> str:
    return repr(header[:SHOWN_BYTES].decode("latin-1"))
