"""Measures a model directory: right programs on held-out captions, and speed."""

import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from penstock_tiny_models.draw import Drawer

from tiny_draw.check import faults
from tiny_draw.corpus import Corpus

# Name, ways of saying things, held-out combinations
SPLITS = (
    ("forms as in training", "usual", False),
    ("held-out forms", "heldout", False),
    ("held-out combinations", "usual", True),
    ("held-out forms and combinations", "heldout", True),
)
SEED = 20_000_000  # far from the seeds of training


@dataclass(frozen=True)
class Result:
    caption: str
    groups: int
    faults: list[str]


def results(drawer: Drawer, ways: str, apart: bool, count: int) -> list[Result]:
    return [
        Result(
            example.caption,
            len(example.scene.groups),
            faults(example.scene, drawer.picture(example.caption, seed=number)),
        )
        for number, example in enumerate(islice(Corpus(SEED, ways, apart), count))
    ]


def share_right(results: Iterable[Result]) -> str:
    right = [not result.faults for result in results]
    return f"{sum(right) / max(1, len(right)):.1%}"


def milliseconds(drawer: Drawer, side: int, count: int = 60) -> tuple[float, float]:
    """CPU time of a whole picture, median and 95th percentile, over held-out captions."""
    spent: list[float] = []
    for number, example in enumerate(islice(Corpus(SEED + 1, "heldout", True), count)):
        start = time.process_time()
        drawer.draw(example.caption, width=side, height=side, seed=number)
        spent.append(1000 * (time.process_time() - start))
    return statistics.median(spent), statistics.quantiles(spent, n=20)[-1]


def table(folder: Path, count: int = 1000) -> str:
    """The evaluation as the model card shows it."""
    drawer = Drawer(folder)
    lines = ["| captions | right | one group | two | three |", "| --- | --- | --- | --- | --- |"]
    for name, ways, apart in SPLITS:
        found = results(drawer, ways, apart, count)
        shares = [share_right(found)]
        shares += [share_right(each for each in found if each.groups == n) for n in (1, 2, 3)]
        lines.append(f"| {name} ({count}) | {' | '.join(shares)} |")
        for result in [each for each in found if each.faults][:8]:
            print(f"  wrong: {result.caption}\n    {'; '.join(result.faults)}")
    lines += ["", "| picture | CPU ms, median | CPU ms, 95 of 100 |", "| --- | --- | --- |"]
    for side in (256, 512, 1024):
        median, most = milliseconds(drawer, side)
        lines.append(f"| {side}x{side} | {median:.0f} | {most:.0f} |")
    size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
    lines += ["", f"Directory: {size:.2f} MB."]
    return "\n".join(lines)
