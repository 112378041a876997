"""Chat attributes on a real model, in the combinations that clients send."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from gguf_files import with_template
from rawhttp import Reply
from serving import Server, serving

MODEL = "penstock/tiny-chat"
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {
        "type": "object", "properties": {"city": {"type": "string", "enum": ["Rome", "Oslo"]}},
        "required": ["city"]}}}
    for name in ("get_weather", "get_time")
]  # fmt: skip
NAMED = {"type": "function", "function": {"name": "get_time"}}
SCHEMA = {"type": "json_object"}
#: The template opens the thought, as DeepSeek-R1's does.
THINKING = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{{ message.content.split('</think>')[-1] }}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
<think>
{% endif -%}"""


def ask(server: Server, *messages: tuple[str, Any], model: str = MODEL, **more: Any) -> Reply:
    said = [{"role": role, "content": content} for role, content in messages]
    body = {"model": model, "messages": said, "temperature": 0, "max_tokens": 60}
    return server.post("chat/completions", body | more)


def message_of(reply: Reply) -> dict[str, Any]:
    assert reply.status == 200, reply
    return dict(reply.json["choices"][0]["message"])


HELLO = ("user", "Hello, who are you?")


@pytest.mark.parametrize("begun", [("assistant", "Let me see:"), ("user", "And now?")])
@pytest.mark.parametrize("form", [None, SCHEMA])
@pytest.mark.parametrize("choice", ["required", NAMED])
def test_a_forced_call_comes_whatever_stands_before_it(
    bundled_server: Server, begun: tuple[str, str], form: Any, choice: Any
) -> None:
    reply = ask(bundled_server, HELLO, begun, tools=TOOLS, tool_choice=choice, response_format=form)
    message = message_of(reply)
    (call,) = message["tool_calls"][:1]
    assert choice == "required" or call["function"]["name"] == "get_time"
    assert json.loads(call["function"]["arguments"])["city"] in ("Rome", "Oslo")


def test_each_choice_has_its_own_forced_call(bundled_server: Server) -> None:
    reply = ask(bundled_server, HELLO, tools=TOOLS, tool_choice=NAMED, n=3,
                parallel_tool_calls=False)  # fmt: skip
    calls = [choice["message"]["tool_calls"] for choice in reply.json["choices"]]
    assert [len(call) for call in calls] == [1, 1, 1]
    assert len({call[0]["id"] for call in calls}) == 3


def test_a_schema_beside_tools_holds_for_text(bundled_server: Server) -> None:
    message = message_of(ask(bundled_server, HELLO, tools=TOOLS, response_format=SCHEMA))
    if message["content"] is not None:
        assert message["content"].lstrip().startswith("{")


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"tools": TOOLS, "response_format": {"type": "regex", "regex": "a"}}, "response_format"),
        ({"tools": TOOLS, "logprobs": True}, "logprobs"),
        ({"chat_template_kwargs": {"enable_thinking": "yes"}}, "chat_template_kwargs"),
    ],
)
def test_what_cannot_go_together_is_named(bundled_server: Server, more: Any, param: str) -> None:
    reply = ask(bundled_server, HELLO, **more)
    assert (reply.status, reply.error["param"]) == (400, param)


def test_an_answer_that_has_begun_is_continued(bundled_server: Server) -> None:
    whole = message_of(ask(bundled_server, HELLO))["content"]
    rest = message_of(ask(bundled_server, HELLO, ("assistant", whole[:9])))["content"]
    assert rest
    assert not rest.startswith(whole[:9])


def test_an_answer_that_has_not_begun_is_a_new_one(bundled_server: Server) -> None:
    whole = ask(bundled_server, HELLO)
    begun = ask(bundled_server, HELLO, ("assistant", ""))
    assert message_of(begun) == message_of(whole)
    assert begun.json["usage"]["prompt_tokens"] == whole.json["usage"]["prompt_tokens"]


def test_two_answers_at_the_end_are_the_messages_fault(bundled_server: Server) -> None:
    reply = ask(bundled_server, HELLO, ("assistant", "a"), ("assistant", "b"))
    assert (reply.status, reply.error["param"]) == (400, "messages")


@pytest.mark.parametrize("form", [None, SCHEMA])
@pytest.mark.parametrize("stream", [False, True])
def test_the_bytes_of_the_scores_are_those_of_the_content(
    bundled_server: Server, form: Any, stream: bool
) -> None:
    reply = ask(bundled_server, HELLO, logprobs=True, response_format=form, stream=stream)
    content, scores = content_and_scores(reply)
    assert content
    assert bytes(byte for score in scores for byte in score["bytes"]).decode() == content


@pytest.fixture(scope="module")
def thinker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("opened")
    path = with_template(THINKING, directory / "thinker.gguf")
    with serving(f"thinker={path}", home=directory / "home") as server:
        yield server


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("logprobs", [False, True])
def test_a_thought_is_no_content_and_has_no_scores(
    thinker: Server, stream: bool, logprobs: bool
) -> None:
    form = {"type": "regex", "regex": "Some thought\n</think>\n\nAn answer"}
    reply = ask(thinker, HELLO, model="thinker", response_format=form, logprobs=logprobs,
                stream=stream)  # fmt: skip
    if stream:
        deltas = [event["choices"][0]["delta"] for event in reply.events]
        thought = "".join(delta.get("reasoning_content") or "" for delta in deltas)
    else:
        thought = message_of(reply)["reasoning_content"]
    content, scores = content_and_scores(reply)
    assert thought.strip() == "Some thought"
    assert content.strip() == "An answer"
    if logprobs:
        assert bytes(byte for score in scores for byte in score["bytes"]).decode() == content


def content_and_scores(reply: Reply) -> tuple[str, list[Any]]:
    if "event-stream" in reply.headers["content-type"]:
        choices = [event["choices"][0] for event in reply.events]
        content = "".join(choice["delta"].get("content") or "" for choice in choices)
    else:
        choices = reply.json["choices"]
        content = message_of(reply)["content"]
    found = [choice["logprobs"]["content"] for choice in choices if choice["logprobs"]]
    return content, [score for scores in found for score in scores]


def test_what_is_cached_is_told(bundled_server: Server) -> None:
    text = ("user", "Quite a long question, so that there is much to remember. " * 9)
    replies = [ask(bundled_server, text, max_tokens=1).json["usage"] for _ in range(2)]
    second = replies[1]
    assert second["prompt_tokens"] == replies[0]["prompt_tokens"]
    assert 0 < second["prompt_tokens_details"]["cached_tokens"] < second["prompt_tokens"]


def test_a_template_that_knows_no_tools_has_them_refused(thinker: Server) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    for choice in ("auto", "required"):
        reply = ask(thinker, HELLO, model="thinker", tools=[tool], tool_choice=choice)
        assert reply.status == 400
        assert reply.error["code"] == "unsupported_parameter"
        assert reply.error["param"] == "tools"
