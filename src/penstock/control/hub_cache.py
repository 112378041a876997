"""Repositories of the model hub on this disk, in huggingface_hub's own layout.

    models--ORG--REPO/blobs/DIGEST                  contents, named by what is in them
    models--ORG--REPO/blobs/DIGEST.part             what has arrived of one so far
    models--ORG--REPO/snapshots/COMMIT/NAME         links to blobs
    models--ORG--REPO/refs/REVISION                 the commit that a branch or tag stood for
    models--ORG--REPO/listings/COMMIT.json          all that the hub has of one; only ours

So other tools can use the directory, and this one can use theirs. A ref is written when everything
behind it has arrived: without a network, the last complete state is what is found.
"""

import fcntl
import os
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from penstock.control.quantisation import RepoFile, quantisations
from penstock.domain.source import HubReference

COMMIT = re.compile(r"[0-9a-f]{40}")
DEFAULT_REVISION = "main"
ONNX_MODEL = "onnx/model.onnx"
#: A graph of another precision, as transformers.js and sentence-transformers name them.
GRAPH = re.compile(r"onnx/model_(?P<precision>[A-Za-z0-9_]+)\.onnx")
PIPELINE = "model_index.json"
TRANSFORMER = re.compile(r"[^/]+\.safetensors")

#: How the names begin that something has for the moment in which it is made.
_PENDING = ".penstock-new-"
_NAME_PART = re.compile(r"[^/\\\x00-\x1f\x7f:]{1,255}")


class CachedModel(msgspec.Struct, frozen=True):
    """A complete model on this disk: what to call it by, where it is, its size in bytes."""

    reference: HubReference
    path: Path
    size_bytes: int


