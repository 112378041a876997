"""What a replica runs, and the engine that is made of it."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from penstock.config.settings import CatalogueSettings, ModelSettings, Settings
from penstock.control.adapters import Unwatched, bring_adapters, why_lost
from penstock.control.claim import NOTHING, Claim, Need
from penstock.control.local_source import fetched_source
from penstock.control.machine import engine_threads
from penstock.domain.gpu import Gpu
from penstock.domain.secret import BadSecret, Secret
from penstock.engines.base import CannotStart, Engine
from penstock.engines.choice import Choice
from penstock.engines.llama_cpp.memory import memory_text
from penstock.engines.registry import (
    EngineOptions,
    LocalSource,
    check_installed,
    choose_engine,
    make_engine,
)
from penstock.http.client import Timeouts

#: Settings of a model that say nothing of what one replica is.
NOT_OF_A_REPLICA = (
    "name",
    "source",
    "replicas",
    "max_replicas",
    "pinned",
    "idle_stop_s",
    *CatalogueSettings.__struct_fields__,
)


class Recipe(msgspec.Struct, frozen=True):
    """Replicas of equal recipes are alike, so that there is nothing to roll out between them.

    `source` is what `domain.source.parse_source` reads.
    """

    name: str
    source: str
    settings: ModelSettings


def recipe_of(name: str, source: str, settings: ModelSettings) -> Recipe:
    """Without the settings that say nothing of what one replica is."""
    same = ModelSettings(source=source)
    unlike = {field: getattr(same, field) for field in NOT_OF_A_REPLICA}
    return Recipe(name, source, msgspec.structs.replace(settings, **unlike))


class EngineMaker:
    """Recipe -> engine, by the settings of the whole server."""

    def __init__(
        self, settings: Settings, *, cache_dir: Path, budget_bytes: int, gpus: tuple[Gpu, ...]
    ) -> None:
        """`cache_dir` has the weights from the hub. `gpus` are as they are while none of our models
        runs."""
        self._settings = settings
        self._cache_dir = cache_dir
        self.gpus = gpus
        #: What all models together may have.
        self.budget = Claim(budget_bytes, {gpu.index: gpu.free_bytes for gpu in gpus})

    def check_engine(self, engine: str) -> None:
        """Raises CannotStart, with the command that installs it, where there is no such engine."""
        check_installed(engine, vllm_python=_path(self._settings.vllm_python), gpus=self.gpus)

    def adapters(self, recipe: Recipe) -> dict[str, LocalSource]:
        """Where its adapters lie, by their names. Downloads, blocks. Raises CannotStart."""
        paths = bring_adapters(
            recipe.settings.adapters, cache_dir=self._cache_dir, progress=Unwatched()
        )
        return {name: fetched_source(path) for name, path in paths.items()}

    def without_lost(self, recipe: Recipe) -> tuple[Recipe, dict[str, str]]:
        """The recipe with the adapters that can be had, and why the others cannot, by their names.

        An adapter that has gone takes neither its base nor the base's other adapters with it.
        Downloads, blocks.
        """
        sources = recipe.settings.adapters
        lost = why_lost(sources, cache_dir=self._cache_dir)
        left = {name: text for name, text in sources.items() if name not in lost}
        settings = msgspec.structs.replace(recipe.settings, adapters=left)
        return msgspec.structs.replace(recipe, settings=settings), lost

    def choose(self, recipe: Recipe, source: LocalSource) -> Choice:
        """Which engine it is, and why. Raises CannotStart."""
        return choose_engine(source, recipe.settings.engine or self._settings.engine)

    def make(
        self,
        recipe: Recipe,
        source: LocalSource,
        *,
        free_bytes: int,
        gpus: Sequence[Gpu] | None = None,
    ) -> Engine:
        """The engine for weights that are on this machine, which may take `free_bytes`.

        A replica on GPUs has an engine of its own, made for those with the most free memory among
        `gpus` (None: all, as they were at the start). Reads files: call it in a thread.

        Raises CannotStart, also for one that can never fit.
        """
        gpus = self.gpus if gpus is None else tuple(gpus)
        own, settings = recipe.settings, self._settings
        options = EngineOptions(
            free_memory_bytes=free_bytes,
            budget_bytes=self.budget.memory_bytes,
            threads=own.threads or settings.threads or engine_threads(),
            context_length=own.context_length or settings.context_length,
            parallel=own.parallel or settings.parallel,
            gpu_layers=settings.gpu_layers if own.gpu_layers is None else own.gpu_layers,
            embedding_batch_tokens=settings.embedding_batch_tokens,
            timeouts=Timeouts(
                connect_timeout_s=settings.connect_timeout_s,
                first_byte_timeout_s=settings.first_byte_timeout_s,
                stall_timeout_s=settings.stall_timeout_s,
            ),
            key=_remote_key(own),
            dialect=own.dialect,
            vision=own.vision,
            mmproj=_path(own.mmproj),
            adapters=bring_adapters(own.adapters, cache_dir=self._cache_dir, progress=Unwatched()),
            diffusers_python=_path(settings.diffusers_python),
            transformer=_path(own.transformer),
            num_inference_steps=own.num_inference_steps,
            guidance_scale=own.guidance_scale,
            engine=own.engine or settings.engine,
            gpus=gpus,
            vllm_python=_path(settings.vllm_python),
            dtype=own.dtype,
            quantization=own.quantization,
            tensor_parallel=own.tensor_parallel,
            pipeline_parallel=own.pipeline_parallel,
            gpu_memory_share=own.gpu_memory_share,
            tool_parser=own.tool_parser,
            reasoning_parser=own.reasoning_parser,
        )
        engine = make_engine(recipe.name, source, options)
        if own.adapters and not engine.adapters:
            raise CannotStart(f"Its engine, {engine.name}, takes no adapters.")
        self._check(claim_of(engine), gpus)
        return engine

    def need(self, recipe: Recipe, source: LocalSource) -> Need:
        """The least that a copy takes, on whichever GPUs it is put.

        GPUs of one size are looked at together, for an engine may take a share of each. Reads
        files. Raises CannotStart.
        """
        needs = []
        for alike in alike_gpus(self.gpus):
            with suppress(CannotStart):
                engine = self.make(recipe, source, free_bytes=0, gpus=alike)
                needs.append(need_of(claim_of(engine), alike))
        if not needs:
            claim = claim_of(self.make(recipe, source, free_bytes=0))
            needs = [need_of(claim, [gpu for gpu in self.gpus if gpu.index in claim.gpu_bytes])]
        return Need(
            max(need.memory_bytes for need in needs),
            max(need.gpu_count for need in needs),
            {index: each for need in needs for index, each in need.gpu_bytes.items()},
        )

    def offered(self, claim: Claim) -> tuple[Gpu, ...]:
        """The GPUs of a claim, with what it has of them free; one without GPUs sees what there is,
        by which engines choose how to compute."""
        if not claim.gpu_bytes:
            return self.gpus
        return tuple(
            msgspec.structs.replace(gpu, free_bytes=claim.gpu_bytes[gpu.index])
            for gpu in self.gpus
            if gpu.index in claim.gpu_bytes
        )

    def _check(self, claim: Claim, gpus: Sequence[Gpu]) -> None:
        """Raises CannotStart for more than there is."""
        if claim.memory_bytes > self.budget.memory_bytes:
            raise CannotStart(
                f"It needs {memory_text(claim.memory_bytes)} of memory, and all models together "
                f"may have {memory_text(self.budget.memory_bytes)} (memory_limit)."
            )
        for gpu in gpus:
            if claim.gpu_bytes.get(gpu.index, 0) > gpu.free_bytes:
                raise CannotStart(
                    f"It needs {memory_text(claim.gpu_bytes[gpu.index])} of a GPU's memory, and of "
                    f"{gpu.name} {memory_text(gpu.free_bytes)} are free."
                )


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser() if text else None


def claim_of(engine: Engine) -> Claim:
    """What a replica is expected to take. Reads files. Raises CannotStart."""
    launch = engine.launch(Path())
    if launch is None:
        return NOTHING
    return Claim(launch.memory_bytes, dict.fromkeys(launch.gpus, launch.gpu_bytes))


def need_of(claim: Claim, gpus: Sequence[Gpu]) -> Need:
    """That of a copy which may as well run on any of these GPUs, which are alike."""
    if not claim.gpu_bytes:
        return Need(claim.memory_bytes)
    each = max(claim.gpu_bytes.values())
    return Need(
        claim.memory_bytes, len(claim.gpu_bytes), dict.fromkeys((gpu.index for gpu in gpus), each)
    )


def alike_gpus(gpus: Sequence[Gpu]) -> Iterator[tuple[Gpu, ...]]:
    """Those of the same size together, the largest first."""
    for size_bytes in sorted({gpu.memory_bytes for gpu in gpus}, reverse=True):
        yield tuple(gpu for gpu in gpus if gpu.memory_bytes == size_bytes)


def _remote_key(model: ModelSettings) -> Secret | None:
    if model.key_env is None:
        return None
    key = os.environ.get(model.key_env)
    if not key:
        raise CannotStart(
            f"The key of {model.source} should be in the environment variable {model.key_env}, "
            "which is not set."
        )
    try:
        return Secret(key)
    except BadSecret as error:
        raise CannotStart(f"{model.key_env} holds no key: {error}.") from None
