"""Source -> the same on this machine: bundled models are found, hub references fetched."""

from pathlib import Path

import penstock_tiny_models

from penstock.control.download import Progress
from penstock.control.weights import EngineCheck, fetch
from penstock.domain.source import (
    Bundled,
    DrawingDirectory,
    GgufFile,
    HubReference,
    ModelDirectory,
    Source,
    directory_of,
    parse_source,
)
from penstock.engines.registry import LocalSource


def bundled_source(name: str) -> LocalSource:
    """Where a bundled model lies. `name` is one of `domain.source.BUNDLED_NAMES`."""
    directory = penstock_tiny_models.path(name.partition("/")[2])
    if directory.name == "tiny-draw":
        return DrawingDirectory(directory)
    ggufs = sorted(directory.glob("*.gguf"))
    return GgufFile(ggufs[0]) if ggufs else ModelDirectory(directory)


def source_at(name: str, text: str, version_text: str | None) -> Source:
    """Where to bring a model's weights from: those of its version, where one is known.

    `text` says what is wanted, `version_text` what its version is of. Only another commit of the
    same repository is gone back to: the same bytes may have come to the version from elsewhere.
    Raises BadSource.
    """
    wanted = parse_source(f"{name}={text}").source
    if version_text is None or not isinstance(wanted, HubReference):
        return wanted
    known = parse_source(f"{name}={version_text}").source
    same = isinstance(known, HubReference) and known.repository == wanted.repository
    return known if same else wanted


def fetched_source(path: Path) -> LocalSource:
    """What `weights.fetch` gave: a GGUF file, a directory, or a graph in one."""
    if path.suffix == ".onnx":
        return directory_of(path)
    return GgufFile(path) if path.suffix == ".gguf" else ModelDirectory(path)


def bring_here(
    source: Source,
    *,
    cache_dir: Path,
    free_memory_bytes: int,
    progress: Progress,
    check_engine: EngineCheck = lambda _: None,
) -> LocalSource:
    """Downloads what has to be, if there is an engine for it. Blocks; call it in a thread.

    Raises FetchError.
    """
    if not isinstance(source, HubReference):
        return found_here(source)
    path = fetch(
        source,
        cache_dir=cache_dir,
        free_memory_bytes=free_memory_bytes,
        progress=progress,
        check_engine=check_engine,
    )
    return fetched_source(path)


def found_here(source: Bundled | LocalSource) -> LocalSource:
    """What need not be fetched."""
    return bundled_source(source.name) if isinstance(source, Bundled) else source
