"""An embedding model in memory: texts to token ids, token ids to unit vectors.

It knows its files and its graph; nothing of requests, batches' making, or HTTP.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from penstock.engines.onnx.embedder_files import EmbedderFiles, NotAnEmbedder, Pooling

Floats = NDArray[np.float32]
Integers = NDArray[np.integer[Any]]

SENTENCES = "sentence_embedding"
TOKENS = ("last_hidden_state", "token_embeddings")
INTEGER_TYPES: dict[str, type[np.integer[Any]]] = {
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}
#: A text that has no token of its own (white space, to some tokenizers) is read as one of these.
STAND_INS = ("[UNK]", "<unk>", "<|endoftext|>")
#: No tokenizer makes so little of a text that counts; beyond it, tokenising only costs time.
MAX_CHARACTERS_PER_TOKEN = 256
#: Largest difference of a component at which a batch counts as equal to its items alone.
BATCH_TOLERANCE = 2e-3
#: How long the longest probe of that is.
PROBE_TOKENS = 24


class TooLong(Exception):
    """An input has more tokens than the model reads."""


class NotInVocabulary(Exception):
    """A token id that the model does not have."""


class Embedder:
    """`embedding_length` numbers a vector; `batchable` tells whether a batch equals its items."""

    def __init__(self, files: EmbedderFiles, *, threads: int) -> None:
        """Loads the model. Raises NotAnEmbedder when its graph is not one we can use."""
        self.max_input_tokens = files.max_input_tokens
        self.dimensions = files.dimensions
        self._lower_case = files.lower_case
        self._tokenizer = load_tokenizer(files.tokenizer)
        self.vocabulary_size = files.vocabulary_size or self._tokenizer.get_vocab_size()
        self._padding_id = files.padding_id or 0
        self._stand_in = _stand_in(self._tokenizer, self._padding_id)
        self._session = load_session(files.graph, threads)
        self._inputs = graph_inputs(self._session)
        self._output, poolings = _output(self._session, files)
        self._pool = [POOLERS[pooling] for pooling in poolings]
        self.embedding_length = len(self.embed([[self._stand_in]])[0])
        self.batchable = self._is_batchable()

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids, the model's own frame ([CLS] … [SEP]) included; no text is ever cut.

        What spells a special token in a text is text. Raises TooLong before it tokenises a text
        that could not fit.
        """
        if max(map(len, texts)) > self.max_input_tokens * MAX_CHARACTERS_PER_TOKEN:
            raise TooLong(self._limit())
        if self._lower_case:
            texts = [text.lower() for text in texts]
        encodings = self._tokenizer.encode_batch_fast(texts)
        return [encoding.ids or [self._stand_in] for encoding in encodings]

    def check(self, ids: Sequence[int]) -> None:
        """Raises TooLong or NotInVocabulary."""
        if len(ids) > self.max_input_tokens:
            raise TooLong(f"{self._limit()} This input has {len(ids)}.")
        if min(ids) < 0 or max(ids) >= self.vocabulary_size:
            raise NotInVocabulary(f"Token ids of this model are 0 to {self.vocabulary_size - 1}.")

    def embed(self, batch: Sequence[Sequence[int]]) -> Floats:
        """Token ids of B inputs, none empty -> B unit vectors, float32 [B, embedding_length]."""
        padded = Padded.of(batch, self._padding_id)
        (output,) = self._session.run([self._output], padded.feed(self._inputs))
        output = output.astype(np.float32, copy=False)
        if self._pool:
            output = np.concatenate(
                [pool(output, padded.mask, padded.lengths) for pool in self._pool], axis=1
            )
        if not np.isfinite(output).all():
            raise ArithmeticError("The model's vector is not finite.")
        return unit(output)

    def _limit(self) -> str:
        return f"This model reads at most {self.max_input_tokens} tokens."

    def _is_batchable(self) -> bool:
        limit = min(self.max_input_tokens, PROBE_TOKENS)
        spread = np.linspace(0, self.vocabulary_size - 1, limit, dtype=np.int64).tolist()
        return is_batchable(self.embed, [[self._stand_in], spread, spread[limit // 2 :]])


def is_batchable(
    run: Callable[[Sequence[Sequence[int]]], Floats], probes: Sequence[Sequence[int]]
) -> bool:
    """Whether a batch equals its items.

    Not so where numbers of the whole batch go into each of its rows, as they do in graphs that are
    quantised as they run, or where the graph is made for batches of one.
    """
    try:
        together = run(probes)
    except Exception:  # whatever a graph dislikes about batches: its single runs have worked
        return False
    alone = np.concatenate([run([probe]) for probe in probes])
    return bool(np.abs(together - alone).max() < BATCH_TOLERANCE)


@dataclass(frozen=True)
class Padded:
    """Token ids of B inputs, as rows of the longest one's T: `ids`, `mask` [B, T], `lengths` [B].

    `seconds` [B] tells where the second of two texts begins; at its end in an input that has one.
    """

    ids: Integers
    mask: NDArray[np.bool_]
    lengths: Integers
    seconds: Integers

    @classmethod
    def of(cls, batch: Sequence[Sequence[int]], padding_id: int) -> Self:
        lengths = np.array([len(ids) for ids in batch])
        mask = np.arange(lengths.max()) < lengths[:, None]
        ids = np.full(mask.shape, padding_id, dtype=np.int64)
        ids[mask] = np.concatenate([np.asarray(row) for row in batch])
        seconds = np.array([getattr(row, "second", len(row)) for row in batch])
        return cls(ids, mask, lengths, seconds)

    def feed(self, inputs: Mapping[str, type[np.integer[Any]]]) -> dict[str, Integers]:
        """What a graph's inputs of these names and types take."""
        return {name: FEEDS[name](self).astype(kind) for name, kind in inputs.items()}


def unit(rows: Floats) -> Floats:
    """Each row [., D] scaled to length 1; a row of zeros stays."""
    lengths = np.sqrt(np.square(rows).sum(axis=-1, keepdims=True))
    return np.divide(rows, np.where(lengths > 0, lengths, 1), dtype=np.float32)


def load_tokenizer(path: Path) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise NotAnEmbedder(f"{path} cannot be read: {error}.") from None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.encode_special_tokens = True
    return tokenizer


def _stand_in(tokenizer: Tokenizer, otherwise: int) -> int:
    known = (tokenizer.token_to_id(token) for token in STAND_INS)
    return next((token_id for token_id in known if token_id is not None), otherwise)


def load_session(graph: Path, threads: int) -> onnxruntime.InferenceSession:
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A thread that spins for work takes the core away from the process beside it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library's errors have no common class but this
        raise NotAnEmbedder(f"{graph} cannot be loaded: {error}") from None


def graph_inputs(session: onnxruntime.InferenceSession) -> dict[str, type[np.integer[Any]]]:
    inputs = {node.name: INTEGER_TYPES.get(node.type) for node in session.get_inputs()}
    for name, kind in inputs.items():
        if name not in FEEDS or kind is None:
            raise NotAnEmbedder(f"The graph wants {name!r}, which an embedding model has not.")
    return {name: kind for name, kind in inputs.items() if kind is not None}


def _output(
    session: onnxruntime.InferenceSession, files: EmbedderFiles
) -> tuple[str, tuple[Pooling, ...]]:
    """The output to take, and how to pool it; no pooling when it is one vector a text already."""
    ranks = {node.name: len(node.shape) for node in session.get_outputs()}
    if ranks.get(SENTENCES) == 2:
        return SENTENCES, ()
    if files.other_modules:
        raise NotAnEmbedder(
            f"The model goes on after its graph ({', '.join(files.other_modules)}), and the graph "
            f"has no output {SENTENCES!r} that would hold the result."
        )
    for name in TOKENS:
        if ranks.get(name) == 3:
            return name, files.poolings
    raise NotAnEmbedder(
        f"The graph has neither an output {SENTENCES!r} [texts, numbers] nor one of "
        f"{', '.join(TOKENS)} [texts, tokens, numbers]; it has {', '.join(ranks)}."
    )


#: What a graph's input of this name takes, [B, T].
FEEDS: dict[str, Callable[[Padded], NDArray[Any]]] = {
    "input_ids": lambda padded: padded.ids,
    "attention_mask": lambda padded: padded.mask,
    "token_type_ids": lambda padded: (
        padded.mask & (np.arange(padded.ids.shape[1]) >= padded.seconds[:, None])
    ),
    "position_ids": lambda padded: np.broadcast_to(
        np.arange(padded.ids.shape[1]), padded.ids.shape
    ),
}


def _weighted(tokens: Floats, weights: NDArray[Any]) -> Floats:
    """tokens [B, T, D], weights [B, T] -> weighted sums [B, D]"""
    sums: Floats = weights[:, None, :].astype(np.float32) @ tokens
    return sums[:, 0]


def _mean(tokens: Floats, mask: NDArray[np.bool_], lengths: Integers) -> Floats:
    return _weighted(tokens, mask / lengths[:, None])


def _mean_sqrt_len(tokens: Floats, mask: NDArray[np.bool_], lengths: Integers) -> Floats:
    return _weighted(tokens, mask / np.sqrt(lengths)[:, None])


def _weighted_mean(tokens: Floats, mask: NDArray[np.bool_], lengths: Integers) -> Floats:
    """The later a token, the more it weighs."""
    ranks = mask * np.arange(1, mask.shape[1] + 1)
    return _weighted(tokens, ranks / ranks.sum(axis=1, keepdims=True))


def _max(tokens: Floats, mask: NDArray[np.bool_], lengths: Integers) -> Floats:
    largest: Floats = np.where(mask[:, :, None], tokens, np.float32(-np.inf)).max(axis=1)
    return largest


def _cls(tokens: Floats, mask: NDArray[np.bool_], lengths: Integers) -> Floats:
    return tokens[:, 0]


def _last(tokens: Floats, mask: NDArray[np.bool_], lengths: Integers) -> Floats:
    return tokens[np.arange(len(lengths)), lengths - 1]


#: tokens [B, T, D], mask [B, T], lengths [B] -> [B, D]
POOLERS: dict[Pooling, Callable[[Floats, NDArray[np.bool_], Integers], Floats]] = {
    "cls": _cls,
    "max": _max,
    "mean": _mean,
    "mean_sqrt_len": _mean_sqrt_len,
    "weightedmean": _weighted_mean,
    "last": _last,
}
