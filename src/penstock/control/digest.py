"""The identity of a version: a digest over all that can change an answer."""

import hashlib
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec

from penstock.config.settings import CatalogueSettings, ModelSettings
from penstock.control.download import Progress
from penstock.control.hub_cache import COMMIT
from penstock.control.quantisation import label_of
from penstock.domain.source import (
    DrawingDirectory,
    GgufFile,
    HubReference,
    ModelDirectory,
    Source,
)
from penstock.engines.base import CannotStart
from penstock.engines.registry import LocalSource
from penstock.store.digests import DigestStore, FileFigures

CHUNK_BYTES = 1024 * 1024
#: Reading that takes longer is told of.
QUIET_S = 1.0
MOST_FILES = 10_000
#: Of a directory, what no engine reads.
_FOR_PEOPLE = re.compile(r"\..*|readme.*|licen[cs]e.*|notice.*|.*\.(md|png|jpe?g)", re.IGNORECASE)
_SHA256 = re.compile(r"[0-9a-f]{64}")

#: Settings that are paths of weights: what counts is the contents.
WEIGHTS = ("mmproj", "transformer")
#: Settings that change when and where a model answers, not what. Any other is part of its version.
WITHOUT_EFFECT = frozenset(
    {
        *CatalogueSettings.__struct_fields__,
        *("source", "name", "engine", "key_env"),  # the engine's name is told apart
        *("parallel", "replicas", "max_replicas", "threads", "gpu_layers"),
        *("pinned", "idle_stop_s"),
        *("tensor_parallel", "pipeline_parallel", "gpu_memory_share"),
        "adapters",  # models of their own
    }
)


def given(settings: ModelSettings) -> dict[str, Any]:
    """The settings of the model itself that were given: not its name, not the catalogue's facts.

    Adapters are models of their own, with rows of their own.
    """
    left_out = {*CatalogueSettings.__struct_fields__, "source", "name", "adapters"}
    default = ModelSettings(source=settings.source)
    return {
        name: msgspec.to_builtins(value)
        for name in ModelSettings.__struct_fields__
        if name not in left_out and (value := getattr(settings, name)) != getattr(default, name)
    }


def pinned(source: Source, local: LocalSource) -> str:
    """`source` so that it means for ever the weights at `local`: a commit, an absolute path."""
    match source, local:
        case HubReference(repository, _, quantisation), GgufFile(path) | ModelDirectory(path):
            commit = next(part for part in path.parts if COMMIT.fullmatch(part))
            if isinstance(local, GgufFile):
                quantisation = quantisation or label_of(path.as_posix().partition(f"{commit}/")[2])
            return str(HubReference(repository, commit, quantisation))
        case GgufFile(path), _:
            return str(GgufFile(path.absolute()))
        case ModelDirectory(path, graph), _:
            return str(ModelDirectory(path.absolute(), graph))
        case _:
            return str(source)


