"""llama.cpp: GGUF models for text and embeddings, one child process a replica.

The child speaks llama-server's HTTP, so a stock `llama-server` would do as well. Where that
deviates from OpenAI it is mended here: sampling defaults, penalties over the whole answer, forced
tools, echo, the prompt's log-probabilities, stops, error shapes. It is always asked for a stream,
since it does not notice that the client of a plain call has left.
"""

import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from penstock.domain.embedding import EmbeddingCall, Vectors
from penstock.domain.errors import (
    ContextLengthExceeded,
    EngineFailed,
    InvalidRequest,
    UnsupportedParameter,
)
from penstock.domain.event import Event, Finished, Prompt, Started, ToolCall
from penstock.domain.generation import (
    Chat,
    Generation,
    JsonObject,
    JsonSchema,
    Message,
    OutputFormat,
    Regex,
    Sampling,
    Text,
    Tokens,
    Tool,
)
from penstock.domain.model import Capabilities
from penstock.domain.usage import Usage
from penstock.engines import attributes
from penstock.engines.answer import Answer
from penstock.engines.base import Batches, CannotStart, Engine, Launch, local_client
from penstock.engines.chunks import error_message
from penstock.engines.gguf import GgufError, GgufMetadata, read_metadata
from penstock.engines.llama_prompt import Piece, score_prompt, tokenize
from penstock.engines.memory import MemoryPlan, plan_memory
from penstock.engines.vectors import float_rows, unit_rows
from penstock.http.client import Broken, Client, Exchange

#: How a template that spells its calls so begins one; prefilled, it forces a call.
CALL_PREFIXES = ("<tool_call>\n",)


