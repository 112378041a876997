"""Brings files of the hub into the cache: goes on where it broke off, and verifies.

huggingface_hub's own download is not used: since 2.x it throws away what has arrived when it is
interrupted, with Xet and without. Here the bytes come over plain HTTP with Range into a `.part`
file, which the next attempt goes on with, in this process or in another.
"""

import hashlib
import os
import re
import time
from typing import TYPE_CHECKING, BinaryIO, Protocol

from penstock.control.fetch_error import FetchError, plain_kind
from penstock.control.hub import Hub, is_busy
from penstock.control.hub_cache import RepositoryCache
from penstock.control.quantisation import RepoFile, size_text

if TYPE_CHECKING:
    import httpx2

#: How often a file is asked for again without a new byte.
ATTEMPTS = 5
RETRY_WAIT_S = 1.0
CHUNK_BYTES = 1024 * 1024


class Progress(Protocol):
    """Who watches a download. Calls come from one thread, in this order."""

    def note(self, sentence: str) -> None:
        """Something the user should know, at any time."""

    def start(self, total_bytes: int, label: str, *, arrived_bytes: int) -> None:
        """A download of `total_bytes` begins, of which so many are here from an earlier one."""

    def advance(self, size_bytes: int) -> None:
        """So many bytes more are here; less than 0 when some have to be fetched again."""

    def finish(self) -> None:
        """The download that was started is over, for good or ill."""


def download(
    hub: Hub,
    cache: RepositoryCache,
    commit: str,
    missing: list[RepoFile],
    progress: Progress,
) -> None:
    """Fetch what is missing of a snapshot. Raises FetchError, and what the hub and the disk do."""
    arrived = {file.name: cache.arrived_bytes(file) for file in missing}
    progress.start(
        sum(file.size_bytes for file in missing),
        cache.repository,
        arrived_bytes=sum(arrived.values()),
    )
    try:
        for file in missing:
            _download_file(hub, cache, commit, file, progress)
    finally:
        progress.finish()


def _download_file(
    hub: Hub, cache: RepositoryCache, commit: str, file: RepoFile, progress: Progress
) -> None:
    digest = file.digest
    arrived_bytes = cache.arrived_bytes(file)

    def on_wait() -> None:
        progress.note(f"Another process is fetching {file.name}; waiting for it.")

    if not cache.blob(digest).exists():
        with cache.open_part(digest, on_wait=on_wait) as opened:
            if cache.blob(digest).exists():  # the one that was waited for has brought it
                cache.part(digest).unlink(missing_ok=True)
                progress.advance(file.size_bytes - arrived_bytes)
            else:
                part = _Part(opened, file)
                progress.advance(part.size_bytes - arrived_bytes)
                _receive(hub, cache.repository, commit, file, part, progress)
                cache.part(digest).replace(cache.blob(digest))
    cache.link(commit, file.name, digest)


class _Part:
    """What has arrived of a file, and its digest so far."""

    def __init__(self, opened: BinaryIO, file: RepoFile) -> None:
        self._opened = opened
        self._file = file
        self.size_bytes = 0
        self._hash = self._new_hash()
        if os.fstat(opened.fileno()).st_size > file.size_bytes:
            self.clear()
        while chunk := opened.read(CHUNK_BYTES):
            self._hash.update(chunk)
            self.size_bytes += len(chunk)

    def _new_hash(self) -> "hashlib._Hash":
        if self._file.sha256:
            return hashlib.sha256()
        # git's name for a blob; it identifies, and nothing secret rests on it
        header = b"blob %d\0" % self._file.size_bytes
        return hashlib.sha1(header, usedforsecurity=False)

    def append(self, chunk: bytes) -> None:
        self._opened.write(chunk)
        self._hash.update(chunk)
        self.size_bytes += len(chunk)

    def clear(self) -> None:
        self._opened.seek(0)
        self._opened.truncate()
        self._hash = self._new_hash()
        self.size_bytes = 0

    def is_genuine(self) -> bool:
        """Whether it is what the hub's listing says it is; call it when all has arrived."""
        self._opened.flush()
        return self._hash.hexdigest() == self._file.digest


def _receive(
    hub: Hub,
    repository: str,
    commit: str,
    file: RepoFile,
    part: _Part,
    progress: Progress,
) -> None:
    """Bring `part` to its full size and verify it."""
    attempts = 0
    while part.size_bytes < file.size_bytes:
        before_bytes = part.size_bytes
        why = _continue(hub, repository, commit, file, part, progress)
        attempts = 0 if part.size_bytes > before_bytes else attempts + 1
        if attempts == ATTEMPTS:
            raise FetchError(
                f"The download of {file.name} broke off after {size_text(part.size_bytes)} of "
                f"{size_text(file.size_bytes)}: {why}. What has arrived is kept; run it again to "
                "go on from there."
            )
        if part.size_bytes < file.size_bytes:
            time.sleep(RETRY_WAIT_S)
    if not part.is_genuine():
        part.clear()
        raise FetchError(
            f"{file.name} arrived damaged: its digest is not the one in the hub's listing. It has "
            "been thrown away; run it again to fetch it anew."
        )


def _continue(
    hub: Hub, repository: str, commit: str, file: RepoFile, part: _Part, progress: Progress
) -> str:
    """Ask for the rest of `file` once. What ended it, as the end of a sentence."""
    import httpx2

    try:
        with hub.rest_of(repository, commit, file, from_byte=part.size_bytes) as answer:
            if is_busy(answer):
                return f"the hub answered {answer.status_code}"
            return _take_body(answer, file, part, progress)
    except httpx2.RequestError as error:
        return f"the connection failed ({plain_kind(error)})"


def _take_body(answer: "httpx2.Response", file: RepoFile, part: _Part, progress: Progress) -> str:
    if answer.status_code == 206:
        start = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
        if start is None or int(start[1]) != part.size_bytes:
            return "the hub sent another part than was asked for"
    elif part.size_bytes:
        progress.advance(-part.size_bytes)  # it sends everything, from the beginning
        part.clear()
    for chunk in answer.iter_raw():
        if part.size_bytes + len(chunk) > file.size_bytes:
            raise FetchError(
                f"The hub sent more of {file.name} than the {size_text(file.size_bytes)} that it "
                "has. Check HF_ENDPOINT."
            )
        part.append(chunk)
        progress.advance(len(chunk))
    return "the hub ended the connection"
