"""The decoder of a GGUF file that `export` wrote, so that training can go on from it.

What training left behind is in no repository, the file is. Written again, it is the same file.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import torch
from gguf import GGUFReader

from tiny_chat.export import weights
from tiny_chat.model import Decoder, Shape

# The fields of a shape by GGUF's keys for them.
_KEYS = {
    "vocabulary": "vocab_size",
    "width": "embedding_length",
    "layers": "block_count",
    "heads": "attention.head_count",
    "key_heads": "attention.head_count_kv",
    "head_width": "attention.key_length",
    "inner": "feed_forward_length",
    "context": "context_length",
    "rope_base": "rope.freq_base",
    "epsilon": "attention.layer_norm_rms_epsilon",
}


def restored_decoder(file: Path) -> Decoder:
    """Raises KeyError where the file lacks a field or a tensor."""
    reader = GGUFReader(file)
    fields = {ours: reader.fields[f"qwen3.{key}"].contents() for ours, key in _KEYS.items()}
    decoder = Decoder(Shape(**fields))
    stored = {one.name: gguf.quants.dequantize(one.data, one.tensor_type) for one in reader.tensors}
    for name, weight in weights(decoder).items():
        weight.data.copy_(torch.tensor(stored[name]))
    return decoder