class LlamaCpp(Engine):
    """One GGUF file. Raises CannotStart when it is not one, or does not fit.

    `context_length` is per request, `parallel` the number of slots; None chooses by the model and
    by `free_memory_bytes`.
    """

    name: ClassVar[str] = "llama_cpp"

    def __init__(
        self,
        path: Path,
        *,
        alias: str,
        free_memory_bytes: int,
        context_length: int | None = None,
        parallel: int | None = None,
        threads: int = 1,
        gpu_layers: int = -1,
        stall_timeout_s: float = 120.0,
    ) -> None:
        self.path = path
        self.alias = alias
        self.threads = threads
        self.gpu_layers = gpu_layers
        self.stall_timeout_s = stall_timeout_s
        try:
            self.metadata: GgufMetadata = read_metadata(path)
        except (GgufError, OSError) as error:
            raise CannotStart(f"{path}: {error}") from None
        if self.metadata.kind != "model":
            raise CannotStart(f"{path} is a {self.metadata.kind}: it cannot be served by itself.")
        if self.metadata.pooling_type == "rank":
            raise CannotStart(f"{path} ranks documents; Penstock does not serve rerankers yet.")
        self.embeds = self.metadata.embeds
        self.plan: MemoryPlan = plan_memory(
            self.metadata,
            free_bytes=free_memory_bytes,
            context_length=context_length,
            parallel=parallel,
            embeds=self.embeds,
        )
        self.slots = self.plan.parallel

    # -- launch ----------------------------------------------------------------------------

    def launch(self, run_dir: Path) -> Launch | None:
        socket_path = run_dir / "llama.sock"
        plan = self.plan
        argv = [
            sys.executable, "-m", "penstock.engines.workers.llama_cpp",
            "--socket", str(socket_path),
            "--model", str(self.path),
            "--alias", self.alias,
            "--context-pool", str(plan.context_length * plan.parallel),
            "--parallel", str(plan.parallel),
            "--threads", str(self.threads),
            "--gpu-layers", str(self.gpu_layers),
        ]  # fmt: skip
        if self.embeds:
            argv.append("--embedding")
        return Launch(
            argv=tuple(argv),
            socket_path=socket_path,
            environment={"OMP_WAIT_POLICY": "PASSIVE"},
            memory_bytes=plan.total_bytes,
            memory_reason=plan.reason,
        )

    def connect(self, launch: Launch | None) -> Client:
        # It mishandles a connection used again right after a long stream.
        return local_client(launch, reuse=False, stall_timeout_s=self.stall_timeout_s)

    async def is_ready(self, client: Client) -> bool:
        async with client.get("/health") as exchange:
            return exchange.status == 200

    async def inspect(self, client: Client) -> Capabilities:
        metadata = self.metadata
        if self.embeds:
            return Capabilities(
                tasks=frozenset({"embeddings"}),
                attributes=attributes.EMBEDDING,
                context_length=self.plan.context_length,
                max_input_tokens=self.plan.context_length,
                embedding_length=metadata.embedding_length,
                vocabulary_size=metadata.vocabulary_size,
            )
        chats = metadata.chat_template is not None
        return Capabilities(
            tasks=frozenset({"chat", "completions"} if chats else {"completions"}),
            attributes=attributes.GENERATION | (attributes.CHAT if chats else frozenset()),
            context_length=self.plan.context_length,
            vocabulary_size=metadata.vocabulary_size,
        )

    # -- dialect: text ---------------------------------------------------------------------

    def generate(self, client: Client, call: Generation) -> Batches:
        if not isinstance(call.prompt, Chat):
            if call.echo or call.max_tokens == 0:
                return self._generate_after_echo(client, call)
            return self._answer(client, "/v1/completions", self._text_body(call), call)
        answer = self._answer(client, "/v1/chat/completions", self._chat_body(call), call)
        if call.prompt.tools and not call.prompt.parallel_tool_calls:
            return first_call_only(answer)
        return answer

    def _answer(self, client: Client, path: str, body: dict[str, Any], call: Generation) -> Answer:
        param = "messages" if isinstance(call.prompt, Chat) else "prompt"
        exchange = client.post(path, msgspec.json.encode(body))
        return Answer(exchange, call.stop, partial(refusal, param=param))

    async def _generate_after_echo(
        self, client: Client, call: Generation
    ) -> AsyncGenerator[list[Event], None]:
        yield [await self._echo(client, call)]
        if call.max_tokens == 0:
            prompt_tokens = len(await self._prompt_pieces(client, call))
            yield [Finished("length", Usage(prompt_tokens=prompt_tokens))]
            return
        async with aclosing(
            self._answer(client, "/v1/completions", self._text_body(call), call)
        ) as batches:
            async for batch in batches:
                yield batch

    def _common(self, call: Generation) -> dict[str, Any]:
        body: dict[str, Any] = {
            "stream": True,
            "stream_options": {"include_usage": True},
            "return_progress": True,
            "max_tokens": -1 if call.max_tokens is None else call.max_tokens,
            # 0 would switch the penalties off, and the default looks back 64 tokens only.
            "repeat_last_n": self.plan.context_length,
        }
        body.update(sampling_fields(call.sampling))
        return body

    def _chat_body(self, call: Generation) -> dict[str, Any]:
        chat = call.prompt
        assert isinstance(chat, Chat)
        body = self._common(call)
        messages: tuple[Message, ...] = chat.messages
        if chat.tools and chat.tool_choice != "none":
            if call.logprobs is not None:
                raise UnsupportedParameter(
                    "This model's engine gives no logprobs beside tools.", param="logprobs"
                )
            forced = chat.tool_choice != "auto"
            body["tools"] = _callable_tools(chat)
            body["tool_choice"] = "required" if forced else "auto"
            body["parallel_tool_calls"] = chat.parallel_tool_calls
            if forced and messages[-1].role != "assistant" and (prefix := self._call_prefix()):
                messages = (*messages, Message(role="assistant", content=prefix))
        body["messages"] = messages
        body.update(chat_output_fields(call.output_format))
        body.update(_template_fields(chat))
        if call.logprobs is not None:
            body["logprobs"] = True
            body["top_logprobs"] = max(1, call.logprobs)
        return body

    def _call_prefix(self) -> str | None:
        template = self.metadata.chat_template or ""
        return next((p for p in CALL_PREFIXES if p.strip() in template), None)

    def _text_body(self, call: Generation) -> dict[str, Any]:
        body = self._common(call)
        prompt = call.prompt
        body["prompt"] = prompt.text if isinstance(prompt, Text) else _ids(call)
        body.update(text_output_fields(call.output_format))
        if call.logprobs is not None:
            body["logprobs"] = max(1, call.logprobs)
        return body

    async def _prompt_pieces(self, client: Client, call: Generation) -> list[Piece]:
        if isinstance(call.prompt, Text):
            return await tokenize(client, call.prompt.text)
        return [Piece(i) for i in _ids(call)]

    async def _echo(self, client: Client, call: Generation) -> Prompt:
        """The prompt as text; with `logprobs`, each of its tokens with its log-probability."""
        pieces = await self._prompt_pieces(client, call)
        if len(pieces) > self.plan.context_length:
            raise ContextLengthExceeded(
                f"The prompt has {len(pieces)} tokens; this model's context length is "
                f"{self.plan.context_length}.",
                param="prompt",
            )
        hidden = (
            (self.metadata.bos_token_id,)
            if isinstance(call.prompt, Text)
            and self.metadata.add_bos_token
            and self.metadata.bos_token_id is not None
            else ()
        )
        text = call.prompt.text if isinstance(call.prompt, Text) else None
        return await score_prompt(
            client,
            pieces,
            hidden=hidden,
            text=text,
            alternatives=call.logprobs,
            vocabulary_size=self.metadata.vocabulary_size or 0,
        )

    # -- dialect: embeddings ---------------------------------------------------------------

    async def embed(self, client: Client, call: EmbeddingCall) -> Vectors:
        body = msgspec.json.encode({"input": call.inputs, "encoding_format": "float"})
        async with client.post("/v1/embeddings", body) as exchange:
            if exchange.status != 200:
                raise await refusal(exchange, param="input")
            rows, prompt_tokens = float_rows(await exchange.read(), len(call.inputs))
        return Vectors(unit_rows(rows), prompt_tokens)


