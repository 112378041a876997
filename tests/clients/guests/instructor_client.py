# /// script
# requires-python = ">=3.11"
# dependencies = ["instructor==1.17.0", "pytest==9.2.0"]
# ///
"""instructor: answers as pydantic objects, by tools, by JSON and by a schema."""

import asyncio

import instructor
import pytest
from openai import AsyncOpenAI, OpenAI
from place import API_KEY, BASE_URL, CHAT
from pydantic import BaseModel

ASK = {"model": CHAT, "messages": [{"role": "user", "content": "Ada is 36."}], "temperature": 0}


class Person(BaseModel):
    name: str
    age: int


def client(mode: instructor.Mode = instructor.Mode.TOOLS) -> instructor.Instructor:
    return instructor.from_openai(OpenAI(base_url=BASE_URL, api_key=API_KEY), mode=mode)


@pytest.mark.parametrize("mode", ["TOOLS", "JSON_SCHEMA"])
def test_an_answer_is_an_object_at_the_first_try(mode: str) -> None:
    asked = client(instructor.Mode[mode])
    person = asked.chat.completions.create(**ASK, response_model=Person, max_retries=0)
    assert isinstance(person, Person)


def test_an_object_comes_in_parts() -> None:
    *_, last = client().chat.completions.create_partial(**ASK, response_model=Person)
    assert isinstance(last.name, str)
    assert isinstance(last.age, int)


def test_the_answer_itself_comes_with_the_object() -> None:
    asked = client().chat.completions.create_with_completion
    person, answer = asked(**ASK, response_model=Person)
    assert isinstance(person, Person)
    assert answer.usage.completion_tokens > 0


async def ask_without_waiting() -> Person:
    asked = instructor.from_openai(AsyncOpenAI(base_url=BASE_URL, api_key=API_KEY))
    return await asked.chat.completions.create(**ASK, response_model=Person, max_retries=0)


def test_the_client_that_does_not_wait_gets_an_object_too() -> None:
    assert isinstance(asyncio.run(ask_without_waiting()), Person)
