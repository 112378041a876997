"""Weights of this machine, where the server may serve them from."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import click

from penstock.config.load import home
from penstock.domain.source import GgufFile, ModelDirectory


def link_to(name: str, source: GgufFile | ModelDirectory) -> str:
    """Links in the models directory of the home: only who runs the server can make them.

    What the server calls the weights then. A link never leads elsewhere than it did, since a model
    may run from it: what lies at another path has other links.
    """
    if Path(name).name != name or name.startswith("."):
        raise click.ClickException(f"{name!r} cannot be the name of a model.")
    models = home() / "models"
    parts = source.parts if isinstance(source, GgufFile) else (source.path,)
    for part in parts:
        if not part.exists():
            raise click.ClickException(f"{part} does not exist.")
    place = f"{name}-{_mark(parts)}"
    try:
        if isinstance(source, ModelDirectory):
            _put_link(models / place, source.path)
            return place
        for part in parts:
            _put_link(models / place / part.name, part)
    except OSError as error:
        raise click.ClickException(
            f"Cannot put a link into {models}: {error.strerror}. Only who runs the server can "
            "deploy from a path."
        ) from None
    return f"{place}/{parts[0].name}"


def _mark(paths: Sequence[Path]) -> str:
    """Eight digits that belong to these paths and to no others."""
    whole = "\0".join(str(path.resolve()) for path in paths)
    return hashlib.sha256(whole.encode()).hexdigest()[:8]


def _put_link(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        os.symlink(target.resolve(), link)
