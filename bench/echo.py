"""What the log-probabilities of a prompt cost its engine, against generating as many tokens.

    uv run bench/echo.py
    uv run bench/echo.py --model ~/models/some.gguf --tokens 500

`echo` with `logprobs` is how evaluation tools score texts. Each pair of runs asks a completion for
both: the log-probabilities of a text's tokens (`max_tokens` 0), and as many new tokens with theirs.
"""

import argparse
import json
import sys
import tempfile
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import processes
import report
from command import Result, command
from engine import end_token
from first_token import MODEL
from options import parser_of, whole
from processes import say
from report import Spread
from targets import KEY, LLAMA_CPP, start_penstock

LIMIT_SECONDS = 300.0
WORDS = (
    "the", "a", "one", "some", "this", "river", "house", "night", "garden", "letter", "market",
    "clock", "island", "train", "old", "small", "first", "quiet", "long", "green", "comes", "goes",
    "finds", "makes", "brings", "under", "over", "beside", "after", "before", "and", "but",
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    command(parse(argv), measured, render)
    return 0


def measured(options: argparse.Namespace) -> Result:
    pairs = run(options)
    return {
        "echo_cpu_s": Spread.of(echo for echo, _ in pairs),
        "generation_cpu_s": Spread.of(made for _, made in pairs),
        "ratio": Spread.of(echo / made for echo, made in pairs),
    }


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = parser_of("echo", __doc__)
    add = parser.add_argument
    add("--model", help=f"what `penstock serve` takes ({MODEL}, which is bundled)")
    add("--rounds", type=whole(1, 100), default=5, help="pairs of runs (5)")
    add("--words", type=whole(10, 5000), default=400, help="of the text (400)")
    return parser.parse_args(argv)


def run(options: argparse.Namespace) -> list[tuple[float, float]]:
    """CPU seconds of the engine for each pair: the echo's and the generation's."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-bench-")))
        gateway, port = start_penstock(folder, *([options.model] if options.model else []))
        stack.enter_context(processes.running(gateway))
        processes.wait_ready(gateway, port, "/ready", LIMIT_SECONDS)
        pid, words = processes.worker(gateway, LLAMA_CPP)
        model = words[words.index("--alias") + 1]
        end = end_token(Path(words[words.index("--model") + 1]))
        pairs = []
        for number in range(options.rounds):
            # Another text each round, so that nothing of it is in the cache.
            words = Random(number).choices(WORDS, k=options.words)
            asked = {"model": model, "prompt": " ".join(words), "logprobs": 1}
            echo = cost(port, pid, {**asked, "max_tokens": 0, "echo": True})
            made = cost(
                port,
                pid,
                {
                    **asked,
                    "prompt": words[0],
                    "max_tokens": echo.tokens,
                    "temperature": 0,
                    "logit_bias": {str(end): -100},
                },
            )
            if made.tokens != echo.tokens:
                raise RuntimeError(f"{made.tokens} tokens were made instead of {echo.tokens}")
            say(
                f"pair {number + 1}/{options.rounds}: {echo.tokens} tokens, "
                f"echo {echo.cpu_s:.2f} s, made {made.cpu_s:.2f} s"
            )
            pairs.append((echo.cpu_s, made.cpu_s))
        return pairs


@dataclass(frozen=True)
class Cost:
    """What one completion cost the engine; `tokens` are those with log-probabilities."""

    tokens: int
    cpu_s: float


def cost(port: int, pid: int, body: dict[str, Any]) -> Cost:
    """Ask for a completion, and look at the CPU clock of process `pid` around it."""
    before = processes.cpu_seconds([pid])
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/completions",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=LIMIT_SECONDS) as answer:
        (choice,) = json.load(answer)["choices"]
    return Cost(len(choice["logprobs"]["tokens"]), processes.cpu_seconds([pid]) - before)


def render(result: dict[str, Any]) -> str:
    settings = result["settings"]
    rows = [
        [f"{settings['words']} words", ""],
        ["echo with logprobs: CPU s of the engine", result["echo_cpu_s"].show(2)],
        ["generated: CPU s of the engine", result["generation_cpu_s"].show(2)],
        ["echo / generated in the same pair", result["ratio"].show(2)],
    ]
    head = f"{report.machine_line()}\n{settings['model'] or MODEL}, {settings['rounds']} pairs"
    return f"{head}; median (min-max)\n\n{report.table(rows)}"


if __name__ == "__main__":
    sys.exit(main())
