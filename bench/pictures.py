"""Eight pictures at once against eight one after the other, by a tiny random model.

    uv run bench/pictures.py --python /path/to/python-with-diffusers
    uv run bench/pictures.py --python … --kind sdxl --size 128x128 --steps 8

Each pair of runs asks one Penstock for eight pictures of different prompts and seeds, by eight
clients at once and by one. Both the time on the clock and the CPU time of the engine's process are
compared inside the pair.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import processes
import report
from command import Result, command
from options import parser_of, whole
from processes import say
from report import Spread
from targets import KEY, start_penstock

WORKER = "penstock.engines.workers.diffusers"
MAKER = Path(__file__).parents[1] / "tests" / "tiny_pipelines.py"
LIMIT_SECONDS = 600.0
CLIENTS = 8


@dataclass(frozen=True)
class Cost:
    wall_s: float
    cpu_s: float


def main(argv: Sequence[str] | None = None) -> int:
    command(parse(argv), measured, render)
    return 0


def measured(options: argparse.Namespace) -> Result:
    pairs = run(options)
    return {
        "at_once_wall_s": Spread.of(once.wall_s for once, _ in pairs),
        "in_turn_wall_s": Spread.of(turn.wall_s for _, turn in pairs),
        "at_once_cpu_s": Spread.of(once.cpu_s for once, _ in pairs),
        "in_turn_cpu_s": Spread.of(turn.cpu_s for _, turn in pairs),
        "wall_ratio": Spread.of(once.wall_s / turn.wall_s for once, turn in pairs),
        "cpu_ratio": Spread.of(once.cpu_s / turn.cpu_s for once, turn in pairs),
    }


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = parser_of("pictures", __doc__)
    add = parser.add_argument
    add("--python", required=True, help="an interpreter that has diffusers")
    kinds = ("flux", "sdxl", "stable_diffusion")
    add("--kind", choices=kinds, default="flux", help="of model (flux)")
    add("--size", default="64x64", help="of the pictures, in pixels (64x64)")
    add("--steps", type=whole(1, 150), default=4, help="of each picture (4)")
    add("--rounds", type=whole(1, 100), default=7, help="pairs of runs (7)")
    return parser.parse_args(argv)


def run(options: argparse.Namespace) -> list[tuple[Cost, Cost]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-bench-")))
        subprocess.run(
            [options.python, "-W", "ignore", MAKER, folder], check=True, capture_output=True
        )
        settings = {"PENSTOCK_DIFFUSERS_PYTHON": str(Path(options.python).absolute())}
        gateway, port = start_penstock(folder, str(folder / options.kind), settings=settings)
        stack.enter_context(processes.running(gateway))
        processes.wait_ready(gateway, port, "/ready", LIMIT_SECONDS)
        pid, _ = processes.worker(gateway, WORKER)

        def draw(number: int) -> None:
            draw_one(port, options, number)

        clients = stack.enter_context(ThreadPoolExecutor(CLIENTS))
        list(clients.map(draw, range(CLIENTS)))
        pairs = []
        for number in range(options.rounds):
            costs = {}
            for side in ("at once", "in turn") if number % 2 else ("in turn", "at once"):
                each = clients.map if side == "at once" else map
                costs[side] = cost(pid, lambda each=each: list(each(draw, range(CLIENTS))))
            once, turn = costs["at once"], costs["in turn"]
            say(
                f"pair {number + 1}/{options.rounds}: {once.wall_s / turn.wall_s:.2f} of the time, "
                f"{once.cpu_s / turn.cpu_s:.2f} of the CPU time"
            )
            pairs.append((once, turn))
        return pairs


def cost(pid: int, work: Callable[[], object]) -> Cost:
    began_s, before_s = time.perf_counter(), processes.cpu_seconds([pid])
    work()
    return Cost(time.perf_counter() - began_s, processes.cpu_seconds([pid]) - before_s)


def draw_one(port: int, options: argparse.Namespace, number: int) -> None:
    body = {
        "model": options.kind,
        "prompt": f"picture number {number}",
        "seed": number,
        "size": options.size,
        "num_inference_steps": options.steps,
    }
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/images/generations",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=LIMIT_SECONDS) as answer:
        json.load(answer)


def render(result: dict[str, Any]) -> str:
    settings = result["settings"]
    rows = [
        [f"{CLIENTS} pictures", "at once", "in turn", "ratio in the same pair"],
        *(
            [
                title,
                result[f"at_once_{unit}_s"].show(2),
                result[f"in_turn_{unit}_s"].show(2),
                result[f"{unit}_ratio"].show(2),
            ]
            for title, unit in (("seconds", "wall"), ("CPU seconds of the engine", "cpu"))
        ),
    ]
    head = (
        f"{report.machine_line()}\ntiny random {settings['kind']}, {settings['size']}, "
        f"{settings['steps']} steps, {settings['rounds']} pairs"
    )
    return f"{head}; median (min-max)\n\n{report.table(rows)}"


if __name__ == "__main__":
    sys.exit(main())
