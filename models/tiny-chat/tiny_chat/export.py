"""Writes the decoder, its tokenizer and its chat template as one GGUF file."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType, TokenType
from tokenizers import Tokenizer
from torch import nn

from tiny_chat.model import Decoder
from tiny_chat.template import END_OF_TEXT, END_OF_TURN, JINJA

# GGUF's names for the tensors of a block, by ours.
_BLOCK_TENSORS = {
    "attention_norm": "attn_norm",
    "inner_norm": "ffn_norm",
    "query_norm": "attn_q_norm",
    "key_norm": "attn_k_norm",
    "query": "attn_q",
    "key": "attn_k",
    "value": "attn_v",
    "output": "attn_output",
    "gate": "ffn_gate",
    "up": "ffn_up",
    "down": "ffn_down",
}


def export(decoder: Decoder, tokenizer: Tokenizer, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(out, "qwen3")
    _add_description(writer)
    _add_shape(writer, decoder)
    _add_tokenizer(writer, tokenizer, decoder.shape.vocabulary)
    writer.add_chat_template(JINJA.read_text(encoding="utf-8"))
    for name, weight in weights(decoder).items():
        _add_tensor(writer, name, weight.detach().float().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_description(writer: gguf.GGUFWriter) -> None:
    writer.add_name("tiny-chat")
    writer.add_author("The Penstock developers")
    writer.add_description("A very small demonstration model that comes with Penstock")
    writer.add_license("Apache-2.0")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)


def _add_shape(writer: gguf.GGUFWriter, decoder: Decoder) -> None:
    shape = decoder.shape
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.key_heads)
    writer.add_key_length(shape.head_width)
    writer.add_value_length(shape.head_width)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.epsilon)
    writer.add_vocab_size(shape.vocabulary)


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Tokenizer, size: int) -> None:
    stored = json.loads(tokenizer.to_str())
    tokens = [f"[PAD{index}]" for index in range(size)]
    kinds = [TokenType.UNUSED] * size
    for token, index in stored["model"]["vocab"].items():
        tokens[index], kinds[index] = token, TokenType.NORMAL
    for added in stored["added_tokens"]:
        tokens[added["id"]] = added["content"]
        kinds[added["id"]] = TokenType.CONTROL if added["special"] else TokenType.USER_DEFINED
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(merge) for merge in stored["model"]["merges"]])
    ids = tokenizer.get_vocab()
    writer.add_eos_token_id(ids[END_OF_TURN])
    writer.add_eot_token_id(ids[END_OF_TURN])
    writer.add_pad_token_id(ids[END_OF_TEXT])
    writer.add_add_bos_token(False)


def weights(decoder: Decoder) -> dict[str, nn.Parameter]:
    """All weights under GGUF's names. The output reuses the embedding and is not among them."""
    named = {
        "token_embd.weight": decoder.embedding.weight,
        "output_norm.weight": decoder.norm.weight,
    }
    for number, block in enumerate(decoder.blocks):
        for ours, theirs in _BLOCK_TENSORS.items():
            named[f"blk.{number}.{theirs}.weight"] = getattr(block, ours).weight
    return named


def _add_tensor(writer: gguf.GGUFWriter, name: str, values: np.ndarray) -> None:
    if values.ndim == 1:
        writer.add_tensor(name, values)
        return
    kind = GGMLQuantizationType.Q8_0
    writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
