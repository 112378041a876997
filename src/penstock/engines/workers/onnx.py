"""A replica that embeds, reranks or sorts pictures: onnxruntime behind a unix socket.

    GET  /health      200 once the model is loaded
    GET  /properties  {"task", "embedding_length", "max_input_tokens", "vocabulary_size",
                      "dimensions"}
    POST /embed       {"inputs": ["…", …] | [[ids], …], "dimensions": int | null}
                      -> {"rows": [base64 of little-endian float32, …], "prompt_tokens"}
    POST /rerank      {"query", "documents": ["…", …]} -> {"values": [0 to 1, …], "prompt_tokens"}
    POST /classify    {"picture": base64, "labels": ["…", …]} -> the same, one per label

A model does one of the three.

Errors are {"error": {"message", "code", "index", "param"}}; `index` tells which input it was.
"""

import argparse
import asyncio
import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import uvloop

from penstock.domain.classification import ClassificationCall, Likelihoods
from penstock.domain.rerank import RerankCall, Scores
from penstock.engines.onnx.embedder_files import EmbedderFiles, NotAnEmbedder
from penstock.engines.onnx.zero_shot_files import ZeroShotFiles, is_zero_shot
from penstock.engines.workers.batching import Collector
from penstock.engines.workers.cross_encoder import CrossEncoder, Pair
from penstock.engines.workers.embedder import Embedder, Floats, NotInVocabulary, TooLong, unit
from penstock.engines.workers.parent import end_with_parent
from penstock.engines.workers.pixels import NotReadable, pixels_of
from penstock.engines.workers.zero_shot import ZeroShot
from penstock.http.connection import ServerLimits
from penstock.http.message import Answer, Request, Response
from penstock.http.server import Server

T = TypeVar("T")
Ids = TypeVar("Ids", bound=Sequence[int])

MAX_BODY_BYTES = 64 * 1024 * 1024
#: Of so many labels the vectors are kept: a few megabytes, and most callers ask for the same again.
KNOWN_LABELS = 4096
#: Pictures in one batch: beyond, a picture more costs as much as one alone.
BATCH_PICTURES = 8
#: Longer texts are tokenised beside the event loop, which they would hold up.
INLINE_CHARACTERS = 8192
#: So many texts are tokenised before their lengths are looked at: thousands of long ones would take
#: gigabytes.
SLICE_TEXTS = 32
CODES = {TooLong: "context_length_exceeded", NotInVocabulary: "invalid_value"}


class EmbedBody(msgspec.Struct):
    inputs: list[str | list[int]]
    dimensions: int | None = None


class Rows(msgspec.Struct):
    """msgspec writes bytes as base64."""

    rows: Sequence[bytes]
    prompt_tokens: int


class Refused(Exception):
    """The request is refused with 400."""

    def __init__(
        self, message: str, *, code: str = "invalid_value", index: int | None = None, param: str
    ) -> None:
        super().__init__(message)
        self.code = code
        self.index = index
        self.param = param


class Worker(ABC):
    """The handler of the process's server."""

    def __init__(self, task: str, serve: Callable[[Request], Awaitable[Answer]]) -> None:
        self._tokenising = ThreadPoolExecutor(1, thread_name_prefix="tokenizer")
        self._routes: dict[tuple[str, str], Callable[[Request], Awaitable[Answer]]] = {
            ("GET", "/health"): self.health,
            ("GET", "/properties"): self.properties,
            ("POST", task): serve,
        }

    async def handle(self, request: Request) -> Answer:
        serve = self._routes.get((request.method, request.path))
        if serve is None:
            return _error(404, f"There is no {request.method} {request.path}.", code="not_found")
        try:
            return await serve(request)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return _error(400, f"The body is not as it should be: {error}.")
        except Refused as refused:
            return _error(
                400, str(refused), code=refused.code, index=refused.index, param=refused.param
            )

    async def health(self, request: Request) -> Answer:
        return _json({"status": "ok"})

    @abstractmethod
    async def properties(self, request: Request) -> Answer:
        """What the model is."""

    async def tokenised(self, characters: int, encode: Callable[[], T]) -> T:
        """What `encode` gives, made beside the event loop if it may take long."""
        if characters <= INLINE_CHARACTERS:
            return encode()
        return await asyncio.get_running_loop().run_in_executor(self._tokenising, encode)


