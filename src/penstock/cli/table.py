"""Tables for people: columns as wide as they need, nothing for what is not known."""

from collections.abc import Sequence
from typing import Any

import click


def print_table(rows: Sequence[dict[str, Any]], *, empty: str) -> None:
    """The rows under their keys; `empty` when there is none."""
    if not rows:
        click.echo(empty)
        return
    names = list(rows[0])
    cells = [[_cell(row[name]) for name in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    for line in [[name.upper() for name in names], *cells]:
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "-"
    return str(value)
