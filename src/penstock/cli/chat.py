"""`penstock chat`: a conversation in the terminal."""

import asyncio
import signal
import sys
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import click

from penstock.cli.remote import RemoteServer, ServerSaid, connected, first_model, server_flags

HELP = """\
/system TEXT   set what the model is told first (no TEXT: show it; /system - removes it)
/model NAME    talk to another model (no NAME: show which there are)
/clear         begin anew
/help          this
/exit          leave (Ctrl-D does too)
A line that ends in \\ goes on in the next one. Ctrl-C stops an answer, not the program."""


@click.command()
@click.argument("model", required=False)
@click.option("--system", help="What the model is told first.")
@click.option("--temperature", type=float, help="0 is always the same answer, 2 is wild.")
@click.option("--max-tokens", type=int, help="Longest answer, in tokens.")
@server_flags
def chat(
    model: str | None,
    system: str | None,
    temperature: float | None,
    max_tokens: int | None,
    url: str,
    key: str | None,
) -> None:
    """Talk to MODEL [default: the server's first one that chats].

    Answers come as they are made. /help shows what else it can do. Lines on standard input make
    a conversation without a terminal.
    """
    options = {"temperature": temperature, "max_tokens": max_tokens}
    asyncio.run(_run(model, system, options, url, key))


async def _run(
    model: str | None, system: str | None, options: dict[str, Any], url: str, key: str | None
) -> None:
    async with connected(url, key) as server:
        model = model or await first_model(server, "chat")
        conversation = Conversation(server, model, system, options)
        read = _prompt() if sys.stdin.isatty() else _piped
        if sys.stdin.isatty():
            click.echo(f"Talking to {model}. /help helps, Ctrl-D leaves.")
        while (line := await read()) is not None:
            if not await conversation.take(line):
                return


async def _piped() -> str | None:
    line = await asyncio.to_thread(sys.stdin.readline)
    return line.rstrip("\n") if line else None


def _prompt() -> Callable[[], Any]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import InMemoryHistory

    session: PromptSession[str] = PromptSession(history=InMemoryHistory())

    async def ask() -> str | None:
        lines: list[str] = []
        while True:
            try:
                line = await session.prompt_async("> " if not lines else "… ")
            except KeyboardInterrupt:
                lines = []
                continue
            except EOFError:
                return None
            if not line.endswith("\\"):
                return "\n".join([*lines, line])
            lines.append(line[:-1])

    return ask


class Conversation:
    """The messages so far, and who is talked to."""

    def __init__(
        self, server: RemoteServer, model: str, system: str | None, options: dict[str, Any]
    ) -> None:
        self._server = server
        self._model = model
        self._system = system
        self._options = {name: value for name, value in options.items() if value is not None}
        self._messages: list[dict[str, str]] = []

    async def take(self, line: str) -> bool:
        """Answer a line, or do what a command says; False means the end."""
        if not line.strip():
            return True
        if line.startswith("/"):
            return await self._command(*line[1:].partition(" ")[::2])
        self._messages.append({"role": "user", "content": line})
        try:
            text = await self._answer()
        except ServerSaid as error:
            click.echo(f"Error: {error.message}", err=True)
            self._messages.pop()
            return True
        self._messages.append({"role": "assistant", "content": text})
        return True

    async def _command(self, name: str, rest: str) -> bool:
        rest = rest.strip()
        match name:
            case "exit" | "quit" | "bye":
                return False
            case "clear":
                self._messages.clear()
                click.echo("Begun anew.")
            case "system":
                if rest:
                    self._system = None if rest == "-" else rest
                click.echo(f"System: {self._system or '(nothing)'}")
            case "model":
                await self._choose(rest)
            case _:
                click.echo(HELP)
        return True

    async def _choose(self, name: str) -> None:
        known = [model["id"] for model in (await self._server.get("/models"))["data"]]
        if name and name not in known:
            click.echo(f"There is no {name!r}.", err=True)
        elif name:
            self._model = name
        click.echo(f"Model: {self._model} (of {', '.join(known)})")

    async def _answer(self) -> str:
        """Streams to the terminal. Ctrl-C ends it early; what was said stays in the history."""
        body: dict[str, Any] = {
            "model": self._model,
            "stream": True,
            "messages": self._history(),
            **self._options,
        }
        pieces: list[str] = []
        task = asyncio.ensure_future(self._print(body, pieces))
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            click.echo(" [stopped]", nl=False)
        finally:
            loop.remove_signal_handler(signal.SIGINT)
        click.echo()
        return "".join(pieces)

    async def _print(self, body: dict[str, Any], pieces: list[str]) -> None:
        async with aclosing(self._server.stream("/chat/completions", body)) as events:
            async for event in events:
                for choice in event["choices"]:
                    thought = choice["delta"].get("reasoning_content")
                    if thought:
                        click.secho(thought, dim=True, nl=False)
                    if text := choice["delta"].get("content"):
                        pieces.append(text)
                        click.echo(text, nl=False)

    def _history(self) -> list[dict[str, str]]:
        if self._system is None:
            return self._messages
        return [{"role": "system", "content": self._system}, *self._messages]
