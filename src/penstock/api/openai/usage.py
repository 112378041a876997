"""Usage in OpenAI's shape."""

from penstock.api.openai.wire import CompletionDetails, TokenDetails, UsageObject
from penstock.domain.usage import Usage


def usage_object(usage: Usage) -> UsageObject:
    return UsageObject(
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.total_tokens,
        TokenDetails(usage.cached_tokens),
        CompletionDetails(usage.reasoning_tokens),
    )
