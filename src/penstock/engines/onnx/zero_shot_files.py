"""The files of a model that compares pictures with texts (CLIP, SigLIP), read without the weights.

Both sides read them: the gateway to refuse a directory before it starts a process, the worker to
know how to use the graphs. They are as optimum and transformers.js lay them out.
"""

from pathlib import Path
from typing import Any, Self

import msgspec

from penstock.engines.onnx.embedder_files import (
    CONFIG,
    TOKENIZER,
    NotAnEmbedder,
    count_of,
    read_settings,
)
from penstock.engines.onnx.graph_files import size_bytes

PREPROCESSOR = "preprocessor_config.json"
TOKENIZER_SETTINGS = "tokenizer_config.json"
TEXT_GRAPHS = ("onnx/text_model.onnx", "text_model.onnx")
PICTURE_GRAPHS = ("onnx/vision_model.onnx", "vision_model.onnx")
JOINT_GRAPHS = ("onnx/model.onnx", "model.onnx")

#: `model_type` in config.json of the models that this is about. SigLIP judges each label by itself.
KINDS = frozenset({"clip", "siglip"})
LARGEST_SIDE = 1024
#: Pillow's numbers for ways of resampling; the graphs know no others.
BICUBIC = 3
RESAMPLINGS = frozenset({0, 1, 2, 3, 4, 5})
DEFAULT_WIDTH = 512
DEFAULT_MAX_INPUT_TOKENS = {"clip": 77, "siglip": 64}


class Preprocessing(msgspec.Struct, frozen=True, kw_only=True):
    """How a picture becomes numbers (transformers, `image_processing_clip.py`).

    It is scaled so that its shorter side is `shortest_side`, or to `size` (width, height) whatever
    its shape was; the middle, `crop` (width, height), is kept; and of each channel the mean is
    taken away, and the rest divided.
    """

    shortest_side: int | None
    size: tuple[int, int] | None
    crop: tuple[int, int] | None
    resampling: int
    factor: float
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]

    @property
    def sides(self) -> tuple[int, int]:
        """Width and height of what the graph is given."""
        side = self.shortest_side or 0
        return self.crop or self.size or (side, side)


class ZeroShotFiles(msgspec.Struct, frozen=True, kw_only=True):
    """What the files say. The graphs are `texts` and `pictures`, or `joint`, or all three.

    `width` is how many numbers a token is inside; `padding_token` fills up texts, or `padding_id`
    where there is none, to `max_input_tokens` if `pads_to_longest`.
    """

    kind: str
    texts: Path | None
    pictures: Path | None
    joint: Path | None
    tokenizer: Path
    preprocessing: Preprocessing
    max_input_tokens: int
    width: int
    padding_token: str | None
    padding_id: int
    pads_to_longest: bool

    @classmethod
    def read(cls, directory: Path, graph_name: str | None = None) -> Self:
        """With the joint graph of that name, or the usual ones. Raises NotAnEmbedder."""
        config = read_settings(directory / CONFIG)
        kind = str(config.get("model_type"))
        texts, pictures, joint = (
            (None, None, _first(directory, (graph_name,)))
            if graph_name is not None
            else (_first(directory, names) for names in (TEXT_GRAPHS, PICTURE_GRAPHS, JOINT_GRAPHS))
        )
        missing = [name for name in (TOKENIZER, PREPROCESSOR) if not (directory / name).is_file()]
        if joint is None and (texts is None or pictures is None):
            missing.insert(0, "onnx/model.onnx, nor onnx/text_model.onnx with vision_model.onnx")
        if missing:
            raise NotAnEmbedder(
                f"{directory} is not a whole {kind.upper()} model: it has no "
                f"{', no '.join(missing)}."
            )
        of_texts = config.get("text_config")
        of_texts = of_texts if isinstance(of_texts, dict) else {}
        return cls(
            kind=kind,
            texts=texts if pictures is not None else None,
            pictures=pictures if texts is not None else None,
            joint=joint,
            tokenizer=directory / TOKENIZER,
            preprocessing=_preprocessing(directory / PREPROCESSOR),
            max_input_tokens=count_of(of_texts.get("max_position_embeddings"))
            or DEFAULT_MAX_INPUT_TOKENS[kind],
            width=count_of(of_texts.get("hidden_size")) or DEFAULT_WIDTH,
            padding_token=_padding_token(directory) if kind == "siglip" else None,
            padding_id=_padding_id(kind, of_texts),
            pads_to_longest=kind == "siglip",
        )

    @property
    def needs_joint(self) -> bool:
        """Where there is nothing else, or where only it tells the scale."""
        return self.joint is not None and (self.texts is None or self.kind == "siglip")

    @property
    def weights_bytes(self) -> int:
        """Of the graphs that are loaded at a time, and the data files beside them: the joint one is
        let go before the halves come."""
        halves = size_bytes(path for path in (self.texts, self.pictures) if path is not None)
        joint = size_bytes([self.joint]) if self.joint is not None and self.needs_joint else 0
        return max(halves, joint)


