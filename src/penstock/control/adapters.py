"""LoRA adapters of a model: brought to this machine, wherever they come from."""

from collections.abc import Mapping
from pathlib import Path

from penstock.control.download import Progress
from penstock.control.fetch_error import FetchError
from penstock.control.local_source import bring_here
from penstock.control.quantisation import NO_BOUND_BYTES
from penstock.domain.source import BadSource, GgufFile, ModelDirectory, check_name, parse_source
from penstock.engines.base import CannotStart


class Unwatched(Progress):
    """For a download that nobody watches."""

    def note(self, sentence: str) -> None:
        pass

    def start(self, total_bytes: int, label: str, *, arrived_bytes: int) -> None:
        pass

    def advance(self, size_bytes: int) -> None:
        pass

    def finish(self) -> None:
        pass


def bring_adapters(
    sources: Mapping[str, str], *, cache_dir: Path, progress: Progress
) -> dict[str, Path]:
    """Where each adapter lies: a file, or a directory. `sources` are texts by the adapters' names.

    Downloads what has to be; blocks. Raises CannotStart.
    """
    return {
        name: bring_adapter(name, text, cache_dir=cache_dir, progress=progress)
        for name, text in sources.items()
    }


def why_lost(sources: Mapping[str, str], *, cache_dir: Path) -> dict[str, str]:
    """Why adapters cannot be had any more, by the names of those. Downloads the others; blocks."""
    lost = {}
    for name, text in sources.items():
        try:
            path = bring_adapter(name, text, cache_dir=cache_dir, progress=Unwatched())
        except CannotStart as error:
            lost[name] = str(error)
        else:
            if not path.exists():
                lost[name] = f"The adapter {name}: there is nothing at {path}."
    return lost


def bring_adapter(name: str, text: str, *, cache_dir: Path, progress: Progress) -> Path:
    """Raises CannotStart."""
    try:
        check_name(name)
        local = bring_here(
            parse_source(f"{name}={text}").source,
            cache_dir=cache_dir,
            free_memory_bytes=NO_BOUND_BYTES,  # it is small beside its base
            progress=progress,
        )
    except (BadSource, FetchError) as error:
        raise CannotStart(f"The adapter {name}: {error}") from None
    if not isinstance(local, GgufFile | ModelDirectory):
        raise CannotStart(
            f"The adapter {name}: {text!r} is not a file, a directory or a repository of the hub."
        )
    return local.path
