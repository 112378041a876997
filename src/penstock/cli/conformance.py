"""`penstock conformance`: how exactly a server speaks OpenAI's API."""

import importlib.metadata
import importlib.util
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.termui import progressbar

from penstock import __version__
from penstock.cli.table import print_table
from penstock.conformance.catalogue import SECTIONS
from penstock.conformance.check import Failed, Result
from penstock.conformance.examine import examine, find_models
from penstock.conformance.subject import ModelNames, Subject
from penstock.conformance.wire import Origin

if TYPE_CHECKING:
    from penstock.conformance.check import Outcome

NEEDED = ("openai", "jsonschema")
OUTCOMES: "tuple[Outcome, ...]" = ("passed", "failed", "skipped")


@click.command()
@click.argument("base_url")
@click.option("--key", envvar="PENSTOCK_API_KEY", help="API key, where the server asks for one.")
@click.option("--model", "-m", help="Model that chats. [default: the first listed that does]")
@click.option("--embedding-model", help="Model that embeds. [default: the first listed that does]")
@click.option("--image-model", help="Model that draws. [default: the first listed that does]")
@click.option(
    "--section",
    "-s",
    "sections",
    multiple=True,
    type=click.Choice(list(SECTIONS)),
    help="Only this section; may be given several times. [default: all]",
)
@click.option(
    "--timeout-s", default=60.0, show_default=True, help="How long an answer may take, in seconds."
)
@click.option(
    "--extra",
    metavar="JSON",
    default="{}",
    help="An object whose fields go into every chat: what this server needs beyond OpenAI's.",
)
@click.option("--rules", is_flag=True, help="Show what is checked, and by which rule; run nothing.")
@click.option("--json", "as_json", is_flag=True, help="For machines: every check with its rule.")
def conformance(
    base_url: str,
    key: str | None,
    model: str | None,
    embedding_model: str | None,
    image_model: str | None,
    sections: tuple[str, ...],
    timeout_s: float,
    extra: str,
    rules: bool,
    as_json: bool,
) -> None:
    """Check how exactly the server at BASE_URL speaks OpenAI's API.

    BASE_URL is what a client gets as base_url, with its /v1. Any server will do. The checks send
    some hundred short requests, by the official client and as raw HTTP, and judge by OpenAI's
    published schemas, its documentation and the RFCs of HTTP. The section deepinfra is beyond
    OpenAI's API. What a server has no model for is skipped. Ends with status 1 when a check failed.
    """
    names = sections or tuple(SECTIONS)
    if rules:
        _print_rules(names)
        return
    _need_packages()
    given = ModelNames(chat=model, embeddings=embedding_model, images=image_model)
    with _subject(base_url, key, given, timeout_s, _fields(extra)) as subject:
        server = subject.get("/models").headers.get("server")
        results = list(_with_progress(examine(subject, names), names))
    if as_json:
        click.echo(json.dumps(report(subject, server, results), indent=1, ensure_ascii=False))
    else:
        _print(results)
    if any(result.outcome == "failed" for result in results):
        sys.exit(1)


def report(subject: Subject, server: str | None, results: Sequence[Result]) -> dict[str, Any]:
    """The results for machines: a server, its models, and each check by section.

    `server` is what it calls itself, in the header of that name.
    """
    return {
        "base_url": subject.origin.url,
        "server": server,
        "models": {kind: getattr(subject.models, kind) for kind in ModelNames.__annotations__},
        "checked_with": {
            "penstock": __version__,
            **{name: importlib.metadata.version(name) for name in NEEDED},
        },
        "counts": _counts(results),
        "checks": [
            {
                "section": result.section,
                "name": result.check.name,
                "outcome": result.outcome,
                "reason": result.reason,
                "rule": result.check.rule,
                "source": result.check.source,
                "took_s": round(result.took_s, 3),
            }
            for result in results
        ],
    }


def _need_packages() -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise click.ClickException(
            f"This command needs {' and '.join(missing)}: pip install 'penstock[conformance]'"
        )


def _fields(extra: str) -> dict[str, Any]:
    try:
        fields = json.loads(extra)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise click.UsageError("--extra is no JSON object.")
    return fields


def _subject(
    base_url: str, key: str | None, given: ModelNames, timeout_s: float, extra: dict[str, Any]
) -> Subject:
    """The server, with the models that are looked at. Raises click's errors."""
    try:
        origin = Origin.parse(base_url)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    subject = Subject(origin, key=key, models=given, timeout_s=timeout_s, extra=extra)
    try:
        models = find_models(subject, given)
    except Failed as failed:
        raise click.ClickException(f"{origin.url}: {failed}.") from None
    return Subject(origin, key=key, models=models, timeout_s=timeout_s, extra=extra)


def _with_progress(results: Iterable[Result], names: Iterable[str]) -> Iterator[Result]:
    length = sum(len(SECTIONS[name]) for name in names)
    progress: Any = progressbar(
        length=length,
        label="checks",
        file=sys.stderr,
        item_show_func=lambda result: f"{result.section} {result.check.name}" if result else None,
    )
    with progress as bar:
        for result in results:
            bar.update(1, result)
            yield result


def _counts(results: Iterable[Result]) -> dict[str, int]:
    found = Counter(result.outcome for result in results)
    return {outcome: found[outcome] for outcome in OUTCOMES}


def _print(results: Sequence[Result]) -> None:
    names = list(dict.fromkeys(result.section for result in results))
    rows = [{"section": name, **_counts(r for r in results if r.section == name)} for name in names]
    print_table([*rows, {"section": "all", **_counts(results)}], empty="There are no checks.")
    for outcome in ("failed", "skipped"):
        chosen = [result for result in results if result.outcome == outcome]
        if chosen:
            click.echo(f"\n{outcome}:")
        for result in chosen:
            click.echo(f"  {result.section} {result.check.name}: {result.reason}")


def _print_rules(names: Iterable[str]) -> None:
    for name in names:
        click.echo(f"{name}:")
        for check in SECTIONS[name]:
            click.echo(f"  {check.name}: {check.rule} ({check.source})")
