"""llama.cpp: GGUF models for text, embeddings and reranking, one child process a replica.

The child speaks llama-server's HTTP, so a stock `llama-server` would do as well. Where that
deviates from OpenAI it is mended here: sampling defaults, penalties over the whole answer, forced
tools, echo, the prompt's log-probabilities, stops, error shapes. It is always asked for a stream,
since it does not notice that the client of a plain call has left.
"""

import sys
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import msgspec

from penstock.domain.embedding import EmbeddingCall, Vectors
from penstock.domain.errors import ContextLengthExceeded, InvalidRequest, UnsupportedParameter
from penstock.domain.event import Event, Finished, Prompt
from penstock.domain.generation import (
    Chat,
    Generation,
    Regex,
    Text,
    Tokens,
)
from penstock.domain.model import Capabilities
from penstock.domain.rerank import RerankCall, Scores
from penstock.domain.usage import Usage
from penstock.engines import attributes
from penstock.engines.answer import Answer, first_call_only
from penstock.engines.base import (
    Batches,
    CannotStart,
    Engine,
    Launch,
    local_client,
)
from penstock.engines.control_tokens import ControlTokens
from penstock.engines.echo import after
from penstock.engines.formats.gguf import GgufMetadata, read_metadata
from penstock.engines.formats.gguf_reader import GgufError
from penstock.engines.llama_cpp.fields import (
    REGEX_PARAM,
    SCHEMA_PARAM,
    callable_tools,
    chat_output_fields,
    check_tool_schemas,
    sampling_fields,
    template_fields,
    text_output_fields,
    with_call_begun,
    without_empty_answer,
)
from penstock.engines.llama_cpp.literal import TEMPLATE_FIELDS, LiteralChat
from penstock.engines.llama_cpp.lora import Lora, fit
from penstock.engines.llama_cpp.memory import MemoryPlan, plan_memory
from penstock.engines.llama_cpp.probe import GrammarProbe
from penstock.engines.llama_cpp.prompt import Piece, input_format, score_prompt, tokenize
from penstock.engines.llama_cpp.refusal import refusal
from penstock.engines.scores import scores_of, sigmoid, unchanged
from penstock.engines.vectors import float_rows, unit_rows
from penstock.http.client import DEFAULT_TIMEOUTS, Client, Timeouts

#: How a template that spells its calls so begins one; prefilled, it forces a call.
#: What a process may allocate beyond its plan: threads' stacks, requests, and an estimate's error.
SPARE_BYTES = 2 * 1024**3
#: Of an embedding or a reranking call; more than there are slots, so that none of them idles.
INPUTS_PER_REQUEST = 32
#: Of these, llama.cpp gives the probability of "yes"; of all other rerankers the bare logit.
SCORES_ARE_PROBABILITIES = frozenset({"qwen3", "qwen3vl"})

T = TypeVar("T")


_messages_refusal = partial(refusal, param="messages")
_prompt_refusal = partial(refusal, param="prompt")


