"""vLLM: language models in safetensors, on GPUs or on a CPU, one `vllm serve` a replica.

It runs in an environment of its own, behind a unix socket in a private directory: of its API no
other process can reach what it does not guard. Where it deviates from OpenAI it is mended here and
in the files beside: the place of the chosen token among alternatives, the prompt's own
log-probabilities, stops, error shapes. It notices when its client leaves, streaming or not.
"""

import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from penstock.domain.errors import ContextLengthExceeded, EngineFailed, InvalidRequest
from penstock.domain.event import Event, Finished, Prompt
from penstock.domain.generation import Chat, Generation, Text, Tokens
from penstock.domain.gpu import Gpu
from penstock.domain.load import Load
from penstock.domain.model import Capabilities
from penstock.domain.usage import Usage
from penstock.engines import attributes
from penstock.engines.answer import Answer, Refusal
from penstock.engines.base import Batches, CannotStart, Engine, Launch, local_client
from penstock.engines.control_tokens import ControlTokens, Masked
from penstock.engines.echo import Echoed, after, prompt_event
from penstock.engines.formats.transformer import NotATransformer, TransformerFiles
from penstock.engines.llama_cpp.prompt import SAMPLE
from penstock.engines.vllm.adapters import adapter_flags
from penstock.engines.vllm.families import Family, family_of
from penstock.engines.vllm.install import VllmInstall
from penstock.engines.vllm.literal import LiteralPrompt
from penstock.engines.vllm.memory import GPU_SHARE, VllmPlan, own_context, plan_on_cpu, plan_on_gpus
from penstock.engines.vllm.refusal import explain, refusal
from penstock.engines.vllm.request import (
    EXTRA_ALTERNATIVES,
    chat_body,
    completion_body,
    echo_body,
    template_fields,
)
from penstock.engines.workers import vllm_serve
from penstock.http.client import DEFAULT_TIMEOUTS, Client, Timeouts

#: Requests that vLLM works on at a time, unless asked for another number: its own default.
DEFAULT_SLOTS = 256
#: The most alternatives that the API gives, and the chosen token.
MAX_LOGPROBS = 20 + EXTRA_ALTERNATIVES
LOAD_METRICS = (
    b"vllm:num_requests_running",
    b"vllm:num_requests_waiting",
    b"vllm:kv_cache_usage_perc",
)
MAX_METRICS_BYTES = 4 * 1024 * 1024
#: Penstock drains before it stops an engine; what still runs then is cut soon.
SHUTDOWN_TIMEOUT_S = 2

CLASSIFIERS = ("ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering")

_messages_refusal = partial(refusal, param="messages")
_prompt_refusal = partial(refusal, param="prompt")


class VllmOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What may be set about a model; None leaves the choice to vLLM, or to us."""

    context_length: int | None = None
    parallel: int | None = None
    threads: int = 1
    dtype: str | None = None
    quantization: str | None = None
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    gpu_share: float = GPU_SHARE
    tool_parser: str | None = None
    reasoning_parser: str | None = None


class Vllm(Engine):
    """One model's directory. Raises CannotStart when it is none, or does not fit.

    `gpus` are those that are free to be used; none: it runs on the CPU. `adapters` are LoRAs by the
    names that calls give them.
    """

    name: ClassVar[str] = "vllm"
    #: Ends of the names of architectures that it makes nothing of.
    unfit: ClassVar[tuple[str, ...]] = (*CLASSIFIERS, "ForMaskedLM")

    def __init__(
        self,
        directory: Path,
        *,
        alias: str,
        install: VllmInstall,
        free_memory_bytes: int,
        budget_bytes: int | None = None,
        gpus: Sequence[Gpu] = (),
        options: VllmOptions = VllmOptions(),  # noqa: B008 it is frozen
        adapters: Mapping[str, Path] | None = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        self.alias = alias
        self.install = install
        self.options = options
        self.timeouts = timeouts
        self.slots = options.parallel or DEFAULT_SLOTS
        try:
            self.files = TransformerFiles.read(directory)
        except NotATransformer as error:
            raise CannotStart(str(error)) from None
        if self.files.architecture.endswith(self.unfit):
            raise CannotStart(
                f"{directory} is a {self.files.architecture}, which makes neither text nor "
                "embeddings here. A cross-encoder is served from its ONNX graph, onnx/model.onnx."
            )
        self.family = _family(self.files, options)
        self.plan = _plan(self.files, install, options, gpus, free_memory_bytes, budget_bytes)
        self._control = ControlTokens(self.files.special_tokens)
        self.adapters = tuple(adapters or ())
        self._adapter_flags = adapter_flags(adapters or {}, self.files)

    # -- launch ----------------------------------------------------------------------------

    def launch(self, run_dir: Path) -> Launch | None:
        socket_path = run_dir / "vllm.sock"
        plan = self.plan
        argv = [
            str(self.install.python), vllm_serve.__file__, "serve", str(self.files.directory),
            "--uds", str(socket_path),
            "--served-model-name", self.alias,
            "--load-format", "safetensors",
            "--max-model-len", str(plan.context_length),
            "--max-num-seqs", str(self.slots),
            "--max-logprobs", str(MAX_LOGPROBS),
            # OpenAI's sampling defaults, not those of the model's publisher.
            "--generation-config", "vllm",
            # One grammar engine for all: that of the first request would be used for the others.
            "--structured-outputs-config.backend", "xgrammar",
            "--structured-outputs-config.disable_any_whitespace", "true",
            "--enable-prompt-tokens-details",
            "--shutdown-timeout", str(SHUTDOWN_TIMEOUT_S),
            "--disable-uvicorn-access-log",
            "--disable-fastapi-docs",
            "--fingerprint-mode", "none",
        ]  # fmt: skip
        argv += [*self._optional_flags(), *self._adapter_flags]
        return Launch(
            argv=tuple(argv),
            socket_path=socket_path,
            environment=self._environment(run_dir),
            memory_bytes=plan.host_bytes,
            memory_reason=plan.reason,
            gpus=plan.gpus,
            gpu_bytes=plan.gpu_bytes,
        )

    def _optional_flags(self) -> list[str]:
        plan, options, family = self.plan, self.options, self.family
        flags = {
            "--dtype": options.dtype,
            "--quantization": options.quantization,
            "--tensor-parallel-size": _unless(1, options.tensor_parallel),
            "--pipeline-parallel-size": _unless(1, options.pipeline_parallel),
            "--tool-call-parser": family.tools,
            "--reasoning-parser": family.thoughts,
            "--gpu-memory-utilization": f"{plan.gpu_share:g}" if plan.gpus else None,
            "--kv-cache-memory-bytes": plan.cache_bytes,
        }
        argv = [str(part) for flag in flags.items() if flag[1] is not None for part in flag]
        if family.tools is not None:
            argv.append("--enable-auto-tool-choice")
        if not plan.gpus:
            argv.append("--enforce-eager")  # compiling takes minutes, and a compiler
        return argv

    def _environment(self, run_dir: Path) -> dict[str, str]:
        environment = {
            # Its processes talk to each other without a key: where nobody else comes.
            "VLLM_RPC_BASE_PATH": str(run_dir),
            "VLLM_LOGGING_STREAM": "ext://sys.stderr",
            "VLLM_LOGGING_LEVEL": "WARNING",
            # It tells nobody what runs here, and fetches nothing.
            "VLLM_NO_USAGE_STATS": "1",
            "HF_HUB_OFFLINE": "1",
        }
        if self.plan.gpus:
            environment["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, self.plan.gpus))
        else:
            environment["VLLM_TARGET_DEVICE"] = "cpu"
            environment["OMP_NUM_THREADS"] = str(self.options.threads)
            environment["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"
        return environment

    def connect(self, launch: Launch | None) -> Client:
        return local_client(launch, timeouts=self.timeouts)

    async def is_ready(self, client: Client) -> bool:
        async with client.get("/health") as exchange:
            return exchange.status == 200

    async def load(self, client: Client) -> Load | None:
        async with client.get("/metrics") as exchange:
            if exchange.status != 200:
                raise EngineFailed(f"The engine's metrics answered {exchange.status}.")
            return load_of(await exchange.read(MAX_METRICS_BYTES))

    def explain(self, lines: Sequence[str]) -> str:
        return explain(lines) or super().explain(lines)

    async def inspect(self, client: Client) -> Capabilities:
        template = self.files.chat_template
        return Capabilities(
            tasks=frozenset({"completions"} if template is None else {"chat", "completions"}),
            attributes=self.honoured,
            context_length=self.plan.context_length,
            vocabulary_size=self.files.vocabulary_size,
            sees=self.files.sees,
            input_format=await self._input_format(client) if template is not None else None,
        )

    @property
    def honoured(self) -> frozenset[str]:
        """The fields of requests for text."""
        if self.files.chat_template is None:
            return attributes.GENERATION
        chat = attributes.CHAT if self.family.tools else attributes.CHAT - attributes.TOOLS
        return attributes.GENERATION | chat

    async def _input_format(self, client: Client) -> str | None:
        """SAMPLE as the model reads it; None where its template does not take that."""
        body = {"model": self.alias, "messages": SAMPLE, "add_generation_prompt": True}
        try:
            tokens = (await self._ask(client, "/tokenize", body, _Tokenized)).tokens
            return await self._text(client, tokens)
        except (EngineFailed, InvalidRequest):
            return None

    # -- dialect ---------------------------------------------------------------------------

    async def check_prompts(self, client: Client, calls: Sequence[Generation]) -> None:
        """Only what may be too long is tokenised: no text has more tokens than bytes."""
        for prompt in dict.fromkeys(call.prompt for call in calls):
            if isinstance(prompt, Tokens):
                self._check_length(len(prompt.ids))
            elif isinstance(prompt, Text) and len(prompt.text.encode()) >= self._room:
                self._check_length(await self._count(client, prompt.text))

    @property
    def _room(self) -> int:
        return self.plan.context_length

    def _check_length(self, prompt_tokens: int) -> None:
        """An answer needs a place as well. Raises ContextLengthExceeded."""
        if prompt_tokens >= self._room:
            raise ContextLengthExceeded(
                f"A prompt has {prompt_tokens} tokens; this model's context length is "
                f"{self._room}.",
                param="prompt",
            )

    async def _count(self, client: Client, text: str) -> int:
        body = {"model": self.alias, "prompt": text}
        count: int = (await self._ask(client, "/tokenize", body, _Tokenized)).count
        return count

    async def _ask(self, client: Client, path: str, body: dict[str, Any], type_: type[Any]) -> Any:
        """The engine's answer as `type_`. Raises EngineFailed, InvalidRequest."""
        async with client.post(path, msgspec.json.encode(body)) as exchange:
            if exchange.status != 200:
                raise await _prompt_refusal(exchange)
            answer = await exchange.read()
        try:
            return msgspec.json.decode(answer, type=type_)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise EngineFailed("The engine's answer about the prompt is not valid.") from None

    def generate(self, client: Client, call: Generation) -> Batches:
        if not isinstance(call.prompt, Chat):
            if call.echo or call.max_tokens == 0:
                return self._generate_after_echo(client, call)
            return self._continue(client, call)
        body = msgspec.json.encode(
            chat_body(call, model=self.alias, context_length=self.plan.context_length)
        )
        if self._control.may_be_spelled(body) and (
            masked := self._control.mask(template_fields(call.prompt))
        ):
            return self._literal(client, masked, call.prompt).answer(
                call, partial(self._continue, client, refusal=_messages_refusal)
            )
        exchange = client.post("/v1/chat/completions", body)
        return Answer(exchange, call.stop, _messages_refusal)

    def _literal(self, client: Client, masked: Masked, chat: Chat) -> LiteralPrompt:
        """Raises InvalidRequest where the answer would have to be taken apart as well."""
        if chat.tools or self.family.thoughts or self.files.sees:
            raise InvalidRequest(
                f"A message spells {masked.spellings[0]!r}, a control token of this model, which "
                "its engine can read as text only without tools, thoughts and pictures.",
                param="messages",
            )
        return LiteralPrompt(
            self._control, masked, partial(self._render, client), partial(self._ids, client)
        )

    async def _render(self, client: Client, masked: Masked) -> str:
        body = {"model": self.alias, **masked.fields}
        tokens: list[int] = (await self._ask(client, "/tokenize", body, _Tokenized)).tokens
        return await self._text(client, tokens)

    async def _ids(self, client: Client, text: str) -> list[int]:
        body = {"model": self.alias, "prompt": text, "add_special_tokens": False}
        ids: list[int] = (await self._ask(client, "/tokenize", body, _Tokenized)).tokens
        return ids

    async def _text(self, client: Client, ids: list[int]) -> str:
        body = {"model": self.alias, "tokens": ids}
        text: str = (await self._ask(client, "/detokenize", body, _Detokenized)).prompt
        return text

    def _continue(
        self, client: Client, call: Generation, refusal: Refusal = _prompt_refusal
    ) -> Batches:
        body = completion_body(call, model=self.alias, context_length=self.plan.context_length)
        exchange = client.post("/v1/completions", msgspec.json.encode(body))
        return Answer(exchange, call.stop, refusal)

    async def _generate_after_echo(
        self, client: Client, call: Generation
    ) -> AsyncGenerator[list[Event], None]:
        if call.logprobs is None and call.max_tokens != 0 and isinstance(call.prompt, Text):
            prompt = Prompt(call.prompt.text)
        else:
            prompt, prompt_tokens = await self._echo(client, call)
            if call.max_tokens == 0:
                yield [prompt, Finished("length", Usage(prompt_tokens=prompt_tokens))]
                return
        async with aclosing(after(prompt, self._continue(client, call))) as batches:
            async for batch in batches:
                yield batch

    async def _echo(self, client: Client, call: Generation) -> tuple[Prompt, int]:
        """The prompt as an event, and how many tokens it has."""
        body = echo_body(call, model=self.alias)
        echoed = await self._ask(client, "/v1/completions", body, Echoed)
        if not echoed.choices:
            raise EngineFailed("The engine echoed nothing.")
        return prompt_event(echoed.choices[0]), echoed.usage.prompt_tokens


