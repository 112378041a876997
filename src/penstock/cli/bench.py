"""`penstock bench`: how fast a server answers, measured as a client sees it."""

import asyncio
import json
import statistics
import sys
import time
from contextlib import aclosing
from typing import Any

import click
import msgspec
from click.termui import progressbar

from penstock.cli.remote import RemoteServer, connected, first_model, server_flags

PROMPT = "Tell me a story about a river, a mill and a patient engineer."
AT_LEAST_ONE = click.IntRange(min=1)


class Run(msgspec.Struct):
    """One streamed answer."""

    first_token_s: float
    whole_s: float
    tokens: int


@click.command()
@click.argument("model", required=False)
@click.option("--streams", "-c", type=AT_LEAST_ONE, default=8, show_default=True,
              help="Answers at the same time.")  # fmt: skip
@click.option("--requests", "-n", type=AT_LEAST_ONE, default=32, show_default=True,
              help="Answers in all.")  # fmt: skip
@click.option("--max-tokens", type=AT_LEAST_ONE, default=64, show_default=True,
              help="Length of each, in tokens.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@server_flags
def bench(
    model: str | None,
    streams: int,
    requests: int,
    max_tokens: int,
    as_json: bool,
    url: str,
    key: str | None,
) -> None:
    """Measure a server with streamed chats to MODEL.

    Prints tokens a second over all streams, and how long the first token and the whole answer took
    (median and 95th percentile). What the gateway itself costs is measured by bench/run.py.
    """
    result = asyncio.run(_bench(model, streams, requests, max_tokens, url, key))
    if as_json:
        click.echo(json.dumps(result))
        return
    for name, value in result.items():
        click.echo(f"{name.replace('_', ' '):28} {value}")


async def _bench(
    model: str | None, streams: int, requests: int, max_tokens: int, url: str, key: str | None
) -> dict[str, Any]:
    async with connected(url, key) as server:
        model = model or await first_model(server, "chat")
        body = {
            "model": model,
            "stream": True,
            "max_tokens": max_tokens,
            "messages": [{"role": "user", "content": PROMPT}],
        }
        runs: list[Run] = []
        left = iter(range(requests))
        began_s = time.perf_counter()
        progress: Any = progressbar(length=requests, label=model, file=sys.stderr)
        with progress as bar:

            async def work() -> None:
                for _ in left:
                    runs.append(await _one(server, body))
                    bar.update(1)

            await asyncio.gather(*(work() for _ in range(min(streams, requests))))
        took_s = time.perf_counter() - began_s
    tokens = sum(run.tokens for run in runs)
    return {
        "model": model,
        "streams": streams,
        "requests": requests,
        "tokens": tokens,
        "tokens_per_second": round(tokens / took_s, 1),
        "first_token_s_median": round(statistics.median(r.first_token_s for r in runs), 4),
        "first_token_s_p95": round(_p95([r.first_token_s for r in runs]), 4),
        "whole_answer_s_median": round(statistics.median(r.whole_s for r in runs), 4),
        "whole_answer_s_p95": round(_p95([r.whole_s for r in runs]), 4),
    }


async def _one(server: RemoteServer, body: dict[str, Any]) -> Run:
    began_s = time.perf_counter()
    first_s: float | None = None
    tokens = 0
    async with aclosing(server.stream("/chat/completions", body)) as events:
        async for event in events:
            for choice in event["choices"]:
                if first_s is None and choice["delta"].get("content"):
                    first_s = time.perf_counter()
            if usage := event.get("usage"):
                tokens = usage["completion_tokens"]
    end_s = time.perf_counter()
    return Run((first_s or end_s) - began_s, end_s - began_s, tokens)


def _p95(values: list[float]) -> float:
    return sorted(values)[max(0, round(0.95 * len(values)) - 1)]
