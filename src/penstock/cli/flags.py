"""Settings as click options: one flag for each scalar setting, made from the struct."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from penstock.config.load import BadSettings, Loaded, load
from penstock.config.settings import Settings, description_of

F = TypeVar("F", bound=Callable[..., Any])

#: Settings that are no flag of the same name.
SPELLED_OTHERWISE = ("models", "auth")


def setting_flags(command: F) -> F:
    """All scalar settings, `--no-auth` and `--config`, in the order of the struct."""
    decorators = [
        click.option(
            "--config",
            "config_file",
            type=click.Path(path_type=Path),
            help="Configuration file. [default: ./penstock.toml, if there is one]",
        )
    ]
    for name in Settings.__struct_fields__:
        if name == "auth":
            decorators.append(
                click.option("--no-auth", is_flag=True, help="Serve without keys: loopback only.")
            )
        elif name not in SPELLED_OTHERWISE:
            decorators.append(_flag(name))
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


def _flag(name: str) -> Callable[[F], F]:
    default = getattr(Settings(), name)
    shown = "" if default in (None, "") else f" [default: {default}]"
    return click.option(
        f"--{name.replace('_', '-')}",
        name,
        metavar="VALUE",
        help=description_of(name) + shown,
    )


def load_settings(
    given: dict[str, Any], *, config_file: Path | None, no_auth: bool, sources: tuple[str, ...]
) -> Loaded:
    """The settings in force. Raises click.UsageError with the setting's name."""
    flags: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if no_auth:
        flags["auth"] = False
    if sources:
        flags["models"] = [{"source": source} for source in sources]
    try:
        return load(flags, file=config_file)
    except BadSettings as error:
        raise click.UsageError(str(error)) from None
