"""Legacy completions: request -> calls, events -> chunks or one object."""

from collections.abc import Sequence
from typing import Any

import msgspec

from penstock.api.openai.answers import Completion, CompletionChoice, LegacyLogprobs
from penstock.api.openai.chat import choices_of
from penstock.api.openai.identity import Identity
from penstock.api.openai.limits import check_length
from penstock.api.openai.request import check_token_ids, output_format_of, sampling_of, stops_of
from penstock.api.openai.sse import ChunkWriter, encode
from penstock.api.openai.usage import usage_of
from penstock.api.openai.wire import CompletionRequest
from penstock.domain.errors import InvalidRequest, UnsupportedParameter
from penstock.domain.event import Event, Finished, Prompt, ScoredText, Text, TokenLogprob, end_of
from penstock.domain.generation import Generation, Tokens
from penstock.domain.generation import Text as TextPrompt
from penstock.domain.model import Capabilities
from penstock.gateway.pipeline import Job

DEFAULT_MAX_TOKENS = 16
MAX_PROMPTS = 128
MAX_CALLS = 256


# -- request ----------------------------------------------------------------------------------


def completion_job(
    request: CompletionRequest,
    capabilities: Capabilities,
    account_id: str | None = None,
    adapter: str | None = None,
) -> Job:
    """Choice number prompt * n + i, as at OpenAI. Raises InvalidRequest and its kin."""
    refuse_unsupported(request)
    prompts = prompts_of(request, capabilities)
    choices = request.n or 1
    if len(prompts) * choices > MAX_CALLS:
        raise InvalidRequest(
            f"{len(prompts)} prompts with n = {choices} are more than {MAX_CALLS} choices.",
            param="n",
        )
    call = Generation(
        prompt=prompts[0],
        sampling=sampling_of(request, capabilities),
        max_tokens=DEFAULT_MAX_TOKENS if request.max_tokens is None else request.max_tokens,
        stop=stops_of(request),
        logprobs=request.logprobs,
        echo=bool(request.echo),
        output_format=output_format_of(request.response_format),
        user=request.user,
        stream=bool(request.stream),
        account_id=account_id,
        adapter=adapter,
    )
    calls = [
        choice
        for prompt in prompts
        for choice in choices_of(msgspec.structs.replace(call, prompt=prompt), choices)
    ]
    return Job(
        operation="text_completion",
        calls=calls,
        prompts=tuple(at // choices for at in range(len(calls))),
    )


def refuse_unsupported(request: CompletionRequest) -> None:
    if request.suffix:
        raise UnsupportedParameter("'suffix' is not supported by any model here.", param="suffix")
    choices = request.n or 1
    if request.best_of is not None and request.best_of < choices:
        raise InvalidRequest("'best_of' must be at least 'n'.", param="best_of")
    if request.best_of is not None and request.best_of > choices:
        raise UnsupportedParameter(
            "'best_of' greater than 'n' is not supported: ask for n choices and pick one.",
            param="best_of",
        )
    if request.max_tokens == 0 and not request.echo:
        raise InvalidRequest("'max_tokens' may be 0 only together with 'echo'.", param="max_tokens")


def prompts_of(request: CompletionRequest, capabilities: Capabilities) -> list[TextPrompt | Tokens]:
    """`prompt` as a list: a string, strings, token ids, or lists of token ids."""
    given: list[Any] = request.prompt if isinstance(request.prompt, list) else [request.prompt]
    texts: list[TextPrompt | Tokens]
    if all(isinstance(item, str) for item in given):
        texts = [TextPrompt(item) for item in given]
    elif all(isinstance(item, int) for item in given):
        texts = [Tokens(tuple(given))]
    elif all(isinstance(item, list) for item in given):
        texts = [Tokens(tuple(item)) for item in given]
    else:
        raise InvalidRequest(
            "'prompt' must be a string, strings, token ids or lists of token ids, not a mixture.",
            param="prompt",
        )
    if len(texts) > MAX_PROMPTS:
        raise InvalidRequest(
            f"'prompt' has {len(texts)} prompts; {MAX_PROMPTS} are allowed.", param="prompt"
        )
    for item in texts:
        if isinstance(item, Tokens):
            check_token_ids(list(item.ids), capabilities, "prompt")
        else:
            check_length(len(item.text), capabilities.context_length, "prompt")
    return texts


# -- answer -----------------------------------------------------------------------------------


class CompletionChunkWriter(ChunkWriter):
    """`text_completion` events."""

    object = b"text_completion"

    def __init__(
        self,
        identity: Identity,
        *,
        prompts: Sequence[int],
        choices: int,
        include_usage: bool,
        logprobs: int | None,
    ) -> None:
        super().__init__(identity, prompts=prompts, choices=choices, include_usage=include_usage)
        self._logprobs = logprobs
        self._offsets = [0] * choices

    def events(self, call: int, events: list[Event]) -> list[bytes]:
        chunks = []
        for event in events:
            match event:
                case Text():
                    chunks.append(self._text(call, event.text, b"null"))
                case ScoredText() | Prompt():
                    scores = event.logprobs
                    encoded = b"null" if scores is None else self._legacy(call, scores)
                    chunks.append(self._text(call, event.text, encoded))
                case _:
                    pass
        return chunks

    def _legacy(self, call: int, scores: Sequence[TokenLogprob]) -> bytes:
        return encode(legacy_logprobs(scores, self._offsets[call], self._logprobs))

    def _text(self, call: int, text: str, logprobs: bytes) -> bytes:
        self._offsets[call] += len(text)
        return self.chunk(
            b'{"index":%d,"text":%b,"logprobs":%b,"finish_reason":null}'
            % (call, encode(text), logprobs)
        )

    def finish(self, call: int, reason: Finished) -> bytes:
        return b'{"index":%d,"text":"","logprobs":null,"finish_reason":"%b"}' % (
            call,
            reason.reason.encode(),
        )


def text_completion(
    answers: Sequence[Sequence[Event]],
    *,
    identity: Identity,
    prompts: Sequence[int],
    alternatives: int | None,
) -> bytes:
    """The same events, folded into one `Completion`: a choice of each call's events."""
    choices = [_choice(call, events, alternatives) for call, events in enumerate(answers)]
    return encode(
        Completion(
            id=identity.id,
            created=identity.created,
            model=identity.model,
            choices=choices,
            usage=usage_of(answers, prompts),
            system_fingerprint=identity.fingerprint,
        )
    )


def _choice(index: int, events: Sequence[Event], alternatives: int | None) -> CompletionChoice:
    text = ""
    scores: list[TokenLogprob] = []
    for event in events:
        if isinstance(event, Text | ScoredText | Prompt):
            text += event.text
            scores += getattr(event, "logprobs", None) or ()
    logprobs = legacy_logprobs(scores, 0, alternatives) if alternatives is not None else None
    return CompletionChoice(text, index, logprobs, end_of(events).reason)


def legacy_logprobs(
    scores: Sequence[TokenLogprob], offset: int, alternatives: int | None
) -> LegacyLogprobs:
    """The old shape. The chosen token is always among its alternatives, with the same number."""
    offsets = []
    for score in scores:
        offsets.append(offset)
        offset += characters_begun(score.data)
    return LegacyLogprobs(
        tokens=[score.token for score in scores],
        token_logprobs=[score.logprob for score in scores],
        top_logprobs=[_top(score, alternatives) for score in scores] if alternatives else None,
        text_offset=offsets,
    )


def characters_begun(data: bytes) -> int:
    """How many characters begin in some UTF-8: a token may end in the middle of one."""
    return sum((byte & 0xC0) != 0x80 for byte in data)


def _top(score: TokenLogprob, alternatives: int) -> dict[str, float] | None:
    if score.logprob is None:
        return None
    best = {a.token: a.logprob for a in score.alternatives[:alternatives]}
    return best | {score.token: score.logprob}
