"""What memory is free, by the kernel's estimate and by the limit of the container."""

from pathlib import Path

import psutil
import pytest

from penstock.control import machine

GB = 10**9


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The memory files of a container of 64 GB, on a machine that has far more."""
    for name, file in (("LIMIT", "max"), ("USED", "current"), ("STAT", "stat")):
        monkeypatch.setattr(machine, f"CGROUP_{name}", tmp_path / f"memory.{file}")
    (tmp_path / "memory.max").write_text(f"{64 * GB}\n")
    available = psutil.virtual_memory()._replace(available=1000 * GB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: available)
    return tmp_path


def uses(container: Path, total_gb: int, *, inactive_gb: int = 0, active_gb: int = 0) -> None:
    (container / "memory.current").write_text(f"{total_gb * GB}\n")
    file_gb = inactive_gb + active_gb
    (container / "memory.stat").write_text(
        f"anon {(total_gb - file_gb) * GB}\nfile {file_gb * GB}\n"
        f"inactive_file {inactive_gb * GB}\nactive_file {active_gb * GB}\nslab 0\n"
    )


def test_files_that_are_only_cached_are_free_memory(container: Path) -> None:
    uses(container, 42, inactive_gb=30, active_gb=10)
    assert machine.free_memory_bytes() == 62 * GB


def test_what_is_not_told_of_caches_counts_as_used(container: Path) -> None:
    uses(container, 42)
    (container / "memory.stat").unlink()
    assert machine.free_memory_bytes() == 22 * GB
    (container / "memory.stat").write_text("anon 1\nfile\n\n")
    assert machine.free_memory_bytes() == 22 * GB


def test_no_more_is_free_than_the_limit(container: Path) -> None:
    """The files are read one after the other: the cache may have grown in between."""
    uses(container, 1, inactive_gb=2)
    assert machine.free_memory_bytes() == 64 * GB


def test_without_a_container_the_kernel_is_asked(container: Path) -> None:
    uses(container, 42)
    (container / "memory.max").write_text("max\n")
    assert machine.free_memory_bytes() == 1000 * GB
    (container / "memory.current").unlink()
    assert machine.free_memory_bytes() == 1000 * GB
