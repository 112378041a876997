"""How much context a model gets on this machine: decided from figures, before anything starts.

A process that allocates more than there is gets killed by the kernel without a word, so the sum is
made first, and a model that cannot fit is refused with the sum.
"""

import msgspec

from penstock.engines.base import CannotStart
from penstock.engines.gguf import GgufMetadata, estimate_memory

DEFAULT_CONTEXT_TOKENS = 8192
SMALLEST_CONTEXT_TOKENS = 512
MOST_SLOTS = 16
#: Of the free memory, what a model may take at most; the rest is for everything else.
USABLE_SHARE = 0.9
#: Slots that nobody asked for may take this much at most.
AUTOMATIC_SHARE = 0.5
EMBEDDING_SHARE = 0.25
GIB = 1024**3


class MemoryPlan(msgspec.Struct, frozen=True, kw_only=True):
    """`context_length` is tokens per slot, `parallel` the number of slots."""

    context_length: int
    parallel: int
    total_bytes: int
    reason: str


def plan_memory(
    metadata: GgufMetadata,
    *,
    free_bytes: int,
    context_length: int | None = None,
    parallel: int | None = None,
    embeds: bool = False,
) -> MemoryPlan:
    """The most generous plan that fits; what was asked for is kept to the letter.

    Raises CannotStart, with the figures, when what was asked for does not fit.
    """
    trained = metadata.context_length or DEFAULT_CONTEXT_TOKENS
    if context_length is not None and context_length > trained:
        raise CannotStart(
            f"context_length {context_length} is more than the {trained} tokens that this model "
            f"was trained for. Ask for {trained} or less."
        )
    contexts = [context_length] if context_length else _halvings(trained, embeds)
    for context in contexts:
        for slots in [parallel] if parallel else range(MOST_SLOTS, 0, -1):
            share = _share(asked=bool(parallel or context_length), slots=slots, embeds=embeds)
            plan = _plan(metadata, context, slots, free_bytes)
            if plan.total_bytes <= free_bytes * share:
                return plan
    smallest = _plan(metadata, contexts[-1], parallel or 1, free_bytes)
    raise CannotStart(
        f"It does not fit into memory: {smallest.reason}. Use a smaller quantisation, a smaller "
        "context_length, or free some memory."
    )


def _share(*, asked: bool, slots: int, embeds: bool) -> float:
    """Of the free memory, what a plan may take.

    What was asked for may take nearly all. An embedder's context may not by itself: with a large
    vocabulary llama.cpp reserves gigabytes for it, and few texts are that long.
    """
    if asked or (slots == 1 and not embeds):
        return USABLE_SHARE
    return EMBEDDING_SHARE if embeds else AUTOMATIC_SHARE


def _halvings(trained: int, embeds: bool) -> list[int]:
    context = trained if embeds else min(trained, DEFAULT_CONTEXT_TOKENS)
    contexts = [context]
    while contexts[-1] // 2 >= SMALLEST_CONTEXT_TOKENS:
        contexts.append(contexts[-1] // 2)
    return contexts


def _plan(metadata: GgufMetadata, context: int, slots: int, free_bytes: int) -> MemoryPlan:
    estimate = estimate_memory(metadata, context_tokens=context * slots, parallel=slots)
    return MemoryPlan(
        context_length=context,
        parallel=slots,
        total_bytes=estimate.total_bytes,
        reason=(
            f"{_gib(estimate.weights_bytes)} weights + {_gib(estimate.kv_cache_bytes)} context "
            f"({slots} × {context} tokens) + {_gib(estimate.overhead_bytes)} engine = "
            f"{_gib(estimate.total_bytes)}, and {_gib(free_bytes)} are free"
        ),
    )


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / GIB:.2f} GiB"
