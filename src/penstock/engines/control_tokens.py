"""Control tokens that a client spells out, found and set apart before a template is rendered.

llama.cpp tokenises a rendered conversation as a whole, so that `<|im_end|>` in what a user says
would end the message there. Here the spellings are replaced by marks that no vocabulary knows; once
the template is rendered, a mark shows what is text although it looks like a token.
"""

import re
import secrets
from collections.abc import Iterable
from typing import Any

import msgspec

#: Types of tokens that no text should turn into: UNKNOWN and CONTROL.
CONTROL_TYPES = frozenset({2, 3})
#: Tokens that llama.cpp takes for control tokens by their name, whatever type the file says
#: (src/llama-vocab.cpp, `load`).
CONTROL_NAMES = frozenset(
    name.encode()
    for name in (
        "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>",
        "<EOT>", "_<EOT>", "[EOT]", "<｜end▁of▁sentence｜>", "<end_of_utterance>", "<|eom_id|>",
        "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "</s>", "[EOS]", "<eos>", "<turn|>",
        "<|tool_response>", "[e~[", "<|ifm|im_end|>",
        "<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>",
        "<|code_prefix|>", "<|prefix|>", "<|plamo:fim_prefix|>",
        "<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<｜fim▁hole｜>", "<SUF>", "▁<SUF>",
        "<|code_suffix|>", "<|suffix|>", "<|plamo:fim_suffix|>",
        "<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>",
        "<|code_middle|>", "<|middle|>", "<|plamo:fim_middle|>",
        "<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]",
        "<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>",
        "<|file_sep|>", "<|plamo:file_separator|>",
    )
)  # fmt: skip

#: JSON texts inside JSON, the arguments of tool calls, may hide a spelling behind these escapes.
HIDING = rb"\\\\[u/]"
#: So much of a spelling raises suspicion. Vocabularies have hundreds, which begin alike.
BEGINNING_BYTES = 4


class Masked(msgspec.Struct, frozen=True):
    """Fields of a request with marks in place of spellings. Every mark contains `nonce`."""

    fields: dict[str, Any]
    nonce: str
    spellings: tuple[str, ...]


class Stretch(msgspec.Struct, frozen=True):
    """A part of a rendered prompt: the template's own, or text in which no token is spelled."""

    text: str
    literal: bool


class ControlTokens:
    """The control tokens of one vocabulary. `texts` has their spellings by their ids."""

    def __init__(self, texts: dict[int, str]) -> None:
        self._texts = texts
        spellings = sorted(filter(None, texts.values()), key=len, reverse=True)
        self._spelling = re.compile("|".join(map(re.escape, spellings))) if spellings else None
        beginnings = {msgspec.json.encode(text)[1:-1][:BEGINNING_BYTES] for text in spellings}
        suspects = [*map(re.escape, sorted(beginnings)), HIDING]
        self._suspicion = re.compile(b"|".join(suspects)) if spellings else None
        self._first_bytes = tuple({beginning[:1] for beginning in beginnings})

    def may_be_spelled(self, body: bytes) -> bool:
        """Whether a JSON body deserves a closer look. This is all that most requests need."""
        if self._suspicion is None:
            return False
        for first in self._first_bytes:  # a single byte is looked for at the speed of memory
            if first in body:
                return self._suspicion.search(body) is not None
        return b"\\" in body and re.search(HIDING, body) is not None

    @property
    def any_id(self) -> int:
        """One that no text turns into, for a border between texts."""
        return min(self._texts)

    def has_any(self, ids: Iterable[int]) -> bool:
        return not self._texts.keys().isdisjoint(ids)

    def cut(self, text: str) -> list[str]:
        """The text in pieces, none of which spells a control token."""
        assert self._spelling is not None
        cuts = [found.start() + 1 for found in self._spelling.finditer(text)]
        return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]

    def texts(self, ids: Iterable[int]) -> list[str]:
        return [self._texts[token] for token in ids if token in self._texts]

    def mask(self, fields: dict[str, Any]) -> Masked | None:
        """The fields with marks; None when nothing in them spells a control token."""
        spellings: dict[str, int] = {}
        nonce = secrets.token_hex(8)

        def mark(found: re.Match[str]) -> str:
            return f"{nonce}x{spellings.setdefault(found[0], len(spellings))}x"

        masked = self._replaced(msgspec.to_builtins(fields), mark)
        return Masked(masked, nonce, tuple(spellings)) if spellings else None

    def _replaced(self, value: Any, mark: Any) -> Any:
        assert self._spelling is not None
        if isinstance(value, str):
            return self._spelling.sub(mark, value)
        if isinstance(value, list | tuple):
            return [self._replaced(item, mark) for item in value]
        if isinstance(value, dict):
            return {
                self._spelling.sub(mark, key): self._replaced(
                    plainly_escaped(item) if key == "arguments" else item, mark
                )
                for key, item in value.items()
            }
        return value

    def stretches(self, rendered: str, masked: Masked) -> list[Stretch]:
        """The prompt in stretches that end where the template's own control tokens begin or end.

        There a tokeniser cuts as well: tokenised one by one, they give what the whole would give.
        """
        assert self._spelling is not None
        mark = re.compile(f"{masked.nonce}x([0-9]+)x")
        stretches: list[Stretch] = []
        plain = ""
        for text in re.split(f"({self._spelling.pattern})", rendered):
            if masked.nonce not in text:
                plain += text
                continue
            stretches.append(Stretch(plain, literal=False))
            spelled = mark.sub(lambda found: masked.spellings[int(found[1])], text)
            stretches.append(Stretch(spelled, literal=True))
            plain = ""
        return [*stretches, Stretch(plain, literal=False)]


def plainly_escaped(value: Any) -> Any:
    r"""A JSON text without needless escapes such as `\u003c` and `\/`; others as they are."""
    if not (isinstance(value, str) and ("\\u" in value or "\\/" in value)):
        return value
    try:
        return msgspec.json.encode(msgspec.json.decode(value)).decode()
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return value
