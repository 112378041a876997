"""The decoder in plain torch, shaped so that llama.cpp runs it as `qwen3`."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as fn


@dataclass(frozen=True)
class Shape:
    vocabulary: int
    width: int = 192
    layers: int = 5
    heads: int = 4
    key_heads: int = 2
    head_width: int = 64
    inner: int = 448
    context: int = 2048
    rope_base: float = 10_000.0
    epsilon: float = 1e-6


def rotations(shape: Shape) -> tuple[Tensor, Tensor]:
    """Cosines and sines of rotary positions for half a head, shape [context, 1, width / 2]."""
    steps = torch.arange(0, shape.head_width, 2).float() / shape.head_width
    angles = torch.outer(torch.arange(shape.context).float(), 1.0 / shape.rope_base**steps)
    return angles.cos()[:, None], angles.sin()[:, None]


def rotate(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    low, high = x.chunk(2, dim=-1)
    return torch.cat([low * cosines - high * sines, high * cosines + low * sines], dim=-1)


def causal_mask(length: int) -> Tensor:
    """What is added to scores [length, length]: minus infinity for what comes later."""
    return torch.full((length, length), -torch.inf).triu(1)


class Norm(nn.Module):
    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        x = x.float()
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.epsilon) * self.weight


class Block(nn.Module):
    """Grouped attention with normed queries and keys, then a gated feed-forward net.

    It begins as the identity.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        queries, keys = shape.heads * shape.head_width, shape.key_heads * shape.head_width
        self.attention_norm = Norm(shape.width, shape.epsilon)
        self.inner_norm = Norm(shape.width, shape.epsilon)
        self.query_norm = Norm(shape.head_width, shape.epsilon)
        self.key_norm = Norm(shape.head_width, shape.epsilon)
        self.query = nn.Linear(shape.width, queries, bias=False)
        self.key = nn.Linear(shape.width, keys, bias=False)
        self.value = nn.Linear(shape.width, keys, bias=False)
        self.output = nn.Linear(queries, shape.width, bias=False)
        self.gate = nn.Linear(shape.width, shape.inner, bias=False)
        self.up = nn.Linear(shape.width, shape.inner, bias=False)
        self.down = nn.Linear(shape.inner, shape.width, bias=False)
        for layer in (self.query, self.key, self.value, self.gate, self.up):
            nn.init.normal_(layer.weight, 0, 0.8 / math.sqrt(layer.in_features))
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.down.weight)

    def forward(self, x: Tensor, cosines: Tensor, sines: Tensor, mask: Tensor) -> Tensor:
        x = x + self._attend(self.attention_norm(x), cosines, sines, mask)
        y = self.inner_norm(x)
        return cast(Tensor, x + self.down(fn.silu(self.gate(y)) * self.up(y)))

    def _attend(self, y: Tensor, cosines: Tensor, sines: Tensor, mask: Tensor) -> Tensor:
        """Written out: on a CPU far faster to train than the fused attention of torch.

        The query heads that share a key are rows of one matrix.
        """
        rows, length, _ = y.shape
        keys, width = self.shape.key_heads, self.shape.head_width
        shared = self.shape.heads // keys
        split = (rows, length, -1, width)
        query = rotate(self.query_norm(self.query(y).view(split)), cosines, sines)
        key = rotate(self.key_norm(self.key(y).view(split)), cosines, sines)
        value = self.value(y).view(split)
        query = (query / math.sqrt(width)).to(value.dtype)
        query = query.view(rows, length, keys, shared, width).permute(0, 2, 3, 1, 4)
        query = query.reshape(rows * keys, shared * length, width)
        key = key.to(value.dtype).transpose(1, 2).reshape(rows * keys, length, width)
        value = value.transpose(1, 2).reshape(rows * keys, length, width)
        scores = torch.bmm(query, key.mT).view(rows * keys, shared, length, length) + mask
        shares = torch.softmax(scores.float(), -1).to(value.dtype)
        mixed = torch.bmm(shares.view(rows * keys, shared * length, length), value)
        mixed = mixed.view(rows, keys, shared, length, width).permute(0, 3, 1, 2, 4)
        return cast(Tensor, self.output(mixed.reshape(rows, length, -1)))


class Decoder(nn.Module):
    """Input and output share one embedding."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = Norm(shape.width, shape.epsilon)
        cosines, sines = rotations(shape)
        self.register_buffer("cosines", cosines, persistent=False)
        self.register_buffer("sines", sines, persistent=False)
        nn.init.normal_(self.embedding.weight, 0, 0.02)

    def grown(self, after: Collection[int]) -> Decoder:
        """The same function in more layers: a new one follows each whose number is given."""
        grown = Decoder(replace(self.shape, layers=self.shape.layers + len(after)))
        pairs = [(block, n in after) for n, block in enumerate(self.blocks)]
        grown.blocks = nn.ModuleList(
            each for block, more in pairs for each in (block, *[Block(self.shape)] * more)
        )
        grown.embedding, grown.norm = self.embedding, self.norm
        return grown

    def hidden(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        x = self.embedding(tokens)
        cosines, sines = self.cosines[:length], self.sines[:length]  # type: ignore[index]
        mask = causal_mask(length)
        for block in self.blocks:
            x = block(x, cosines, sines, mask)
        return cast(Tensor, self.norm(x))

    def forward(self, tokens: Tensor) -> Tensor:
        return self.hidden(tokens) @ self.embedding.weight.T

    def losses(self, tokens: Tensor, targets: Tensor, wanted: Tensor) -> Tensor:
        """Cross entropy of each wanted position."""
        kept = self.hidden(tokens)[wanted]
        scores = (kept @ self.embedding.weight.to(kept.dtype).T).float()
        return fn.cross_entropy(scores, targets[wanted], reduction="none")
