"""LoRA adapters for the bundled chat model, made by hand: they change its answers."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf_files import chat_model_path
from numpy.typing import NDArray
from safetensors_model import write_safetensors

from penstock.engines.formats.gguf import read_metadata, read_tensors

RANK, ALPHA = 4, 16.0
Array = NDArray[np.float32]
#: What PEFT calls the weights that are changed.
MODULES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "ffn_down": "mlp.down_proj",
}


def numbers(
    seed: int, *, rank: int = RANK, base: Path | None = None, strength: float = 0.16
) -> dict[str, tuple[Array, Array]]:
    """For each changed weight, `a` [rank, in] and `b` [out, rank]."""
    path = base or chat_model_path()
    random = np.random.default_rng(seed)
    tensors = read_tensors(path)
    found = {}
    for layer in range(read_metadata(path).block_count or 0):
        for module in MODULES:
            length, rows = tensors[name := f"blk.{layer}.{module}.weight"].shape
            a = random.standard_normal((rank, length), dtype=np.float32) * strength
            b = random.standard_normal((rows, rank), dtype=np.float32) * strength
            found[name] = (a, b)
    return found


def gguf_adapter(
    path: Path,
    weights: Mapping[str, tuple[Array, Array]] | None = None,
    *,
    seed: int = 1,
    architecture: str | None = None,
    type_: str = "adapter",
    adapter_type: str = "lora",
    alpha: float = ALPHA,
) -> Path:
    """Writes an adapter as llama.cpp's converter does."""
    writer = gguf.GGUFWriter(path, architecture or read_metadata(chat_model_path()).architecture)
    writer.add_type(type_)
    writer.add_string("adapter.type", adapter_type)
    writer.add_float32("adapter.lora.alpha", alpha)
    for name, (a, b) in (numbers(seed) if weights is None else weights).items():
        writer.add_tensor(f"{name}.lora_a", a)
        writer.add_tensor(f"{name}.lora_b", b)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def peft_adapter(
    path: Path,
    weights: Mapping[str, tuple[Array, Array]] | None = None,
    *,
    seed: int = 1,
    **config: Any,
) -> Path:
    """Writes an adapter as PEFT does: a directory with adapter_config.json and safetensors."""
    path.mkdir(parents=True)
    settings = {
        "peft_type": "LORA", "r": RANK, "lora_alpha": ALPHA, "bias": "none",
        "base_model_name_or_path": "penstock/tiny-chat", "task_type": "CAUSAL_LM",
        "target_modules": [module.rpartition(".")[2] for module in MODULES.values()],
    }  # fmt: skip
    (path / "adapter_config.json").write_text(json.dumps(settings | config))
    tensors: dict[str, Array] = {}
    for name, (a, b) in (numbers(seed) if weights is None else weights).items():
        _, layer, module, _ = name.split(".")
        prefix = f"base_model.model.model.layers.{layer}.{MODULES[module]}"
        tensors[f"{prefix}.lora_A.weight"], tensors[f"{prefix}.lora_B.weight"] = a, b
    write_safetensors(path / "adapter_model.safetensors", tensors)
    return path
