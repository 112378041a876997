"""Conversations with shared beginnings on several replicas: who reads how much a second time.

    uv run bench/affinity.py
    uv run bench/affinity.py --model ~/models/some.gguf --replicas 3

One Penstock serves the same weights as one model of several replicas, for which it picks by prefix
affinity, and as so many models of one replica each, among which the load goes in turn (round robin)
or to the one that has least to do. Every run has prompts of its own, so that it begins with caches
that know nothing of them.
"""

import argparse
import http.client
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import processes
import report
from command import Result, command
from embeddings import VOCABULARY
from first_token import MODEL
from load import Row
from options import among, between, parser_of, whole
from processes import Child, say
from report import Spread
from targets import KEY, LLAMA_CPP, start_penstock

LIMIT_SECONDS = 180.0
TOGETHER = "together"
WAYS = ("round robin", "least busy", "affinity")

#: The model of the request that is sent, and again when it has been answered.
Route = Callable[[], str]


@dataclass(frozen=True)
class Service:
    gateway: Child
    port: int
    engines: tuple[int, ...]
    replicas: int


class Turns:
    """Models of one replica each, in turn or by what each has to do."""

    def __init__(self, models: Sequence[str]) -> None:
        self._models = models
        self._lock = threading.Lock()
        self._sent = 0
        self._at_work = Counter[str](models)

    def in_turn(self) -> str:
        with self._lock:
            self._sent += 1
            return self._models[self._sent % len(self._models)]

    def least_busy(self) -> str:
        with self._lock:
            self._sent += 1
            turned = [
                self._models[(self._sent + n) % len(self._models)] for n in range(len(self._models))
            ]
            model = min(turned, key=self._at_work.__getitem__)
            self._at_work[model] += 1
            return model

    def answered(self, model: str) -> None:
        with self._lock:
            self._at_work[model] -= 1


def main(argv: Sequence[str] | None = None) -> int:
    command(parse(argv), measured, render)
    return 0


def measured(options: argparse.Namespace) -> Result:
    rows = run(options)
    return {"rows": rows, "summary": summarise(rows)}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = parser_of("affinity", __doc__)
    add = parser.add_argument
    add("--model", default=MODEL, help=f"what `penstock serve` takes ({MODEL}, which is bundled)")
    add("--rounds", type=whole(1, 100), default=5, help="runs of each way (5)")
    add("--replicas", type=whole(2, 16), default=3, help="(3)")
    add("--slots", type=whole(1, 64), default=4, help="of each replica (4)")
    add("--prefixes", type=whole(1, 1000), default=9, help="beginnings that are shared (9)")
    add("--words", type=whole(1, 10000), default=300, help="of each beginning (300)")
    add("--conversations", type=whole(1, 10000), default=36, help="of a run (36)")
    add("--turns", type=whole(1, 100), default=4, help="of each conversation (4)")
    add("--clients", type=whole(1, 256), default=12, help="at a time (12)")
    add("--pause", type=between(0, 60), default=0.2, help="seconds before a turn, on average (0.2)")
    add("--tokens", type=whole(1, 10000), default=16, help="of each answer (16)")
    add("--ways", type=among(WAYS), default=list(WAYS), help=f"({','.join(WAYS)})")
    return parser.parse_args(argv)


def run(options: argparse.Namespace) -> list[Row]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-bench-")))
        service = open_service(stack, folder, options)
        rows: list[Row] = []
        for number in range(options.rounds):
            first = number % len(options.ways)
            for way in options.ways[first:] + options.ways[:first]:
                row = measure(service, way, f"{number} {way}", options)
                rows.append(row | {"round": number})
                say(f"round {number + 1}/{options.rounds} {progress(row)}")
        return rows


def open_service(stack: ExitStack, folder: Path, options: argparse.Namespace) -> Service:
    fixed = f'source = "{options.model}"\nparallel = {options.slots}\nthreads = 1\n'
    models = [f'name = "{TOGETHER}"\nreplicas = {options.replicas}\n']
    models += [f'name = "{name}"\n' for name in apart(options.replicas)]
    config = folder / "affinity.toml"
    config.write_text("".join(f"[[models]]\n{fixed}{model}" for model in models))
    gateway, port = start_penstock(folder, settings={"PENSTOCK_CONFIG": str(config)})
    stack.enter_context(processes.running(gateway))
    processes.wait_ready(gateway, port, "/ready", LIMIT_SECONDS)
    processes.wait_until(
        lambda: len(processes.workers(gateway, LLAMA_CPP)) == 2 * options.replicas, LIMIT_SECONDS
    )
    engines = tuple(processes.workers(gateway, LLAMA_CPP))
    return Service(gateway, port, engines, options.replicas)


def apart(replicas: int) -> list[str]:
    return [f"alone-{number}" for number in range(replicas)]


