"""Words near to those of the phrasings, as penstock/tiny-embed sees them: data/neighbours.toml.

Nobody who writes phrasings thinks of every word. A word of a phrasing is at times replaced by a
near one that stands in no phrasing of the training, so that it is not read as noise when it comes.
Made once, in Penstock's own environment; the corpus only reads the file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiny_chat.phrasings import half
from tiny_chat.places import DATA, EMBEDDER

FILE = DATA / "neighbours.toml"
_SOURCES = ("questions.toml", "talk.toml", "unknown.toml")
_NEAR = 0.5  # cosine
_MOST = 6
_HEAD = """\
# Words near to those of the phrasings, by penstock/tiny-embed. `make.py neighbours` writes it.
"""


@cache
def neighbours() -> dict[str, tuple[str, ...]]:
    """By word, the near ones."""
    rows = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return {word: tuple(near.split()) for word, near in rows.items()}


def write() -> None:
    words = sorted(phrased_words())
    known = _whole_words(EMBEDDER)
    vectors = _embedded(EMBEDDER, known)
    places = {word: place for place, word in enumerate(known)}
    lines = [_HEAD]
    for word in words:
        if word in places:
            near = _nearest(known, vectors @ vectors[places[word]], frozenset(words))
            lines += [f'{word} = "{" ".join(near)}"\n'] if near else []
    FILE.write_text("".join(lines), encoding="utf-8")


def _nearest(
    known: Sequence[str], closeness: NDArray[np.float32], own: frozenset[str]
) -> list[str]:
    order = np.argsort(-closeness)[:40]
    near = [known[i] for i in order if closeness[i] >= _NEAR and known[i] not in own]
    return near[:_MOST]


def phrased_words() -> set[str]:
    """The longer words of every phrasing that training uses."""
    found: set[str] = set()
    for name in _SOURCES:
        for phrasings in _lists(tomllib.loads((DATA / name).read_text(encoding="utf-8"))):
            for phrasing in half(phrasings, held_out=False):
                found |= set(re.findall(r"\b[a-z]{4,}\b", phrasing.lower()))
    return found


def _lists(table: dict[str, Any]) -> list[list[str]]:
    """Every list of a table, however deep."""
    deeper = [_lists(value) for value in table.values() if isinstance(value, dict)]
    here = [value for value in table.values() if isinstance(value, list)]
    return here + [one for some in deeper for one in some]


def _whole_words(folder: Path) -> list[str]:
    from tokenizers import Tokenizer

    vocabulary = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
    return sorted(word for word in vocabulary if re.fullmatch("[a-z]{4,14}", word))


def _embedded(folder: Path, words: list[str]) -> NDArray[np.float32]:
    import onnxruntime
    from tokenizers import Tokenizer

    ids = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
    session = onnxruntime.InferenceSession(str(folder / "onnx" / "model.onnx"))
    numbers = np.array([[ids[word]] for word in words], np.int64)
    inputs = {"input_ids": numbers, "attention_mask": np.ones_like(numbers)}
    vectors: NDArray[np.float32] = session.run(None, inputs)[0]
    return vectors
