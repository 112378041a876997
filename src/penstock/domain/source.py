"""Where a model comes from: what `penstock serve MODEL…` takes, as values.

    [NAME=]penstock/tiny-chat                      bundled with Penstock
    [NAME=]./model.gguf                            a file of llama.cpp's format
    [NAME=]./directory                             an embedding model on disk
    [NAME=]./directory/onnx/model_int8.onnx        the same by another of its graphs
    [NAME=]org/repo[@REVISION][:QUANT]             a repository of the model hub
    NAME=https://host[:port]/v1[#MODEL]            a remote server that speaks OpenAI
    [NAME=]fake:[?flag=value&…]                    the engine for tests and demos

Whether a text is a path is told by its spelling alone, never by what lies on the disk: the same
command means the same in every directory. Every source turns back into its text with `str`.
"""

import difflib
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, quote_plus, urlsplit

import msgspec

BUNDLED_PREFIX = "penstock/"
BUNDLED_NAMES = ("penstock/tiny-chat", "penstock/tiny-embed", "penstock/tiny-draw")

#: Bounds the name in lists, headers and metrics.
LONGEST_NAME = 128
LONGEST_TEXT = 4096

BEGINNINGS_OF_PATHS = ("/", "./", "../", "~")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_NAMED = re.compile(r"(?P<name>[^=:?#]*)=(?P<rest>.*)", re.DOTALL)
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_HUB = re.compile(
    r"(?P<repository>[^@:]*)(?:@(?P<revision>[^:]*))?(?::(?P<quantisation>[^:]*))?", re.DOTALL
)
_REPOSITORY = re.compile(
    r"(?P<owner>[A-Za-z0-9][\w.-]{0,95})/(?P<name>[A-Za-z0-9_][\w.-]{0,95})", re.A
)
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
_QUANTISATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_HUB_HOSTS = re.compile(r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/(?P<reference>.+)")
_SPLIT = re.compile(r"(?P<stem>.+)-(?P<part>[0-9]{5})-of-(?P<count>[0-9]{5})\.gguf")
#: What the name of a graph begins with, before its precision.
PLAIN_GRAPH = re.compile(r"^(onnx/)?(model_?)?")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


class BadSource(ValueError):
    """What was given names no model; the text says why and what to write instead."""


class Bundled(msgspec.Struct, frozen=True):
    """One of `BUNDLED_NAMES`."""

    name: str

    def __str__(self) -> str:
        return self.name


class GgufFile(msgspec.Struct, frozen=True):
    """A `.gguf` file; of a model in several files, the first."""

    path: Path

    @property
    def parts(self) -> tuple[Path, ...]:
        """All files of the model, in order."""
        return tuple(self.path.with_name(name) for name in gguf_parts(self.path.name))

    def __str__(self) -> str:
        return _spell_path(self.path)


class ModelDirectory(msgspec.Struct, frozen=True):
    """A directory that holds an embedding model (`tokenizer.json`, `onnx/model.onnx`).

    `graph` names another graph of it, such as `onnx/model_int8.onnx`: its vectors differ, so that
    it is only taken when it is asked for, and is a version of its own.
    """

    path: Path
    graph: str | None = None

    def __str__(self) -> str:
        return _spell_path(self.path / self.graph if self.graph is not None else self.path)


class DrawingDirectory(msgspec.Struct, frozen=True):
    """Where the bundled drawing model lies; never written on a command line."""

    path: Path

    def __str__(self) -> str:
        return _spell_path(self.path)


class HubReference(msgspec.Struct, frozen=True):
    """`org/repo` on the model hub. `quantisation` is in capitals; None leaves the choice to us."""

    repository: str
    revision: str | None = None
    quantisation: str | None = None

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        quantisation = f":{self.quantisation}" if self.quantisation else ""
        return f"{self.repository}{revision}{quantisation}"


class RemoteServer(msgspec.Struct, frozen=True):
    """A server that speaks OpenAI under `base_url` (the part before `/chat/completions`).

    `model` is what the server calls the model; None: the same as we do.
    """

    base_url: str
    model: str | None = None

    def __str__(self) -> str:
        return f"{self.base_url}#{self.model}" if self.model else self.base_url


class FakeEngine(msgspec.Struct, frozen=True):
    """The engine for tests and demos. A flag without a value has the value "true"."""

    flags: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        pairs = (f"{quote_plus(name)}={quote_plus(value)}" for name, value in self.flags)
        return f"fake:?{'&'.join(pairs)}" if self.flags else "fake:"


Source = Bundled | GgufFile | ModelDirectory | HubReference | RemoteServer | FakeEngine


class NamedSource(msgspec.Struct, frozen=True):
    """A source, and the name that users asked for; None: none was given."""

    name: str | None
    source: Source

    @property
    def model_name(self) -> str:
        """What clients call the model. `parse_source` makes sure that there is one."""
        return self.name if self.name is not None else own_name(self.source)

    def __str__(self) -> str:
        return str(self.source) if self.name is None else f"{self.name}={self.source}"


def parse_source(text: str) -> NamedSource:
    """Read one MODEL of the command line or of the configuration file.

    Looks at the text only; a leading `~` becomes the home directory. Raises BadSource.
    """
    if len(text) > LONGEST_TEXT or _UNPRINTABLE.search(text):
        raise BadSource(
            f"A model is one line of at most {LONGEST_TEXT} characters, such as org/repo or "
            "./model.gguf."
        )
    name, rest = _split_name(text.strip())
    source = _parser_of(rest)(rest)
    named = NamedSource(name, source)
    if not named.model_name:
        raise BadSource(f"{rest!r} gives the model no name. Put one before it: my-model={rest}")
    return named


def own_name(source: Source) -> str:
    """The name of a source that was given none; "" when it has to be given one."""
    match source:
        case Bundled(name):
            return name
        case GgufFile(path):
            split = _SPLIT.fullmatch(path.name)
            return _as_name(split["stem"] if split else path.name[: -len(".gguf")])
        case ModelDirectory(path, graph):
            precision = PLAIN_GRAPH.sub("", graph or "").removesuffix(".onnx")
            return _as_name(f"{path.name}-{precision}" if precision else path.name)
        case HubReference(repository):
            return repository
        case RemoteServer():
            return ""
        case FakeEngine():
            return "fake"


def gguf_parts(file_name: str) -> tuple[str, ...]:
    """The names of all files of the model that `file_name` belongs to, in order.

    `x-00002-of-00003.gguf` gives three names, any other name only itself. Raises BadSource when
    the numbers make no sense.
    """
    split = _SPLIT.fullmatch(file_name)
    if not split:
        return (file_name,)
    count = int(split["count"])
    if not 1 <= int(split["part"]) <= count:
        raise BadSource(
            f"{file_name!r} is part {int(split['part'])} of {count}, which cannot be. Name the "
            "first part of the model: …-00001-of-0000N.gguf"
        )
    return tuple(f"{split['stem']}-{part:05}-of-{count:05}.gguf" for part in range(1, count + 1))


def directory_of(graph: Path) -> ModelDirectory:
    """The model whose graph is that file, in its directory or in `onnx/` below it."""
    below = graph.parent.name == "onnx"
    directory = graph.parent.parent if below else graph.parent
    name = f"onnx/{graph.name}" if below else graph.name
    return ModelDirectory(directory, None if graph.name == "model.onnx" else name)


def check_name(name: str) -> None:
    """Raises BadSource for what cannot be the name of a model."""
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise BadSource(
            f"{name[:LONGEST_NAME]!r} cannot be the name of a model. A name has letters, digits, "
            f"'.', '_', '-', with '/' between them, and at most {LONGEST_NAME} characters."
        )


# -- the parts of the grammar ------------------------------------------------------------------


def _split_name(text: str) -> tuple[str | None, str]:
    """`NAME=REST` in two. A path may hold "=" too, so what begins like one has no name."""
    named = _NAMED.fullmatch(text)
    if named is None or text.startswith(BEGINNINGS_OF_PATHS):
        return None, text
    name, rest = named["name"].strip(), named["rest"].strip()
    check_name(name)
    if name in BUNDLED_NAMES and rest != name:
        raise BadSource(
            f"{name} is the name of a model that comes with Penstock. Choose another name for "
            f"{rest!r}."
        )
    return name, rest


def _parser_of(rest: str) -> Callable[[str], Source]:
    return next(parse for belongs, parse in _GRAMMAR if belongs(rest))


def _is_hub_address(rest: str) -> bool:
    return _HUB_HOSTS.fullmatch(rest) is not None


def _is_url(rest: str) -> bool:
    return "://" in rest or rest.startswith(("http:", "https:"))


def _is_fake(rest: str) -> bool:
    return rest.startswith("fake:")


def _is_path(rest: str) -> bool:
    return (
        rest.startswith(("/", "./", "../", "~"))
        or rest in (".", "..")
        or rest.endswith((".gguf", ".onnx"))
    )


def _refuse_nothing(rest: str) -> Source:
    raise BadSource(
        "There is no model in that. Write one of: penstock/tiny-chat, org/repo, ./model.gguf, "
        "./directory, name=https://host/v1"
    )


def _refuse_hub_address(rest: str) -> Source:
    address = _HUB_HOSTS.fullmatch(rest)
    assert address is not None
    owner_and_name = "/".join(address["reference"].split("/")[:2])
    raise BadSource(f"{rest!r} is a page of the hub. Did you mean {owner_and_name} ?")


def _parse_url(rest: str) -> Source:
    try:
        url = urlsplit(rest)
        host, port = url.hostname, url.port
    except ValueError as error:
        raise BadSource(f"{rest!r} is not a URL: {error}.") from None
    if url.scheme not in ("http", "https") or not host or port == 0 or re.search(r"[\s\\]", rest):
        raise BadSource(
            f"{rest!r} is not the address of a server. Write name=http://host:port/v1 or "
            "name=https://host/v1"
        )
    if url.username is not None or url.password is not None:
        raise BadSource(
            "A key or a password does not belong into a URL, which is shown in lists and logs. "
            "Give the key of a remote server by the configuration file or the environment."
        )
    if url.query:
        raise BadSource(
            "The address of a server has no part that begins with '?'. Give what "
            "/chat/completions is to be added to: name=https://host/v1"
        )
    base_url = f"{url.scheme}://{url.netloc}{url.path.rstrip('/')}"
    return RemoteServer(base_url, url.fragment or None)


def _parse_fake(rest: str) -> Source:
    query = rest.removeprefix("fake:").removeprefix("?")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=64, errors="strict")
    except ValueError:
        raise BadSource(f"The flags in {rest!r} cannot be read. {_FAKE_EXAMPLE}") from None
    if query and not rest.startswith("fake:?"):
        raise BadSource(f"The flags in {rest!r} cannot be read. {_FAKE_EXAMPLE}")
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names) or "" in names:
        raise BadSource(f"Every flag in {rest!r} needs a name of its own. {_FAKE_EXAMPLE}")
    return FakeEngine(tuple((name, value or "true") for name, value in pairs))


