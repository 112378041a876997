"""Conversations in which somebody spells a control token: the same answer, by way of token ids.

vLLM's chat endpoint reads every spelling as the token. So a conversation is rendered with marks in
place of the spellings, what was said is tokenised in pieces that spell nothing, and the prompt goes
to `/v1/completions` as ids. docs/decisions/0010-prompts-are-data.md has the reasons.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing

import msgspec

from penstock.domain.event import Event
from penstock.domain.generation import Generation, Tokens
from penstock.engines.base import Batches
from penstock.engines.control_tokens import ControlTokens, Masked


class LiteralPrompt(msgspec.Struct, frozen=True):
    """`masked` are the fields of a request that its template reads.

    The engine is asked by `render` for a conversation's text, and by `tokenize` for a text's ids.
    """

    control: ControlTokens
    masked: Masked
    render: Callable[[Masked], Awaitable[str]]
    tokenize: Callable[[str], Awaitable[list[int]]]

    async def answer(
        self, call: Generation, go_on: Callable[[Generation], Batches]
    ) -> AsyncGenerator[list[Event], None]:
        """Batches of events, of what `go_on` makes of the call with token ids for a prompt."""
        ids: list[int] = []
        for piece in self.pieces(await self.render(self.masked)):
            ids += await self.tokenize(piece)
        with_ids = msgspec.structs.replace(call, prompt=Tokens(tuple(ids)))
        async with aclosing(go_on(with_ids)) as batches:
            async for batch in batches:
                yield batch

    def pieces(self, rendered: str) -> Iterator[str]:
        """Texts to be tokenised one by one: what was said spells no control token in any."""
        for stretch in self.control.stretches(rendered, self.masked):
            if stretch.literal:
                yield from self.control.cut(stretch.text)
            elif stretch.text:
                yield stretch.text
