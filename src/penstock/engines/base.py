"""The seam for engines: how to start one, how to talk to it, what it can do.

An `Engine` is the recipe for one model. It is a value with methods: it holds no connection and no
process, so one engine serves any number of replicas.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Protocol

import msgspec

from penstock.domain.classification import ClassificationCall, Likelihoods
from penstock.domain.embedding import EmbeddingCall, Vectors
from penstock.domain.errors import PenstockError, UnsupportedParameter
from penstock.domain.event import Event
from penstock.domain.generation import Generation
from penstock.domain.image import AnyImageCall, Told, unheard
from penstock.domain.load import Load
from penstock.domain.model import Capabilities
from penstock.domain.rerank import RerankCall, Scores
from penstock.http.client import Client, Origin, Timeouts


class Batches(Protocol):
    """Batches of events, and the means to stop them: an asynchronous generator, or alike."""

    def __aiter__(self) -> AsyncIterator[list[Event]]: ...

    def __anext__(self) -> Awaitable[list[Event]]: ...

    def aclose(self) -> Awaitable[None]: ...


#: Of what a process said before it ended, what is shown where nothing better is known.
SHOWN_LINES = 6


class CannotStart(Exception):
    """The engine will never start as it is asked to; the text says why and what to do."""


class Declined(Exception):
    """The server said, before anything else, that it cannot do it.

    `error` is what the client is told when no other try helps. `failing` tells whether the server
    is at fault (5xx), or only busy (429); `passing`, whether another try may help (not with a 500,
    which the call itself may be the reason of).
    """

    def __init__(
        self,
        error: PenstockError,
        *,
        failing: bool,
        passing: bool = True,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(error.message)
        self.error = error
        self.failing = failing
        self.passing = passing
        self.retry_after_s = retry_after_s


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """How to start a replica's process. `socket_path` is where it will listen.

    `memory_bytes` is what it is expected to take; `memory_reason` shows the sum, for people.
    `gpus` are those that it runs on, by index, and `gpu_bytes` what it takes of each.
    """

    argv: tuple[str, ...]
    socket_path: Path
    environment: Mapping[str, str] = {}
    memory_bytes: int = 0
    memory_reason: str = ""
    gpus: tuple[int, ...] = ()
    gpu_bytes: int = 0


class Engine(ABC):
    """One model's recipe: launch, dialect, capabilities.

    `slots` is how many calls one replica works on at a time; what comes beyond it waits in the
    gateway, where it can be counted, bounded and refused.
    """

    name: ClassVar[str]
    slots: int
    #: The adapters that a call may name.
    adapters: Collection[str] = ()
    #: Why others, which a call might name, could not be had when it was made; by their names.
    lost_adapters: Mapping[str, str] = MappingProxyType({})

    @abstractmethod
    def launch(self, run_dir: Path) -> Launch | None:
        """How to start a replica whose files go to `run_dir`; None: there is nothing to start.

        Raises CannotStart.
        """

    @abstractmethod
    def connect(self, launch: Launch | None) -> Client:
        """A client for the replica that `launch` started."""

    @abstractmethod
    async def is_ready(self, client: Client) -> bool:
        """Whether the replica takes calls. Raises Broken while it does not even listen."""

    @abstractmethod
    async def inspect(self, client: Client) -> Capabilities:
        """What the ready replica can do. Asked once a start."""

    async def load(self, client: Client) -> Load | None:
        """How busy the replica is; None: it does not tell. Raises EngineFailed, Broken."""
        return None

    def explain(self, lines: Sequence[str]) -> str:
        """Why its process ended, by the last lines that it said on standard error."""
        return "\n".join(lines[-SHOWN_LINES:])

    def rank_of(self, adapter: str) -> int | None:
        """The rank of one of its adapters, where it has read it."""
        return None

    async def check_prompts(  # noqa: B027 most engines tell only when they are asked
        self, client: Client, calls: Sequence[Generation]
    ) -> None:
        """Raises InvalidRequest for a prompt that `generate` would refuse, where that is cheap.

        Asked before a stream of several prompts begins, when an error still has a status.
        """

    def generate(self, client: Client, call: Generation) -> Batches:
        """Batches of events; the last one ends in `Finished`. Closing it stops the engine's work.

        Raises InvalidRequest and Declined (before the first batch), EngineFailed, Broken.
        """
        raise UnsupportedParameter("This model does not generate text.", param="model")

    async def embed(self, client: Client, call: EmbeddingCall) -> Vectors:
        """Unit vectors, one per input, in order. Raises what `generate` raises."""
        raise UnsupportedParameter("This model does not make embeddings.", param="model")

    async def rerank(self, client: Client, call: RerankCall) -> Scores:
        """A score per document, in order. Raises what `generate` raises."""
        raise UnsupportedParameter("This model does not rerank.", param="model")

    async def classify(self, client: Client, call: ClassificationCall) -> Likelihoods:
        """How likely each label is, in order. Raises what `generate` raises."""
        raise UnsupportedParameter("This model does not sort pictures.", param="model")

    async def draw(self, client: Client, call: AnyImageCall, told: Told = unheard) -> bytes:
        """A PNG. `told` hears of steps, where it is made in such. Being cancelled stops the work.

        Raises what `generate` raises.
        """
        raise UnsupportedParameter("This model does not make images.", param="model")


def local_client(
    launch: Launch | None, *, reuse: bool = True, base_path: str = "", timeouts: Timeouts
) -> Client:
    """A client for a process of ours behind its unix socket."""
    assert launch is not None
    origin = Origin(socket_path=str(launch.socket_path), base_path=base_path)
    return Client(origin, reuse=reuse, timeouts=timeouts)
