"""Muon: momentum whose step is made orthogonal, for the matrices of the blocks."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


def orthogonal(stacked: Tensor, kind: torch.dtype, steps: int = 5) -> Tensor:
    """Nearly orthogonal matrices of the same row spaces, for a stack [n, rows, columns].

    Half precision is enough as the kind of number to compute with.
    """
    a, b, c = _NEWTON_SCHULZ
    tall = stacked.shape[1] > stacked.shape[2]
    x = stacked.mT if tall else stacked
    x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)).to(kind)
    for _ in range(steps):
        square = x @ x.mT
        curve = torch.baddbmm(square, square, square, beta=b, alpha=c)
        x = torch.baddbmm(x, curve, x, beta=a)
    result: Tensor = (x.mT if tall else x).float()
    return result


class Muon:
    """Steps matrices of one shape together, which is what makes it cheap on a CPU."""

    def __init__(
        self,
        matrices: Iterable[nn.Parameter],
        rate: float,
        kind: torch.dtype,
        decay: float = 0.01,
    ) -> None:
        self.rate = rate
        self.kind = kind
        self.decay = decay
        self.groups: dict[torch.Size, list[nn.Parameter]] = {}
        for matrix in matrices:
            self.groups.setdefault(matrix.shape, []).append(matrix)
        self.momenta = {shape: torch.zeros(len(g), *shape) for shape, g in self.groups.items()}

    @torch.no_grad()
    def step(self, factor: float, momentum: float = 0.95) -> None:
        rate = self.rate * factor
        for shape, group in self.groups.items():
            gradients = torch.stack([m.grad for m in group if m.grad is not None])
            mean = self.momenta[shape].lerp_(gradients, 1 - momentum)
            steps = orthogonal(gradients.lerp(mean, momentum), self.kind)
            scale = max(1.0, shape[0] / shape[1]) ** 0.5
            for matrix, step in zip(group, steps, strict=True):
                matrix.mul_(1 - rate * self.decay).add_(step, alpha=-rate * scale)
