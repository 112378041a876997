"""Any server that speaks OpenAI: nothing to start, a URL to talk to.

It is asked for a stream when the client streams, and else for one piece, which costs both sides a
fraction: such servers notice when their client leaves, streaming or not.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from penstock.domain.embedding import EmbeddingCall, Vectors
from penstock.domain.errors import (
    ContextLengthExceeded,
    EngineFailed,
    InvalidRequest,
    TooManyRequests,
    UnsupportedParameter,
)
from penstock.domain.event import Event, Prompt
from penstock.domain.generation import (
    Chat,
    Generation,
    JsonObject,
    JsonSchema,
    OutputFormat,
    Sampling,
    Text,
    Tokens,
)
from penstock.domain.model import Capabilities
from penstock.engines import attributes
from penstock.engines.answer import Answer
from penstock.engines.base import Batches, Engine, Launch
from penstock.engines.chunks import error_message
from penstock.engines.vectors import float_rows, unit_rows
from penstock.http.client import Broken, Client, Exchange, Origin

ATTRIBUTES = attributes.GENERATION | attributes.CHAT | attributes.EMBEDDING | {"dimensions"}


class OpenAIServer(Engine):
    """`url` is the part before `/chat/completions`; `model` the name that the server knows."""

    name: ClassVar[str] = "openai"

    def __init__(
        self,
        url: str,
        *,
        model: str,
        key: str | None = None,
        slots: int = 256,
        stall_timeout_s: float = 120.0,
    ) -> None:
        self.origin = Origin.parse(url)
        self.model = model
        self.slots = slots
        self.stall_timeout_s = stall_timeout_s
        self._key = key

    def launch(self, run_dir: Path) -> Launch | None:
        return None

    def connect(self, launch: Launch | None) -> Client:
        headers = b"authorization: Bearer %b\r\n" % self._key.encode() if self._key else b""
        return Client(self.origin, headers=headers, stall_timeout_s=self.stall_timeout_s)

    async def is_ready(self, client: Client) -> bool:
        """A server of someone else's is taken as ready: its own errors tell otherwise."""
        return True

    async def inspect(self, client: Client) -> Capabilities:
        return Capabilities(
            tasks=frozenset({"chat", "completions", "embeddings"}),
            attributes=ATTRIBUTES,
            dimensions="any",
        )

    def generate(self, client: Client, call: Generation) -> Batches:
        path, body = self._request(call)
        answer = Answer(client.post(path, msgspec.json.encode(body)), call.stop, refusal)
        return after(Prompt(_echoed(call)), answer) if call.echo else answer

    def _request(self, call: Generation) -> tuple[str, dict[str, Any]]:
        body: dict[str, Any] = {"model": self.model}
        if call.stream:
            body["stream"] = True
            body["stream_options"] = {"include_usage": True}
        add_sampling(body, call.sampling)
        if call.max_tokens is not None:
            body["max_tokens"] = call.max_tokens
        if call.stop:
            body["stop"] = call.stop
        if call.output_format is not None:
            body["response_format"] = response_format(call.output_format)
        prompt = call.prompt
        if isinstance(prompt, Chat):
            add_chat(body, prompt)
            if call.logprobs is not None:
                body["logprobs"] = True
                body["top_logprobs"] = call.logprobs
            return "/chat/completions", body
        body["prompt"] = prompt.text if isinstance(prompt, Text) else prompt.ids
        if call.logprobs is not None:
            body["logprobs"] = call.logprobs
        return "/completions", body

    async def embed(self, client: Client, call: EmbeddingCall) -> Vectors:
        body: dict[str, Any] = {
            "model": self.model,
            "input": call.inputs,
            "encoding_format": "float",
        }
        if call.dimensions is not None:
            body["dimensions"] = call.dimensions
        async with client.post("/embeddings", msgspec.json.encode(body)) as exchange:
            if exchange.status != 200:
                raise await refusal(exchange)
            rows, prompt_tokens = float_rows(await exchange.read(), len(call.inputs))
        return Vectors(unit_rows(rows), prompt_tokens)


async def after(event: Event, batches: Batches) -> AsyncGenerator[list[Event], None]:
    """`batches`, with an event of ours before them."""
    yield [event]
    async with aclosing(batches):
        async for batch in batches:
            yield batch


def add_sampling(body: dict[str, Any], sampling: Sampling) -> None:
    for name in sampling.__struct_fields__:
        value = getattr(sampling, name)
        if value is not None:
            body[name] = value


def add_chat(body: dict[str, Any], chat: Chat) -> None:
    body["messages"] = chat.messages
    if chat.tools:
        body["tools"] = chat.tools
        choice = chat.tool_choice
        body["tool_choice"] = (
            {"type": "function", "function": {"name": choice[0]}}
            if isinstance(choice, tuple)
            else choice
        )
        if not chat.parallel_tool_calls:
            body["parallel_tool_calls"] = False
    if chat.template_arguments is not None:
        body["chat_template_kwargs"] = chat.template_arguments
    if chat.reasoning_effort is not None:
        body["reasoning_effort"] = chat.reasoning_effort


def response_format(wanted: OutputFormat) -> dict[str, Any]:
    match wanted:
        case JsonObject():
            return {"type": "json_object"}
        case JsonSchema(schema, name):
            return {"type": "json_schema", "json_schema": {"name": name, "schema": schema}}
        case _:
            raise UnsupportedParameter(
                "This model's server has no response_format of type 'regex'.",
                param="response_format",
            )


def _echoed(call: Generation) -> str:
    if call.logprobs is not None or isinstance(call.prompt, Tokens):
        raise UnsupportedParameter(
            "This model's server cannot echo token ids or log-probabilities of a prompt.",
            param="echo",
        )
    assert isinstance(call.prompt, Text)
    return call.prompt.text


async def refusal(exchange: Exchange) -> Exception:
    """A server's HTTP error as one of ours: its 4xx are the client's, the rest are its own."""
    try:
        message, error = error_message(await exchange.read(1024 * 1024))
    except Broken:
        message, error = "it broke off its error message", {}
    status = exchange.status
    param = error.get("param") if isinstance(error.get("param"), str) else None
    if error.get("code") == "context_length_exceeded":
        return ContextLengthExceeded(message, param=param or "messages")
    if status == 429:
        return TooManyRequests(f"The model's server is busy: {message}", retry_after_s=1)
    if status in (400, 413, 422):
        return InvalidRequest(message, param=param)
    return EngineFailed(f"The model's server answered {status}: {message}")
