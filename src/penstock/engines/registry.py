"""Source -> engine. The only place that names concrete engines."""

from pathlib import Path

import msgspec

from penstock.domain.source import (
    DrawingDirectory,
    FakeEngine,
    GgufFile,
    ModelDirectory,
    RemoteServer,
)
from penstock.engines.base import Engine
from penstock.engines.fake import Fake
from penstock.engines.llama_cpp import LlamaCpp
from penstock.engines.onnx import OnnxEmbedder
from penstock.engines.openai import OpenAIServer
from penstock.engines.tiny_draw import TinyDraw

LocalSource = GgufFile | ModelDirectory | DrawingDirectory | RemoteServer | FakeEngine


class EngineOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What may be set about an engine; each takes what concerns it.

    None means that the engine chooses. `free_memory_bytes` is what it may choose by.
    """

    free_memory_bytes: int
    threads: int = 1
    context_length: int | None = None
    parallel: int | None = None
    gpu_layers: int = -1
    embedding_batch_tokens: int = 2048
    stall_timeout_s: float = 120.0
    key: str | None = None


def make_engine(name: str, source: LocalSource, options: EngineOptions) -> Engine:
    """The engine for a model that is on this machine, or on a server. Raises CannotStart."""
    match source:
        case GgufFile(path):
            return LlamaCpp(
                path,
                alias=name,
                free_memory_bytes=options.free_memory_bytes,
                context_length=options.context_length,
                parallel=options.parallel,
                threads=options.threads,
                gpu_layers=options.gpu_layers,
                stall_timeout_s=options.stall_timeout_s,
            )
        case ModelDirectory(path):
            return OnnxEmbedder(
                Path(path),
                threads=options.threads,
                slots=options.parallel or 256,
                batch_tokens=options.embedding_batch_tokens,
                stall_timeout_s=options.stall_timeout_s,
            )
        case DrawingDirectory(path):
            return TinyDraw(path, stall_timeout_s=options.stall_timeout_s)
        case RemoteServer(base_url, model):
            return OpenAIServer(
                base_url,
                model=model or name,
                key=options.key,
                slots=options.parallel or 256,
                stall_timeout_s=options.stall_timeout_s,
            )
        case FakeEngine(flags):
            return Fake(
                dict(flags),
                model=name,
                slots=options.parallel or 256,
                stall_timeout_s=options.stall_timeout_s,
            )
