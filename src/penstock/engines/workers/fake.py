"""A fake engine: a real process that speaks OpenAI, at a set speed, with faults on demand.

It is the double in tests and a target for demos and load: no model, no weights. Its answers repeat
what was said, one word a token, so that a test can know them beforehand.
"""

import argparse
import asyncio
import contextlib
import math
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec

from penstock.engines.workers.fake_dialect import (
    ChatBody,
    ChatShape,
    CompletionBody,
    CompletionShape,
    EmbeddingBody,
    GenerationBody,
    Refused,
    Shape,
)
from penstock.engines.workers.parent import end_with_parent
from penstock.engines.workers.parrot import Reply
from penstock.engines.workers.script import read as read_script
from penstock.http.connection import ServerLimits
from penstock.http.message import Answer, Request, Response, StreamingResponse
from penstock.http.server import Server

#: At full speed the loop is let go once in so many tokens, so that a leaving client is noticed.
TOKENS_PER_TURN = 16
LAST_WORDS_S = 0.05
BAD_JSON = b'data: {"id":"fake","choices":[{"index":0,"del\n\n'
DONE = b"data: [DONE]\n\n"
TYPES = {429: "rate_limit_error", **{s: "server_error" for s in (500, 502, 503, 504)}}


class Settings(msgspec.Struct, kw_only=True):
    """The command line. `…_after` count tokens of one answer."""

    socket: Path | None
    port: int | None
    model: str
    with_parent: bool
    slots: int
    log: Path | None
    script: Path | None
    tokens_per_second: float
    first_token_after_s: float
    load_s: float
    ballast_mib: int
    gpu_mib: int
    gpus: int
    die_after: int | None
    die_once: Path | None
    stall_after: int | None
    bad_json_after: int | None
    error_in_stream_after: int | None
    status: int | None
    forget_done: bool
    refuse_to_start: bool
    ignore_sigterm: bool


def arguments() -> Settings:
    parser = argparse.ArgumentParser(description=__doc__)
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--socket", type=Path, metavar="PATH", help="listen on this unix socket")
    place.add_argument(
        "--port", type=int, help="listen on this port of 127.0.0.1 (0: any, printed at the start)"
    )
    parser.add_argument("--model", default="fake", metavar="NAME", help="its name (default: fake)")
    parser.add_argument(
        "--with-parent", action="store_true", help="end when standard input, a pipe, ends"
    )
    parser.add_argument(
        "--slots", type=int, default=1, help="shown by /health, for information (default: 1)"
    )
    parser.add_argument(
        "--log",
        type=Path,
        metavar="FILE",
        help="append one JSON line per POST when it has ended: path, body, tokens sent, and "
        "whether the client left before the end",
    )
    parser.add_argument(
        "--script",
        type=Path,
        metavar="FILE",
        help='a JSON list of chat answers: {"when": TEXT, "say": TEXT} or {"when": TEXT, "call": '
        'TOOL, "arguments": {...}}; the first counts whose "when" is in the last message',
    )
    pace = parser.add_argument_group("pace")
    pace.add_argument(
        "--tokens-per-second", type=float, default=math.inf, help="of each answer (default: all)"
    )
    pace.add_argument(
        "--first-token-after-s", type=float, default=0.0, help="seconds before the first token"
    )
    pace.add_argument(
        "--load-s", type=float, default=0.0, help="listen, but answer 503 for so many seconds"
    )
    pace.add_argument(
        "--ballast-mib", type=int, default=0, help="take so much memory, for nothing (default: 0)"
    )
    pace.add_argument(
        "--gpu-mib", type=int, default=0, help="claimed of a GPU, and not touched (default: 0)"
    )
    pace.add_argument(
        "--gpus", type=int, default=1, help="of how many GPUs that is claimed (default: 1)"
    )
    faults = parser.add_argument_group("faults (N counts the tokens of one answer)")
    faults.add_argument("--die-after", type=int, metavar="N", help="the process exits at once")
    faults.add_argument(
        "--die-once",
        type=Path,
        metavar="FILE",
        help="die only if FILE does not exist, and make it (without --die-after: before the first "
        "token), so that a restarted process lives",
    )
    faults.add_argument(
        "--stall-after", type=int, metavar="N", help="send nothing more, keep the connection"
    )
    faults.add_argument(
        "--bad-json-after", type=int, metavar="N", help="send broken JSON once, then go on"
    )
    faults.add_argument(
        "--error-in-stream-after",
        type=int,
        metavar="N",
        help='end the stream (status 200) with an {"error": ...} event',
    )
    faults.add_argument("--status", type=int, metavar="CODE", help="answer every POST with CODE")
    faults.add_argument("--forget-done", action="store_true", help="end streams without [DONE]")
    faults.add_argument(
        "--refuse-to-start", action="store_true", help="give a reason on stderr and exit with 1"
    )
    faults.add_argument("--ignore-sigterm", action="store_true", help="end by SIGKILL only")
    return Settings(**vars(parser.parse_args()))


