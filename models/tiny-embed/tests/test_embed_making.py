"""Bags, pairs and the model directory; neither the teacher nor torch is needed."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))

from tiny_embed import directory
from tiny_embed.bags import FAMILY, NEIGHBOURS, BagMaker, Words
from tiny_embed.evaluate import Directory, spearman
from tiny_embed.pairs import Pairs
from tiny_embed.student import Student
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

VOCABULARY = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cat", "dog", "##s", "что"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tokenizer = Tokenizer(
        models.WordPiece({token: i for i, token in enumerate(VOCABULARY)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    vectors = np.random.default_rng(0).normal(size=(len(VOCABULARY), 8)).astype(np.float32)
    card = tmp_path / "card.md"
    card.write_text("card")
    directory.write(tmp_path / "model", Student(vectors), tokenizer, card)
    return tmp_path / "model"


def test_unused_tokens_and_foreign_letters_are_left_out():
    kept = [VOCABULARY[i] for i in directory.kept_tokens(VOCABULARY)]
    assert kept == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cat", "dog", "##s"]


def test_the_graph_gives_unit_vectors_and_ignores_padding(folder: Path):
    model = Directory(folder)
    alone = model.encode(["cats"])
    padded = model.encode(["cats", "dog dog dog cat"])
    assert np.linalg.norm(padded, axis=1) == pytest.approx([1, 1], abs=1e-5)
    assert padded[0] == pytest.approx(alone[0], abs=1e-6)


def test_int8_rows_stay_close_to_the_student(folder: Path):
    vectors = np.random.default_rng(0).normal(size=(len(VOCABULARY), 8)).astype(np.float32)
    wanted = Student(vectors).encode([[VOCABULARY.index("cat"), VOCABULARY.index("dog")]])[0]
    assert Directory(folder).encode(["cat dog"])[0] @ wanted > 0.999


def test_no_token_is_added_to_a_text(folder: Path):
    assert Directory(folder).tokenizer.encode("cat dogs").tokens == ["cat", "dog", "##s"]
    assert json.loads((folder / "tokenizer.json").read_text())["post_processor"] is None


def test_a_text_without_tokens_is_a_zero_vector(folder: Path):
    session = Directory(folder).session
    feed = {"input_ids": np.zeros((1, 1), np.int64), "attention_mask": np.zeros((1, 1), np.int64)}
    assert not session.run(None, feed)[0].any()


def test_held_out_pairs_are_two_hundred_and_none_is_a_development_pair():
    development, heldout = Pairs.read("development"), Pairs.read("heldout")
    assert len(heldout.first) == 200
    assert not set(development.first + development.second) & set(heldout.first + heldout.second)
    assert not set(development.topics) & set(heldout.topics)


def test_spearman_counts_ranks_and_shares_ties():
    one = np.array([1, 2, 3, 4], np.float32)
    assert spearman(one, one**3) == pytest.approx(1)
    assert spearman(one, -one) == pytest.approx(-1)
    assert spearman(np.array([1, 1, 2], np.float32), np.array([5, 5, 9], np.float32)) == 1


def test_bags_come_in_families_and_repeat_with_their_seed():
    vocabulary = [f"[x{i}]" for i in range(2300)]
    for i in range(1996, 2300):
        vocabulary[i] = f"word{'abcdefghij'[i % 10]}{'klmnopqrst'[i // 10 % 10]}" + "z" * (i // 100)
    vocabulary[5] = "##ing"
    vectors = np.random.default_rng(1).normal(size=(2300, 16)).astype(np.float32)
    words = Words.sort(vocabulary, vectors)
    assert words.near.shape == (2300, NEIGHBOURS)
    bags = BagMaker(words, seed=3).families(10)
    assert len(bags) == 10 * FAMILY
    assert bags == BagMaker(words, seed=3).families(10)
    assert all(bags)
