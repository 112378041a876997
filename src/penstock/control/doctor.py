"""What is wrong with this machine for serving models: a function of what was seen of it."""

import sys
from collections.abc import Iterator
from typing import Literal

import msgspec

from penstock.control.quantisation import size_text
from penstock.control.survey import Cpu, Disk, Facts, Hub, Memory, Port
from penstock.domain.gpu import Gpu

#: What xllamacpp's wheel for x86-64 is compiled with: without it the process dies of SIGILL.
NEEDED_ON_X86 = ("avx2", "f16c", "fma", "bmi2")
LITTLE_DISK_BYTES = 10 * 10**9
NO_DISK_BYTES = 10**9
LITTLE_MEMORY_BYTES = 10**9

Verdict = Literal["ok", "note", "bad"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A line for a person. `advice` says what to do about what is not "ok"."""

    what: str
    found: str
    verdict: Verdict = "ok"
    advice: str = ""


def findings(facts: Facts) -> list[Finding]:
    """A line for each thing, in the order in which a person would ask."""
    return [
        Finding(what="penstock", found=f"{facts.penstock}, Python {facts.python}, {facts.system}"),
        _of_cpu(facts.cpu),
        _of_memory(facts.memory),
        *_of_gpus(facts.gpus),
        *_of_packages(facts),
        Finding(
            what="settings", found=facts.config_file or "defaults and environment, no penstock.toml"
        ),
        Finding(
            what="state",
            found=f"{facts.home}, {'with' if facts.database else 'without'} a database",
        ),
        _of_disk(facts.disk),
        _of_port(facts.port),
        _of_hub(facts.hub),
    ]


def _of_cpu(cpu: Cpu) -> Finding:
    cores = f"{cpu.cores} cores" + (
        f" of {cpu.cores_of_machine}" if cpu.cores != cpu.cores_of_machine else ""
    )
    found = (
        f"{cpu.model}, {cores}, {cpu.engine_threads} for an engine; "
        f"{' '.join(cpu.features) or 'features not known'}"
    )
    missing = [feature for feature in NEEDED_ON_X86 if feature not in cpu.features]
    if cpu.architecture == "x86_64" and cpu.features and missing:
        return Finding(
            what="cpu",
            found=found,
            verdict="bad",
            advice=f"llama.cpp's wheel needs {', '.join(missing)}: build xllamacpp from source.",
        )
    return Finding(what="cpu", found=found)


def _of_memory(memory: Memory) -> Finding:
    limit = memory.limit_bytes
    of = f"{size_text(memory.total_bytes)}" + (
        f", limited to {size_text(limit)} by the container" if limit is not None else ""
    )
    little = memory.free_bytes < LITTLE_MEMORY_BYTES
    return Finding(
        what="memory",
        found=f"{size_text(memory.free_bytes)} free of {of}",
        verdict="note" if little else "ok",
        advice="Few models fit into that." if little else "",
    )


def _of_gpus(found: tuple[Gpu, ...]) -> Iterator[Finding]:
    if not found:
        yield Finding(what="gpu", found="none that NVIDIA's driver tells of")
    for gpu in found:
        memory = f"{size_text(gpu.free_bytes)} free of {size_text(gpu.memory_bytes)}"
        yield Finding(what=f"gpu {gpu.index}", found=f"{gpu.name}, {memory}")


def _of_packages(facts: Facts) -> Iterator[Finding]:
    for engine in dict.fromkeys(package.engine for package in facts.packages):
        packages = [package for package in facts.packages if package.engine == engine]
        missing = [package for package in packages if package.version is None]
        told = ", ".join(f"{p.name} {p.version}" for p in packages if p.version is not None)
        where = "" if packages[0].python == sys.executable else f" in {packages[0].python}"
        if engine == "llama_cpp" and not missing and not facts.openmp:
            yield Finding(
                what=engine,
                found=f"{told}, but libgomp.so.1 is not there",
                verdict="bad",
                advice="Install it: apt-get install libgomp1",
            )
        elif missing:
            yield Finding(
                what=engine,
                found=f"not installed{where}: {', '.join(package.name for package in missing)}",
                verdict="bad" if packages[0].needed else "note",
                advice=f"To have it: {packages[0].install}",
            )
        else:
            yield Finding(what=engine, found=f"{told}{where}")


def _of_disk(disk: Disk) -> Finding:
    found = f"{size_text(disk.free_bytes)} free of {size_text(disk.total_bytes)} for {disk.path}"
    if disk.problem is not None:
        return Finding(
            what="disk",
            found=found,
            verdict="bad",
            advice=f"{disk.problem}. Set PENSTOCK_HOME to a directory of yours.",
        )
    if disk.free_bytes < LITTLE_DISK_BYTES:
        verdict: Verdict = "bad" if disk.free_bytes < NO_DISK_BYTES else "note"
        return Finding(what="disk", found=found, verdict=verdict, advice="Make room for weights.")
    return Finding(what="disk", found=found)


def _of_port(port: Port) -> Finding:
    where = f"{port.host}:{port.port}"
    if port.problem is None:
        return Finding(what="port", found=f"{where} is free")
    return Finding(
        what="port",
        found=f"{where}: {port.problem}",
        verdict="note",
        advice="A Penstock that runs already, or something else: choose another --port then.",
    )


def _of_hub(hub: Hub | None) -> Finding:
    if hub is None:
        return Finding(what="hub", found="not asked (--online asks)")
    if hub.problem is None:
        return Finding(what="hub", found=f"{hub.url} answered after {hub.seconds:.1f} s")
    return Finding(
        what="hub",
        found=f"{hub.url}: {hub.problem}",
        verdict="bad",
        advice="Only what is in the cache can be served. HF_ENDPOINT names another hub.",
    )
