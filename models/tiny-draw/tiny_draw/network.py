"""The network: a small prefix transformer that reads a caption and writes a program.

The caption's tokens see one another in both directions; each token of the program sees the whole
caption and the program before it. Captions and programs share their tokens ("horse" is read and
written by one vector), so that writing what was read is easy; a second vector says which of the
two a token is in.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Shape:
    vocabulary: int
    width: int = 128
    layers: int = 6
    heads: int = 4

    @property
    def head_width(self) -> int:
        return self.width // self.heads


def rotated(vectors: Tensor, positions: Tensor) -> Tensor:
    """Rotary positions; vectors [batch, heads, tokens, head width]."""
    half = vectors.shape[-1] // 2
    rates = 1000.0 ** (-torch.arange(half, dtype=torch.float32) / half)
    angles = positions.to(torch.float32)[:, None] * rates
    cos, sin = angles.cos(), angles.sin()
    one, other = vectors[..., :half], vectors[..., half:]
    return torch.cat([one * cos - other * sin, one * sin + other * cos], -1)


class Block(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.before_attention = nn.LayerNorm(shape.width)
        self.before_mixing = nn.LayerNorm(shape.width)
        self.attend = nn.Linear(shape.width, 3 * shape.width, bias=False)
        self.gather = nn.Linear(shape.width, shape.width, bias=False)
        self.widen = nn.Linear(shape.width, 4 * shape.width)
        self.narrow = nn.Linear(4 * shape.width, shape.width)
        for last in (self.gather, self.narrow):
            nn.init.zeros_(last.weight)

    def forward(
        self, x: Tensor, positions: Tensor, mask: Tensor | None, past: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """`past` and the second result: keys and values [2, batch, heads, tokens, head width]."""
        batch, tokens, width = x.shape
        mixed = self.attend(self.before_attention(x))
        mixed = mixed.view(batch, tokens, 3, self.shape.heads, self.shape.head_width)
        query, key, value = mixed.permute(2, 0, 3, 1, 4).unbind(0)
        query, key = rotated(query, positions), rotated(key, positions)
        seen = torch.stack([key, value])
        if past is not None:
            seen = torch.cat([past, seen], dim=3)
        scores = query @ seen[0].transpose(-1, -2) / self.shape.head_width**0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, -1e9)
        heads = scores.softmax(-1) @ seen[1]
        x = x + self.gather(heads.transpose(1, 2).reshape(batch, tokens, width))
        return x + self.narrow(functional.gelu(self.widen(self.before_mixing(x)))), seen


class Network(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.tokens = nn.Embedding(shape.vocabulary, shape.width)
        self.parts = nn.Embedding(2, shape.width)  # 0 for the caption, 1 for the program
        nn.init.normal_(self.tokens.weight, std=0.05)
        nn.init.normal_(self.parts.weight, std=0.05)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.last = nn.LayerNorm(shape.width)

    def forward(self, ids: Tensor, parts: Tensor, mask: Tensor) -> Tensor:
        """Logits of the token after each one; mask [batch, 1, tokens, tokens]: who sees whom."""
        x = self._embedded(ids, parts)
        positions = torch.arange(ids.shape[1])
        for block in self.blocks:
            x, _ = block(x, positions, mask, None)
        return self._logits(x)

    def step(self, ids: Tensor, parts: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """What runs when drawing: the first call takes the caption, each later one a token.

        `past` is [layers, 2, batch, heads, tokens so far, head width]. Gives the logits of the
        next token and the longer past.
        """
        x = self._embedded(ids, parts)
        positions = past.shape[4] + torch.arange(ids.shape[1])
        seen = []
        for number, block in enumerate(self.blocks):
            x, layer = block(x, positions, None, past[number])
            seen.append(layer)
        return self._logits(x[:, -1]), torch.stack(seen)

    def _embedded(self, ids: Tensor, parts: Tensor) -> Tensor:
        embedded: Tensor = self.tokens(ids) + self.parts(parts)
        return embedded * math.sqrt(self.shape.width)

    def _logits(self, x: Tensor) -> Tensor:
        logits: Tensor = functional.linear(self.last(x), self.tokens.weight)
        return logits
