"""`penstock doctor`: what this machine has, what is wrong, and what would run a model."""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from penstock.cli.flags import load_settings
from penstock.config.load import home
from penstock.config.settings import ModelSettings
from penstock.domain.source import BUNDLED_NAMES

if TYPE_CHECKING:
    from penstock.control.doctor import Finding
    from penstock.control.forecast import Forecast

MARKS = {"ok": "+", "note": "-", "bad": "x"}
WIDTH = 100
INDENT = " " * 15


@click.command()
@click.argument("models", metavar="[MODEL]...", nargs=-1)
@click.option("--online", is_flag=True, help="Ask the model hub too.")
@click.option("--json", "as_json", is_flag=True, help="For machines: all figures, in bytes.")
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="Configuration file. [default: ./penstock.toml, if there is one]",
)
def doctor(models: tuple[str, ...], online: bool, as_json: bool, config_file: Path | None) -> None:
    """Show what this machine has for serving models, and what is wrong with it.

    Then, for each MODEL as `penstock serve` takes it, what would run it and why, with the
    arithmetic; without MODEL, for what `penstock serve` would serve. Nothing is started and nobody
    is asked anything, unless --online. The exit status is 1 when something is bad (x): it has to be
    mended before models are served.
    """
    from penstock.control.doctor import findings
    from penstock.control.forecast import forecasts
    from penstock.control.survey import examine

    loaded = load_settings({}, config_file=config_file, no_auth=False, sources=models)
    settings = loaded.settings
    chosen = settings.models or tuple(ModelSettings(source=name) for name in BUNDLED_NAMES)
    facts = examine(settings, home=home(), config_file=loaded.file, online=online)
    found = findings(facts)
    plans = list(
        forecasts(
            chosen,
            settings,
            cache_dir=home() / "weights",
            free_bytes=facts.memory.free_bytes,
            online=online,
        )
    )
    healthy = all(each.verdict != "bad" for each in found) and not any(p.problem for p in plans)
    if as_json:
        report = {"healthy": healthy, "facts": facts, "findings": found, "models": plans}
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=2))
    else:
        for finding in found:
            _show(finding)
        click.echo()
        for plan in plans:
            _show_plan(plan)
    click.get_current_context().exit(0 if healthy else 1)


def _show(finding: "Finding") -> None:
    _line(MARKS[finding.verdict], finding.what, finding.found)
    if finding.advice:
        _line("", "", finding.advice)


def _show_plan(plan: "Forecast") -> None:
    if plan.problem is not None:
        _line(MARKS["bad"], "model", f"{plan.model} cannot be served. {plan.problem}")
        return
    if plan.engine is None:
        _line(MARKS["note"], "model", plan.model)
    else:
        _line(MARKS["ok"], "model", f"{plan.model}: {plan.engine}, {plan.slots} calls at a time")
    for reason in plan.reasons:
        _line("", "", reason)


def _line(mark: str, what: str, text: str) -> None:
    """A mark, a word, and a text that may go on in lines of its own."""
    click.echo(
        textwrap.fill(
            text,
            width=WIDTH,
            initial_indent=f"{mark:1} {what:12} ",
            subsequent_indent=INDENT,
            break_on_hyphens=False,
            break_long_words=False,
        )
    )
