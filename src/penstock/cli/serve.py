"""`penstock serve`: from names on a command line to a server that answers."""

import asyncio
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import click

from penstock.cli.flags import load_settings, setting_flags
from penstock.config.load import home
from penstock.config.settings import ModelSettings, Settings
from penstock.domain.source import BUNDLED_NAMES, BadSource, parse_source

SNIPPET = """\
  from openai import OpenAI
  client = OpenAI(base_url="{url}", api_key="{key}")
  answer = client.chat.completions.create(
      model="{model}", messages=[{{"role": "user", "content": "Hello!"}}])
  print(answer.choices[0].message.content)
"""

EPILOG = """\b
MODEL is one of
  penstock/tiny-chat, tiny-embed, tiny-draw  bundled; these when nothing is given
  ./model.gguf                              a file for llama.cpp
  ./directory                               an embedding model (onnx, tokenizer.json)
  org/repo[:QUANT][@REVISION]               from the hub, downloaded once
  name=http://host:port/v1[#model]          a remote server that speaks OpenAI
  fake:?tokens_per_second=50                a fake engine, for tests and demos
and may be given another name: my-name=./model.gguf
"""


@click.command(epilog=EPILOG)
@click.argument("models", metavar="[MODEL]...", nargs=-1)
@setting_flags
def serve(models: tuple[str, ...], config_file: Path | None, no_auth: bool, **given: Any) -> None:
    """Serve models to any OpenAI client, at /v1/openai and /v1.

    Without MODEL, the bundled tiny models are served, offline. The first start prints a key; every
    client needs one. Ctrl-C lets running requests finish; a second Ctrl-C does not wait.

    Each flag can also be a line of penstock.toml, or a variable: --queue-limit is queue_limit in
    the file and PENSTOCK_QUEUE_LIMIT in the environment.
    """
    settings = load_settings(
        given, config_file=config_file, no_auth=no_auth, sources=models
    ).settings
    logging.basicConfig(
        level=settings.log_level.upper(),
        format="%(asctime)s %(levelname)s %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("alembic").setLevel("WARNING")
    import uvloop

    from penstock.app import App, CannotServe, open_state
    from penstock.cli.progress import download_progress
    from penstock.store.database import CannotOpenDatabase
    from penstock.store.home import CannotOpenHome

    try:
        wanted = bring_models(settings)
        state = open_state(
            home(),
            database_url=settings.database_url,
            wanted_key=os.environ.get("PENSTOCK_API_KEY"),
        )
        app = App(settings, state, wanted, download_progress())
        uvloop.run(run(app, state.first_secret))
    except (CannotServe, CannotOpenHome, CannotOpenDatabase) as error:
        raise click.ClickException(str(error)) from None


def bring_models(settings: Settings) -> list[Any]:
    """Everything that is to be served, on this machine. Raises click.ClickException."""
    from penstock.app import Wanted
    from penstock.cli.progress import download_progress
    from penstock.cli.pull import INTERRUPTED
    from penstock.control.adapters import bring_adapters
    from penstock.control.fetch_error import FetchError
    from penstock.control.gpus import gpus
    from penstock.control.local_source import bring_here
    from penstock.control.machine import free_memory_bytes
    from penstock.control.recipe import EngineMaker
    from penstock.engines.base import CannotStart

    free_bytes = free_memory_bytes()
    chosen = settings.models or tuple(ModelSettings(source=name) for name in BUNDLED_NAMES)
    wanted: dict[str, Wanted] = {}
    names: set[str] = set()
    maker = EngineMaker(
        settings, cache_dir=home() / "weights", budget_bytes=free_bytes, gpus=gpus()
    )
    for model in chosen:
        try:
            named = parse_source(
                model.source if model.name is None else f"{model.name}={model.source}"
            )
            source = bring_here(
                named.source,
                cache_dir=home() / "weights",
                free_memory_bytes=free_bytes,
                progress=download_progress(),
                check_engine=maker.check_engine,
            )
            bring_adapters(
                model.adapters, cache_dir=home() / "weights", progress=download_progress()
            )
        except (BadSource, FetchError, CannotStart) as error:
            raise click.ClickException(str(error)) from None
        except KeyboardInterrupt:
            raise click.ClickException(INTERRUPTED) from None
        name = named.model_name
        for taken in (name, *model.adapters):
            if taken in names:
                raise click.ClickException(
                    f"Two models are called {taken!r}. Give one another name: other={model.source}"
                )
            names.add(taken)
        wanted[name] = Wanted(name=name, asked=named.source, source=source, settings=model)
    return list(wanted.values())


async def run(app: Any, first_secret: str | None) -> None:
    """Serve until a signal says to stop."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            click.echo("Stopping at once.", err=True)
            app.server.hurry()
            return
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    started_s = time.perf_counter()
    async with app:
        greet(app, first_secret)
        reports = [
            asyncio.create_task(report_readiness(deployment, started_s))
            for deployment in app.deployments
        ]
        await stop.wait()
        for report in reports:
            report.cancel()
        running = sum(deployment.lane.running for deployment in app.deployments)
        if running:
            click.echo(f"Letting {running} running requests finish (Ctrl-C again: stop at once).")
    click.echo("Stopped.")


def greet(app: Any, first_secret: str | None) -> None:
    """What to paste into a client; the key only when it was made just now."""
    settings = app.settings
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104
    host = f"[{host}]" if ":" in host else host
    url = f"http://{host}:{app.server.port}/v1/openai"
    click.echo(f"\nPenstock serves at {url}\n")
    first = app.deployments[0].model.name
    # In a checkout the command is known to `uv run` only: say what can be typed.
    penstock = "uv run penstock" if "UV_RUN_RECURSION_DEPTH" in os.environ else "penstock"
    if not settings.auth:
        click.echo("No key is needed (--no-auth).\n")
    elif first_secret is not None:
        click.echo(f"Your key, shown this once:  {first_secret}\n")
        click.echo(SNIPPET.format(url=url, key=first_secret, model=first))
        click.echo(f"Or talk to it in another terminal:  {penstock} chat\n")
    else:
        click.echo(f"Keys: {penstock} keys list.  Talk to it: {penstock} chat.\n")


async def report_readiness(deployment: Any, started_s: float) -> None:
    """One line a model, when one of its replicas is ready or the last has failed for good."""
    from penstock.domain.deployment import DeploymentStatus

    group = deployment.group
    while (ready := next((r for r in group.replicas if r.ready), None)) is None:
        if group.progress.status is DeploymentStatus.FAILED:
            reason = group.progress.fail_reason
            click.echo(f"  {deployment.model.name} failed: {reason}", err=True)
            return
        if group.state == "idle":
            click.echo(f"  {deployment.model.name} starts when it is asked for")
            return
        await group.changed()
    can = ready.capabilities
    context = f", {can.context_length} tokens of context" if can and can.context_length else ""
    copies = f"{len(group.replicas)} replicas, " if len(group.replicas) > 1 else ""
    took_s = time.perf_counter() - started_s
    click.echo(
        f"  {deployment.model.name} is ready after {took_s:.1f} s ({copies}"
        f"{deployment.model.engine}{context}, {ready.engine.slots} at a time)"
    )
