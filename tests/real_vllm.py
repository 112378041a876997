"""A real vLLM for tests, in an environment of its own, which TEST_VLLM_PYTHON names.

`.ci/vllm-python` makes such an environment. One process serves all tests of a run: it takes a
minute to start.
"""

import contextlib
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors_model import write_safetensors_model

from penstock.control.gpus import gpus
from penstock.control.machine import free_memory_bytes
from penstock.domain.source import ModelDirectory
from penstock.engines.base import Engine, Launch
from penstock.engines.registry import EngineOptions, make_engine
from penstock.http.client import Timeouts

VARIABLE = "TEST_VLLM_PYTHON"
START_S = 900.0
STOP_S = 60.0
SLOTS = 4


def vllm_python() -> Path:
    """Skips the test, and says so, where there is none."""
    named = os.environ.get(VARIABLE)
    if not named:
        pytest.skip(
            f"no vLLM: {VARIABLE} names no interpreter that has it; .ci/vllm-python makes one"
        )
    return Path(named)


def vllm_engine(model: Path, *, parallel: int = SLOTS) -> Engine:
    return make_engine(
        "m",
        ModelDirectory(model),
        EngineOptions(
            free_memory_bytes=free_memory_bytes(),
            gpus=gpus(),
            vllm_python=vllm_python(),
            dtype="float32",  # as llama.cpp computes: the same answers are expected
            parallel=parallel,
            timeouts=Timeouts(stall_timeout_s=120),
        ),
    )


class RunningVllm:
    """An engine, and how its process, which is ready, was started."""

    def __init__(self, engine: Engine, launch: Launch) -> None:
        self.engine = engine
        self.launch = launch


@contextlib.contextmanager
def running_vllm(model: Path | None = None) -> Iterator[RunningVllm]:
    """The bundled chat model, or another, on a real vLLM until the context ends."""
    with tempfile.TemporaryDirectory(prefix="pst-") as directory:
        run_dir = Path(directory)
        engine = vllm_engine(model or write_safetensors_model(run_dir / "tiny-chat"))
        launch = engine.launch(run_dir)
        assert launch is not None
        log = run_dir / "stderr"
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                launch.argv,
                env={**os.environ, **launch.environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )
        try:
            wait_ready(process, launch.socket_path, log)
            yield RunningVllm(engine, launch)
        finally:
            assert process.stdin is not None
            process.stdin.close()  # as when Penstock dies: it must end by itself
            process.wait(STOP_S)


def wait_ready(process: subprocess.Popen[bytes], socket_path: Path, log: Path) -> None:
    end_s = time.monotonic() + START_S
    while time.monotonic() < end_s:
        assert process.poll() is None, log.read_text()[-4000:]
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(socket_path))
            asking.sendall(b"GET /health HTTP/1.1\r\nhost: vllm\r\n\r\n")
            if asking.recv(1024).startswith(b"HTTP/1.1 200"):
                return
        time.sleep(0.2)
    raise AssertionError(f"vLLM was not ready after {START_S:g} s:\n{log.read_text()[-4000:]}")
