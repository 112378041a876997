"""`penstock lora`: adapters of the models that a running server has."""

import asyncio
import json
from typing import Any
from urllib.parse import quote

import click

from penstock.cli.links import link_to
from penstock.cli.remote import connected, server_flags
from penstock.cli.table import print_table
from penstock.domain.source import (
    BadSource,
    GgufFile,
    HubReference,
    ModelDirectory,
    parse_source,
)


@click.group(no_args_is_help=True)
def lora() -> None:
    """Add, list and remove LoRA adapters of the models that the running server has.

    An adapter becomes a model of its own name, computed by the replicas of its base.
    """


@lora.command()
@click.argument("name")
@click.argument("source")
@click.option("--base", help="The model that it changes. [default: what it names itself]")
@server_flags
def add(name: str, source: str, base: str | None, url: str, key: str | None) -> None:
    """Add the adapter at SOURCE as a model called NAME.

    SOURCE is a .gguf file, a directory that PEFT saved (./adapter), or a repository of the hub.
    """
    body = {"lora_model_name": name, **_place(name, source)}
    if base is not None:
        body["base_model_name"] = base
    added = asyncio.run(_add(url, key, body))
    click.echo(f"{added['model_name']} is {added['status']}.")


@lora.command("list")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@server_flags
def list_adapters(as_json: bool, url: str, key: str | None) -> None:
    """List your adapters, and how far each has come."""
    rows = asyncio.run(_list(url, key))
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        print_table(rows, empty="There is no adapter. Add one: penstock lora add NAME SOURCE")


@lora.command()
@click.argument("name")
@server_flags
def remove(name: str, url: str, key: str | None) -> None:
    """Remove the adapter called NAME; its files stay."""
    asyncio.run(_delete(url, key, name))
    click.echo(f"Removed {name}.")


def _place(name: str, source: str) -> dict[str, str]:
    try:
        parsed = parse_source(f"adapter={source}").source
    except BadSource as error:
        raise click.ClickException(str(error)) from None
    match parsed:
        case HubReference():
            return {"hf_model_name": str(parsed)}
        case GgufFile() | ModelDirectory():
            return {"path": link_to(name.rpartition("/")[2], parsed)}
        case _:
            raise click.ClickException(f"{source} is no adapter.")


async def _add(url: str, key: str | None, body: dict[str, str]) -> Any:
    async with connected(url, key) as server:
        return await server.ask("POST", "/lora-model", body)


async def _list(url: str, key: str | None) -> list[dict[str, Any]]:
    async with connected(url, key) as server:
        found = await server.ask("GET", "/lora-model")
    return [
        {
            "model": adapter["model_name"],
            "status": adapter["status"],
            "replicas": adapter["instances"]["running"],
            "source": adapter["penstock"]["source"],
        }
        for adapter in found
    ]


async def _delete(url: str, key: str | None, name: str) -> None:
    async with connected(url, key) as server:
        await server.ask("DELETE", f"/lora-model/{quote(name)}")
