"""A byte-level BPE that makes copying easy.

Pieces are learnt with spaces split off and digits single, so a name has the same tokens after a
space, a quote or an underscore. Then the most frequent words get one merge more, with the space
before them, and the room that is left makes frequent words whole. The result is an ordinary
GPT-2 style tokenizer.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from gguf import GGUFReader, TokenType
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from tiny_chat.template import CONTROL_TOKENS, TAG_TOKENS

VOCABULARY = 2816
_SPACED_WORDS = 1000
_SPLIT = r"\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s"
_WORD = re.compile(r"[A-Za-z]{3,}")
_SPACED = re.compile(r" ([a-z]+|[A-Z][a-z]*|I)(?![A-Za-z])")


def train(texts: Iterable[str]) -> Tokenizer:
    plain = [_without_tags(text) for text in texts]
    vocabulary, merges = _pieces(plain)
    _add_spaced_words(plain, vocabulary, merges)
    _add_whole_words(plain, vocabulary, merges)
    return assembled(vocabulary, merges)


def assembled(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> Tokenizer:
    """The tokenizer of these pieces; the tokens of the template get the numbers after them."""
    tokenizer = _tokenizer(vocabulary, merges)
    tokenizer.add_special_tokens([_added(token, special=True) for token in CONTROL_TOKENS])
    tokenizer.add_tokens([_added(token, special=False) for token in TAG_TOKENS])
    return tokenizer


def _tokenizer(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def load(path: Path) -> Tokenizer:
    return Tokenizer.from_file(str(path))


def restored(file: Path) -> Tokenizer:
    """The tokenizer of a GGUF file. Raises KeyError where the file has none."""
    fields = GGUFReader(file).fields
    tokens, kinds, merges = (
        fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "token_type", "merges")
    )
    numbered = enumerate(tokens)
    vocabulary = {token: n for n, token in numbered if kinds[n] == TokenType.NORMAL}
    pairs = (merge.split(" ") for merge in merges)
    return assembled(vocabulary, [(left, right) for left, right in pairs])


def _without_tags(text: str) -> str:
    for token in (*CONTROL_TOKENS, *TAG_TOKENS):
        text = text.replace(token, "\n")
    return text


def _added(token: str, special: bool) -> AddedToken:
    return AddedToken(token, special=special, normalized=False)


def _pieces(texts: list[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Stage one: pieces that never hold a space before letters."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - _SPACED_WORDS - len(CONTROL_TOKENS) - len(TAG_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        min_frequency=20,
        max_token_length=14,
    )
    tokenizer.train_from_iterator(texts, trainer)
    learnt = json.loads(tokenizer.to_str())["model"]
    return learnt["vocab"], [tuple(merge) for merge in learnt["merges"]]


def _add_spaced_words(
    texts: list[str], vocabulary: dict[str, int], merges: list[tuple[str, str]]
) -> None:
    """Stage two: `Ġword` for the most frequent words that are whole pieces."""
    counted = Counter(word for text in texts for word in _SPACED.findall(text))
    room = VOCABULARY - len(CONTROL_TOKENS) - len(TAG_TOKENS)
    for word, _ in counted.most_common():
        if len(vocabulary) >= room:
            return
        if (word in vocabulary and len(word) > 1) or word in ("a", "I"):
            vocabulary["Ġ" + word] = len(vocabulary)
            merges.append(("Ġ", word))


def _add_whole_words(
    texts: list[str], vocabulary: dict[str, int], merges: list[tuple[str, str]]
) -> None:
    """Stage three: the room that is left goes to words whose wholeness saves most tokens."""
    room = VOCABULARY - len(CONTROL_TOKENS) - len(TAG_TOKENS)
    so_far = _tokenizer(vocabulary, merges)
    counted = Counter(word for text in texts for word in _WORD.findall(text))
    pieces = {word: so_far.encode(word).tokens for word, _ in counted.most_common(3000)}
    by_saving = sorted(pieces, key=lambda word: -counted[word] * (len(pieces[word]) - 1))
    for word in by_saving:
        joined, *rest = pieces[word]
        for piece in rest:
            merged = joined + piece
            if merged not in vocabulary and len(vocabulary) < room:
                vocabulary[merged] = len(vocabulary)
                merges.append((joined, piece))
            if merged not in vocabulary:
                return
            joined = merged
