"""Embedding models on onnxruntime: a directory, a worker of ours, and how to talk to it."""

import os
import sys
from pathlib import Path
from typing import ClassVar, TypeVar

import msgspec

from penstock.domain.embedding import EmbeddingCall, Vectors
from penstock.domain.errors import (
    ContextLengthExceeded,
    EngineFailed,
    InvalidRequest,
    PenstockError,
)
from penstock.domain.model import Capabilities
from penstock.engines import attributes
from penstock.engines.base import CannotStart, Engine, Launch, local_client
from penstock.engines.embedder_files import EmbedderFiles, NotAnEmbedder
from penstock.http.client import Client, Exchange

#: What a unix socket's address holds, on Linux (macOS: 103).
MAX_SOCKET_PATH_BYTES = 107 if sys.platform == "linux" else 103
#: Python with onnxruntime, numpy and tokenizers, before any weights.
WORKER_BYTES = 120 * 1024 * 1024
#: The weights, once loaded.
WEIGHTS_FACTOR = 1.3
#: What a transformer keeps of a token while it runs, for each number of its width.
BYTES_PER_WIDTH = 150
#: The libraries would otherwise start a thread for each core, beside those of the graph.
NO_OTHER_THREADS = {
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


T = TypeVar("T")


class _Properties(msgspec.Struct):
    embedding_length: int
    max_input_tokens: int
    vocabulary_size: int
    dimensions: tuple[int, ...]


class _Rows(msgspec.Struct):
    rows: tuple[bytes, ...]
    prompt_tokens: int


class _Fault(msgspec.Struct):
    message: str
    code: str | int | None = None
    index: int | None = None
    param: str | None = None


class _Error(msgspec.Struct):
    error: _Fault


class OnnxEmbedder(Engine):
    """`directory` holds an embedding model as sentence-transformers lays it out, with its graph.

    `slots` is high because the worker makes its batches from the calls that wait there.
    """

    name: ClassVar[str] = "onnx"

    def __init__(
        self,
        directory: Path,
        *,
        threads: int = 1,
        slots: int = 256,
        batch_tokens: int = 2048,
        stall_timeout_s: float = 120.0,
    ) -> None:
        self.directory = directory.absolute()
        self.threads = threads
        self.slots = slots
        self.batch_tokens = batch_tokens
        self.stall_timeout_s = stall_timeout_s

    def launch(self, run_dir: Path) -> Launch:
        try:
            files = EmbedderFiles.read(self.directory)
        except NotAnEmbedder as error:
            raise CannotStart(str(error)) from None
        socket_path = run_dir / "s.sock"
        if len(os.fsencode(socket_path)) > MAX_SOCKET_PATH_BYTES:
            raise CannotStart(
                f"{socket_path} is too long for the path of a unix socket, which has at most "
                f"{MAX_SOCKET_PATH_BYTES} bytes. Choose a shorter directory."
            )
        weights_bytes = files.weights_bytes
        batch_bytes = self.batch_tokens * files.width * BYTES_PER_WIDTH
        argv = (
            *(sys.executable, "-m", "penstock.engines.workers.onnx"),
            *("--socket", str(socket_path)),
            *("--model", str(self.directory)),
            *("--threads", str(self.threads)),
            *("--batch-tokens", str(self.batch_tokens)),
        )
        return Launch(
            argv=argv,
            socket_path=socket_path,
            environment=NO_OTHER_THREADS,
            memory_bytes=WORKER_BYTES + int(weights_bytes * WEIGHTS_FACTOR) + batch_bytes,
            memory_reason=(
                f"{WORKER_BYTES >> 20} MiB for the worker, {WEIGHTS_FACTOR} times the "
                f"{weights_bytes / 2**20:.1f} MiB of weights, {batch_bytes >> 20} MiB for a batch "
                f"of {self.batch_tokens} tokens"
            ),
        )

    def connect(self, launch: Launch | None) -> Client:
        return local_client(launch, stall_timeout_s=self.stall_timeout_s)

    async def is_ready(self, client: Client) -> bool:
        async with client.get("/health") as exchange:
            await exchange.read()
            return exchange.status == 200

    async def inspect(self, client: Client) -> Capabilities:
        async with client.get("/properties") as exchange:
            properties = _decode(await exchange.read(), _Properties)
        dimensions = properties.dimensions
        return Capabilities(
            tasks=frozenset({"embeddings"}),
            attributes=attributes.EMBEDDING | {"dimensions"}
            if dimensions
            else attributes.EMBEDDING,
            max_input_tokens=properties.max_input_tokens,
            embedding_length=properties.embedding_length,
            dimensions=dimensions,
            vocabulary_size=properties.vocabulary_size,
        )

    async def embed(self, client: Client, call: EmbeddingCall) -> Vectors:
        body = msgspec.json.encode({"inputs": call.inputs, "dimensions": call.dimensions})
        async with client.post("/embed", body) as exchange:
            if exchange.status != 200:
                raise await _refusal(exchange)
            answer = _decode(await exchange.read(), _Rows)
        if len(answer.rows) != len(call.inputs):
            raise EngineFailed("The embedding worker lost some of the inputs.")
        return Vectors(answer.rows, answer.prompt_tokens)


async def _refusal(exchange: Exchange) -> PenstockError:
    """The worker's 400 is the client's fault, anything else its own."""
    fault = _decode(await exchange.read(), _Error).error
    if exchange.status != 400:
        return EngineFailed(f"The embedding worker failed: {fault.message}")
    where = "" if fault.index is None else f"Input {fault.index}: "
    kind = ContextLengthExceeded if fault.code == "context_length_exceeded" else InvalidRequest
    return kind(where + fault.message, param=fault.param or "input")


def _decode(body: bytes, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.MsgspecError as error:
        raise EngineFailed(f"The embedding worker's answer is not readable: {error}") from None
