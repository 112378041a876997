"""What this machine has: memory and cores, as this process may use them."""

import os
from pathlib import Path

import psutil

CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
CGROUP_USED = Path("/sys/fs/cgroup/memory.current")


def free_memory_bytes() -> int:
    """What is available, by the kernel's estimate and by the limit of our container."""
    available = int(psutil.virtual_memory().available)
    try:
        limit = CGROUP_LIMIT.read_text().strip()
        used = int(CGROUP_USED.read_text())
    except (OSError, ValueError):
        return available
    return min(available, int(limit) - used) if limit.isdigit() else available


def engine_threads() -> int:
    """All cores this process may use but one, which is the gateway's; at least one.

    More threads than free cores make an engine many times slower, not faster.
    """
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, (usable or 1) - 1)
