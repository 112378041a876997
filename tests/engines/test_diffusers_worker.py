"""The engine of picture models, with the real diffusers: what it loads, what it refuses, and what
memory that runs out does to it."""

import asyncio
import io
import json
import re
import resource
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import picture_models
import psutil
import pytest
from PIL import Image, ImageChops

from penstock.domain.errors import EngineFailed
from penstock.domain.image import ImageCall
from penstock.engines.diffusers.engine import Diffusers
from penstock.fleet.base import Place
from penstock.fleet.local import LocalFleet
from penstock.http.client import Broken, Client

GIB = 1024**3
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """A directory with a short path: a unix socket's may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="pst-") as path:
        yield Path(path)


PLACE = Place(deployment_id="d", generation=1, copy_id="c")


def engine(directory: Path, **options: Any) -> Diffusers:
    python = picture_models.diffusers_python()
    return Diffusers(directory, free_memory_bytes=64 * GIB, python=python, **options)


@asynccontextmanager
async def started(diffusers: Diffusers, run_dir: Path) -> AsyncIterator[tuple[Client, int]]:
    """A client for the worker, and the worker's process."""
    launch = diffusers.launch(run_dir)
    process = await LocalFleet().start(launch, PLACE)
    client = diffusers.connect(launch)
    try:
        while True:
            assert process.running, process.said
            try:
                if await diffusers.is_ready(client):
                    break
            except Broken:
                await asyncio.sleep(0.1)
        yield client, process.pid
    finally:
        await client.aclose()
        await process.stop(5)


def call(**more: Any) -> ImageCall:
    given = {"prompt": "a cat", "width": 64, "height": 64, "seed": 1, "num_inference_steps": 2}
    return ImageCall(**{**given, **more})


def levels_apart(one: bytes, other: bytes) -> int:
    pictures = [Image.open(io.BytesIO(data)).convert("RGB") for data in (one, other)]
    bands = ImageChops.difference(*pictures).getextrema()
    return max(int(most) for _, most in bands)  # type: ignore[misc]


async def test_adapters_and_a_quantised_transformer(pictures: Path, run_dir: Path) -> None:
    """Each call wears its own adapter, alone and beside calls that wear none."""
    adapters = {"some/style.v1": pictures / "flux.safetensors"}
    diffusers = engine(pictures / "flux", adapters=adapters, transformer=pictures / "flux.gguf")
    async with started(diffusers, run_dir) as (client, _):
        plain = await diffusers.draw(client, call())
        styled = await diffusers.draw(client, call(adapter="some/style.v1"))
        assert levels_apart(plain, styled) > 10
        together = await asyncio.gather(
            *(diffusers.draw(client, call(adapter=a)) for a in (None, "some/style.v1", None))
        )
        apart = [
            levels_apart(one, other)
            for one, other in zip(together, (plain, styled, plain), strict=True)
        ]
        assert max(apart) <= 1


def computed_s(pid: int) -> float:
    """Processor time, which other processes do not change."""
    return float(sum(psutil.Process(pid).cpu_times()[:2]))


@pytest.mark.skipif(
    not hasattr(resource, "prlimit"), reason="limits of another process: Linux only"
)
async def test_leaving_and_lack_of_memory_cost_nobody_else_a_thing(
    pictures: Path, run_dir: Path
) -> None:
    """Who leaves stops the work. What fits alone and not together is drawn alone; what does not fit
    is told."""
    diffusers = engine(pictures / "stable_diffusion")
    async with started(diffusers, run_dir) as (client, pid):
        long = call(width=512, height=512, num_inference_steps=150)
        drawing = asyncio.create_task(diffusers.draw(client, long))
        begun_s = computed_s(pid)
        while computed_s(pid) < begun_s + 0.5:
            await asyncio.sleep(0.1)
        drawing.cancel()
        left_s = computed_s(pid)
        small, *_ = await asyncio.gather(*(diffusers.draw(client, call()) for _ in range(8)))
        assert computed_s(pid) - left_s < 5, "the long one, which takes 20 s, was stopped"
        medium = call(width=256, height=256, num_inference_steps=1)
        alone = await diffusers.draw(client, medium)
        limit_memory(pid, more_bytes=100 * 1024**2)
        together = await asyncio.gather(*(diffusers.draw(client, medium) for _ in range(8)))
        assert max(levels_apart(alone, picture) for picture in together) <= 1
        with pytest.raises(EngineFailed, match=r"not enough memory for 1 .* of 1024x1024 pixels"):
            await diffusers.draw(client, call(width=1024, height=1024, num_inference_steps=1))
        resource.prlimit(pid, resource.RLIMIT_DATA, (resource.RLIM_INFINITY,) * 2)
        assert levels_apart(await diffusers.draw(client, call()), small) <= 1


def limit_memory(pid: int, *, more_bytes: int) -> None:
    """Lets the process have so much more than it has."""
    status = Path(f"/proc/{pid}/status").read_text()
    has_bytes = int(status.partition("VmData:")[2].split()[0]) * 1024
    most = has_bytes + more_bytes
    resource.prlimit(pid, resource.RLIMIT_DATA, (most, resource.RLIM_INFINITY))


# -- what cannot be loaded ------------------------------------------------------------------------


async def test_a_worker_that_cannot_load_ends_with_the_reason(
    pictures: Path, tmp_path: Path, run_dir: Path
) -> None:
    directory = changed(pictures, tmp_path, "model_index.json", _class_name="CubistPipeline")
    process = await LocalFleet().start(engine(directory).launch(run_dir), PLACE)
    assert await process.wait() == 1
    assert re.search(
        "is a CubistPipeline, which diffusers .* does not know",
        process.said[-1],
    )


def test_what_cannot_be_loaded_is_told(
    pictures: Path, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    flux, nothing = pictures / "flux", f"cannot load {tmp_path}"
    video = changed(pictures, tmp_path, "model_index.json", _class_name="WanPipeline")
    part = changed(pictures, tmp_path, "model_index.json", _class_name="AutoencoderKL")
    larger = changed(pictures, tmp_path, "transformer/config.json", num_attention_heads=4)
    unread = changed(pictures, tmp_path, "tokenizer_2/tokenizer_config.json")
    (unread / "tokenizer_2" / "tokenizer.json").unlink()
    cases: dict[str, tuple[dict[str, Any], str | None]] = {
        "what it is": (
            {"directory": flux, "adapters": {"a": pictures / "flux.safetensors"}},
            None,
        ),
        "makes videos": ({"directory": video}, "WanPipeline, which does not make pictures"),
        "no pipeline": ({"directory": part}, "AutoencoderKL, which does not make pictures"),
        "other shapes": ({"directory": larger}, nothing),
        "no tokenizer": ({"directory": unread}, nothing),
        "no GGUF": ({"directory": flux, "transformer": flux / "model_index.json"}, "cannot load "),
        "another's adapter": (
            {
                "directory": flux,
                "adapters": {"a": pictures / "stable_diffusion.safetensors"},
            },
            "The adapter 'a' of .* changes nothing of a FluxPipeline",
        ),
    }
    told = picture_models.load([model for model, _ in cases.values()])
    for (name, (_, pattern)), said in zip(cases.items(), told, strict=True):
        with subtests.test(name):
            assert said == pattern if pattern is None else re.search(pattern, said or ""), said


def changed(pictures: Path, tmp_path: Path, file: str, **fields: object) -> Path:
    """A copy of the FLUX model in which a file says something else."""
    copy = shutil.copytree(pictures / "flux", tempfile.mkdtemp(dir=tmp_path), dirs_exist_ok=True)
    path = Path(copy) / file
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
    return Path(copy)
