"""The prompt before its continuation: as an event, with the log-probabilities of its tokens."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import msgspec

from penstock.domain.event import Alternative, Event, Prompt, TokenLogprob
from penstock.engines.base import Batches


class _EchoedUsage(msgspec.Struct):
    prompt_tokens: int


class _EchoedLogprobs(msgspec.Struct):
    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]


class EchoedChoice(msgspec.Struct):
    """The prompt's own text, with OpenAI's legacy log-probabilities."""

    text: str
    logprobs: _EchoedLogprobs | None = None


class Echoed(msgspec.Struct):
    """The answer to a completion with `echo` and `max_tokens` 0."""

    choices: list[EchoedChoice]
    usage: _EchoedUsage


async def after(prompt: Prompt, batches: Batches) -> AsyncGenerator[list[Event], None]:
    """`batches`, with the prompt at the head of the first one.

    It is not told before: a refusal has a status, and another try is made, only as long as
    nothing has been said.
    """
    async with aclosing(batches):
        yield [prompt, *await anext(aiter(batches))]
        async for batch in batches:
            yield batch


def prompt_event(echoed: EchoedChoice) -> Prompt:
    """As at OpenAI, the first token that is seen has no log-probability."""
    if echoed.logprobs is None:
        return Prompt(echoed.text)
    scores = [
        TokenLogprob(token, logprob, token.encode(), _alternatives(top))
        for token, logprob, top in zip(
            echoed.logprobs.tokens,
            echoed.logprobs.token_logprobs,
            echoed.logprobs.top_logprobs,
            strict=True,
        )
    ]
    if _has_hidden_beginning(scores, echoed.text):
        first = scores[1]
        scores = [TokenLogprob(first.token, None, first.data), *scores[2:]]
    return Prompt(echoed.text, tuple(scores))


def _has_hidden_beginning(scores: Sequence[TokenLogprob], text: str) -> bool:
    """A token that the tokenizer puts before every text, and which is not in it."""
    return len(scores) > 1 and not text.startswith(scores[0].token)


def _alternatives(top: dict[str, float] | None) -> tuple[Alternative, ...]:
    best = sorted((top or {}).items(), key=lambda entry: -entry[1])
    return tuple(Alternative(token, logprob, token.encode()) for token, logprob in best)
