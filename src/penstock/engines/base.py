"""The seam for engines: how to start one, how to talk to it, what it can do.

An `Engine` is the recipe for one model. It is a value with methods: it holds no connection and no
process, so one engine serves any number of replicas.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Mapping
from pathlib import Path
from typing import ClassVar, Protocol

import msgspec

from penstock.domain.embedding import EmbeddingCall, Vectors
from penstock.domain.errors import UnsupportedParameter
from penstock.domain.event import Event
from penstock.domain.generation import Generation
from penstock.domain.image import ImageCall
from penstock.domain.model import Capabilities
from penstock.http.client import Client, Origin


class Batches(Protocol):
    """Batches of events, and the means to stop them: an asynchronous generator, or alike."""

    def __aiter__(self) -> AsyncIterator[list[Event]]: ...

    def __anext__(self) -> Awaitable[list[Event]]: ...

    def aclose(self) -> Awaitable[None]: ...


class CannotStart(Exception):
    """The engine will never start as it is asked to; the text says why and what to do."""


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """How to start a replica's process. `socket_path` is where it will listen.

    `memory_bytes` is what it is expected to take; `memory_reason` shows the sum, for people.
    """

    argv: tuple[str, ...]
    socket_path: Path
    environment: Mapping[str, str] = {}
    memory_bytes: int = 0
    memory_reason: str = ""


class Engine(ABC):
    """One model's recipe: launch, dialect, capabilities.

    `slots` is how many calls one replica works on at a time; what comes beyond it waits in the
    gateway, where it can be counted, bounded and refused.
    """

    name: ClassVar[str]
    slots: int

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

    def generate(self, client: Client, call: Generation) -> Batches:
        """Batches of events; the last one ends in `Finished`. Closing it stops the engine's work.

        Raises InvalidRequest (before the first batch), EngineFailed, Broken.
        """
        raise UnsupportedParameter("This model does not generate text.", param="model")

    async def embed(self, client: Client, call: EmbeddingCall) -> Vectors:
        """Unit vectors, one per input, in order. Raises InvalidRequest, EngineFailed, Broken."""
        raise UnsupportedParameter("This model does not make embeddings.", param="model")

    async def draw(self, client: Client, call: ImageCall) -> bytes:
        """A PNG. Being cancelled stops the work. Raises InvalidRequest, EngineFailed, Broken."""
        raise UnsupportedParameter("This model does not make images.", param="model")


def local_client(
    launch: Launch | None, *, reuse: bool = True, base_path: str = "", stall_timeout_s: float
) -> Client:
    """A client for a process of ours behind its unix socket."""
    assert launch is not None
    origin = Origin(socket_path=str(launch.socket_path), base_path=base_path)
    return Client(origin, reuse=reuse, connect_timeout_s=5.0, stall_timeout_s=stall_timeout_s)
