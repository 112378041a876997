"""What is measured: how each target is started in front of the mock server, and what it needs.

A target that this machine lacks raises `Unavailable` with a sentence; the others are measured.
"""

import grp
import os
import pwd
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import crowd
import native
import processes
from processes import Child

KEY = "sk-bench-0123456789abcdefghijklmn"
#: The module that llama.cpp's processes run.
LLAMA_CPP = "penstock.engines.workers.llama_cpp"
CHAT = "/v1/chat/completions"


class Unavailable(RuntimeError):
    """The target is not installed here."""


@dataclass(frozen=True)
class Target:
    """A running server that answers chat completions of the model `mock`."""

    name: str
    child: Child
    port: int


@dataclass(frozen=True)
class Bench:
    """Where one benchmark runs: its folder, its CPUs, its mock server, what ends with it.

    `models` and `keys` is how many the target `crowded` has beside the one that is asked.
    """

    folder: Path
    load_cpu: int | None
    target_cpu: int | None
    models: int
    keys: int
    busy: bool
    mock: Child
    mock_port: int
    stack: ExitStack

    def start(self, name: str, argv: list[str], env: dict[str, str] | None = None) -> Child:
        child = processes.start(argv, name=name, folder=self.folder, env=env, cpu=self.target_cpu)
        return self.stack.enter_context(processes.running(child))


def open_bench(
    stack: ExitStack,
    folder: Path,
    load_cpu: int | None,
    target_cpu: int | None,
    *,
    models: int = 0,
    keys: int = 0,
) -> Bench:
    """Start the mock server; it is on the load's CPU so that the target has one for itself.

    On a CPU of their own, load and mock never sleep: to wake a sleeper is dear for whoever writes
    to it, and only a slow target would find them asleep.
    """
    port = processes.free_port()
    busy = load_cpu != target_cpu
    argv = [str(native.build("mockllm")), str(port), *(["busy"] if busy else [])]
    mock = processes.start(argv, name="mock", folder=folder, cpu=load_cpu)
    stack.enter_context(processes.running(mock))
    processes.wait_ready(mock, port, "/v1/models", 5)
    return Bench(folder, load_cpu, target_cpu, models, keys, busy, mock, port, stack)


def direct(bench: Bench) -> Target:
    """No gateway: its CPU figures are the mock server's own."""
    return Target("direct", bench.mock, bench.mock_port)


def nginx(bench: Bench) -> Target:
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if not program:
        raise Unavailable("nginx is not installed (Debian: apt-get install nginx-light)")
    port = processes.free_port()
    words = {
        "FOLDER": str(bench.folder),
        "KEY": KEY,
        "MOCK_PORT": str(bench.mock_port),
        "PORT": str(port),
    }
    config = (Path(__file__).parent / "nginx.conf").read_text()
    for word, value in words.items():
        config = config.replace(f"@{word}@", value)
    path = bench.folder / "nginx.conf"
    path.write_text(config)
    argv = [program, "-e", str(bench.folder / "nginx-error.log"), "-c", str(path)]
    if os.getuid() == 0:  # else its worker becomes a user that cannot enter our folder
        user, group = pwd.getpwuid(0).pw_name, grp.getgrgid(os.getgid()).gr_name
        argv += ["-g", f"user {user} {group};"]
    child = bench.start("nginx", argv)
    processes.wait_ready(child, port, "/v1/models", 10, KEY)
    return Target("nginx", child, port)


def penstock_env(home: Path) -> dict[str, str]:
    """The environment of a Penstock that knows nothing of the user's own one.

    Python may keep its byte code: compiling it anew would double the time of every start.
    """
    unwanted = ("PENSTOCK_", "PYTHONDONTWRITEBYTECODE")
    env = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return {**env, "PENSTOCK_HOME": str(home), "PENSTOCK_API_KEY": KEY}


def penstock_argv(*arguments: str) -> list[str]:
    if not find_spec("penstock"):
        raise Unavailable("penstock is not installed in this Python: use `uv run bench/run.py`")
    return [sys.executable, "-m", "penstock", *arguments]


def start_penstock(
    folder: Path,
    *arguments: str,
    name: str = "penstock",
    settings: Mapping[str, str] | None = None,
    cpu: int | None = None,
) -> tuple[Child, int]:
    """`penstock serve` in a new home, not yet ready; its process and port."""
    port = processes.free_port()
    argv = penstock_argv("serve", *arguments, "--host", "127.0.0.1", "--port", str(port))
    env = penstock_env(folder / f"{name}-home") | dict(settings or {})
    return processes.start(argv, name=name, folder=folder, env=env, cpu=cpu), port


def penstock(bench: Bench, name: str = "penstock") -> Target:
    """The whole gateway: key check, typed parsing, admission, re-encoding, metering, metrics."""
    model = f"mock=http://127.0.0.1:{bench.mock_port}/v1"
    child, port = start_penstock(bench.folder, model, name=name, cpu=bench.target_cpu)
    bench.stack.enter_context(processes.running(child))
    processes.wait_ready(child, port, "/ready", 60)
    return Target(name, child, port)


def crowded(bench: Bench) -> Target:
    """The same, with many other models and keys in its state."""
    home = bench.folder / "crowded-home"
    crowd.fill(home, models=bench.models, keys=bench.keys, secret=KEY)
    return penstock(bench, "crowded")


def litellm(bench: Bench) -> Target:
    program = shutil.which("litellm")
    if not program:
        raise Unavailable("litellm is not on PATH (pip install 'litellm[proxy]' in a venv)")
    config = bench.folder / "litellm.yaml"
    config.write_text(
        "model_list:\n"
        "  - model_name: mock\n"
        "    litellm_params:\n"
        "      model: openai/mock\n"
        f"      api_base: http://127.0.0.1:{bench.mock_port}/v1\n"
        "      api_key: none\n"
        "general_settings:\n"
        f"  master_key: {KEY}\n"
    )
    port = processes.free_port()
    argv = [program, "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    env = {
        **os.environ,
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOG": "ERROR",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    child = bench.start("litellm", [*argv, "--num_workers", "1", "--telemetry", "False"], env)
    processes.wait_ready(child, port, "/health/liveliness", 120)
    return Target("litellm", child, port)


TARGETS: dict[str, Callable[[Bench], Target]] = {
    "direct": direct,
    "nginx": nginx,
    "penstock": penstock,
    "crowded": crowded,
    "litellm": litellm,
}
