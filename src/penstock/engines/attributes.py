"""Request fields by the endpoints they belong to, for engines to say which they honour."""

GENERATION = frozenset(
    {
        "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "min_p", "stop",
        "n",
        "presence_penalty", "frequency_penalty", "repetition_penalty", "logit_bias", "seed",
        "logprobs", "top_logprobs", "response_format", "stream", "stream_options", "user", "echo",
    }
)  # fmt: skip
CHAT = frozenset(
    {"tools", "tool_choice", "parallel_tool_calls", "reasoning_effort", "chat_template_kwargs"}
)
EMBEDDING = frozenset({"encoding_format", "user"})
IMAGE = frozenset({"n", "size", "seed", "response_format", "output_format", "background", "user"})
