"""What an engine answers: events of one family, whatever engine it is.

An engine call yields batches (lists) of them: all that one read of its socket held. The last one is
`Finished`, exactly once, unless the call ends in an exception.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from penstock.domain.usage import NOTHING, Usage

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


class Alternative(msgspec.Struct, frozen=True):
    """A token that could have come: `token` is its text, `data` its bytes (text may be cut)."""

    token: str
    logprob: float
    data: bytes


class TokenLogprob(msgspec.Struct, frozen=True):
    """One token that came. `logprob` is None only for the first token of an echoed prompt."""

    token: str
    logprob: float | None
    data: bytes
    alternatives: tuple[Alternative, ...] = ()


class Started(msgspec.Struct, frozen=True):
    """The engine has read the prompt: what a call is charged even if its client leaves now."""

    prompt_tokens: int
    cached_tokens: int = 0


class Text(msgspec.Struct, frozen=True, gc=False):
    """A piece of the answer. `tokens` counts what it is made of (1 where the engine is silent)."""

    text: str
    tokens: int = 1


class ScoredText(msgspec.Struct, frozen=True):
    """A piece of the answer with the log-probabilities of its tokens."""

    text: str
    logprobs: tuple[TokenLogprob, ...]

    @property
    def tokens(self) -> int:
        return len(self.logprobs)


class Prompt(msgspec.Struct, frozen=True):
    """The prompt's own text, for `echo`; with the log-probabilities of its tokens if asked for."""

    text: str
    logprobs: tuple[TokenLogprob, ...] | None = None


class Reasoning(msgspec.Struct, frozen=True):
    """A piece of the model's thinking, apart from the answer."""

    text: str
    tokens: int = 1


class ToolCall(msgspec.Struct, frozen=True):
    """A piece of a tool call. The first piece of each `call` has `name`; later ones do not."""

    call: int
    arguments: str
    name: str | None = None
    tokens: int = 1


class Finished(msgspec.Struct, frozen=True, gc=False):
    """The end, with the engine's own count."""

    reason: FinishReason
    usage: Usage = NOTHING


Event = Started | Text | ScoredText | Prompt | Reasoning | ToolCall | Finished


def end_of(events: Sequence[Event]) -> Finished:
    """How a whole answer ended."""
    last = events[-1]
    assert isinstance(last, Finished)
    return last
