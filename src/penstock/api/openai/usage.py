"""Usage in OpenAI's shape."""

from collections.abc import Sequence

from penstock.api.openai.answers import CompletionDetails, TokenDetails, UsageObject
from penstock.domain.event import Event, end_of
from penstock.domain.usage import Usage, total


def usage_object(usage: Usage) -> UsageObject:
    return UsageObject(
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.prompt_tokens + usage.completion_tokens,
        TokenDetails(usage.cached_tokens),
        CompletionDetails(usage.reasoning_tokens),
    )


def usage_of(answers: Sequence[Sequence[Event]], prompts: Sequence[int]) -> UsageObject:
    """The usage of whole answers, of which number i was made for prompt `prompts[i]`."""
    if len(answers) == 1:
        return usage_object(end_of(answers[0]).usage)
    ends = {call: end_of(events).usage for call, events in enumerate(answers)}
    return usage_object(total(ends, prompts))
