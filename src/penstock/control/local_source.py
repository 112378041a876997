"""Source -> the same on this machine: bundled models are found, hub references fetched."""

from pathlib import Path

import penstock_tiny_models

from penstock.control.weights import Progress, fetch
from penstock.domain.source import (
    Bundled,
    DrawingDirectory,
    GgufFile,
    HubReference,
    ModelDirectory,
    Source,
)
from penstock.engines.registry import LocalSource


def bundled_source(name: str) -> LocalSource:
    """Where a bundled model lies. `name` is one of `domain.source.BUNDLED_NAMES`."""
    directory = penstock_tiny_models.path(name.partition("/")[2])
    if directory.name == "tiny-draw":
        return DrawingDirectory(directory)
    ggufs = sorted(directory.glob("*.gguf"))
    return GgufFile(ggufs[0]) if ggufs else ModelDirectory(directory)


def bring_here(
    source: Source, *, cache_dir: Path, free_memory_bytes: int, progress: Progress
) -> LocalSource:
    """Downloads what has to be. Blocks; call it in a thread. Raises FetchError."""
    match source:
        case Bundled(name):
            return bundled_source(name)
        case HubReference():
            path = fetch(
                source,
                cache_dir=cache_dir,
                free_memory_bytes=free_memory_bytes,
                progress=progress,
            )
            return GgufFile(path) if path.suffix == ".gguf" else ModelDirectory(path)
        case _:
            return source
