"""`penstock deploy`: models of your own, and what becomes of them."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, urlencode

import click

from penstock.cli.links import link_to
from penstock.cli.remote import RemoteServer, connected, server_flags
from penstock.cli.table import print_table
from penstock.control.quantisation import size_text
from penstock.domain.source import (
    BadSource,
    Bundled,
    GgufFile,
    HubReference,
    ModelDirectory,
    parse_source,
)

POLL_S = 0.5
ON_THE_WAY = ("initializing", "downloading", "deploying")

EPILOG = """\b
Examples:
  penstock deploy create my-qwen Qwen/Qwen3-0.6B-GGUF:Q8_0   from the hub
  penstock deploy create mine ./model.gguf                   from this machine
  penstock deploy create twin --base penstock/tiny-chat      a model that is served, once more
  penstock deploy update mine --min 0 --idle-stop 600        none while nobody asks
  penstock deploy logs mine

A deployment is named by its id, or by its model's name.
"""


@click.group(no_args_is_help=True, epilog=EPILOG)
def deploy() -> None:
    """Deploy models of your own on the running server, watch and change them.

    A model NAME becomes ACCOUNT/NAME, which only your account's keys can use. It can be called at
    once: a request waits until it runs.
    """


def _scale_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = (
        click.option("--min", "min_", type=click.IntRange(0, 64), metavar="N",
                     help="The fewest replicas; 0: none while nobody asks. [default: 1]"),
        click.option("--max", "max_", type=click.IntRange(1, 64), metavar="N",
                     help="The most replicas, while there is much to do. [default: --min]"),
        click.option("--idle-stop", type=float, metavar="SECONDS",
                     help="Stop it when nobody has asked for so long; a request starts it again."),
        click.option("--context", type=click.IntRange(16), metavar="TOKENS",
                     help="The context length. [default: by the model]"),
        click.option("--parallel", type=click.IntRange(1, 1024), metavar="N",
                     help="Requests that a replica works on at a time. [default: by memory]"),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


_json_flag = click.option("--json", "as_json", is_flag=True, help="For machines.")


@deploy.command()
@click.argument("name")
@click.argument("source", required=False)
@click.option("--base", metavar="MODEL", help="Run what this model runs, instead of a SOURCE.")
@_scale_options
@click.option("--gpu", default="cpu", show_default=True, help="A note of what it is meant for.")
@click.option("--pin", is_flag=True, help="Never stop it to make room for others.")
@click.option("--no-wait", is_flag=True, help="Do not watch it until it runs.")
@_json_flag
@server_flags
def create(
    name: str, source: str | None, base: str | None, min_: int | None, max_: int | None,
    idle_stop: float | None, context: int | None, parallel: int | None, gpu: str, pin: bool,
    no_wait: bool, as_json: bool, url: str, key: str | None,
) -> None:  # fmt: skip
    """Deploy SOURCE as the model NAME, and watch it until it runs.

    SOURCE is org/repo[:QUANT][@REVISION] of the hub, or a ./model.gguf or ./directory on this
    machine, which must be the server's: a link to it is put into PENSTOCK_HOME/models.
    """
    body = {
        "model_name": name,
        **_weights(name, source, base),
        "gpu": gpu,
        "pinned": pin,
        "settings": _scale(min_, max_, idle_stop, {}),
        "standard_args": _arguments(context, parallel, {}),
    }

    async def run(server: RemoteServer) -> None:
        made = await server.ask("POST", "/deploy/llm", body)
        if not no_wait:
            if not as_json:
                click.echo(f"{made['model_name']} is deployment {made['deploy_id']}.")
            made = await _watch(server, made, quiet=as_json)
        _show(made, as_json)

    _talk(url, key, run)


@deploy.command("list")
@click.option("--status", metavar="STATUS", help="Only these, with commas: running,failed,deleted.")
@_json_flag
@server_flags
def list_deployments(status: str | None, as_json: bool, url: str, key: str | None) -> None:
    """List your deployments; the operator's key shows the declared models too."""

    async def run(server: RemoteServer) -> None:
        query = f"?{urlencode({'status': status})}" if status else ""
        found = await server.ask("GET", f"/deploy/list{query}")
        if as_json:
            click.echo(json.dumps(found, indent=2))
        else:
            print_table([_row(each) for each in found], empty="No deployments.")

    _talk(url, key, run)


