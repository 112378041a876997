"""The order of the steps, and nothing else."""

import asyncio
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Coroutine,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import aclosing, contextmanager
from functools import partial
from typing import TypeVar

import msgspec

from penstock.domain.embedding import EmbeddingCall, Vectors
from penstock.domain.event import Event
from penstock.domain.generation import Generation
from penstock.domain.image import ImageCall
from penstock.domain.key import Principal
from penstock.domain.model import Capabilities
from penstock.domain.usage import Usage, total
from penstock.fleet.replica import Replica
from penstock.gateway.admit import Lease, admit
from penstock.gateway.auth import Keyring
from penstock.gateway.deployment import Deployment
from penstock.gateway.meter import Meter, Operation, Outcome, Recording
from penstock.gateway.pick import least_busy, pick
from penstock.gateway.relay import Ask, Relay, relay_whole
from penstock.gateway.resolve import Catalogue

MERGED_BATCHES = 16

T = TypeVar("T")


class Waits(msgspec.Struct, frozen=True, kw_only=True):
    """How long a request may wait for what."""

    queue_timeout_s: float = 120.0
    ready_timeout_s: float = 60.0


class Part(msgspec.Struct, frozen=True, gc=False):
    """A batch of events of the request's call number `call`."""

    call: int
    events: list[Event]


Parts = AsyncGenerator[Part, None]


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One client's request for text: `prompts[i]` tells which of its prompts `calls[i]` has."""

    operation: Operation
    calls: Sequence[Generation]
    prompts: tuple[int, ...]


class Gateway:
    """What the API asks of everything below it."""

    def __init__(
        self, *, keyring: Keyring, catalogue: Catalogue, meter: Meter, waits: Waits
    ) -> None:
        self.catalogue = catalogue
        self._keyring = keyring
        self._meter = meter
        self._waits = waits

    def authenticate(self, authorization: bytes | None) -> Principal:
        """Raises Unauthorized."""
        return self._keyring.authenticate(authorization)

    def resolve(self, model: str) -> Deployment:
        """Raises ModelNotFound."""
        return self.catalogue.resolve(model)

    async def capabilities(self, deployment: Deployment) -> Capabilities:
        """What the model can do, once it has been up. Raises ModelNotReady."""
        known = deployment.capabilities
        if known is None:
            known = (await self._pick(deployment)).capabilities
            assert known is not None
        return known

    async def generate(self, principal: Principal, deployment: Deployment, job: Job) -> Parts:
        """The job's parts; those of several calls come interleaved.

        Raises TooManyRequests, ModelNotReady, InvalidRequest before the first part, and
        EngineFailed at any time. Closing it, or being cancelled, stops the engine's work.
        """
        name = deployment.model.name
        recording = self._meter.begin(job.operation, name)
        outcome: Outcome = "error"
        try:
            with admit(deployment.lane, len(job.calls), name) as lease:
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
            outcome = "ok"
        except (asyncio.CancelledError, GeneratorExit):
            outcome = "client_left"
            raise
        finally:
            recording.end(outcome, total(recording.calls, job.prompts))

    async def complete(
        self, principal: Principal, deployment: Deployment, job: Job
    ) -> list[list[Event]]:
        """The job's whole answer: all events of each of its calls. Raises what `generate` raises.

        Counted as it goes too: a client that leaves has cost what the engine made until then.
        """
        recording = self._meter.begin(job.operation, deployment.model.name)
        admitted = admit(deployment.lane, len(job.calls), deployment.model.name)
        with self._recorded(recording, job.prompts), admitted as lease:
            if len(job.calls) == 1:
                return [await self._events(deployment, lease, job, 0, recording)]
            return await gathered(
                self._events(deployment, lease, job, call, recording)
                for call in range(len(job.calls))
            )

    async def _events(
        self, deployment: Deployment, lease: Lease, job: Job, call: int, recording: Recording
    ) -> list[Event]:
        events: list[Event] = []
        relay = await self._relay(deployment, lease, job, call)
        try:
            async for batch in relay:
                recording.count(call, batch)
                events += batch
        finally:
            await relay.aclose()
        lease.give_back(call)
        return events

    async def _relay(self, deployment: Deployment, lease: Lease, job: Job, call: int) -> Relay:
        """Engine call number `call`, when its turn has come and a replica is ready."""
        if lease.waits:
            await lease.turn(call, self._waits.queue_timeout_s)
        replica = least_busy(deployment.replicas) or await self._pick(deployment)
        return Relay(replica, job.calls[call], partial(self._pick, deployment))

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
        recording = self._meter.begin("embeddings", deployment.model.name)
        admitted = admit(deployment.lane, 1, deployment.model.name)
        with self._recorded(recording, (0,)), admitted as lease:
            vectors = await self._whole(
                deployment, lease, 0, lambda engine, client: engine.embed(client, call)
            )
            recording.calls[0] = Usage(prompt_tokens=vectors.prompt_tokens)
            return vectors

    async def draw(
        self, principal: Principal, deployment: Deployment, calls: Sequence[ImageCall]
    ) -> list[bytes]:
        """A picture a call, in order. Raises what `embed` raises."""

        async def one(number: int, call: ImageCall) -> bytes:
            return await self._whole(
                deployment, lease, number, lambda engine, client: engine.draw(client, call)
            )

        recording = self._meter.begin("image_generation", deployment.model.name)
        admitted = admit(deployment.lane, len(calls), deployment.model.name)
        with self._recorded(recording, ()), admitted as lease:
            return await gathered(one(*call) for call in enumerate(calls))

    async def _whole(self, deployment: Deployment, lease: Lease, call: int, ask: Ask[T]) -> T:
        """Call number `call`, when its turn has come, answered in one piece."""
        await lease.turn(call, self._waits.queue_timeout_s)
        replica = await self._pick(deployment)
        answer = await relay_whole(replica, ask, partial(self._pick, deployment))
        lease.give_back(call)
        return answer

    @contextmanager
    def _recorded(self, recording: Recording, prompts: tuple[int, ...]) -> Iterator[None]:
        """Ends the recording of an answer in one piece, with how it went."""
        outcome: Outcome = "error"
        try:
            yield
            outcome = "ok"
        except asyncio.CancelledError:
            outcome = "client_left"
            raise
        finally:
            recording.end(outcome, total(recording.calls, prompts))

    def _pick(self, deployment: Deployment) -> Awaitable[Replica]:
        return pick(
            deployment.replicas,
            timeout_s=self._waits.ready_timeout_s,
            model=deployment.model.name,
        )


async def gathered(calls: Iterable[Coroutine[None, None, T]]) -> list[T]:
    """All results in order; the first failure ends the other calls and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]
