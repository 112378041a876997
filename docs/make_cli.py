"""Writes docs/cli.md from the commands' own --help. Run it after a change: python docs/make_cli.py

tests/test_docs.py fails while the page is not current.
"""

from collections.abc import Iterator
from pathlib import Path

import click

from penstock.cli.main import penstock

PAGE = Path(__file__).with_name("cli.md")
WIDTH = 96
HEAD = """\
# The command line

<!-- Made by docs/make_cli.py. Do not edit. -->

In a copy of the repository every command is called with `uv run` before it: `uv run penstock
serve`. `--json` gives machines what people get as a table.
"""


def commands(command: click.Command, parent: click.Context | None) -> Iterator[click.Context]:
    """A command and all below it, each as the context that its help is written in."""
    context = click.Context(
        command,
        info_name=command.name,
        parent=parent,
        terminal_width=WIDTH,
        help_option_names=["-h", "--help"],
    )
    yield context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, context)


def render() -> str:
    sections = [HEAD]
    for context in commands(penstock, None):
        title = f"## {context.command_path}"
        sections.append(f"{title}\n\n```text\n{context.get_help().rstrip()}\n```\n")
    return "\n".join(sections)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
