"""The server under examination, as the checks talk to it."""

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from penstock.conformance.check import Failed, Skipped, expect
from penstock.conformance.wire import Origin, Reply, Wire, head

if TYPE_CHECKING:
    from openai import OpenAI

QUESTION = "Tell me a story about a river, a mill and a patient engineer."
#: Questions that even a small model answers at some length.
LONG_QUESTIONS = (
    QUESTION,
    "Count from one to twenty in words.",
    "List the days of the week and the months of the year.",
    "Explain what you can do, in as many words as you can.",
)
MAX_TOKENS = 24


@dataclass(frozen=True)
class ModelNames:
    """Which model the checks of each kind use; None: the server has none."""

    chat: str | None = None
    completions: str | None = None
    embeddings: str | None = None
    images: str | None = None

    def of(self, kind: str) -> str:
        """Raises Skipped when there is none."""
        name: str | None = getattr(self, kind)
        if name is None:
            raise Skipped(f"the server has no model for {kind}")
        return name


class Subject:
    """One server, one key, and the models that are looked at.

    `extra` goes into every request for text: what a server needs beyond OpenAI's fields, as a
    switch that turns thinking off.
    """

    def __init__(
        self,
        origin: Origin,
        *,
        key: str | None,
        models: ModelNames,
        timeout_s: float,
        extra: Mapping[str, Any],
    ) -> None:
        self.origin = origin
        self.key = key
        self.models = models
        self.timeout_s = timeout_s
        self.extra = dict(extra)
        self._answers: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the connections that the official client keeps."""
        if "client" in vars(self):
            self.client.close()

    # -- bytes -----------------------------------------------------------------------------

    def wire(self) -> Wire:
        return Wire(self.origin, self.timeout_s)

    def headers(
        self, more: Mapping[str, str] | None = None, *, key: str | None = None
    ) -> dict[str, str]:
        """What every request says. `key` "" leaves the key out."""
        key = self.key if key is None else key
        own = {"host": f"{self.origin.host}:{self.origin.port}"}
        if key:
            own["authorization"] = f"Bearer {key}"
        return {**own, **(more or {})}

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        key: str | None = None,
        version: str = "1.1",
    ) -> bytes:
        """A request as bytes. `path` goes below the base URL's."""
        own = {} if body is None else {
            "content-type": "application/json", "content-length": str(len(body))
        }  # fmt: skip
        whole = self.headers({**own, **(headers or {})}, key=key)
        return head(method, self.origin.path + path, whole, version=version) + (body or b"")

    def send(self, method: str, path: str, body: bytes | None = None, **more: Any) -> Reply:
        """One request on a connection of its own, and its answer."""
        with self.wire() as wire:
            return wire.send(self.request(method, path, body, **more)).reply()

    def get(self, path: str, **more: Any) -> Reply:
        return self.send("GET", path, **more)

    def post(self, path: str, body: object, **more: Any) -> Reply:
        """`body` is bytes as they are, or a value to be sent as JSON."""
        return self.send("POST", path, encoded(body), **more)

    def ok(self, path: str, body: object) -> Any:
        """The JSON of an answer that must be a 200. Raises Failed."""
        reply = self.post(path, body)
        expect(reply.status == 200, f"status {reply.status}: {reply.complaint}")
        return reply.json

    # -- bodies ----------------------------------------------------------------------------

    def chat_body(self, text: str = QUESTION, /, **fields: Any) -> dict[str, Any]:
        """A chat that is short and greedy unless `fields` say otherwise."""
        body = {
            "model": self.models.of("chat"),
            "messages": [{"role": "user", "content": text}],
            "temperature": 0,
            **self.extra,
            **fields,
        }
        if "max_completion_tokens" not in body:
            body.setdefault("max_tokens", MAX_TOKENS)
        return body

    def completion_body(self, prompt: object = QUESTION, **fields: Any) -> dict[str, Any]:
        model = self.models.of("completions")
        own = {"model": model, "prompt": prompt, "temperature": 0, "max_tokens": MAX_TOKENS}
        return {**own, **fields}

    def embedding_body(self, texts: object, **fields: Any) -> dict[str, Any]:
        return {"model": self.models.of("embeddings"), "input": texts, **fields}

    def image_body(self, prompt: str = "a red circle", **fields: Any) -> dict[str, Any]:
        return {"model": self.models.of("images"), "prompt": prompt, **fields}

    # -- answers ---------------------------------------------------------------------------

    def chat(self, text: str = QUESTION, /, **fields: Any) -> Any:
        return self.ok("/chat/completions", self.chat_body(text, **fields))

    def complete(self, prompt: object = QUESTION, **fields: Any) -> Any:
        return self.ok("/completions", self.completion_body(prompt, **fields))

    def embed(self, texts: object, **fields: Any) -> Any:
        return self.ok("/embeddings", self.embedding_body(texts, **fields))

    def draw(self, prompt: str = "a red circle", **fields: Any) -> Any:
        return self.ok("/images/generations", self.image_body(prompt, **fields))

    def chat_stream(self, text: str = QUESTION, /, **fields: Any) -> "EventStream":
        return self.stream("/chat/completions", self.chat_body(text, stream=True, **fields))

    def completion_stream(self, prompt: object = QUESTION, **fields: Any) -> "EventStream":
        return self.stream("/completions", self.completion_body(prompt, stream=True, **fields))

    def stream(self, path: str, body: object) -> "EventStream":
        """A whole event stream. Raises Failed when the answer is none."""
        reply = self.post(path, body)
        expect(reply.status == 200, f"status {reply.status}: {reply.complaint}")
        return EventStream(reply)

    def long_answer(self, max_tokens: int = 48) -> tuple[str, str]:
        """A question and its greedy answer of at least 16 characters. Raises Skipped."""
        for question in LONG_QUESTIONS:
            key = f"{max_tokens} {question}"
            if key not in self._answers:
                self._answers[key] = text_of(self.chat(question, max_tokens=max_tokens))
            if len(self._answers[key]) >= 16:
                return question, self._answers[key]
        raise Skipped("the model says too little for this")

    # -- refusals --------------------------------------------------------------------------

    def accepted(self, path: str, bodies: Mapping[str, object], *, status: int = 400) -> list[str]:
        """Which of the labelled bodies are not refused with `status`, each with what came."""
        found = []
        for label, body in bodies.items():
            try:
                reply = self.post(path, body)
            except Failed as failure:
                found.append(f"{label}: {failure}")
                continue
            if reply.status != status:
                found.append(f"{label}: {reply.status}")
        return found

    # -- the official client ---------------------------------------------------------------

    @cached_property
    def client(self) -> "OpenAI":
        """openai-python, as users have it, but for retries."""
        from openai import OpenAI

        return OpenAI(
            base_url=self.origin.url,
            api_key=self.key or "none",
            timeout=self.timeout_s,
            max_retries=0,
        )


