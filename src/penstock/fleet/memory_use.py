"""What a process holds of the machine's memory, as the kernel tells.

Pages of files that are mapped are not held: the kernel takes them back when they are needed
elsewhere. An engine may keep weights of its own beside the file that it has read them from; with
the file's pages they would count twice. Where weights are only mapped, the estimate has them.
"""

from pathlib import Path

import psutil

#: Its own pages, and its part of those that are shared memory. Linux has told them since 5.4.
HELD = frozenset({"Pss_Anon:", "Pss_Shmem:"})


def memory_bytes_of(process: psutil.Process) -> int:
    """Resident memory of all kinds where the system does not tell them apart. Blocks; 0 once it
    has ended."""
    try:
        rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    except OSError:
        rollup = ""
    held = [int(words[1]) for words in map(str.split, rollup.splitlines()) if words[0] in HELD]
    return sum(held) * 1024 if held else _resident_bytes(process)


def _resident_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
