"""What copies take of a machine: of its memory, and of the memory of its GPUs.

need    what a copy takes at least, wherever it is put
claim   what one takes, or may take, where it is
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from types import MappingProxyType

import msgspec

NO_GPUS: Mapping[int, int] = MappingProxyType({})


class Claim(msgspec.Struct, frozen=True):
    """Bytes of memory, and bytes of each of some GPUs, by their index."""

    memory_bytes: int = 0
    gpu_bytes: Mapping[int, int] = NO_GPUS

    def __bool__(self) -> bool:
        return bool(self.memory_bytes or any(self.gpu_bytes.values()))

    def plus(self, other: "Claim") -> "Claim":
        return self._with(other, lambda mine, theirs: mine + theirs)

    def minus(self, other: "Claim") -> "Claim":
        """What is left; below 0 where the other takes more."""
        return self._with(other, lambda mine, theirs: mine - theirs)

    def beyond(self, other: "Claim") -> "Claim":
        """What of it the other has not."""
        return self._with(other, lambda mine, theirs: max(0, mine - theirs))

    def at_least(self, other: "Claim") -> "Claim":
        return self._with(other, max)

    def within(self, most: "Claim") -> "Claim":
        """The same of what there is only, and of nothing more than there is."""
        gpu_bytes = {
            i: min(n, most.gpu_bytes[i]) for i, n in self.gpu_bytes.items() if i in most.gpu_bytes
        }
        return Claim(min(self.memory_bytes, most.memory_bytes), gpu_bytes)

    def parts(self) -> Iterator["Claim"]:
        """What it takes of each, one by one."""
        if self.memory_bytes:
            yield Claim(self.memory_bytes)
        yield from (Claim(0, {index: each}) for index, each in self.gpu_bytes.items() if each)

    def emptied(self, *, memory: bool, gpus: Collection[int]) -> "Claim":
        """The same with nothing of these; what is below 0 stays."""
        return Claim(
            min(self.memory_bytes, 0) if memory else self.memory_bytes,
            {i: min(each, 0) if i in gpus else each for i, each in self.gpu_bytes.items()},
        )

    def _with(self, other: "Claim", fold: Callable[[int, int], int]) -> "Claim":
        mine, theirs = self.gpu_bytes, other.gpu_bytes
        gpu_bytes = {i: fold(mine.get(i, 0), theirs.get(i, 0)) for i in {**mine, **theirs}}
        return Claim(fold(self.memory_bytes, other.memory_bytes), gpu_bytes)


NOTHING = Claim()


def total(claims: Iterable[Claim]) -> Claim:
    sum_ = NOTHING
    for claim in claims:
        sum_ = sum_.plus(claim)
    return sum_


class Need(msgspec.Struct, frozen=True):
    """Bytes of memory, and the same number of bytes of each of `gpu_count` GPUs.

    `gpu_bytes` is what it takes of each of those that it can run on, by index: GPUs of unlike size
    may give unlike parts, but not to one copy.
    """

    memory_bytes: int = 0
    gpu_count: int = 0
    gpu_bytes: Mapping[int, int] = NO_GPUS

    def grown(self, excess: Claim, most: Claim) -> "Need":
        """By what a copy was found to take beyond its claim, but of nothing more than there is:
        what has run can start again."""

        def grow(each: int, more: int, most: int) -> int:
            return max(each, min(each + more, most))

        more = max(excess.gpu_bytes.values(), default=0)
        return Need(
            grow(self.memory_bytes, excess.memory_bytes, most.memory_bytes),
            self.gpu_count,
            {i: grow(each, more, most.gpu_bytes[i]) for i, each in self.gpu_bytes.items()},
        )

    def place(self, free: Claim) -> Claim | None:
        """Its claim, on the GPUs with the most free memory; None where there is not enough."""
        return self.on_gpus(free) if self.memory_bytes <= free.memory_bytes else None

    def on_gpus(self, free: Claim) -> Claim | None:
        """The same where memory is not looked at."""
        if not self.gpu_count:
            return Claim(self.memory_bytes)
        emptiest = sorted(free.gpu_bytes, key=lambda index: (-free.gpu_bytes[index], index))
        for each in sorted(set(self.gpu_bytes.values()), reverse=True):
            alike = [i for i in emptiest if self.gpu_bytes.get(i) == each <= free.gpu_bytes[i]]
            if len(alike) >= self.gpu_count:
                return Claim(self.memory_bytes, dict.fromkeys(alike[: self.gpu_count], each))
        return None
