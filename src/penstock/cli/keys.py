"""`penstock keys`: make, list and delete API keys, whether or not the server runs."""

import json
from typing import TYPE_CHECKING

import click

from penstock.cli.flags import load_settings
from penstock.cli.table import print_table
from penstock.config.load import home
from penstock.domain.key import ACCOUNT_NAME, OPERATOR, Key

if TYPE_CHECKING:
    from penstock.store.keys import KeyStore


MOST_NAME_CHARACTERS = 128


@click.group(no_args_is_help=True)
def keys() -> None:
    """Make, list and delete API keys.

    A key is shown once, when it is made; only its HMAC is stored. A running server takes up changes
    within a second.
    """


@keys.command()
@click.argument("name")
@click.option(
    "--account",
    default=OPERATOR,
    show_default=True,
    help="Whose key it is. A new name makes an account, which sees its own deployments "
    "and no one else's; that of the default one is who runs the server.",
)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def create(name: str, account: str, as_json: bool) -> None:
    """Make a key called NAME and print it, this once."""
    from penstock.domain.errors import Conflict

    if not 0 < len(name) <= MOST_NAME_CHARACTERS or not name.isprintable():
        raise click.BadParameter(
            f"A name has 1 to {MOST_NAME_CHARACTERS} characters that can be seen.",
            param_hint="NAME",
        )
    if not ACCOUNT_NAME.fullmatch(account):
        raise click.BadParameter(
            f"{account[:80]!r} cannot be the name of an account: letters, digits, '.', '_' and "
            "'-', at most 63, beginning with a letter or a digit, and not 'penstock'.",
            param_hint="--account",
        )
    try:
        key, secret = _store().create(name, account=account)
    except Conflict as error:
        raise click.ClickException(f"{error} `penstock keys list` shows them.") from None
    if as_json:
        click.echo(json.dumps({**_row(key), "key": secret}))
    else:
        click.echo(f"{secret}\n\nThis is the only time it is shown.", nl=True)


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def list_keys(as_json: bool) -> None:
    """List the keys: name, account, last characters, age."""
    rows = [_row(key) for key in _store().all()]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        print_table(rows, empty="There is no key. Make one: penstock keys create NAME")


@keys.command()
@click.argument("name")
@click.confirmation_option("--yes", "-y", prompt="Clients with this key will be refused. Delete?")
def delete(name: str) -> None:
    """Delete the key called NAME: it is refused from then on."""
    if not _store().delete(name):
        raise click.ClickException(
            f"There is no key called {name!r}. `penstock keys list` shows them."
        )
    click.echo(f"Deleted {name}.")


def _store() -> "KeyStore":
    from penstock.store.database import CannotOpenDatabase
    from penstock.store.home import CannotOpenHome, open_stores

    settings = load_settings({}, config_file=None, no_auth=False, sources=()).settings
    try:
        return open_stores(home(), settings.database_url).keys
    except (CannotOpenHome, CannotOpenDatabase) as error:
        raise click.ClickException(str(error)) from None


def _row(key: Key) -> dict[str, str]:
    return {
        "name": key.name,
        "account": key.account,
        "hint": key.hint,
        "created": f"{key.created_at:%Y-%m-%d %H:%M}",
        "id": key.id,
    }
