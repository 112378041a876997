"""Models of vectors on onnxruntime: for embeddings, to rerank, to sort pictures.

A directory, a worker of ours, its dialect.
"""

import os
import sys
from pathlib import Path
from typing import ClassVar, Literal, TypeVar

import msgspec

from penstock.domain.classification import ClassificationCall, Likelihoods
from penstock.domain.embedding import EmbeddingCall, Vectors
from penstock.domain.errors import (
    ContextLengthExceeded,
    EngineFailed,
    InvalidRequest,
    PenstockError,
)
from penstock.domain.model import Capabilities
from penstock.domain.rerank import RerankCall, Scores
from penstock.engines import attributes
from penstock.engines.base import CannotStart, Engine, Launch, local_client
from penstock.engines.onnx.embedder_files import EmbedderFiles, NotAnEmbedder
from penstock.engines.onnx.zero_shot_files import ZeroShotFiles, is_zero_shot
from penstock.http.client import DEFAULT_TIMEOUTS, Client, Exchange, Timeouts

#: What a unix socket's address holds, on Linux (macOS: 103).
MAX_SOCKET_PATH_BYTES = 107 if sys.platform == "linux" else 103
#: Python with onnxruntime, numpy and tokenizers, before any weights.
WORKER_BYTES = 120 * 1024 * 1024
#: The weights, once loaded.
WEIGHTS_FACTOR = 1.3
#: What a transformer keeps of a token while it runs, for each number of its width.
BYTES_PER_WIDTH = 150
#: What a layer's head keeps of each two tokens of a text: a float before the softmax, one after.
BYTES_PER_HEAD = 2 * 4
#: The libraries would otherwise start a thread for each core, beside those of the graph.
NO_OTHER_THREADS = {
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}

#: What an input is called, by the request's field that it is of.
NOUNS = {"documents": "Document", "candidate_labels": "Label"}

T = TypeVar("T")


class _Properties(msgspec.Struct):
    task: Literal["embeddings", "rerank", "zero_shot_image_classification"]
    max_input_tokens: int
    vocabulary_size: int | None = None
    embedding_length: int | None = None
    dimensions: tuple[int, ...] = ()


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


