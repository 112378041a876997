"""The order of the steps, and nothing else."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import aclosing
from functools import partial
from typing import TypeVar

import msgspec

from penstock.domain.classification import ClassificationCall, Likelihoods
from penstock.domain.embedding import EmbeddingCall, Vectors
from penstock.domain.event import Event
from penstock.domain.generation import Generation
from penstock.domain.image import AnyImageCall, Progress
from penstock.domain.key import Principal
from penstock.domain.model import Capabilities
from penstock.domain.rerank import RerankCall, Scores
from penstock.domain.usage import Usage
from penstock.engines.base import Engine
from penstock.fleet.replica import Replica
from penstock.gateway.admit import Lease, admit
from penstock.gateway.deployment import Deployment
from penstock.gateway.meter import Meter, Operation, Recording
from penstock.gateway.pick import Choose, best_for, least_busy, pick
from penstock.gateway.relay import Ask, Relay, folded, relay_whole
from penstock.gateway.resolve import Catalogue
from penstock.http.client import Broken, Client

MERGED_BATCHES = 16

T = TypeVar("T")
R = TypeVar("R", Vectors, Scores, Likelihoods)


class Waits(msgspec.Struct, frozen=True, kw_only=True):
    """How long a request may wait for what."""

    queue_timeout_s: float = 120.0
    ready_timeout_s: float = 60.0


class Part(msgspec.Struct, frozen=True, gc=False):
    """A batch of events of the request's call number `call`."""

    call: int
    events: list[Event]


Parts = AsyncGenerator[Part, None]
#: Who hears how picture number i gets on.
Watch = Callable[[int, Progress], None]


def unwatched(picture: int, progress: Progress) -> None:
    """For who does not care."""


class Answered(msgspec.Struct, gc=False):
    """Which version a job was given to; another than was resolved if one took over meanwhile."""

    version_id: str | None = None


