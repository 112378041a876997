"""The order of the steps, and nothing else."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import msgspec

from penstock.domain.embedding import EmbeddingCall, Vectors
from penstock.domain.event import Event
from penstock.domain.generation import Generation
from penstock.domain.key import Principal
from penstock.domain.model import Capabilities
from penstock.domain.usage import NOTHING, Usage, total
from penstock.fleet.replica import Replica
from penstock.gateway.admit import admit, wait_for_turn
from penstock.gateway.auth import Keyring
from penstock.gateway.deployment import Deployment
from penstock.gateway.lane import Ticket
from penstock.gateway.meter import Meter, Operation, Outcome, Recording
from penstock.gateway.pick import pick
from penstock.gateway.relay import relay, relay_embedding
from penstock.gateway.resolve import Catalogue

MERGED_BATCHES = 16


class Waits(msgspec.Struct, frozen=True, kw_only=True):
    """How long a request may wait for what."""

    queue_timeout_s: float = 120.0
    ready_timeout_s: float = 60.0


class Part(msgspec.Struct, frozen=True):
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
            with admit(deployment.lane, len(job.calls), model=name) as lease:
                if len(job.calls) == 1:
                    parts = self._call(deployment, lease.tickets[0], job, 0, recording)
                else:
                    parts = self._merged(deployment, lease.tickets, job, recording)
                async with aclosing(parts):
                    async for part in parts:
                        yield part
            outcome = "ok"
        except (asyncio.CancelledError, GeneratorExit):
            outcome = "client_left"
            raise
        finally:
            recording.end(outcome, total(recording.calls, job.prompts))

    async def _call(
        self, deployment: Deployment, ticket: Ticket, job: Job, call: int, recording: Recording
    ) -> Parts:
        """One engine call, from its turn to its last event."""
        name = deployment.model.name
        if ticket.waiting:
            await wait_for_turn(ticket, timeout_s=self._waits.queue_timeout_s, model=name)
        async with aclosing(relay(lambda: self._pick(deployment), job.calls[call])) as batches:
            async for batch in batches:
                recording.count(call, batch)
                yield Part(call, batch)

    async def _merged(
        self, deployment: Deployment, tickets: list[Ticket], job: Job, recording: Recording
    ) -> Parts:
        """All calls at once, as far as there are places; a slow reader holds all of them back."""
        parts: asyncio.Queue[Part | None] = asyncio.Queue(MERGED_BATCHES)

        async def run(call: int, ticket: Ticket) -> None:
            async with aclosing(self._call(deployment, ticket, job, call, recording)) as called:
                async for part in called:
                    await parts.put(part)
            ticket.give_back()

        async def run_all() -> None:
            try:
                async with asyncio.TaskGroup() as group:
                    for call, ticket in enumerate(tickets):
                        group.create_task(run(call, ticket))
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
        name = deployment.model.name
        recording = self._meter.begin("embeddings", name)
        outcome: Outcome = "error"
        usage = NOTHING
        try:
            with admit(deployment.lane, 1, model=name) as lease:
                await wait_for_turn(
                    lease.tickets[0], timeout_s=self._waits.queue_timeout_s, model=name
                )
                vectors = await relay_embedding(lambda: self._pick(deployment), call)
            usage = Usage(prompt_tokens=vectors.prompt_tokens)
            outcome = "ok"
            return vectors
        except asyncio.CancelledError:
            outcome = "client_left"
            raise
        finally:
            recording.end(outcome, usage)

    async def _pick(self, deployment: Deployment) -> Replica:
        return await pick(
            deployment.replicas,
            timeout_s=self._waits.ready_timeout_s,
            model=deployment.model.name,
        )
