"""What is asked of a target, and one run of the load generator."""

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import native

PROMPT = "the quick brown fox jumps over the lazy dog and " * 10

Row = dict[str, Any]

#: loadllm ends by its own clock; this is for a machine that stands still, not for a slow target.
STUCK_SECONDS = 120.0


@dataclass(frozen=True)
class Scenario:
    """`tokens` is what the mock writes: one event each in a stream."""

    connections: int
    tokens: int
    stream: bool = False
    pace_ms: int = 0
    rate: int = 0

    @property
    def title(self) -> str:
        kind = "streams" if self.stream else "plain answers"
        size = f"{self.tokens} token{'s' if self.tokens > 1 else ''}"
        speed = f", one each {self.pace_ms} ms" if self.pace_ms else ""
        rate = f", {self.rate} requests/s" if self.rate else ""
        return f"{self.connections} connections, {kind} of {size}{speed}{rate}"

    def body(self) -> str:
        system = "You are a helpful assistant."
        if self.pace_ms:
            system += f" [[pace {self.pace_ms}]]"  # the mock's only steering wheel
        body: dict[str, Any] = {
            "model": "mock",
            "messages": [
                {"role": "system", "content": system},
                {"role": "user", "content": PROMPT},
            ],
            "max_tokens": self.tokens,
            "temperature": 0.7,
        }
        if self.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return json.dumps(body, separators=(",", ":"))

    def arguments(self) -> list[str]:
        words = ["-c", str(self.connections), "-k", str(self.tokens)]
        words += ["-s"] if self.stream else []
        return words + (["-r", str(self.rate)] if self.rate else [])


SCENARIOS = {
    "c1": Scenario(1, 1),
    "c64": Scenario(64, 1),
    "c64x16": Scenario(64, 16),
    "c256": Scenario(256, 1),
    "r200": Scenario(64, 1, rate=200),
    "s64": Scenario(64, 64, stream=True),
    "s256": Scenario(256, 64, stream=True),
    "p64": Scenario(64, 64, stream=True, pace_ms=5),
}


def run_load(
    arguments: Sequence[str],
    bodies: Sequence[str],
    *,
    key: str,
    seconds: float,
    warm: float = 0,
    pids: Sequence[int] = (),
    cpu: int | None = None,
    busy: bool = False,
) -> Row:
    """One run of loadllm; its JSON, or `{"errors": 1, "first_error": …}`.

    A `busy` one never sleeps: it needs a CPU that nobody else needs.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write("\n".join(bodies) + "\n")
        file.flush()
        argv = [str(native.build("loadllm")), "-f", file.name, "-K", key]
        argv += ["-d", str(seconds), "-w", str(warm), *arguments]
        if busy:
            argv.append("-b")
        if pids:
            argv += ["-C", ",".join(map(str, pids))]
        return _run(argv, seconds + warm + STUCK_SECONDS, cpu)


def _run(argv: list[str], limit: float, cpu: int | None) -> Row:
    def pin() -> None:
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})

    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=limit, preexec_fn=pin)
    except subprocess.TimeoutExpired:
        return {"errors": 1, "first_error": f"the load did not end within {limit:.0f} s"}
    try:
        row: Row = json.loads(done.stdout)
    except ValueError:
        return {"errors": 1, "first_error": done.stderr.strip() or "no result"}
    return row
