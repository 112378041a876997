"""LoRA adapters for vLLM: whether each fits its base, read from headers before anything starts.

vLLM takes what the library PEFT saves, and finds only at the first call that one does not fit.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import msgspec

from penstock.engines.base import CannotStart
from penstock.engines.formats.peft import PICKLE, TENSORS, is_peft, read_config
from penstock.engines.formats.safetensors import SafetensorsError, Tensor, read_tensors
from penstock.engines.formats.transformer import TransformerFiles

#: vLLM keeps room for one of these ranks (`LoRAConfig.max_lora_rank`).
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
#: Different adapters in one batch, at most: each takes room beside the weights.
MOST_IN_A_BATCH = 8
#: What PEFT puts before the base's own names.
PREFIX = "base_model.model."
#: The layer that makes scores of tokens. Unless vLLM is told what adapters change, it adapts this
#: one too, which scores a prompt by the batch's map of adapters: one entry per request, not token.
OUTPUT = "lm_head"
A, B = ".lora_A.weight", ".lora_B.weight"

Shape = tuple[int, ...]


def adapter_flags(adapters: Mapping[str, Path], files: TransformerFiles) -> list[str]:
    """What `vllm serve` is told of them. Raises CannotStart with the reason for one that cannot be.

    A quantised base has its weights in other shapes, so that those are not compared.
    """
    if not adapters:
        return []
    shapes = None if files.quantization is not None else base_shapes(files)
    read = [checked(path, shapes) for path in adapters.values()]
    rank = max(adapter.rank for adapter in read)
    modules_changed = sorted(set().union(*(adapter.modules for adapter in read)))
    modules = [
        json.dumps({"name": name, "path": str(path.absolute())}) for name, path in adapters.items()
    ]
    return [
        "--enable-lora",
        "--max-lora-rank", str(next(room for room in RANKS if room >= rank)),
        "--max-loras", str(min(len(adapters), MOST_IN_A_BATCH)),
        "--max-cpu-loras", str(len(adapters)),
        "--lora-target-modules", *modules_changed,
        "--lora-modules", *modules,
    ]  # fmt: skip


def base_shapes(files: TransformerFiles) -> dict[str, Shape]:
    """Of every weight, by its name."""
    shapes: dict[str, Shape] = {}
    for path in files.weight_files:
        shapes |= {name: tensor.shape for name, tensor in read_tensors(path).items()}
    return shapes


class Adapter(msgspec.Struct, frozen=True):
    """What vLLM is told of an adapter before it reads it."""

    rank: int
    #: Last parts of the names of the layers that it changes.
    modules: frozenset[str]


def checked(path: Path, base: Mapping[str, Shape] | None) -> Adapter:
    try:
        return _checked(path, base)
    except (CannotStart, SafetensorsError, OSError) as error:
        raise CannotStart(f"The adapter {path} cannot be used: {error}") from None


def _checked(path: Path, base: Mapping[str, Shape] | None) -> Adapter:
    if not is_peft(path):
        raise CannotStart(
            f"vLLM takes a directory with adapter_config.json and {TENSORS}, as PEFT saves it."
        )
    config = read_config(path)
    if config.peft_type != "LORA":
        raise CannotStart(f"Its peft_type is {config.peft_type[:40]!r}, and only LORA can be used.")
    refused = {
        "use_dora": config.use_dora,
        "bias": config.bias != "none",
        "modules_to_save": bool(config.modules_to_save),
    }
    for field, given in refused.items():
        if given:
            raise CannotStart(f"It uses {field}, which cannot be honoured.")
    if not config.target_modules:
        raise CannotStart("Its adapter_config.json has no target_modules, which vLLM asks for.")
    if not 1 <= config.r <= RANKS[-1]:
        raise CannotStart(f"Its rank is {config.r}; from 1 to {RANKS[-1]} is possible.")
    if not (path / TENSORS).is_file():
        pickled = f", and {PICKLE} is a pickle, which may run code" * (path / PICKLE).is_file()
        raise CannotStart(f"It has no {TENSORS}{pickled}.")
    tensors = read_tensors(path / TENSORS)
    for name, tensor in tensors.items():
        _check_shape(name, tensor, config.r, base)
    return Adapter(rank=config.r, modules=frozenset().union(*map(_modules_of, tensors)))


def _modules_of(tensor_name: str) -> set[str]:
    """The layer that the tensor changes; of a mixture's experts vLLM names them all together."""
    *above, layer = tensor_name.removesuffix(A).removesuffix(B).split(".")
    return {layer, *{"experts"}.intersection(above)}


def _check_shape(name: str, tensor: Tensor, rank: int, base: Mapping[str, Shape] | None) -> None:
    """`A` is [rank, in] and `B` [out, rank] beside a weight of [out, in]."""
    is_a = name.endswith(A)
    if not is_a and not name.endswith(B):
        raise CannotStart(f"Its tensor {name[:120]!r} is not one of a pair {A} and {B}.")
    if OUTPUT in _modules_of(name):
        raise CannotStart(
            f"It changes {OUTPUT}, and a vLLM that adapts {OUTPUT} ends when a prompt is scored "
            "while others run."
        )
    at = 0 if is_a else 1
    if len(tensor.shape) != 2 or tensor.shape[at] > RANKS[-1]:
        raise CannotStart(f"Its tensor {name} of shape {tensor.shape} is not of rank {rank}.")
    if base is None:
        return
    weight = name.removeprefix(PREFIX).removesuffix(A).removesuffix(B) + ".weight"
    shape = base.get(weight)
    if shape is None:
        raise CannotStart(f"It changes {weight[:120]}, which its base does not have.")
    length = tensor.shape[1 - at]
    if length != shape[1 if is_a else 0]:
        raise CannotStart(
            f"It was made for another base: {name} has {length} numbers where its base's weight of "
            f"{shape[0]} × {shape[1]} has {shape[1 if is_a else 0]}."
        )
