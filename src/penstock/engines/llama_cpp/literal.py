"""Conversations in which somebody spells a control token: the same answer, by way of token ids.

llama.cpp's chat endpoint reads every spelling as the token. So the template is rendered by
`/apply-template` with marks in place of the spellings, what was said is tokenised as text, and the
prompt goes to `/v1/completions` as ids. What that endpoint does not do, tool calls and reasoning,
is done with the engine's own grammar and the engine's own parser: the chat endpoint tells the
grammar of a conversation, and takes an answer apart that is handed to it as one to be continued.
docs/decisions/0010-prompts-are-data.md has the reasons.
"""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Any

import msgspec

from penstock.domain.errors import EngineFailed, InvalidRequest, UnsupportedParameter
from penstock.domain.event import (
    Event,
    Finished,
    Reasoning,
    ScoredText,
    Started,
    Text,
    TokenLogprob,
    ToolCall,
)
from penstock.domain.generation import Generation
from penstock.engines.answer import Answer
from penstock.engines.control_tokens import ControlTokens, Masked, Stretch
from penstock.engines.llama_cpp.prompt import CERTAIN, Rendered, ask
from penstock.engines.llama_cpp.refusal import refusal
from penstock.engines.stop import StopScanner
from penstock.http.client import Client

#: Fields of a request that its template reads.
TEMPLATE_FIELDS = (
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "chat_template_kwargs",
)
#: A template with none of these has no reasoning to set apart.
REASONING_SIGNS = ("think", "reason", "channel", "THINK")

_FORCED_ROOT = re.compile(r"^root ::= .*?(tool-calls?)$", re.MULTILINE)
_messages_refusal = partial(refusal, param="messages")


class Session(msgspec.Struct, frozen=True):
    """What the chat endpoint would do beside tokenising: its grammar, and where answers begin."""

    generation_prompt: str = ""
    grammar: str = ""
    grammar_lazy: bool = False
    grammar_triggers: list[dict[str, Any]] = []
    preserved_tokens: list[int] = []
    stop: list[str] = []


class _Verbose(msgspec.Struct):
    generation_settings: Session


class _Function(msgspec.Struct):
    name: str
    arguments: str


class _Call(msgspec.Struct):
    function: _Function


class Parsed(msgspec.Struct):
    """An answer, taken apart."""

    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[_Call] = []


class _Choice(msgspec.Struct):
    message: Parsed


class _ChatAnswer(msgspec.Struct):
    choices: list[_Choice]
    verbose: _Verbose = msgspec.field(name="__verbose")


class _Tokens(msgspec.Struct):
    tokens: list[int]


