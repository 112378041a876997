"""Functions that the model may call."""

import json
from typing import Any

from penstock.conformance.check import Failed, check, expect, expect_none
from penstock.conformance.schema import complaints, conforms
from penstock.conformance.subject import EventStream, Subject, official

TOKENS = 160
TIME = {
    "type": "function",
    "function": {
        "name": "get_time",
        "description": "The time in a city.",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["Paris", "Oslo"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
LIGHT = {
    "type": "function",
    "function": {
        "name": "switch_light",
        "description": "Switches a light.",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {
                "room": {"type": "string", "enum": ["kitchen", "hall"]},
                "on": {"type": "boolean"},
            },
            "required": ["room", "on"],
            "additionalProperties": False,
        },
    },
}
TOOLS = [TIME, LIGHT]
QUESTION = "What time is it in Paris?"
NAMED = {"type": "function", "function": {"name": "switch_light"}}


@check
def named_function_is_called(subject: Subject) -> None:
    """A function named in tool_choice is called, though the question fits another.

    Source: OpenAI API reference, tool_choice: forces the model to call that tool.
    """
    names = [call["function"]["name"] for call in _calls(_ask(subject, tool_choice=NAMED))]
    expect(names and set(names) == {"switch_light"}, f"called: {names or 'nothing'}")


@check
def required_calls_something(subject: Subject) -> None:
    """With tool_choice required there is a call, though the question needs none.

    Source: OpenAI API reference, tool_choice: required.
    """
    answer = _ask(subject, "Hello! How are you?", tool_choice="required")
    names = [call["function"]["name"] for call in _calls(answer)]
    expect(names, "there is no call")
    unknown = set(names) - {"get_time", "switch_light"}
    expect(not unknown, f"unknown functions are called: {sorted(unknown)}")


@check
def none_calls_nothing(subject: Subject) -> None:
    """With tool_choice none there is text and no call.

    Source: OpenAI API reference, tool_choice: none.
    """
    message = _ask(subject, tool_choice="none")["choices"][0]["message"]
    expect(not message.get("tool_calls"), "there is a call")
    expect(message["content"] is not None, "content is null")


@check
def call_fits_the_schema(subject: Subject) -> None:
    """An answer with a call fits OpenAI's schema; the arguments are a string.

    Source: OpenAI's schema ChatCompletionMessageToolCall.
    """
    answer = _ask(subject, tool_choice=NAMED)
    expect(_calls(answer), "there is no call")
    expect_none(complaints(answer, "CreateChatCompletionResponse")[:3])


@check
def arguments_obey_the_strict_schema(subject: Subject) -> None:
    """The arguments are JSON that obeys the parameters of a strict function.

    Source: OpenAI API reference, function.strict: follow the exact schema.
    """
    calls = _calls(_ask(subject, tool_choice=NAMED))
    expect(calls, "there is no call")
    for call in calls:
        text = call["function"]["arguments"]
        expect(conforms(_parsed(text), LIGHT["function"]["parameters"]), f"arguments {text!r}")  # type: ignore[index]


@check
def content_is_null_beside_a_call(subject: Subject) -> None:
    """Beside a call that was forced the content is null.

    Source: OpenAI API reference, function calling example; clients test for null.
    """
    content = _ask(subject, tool_choice=NAMED)["choices"][0]["message"]["content"]
    expect(content is None, f"content {content!r}")


@check
def finish_reason_is_tool_calls(subject: Subject) -> None:
    """A call's finish reason is tool_calls; stop is as good where the function was named.

    Source: OpenAI API reference, finish_reason: tool_calls if the model called a tool.
    """
    required = _ask(subject, tool_choice="required")["choices"][0]["finish_reason"]
    expect(required == "tool_calls", f"required: {required!r}")
    named = _ask(subject, tool_choice=NAMED)["choices"][0]["finish_reason"]
    expect(named in ("tool_calls", "stop"), f"named: {named!r}")


@check
def call_ids_are_unique(subject: Subject) -> None:
    """Every call has an id of its own, over all requests.

    Source: OpenAI API reference, tool_call_id: the tool call that this message answers.
    """
    ids = [call["id"] for _ in range(3) for call in _calls(_ask(subject, tool_choice=NAMED))]
    expect(len(ids) >= 3, "there are no calls")
    expect(len(set(ids)) == len(ids), f"ids {ids}")


@check
def parallel_tool_calls_false_is_one_call(subject: Subject) -> None:
    """With parallel_tool_calls false there is one call, not several.

    Source: OpenAI API reference, parallel_tool_calls.
    """
    question = "What time is it in Paris, and what time is it in Oslo?"
    answer = _ask(subject, question, tool_choice="required", parallel_tool_calls=False)
    calls = _calls(answer)
    expect(len(calls) == 1, f"{len(calls)} calls")


@check
def streamed_call_begins_with_id_and_name(subject: Subject) -> None:
    """A streamed call's first piece has index, id, type and name; they do not come again.

    Source: OpenAI's schema ChatCompletionMessageToolCallChunk; clients join what comes again.
    """
    pieces = _pieces(_stream(subject, tool_choice=NAMED))
    expect(pieces, "there is no call")
    first, *later = [piece for piece in pieces if piece.get("index") == 0]
    expect(first.get("id") and first.get("type") == "function", f"first piece {str(first)[:90]}")
    name = first["function"].get("name")
    expect(name == "switch_light", f"the first piece's name is {name!r}")
    again = [p for p in later if p.get("id") or p.get("function", {}).get("name")]
    expect(not again, f"id or name come {len(again)} times again")


@check
def streamed_pieces_have_an_index(subject: Subject) -> None:
    """Every piece of a streamed call has the call's index.

    Source: OpenAI's schema ChatCompletionMessageToolCallChunk: index is required.
    """
    pieces = _pieces(_stream(subject, tool_choice=NAMED))
    expect(pieces, "there is no call")
    expect(all(isinstance(p.get("index"), int) for p in pieces), "a piece has no index")


@check
def streamed_arguments_are_json(subject: Subject) -> None:
    """A streamed call's arguments, put together, are those of the whole answer.

    Source: OpenAI API reference, streaming function calls.
    """
    stream = _stream(subject, tool_choice=NAMED)
    pieces = [piece for piece in _pieces(stream) if piece.get("index") == 0]
    text = "".join(piece.get("function", {}).get("arguments") or "" for piece in pieces)
    expect(isinstance(_parsed(text), dict), f"arguments {text!r}")
    reason = stream.finish_reason()
    expect(reason in ("tool_calls", "stop"), f"finish_reason {reason!r}")


@check
def history_of_calls_is_taken(subject: Subject) -> None:
    """A conversation with calls and their results goes on, however content is spelled.

    Source: OpenAI API reference, assistant and tool messages: null or absent content, parts.
    """
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "get_time", "arguments": '{"city": "Paris"}'},
    }
    assistant = {"role": "assistant", "tool_calls": [call]}
    result = {"role": "tool", "tool_call_id": "call_1"}
    parts = [{"type": "text", "text": "12:00"}]
    histories = {
        "null content": [assistant | {"content": None}, result | {"content": "12:00"}],
        "no content": [assistant, result | {"content": "12:00"}],
        "content in parts": [assistant | {"content": None}, result | {"content": parts}],
        "a refusal": [
            assistant | {"content": None, "refusal": None},
            result | {"content": "12:00"},
        ],
    }
    problems = []
    for label, history in histories.items():
        messages = [{"role": "user", "content": QUESTION}, *history]
        body = subject.chat_body(messages=messages, tools=TOOLS)
        reply = subject.post("/chat/completions", body)
        if reply.status != 200:
            problems.append(f"{label}: {reply.status} {reply.complaint[:50]}")
    expect_none(problems)


