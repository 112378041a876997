"""Dialogues as flat arrays of tokens, made by all cores and kept in one file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tiny_chat import corpus
from tiny_chat.template import Piece, render

_PORTION = 500


@dataclass(frozen=True)
class Order:
    """What one worker is to write: seed, number, mixture, share of long dialogues."""

    seed: int
    count: int
    skills: Mapping[str, int]
    long: float


@dataclass(frozen=True)
class Pack:
    """Dialogue `i` is tokens[starts[i]:starts[i + 1]]; `answers` marks what the model says."""

    tokens: NDArray[np.uint16]
    answers: NDArray[np.bool_]
    starts: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self.starts)


def written(orders: list[Order], processes: int = 2) -> Iterator[list[Piece]]:
    """The rendered dialogues, in order."""
    with Pool(processes) as pool:
        for portion in pool.imap(_write, orders):
            yield from portion


def orders(
    seed: int, count: int, skills: Mapping[str, int] | None = None, long: float = 0.0
) -> list[Order]:
    portions = range(0, count, _PORTION)
    return [Order(seed + n, _PORTION, skills or corpus.MIXTURE, long) for n in portions]


def _write(order: Order) -> list[list[Piece]]:
    made = corpus.dialogues(order.seed, order.count, order.skills, order.long)
    return [list(render(dialogue.messages, dialogue.tools)) for dialogue in made]


def pack(dialogues: Iterator[list[Piece]], tokenizer: Tokenizer, longest: int) -> Pack:
    pieces = [piece for dialogue in dialogues for piece in (*dialogue, None)]
    texts = [piece.text for piece in pieces if piece is not None]
    encoded = iter(tokenizer.encode_batch(texts, add_special_tokens=False))
    tokens: list[int] = []
    answers: list[bool] = []
    starts = [0]
    for piece in pieces:
        if piece is not None:
            ids = next(encoded).ids
            tokens += ids
            answers += [piece.is_answer] * len(ids)
        elif len(tokens) - starts[-1] <= longest:
            starts.append(len(tokens))
        else:
            del tokens[starts[-1] :], answers[starts[-1] :]
    return Pack(
        np.array(tokens, np.uint16), np.array(answers, np.bool_), np.array(starts, np.int64)
    )


def packed(orders: list[Order], tokenizer: Tokenizer, longest: int) -> Pack:
    """Writes and packs some orders at a time, so that not all of their text is in memory."""
    parts = [orders[start : start + 80] for start in range(0, len(orders), 80)]
    packs = [pack(written(part), tokenizer, longest) for part in parts]
    lengths = np.concatenate([one.lengths for one in packs])
    return Pack(
        np.concatenate([one.tokens for one in packs]),
        np.concatenate([one.answers for one in packs]),
        np.concatenate([[0], np.cumsum(lengths)]),
    )


def save(path: Path, packs: Mapping[str, Pack]) -> None:
    arrays = {
        f"{name}_{field}": getattr(one, field)
        for name, one in packs.items()
        for field in ("tokens", "answers", "starts")
    }
    np.savez(path, **arrays)


def load(path: Path, name: str) -> Pack:
    with np.load(path) as stored:
        return Pack(stored[f"{name}_tokens"], stored[f"{name}_answers"], stored[f"{name}_starts"])
