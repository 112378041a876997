"""Short texts of 32 clients: how many per CPU-second, batched across clients and one by one.

    uv run bench/embeddings.py

Two Penstocks run side by side with the same model; one of them has batching across requests
switched off. They are asked in turn, and the CPU time of each one's engine process is compared.
"""

import argparse
import http.client
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import processes
import report
from command import Result, command
from load import Row, run_load
from options import between, parser_of, whole
from processes import Child, say
from report import Spread
from targets import KEY, start_penstock

WORKER = "penstock.engines.workers.onnx"
MODEL = "penstock/tiny-embed"
PATH = "/v1/embeddings"
CLIENTS = 32

#: The settings of the side that works on one request at a time.
UNBATCHED = {"PENSTOCK_EMBEDDING_BATCH_TOKENS": "1"}

VOCABULARY = (
    "a the old new small green river bridge train letter garden window market evening morning "
    "walks opens closes finds sends reads brings carries to from over under near behind slowly "
    "quickly again once always with without water light paper bread music rain engine"
)


@dataclass(frozen=True)
class Service:
    name: str
    gateway: Child
    engine_pid: int
    port: int


def main(argv: Sequence[str] | None = None) -> int:
    command(parse(argv), measured, render)
    return 0


def measured(options: argparse.Namespace) -> Result:
    rows, difference = run(options)
    return {"rows": rows, "summary": summarise(rows), "largest_difference": difference}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = parser_of("embeddings", __doc__)
    add = parser.add_argument
    add("--model", help=f"what `penstock serve` takes ({MODEL}, which is bundled)")
    add("--rounds", type=whole(1, 100), default=5, help="rounds of both sides (5)")
    add("--seconds", type=between(0.2, 60), default=3.0, help="measured time of a run (3)")
    add("--warm", type=between(0, 60), default=0.5, help="warm-up before each run (0.5)")
    add("--words", type=whole(1, 200), default=12, help="words of a text (12)")
    return parser.parse_args(argv)


def texts(words: int, count: int = 256) -> list[str]:
    """The same texts in every run; their lengths vary around `words`, as people's do."""
    chosen, known = random.Random(7), VOCABULARY.split()
    return [
        " ".join(chosen.choices(known, k=max(1, words + chosen.randint(-words // 2, words // 2))))
        for _ in range(count)
    ]


def run(options: argparse.Namespace) -> tuple[list[Row], float]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-bench-")))
        services = [
            open_service(stack, folder, "batched", options.model, {}),
            open_service(stack, folder, "unbatched", options.model, UNBATCHED),
        ]
        some = texts(options.words)
        model = model_name(services[0])
        difference = largest_difference(services[0], model, some[:128])
        say(f"vectors of concurrent and single requests differ by {difference:.1e} at most")
        rows: list[Row] = []
        for number in range(options.rounds):
            for service in services if number % 2 else services[::-1]:
                row = measure(service, model, some, options)
                rows.append(row | {"round": number})
                say(f"round {number + 1}/{options.rounds} {progress(row)}")
        return rows, difference


def open_service(
    stack: ExitStack, folder: Path, name: str, model: str | None, settings: dict[str, str]
) -> Service:
    gateway, port = start_penstock(folder, model or MODEL, name=name, settings=settings)
    stack.enter_context(processes.running(gateway))
    processes.wait_ready(gateway, port, "/ready", 120)
    pid, _ = processes.worker(gateway, WORKER)
    return Service(name, gateway, pid, port)


def model_name(service: Service) -> str:
    """The only model there, as it calls itself."""
    models = call(service, "GET", "/v1/models")["data"]
    return str(models[0]["id"])


def call(service: Service, method: str, path: str, body: Any = None) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        answer: dict[str, Any] = json.load(response)
    finally:
        connection.close()
    if response.status != 200:
        raise RuntimeError(f"{method} {path} was answered {response.status}: {answer}")
    return answer


def largest_difference(service: Service, model: str, some: Sequence[str]) -> float:
    """Between vectors of texts sent one after the other and of the same sent all at once."""

    def vector(text: str) -> list[float]:
        answer = call(service, "POST", PATH, {"model": model, "input": text})
        return list(answer["data"][0]["embedding"])

    single = [vector(text) for text in some]
    with ThreadPoolExecutor(CLIENTS) as clients:
        together = list(clients.map(vector, some))
    return max(
        abs(x - y) for a, b in zip(single, together, strict=True) for x, y in zip(a, b, strict=True)
    )


def measure(service: Service, model: str, some: list[str], options: argparse.Namespace) -> Row:
    row = run_load(
        ["-p", str(service.port), "-P", PATH, "-c", str(CLIENTS)],
        [json.dumps({"model": model, "input": text}) for text in some],
        key=KEY,
        seconds=options.seconds,
        warm=options.warm,
        pids=[service.engine_pid, service.gateway.pid],
    )
    service.gateway.check()
    if row["errors"] or not row["ok"]:
        raise RuntimeError(f"{service.name} failed: {row.get('first_error', 'no answer')}")
    engine, gateway = row.pop("cpu_s")
    return row | {
        "side": service.name,
        "texts_per_engine_cpu_s": row["ok"] / engine,
        "texts_per_cpu_s": row["ok"] / (engine + gateway),
        "engine_memory_mb": processes.memory_mb([service.engine_pid]),
    }


def progress(row: Row) -> str:
    return (
        f"{row['side']}: {row['texts_per_engine_cpu_s']:.0f} texts per CPU-second of the engine, "
        f"{row['texts_per_cpu_s']:.0f} with the gateway"
    )


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    batched, unbatched = (
        [row for row in rows if row["side"] == side] for side in ("batched", "unbatched")
    )
    pairs = list(zip(batched, unbatched, strict=True))
    figures = ("texts_per_engine_cpu_s", "texts_per_cpu_s", "requests_per_s", "engine_memory_mb")
    return {
        "batched": {name: Spread.of(row[name] for row in batched) for name in figures},
        "unbatched": {name: Spread.of(row[name] for row in unbatched) for name in figures},
        "ratio": {name: Spread.of(a[name] / b[name] for a, b in pairs) for name in figures},
    }


def render(result: dict[str, Any]) -> str:
    titles = {
        "texts_per_engine_cpu_s": "texts per CPU-second of the engine",
        "texts_per_cpu_s": "texts per CPU-second, gateway included",
        "requests_per_s": "texts per second",
        "engine_memory_mb": "memory of the engine, MB",
    }
    summary, settings = result["summary"], result["settings"]
    rows = [["", "batched", "unbatched", "ratio, same round"]]
    for name, title in titles.items():
        sides = [summary[side][name].show(0) for side in ("batched", "unbatched")]
        rows.append([title, *sides, summary["ratio"][name].show(2)])
    return (
        f"{report.machine_line()}\n{settings['model'] or MODEL}, {CLIENTS} clients, texts of about "
        f"{settings['words']} words, {settings['rounds']} rounds; median (min-max)\n\n"
        f"{report.table(rows)}\n\nLargest difference between a vector made alone and the same one "
        f"made beside others: {result['largest_difference']:.1e}"
    )


if __name__ == "__main__":
    sys.exit(main())
