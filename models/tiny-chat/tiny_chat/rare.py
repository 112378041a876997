"""Pieces of the vocabulary that training practically never said, and what to do about them.

An unseen name that holds such a piece cannot be copied: as something to say, all those pieces
have only ever been pushed away, and so have become alike. Where possible names are therefore cut
into better known pieces; what is left of the rare ones is pulled apart again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tiny_chat.packing import Pack

_SAID = 60  # times in the corpus; below, a piece is rare
_READ = 360  # times; a piece that is read this often is kept even if it is never said
_LENGTH = 1.9  # of embeddings that training knows


@dataclass(frozen=True)
class Counts:
    """How often each piece is read, and how often it is said. Shape [vocabulary]."""

    read: NDArray[np.int64]
    said: NDArray[np.int64]

    @staticmethod
    def of(packs: list[Pack], vocabulary: int) -> Counts:
        tokens = np.concatenate([pack.tokens for pack in packs])
        answers = np.concatenate([pack.answers for pack in packs])
        counted = (np.bincount(some, minlength=vocabulary) for some in (tokens, tokens[answers]))
        return Counts(*counted)

    @property
    def rare(self) -> NDArray[np.bool_]:
        return (self.said < _SAID) & (self.read < _READ)


def without_rare_pieces(tokenizer: Tokenizer, counts: Counts) -> Tokenizer:
    """The same vocabulary, but no text is cut into rare pieces that lead to no other piece."""
    state = json.loads(tokenizer.to_str())
    vocabulary: dict[str, int] = state["model"]["vocab"]
    parts = {left + right: (left, right) for left, right in state["model"]["merges"]}
    needed: set[str] = set()
    waiting = [piece for piece, number in vocabulary.items() if not counts.rare[number]]
    while waiting:
        piece = waiting.pop()
        if piece not in needed:
            needed.add(piece)
            waiting += parts.get(piece, ())
    state["model"]["merges"] = [list(two) for piece, two in parts.items() if piece in needed]
    return Tokenizer.from_str(json.dumps(state))


def pulled_apart(embeddings: NDArray[np.float32], rare: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Embeddings [vocabulary, width], the rare ones without what they have in common."""
    centred = embeddings[rare] - embeddings[rare].mean(0)
    spread = embeddings.copy()
    spread[rare] = _LENGTH * centred / np.linalg.norm(centred, axis=1, keepdims=True)
    return spread
