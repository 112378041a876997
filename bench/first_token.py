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
POLL_SECONDS = 0.01
LIMIT_SECONDS = 60.0


def measure(folder: Path) -> dict[str, float]:
    """Seconds since the start of the process: to the first token, and until all is ready.

    The request goes out by a raw socket as soon as something listens; the gateway holds it until
    the model is there. CPU time is that of the gateway and its engines up to readiness: unlike
    the clock it does not depend on who else uses the machine.
    """
    begin = time.monotonic()
    child, port = start_penstock(folder)
    with processes.running(child):
        _wait_for_token(_connect(child, port), port)
        first_token = time.monotonic() - begin
        processes.wait_ready(child, port, "/ready", LIMIT_SECONDS)
        ready = time.monotonic() - begin
        return {
            "first_token_s": first_token,
            "ready_s": ready,
            "cpu_s": processes.cpu_seconds(child.pids()),
            "gateway_cpu_s": processes.cpu_seconds([child.pid]),
            "gateway_memory_mb": processes.memory_mb([child.pid]),
        }


def help_seconds(folder: Path) -> float:
    """Wall time of `penstock --help`: what a person feels of the imports."""
    begin = time.monotonic()
    argv = penstock_argv("--help")
    env = penstock_env(folder / "home")
    subprocess.run(argv, cwd=folder, env=env, capture_output=True, check=True, timeout=60)
    return time.monotonic() - begin


def _connect(child: processes.Child, port: int) -> socket.socket:
    end = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < end and child.process.poll() is None:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=LIMIT_SECONDS)
        except OSError:
            time.sleep(POLL_SECONDS)
    raise processes.DidNotStart(f"nothing listens:\n{child.last_words()}")


def _wait_for_token(connection: socket.socket, port: int) -> None:
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Hello!"}],
        "max_tokens": 16,
        "stream": True,
    }
    with connection:
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
