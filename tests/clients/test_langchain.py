"""LangChain's OpenAI classes, pointed at Penstock."""

from typing import Any

import pytest
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, SecretStr
from serving import Server

CHAT = "penstock/tiny-chat"
EMBED = "penstock/tiny-embed"


class Person(BaseModel):
    """A person."""

    name: str
    age: int


def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"Sunny in {city}."


def time(zone: str) -> str:
    """Tell the time of a zone."""
    return f"Noon in {zone}."


@pytest.fixture
def chat(bundled_server: Server) -> ChatOpenAI:
    return ChatOpenAI(
        model=CHAT,
        base_url=bundled_server.url,
        api_key=SecretStr(bundled_server.key),
        temperature=0,
        max_retries=0,
    )


def embeddings(server: Server) -> OpenAIEmbeddings:
    # With check_embedding_ctx_length (the default) LangChain counts tokens first, for which it
    # fetches OpenAI's vocabulary from the net, and sends token ids: see the last test.
    return OpenAIEmbeddings(
        model=EMBED,
        base_url=server.url,
        api_key=SecretStr(server.key),
        check_embedding_ctx_length=False,
    )


def test_invoke_answers_and_counts(chat: ChatOpenAI) -> None:
    answer = chat.invoke("Hello")
    assert answer.text
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["output_tokens"] > 0
    assert answer.response_metadata["finish_reason"] == "stop"


def test_stream_gives_the_same_text_and_usage(chat: ChatOpenAI) -> None:
    whole = chat.invoke("Hello")
    first, *chunks = chat.stream("Hello")
    added = sum(chunks, first)
    assert added.text == whole.text
    assert added.usage_metadata is not None
    assert whole.usage_metadata is not None
    assert added.usage_metadata["total_tokens"] == whole.usage_metadata["total_tokens"]


async def test_ainvoke_answers(chat: ChatOpenAI) -> None:
    assert (await chat.ainvoke([("system", "Be brief."), ("human", "Hello")])).text


@pytest.mark.parametrize("name", ["weather", "time"])
def test_a_forced_tool_is_the_one_that_is_called(name: str, chat: ChatOpenAI) -> None:
    bound = chat.bind_tools([weather, time], tool_choice=name)
    (call,) = bound.invoke("Hello").tool_calls
    assert call["name"] == name
    assert list(call["args"]) == [{"weather": "city", "time": "zone"}[name]]


def test_structured_output_follows_the_schema(chat: ChatOpenAI) -> None:
    person = chat.with_structured_output(Person, method="json_schema").invoke("Ada is 36.")
    assert isinstance(person, Person)


def test_documents_and_queries_are_embedded_alike(bundled_server: Server) -> None:
    model = embeddings(bundled_server)
    one, two = model.embed_documents(["a river", "a mill"])
    assert model.embed_query("a river") == pytest.approx(one, abs=1e-4)
    assert one != two


@pytest.mark.parametrize("given", [[[5, 6, 7]], [[5, 6, 7], [8]], [5, 6, 7]])
def test_token_ids_are_taken_where_texts_are(given: Any, bundled_server: Server) -> None:
    answer = bundled_server.post("embeddings", {"model": EMBED, "input": given})
    rows = answer.json["data"]
    assert answer.status == 200
    assert len(rows) == (len(given) if isinstance(given[0], list) else 1)
