"""What Penstock would choose for a model here, with the arithmetic, without starting anything."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from penstock.config.settings import ModelSettings, Settings
from penstock.control.claim import NOTHING, Claim, Need
from penstock.control.fetch_error import FetchError
from penstock.control.gpus import gpus
from penstock.control.local_source import bundled_source, fetched_source
from penstock.control.quantisation import size_text
from penstock.control.recipe import EngineMaker, Recipe, claim_of
from penstock.control.weights import find
from penstock.domain.errors import EngineFailed
from penstock.domain.source import (
    BadSource,
    Bundled,
    HubReference,
    RemoteServer,
    Source,
    parse_source,
)
from penstock.engines.base import CannotStart
from penstock.engines.openai.engine import OpenAIServer
from penstock.engines.registry import LocalSource
from penstock.http.client import Broken

REMOTE_TIMEOUT_S = 5.0
IN_TURN = "No GPU has room for it beside the models before it: they take turns."


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What would run a model. `problem` tells why it cannot be served; `reasons` are sentences.

    `memory_bytes` None: not known before its weights are here. `gpu_bytes` is what it would take of
    GPUs, by their index. `slots` are calls at a time.
    """

    model: str
    source: str
    engine: str | None = None
    slots: int | None = None
    memory_bytes: int | None = None
    gpu_bytes: Mapping[int, int] = {}
    reasons: tuple[str, ...] = ()
    problem: str | None = None


def forecasts(
    models: Sequence[ModelSettings],
    settings: Settings,
    *,
    cache_dir: Path,
    free_bytes: int,
    online: bool,
) -> Iterator[Forecast]:
    """One a model, in order, each with the memory that those before it leave."""
    maker = EngineMaker(settings, cache_dir=cache_dir, budget_bytes=free_bytes, gpus=gpus())
    free = maker.budget
    for model in models:
        forecast = _forecast(model, maker, cache_dir, free, online)
        for _ in range(model.replicas):
            free = free.minus(_claim_beside(forecast, free))
        yield forecast


def _claim_beside(forecast: Forecast, free: Claim) -> Claim:
    """What a replica takes; one that finds no room on GPUs has it in turn with others."""
    each = max(forecast.gpu_bytes.values(), default=0)
    need = Need(0, len(forecast.gpu_bytes), dict.fromkeys(free.gpu_bytes, each))
    placed = need.on_gpus(free) or NOTHING
    return Claim(forecast.memory_bytes or 0, placed.gpu_bytes)


def _forecast(
    model: ModelSettings, maker: EngineMaker, cache_dir: Path, free: Claim, online: bool
) -> Forecast:
    told = Forecast(model=model.name or model.source, source=model.source)
    try:
        named = parse_source(model.source if model.name is None else f"{model.name}={model.source}")
        told = msgspec.structs.replace(told, model=named.model_name)
        source, reasons = _local(named.source, cache_dir, free.memory_bytes, online)
        if source is None:
            return msgspec.structs.replace(told, reasons=reasons)
        recipe = Recipe(named.model_name, model.source, model)
        need = maker.need(recipe, source)
        claim = need.on_gpus(free)
        if claim is None:
            reasons, claim = (*reasons, IN_TURN), need.on_gpus(maker.budget)
        offered = maker.offered(claim or NOTHING)
        engine = maker.make(recipe, source, free_bytes=free.memory_bytes, gpus=offered)
        launch = engine.launch(Path())
    except (BadSource, FetchError, CannotStart) as error:
        return msgspec.structs.replace(told, problem=str(error))
    if online and isinstance(engine, OpenAIServer):
        try:
            reasons = (*reasons, asyncio.run(_asked(engine)))
        except (Broken, EngineFailed, TimeoutError) as error:
            why = str(error) or f"no answer within {REMOTE_TIMEOUT_S:g} s"
            return msgspec.structs.replace(told, problem=f"Its server does not answer: {why}.")
    if launch is not None and launch.memory_reason:
        reasons = (*reasons, f"Memory: {launch.memory_reason}.")
    return msgspec.structs.replace(
        told,
        engine=engine.name,
        slots=engine.slots,
        memory_bytes=launch.memory_bytes if launch is not None else 0,
        gpu_bytes=claim_of(engine).gpu_bytes,
        reasons=reasons,
    )


async def _asked(engine: OpenAIServer) -> str:
    """What a server of someone else's says of itself. Raises Broken, EngineFailed, TimeoutError."""
    client = engine.connect(None)
    try:
        async with asyncio.timeout(REMOTE_TIMEOUT_S):
            can = await engine.inspect(client)
    finally:
        await client.aclose()
    context = f", {can.context_length} tokens of context" if can.context_length else ""
    return f"It answers, as {engine.dialect.title}: {', '.join(sorted(can.tasks))}{context}."


def _local(
    source: Source, cache_dir: Path, free_bytes: int, online: bool
) -> tuple[LocalSource | None, tuple[str, ...]]:
    """The source on this machine, None when it is not here yet, and what there is to say of it.

    Raises FetchError.
    """
    match source:
        case Bundled(name):
            return bundled_source(name), ("It comes with Penstock.",)
        case HubReference():
            found = find(source, cache_dir=cache_dir, free_memory_bytes=free_bytes, online=online)
            if found is None:
                return None, ("It is not here yet; --online asks the hub what there is of it.",)
            reasons = (found.reason,) if found.reason else ()
            if found.missing_bytes:
                fetched = f"{size_text(found.missing_bytes)} of it would be fetched first."
                return None, (*reasons, fetched)
            return fetched_source(found.path), (*reasons, "It has been fetched.")
        case RemoteServer(base_url):
            return source, (f"{base_url} does the work; nothing is started here.",)
        case _:
            return source, ()
