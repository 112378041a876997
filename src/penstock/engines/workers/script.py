"""Answers that the fake engine has been given beforehand, for tests of what is made of them."""

from pathlib import Path
from typing import Any

import msgspec


class Line(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """What is answered to a message that has `when` in it: a text, or a call of a tool."""

    when: str
    say: str | None = None
    call: str | None = None
    arguments: dict[str, Any] = {}


Script = tuple[Line, ...]


def read(path: Path) -> Script:
    """The lines of a JSON file, which holds a list of them. Raises MsgspecError, OSError."""
    return msgspec.json.decode(path.read_bytes(), type=Script)


def tool_line(script: Script, said: str, tool: str) -> Line | None:
    """The first line for `said` that calls `tool`."""
    return next((line for line in script if line.call == tool and line.when in said), None)


def line(script: Script, said: str, tools: frozenset[str]) -> Line | None:
    """The first line for `said` that says something, or calls one of `tools`."""
    fitting = (line for line in script if line.when in said)
    return next((line for line in fitting if line.call is None or line.call in tools), None)
