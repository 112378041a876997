"""A prompt's own tokens and their exact log-probabilities, from an engine that has no such thing.

llama.cpp can be made to *generate* the prompt: under a grammar of token-id literals its next token
is known, and what it reports is the raw log-probability from before grammar and sampling. One
decoding step a token, in one request.
"""

from collections.abc import Container, Mapping
from typing import Any

import msgspec

from penstock.domain.errors import EngineFailed
from penstock.domain.event import Alternative, Prompt, TokenLogprob
from penstock.engines.answer import Refusal
from penstock.engines.chunks import error_message
from penstock.http.client import Client

REPLACEMENT = "\ufffd"
#: Far above any score of a token: the next one is certain.
CERTAIN = 1e6

#: A conversation that every template should take.
SAMPLE = (
    {"role": "user", "content": "Hello!"},
    {"role": "assistant", "content": "Hi! How can I help?"},
    {"role": "user", "content": "Tell me a joke."},
)


class Piece(msgspec.Struct, frozen=True):
    """A token and its bytes, where known."""

    id: int
    data: bytes | None = None

    @property
    def whole(self) -> bool:
        """Whether it ends where a character ends, and begins where one begins."""
        try:
            return self.data is not None and bool(self.data.decode())
        except UnicodeDecodeError:
            return False


class _Tokens(msgspec.Struct):
    tokens: list[Any]


class _Top(msgspec.Struct):
    id: int
    token: str
    logprob: float
    bytes: list[int]


class _Scored(_Top):
    top_logprobs: list[_Top] = []


class _Completion(msgspec.Struct):
    completion_probabilities: list[_Scored] = []


class _Content(msgspec.Struct):
    content: str


async def ask(
    client: Client,
    path: str,
    body: dict[str, Any],
    type_: type[Any],
    refusal: Refusal | None = None,
) -> Any:
    """The engine's answer as `type_`. Raises EngineFailed, or what `refusal` makes of an error."""
    async with client.post(path, msgspec.json.encode(body)) as exchange:
        if exchange.status != 200 and refusal is not None:
            raise await refusal(exchange)
        answer = await exchange.read()
        if exchange.status != 200:
            raise EngineFailed(f"The engine could not read the prompt: {error_message(answer)[0]}")
    try:
        return msgspec.json.decode(answer, type=type_)
    except msgspec.MsgspecError:
        raise EngineFailed("The engine's answer about the prompt is not valid.") from None


class Rendered(msgspec.Struct):
    """What `/apply-template` makes of a conversation."""

    prompt: str


async def input_format(client: Client) -> str | None:
    """SAMPLE as the model reads it; None where its template does not take that."""
    try:
        rendered: Rendered = await ask(client, "/apply-template", {"messages": SAMPLE}, Rendered)
    except EngineFailed:
        return None
    return rendered.prompt


async def tokenize(client: Client, text: str) -> list[Piece]:
    """The tokens of a raw prompt, in which control tokens may be spelled. No hidden BOS."""
    body = {"content": text, "add_special": False, "parse_special": True, "with_pieces": True}
    tokens = (await ask(client, "/tokenize", body, _Tokens)).tokens
    return [Piece(token["id"], _piece_bytes(token["piece"])) for token in tokens]


def _piece_bytes(piece: str | list[int]) -> bytes:
    return piece.encode() if isinstance(piece, str) else bytes(piece)


async def detokenize(client: Client, ids: list[int]) -> str:
    answer = await ask(client, "/detokenize", {"tokens": ids}, _Content)
    return str(answer.content)


async def pieces_of(client: Client, ids: list[int]) -> list[Piece]:
    """The tokens' bytes: by tokenising their text again where that gives the same ids.

    Else one by one, where a token that ends inside a character keeps no bytes to show.
    """
    again = await tokenize(client, await detokenize(client, ids))
    if [piece.id for piece in again] == ids:
        return again
    texts = [await detokenize(client, [token]) for token in ids]
    return [
        Piece(token, None if REPLACEMENT in text else text.encode())
        for token, text in zip(ids, texts, strict=True)
    ]