class Job(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One client's request for text: `prompts[i]` tells which of its prompts `calls[i]` has.

    `answered` is written when a replica has been chosen, and holds from the first part on.
    """

    operation: Operation
    calls: Sequence[Generation]
    prompts: tuple[int, ...]
    answered: Answered = msgspec.field(default_factory=Answered)


class Gateway:
    """What the API asks of everything below it."""

    def __init__(self, *, catalogue: Catalogue, meter: Meter, waits: Waits) -> None:
        self.catalogue = catalogue
        self._meter = meter
        self._waits = waits

    async def capabilities(self, deployment: Deployment) -> Capabilities:
        """What the model can do, once it has been up. Raises ModelNotReady."""
        known = deployment.capabilities
        if known is None:
            known = (await self._pick(deployment, least_busy)).capabilities
            assert known is not None
        return known

    async def started(self, deployment: Deployment) -> None:
        """Returns when a replica is ready. Raises ModelNotReady."""
        await self._pick(deployment, least_busy)

    async def check_prompts(self, deployment: Deployment, job: Job) -> None:
        """Raises InvalidRequest for a prompt of several that the engine would refuse."""
        replica = await self._pick(deployment, least_busy)
        assert replica.client is not None
        with contextlib.suppress(Broken):  # the calls themselves are tried more than once
            await replica.engine.check_prompts(replica.client, job.calls)

    async def generate(self, principal: Principal, deployment: Deployment, job: Job) -> Parts:
        """The job's parts; those of several calls come interleaved.

        Raises TooManyRequests, ModelNotReady, InvalidRequest before the first part, and
        EngineFailed at any time. Closing it, or being cancelled, stops the engine's work.
        """
        name = deployment.model.name
        with (
            self._meter.record(job.operation, deployment.counted_as, job.prompts) as recording,
            admit(deployment.lane, len(job.calls), name) as lease,
        ):
            if len(job.calls) == 1:
                relay = await self._relay(deployment, lease, job, 0)
                try:
                    async for batch in relay:
                        recording.count(0, batch)
                        yield Part(0, batch)
                finally:
                    await relay.aclose()
            else:
                async with aclosing(self._merged(deployment, lease, job, recording)) as parts:
                    async for part in parts:
                        yield part

    async def complete(
        self, principal: Principal, deployment: Deployment, job: Job
    ) -> list[list[Event]]:
        """The job's whole answer: all events of each of its calls. Raises what `generate` raises.

        Counted as it goes too: a client that leaves has cost what the engine made until then.
        """
        name = deployment.model.name
        with (
            self._meter.record(job.operation, deployment.counted_as, job.prompts) as recording,
            admit(deployment.lane, len(job.calls), name) as lease,
        ):
            if len(job.calls) == 1:
                return [await self._events(deployment, lease, job, 0, recording)]
            return await gathered(
                self._events(deployment, lease, job, call, recording)
                for call in range(len(job.calls))
            )

    def _events(
        self, deployment: Deployment, lease: Lease, job: Job, call: int, recording: Recording
    ) -> Coroutine[None, None, list[Event]]:
        """All events of engine call number `call`."""
        asked = job.calls[call]
        ask = partial(folded, asked, call, recording.count)
        return self._whole(deployment, lease, call, ask, partial(chosen, asked, job.answered))

    async def _relay(self, deployment: Deployment, lease: Lease, job: Job, call: int) -> Relay:
        """Engine call number `call`, when its turn has come and a replica is ready."""
        if lease.turns is not None:
            await lease.turn(call, self._waits.queue_timeout_s)
        choose = partial(chosen, job.calls[call], job.answered)
        replica = choose(deployment.group.replicas) or await self._pick(deployment, choose)
        return Relay(replica, job.calls[call], partial(self._pick, deployment, choose))

    async def _merged(
        self, deployment: Deployment, lease: Lease, job: Job, recording: Recording
    ) -> Parts:
        """All calls at once, as far as there are places; a slow reader holds all of them back."""
        parts: asyncio.Queue[Part | None] = asyncio.Queue(MERGED_BATCHES)

        async def run(call: int) -> None:
            async with aclosing(await self._relay(deployment, lease, job, call)) as relay:
                async for batch in relay:
                    recording.count(call, batch)
                    await parts.put(Part(call, batch))
            lease.give_back(call)

        async def run_all() -> None:
            try:
                async with asyncio.TaskGroup() as group:
                    for call in range(len(job.calls)):
                        group.create_task(run(call))
            except BaseExceptionGroup as failures:
                raise failures.exceptions[0] from None
            finally:
                await parts.put(None)

        running = asyncio.create_task(run_all())
        try:
            while (part := await parts.get()) is not None:
                yield part
            await running
        finally:
            running.cancel()
            while not running.done():
                # Nobody reads any more: make room, so that the last word can be put.
                while not parts.empty():
                    parts.get_nowait()
                await asyncio.wait([running], timeout=0.05)

    async def embed(
        self, principal: Principal, deployment: Deployment, call: EmbeddingCall
    ) -> Vectors:
        """Raises TooManyRequests, ModelNotReady, InvalidRequest, EngineFailed."""
        return await self._read(
            "embeddings", deployment, lambda engine, client: engine.embed(client, call)
        )

    async def rerank(
        self, principal: Principal, deployment: Deployment, call: RerankCall
    ) -> Scores:
        """Raises what `embed` raises."""
        return await self._read(
            "rerank", deployment, lambda engine, client: engine.rerank(client, call)
        )

    async def classify(
        self, principal: Principal, deployment: Deployment, call: ClassificationCall
    ) -> Likelihoods:
        """Raises what `embed` raises."""
        return await self._read(
            "image_classification",
            deployment,
            lambda engine, client: engine.classify(client, call),
        )

    async def _read(self, operation: Operation, deployment: Deployment, ask: Ask[R]) -> R:
        """A request that is one call, of which only what it reads is charged."""
        name = deployment.model.name
        with (
            self._meter.record(operation, deployment.counted_as, (0,)) as recording,
            admit(deployment.lane, 1, name) as lease,
        ):
            answer = await self._whole(deployment, lease, 0, ask)
            recording.charge(Usage(prompt_tokens=answer.prompt_tokens))
            return answer

    async def draw(
        self,
        principal: Principal,
        deployment: Deployment,
        calls: Sequence[AnyImageCall],
        watch: Watch = unwatched,
    ) -> list[bytes]:
        """A picture a call, in order. Raises what `embed` raises."""

        async def one(number: int, call: AnyImageCall) -> bytes:
            def ask(engine: Engine, client: Client) -> Awaitable[bytes]:
                return engine.draw(client, call, partial(watch, number))

            return await self._whole(deployment, lease, number, ask, choose)

        name, adapter = deployment.model.name, deployment.adapter
        choose = partial(least_busy, adapter=adapter)
        if adapter is not None:
            calls = [msgspec.structs.replace(call, adapter=adapter) for call in calls]
        with (
            self._meter.record("image_generation", deployment.counted_as, ()),
            admit(deployment.lane, len(calls), name) as lease,
        ):
            return await gathered(one(*call) for call in enumerate(calls))

    async def _whole(
        self,
        deployment: Deployment,
        lease: Lease,
        call: int,
        ask: Ask[T],
        choose: Choose = least_busy,
    ) -> T:
        """Call number `call`, when its turn has come, answered in one piece."""
        if lease.turns is not None:
            await lease.turn(call, self._waits.queue_timeout_s)
        replica = choose(deployment.group.replicas) or await self._pick(deployment, choose)
        answer = await relay_whole(replica, ask, partial(self._pick, deployment, choose))
        if lease.calls > 1:
            lease.give_back(call)
        return answer

    def _pick(
        self, deployment: Deployment, choose: Choose, avoid: Replica | None = None
    ) -> Awaitable[Replica]:
        return pick(
            deployment.group,
            choose,
            avoid,
            timeout_s=self._waits.ready_timeout_s,
            model=deployment.model.name,
        )


def chosen(call: Generation, answered: Answered, replicas: Sequence[Replica]) -> Replica | None:
    """The best replica for a call, of which is noted what version it answers by."""
    replica = best_for(call, replicas)
    if replica is not None:
        answered.version_id = replica.version_id
    return replica


async def gathered(calls: Iterable[Coroutine[None, None, T]]) -> list[T]:
    """All results in order; the first failure ends the other calls and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]
