"""Servers that are wrong on purpose: the checks have to notice."""

import contextlib
import http.client
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Answer:
    status: int
    content_type: str
    body: bytes


#: Of method, path, body and headers (their names in lower case).
Answering = Callable[[str, str, bytes, dict[str, str]], Answer]


@contextlib.contextmanager
def listening(answering: Answering) -> Iterator[str]:
    """The base URL of a server that answers everything by `answering`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            size = int(self.headers.get("content-length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = answering(self.command, self.path, self.rfile.read(size), headers)
            with contextlib.suppress(ConnectionError):
                self.send_response(answer.status)
                self.send_header("content-type", answer.content_type)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_: object) -> None:
            pass

    server = Quiet(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def always(status: int, content_type: str, body: bytes) -> Answering:
    """The same answer to everything."""
    return lambda *_: Answer(status, content_type, body)


@dataclass
class Fault:
    """What a server does wrong: with the body of a request, or with what it answers."""

    of_request: Callable[[dict[str, Any]], None] = lambda body: None
    of_answer: Callable[[dict[str, Any]], None] = lambda answer: None
    of_event: Callable[[dict[str, Any]], None] = lambda event: None
    of_whole: Callable[[Answer], None] = lambda answer: None


def behind(base: str, fault: Fault) -> Answering:
    """The server at `base`, but for `fault`."""
    origin = urlsplit(base)

    def answering(method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        kept = {k: v for k, v in headers.items() if k in ("authorization", "content-type")}
        connection = http.client.HTTPConnection(origin.hostname or "", origin.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, _mended(body, fault.of_request), kept)
            reply = connection.getresponse()
            answer = Answer(reply.status, reply.headers["content-type"], reply.read())
        if answer.content_type.startswith("text/event-stream"):
            events = [_event(line, fault) for line in answer.body.split(b"\n\n") if line]
            answer.body = b"".join(event + b"\n\n" for event in events)
        else:
            answer.body = _mended(answer.body, fault.of_answer)
        fault.of_whole(answer)
        return answer

    return answering


def _mended(body: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return body
    if isinstance(value, dict):
        change(value)
        return json.dumps(value).encode()
    return body


def _event(line: bytes, fault: Fault) -> bytes:
    return b"data: " + _mended(line.removeprefix(b"data: "), fault.of_event)