def load_of(metrics: bytes) -> Load:
    """Summed up over the engine's parts; what is missing is 0."""
    totals = dict.fromkeys(LOAD_METRICS, 0.0)
    for line in metrics.splitlines():
        name = line.partition(b"{")[0]
        if name in totals:
            with contextlib.suppress(ValueError):
                totals[name] += float(line.rpartition(b" ")[2])
    running, waiting, cache_share = totals.values()
    return Load(running=int(running), waiting=int(waiting), cache_share=cache_share)


class _Tokenized(msgspec.Struct):
    count: int
    tokens: list[int]


class _Detokenized(msgspec.Struct):
    prompt: str


def _family(files: TransformerFiles, options: VllmOptions) -> Family:
    family = family_of(files)
    return Family(
        family.model_type,
        tools=options.tool_parser or family.tools,
        thoughts=options.reasoning_parser or family.thoughts,
    )


def _plan(
    files: TransformerFiles,
    install: VllmInstall,
    options: VllmOptions,
    gpus: Sequence[Gpu],
    free_memory_bytes: int,
    budget_bytes: int | None,
) -> VllmPlan:
    context_length = options.context_length
    if context_length is not None and context_length > own_context(files):
        raise CannotStart(
            f"context_length {context_length} is more than the {own_context(files)} tokens that "
            f"this model was trained for. Ask for {own_context(files)} or less."
        )
    if install.device == "cpu":
        return plan_on_cpu(
            files,
            free_bytes=free_memory_bytes,
            budget_bytes=budget_bytes,
            slots=options.parallel or DEFAULT_SLOTS,
            context_length=context_length,
            dtype=options.dtype,
        )
    return plan_on_gpus(
        files,
        gpus=gpus,
        tensor_parallel=options.tensor_parallel,
        pipeline_parallel=options.pipeline_parallel,
        gpu_share=options.gpu_share,
        context_length=context_length,
        dtype=options.dtype,
    )


def _unless(default: int, value: int) -> int | None:
    return None if value == default else value
