"""What was consumed, in tokens."""

from collections.abc import Mapping, Sequence
from typing import Self

import msgspec


class Usage(msgspec.Struct, frozen=True, gc=False):
    """`cached_tokens` is a part of `prompt_tokens`, `reasoning_tokens` of `completion_tokens`."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    def plus(self, other: Self) -> "Usage":
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
        )


NOTHING = Usage()


def total(calls: Mapping[int, Usage], prompts: Sequence[int]) -> Usage:
    """The usage of a request of several calls, of which call i was given prompt `prompts[i]`.

    As at OpenAI, a prompt counts once, however many choices were made of it.
    """
    if len(calls) == 1:
        return next(iter(calls.values()))
    sum_ = NOTHING
    read: set[int] = set()
    for call, usage in sorted(calls.items()):
        if prompts[call] in read:
            usage = msgspec.structs.replace(usage, prompt_tokens=0, cached_tokens=0)
        read.add(prompts[call])
        sum_ = sum_.plus(usage)
    return sum_
