"""OpenAI's chunks, chat and legacy, turned into events; an answer in one piece is one big chunk.

Written for what engines really send: missing keys, nulls, `data: null`, errors inside a 200, a
usage object on any chunk or none. What is not JSON or not an object ends the call.
"""

from collections.abc import Iterable, Iterator
from typing import Any, cast, get_args

import msgspec

from penstock.domain.errors import EngineFailed
from penstock.domain.event import (
    Alternative,
    Event,
    Finished,
    FinishReason,
    Reasoning,
    ScoredText,
    Started,
    Text,
    TokenLogprob,
    ToolCall,
)
from penstock.domain.usage import Usage

FINISH_REASONS: dict[str, FinishReason] = {
    **{reason: reason for reason in get_args(FinishReason)},
    "function_call": "tool_calls",
    "max_tokens": "length",
}


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    index: int | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct, gc=False):
    """What a chunk adds, or the whole message of an answer that was not streamed."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: Any = None
    tool_calls: list[_ToolCall] | None = None


class _Alternative(msgspec.Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None


class _Logprob(msgspec.Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[_Alternative] | None = None


class _Logprobs(msgspec.Struct):
    content: list[_Logprob] | None = None
    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None


class _Choice(msgspec.Struct, gc=False):
    index: int = 0
    delta: _Delta | None = None
    message: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _CachedTokens(msgspec.Struct, gc=False):
    cached_tokens: int | None = None


class _ReasoningTokens(msgspec.Struct, gc=False):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: int = 0
    completion_tokens: int | None = 0
    prompt_tokens_details: _CachedTokens | None = None
    completion_tokens_details: _ReasoningTokens | None = None


class _PromptProgress(msgspec.Struct):
    """llama.cpp's own: sent before the first token, when asked for."""

    total: int
    cache: int = 0


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None
    prompt_progress: _PromptProgress | None = None


_decode = msgspec.json.Decoder(_Chunk | None).decode


class ChunkReader:
    """Reads one call's chunks. After the last one, `finished` tells how it ended.

    A chunk that is broken, or tells of an error, is the last one: it is kept in `failure`, so that
    what came before it in the same read is not lost.
    """

    __slots__ = (
        "_completion_tokens",
        "_named",
        "_reason",
        "_started",
        "_unsaid",
        "_usage",
        "failure",
    )

    def __init__(self) -> None:
        self._reason: FinishReason | None = None
        self._usage: _Usage | None = None
        self._started: Started | None = None
        self._completion_tokens = 0
        self._named: set[int] = set()
        self._unsaid: tuple[TokenLogprob, ...] = ()
        self.failure: EngineFailed | None = None

    def read(self, payloads: list[bytes]) -> list[Event]:
        """The events in some `data:` payloads, up to a failure."""
        events: list[Event] = []
        for payload in payloads:
            try:
                chunk = _decode(payload)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                self.failure = EngineFailed("The engine sent an event that is not valid.")
                break
            if chunk is None:
                continue
            if chunk.error is not None:
                told = _error_text(chunk.error)
                self.failure = EngineFailed(f"The engine reported an error: {told}")
                break
            tokens = 1
            if (usage := chunk.usage) is not None:
                self._usage = usage
                made = usage.completion_tokens or 0
                tokens = made - self._completion_tokens if made > self._completion_tokens else 0
            if chunk.prompt_progress is not None and self._started is None:
                progress = chunk.prompt_progress
                self._started = Started(progress.total, progress.cache)
                events.append(self._started)
            for choice in chunk.choices or ():
                if usage is not None and self._started is None and choice.finish_reason is None:
                    self._started = Started(usage.prompt_tokens)
                    events.append(self._started)
                self._read_choice(choice, tokens, events)
        return events

    def _read_choice(self, choice: _Choice, tokens: int, events: list[Event]) -> None:
        """`tokens` is what the chunk is made of, as far as the engine has told; else 1."""
        if choice.finish_reason is not None:
            self._reason = FINISH_REASONS.get(choice.finish_reason, "stop")
        delta = choice.delta or choice.message
        if delta is None:
            text = choice.text
        else:
            text = delta.content
            if reasoning := delta.reasoning_content or delta.reasoning:
                self._completion_tokens += tokens
                events.append(Reasoning(str(reasoning), tokens))
                tokens = 0
            if delta.tool_calls:
                events += self._tool_calls(delta.tool_calls, tokens)
                self._completion_tokens += tokens
                tokens = 0
        if choice.logprobs is not None and (scores := _scores(choice.logprobs)):
            if choice.finish_reason == "stop":
                scores = _without_end(text or "", scores)
            if delta is not None:
                scores = self._scores_of(text or "", scores)
            if text or scores:
                self._completion_tokens += len(scores)
                events.append(ScoredText(text or "", scores))
        elif text:
            self._completion_tokens += tokens
            events.append(Text(text, tokens))

    def _tool_calls(self, calls: list[_ToolCall], tokens: int) -> Iterator[ToolCall]:
        """The first of them has all the tokens.

        Some servers tell a call's name in every piece; some tell no numbers, and each name then
        begins another call.
        """
        for at, call in enumerate(calls):
            function = call.function or _Function()
            index = call.index
            if index is None:
                index = len(self._named) if function.name else max(len(self._named) - 1, 0)
            name = function.name if function.name and index not in self._named else None
            if name is not None:
                self._named.add(index)
            yield ToolCall(index, function.arguments or "", name, tokens if at == 0 else 0)

    def _scores_of(self, text: str, scores: tuple[TokenLogprob, ...]) -> tuple[TokenLogprob, ...]:
        """The scores of what is content: those of calls, thoughts and dropped white space are not.

        Text may come later than its tokens, when it might have begun something else.
        """
        self._unsaid += scores
        if not text:
            return ()
        unsaid, self._unsaid = self._unsaid, ()
        missing = len(text.encode())
        at = len(unsaid)
        while at and missing > 0:
            at -= 1
            missing -= len(unsaid[at].data)
        return unsaid[at:]

    def finished(self) -> Finished:
        """How it ended, counted by the engine, or by us where the engine did not say.

        Raises EngineFailed when the answer just broke off.
        """
        if self._reason is None:
            raise EngineFailed("The engine broke off its answer.")
        usage = self._usage
        if usage is None:
            return Finished(self._reason, self._own_count())
        cached = usage.prompt_tokens_details
        reasoned = usage.completion_tokens_details
        return Finished(
            self._reason,
            Usage(
                usage.prompt_tokens,
                usage.completion_tokens or 0,
                (cached and cached.cached_tokens) or 0,
                (reasoned and reasoned.reasoning_tokens) or 0,
            ),
        )

    def _own_count(self, tokens_after: int = 0) -> Usage:
        started = self._started or Started(0)
        made = self._completion_tokens - tokens_after
        return Usage(started.prompt_tokens, made, started.cached_tokens)

    @property
    def knows_prompt(self) -> bool:
        """Whether the engine has told how long the prompt is."""
        return self._started is not None

    def stopped(self, tokens_after: int) -> Finished:
        """The end when we found a stop and cut the engine off: counted by us, up to the stop."""
        return Finished("stop", self._own_count(tokens_after))


