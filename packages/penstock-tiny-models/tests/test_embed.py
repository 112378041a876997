"""tiny-embed as it is shipped: shape, meaning, and what its files say."""

import json

import numpy as np
import onnxruntime
import pytest

from penstock_tiny_models import path

tokenizers = pytest.importorskip("tokenizers")


@pytest.fixture(scope="module")
def encode():
    folder = path("tiny-embed")
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    session = onnxruntime.InferenceSession(
        str(folder / "onnx" / "model.onnx"), providers=["CPUExecutionProvider"]
    )

    def encode(*texts: str) -> np.ndarray:
        rows = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
        ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(rows):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        feed = {"input_ids": ids, "attention_mask": mask}
        return session.run(["sentence_embedding"], feed)[0]

    return encode


def test_vectors_have_the_size_that_the_configuration_names(encode):
    config = json.loads((path("tiny-embed") / "config.json").read_text())
    vectors = encode("a cat", "The quick brown fox jumps over the lazy dog.")
    assert vectors.shape == (2, config["hidden_size"])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1], abs=1e-5)


def test_similar_sentences_are_near_and_unrelated_ones_far(encode):
    question, answer, other = encode(
        "How do I reset my password?",
        "I forgot my login and need a new password.",
        "The river flooded the village after heavy rain.",
    )
    assert question @ answer > 0.5
    assert question @ other < 0.25


def test_the_tokenizer_adds_nothing_and_pads_nothing():
    tokenizer = tokenizers.Tokenizer.from_file(str(path("tiny-embed") / "tokenizer.json"))
    assert tokenizer.encode("hello world").tokens == ["hello", "world"]
    assert [len(e.ids) for e in tokenizer.encode_batch(["hello", "hello big world"])] == [1, 3]


def test_foreign_letters_are_unknown_and_do_no_harm(encode):
    assert np.isfinite(encode("Привет мир", "")).all()
