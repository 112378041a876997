"""Request fields by the endpoints they belong to, for engines to say which they honour."""

GENERATION = frozenset(
    {
        "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "min_p", "stop",
        "n",
        "presence_penalty", "frequency_penalty", "repetition_penalty", "logit_bias", "seed",
        "logprobs", "top_logprobs", "response_format", "stream", "stream_options", "user", "echo",
    }
)  # fmt: skip
TOOLS = frozenset({"tools", "tool_choice", "parallel_tool_calls"})
CHAT = TOOLS | {"modalities", "reasoning_effort", "chat_template_kwargs"}
EMBEDDING = frozenset({"encoding_format", "user"})
RERANK = frozenset({"top_n", "return_documents", "user"})
IMAGE = frozenset(
    {
        "n", "size", "seed", "response_format", "output_format", "output_compression",
        "background", "user",
        "stream", "partial_images",
    }
)  # fmt: skip
#: What only pictures that are made in steps can honour.
DIFFUSION = frozenset({"negative_prompt", "num_inference_steps", "guidance_scale"})
CLASSIFICATION = frozenset({"image", "candidate_labels"})
