"""Measures a model directory: right programs on held-out captions, and speed."""

import statistics
import time
from itertools import islice
from pathlib import Path

from penstock_tiny_models.draw import Drawer

from tiny_draw.check import faults
from tiny_draw.corpus import Corpus

# Name, held-out forms, held-out combinations
SPLITS = (
    ("forms as in training", False, False),
    ("held-out forms", True, False),
    ("held-out combinations", False, True),
    ("held-out forms and combinations", True, True),
)
SEED = 20_000_000  # far from the seeds of training


def right(drawer: Drawer, heldout: bool, apart: bool, count: int) -> tuple[float, list[str]]:
    """The share of right programs, and the captions of wrong ones with what is wrong."""
    wrong: list[str] = []
    for number, example in enumerate(islice(Corpus(SEED, heldout, apart), count)):
        found = faults(example.scene, drawer.picture(example.caption, seed=number))
        if found:
            wrong.append(f"{example.caption}\n    {'; '.join(found)}")
    return 1 - len(wrong) / count, wrong


def milliseconds(drawer: Drawer, side: int, count: int = 60) -> tuple[float, float]:
    """CPU time of a whole picture, median and 95th percentile, over held-out captions."""
    spent: list[float] = []
    for number, example in enumerate(islice(Corpus(SEED + 1, True, True), count)):
        start = time.process_time()
        drawer.draw(example.caption, width=side, height=side, seed=number)
        spent.append(1000 * (time.process_time() - start))
    return statistics.median(spent), statistics.quantiles(spent, n=20)[-1]


def table(folder: Path, count: int = 1000) -> str:
    """The evaluation as the model card shows it."""
    drawer = Drawer(folder)
    lines = ["| captions | right |", "| --- | --- |"]
    for name, heldout, apart in SPLITS:
        share, wrong = right(drawer, heldout, apart, count)
        lines.append(f"| {name} ({count}) | {share:.1%} |")
        for line in wrong[:8]:
            print(f"  wrong: {line}")
    lines += ["", "| picture | CPU ms, median | CPU ms, 95 of 100 |", "| --- | --- | --- |"]
    for side in (256, 512, 1024):
        median, most = milliseconds(drawer, side)
        lines.append(f"| {side}x{side} | {median:.0f} | {most:.0f} |")
    size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
    lines += ["", f"Directory: {size:.2f} MB."]
    return "\n".join(lines)