class BrokeOff(Exception):
    """An error in the middle of an answer."""


class Record(msgspec.Struct):
    """What the log tells of one request."""

    path: str
    body: Any
    tokens: int = 0
    left: bool = False


class FakeEngine:
    """The handler of the process's server."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.ready_at_s = time.monotonic() + settings.load_s
        self.ballast = b"\1" * (settings.ballast_mib * 1024**2)
        self.created = int(time.time())
        self.answers = 0
        self.script = read_script(settings.script) if settings.script else ()
        self.routes: dict[tuple[str, str], Callable[[Request, Record], Awaitable[Answer]]] = {
            ("GET", "/health"): self.health,
            ("GET", "/v1/models"): self.models,
            ("POST", "/v1/chat/completions"): self.chat,
            ("POST", "/v1/completions"): self.completions,
            ("POST", "/v1/embeddings"): self.embeddings,
        }

    async def handle(self, request: Request) -> Answer:
        serve = self.routes.get((request.method, request.path))
        if serve is None:
            return _error(404, f"Unknown request: {request.method} {request.path}")
        if time.monotonic() < self.ready_at_s:
            return _error(503, "The model is loading.")
        record = Record(path=request.path, body=_readable(request.body))
        if request.method == "POST" and self.settings.status is not None:
            self._log(record)
            return _error(self.settings.status, f"You asked for {self.settings.status}.")
        try:
            return await serve(request, record)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self._log(record)
            return _error(400, f"The body is not as it should be: {error}")
        except Refused as refused:
            self._log(record)
            return _error(400, str(refused), param=refused.param)

    async def health(self, request: Request, record: Record) -> Answer:
        return _json({"status": "ok", "slots": self.settings.slots})

    async def models(self, request: Request, record: Record) -> Answer:
        model = {"id": self.settings.model, "object": "model", "created": self.created}
        return _json({"object": "list", "data": [model | {"owned_by": "penstock"}]})

    async def embeddings(self, request: Request, record: Record) -> Answer:
        body = msgspec.json.decode(request.body, type=EmbeddingBody)
        rows = body.rows()
        # An embedding is an answer of no tokens: it waits and fails as a first token would.
        with self._logged(record):
            await asyncio.sleep(self.settings.first_token_after_s)
            await self._mishap(0, record)
        model = self.settings.model
        return _json({"object": "list", "data": rows, "model": model, "usage": body.usage()})

    async def chat(self, request: Request, record: Record) -> Answer:
        body = msgspec.json.decode(request.body, type=ChatBody)
        return await self._generate(body, ChatShape, body.reply(self.script), record)

    async def completions(self, request: Request, record: Record) -> Answer:
        body = msgspec.json.decode(request.body, type=CompletionBody)
        return await self._generate(body, CompletionShape, body.reply(), record)

    async def _generate(
        self, body: GenerationBody, make: type[Shape], reply: Reply, record: Record
    ) -> Answer:
        body.check()
        self.answers += 1
        name = f"fake{os.getpid():x}x{self.answers}"
        shape = make(reply, f"call_{name}")
        frame = {
            "id": f"{shape.prefix}-{name}",
            "object": shape.chunk_object if body.stream else shape.object,
            "created": int(time.time()),
            "model": self.settings.model,
        }
        if not body.stream:
            return await self._whole(frame, shape, record)
        include_usage = body.stream_options is not None and body.stream_options.include_usage
        chunks = self._stream(frame, shape, include_usage, record)
        return StreamingResponse(chunks=chunks)

    async def _whole(self, frame: dict[str, Any], shape: Shape, record: Record) -> Answer:
        text = ""
        with self._logged(record):
            try:
                async with aclosing(self._tokens(shape.reply, record)) as tokens:
                    async for token in tokens:
                        if isinstance(token, bytes):
                            return Response(body=token)
                        text += token
            except BrokeOff as broken:
                return _error(500, str(broken))
        return _json(frame | {"choices": [shape.whole(text)], "usage": shape.reply.usage})

    async def _stream(
        self, frame: dict[str, Any], shape: Shape, include_usage: bool, record: Record
    ) -> AsyncGenerator[bytes, None]:
        tail = {"usage": None} if include_usage else {}

        def chunk(*choices: dict[str, Any]) -> bytes:
            return _event(frame | {"choices": choices} | tail)

        with self._logged(record):
            try:
                for choice in shape.opening():
                    yield chunk(choice)
                async with aclosing(self._tokens(shape.reply, record)) as tokens:
                    async for token in tokens:
                        yield token if isinstance(token, bytes) else chunk(shape.piece(token))
                yield chunk(shape.closing())
                if include_usage:
                    yield _event(frame | {"choices": [], "usage": shape.reply.usage})
                if not self.settings.forget_done:
                    yield DONE
            except BrokeOff as broken:
                yield _event(_error_body(500, str(broken)))

    async def _tokens(self, reply: Reply, record: Record) -> AsyncGenerator[str | bytes, None]:
        """The answer's pieces at the set pace; `bytes` are garbage to be sent as they are.

        Raises BrokeOff.
        """
        settings = self.settings
        await asyncio.sleep(settings.first_token_after_s)
        start_s = time.monotonic()
        for sent, piece in enumerate(reply.pieces):
            if garbage := await self._mishap(sent, record):
                yield garbage
            wait_s = start_s + sent / settings.tokens_per_second - time.monotonic()
            if wait_s > 0 or sent % TOKENS_PER_TURN == 0:
                await asyncio.sleep(max(wait_s, 0.0))
            record.tokens += 1
            yield piece
        if garbage := await self._mishap(len(reply.pieces), record):
            yield garbage

    async def _mishap(self, sent: int, record: Record) -> bytes | None:
        settings = self.settings
        if sent == self._dies_after() and _first_time(settings.die_once):
            await asyncio.sleep(LAST_WORDS_S)  # what was written is still to leave this process
            self._log(record)
            os._exit(1)
        if sent == settings.stall_after:
            await asyncio.Event().wait()
        if sent == settings.error_in_stream_after:
            raise BrokeOff("The fake engine broke, as it was told to.")
        return BAD_JSON if sent == settings.bad_json_after else None

    def _dies_after(self) -> int | None:
        settings = self.settings
        return 0 if settings.die_once and settings.die_after is None else settings.die_after

    @contextlib.contextmanager
    def _logged(self, record: Record) -> Iterator[None]:
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            record.left = True
            raise
        finally:
            self._log(record)

    def _log(self, record: Record) -> None:
        if self.settings.log is not None:
            with self.settings.log.open("ab") as log:
                log.write(msgspec.json.encode(record) + b"\n")


def _first_time(mark: Path | None) -> bool:
    if mark is None:
        return True
    with contextlib.suppress(FileExistsError):
        mark.touch(exist_ok=False)
        return True
    return False


def _readable(body: bytes) -> Any:
    with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return msgspec.json.decode(body)
    return None


def _json(value: Any) -> Response:
    return Response(body=msgspec.json.encode(value))


def _event(value: Any) -> bytes:
    return b"data: %b\n\n" % msgspec.json.encode(value)


def _error_body(status: int, message: str, param: str | None = None) -> dict[str, Any]:
    kind = TYPES.get(status, "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": None}}


def _error(status: int, message: str, *, param: str | None = None) -> Response:
    return Response(status=status, body=msgspec.json.encode(_error_body(status, message, param)))


async def serve(settings: Settings) -> None:
    server = Server(FakeEngine(settings).handle, limits=ServerLimits(), fault=_error)
    await server.listen(host="127.0.0.1", port=settings.port or 0, socket_path=settings.socket)
    if settings.socket is None:
        print(f"http://127.0.0.1:{server.port}/v1", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    settings = arguments()
    if settings.refuse_to_start:
        sys.exit("The fake engine refuses to start, as it was told to.")
    if settings.with_parent:
        end_with_parent()
    if settings.ignore_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
