"""A CLIP and a SigLIP model of our own: colours and the words for them meet in one space.

A text is the sum of its words' rows, where the names of colours stand out; a picture is the mean of
its pixels. Both are multiplied by a matrix, so that their vectors are no mere colours.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

WORDS = ["[PAD]", "[UNK]", "[BOS]", "[EOS]", "red", "green", "blue", "a", "photo"]
PAD, UNK, BOS, EOS = range(4)
SIDE = 8
LENGTH = 4
CLIP_SCALE, SIGLIP_SCALE, SIGLIP_SHIFT = 20.0, 8.0, -5.0
ROWS = (np.random.default_rng(4).normal(size=(len(WORDS), 3)) / 20).astype(np.float32)
ROWS[4:7] += np.eye(3, dtype=np.float32)
ROWS[PAD] = 0
MATRIX = np.random.default_rng(2).normal(size=(3, LENGTH)).astype(np.float32)
MEAN = [0.1, 0.2, 0.3]
DEVIATION = [0.5, 0.4, 0.5]


def text_nodes(output: str, *, masked: bool) -> tuple[list[Any], list[Any], list[Any]]:
    """Nodes, inputs and constants of the half that reads texts."""
    nodes = [helper.make_node("Gather", ["rows", "input_ids"], ["of_words"])]
    inputs = [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["t", "words"])]
    constants = [
        numpy_helper.from_array(ROWS, "rows"),
        numpy_helper.from_array(MATRIX, "text_matrix"),
        numpy_helper.from_array(np.array([1]), "words_axis"),
    ]
    of_words = "of_words"
    if masked:
        inputs.append(
            helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["t", "words"])
        )
        constants.append(numpy_helper.from_array(np.array([2]), "last_axis"))
        nodes += [
            helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["mask", "last_axis"], ["mask_3d"]),
            helper.make_node("Mul", ["of_words", "mask_3d"], ["kept"]),
        ]
        of_words = "kept"
    nodes += [
        helper.make_node("ReduceSum", [of_words, "words_axis"], ["summed"], keepdims=0),
        helper.make_node("MatMul", ["summed", "text_matrix"], [output]),
    ]
    return nodes, inputs, constants


def picture_nodes(output: str) -> tuple[list[Any], list[Any], list[Any]]:
    """The same of the half that sees; it takes mean and deviation back first."""
    channels = np.array([MEAN], np.float32), np.array([DEVIATION], np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["pixel_values"], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node("Mul", ["means", "deviation"], ["scaled"]),
        helper.make_node("Add", ["scaled", "mean"], ["colours"]),
        helper.make_node("MatMul", ["colours", "picture_matrix"], [output]),
    ]
    inputs = [
        helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["p", 3, SIDE, SIDE])
    ]
    constants = [
        numpy_helper.from_array(channels[0], "mean"),
        numpy_helper.from_array(channels[1], "deviation"),
        numpy_helper.from_array(MATRIX, "picture_matrix"),
    ]
    return nodes, inputs, constants


def unit_nodes(name: str) -> list[Any]:
    return [
        helper.make_node("ReduceL2", [name], [f"{name}_length"], axes=[1], keepdims=1),
        helper.make_node("Div", [name, f"{name}_length"], [f"{name}_unit"]),
    ]


def joint_graph(scale: float, shift: float, *, masked: bool) -> onnx.ModelProto:
    """Both halves, and how like each picture is to each text."""
    texts, text_inputs, text_constants = text_nodes("text_embeds", masked=masked)
    pictures, picture_inputs, picture_constants = picture_nodes("image_embeds")
    nodes = [
        *texts,
        *pictures,
        *unit_nodes("text_embeds"),
        *unit_nodes("image_embeds"),
        helper.make_node("Transpose", ["text_embeds_unit"], ["turned"]),
        helper.make_node("MatMul", ["image_embeds_unit", "turned"], ["likeness"]),
        helper.make_node("Mul", ["likeness", "scale"], ["stretched"]),
        helper.make_node("Add", ["stretched", "shift"], ["logits_per_image"]),
    ]
    constants = [
        *text_constants,
        *picture_constants,
        numpy_helper.from_array(np.array(scale, np.float32), "scale"),
        numpy_helper.from_array(np.array(shift, np.float32), "shift"),
    ]
    outputs = [
        helper.make_tensor_value_info("logits_per_image", TensorProto.FLOAT, ["p", "t"]),
        helper.make_tensor_value_info("text_embeds", TensorProto.FLOAT, ["t", LENGTH]),
        helper.make_tensor_value_info("image_embeds", TensorProto.FLOAT, ["p", LENGTH]),
    ]
    return _model(nodes, [*text_inputs, *picture_inputs], outputs, constants)


def half_graph(kind: str) -> onnx.ModelProto:
    """One encoder by itself, as transformers.js lays them out."""
    nodes, inputs, constants = (
        text_nodes("text_embeds", masked=False) if kind == "text" else picture_nodes("image_embeds")
    )
    name = "text_embeds" if kind == "text" else "image_embeds"
    output = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", LENGTH])
    return _model(nodes, inputs, [output], constants)


def _model(nodes: Any, inputs: Any, outputs: Any, constants: Any) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "colours", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def tokenizer() -> Tokenizer:
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[BOS] $A [EOS]", special_tokens=[("[BOS]", BOS), ("[EOS]", EOS)]
    )
    return made


CLIP_PREPROCESSOR = {
    "do_resize": True, "size": {"shortest_edge": SIDE}, "resample": 3,
    "do_center_crop": True, "crop_size": {"height": SIDE, "width": SIDE},
    "do_rescale": True, "rescale_factor": 1 / 255,
    "do_normalize": True, "image_mean": MEAN, "image_std": DEVIATION,
}  # fmt: skip
SIGLIP_PREPROCESSOR = {
    "do_resize": True, "size": {"height": SIDE, "width": SIDE}, "resample": 2,
    "do_rescale": True, "rescale_factor": 1 / 255,
    "do_normalize": True, "image_mean": MEAN, "image_std": DEVIATION,
}  # fmt: skip


def write_clip(directory: Path, *, halves: bool = False, joint: bool = True) -> Path:
    """A CLIP model: one graph, or its two encoders, or both."""
    _write(directory, "clip", CLIP_PREPROCESSOR, max_tokens=16)
    if joint:
        graph = joint_graph(CLIP_SCALE, 0.0, masked=True)
        onnx.save(graph, str(directory / "onnx" / "model.onnx"))
    if halves:
        _write_halves(directory)
    return directory


def write_siglip(directory: Path, *, halves: bool = False, joint: bool = True) -> Path:
    """The same of SigLIP, which reads texts without a mask, filled up to their longest."""
    _write(directory, "siglip", SIGLIP_PREPROCESSOR, max_tokens=12)
    if joint:
        graph = joint_graph(SIGLIP_SCALE, SIGLIP_SHIFT, masked=False)
        onnx.save(graph, str(directory / "onnx" / "model.onnx"))
    if halves:
        _write_halves(directory)
    return directory


def _write_halves(directory: Path) -> None:
    for kind in ("text", "vision"):
        onnx.save(half_graph(kind), str(directory / "onnx" / f"{kind}_model.onnx"))


def _write(directory: Path, kind: str, preprocessor: Any, *, max_tokens: int) -> None:
    (directory / "onnx").mkdir(parents=True)
    tokenizer().save(str(directory / "tokenizer.json"))
    of_texts = {
        "max_position_embeddings": max_tokens, "eos_token_id": EOS, "pad_token_id": PAD,
        "hidden_size": 8,
    }  # fmt: skip
    config = {"model_type": kind, "text_config": of_texts}
    (directory / "config.json").write_text(json.dumps(config))
    (directory / "preprocessor_config.json").write_text(json.dumps(preprocessor))


def likeness(color: tuple[int, int, int], word: str) -> float:
    """The product of the two unit vectors, worked out by hand."""
    of_picture = (np.array(color) / 255) @ MATRIX
    sentence = ["[BOS]", "[UNK]", "[UNK]", "a", "photo", "[UNK]", word, "[UNK]", "[EOS]"]
    of_text = ROWS[[WORDS.index(each) for each in sentence]].sum(0) @ MATRIX
    lengths = np.linalg.norm(of_picture) * np.linalg.norm(of_text)
    return float(of_picture @ of_text / lengths)
