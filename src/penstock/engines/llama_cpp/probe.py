"""Whether llguidance could make a grammar: llama.cpp goes on without one, and does not say so."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from penstock.domain.errors import InvalidRequest
from penstock.domain.event import Event
from penstock.engines.base import Batches
from penstock.engines.llama_cpp.prompt import ask, tokenize
from penstock.http.client import Client

#: What every probing answer must begin with, and what the model is pushed to say instead.
OPENING, TEMPTATION = "!", "a"
PUSH = 1e6
MOST_REMEMBERED = 256


class _Completion(msgspec.Struct):
    content: str


class GrammarProbe:
    """Asks an engine for one token under each new grammar, and remembers what came of it."""

    def __init__(self) -> None:
        self._works: dict[str, bool] = {}

    async def before(
        self, answer: Batches, client: Client, grammar: str, param: str
    ) -> AsyncGenerator[list[Event], None]:
        """`answer`. Raises InvalidRequest, and asks for no answer, if `grammar` has no effect."""
        async with aclosing(answer) as batches:
            if not await self._has_effect(client, grammar):
                raise InvalidRequest(
                    f"The engine can make no grammar of '{param}': it contradicts itself, or asks "
                    "for what no grammar can keep to.",
                    param=param,
                )
            async for batch in batches:
                yield batch

    async def _has_effect(self, client: Client, grammar: str) -> bool:
        if grammar not in self._works:
            works = await self._try(client, grammar)
            if len(self._works) >= MOST_REMEMBERED:
                del self._works[next(iter(self._works))]
            self._works[grammar] = works
        return self._works[grammar]

    async def _try(self, client: Client, grammar: str) -> bool:
        tempting = (await tokenize(client, TEMPTATION))[-1].id
        body = {
            "prompt": [tempting],
            "n_predict": 1,
            "grammar": grammar.replace("start:", f'start: "{OPENING}" rest\nrest:', 1),
            "logit_bias": [[tempting, PUSH]],
            "temperature": 0,
        }
        answer: _Completion = await ask(client, "/completion", body, _Completion)
        return answer.content.startswith(OPENING)
