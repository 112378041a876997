"""Adapters are read before anything starts: those that fit, and why the others do not."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from adapter_files import ALPHA, RANK, gguf_adapter, numbers, peft_adapter
from gguf_files import chat_model_path
from safetensors_model import write_safetensors

from penstock.engines.base import CannotStart
from penstock.engines.formats.gguf import GgufMetadata, read_metadata
from penstock.engines.formats.peft import MOST_RANK, convert
from penstock.engines.llama_cpp.lora import fit

BASE = chat_model_path()
Make = Callable[[Path], Path]


@pytest.mark.parametrize("make", [gguf_adapter, peft_adapter])
def test_an_adapter_that_fits_is_known_by_its_header(make: Make, tmp_path: Path) -> None:
    lora = fit(BASE, make(tmp_path / "adapter.gguf"))
    assert lora.rank == RANK
    assert lora.size_bytes > 10_000
    assert lora.pairs["blk.0.attn_q.weight"] == ((192, RANK), (RANK, 256))


def odd(**change: Any) -> Make:
    """An adapter that differs from a good one in some argument."""
    return lambda path: gguf_adapter(path, **change)


def peft(**config: Any) -> Make:
    return lambda path: peft_adapter(path.with_suffix(""), **config)


def only(weight: str, a: tuple[int, int], b: tuple[int, int]) -> Make:
    """An adapter of one weight with tensors of these shapes, rows first."""
    return odd(weights={weight: (np.ones(a, np.float32), np.ones(b, np.float32))})


def cut(path: Path) -> Path:
    gguf_adapter(path)
    path.write_bytes(path.read_bytes()[:-4096])
    return path


def peft_cut(path: Path) -> Path:
    directory = peft_adapter(path.with_suffix(""))
    file = directory / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-4096])
    return directory


def pickled(path: Path) -> Path:
    directory = peft_adapter(path.with_suffix(""))
    (directory / "adapter_model.safetensors").unlink()
    (directory / "adapter_model.bin").write_bytes(pickle.dumps({"w": [1.0]}))
    return directory


def pickle_file(path: Path) -> Path:
    path.write_bytes(pickle.dumps({"w": [1.0]}))
    return path


def lonely(path: Path) -> Path:
    writer = gguf.GGUFWriter(path, "qwen3")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_tensor("blk.0.attn_q.weight.lora_a", np.ones((4, 192), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def of_embeddings(path: Path) -> Path:
    directory = peft_adapter(path.with_suffix(""))
    name = "base_model.model.model.embed_tokens.lora_embedding_A"
    write_safetensors(directory / "adapter_model.safetensors", {name: np.ones((4, 9), np.float32)})
    return directory


def bad_config(path: Path) -> Path:
    directory = peft_adapter(path.with_suffix(""))
    (directory / "adapter_config.json").write_text('{"r": "four"')
    return directory


REFUSALS: dict[str, tuple[Make, str]] = {
    "another architecture": (odd(architecture="llama"), "for a model of architecture llama"),
    "a model": (lambda path: BASE, "It is a model, and not a LoRA adapter"),
    "another kind": (odd(adapter_type="ia3"), "It is a ia3, and not a LoRA"),
    "a weight that is not there": (
        only("blk.9.attn_q.weight", (4, 192), (256, 4)),
        "changes blk.9.attn_q.weight, which its base does not have",
    ),
    "another width": (
        only("blk.0.attn_q.weight", (4, 128), (256, 4)),
        "changes a blk.0.attn_q.weight of 128 × 256, and that of its base has 192 × 256",
    ),
    "unequal ranks": (
        only("blk.0.attn_q.weight", (4, 192), (256, 5)),
        "do not fit each other",
    ),
    "a huge rank": (
        only("blk.0.attn_q.weight", (MOST_RANK + 1, 192), (256, MOST_RANK + 1)),
        f"from 1 to {MOST_RANK} is possible",
    ),
    "nothing in it": (odd(weights={}), "It has no tensors"),
    "half of a pair": (lonely, "is not one of a pair"),
    "cut off": (cut, "ends too early"),
    "a pickle": (pickle_file, "does not begin with 'GGUF'"),
    "not there": (lambda path: path, "is a .gguf file, or a directory"),
    "peft: a pickle": (pickled, "adapter_model.bin is a pickle, which may run code"),
    "peft: cut off": (peft_cut, "it is cut off"),
    "peft: dora": (peft(use_dora=True), "It uses use_dora"),
    "peft: biases": (peft(bias="all"), "It uses bias"),
    "peft: whole modules": (peft(modules_to_save=["lm_head"]), "It uses modules_to_save"),
    "peft: another method": (peft(peft_type="IA3"), "Its peft_type is 'IA3'"),
    "peft: no rank": (peft(r=0), "Its r is 0"),
    "peft: a large rank": (peft(r=MOST_RANK + 1), f"Its r is {MOST_RANK + 1}"),
    "peft: an absurd rank": (peft(r=10**100), "adapter_config.json is not what PEFT writes"),
    "peft: an absurd alpha": (peft(lora_alpha=10**100), "lora_alpha 1e+100"),
    "peft: embeddings": (of_embeddings, "convert_lora_to_gguf.py"),
    "peft: bad config": (bad_config, "adapter_config.json is not what PEFT writes"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_an_adapter_that_does_not_fit_is_refused_with_the_reason(case: str, tmp_path: Path) -> None:
    make, reason = REFUSALS[case]
    with pytest.raises(CannotStart) as refused:
        fit(BASE, make(tmp_path / "adapter.gguf"))
    assert reason in str(refused.value)


def test_a_base_of_an_architecture_unknown_here_wants_a_converted_adapter(tmp_path: Path) -> None:
    base = GgufMetadata(architecture="gemma3", file_size_bytes=0)
    with pytest.raises(CannotStart, match=r"its base is a gemma3.*convert_lora_to_gguf\.py"):
        convert(peft_adapter(tmp_path / "peft"), base, tmp_path / "out.gguf")


def tensors_of(path: Path) -> dict[str, Any]:
    return {tensor.name: np.array(tensor.data) for tensor in gguf.GGUFReader(path).tensors}


@pytest.mark.parametrize(("rslora", "alpha"), [(False, ALPHA), (True, ALPHA * RANK**0.5)])
def test_what_peft_saved_becomes_the_file_that_llama_cpp_takes(
    rslora: bool, alpha: float, tmp_path: Path
) -> None:
    weights = numbers(1)
    peft = peft_adapter(tmp_path / "peft", weights, use_rslora=rslora)
    convert(peft, read_metadata(BASE), tmp_path / "out.gguf")
    metadata = read_metadata(tmp_path / "out.gguf")
    assert (metadata.kind, metadata.adapter_type) == ("adapter", "lora")
    assert metadata.adapter_alpha == pytest.approx(alpha)
    found = tensors_of(tmp_path / "out.gguf")
    assert len(found) == 2 * len(weights)
    for name, (a, b) in weights.items():
        assert np.array_equal(found[f"{name}.lora_a"], a)
        assert np.array_equal(found[f"{name}.lora_b"], b)


def test_the_rows_of_a_llama_are_ordered_as_its_weights_are(tmp_path: Path) -> None:
    """As llama.cpp's converter: reshape(heads, 2, length / 2).swapaxes(1, 2) of the rows."""
    heads, heads_kv, rank = 4, 2, 3
    base = GgufMetadata(
        architecture="llama",
        file_size_bytes=0,
        block_count=1,
        head_count=(heads,),
        head_count_kv=(heads_kv,),
    )
    random = np.random.default_rng(0)
    weights = {
        f"blk.0.{module}.weight": (
            random.standard_normal((rank, 32), dtype=np.float32),
            random.standard_normal((rows, rank), dtype=np.float32),
        )
        for module, rows in (("attn_q", 32), ("attn_k", 16), ("ffn_down", 32))
    }
    convert(peft_adapter(tmp_path / "peft", weights), base, tmp_path / "out.gguf")
    found = tensors_of(tmp_path / "out.gguf")
    for module, count in (("attn_q", heads), ("attn_k", heads_kv)):
        a, b = weights[f"blk.0.{module}.weight"]
        ordered = b.reshape(count, 2, len(b) // count // 2, rank).swapaxes(1, 2).reshape(b.shape)
        assert np.array_equal(found[f"blk.0.{module}.weight.lora_a"], a)
        assert np.array_equal(found[f"blk.0.{module}.weight.lora_b"], ordered)
    assert np.array_equal(
        found["blk.0.ffn_down.weight.lora_b"], weights["blk.0.ffn_down.weight"][1]
    )


def test_a_config_of_a_megabyte_is_not_read(tmp_path: Path) -> None:
    directory = peft_adapter(tmp_path / "peft")
    (directory / "adapter_config.json").write_text(json.dumps({"x": "y" * 2_000_000}))
    with pytest.raises(CannotStart, match="more than"):
        fit(BASE, directory)
