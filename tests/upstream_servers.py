"""Servers of someone else's, in a thread: they answer as they are told to, and keep what came."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec


class Asked(msgspec.Struct, frozen=True):
    """A request as it came; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any = None


class Says(msgspec.Struct, frozen=True):
    """An answer: `body` is JSON, or bytes as they are."""

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = {}
    content_type: str = "application/json"


Answers = Callable[[Asked], Says]
NOT_FOUND = Says({"detail": "Not Found"}, 404)


def stream_of(*chunks: Any, done: bool = True) -> Says:
    """The chunks as server-sent events."""
    payloads = [json.dumps(chunk) for chunk in chunks] + ["[DONE]"] * done
    events = "".join(f"data: {payload}\n\n" for payload in payloads)
    return Says(events.encode(), content_type="text/event-stream")


def never(asked: Asked) -> Says:
    """No answer, for longer than any test lasts."""
    threading.Event().wait(60)
    return Says()


class Upstream:
    """A server under `url` (with its /v1). `routes` are by "METHOD /path"; others are 404."""

    def __init__(self, routes: Mapping[str, Answers | Says], *, name: str, port: int = 0) -> None:
        self.routes = dict(routes)
        self.asked: list[Asked] = []
        self._open: list[socket.socket] = []
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                upstream._open.append(self.connection)

            def version_string(self) -> str:
                return name

            def log_message(self, *_: object) -> None:
                pass

            def handle_request(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {key.lower(): value for key, value in self.headers.items()}
                asked = Asked(self.command, self.path, headers, json.loads(body) if body else None)
                upstream.asked.append(asked)
                answer = upstream.routes.get(f"{asked.method} {asked.path}", NOT_FOUND)
                said = answer(asked) if callable(answer) else answer
                data = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
                self.send_response(said.status)
                self.send_header("content-type", said.content_type)
                self.send_header("content-length", str(len(data)))
                for key, value in said.headers.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = handle_request

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,))
        self._thread.start()
        self.port = self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def posted(self, path: str) -> list[Any]:
        """The bodies that came for a path, in order."""
        return [a.body for a in self.asked if (a.method, a.path) == ("POST", path)]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()


@contextlib.contextmanager
def upstream(
    routes: Mapping[str, Answers | Says], *, name: str = "uvicorn", port: int = 0
) -> Iterator[Upstream]:
    server = Upstream(routes, name=name, port=port)
    try:
        yield server
    finally:
        server.close()