def measure(service: Service, way: str, seed: str, options: argparse.Namespace) -> Row:
    """A fixed amount of work: all conversations, `clients` of them at a time."""
    turns = Turns(apart(service.replicas))
    route = {"affinity": lambda: TOGETHER, "round robin": turns.in_turn}.get(way, turns.least_busy)
    cpu_s = processes.cpu_seconds(service.engines)
    begin_s = time.monotonic()
    with ThreadPoolExecutor(options.clients) as pool:
        talks = conversations(seed, options)
        usages = pool.map(
            lambda talk: hold(service.port, talk, route, turns.answered, options), talks
        )
        usage = sum(usages, Counter[str]())
    seconds = time.monotonic() - begin_s
    service.gateway.check()
    return {
        "way": way,
        "seconds": seconds,
        "cached_share": usage["cached"] / usage["prompt"],
        "prompt_tokens": usage["prompt"],
        "tokens_per_s": (usage["prompt"] + usage["completion"]) / seconds,
        "engine_cpu_s": processes.cpu_seconds(service.engines) - cpu_s,
    }


def conversations(seed: str, options: argparse.Namespace) -> list[list[str]]:
    """What is said in each, turn by turn; several have their first message from one prefix."""
    dice = random.Random(seed)

    def text(words: int) -> str:
        return " ".join(dice.choices(VOCABULARY.split(), k=words))

    prefixes = [text(options.words) for _ in range(options.prefixes)]
    talks = [
        [prefixes[number % len(prefixes)], *(text(10) for _ in range(options.turns))]
        for number in range(options.conversations)
    ]
    dice.shuffle(talks)
    return talks


def hold(
    port: int,
    talk: list[str],
    route: Route,
    answered: Callable[[str], None],
    options: argparse.Namespace,
) -> Counter[str]:
    """One conversation, each turn after the answer to the last."""
    system, *questions = talk
    messages = [{"role": "system", "content": system}]
    usage = Counter[str]()
    dice = random.Random(system)
    for question in questions:
        time.sleep(dice.uniform(0, 2 * options.pause))
        messages.append({"role": "user", "content": question})
        model = route()
        body = {"model": model, "messages": messages, "max_tokens": options.tokens}
        answer = ask(port, body | {"temperature": 0})
        answered(model)
        spent = answer["usage"]
        usage["prompt"] += spent["prompt_tokens"]
        usage["cached"] += spent["prompt_tokens_details"]["cached_tokens"]
        usage["completion"] += spent["completion_tokens"]
        content = answer["choices"][0]["message"]["content"] or "."
        messages.append({"role": "assistant", "content": content})
    return usage


def ask(port: int, body: dict[str, Any]) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_SECONDS)
    try:
        headers = {"authorization": f"Bearer {KEY}"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        answer = connection.getresponse()
        data = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{body['model']} answered {answer.status}: {data[:200]!r}")
    found: dict[str, Any] = json.loads(data)
    return found


def progress(row: Row) -> str:
    return (
        f"{row['way']}: {row['cached_share']:.0%} cached, {row['tokens_per_s']:.0f} tokens/s, "
        f"engines {row['engine_cpu_s']:.1f} CPU-s"
    )


def summarise(rows: Sequence[Row]) -> list[dict[str, Any]]:
    ways = list(dict.fromkeys(row["way"] for row in rows))
    base = [row for row in rows if row["way"] == ways[0]]
    summary = []
    for way in ways:
        mine = sorted((row for row in rows if row["way"] == way), key=lambda row: row["round"])
        figures = ("cached_share", "tokens_per_s", "engine_cpu_s")
        line: dict[str, Any] = {name: Spread.of(row[name] for row in mine) for name in figures}
        line["way"] = way
        for name in ("tokens_per_s", "engine_cpu_s"):
            pairs = zip(sorted(base, key=lambda row: row["round"]), mine, strict=True)
            line[f"{name}_ratio"] = Spread.of(own[name] / other[name] for other, own in pairs)
        summary.append(line)
    return summary


def render(result: dict[str, Any]) -> str:
    titles = {
        "cached_share": ("prompt tokens from a cache, %", 0, 100.0),
        "tokens_per_s": ("tokens/s, read and made", 0, 1.0),
        "tokens_per_s_ratio": ("the same / first column", 2, 1.0),
        "engine_cpu_s": ("CPU-seconds of the engines", 1, 1.0),
        "engine_cpu_s_ratio": ("the same / first column", 2, 1.0),
    }
    settings = result["settings"]
    head = (
        f"{report.machine_line()}\n{settings['model']}, {settings['replicas']} replicas of "
        f"{settings['slots']} slots; {settings['clients']} clients that pause "
        f"{settings['pause']:g} s; {settings['conversations']} conversations of "
        f"{settings['turns']} turns over {settings['prefixes']} beginnings of "
        f"{settings['words']} words; {settings['rounds']} rounds, median (min-max)"
    )
    ways = [line["way"] for line in result["summary"]]
    rows = [["", *ways]]
    for figure, (title, digits, scale) in titles.items():
        rows.append([title, *(line[figure].show(digits, scale) for line in result["summary"])])
    return f"{head}\n\n{report.table(rows)}"


if __name__ == "__main__":
    sys.exit(main())
