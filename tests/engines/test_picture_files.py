"""What is known of a picture model before anything is loaded: its files, and if it fits."""

import asyncio
import json
import sys
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import pytest

from penstock.domain.gpu import Gpu
from penstock.domain.image import ImageCall, Progress
from penstock.engines.base import CannotStart
from penstock.engines.diffusers.engine import Diffusers
from penstock.engines.diffusers.memory import (
    GIB,
    GpuPart,
    part_of_gpu,
    place,
    plan_images,
    weights,
)
from penstock.engines.diffusers.pipeline_files import NotAPipeline, PipelineFiles
from penstock.engines.workers.picture_batching import (
    AfterStep,
    Paint,
    PictureBatcher,
    TooMuch,
    Waiting,
    choose,
)

#: FLUX.1-schnell's parts, with as many numbers as the real ones.
FLUX = {
    "transformer": ("FluxTransformer2DModel", 11_901_408_320),
    "text_encoder_2": ("T5EncoderModel", 4_762_310_656),
    "text_encoder": ("CLIPTextModel", 123_060_480),
    "vae": ("AutoencoderKL", 83_819_683),
}


def safetensors(path: Path, *shape: int) -> None:
    """A file of one tensor, of which only the header is there."""
    header = json.dumps({"a": {"dtype": "BF16", "shape": shape, "data_offsets": [0, 0]}}).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(len(header).to_bytes(8, "little") + header)


def write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


@pytest.fixture
def flux(tmp_path: Path) -> Path:
    index: dict[str, Any] = {"_class_name": "FluxPipeline", "image_encoder": [None, None]}
    for name, (class_name, parameters) in FLUX.items():
        library = "transformers" if "text" in name else "diffusers"
        index[name] = [library, class_name]
        write(tmp_path / name / "config.json", {})
        safetensors(tmp_path / name / "model.safetensors", parameters)
    index["tokenizer"] = ["transformers", "CLIPTokenizer"]
    write(tmp_path / "tokenizer" / "tokenizer_config.json", {})
    write(tmp_path / "vae" / "config.json", {"block_out_channels": [128, 256, 512, 512]})
    write(tmp_path / "model_index.json", index)
    return tmp_path


def test_what_a_pipeline_is_made_of_is_read_without_its_weights(flux: Path) -> None:
    files = PipelineFiles.read(flux)
    assert {part.name: (part.class_name, part.parameters) for part in files.parts} == FLUX
    assert (files.class_name, files.variant, files.decoder_width) == ("FluxPipeline", None, 256)


def test_files_of_a_smaller_copy_count_where_there_is_no_other(flux: Path) -> None:
    safetensors(flux / "vae" / "model.fp16.safetensors", 5)
    assert PipelineFiles.read(flux).variant is None
    for name in FLUX:
        (flux / name / "model.safetensors").rename(flux / name / "model.fp16.safetensors")
    files = PipelineFiles.read(flux)
    assert files.variant == "fp16"
    assert len(files.parts) == 4


def test_a_model_is_computed_in_32_bits_where_that_fits(flux: Path) -> None:
    files = PipelineFiles.read(flux)
    assert plan_images(files, free_bytes=128 * GIB).dtype == "float32"
    assert plan_images(files, free_bytes=64 * GIB).dtype == "bfloat16"
    assert plan_images(files, free_bytes=128 * GIB, has_gpu=True).dtype == "bfloat16"


def test_what_does_not_fit_is_refused_with_the_figures_and_what_would(flux: Path) -> None:
    files = PipelineFiles.read(flux)
    with pytest.raises(CannotStart) as caught:
        plan_images(files, free_bytes=24 * GIB)
    said = str(caught.value)
    assert "31.42 GiB weights in bfloat16" in said
    assert "24.00 GiB are free" in said
    assert "a Q4_0 needs about 17." in said
    quantised_bytes = 6_800_000_000
    plan = plan_images(files, free_bytes=24 * GIB, quantised_bytes=quantised_bytes)
    assert plan.dtype == "bfloat16"
    assert weights(files, "bfloat16", quantised_bytes) < 17 * GIB


@pytest.mark.parametrize(
    ("free_gib", "where"), [(0, "cpu"), (12, "cpu"), (24, "cpu"), (30, "offload"), (40, "gpu")]
)
def test_weights_go_where_they_fit(free_gib: int, where: str) -> None:
    """FLUX in 16 bits: 31 GiB in all, 22 of which are its transformer."""
    assert (
        place(
            weights_bytes=31 * GIB,
            largest_bytes=22 * GIB,
            work_bytes=3 * GIB,
            free_gpu_bytes=free_gib * GIB,
        )
        == where
    )


