"""Trains the network on examples that are made as it goes; none is seen twice.

The matrices of the blocks move by Muon (momentum made orthogonal), everything else by AdamW.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from penstock_tiny_models.draw import program
from torch import Tensor, nn
from torch.nn import functional

from tiny_draw.corpus import Corpus, Example
from tiny_draw.network import Network, Shape

PAD = 0
POOL = 16  # batches whose examples are sorted by length together


@dataclass(frozen=True)
class Course:
    """`steps`, or fewer when `minutes` are over first: the learning rate falls to its end by
    whichever is nearer."""

    steps: int = 8000
    minutes: float = 110.0
    batch: int = 128
    muon_rate: float = 0.02
    adam_rate: float = 3e-3
    seed: int = 0


@dataclass(frozen=True)
class Batch:
    ids: Tensor
    parts: Tensor
    mask: Tensor
    targets: Tensor  # PAD where nothing is to be learnt

    @classmethod
    def of(cls, examples: list[tuple[list[int], list[int]]]) -> "Batch":
        length = max(len(caption) + len(drawn) for caption, drawn in examples) - 1
        ids = torch.zeros(len(examples), length, dtype=torch.long)
        parts, targets = torch.zeros_like(ids), torch.zeros_like(ids)
        read = torch.zeros(len(examples), dtype=torch.long)
        for row, (caption, drawn) in enumerate(examples):
            start = len(caption)
            whole = torch.tensor(caption + drawn)
            ids[row, : len(whole) - 1] = whole[:-1]
            parts[row, start:] = 1
            targets[row, start - 1 : len(whole) - 1] = whole[start:]
            read[row] = start
        order = torch.arange(length)
        causal = order[None, :] <= order[:, None]
        caption_part = order[None, None, :] < read[:, None, None]
        return cls(ids, parts, (causal[None] | caption_part)[:, None], targets)


class Muon(torch.optim.Optimizer):
    """Momentum whose singular values are made equal by five Newton-Schulz steps."""

    def __init__(self, matrices: list[nn.Parameter], rate: float) -> None:
        super().__init__(matrices, {"lr": rate})

    @torch.no_grad()
    def step(self, closure: object = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for matrix in group["params"]:
                state = self.state[matrix]
                momentum = state.setdefault("momentum", torch.zeros_like(matrix))
                momentum.lerp_(matrix.grad, 0.05)
                update = _orthogonal(matrix.grad.lerp(momentum, 0.95))
                scale = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
                matrix.mul_(1 - 0.01 * group["lr"]).add_(update, alpha=-group["lr"] * scale)


def _orthogonal(matrix: Tensor) -> Tensor:
    a, b, c = 3.4445, -4.7750, 2.0315
    x: Tensor = (matrix / (matrix.norm() + 1e-7)).bfloat16()
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(5):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return (x.T if tall else x).float()


def batches(corpus: Corpus, size: int) -> Iterator[Batch]:
    examples: Iterator[Example] = iter(corpus)
    while True:
        pool = [example.numbers() for example in islice(examples, POOL * size)]
        pool.sort(key=lambda numbers: len(numbers[0]) + len(numbers[1]))
        rows = [pool[start : start + size] for start in range(0, len(pool), size)]
        corpus.rng.shuffle(rows)
        yield from (Batch.of(row) for row in rows)


def train(
    course: Course, report: Callable[[str, Network], None], start_from: Network | None = None
) -> Network:
    """A new network, or the given one trained further."""
    torch.manual_seed(course.seed)
    network = start_from or Network(Shape(len(program.TOKENS)))
    matrices = [p for p in network.blocks.parameters() if p.ndim == 2]
    others = [p for p in network.parameters() if all(p is not m for m in matrices)]
    optimisers = (
        Muon(matrices, course.muon_rate),
        torch.optim.AdamW(others, course.adam_rate, betas=(0.9, 0.98), weight_decay=0.0),
    )
    rates = [group["lr"] for optimiser in optimisers for group in optimiser.param_groups]
    start = time.monotonic()
    mean = 0.0
    for number, batch in enumerate(batches(Corpus(course.seed, "practice"), course.batch)):
        spent = time.monotonic() - start
        done = max(number / course.steps, spent / 60 / course.minutes)
        if done >= 1:
            break
        _set_rates(optimisers, rates, done, number)
        loss = _loss(network, batch)
        for optimiser in optimisers:
            optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(others, 1.0)
        for optimiser in optimisers:
            optimiser.step()
        mean = loss.item() if number == 0 else mean * 0.98 + loss.item() * 0.02
        if (number + 1) % 100 == 0:
            report(f"step {number + 1} loss {mean:.4f} {spent:.0f} s", network)
    return network


def _set_rates(
    optimisers: tuple[torch.optim.Optimizer, ...], rates: list[float], done: float, step: int
) -> None:
    """Warm-up over 50 steps, constant for two fifths of the course, then straight down."""
    factor = min(1.0, (step + 1) / 50, max(0.01, (1 - done) / 0.6))
    groups = [group for optimiser in optimisers for group in optimiser.param_groups]
    for group, rate in zip(groups, rates, strict=True):
        group["lr"] = rate * factor


def _loss(network: Network, batch: Batch) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(batch.ids, batch.parts, batch.mask)
    return functional.cross_entropy(
        logits.float().flatten(0, 1), batch.targets.flatten(), weight=WEIGHTS
    )


def _weight(token: str) -> float:
    """How much a token matters: where things stand is half chance, looks are not the network's."""
    if token == program.TOKENS[PAD]:
        return 0.0
    if token in (program.NATURAL, "medium", *program.SCALE_NAMES):
        return 0.1
    return 0.3 if token in (*program.XS, *program.YS) else 1.0


WEIGHTS = torch.tensor([_weight(token) for token in program.TOKENS])
