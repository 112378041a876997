"""HTTP as bytes on a socket: what clients that behave do not do."""

import contextlib
import json
import socket
from collections.abc import Iterator
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

WAIT_S = 20.0


class Reply(NamedTuple):
    """One answer. `headers` have lower-case names; `chunks` is how many HTTP chunks it came in."""

    status: int
    headers: dict[str, str]
    body: bytes
    chunks: int = 0

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """OpenAI's error object, checked for its shape: four keys of the right types."""
        assert self.headers["content-type"] == "application/json", self
        return error_of(self.json)

    @property
    def payloads(self) -> list[str]:
        """The `data:` payloads of an event stream, checked for its shape."""
        assert self.headers["content-type"].startswith("text/event-stream"), self
        *events, end = self.body.decode().split("\n\n")
        assert end == ""
        events = [event for event in events if not event.startswith(":")]
        assert all(event.startswith("data: ") and "\n" not in event for event in events), events
        return [event.removeprefix("data: ") for event in events]

    @property
    def events(self) -> list[Any]:
        """The objects of an event stream that ends in [DONE]."""
        *payloads, done = self.payloads
        assert done == "[DONE]"
        return [json.loads(payload) for payload in payloads]


def error_of(body: Any) -> dict[str, Any]:
    """`error` of an error body, checked for OpenAI's shape."""
    assert list(body) == ["error"], body
    error: dict[str, Any] = body["error"]
    assert set(error) == {"message", "type", "param", "code"}, error
    assert isinstance(error["message"], str)
    assert error["message"]
    assert isinstance(error["type"], str)
    assert error["param"] is None or isinstance(error["param"], str)
    assert error["code"] is None or isinstance(error["code"], str)
    return error


class Wire:
    """One connection. Reading is bounded by WAIT_S."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(WAIT_S)
        self.sock = sock
        self._file = sock.makefile("rb")

    @classmethod
    def to(cls, base: str) -> Self:
        parts = urlsplit(base)
        return cls(socket.create_connection((parts.hostname, parts.port), timeout=WAIT_S))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self.sock.close()

    def reset(self) -> None:
        """Leave without a goodbye: the peer sees a reset."""
        linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close()

    def send(self, data: bytes) -> Self:
        self.sock.sendall(data)
        return self

    def shut(self) -> Self:
        """Close the sending side only."""
        self.sock.shutdown(socket.SHUT_WR)
        return self

    def line(self) -> bytes:
        return self._file.readline()

    def at_end(self) -> bool:
        """Whether the peer has closed, or reset, and had nothing more to say."""
        with contextlib.suppress(ConnectionResetError):
            return self._file.read(1) == b""
        return True

    def head(self) -> tuple[int, dict[str, str]]:
        version, status, *_ = self.line().decode("latin-1").split(" ", 2)
        assert version == "HTTP/1.1", version
        headers = {}
        while (line := self.line()) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        return int(status), headers

    def reply(self, *, bodiless: bool = False) -> Reply:
        """The next answer, whole; `bodiless` for HEAD."""
        status, headers = self.head()
        if status < 200 or bodiless:
            return Reply(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            chunks = list(self.chunks())
            return Reply(status, headers, b"".join(chunks), len(chunks))
        length = headers.get("content-length")
        return Reply(status, headers, self._file.read(-1 if length is None else int(length)))

    def final(self, *, bodiless: bool = False) -> Reply:
        """The next answer that is not just a 100 Continue."""
        while (reply := self.reply(bodiless=bodiless)).status == 100:
            pass
        return reply

    def chunks(self) -> Iterator[bytes]:
        """The body's chunks as they come; ends early when the peer breaks off."""
        while size := int(self.line() or b"0", 16):
            yield self._file.read(size)
            assert self.line() == b"\r\n"
        self.line()


def head(method: str, path: str, headers: dict[str, str] | None = None) -> bytes:
    """A request's head, blank line included."""
    whole = {"host": "127.0.0.1", **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in whole.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")


def request(
    method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> bytes:
    """A whole request with a content-length."""
    return head(method, path, {"content-length": str(len(body)), **(headers or {})}) + body