class OnnxModel(Engine):
    """`directory` holds an embedding model or a cross-encoder as sentence-transformers lays them
    out, or a CLIP or SigLIP model as optimum does, with its graphs.

    `graph` names another graph than the usual one; `context_length` is the most tokens that a text
    for a vector or a score may have, where the model would read more. `slots` is high because the
    worker makes its batches from the calls that wait there.
    """

    name: ClassVar[str] = "onnx"

    def __init__(
        self,
        directory: Path,
        *,
        graph: str | None = None,
        context_length: int | None = None,
        threads: int = 1,
        slots: int = 256,
        batch_tokens: int = 2048,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        self.directory = directory.absolute()
        self.graph = graph
        self.context_length = context_length
        self.threads = threads
        self.slots = slots
        self.batch_tokens = batch_tokens
        self.timeouts = timeouts

    def launch(self, run_dir: Path) -> Launch:
        try:
            weights_bytes, width, attention_bytes = self._sizes()
        except NotAnEmbedder as error:
            raise CannotStart(str(error)) from None
        socket_path = run_dir / "s.sock"
        if len(os.fsencode(socket_path)) > MAX_SOCKET_PATH_BYTES:
            raise CannotStart(
                f"{socket_path} is too long for the path of a unix socket, which has at most "
                f"{MAX_SOCKET_PATH_BYTES} bytes. Choose a shorter directory."
            )
        batch_bytes = self.batch_tokens * width * BYTES_PER_WIDTH
        argv = (
            *(sys.executable, "-m", "penstock.engines.workers.onnx"),
            *("--socket", str(socket_path)),
            *("--model", str(self.directory)),
            *(("--graph", self.graph) if self.graph is not None else ()),
            *(("--max-tokens", str(self.context_length)) if self.context_length else ()),
            *("--threads", str(self.threads)),
            *("--batch-tokens", str(self.batch_tokens)),
        )
        return Launch(
            argv=argv,
            socket_path=socket_path,
            environment=NO_OTHER_THREADS,
            memory_bytes=WORKER_BYTES
            + int(weights_bytes * WEIGHTS_FACTOR)
            + batch_bytes
            + attention_bytes,
            memory_reason=(
                f"{WORKER_BYTES >> 20} MiB for the worker, {WEIGHTS_FACTOR} times the "
                f"{weights_bytes / 2**20:.1f} MiB of weights, {batch_bytes >> 20} MiB for a batch "
                f"of {self.batch_tokens} tokens" + _attention_reason(attention_bytes)
            ),
        )

    def _sizes(self) -> tuple[int, int, int]:
        """Bytes of weights, how many numbers a token is inside, and bytes of what compares each two
        tokens of the longest text. Raises NotAnEmbedder."""
        if is_zero_shot(self.directory):
            pictures = ZeroShotFiles.read(self.directory, self.graph)
            return pictures.weights_bytes, pictures.width, 0
        files = EmbedderFiles.read(self.directory, self.graph, at_most_tokens=self.context_length)
        attention_bytes = BYTES_PER_HEAD * files.heads * files.max_input_tokens**2
        return files.weights_bytes, files.width, attention_bytes

    def connect(self, launch: Launch | None) -> Client:
        return local_client(launch, timeouts=self.timeouts)

    async def is_ready(self, client: Client) -> bool:
        async with client.get("/health") as exchange:
            await exchange.read()
            return exchange.status == 200

    async def inspect(self, client: Client) -> Capabilities:
        async with client.get("/properties") as exchange:
            properties = _decode(await exchange.read(), _Properties)
        if properties.task == "rerank":
            return Capabilities(
                tasks=frozenset({"rerank"}),
                attributes=attributes.RERANK,
                max_input_tokens=properties.max_input_tokens,
                vocabulary_size=properties.vocabulary_size,
            )
        if properties.task == "zero_shot_image_classification":
            return Capabilities(
                tasks=frozenset({"zero_shot_image_classification"}),
                attributes=attributes.CLASSIFICATION,
                max_input_tokens=properties.max_input_tokens,
            )
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

    async def rerank(self, client: Client, call: RerankCall) -> Scores:
        async with client.post("/rerank", msgspec.json.encode(call)) as exchange:
            if exchange.status != 200:
                raise await _refusal(exchange)
            scores = _decode(await exchange.read(), Scores)
        if len(scores.values) != len(call.documents):
            raise EngineFailed("The reranking worker lost some of the documents.")
        return scores

    async def classify(self, client: Client, call: ClassificationCall) -> Likelihoods:
        async with client.post("/classify", msgspec.json.encode(call)) as exchange:
            if exchange.status != 200:
                raise await _refusal(exchange)
            likely = _decode(await exchange.read(), Likelihoods)
        if len(likely.values) != len(call.labels):
            raise EngineFailed("The worker lost some of the labels.")
        return likely


def _attention_reason(size_bytes: int) -> str:
    if not size_bytes:
        return ""
    return (
        f", {size_bytes / 2**20:.1f} MiB for the attention of the longest text, which "
        "'context_length' makes shorter"
    )


async def _refusal(exchange: Exchange) -> PenstockError:
    """The worker's 400 is the client's fault, anything else its own."""
    fault = _decode(await exchange.read(), _Error).error
    if exchange.status != 400:
        return EngineFailed(f"The embedding worker failed: {fault.message}")
    noun = NOUNS.get(fault.param or "", "Input")
    where = "" if fault.index is None else f"{noun} {fault.index}: "
    kind = ContextLengthExceeded if fault.code == "context_length_exceeded" else InvalidRequest
    return kind(where + fault.message, param=fault.param or "input")


def _decode(body: bytes, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.MsgspecError as error:
        raise EngineFailed(f"The embedding worker's answer is not readable: {error}") from None