def machine(*free_gib: int) -> tuple[Gpu, ...]:
    return tuple(Gpu(index, "H100", 80 * GIB, gib * GIB) for index, gib in enumerate(free_gib))


@pytest.mark.parametrize(
    ("gpus", "index", "gib"),
    [
        (machine(79), 0, 37),
        (machine(20, 79), 1, 37),
        (machine(30, 12), 0, 26),
        (machine(12), None, 0),
        ((), None, 0),
    ],
)
def test_the_part_of_a_gpu_is_what_its_worker_will_put_there(
    flux: Path, gpus: tuple[Gpu, ...], index: int | None, gib: int
) -> None:
    files = PipelineFiles.read(flux)
    part = part_of_gpu(files, gpus)
    if part is None:
        assert index is None
        return
    assert part.gpu.index == index
    assert part.part_bytes // GIB == gib
    offered = msgspec.structs.replace(part.gpu, free_bytes=part.part_bytes)
    assert part_of_gpu(files, [offered]) == GpuPart(offered, part.part_bytes)


def test_a_worker_sees_its_own_gpu_only(flux: Path) -> None:
    python = Path(sys.executable)
    seen = []
    for gpus in ((), machine(12), machine(12, 79)):
        made = Diffusers(flux, free_memory_bytes=128 * GIB, python=python, gpus=gpus)
        launch = made.launch(Path())
        seen.append((launch.gpus, launch.environment.get("CUDA_VISIBLE_DEVICES")))
    assert seen == [((), None), ((), ""), ((1,), "1")]


def spoil_index(directory: Path, **parts: object) -> None:
    path = directory / "model_index.json"
    write(path, json.loads(path.read_text()) | parts)


def test_code_that_comes_with_a_model_is_not_run(flux: Path) -> None:
    for foreign in (["my_code", "Model"], ["os", "system"], ["diffusers"], ["a/b.py", "C"], [1, 2]):
        spoil_index(flux, transformer=foreign)
        with pytest.raises(NotAPipeline, match="not code that comes with a model"):
            PipelineFiles.read(flux)


def test_weights_that_may_be_programs_are_not_read(flux: Path) -> None:
    file = flux / "vae" / "model.safetensors"
    file.rename(file.with_suffix(".bin"))
    with pytest.raises(NotAPipeline, match=r"vae has no \*.safetensors. Weights in other formats"):
        PipelineFiles.read(flux)


def test_a_part_that_is_missing_is_named(flux: Path) -> None:
    (flux / "tokenizer" / "tokenizer_config.json").unlink()
    (flux / "tokenizer").rmdir()
    with pytest.raises(NotAPipeline, match="has no directory 'tokenizer'"):
        PipelineFiles.read(flux)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 8,
        (10**15).to_bytes(8, "little"),
        (2).to_bytes(8, "little") + b"[]",
        (10).to_bytes(8, "little") + b'{"a": 1}  ',
        (22).to_bytes(8, "little") + b'{"a": {"shape": ["b"]}}',
    ],
)
def test_a_file_that_is_no_safetensors_is_named(flux: Path, content: bytes) -> None:
    (flux / "vae" / "model.safetensors").write_bytes(content)
    with pytest.raises(NotAPipeline, match=r"model.safetensors is not a file of safetensors"):
        PipelineFiles.read(flux)


