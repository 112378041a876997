"""Why a model cannot be had, as sentences: what the hub and the disk raise, for a user."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from penstock.domain.source import HubReference

if TYPE_CHECKING:
    import httpx2


class FetchError(Exception):
    """A model cannot be had; `message` is a sentence for the user, with what to do next."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Unreachable(FetchError):
    """No answer from the hub; the message has no full stop, so that it can be gone on with."""


@contextmanager
def as_sentences(reference: HubReference) -> Iterator[None]:
    """Turns what the hub and the disk raise into FetchError, or Unreachable."""
    import httpx2
    from huggingface_hub import errors

    try:
        yield
    except FetchError:
        raise
    except errors.OfflineModeIsEnabled:
        raise Unreachable("HF_HUB_OFFLINE is set") from None
    except httpx2.RequestError as error:
        raise Unreachable(f"The hub cannot be reached ({plain_kind(error)})") from None
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
        return Unreachable(f"The hub answered {status}")
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


def plain_kind(error: Exception) -> str:
    """The name of an error of the wire in plain words: ConnectTimeout -> connect timeout."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()
