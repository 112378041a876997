"""The official Node client: one script asks, the tests look at what it was told."""

import json
from typing import Any

import pytest
from nodejs import SCRIPTS, Node
from serving import Server

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def told(node: Node, bundled_server: Server) -> Any:
    """What node/openai.mjs prints."""
    return json.loads(node.run((SCRIPTS / "openai.mjs").read_text(), bundled_server))


def test_a_chat_is_the_same_streamed_and_not(told: Any) -> None:
    assert told["whole"]["text"]
    assert told["streamed"]["text"] == told["whole"]["text"]
    assert told["streamed"]["reason"] == "stop"


def test_usage_is_read_on_the_chunk_that_finishes(told: Any) -> None:
    assert told["streamed"]["usage"]["total_tokens"] == told["whole"]["usage"]["total_tokens"]


def test_models_are_listed_and_found(told: Any) -> None:
    assert {"penstock/tiny-chat", "penstock/tiny-embed"} <= set(told["models"])
    assert told["model"] == "penstock/tiny-chat"


def test_the_default_encoding_gives_the_same_vector_as_floats(told: Any) -> None:
    assert told["vector"] == pytest.approx(told["floats"], abs=1e-6)
    assert sum(number * number for number in told["vector"]) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("what", "kind", "status", "code", "param"),
    [
        ("notFound", "NotFoundError", 404, "model_not_found", "model"),
        ("badRequest", "BadRequestError", 400, "invalid_value", "temperature"),
        ("badKey", "AuthenticationError", 401, "invalid_api_key", None),
    ],
)
def test_an_error_is_of_the_right_class(
    what: str, kind: str, status: int, code: str, param: str | None, told: Any
) -> None:
    error = told[what]
    assert (error["kind"], error["status"]) == (kind, status)
    assert (error["code"], error["param"]) == (code, param)
    assert error["requestID"]
