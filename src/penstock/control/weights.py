"""Fetches models from the hub: chooses files, downloads, resumes, verifies.

huggingface_hub gives the listing, the session, the headers (HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE)
and the errors. Its own download is not used: since 2.x it throws away what has arrived when it is
interrupted, with Xet and without. Here the bytes come over plain HTTP with Range into a `.part`
file, which the next attempt goes on with, in this process or in another.
"""

import errno
import hashlib
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

import msgspec

from penstock.control.hub_cache import (
    COMMIT,
    ONNX_MODEL,
    CachedModel,
    RepositoryCache,
    cached,
    is_safe_name,
)
from penstock.control.quantisation import (
    CannotChoose,
    Choice,
    RepoFile,
    choose_quantisation,
    size_text,
)
from penstock.domain.source import HubReference

if TYPE_CHECKING:
    import httpx2
    from huggingface_hub.hf_api import RepoSibling

__all__ = [
    "CachedModel",
    "Choice",
    "FetchError",
    "Progress",
    "RepoFile",
    "Selection",
    "cached",
    "choose_quantisation",
    "fetch",
    "select",
]

#: How often a file is asked for again without a new byte.
ATTEMPTS = 5
RETRY_WAIT_S = 1.0
LISTING_TIMEOUT_S = 20.0
CHUNK_BYTES = 1024 * 1024
#: So much has to stay free on the disk.
DISK_RESERVE_BYTES = 100_000_000

