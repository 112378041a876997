"""A directory as the hub has them: the bundled chat model in safetensors, with its tokenizer.

So an engine that reads safetensors can be asked what llama.cpp is asked, and ought to answer the
same.
"""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf_files import chat_model_path
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

#: llama.cpp's names of Qwen3's tensors, and transformers'.
LAYER_TENSORS = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
TENSORS = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}
CONTROL = gguf.TokenType.CONTROL
NORMAL = gguf.TokenType.NORMAL


def write_safetensors_model(directory: Path, *, config: Mapping[str, Any] | None = None) -> Path:
    """Writes the bundled chat model to `directory`; `config` replaces keys of its config.json."""
    directory.mkdir(parents=True, exist_ok=True)
    reader = gguf.GGUFReader(chat_model_path())
    values = {name: field.contents() for name, field in reader.fields.items()}
    write_safetensors(
        directory / "model.safetensors",
        {
            hub_name(tensor.name): gguf.dequantize(tensor.data, tensor.tensor_type)
            for tensor in reader.tensors
        },
    )
    write_json(directory / "config.json", {**config_of(values), **(config or {})})
    write_json(
        directory / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": values["tokenizer.ggml.tokens"][values["tokenizer.ggml.eos_token_id"]],
            "model_max_length": values["qwen3.context_length"],
            "clean_up_tokenization_spaces": False,
        },
    )
    (directory / "chat_template.jinja").write_text(values["tokenizer.chat_template"])
    tokenizer_of(values).save(str(directory / "tokenizer.json"))
    return directory


def write_embedder(directory: Path, *, config: Mapping[str, Any] | None = None) -> Path:
    """The same weights as sentence-transformers would have them: the last token's state, in at most
    512 tokens."""
    write_safetensors_model(directory, config=config)
    kinds = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize"}
    modules = [
        {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for at, (kind, path) in enumerate(kinds.items())
    ]
    (directory / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    pooling = {"word_embedding_dimension": 192, "pooling_mode_lasttoken": True}
    (directory / "1_Pooling").mkdir()
    write_json(directory / "1_Pooling" / "config.json", pooling)
    write_json(directory / "sentence_bert_config.json", {"max_seq_length": 512})
    return directory


def hub_name(name: str) -> str:
    """`blk.0.attn_q.weight` -> `model.layers.0.self_attn.q_proj.weight`."""
    stem = name.removesuffix(".weight")
    if stem in TENSORS:
        return f"{TENSORS[stem]}.weight"
    _, layer, part = stem.split(".")
    return f"model.layers.{layer}.{LAYER_TENSORS[part]}.weight"


def config_of(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "hidden_act": "silu",
        "hidden_size": values["qwen3.embedding_length"],
        "intermediate_size": values["qwen3.feed_forward_length"],
        "num_hidden_layers": values["qwen3.block_count"],
        "num_attention_heads": values["qwen3.attention.head_count"],
        "num_key_value_heads": values["qwen3.attention.head_count_kv"],
        "head_dim": values["qwen3.attention.key_length"],
        "max_position_embeddings": values["qwen3.context_length"],
        "rms_norm_eps": values["qwen3.attention.layer_norm_rms_epsilon"],
        "rope_theta": values["qwen3.rope.freq_base"],
        "vocab_size": values["qwen3.vocab_size"],
        "eos_token_id": values["tokenizer.ggml.eos_token_id"],
        "tie_word_embeddings": True,
        "attention_bias": False,
        "use_cache": True,
        "dtype": "float32",
    }


def tokenizer_of(values: Mapping[str, Any]) -> Tokenizer:
    """The same byte-level BPE; control tokens are special, tags are added and plain."""
    tokens = values["tokenizer.ggml.tokens"]
    kinds = values["tokenizer.ggml.token_type"]
    merges = [tuple(merge.split(" ")) for merge in values["tokenizer.ggml.merges"]]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    for token, kind in zip(tokens, kinds, strict=True):
        if kind != NORMAL:
            added = AddedToken(token, special=kind == CONTROL, normalized=False)
            add = tokenizer.add_special_tokens if kind == CONTROL else tokenizer.add_tokens
            add([added])
    return tokenizer


def write_safetensors(path: Path, tensors: Mapping[str, NDArray[np.float32]]) -> None:
    """The format: the length of a JSON header, the header, the numbers."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, numbers in tensors.items():
        end = offset + numbers.nbytes
        header[name] = {
            "dtype": "F32",
            "shape": list(numbers.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(encoded)))
        file.write(encoded)
        for numbers in tensors.values():
            file.write(np.ascontiguousarray(numbers, dtype="<f4").tobytes())


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1))