_FAKE_EXAMPLE = "Write them like this: fake:?tokens_per_second=50&die_after=3"


def _parse_path(rest: str) -> Source:
    try:
        path = Path(rest).expanduser()
    except RuntimeError:
        raise BadSource(f"{rest!r} begins with a home directory that is not known.") from None
    if rest.endswith(".onnx"):
        return directory_of(path)
    if not rest.endswith(".gguf"):
        return ModelDirectory(path)
    return GgufFile(path.with_name(gguf_parts(path.name)[0]))


def _parse_bundled(rest: str) -> Source:
    if rest in BUNDLED_NAMES:
        return Bundled(rest)
    raise BadSource(
        f"No model called {rest!r} comes with Penstock. {_did_you_mean(rest)}"
        f"There are {' and '.join(BUNDLED_NAMES)}."
    )


def _parse_hub(rest: str) -> Source:
    hub = _HUB.fullmatch(rest)
    if hub is None:
        raise BadSource(
            f"{rest!r} cannot be read. The order is org/repo@revision:QUANT, each once."
        )
    repository, revision, quantisation = hub.group("repository", "revision", "quantisation")
    if not _REPOSITORY.fullmatch(repository) or ".." in repository or "--" in repository:
        raise BadSource(_no_repository(rest, repository))
    if revision is not None and (not _REVISION.fullmatch(revision) or ".." in revision):
        raise BadSource(
            f"{revision!r} is not a revision. Write a branch, a tag or a commit: {repository}@main"
        )
    if quantisation is not None and not _QUANTISATION.fullmatch(quantisation):
        raise BadSource(f"{quantisation!r} is not a quantisation. Write {repository}:Q4_K_M")
    return HubReference(repository, revision, quantisation and quantisation.upper())


