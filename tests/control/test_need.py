"""What a copy needs of a machine's GPUs, as its engine tells before anything is started."""

from pathlib import Path

import pytest
from safetensors_model import write_safetensors_model

from penstock.config.settings import ModelSettings, Settings
from penstock.control.claim import Claim, Need
from penstock.control.recipe import EngineMaker, Recipe
from penstock.domain.gpu import Gpu
from penstock.domain.source import FakeEngine, ModelDirectory
from penstock.engines.base import CannotStart
from penstock.engines.fake import WORKER_BYTES
from penstock.engines.registry import LocalSource

MIB, GIB = 1024**2, 1024**3
H100S = (Gpu(0, "H100", 80 * GIB, 79 * GIB), Gpu(1, "H100", 80 * GIB, 20 * GIB))
L4 = Gpu(2, "L4", 24 * GIB, 23 * GIB)


def maker(tmp_path: Path, *gpus: Gpu, vllm: str | None = None) -> EngineMaker:
    settings = Settings(vllm_python=vllm)
    return EngineMaker(settings, cache_dir=tmp_path, budget_bytes=64 * GIB, gpus=gpus)


def recipe(source: str = "fake:", **settings: int) -> Recipe:
    return Recipe("m", source, ModelSettings(source=source, **settings))  # type: ignore[arg-type]


def fake(**flags: int) -> LocalSource:
    return FakeEngine(tuple((name, str(value)) for name, value in flags.items()))


def vllm_for_gpus(tmp_path: Path) -> str:
    """Stands for an interpreter that has vLLM: nothing is started with it."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 0.32.0 gpu\n")
    python.chmod(0o755)
    return str(python)


def test_one_without_gpus_needs_memory_only(tmp_path: Path) -> None:
    need = maker(tmp_path, *H100S, L4).need(recipe(), fake(ballast_mib=8))
    assert need == Need(WORKER_BYTES + 8 * MIB)


def test_one_that_fits_any_gpu_may_have_any(tmp_path: Path) -> None:
    need = maker(tmp_path, *H100S, L4).need(recipe(), fake(gpu_mib=4096))
    assert need == Need(WORKER_BYTES, 1, {0: 4 * GIB, 1: 4 * GIB, 2: 4 * GIB})


def test_gpus_that_are_too_small_are_left_out(tmp_path: Path) -> None:
    need = maker(tmp_path, *H100S, L4).need(recipe(), fake(gpu_mib=50 * 1024))
    assert need == Need(WORKER_BYTES, 1, {0: 50 * GIB, 1: 50 * GIB})


def test_one_over_several_gpus_gets_unlike_ones_only_where_it_must(tmp_path: Path) -> None:
    large, pair = H100S[0], (L4, Gpu(3, "L4", 24 * GIB, 23 * GIB))
    two = fake(gpu_mib=1024, gpus=2)
    assert maker(tmp_path, large, *pair).need(recipe(), two).gpu_bytes == {2: GIB, 3: GIB}
    assert maker(tmp_path, large, L4).need(recipe(), two).gpu_bytes == {0: GIB, 2: GIB}


def test_what_no_gpu_could_ever_give_is_refused_with_the_figures(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"needs 30\.00 GiB of a GPU's memory, .* L4 23\.00 GiB"):
        maker(tmp_path, L4).need(recipe(), fake(gpu_mib=30 * 1024))
    with pytest.raises(CannotStart, match="is to run on 3 GPUs, and there are 2"):
        maker(tmp_path, *H100S).need(recipe(), fake(gpu_mib=1, gpus=3))
    with pytest.raises(CannotStart, match="is to run on 1 GPUs, and there are 0"):
        maker(tmp_path).need(recipe(), fake(gpu_mib=1))


def test_vllm_needs_a_share_of_whichever_gpu_it_gets(tmp_path: Path) -> None:
    model = ModelDirectory(write_safetensors_model(tmp_path / "tiny"))
    machine = maker(tmp_path, *H100S, L4, vllm=vllm_for_gpus(tmp_path))
    need = machine.need(recipe(str(model.path)), model)
    share = {gpu.index: int(gpu.memory_bytes * 0.9) for gpu in (*H100S, L4)}
    assert (need.gpu_count, need.gpu_bytes) == (1, share)
    free = Claim(64 * GIB, {gpu.index: gpu.free_bytes for gpu in (*H100S, L4)})
    first = need.place(free)
    assert first is not None
    second = need.place(free.minus(first))
    assert second is not None
    assert [dict(each.gpu_bytes) for each in (first, second)] == [{0: share[0]}, {2: share[2]}]
    assert need.place(free.minus(first).minus(second)) is None
    engine = machine.make(
        recipe(str(model.path)),
        model,
        free_bytes=second.memory_bytes,
        gpus=machine.offered(second),
    )
    launch = engine.launch(tmp_path)
    assert launch is not None
    assert launch.environment["CUDA_VISIBLE_DEVICES"] == "2"
    assert (launch.gpus, launch.gpu_bytes) == ((2,), share[2])
