"""HTTP as bytes on a socket, plain or TLS: also what well-behaved clients never send."""

import contextlib
import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from penstock.conformance.check import Failed


class Broken(Failed):
    """The server closed the connection, did not answer in time, or does not speak HTTP."""


@dataclass(frozen=True)
class Origin:
    """Where the server listens; `path` is what goes before every endpoint, as "/v1"."""

    host: str
    port: int
    path: str
    tls: bool

    @classmethod
    def parse(cls, url: str) -> Self:
        """Raises ValueError with a sentence for the user."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no base URL; it begins with http:// or https://.")
        tls = parts.scheme == "https"
        port = parts.port or (443 if tls else 80)
        return cls(parts.hostname, port, parts.path.rstrip("/"), tls)

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://{self.host}:{self.port}{self.path}"


class Reply(NamedTuple):
    """One answer. The names of `headers` are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON. Raises Failed."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise Failed(f"status {self.status} with a body that is not JSON") from None

    @property
    def complaint(self) -> str:
        """What the server says went wrong, cut short; the body when it has another shape."""
        with contextlib.suppress(Failed, TypeError, KeyError):
            return str(self.json["error"]["message"]).replace("\n", " ")[:120]
        return self.body[:120].decode("utf-8", "replace").replace("\n", " ")


def head(method: str, path: str, headers: Mapping[str, str], *, version: str = "1.1") -> bytes:
    """A request's head, its blank line included."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{method} {path} HTTP/{version}\r\n{lines}\r\n".encode("utf-8", "surrogateescape")


class Wire:
    """One connection. Every wait is bounded by `timeout_s`; raises Broken."""

    def __init__(self, origin: Origin, timeout_s: float) -> None:
        try:
            plain = socket.create_connection((origin.host, origin.port), timeout=timeout_s)
            self._socket = (
                ssl.create_default_context().wrap_socket(plain, server_hostname=origin.host)
                if origin.tls
                else plain
            )
        except OSError as error:
            raise Broken(f"no connection to {origin.host}:{origin.port}: {error}") from None
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def send(self, data: bytes) -> Self:
        """A server may answer and close before it has read everything: that is no error here."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(data)
        return self

    def shut(self) -> Self:
        """Close the sending side only."""
        self._socket.shutdown(socket.SHUT_WR)
        return self

    def is_closed(self) -> bool:
        """Whether the server has closed and had nothing more to say."""
        try:
            return self._file.read(1) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def reply(self) -> Reply:
        """The next answer, whole."""
        status, headers = self.reply_head()
        return Reply(status, headers, b"".join(self.pieces(status, headers)))

    def reply_head(self) -> tuple[int, dict[str, str]]:
        """Status and headers of the next answer that is not a 100 Continue."""
        while True:
            status, headers = self.next_head()
            if status >= 200:
                return status, headers

    def next_head(self) -> tuple[int, dict[str, str]]:
        """Status and headers of what comes next, be it a 100 Continue."""
        version, _, rest = self._line().decode("latin-1").partition(" ")
        if not version:
            raise Broken("the connection was closed without an answer")
        if not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
            raise Broken(f"the answer is not HTTP/1: {version[:40]!r}")
        headers: dict[str, str] = {}
        while line := self._line().decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return int(rest[:3]), headers

    def pieces(self, status: int, headers: Mapping[str, str]) -> Iterator[bytes]:
        """The body as it comes: HTTP chunks, or one piece."""
        if status in (204, 304):
            return
        if headers.get("transfer-encoding", "").lower() == "chunked":
            while size := self._chunk_size():
                yield self._exactly(size)
                self._line()
            self._line()
        elif "content-length" in headers:
            yield self._exactly(int(headers["content-length"]))
        else:
            yield self._read(-1)

    def _chunk_size(self) -> int:
        line = self._line()
        try:
            return int(line.partition(b";")[0], 16)
        except ValueError:
            raise Broken("the answer broke off between two chunks") from None

    def _exactly(self, size: int) -> bytes:
        data = self._read(size)
        if len(data) != size:
            raise Broken(f"the answer broke off after {len(data)} of {size} bytes")
        return data

    def _read(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except TimeoutError:
            raise Broken("no answer in time") from None
        except OSError as error:
            raise Broken(f"the connection broke: {error}") from None

    def _line(self) -> bytes:
        try:
            return self._file.readline()
        except TimeoutError:
            raise Broken("no answer in time") from None
        except OSError as error:
            raise Broken(f"the connection broke: {error}") from None
