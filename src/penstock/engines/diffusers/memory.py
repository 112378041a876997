"""What a picture model takes of memory, and where its weights go, before anything is loaded."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from penstock.domain.gpu import Gpu
from penstock.engines.base import CannotStart
from penstock.engines.diffusers.pipeline_files import PipelineFiles

GIB = 1024**3
#: Of the free memory, what a model may take.
USABLE_SHARE = 0.9
#: Python with torch, diffusers and transformers, before any weights: 463 MB were measured.
WORKER_BYTES = 500 * 1024**2
#: What torch takes of a GPU before any weights: not measured, CUDA's contexts are about as large.
GPU_CONTEXT_BYTES = 600 * 1024**2
#: How often a picture is in memory at the decoder's widest, while it is decoded.
DECODER_COPIES = 3

Dtype = Literal["float32", "bfloat16"]
BYTES: dict[Dtype, int] = {"float32": 4, "bfloat16": 2}
Place = Literal["gpu", "offload", "cpu"]


class ImagePlan(msgspec.Struct, frozen=True, kw_only=True):
    """`dtype` is what a CPU computes in. `reason` shows the sum, for people."""

    dtype: Dtype
    total_bytes: int
    reason: str


class GpuPart(msgspec.Struct, frozen=True):
    """The GPU that a model runs on, and what it may take of its memory."""

    gpu: Gpu
    part_bytes: int


def plan_images(
    files: PipelineFiles,
    *,
    free_bytes: int,
    quantised_bytes: int | None = None,
    has_gpu: bool = False,
) -> ImagePlan:
    """In 32 bits where that fits, for CPUs are slow with 16, and GPUs are not.

    `quantised_bytes` is the size of the GGUF file that stands for the transformer. Weights pass
    through the machine's memory on their way to a GPU too. Raises CannotStart with the figures.
    """
    dtypes: tuple[Dtype, ...] = ("bfloat16",) if has_gpu else ("float32", "bfloat16")
    plans = [_plan(files, dtype, free_bytes, quantised_bytes) for dtype in dtypes]
    for plan in plans:
        if plan.total_bytes <= free_bytes * USABLE_SHARE:
            return plan
    raise CannotStart(
        f"It does not fit into memory: {plans[-1].reason}. Free some memory, choose a smaller "
        f"model, or name a quantised transformer in penstock.toml: {_what_would_fit(files)}."
    )


def _plan(
    files: PipelineFiles, dtype: Dtype, free_bytes: int, quantised_bytes: int | None
) -> ImagePlan:
    weights_bytes = weights(files, dtype, quantised_bytes)
    work_bytes = work(files, dtype)
    total_bytes = WORKER_BYTES + weights_bytes + work_bytes
    return ImagePlan(
        dtype=dtype,
        total_bytes=total_bytes,
        reason=(
            f"{size(weights_bytes)} weights in {dtype} + {size(work_bytes)} for a picture + "
            f"{size(WORKER_BYTES)} worker = {size(total_bytes)}, and {size(free_bytes)} are free"
        ),
    )


def part_of_gpu(
    files: PipelineFiles, gpus: Sequence[Gpu], *, quantised_bytes: int | None = None
) -> GpuPart | None:
    """Of the GPU with the most free memory; None: the CPU does it all.

    The worker puts its weights by what it finds free: with this much it decides the same.
    """
    gpu = max(gpus, key=lambda gpu: gpu.free_bytes, default=None)
    if gpu is None:
        return None
    held = {
        "gpu": weights(files, "bfloat16", quantised_bytes),
        "offload": largest_part(files, "bfloat16", quantised_bytes),
    }
    work_bytes = work(files, "bfloat16")
    where = place(
        weights_bytes=held["gpu"],
        largest_bytes=held["offload"],
        work_bytes=work_bytes,
        free_gpu_bytes=gpu.free_bytes,
    )
    if where == "cpu":
        return None
    part_bytes = int((held[where] + work_bytes) / USABLE_SHARE) + GPU_CONTEXT_BYTES
    return GpuPart(gpu, min(part_bytes, gpu.free_bytes))


def weights(files: PipelineFiles, dtype: Dtype, quantised_bytes: int | None) -> int:
    """Bytes of all parts, once loaded."""
    return sum(
        quantised_bytes
        if quantised_bytes is not None and part.name == "transformer"
        else part.parameters * BYTES[dtype]
        for part in files.parts
    )


def largest_part(files: PipelineFiles, dtype: Dtype, quantised_bytes: int | None) -> int:
    """Bytes of the part that takes most, once loaded."""
    return max(
        weights(msgspec.structs.replace(files, parts=(part,)), dtype, quantised_bytes)
        for part in files.parts
    )


def work(files: PipelineFiles, dtype: Dtype) -> int:
    """Bytes that a picture takes while it is decoded, which takes most."""
    return files.pixels * files.decoder_width * BYTES[dtype] * DECODER_COPIES


def _what_would_fit(files: PipelineFiles) -> str:
    """With 4.5 bits a number, as Q4_0 has."""
    transformer = next((p.parameters for p in files.parts if p.name == "transformer"), None)
    if transformer is None:
        return "there are none for this kind of model"
    quantised_bytes = transformer * 9 // 16
    total_bytes = (
        WORKER_BYTES + weights(files, "bfloat16", quantised_bytes) + work(files, "bfloat16")
    )
    return f"a Q4_0 needs about {size(total_bytes)} in all"


def place(*, weights_bytes: int, largest_bytes: int, work_bytes: int, free_gpu_bytes: int) -> Place:
    """Where the weights go: all on the GPU, or on the CPU and each part to the GPU while it is
    used, or nothing on the GPU. All figures in bytes; 0 free means that there is no GPU."""
    usable = free_gpu_bytes * USABLE_SHARE
    if weights_bytes + work_bytes <= usable:
        return "gpu"
    return "offload" if largest_bytes + work_bytes <= usable else "cpu"


def size(size_bytes: int) -> str:
    """For people."""
    return f"{size_bytes / GIB:.2f} GiB" if size_bytes >= GIB else f"{size_bytes >> 20} MiB"
