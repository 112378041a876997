"""Tiny random picture models for tests, and an interpreter that runs diffusers."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

VARIABLE = "TEST_DIFFUSERS_PYTHON"
MAKER = Path(__file__).with_name("tiny_pipelines.py")
LOADER = Path(__file__).with_name("load_pictures.py")
SOURCE = Path(__file__).parents[1] / "src"


def diffusers_python() -> Path:
    """Skips the test where there is none."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    if all(importlib.util.find_spec(name) for name in ("diffusers", "torch")):
        return Path(sys.executable)
    pytest.skip(
        f"NO REAL DIFFUSERS IS TESTED: {VARIABLE} names no interpreter that has it. "
        ".ci/diffusers-python makes one."
    )


def make(directory: Path) -> None:
    """What `tiny_pipelines.py` makes."""
    done = subprocess.run(
        [diffusers_python(), "-W", "ignore", MAKER, directory], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]


def load(models: Sequence[Mapping[str, object]]) -> list[str | None]:
    """What the worker's own code says of each; see `load_pictures.py`."""
    done = subprocess.run(
        [diffusers_python(), "-W", "ignore", LOADER],
        input=json.dumps(models, default=str),
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told: list[str | None] = json.loads(done.stdout.splitlines()[-1])
    return told
