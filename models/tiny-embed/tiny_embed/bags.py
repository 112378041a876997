"""Random bags of words: the only text that the student is fitted on, made here and now.

A bag is 4 to 15 tokens in random order. Bags come in families of FAMILY: half of the families are
strangers, the other half are variations of one topical bag (neighbours of one word, words swapped
for near ones, words dropped), so that the teacher's similarities cover the whole range and not
only "unrelated".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FAMILY = 4
NEIGHBOURS = 64
FIRST_WORD, FIRST_CONTENT = 1996, 2200  # BERT's vocabulary is roughly in order of frequency

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Words:
    """Ids of the vocabulary by kind, and for each content word the content words nearest to it."""

    function: Ids
    content: Ids
    pieces: Ids
    near: Ids  # [vocabulary, NEIGHBOURS]; rows of other tokens are unused

    @classmethod
    def sort(cls, vocabulary: list[str], token_vectors: NDArray[np.float32]) -> "Words":
        plain = [i for i, word in enumerate(vocabulary) if word.isalpha() and word.isascii()]
        function = np.array([i for i in plain if FIRST_WORD <= i < FIRST_CONTENT + 100])
        content = np.array([i for i in plain if i >= FIRST_CONTENT and len(vocabulary[i]) > 2])
        pieces = np.array([i for i, word in enumerate(vocabulary) if word.startswith("##")])
        return cls(function, content, pieces, _nearest(content, token_vectors))


def _nearest(content: Ids, token_vectors: NDArray[np.float32]) -> Ids:
    unit = token_vectors[content] - token_vectors.mean(0)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    near = np.zeros((len(token_vectors), NEIGHBOURS), np.int64)
    for start in range(0, len(content), 2048):
        cosines = unit[start : start + 2048] @ unit.T
        best = np.argpartition(-cosines, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        order = np.argsort(-np.take_along_axis(cosines, best, 1), axis=1)
        near[content[start : start + 2048]] = content[np.take_along_axis(best, order, 1)]
    return near


class BagMaker:
    """Draws families of bags; the same seed draws the same bags."""

    def __init__(self, words: Words, seed: int) -> None:
        self.words = words
        self.rng = np.random.default_rng(seed)

    def families(self, count: int) -> list[list[int]]:
        bags: list[list[int]] = []
        for family in range(count):
            bags += self._relatives() if family % 2 else [self._bag() for _ in range(FAMILY)]
        return bags

    def _function(self) -> int:
        words = self.words.function
        return int(words[int(len(words) * self.rng.random() ** 2)])

    def _content(self) -> int:
        words = self.words.content
        return int(words[int(len(words) * self.rng.random() ** 1.6)])

    def _any(self) -> int:
        draw = self.rng.random()
        if draw < 0.42:
            return self._function()
        if draw < 0.97:
            return self._content()
        return int(self.rng.choice(self.words.pieces))

    def _bag(self) -> list[int]:
        return [self._any() for _ in range(self.rng.integers(4, 16))]

    def _relatives(self) -> list[list[int]]:
        topic = self._content()
        base = [self._topical(topic) for _ in range(self.rng.integers(4, 13))]
        return [base] + [self._variation(base) for _ in range(FAMILY - 1)]

    def _topical(self, topic: int) -> int:
        draw = self.rng.random()
        if draw < 0.35:
            return self._function()
        if draw < 0.75:
            return int(self.rng.choice(self.words.near[topic]))
        return self._content()

    def _variation(self, base: list[int]) -> list[int]:
        change = self.rng.uniform(0.1, 0.9)
        bag: list[int] = []
        for token in base:
            if self.rng.random() > change:
                bag.append(token)
            elif self.words.near[token].any() and self.rng.random() < 0.6:
                bag.append(int(self.words.near[token][int(NEIGHBOURS * self.rng.random() ** 2)]))
            elif self.rng.random() < 0.7:
                bag.append(self._any())
        self.rng.shuffle(bag)
        return bag or [self._any()]
