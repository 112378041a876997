"""Weights of this machine, where the server may serve them from."""

import os
from pathlib import Path

import click

from penstock.config.load import home
from penstock.domain.source import GgufFile, ModelDirectory


def link_to(name: str, source: GgufFile | ModelDirectory) -> str:
    """Links in the models directory of the home: only who runs the server can make them.

    What the server calls the weights then.
    """
    if Path(name).name != name or name.startswith("."):
        raise click.ClickException(f"{name!r} cannot be the name of a model.")
    models = home() / "models"
    parts = source.parts if isinstance(source, GgufFile) else (source.path,)
    for part in parts:
        if not part.exists():
            raise click.ClickException(f"{part} does not exist.")
    try:
        if isinstance(source, ModelDirectory):
            _put_link(models / name, source.path)
            return name
        for part in parts:
            _put_link(models / name / part.name, part)
    except OSError as error:
        raise click.ClickException(
            f"Cannot put a link into {models}: {error.strerror}. Only who runs the server can "
            "deploy from a path."
        ) from None
    return f"{name}/{parts[0].name}"


def _put_link(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink():
        link.unlink()
    os.symlink(target.resolve(), link)
