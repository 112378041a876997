"""CLIP and SigLIP on onnxruntime: small models of our own, served by the real worker process."""

import asyncio
import json
import weakref
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clip_files import (
    CLIP_SCALE,
    PAD,
    SIGLIP_SCALE,
    SIGLIP_SHIFT,
    UNK,
    likeness,
    write_clip,
    write_siglip,
)
from pictures import picture
from PIL import Image
from test_onnx import Replica, replica

from penstock.domain.classification import ClassificationCall, Likelihoods
from penstock.domain.errors import ContextLengthExceeded, InvalidRequest
from penstock.engines.base import CannotStart
from penstock.engines.onnx.engine import OnnxModel
from penstock.engines.onnx.zero_shot_files import Preprocessing, ZeroShotFiles
from penstock.engines.workers import zero_shot
from penstock.engines.workers.embedder import load_session
from penstock.engines.workers.pixels import NotReadable, pixels_of
from penstock.engines.workers.zero_shot import ZeroShot

LABELS = ("red", "green", "blue")
RED, TEAL = (250, 20, 30), (10, 200, 180)


def by_hand(color: tuple[int, int, int], kind: str) -> Any:
    """The likelihoods of LABELS for a picture of one colour."""
    like = np.array([likeness(color, word) for word in LABELS])
    if kind == "siglip":
        return 1 / (1 + np.exp(-(like * SIGLIP_SCALE + SIGLIP_SHIFT)))
    exponents = np.exp(like * CLIP_SCALE)
    return exponents / exponents.sum()


async def classified(
    running: Replica, color: tuple[int, int, int], labels: tuple[str, ...] = LABELS, **more: Any
) -> Likelihoods:
    call = ClassificationCall(picture=picture(color, **more), labels=labels)
    return await running.engine.classify(running.client, call)


MODELS: dict[str, Callable[[Path], Path]] = {
    "clip": write_clip,
    "clip with halves": lambda path: write_clip(path, halves=True),
    "siglip": write_siglip,
    "siglip with halves": lambda path: write_siglip(path, halves=True),
}


@pytest.mark.parametrize("name", ["clip", "siglip", "siglip with halves"])
async def test_likelihoods_are_what_the_model_means(name: str, tmp_path: Path) -> None:
    engine = OnnxModel(MODELS[name](tmp_path / "m"))
    async with replica(engine) as running:
        can = await engine.inspect(running.client)
        assert can.tasks == {"zero_shot_image_classification"}
        for color in (RED, TEAL):
            found = await classified(running, color)
            assert found.values == pytest.approx(by_hand(color, name.split()[0]), abs=2e-3)
        assert found.prompt_tokens == 3 * 9  # [BOS] this is a photo of X . [EOS]


@pytest.fixture(scope="module")
async def clip(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Replica]:
    directory = write_clip(tmp_path_factory.mktemp("models") / "clip")
    async with replica(OnnxModel(directory)) as running:
        yield running


async def test_pictures_of_several_clients_are_not_mixed_up(clip: Replica) -> None:
    colors = [tuple(map(int, c)) for c in np.random.default_rng(7).integers(0, 255, (24, 3))]
    alone = [await classified(clip, color) for color in colors]  # type: ignore[arg-type]
    together = await asyncio.gather(*(classified(clip, color) for color in colors))  # type: ignore[arg-type]
    for one, other in zip(alone, together, strict=True):
        assert one.values == pytest.approx(other.values, abs=1e-5)


