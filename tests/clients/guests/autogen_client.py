# /// script
# requires-python = ">=3.11"
# dependencies = ["autogen-agentchat==0.7.5", "autogen-ext[openai]==0.7.5", "pytest==9.2.0"]
# ///
"""AutoGen: its OpenAI client, and an agent that uses a tool through it."""

import asyncio
from typing import Any

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.messages import ToolCallExecutionEvent
from autogen_core.models import CreateResult, ModelInfo, UserMessage
from autogen_core.tools import FunctionTool
from autogen_ext.models.openai import OpenAIChatCompletionClient
from place import API_KEY, BASE_URL, CHAT
from pydantic import BaseModel

HELLO = [UserMessage(content="Hello", source="user")]
WEATHER = [UserMessage(content="What is the weather in Paris?", source="user")]


class Person(BaseModel):
    name: str
    age: int


async def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"Sunny in {city}."


TOOL = FunctionTool(weather, description="Tell the weather of a city.", strict=True)


def client(**more: Any) -> OpenAIChatCompletionClient:
    info = ModelInfo(
        vision=False,
        function_calling=True,
        json_output=True,
        family="unknown",
        structured_output=True,
    )
    return OpenAIChatCompletionClient(
        model=CHAT,
        base_url=BASE_URL,
        api_key=API_KEY,
        model_info=info,
        temperature=0,
        max_retries=0,
        **more,
    )


async def streamed(*asked: Any, **more: Any) -> tuple[str, CreateResult]:
    """The pieces of text in one, and the result at the end."""
    *pieces, last = [piece async for piece in client().create_stream(*asked, **more)]
    assert isinstance(last, CreateResult)
    return "".join(piece for piece in pieces if isinstance(piece, str)), last


def test_a_chat_is_the_same_streamed_and_not() -> None:
    whole = asyncio.run(client().create(HELLO))
    text, last = asyncio.run(streamed(HELLO))
    assert whole.content
    assert text == last.content == whole.content
    assert last.usage == whole.usage


def test_a_stream_says_why_it_ended_if_usage_is_asked_for() -> None:
    # Unasked, usage stands on the chunk with the finish reason, as at DeepInfra; AutoGen reads the
    # reason of chunks without usage only.
    whole = asyncio.run(client().create(HELLO))
    _, last = asyncio.run(streamed(HELLO, include_usage=True))
    assert last.finish_reason == whole.finish_reason == "stop"
    assert last.usage == whole.usage


@pytest.mark.parametrize("choice", ["required", TOOL])
def test_a_forced_tool_is_called(choice: Any) -> None:
    answer = asyncio.run(client().create(WEATHER, tools=[TOOL], tool_choice=choice))
    (call,) = answer.content
    assert call.name == "weather"
    assert answer.finish_reason == "function_calls"


def test_streamed_tool_calls_add_up() -> None:
    _, last = asyncio.run(streamed(WEATHER, tools=[TOOL], tool_choice="required"))
    (call,) = last.content
    assert call.name == "weather"
    assert call.arguments.startswith('{"city"')


def test_an_answer_is_an_object() -> None:
    asked = [UserMessage(content="Ada is 36.", source="user")]
    answer = asyncio.run(client().create(asked, json_output=Person))
    assert Person.model_validate_json(answer.content)


def test_an_agent_uses_a_tool_and_says_what_it_found() -> None:
    agent = AssistantAgent("assistant", client(), tools=[weather], reflect_on_tool_use=True)
    result = asyncio.run(agent.run(task="What is the weather in Paris?"))
    executed = [each for each in result.messages if isinstance(each, ToolCallExecutionEvent)]
    assert [each.content[0].is_error for each in executed] == [False]
    assert result.messages[-1].content
