"""Penstock's front door against nginx and a bare connection, in interleaved rounds.

    uv run bench/run.py
    uv run bench/run.py --rounds 7 --scenarios c64,s64 --json > figures.json
    uv run bench/run.py --targets penstock,crowded --catalogue 1000 --keys 10000

Every round asks the same of every target, one after the other. The load generator and the mock
server share one CPU, the target has another. bench/README.md says how to read the figures.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import first_token
import processes
import report
from command import Result, command
from load import SCENARIOS, Row, run_load
from options import among, between, parser_of, whole
from processes import say
from targets import KEY, TARGETS, Bench, Target, Unavailable, open_bench

FIRST_TOKEN = "first-token"
DEFAULT_SCENARIOS = ["c64", "c64x16", "s64", "p64", FIRST_TOKEN]
DEFAULT_TARGETS = ["direct", "nginx", "penstock"]


def main(argv: Sequence[str] | None = None) -> int:
    result = command(parse(argv), run, render)
    return 1 if wrong_answers(result["rows"]) else 0


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = parser_of("run", __doc__)
    cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if not cpus:
        parser.error("the benchmark needs Linux (epoll, /proc, CPU affinity)")
    add = parser.add_argument
    add("--rounds", type=whole(1, 100), default=5, help="rounds of every scenario (5)")
    add("--seconds", type=between(0.2, 60), default=2.0, help="measured time of a run (2)")
    add("--warm", type=between(0, 60), default=0.5, help="warm-up before each run (0.5)")
    add(
        "--scenarios",
        type=among([*SCENARIOS, FIRST_TOKEN]),
        default=DEFAULT_SCENARIOS,
        metavar="NAME,...",
        help="\n".join(
            [
                f"default {','.join(DEFAULT_SCENARIOS)}; there are",
                *(f"  {name:12} {scenario.title}" for name, scenario in SCENARIOS.items()),
                f"  {FIRST_TOKEN:12} from `penstock serve` to a token of the bundled model",
            ]
        ),
    )
    add(
        "--targets",
        type=among(list(TARGETS)),
        default=DEFAULT_TARGETS,
        metavar="NAME,...",
        help=f"of {', '.join(TARGETS)} (default {','.join(DEFAULT_TARGETS)})",
    )
    add("--catalogue", type=whole(0, 100_000), default=1000, help="models of `crowded` (1000)")
    add("--keys", type=whole(0, 1_000_000), default=10_000, help="keys of `crowded` (10000)")
    add("--load-cpu", type=int, choices=cpus, default=cpus[0], help="CPU of load and mock")
    add("--target-cpu", type=int, choices=cpus, default=cpus[-1], help="CPU of the target")
    return parser.parse_args(argv)


def run(options: argparse.Namespace) -> Result:
    result: Result = {"rows": [], "summary": {}, "first_token": None}
    if options.load_cpu == options.target_cpu:
        say("load and target share one CPU: expect low rates and unsteady figures")
    scenarios = [name for name in options.scenarios if name != FIRST_TOKEN]
    if scenarios:
        result["rows"] = measure_front_door(options, scenarios)
        result["summary"] = report.summarise(result["rows"])
    if FIRST_TOKEN in options.scenarios and "penstock" in options.targets:
        result["first_token"] = measure_first_token(options.rounds)
    return result


def measure_front_door(options: argparse.Namespace, scenarios: Sequence[str]) -> list[Row]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-bench-")))
        bench = open_bench(
            stack,
            folder,
            options.load_cpu,
            options.target_cpu,
            models=options.catalogue,
            keys=options.keys,
        )
        targets = start_targets(bench, options.targets)
        rows: list[Row] = []
        for number in range(options.rounds):
            turn = number % len(targets)  # no target always comes first
            for scenario in scenarios:
                for target in targets[turn:] + targets[:turn]:
                    row = measure(bench, target, scenario, options.seconds, options.warm)
                    rows.append(row | {"round": number})
                    say(f"round {number + 1}/{options.rounds} {progress(row)}")
        rows.sort(key=lambda row: options.targets.index(row["target"]))
        return rows


def start_targets(bench: Bench, names: Sequence[str]) -> list[Target]:
    """Start what is installed, and warm it up by a run whose answers must all be right."""
    targets = []
    for name in names:
        try:
            target = TARGETS[name](bench)
        except Unavailable as reason:
            say(f"{name} is left out: {reason}")
            continue
        row = measure(bench, target, "c64", seconds=1, warm=0)
        if row["errors"]:
            raise RuntimeError(f"{name} answers wrongly: {progress(row)}")
        targets.append(target)
    if not targets:
        raise RuntimeError("there is nothing to measure")
    return targets


def measure(bench: Bench, target: Target, scenario: str, seconds: float, warm: float) -> Row:
    asked = SCENARIOS[scenario]
    pids = target.child.pids()
    row = run_load(
        ["-p", str(target.port), *asked.arguments()],
        [asked.body()],
        key=KEY,
        seconds=seconds,
        warm=warm,
        pids=pids,
        cpu=bench.load_cpu,
        busy=bench.busy,
    )
    bench.mock.check()
    target.child.check()
    memory = round(processes.memory_mb(pids), 1)
    return row | {"scenario": scenario, "target": target.name, "memory_mb": memory}


def progress(row: Row) -> str:
    streaming = SCENARIOS[row["scenario"]].stream
    cpu = row.get(report.cpu_field(row["scenario"]))
    unit = "event" if streaming else "request"
    figure = f"{cpu:.2f} us/{unit}" if cpu else "no figure"
    trouble = f", {row['errors']} errors: {row.get('first_error')}" if row["errors"] else ""
    return f"{row['scenario']} {row['target']}: {figure}{trouble}"


def measure_first_token(runs: int) -> dict[str, report.Spread | None]:
    """The first run is not counted: it reads the programs from the disk."""
    rows: list[dict[str, float]] = []
    try:
        for number in range(runs + 1):
            with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
                row = first_token.measure(Path(folder))
                row["help_s"] = first_token.help_seconds(Path(folder))
            say(f"first token, run {number}/{runs}: {row['first_token_s']:.2f} s")
            rows.append(row)
    except Unavailable as reason:
        say(f"{FIRST_TOKEN} is left out: {reason}")
        return {}
    return {name: report.Spread.of(row[name] for row in rows[1:]) for name in rows[0]}


def render(result: dict[str, Any]) -> str:
    settings = result["settings"]
    parts = [
        f"{report.machine_line()}\n"
        f"{settings['rounds']} rounds of {settings['seconds']:g} s after {settings['warm']:g} s, "
        f"load on CPU {settings['load_cpu']}, target on CPU {settings['target_cpu']}; "
        "median (min-max)"
    ]
    if result["summary"]:
        parts.append(report.render(result["summary"]))
    if result["first_token"]:
        parts.append(render_first_token(result["first_token"]))
    return "\n\n".join(parts)


def render_first_token(figures: dict[str, report.Spread]) -> str:
    rows = [
        ["from `penstock serve`, a new home", ""],
        ["first token of the bundled model, s", figures["first_token_s"].show(2)],
        ["all bundled models ready, s", figures["ready_s"].show(2)],
        ["CPU time used by then, s", figures["cpu_s"].show(2)],
        ["of which the gateway, s", figures["gateway_cpu_s"].show(2)],
        ["memory of the gateway then, MB", figures["gateway_memory_mb"].show(0)],
        ["`penstock --help`, s", figures["help_s"].show(2)],
    ]
    return report.table(rows)


def wrong_answers(rows: Sequence[Row]) -> int:
    """Also a round in which nothing was completed is wrong: its ratios are missing."""
    errors = sum(int(row["errors"]) for row in rows)
    if errors:
        say(f"{errors} answers were wrong; the first: {next(r for r in rows if r['errors'])}")
    return errors


if __name__ == "__main__":
    sys.exit(main())