async def test_labels_keep_their_order_and_may_come_twice(clip: Replica) -> None:
    forward = await classified(clip, RED, ("red", "blue", "red"))
    backward = await classified(clip, RED, ("red", "blue", "red")[::-1])
    assert forward.values == pytest.approx(backward.values[::-1], abs=1e-6)
    assert forward.values[0] == forward.values[2] > forward.values[1]
    assert forward.prompt_tokens == backward.prompt_tokens > 0


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
async def test_every_format_is_read(clip: Replica, format: str) -> None:
    found = await classified(clip, RED, size=(40, 24), format=format)
    assert found.values == pytest.approx(by_hand(RED, "clip"), abs=0.02)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture",
        picture(RED)[:40],
        b"GIF89a" + bytes(40),
        picture(RED, (64, 64), "JPEG")[:-100],
    ],
)
async def test_what_is_no_picture_is_the_clients_error(clip: Replica, data: bytes) -> None:
    call = ClassificationCall(picture=data, labels=LABELS)
    with pytest.raises(InvalidRequest) as refused:
        await clip.engine.classify(clip.client, call)
    assert refused.value.param == "image"
    assert "0x" not in str(refused.value)


@pytest.mark.parametrize("size", [(800_000, 1), (1, 800_000)])
async def test_a_strip_that_grows_to_gigabytes_is_the_clients_error(
    clip: Replica, size: tuple[int, int]
) -> None:
    with pytest.raises(InvalidRequest, match="too long for its width") as refused:
        await classified(clip, RED, size=size)
    assert refused.value.param == "image"
    assert (await classified(clip, RED, size=(4000, 1))).values


async def test_a_label_that_is_too_long_is_named(clip: Replica) -> None:
    with pytest.raises(ContextLengthExceeded, match="Label 1") as refused:
        await classified(clip, RED, ("red", "blue " * 40))
    assert refused.value.param == "candidate_labels"


# -- files ----------------------------------------------------------------------------------------


def test_two_encoders_alone_are_a_clip_of_the_usual_scale(tmp_path: Path) -> None:
    files = ZeroShotFiles.read(write_clip(tmp_path / "m", halves=True, joint=False))
    model = ZeroShot(files, threads=1)
    assert (model.scale, model.shift) == (100.0, 0.0)


@pytest.mark.parametrize("halves", [False, True])
def test_the_scale_is_found_in_the_joint_graph(tmp_path: Path, halves: bool) -> None:
    model = ZeroShot(ZeroShotFiles.read(write_siglip(tmp_path / "m", halves=halves)), threads=1)
    assert model.scale == pytest.approx(SIGLIP_SCALE, abs=1e-3)
    assert model.shift == pytest.approx(SIGLIP_SHIFT, abs=1e-3)


@pytest.mark.parametrize(
    ("pad_token", "filled_with"),
    [("[PAD]", PAD), ({"content": "[PAD]"}, PAD), ("<none>", UNK), (None, UNK), (7, UNK)],
)
def test_siglips_texts_are_filled_up_with_its_tokenizers_token(
    tmp_path: Path, pad_token: object, filled_with: int
) -> None:
    directory = write_siglip(tmp_path / "m")
    config = json.loads((directory / "config.json").read_text())
    config["text_config"]["pad_token_id"] = UNK
    (directory / "config.json").write_text(json.dumps(config))
    (directory / "tokenizer_config.json").write_text(json.dumps({"pad_token": pad_token}))
    model = ZeroShot(ZeroShotFiles.read(directory), threads=1)
    (ids,) = model.encode(["red"])
    filled = [*ids, *[filled_with] * (model.max_input_tokens - len(ids))]
    assert model.embed_texts([ids]) == pytest.approx(model.embed_texts([filled]), abs=1e-6)


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ("tokenizer.json", "no tokenizer.json"),
        ("preprocessor_config.json", "no preprocessor_config.json"),
        ("onnx/model.onnx", "no onnx/model.onnx"),
    ],
)
def test_a_directory_that_is_not_whole_is_refused_before_it_starts(
    tmp_path: Path, missing: str, sentence: str
) -> None:
    directory = write_clip(tmp_path / "m")
    (directory / missing).unlink()
    with pytest.raises(CannotStart, match=sentence):
        OnnxModel(directory).launch(tmp_path)


