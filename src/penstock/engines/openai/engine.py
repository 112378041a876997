"""Any server that speaks OpenAI: nothing to start, a URL to talk to, a dialect to find out.

It is asked for a stream when the client streams, and else for one piece, which costs both sides a
fraction: such servers notice when their client leaves, streaming or not.
"""

import logging
import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import msgspec

from penstock.domain.embedding import EmbeddingCall, Vectors
from penstock.domain.errors import (
    ContextLengthExceeded,
    EngineFailed,
    InvalidRequest,
    ModelNotReady,
    TooManyRequests,
    UnsupportedParameter,
)
from penstock.domain.event import Event, Finished, Prompt
from penstock.domain.generation import Chat, Generation, OutputFormat, Regex, Text, Tokens
from penstock.domain.model import Capabilities
from penstock.domain.rerank import RerankCall, Scores
from penstock.domain.secret import Secret
from penstock.domain.usage import Usage
from penstock.engines import attributes
from penstock.engines.answer import Answer, first_call_only
from penstock.engines.base import Batches, Declined, Engine, Launch
from penstock.engines.chunks import error_message
from penstock.engines.echo import Echoed, after, prompt_event
from penstock.engines.llama_cpp.fields import with_call_begun
from penstock.engines.openai.dialects import DIALECTS, Dialect, Fields, ToolWish
from penstock.engines.openai.identify import (
    ModelType,
    Said,
    context_length_of,
    facts_of,
    gives_logits,
    identify,
    kind_of,
)
from penstock.engines.scores import sigmoid, unchanged
from penstock.engines.vectors import MAX_ANSWER_BYTES, float_rows, unit_rows
from penstock.http.client import (
    DEFAULT_TIMEOUTS,
    MAX_BODY_BYTES,
    Broken,
    Client,
    Exchange,
    Origin,
    Timeouts,
)

log = logging.getLogger(__name__)

ATTRIBUTES = attributes.GENERATION | attributes.CHAT | attributes.EMBEDDING | {"dimensions"}
#: What a server's sentence has in it when a prompt is too long, in the words of many.
TOO_LONG = re.compile(
    r"context[ _](length|size|window)|maximum (input|model|sequence) length|max_total_tokens"
    r"|`inputs` (tokens|must have less)|must have less than \d+ tokens",
    re.IGNORECASE,
)

#: Inputs of one request for embeddings: so many vectors, however long, are an answer that is read.
MOST_VECTORS = 256
#: Where the wish for a format may stand in a request.
FORMAT_FIELDS = frozenset({"response_format", "structured_outputs"})
COUNTED_AT_THE_END = {"include_usage": True}
COUNTED_AS_IT_GOES = {"include_usage": True, "continuous_usage_stats": True}

T = TypeVar("T")


