"""Tokens per second of a model through Penstock against its engine alone, in pairs of runs.

    uv run bench/engine.py
    uv run bench/engine.py --model ~/models/some.gguf --tokens 256
    uv run bench/engine.py --model ~/models/some-directory --vllm-python vllm-env/bin/python \\
        --loads 1,16,64,short

Both sides are the same process: the llama.cpp server or the vLLM that Penstock started, with the
same weights, slots, threads and cache. One run of a pair goes through the gateway, the other
straight to that server's unix socket. Both generate the same greedy answers, of full length: the
token that would end them is banned on both sides.
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
from command import Result, command
from first_token import MODEL
from load import Row, run_load
from options import among, between, parser_of, whole
from processes import Child, say
from report import Spread
from targets import KEY, start_penstock

LLAMA_CPP = "penstock.engines.workers.llama_cpp"
VLLM = "vllm_serve.py"
LIMIT_SECONDS = 120.0
#: vLLM alone takes a minute on a machine that has nothing else to do.
START_SECONDS = 900.0
SHORT_TOKENS = 4

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
class Load:
    """What is asked for: so many at a time, in streams or in one piece; `tokens` None: as set."""

    title: str
    connections: int
    stream: bool = True
    tokens: int | None = None


LOADS = {
    "1": Load("1 stream", 1),
    "16": Load("16 streams", 16),
    "64": Load("64 streams", 64),
    "short": Load(f"256 plain answers of {SHORT_TOKENS}", 256, stream=False, tokens=SHORT_TOKENS),
}


@dataclass(frozen=True)
class Side:
    """One of the two ways to the same engine."""

    name: str
    where: tuple[str, ...]
    extra: dict[str, Any]

    def bodies(self, model: str, tokens: int, stream: bool) -> list[str]:
        """One request for each topic; the load takes them in turn."""
        fixed = {"model": model, "max_tokens": tokens, "temperature": 0, **self.extra}
        if stream:
            fixed |= {"stream": True, "stream_options": {"include_usage": True}}
        return [
            json.dumps({**fixed, "messages": [{"role": "user", "content": f"Tell me of {topic}."}]})
            for topic in TOPICS
        ]


@dataclass(frozen=True)
class Service:
    """A gateway with one model, and the engine's processes under it.

    `http_pid` is the one of them that only speaks HTTP, where there is one.
    """

    gateway: Child
    engine_pids: tuple[int, ...]
    http_pid: int | None
    model: str
    sides: tuple[Side, Side]


def main(argv: Sequence[str] | None = None) -> int:
    command(parse(argv), measured, render)
    return 0


def measured(options: argparse.Namespace) -> Result:
    rows = run(options)
    return {"rows": rows, "summary": summarise(rows)}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = parser_of("engine", __doc__)
    add = parser.add_argument
    add("--model", help=f"what `penstock serve` takes ({MODEL}, which is bundled)")
    add("--rounds", type=whole(1, 100), default=15, help="pairs of runs (15)")
    add("--seconds", type=between(0.5, 60), default=2.0, help="about how long a run takes (2)")
    add("--loads", type=among(tuple(LOADS)), default=["1", "16"], help="of 1,16,64,short (1,16)")
    add("--vllm-python", help="the interpreter that has vLLM, for a model in safetensors")
    add("--tokens", type=whole(1, 100000), default=128, help="of each answer (128)")
    return parser.parse_args(argv)


def run(options: argparse.Namespace) -> list[Row]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-bench-")))
        service = open_service(stack, folder, options.model, options.vllm_python)
        rows: list[Row] = []
        for load in (LOADS[name] for name in options.loads):
            requests = calibrate(service, load, options)
            for number in range(options.rounds):
                sides = service.sides if number % 2 else service.sides[::-1]
                for side in sides:
                    row = measure(service, side, load, requests, options.tokens)
                    rows.append(row | {"round": number})
                    say(f"pair {number + 1}/{options.rounds} {progress(row)}")
        return rows


def open_service(
    stack: ExitStack, folder: Path, model: str | None, vllm_python: str | None
) -> Service:
    arguments = ["--vllm-python", vllm_python] if vllm_python else []
    gateway, port = start_penstock(folder, *arguments, *([model] if model else []))
    stack.enter_context(processes.running(gateway))
    processes.wait_ready(gateway, port, "/ready", START_SECONDS)
    return (over_vllm if vllm_python else over_llama_cpp)(gateway, port)


def over_vllm(gateway: Child, port: int) -> Service:
    http_pid, words = processes.worker(gateway, VLLM)
    socket, alias = (words[words.index(name) + 1] for name in ("--uds", "--served-model-name"))
    config = json.loads((Path(words[words.index("serve") + 1]) / "config.json").read_bytes())
    end = {"logit_bias": {str(config["eos_token_id"]): -100}}
    sides = (Side("direct", ("-u", socket), end), Side("penstock", ("-p", str(port)), end))
    engine_pids = tuple(set(gateway.pids()) - {gateway.pid, http_pid})
    return Service(gateway, engine_pids, http_pid, alias, sides)


def over_llama_cpp(gateway: Child, port: int) -> Service:
    pid, words = processes.worker(gateway, LLAMA_CPP)
    socket, alias = (words[words.index(name) + 1] for name in ("--socket", "--alias"))
    end = end_token(Path(words[words.index("--model") + 1]))
    # llama.cpp mishandles a connection that is used again right after a long stream; Penstock
    # opens a new one for each call, and so does the direct side.
    direct = Side("direct", ("-u", socket, "-1"), {**NEUTRAL_SAMPLING, "logit_bias": [[end, -100]]})
    through = Side("penstock", ("-p", str(port)), {"logit_bias": {str(end): -100}})
    return Service(gateway, (pid,), None, alias, (direct, through))


def end_token(path: Path) -> int:
    """The token that ends an answer, as the model's file says."""
    from penstock.engines.formats.gguf import read_metadata  # here: --help works without Penstock

    token = read_metadata(path).eos_token_id
    if token is None:
        raise RuntimeError(f"{path} does not say which token ends an answer")
    return int(token)