class EventStream:
    """The events of a whole stream. Raises Failed when the body is not one."""

    def __init__(self, reply: Reply) -> None:
        self.content_type = reply.headers.get("content-type", "")
        text = reply.body.decode("utf-8", "replace").replace("\r\n", "\n")
        lines = [line for line in text.split("\n") if line.startswith("data:")]
        self.payloads = [line.removeprefix("data:").strip() for line in lines]
        expect(self.payloads, f"no event in an answer of type {self.content_type!r}")

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every event but [DONE], decoded."""
        return [_decoded(payload) for payload in self.payloads if payload != "[DONE]"]

    def choices(self, index: int = 0) -> Iterator[dict[str, Any]]:
        """What was said of choice `index`, piece by piece."""
        for event in self.events:
            for choice in event.get("choices") or ():
                if choice.get("index") == index:
                    yield choice

    def text(self, index: int = 0) -> str:
        """The text of choice `index`, put together: of a chat or of a completion."""
        pieces = []
        for choice in self.choices(index):
            delta = choice.get("delta")
            pieces.append((delta.get("content") if delta is not None else choice.get("text")) or "")
        return "".join(pieces)

    def finish_reason(self, index: int = 0) -> str | None:
        reasons = [choice.get("finish_reason") for choice in self.choices(index)]
        return next((reason for reason in reasons if reason), None)

    @property
    def usage(self) -> dict[str, Any]:
        """The last usage that was told. Raises Failed when none was."""
        told = [event["usage"] for event in self.events if event.get("usage")]
        expect(told, "no event has usage")
        return dict(told[-1])


def _decoded(payload: str) -> dict[str, Any]:
    try:
        event = json.loads(payload)
    except ValueError:
        raise Failed(f"an event is not JSON: {payload[:60]!r}") from None
    expect(isinstance(event, dict), f"an event is no object: {payload[:60]!r}")
    expect("error" not in event, f"an error in the stream: {payload[:120]}")
    return dict(event)


def encoded(body: object) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def gzipped(body: object) -> bytes:
    return gzip.compress(encoded(body))


def text_of(answer: Any, index: int = 0) -> str:
    """The text of choice `index` of a whole answer; "" where it is null."""
    choice = next(choice for choice in answer["choices"] if choice["index"] == index)
    return str((choice["message"]["content"] if "message" in choice else choice["text"]) or "")


def texts_of(answer: Any) -> Sequence[str]:
    """The texts of all choices, in the order of their indices."""
    return [text_of(answer, i) for i in sorted(choice["index"] for choice in answer["choices"])]


@contextmanager
def official() -> Iterator[None]:
    """What the official client raises becomes a Failed."""
    from openai import OpenAIError

    try:
        yield
    except OpenAIError as error:
        raise Failed(f"{type(error).__name__}: {str(error)[:160]}") from None
