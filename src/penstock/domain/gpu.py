"""A graphics processor that may run models."""

import msgspec


class Gpu(msgspec.Struct, frozen=True):
    """`index` is what the driver calls it; `free_bytes` is what of its memory nobody holds."""

    index: int
    name: str
    memory_bytes: int
    free_bytes: int