def _without_end(text: str, scores: tuple[TokenLogprob, ...]) -> tuple[TokenLogprob, ...]:
    """Without the token that ended the answer, which is none of its text."""
    return scores if text.encode().endswith(scores[-1].data) else scores[:-1]


def _scores(logprobs: _Logprobs) -> tuple[TokenLogprob, ...]:
    if logprobs.content:
        return tuple(map(_score, logprobs.content))
    tops = logprobs.top_logprobs or []
    return tuple(
        TokenLogprob(
            token,
            logprob,
            token.encode(),
            _best_first(
                Alternative(other, value, other.encode())
                for other, value in ((tops[i] if i < len(tops) else None) or {}).items()
            ),
        )
        for i, (token, logprob) in enumerate(
            zip(logprobs.tokens or (), logprobs.token_logprobs or (), strict=False)
        )
    )


def _score(entry: _Logprob) -> TokenLogprob:
    return TokenLogprob(
        entry.token,
        entry.logprob,
        _bytes(entry.token, entry.bytes),
        _best_first(
            Alternative(top.token, top.logprob, _bytes(top.token, top.bytes))
            for top in entry.top_logprobs or ()
        ),
    )


def _best_first(alternatives: Iterable[Alternative]) -> tuple[Alternative, ...]:
    """Some engines put the chosen token before better ones."""
    return tuple(sorted(alternatives, key=lambda alternative: -alternative.logprob))


def _bytes(token: str, given: list[int] | None) -> bytes:
    try:
        return bytes(given) if given is not None else token.encode()
    except ValueError:
        return token.encode()


def _error_text(error: object) -> str:
    message = error.get("message") if isinstance(error, dict) else error
    return str(message)[:500]


class _ErrorBody(msgspec.Struct):
    error: Any = None
    message: Any = None
    detail: Any = None


def error_message(body: bytes) -> tuple[str, dict[str, Any]]:
    """The sentence in an engine's error body, and the error object it stood in."""
    try:
        decoded = msgspec.json.decode(body, type=_ErrorBody)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return body[:200].decode("utf-8", "replace"), {}
    if isinstance(decoded.error, dict):
        return _error_text(decoded.error), cast(dict[str, Any], decoded.error)
    text = decoded.error or decoded.message or decoded.detail or "no reason given"
    return str(text)[:500], {}
