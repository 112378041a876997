"""What processes hold of the memory of GPUs, as NVIDIA's driver tells."""

from collections.abc import Collection, Mapping

import pynvml


def gpu_bytes_of(pids: Collection[int]) -> Mapping[int, int]:
    """Bytes by the index of the GPU, of those where they hold any. Blocks.

    Nothing where there is no driver, or where it knows these processes by other numbers, as it does
    in some containers.
    """
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return {}
    try:
        held = {index: _held(index, pids) for index in range(pynvml.nvmlDeviceGetCount())}
    except pynvml.NVMLError:
        return {}
    finally:
        pynvml.nvmlShutdown()
    return {index: each for index, each in held.items() if each}


def _held(index: int, pids: Collection[int]) -> int:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    running = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    return sum(int(each.usedGpuMemory or 0) for each in running if each.pid in pids)
