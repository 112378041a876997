"""Adapters as the library PEFT saves them: read without torch, and made a GGUF file.

Only safetensors are read: a pickle (`adapter_model.bin`) is a program of whoever made it. Names and
the order of rows are those of llama.cpp's own `convert_lora_to_gguf.py`; what else PEFT can do to a
model is refused by its name.
"""

import math
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import msgspec
from msgspec import Meta

from penstock.engines.base import CannotStart
from penstock.engines.formats.gguf import GgufMetadata
from penstock.engines.formats.gguf_reader import (
    DEFAULT_ALIGNMENT,
    MAGIC,
    PLAIN_KINDS,
    STRING,
    U32,
    U64,
)
from penstock.engines.formats.safetensors import (
    LENGTH_BYTES,
    SafetensorsError,
    Tensor,
    read_tensors,
)

CONFIG, TENSORS, PICKLE = "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"
LARGEST_CONFIG_BYTES = 1024 * 1024
LARGEST_ALPHA = 1e6
#: As much as vLLM takes; adapters that are shared have from 4 to 256.
MOST_RANK = 512
#: Beyond it a number is no rank of any engine, and is not shown.
LARGEST_RANK_READ = 2**31

#: Architectures whose weights have the names in MODULES; HALVED wants the rows of queries and keys
#: of each head in another order.
ARCHITECTURES = ("llama", "qwen2", "qwen3")
HALVED = "llama"
MODULES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_NAME = re.compile(
    r"base_model\.model\.model\.layers\.(?P<layer>0|[1-9]\d{0,3})\."
    rf"(?P<module>{'|'.join(map(re.escape, MODULES))})\.lora_(?P<part>[AB])\.weight"
)
#: ggml's numbers of the types, and bytes of a number, by safetensors' names.
KINDS = {name: (kind, size_bytes) for kind, (name, size_bytes) in PLAIN_KINDS.items()}
GGUF_VERSION, FLOAT32 = 3, 6
CONVERT = "Convert it with llama.cpp's convert_lora_to_gguf.py, and give the .gguf file."


class PeftConfig(msgspec.Struct, frozen=True):
    """Of `adapter_config.json`, what matters here."""

    peft_type: str = ""
    r: Annotated[int, Meta(ge=0, le=LARGEST_RANK_READ)] = 0
    lora_alpha: float = 0.0
    use_rslora: bool = False
    use_dora: bool = False
    fan_in_fan_out: bool = False
    bias: str = "none"
    modules_to_save: list[str] | None = None
    target_modules: list[str] | str | None = None
    alpha_pattern: dict[str, Any] | None = None
    rank_pattern: dict[str, Any] | None = None
    base_model_name_or_path: str | None = None

    @property
    def alpha(self) -> float:
        """What llama.cpp divides by the rank; rank-stabilised adapters divide by its root."""
        return self.lora_alpha * math.sqrt(self.r) if self.use_rslora else self.lora_alpha


class Part(msgspec.Struct, frozen=True):
    """One tensor of the safetensors file, and its name in GGUF.

    `heads` is set where the rows of each head are to be put into another order.
    """

    source: Tensor
    name: str
    heads: int | None

    @property
    def shape(self) -> tuple[int, ...]:
        """As GGUF has it: the length of a row comes first."""
        return self.source.shape[::-1]


def is_peft(path: Path) -> bool:
    return path.is_dir() and (path / CONFIG).is_file()


def parts_of(path: Path, base: GgufMetadata) -> list[Part]:
    """All tensors of an adapter for `base`. Raises CannotStart for what is not plain LoRA, OSError.

    Only headers are read.
    """
    check_config(read_config(path), base.architecture)
    if not (path / TENSORS).is_file():
        pickled = f", and {PICKLE} is a pickle, which may run code" * (path / PICKLE).is_file()
        raise CannotStart(
            f"It has no {TENSORS}{pickled}. Save it anew, with safe_serialization=True."
        )
    try:
        tensors = read_tensors(path / TENSORS)
    except SafetensorsError as error:
        raise CannotStart(f"{TENSORS}: {error}.") from None
    return [_part(name, tensor, base) for name, tensor in tensors.items()]


def read_config(path: Path) -> PeftConfig:
    """Raises CannotStart, OSError."""
    file = path / CONFIG
    if file.stat().st_size > LARGEST_CONFIG_BYTES:
        raise CannotStart(f"{CONFIG} has more than {LARGEST_CONFIG_BYTES} bytes.")
    try:
        return msgspec.json.decode(file.read_bytes(), type=PeftConfig)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CannotStart(f"{CONFIG} is not what PEFT writes: {error}.") from None


