"""The student: one vector and one weight for each token, a sentence is their weighted mean."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Student:
    vectors: Vectors  # [vocabulary, dimensions], weights folded in

    def encode(self, texts: Sequence[Sequence[int]]) -> Vectors:
        sums = np.stack([self.vectors[np.array(text, np.int64)].sum(0) for text in texts])
        unit: Vectors = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
        return unit
