"""An embedding replica: onnxruntime and tokenizers behind a unix socket.

    GET  /health      200 once the model is loaded
    GET  /properties  {"embedding_length", "max_input_tokens", "vocabulary_size", "dimensions"}
    POST /embed       {"inputs": ["…", …] | [[ids], …], "dimensions": int | null}
                      -> {"rows": [base64 of little-endian float32, …], "prompt_tokens"}

Errors are {"error": {"message", "code", "index", "param"}}; `index` tells which input it was.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np
import uvloop

from penstock.engines.embedder_files import EmbedderFiles, NotAnEmbedder
from penstock.engines.workers.batching import Collector
from penstock.engines.workers.embedder import Embedder, Floats, NotInVocabulary, TooLong, unit
from penstock.engines.workers.parent import end_with_parent
from penstock.http.message import Answer, Request, Response
from penstock.http.server import Server, ServerLimits

MAX_BODY_BYTES = 64 * 1024 * 1024
#: Longer texts are tokenised beside the event loop, which they would hold up.
INLINE_CHARACTERS = 8192
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


class EmbeddingWorker:
    """The handler of the process's server."""

    def __init__(self, embedder: Embedder, collector: Collector) -> None:
        self.embedder = embedder
        self.collector = collector
        self._tokenising = ThreadPoolExecutor(1, thread_name_prefix="tokenizer")
        self._routes = {
            ("GET", "/health"): self.health,
            ("GET", "/properties"): self.properties,
            ("POST", "/embed"): self.embed,
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

    async def properties(self, request: Request) -> Answer:
        embedder = self.embedder
        return _json(
            {
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
        self._check(inputs)
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
        if not texts:
            return ids
        try:
            if sum(map(len, texts)) <= INLINE_CHARACTERS:
                return self.embedder.encode(texts)
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._tokenising, self.embedder.encode, texts)
        except TooLong as error:
            index = max(range(len(texts)), key=lambda i: len(texts[i]))
            raise _refused(error, index) from None

    def _check(self, inputs: list[list[int]]) -> None:
        for index, ids in enumerate(inputs):
            try:
                self.embedder.check(ids)
            except (TooLong, NotInVocabulary) as error:
                raise _refused(error, index) from None


def _refused(error: TooLong | NotInVocabulary, index: int) -> Refused:
    return Refused(str(error), code=CODES[type(error)], index=index, param="input")


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
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--batch-tokens", type=int, default=2048, help="of a batch, padding counted"
    )
    parser.add_argument("--batch-items", type=int, default=64, help="1: no batches")
    return parser.parse_args()


async def serve(options: argparse.Namespace, embedder: Embedder) -> None:
    def run(batch: Sequence[Sequence[int]]) -> list[bytes]:
        return [_packed(row) for row in embedder.embed(batch)]

    collector = Collector(
        run,
        max_tokens=options.batch_tokens,
        max_items=options.batch_items if embedder.batchable else 1,
    )
    worker = EmbeddingWorker(embedder, collector)
    server = Server(worker.handle, limits=ServerLimits(max_body_bytes=MAX_BODY_BYTES))
    await server.listen(socket_path=options.socket)
    await collector.serve()


def main() -> None:
    end_with_parent()
    options = arguments()
    try:
        embedder = Embedder(EmbedderFiles.read(options.model), threads=options.threads)
    except NotAnEmbedder as error:
        sys.exit(str(error))
    uvloop.run(serve(options, embedder))


if __name__ == "__main__":
    main()
