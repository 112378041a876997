# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "llama-index-core==0.14.25",
#     "llama-index-embeddings-openai-like==0.4.0",
#     "llama-index-llms-openai-like==0.8.1",
#     "pytest==9.2.0",
# ]
# ///
"""LlamaIndex: OpenAILike (chat, completions, streams, tools, structured answers), embeddings."""

import asyncio
import math

import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike
from place import API_KEY, BASE_URL, CHAT, EMBED
from pydantic import BaseModel

HELLO = [ChatMessage(role="user", content="Hello")]


class Person(BaseModel):
    """A person."""

    name: str
    age: int


def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"Sunny in {city}."


@pytest.fixture
def llm() -> OpenAILike:
    return OpenAILike(
        model=CHAT,
        api_base=BASE_URL,
        api_key=API_KEY,
        is_chat_model=True,
        is_function_calling_model=True,
        context_window=2048,
        temperature=0,
        max_retries=0,
    )


@pytest.fixture
def embedder() -> OpenAILikeEmbedding:
    return OpenAILikeEmbedding(model_name=EMBED, api_base=BASE_URL, api_key=API_KEY)


def test_a_chat_is_the_same_streamed_and_not(llm: OpenAILike) -> None:
    whole = llm.chat(HELLO)
    *_, last = llm.stream_chat(HELLO)
    assert whole.message.content
    assert last.message.content == whole.message.content
    assert whole.additional_kwargs["completion_tokens"] > 0


def test_a_chat_without_waiting_is_the_same(llm: OpenAILike) -> None:
    assert asyncio.run(llm.achat(HELLO)).message.content == llm.chat(HELLO).message.content


def test_a_completion_is_the_same_streamed_and_not(llm: OpenAILike) -> None:
    llm.is_chat_model = False
    whole = llm.complete("Once upon a time", max_tokens=8)
    *_, last = llm.stream_complete("Once upon a time", max_tokens=8)
    assert whole.text
    assert last.text == whole.text


def test_a_required_tool_is_called(llm: OpenAILike) -> None:
    tool = FunctionTool.from_defaults(weather)
    asked = "What is the weather in Paris?"
    answer = llm.chat_with_tools([tool], user_msg=asked, tool_required=True)
    (call,) = llm.get_tool_calls_from_response(answer)
    assert call.tool_name == "weather"
    assert list(call.tool_kwargs) == ["city"]


def test_a_tool_is_called_and_its_result_is_answered(llm: OpenAILike) -> None:
    tool = FunctionTool.from_defaults(weather)
    answer = llm.predict_and_call([tool], user_msg="What is the weather in Paris?")
    assert answer.response.startswith("Sunny in ")


def test_streamed_tool_calls_add_up(llm: OpenAILike) -> None:
    tool = FunctionTool.from_defaults(weather)
    asked = "What is the weather in Paris?"
    *_, last = llm.stream_chat_with_tools([tool], user_msg=asked, tool_required=True)
    (call,) = llm.get_tool_calls_from_response(last)
    assert call.tool_name == "weather"
    assert list(call.tool_kwargs) == ["city"]


def test_an_answer_is_an_object(llm: OpenAILike) -> None:
    person = llm.as_structured_llm(Person).complete("Ada is 36.").raw
    assert isinstance(person, Person)


def test_texts_and_queries_are_embedded_alike(embedder: OpenAILikeEmbedding) -> None:
    one, two = embedder.get_text_embedding_batch(["a river", "a mill"])
    assert embedder.get_query_embedding("a river") == pytest.approx(one, abs=1e-4)
    assert math.hypot(*one) == pytest.approx(1, abs=1e-4)
    assert one != two


def test_an_index_finds_the_document_that_is_meant(embedder: OpenAILikeEmbedding) -> None:
    texts = ["A kitten sleeps on the sofa.", "The bank raised its interest rates."]
    documents = [Document(text=text) for text in texts]
    index = VectorStoreIndex.from_documents(documents, embed_model=embedder)
    (found,) = index.as_retriever(similarity_top_k=1).retrieve("a young cat")
    assert found.text == texts[0]