TOKENIZER = "tokenizer.json"
#: Of an embedding model's repository, what is fetched; weights in other formats are not.
EMBEDDING_FILES = re.compile(
    r"onnx/model\.onnx(_data)?|tokenizer\.json|config\.json|modules\.json|1_Pooling/[^/]+"
    r"|sentence_bert_config\.json|special_tokens_map\.json|tokenizer_config\.json"
)
_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class FetchError(Exception):
    """A model cannot be had; `message` is a sentence for the user, with what to do next."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


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


class Selection(msgspec.Struct, frozen=True):
    """Which files of a repository to take. `path` is the one to open, "" the directory itself."""

    files: tuple[RepoFile, ...]
    path: str
    reason: str


class Listing(msgspec.Struct, frozen=True):
    """What a repository holds at one commit."""

    commit: str
    files: tuple[RepoFile, ...]


class _Unreachable(FetchError):
    """No answer from the hub; the message has no full stop, so that it can be gone on with."""


def fetch(
    reference: HubReference, *, cache_dir: Path, free_memory_bytes: int, progress: Progress
) -> Path:
    """The GGUF file, or the directory of the embedding model, that `reference` names.

    Downloads what is not below `cache_dir` yet. Blocks: call it in a thread. Raises FetchError.
    """
    cache = RepositoryCache(cache_dir, reference.repository)
    hub = _Hub()
    try:
        listing = hub.listing(reference)
    except _Unreachable as error:
        listing = _listing_of_cache(cache, reference, str(error))
        progress.note(f"{error}. Using what is in the cache of {reference.repository}.")
    selection = select(listing.files, reference, free_memory_bytes)
    if selection.reason:
        progress.note(f"{reference.repository}: {selection.reason}")
    missing = [file for file in selection.files if not cache.has(listing.commit, file)]
    if missing:
        _check_disk(cache, missing)
        with _as_sentences(reference):
            _download(hub, cache, reference, listing.commit, missing, progress)
    if hub.answered and cache.commit_of(reference.revision) != listing.commit:
        with _as_sentences(reference):
            cache.remember(reference.revision, listing.commit)
    return cache.snapshot(listing.commit) / selection.path


def select(
    files: tuple[RepoFile, ...], reference: HubReference, free_memory_bytes: int
) -> Selection:
    """The files of one model that Penstock can run. Raises FetchError."""
    names = {file.name for file in files}
    if any(name.endswith(".gguf") for name in names):
        try:
            choice = choose_quantisation(files, reference.quantisation, free_memory_bytes)
        except CannotChoose as error:
            raise FetchError(f"{reference.repository}: {error}") from None
        return Selection(choice.files, choice.files[0].name, choice.reason)
    if {ONNX_MODEL, TOKENIZER} <= names:
        if reference.quantisation:
            raise FetchError(
                f"{reference.repository} is an embedding model, which has no quantisations. Leave "
                f"out ':{reference.quantisation}'."
            )
        # The model comes last: where it is, all the rest is, even after an interruption.
        wanted = (file for file in files if EMBEDDING_FILES.fullmatch(file.name))
        return Selection(tuple(sorted(wanted, key=lambda f: f.name == ONNX_MODEL)), "", "")
    raise FetchError(
        f"{reference.repository} has nothing that Penstock can run: it needs a .gguf file (text "
        f"and embeddings), or {ONNX_MODEL} with {TOKENIZER} (embeddings). It has "
        f"{_some_of(names)}. Many models have a sister repository whose name ends in '-GGUF'."
    )


def _some_of(names: set[str]) -> str:
    if not names:
        return "no files"
    shown = sorted(names)[:5]
    return ", ".join(shown) + (f" and {len(names) - 5} more files" if len(names) > 5 else "")


def _listing_of_cache(cache: RepositoryCache, reference: HubReference, why: str) -> Listing:
    commit = cache.commit_of(reference.revision)
    if commit is None or not cache.files(commit):
        raise FetchError(
            f"{why}, and {reference} has not been fetched before. Check the network, "
            "HF_HUB_OFFLINE and HF_ENDPOINT, and run it again."
        )
    return Listing(commit, cache.files(commit))


def _check_disk(cache: RepositoryCache, missing: list[RepoFile]) -> None:
    """Raises FetchError when what is missing does not fit on the disk."""
    try:
        cache.directory.mkdir(parents=True, exist_ok=True)
        free_bytes = shutil.disk_usage(cache.directory).free
    except OSError as error:
        raise FetchError(f"{cache.directory} cannot be written to: {error.strerror}.") from None
    needed_bytes = sum(file.size_bytes - _arrived_bytes(cache, file) for file in missing)
    if needed_bytes + DISK_RESERVE_BYTES > free_bytes:
        raise FetchError(
            f"{cache.repository} needs {size_text(needed_bytes)} more on the disk of "
            f"{cache.cache_dir}, where {size_text(free_bytes)} are free. Make room, or choose a "
            "smaller quantisation."
        )


def _arrived_bytes(cache: RepositoryCache, file: RepoFile) -> int:
    for path in (cache.blob(_digest_of(file)), cache.part(_digest_of(file))):
        if path.exists():
            return min(path.stat().st_size, file.size_bytes)
    return 0


def _digest_of(file: RepoFile) -> str:
    return file.sha256 or file.git_sha or ""


# -- downloading -------------------------------------------------------------------------------


def _download(
    hub: "_Hub",
    cache: RepositoryCache,
    reference: HubReference,
    commit: str,
    missing: list[RepoFile],
    progress: Progress,
) -> None:
    arrived = {file.name: _arrived_bytes(cache, file) for file in missing}
    progress.start(
        sum(file.size_bytes for file in missing),
        reference.repository,
        arrived_bytes=sum(arrived.values()),
    )
    try:
        for file in missing:
            _download_file(hub, cache, commit, file, progress)
    finally:
        progress.finish()


def _download_file(
    hub: "_Hub", cache: RepositoryCache, commit: str, file: RepoFile, progress: Progress
) -> None:
    digest = _digest_of(file)
    arrived_bytes = _arrived_bytes(cache, file)

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
        return self._hash.hexdigest() == _digest_of(self._file)


def _receive(
    hub: "_Hub",
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
        why = hub.continue_file(repository, commit, file, part, progress)
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


class _Hub:
    """The hub that HF_ENDPOINT names. `answered` tells whether it did when it was last asked."""

    def __init__(self) -> None:
        # Read by the library when it is imported; it must not tell anyone what runs here.
        os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
        from huggingface_hub import constants

        constants.HF_HUB_DISABLE_TELEMETRY = True
        # It tells of every request with its URL, and those of a CDN are secrets for an hour.
        logging.getLogger("httpx2").setLevel(logging.WARNING)
        self.endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or constants.ENDPOINT
        self.answered = False

    def listing(self, reference: HubReference) -> Listing:
        """All files, with sizes and digests. Raises FetchError, _Unreachable."""
        from huggingface_hub import HfApi

        api = HfApi(endpoint=self.endpoint, library_name="penstock")
        with _as_sentences(reference):
            info = api.model_info(
                reference.repository,
                revision=reference.revision,
                files_metadata=True,
                timeout=LISTING_TIMEOUT_S,
            )
            files = tuple(_repo_file(sibling) for sibling in info.siblings or ())
            if not COMMIT.fullmatch(info.sha or ""):
                raise ValueError("no commit")
        self.answered = True
        return Listing(info.sha or "", files)

    def continue_file(
        self, repository: str, commit: str, file: RepoFile, part: _Part, progress: Progress
    ) -> str:
        """Ask for the rest of `file` once. What ended it, as the end of a sentence."""
        import httpx2
        from huggingface_hub import constants, get_session, hf_hub_url, hf_raise_for_status
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

        url = hf_hub_url(repository, file.name, revision=commit, endpoint=self.endpoint)
        headers = build_hf_headers(library_name="penstock")
        headers["Accept-Encoding"] = "identity"
        if part.size_bytes:
            headers["Range"] = f"bytes={part.size_bytes}-"
        timeout_s = float(constants.HF_HUB_DOWNLOAD_TIMEOUT)
        try:
            # A redirect to another host is followed without the token: httpx2 sees to it.
            with get_session().stream("GET", url, headers=headers, timeout=timeout_s) as answer:
                if answer.status_code == 429 or answer.status_code >= 500:
                    return f"the hub answered {answer.status_code}"
                hf_raise_for_status(answer)
                return _take_body(answer, file, part, progress)
        except httpx2.RequestError as error:
            return f"the connection failed ({_kind(error)})"


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


def _repo_file(sibling: "RepoSibling") -> RepoFile:
    """Raises FetchError when the listing would write outside, ValueError when it is no listing."""
    name = sibling.rfilename
    if not is_safe_name(name):
        raise FetchError(f"The repository has a file called {name!r}, which is refused as unsafe.")
    file = RepoFile(
        name,
        size_bytes=sibling.lfs.size if sibling.lfs else sibling.size or 0,
        sha256=sibling.lfs.sha256 if sibling.lfs else None,
        git_sha=sibling.blob_id,
    )
    if not _DIGEST.fullmatch(_digest_of(file)) or file.size_bytes < 0:
        raise ValueError(f"no digest of {name}")
    return file


# -- errors as sentences -----------------------------------------------------------------------


@contextmanager
def _as_sentences(reference: HubReference) -> Iterator[None]:
    """Turns what the hub and the disk raise into FetchError, or _Unreachable."""
    import httpx2
    from huggingface_hub import errors

    try:
        yield
    except (FetchError, _Unreachable):
        raise
    except errors.OfflineModeIsEnabled:
        raise _Unreachable("HF_HUB_OFFLINE is set") from None
    except httpx2.RequestError as error:
        raise _Unreachable(f"The hub cannot be reached ({_kind(error)})") from None
    except errors.HfHubHTTPError as error:
        raise _refusal(error, reference) from None
    except OSError as error:
        raise FetchError(_disk_sentence(error)) from None
    except (ValueError, TypeError, KeyError, AttributeError, httpx2.InvalidURL):
        raise FetchError(
            "What answered is not a model hub, or not one that Penstock understands. Check "
            "HF_ENDPOINT."
        ) from None


def _refusal(error: "httpx2.HTTPError", reference: HubReference) -> Exception:
    from huggingface_hub import errors, get_token

    status = getattr(getattr(error, "response", None), "status_code", 0)
    if status == 429 or status >= 500:
        return _Unreachable(f"The hub answered {status}")
    has_token = get_token() is not None
    name = reference.repository
    token = "the token in HF_TOKEN has no access" if has_token else "HF_TOKEN is not set"
    sentences: tuple[tuple[type[Exception], str], ...] = (
        (
            errors.GatedRepoError,
            f"{name} is gated, and {token}. Accept its terms on its page on the hub, and put a "
            "token of your account there into HF_TOKEN.",
        ),
        (
            errors.RevisionNotFoundError,
            f"{name} has no revision {reference.revision!r}. Write a branch, a tag or a commit "
            f"of it, or leave it out: {name}",
        ),
        (
            errors.RepositoryNotFoundError,
            f"{name} is not on the hub, or it is private and {token}. Check the spelling. If you "
            f"mean a directory on this machine, write ./{name}",
        ),
        (
            errors.RemoteEntryNotFoundError,
            f"A file of {name} that is in its listing is not there. Run it again.",
        ),
    )
    for kind, sentence in sentences:
        if isinstance(error, kind):
            return FetchError(sentence)
    if status == 401:
        return FetchError("The hub does not accept the token in HF_TOKEN. Make a new one there.")
    return FetchError(f"The hub refused {reference} with status {status}.")


def _disk_sentence(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            "The disk is full. What has arrived is kept; make room and run it again to go on from "
            "there."
        )
    return f"The files cannot be written: {error.strerror or error}."


def _kind(error: Exception) -> str:
    """The name of an error of the wire in plain words: ConnectTimeout -> connect timeout."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()
