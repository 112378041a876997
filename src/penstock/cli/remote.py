"""The running server, as the terminal's commands talk to it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import click
import msgspec
from click.core import ParameterSource

from penstock.config.load import home
from penstock.http.client import Broken, Client, Origin
from penstock.http.loopback import is_loopback

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_URL = "http://127.0.0.1:8000/v1"
HOW_TO_GIVE_A_KEY = "Give its key with --key, or as PENSTOCK_API_KEY."


class ServerSaid(click.ClickException):
    """The server's own error, told to the user."""


def or_of_group(context: click.Context, flag: click.Parameter, value: Any) -> Any:
    """A flag's value; one typed before the subcommand's name holds where none comes after it."""
    group = context.parent
    if group is None or flag.name is None or _is_typed(context, flag.name):
        return value
    return group.params[flag.name] if _is_typed(group, flag.name) else value


def _is_typed(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def server_flags(command: F) -> F:
    """`--url` and `--key`, found by themselves on the server's own machine."""
    command = click.option(
        "--key",
        envvar="PENSTOCK_API_KEY",
        callback=or_of_group,
        help="API key. [default: PENSTOCK_API_KEY, or for a loopback address the first key of this "
        "machine's server]",
    )(command)
    return click.option(
        "--url",
        envvar="PENSTOCK_BASE_URL",
        callback=or_of_group,
        default=DEFAULT_URL,
        show_default=True,
        help="The server, with its /v1.",
    )(command)


def find_key(given: str | None, host: str) -> str | None:
    """The first key of this machine's server is for itself: no other host is shown it."""
    if given:
        return given
    file = home() / "cli-key"
    return file.read_text().strip() if is_loopback(host) and file.is_file() else None


class RemoteServer:
    """JSON in, JSON out, errors as ServerSaid."""

    def __init__(self, url: str, given_key: str | None) -> None:
        try:
            origin = Origin.parse(url)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        self.url = url
        key = find_key(given_key, origin.host)
        self._has_key = key is not None
        headers = f"authorization: Bearer {key}\r\n".encode() if key else b""
        self._client = Client(origin, headers=headers)
        above = origin.base_path.removesuffix("/openai").removesuffix("/v1")
        self._platform = Client(msgspec.structs.replace(origin, base_path=above), headers=headers)

    async def get(self, path: str) -> Any:
        try:
            async with self._client.get(path) as answer:
                return self._checked(answer.status, await answer.read())
        except Broken as broken:
            raise self._unreachable(broken) from None

    async def post(self, path: str, body: object) -> Any:
        try:
            async with self._client.post(path, msgspec.json.encode(body)) as answer:
                return self._checked(answer.status, await answer.read())
        except Broken as broken:
            raise self._unreachable(broken) from None

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        """A route of the platform, such as /deploy/list, which is not below /v1."""
        data = b"" if body is None else msgspec.json.encode(body)
        try:
            async with self._platform.send(method, path, data) as answer:
                return self._checked(answer.status, await answer.read())
        except Broken as broken:
            raise self._unreachable(broken) from None

    async def stream(self, path: str, body: object) -> AsyncGenerator[dict[str, Any], None]:
        """The events of a stream, decoded."""
        try:
            async with self._client.post(path, msgspec.json.encode(body)) as answer:
                if answer.status != 200:
                    self._checked(answer.status, await answer.read())
                rest = b""
                async for batch in answer:
                    *lines, rest = (rest + batch).split(b"\n")
                    for line in lines:
                        if line.startswith(b"data: {"):
                            event = msgspec.json.decode(line[6:])
                            if "error" in event:
                                raise ServerSaid(event["error"]["message"])
                            yield event
        except Broken as broken:
            raise self._unreachable(broken) from None

    async def aclose(self) -> None:
        await self._client.aclose()
        await self._platform.aclose()

    def _checked(self, status: int, body: bytes) -> Any:
        try:
            decoded = msgspec.json.decode(body)
        except msgspec.DecodeError:
            raise ServerSaid(f"{self.url} does not answer as Penstock would.") from None
        if status >= 400:
            hint = f" {HOW_TO_GIVE_A_KEY}" if status == 401 and not self._has_key else ""
            raise ServerSaid((error_text(decoded) or f"status {status}") + hint)
        return decoded

    def _unreachable(self, broken: Broken) -> ServerSaid:
        return ServerSaid(
            f"No answer from {self.url} ({broken}). Is it running? Start it with: penstock serve"
        )


def error_text(body: Any) -> str:
    """The sentence of an error, as OpenAI's or as DeepInfra's routes spell it; else ""."""
    error = body.get("error", "") if isinstance(body, dict) else ""
    return str(error.get("message", "") if isinstance(error, dict) else error)


@asynccontextmanager
async def connected(url: str, key: str | None) -> AsyncGenerator[RemoteServer, None]:
    server = RemoteServer(url, key)
    try:
        yield server
    finally:
        await server.aclose()


async def first_model(server: RemoteServer, task: str) -> str:
    """The first model of the server that does `task`. Raises ServerSaid when none does."""
    for model in (await server.get("/models"))["data"]:
        if task in (model.get("penstock", {}).get("tasks") or [task]):
            return str(model["id"])
    raise ServerSaid(f"The server has no model for {task}. `penstock models` shows what it has.")
