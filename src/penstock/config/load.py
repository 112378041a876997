"""Flags > environment > file > defaults, remembering which of them each value came from."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import platformdirs

from penstock.config.settings import Settings

ENVIRONMENT_PREFIX = "PENSTOCK_"
FILE_NAME = "penstock.toml"

#: Variables that are read elsewhere and are no settings.
OTHER_VARIABLES = {
    "PENSTOCK_HOME": "where state lives: keys, database, sockets, the cache of weights",
    "PENSTOCK_CONFIG": "the configuration file, instead of ./penstock.toml",
    "PENSTOCK_API_KEY": "at the first start: the key to make; for the CLI: the key to use",
    "PENSTOCK_BASE_URL": "the server that the CLI talks to",
}

KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false"}
_TEXT_INSTEAD = re.compile(rf"Expected `(?P<kind>{'|'.join(KINDS)})(?: \| null)?`, got `str`")
#: Sizes may be written as people write them; without a unit they are bytes.
SIZES = ("memory_limit", "max_body_bytes")
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[kmgt])(?P<binary>i?)b?", re.IGNORECASE)
_PATH = re.compile(r" - at `\$\.?(?P<path>.*)`$", re.DOTALL)


class BadSettings(Exception):
    """A setting is wrong; the text names it, where it came from, and what is allowed."""


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """`origins[name]` tells in a few words where the value of `name` came from."""

    settings: Settings
    origins: dict[str, str]
    file: Path | None


def home() -> Path:
    """PENSTOCK_HOME, or the platform's data directory."""
    given = os.environ.get("PENSTOCK_HOME")
    return Path(given).expanduser() if given else platformdirs.user_data_path("penstock")


def load(flags: Mapping[str, Any], *, file: Path | None = None) -> Loaded:
    """The settings in force. `flags` has only what was given. Raises BadSettings."""
    file = _file(file)
    layers: list[tuple[str, Mapping[str, Any]]] = []
    if file is not None:
        layers.append((str(file), _read(file)))
    layers.append(("environment", _environment(os.environ)))
    layers.append(("command line", flags))
    values: dict[str, Any] = {}
    origins = dict.fromkeys(Settings.__struct_fields__, "default")
    for origin, layer in layers:
        for name, value in layer.items():
            values[name] = value
            variable = f"{ENVIRONMENT_PREFIX}{name.upper()}"
            origins[name] = variable if origin == "environment" else origin
    return Loaded(settings=_convert(values, origins), origins=origins, file=file)


def _file(given: Path | None) -> Path | None:
    if given is None and (named := os.environ.get("PENSTOCK_CONFIG")):
        given = Path(named).expanduser()
    if given is not None:
        if not given.is_file():
            raise BadSettings(f"The configuration file {given} does not exist.")
        return given
    candidates = (Path(FILE_NAME), home() / FILE_NAME)
    return next((path for path in candidates if path.is_file()), None)


def _read(file: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{file} is not valid TOML: {error}.") from None


def _environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """PENSTOCK_MODELS is a list, separated by spaces; all others are what TOML would make of them.

    A variable PENSTOCK_… that names no setting is an error: it would be a typing mistake.
    """
    found: dict[str, Any] = {}
    for variable, text in environment.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable in OTHER_VARIABLES:
            continue
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        if name == "models":
            found[name] = [{"source": source} for source in text.split()]
        elif name in Settings.__struct_fields__:
            found[name] = text
        else:
            raise BadSettings(
                f"The environment variable {variable} names no setting. "
                "`penstock config` shows them all."
            )
    return found


def _convert(values: dict[str, Any], origins: dict[str, str]) -> Settings:
    values = {n: _in_bytes(value) if n in SIZES else value for n, value in values.items()}
    try:
        # Not strict: environment variables and flags are text.
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        text = str(error)
        found = _PATH.search(text)
        if found is None:
            raise BadSettings(f"{text}. `penstock config` shows all settings.") from None
        path = found["path"]
        name = re.split(r"[.\[]", path)[0]
        where = f" (from {origins[name]})" if origins.get(name) else ""
        fault = _in_words(text[: found.start()], values.get(name))
        if name in SIZES:
            fault += ", nor a size such as 8GB or 8GiB"
        raise BadSettings(f"{path}{where}: {fault}.") from None


def _in_bytes(size: object) -> object:
    """`8GB` and `7.5 GiB` as numbers; anything else as it is."""
    found = _SIZE.fullmatch(size.strip()) if isinstance(size, str) else None
    if found is None:
        return size
    step = 1024 if found["binary"] else 1000
    return int(float(found["number"]) * step ** ("kmgt".index(found["unit"].lower()) + 1))


def _in_words(fault: str, value: object) -> str:
    """msgspec's "Expected `int`, got `str`", where a person typed the text."""
    kind = _TEXT_INSTEAD.match(fault)
    if kind is None or not isinstance(value, str):
        return fault
    return f"{value!r} is not {KINDS[kind['kind']]}"
