"""What GPUs this machine has, as NVIDIA's driver tells."""

import os
from collections.abc import Mapping

import pynvml

from penstock.domain.gpu import Gpu


def gpus() -> tuple[Gpu, ...]:
    """Those that CUDA_VISIBLE_DEVICES leaves us; none where there is no driver."""
    return visible(_of_driver(), os.environ)


def _of_driver() -> tuple[Gpu, ...]:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        return tuple(_gpu(index) for index in range(pynvml.nvmlDeviceGetCount()))
    except pynvml.NVMLError:
        return ()
    finally:
        pynvml.nvmlShutdown()


def _gpu(index: int) -> Gpu:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    return Gpu(index, str(pynvml.nvmlDeviceGetName(handle)), int(memory.total), int(memory.free))


def visible(found: tuple[Gpu, ...], environment: Mapping[str, str]) -> tuple[Gpu, ...]:
    """Those that may be used, in the order in which they are named."""
    named = environment.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return found
    by_index = {str(gpu.index): gpu for gpu in found}
    return tuple(by_index[part.strip()] for part in named.split(",") if part.strip() in by_index)
