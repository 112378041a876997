"""A call in vLLM's words: the bodies of `/v1/chat/completions` and `/v1/completions`.

vLLM takes OpenAI's fields; what is its own is the grammar of an answer (`structured_outputs`), the
salt of its prefix cache, and usage on every chunk.
"""

from typing import Any

import msgspec

from penstock.domain.errors import UnsupportedParameter
from penstock.domain.generation import (
    Chat,
    Generation,
    JsonObject,
    JsonSchema,
    Message,
    OutputFormat,
    Regex,
    Text,
    Tokens,
)
from penstock.engines.llama_cpp.fields import SCHEMA_PARAM
from penstock.engines.llama_cpp.schema import kept_limits

#: Asked for one alternative more than is wanted: the chosen token takes the place of one.
EXTRA_ALTERNATIVES = 1
#: Of an answer that its client gets in one piece, how many tokens come at a time. It is streamed
#: all the same, so that what was made is known when the client leaves. One that may be cut off at a
#: stop comes by the token: what is behind the stop is not charged.
TOKENS_AT_A_TIME = 16
EVERY_CHUNK = {"include_usage": True, "continuous_usage_stats": True}


def chat_body(call: Generation, *, model: str, context_length: int) -> dict[str, Any]:
    """Raises UnsupportedParameter."""
    chat = call.prompt
    assert isinstance(chat, Chat)
    body = _common(call, model, context_length)
    body |= template_fields(chat)
    if chat.tools and chat.tool_choice != "none":
        _add_tools(body, chat, call.output_format)
    if chat.reasoning_effort is not None:
        body["reasoning_effort"] = chat.reasoning_effort
    if call.logprobs is not None:
        body["logprobs"] = True
        body["top_logprobs"] = call.logprobs and call.logprobs + EXTRA_ALTERNATIVES
    return body


def template_fields(chat: Chat) -> dict[str, Any]:
    """What the chat template reads of a conversation without tools."""
    fields: dict[str, Any] = {"messages": chat.messages}
    if continues(chat.messages):
        fields["add_generation_prompt"] = False
        fields["continue_final_message"] = True
    if chat.template_arguments is not None:
        fields["chat_template_kwargs"] = chat.template_arguments
    return fields


def completion_body(call: Generation, *, model: str, context_length: int) -> dict[str, Any]:
    body = _common(call, model, context_length)
    body["prompt"] = prompt_of(call)
    if call.logprobs is not None:
        body["logprobs"] = call.logprobs
    return body


def echo_body(call: Generation, *, model: str) -> dict[str, Any]:
    """The prompt alone comes back, with its log-probabilities if they are asked for."""
    body: dict[str, Any] = {
        "model": call.adapter or model,
        "prompt": prompt_of(call),
        "echo": True,
        "max_tokens": 0,
    }
    if call.logprobs is not None:
        body["logprobs"] = call.logprobs
    return body | _salt(call)


def prompt_of(call: Generation) -> str | tuple[int, ...]:
    assert isinstance(call.prompt, Text | Tokens)
    return call.prompt.text if isinstance(call.prompt, Text) else call.prompt.ids


def continues(messages: tuple[Message, ...]) -> bool:
    """Whether the last message is an answer that has begun, and is to be continued."""
    last = messages[-1]
    return last.role == "assistant" and not last.tool_calls and bool(last.content)


def _common(call: Generation, model: str, context_length: int) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": call.adapter or model,
        "stream": True,
        "stream_options": EVERY_CHUNK,
    }
    if not call.stream and not call.stop:
        body["stream_interval"] = TOKENS_AT_A_TIME
    body |= msgspec.to_builtins(call.sampling.positive)
    if call.max_tokens is not None:
        body["max_tokens"] = min(call.max_tokens, context_length)
    elif not isinstance(call.prompt, Chat):
        body["max_tokens"] = context_length
    if (grammar := grammar_of(call.output_format)) is not None:
        body["structured_outputs"] = grammar
    return body | _salt(call)


def _salt(call: Generation) -> dict[str, str]:
    """Accounts do not share cached prompts: how fast one comes would tell what others asked."""
    return {} if call.account_id is None else {"cache_salt": call.account_id}


def _add_tools(body: dict[str, Any], chat: Chat, wanted: OutputFormat | None) -> None:
    body["tools"] = chat.tools
    choice = chat.tool_choice
    if isinstance(choice, tuple):
        body["tool_choice"] = {"type": "function", "function": {"name": choice[0]}}
    else:
        body["tool_choice"] = choice
    body["parallel_tool_calls"] = chat.parallel_tool_calls
    if wanted is None:
        return
    if choice == "auto":
        raise UnsupportedParameter(
            "This model's engine takes no 'response_format' beside tools that may be called.",
            param="response_format",
        )
    del body["structured_outputs"]  # it is about text, and there will be none


def grammar_of(wanted: OutputFormat | None) -> dict[str, Any] | None:
    """The same schemas are refused as with llama.cpp: vLLM checks for less than it passes over.

    Raises UnsupportedParameter.
    """
    match wanted:
        case None:
            return None
        case JsonObject():
            return {"json_object": True}
        case JsonSchema(schema):
            return {"json": kept_limits(schema, SCHEMA_PARAM)}
        case Regex(pattern):
            return {"regex": pattern}