@check
def wrong_choices_are_refused(subject: Subject) -> None:
    """An unknown name, an unknown word, and required without tools are refused.

    Source: OpenAI API reference, tool_choice.
    """
    unknown = {"type": "function", "function": {"name": "no_such_function"}}
    bodies = {
        "an unknown name": subject.chat_body(tools=TOOLS, tool_choice=unknown),
        "bogus": subject.chat_body(tools=TOOLS, tool_choice="bogus"),
        "required without tools": subject.chat_body(tool_choice="required"),
    }
    expect_none(subject.accepted("/chat/completions", bodies))


@check
def malformed_tools_are_refused(subject: Subject) -> None:
    """Tools that are none are refused with 400, not with 500, and not taken.

    Source: OpenAI's schema ChatCompletionTool.
    """
    named = {"name": "f", "parameters": {"type": "object", "properties": {}}}
    tools: dict[str, object] = {
        "an object": {},
        "a string": "tools",
        "a list of strings": ["f"],
        "no type": [{"function": named}],
        "another type": [{"type": "zork", "function": named}],
        "no function": [{"type": "function"}],
        "no name": [{"type": "function", "function": {"parameters": {}}}],
        "a number as a name": [{"type": "function", "function": {"name": 5}}],
        "parameters of text": [{"type": "function", "function": {**named, "parameters": "x"}}],
        "an unknown type in parameters": [
            {"type": "function", "function": {"name": "f", "parameters": {"type": "zork"}}}
        ],
    }
    bodies = {label: subject.chat_body(tools=value) for label, value in tools.items()}
    expect_none(subject.accepted("/chat/completions", bodies))


@check
def official_client_gets_a_call(subject: Subject) -> None:
    """The official client's stream helper puts a call together.

    Source: openai-python, chat.completions.stream with tools.
    """
    with (
        official(),
        subject.client.chat.completions.stream(
            model=subject.models.of("chat"),
            messages=[{"role": "user", "content": QUESTION}],
            tools=TOOLS,  # type: ignore[arg-type]
            tool_choice=NAMED,  # type: ignore[arg-type]
            temperature=0,
            max_tokens=TOKENS,
            extra_body=subject.extra,
        ) as stream,
    ):
        calls = stream.get_final_completion().choices[0].message.tool_calls
    names = [call.function.name for call in calls or ()]
    expect(names == ["switch_light"], f"called: {names}")


def _ask(subject: Subject, question: str = QUESTION, **fields: Any) -> Any:
    return subject.chat(question, tools=TOOLS, max_tokens=TOKENS, **fields)


def _stream(subject: Subject, **fields: Any) -> EventStream:
    return subject.chat_stream(QUESTION, tools=TOOLS, max_tokens=TOKENS, **fields)


def _calls(answer: Any) -> list[dict[str, Any]]:
    return answer["choices"][0]["message"].get("tool_calls") or []


def _pieces(stream: EventStream) -> list[dict[str, Any]]:
    return [p for choice in stream.choices() for p in choice["delta"].get("tool_calls") or ()]


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise Failed(f"the arguments are not JSON: {text[:80]!r}") from None
