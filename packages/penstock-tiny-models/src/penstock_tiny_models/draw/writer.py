"""Writes the drawing program of a caption with the network, one token at a time."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from penstock_tiny_models.draw import program
from penstock_tiny_models.draw.lexicon import tokens_of
from penstock_tiny_models.draw.program import END, START, Grammar

Chances = NDArray[np.float32]

# Tokens less likely than this share of the likeliest are never drawn. What a thing is follows the
# caption and leaves no choice unless the caption does; where it stands may vary.
LEAST_SHARE = {"x": 0.2, "y": 0.2, "scale": 0.2, "facing": 0.2}
LEAST_SHARE_OF_CONTENT = 0.4


class Writer:
    """The network of a model directory: `model.onnx` and the tokens it was trained on."""

    def __init__(self, folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if tuple(config["tokens"]) != program.TOKENS:
            raise ValueError(f"{folder} was trained on other tokens than this drawer knows")
        self._numbers = {token: number for number, token in enumerate(program.TOKENS)}
        layers, heads, width = config["layers"], config["heads"], config["head_width"]
        self._nothing_yet = np.zeros((layers, 2, 1, heads, 0, width), np.float32)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def write(self, caption: str, seed: int) -> Iterator[str]:
        """The program's tokens as they come, always a grammatical one. Stop when you like."""
        rng = Random(seed)
        grammar = Grammar()
        words = [*tokens_of(caption), START]
        chances, past = self._step(words, 0, self._nothing_yet)
        while not grammar.ended:
            token = self._draw(chances, grammar, rng)
            grammar.take(token)
            yield token
            if token != END:
                chances, past = self._step([token], 1, past)

    def _step(
        self, tokens: Sequence[str], part: int, past: NDArray[np.float32]
    ) -> tuple[Chances, NDArray[np.float32]]:
        ids = np.array([[self._numbers[token] for token in tokens]], np.int64)
        feed = {"ids": ids, "parts": np.full_like(ids, part), "past": past}
        logits, longer = self._session.run(["logits", "seen"], feed)
        row = logits[0] - logits[0].max()
        return np.exp(row), longer

    def _draw(self, chances: Chances, grammar: Grammar, rng: Random) -> str:
        allowed = grammar.allowed()
        if grammar.slot == "joint or x":
            return self._draw_joint_or_x(chances, allowed, rng)
        least = LEAST_SHARE.get(grammar.slot, LEAST_SHARE_OF_CONTENT)
        return self._choose(chances, allowed, least, rng)

    def _draw_joint_or_x(self, chances: Chances, allowed: Sequence[str], rng: Random) -> str:
        """First whether another noun is joined, then where the unit stands."""
        joints = [token for token in allowed if token in program.JOINTS]
        weights = {token: float(chances[self._numbers[token]]) for token in joints}
        weights["x"] = sum(float(chances[self._numbers[token]]) for token in program.XS)
        choice = weighted(weights, LEAST_SHARE_OF_CONTENT, rng)
        if choice != "x":
            return choice
        return self._choose(chances, program.XS, LEAST_SHARE["x"], rng)

    def _choose(self, chances: Chances, tokens: Sequence[str], least: float, rng: Random) -> str:
        weights = {token: float(chances[self._numbers[token]]) for token in tokens}
        return weighted(weights, least, rng)


def weighted(weights: dict[str, float], least: float, rng: Random) -> str:
    """One of the keys by weight, from those whose weight is at least that share of the largest."""
    bound = least * max(weights.values())
    likely = {key: weight for key, weight in weights.items() if weight >= bound}
    return rng.choices(list(likely), list(likely.values()))[0]
