"""What a replica has read lately: beginnings of prompts that its cache may still hold."""

from collections import OrderedDict
from collections.abc import Sequence

#: Some 200 bytes each, so that a replica's take 6 MB at the most. A block is text of about 64
#: tokens: this is more than most engines have room for in their caches.
MOST_BLOCKS = 32_768


class Prefixes:
    """Prompts as chains of blocks, the most lately read `most_blocks` of them.

    A chain's number at a place stands for the text up to there: see `gateway/affinity.py`.
    """

    __slots__ = ("_blocks", "_most_blocks")

    def __init__(self, most_blocks: int = MOST_BLOCKS) -> None:
        self._blocks: OrderedDict[int, None] = OrderedDict()
        self._most_blocks = most_blocks

    def __len__(self) -> int:
        return len(self._blocks)

    def match(self, chain: Sequence[int]) -> int:
        """How many blocks of `chain`, from its beginning, have been read.

        `add` sees to it that with a block all blocks before it are there too.
        """
        low, high = 0, len(chain)
        while low < high:
            middle = (low + high + 1) // 2
            if chain[middle - 1] in self._blocks:
                low = middle
            else:
                high = middle - 1
        return low

    def add(self, chain: Sequence[int]) -> None:
        """Remember that `chain` is being read. The beginning is the last thing to be forgotten."""
        blocks = self._blocks
        for block in reversed(chain[: self._most_blocks]):
            blocks[block] = None
            blocks.move_to_end(block)
        while len(blocks) > self._most_blocks:
            blocks.popitem(last=False)

    def clear(self) -> None:
        self._blocks.clear()
