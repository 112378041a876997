"""A pipeline of diffusers, out of files into memory, where there is room for it."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diffusers
import torch

from penstock.engines.diffusers.memory import Dtype, largest_part, place, size, weights, work
from penstock.engines.diffusers.pipeline_files import PipelineFiles
from penstock.engines.workers.painter import (
    CannotLoad,
    Defaults,
    Painter,
    emptiest_gpu,
    first_line,
    is_out_of_memory,
)


def load(
    files: PipelineFiles,
    *,
    dtype: Dtype,
    transformer: Path | None,
    defaults: Defaults,
    adapters: Mapping[str, Path],
) -> Painter:
    """`dtype` is for a CPU; a GPU computes in 16 bits. `transformer` is a GGUF file that stands for
    the pipeline's own. Raises CannotLoad."""
    gpu, free_gpu_bytes = emptiest_gpu()
    dtype = "bfloat16" if free_gpu_bytes else dtype
    quantised_bytes = transformer.stat().st_size if transformer else None
    _check_class(files)
    try:
        pipeline = diffusers.DiffusionPipeline.from_pretrained(
            files.directory,
            dtype=getattr(torch, dtype),
            variant=files.variant,
            use_safetensors=True,
            local_files_only=True,
            **_quantised(files, transformer, dtype),
        )
        painter = Painter(pipeline, defaults=defaults, adapters=adapters)
        where = place(
            weights_bytes=weights(files, dtype, quantised_bytes),
            largest_bytes=largest_part(files, dtype, quantised_bytes),
            work_bytes=work(files, dtype),
            free_gpu_bytes=free_gpu_bytes,
        )
        if where == "gpu":
            pipeline.to(f"cuda:{gpu}")
        elif where == "offload":
            pipeline.enable_model_cpu_offload(gpu_id=gpu)
        return painter
    except CannotLoad:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise CannotLoad(
                f"There is not enough memory for {size(weights(files, dtype, quantised_bytes))} of "
                f"weights in {dtype}: {first_line(error)}"
            ) from None
        raise CannotLoad(
            f"diffusers {diffusers.__version__} cannot load {files.directory}: {first_line(error)}"
        ) from error


def _check_class(files: PipelineFiles) -> None:
    """Raises CannotLoad for what is no pipeline that makes pictures of a prompt."""
    kind = getattr(diffusers, files.class_name, None)
    if kind is None:
        raise CannotLoad(
            f"{files.directory} is a {files.class_name}, which diffusers {diffusers.__version__} "
            "does not know. A newer diffusers may."
        )
    accepts = inspect.signature(kind.__call__).parameters
    if not {"prompt", "num_inference_steps"} <= accepts.keys() or "num_frames" in accepts:
        raise CannotLoad(
            f"{files.directory} is a {files.class_name}, which does not make pictures of a prompt."
        )


def _quantised(files: PipelineFiles, transformer: Path | None, dtype: Dtype) -> dict[str, Any]:
    """The transformer out of a GGUF file, as an argument for its pipeline."""
    if transformer is None:
        return {}
    class_name = next((p.class_name for p in files.parts if p.name == "transformer"), None)
    if class_name is None:
        raise CannotLoad(f"{files.directory} has no transformer that {transformer} could replace.")
    compute = getattr(torch, dtype)
    return {
        "transformer": getattr(diffusers, class_name).from_single_file(
            str(transformer),
            config=str(files.directory),
            subfolder="transformer",
            quantization_config=diffusers.GGUFQuantizationConfig(compute_dtype=compute),
            dtype=compute,
            local_files_only=True,
        )
    }
