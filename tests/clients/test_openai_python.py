"""The official Python client, as its users use it."""

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from serving import Server

CHAT = "penstock/tiny-chat"
EMBED = "penstock/tiny-embed"
FAST = "fast"
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello"}]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
PERSON = {
    "type": "object",
    "properties": {"name": {"enum": ["Ada", "Grace"]}, "adult": {"type": "boolean"}},
    "required": ["name", "adult"],
    "additionalProperties": False,
}


@pytest.fixture
def client(bundled_server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=bundled_server.url, api_key=bundled_server.key, max_retries=0) as client:
        yield client


@pytest.fixture
def fakes(fake_server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=fake_server.url, api_key=fake_server.key, max_retries=0) as client:
        yield client


# -- chat -------------------------------------------------------------------------------------


def test_a_chat_is_the_same_streamed_and_not(client: OpenAI) -> None:
    whole = client.chat.completions.create(model=CHAT, messages=HELLO, temperature=0)
    with client.chat.completions.create(
        model=CHAT, messages=HELLO, temperature=0, stream=True
    ) as stream:
        chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == whole.choices[0].message.content
    assert text
    assert chunks[0].choices[0].delta.role == "assistant"
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    assert [c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason] == ["stop"]


def test_usage_comes_unasked_on_the_chunk_that_finishes(client: OpenAI) -> None:
    whole = client.chat.completions.create(model=CHAT, messages=HELLO, temperature=0)
    with client.chat.completions.create(
        model=CHAT, messages=HELLO, temperature=0, stream=True
    ) as stream:
        *_, last = stream
    assert last.choices[0].finish_reason
    assert last.usage is not None
    assert whole.usage is not None
    assert last.usage.total_tokens == whole.usage.total_tokens


def test_include_usage_puts_it_in_a_last_chunk_without_choices(client: OpenAI) -> None:
    with client.chat.completions.create(
        model=CHAT, messages=HELLO, stream=True, stream_options={"include_usage": True}
    ) as stream:
        *others, last = stream
    assert last.choices == []
    assert last.usage is not None
    assert all(chunk.usage is None and chunk.choices for chunk in others)


@pytest.mark.parametrize("model", ["org/name-with.slashes", FAST])
async def test_the_async_client_works_too(model: str, fake_server: Server) -> None:
    async with AsyncOpenAI(base_url=fake_server.url, api_key=fake_server.key) as client:
        whole = await client.chat.completions.create(model=model, messages=HELLO)
        stream = await client.chat.completions.create(model=model, messages=HELLO, stream=True)
        async with stream:
            text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
        vectors = await client.embeddings.create(model=model, input=["a", "b"])
    assert text == whole.choices[0].message.content
    assert [item.index for item in vectors.data] == [0, 1]


def test_n_choices_come_whole_and_their_prompt_counts_once(fakes: OpenAI) -> None:
    one = fakes.chat.completions.create(model=FAST, messages=HELLO, max_tokens=5)
    two = fakes.chat.completions.create(model=FAST, messages=HELLO, max_tokens=5, n=2, seed=1)
    assert [choice.index for choice in two.choices] == [0, 1]
    assert len({choice.message.content for choice in two.choices}) == 2
    assert one.usage is not None
    assert two.usage is not None
    assert two.usage.prompt_tokens == one.usage.prompt_tokens
    assert two.usage.completion_tokens == 10


def test_n_choices_stream_interleaved_and_each_finishes_once(fakes: OpenAI) -> None:
    texts = {0: "", 1: ""}
    finished = []
    with fakes.chat.completions.create(
        model=FAST, messages=HELLO, max_tokens=5, n=2, seed=1, stream=True
    ) as stream:
        for chunk in stream:
            (choice,) = chunk.choices
            texts[choice.index] += choice.delta.content or ""
            finished += [choice.index] if choice.finish_reason else []
    whole = fakes.chat.completions.create(model=FAST, messages=HELLO, max_tokens=5, n=2, seed=1)
    assert sorted(finished) == [0, 1]
    assert [texts[0], texts[1]] == [choice.message.content for choice in whole.choices]


