"""The decoder in torch, where torch is there: it is not among Penstock's packages."""

import pytest

pytest.importorskip("torch")

import torch
from tiny_chat.model import Block, Decoder, Shape, causal_mask, rotate, rotations
from tiny_chat.muon import orthogonal
from torch.nn import functional as fn

SMALL = Shape(vocabulary=64, width=32, layers=2, heads=4, key_heads=2, head_width=8, inner=48)


def test_attention_is_that_of_torch() -> None:
    torch.manual_seed(1)
    block, length = Block(SMALL), 7
    x = torch.randn(3, length, SMALL.width)
    cosines, sines = (table[:length] for table in rotations(SMALL))
    split = (3, length, -1, SMALL.head_width)
    query = rotate(block.query_norm(block.query(x).view(split)), cosines, sines).transpose(1, 2)
    key = rotate(block.key_norm(block.key(x).view(split)), cosines, sines).transpose(1, 2)
    value = block.value(x).view(split).transpose(1, 2)
    mixed = fn.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True)
    wanted = block.output(mixed.transpose(1, 2).reshape(3, length, -1))
    got = block._attend(x, cosines, sines, causal_mask(length))
    assert torch.allclose(got, wanted, atol=1e-5)


def test_what_comes_later_changes_nothing_before() -> None:
    torch.manual_seed(2)
    decoder = Decoder(SMALL)
    for block in decoder.blocks:
        torch.nn.init.normal_(block.output.weight)
    tokens = torch.randint(0, 64, (1, 9))
    other = tokens.clone()
    other[0, 6:] = (other[0, 6:] + 1) % 64
    assert torch.allclose(decoder(tokens)[0, :6], decoder(other)[0, :6], atol=1e-5)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("shape", [(3, 16, 40), (2, 40, 16)])
def test_a_step_of_muon_turns_without_stretching(
    shape: tuple[int, int, int], kind: torch.dtype
) -> None:
    torch.manual_seed(3)
    singular = torch.linalg.svdvals(orthogonal(torch.randn(shape), kind))
    assert singular.min() > 0.5
    assert singular.max() < 1.4


def test_new_layers_do_nothing_at_first() -> None:
    torch.manual_seed(3)
    decoder = Decoder(SMALL)
    for block in decoder.blocks:
        torch.nn.init.normal_(block.output.weight, 0, 0.1)
    grown = decoder.grown([0, 1])
    assert (len(grown.blocks), grown.shape.layers) == (4, 4)
    tokens = torch.randint(0, 64, (2, 9))
    assert torch.equal(grown(tokens), decoder(tokens))
