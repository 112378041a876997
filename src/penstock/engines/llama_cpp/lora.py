"""LoRA adapters: whether one fits its base, read from the headers of both before anything starts.

An adapter is a GGUF file, as llama.cpp takes it, or a directory as the library PEFT saves it, which
`engines/formats/peft.py` makes a GGUF file of. To the product of two narrow tensors `a` [in, rank]
and `b` [rank, out] a layer's weight [in, out] is added, scaled by alpha / rank.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from penstock.engines.base import CannotStart
from penstock.engines.formats.gguf import read_metadata, read_tensors
from penstock.engines.formats.gguf_reader import PLAIN_KINDS, GgufError, GgufTensor
from penstock.engines.formats.peft import MOST_RANK, is_peft, parts_of

#: Of a tensor's name, which of the two it is.
A, B = ".lora_a", ".lora_b"

Shape = tuple[int, ...]


class Lora(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an adapter. `pairs` are the shapes of `a` and `b`, by the weight's name.

    `architecture` None: it does not say what it was made for.
    """

    architecture: str | None
    rank: int
    size_bytes: int
    pairs: Mapping[str, tuple[Shape, Shape]]


def fit(base: Path, adapter: Path) -> Lora:
    """The adapter, which fits the GGUF model `base`. Raises CannotStart, with the reason."""
    try:
        lora = read_lora(adapter, base)
        check_fit(lora, read_metadata(base).architecture, read_tensors(base))
    except (CannotStart, GgufError, OSError) as error:
        raise CannotStart(f"The adapter {adapter} cannot be used: {error}") from None
    return lora


def read_lora(path: Path, base: Path) -> Lora:
    """Raises CannotStart, GgufError, OSError."""
    if is_peft(path):
        parts = parts_of(path, read_metadata(base))
        shapes = {part.name: part.shape for part in parts}
        return lora_of(None, pairs_of(shapes), sum(part.source.size_bytes for part in parts))
    if path.suffix != ".gguf" or not path.is_file():
        raise CannotStart(
            "An adapter is a .gguf file, or a directory with adapter_config.json and "
            "adapter_model.safetensors."
        )
    metadata = read_metadata(path)
    if metadata.kind != "adapter" or metadata.adapter_type != "lora":
        kind = metadata.adapter_type or metadata.kind
        raise CannotStart(f"It is a {kind}, and not a LoRA adapter.")
    tensors = read_tensors(path)
    for name, tensor in tensors.items():
        if tensor.kind not in PLAIN_KINDS:
            known = ", ".join(kind for kind, _ in PLAIN_KINDS.values())
            raise CannotStart(f"Its tensor {name[:100]!r} is quantised, and not one of {known}.")
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    return lora_of(metadata.architecture, pairs_of(shapes), metadata.file_size_bytes)


def pairs_of(shapes: Mapping[str, Shape]) -> dict[str, tuple[Shape, Shape]]:
    """The shapes of each weight's two tensors. Raises CannotStart for any that has no partner."""
    pairs = {}
    for name in shapes:
        weight = name.removesuffix(A).removesuffix(B)
        a, b = shapes.get(weight + A), shapes.get(weight + B)
        if weight == name or a is None or b is None:
            raise CannotStart(f"Its tensor {name[:100]!r} is not one of a pair {A} and {B}.")
        pairs[weight] = (a, b)
    return pairs


def lora_of(
    architecture: str | None, pairs: Mapping[str, tuple[Shape, Shape]], size_bytes: int
) -> Lora:
    """Raises CannotStart for an impossible rank."""
    if not pairs:
        raise CannotStart("It has no tensors.")
    for weight, (a, b) in pairs.items():
        if len(a) != 2 or len(b) != 2 or a[1] != b[0]:
            raise CannotStart(f"The two tensors of {weight} do not fit each other: {a} and {b}.")
        if not 1 <= a[1] <= MOST_RANK:
            raise CannotStart(
                f"Its rank for {weight} is {a[1]}; from 1 to {MOST_RANK} is possible."
            )
    rank = max(a[1] for a, _ in pairs.values())
    return Lora(architecture=architecture, rank=rank, size_bytes=size_bytes, pairs=pairs)


def check_fit(lora: Lora, architecture: str, base: Mapping[str, GgufTensor]) -> None:
    """Raises CannotStart when it was made for another base."""
    if lora.architecture not in (None, architecture):
        raise CannotStart(
            f"It was made for a model of architecture {lora.architecture}, and its base is a "
            f"{architecture}."
        )
    for weight, (a, b) in lora.pairs.items():
        tensor = base.get(weight)
        if tensor is None:
            raise CannotStart(f"It changes {weight[:100]}, which its base does not have.")
        if (a[0], b[1]) != tensor.shape:
            raise CannotStart(
                f"It was made for another base: it changes a {weight} of {a[0]} × {b[1]}, and "
                f"that of its base has {' × '.join(map(str, tensor.shape))}."
            )