class LlamaCpp(Engine):
    """One GGUF file. Raises CannotStart when it is not one, or does not fit.

    `context_length` is per request, `parallel` the number of slots; None chooses by the model and
    by `free_memory_bytes` and `budget_bytes`, as `plan_memory` does. `mmproj` is the file with its
    eyes, for a model that sees. `adapters` are LoRAs by the names that calls have for them.
    """

    name: ClassVar[str] = "llama_cpp"

    def __init__(
        self,
        path: Path,
        *,
        alias: str,
        free_memory_bytes: int,
        budget_bytes: int | None = None,
        context_length: int | None = None,
        parallel: int | None = None,
        threads: int = 1,
        gpu_layers: int = -1,
        mmproj: Path | None = None,
        adapters: Mapping[str, Path] | None = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        self.path = path
        self.alias = alias
        self.threads = threads
        self.gpu_layers = gpu_layers
        self.mmproj = mmproj
        self.timeouts = timeouts
        try:
            self.metadata: GgufMetadata = read_metadata(path)
        except (GgufError, OSError) as error:
            raise CannotStart(f"{path}: {error}") from None
        if self.metadata.kind != "model":
            raise CannotStart(f"{path} is a {self.metadata.kind}: it cannot be served by itself.")
        self.embeds = self.metadata.embeds
        self.ranks = self.metadata.pooling_type == "rank"
        self._adapter_paths = tuple((adapters or {}).values())
        self._adapter_ids = {name: number for number, name in enumerate(adapters or {})}
        if adapters and self.embeds:
            raise CannotStart(f"{path} makes no text, and takes no adapters.")
        fitted = [fit(path, adapter) for adapter in self._adapter_paths]
        self.adapters: Mapping[str, Lora] = dict(zip(adapters or {}, fitted, strict=True))
        self._beside_bytes = eyes_bytes(mmproj) if mmproj is not None else 0
        self._beside_bytes += sum(lora.size_bytes for lora in fitted)
        self.plan: MemoryPlan = plan_memory(
            self.metadata,
            free_bytes=free_memory_bytes - self._beside_bytes,
            budget_bytes=None if budget_bytes is None else budget_bytes - self._beside_bytes,
            context_length=context_length,
            parallel=parallel,
            embeds=self.embeds,
        )
        self.slots = self.plan.parallel
        self._control = ControlTokens(self.metadata.control_tokens)
        self._probe = GrammarProbe()
        self._literal = LiteralChat(
            self._control, self.metadata.chat_template or "", self.metadata.eos_token_id
        )

    # -- launch ----------------------------------------------------------------------------

    def launch(self, run_dir: Path) -> Launch | None:
        socket_path = run_dir / "llama.sock"
        plan = self.plan
        memory_bytes = plan.total_bytes + self._beside_bytes
        argv = [
            sys.executable, "-m", "penstock.engines.workers.llama_cpp",
            "--socket", str(socket_path),
            "--model", str(self.path),
            "--alias", self.alias,
            "--context-pool", str(plan.context_length * plan.parallel),
            "--parallel", str(plan.parallel),
            "--threads", str(self.threads),
            "--gpu-layers", str(self.gpu_layers),
            "--memory-limit", str(memory_bytes + SPARE_BYTES),
        ]  # fmt: skip
        if self.mmproj is not None:
            argv += ["--mmproj", str(self.mmproj)]
        for adapter in self._adapter_paths:
            argv += ["--adapter", str(adapter)]
        if self.embeds:
            argv.append("--embedding")
        if self.ranks:
            argv.append("--reranking")
        return Launch(
            argv=tuple(argv),
            socket_path=socket_path,
            environment={"OMP_WAIT_POLICY": "PASSIVE"},
            memory_bytes=memory_bytes,
            memory_reason=plan.reason,
        )

    def connect(self, launch: Launch | None) -> Client:
        # It mishandles a connection used again right after a long stream.
        return local_client(launch, reuse=False, timeouts=self.timeouts)

    async def is_ready(self, client: Client) -> bool:
        async with client.get("/health") as exchange:
            return exchange.status == 200

    async def inspect(self, client: Client) -> Capabilities:
        metadata = self.metadata
        if self.ranks:
            return Capabilities(
                tasks=frozenset({"rerank"}),
                attributes=attributes.RERANK,
                context_length=self.plan.context_length,
                max_input_tokens=self.plan.context_length,
                vocabulary_size=metadata.vocabulary_size,
            )
        if self.embeds:
            # Where it pools the last token, the server reads an input as a prompt, in pieces, and
            # wants room for one token more.
            return Capabilities(
                tasks=frozenset({"embeddings"}),
                attributes=attributes.EMBEDDING,
                context_length=self.plan.context_length,
                max_input_tokens=self.plan.context_length - (metadata.pooling_type == "last"),
                embedding_length=metadata.embedding_length,
                vocabulary_size=metadata.vocabulary_size,
            )
        template = metadata.chat_template
        return Capabilities(
            tasks=frozenset({"completions"} if template is None else {"chat", "completions"}),
            attributes=self.honoured,
            context_length=self.plan.context_length,
            vocabulary_size=metadata.vocabulary_size,
            sees=self.mmproj is not None,
            input_format=await input_format(client) if template is not None else None,
        )

    @property
    def honoured(self) -> frozenset[str]:
        """The fields of requests for text."""
        return attributes.GENERATION | _chat_attributes(self.metadata.chat_template)

    def rank_of(self, adapter: str) -> int | None:
        return self.adapters[adapter].rank

    # -- dialect: text ---------------------------------------------------------------------

    async def check_prompts(self, client: Client, calls: Sequence[Generation]) -> None:
        """Only what may be too long is tokenised: no text has more tokens than bytes."""
        bos = int(bool(self.metadata.add_bos_token))
        for prompt in dict.fromkeys(call.prompt for call in calls if isinstance(call.prompt, Text)):
            if len(prompt.text.encode()) + bos >= self.plan.context_length:
                self._check_length(bos + len(await tokenize(client, prompt.text)))
        for call in calls:
            if isinstance(call.prompt, Tokens):
                self._check_length(len(call.prompt.ids))

    def _check_length(self, prompt_tokens: int) -> None:
        """An answer needs a place as well. Raises ContextLengthExceeded."""
        if prompt_tokens >= self.plan.context_length:
            raise ContextLengthExceeded(
                f"A prompt has {prompt_tokens} tokens; this model's context length is "
                f"{self.plan.context_length}.",
                param="prompt",
            )

    def generate(self, client: Client, call: Generation) -> Batches:
        if not isinstance(call.prompt, Chat):
            if call.echo or call.max_tokens == 0:
                return self._generate_after_echo(client, call)
            return self._continue(client, call)
        answer = self._chat(client, call)
        if call.prompt.tools and not call.prompt.parallel_tool_calls:
            return first_call_only(answer)
        return answer

    def _chat(self, client: Client, call: Generation) -> Batches:
        body = self._chat_body(call)
        encoded = msgspec.json.encode(body)
        if self._control.may_be_spelled(encoded):
            fields = {key: body[key] for key in TEMPLATE_FIELDS if key in body}
            if masked := self._control.mask(fields):
                if self.mmproj is not None:
                    raise InvalidRequest(
                        "A message spells a control token of this model, which cannot be read as "
                        "text by a model that sees.",
                        param="messages",
                    )
                rest = self._text_fields(call)
                literal = self._literal.answer(client, call, fields, masked, rest)
                return self._once_it_works(literal, client, call, rest)
        if body.get("tool_choice") == "required":
            begun = with_call_begun(body["messages"], self.metadata.chat_template)
            encoded = msgspec.json.encode(body | {"messages": begun})
        exchange = client.post("/v1/chat/completions", encoded)
        answer = Answer(exchange, call.stop, _messages_refusal)
        return self._once_it_works(answer, client, call, body)

    def _once_it_works(
        self, answer: Batches, client: Client, call: Generation, body: dict[str, Any]
    ) -> Batches:
        """The answer to `body`, once it is known that the grammar in it has an effect."""
        grammar = body.get("grammar")
        if grammar is None:
            return answer
        param = REGEX_PARAM if isinstance(call.output_format, Regex) else SCHEMA_PARAM
        return self._probe.before(answer, client, grammar, param)

    def _continue(self, client: Client, call: Generation) -> Batches:
        prompt = call.prompt
        if self.mmproj is not None and isinstance(prompt, Tokens):
            raise UnsupportedParameter(
                "A model that sees takes no token ids: give the prompt as text.", param="prompt"
            )
        body = self._text_fields(call)
        body["prompt"] = prompt.text if isinstance(prompt, Text) else _ids(call)
        exchange = client.post("/v1/completions", msgspec.json.encode(body))
        answer = Answer(exchange, call.stop, _prompt_refusal)
        return self._once_it_works(answer, client, call, body)

    async def _generate_after_echo(
        self, client: Client, call: Generation
    ) -> AsyncGenerator[list[Event], None]:
        prompt = await self._echo(client, call)
        if call.max_tokens == 0:
            prompt_tokens = len(await self._prompt_pieces(client, call))
            yield [prompt, Finished("length", Usage(prompt_tokens=prompt_tokens))]
            return
        async with aclosing(after(prompt, self._continue(client, call))) as batches:
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
        body.update(self._adapter_fields(call))
        return body

    def _adapter_fields(self, call: Generation) -> dict[str, Any]:
        """What tells llama.cpp which adapter to apply, if it has any.

        Also for none: a call that does not speak of adapters would take what another adapter has
        read of the same prompt for its own.
        """
        if not self._adapter_ids:
            return {}
        applied = {"id": 0, "scale": 0.0}
        if call.adapter is not None:
            applied = {"id": self._adapter_ids[call.adapter], "scale": 1.0}
        return {"lora": [applied]}

    def _chat_body(self, call: Generation) -> dict[str, Any]:
        chat = call.prompt
        assert isinstance(chat, Chat)
        body = self._common(call)
        body["messages"] = without_empty_answer(chat.messages)
        wanted = call.output_format
        if chat.tools and chat.tool_choice != "none":
            if call.logprobs is not None:
                raise UnsupportedParameter(
                    "This model's engine gives no logprobs beside tools.", param="logprobs"
                )
            body["tools"] = callable_tools(chat)
            check_tool_schemas(chat.tools)
            body["tool_choice"] = "auto" if chat.tool_choice == "auto" else "required"
            body["parallel_tool_calls"] = chat.parallel_tool_calls
            if isinstance(wanted, Regex):
                raise UnsupportedParameter(
                    "'response_format' of type 'regex' is not supported beside tools.",
                    param="response_format",
                )
            if chat.tool_choice != "auto":
                wanted = None  # it is about text, and there will be none
        by_gbnf = "tools" in body or self._literal.reasons
        body.update(chat_output_fields(wanted, by_gbnf=by_gbnf))
        body.update(template_fields(chat))
        if call.logprobs is not None:
            body["logprobs"] = True
            body["top_logprobs"] = max(1, call.logprobs)
        return body

    def _text_fields(self, call: Generation) -> dict[str, Any]:
        """Everything for `/v1/completions` but the prompt."""
        body = self._common(call)
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
            control=self.metadata.control_tokens,
            fields=self._adapter_fields(call),
        )

    # -- dialect: embeddings ---------------------------------------------------------------

    async def embed(self, client: Client, call: EmbeddingCall) -> Vectors:
        rows: list[list[float]] = []
        prompt_tokens = 0
        for portion in portions(call.inputs):
            body = msgspec.json.encode({"input": portion, "encoding_format": "float"})
            async with client.post("/v1/embeddings", body) as exchange:
                if exchange.status != 200:
                    raise await refusal(exchange, param="input")
                found, tokens = float_rows(await exchange.read(), len(portion))
            rows += found
            prompt_tokens += tokens
        return Vectors(unit_rows(rows), prompt_tokens)

    async def rerank(self, client: Client, call: RerankCall) -> Scores:
        scale = unchanged if self.metadata.architecture in SCORES_ARE_PROBABILITIES else sigmoid
        values: list[float] = []
        prompt_tokens = 0
        for portion in portions(call.documents):
            body = msgspec.json.encode({"query": call.query, "documents": portion})
            async with client.post("/v1/rerank", body) as exchange:
                if exchange.status != 200:
                    raise await refusal(exchange, param="documents")
                found = scores_of(await exchange.read(), len(portion), scale)
            values += found.values
            prompt_tokens += found.prompt_tokens
        return Scores(tuple(values), prompt_tokens)


def eyes_bytes(path: Path) -> int:
    """The memory that an mmproj file takes. Raises CannotStart when it is none."""
    try:
        metadata = read_metadata(path)
    except (GgufError, OSError) as error:
        raise CannotStart(f"{path}: {error}") from None
    if metadata.kind != "mmproj":
        raise CannotStart(f"{path} is a {metadata.kind}: mmproj names the eyes of a vision model.")
    return metadata.file_size_bytes


def portions(inputs: Sequence[T]) -> Iterator[Sequence[T]]:
    """`inputs` in pieces: llama-server works off all of one request before it looks at another's,
    and does not notice that its client has left."""
    for start in range(0, len(inputs), INPUTS_PER_REQUEST):
        yield inputs[start : start + INPUTS_PER_REQUEST]


def _chat_attributes(template: str | None) -> frozenset[str]:
    """A template that does not know of tools would leave them out, forced ones too."""
    if template is None:
        return frozenset()
    return attributes.CHAT if "tools" in template else attributes.CHAT - attributes.TOOLS


def _ids(call: Generation) -> tuple[int, ...]:
    assert isinstance(call.prompt, Tokens)
    return call.prompt.ids
