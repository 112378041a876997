"""Model files for tests: the bundled chat model, made into something else."""

from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

from penstock.control.local_source import bundled_source
from penstock.domain.source import GgufFile
from penstock.engines.formats.gguf import read_metadata


def chat_model_path() -> Path:
    source = bundled_source("penstock/tiny-chat")
    assert isinstance(source, GgufFile)
    return source.path


def with_template(template: str, path: Path) -> Path:
    """Writes the bundled chat model, with that chat template, to `path`."""
    return rewritten(path, {"tokenizer.chat_template": template})


def as_embedder(path: Path, pooling: gguf.PoolingType) -> Path:
    """Writes the bundled chat model, as one whose tokens are pooled into a vector, to `path`."""
    return rewritten(path, {}, pooling=pooling)


def as_reranker(path: Path, head: NDArray[np.float32]) -> Path:
    """Writes the bundled chat model, as one that judges documents, to `path`.

    `head` [2, width] makes logits of "yes" and "no" of the last token's state.
    """
    return rewritten(path, {}, pooling=gguf.PoolingType.RANK, head=head)


def rewritten(
    path: Path,
    values: Mapping[str, str],
    pooling: gguf.PoolingType | None = None,
    head: NDArray[np.float32] | None = None,
) -> Path:
    """Writes the bundled chat model, with other values of some of its keys, to `path`."""
    reader = gguf.GGUFReader(chat_model_path())
    architecture = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(path, architecture)
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        kind, inner = field.types[0], field.types[-1]
        value = values.get(name, field.contents())
        writer.add_key_value(
            name, value, kind, sub_type=inner if kind == gguf.GGUFValueType.ARRAY else None
        )
    if pooling is not None:
        writer.add_pooling_type(pooling)
    if head is not None:
        writer.add_classifier_output_labels(["yes", "no"])
        writer.add_tensor("cls.output.weight", head)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def make_eyes(path: Path) -> Path:
    """Writes an mmproj file for the bundled chat model, with random weights: LLaVA's, tiny."""
    width, heads, inner, layers, side, patch = 32, 2, 64, 2, 28, 14
    seen = read_metadata(chat_model_path()).embedding_length
    assert seen is not None
    random = np.random.default_rng(0)
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_type("mmproj")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_bool("clip.use_gelu", True)
    writer.add_string("clip.projector_type", "mlp")
    for name, value in {
        "embedding_length": width, "feed_forward_length": inner, "block_count": layers,
        "projection_dim": seen, "attention.head_count": heads, "image_size": side,
        "patch_size": patch,
    }.items():  # fmt: skip
        writer.add_uint32(f"clip.vision.{name}", value)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    writer.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    writer.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])

    def add(name: str, *shape: int) -> None:
        writer.add_tensor(name, random.standard_normal(shape, dtype=np.float32))

    add("v.class_embd", width)
    add("v.patch_embd.weight", width, 3, patch, patch)
    add("v.position_embd.weight", (side // patch) ** 2 + 1, width)
    for norm in ("v.pre_ln", *(f"v.blk.{at}.ln{n}" for at in range(layers) for n in (1, 2))):
        add(f"{norm}.weight", width)
        add(f"{norm}.bias", width)
    for at in range(layers):
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            add(f"v.blk.{at}.{name}.weight", width, width)
            add(f"v.blk.{at}.{name}.bias", width)
        add(f"v.blk.{at}.ffn_up.weight", inner, width)
        add(f"v.blk.{at}.ffn_up.bias", inner)
        add(f"v.blk.{at}.ffn_down.weight", width, inner)
        add(f"v.blk.{at}.ffn_down.bias", width)
    add("mm.0.weight", seen, width)
    add("mm.0.bias", seen)
    add("mm.2.weight", seen, seen)
    add("mm.2.bias", seen)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
