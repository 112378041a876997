"""Compile the two C programs, once, into a cache folder.

They are C because the load and the mock server share a core with nothing else: what they cost
limits what can be measured. The binary's name carries a digest of its source, so an edited source
is compiled again and an old binary is never taken for a new one.
"""

import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

SOURCES = Path(__file__).parent
FLAGS = ["-O2", "-Wall", "-Wextra"]


class NoCompiler(RuntimeError):
    """There is no C compiler on this machine."""


def build(name: str) -> Path:
    """The path of the compiled program `name`, compiled now when it is not in the cache."""
    source = SOURCES / f"{name}.c"
    digest = hashlib.sha256(source.read_bytes() + " ".join(FLAGS).encode()).hexdigest()[:16]
    binary = _cache() / f"{name}-{digest}"
    if not binary.exists():
        _compile(source, binary)
    return binary


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "penstock-bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _compile(source: Path, binary: Path) -> None:
    """Compile beside the target and rename: a second run never sees half a program."""
    with tempfile.TemporaryDirectory(dir=binary.parent) as folder:
        fresh = Path(folder) / binary.name
        argv = [*_compiler(), *FLAGS, "-o", str(fresh), str(source)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise RuntimeError(f"{source.name} does not compile:\n{done.stderr.strip()}")
        fresh.replace(binary)


def _compiler() -> list[str]:
    wanted = [os.environ["CC"]] if os.environ.get("CC") else ["cc", "gcc", "clang"]
    for command in wanted:
        argv = shlex.split(command)
        if shutil.which(argv[0]):
            return argv
    raise NoCompiler(
        f"No C compiler ({', '.join(wanted)}) was found. The load generator and the mock server "
        "are two small C programs: install a compiler (Debian: apt-get install gcc libc6-dev) "
        "or name yours in CC."
    )