class EmbeddingWorker(Worker):
    """Embeds."""

    def __init__(self, embedder: Embedder, collector: Collector) -> None:
        super().__init__("/embed", self.embed)
        self.embedder = embedder
        self.collector = collector

    async def properties(self, request: Request) -> Answer:
        embedder = self.embedder
        return _json(
            {
                "task": "embeddings",
                "embedding_length": embedder.embedding_length,
                "max_input_tokens": embedder.max_input_tokens,
                "vocabulary_size": embedder.vocabulary_size,
                "dimensions": embedder.dimensions,
            }
        )

    async def embed(self, request: Request) -> Answer:
        body = msgspec.json.decode(request.body, type=EmbedBody)
        dimensions = self._cut(body.dimensions)
        inputs = await self._encode(body.inputs)
        rows = await self.collector.submit(inputs)
        if dimensions is not None:
            rows = [_shortened(row, dimensions) for row in rows]
        return _json(Rows(rows, prompt_tokens=sum(map(len, inputs))))

    def _cut(self, dimensions: int | None) -> int | None:
        embedder = self.embedder
        if dimensions in (None, embedder.embedding_length):
            return None
        if dimensions not in embedder.dimensions:
            lengths = ", ".join(map(str, embedder.dimensions)) or str(embedder.embedding_length)
            raise Refused(
                f"This model's vectors have {lengths} dimensions, not {dimensions}.",
                param="dimensions",
            )
        return dimensions

    async def _encode(self, inputs: list[str | list[int]]) -> list[list[int]]:
        texts = [text for text in inputs if isinstance(text, str)]
        ids = [ids for ids in inputs if not isinstance(ids, str)]
        if bool(texts) == bool(ids) or not all(ids):
            raise Refused("Give texts or lists of token ids, none of them empty.", param="input")
        embedder = self.embedder
        if not texts:
            check_each(ids, embedder.check, "input")
            return ids
        return await self.tokenised(
            sum(map(len, texts)),
            lambda: encoded(texts, embedder.encode, embedder.check, "input"),
        )


class RankingWorker(Worker):
    """Reranks."""

    def __init__(self, encoder: CrossEncoder, collector: Collector) -> None:
        super().__init__("/rerank", self.rerank)
        self.encoder = encoder
        self.collector = collector

    async def properties(self, request: Request) -> Answer:
        encoder = self.encoder
        return _json(
            {
                "task": "rerank",
                "max_input_tokens": encoder.max_input_tokens,
                "vocabulary_size": encoder.vocabulary_size,
            }
        )

    async def rerank(self, request: Request) -> Answer:
        body = msgspec.json.decode(request.body, type=RerankCall)
        documents = body.documents
        pairs = await self.tokenised(
            len(documents) * len(body.query) + sum(map(len, documents)),
            lambda: self._pairs(body.query, documents),
        )
        rows = await self.collector.submit(pairs)
        values = tuple(np.frombuffer(b"".join(rows), "<f4").tolist())
        return _json(Scores(values, prompt_tokens=sum(map(len, pairs))))

    def _pairs(self, query: str, documents: Sequence[str]) -> list[Pair]:
        """Raises Refused for a query that no document could go with, before it reads any."""
        encoder = self.encoder
        try:
            encoder.check_query(query)
        except TooLong as error:
            raise Refused(str(error), code=CODES[TooLong], param="query") from None
        return encoded(documents, partial(encoder.encode, query), encoder.check, "documents")


class ClassifyingWorker(Worker):
    """Tells which of some labels fits a picture."""

    def __init__(self, model: ZeroShot, texts: Collector, pictures: Collector) -> None:
        super().__init__("/classify", self.classify)
        self.model = model
        self.texts = texts
        self.pictures = pictures
        self._decoding = ThreadPoolExecutor(1, thread_name_prefix="pixels")
        self._known: dict[str, tuple[bytes, int]] = {}

    async def properties(self, request: Request) -> Answer:
        return _json(
            {
                "task": "zero_shot_image_classification",
                "max_input_tokens": self.model.max_input_tokens,
            }
        )

    async def classify(self, request: Request) -> Answer:
        body = msgspec.json.decode(request.body, type=ClassificationCall)
        loop = asyncio.get_running_loop()
        try:
            pixels = await loop.run_in_executor(
                self._decoding, pixels_of, body.picture, self.model.preprocessing
            )
        except NotReadable as error:
            raise Refused(str(error), param="image") from None
        texts, prompt_tokens = await self._vectors(body.labels)
        (picture,) = await self.pictures.submit([pixels])
        likely = self.model.likelihoods(np.frombuffer(picture, "<f4"), texts)
        return _json(Likelihoods(tuple(likely.tolist()), prompt_tokens))

    async def _vectors(self, labels: Sequence[str]) -> tuple[Floats, int]:
        """Of each label, and the tokens of all. What was read before is not read again."""
        new = [label for label in dict.fromkeys(labels) if label not in self._known]
        found = {label: self._known[label] for label in labels if label in self._known}
        if new:
            inputs = await self._encoded(new, labels)
            rows = await self.texts.submit(inputs)
            for label, ids, row in zip(new, inputs, rows, strict=True):
                found[label] = self._known[label] = (row, len(ids))
            while len(self._known) > KNOWN_LABELS:
                del self._known[next(iter(self._known))]
        vectors = np.stack([np.frombuffer(found[label][0], "<f4") for label in labels])
        return vectors, sum(found[label][1] for label in labels)

    async def _encoded(self, new: Sequence[str], labels: Sequence[str]) -> list[list[int]]:
        """The token ids of new labels. Raises Refused for one that is too long."""
        model = self.model
        try:
            return await self.tokenised(
                sum(map(len, new)),
                lambda: encoded(new, model.encode, model.check, "candidate_labels"),
            )
        except Refused as refused:
            if refused.index is not None:
                refused.index = labels.index(new[refused.index])
            raise


