"""The headers of safetensors files: what is in them, and whether all of it is there.

Read without the numbers; the file is untrusted, so every length is checked before it is believed.
The format: github.com/huggingface/safetensors#format
"""

import math
from pathlib import Path

import msgspec

#: Of a header, as the format's own reader has it.
MOST_HEADER_BYTES = 100_000_000
LENGTH_BYTES = 8


class SafetensorsError(ValueError):
    """The file is none, or is damaged; the text says how."""


class Tensor(msgspec.Struct, frozen=True):
    """`data_offsets` are from the end of the header, in bytes."""

    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]

    @property
    def size_bytes(self) -> int:
        return self.data_offsets[1] - self.data_offsets[0]

    @property
    def numbers(self) -> int:
        return math.prod(self.shape)


_entries = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_tensor = msgspec.json.Decoder(Tensor).decode
#: An entry that is no tensor.
METADATA = "__metadata__"


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The file's tensors by name. Raises SafetensorsError, OSError."""
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
        if size_bytes < LENGTH_BYTES or not 0 < length <= MOST_HEADER_BYTES:
            raise SafetensorsError("it is not a safetensors file")
        if LENGTH_BYTES + length > size_bytes:
            raise SafetensorsError("it is cut off inside its header")
        header = file.read(length)
    try:
        tensors = {
            name: _tensor(entry) for name, entry in _entries(header).items() if name != METADATA
        }
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise SafetensorsError("its header is not valid") from None
    room_bytes = size_bytes - LENGTH_BYTES - length
    _check(tensors, room_bytes)
    return tensors


def _check(tensors: dict[str, Tensor], room_bytes: int) -> None:
    end = max((tensor.data_offsets[1] for tensor in tensors.values()), default=0)
    if end > room_bytes:
        raise SafetensorsError(
            f"it is cut off: its tensors have {end} bytes and {room_bytes} are there"
        )
    for name, tensor in tensors.items():
        begin, end = tensor.data_offsets
        if not 0 <= begin <= end or any(length < 0 for length in tensor.shape):
            raise SafetensorsError(f"its tensor {name[:100]!r} has no possible place")