@deploy.command()
@click.argument("deployment")
@_json_flag
@server_flags
def show(deployment: str, as_json: bool, url: str, key: str | None) -> None:
    """Show all of a DEPLOYMENT: what is wanted, and how far it has come."""

    async def run(server: RemoteServer) -> None:
        _show(await _found(server, deployment), as_json)

    _talk(url, key, run)


@deploy.command()
@click.argument("deployment")
@_scale_options
@click.option("--no-wait", is_flag=True, help="Do not watch it until it runs.")
@_json_flag
@server_flags
def update(
    deployment: str, min_: int | None, max_: int | None, idle_stop: float | None,
    context: int | None, parallel: int | None, no_wait: bool, as_json: bool,
    url: str, key: str | None,
) -> None:  # fmt: skip
    """Change how many replicas a DEPLOYMENT has, or its settings; what is not given stays.

    New settings roll out without losing a request: new replicas first, then the old ones go. When
    the new ones crash again and again, the old settings come back by themselves.
    """

    async def run(server: RemoteServer) -> None:
        was = await _found(server, deployment)
        body: dict[str, Any] = {}
        if any(each is not None for each in (min_, max_, idle_stop)):
            body["settings"] = _scale(min_, max_, idle_stop, was["settings"])
        if context is not None or parallel is not None:
            body["standard_args"] = _arguments(context, parallel, was["standard_args"] or {})
        if not body:
            raise click.UsageError("There is nothing to change: see --help.")
        await server.ask("PUT", f"/deploy/{was['deploy_id']}", body)
        made = await server.ask("GET", f"/deploy/{was['deploy_id']}")
        _show(made if no_wait else await _watch(server, made, quiet=as_json), as_json)

    _talk(url, key, run)


def _action(name: str, help_: str, method: str, path: str, body: object, done: str) -> None:
    """A command that asks the server for one thing and says that it is done."""

    @deploy.command(name, help=help_)
    @click.argument("deployment")
    @server_flags
    def command(deployment: str, url: str, key: str | None) -> None:
        async def run(server: RemoteServer) -> None:
            found = await _found(server, deployment)
            await server.ask(method, f"/deploy/{found['deploy_id']}{path}", body)
            click.echo(f"{found['model_name']} {done}")

        _talk(url, key, run)


_action("start", "Start a DEPLOYMENT that is stopped, or try one that has failed again.",
        "POST", "/start", None, "is starting.")  # fmt: skip
_action("stop", "Stop a DEPLOYMENT until it is started again; what runs finishes.",
        "POST", "/stop", None, "is stopping.")  # fmt: skip
_action("pin", "Never stop a DEPLOYMENT to make room for others.",
        "PUT", "", {"pinned": True}, "stays, whatever room others need.")  # fmt: skip
_action("unpin", "Let a DEPLOYMENT be stopped to make room, when it is idle.",
        "PUT", "", {"pinned": False}, "may go when others need its room.")  # fmt: skip


@deploy.command()
@click.argument("deployment")
@click.confirmation_option(
    "--yes", "-y", prompt="Nobody can call the model any more. Delete the deployment?"
)
@server_flags
def delete(deployment: str, url: str, key: str | None) -> None:
    """Delete a DEPLOYMENT and its model; weights that were fetched stay in the cache."""

    async def run(server: RemoteServer) -> None:
        found = await _found(server, deployment)
        await server.ask("DELETE", f"/deploy/{found['deploy_id']}")
        click.echo(f"Deleted {found['model_name']}.")

    _talk(url, key, run)


@deploy.command()
@click.argument("deployment")
@_json_flag
@server_flags
def replicas(deployment: str, as_json: bool, url: str, key: str | None) -> None:
    """Show the running copies of a DEPLOYMENT: where they are, how they are, and why."""

    async def run(server: RemoteServer) -> None:
        found = await _found(server, deployment)
        told = await server.ask("GET", f"/deploy/{found['deploy_id']}/replicas")
        if as_json:
            click.echo(json.dumps(told, indent=2))
        else:
            empty = f"Nothing of {found['model_name']} runs now."
            print_table([_replica_row(each) for each in told], empty=empty)

    _talk(url, key, run)