@pytest.mark.parametrize("index", ["", "[]", "{}", "[" * 100_000, '{"_class_name": 1}'])
def test_an_index_that_is_none_is_refused(flux: Path, index: str) -> None:
    (flux / "model_index.json").write_text(index)
    with pytest.raises(NotAPipeline, match=r"model_index.json"):
        PipelineFiles.read(flux)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"python": Path("/nowhere/python")}, "diffusers_python: there is no /nowhere/python"),
        ({"transformer": Path("/nowhere.gguf")}, "There is no file /nowhere.gguf"),
        ({"adapters": {"a": Path("/nowhere")}}, "There is no adapter at /nowhere"),
        ({"adapters": {"a": Path(__file__)}}, "is no .safetensors"),
    ],
)
def test_what_cannot_be_started_is_told_before(
    flux: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(CannotStart, match=said):
        Diffusers(flux, free_memory_bytes=128 * GIB, **options).launch(Path())


def test_another_interpreter_runs_a_file_that_is_there(flux: Path) -> None:
    python = Path(sys.executable)
    launch = Diffusers(flux, free_memory_bytes=128 * GIB, python=python).launch(Path())
    interpreter, _, guest, *_ = launch.argv
    assert (interpreter, Path(guest).is_file()) == (sys.executable, True)


@pytest.mark.skipif(find_spec("diffusers") is not None, reason="diffusers is installed")
def test_without_diffusers_the_command_that_installs_it_is_told(flux: Path) -> None:
    with pytest.raises(CannotStart, match=r"pip install 'penstock\[images\]'"):
        Diffusers(flux, free_memory_bytes=128 * GIB).launch(Path())


class Sketch:
    """A picture as far as batches are concerned."""

    def __init__(self, name: str, likeness: str, pixels: int) -> None:
        self.name = name
        self.likeness = likeness
        self.pixels = pixels


@pytest.mark.parametrize(
    ("waiting", "chosen"),
    [
        ("a", "a"),
        ("aaaa", "aaa"),
        ("abab", "aa"),
        ("baab", "bb"),
    ],
)
def test_a_batch_is_of_what_is_like_the_first(waiting: str, chosen: str) -> None:
    pictures = [Waiting(Sketch("", likeness, 100), None) for likeness in waiting]  # type: ignore[arg-type]
    batch = choose(pictures, max_items=3, max_pixels=1000)
    assert "".join(each.picture.likeness for each in batch) == chosen


@pytest.mark.parametrize(("max_pixels", "count"), [(50, 1), (100, 1), (250, 2), (400, 3)])
def test_a_batch_has_no_more_pixels_than_it_may_but_the_first(max_pixels: int, count: int) -> None:
    pictures = [Waiting(Sketch("", "a", 100), None) for _ in range(4)]  # type: ignore[arg-type]
    assert len(choose(pictures, max_items=3, max_pixels=max_pixels)) == count


async def drawn(paint: Paint[Sketch], count: int) -> list[bytes | BaseException]:
    """What becomes of so many pictures that are asked for together."""
    batcher = PictureBatcher(paint, max_items=8, max_pixels=10_000)
    serving = asyncio.create_task(batcher.serve())
    asked = (batcher.submit(Sketch(str(at), "a", 100)) for at in range(count))
    try:
        return await asyncio.gather(*asked, return_exceptions=True)
    finally:
        serving.cancel()


async def test_a_batch_that_is_too_much_is_halved_and_stays_so() -> None:
    batches: list[int] = []

    def paint(pictures: Sequence[Sketch], go_on: AfterStep) -> list[bytes]:
        batches.append(len(pictures))
        if len(pictures) > 2:
            raise TooMuch("no room")
        return [picture.name.encode() for picture in pictures]

    assert await drawn(paint, 10) == [str(at).encode() for at in range(10)]
    assert batches == [8, 4, 2, 2, 4, 2, 2, 2]


async def test_a_bad_picture_spoils_no_other() -> None:
    def paint(pictures: Sequence[Sketch], go_on: AfterStep) -> list[bytes]:
        if any(picture.name == "2" for picture in pictures):
            raise ValueError("bad")
        return [picture.name.encode() for picture in pictures]

    first, second, bad, last = await drawn(paint, 4)
    assert (first, second, last) == (b"0", b"1", b"3")
    assert isinstance(bad, ValueError)


async def test_everyone_in_a_batch_hears_of_its_steps() -> None:
    heard: list[tuple[str, int, bytes | None]] = []

    def told(name: str, progress: Progress) -> None:
        heard.append((name, progress.step, progress.preview))

    def paint(pictures: Sequence[Sketch], go_on: AfterStep) -> list[bytes]:
        for step in (1, 2):
            assert go_on([Progress(step, 2, picture.name.encode()) for picture in pictures])
        return [b""] * len(pictures)

    batcher = PictureBatcher(paint, max_items=8, max_pixels=10_000)
    serving = asyncio.create_task(batcher.serve())
    try:
        async with asyncio.TaskGroup() as group:
            for name in "ab":
                group.create_task(batcher.submit(Sketch(name, "a", 100), partial(told, name)))
    finally:
        serving.cancel()
    assert heard == [("a", 1, b"a"), ("b", 1, b"b"), ("a", 2, b"a"), ("b", 2, b"b")]


@pytest.mark.parametrize(
    ("steps", "previews", "after"),
    [(28, 0, ()), (28, 1, (14,)), (28, 3, (7, 14, 21)), (4, 2, (1, 3)), (2, 3, (1,)), (1, 3, ())],
)
def test_previews_come_at_even_distances(steps: int, previews: int, after: tuple[int, ...]) -> None:
    call = ImageCall(prompt="a cat", width=64, height=64, seed=1, previews=previews)
    assert call.preview_steps(steps) == frozenset(after)
