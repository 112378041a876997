"""The hub of models: what a repository holds, and the bytes of a file from a given one on.

huggingface_hub gives the listing, the session, the headers (HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE)
and the errors.
"""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from penstock.control.fetch_error import FetchError, as_sentences
from penstock.control.hub_cache import COMMIT, is_safe_name
from penstock.control.quantisation import RepoFile
from penstock.domain.source import HubReference

if TYPE_CHECKING:
    import httpx2
    from huggingface_hub.hf_api import RepoSibling

LISTING_TIMEOUT_S = 20.0
_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class Listing(msgspec.Struct, frozen=True):
    """What a repository holds at one commit."""

    commit: str
    files: tuple[RepoFile, ...]


class Hub:
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
        """All files, with sizes and digests. Raises FetchError, Unreachable."""
        from huggingface_hub import HfApi

        api = HfApi(endpoint=self.endpoint, library_name="penstock")
        with as_sentences(reference):
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

    @contextmanager
    def rest_of(
        self, repository: str, commit: str, file: RepoFile, *, from_byte: int
    ) -> Iterator["httpx2.Response"]:
        """The answer with the rest of a file, or with all of it, or with a busy hub's refusal.

        Raises what the hub's library does for another refusal, and httpx2.RequestError.
        """
        from huggingface_hub import constants, get_session, hf_hub_url, hf_raise_for_status
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

        url = hf_hub_url(repository, file.name, revision=commit, endpoint=self.endpoint)
        headers = build_hf_headers(library_name="penstock")
        headers["Accept-Encoding"] = "identity"
        if from_byte:
            headers["Range"] = f"bytes={from_byte}-"
        timeout_s = float(constants.HF_HUB_DOWNLOAD_TIMEOUT)
        # A redirect to another host is followed without the token: httpx2 sees to it.
        with get_session().stream("GET", url, headers=headers, timeout=timeout_s) as answer:
            if not is_busy(answer):
                hf_raise_for_status(answer)
            yield answer


def is_busy(answer: "httpx2.Response") -> bool:
    """Whether the hub is to be asked again later."""
    return answer.status_code == 429 or answer.status_code >= 500


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
    if not _DIGEST.fullmatch(file.digest) or file.size_bytes < 0:
        raise ValueError(f"no digest of {name}")
    return file
