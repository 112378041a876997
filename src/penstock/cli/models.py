"""`penstock models`: what is served, what it costs, and what has been fetched."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any, get_args
from urllib.parse import quote

import click

from penstock.cli.flags import load_settings
from penstock.cli.remote import connected, or_of_group, server_flags
from penstock.cli.table import print_table
from penstock.config.load import home
from penstock.domain.price import Price, Unit

EPILOG = """\b
Examples:
  penstock models                                       what is served
  penstock models show penstock/tiny-chat               one model: versions, prices, input format
  penstock models set mine --price input_token=0.05     what a million cost, in US dollars
  penstock models set old --deprecated 2027-01-31 --replaced-by new
"""


@click.group(invoke_without_command=True, epilog=EPILOG)
@click.option("--cached", is_flag=True, help="Show what has been fetched from the hub instead.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@server_flags
@click.pass_context
def models(context: click.Context, cached: bool, as_json: bool, url: str, key: str | None) -> None:
    """Show the models of the running server, and what each can do."""
    if context.invoked_subcommand is not None:
        return
    rows = _cached() if cached else asyncio.run(_served(url, key))
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        print_table(rows, empty="Nothing has been fetched yet." if cached else "No models.")


@models.command()
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, callback=or_of_group, help="For machines.")
@server_flags
def show(model: str, as_json: bool, url: str, key: str | None) -> None:
    """Show all of MODEL: its versions, prices, state, and the input format of raw prompts."""
    info, versions = asyncio.run(_one(url, key, model))
    if as_json:
        click.echo(json.dumps({**info, "versions": versions}, indent=2))
        return
    meta = info["meta"]
    told = {
        "model": info["model_name"],
        "aliases": ", ".join(meta["aliases"]),
        "type": info["type"],
        "state": meta["state"],
        "engine": meta["engine"],
        "description": info["description"],
        "licence": meta["licence"],
        "tags": ", ".join(info["tags"]),
        "context": info["max_tokens"],
        "price": info["pricing"]["short"],
        "deployment": meta["deploy_id"],
        "deprecated": _date(info["deprecated"]),
        "replaced by": info["replaced_by"],
    }
    for name, value in told.items():
        if value:
            click.echo(f"{name:<14} {value}")
    for version in versions:
        current = "  (current)" if version["version"] == info["version"] else ""
        click.echo(f"{'version':<14} {version['version']}  {version['uploaded_at'][:16]}{current}")
    if meta["input_format"]:
        click.echo(f"\nInput format of raw prompts:\n\n{meta['input_format']}")


@models.command("set")
@click.argument("model")
@click.option("--price", "prices", multiple=True, metavar="UNIT=USD",
              help=f"Dollars for a million of {', '.join(get_args(Unit))}.")  # fmt: skip
@click.option("--alias", "aliases", multiple=True, help="Another name for it.")
@click.option("--description", help="What it is.")
@click.option("--licence", help="A name as of spdx.org, or an address.")
@click.option("--tag", "tags", multiple=True, help="A word to find it by.")
@click.option("--family", help="The family it is listed in.")
@click.option("--featured/--not-featured", default=None, help="Whether it is listed among those.")
@click.option("--deprecated", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE",
              help="The day (UTC) from which its successor answers.")  # fmt: skip
@click.option("--replaced-by", metavar="MODEL", help="Its successor.")
def set_(
    model: str, prices: tuple[str, ...], deprecated: datetime | None, replaced_by: str | None,
    **said: Any,
) -> None:  # fmt: skip
    """Set what the catalogue tells of MODEL, on the server's own machine.

    What is given replaces what was (all prices, all aliases, all tags at once); the rest stays. A
    running server takes it up within a second. What penstock.toml says holds again at the next
    start.
    """
    from penstock.domain.errors import Conflict, NotFound
    from penstock.store.database import CannotOpenDatabase
    from penstock.store.home import CannotOpenHome, open_stores

    fields = {name: value for name, value in said.items() if value not in (None, ())}
    if prices:
        fields["prices"] = tuple(map(_price, prices))
    if not fields and deprecated is None and replaced_by is None:
        raise click.UsageError("There is nothing to set: see --help.")
    settings = load_settings({}, config_file=None, no_auth=False, sources=()).settings
    try:
        catalogue = open_stores(home(), settings.database_url).catalogue
        if fields:
            catalogue.change(model, **fields)
        if deprecated is not None or replaced_by is not None:
            at = deprecated.replace(tzinfo=UTC) if deprecated is not None else None
            catalogue.deprecate(model, replaced_by=replaced_by, at=at)
    except (CannotOpenHome, CannotOpenDatabase) as error:
        raise click.ClickException(str(error)) from None
    except (Conflict, NotFound) as error:
        raise click.ClickException(error.message) from None
    click.echo(f"Set. See it: penstock models show {model}")


def _price(text: str) -> Price:
    unit, _, usd = text.partition("=")
    try:
        if unit not in get_args(Unit) or not 0 <= float(usd) <= 1e6:
            raise ValueError
    except ValueError:
        raise click.UsageError(
            f"{text!r} is no price. Write UNIT=USD, such as input_token=0.05; units: "
            f"{', '.join(get_args(Unit))}."
        ) from None
    return Price.of(unit, float(usd))  # type: ignore[arg-type]


def _date(unix: int | None) -> str | None:
    return None if unix is None else f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d}"


async def _one(url: str, key: str | None, model: str) -> tuple[dict[str, Any], list[Any]]:
    async with connected(url, key) as server:
        there = f"/models/{quote(model, safe='/')}"
        return await server.ask("GET", there), await server.ask("GET", f"{there}/versions")


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
            "prices": _prices(model),
        }
        for model in found
    ]


def _prices(model: dict[str, Any]) -> list[str] | None:
    """As "$0.05/M input_tokens"; None for a server of another kind."""
    pricing = (model.get("metadata") or {}).get("pricing") or {}
    millions = ("input_tokens", "output_tokens", "cache_read_tokens", "input_characters")
    return [f"${usd:g}{'/M' if name in millions else ''} {name}" for name, usd in pricing.items()]


def _cached() -> list[dict[str, Any]]:
    from penstock.control.hub_cache import cached

    return [
        {"model": str(item.reference), "size_bytes": item.size_bytes, "path": str(item.path)}
        for item in cached(home() / "weights")
    ]