def calibrate(service: Service, load: Load, options: argparse.Namespace) -> int:
    """How many requests fill a run; doing so warms both sides up."""
    for side in service.sides:
        row = measure(service, side, load, load.connections, options.tokens)
    waves = max(1, round(float(options.seconds) / float(row["seconds"])))
    return load.connections * min(waves, 1000)


def measure(service: Service, side: Side, load: Load, requests: int, tokens: int) -> Row:
    """A fixed amount of work: its tokens by the engine's own count, divided by its time."""
    http_pids = [] if service.http_pid is None else [service.http_pid]
    pids = [service.gateway.pid, *http_pids, *service.engine_pids]
    waited = processes.runnable_seconds(pids)
    row = run_load(
        [
            *side.where,
            *(["-s"] if load.stream else []),
            "-c",
            str(load.connections),
            "-n",
            str(requests),
        ],
        side.bodies(service.model, load.tokens or tokens, load.stream),
        key=KEY,
        seconds=LIMIT_SECONDS,
        pids=pids,
    )
    waited = processes.runnable_seconds(pids) - waited
    service.gateway.check()
    if row["errors"] or row["ok"] != requests:
        raise RuntimeError(f"{side.name} failed: {row.get('first_error', 'it took too long')}")
    gateway, *others = (seconds * 1e6 for seconds in row.pop("cpu_s"))
    http = sum(others[: len(http_pids)])
    return row | {
        "side": side.name,
        "load": load.title,
        "engine_cpu_us_per_token": sum(others[len(http_pids) :]) / row["tokens"],
        "gateway_cpu_us_per_token": gateway / row["tokens"],
        "gateway_cpu_us_per_request": gateway / row["ok"],
        "http_cpu_us_per_request": http / row["ok"],
        "tokens_per_answer": row["tokens"] / row["ok"],
        "starved": waited / row["seconds"],
    }


def progress(row: Row) -> str:
    return (
        f"{row['load']} {row['side']}: {row['tokens_per_s']:.0f} tokens/s, "
        f"CPU us/token {row['engine_cpu_us_per_token']:.0f} in the engine, "
        f"{row['gateway_cpu_us_per_token']:.1f} in the gateway"
    )


def summarise(rows: Sequence[Row]) -> list[dict[str, Any]]:
    summary = []
    for title in dict.fromkeys(row["load"] for row in rows):
        direct, through = (
            [row for row in rows if (row["load"], row["side"]) == (title, side)]
            for side in ("direct", "penstock")
        )
        ratios = [
            b["tokens_per_s"] / a["tokens_per_s"] for a, b in zip(direct, through, strict=True)
        ]
        line: dict[str, Any] = {"load": title, "tokens_ratio": Spread.of(ratios)}
        for name, side in (("direct", direct), ("penstock", through)):
            line[name] = {
                figure: Spread.of(row[figure] for row in side)
                for figure in (
                    "tokens_per_s",
                    "engine_cpu_us_per_token",
                    "gateway_cpu_us_per_token",
                    "gateway_cpu_us_per_request",
                    "http_cpu_us_per_request",
                    "tokens_per_answer",
                    "starved",
                )
            }
        summary.append(line)
    return summary


def render(result: dict[str, Any]) -> str:
    tables = [_table(line) for line in result["summary"]]
    settings = result["settings"]
    head = (
        f"{report.machine_line()}\n{settings['model'] or MODEL}, {settings['rounds']} pairs, "
        f"answers of {settings['tokens']} tokens; median (min-max)"
    )
    return "\n\n".join([head, *tables])


def _table(line: dict[str, Any]) -> str:
    titles = {
        "tokens_per_s": ("tokens/s", 0),
        "engine_cpu_us_per_token": ("CPU us/token, engine", 0),
        "gateway_cpu_us_per_token": ("CPU us/token, gateway", 1),
        "gateway_cpu_us_per_request": ("CPU us/request, gateway", 0),
        "http_cpu_us_per_request": ("CPU us/request, the engine's own HTTP process", 0),
        "tokens_per_answer": ("tokens per answer", 0),
        "starved": ("threads waiting for a CPU", 2),
    }
    rows = [[line["load"], "direct", "through Penstock"]]
    for figure, (title, digits) in titles.items():
        sides = [line[side][figure].show(digits) for side in ("direct", "penstock")]
        rows.append([title, *sides])
    rows.append(["tokens/s, Penstock / direct in the same pair", "", line["tokens_ratio"].show(3)])
    return report.table(rows)


if __name__ == "__main__":
    sys.exit(main())
