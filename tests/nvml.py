"""NVIDIA's management library as a stub, for machines without a GPU."""

import shutil
import subprocess
from pathlib import Path

import pytest

STUB = Path(__file__).with_name("nvml_stub.c")
needs_gcc = pytest.mark.skipif(
    shutil.which("gcc") is None, reason="needs gcc to stand in for the driver"
)


def driver(directory: Path) -> dict[str, str]:
    """The environment of a process that finds the stub, which is built in `directory`."""
    library = directory / "libnvidia-ml.so.1"
    subprocess.run(["gcc", "-shared", "-fPIC", "-w", "-o", library, STUB], check=True)
    return {"LD_LIBRARY_PATH": str(directory)}


def gpus(directory: Path, *gib: int) -> dict[str, str]:
    """The same with empty GPUs of these sizes. Who runs on them is a line of the file `running`
    each: the GPU, a pid, and GiB."""
    shown = {"NVML_STUB_GIB": " ".join(map(str, gib))}
    return {**driver(directory), **shown, "NVML_STUB_RUNNING": str(directory / "running")}
