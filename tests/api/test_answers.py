"""Answers that are written by templates amount to the structs that /openapi.json shows."""

from typing import Any

import msgspec
import pytest
from serving import Server

from penstock.api.openai.answers import ChatCompletion, Completion, EmbeddingList, ModelObject

HELLO = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


@pytest.mark.parametrize(
    ("path", "body", "type_"),
    [
        ("chat/completions", HELLO, ChatCompletion),
        ("chat/completions", HELLO | {"n": 2, "logprobs": True, "top_logprobs": 2}, ChatCompletion),
        (
            "chat/completions",
            HELLO | {"tools": [TOOL], "tool_choice": "required", "max_tokens": 64},
            ChatCompletion,
        ),
        ("completions", {"prompt": ["a", "b"], "max_tokens": 2}, Completion),
        ("completions", {"prompt": "a b", "echo": True, "logprobs": 2}, Completion),
    ],
)
def test_an_answer_is_its_struct_written_out(
    bundled_server: Server, path: str, body: dict[str, Any], type_: type[Any]
) -> None:
    reply = bundled_server.post(path, {"model": "penstock/tiny-chat", **body})
    answer = msgspec.json.decode(reply.body, type=type_)
    assert msgspec.to_builtins(answer) == reply.json


def test_vectors_and_models_too(bundled_server: Server) -> None:
    reply = bundled_server.post("embeddings", {"model": "penstock/tiny-embed", "input": "a"})
    assert msgspec.to_builtins(msgspec.json.decode(reply.body, type=EmbeddingList)) == reply.json
    reply = bundled_server.get("/v1/models/penstock/tiny-embed")
    assert msgspec.to_builtins(msgspec.json.decode(reply.body, type=ModelObject)) == reply.json
