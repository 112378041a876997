"""What a model takes of memory, and how much context it gets: figures, before anything starts.

A process that allocates more than there is gets killed by the kernel without a word, so the sum is
made first, and a model that cannot fit is refused with the sum.
"""

import msgspec

from penstock.engines.base import CannotStart
from penstock.engines.formats.gguf import ENCODERS, GgufMetadata

DEFAULT_CONTEXT_TOKENS = 8192
SMALLEST_CONTEXT_TOKENS = 512
MOST_SLOTS = 16
#: Slots that nobody asked for may take this much at most.
AUTOMATIC_SHARE = 0.5
EMBEDDING_SHARE = 0.25
MIB = 1024**2
GIB = 1024**3

F16_BYTES = 2
F32_BYTES = 4

# What a child of ours takes besides weights and cache: measured with xllamacpp 2026.10.11549 on
# x86-64, a little above the worst of six models from 3 MB to 640 MB.
ENGINE_BYTES = 48_000_000
SLOT_BYTES = 5_000_000
#: Of a token of the vocabulary: the tokenizer's tables.
VOCABULARY_BYTES = 600
#: Of a number of the embedding, for each token that is worked on at once.
WORK_BYTES = 64
#: How many tokens of prompts are worked on at once; an embedder takes a whole text at once.
BATCH_TOKENS = 512
#: Prompts of the past that the engine keeps beside its slots, as its worker asks it to.
PROMPT_CACHE_BYTES = 64 * 1024 * 1024


class MemoryEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that a replica cannot do without, at the most.

    A tool that shows resident memory may show the weights twice: llama.cpp repacks some kinds
    (Q4_0, Q4_K, …) into memory of its own, and what was mapped is then given back when it is
    needed elsewhere.
    """

    weights_bytes: int
    kv_cache_bytes: int
    overhead_bytes: int

    @property
    def total_bytes(self) -> int:
        return self.weights_bytes + self.kv_cache_bytes + self.overhead_bytes


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
    budget_bytes: int | None = None,
    context_length: int | None = None,
    parallel: int | None = None,
    embeds: bool = False,
) -> MemoryPlan:
    """The most generous plan that fits; what was asked for is kept to the letter.

    `budget_bytes` is what could be had if other models went (None: no more than is free). The
    context is chosen by that, so that it does not depend on who else runs; the slots by what is
    free now, and where not even one fits into that, the plan needs others to go.

    Raises CannotStart, with the figures, when what was asked for does not fit into the budget.
    """
    trained = metadata.context_length or DEFAULT_CONTEXT_TOKENS
    if context_length is not None and context_length > trained:
        raise CannotStart(
            f"context_length {context_length} is more than the {trained} tokens that this model "
            f"was trained for. Ask for {trained} or less."
        )
    budget_bytes = free_bytes if budget_bytes is None else budget_bytes
    contexts = [context_length] if context_length else _halvings(trained, embeds)
    choices = [parallel] if parallel else list(range(MOST_SLOTS, 0, -1))

    def plan(context: int, slots: int, bytes_: int) -> tuple[MemoryPlan, bool]:
        share = _share(asked=bool(parallel or context_length), slots=slots, embeds=embeds)
        made = _plan(metadata, context, slots, bytes_)
        return made, made.total_bytes <= bytes_ * share

    for context in contexts:
        smallest, possible = plan(context, choices[-1], budget_bytes)
        if possible:
            plans = (plan(context, slots, free_bytes) for slots in choices)
            return next((made for made, fits in plans if fits), smallest)
    raise CannotStart(
        f"It does not fit into memory: {smallest.reason}. Use a smaller quantisation, a smaller "
        "context_length, or free some memory."
    )


def _share(*, asked: bool, slots: int, embeds: bool) -> float:
    """Of the memory there is, what a plan may take.

    What was asked for may take all. An embedder's context may not by itself: with a large
    vocabulary llama.cpp reserves gigabytes for it, and few texts are that long.
    """
    if asked or (slots == 1 and not embeds):
        return 1.0
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
            f"{memory_text(estimate.weights_bytes)} weights + "
            f"{memory_text(estimate.kv_cache_bytes)} context ({slots} × {context} tokens) + "
            f"{memory_text(estimate.overhead_bytes)} engine = "
            f"{memory_text(estimate.total_bytes)}, and {memory_text(free_bytes)} are free"
        ),
    )


def memory_text(size_bytes: int) -> str:
    """For people: a model of megabytes would be 0.00 GiB."""
    return f"{size_bytes / GIB:.2f} GiB" if size_bytes >= GIB else f"{size_bytes / MIB:.0f} MiB"


def estimate_memory(
    metadata: GgufMetadata, *, context_tokens: int, parallel: int
) -> MemoryEstimate:
    """What llama.cpp takes at most for `metadata` on a CPU, all figures in bytes.

    `context_tokens` is the pool that all `parallel` slots share, in tokens.

        weights  = size of the file(s), mapped or repacked
        kv_cache = 2 (F16) × (key_length + value_length) × Σ over layers of head_count_kv
                   × context_tokens; 0 for encoders
        overhead = ENGINE_BYTES + vocabulary × VOCABULARY_BYTES + parallel × SLOT_BYTES + work
        work     = text: BATCH_TOKENS × (embedding_length × WORK_BYTES + 2 × context_tokens)
                         + the prompt cache, no more than kv_cache
                   vectors: batch × (embedding_length × WORK_BYTES + 4 × vocabulary + 4 × batch),
                         batch = context_tokens / parallel

    llama.cpp reserves a score per token of the vocabulary also where only vectors are wanted, so
    that a multilingual embedder with a long context needs gigabytes. Layers with a sliding window
    or a compressed cache take less than what is said here.
    """
    kv_cache_bytes = _kv_bytes_per_token(metadata) * context_tokens
    vocabulary_size = metadata.vocabulary_size or 0
    work_bytes = (
        _vectors_work_bytes(metadata, context_tokens // parallel)
        if metadata.embeds
        else _text_work_bytes(metadata, context_tokens) + min(PROMPT_CACHE_BYTES, kv_cache_bytes)
    )
    return MemoryEstimate(
        weights_bytes=metadata.file_size_bytes,
        kv_cache_bytes=kv_cache_bytes,
        overhead_bytes=(
            ENGINE_BYTES + vocabulary_size * VOCABULARY_BYTES + parallel * SLOT_BYTES + work_bytes
        ),
    )


def _kv_bytes_per_token(metadata: GgufMetadata) -> int:
    if metadata.architecture in ENCODERS:
        return 0
    length = (metadata.key_length or 0) + (metadata.value_length or 0)
    return F16_BYTES * length * sum(metadata.head_count_kv)


def _text_work_bytes(metadata: GgufMetadata, context_tokens: int) -> int:
    numbers_bytes = (metadata.embedding_length or 0) * WORK_BYTES
    mask_bytes = F16_BYTES * context_tokens
    return BATCH_TOKENS * (numbers_bytes + mask_bytes)


def _vectors_work_bytes(metadata: GgufMetadata, batch_tokens: int) -> int:
    numbers_bytes = (metadata.embedding_length or 0) * WORK_BYTES
    scores_bytes = F32_BYTES * (metadata.vocabulary_size or 0)
    mask_bytes = F32_BYTES * batch_tokens
    return batch_tokens * (numbers_bytes + scores_bytes + mask_bytes)