def sampling_fields(sampling: Sampling) -> dict[str, Any]:
    """OpenAI's defaults put in words, since llama.cpp has others (temperature 0.8, top_k 40, …)."""
    fields: dict[str, Any] = {
        "temperature": 1.0 if sampling.temperature is None else sampling.temperature,
        "top_p": 1.0 if sampling.top_p is None else sampling.top_p,
        "top_k": sampling.top_k or 0,
        "min_p": sampling.min_p or 0.0,
        "presence_penalty": sampling.presence_penalty or 0.0,
        "frequency_penalty": sampling.frequency_penalty or 0.0,
        "repeat_penalty": sampling.repetition_penalty or 1.0,
    }
    if sampling.logit_bias:
        fields["logit_bias"] = [[token, bias] for token, bias in sampling.logit_bias.items()]
    if sampling.seed is not None:
        fields["seed"] = sampling.seed % 2**32
    return fields


def chat_output_fields(wanted: OutputFormat | None) -> dict[str, Any]:
    match wanted:
        case None:
            return {}
        case JsonObject():
            return {"response_format": {"type": "json_object"}}
        case JsonSchema(schema, name):
            json_schema = {"name": name, "schema": schema}
            return {"response_format": {"type": "json_schema", "json_schema": json_schema}}
        case Regex(pattern):
            return {"grammar": regex_grammar(pattern)}


def text_output_fields(wanted: OutputFormat | None) -> dict[str, Any]:
    match wanted:
        case None:
            return {}
        case JsonObject():
            return {"json_schema": {"type": "object"}}
        case JsonSchema(schema):
            return {"json_schema": schema}
        case Regex(pattern):
            return {"grammar": regex_grammar(pattern)}


def regex_grammar(pattern: str) -> str:
    """A llguidance grammar of one pattern; a bare "/" would end the pattern early."""
    escaped = pattern.replace("\\/", "/").replace("/", "\\/").replace("\n", "\\n")
    return f"%llguidance {{}}\nstart: /{escaped}/"


def _template_fields(chat: Chat) -> dict[str, Any]:
    arguments = dict(chat.template_arguments or {})
    effort = chat.reasoning_effort
    if effort == "none":
        arguments.setdefault("enable_thinking", False)
    elif effort is not None:
        arguments.setdefault("enable_thinking", True)
        arguments.setdefault("reasoning_effort", effort)
    return {"chat_template_kwargs": arguments} if arguments else {}


def _callable_tools(chat: Chat) -> tuple[Tool, ...]:
    """The tools that may be called: a named one alone, since the engine cannot force by name."""
    if isinstance(chat.tool_choice, tuple):
        return tuple(t for t in chat.tools if t.function.name == chat.tool_choice[0])
    return chat.tools


def _ids(call: Generation) -> tuple[int, ...]:
    assert isinstance(call.prompt, Tokens)
    return call.prompt.ids


async def first_call_only(stream: Batches) -> AsyncGenerator[list[Event], None]:
    """Cut the engine off when it begins a second call: it does not honour the wish itself."""
    prompt_tokens = completion_tokens = 0
    async with aclosing(stream) as batches:
        async for batch in batches:
            kept: list[Event] = []
            for event in batch:
                if isinstance(event, ToolCall) and event.call > 0:
                    end = Finished("tool_calls", Usage(prompt_tokens, completion_tokens))
                    yield [*kept, end]
                    return
                if isinstance(event, Started):
                    prompt_tokens = event.prompt_tokens
                completion_tokens += getattr(event, "tokens", 0)
                kept.append(event)
            yield kept


async def refusal(exchange: Exchange, *, param: str) -> Exception:
    """llama-server's HTTP errors as ours. After our own checks a 500 is nearly always its own."""
    try:
        message, error = error_message(await exchange.read(1024 * 1024))
    except Broken:
        message, error = "it broke off its error message", {}
    if error.get("type") == "exceed_context_size_error":
        return ContextLengthExceeded(
            f"The prompt has {error.get('n_prompt_tokens')} tokens; this model's context length "
            f"is {error.get('n_ctx')}.",
            param=param,
        )
    if param == "input" and "too large to process" in message:
        return ContextLengthExceeded(f"An input is too long: {message}", param=param)
    if exchange.status in (400, 404, 422):
        return InvalidRequest(f"The engine refused the request: {message}")
    return EngineFailed(f"The engine answered {exchange.status}: {message}")
