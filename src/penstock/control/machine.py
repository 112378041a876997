"""What this machine has: memory and cores, as this process may use them."""

import os
from pathlib import Path

import psutil

CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
CGROUP_USED = Path("/sys/fs/cgroup/memory.current")
CGROUP_STAT = Path("/sys/fs/cgroup/memory.stat")
#: Files that were read or written, of what is used: they go when room is needed.
CACHED = frozenset({"inactive_file", "active_file"})
#: Of the free memory, what models may take; the rest is for everything else.
USABLE_SHARE = 0.9


def free_memory_bytes() -> int:
    """What is available, by the kernel's estimate and by the limit of our container."""
    available = int(psutil.virtual_memory().available)
    limit = memory_limit_bytes()
    try:
        used = int(CGROUP_USED.read_text())
    except (OSError, ValueError):
        return available
    used = max(0, used - _cached_bytes())
    return available if limit is None else min(available, limit - used)


def _cached_bytes() -> int:
    """Of the files that our container has in memory; 0 where that is not told."""
    try:
        facts = dict(line.split() for line in CGROUP_STAT.read_text().splitlines())
        return sum(int(facts[name]) for name in CACHED)
    except (OSError, ValueError, KeyError):
        return 0


def memory_limit_bytes() -> int | None:
    """That of our container; None: there is none."""
    try:
        limit = CGROUP_LIMIT.read_text().strip()
    except OSError:
        return None
    return int(limit) if limit.isdigit() else None


def memory_budget_bytes(limit_bytes: int | None) -> int:
    """What all models together may take: what the operator says, or what is free less a reserve."""
    return int(free_memory_bytes() * USABLE_SHARE) if limit_bytes is None else limit_bytes


def engine_threads() -> int:
    """All cores this process may use but one, which is the gateway's; at least one.

    More threads than free cores make an engine many times slower, not faster.
    """
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, (usable or 1) - 1)
