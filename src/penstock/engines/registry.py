"""Source -> engine. The only place that names concrete engines."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from penstock.domain.gpu import Gpu
from penstock.domain.secret import Secret
from penstock.domain.source import (
    DrawingDirectory,
    FakeEngine,
    GgufFile,
    ModelDirectory,
    RemoteServer,
)
from penstock.engines.base import CannotStart, Engine
from penstock.engines.choice import Choice, choose
from penstock.engines.diffusers.engine import Diffusers
from penstock.engines.fake import Fake
from penstock.engines.formats.transformer import NotATransformer
from penstock.engines.llama_cpp.engine import LlamaCpp
from penstock.engines.onnx.engine import OnnxModel
from penstock.engines.openai.engine import OpenAIServer
from penstock.engines.tiny_draw import TinyDraw
from penstock.engines.vllm.embedder import VllmEmbedder, embeds
from penstock.engines.vllm.engine import Vllm, VllmOptions
from penstock.engines.vllm.install import find_vllm
from penstock.http.client import DEFAULT_TIMEOUTS, Timeouts

LocalSource = GgufFile | ModelDirectory | DrawingDirectory | RemoteServer | FakeEngine


class EngineOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What may be set about an engine; each takes what concerns it.

    None means that the engine chooses: by `free_memory_bytes`, and by `budget_bytes`, which is
    what could be had if other models went.
    """

    free_memory_bytes: int
    budget_bytes: int | None = None
    threads: int = 1
    context_length: int | None = None
    parallel: int | None = None
    gpu_layers: int = -1
    embedding_batch_tokens: int = 2048
    timeouts: Timeouts = DEFAULT_TIMEOUTS
    key: Secret | None = None
    dialect: str | None = None
    vision: bool = False
    mmproj: Path | None = None
    adapters: Mapping[str, Path] = {}
    diffusers_python: Path | None = None
    transformer: Path | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    engine: str | None = None
    gpus: tuple[Gpu, ...] = ()
    vllm_python: Path | None = None
    dtype: str | None = None
    quantization: str | None = None
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    gpu_memory_share: float = 0.9
    tool_parser: str | None = None
    reasoning_parser: str | None = None


def check_installed(engine: str, *, vllm_python: Path | None, gpus: Sequence[Gpu]) -> None:
    """Raises CannotStart, with the command that installs it, where there is no such engine."""
    if engine == Vllm.name:
        find_vllm(vllm_python, has_gpu=bool(gpus))


def choose_engine(source: LocalSource, wanted: str | None = None) -> Choice:
    """The engine for a source, and the reason. Raises CannotStart for one that cannot run it."""
    match source:
        case GgufFile():
            choice = Choice(LlamaCpp.name, "it is a GGUF file")
        case ModelDirectory(path, None):
            return choose(_names_in(path), wanted)
        case ModelDirectory():
            choice = Choice(OnnxModel.name, "it is an ONNX graph")
        case DrawingDirectory():
            choice = Choice(TinyDraw.name, "it is the bundled drawing model")
        case RemoteServer():
            choice = Choice(OpenAIServer.name, "it is on a server")
        case FakeEngine():
            choice = Choice(Fake.name, "it is a fake")
    if wanted not in (None, choice.engine):
        raise CannotStart(
            f"The engine {wanted!r} does not run such a model; it is one for {choice.engine}."
        )
    return choice


def _names_in(directory: Path) -> frozenset[str]:
    """The files, and those one level below."""
    found = [path for path in (*directory.glob("*"), *directory.glob("*/*")) if path.is_file()]
    return frozenset(str(path.relative_to(directory)) for path in found)


def _vllm_kind(directory: Path) -> type[Vllm]:
    """Raises CannotStart for a directory that cannot be read."""
    try:
        return VllmEmbedder if embeds(directory) else Vllm
    except NotATransformer as error:
        raise CannotStart(str(error)) from None


def make_engine(name: str, source: LocalSource, options: EngineOptions) -> Engine:
    """The engine for a model that is on this machine, or on a server. Raises CannotStart."""
    choice = choose_engine(source, options.engine)
    match source:
        case GgufFile(path):
            return LlamaCpp(
                path,
                alias=name,
                free_memory_bytes=options.free_memory_bytes,
                budget_bytes=options.budget_bytes,
                context_length=options.context_length,
                parallel=options.parallel,
                threads=options.threads,
                gpu_layers=options.gpu_layers,
                mmproj=options.mmproj,
                adapters=options.adapters,
                timeouts=options.timeouts,
            )
        case ModelDirectory(path) if choice.engine == Diffusers.name:
            return Diffusers(
                path,
                # What it computes in changes its pictures: not by who else runs just now.
                free_memory_bytes=options.budget_bytes or options.free_memory_bytes,
                gpus=options.gpus,
                python=options.diffusers_python,
                transformer=options.transformer,
                adapters=options.adapters,
                steps=options.num_inference_steps,
                guidance=options.guidance_scale,
                threads=options.threads,
                slots=options.parallel or 8,
                timeouts=options.timeouts,
            )
        case ModelDirectory(path) if choice.engine == Vllm.name:
            return _vllm_kind(path)(
                path,
                alias=name,
                install=find_vllm(options.vllm_python, has_gpu=bool(options.gpus)),
                adapters=options.adapters,
                free_memory_bytes=options.free_memory_bytes,
                budget_bytes=options.budget_bytes,
                gpus=options.gpus,
                options=VllmOptions(
                    context_length=options.context_length,
                    parallel=options.parallel,
                    threads=options.threads,
                    dtype=options.dtype,
                    quantization=options.quantization,
                    tensor_parallel=options.tensor_parallel,
                    pipeline_parallel=options.pipeline_parallel,
                    gpu_share=options.gpu_memory_share,
                    tool_parser=options.tool_parser,
                    reasoning_parser=options.reasoning_parser,
                ),
                timeouts=options.timeouts,
            )
        case ModelDirectory(path, graph):
            return OnnxModel(
                Path(path),
                graph=graph,
                context_length=options.context_length,
                threads=options.threads,
                slots=options.parallel or 256,
                batch_tokens=options.embedding_batch_tokens,
                timeouts=options.timeouts,
            )
        case DrawingDirectory(path):
            return TinyDraw(path, timeouts=options.timeouts)
        case RemoteServer(base_url, model):
            return OpenAIServer(
                base_url,
                model=model or name,
                key=options.key,
                dialect=options.dialect,
                sees=options.vision,
                slots=options.parallel or 256,
                timeouts=options.timeouts,
            )
        case FakeEngine(flags):
            return Fake(
                dict(flags),
                model=name,
                gpus=options.gpus,
                slots=options.parallel or 256,
                timeouts=options.timeouts,
            )