def test_logprobs_spell_the_answer(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model=CHAT, messages=HELLO, temperature=0, logprobs=True, top_logprobs=2
    )
    (choice,) = answer.choices
    assert choice.logprobs is not None
    scores = choice.logprobs.content or []
    spelled = b"".join(bytes(score.bytes or []) for score in scores)
    assert spelled.decode() == choice.message.content
    assert all(score.logprob <= 0 and len(score.top_logprobs) == 2 for score in scores)


def test_a_json_schema_is_kept_to(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model=CHAT,
        messages=HELLO,
        response_format={"type": "json_schema", "json_schema": {"name": "p", "schema": PERSON}},
    )
    person = json.loads(answer.choices[0].message.content or "")
    assert set(person) == {"name", "adult"}
    assert person["name"] in ("Ada", "Grace")


# -- tools ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "choice", ["required", {"type": "function", "function": {"name": "weather"}}]
)
def test_a_forced_tool_is_called(choice: Any, client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model=CHAT,
        messages=HELLO,
        tools=[WEATHER],
        tool_choice=choice,
        parallel_tool_calls=False,
        temperature=0,
        max_tokens=200,
    )
    (call,) = answer.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert call.function.name == "weather"
    assert "city" in json.loads(call.function.arguments)


@pytest.mark.parametrize("model", [CHAT, FAST])
def test_a_streamed_call_names_itself_once(model: str, client: OpenAI, fakes: OpenAI) -> None:
    with (client if model == CHAT else fakes).chat.completions.create(
        model=model,
        messages=HELLO,
        tools=[WEATHER],
        tool_choice="required",
        parallel_tool_calls=False,
        temperature=0,
        stream=True,
    ) as stream:
        chunks = list(stream)
    pieces = [piece for chunk in chunks for piece in chunk.choices[0].delta.tool_calls or []]
    first, *later = [(piece.index, piece.id, piece.type, piece.function) for piece in pieces]
    assert first[0] == 0
    assert first[1]
    assert first[2] == "function"
    assert first[3] is not None
    assert first[3].name == "weather"
    assert all(i == 0 and not id and fn and fn.name is None for i, id, _, fn in later)
    arguments = "".join(fn.arguments or "" for *_, fn in (first, *later) if fn)
    assert "city" in json.loads(arguments)
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


# -- completions, embeddings, models ----------------------------------------------------------


def test_a_completion_is_the_same_streamed_and_not(client: OpenAI) -> None:
    whole = client.completions.create(model=CHAT, prompt="Hello", temperature=0)
    with client.completions.create(
        model=CHAT, prompt="Hello", temperature=0, stream=True
    ) as stream:
        chunks = list(stream)
    assert "".join(chunk.choices[0].text for chunk in chunks) == whole.choices[0].text
    assert chunks[-1].usage is not None
    assert whole.usage is not None
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens <= 16


def test_prompts_and_choices_are_numbered_as_at_openai(fakes: OpenAI) -> None:
    answer = fakes.completions.create(model=FAST, prompt=["one", "two"], n=2, echo=True)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert [choice.text[:3] for choice in answer.choices] == ["one", "one", "two", "two"]


def test_an_echo_with_logprobs_scores_the_prompt(client: OpenAI) -> None:
    answer = client.completions.create(
        model=CHAT, prompt="Hello there", echo=True, logprobs=1, max_tokens=1, temperature=0
    )
    (choice,) = answer.choices
    assert choice.text.startswith("Hello there")
    assert choice.logprobs is not None
    first, *others = choice.logprobs.token_logprobs or []
    assert first is None
    assert others
    assert all(number is not None and number <= 0 for number in others)