class Digester:
    """Makes version ids. Files are read once, as long as nobody writes to them."""

    def __init__(self, store: DigestStore, progress: Progress) -> None:
        self._store = store
        self._progress = progress
        self._known: dict[FileFigures, str] = store.all()

    def version_id(
        self,
        source: LocalSource,
        *,
        engine: str,
        settings: ModelSettings,
        context_length: int | None = None,
    ) -> str:
        """64 hexadecimal digits. `context_length` is the server's, which a model's own overrides.

        May read gigabytes: call it in a thread. Raises CannotStart for files that cannot be read.
        """
        own = given(settings)
        own.setdefault("context_length", context_length)
        paths = _files_of(source)
        paths |= {name: Path(own[name]).expanduser() for name in WEIGHTS if name in own}
        what = {
            "engine": engine,
            "source": {} if paths else str(source),
            "files": self._digests(paths),
            "settings": {
                name: value
                for name, value in own.items()
                if name not in WITHOUT_EFFECT and name not in WEIGHTS and value is not None
            },
        }
        return hashlib.sha256(msgspec.json.encode(what, order="deterministic")).hexdigest()

    def digest_of(self, source: LocalSource) -> str:
        """64 hexadecimal digits over the bytes of all files. May read gigabytes, as above."""
        digests = self._digests(_files_of(source))
        return hashlib.sha256(msgspec.json.encode(digests, order="deterministic")).hexdigest()

    def _digests(self, paths: Mapping[str, Path]) -> dict[str, str]:
        try:
            files = {name: FileFigures.of(path) for name, path in paths.items()}
            unknown = {file for file in files.values() if file not in self._known}
            self._known |= {file: sha256 for file in unknown if (sha256 := _digest_of_hub(file))}
            if unread := sorted(unknown - self._known.keys(), key=lambda file: file.path):
                read = self._read(unread)
                self._store.add(read)
                self._known |= read
        except OSError as error:
            raise CannotStart(f"{error.filename} cannot be read: {error.strerror}.") from None
        return {name: self._known[file] for name, file in files.items()}

    def _read(self, files: Sequence[FileFigures]) -> dict[FileFigures, str]:
        digests = {}
        with _Reading(self._progress, sum(file.size_bytes for file in files)) as reading:
            for file in files:
                path, sha256 = Path(file.path), hashlib.sha256()
                with path.open("rb", buffering=0) as opened:
                    while chunk := opened.read(CHUNK_BYTES):
                        sha256.update(chunk)
                        reading.advance(path.name, len(chunk))
                if FileFigures.of(path) != file:
                    raise CannotStart(f"{path} is being written to. Start when it is whole.")
                digests[file] = sha256.hexdigest()
        return digests


class _Reading:
    """Tells of reading that takes long."""

    def __init__(self, progress: Progress, total_bytes: int) -> None:
        self._progress = progress
        self._total_bytes = total_bytes
        self._done_bytes = 0
        self._told = False

    def __enter__(self) -> Self:
        self._quiet_until_s = time.monotonic() + QUIET_S
        return self

    def advance(self, name: str, size_bytes: int) -> None:
        self._done_bytes += size_bytes
        if self._told:
            self._progress.advance(size_bytes)
        elif time.monotonic() > self._quiet_until_s:
            self._told = True
            self._progress.start(
                self._total_bytes, f"checksum of {name}", arrived_bytes=self._done_bytes
            )

    def __exit__(self, *_: object) -> None:
        if self._told:
            self._progress.finish()


def _digest_of_hub(file: FileFigures) -> str | None:
    """Of a file of the hub's cache: it was verified when it came, and is named by its contents."""
    path = Path(file.path)
    is_blob = path.parent.name == "blobs" and path.parts[-3].startswith("models--")
    return path.name if is_blob and _SHA256.fullmatch(path.name) else None


def _files_of(source: LocalSource) -> dict[str, Path]:
    """The weights by what they are to the model; its own name is not part of a GGUF file."""
    match source:
        case GgufFile():
            return {f"part {number}": part for number, part in enumerate(source.parts, 1)}
        case ModelDirectory(directory, str(graph)):
            return {**dict(_files_below(directory)), "the graph": directory / graph}
        case ModelDirectory(directory) | DrawingDirectory(directory):
            return dict(_files_below(directory))
        case _:
            return {}


def _files_below(directory: Path) -> Iterator[tuple[str, Path]]:
    """Raises CannotStart for a directory that is no model's."""
    found = 0
    for parent, directories, names in os.walk(directory):
        directories[:] = sorted(name for name in directories if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            if _FOR_PEOPLE.fullmatch(name) or not path.is_file():
                continue
            found += 1
            if found > MOST_FILES:
                raise CannotStart(
                    f"{directory} has more than {MOST_FILES} files. A model's directory has only "
                    "what belongs to it."
                )
            yield path.relative_to(directory).as_posix(), path