def is_zero_shot(directory: Path) -> bool:
    """Whether it is such a model, as its config.json says. Raises NotAnEmbedder."""
    return read_settings(directory / CONFIG).get("model_type") in KINDS


def _first(directory: Path, names: tuple[str, ...]) -> Path | None:
    return next((directory / name for name in names if (directory / name).is_file()), None)


def _padding_token(directory: Path) -> str | None:
    """As its tokenizer's settings say: SigLIP 2 has another than SigLIP, which config.json does not
    tell."""
    token = read_settings(directory / TOKENIZER_SETTINGS).get("pad_token")
    text = token.get("content") if isinstance(token, dict) else token
    return text if isinstance(text, str) else None


def _padding_id(kind: str, of_texts: dict[str, Any]) -> int:
    """CLIP fills up with its end token, which its graph looks for from the left; SigLIP with 1.

    Configurations of CLIP's first years say 2 and mean the last of 49,408 tokens.
    """
    if kind == "clip":
        end = count_of(of_texts.get("eos_token_id"))
        return 49407 if end is None or end == 2 else end
    pad = count_of(of_texts.get("pad_token_id"))
    return 1 if pad is None else pad


def _preprocessing(path: Path) -> Preprocessing:
    settings = read_settings(path)
    try:
        shortest_side, size = _size(settings["size"]) if settings.get("do_resize", True) else _NONE
        crop = None
        if settings.get("do_center_crop", False):
            _, crop = _size(settings["crop_size"], square=True)
        factor = float(settings.get("rescale_factor", 1 / 255))
        scaled = factor if settings.get("do_rescale", True) else 1.0
        normalises = settings.get("do_normalize", True)
        read = Preprocessing(
            shortest_side=shortest_side,
            size=size,
            crop=crop,
            resampling=_resampling(settings.get("resample", BICUBIC)),
            factor=scaled,
            mean=_three(settings["image_mean"]) if normalises else (0.0, 0.0, 0.0),
            deviation=_three(settings["image_std"]) if normalises else (1.0, 1.0, 1.0),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise NotAnEmbedder(f"{path} does not say how a picture is read: {error!r}.") from None
    if not all(0 < side <= LARGEST_SIDE for side in read.sides) or 0.0 in read.deviation:
        raise NotAnEmbedder(f"{path} asks for pictures of {read.sides}, which cannot be.")
    return read


_NONE: tuple[None, None] = (None, None)


def _size(value: Any, *, square: bool = False) -> tuple[int | None, tuple[int, int] | None]:
    """The shortest side, or width and height: `224`, `{"shortest_edge"}`, `{"height", "width"}`."""
    if isinstance(value, int):
        return (None, (value, value)) if square else (value, None)
    if "shortest_edge" in value:
        return int(value["shortest_edge"]), None
    return None, (int(value["width"]), int(value["height"]))


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = map(float, values)
    return red, green, blue


def _resampling(value: Any) -> int:
    if value not in RESAMPLINGS:
        raise ValueError(f"resample {value!r}")
    return int(value)
