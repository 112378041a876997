"""Pieces that were hardly ever said: names are cut without them, and they are told apart again."""

import numpy as np
from tiny_chat.packing import Pack
from tiny_chat.rare import Counts, pulled_apart, without_rare_pieces
from tokenizers import Tokenizer
from tokenizers.models import BPE

PIECES = ["a", "b", "c", "ab", "abc", "bc"]
MERGES = [("a", "b"), ("ab", "c"), ("b", "c")]


def counts(said: dict[str, int]) -> Counts:
    number = np.array([said.get(piece, 1000) for piece in PIECES])
    return Counts(number, number)


def cut(tokenizer: Tokenizer, text: str) -> list[str]:
    return list(tokenizer.encode(text).tokens)


def tokenizer() -> Tokenizer:
    return Tokenizer(BPE({piece: i for i, piece in enumerate(PIECES)}, MERGES))


def test_a_rare_piece_is_cut_no_more() -> None:
    assert cut(tokenizer(), "bc") == ["bc"]
    assert cut(without_rare_pieces(tokenizer(), counts({"bc": 3})), "bc") == ["b", "c"]


def test_a_rare_piece_stays_where_a_known_one_is_made_of_it() -> None:
    settled = without_rare_pieces(tokenizer(), counts({"ab": 3}))
    assert cut(settled, "abc") == ["abc"]
    assert settled.get_vocab_size() == len(PIECES)


def test_what_is_read_and_what_is_said_are_counted_apart() -> None:
    pack = Pack(
        np.array([1, 1, 2], np.uint16), np.array([False, True, True]), np.array([0, 3], np.int64)
    )
    counted = Counts.of([pack, pack], 4)
    assert counted.read.tolist() == [0, 4, 2, 0]
    assert counted.said.tolist() == [0, 2, 2, 0]


def test_rare_embeddings_lose_what_they_share_and_others_stay() -> None:
    rng = np.random.default_rng(0)
    known = rng.normal(size=(8, 16)).astype(np.float32)
    rare = np.arange(8) >= 4
    known[rare] += 5
    spread = pulled_apart(known, rare)
    assert (spread[~rare] == known[~rare]).all()
    lengths = np.linalg.norm(spread[rare], axis=1)
    assert np.allclose(lengths, lengths[0])
    assert abs(np.corrcoef(known[4], known[5])[0, 1]) < 1
    assert spread[4] @ spread[5] < 0.5 * lengths[0] ** 2