@pytest.mark.parametrize(
    "settings",
    [
        {"size": {"shortest_edge": 8}},
        {"size": {"shortest_edge": 50_000}, "image_mean": [0] * 3, "image_std": [1] * 3},
        {"size": "large", "image_mean": [0] * 3, "image_std": [1] * 3},
        {"size": 8, "image_mean": [0] * 3, "image_std": [0] * 3},
        {"size": 8, "image_mean": [0] * 3, "image_std": [1] * 3, "resample": "best"},
    ],
)
def test_a_preprocessor_that_makes_no_sense_is_refused(tmp_path: Path, settings: Any) -> None:
    directory = write_clip(tmp_path / "m")
    (directory / "preprocessor_config.json").write_text(json.dumps(settings))
    with pytest.raises(CannotStart, match="preprocessor_config"):
        OnnxModel(directory).launch(tmp_path)


def test_memory_is_told_with_its_sum(tmp_path: Path) -> None:
    launch = OnnxModel(write_clip(tmp_path / "m")).launch(tmp_path)
    assert launch.memory_bytes > 120 * 1024**2
    assert "weights" in launch.memory_reason


@pytest.mark.parametrize("larger", ["joint", "halves"])
def test_the_joint_graph_and_the_halves_are_not_in_memory_together(
    tmp_path: Path, larger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = write_siglip(tmp_path / "m", halves=True)
    joint = directory / "onnx" / "model.onnx"
    halves = [directory / "onnx" / f"{half}_model.onnx" for half in ("text", "vision")]
    (
        directory / "onnx" / f"{joint.name if larger == 'joint' else halves[0].name}_data"
    ).write_bytes(bytes(10_000))
    files = ZeroShotFiles.read(directory)
    sizes = [sum(f.stat().st_size for f in (directory / "onnx").glob(f"{g.name}*"))
             for g in (joint, *halves)]  # fmt: skip
    assert files.weights_bytes == max(sizes[0], sizes[1] + sizes[2])

    loaded: list[tuple[str, weakref.ref[Any]]] = []
    load = load_session

    def watched(graph: Path, threads: int) -> Any:
        assert graph == joint or not any(name == joint.name and ref() for name, ref in loaded)
        session = load(graph, threads)
        loaded.append((graph.name, weakref.ref(session)))
        return session

    monkeypatch.setattr(zero_shot, "load_session", watched)
    ZeroShot(files, threads=1)
    assert [name for name, _ in loaded] == [joint.name, *(half.name for half in halves)]


# -- pixels ---------------------------------------------------------------------------------------

PLAIN = Preprocessing(
    shortest_side=4,
    size=None,
    crop=(4, 4),
    resampling=0,
    factor=1.0,
    mean=(0.0, 0.0, 0.0),
    deviation=(1.0, 1.0, 1.0),
)


def drawn(tmp_path: Path, rows: Any, **more: Any) -> bytes:
    file = tmp_path / "drawn.png"
    Image.fromarray(np.array(rows, np.uint8)).save(file, **more)
    return file.read_bytes()


def test_the_middle_is_kept(tmp_path: Path) -> None:
    rows = np.zeros((4, 12, 3))
    rows[:, 4:8, 0] = 200
    pixels = pixels_of(drawn(tmp_path, rows), PLAIN)
    assert pixels.shape == (3, 4, 4)
    assert pixels[0].min() == 200
    assert pixels[1].max() == 0


def test_a_picture_is_turned_as_its_camera_was(tmp_path: Path) -> None:
    rows = np.zeros((4, 4, 3))
    rows[0, :, 0] = 200
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter: the first row is the last column
    pixels = pixels_of(drawn(tmp_path, rows, exif=exif), PLAIN)
    assert pixels[0, :, 3].min() == 200
    assert pixels[0, :, :3].max() == 0


def test_a_picture_that_unpacks_to_more_than_is_allowed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.engines.workers.pixels.MAX_PIXELS", 15)
    with pytest.raises(NotReadable, match="pixels"):
        pixels_of(drawn(tmp_path, np.zeros((4, 4, 3))), PLAIN)
