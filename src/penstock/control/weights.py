"""The weights that a reference to the hub names: found in the cache, or fetched into it."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from penstock.control.download import Progress, download
from penstock.control.fetch_error import FetchError, Unreachable, as_sentences
from penstock.control.hub import Hub, Listing
from penstock.control.hub_cache import COMMIT, RepositoryCache
from penstock.control.quantisation import RepoFile, size_text
from penstock.control.selection import Selection, select
from penstock.domain.source import HubReference
from penstock.engines.base import CannotStart

#: So much has to stay free on the disk.
DISK_RESERVE_BYTES = 100_000_000

#: Told the engine that a model will need; raises CannotStart when there is none.
EngineCheck = Callable[[str], None]


class Order(msgspec.Struct, frozen=True):
    """What of a repository is to be here. `answered`: the hub itself has told of it."""

    cache: RepositoryCache
    reference: HubReference
    listing: Listing
    selection: Selection
    answered: bool

    def missing(self) -> list[RepoFile]:
        commit = self.listing.commit
        return [file for file in self.selection.files if not self.cache.has(commit, file)]


def fetch(
    reference: HubReference,
    *,
    cache_dir: Path,
    free_memory_bytes: int,
    progress: Progress,
    check_engine: EngineCheck = lambda _: None,
) -> Path:
    """The GGUF file, or the directory of the model, that `reference` names.

    Downloads what is not below `cache_dir` yet, if `check_engine` has nothing against it. Blocks:
    call it in a thread. Raises FetchError.
    """
    order = look_up(
        reference,
        cache_dir=cache_dir,
        free_memory_bytes=free_memory_bytes,
        progress=progress,
        check_engine=check_engine,
    )
    return fill(order, progress)


def look_up(
    reference: HubReference,
    *,
    cache_dir: Path,
    free_memory_bytes: int,
    progress: Progress,
    check_engine: EngineCheck = lambda _: None,
) -> Order:
    """What `fetch` would bring, which asks the hub but downloads nothing. Raises FetchError."""
    cache = RepositoryCache(cache_dir, reference.repository)
    hub = Hub()
    listing = _listing(hub, cache, reference, progress)
    selection = select(listing.files, reference, free_memory_bytes)
    if selection.reason:
        progress.note(f"{reference.repository}: {selection.reason}")
    try:
        check_engine(selection.engine)
    except CannotStart as error:
        raise FetchError(f"{reference.repository} cannot be served. {error}") from None
    return Order(cache, reference, listing, selection, hub.answered)


def fill(order: Order, progress: Progress) -> Path:
    """Downloads what is missing. The path of what is to be opened. Raises FetchError."""
    cache, reference, listing = order.cache, order.reference, order.listing
    if missing := order.missing():
        _check_disk(cache, missing)
        with as_sentences(reference):
            download(Hub(), cache, listing.commit, missing, progress)
    if order.answered:
        if cache.commit_of(reference.revision) != listing.commit:
            with as_sentences(reference):
                cache.remember(reference.revision, listing.commit)
        cache.keep_listing(listing.commit, listing.files)
    return cache.snapshot(listing.commit) / order.selection.path


class Found(msgspec.Struct, frozen=True):
    """What of a repository would be taken: `path` is where it is, or will be, on this machine."""

    path: Path
    missing_bytes: int
    reason: str


def find(
    reference: HubReference, *, cache_dir: Path, free_memory_bytes: int, online: bool
) -> Found | None:
    """What `fetch` would take, without taking it; None: unknown, as only the hub could tell.

    The hub is asked only if `online`. Raises FetchError.
    """
    cache = RepositoryCache(cache_dir, reference.repository)
    if online:
        listing = Hub().listing(reference)
    elif (commit := cache.commit_of(reference.revision)) and (files := cache.files(commit)):
        listing = Listing(commit, files)
    else:
        return None
    selection = select(listing.files, reference, free_memory_bytes)
    missing = [file for file in selection.files if not cache.has(listing.commit, file)]
    return Found(
        cache.snapshot(listing.commit) / selection.path,
        sum(file.size_bytes - cache.arrived_bytes(file) for file in missing),
        selection.reason,
    )


def _listing(
    hub: Hub, cache: RepositoryCache, reference: HubReference, progress: Progress
) -> Listing:
    """That of a commit never changes, so the hub is not asked for it again. Raises FetchError."""
    commit = reference.revision or ""
    if COMMIT.fullmatch(commit) and (files := cache.listing(commit)):
        return Listing(commit, files)
    try:
        return hub.listing(reference)
    except Unreachable as error:
        listing = _listing_of_cache(cache, reference, str(error))
        progress.note(f"{error}. Using what is in the cache of {reference.repository}.")
        return listing


def _listing_of_cache(cache: RepositoryCache, reference: HubReference, why: str) -> Listing:
    commit = cache.commit_of(reference.revision)
    if commit is None or not cache.files(commit):
        raise FetchError(
            f"{why}, and {reference} has not been fetched before. Check the network, "
            "HF_HUB_OFFLINE and HF_ENDPOINT, and run it again."
        )
    return Listing(commit, cache.files(commit))


def _check_disk(cache: RepositoryCache, missing: Sequence[RepoFile]) -> None:
    """Raises FetchError when what is missing does not fit on the disk."""
    try:
        cache.directory.mkdir(parents=True, exist_ok=True)
        free_bytes = shutil.disk_usage(cache.directory).free
    except OSError as error:
        raise FetchError(f"{cache.directory} cannot be written to: {error.strerror}.") from None
    needed_bytes = sum(file.size_bytes - cache.arrived_bytes(file) for file in missing)
    if needed_bytes + DISK_RESERVE_BYTES > free_bytes:
        raise FetchError(
            f"{cache.repository} needs {size_text(needed_bytes)} more on the disk of "
            f"{cache.cache_dir}, where {size_text(free_bytes)} are free. Make room, or choose a "
            "smaller quantisation."
        )
