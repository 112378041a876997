"""Sentence pairs by topic, written by hand: paraphrases in a line, topics under `# name`."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent.parent / "pairs"


@dataclass(frozen=True)
class Pairs:
    first: list[str]
    second: list[str]
    topics: list[str]

    @classmethod
    def read(cls, name: str) -> "Pairs":
        """`development` was looked at while choosing the recipe, `heldout` was not."""
        pairs = cls([], [], [])
        topic = ""
        for line in (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines():
            if line.startswith("#"):
                topic = line[1:].strip()
            elif line.strip():
                left, right = line.split("|")
                pairs.first.append(left)
                pairs.second.append(right)
                pairs.topics.append(topic)
        return pairs

    def mixed(self, seed: int = 1) -> list[tuple[int, int]]:
        """Equal parts of paraphrases, same-topic and unrelated (first, second) index pairs."""
        rng = np.random.default_rng(seed)
        chosen: list[tuple[int, int]] = []
        for row, topic in enumerate(self.topics):
            same = [i for i, other in enumerate(self.topics) if other == topic and i != row]
            else_ = [i for i, other in enumerate(self.topics) if other != topic]
            chosen.append((row, row))
            chosen.append((row, int(rng.choice(same))))
            chosen.append((row, int(rng.choice(else_))))
        return chosen

    def same_topic(self) -> list[tuple[int, int]]:
        """Every pair of one topic that is no paraphrase: the hard end of the scale."""
        rows = range(len(self.topics))
        return [(i, j) for i in rows for j in rows if i != j and self.topics[i] == self.topics[j]]
