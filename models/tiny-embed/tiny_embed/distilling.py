"""How the student learns from the teacher. Needs torch, which the student itself does not."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from tiny_embed.bags import FAMILY, FIRST_WORD
from tiny_embed.student import Student, Vectors

BATCH = 512
LONGEST = 64


@dataclass(frozen=True)
class Recipe:
    """What was chosen on the development pairs (see the model card)."""

    dimensions: int = 256
    epochs: int = 6
    vector_rate: float = 9e-3  # times the mean magnitude of the first vectors
    weight_rate: float = 2e-2
    family_share: float = 0.3  # of the loss, for pairs of one family


def first_guess(token_vectors: Vectors, dimensions: int) -> tuple[Vectors, Vectors]:
    """Principal components of the teacher's single-token vectors; weight grows as log of rank."""
    centred = token_vectors - token_vectors.mean(0)
    _, _, axes = np.linalg.svd(centred.T @ centred)
    rank = np.maximum(np.arange(len(token_vectors)) - (FIRST_WORD - 6), 0)
    return centred @ axes[:dimensions].T, np.log(np.log(rank + 4.0)).astype(np.float32)


def fit(
    token_vectors: Vectors,
    bags: list[list[int]],
    targets: Vectors,
    recipe: Recipe,
    report: Callable[[int, float, Student], None],
) -> Student:
    """Moves the first guess until its similarities within a batch are the teacher's."""
    vectors, log_weights = (
        torch.nn.Parameter(torch.from_numpy(guess.copy()))
        for guess in first_guess(token_vectors, recipe.dimensions)
    )
    scale = float(vectors.detach().abs().mean())
    optimiser = torch.optim.Adam(
        [
            {"params": [vectors], "lr": recipe.vector_rate * scale},
            {"params": [log_weights], "lr": recipe.weight_rate},
        ]
    )
    families = len(bags) // FAMILY
    steps = recipe.epochs * (families // (BATCH // FAMILY))
    fall = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: max(0.02, 1 - step / steps))
    rng = np.random.default_rng(0)
    for epoch in range(recipe.epochs):
        order = rng.permutation(families)
        loss = torch.zeros(())
        for start in range(0, families - BATCH // FAMILY + 1, BATCH // FAMILY):
            chosen = order[start : start + BATCH // FAMILY]
            rows = (chosen[:, None] * FAMILY + np.arange(FAMILY)).ravel()
            sums = _weighted_sums(vectors, log_weights, [bags[row] for row in rows])
            loss = _mismatch(sums, torch.from_numpy(targets[rows]), recipe.family_share)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            fall.step()
        report(epoch, loss.item(), _folded(vectors, log_weights))
    return _folded(vectors, log_weights)


def _weighted_sums(
    vectors: torch.Tensor, log_weights: torch.Tensor, bags: list[list[int]]
) -> torch.Tensor:
    length = min(LONGEST, max(len(bag) for bag in bags))
    ids = torch.zeros(len(bags), length, dtype=torch.long)
    mask = torch.zeros(len(bags), length)
    for row, bag in enumerate(bags):
        cut = bag[:length]
        ids[row, : len(cut)] = torch.tensor(cut)
        mask[row, : len(cut)] = 1
    return (vectors[ids] * (log_weights[ids].exp() * mask)[..., None]).sum(1)


def _mismatch(sums: torch.Tensor, targets: torch.Tensor, family_share: float) -> torch.Tensor:
    unit = functional.normalize(sums, dim=-1)
    error = (unit @ unit.T - targets @ targets.T).square()
    family = torch.arange(len(sums)) // FAMILY
    same = (family[:, None] == family[None, :]) & ~torch.eye(len(sums), dtype=torch.bool)
    strangers = family[:, None] != family[None, :]
    return 100 * (family_share * error[same].mean() + (1 - family_share) * error[strangers].mean())


def _folded(vectors: torch.Tensor, log_weights: torch.Tensor) -> Student:
    return Student((vectors * log_weights.exp()[:, None]).detach().numpy())