class LiteralChat:
    """Asks one model. `template` is its chat template, `end_token_id` ends its answers."""

    def __init__(self, control: ControlTokens, template: str, end_token_id: int | None) -> None:
        self._control = control
        self._end_token_id = end_token_id
        self.reasons = any(sign in template for sign in REASONING_SIGNS)

    async def answer(
        self,
        client: Client,
        call: Generation,
        fields: dict[str, Any],
        masked: Masked,
        body: dict[str, Any],
    ) -> AsyncGenerator[list[Event], None]:
        """Batches of events.

        `fields` are those of TEMPLATE_FIELDS that the request has, `masked` the same with marks;
        `body` has everything for `/v1/completions` but the prompt. Where an answer must be taken
        apart it comes in one piece, at its end.
        Raises InvalidRequest, UnsupportedParameter, EngineFailed, Broken.
        """
        prompt = await self._prompt(client, masked)
        if not (self.reasons or fields.get("tools")):
            answer = self._ask(client, body | {"prompt": prompt}, call.stop)
            async with aclosing(answer) as batches:
                async for batch in batches:
                    yield batch
            return
        if call.output_format is not None and fields.get("tools"):
            raise UnsupportedParameter(
                "'response_format' beside 'tools' is not supported in a conversation that spells "
                "one of the model's control tokens.",
                param="response_format",
            )
        session = (await self._chat(client, fields)).verbose.generation_settings
        body = body | self._constraints(session, fields) | {"prompt": prompt}
        said: list[Text | ScoredText] = []
        async with aclosing(self._ask(client, body, ())) as batches:
            async for batch in batches:
                said += [event for event in batch if isinstance(event, Text | ScoredText)]
                if isinstance(batch[0], Started):
                    yield batch[:1]
        end = batch[-1]
        assert isinstance(end, Finished)
        parsed = await self._parsed(client, fields, session, "".join(e.text for e in said))
        yield events_of(parsed, said, end, call.stop)

    def _ask(self, client: Client, body: dict[str, Any], stops: tuple[str, ...]) -> Answer:
        exchange = client.post("/v1/completions", msgspec.json.encode(body))
        return Answer(exchange, stops, _messages_refusal)

    async def _prompt(self, client: Client, masked: Masked) -> list[str | int]:
        """Text for the template's own stretches, ids for what was said in between.

        It begins with a text, so that a BOS comes where it would come.
        """
        rendered: Rendered = await ask(
            client, "/apply-template", masked.fields, Rendered, _messages_refusal
        )
        stretches = self._control.stretches(rendered.prompt, masked)
        literal = [stretch.text for stretch in stretches if stretch.literal]
        ids = iter(await self._literal_ids(client, literal))
        prompt: list[str | int] = [""]
        for stretch in stretches:
            prompt += next(ids) if stretch.literal else _unless_empty(stretch)
        return prompt

    async def _literal_ids(self, client: Client, texts: list[str]) -> list[list[int]]:
        """Each text's ids, none of them a control token's."""
        for split in (False, True):
            ids = await self._tokenized(client, texts, split=split)
            if not any(map(self._control.has_any, ids)):
                return ids
        raise InvalidRequest(
            "A message spells a control token that this model's tokenizer cannot read as text.",
            param="messages",
        )

    async def _tokenized(self, client: Client, texts: list[str], *, split: bool) -> list[list[int]]:
        """With `split`, spellings are cut in two, for tokens that are read in text as well."""
        border = self._control.any_id
        content: list[str | int] = []
        for text in texts:
            content += [*(self._control.cut(text) if split else (text,)), border]
        body = {"content": content, "add_special": False, "parse_special": False}
        tokens = (await ask(client, "/tokenize", body, _Tokens, _messages_refusal)).tokens
        ids: list[list[int]] = [[]]
        for token in tokens:
            if token == border and len(ids) <= len(texts):
                ids.append([])
            else:
                ids[-1].append(token)
        if len(ids) != len(texts) + 1:
            raise EngineFailed("The engine did not tokenise a message as it was asked to.")
        return ids[:-1]

    def _constraints(self, session: Session, fields: dict[str, Any]) -> dict[str, Any]:
        """What makes `/v1/completions` write as the chat endpoint would."""
        constraints: dict[str, Any] = {
            "preserved_tokens": self._control.texts(session.preserved_tokens),
            "stop": session.stop,
        }
        if not session.grammar:
            return constraints
        grammar = session.grammar
        if fields.get("tool_choice") == "required":
            # Its root begins with the template's words and free text; a call comes at once here.
            grammar, forced = _FORCED_ROOT.subn(r"root ::= \1", grammar, count=1)
            if not forced:
                raise UnsupportedParameter(
                    "This model cannot be made to call a tool in a conversation that spells one "
                    "of its control tokens.",
                    param="tool_choice",
                )
        return constraints | {
            "grammar": grammar,
            "grammar_lazy": session.grammar_lazy,
            "grammar_triggers": session.grammar_triggers,
        }

    async def _parsed(
        self, client: Client, fields: dict[str, Any], session: Session, said: str
    ) -> Parsed:
        """The engine's parser at work, on an answer that it is asked to continue and to repeat."""
        if not said:
            return Parsed()
        whole = session.generation_prompt + said
        opened = await self._opened_thought(client, fields)
        thinks = opened is not None and whole.startswith(opened)
        message = {"reasoning_content": whole.removeprefix(opened or "")} if thinks else {}
        answer = await self._chat(client, fields, {"content": "" if thinks else said, **message})
        read = answer.verbose.generation_settings.generation_prompt
        after_empty_thought = opened and read.startswith(opened) and read.endswith(said)
        if read != whole and (thinks or not after_empty_thought):
            raise InvalidRequest(
                "A message spells a control token of this model, whose answers can then not be "
                "taken apart.",
                param="messages",
            )
        return answer.choices[0].message

    async def _opened_thought(self, client: Client, fields: dict[str, Any]) -> str | None:
        """How an answer begins that begins with a thought; None if such are not set apart."""
        answer = await self._chat(client, fields, {"content": "", "reasoning_content": "?"})
        read = answer.verbose.generation_settings.generation_prompt
        return read[:-1] if self.reasons and read.endswith("?") else None

    async def _chat(
        self, client: Client, fields: dict[str, Any], begun: dict[str, Any] | None = None
    ) -> _ChatAnswer:
        """The chat endpoint's answer to next to nothing, begun or not; it ends at once."""
        messages = [{"role": "user", "content": "?"}]
        if begun is not None:
            messages.append({"role": "assistant", **begun})
            fields = fields | {"tool_choice": "auto"} if fields.get("tools") else fields
        body = fields | {
            "messages": messages,
            "echo": True,
            "verbose": True,
            "max_tokens": 1,
            "logit_bias": [[self._end_token_id, CERTAIN]],
        }
        answer: _ChatAnswer = await ask(
            client, "/v1/chat/completions", body, _ChatAnswer, _messages_refusal
        )
        return answer


def _unless_empty(stretch: Stretch) -> list[str]:
    return [stretch.text] if stretch.text else []


def events_of(
    parsed: Parsed, said: list[Text | ScoredText], end: Finished, stops: tuple[str, ...]
) -> list[Event]:
    """An answer's events, from what was said and how it is to be taken apart."""
    events: list[Event] = []
    if parsed.reasoning_content:
        events.append(Reasoning(parsed.reasoning_content))
    reason = end.reason
    scanner = StopScanner(stops) if stops else None
    for event in content_of(parsed, said):
        events += scanner.feed(event) if scanner else [event]
        if scanner and scanner.matched:
            return [*events, Finished("stop", end.usage)]
    events += scanner.flush() if scanner else []
    for at, call in enumerate(parsed.tool_calls):
        events.append(ToolCall(at, call.function.arguments, call.function.name))
        reason = "tool_calls" if reason == "stop" else reason
    return [*events, Finished(reason, end.usage)]


def content_of(parsed: Parsed, said: list[Text | ScoredText]) -> list[Text | ScoredText]:
    """The content, with the scores of its tokens where there are any: the last of the answer's."""
    content = parsed.content or ""
    if not content:
        return []
    scores: list[TokenLogprob] = []
    length = 0
    for event in reversed(said):
        for score in reversed(event.logprobs if isinstance(event, ScoredText) else ()):
            if length < len(content.encode()):
                scores.insert(0, score)
                length += len(score.data)
    return [ScoredText(content, tuple(scores))] if scores else [Text(content)]
