"""Tokens per second of a model through Penstock against its engine alone, in pairs of runs.

    uv run bench/engine.py
    uv run bench/engine.py --model ~/models/some.gguf --tokens 256

Both sides are the same process: the llama.cpp server that Penstock started, with the same weights,
slots, threads and cache. One run of a pair goes through the gateway, the other straight to that
server's unix socket. Both generate the same greedy answers, of full length: the token that would
end them is banned on both sides.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import processes
import report
from first_token import MODEL
from load import Row, run_load
from options import among, between
from processes import Child, say
from report import Spread
from targets import KEY, start_penstock

WORKER = "penstock.engines.workers.llama_cpp"
STREAMS = ("1", "16")
LIMIT_SECONDS = 120.0

#: What Penstock asks of llama.cpp beside the client's words: OpenAI's defaults, which are not its.
NEUTRAL_SAMPLING = {
    "top_p": 1.0,
    "top_k": 0,
    "min_p": 0.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "repeat_penalty": 1.0,
}

TOPICS = (
    "a lighthouse", "two brothers", "the first snow", "an old clock", "a lost letter", "the sea",
    "a small dog", "a garden", "the night train", "a kite", "a bakery", "the moon", "a river",
    "an island", "a violin", "the market",
)  # fmt: skip


@dataclass(frozen=True)
class Side:
    """One of the two ways to the same engine."""

    name: str
    where: tuple[str, ...]
    extra: dict[str, Any]

    def bodies(self, model: str, tokens: int) -> list[str]:
        """One request for each topic; the load takes them in turn."""
        fixed = {"model": model, "max_tokens": tokens, "temperature": 0, "stream": True}
        fixed |= {"stream_options": {"include_usage": True}, **self.extra}
        return [
            json.dumps({**fixed, "messages": [{"role": "user", "content": f"Tell me of {topic}."}]})
            for topic in TOPICS
        ]


@dataclass(frozen=True)
class Service:
    """A gateway with one model, and the engine's process under it."""

    gateway: Child
    engine_pid: int
    model: str
    sides: tuple[Side, Side]


def main(argv: Sequence[str] | None = None) -> int:
    options = parse(argv)
    try:
        with processes.ending_cleanly():
            rows = run(options)
    except KeyboardInterrupt:
        say("stopped; nothing is left running")
        return 130
    except RuntimeError as error:
        say(str(error))
        return 1
    result = {
        "machine": report.machine(),
        "settings": {name: value for name, value in vars(options).items() if name != "json"},
        "rows": rows,
        "summary": summarise(rows),
    }
    print(json.dumps(report.plain(result), indent=1) if options.json else render(result))
    return 0


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench/engine.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--model", help=f"what `penstock serve` takes ({MODEL}, which is bundled)")
    add("--rounds", type=between(1, 100), default=15, help="pairs of runs (15)")
    add("--seconds", type=between(0.5, 60), default=2.0, help="about how long a run takes (2)")
    add("--streams", type=among(STREAMS), default=list(STREAMS), help="at a time (1,16)")
    add("--tokens", type=between(1, 100000), default=128, help="of each answer (128)")
    add("--json", action="store_true", help="print every run and the summary as JSON")
    options = parser.parse_args(argv)
    options.rounds, options.tokens = int(options.rounds), int(options.tokens)
    return options


def run(options: argparse.Namespace) -> list[Row]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-bench-")))
        service = open_service(stack, folder, options.model)
        rows: list[Row] = []
        for streams in map(int, options.streams):
            requests = calibrate(service, streams, options)
            for number in range(options.rounds):
                sides = service.sides if number % 2 else service.sides[::-1]
                for side in sides:
                    row = measure(service, side, streams, requests, options.tokens)
                    rows.append(row | {"round": number})
                    say(f"pair {number + 1}/{options.rounds} {progress(row)}")
        return rows


def open_service(stack: ExitStack, folder: Path, model: str | None) -> Service:
    gateway, port = start_penstock(folder, *([model] if model else []))
    stack.enter_context(processes.running(gateway))
    processes.wait_ready(gateway, port, "/ready", LIMIT_SECONDS)
    pid, words = processes.worker(gateway, WORKER)
    socket, alias = (words[words.index(name) + 1] for name in ("--socket", "--alias"))
    end = end_token(Path(words[words.index("--model") + 1]))
    # llama.cpp mishandles a connection that is used again right after a long stream; Penstock
    # opens a new one for each call, and so does the direct side.
    direct = Side("direct", ("-u", socket, "-1"), {**NEUTRAL_SAMPLING, "logit_bias": [[end, -100]]})
    through = Side("penstock", ("-p", str(port)), {"logit_bias": {str(end): -100}})
    return Service(gateway, pid, alias, (direct, through))