def test_embeddings_are_equal_as_base64_and_as_floats(client: OpenAI) -> None:
    texts = ["a river", "a mill"]
    default = client.embeddings.create(model=EMBED, input=texts)  # the client asks for base64
    floats = client.embeddings.create(model=EMBED, input=texts, encoding_format="float")
    for one, other in zip(default.data, floats.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
        assert math.hypot(*one.embedding) == pytest.approx(1, abs=1e-4)
    assert default.usage == floats.usage


def test_models_are_listed_and_found_by_ids_with_slashes(fakes: OpenAI) -> None:
    listed = [model.id for model in fakes.models.list()]
    assert "org/name-with.slashes" in listed
    assert [fakes.models.retrieve(name).id for name in listed] == listed


# -- errors -----------------------------------------------------------------------------------

BAD = [
    ({"temperature": 3}, "temperature", "invalid_value"),
    ({"messages": []}, "messages", "invalid_value"),
    ({"extra_body": {"mirostat": 2}}, "mirostat", "unknown_parameter"),
    ({"stream_options": {"include_usage": True}}, "stream_options", "invalid_value"),
    ({"tool_choice": "required"}, "tool_choice", "invalid_value"),
]


@pytest.mark.parametrize(("fields", "param", "code"), BAD)
def test_a_bad_request_names_the_field(
    fields: dict[str, Any], param: str, code: str, fakes: OpenAI
) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        fakes.chat.completions.create(**{"model": FAST, "messages": HELLO, **fields})
    assert (raised.value.param, raised.value.code) == (param, code)
    assert raised.value.request_id


@pytest.mark.parametrize("key", ["wrong", "sk-penstock-", "jwt:e30.e30."])
def test_a_wrong_key_is_an_authentication_error(key: str, fake_server: Server) -> None:
    with (
        OpenAI(base_url=fake_server.url, api_key=key, max_retries=0) as client,
        pytest.raises(openai.AuthenticationError) as raised,
    ):
        client.models.list()
    assert raised.value.code == "invalid_api_key"
    assert key not in raised.value.message


@pytest.mark.parametrize("ask", ["chat", "completions", "embeddings", "models"])
def test_an_unknown_model_is_not_found(ask: str, fakes: OpenAI) -> None:
    name = "no/such-model"
    asks: dict[str, Callable[[], object]] = {
        "chat": lambda: fakes.chat.completions.create(model=name, messages=HELLO, stream=True),
        "completions": lambda: fakes.completions.create(model=name, prompt="x"),
        "embeddings": lambda: fakes.embeddings.create(model=name, input="x"),
        "models": lambda: fakes.models.retrieve(name),
    }
    with pytest.raises(openai.NotFoundError) as raised:
        asks[ask]()
    assert (raised.value.param, raised.value.code) == ("model", "model_not_found")


def test_a_busy_model_is_a_rate_limit_error(fakes: OpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as raised:
        fakes.chat.completions.create(model="status-429", messages=HELLO)
    assert raised.value.code == "rate_limit_exceeded"
    assert int(raised.value.response.headers["retry-after"]) >= 1


def test_a_failing_engine_is_a_server_error(fakes: OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as raised:
        fakes.chat.completions.create(model="status-500", messages=HELLO)
    assert (raised.value.status_code, raised.value.code) == (502, "engine_error")


def test_an_error_in_the_middle_of_a_stream_is_raised(fakes: OpenAI) -> None:
    def read_all() -> None:
        with fakes.chat.completions.create(model="error", messages=HELLO, stream=True) as stream:
            list(stream)

    with pytest.raises(openai.APIError, match="broke, as it was told to"):
        read_all()


def test_a_raw_response_has_a_request_id(fakes: OpenAI) -> None:
    ids = set()
    for _ in range(2):
        raw = fakes.chat.completions.with_raw_response.create(model=FAST, messages=HELLO)
        ids.add(raw.headers["x-request-id"])
        assert raw.parse().choices
    assert len(ids) == 2
