"""Many models that take turns in memory for a few: does everybody get an answer, and how soon?

    python bench/swap.py                      50 fake models in room for 3, for 10 minutes
    python bench/swap.py --engine llama_cpp   the same with the bundled chat model under 50 names

Prints failed requests, processes beyond the budget or left behind, memory, and how long a request
for a model that had to be started took to its first token.
"""

import argparse
import random
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import penstock_tiny_models
import psutil
from command import Result, command
from options import between, parser_of, whole
from serving import Server

MIB = 1024**2
#: Of one model with `--parallel 1`, as Penstock estimates it; the budget has half of one to spare.
NEED_MIB = {"fake": 32, "llama_cpp": 74}
STOP_S = 120.0


class Load:
    """What the clients found."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.cold_s: list[float] = []
        self.warm_s: list[float] = []
        self.failures: list[str] = []

    def note(self, cold: bool, seconds: float, failure: str | None) -> None:
        with self.lock:
            if failure is not None:
                self.failures.append(failure)
            else:
                (self.cold_s if cold else self.warm_s).append(seconds)


def ask(server: Server, model: str, load: Load) -> None:
    """One streamed request; cold if its model had no process when it was sent."""
    cold = server.get("/ready").json["models"][model] != "ready"
    began_s = time.monotonic()
    try:
        with server.open_chat(model, max_tokens=4) as wire:
            status, _ = wire.head()
            text = b""
            first_s = None
            for chunk in wire.chunks():
                text += chunk
                if first_s is None and b"data: " in text:
                    first_s = time.monotonic() - began_s
        whole = status == 200 and b'"error"' not in text and b"[DONE]" in text
        load.note(cold, first_s or 0.0, None if whole else f"{model}: {status} {text[-200:]!r}")
    except Exception as error:
        load.note(cold, 0.0, f"{model}: {error!r}")


def measure(options: argparse.Namespace) -> Result:
    need_bytes = NEED_MIB[options.engine] * MIB
    budget_bytes = int(need_bytes * (options.room + 0.5))
    names = [f"m{number}" for number in range(options.models)]
    path = next(penstock_tiny_models.path("tiny-chat").glob("*.gguf"))
    source = "fake:" if options.engine == "fake" else str(path)
    flags = ["--memory-limit", str(budget_bytes), "--parallel", "1", "--threads", "1"]
    flags += ["--queue-limit", "1000", "--log-level", "warning"]
    if options.engine == "llama_cpp":
        flags += ["--context-length", "256"]
    with tempfile.TemporaryDirectory() as home:
        server = Server([f"{name}={source}" for name in names], home=Path(home), flags=flags)
        try:
            _ = server.base
            return run(server, names, options, budget_bytes)
        finally:
            server.stop(STOP_S)


def run(server: Server, names: list[str], options: argparse.Namespace, budget_bytes: int) -> Result:
    load, end_s = Load(), time.monotonic() + options.seconds
    most = {"engines": 0, "memory_bytes": 0}

    def client(seed: int) -> None:
        chosen = random.Random(seed)
        while time.monotonic() < end_s:
            ask(server, chosen.choice(names), load)

    clients = [threading.Thread(target=client, args=(n,)) for n in range(options.clients)]
    for thread in clients:
        thread.start()
    while any(thread.is_alive() for thread in clients):
        engines = server.remember_children()
        most["engines"] = max(most["engines"], len(engines))
        most["memory_bytes"] = max(most["memory_bytes"], sum(map(memory_bytes, engines)))
        time.sleep(0.5)
    gateway = psutil.Process(server.process.pid)
    return {
        "requests": len(load.cold_s) + len(load.warm_s),
        "failures": load.failures,
        "swaps": len(load.cold_s),
        "swap_s": percentiles(load.cold_s),
        "warm_s": percentiles(load.warm_s),
        "most_engines": most["engines"],
        "most_memory_mib": most["memory_bytes"] // MIB,
        "budget_mib": budget_bytes // MIB,
        "gateway_mib": gateway.memory_info().rss // MIB,
        "gateway_files": gateway.num_fds(),
    }


def memory_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0


def percentiles(seconds: list[float]) -> dict[str, float]:
    if len(seconds) < 2:
        return {}
    cuts = statistics.quantiles(seconds, n=20)
    return {"p50": round(cuts[9], 3), "p95": round(cuts[18], 3), "max": round(max(seconds), 3)}


def render(result: Result) -> str:
    return "\n".join(f"{name:16} {value}" for name, value in result.items() if name != "machine")


def main() -> None:
    parser = parser_of("swap", __doc__)
    parser.add_argument("--engine", choices=sorted(NEED_MIB), default="fake")
    parser.add_argument("--models", type=whole(2, 1000), default=50)
    parser.add_argument("--room", type=whole(1, 100), default=3, help="models at a time")
    parser.add_argument("--clients", type=whole(1, 100), default=4)
    parser.add_argument("--seconds", type=between(1, 86_400), default=600)
    result: dict[str, Any] = command(parser.parse_args(), measure, render)
    raise SystemExit(1 if result["failures"] else 0)


if __name__ == "__main__":
    main()
