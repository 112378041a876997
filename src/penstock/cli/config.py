"""`penstock config`: every setting, its value, and where that came from."""

import json
from pathlib import Path
from typing import Any

import click
import msgspec

from penstock.cli.flags import load_settings, setting_flags
from penstock.cli.table import print_table
from penstock.config.load import home
from penstock.config.settings import description_of, without_password


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For machines, with descriptions.")
@setting_flags
def config(as_json: bool, config_file: Path | None, no_auth: bool, **given: Any) -> None:
    """Show every setting and where its value came from.

    Flags go before the environment, the environment before penstock.toml, that before the defaults.
    Takes the same flags as `penstock serve`, to try them out.
    """
    loaded = load_settings(given, config_file=config_file, no_auth=no_auth, sources=())
    values = msgspec.to_builtins(loaded.settings)
    values["database_url"] = without_password(loaded.settings.database_url)
    rows = [
        {"setting": name, "value": values[name], "from": loaded.origins[name]} for name in values
    ]
    if as_json:
        described = [row | {"description": description_of(row["setting"])} for row in rows]
        click.echo(json.dumps(described, indent=2))
        return
    for row in rows:
        if row["setting"] == "models":
            row["value"] = [model["source"] for model in row["value"]]
    print_table(rows, empty="")
    click.echo(f"\nState is kept in {home()} (PENSTOCK_HOME).")
    click.echo(f"Configuration file: {loaded.file or 'none'}")