def check_config(config: PeftConfig, architecture: str) -> None:
    """Raises CannotStart for what is not plain LoRA on an architecture that is known here."""
    if config.peft_type != "LORA":
        raise CannotStart(f"Its peft_type is {config.peft_type[:40]!r}, and only LORA can be used.")
    if architecture not in ARCHITECTURES:
        raise CannotStart(
            f"What PEFT saves can be read for {', '.join(ARCHITECTURES)}, and its base is a "
            f"{architecture}. {CONVERT}"
        )
    refused = {
        "use_dora": config.use_dora,
        "fan_in_fan_out": config.fan_in_fan_out,
        "bias": config.bias != "none",
        "modules_to_save": bool(config.modules_to_save),
        "alpha_pattern": bool(config.alpha_pattern),
        "rank_pattern with use_rslora": bool(config.rank_pattern and config.use_rslora),
    }
    for field, given in refused.items():
        if given:
            raise CannotStart(f"It uses {field}, which cannot be honoured.")
    if not 1 <= config.r <= MOST_RANK or not 0 < config.lora_alpha <= LARGEST_ALPHA:
        raise CannotStart(f"Its r is {config.r} and its lora_alpha {config.lora_alpha:g}.")


def _part(name: str, tensor: Tensor, base: GgufMetadata) -> Part:
    found = _NAME.fullmatch(name)
    if found is None:
        raise CannotStart(f"Its tensor {name[:120]!r} is of a kind not known here. {CONVERT}")
    _, number_bytes = KINDS.get(tensor.dtype, (0, 0))
    if len(tensor.shape) != 2 or tensor.size_bytes != tensor.numbers * number_bytes:
        raise CannotStart(f"Its tensor {name} is not a matrix of {', '.join(KINDS)}.")
    layer, module, part = int(found["layer"]), MODULES[found["module"]], found["part"]
    per_layer = {"attn_q": base.head_count, "attn_k": base.head_count_kv}.get(module, ())
    halved = base.architecture == HALVED and part == "B" and layer < len(per_layer)
    return Part(
        tensor,
        f"blk.{layer}.{module}.weight.lora_{part.lower()}",
        per_layer[layer] if halved else None,
    )


# -- writing -----------------------------------------------------------------------------------


def convert(path: Path, base: GgufMetadata, to: Path) -> None:
    """Writes the adapter as a GGUF file to `to`. Raises CannotStart, OSError."""
    parts = parts_of(path, base)
    with to.open("wb") as out, (path / TENSORS).open("rb") as source:
        _write(out, _header(parts, base.architecture, read_config(path).alpha))
        data_start = LENGTH_BYTES + int.from_bytes(source.read(LENGTH_BYTES), "little")
        for part in parts:
            source.seek(data_start + part.source.data_offsets[0])
            data = source.read(part.source.size_bytes)
            _write(out, data if part.heads is None else b"".join(_halved(data, part)))


def _header(parts: list[Part], architecture: str, alpha: float) -> bytes:
    keys = (
        ("general.architecture", STRING, _text(architecture)),
        ("general.type", STRING, _text("adapter")),
        ("adapter.type", STRING, _text("lora")),
        ("adapter.lora.alpha", FLOAT32, struct.pack("<f", alpha)),
    )
    pieces = [MAGIC, U32.pack(GGUF_VERSION), U64.pack(len(parts)), U64.pack(len(keys))]
    for key, kind, value in keys:
        pieces += [_text(key), U32.pack(kind), value]
    offset = 0
    for part in parts:
        kind, _ = KINDS[part.source.dtype]
        pieces += [_text(part.name), U32.pack(len(part.shape)), *map(U64.pack, part.shape)]
        pieces += [U32.pack(kind), U64.pack(offset)]
        offset += _padded(part.source.size_bytes)
    return b"".join(pieces)


def _halved(data: bytes, part: Part) -> Iterator[bytes]:
    """The rows of each head: one of its first half and one of its second in turn."""
    assert part.heads
    rows, _ = part.source.shape
    row_bytes, per_head = len(data) // rows, rows // part.heads
    for first in range(0, rows, per_head):
        for at in range(first, first + per_head // 2):
            for row in (at, at + per_head // 2):
                yield data[row * row_bytes : (row + 1) * row_bytes]


def _write(out: BinaryIO, data: bytes) -> None:
    out.write(data.ljust(_padded(len(data)), b"\0"))


def _text(text: str) -> bytes:
    return U64.pack(len(text.encode())) + text.encode()


def _padded(size_bytes: int) -> int:
    return -(-size_bytes // DEFAULT_ALIGNMENT) * DEFAULT_ALIGNMENT