def _no_repository(rest: str, repository: str) -> str:
    parts = repository.split("/")
    if len(parts) == 1:
        return (
            f"{rest!r} is not the name of a model: one on the hub has two parts, org/repo. "
            f"{_did_you_mean(rest)}A directory on this machine begins with './': ./{rest}"
        )
    if len(parts) > 2 and all(parts):
        return (
            f"{rest!r} is not a repository of the hub, which has two parts. Did you mean "
            f"{parts[0]}/{parts[1]} ? A directory on this machine begins with './': ./{rest}"
        )
    return (
        f"{repository!r} is not a repository of the hub. Write org/repo, of letters, digits, '.', "
        "'_' and '-'; a directory on this machine begins with './'."
    )


def _did_you_mean(wrong: str) -> str:
    names = {name: name for name in BUNDLED_NAMES} | {"fake": "fake:"}
    names |= {name.removeprefix(BUNDLED_PREFIX): name for name in BUNDLED_NAMES}
    close = difflib.get_close_matches(wrong.lower(), names, n=1)
    return f"Did you mean {names[close[0]]} ? " if close else ""


def _spell_path(path: Path) -> str:
    """The path so that it is read as one again."""
    text = str(path)
    if text.startswith(BEGINNINGS_OF_PATHS):
        return text
    return text if _is_path(text) and not _NAMED.match(text) else f"./{text}"


def _as_name(text: str) -> str:
    """The nearest to `text` that may be a name."""
    return _NOT_IN_A_NAME.sub("-", text).strip("-._")[:LONGEST_NAME]


#: The first row that a text belongs to tells how it is read; the last takes all.
_GRAMMAR: tuple[tuple[Callable[[str], bool], Callable[[str], Source]], ...] = (
    (lambda rest: not rest, _refuse_nothing),
    (_is_hub_address, _refuse_hub_address),
    (_is_url, _parse_url),
    (_is_fake, _parse_fake),
    (_is_path, _parse_path),
    (lambda rest: rest.startswith(BUNDLED_PREFIX), _parse_bundled),
    (lambda rest: True, _parse_hub),
)
