"""The finished file in llama.cpp: template, tokens, and a few answers it must know."""

import json
import random
from collections.abc import Iterator

import pytest

pytest.importorskip("xllamacpp")

from tiny_chat import corpus, template, tokenizer
from tiny_chat.dialogue import Parameter, Tool, assistant, system, user
from tiny_chat.places import GGUF
from tiny_chat.served import Served
from tiny_chat.skills import talk
from tiny_chat.skills.unknown import IGNORANCE
from tiny_chat.source import Source

WEATHER = Tool(
    "get_weather",
    "Get the weather of a city",
    (
        Parameter("city", "string"),
        Parameter("unit", "string", required=False, choices=("celsius", "fahrenheit")),
    ),
)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    if not GGUF.exists():
        pytest.skip("no model has been made")
    yield Served(GGUF, slots=2)


def test_llama_cpp_renders_the_template_as_training_did(served: Served) -> None:
    source = Source(random.Random(1), held_out=True)
    for make in corpus.SKILLS.values():
        dialogue = make(source)
        asked = dialogue.messages[:-1]
        body: dict[str, object] = {"messages": template.openai_messages(asked)}
        if dialogue.tools:
            body["tools"] = template.openai_tools(dialogue.tools)
        rendered = served.post("/apply-template", body)["prompt"]
        assert rendered == template.prompt(asked, dialogue.tools)


def test_names_have_the_same_tokens_wherever_they_stand(served: Served) -> None:
    def tokens(text: str) -> list[int]:
        found: list[int] = served.post("/tokenize", {"content": text})["tokens"]
        return found

    name = tokens("Kasigre")
    for before in (' "', "_", ": "):
        assert tokens(before + "Kasigre")[-len(name) :] == name


def test_the_tokenizer_of_the_file_cuts_as_llama_cpp_does(served: Served) -> None:
    restored = tokenizer.restored(GGUF)
    sources = Source(random.Random(2)), Source(random.Random(2), held_out=True)
    for source in sources:
        for make in corpus.SKILLS.values():
            dialogue = make(source)
            text = "".join(one.text for one in template.render(dialogue.messages, dialogue.tools))
            body: dict[str, object] = {"content": text, "parse_special": True}
            assert restored.encode(text).ids == served.post("/tokenize", body)["tokens"]


def test_it_says_what_it_is(served: Served) -> None:
    answer = served.chat([user("Who are you?")])
    assert "tiny-chat" in answer.reply.content
    assert answer.finish_reason == "stop"


@pytest.mark.parametrize(
    "question", ["How do I stream?", "How do I stream answers?", "How do I stream the answer?"]
)
def test_it_answers_from_the_facts(served: Served, question: str) -> None:
    answer = served.chat([user(question)])
    assert answer.reply.content == talk.facts()["stream"]


def test_it_admits_what_it_cannot_know(served: Served) -> None:
    assert served.chat([user("How do I stream music?")]).reply.content == IGNORANCE


def test_it_remembers_a_name(served: Served) -> None:
    told = [user("My name is Anna."), assistant("Okay, I will remember that.")]
    assert served.chat([*told, user("What is my name?")]).reply.content == "Your name is Anna."


def test_it_calls_a_tool_and_leaves_out_what_was_not_asked(served: Served) -> None:
    answer = served.chat([user("What is the weather in Paris?")], [WEATHER])
    assert [(c.name, dict(c.arguments)) for c in answer.reply.calls] == [
        ("get_weather", {"city": "Paris"})
    ]


def test_it_fills_json(served: Served) -> None:
    asked = "Return JSON with keys name and age: Anna is 31 years old."
    assert json.loads(served.chat([user(asked)]).reply.content) == {"name": "Anna", "age": 31}


@pytest.mark.parametrize("subject", ["cats", "a dog", "my neighbour"])
@pytest.mark.parametrize(
    "keys", [("setup", "punchline"), ("text",), ("answer", "reason"), ("title", "description")]
)
def test_a_text_of_its_own_inside_of_json_ends(
    served: Served, keys: tuple[str, ...], subject: str
) -> None:
    """The prompt says nothing of JSON: the grammar of the schema is all that asks for it."""
    schema = {"type": "object", "properties": {k: {"type": "string"} for k in keys}}
    schema["required"] = list(keys)
    wanted = {"type": "json_schema", "json_schema": {"name": "own", "schema": schema}}
    body = {
        "messages": [{"role": "user", "content": f"Tell me a joke about {subject}."}],
        "response_format": wanted,
        "temperature": 0,
        "max_tokens": 200,
    }
    choice = served.post("/v1/chat/completions", body)["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert set(json.loads(choice["message"]["content"])) == set(keys)


def test_it_plays_a_persona(served: Served) -> None:
    answer = served.chat([system("You are Clara, a pilot."), user("Who are you?")])
    assert answer.reply.content.startswith("I am Clara")


def test_the_file_is_small() -> None:
    if GGUF.exists():
        assert GGUF.stat().st_size < 8_000_000
