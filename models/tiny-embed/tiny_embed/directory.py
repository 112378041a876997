"""Writes the student as a model directory: ONNX with int8 rows, tokenizer, configuration."""

import json
import unicodedata
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer

from tiny_embed.student import Student

LONGEST_TEXT = 8192  # no limit of the graph: a bound for servers
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def kept_tokens(vocabulary: list[str]) -> list[int]:
    """Without [unusedN] and without letters of scripts that an English model cannot know."""
    return [i for i, token in enumerate(vocabulary) if token in SPECIAL or _is_latin(token)]


def _is_latin(token: str) -> bool:
    if token.startswith("[unused"):
        return False
    return all(
        char.isascii() or not char.isalpha() or unicodedata.name(char, "").startswith("LATIN")
        for char in token.removeprefix("##")
    )


def write(folder: Path, student: Student, tokenizer: Tokenizer, card: Path) -> None:
    state = json.loads(tokenizer.to_str())
    by_id = sorted(state["model"]["vocab"].items(), key=lambda item: item[1])
    kept = kept_tokens([token for token, _ in by_id])
    (folder / "onnx").mkdir(parents=True, exist_ok=True)
    onnx.save(graph(student.vectors[kept]), str(folder / "onnx" / "model.onnx"))
    _write_tokenizer(folder, state, [by_id[i][0] for i in kept])
    _write_configuration(folder, student.vectors.shape[1], len(kept))
    (folder / "README.md").write_text(card.read_text(encoding="utf-8"), encoding="utf-8")


def graph(vectors: NDArray[np.float32]) -> onnx.ModelProto:
    """input_ids, attention_mask [B,T] -> sentence_embedding [B,D] of length 1 (0 for no tokens)."""
    scales = np.maximum(np.abs(vectors).max(1), 1e-8) / 127
    rows = np.round(vectors / scales[:, None]).astype(np.int8)
    node = helper.make_node
    nodes = [
        node("Gather", ["rows", "input_ids"], ["int8_vectors"]),
        node("Cast", ["int8_vectors"], ["vectors"], to=TensorProto.FLOAT),
        node("Gather", ["scales", "input_ids"], ["token_scales"]),
        node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        node("Mul", ["token_scales", "mask"], ["weights"]),
        node("Unsqueeze", ["weights", "axis"], ["weight_rows"]),
        node("MatMul", ["weight_rows", "vectors"], ["sum_rows"]),
        node("Squeeze", ["sum_rows", "axis"], ["sums"]),
        node("LpNormalization", ["sums"], ["sentence_embedding"], axis=-1, p=2),
    ]
    shape: list[str | int] = ["batch", "tokens"]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "tiny-embed",
            [
                helper.make_tensor_value_info("input_ids", TensorProto.INT64, shape),
                helper.make_tensor_value_info("attention_mask", TensorProto.INT64, shape),
            ],
            [
                helper.make_tensor_value_info(
                    "sentence_embedding", TensorProto.FLOAT, ["batch", vectors.shape[1]]
                )
            ],
            [
                numpy_helper.from_array(rows, "rows"),
                numpy_helper.from_array(scales.astype(np.float32), "scales"),
                numpy_helper.from_array(np.array([1], np.int64), "axis"),
            ],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
        producer_name="penstock",
    )
    onnx.checker.check_model(model)
    return model


def _write_tokenizer(folder: Path, state: dict[str, object], tokens: list[str]) -> None:
    """The teacher's tokenizer over the kept tokens, adding nothing to a text."""
    ids = {token: i for i, token in enumerate(tokens)}
    model = dict(state["model"])  # type: ignore[call-overload]
    model["vocab"] = ids
    added: list[dict[str, object]] = state["added_tokens"]  # type: ignore[assignment]
    changed = {
        **state,
        "model": model,
        "added_tokens": [{**token, "id": ids[str(token["content"])]} for token in added],
        "post_processor": None,
        "padding": None,
        "truncation": None,
    }
    text = json.dumps(changed, ensure_ascii=False, separators=(",", ":"))
    (folder / "tokenizer.json").write_text(text, encoding="utf-8")


def _write_configuration(folder: Path, dimensions: int, vocabulary: int) -> None:
    files: dict[str, object] = {
        "config.json": {
            "model_type": "static-embedding",
            "hidden_size": dimensions,
            "max_position_embeddings": LONGEST_TEXT,
            "vocab_size": vocabulary,
            "pad_token_id": 0,
        },
        "sentence_bert_config.json": {"max_seq_length": LONGEST_TEXT, "do_lower_case": False},
        "modules.json": [
            {
                "idx": 0,
                "name": "0",
                "path": "",
                "type": "sentence_transformers.models.StaticEmbedding",
            },
            {
                "idx": 1,
                "name": "1",
                "path": "1_Pooling",
                "type": "sentence_transformers.models.Pooling",
            },
            {
                "idx": 2,
                "name": "2",
                "path": "2_Normalize",
                "type": "sentence_transformers.models.Normalize",
            },
        ],
        "1_Pooling/config.json": {
            "word_embedding_dimension": dimensions,
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
            "pooling_mode_max_tokens": False,
        },
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
