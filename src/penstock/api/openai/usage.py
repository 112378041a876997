"""Usage in OpenAI's shape (`wire.UsageObject`)."""

from penstock.domain.usage import Usage

TEMPLATE = (
    b'{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,'
    b'"prompt_tokens_details":{"cached_tokens":%d},'
    b'"completion_tokens_details":{"reasoning_tokens":%d}}'
)


def usage_json(usage: Usage) -> bytes:
    return TEMPLATE % (
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.prompt_tokens + usage.completion_tokens,
        usage.cached_tokens,
        usage.reasoning_tokens,
    )
