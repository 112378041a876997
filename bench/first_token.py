"""From `penstock serve` to the first token of the bundled model, in a new home each time."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import processes
from targets import CHAT, KEY, penstock_argv, penstock_env, start_penstock

MODEL = "penstock/tiny-chat"
LIMIT_SECONDS = 60.0


def measure(folder: Path) -> dict[str, float]:
    """Seconds since the start of the process: until it is ready, and until the first token.

    The request is sent when `/ready` says so, by a raw socket, so that no client library counts.
    """
    begin = time.monotonic()
    child, port = start_penstock(folder)
    with processes.running(child):
        processes.wait_ready(child, port, "/ready", LIMIT_SECONDS)
        ready = time.monotonic() - begin
        _wait_for_token(port)
        first_token = time.monotonic() - begin
        memory = processes.memory_mb([child.pid])
    return {"ready_s": ready, "first_token_s": first_token, "gateway_memory_mb": memory}


def help_seconds(folder: Path) -> float:
    """Wall time of `penstock --help`: what a person feels of the imports."""
    begin = time.monotonic()
    argv = penstock_argv("--help")
    env = penstock_env(folder / "home")
    subprocess.run(argv, cwd=folder, env=env, capture_output=True, check=True, timeout=60)
    return time.monotonic() - begin


def _wait_for_token(port: int) -> None:
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Hello!"}],
        "max_tokens": 16,
        "stream": True,
    }
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT_SECONDS) as connection:
        connection.sendall(_request(port, json.dumps(body).encode()))
        for event in _events(connection):
            choices = event.get("choices") or [{}]
            if choices[0].get("delta", {}).get("content"):
                return
    raise RuntimeError("the stream ended without a token")


def _request(port: int, body: bytes) -> bytes:
    head = (
        f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _events(connection: socket.socket) -> Iterator[dict[str, Any]]:
    """The JSON of each SSE event; chunk sizes stand on lines of their own and are passed over."""
    lines = connection.makefile("rb")
    status = lines.readline()
    if b" 200 " not in status:
        raise RuntimeError(f"the first request was answered {status.decode().strip()}")
    for line in lines:
        if line.startswith(b"data: {"):
            event = json.loads(line[len(b"data: ") :])
            if "error" in event:
                raise RuntimeError(f"the first request failed: {event['error']}")
            yield event
        elif line.startswith(b"data: [DONE]"):
            return
