"""Measures a model directory against the teacher: agreement, retrieval, speed, size."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tiny_embed.pairs import Pairs

Vectors = NDArray[np.float32]
Encode = Callable[[Sequence[str]], Vectors]


class Directory:
    """A finished model directory, run as a server runs it: onnxruntime on one thread."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            str(folder / "onnx" / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def encode(self, texts: Sequence[str]) -> Vectors:
        rows = [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]
        ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(rows):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        feed = {"input_ids": ids, "attention_mask": mask}
        vectors: Vectors = self.session.run(["sentence_embedding"], feed)[0]
        return vectors


def spearman(left: Vectors, right: Vectors) -> float:
    """Rank correlation; equal values share their mean rank."""
    return float(np.corrcoef(_ranks(left), _ranks(right))[0, 1])


def _ranks(values: Vectors) -> NDArray[np.float64]:
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: NDArray[np.float64] = ((2 * last - counts - 1) / 2)[index]
    return ranks


def quality(pairs: Pairs, student: Encode, teacher: Encode) -> dict[str, float]:
    """Agreement with the teacher's cosines, and how often a paraphrase is found first."""
    ours = student(pairs.first) @ student(pairs.second).T
    theirs = teacher(pairs.first) @ teacher(pairs.second).T
    figures: dict[str, float] = {}
    for name, chosen in {"mixed": pairs.mixed(), "same topic": pairs.same_topic()}.items():
        rows, columns = np.array(chosen).T
        figures[f"spearman, {name}"] = spearman(ours[rows, columns], theirs[rows, columns])
    figures["spearman, all pairs"] = spearman(ours.ravel(), theirs.ravel())
    better = (ours > np.diag(ours)[:, None]).sum(1)
    figures["paraphrase found first"] = float((better == 0).mean())
    figures["mean reciprocal rank"] = float((1 / (better + 1)).mean())
    teacher_better = (theirs > np.diag(theirs)[:, None]).sum(1)
    figures["teacher: paraphrase found first"] = float((teacher_better == 0).mean())
    return figures


def speed(encode: Encode, texts: Sequence[str], batch: int, seconds: float = 1.0) -> float:
    """Texts per CPU-second, tokenising and all threads included."""
    chosen = [texts[i % len(texts)] for i in range(batch)]
    encode(chosen)
    done, start, wall = 0, time.process_time(), time.monotonic()
    while time.monotonic() - wall < seconds:
        encode(chosen)
        done += batch
    return done / (time.process_time() - start)


def size_mb(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