async def score_prompt(
    client: Client,
    pieces: list[Piece],
    *,
    hidden: tuple[int, ...],
    text: str | None,
    alternatives: int | None,
    vocabulary_size: int,
    control: Mapping[int, str],
    fields: Mapping[str, Any],
) -> Prompt:
    """The prompt as an event.

    `hidden` are tokens that stand before it unseen (a BOS). `text` is the prompt's text where it is
    known byte for byte. `alternatives` None asks for no log-probabilities. As at OpenAI, the first
    token has none. `control` has the texts of control tokens, which the engine does not tell;
    `fields` are of each call that is made: the adapter, for one.
    """
    ids = [piece.id for piece in pieces]
    if text is None:
        text = await detokenize(client, ids)
    if alternatives is None:
        return Prompt(text)
    if not ids:
        return Prompt(text, ())
    if pieces[0].data is None:
        pieces = await pieces_of(client, ids)
    first_bytes = pieces[0].data or b""
    entries = [TokenLogprob(_text(first_bytes), None, first_bytes)]
    before = [*hidden, ids[0]]
    for run in runs_of(pieces[1:], control):
        if run[0].id in control:
            force: dict[str, Any] = {"logit_bias": [[run[0].id, CERTAIN]]}
            scores = await _scores(client, before, run, alternatives, {**fields, **force})
        elif run[0].whole:
            # llguidance's kind of grammar: llama.cpp's own would look at the whole vocabulary.
            tokens = " ".join(f"<[{piece.id}]>" for piece in run)
            force = {"grammar": f"%llguidance {{}}\nstart: {tokens}"}
            scores = await _scores(client, before, run, alternatives, {**fields, **force})
        else:
            scores = [await _score_of_cut_token(client, before, run[0], vocabulary_size, fields)]
        entries += [_entry(score, alternatives, control) for score in scores]
        before += [piece.id for piece in run]
    return Prompt(text, tuple(entries))


def runs_of(pieces: list[Piece], control: Container[int]) -> list[list[Piece]]:
    """Whole tokens together, as many as follow each other; each cut or control token by itself.

    No grammar takes a token that ends an answer, but a bias makes any whole token certain.
    """
    runs: list[list[Piece]] = []
    joins = False
    for piece in pieces:
        is_plain = piece.whole and piece.id not in control
        if joins and is_plain:
            runs[-1].append(piece)
        else:
            runs.append([piece])
        joins = is_plain
    return runs


async def _scores(
    client: Client,
    before: list[int],
    run: list[Piece],
    alternatives: int,
    fields: dict[str, Any],
) -> list[_Scored]:
    body = fields | {
        "prompt": before,
        "n_predict": len(run),
        "n_probs": max(1, alternatives),
        "temperature": 0,
        "cache_prompt": True,
    }
    answer: _Completion = await ask(client, "/completion", body, _Completion)
    scores = answer.completion_probabilities
    if [score.id for score in scores] != [piece.id for piece in run]:
        raise EngineFailed("The engine left out log-probabilities of the prompt.")
    return scores


async def _score_of_cut_token(
    client: Client,
    before: list[int],
    piece: Piece,
    vocabulary_size: int,
    fields: Mapping[str, Any],
) -> _Scored:
    """A token that ends inside a character is not reported; read it off as an alternative.

    Another, whole token is forced in its place, and the whole distribution asked for.
    """
    whole = (await tokenize(client, "a"))[0].id
    body = {
        **fields,
        "prompt": before,
        "n_predict": 1,
        "grammar": f"root ::= <[{whole}]>",
        "n_probs": vocabulary_size,
        "temperature": 0,
        "cache_prompt": True,
    }
    answer: _Completion = await ask(client, "/completion", body, _Completion)
    for entry in answer.completion_probabilities:
        for top in entry.top_logprobs:
            if top.id == piece.id:
                data = list(piece.data) if piece.data else top.bytes
                return _Scored(top.id, top.token, top.logprob, data, entry.top_logprobs[:20])
    raise EngineFailed("The engine gave no log-probability for a token of the prompt.")


def _entry(score: _Scored, alternatives: int, control: Mapping[int, str]) -> TokenLogprob:
    data = _bytes(score, control)
    return TokenLogprob(
        _text(data),
        score.logprob,
        data,
        tuple(
            Alternative(_text(other := _bytes(top, control)), top.logprob, other)
            for top in score.top_logprobs[:alternatives]
        ),
    )


def _bytes(top: _Top, control: Mapping[int, str]) -> bytes:
    text = control.get(top.id)
    return bytes(top.bytes) if text is None else text.encode()


def _text(data: bytes) -> str:
    """A token's text; bytes that are no whole character are spelled as OpenAI spells them."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in data)