class OpenAIServer(Engine):
    """`url` is the part before `/chat/completions`; `model` the name that the server knows.

    `dialect` is a key of `DIALECTS`; None: the server is asked what it is, which `inspect` does.
    What it speaks is then in `dialect`.
    """

    name: ClassVar[str] = "openai"

    def __init__(
        self,
        url: str,
        *,
        model: str,
        key: Secret | None = None,
        sees: bool = False,
        dialect: str | None = None,
        slots: int = 256,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        origin = Origin.parse(url)
        self.base = origin.base_path
        self._chat_path = f"{self.base}/chat/completions"
        self._text_path = f"{self.base}/completions"
        self.origin = msgspec.structs.replace(origin, base_path="")
        self.model = model
        self.slots = slots
        self.sees = sees
        self.timeouts = timeouts
        self._key = key
        self._wanted_dialect = dialect
        self.dialect: Dialect = DIALECTS[dialect or "generic"]
        self._most_inputs = self.dialect.most_inputs
        self._template: str | None = None
        self._context_length: int | None = None
        self._gives_logits = False

    def launch(self, run_dir: Path) -> Launch | None:
        return None

    def connect(self, launch: Launch | None) -> Client:
        key = self._key
        headers = b"authorization: Bearer %b\r\n" % key.reveal().encode() if key else b""
        return Client(self.origin, headers=headers, timeouts=self.timeouts)

    async def is_ready(self, client: Client) -> bool:
        """Whatever it answers, it is there: a server may have no such list, or not for us."""
        async with client.get(f"{self.base}/models") as exchange:
            return exchange.status < 500

    async def inspect(self, client: Client) -> Capabilities:
        said = await identify(client, base=self.base, model=self.model)
        kind = self._wanted_dialect or kind_of(said)
        self.dialect = DIALECTS[kind]
        self._template = said.properties.chat_template if said.properties is not None else None
        self._context_length = context_length_of(said)
        self._gives_logits = gives_logits(said)
        self._most_inputs = (said.info and said.info.max_client_batch_size) or (
            self.dialect.most_inputs
        )
        log.info("%s at %s is %s.", self.model, self.origin.authority, self.dialect.title)
        if said.models and self.model not in said.models and len(said.models) > 1:
            log.warning("%s has no model %s in its list.", self.origin.authority, self.model)
        return self._capabilities(said)

    def _capabilities(self, said: Said) -> Capabilities:
        dialect = self.dialect
        info, facts = said.info, facts_of(said.card)
        tasks, honoured = dialect.tasks, ATTRIBUTES | attributes.RERANK
        if facts is not None and facts.tasks:
            tasks, honoured = tasks & facts.tasks, honoured & (facts.attributes | {"dimensions"})
        if info is not None and isinstance(info.model_type, ModelType):
            tasks = frozenset({"rerank" if info.model_type.reranker else "embeddings"})
        modalities = said.properties.modalities if said.properties is not None else None
        longest = info.max_input_length if info is not None else None
        return Capabilities(
            tasks=tasks,
            attributes=honoured - dialect.ignores,
            context_length=context_length_of(said) if "chat" in tasks else None,
            max_input_tokens=longest or (facts.max_input_tokens if facts is not None else None),
            dimensions="any" if "embeddings" in tasks else (),
            sees=self.sees or (modalities is not None and modalities.vision),
        )

    def generate(self, client: Client, call: Generation) -> Batches:
        if call.echo and self.dialect.echoes_scores:
            scored = call.logprobs is not None or isinstance(call.prompt, Tokens)
            if scored or call.max_tokens == 0:
                return self._after_scored_echo(client, call)
        return self._answer(client, call)

    async def _after_scored_echo(
        self, client: Client, call: Generation
    ) -> AsyncGenerator[list[Event], None]:
        """The prompt comes back by itself first: some servers stream it together with the rest."""
        body = scored_echo(call, self.model)
        async with client.post(self._text_path, msgspec.json.encode(body)) as exchange:
            answer = await self._body(exchange)
        try:
            echoed = msgspec.json.decode(answer, type=Echoed)
            prompt = prompt_event(echoed.choices[0])
        except (msgspec.MsgspecError, UnicodeDecodeError, IndexError, ValueError):
            raise EngineFailed("The server's echo of the prompt is not readable.") from None
        if call.max_tokens == 0:
            yield [prompt, Finished("length", Usage(prompt_tokens=echoed.usage.prompt_tokens))]
            return
        alone = msgspec.structs.replace(call, echo=False)
        async with aclosing(after(prompt, self._answer(client, alone))) as batches:
            async for batch in batches:
                yield batch

    def _answer(self, client: Client, call: Generation) -> Batches:
        path, body = self._request(call)
        exchange = client.post(path, msgspec.json.encode(body))
        answer: Batches = Answer(exchange, call.stop, self._refusal, self._key)
        prompt = call.prompt
        one_call = isinstance(prompt, Chat) and prompt.tools and not prompt.parallel_tool_calls
        if one_call and not self.dialect.one_call_only:
            answer = first_call_only(answer)
        return after(Prompt(_echoed(call)), answer) if call.echo else answer

    def _request(self, call: Generation) -> tuple[str, Fields]:
        dialect = self.dialect
        body: Fields = {"model": self.model, **dialect.more, **dialect.sampling(call.sampling)}
        cut_off = is_cut_off(call, dialect)
        if call.stream or dialect.always_stream or cut_off:
            body["stream"] = True
            body["stream_options"] = (
                COUNTED_AS_IT_GOES if dialect.counts_as_it_goes else COUNTED_AT_THE_END
            )
        if dialect.salts_cache and call.account_id is not None:
            body["cache_salt"] = call.account_id
        if dialect.caps_length and call.max_tokens is not None and self._context_length:
            length = min(call.max_tokens, self._context_length)
            call = msgspec.structs.replace(call, max_tokens=length)
        if call.stop and dialect.reads_stops and not cut_off:
            body["stop"] = call.stop[: dialect.most_stops]
        if call.logprobs is not None:
            wanted = call.logprobs and call.logprobs + dialect.more_alternatives
            body["logprobs"] = max(wanted, dialect.least_alternatives)
        if isinstance(call.prompt, Chat):
            add_chat(body, call, call.prompt, dialect)
            if dialect.begins_calls and body.get("tool_choice") == "required":
                body["messages"] = with_call_begun(call.prompt.messages, self._template)
            return self._chat_path, body
        add_text(body, call, call.prompt, dialect)
        return self._text_path, body

    async def embed(self, client: Client, call: EmbeddingCall) -> Vectors:
        dialect = self.dialect
        if not dialect.takes_token_ids and not all(isinstance(i, str) for i in call.inputs):
            raise no_token_ids(dialect, "input")
        rows: list[list[float]] = []
        prompt_tokens = 0
        for inputs in slices(call.inputs, min(self._most_inputs, MOST_VECTORS)):
            body: Fields = {"model": self.model, "input": inputs, "encoding_format": "float"}
            if call.dimensions is not None:
                body["dimensions"] = call.dimensions
            async with client.post(
                f"{self.base}/embeddings", msgspec.json.encode(body)
            ) as exchange:
                answer = await self._body(exchange, MAX_ANSWER_BYTES)
            more, tokens = float_rows(answer, len(inputs))
            rows += more
            prompt_tokens += tokens
        if call.dimensions is not None and any(len(row) != call.dimensions for row in rows):
            raise UnsupportedParameter(
                f"This model's server made vectors of {len(rows[0])} numbers all the same.",
                param="dimensions",
            )
        return Vectors(unit_rows(rows), prompt_tokens)

    async def rerank(self, client: Client, call: RerankCall) -> Scores:
        dialect = self.dialect
        base = self.base.removesuffix("/v1") if dialect.rerank_at_root else self.base
        values: list[float] = []
        prompt_tokens = 0
        for documents in slices(call.documents, self._most_inputs):
            body: Fields = {"model": self.model, "query": call.query}
            body[dialect.rerank_field] = documents
            async with client.post(f"{base}/rerank", msgspec.json.encode(body)) as exchange:
                answer = await self._body(exchange)
                counted = exchange.headers.get(b"x-compute-tokens", b"")
            scores = dialect.scores(answer, len(documents), unchanged)
            values += scores.values
            prompt_tokens += int(counted) if counted.isdigit() else scores.prompt_tokens
        return Scores(probabilities(values, logits=self._gives_logits), prompt_tokens)

    async def _body(self, exchange: Exchange, limit_bytes: int = MAX_BODY_BYTES) -> bytes:
        if exchange.status != 200:
            raise await self._refusal(exchange)
        return await exchange.read(limit_bytes)

    async def _refusal(self, exchange: Exchange) -> Exception:
        """A server's HTTP error as one of ours, without our key, should it stand there."""
        try:
            message, error = error_message(await exchange.read(1024 * 1024))
        except Broken:
            message, error = "it broke off its error message", {}
        message = self._key.hide_in(message) if self._key is not None else message
        if exchange.status in (401, 402, 403):
            where = self.origin.authority
            log.warning("%s answered %d for %s: %s", where, exchange.status, self.model, message)
        return refusal(exchange.status, exchange.headers, message, error)


def is_cut_off(call: Generation, dialect: Dialect) -> bool:
    """Whether the server is not told the stops, but cut off where we find one.

    Told of them, vLLM and SGLang cut the text, and not the list of its log-probabilities.
    """
    return bool(call.stop) and call.logprobs is not None and dialect.counts_as_it_goes


def add_text(body: Fields, call: Generation, prompt: Text | Tokens, dialect: Dialect) -> None:
    """What only raw prompts have. Raises UnsupportedParameter."""
    if call.output_format is not None:
        body |= in_format(call.output_format, dialect.text_format(call.output_format))
    if call.max_tokens is not None:
        body["max_tokens"] = call.max_tokens
    if isinstance(prompt, Tokens) and not dialect.takes_token_ids:
        raise no_token_ids(dialect, "prompt")
    body["prompt"] = prompt.text if isinstance(prompt, Text) else prompt.ids


def add_chat(body: Fields, call: Generation, chat: Chat, dialect: Dialect) -> None:
    """What only conversations have. Raises UnsupportedParameter."""
    if call.output_format is not None:
        body |= in_format(call.output_format, dialect.chat_format(call.output_format))
    if call.max_tokens is not None:
        body[dialect.chat_length_field] = call.max_tokens
    if "logprobs" in body:
        body["top_logprobs"], body["logprobs"] = body["logprobs"], True
    body["messages"] = chat.messages
    body |= dialect.template(chat)
    if chat.tools:
        add_tools(body, chat, dialect)


def add_tools(body: Fields, chat: Chat, dialect: Dialect) -> None:
    """The tools, and the choice among them as far as the server honours it.

    Raises UnsupportedParameter.
    """
    choice = chat.tool_choice
    wish: ToolWish = "named" if isinstance(choice, tuple) else choice
    honoured = dialect.tool_wishes
    forced = wish in ("required", "named")
    if not dialect.format_beside_tools and not forced and wish != "none":
        check_no_format(body)
    if wish == "none" and wish not in honoured:
        return
    body["tools"] = chat.tools
    if isinstance(choice, tuple) and wish in honoured:
        body["tool_choice"] = {"type": "function", "function": {"name": choice[0]}}
    elif isinstance(choice, tuple) and "required" in honoured:
        body["tools"] = tuple(t for t in chat.tools if t.function.name == choice[0])
        body["tool_choice"] = "required"
    elif wish in honoured:
        body["tool_choice"] = choice
    else:
        raise UnsupportedParameter(
            f"{dialect.title}, which serves this model, cannot be made to call a tool: leave "
            "'tool_choice' at 'auto' or 'none'.",
            param="tool_choice",
        )
    if not chat.parallel_tool_calls and dialect.one_call_only:
        body["parallel_tool_calls"] = False


def check_no_format(body: Fields) -> None:
    """Raises UnsupportedParameter: the server would make JSON, and never call a tool."""
    if body.keys() & FORMAT_FIELDS:
        raise UnsupportedParameter(
            "This model's server takes no 'response_format' beside tools that may be called.",
            param="response_format",
        )


def scored_echo(call: Generation, model: str) -> Fields:
    """Asks for the prompt alone, with the log-probabilities of its tokens if they are wanted."""
    prompt = call.prompt
    assert isinstance(prompt, Text | Tokens)
    body: Fields = {
        "model": model,
        "prompt": prompt.text if isinstance(prompt, Text) else prompt.ids,
        "echo": True,
        "max_tokens": 0,
    }
    return body if call.logprobs is None else body | {"logprobs": call.logprobs}


def in_format(wanted: OutputFormat, fields: Fields | None) -> Fields:
    """Raises UnsupportedParameter where the server has no such format."""
    if fields is None:
        kind = "regex" if isinstance(wanted, Regex) else "json_schema"
        raise UnsupportedParameter(
            f"This model's server has no response_format of type {kind!r} there.",
            param="response_format",
        )
    return fields


def _echoed(call: Generation) -> str:
    if call.logprobs is not None or isinstance(call.prompt, Tokens):
        raise UnsupportedParameter(
            "This model's server cannot echo token ids or log-probabilities of a prompt.",
            param="echo",
        )
    assert isinstance(call.prompt, Text)
    return call.prompt.text


def no_token_ids(dialect: Dialect, param: str) -> UnsupportedParameter:
    return UnsupportedParameter(
        f"{dialect.title}, which serves this model, takes no token ids: give text.", param=param
    )


def slices(items: Sequence[T], length: int) -> Iterator[Sequence[T]]:
    """The items, at most `length` at a time."""
    for at in range(0, len(items), length):
        yield items[at : at + length]


def probabilities(scores: Sequence[float], *, logits: bool) -> tuple[float, ...]:
    """Scores from 0 to 1. Where it is not known that they are `logits`, one beyond shows it."""
    if not logits and all(0 <= score <= 1 for score in scores):
        return tuple(scores)
    return tuple(map(sigmoid, scores))


def refusal(
    status: int, headers: Mapping[bytes, bytes], message: str, error: Mapping[str, Any]
) -> Exception:
    """An HTTP error as one of ours: a server's 4xx are the client's, the rest are its own.

    What it says of our key or our account with it is not for clients.
    """
    param = error.get("param") if isinstance(error.get("param"), str) else None
    if status in (401, 402, 403):
        return EngineFailed(
            f"The model's server answered {status}: it refuses this server. The log has its reason."
        )
    if error.get("code") == "context_length_exceeded" or (
        status in (400, 413, 422) and TOO_LONG.search(message)
    ):
        return ContextLengthExceeded(message, param=param or "messages")
    if status in (400, 413, 422):
        return InvalidRequest(message, param=param)
    retry_after_s = _retry_after_s(headers)
    if status == 429:
        busy = TooManyRequests(
            f"The model's server is busy: {message}", retry_after_s=retry_after_s or 1
        )
        if retry_after_s is None:
            return busy
        return Declined(busy, failing=False, retry_after_s=retry_after_s)
    told = f"The model's server answered {status}: {message}"
    if status == 503:
        down = ModelNotReady(told, retry_after_s=retry_after_s or 1)
        return Declined(down, failing=True, retry_after_s=retry_after_s)
    if status in (502, 504):
        return Declined(EngineFailed(told), failing=True, retry_after_s=retry_after_s)
    if status >= 500:
        return Declined(EngineFailed(told), failing=True, passing=False)
    return EngineFailed(told)


def _retry_after_s(headers: Mapping[bytes, bytes]) -> int | None:
    """Whole seconds; a date is not read (RFC 9110, 10.2.3 allows both; servers send seconds)."""
    text = headers.get(b"retry-after", b"").strip()
    return min(int(text), 86_400) if text.isdigit() and len(text) < 9 else None