class RepositoryCache(msgspec.Struct, frozen=True):
    """One repository, `org/repo`, below `cache_dir`."""

    cache_dir: Path
    repository: str

    @property
    def directory(self) -> Path:
        return self.cache_dir / f"models--{self.repository.replace('/', '--')}"

    def blob(self, digest: str) -> Path:
        return self.directory / "blobs" / digest

    def part(self, digest: str) -> Path:
        return self.directory / "blobs" / f"{digest}.part"

    def snapshot(self, commit: str) -> Path:
        return self.directory / "snapshots" / commit

    def commit_of(self, revision: str | None) -> str | None:
        """The commit that `revision` stood for when it was fetched last."""
        wanted = revision or DEFAULT_REVISION
        if COMMIT.fullmatch(wanted):
            return wanted if self.snapshot(wanted).is_dir() else None
        try:
            commit = (self.directory / "refs" / wanted).read_text().strip()
        except (OSError, ValueError):
            return None
        return commit if COMMIT.fullmatch(commit) else None

    def remember(self, revision: str | None, commit: str) -> None:
        """Let `revision` stand for `commit`, whose files have all arrived."""
        wanted = revision or DEFAULT_REVISION
        if wanted == commit:
            return
        ref = self.directory / "refs" / wanted
        ref.parent.mkdir(parents=True, exist_ok=True)
        with _replacing(ref) as new:
            new.write_text(commit)

    def has(self, commit: str, file: RepoFile) -> bool:
        """Whether the snapshot holds `file` in its full length."""
        try:
            return (self.snapshot(commit) / file.name).stat().st_size == file.size_bytes
        except OSError:
            return False

    def arrived_bytes(self, file: RepoFile) -> int:
        """How much of `file` is here, whole or in part."""
        for path in (self.blob(file.digest), self.part(file.digest)):
            if path.exists():
                return min(path.stat().st_size, file.size_bytes)
        return 0

    def link(self, commit: str, name: str, digest: str) -> None:
        """Make the blob appear in the snapshot under its name."""
        pointer = self.snapshot(commit) / name
        pointer.parent.mkdir(parents=True, exist_ok=True)
        target = os.path.relpath(self.blob(digest), pointer.parent)
        with _replacing(pointer) as new:
            try:
                new.symlink_to(target)
            except OSError:  # a file system without symbolic links
                os.link(self.blob(digest), new)

    def files(self, commit: str) -> tuple[RepoFile, ...]:
        """What the snapshot holds. Links whose blob is gone are left out."""
        snapshot = self.snapshot(commit)
        return tuple(
            RepoFile(path.relative_to(snapshot).as_posix(), path.stat().st_size)
            for path in sorted(snapshot.rglob("*"))
            if path.is_file() and not path.name.startswith(_PENDING)
        )

    def listing(self, commit: str) -> tuple[RepoFile, ...]:
        """What the hub has of a commit, as it told when that was fetched; () when it is unknown."""
        try:
            return msgspec.json.decode(
                self._listing(commit).read_bytes(), type=tuple[RepoFile, ...]
            )
        except (OSError, msgspec.DecodeError):
            return ()

    def keep_listing(self, commit: str, files: tuple[RepoFile, ...]) -> None:
        """So that the hub need not be asked again; a disk that cannot be written to is no fault."""
        path = self._listing(commit)
        with suppress(OSError):
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                with _replacing(path) as new:
                    new.write_bytes(msgspec.json.encode(files))

    def _listing(self, commit: str) -> Path:
        return self.directory / "listings" / f"{commit}.json"

    @contextmanager
    def open_part(self, digest: str, *, on_wait: Callable[[], None]) -> Iterator[BinaryIO]:
        """What has arrived of a blob, opened to read and write, and locked against others.

        `on_wait` is called before waiting for another process that fetches the same.
        """
        path = self.part(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                fcntl.flock(file, fcntl.LOCK_EX)
            yield file


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A name beside `path` to make, which then takes its place in one step.

    Others may do the same at the same moment: there is always one of them, and it is whole.
    """
    new = path.with_name(f"{_PENDING}{uuid.uuid4().hex}")
    try:
        yield new
        # A hard link to the same blob would make `replace` do nothing, and leave `new` behind.
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def is_safe_name(name: str) -> bool:
    """Whether a name out of a hub's listing stays below the directory it is put into."""
    parts = name.split("/")
    return (
        len(name) < 1024
        and all(_NAME_PART.fullmatch(part) and part.strip(". ") for part in parts)
    )  # fmt: skip


def cached(cache_dir: Path) -> list[CachedModel]:
    """All complete models below `cache_dir`, by name."""
    models: list[CachedModel] = []
    for directory in sorted(cache_dir.glob("models--*--*")):
        cache = RepositoryCache(cache_dir, directory.name[len("models--") :].replace("--", "/", 1))
        revisions = _revisions(directory)
        for snapshot in sorted((directory / "snapshots").glob("*")):
            models.extend(_models_of(cache, snapshot, revisions.get(snapshot.name)))
    return models


def _models_of(cache: RepositoryCache, snapshot: Path, revision: str | None) -> list[CachedModel]:
    revision = None if revision == DEFAULT_REVISION else revision or snapshot.name
    files = cache.files(snapshot.name)
    models = [
        CachedModel(
            HubReference(cache.repository, revision, label),
            snapshot / parts[0].name,
            sum(part.size_bytes for part in parts),
        )
        for label, parts in quantisations(files).items()
    ]
    models += [
        CachedModel(
            HubReference(cache.repository, revision, found["precision"].upper()),
            snapshot / file.name,
            file.size_bytes,
        )
        for file in files
        if (found := GRAPH.fullmatch(file.name))
    ]
    whole = {ONNX_MODEL, PIPELINE}
    if any(file.name in whole or TRANSFORMER.fullmatch(file.name) for file in files):
        size_bytes = sum(file.size_bytes for file in files if not file.name.endswith(".gguf"))
        models.append(CachedModel(HubReference(cache.repository, revision), snapshot, size_bytes))
    return models


def _revisions(directory: Path) -> dict[str, str]:
    """Commit -> the branch or tag that stands for it; the default branch goes before others."""
    refs = directory / "refs"
    found = {
        ref.read_text().strip(): ref.relative_to(refs).as_posix()
        for ref in sorted(refs.rglob("*"))
        if ref.is_file() and not ref.name.startswith(_PENDING)
    }
    main = refs / DEFAULT_REVISION
    return found | ({main.read_text().strip(): DEFAULT_REVISION} if main.is_file() else {})