def end_token(path: Path) -> int:
    """The token that ends an answer, as the model's file says."""
    from penstock.engines.gguf import read_metadata  # here: --help works without Penstock

    token = read_metadata(path).eos_token_id
    if token is None:
        raise RuntimeError(f"{path} does not say which token ends an answer")
    return int(token)


def calibrate(service: Service, streams: int, options: argparse.Namespace) -> int:
    """How many requests fill a run; doing so warms both sides up."""
    for side in service.sides:
        row = measure(service, side, streams, streams, options.tokens)
    waves = max(1, round(float(options.seconds) / float(row["seconds"])))
    return streams * min(waves, 1000)


def measure(service: Service, side: Side, streams: int, requests: int, tokens: int) -> Row:
    """A fixed amount of work: its tokens by the engine's own count, divided by its time."""
    pids = [service.engine_pid, service.gateway.pid]
    waited = processes.runnable_seconds(pids)
    row = run_load(
        [*side.where, "-s", "-c", str(streams), "-n", str(requests)],
        side.bodies(service.model, tokens),
        key=KEY,
        seconds=LIMIT_SECONDS,
        pids=pids,
    )
    waited = processes.runnable_seconds(pids) - waited
    service.gateway.check()
    if row["errors"] or row["ok"] != requests:
        raise RuntimeError(f"{side.name} failed: {row.get('first_error', 'it took too long')}")
    engine, gateway = (seconds * 1e6 / row["tokens"] for seconds in row.pop("cpu_s"))
    return row | {
        "side": side.name,
        "streams": streams,
        "engine_cpu_us_per_token": engine,
        "gateway_cpu_us_per_token": gateway,
        "tokens_per_answer": row["tokens"] / row["ok"],
        "starved": waited / row["seconds"],
    }


def progress(row: Row) -> str:
    return (
        f"{row['streams']} streams {row['side']}: {row['tokens_per_s']:.0f} tokens/s, "
        f"CPU us/token {row['engine_cpu_us_per_token']:.0f} in the engine, "
        f"{row['gateway_cpu_us_per_token']:.1f} in the gateway"
    )


def summarise(rows: Sequence[Row]) -> list[dict[str, Any]]:
    summary = []
    for streams in dict.fromkeys(row["streams"] for row in rows):
        direct, through = (
            [row for row in rows if (row["streams"], row["side"]) == (streams, side)]
            for side in ("direct", "penstock")
        )
        ratios = [
            b["tokens_per_s"] / a["tokens_per_s"] for a, b in zip(direct, through, strict=True)
        ]
        line: dict[str, Any] = {"streams": streams, "tokens_ratio": Spread.of(ratios)}
        for name, side in (("direct", direct), ("penstock", through)):
            line[name] = {
                figure: Spread.of(row[figure] for row in side)
                for figure in (
                    "tokens_per_s",
                    "engine_cpu_us_per_token",
                    "gateway_cpu_us_per_token",
                    "tokens_per_answer",
                    "starved",
                )
            }
        summary.append(line)
    return summary


def render(result: dict[str, Any]) -> str:
    tables = [_streams_table(line) for line in result["summary"]]
    settings = result["settings"]
    head = (
        f"{report.machine_line()}\n{settings['model'] or MODEL}, {settings['rounds']} pairs, "
        f"answers of {settings['tokens']} tokens; median (min-max)"
    )
    return "\n\n".join([head, *tables])


def _streams_table(line: dict[str, Any]) -> str:
    titles = {
        "tokens_per_s": ("tokens/s", 0),
        "engine_cpu_us_per_token": ("CPU us/token, engine", 0),
        "gateway_cpu_us_per_token": ("CPU us/token, gateway", 1),
        "tokens_per_answer": ("tokens per answer", 0),
        "starved": ("threads waiting for a CPU", 2),
    }
    rows = [[f"{line['streams']} at a time", "direct", "through Penstock"]]
    for figure, (title, digits) in titles.items():
        sides = [line[side][figure].show(digits) for side in ("direct", "penstock")]
        rows.append([title, *sides])
    rows.append(["tokens/s, Penstock / direct in the same pair", "", line["tokens_ratio"].show(3)])
    return report.table(rows)


if __name__ == "__main__":
    sys.exit(main())
