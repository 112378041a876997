"""The finished file inside llama.cpp, asked over HTTP as Penstock asks it."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xllamacpp

from tiny_chat.dialogue import Call, Message, Reply, Tool
from tiny_chat.template import openai_messages, openai_tools

_CONTEXT = 2048


@dataclass(frozen=True)
class Answer:
    reply: Reply
    finish_reason: str
    completion_tokens: int
    tokens_per_second: float


class Served:
    """A running model. Keep it for the life of the process: stopping is the process's end."""

    def __init__(self, gguf: Path, slots: int = 8) -> None:
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(gguf)
        parameters.port = 0
        parameters.verbosity = 0
        parameters.n_parallel = slots
        parameters.n_ctx = _CONTEXT * slots
        parameters.n_threads_http = 2 * slots + 2
        parameters.cpuparams.n_threads = 1
        parameters.cpuparams_batch.n_threads = 1
        parameters.cache_ram_mib = 0
        parameters.ui = False
        started = time.monotonic()
        self.server = xllamacpp.Server(parameters)
        self.load_seconds = time.monotonic() - started
        self.slots = slots

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            self.server.listening_address + path,
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=120) as response:
            answer: dict[str, Any] = json.load(response)
        return answer

    def chat(
        self, messages: Sequence[Message], tools: Sequence[Tool] = (), max_tokens: int = 200
    ) -> Answer:
        body: dict[str, Any] = {
            "messages": openai_messages(messages),
            "temperature": 0,
            "max_tokens": max_tokens,
        }
        if tools:
            body |= {"tools": openai_tools(tools), "parallel_tool_calls": True}
        answer = self.post("/v1/chat/completions", body)
        choice = answer["choices"][0]
        return Answer(
            _reply(choice["message"]),
            choice["finish_reason"],
            answer["usage"]["completion_tokens"],
            answer["timings"]["predicted_per_second"],
        )


def _reply(message: dict[str, Any]) -> Reply:
    calls = []
    for call in message.get("tool_calls") or []:
        function = call["function"]
        try:
            arguments = json.loads(function["arguments"])
        except json.JSONDecodeError:
            arguments = {"": function["arguments"]}
        calls.append(Call(function["name"], arguments))
    return Reply(message.get("content") or "", tuple(calls))
