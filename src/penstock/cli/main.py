"""The `penstock` command: a table of commands, each imported when it is used."""

import importlib
import sys

import click

from penstock import __version__
from penstock.domain.errors import PenstockError

#: name -> (module:command, one line for the list). The line stands here so that the list is quick.
COMMANDS = {
    "serve": ("penstock.cli.serve:serve", "Serve models to any OpenAI client."),
    "chat": ("penstock.cli.chat:chat", "Talk to a model in the terminal."),
    "embed": ("penstock.cli.embed:embed", "Turn texts into vectors."),
    "draw": ("penstock.cli.draw:draw", "Draw a picture of a prompt."),
    "models": ("penstock.cli.models:models", "Show the models of the running server."),
    "deploy": (
        "penstock.cli.deploy:deploy",
        "Deploy models of your own, watch and change them.",
    ),
    "pull": ("penstock.cli.pull:pull", "Fetch a model from the hub, to serve it later."),
    "lora": ("penstock.cli.lora:lora", "Add, list and remove LoRA adapters."),
    "keys": ("penstock.cli.keys:keys", "Make, list and delete API keys."),
    "config": ("penstock.cli.config:config", "Show every setting and where it came from."),
    "doctor": (
        "penstock.cli.doctor:doctor",
        "Show what this machine has, and what would run a model.",
    ),
    "bench": ("penstock.cli.bench:bench", "Measure a server: tokens a second, time to first."),
    "conformance": (
        "penstock.cli.conformance:conformance",
        "Check how exactly any server speaks OpenAI's API.",
    ),
}

EPILOG = """\b
Examples:
  penstock serve                                  the bundled tiny models, offline
  penstock serve Qwen/Qwen3-0.6B-GGUF:Q8_0        a model of the hub
  penstock serve ./model.gguf embed=./bge-small   a file and a directory
  penstock chat                                   talk to it
"""


class CommandTable(click.Group):
    """A click group over COMMANDS."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(
    cls=CommandTable,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="penstock")
def penstock() -> None:
    """Penstock: a self-hosted inference cloud.

    Any OpenAI client, open models, your machines.
    """


def main() -> None:
    """The console script: a user's mistake is a sentence, never a stack trace."""
    try:
        status = penstock(standalone_mode=False)  # of what ended by Exit, else None
    except click.exceptions.Abort:
        click.echo("Aborted.", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except PenstockError as error:
        click.ClickException(error.message).show()
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(0)  # `penstock models | head`: nobody reads on
    sys.exit(status)
