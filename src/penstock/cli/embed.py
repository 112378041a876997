"""`penstock embed`: texts in, vectors out."""

import asyncio
import json
import sys

import click

from penstock.cli.remote import connected, first_model, server_flags


@click.command()
@click.argument("texts", metavar="[TEXT]...", nargs=-1)
@click.option("--model", "-m", help="Model. [default: the server's first one that embeds]")
@click.option("--json", "as_json", is_flag=True, help="Whole vectors, as JSON.")
@server_flags
def embed(
    texts: tuple[str, ...], model: str | None, as_json: bool, url: str, key: str | None
) -> None:
    """Turn TEXTs (or the lines of standard input) into vectors.

    For people it shows how alike the texts are, the cosine of each pair; with --json the vectors.
    """
    lines = list(texts) or [line.rstrip("\n") for line in sys.stdin if line.strip()]
    if not lines:
        raise click.UsageError("Give a text, or lines on standard input.")
    vectors = asyncio.run(_embed(lines, model, url, key))
    if as_json:
        click.echo(
            json.dumps([{"text": t, "embedding": v} for t, v in zip(lines, vectors, strict=True)])
        )
        return
    for text, vector in zip(lines, vectors, strict=True):
        likeness = " ".join(f"{_dot(vector, other):5.2f}" for other in vectors)
        click.echo(f"{likeness}   {text[:60]}")
    click.echo(f"\n{len(vectors[0])} dimensions; the numbers are cosines, text by text.")


async def _embed(
    texts: list[str], model: str | None, url: str, key: str | None
) -> list[list[float]]:
    async with connected(url, key) as server:
        body = {"model": model or await first_model(server, "embeddings"), "input": texts}
        answer = await server.post("/embeddings", body)
    return [item["embedding"] for item in answer["data"]]


def _dot(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))