def encoded(
    texts: Sequence[str],
    encode: Callable[[Sequence[str]], Sequence[Ids]],
    check: Callable[[Ids], None],
    param: str,
) -> list[Ids]:
    """The token ids of each text.

    Raises Refused for one that is too long, before it reads more than the few that come with it.
    """
    found: list[Ids] = []
    for first in range(0, len(texts), SLICE_TEXTS):
        few = texts[first : first + SLICE_TEXTS]
        try:
            inputs = encode(few)
        except TooLong as error:
            longest = max(range(len(few)), key=lambda i: len(few[i]))
            raise _refused(error, first + longest, param) from None
        check_each(inputs, check, param, first)
        found += inputs
    return found


def check_each(
    inputs: Sequence[Ids], check: Callable[[Ids], None], param: str, first: int = 0
) -> None:
    """Raises Refused for the first input that `check` does not take; they count from `first`."""
    for index, ids in enumerate(inputs, first):
        try:
            check(ids)
        except (TooLong, NotInVocabulary) as error:
            raise _refused(error, index, param) from None


def _refused(error: TooLong | NotInVocabulary, index: int, param: str) -> Refused:
    return Refused(str(error), code=CODES[type(error)], index=index, param=param)


def _shortened(row: bytes, dimensions: int) -> bytes:
    return _packed(unit(np.frombuffer(row, "<f4")[:dimensions]))


def _packed(row: Floats) -> bytes:
    return row.astype("<f4", copy=False).tobytes()


def _json(value: object) -> Response:
    return Response(body=msgspec.json.encode(value))


def _error(
    status: int,
    message: str,
    code: str = "invalid_value",
    index: int | None = None,
    param: str | None = None,
) -> Response:
    error = {"message": message, "code": code, "index": index, "param": param}
    return Response(status=status, body=msgspec.json.encode({"error": error}))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True, help="a directory")
    parser.add_argument("--graph", help="another graph of it than the usual one")
    parser.add_argument("--max-tokens", type=int, help="of an input, where the model reads more")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--batch-tokens", type=int, default=2048, help="of a batch, padding counted"
    )
    parser.add_argument("--batch-items", type=int, default=64, help="1: no batches")
    return parser.parse_args()


async def serve(options: argparse.Namespace, model: Embedder | CrossEncoder | ZeroShot) -> None:
    def collector(
        run: Callable[[Any], Floats], items: int, thread: ThreadPoolExecutor | None = None
    ) -> Collector:
        def rows_of(batch: Sequence[Any]) -> list[bytes]:
            return [_packed(row) for row in run(batch)]

        return Collector(rows_of, max_tokens=options.batch_tokens, max_items=items, thread=thread)

    items = options.batch_items
    worker: Worker
    collectors: tuple[Collector, ...]
    if isinstance(model, ZeroShot):
        thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        texts = collector(model.embed_texts, items, thread)
        pictures = collector(model.embed_pictures, min(items, BATCH_PICTURES), thread)
        worker, collectors = ClassifyingWorker(model, texts, pictures), (texts, pictures)
    elif isinstance(model, CrossEncoder):
        pairs = collector(model.score, items if model.batchable else 1)
        worker, collectors = RankingWorker(model, pairs), (pairs,)
    else:
        inputs = collector(model.embed, items if model.batchable else 1)
        worker, collectors = EmbeddingWorker(model, inputs), (inputs,)
    server = Server(worker.handle, limits=ServerLimits(max_body_bytes=MAX_BODY_BYTES))
    await server.listen(socket_path=options.socket)
    await asyncio.gather(*(collector.serve() for collector in collectors))


def load(
    directory: Path, graph: str | None, max_tokens: int | None, threads: int
) -> Embedder | CrossEncoder | ZeroShot:
    """The model of a directory, by what its files say it is. Raises NotAnEmbedder."""
    if is_zero_shot(directory):
        return ZeroShot(ZeroShotFiles.read(directory, graph), threads=threads)
    files = EmbedderFiles.read(directory, graph, at_most_tokens=max_tokens)
    return (CrossEncoder if files.ranks else Embedder)(files, threads=threads)


def main() -> None:
    end_with_parent()
    options = arguments()
    try:
        model = load(options.model, options.graph, options.max_tokens, options.threads)
    except NotAnEmbedder as error:
        sys.exit(str(error))
    uvloop.run(serve(options, model))


if __name__ == "__main__":
    main()
