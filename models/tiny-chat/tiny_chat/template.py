"""The chat template as Python, piece by piece, so that training knows which pieces are answers.

`template.jinja` is what llama.cpp runs; a test holds the two together.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tiny_chat.dialogue import Call, Message, Tool

JINJA = Path(__file__).with_name("template.jinja")
END_OF_TURN = "<|im_end|>"
END_OF_TEXT = "<|endoftext|>"
CONTROL_TOKENS = (END_OF_TEXT, "<|im_start|>", END_OF_TURN)
TAG_TOKENS = (
    "<tools>",
    "</tools>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
)


class Piece(NamedTuple):
    text: str
    is_answer: bool


def render(messages: Sequence[Message], tools: Sequence[Tool] = ()) -> Iterator[Piece]:
    """The pieces of a whole dialogue."""
    instructions = messages[0].content if messages[0].role == "system" else ""
    if tools or instructions:
        yield Piece(_turn("system", _system_text(instructions, tools)), False)
    rest = messages[1:] if messages[0].role == "system" else messages
    for position, message in enumerate(rest):
        if message.role == "assistant":
            text = _answer_text(message).removeprefix(message.forced)
            yield Piece(f"<|im_start|>assistant\n{message.forced}", False)
            yield Piece(text + END_OF_TURN, True)
            yield Piece("\n", False)
        elif message.role == "tool":
            follows = position > 0 and rest[position - 1].role == "tool"
            ends = position + 1 == len(rest) or rest[position + 1].role != "tool"
            yield Piece(_result_text(message, follows, ends), False)
        else:
            yield Piece(_turn("user", message.content), False)


def prompt(messages: Sequence[Message], tools: Sequence[Tool] = ()) -> str:
    """The text that the model continues."""
    return "".join(piece.text for piece in render(messages, tools)) + "<|im_start|>assistant\n"


def tool_line(tool: Tool) -> str:
    arguments = ", ".join(f'"{p.name}": "{p.summary()}"' for p in tool.parameters)
    return (
        f'{{"name": "{tool.name}", "description": "{tool.description}", '
        f'"arguments": {{{arguments}}}}}\n'
    )


def call_text(call: Call) -> str:
    arguments = json.dumps(dict(call.arguments), ensure_ascii=False)
    return f'<tool_call>\n{{"name": "{call.name}", "arguments": {arguments}}}\n</tool_call>'


def _turn(role: str, text: str) -> str:
    return f"<|im_start|>{role}\n{text}{END_OF_TURN}\n"


def _system_text(instructions: str, tools: Sequence[Tool]) -> str:
    if not tools:
        return instructions
    gap = "\n\n" if instructions else ""
    return f"{instructions}{gap}# Tools\n<tools>\n{''.join(map(tool_line, tools))}</tools>"


def _answer_text(message: Message) -> str:
    parts = [message.content] if message.content else []
    return "\n".join(parts + [call_text(call) for call in message.calls])


def _result_text(message: Message, follows: bool, ends: bool) -> str:
    opening = "\n" if follows else "<|im_start|>user\n"
    closing = f"{END_OF_TURN}\n" if ends else ""
    return f"{opening}<tool_response>\n{message.content}\n</tool_response>{closing}"


def openai_messages(messages: Sequence[Message]) -> list[dict[str, object]]:
    """The same messages as an OpenAI client sends them."""
    sent: list[dict[str, object]] = []
    pending: list[str] = []
    for number, message in enumerate(messages):
        if message.calls:
            pending = [f"call_{number}_{index}" for index in range(len(message.calls))]
            calls = [_openai_call(i, c) for i, c in zip(pending, message.calls, strict=True)]
            sent.append({"role": "assistant", "content": message.content, "tool_calls": calls})
        elif message.role == "tool":
            call_id = pending.pop(0) if pending else "call_0"
            sent.append({"role": "tool", "tool_call_id": call_id, "content": message.content})
        else:
            sent.append({"role": message.role, "content": message.content})
    return sent


def openai_tools(tools: Sequence[Tool]) -> list[dict[str, object]]:
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": {
                    "type": "object",
                    "properties": {p.name: p.schema() for p in tool.parameters},
                    "required": [p.name for p in tool.parameters if p.required],
                },
            },
        }
        for tool in tools
    ]


def _openai_call(call_id: str, call: Call) -> dict[str, object]:
    arguments = json.dumps(dict(call.arguments), ensure_ascii=False)
    return {
        "id": call_id,
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }
