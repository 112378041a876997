"""`penstock models`: what is served, and what has been fetched."""

import asyncio
import json
from typing import Any

import click

from penstock.cli.remote import connected, server_flags
from penstock.cli.table import print_table
from penstock.config.load import home


@click.command()
@click.option("--cached", is_flag=True, help="Show what has been fetched from the hub instead.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@server_flags
def models(cached: bool, as_json: bool, url: str, key: str | None) -> None:
    """Show the models of the running server, and what each can do."""
    rows = _cached() if cached else asyncio.run(_served(url, key))
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        print_table(rows, empty="Nothing has been fetched yet." if cached else "No models.")


async def _served(url: str, key: str | None) -> list[dict[str, Any]]:
    async with connected(url, key) as server:
        found = (await server.get("/models"))["data"]
    return [
        {
            "model": model["id"],
            "state": model.get("penstock", {}).get("state"),
            "engine": model.get("penstock", {}).get("engine"),
            "tasks": model.get("penstock", {}).get("tasks"),
            "context": model.get("penstock", {}).get("context_length"),
        }
        for model in found
    ]


def _cached() -> list[dict[str, Any]]:
    from penstock.control.weights import cached

    return [
        {"model": str(item.reference), "size_bytes": item.size_bytes, "path": str(item.path)}
        for item in cached(home() / "weights")
    ]
