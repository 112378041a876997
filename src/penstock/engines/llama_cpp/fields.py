"""A call's wishes in llama-server's words: sampling, output, template, tools."""

from typing import Any

import msgspec

from penstock.domain.generation import (
    Chat,
    JsonObject,
    JsonSchema,
    Message,
    OutputFormat,
    Regex,
    Sampling,
    Tool,
)
from penstock.engines.llama_cpp.schema import (
    check_gbnf,
    check_gbnf_cost,
    gbnf_keeps_to,
    llguidance_grammar,
)

CALL_PREFIXES = ("<tool_call>\n",)
SCHEMA_PARAM = "response_format.json_schema.schema"
REGEX_PARAM = "response_format.regex"


def sampling_fields(sampling: Sampling) -> dict[str, Any]:
    """OpenAI's defaults put in words, since llama.cpp has others (temperature 0.8, top_k 40, …)."""
    fields: dict[str, Any] = {
        "temperature": 1.0 if sampling.temperature is None else sampling.temperature,
        "top_p": 1.0 if sampling.top_p is None else sampling.top_p,
        "top_k": sampling.top_k or 0,
        "min_p": sampling.min_p or 0.0,
        "presence_penalty": sampling.presence_penalty or 0.0,
        "frequency_penalty": sampling.frequency_penalty or 0.0,
        "repeat_penalty": sampling.repetition_penalty or 1.0,
    }
    if sampling.logit_bias:
        fields["logit_bias"] = [[token, bias] for token, bias in sampling.logit_bias.items()]
    if sampling.seed is not None:
        fields["seed"] = sampling.seed % 2**32
    return fields


def chat_output_fields(wanted: OutputFormat | None, *, by_gbnf: bool) -> dict[str, Any]:
    """`by_gbnf` is for answers that may hold more than the JSON: calls, thoughts."""
    match wanted:
        case JsonObject():
            return {"response_format": {"type": "json_object"}}
        case JsonSchema(schema, name) if by_gbnf or gbnf_keeps_to(schema):
            check_gbnf(schema, SCHEMA_PARAM)
            check_gbnf_cost((schema,), SCHEMA_PARAM)
            json_schema = {"name": name, "schema": schema}
            return {"response_format": {"type": "json_schema", "json_schema": json_schema}}
    return text_output_fields(wanted)


def text_output_fields(wanted: OutputFormat | None) -> dict[str, Any]:
    match wanted:
        case None:
            return {}
        case JsonObject():
            return {"json_schema": {"type": "object"}}
        case JsonSchema(schema):
            return {"grammar": llguidance_grammar(schema, SCHEMA_PARAM)}
        case Regex(pattern):
            return {"grammar": regex_grammar(pattern)}


def regex_grammar(pattern: str) -> str:
    """A llguidance grammar of one pattern; a bare "/" would end the pattern early."""
    escaped = pattern.replace("\\/", "/").replace("/", "\\/")
    escaped = escaped.replace("\\\n", "\n").replace("\n", "\\n")
    return f"%llguidance {{}}\nstart: /{escaped}/"


def template_fields(chat: Chat) -> dict[str, Any]:
    arguments = dict(chat.template_arguments or {})
    effort = chat.reasoning_effort
    if effort == "none":
        arguments.setdefault("enable_thinking", False)
    elif effort is not None:
        arguments.setdefault("enable_thinking", True)
        arguments.setdefault("reasoning_effort", effort)
    return {"chat_template_kwargs": arguments} if arguments else {}


def callable_tools(chat: Chat) -> tuple[Tool, ...]:
    """The tools that may be called: a named one alone, since the engine cannot force by name."""
    if isinstance(chat.tool_choice, tuple):
        return tuple(t for t in chat.tools if t.function.name == chat.tool_choice[0])
    return chat.tools


def check_tool_schemas(tools: tuple[Tool, ...]) -> None:
    """Arguments of a strict tool must keep to its schema, so that all of it must be kept to.

    Of others the schema is a hint, as at OpenAI.
    """
    check_gbnf_cost((tool.function.parameters or {} for tool in tools), "tools")
    for at, tool in enumerate(tools):
        if tool.function.strict:
            check_gbnf(tool.function.parameters or {}, f"tools[{at}].function.parameters")


def without_empty_answer(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """An answer that is to be continued and has no text yet is the same as none."""
    last = messages[-1]
    empty = not (last.content or last.tool_calls or last.reasoning_content)
    return messages[:-1] if empty and last.role == "assistant" and len(messages) > 1 else messages


def with_call_begun(messages: tuple[Message, ...], template: str | None) -> tuple[Message, ...]:
    """The messages, and an answer that has begun with a call, if we know how the model begins one.

    llama.cpp's grammar for a forced call allows any prose before it.
    """
    prefix = next((p for p in CALL_PREFIXES if p.strip() in (template or "")), None)
    last = messages[-1]
    if prefix is None or last.tool_calls:
        return messages
    if last.role != "assistant":
        return (*messages, Message(role="assistant", content=prefix))
    assert not isinstance(last.content, tuple)
    begun = msgspec.structs.replace(last, content=f"{last.content or ''}\n{prefix}")
    return (*messages[:-1], begun)
