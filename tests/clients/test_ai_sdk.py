"""Vercel's AI SDK: one script asks through two of its providers, the tests look at what it got."""

import base64
import io
import json
from typing import Any

import pytest
from nodejs import SCRIPTS, Node
from PIL import Image
from serving import Server

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def answers(node: Node, bundled_server: Server) -> Any:
    """What node/ai.mjs prints."""
    return json.loads(node.run((SCRIPTS / "ai.mjs").read_text(), bundled_server))


@pytest.fixture(params=["compatible", "deepinfra"])
def told(answers: Any, request: pytest.FixtureRequest) -> Any:
    """What one provider was told."""
    return answers[request.param]


def test_a_chat_is_the_same_streamed_and_not(told: Any) -> None:
    whole, streamed = told["whole"], told["streamed"]
    assert whole["text"]
    assert (streamed["text"], streamed["reason"]) == (whole["text"], whole["reason"])
    assert whole["reason"] == "stop"


def test_usage_is_counted_streamed_and_not(told: Any) -> None:
    counts = ("inputTokens", "outputTokens", "totalTokens")
    whole, streamed = told["whole"]["usage"], told["streamed"]["usage"]
    assert whole["outputTokens"] > 0
    assert [streamed[name] for name in counts] == [whole[name] for name in counts]


def test_a_completion_has_the_length_that_was_asked_for(told: Any) -> None:
    assert told["completion"]["outputTokens"] == 8


@pytest.mark.parametrize("calls", ["calls", "streamedCalls"])
def test_a_forced_tool_is_called(calls: str, told: Any) -> None:
    (call,) = told[calls]
    assert call["toolName"] == "weather"
    assert list(call["input"]) == ["city"]


def test_a_tools_result_is_answered(told: Any) -> None:
    *called, last = told["steps"]
    assert all(output.startswith("Sunny in ") for outputs in called for output in outputs)
    assert last == [] or len(called) == 2
    assert [result["output"][:9] for result in told["results"]] == ["Sunny in "]


@pytest.mark.parametrize("name", ["object", "output", "streamedObject"])
def test_an_object_follows_the_schema(name: str, told: Any) -> None:
    assert set(told[name]) == {"name", "age"}
    assert isinstance(told[name]["name"], str)
    assert isinstance(told[name]["age"], int)


def test_one_text_is_embedded_as_among_many(told: Any) -> None:
    first, second = told["many"]
    assert told["one"] == pytest.approx(first, abs=1e-4)
    assert first != second


def test_an_error_has_the_servers_sentence_and_status(told: Any) -> None:
    assert told["notFound"]["status"] == 404
    assert "no/such" in told["notFound"]["message"]


def size(picture: str) -> tuple[int, int]:
    return Image.open(io.BytesIO(base64.b64decode(picture))).size


def test_pictures_are_drawn_and_edited(answers: Any) -> None:
    pictures = answers["pictures"]
    for drawn in pictures["drawn"].values():
        assert [size(picture) for picture in drawn] == [(64, 64)] * 2
    for edited in pictures["edited"].values():
        assert [size(picture) for picture in edited] == [(64, 64)]
