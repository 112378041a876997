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
from penstock_tiny_models.draw.mentions import Mention
from penstock_tiny_models.draw.named import Named
from penstock_tiny_models.draw.program import NATURAL, START, Grammar

Chances = NDArray[np.float32]

# Tokens less likely than this share of the likeliest are never drawn; in other slots the likeliest
# is. What is drawn follows the caption, where it stands and what is left open may vary.
LEAST_SHARE = {
    "place": 0.4,
    "count": 0.4,
    "anything": 0.2,  # the thing of a caption that names none
    "x": 0.2,
    "y": 0.2,
    "scale": 0.2,
    "facing": 0.2,
}
MEDIUM = "medium"


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
        rng, grammar, named = Random(seed), Grammar(), Named(tokens_of(caption))
        chances, past = self._step([*named.plain, START], 0, self._nothing_yet)
        while not grammar.ended:
            slot = grammar.slot
            if slot == "size":  # a noun is written whole: its looks are known when its thing is
                chances, past = self._step([MEDIUM], 1, past)
                mention = self._mention(chances, named, rng)
                written, read = mention.tokens(), [mention.thing, NATURAL, NATURAL]
            else:
                token = self._draw(chances, slot, named.fitting(slot, grammar.allowed()), rng)
                named.take(slot, token)
                written = read = [token]
            for token in written:
                grammar.take(token)
                yield token
            for token in read if not grammar.ended else ():
                chances, past = self._step([token], 1, past)

    def _mention(self, chances: Chances, named: Named, rng: Random) -> Mention:
        """The thing that comes next. What the network reads of it is as plain as its caption."""
        choices = {mention.thing: mention for mention in reversed(named.choices())}
        least = LEAST_SHARE["anything"] if named.nothing else 1.0
        mention = choices[self._choose(chances, list(choices), least, rng)]
        named.draw(mention)
        return mention

    def _step(
        self, tokens: Sequence[str], part: int, past: NDArray[np.float32]
    ) -> tuple[Chances, NDArray[np.float32]]:
        ids = np.array([[self._numbers[token] for token in tokens]], np.int64)
        feed = {"ids": ids, "parts": np.full_like(ids, part), "past": past}
        logits, longer = self._session.run(["logits", "seen"], feed)
        row = logits[0] - logits[0].max()
        return np.exp(np.maximum(row, -80)), longer  # never nought

    def _draw(self, chances: Chances, slot: str, allowed: Sequence[str], rng: Random) -> str:
        if slot == "joint or x":
            return self._draw_joint_or_x(chances, allowed, rng)
        return self._choose(chances, allowed, LEAST_SHARE.get(slot, 1.0), rng)

    def _draw_joint_or_x(self, chances: Chances, allowed: Sequence[str], rng: Random) -> str:
        """First whether another noun is joined, then where the unit stands."""
        weights = {t: float(chances[self._numbers[t]]) for t in allowed if t in program.JOINTS}
        weights["x"] = sum(float(chances[self._numbers[token]]) for token in program.XS)
        choice = max(weights, key=lambda token: weights[token])
        if choice != "x":
            return choice
        xs = [token for token in allowed if token in program.XS]
        return self._choose(chances, xs, LEAST_SHARE["x"], rng)

    def _choose(self, chances: Chances, tokens: Sequence[str], least: float, rng: Random) -> str:
        weights = {token: float(chances[self._numbers[token]]) for token in tokens}
        return weighted(weights, least, rng)


def weighted(weights: dict[str, float], least: float, rng: Random) -> str:
    """One of the keys by weight, from those whose weight is at least that share of the largest."""
    bound = least * max(weights.values())
    likely = {key: weight for key, weight in weights.items() if weight >= bound}
    return rng.choices(list(likely), list(likely.values()))[0]