@deploy.command()
@click.argument("deployment")
@click.option("--from", "since", metavar="TIME", help="From then on: now-1h, or unix seconds.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@click.option("--follow", "-f", is_flag=True, help="Go on with new lines until Ctrl-C.")
@_json_flag
@server_flags
def logs(
    deployment: str, since: str | None, limit: int, follow: bool, as_json: bool,
    url: str, key: str | None,
) -> None:  # fmt: skip
    """Show what happened to a DEPLOYMENT: starts, failures and their reasons, changes."""

    async def run(server: RemoteServer) -> None:
        found = await _found(server, deployment)
        query = {"deploy_id": found["deploy_id"], "limit": limit}
        if since:
            query["from"] = since
        while True:
            lines = (await server.ask("GET", f"/v1/logs/query?{urlencode(query)}"))["entries"]
            for at, line in lines:
                _log_line(at, line, as_json)
            if not follow:
                return
            if lines:
                query["from"] = f"{float(lines[-1][0]) + 1e-6:.6f}"
            await asyncio.sleep(POLL_S)

    _talk(url, key, run)


@deploy.command()
@click.argument("deployment")
@click.option("--from", "since", metavar="TIME", default="now-24h", show_default=True,
              help="now-5h (s, m, h, d, w, M), or unix seconds.")  # fmt: skip
@click.option("--to", "until", metavar="TIME", default="now", show_default=True)
@_json_flag
@server_flags
def stats(
    deployment: str, since: str, until: str, as_json: bool, url: str, key: str | None
) -> None:
    """Show what a DEPLOYMENT has done: requests, tokens, times, errors, cost."""

    async def run(server: RemoteServer) -> None:
        found = await _found(server, deployment)
        query = urlencode({"from": since, "to": until})
        told = await server.ask("GET", f"/deploy/{found['deploy_id']}/stats2?{query}")
        if as_json:
            click.echo(json.dumps(told, indent=2))
            return
        done = {kind: numbers for kind, numbers in told.items() if numbers is not None}
        for kind, numbers in done.items():
            click.echo(f"{kind}:")
            for name, value in numbers.items():
                click.echo(f"  {name:<20} {value:,.1f}" if isinstance(value, float)
                           else f"  {name:<20} {value:,}")  # fmt: skip
        if not done:
            click.echo(f"Nothing was asked of {found['model_name']} in that time.")

    _talk(url, key, run)


# -- what goes to the server ------------------------------------------------------------------


def _weights(name: str, source: str | None, base: str | None) -> dict[str, Any]:
    """The field of the request that says what to run."""
    if (source is None) == (base is None):
        raise click.UsageError("Give a SOURCE, or --base MODEL.")
    if base is not None:
        return {"base_model": base}
    assert source is not None
    try:
        parsed = parse_source(source).source
    except BadSource as error:
        raise click.ClickException(str(error)) from None
    match parsed:
        case Bundled(bundled):
            return {"base_model": bundled}
        case HubReference(repository, revision, quantisation):
            repo = f"{repository}:{quantisation}" if quantisation else repository
            return {"hf": {"repo": repo, "revision": revision}}
        case GgufFile() | ModelDirectory():
            return {"path": link_to(name, parsed)}
        case _:
            raise click.ClickException(f"{source} has no weights that could be deployed.")


def _scale(
    min_: int | None, max_: int | None, idle_stop: float | None, was: dict[str, Any]
) -> dict[str, Any]:
    """What is not given stays; a fixed number of replicas stays a fixed one."""
    fewest = was.get("min_instances", 1) if min_ is None else min_
    fixed = was.get("min_instances") == was.get("max_instances")
    most = max(1 if fixed else was["max_instances"], fewest) if max_ is None else max_
    idle = was.get("inactive_shutdown") if idle_stop is None else idle_stop
    return {"min_instances": fewest, "max_instances": most, "inactive_shutdown": idle}


def _arguments(
    context: int | None, parallel: int | None, was: dict[str, Any]
) -> dict[str, int | None]:
    return {
        "max_context_size": context or was.get("max_context_size"),
        "max_concurrent_requests": parallel or was.get("max_concurrent_requests"),
    }


# -- what comes from the server ---------------------------------------------------------------


def _talk(url: str, key: str | None, run: Callable[[RemoteServer], Awaitable[None]]) -> None:
    async def talk() -> None:
        async with connected(url, key) as server:
            await run(server)

    try:
        asyncio.run(talk())
    except KeyboardInterrupt:
        raise click.exceptions.Exit(130) from None


async def _found(server: RemoteServer, text: str) -> dict[str, Any]:
    """A deployment by its id, its model's whole name, or that without the account."""
    for each in await server.ask("GET", "/deploy/list"):
        name = each["model_name"]
        if text in (each["deploy_id"], name) or name.partition("/")[2] == text:
            return dict(each)
    return dict(await server.ask("GET", f"/deploy/{quote(text, safe='')}"))


async def _watch(server: RemoteServer, made: dict[str, Any], *, quiet: bool) -> dict[str, Any]:
    """Tell each step, until it runs or has failed. Raises click.ClickException for a failure."""
    started_s = time.monotonic()
    async with _told(quiet) as tell:
        while (updating := made["penstock"]["updating"]) or made["status"] in ON_THE_WAY:
            percent = made["penstock"]["percent"]
            step = "updating" if updating else made["status"]
            tell(step if percent is None else f"{step} {percent} %")
            await asyncio.sleep(POLL_S)
            made = await server.ask("GET", f"/deploy/{made['deploy_id']}")
        tell(f"{made['status']} after {time.monotonic() - started_s:.1f} s")
    if made["status"] == "failed":
        raise click.ClickException(f"{made['model_name']} failed: {made['fail_reason']}")
    if made["update_error"]:
        raise click.ClickException(
            f"The change did not work, the old settings are back: {made['update_error']}"
        )
    return made


@asynccontextmanager
async def _told(quiet: bool) -> AsyncGenerator[Callable[[str], None], None]:
    """Says a step when it is another one: in one line of a terminal, or in lines."""
    last = ""
    live = sys.stderr.isatty()

    def tell(step: str) -> None:
        nonlocal last
        if step != last and not quiet:
            click.echo(f"\r  {step:<40}" if live else f"  {step}", err=True, nl=not live)
        last = step

    try:
        yield tell
    finally:
        if live and not quiet:
            click.echo(err=True)


def _row(each: dict[str, Any]) -> dict[str, Any]:
    wanted, instances = each["settings"], each["instances"]
    return {
        "id": each["deploy_id"],
        "model": each["model_name"],
        "status": each["status"],
        "running": f"{instances['running']} of {_range(wanted)}",
        "version": each["version"][:12] or None,
        "pinned": "yes" if each["penstock"]["pinned"] else None,
        "source": each["penstock"]["source"],
    }


def _replica_row(each: dict[str, Any]) -> dict[str, Any]:
    return {
        "replica": each["replica_id"],
        "host": each["host"],
        "pid": each["pid"],
        "state": each["state"],
        "restarts": each["restarts"],
        "version": each["version"][:12] or None,
        "memory": size_text(each["memory_bytes"]),
        "since": each["started_at"][:19],
        "reason": each["reason"],
    }


def _range(scale: dict[str, Any]) -> str:
    fewest, most = scale["min_instances"], scale["max_instances"]
    return str(fewest) if fewest == most else f"{fewest}-{most}"


def _show(made: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(made, indent=2))
        return
    told = {
        **_row(made),
        "replicas": _replicas(made),
        "engine": made["penstock"]["engine"],
        "version": made["version"] or None,
        "created": made["created_at"],
        "changed": made["updated_at"],
        "idle stop": made["settings"]["inactive_shutdown"],
        "settings": made["standard_args"],
        "failed": made["fail_reason"] or None,
        "update failed": made["update_error"],
    }
    for name, value in told.items():
        if value is not None:
            click.echo(f"{name:<14} {value}")


def _replicas(made: dict[str, Any]) -> str | None:
    """What the scale leaves open: how many are wanted now, and how many of them are on the way."""
    wanted, pending = made["penstock"]["wanted"], made["instances"]["pending"]
    if not wanted:
        return None
    missing = wanted - made["instances"]["running"] - pending
    told = [f"{wanted} wanted"]
    told += [f"{pending} starting"] if pending else []
    told += [f"{missing} without room"] if missing > 0 else []
    return ", ".join(told)


def _log_line(at: str, line: str, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"at": float(at), "message": line}))
    else:
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float(at)))
        click.echo(f"{moment}  {line}")
