"""A cross-encoder in memory: pairs of texts to token ids, token ids to one number a pair."""

from collections.abc import Sequence

import numpy as np

from penstock.engines.onnx.embedder_files import EmbedderFiles, NotAnEmbedder
from penstock.engines.workers.embedder import (
    MAX_CHARACTERS_PER_TOKEN,
    PROBE_TOKENS,
    Floats,
    Padded,
    TooLong,
    graph_inputs,
    is_batchable,
    load_session,
    load_tokenizer,
)

LOGITS = "logits"


class Pair(list[int]):
    """The token ids of two texts in the model's own frame; those from `second` on are the second's
    (for `token_type_ids`)."""

    __slots__ = ("second",)

    def __init__(self, ids: Sequence[int], second: int) -> None:
        super().__init__(ids)
        self.second = second


class CrossEncoder:
    """`batchable` tells whether a batch equals its items."""

    def __init__(self, files: EmbedderFiles, *, threads: int) -> None:
        """Loads the model. Raises NotAnEmbedder when its graph is not one we can use."""
        self.max_input_tokens = files.max_input_tokens
        self._lower_case = files.lower_case
        self._tokenizer = load_tokenizer(files.tokenizer)
        self.vocabulary_size = files.vocabulary_size or self._tokenizer.get_vocab_size()
        self._padding_id = files.padding_id or 0
        self._session = load_session(files.graph, threads)
        self._inputs = graph_inputs(self._session)
        shapes = {node.name: node.shape for node in self._session.get_outputs()}
        if LOGITS not in shapes or shapes[LOGITS][-1:] != [1]:
            raise NotAnEmbedder(
                f"The graph has no output {LOGITS!r} [pairs, 1]; it has {', '.join(shapes)}."
            )
        self.batchable = self._is_batchable()

    def encode(self, query: str, documents: Sequence[str]) -> list[Pair]:
        """Nothing is ever cut. Raises TooLong before it tokenises what could not fit."""
        if len(query) + max(map(len, documents)) > self.max_input_tokens * MAX_CHARACTERS_PER_TOKEN:
            raise TooLong(self._limit())
        pairs = [(query, document) for document in documents]
        if self._lower_case:
            pairs = [(query.lower(), document.lower()) for query, document in pairs]
        encodings = self._tokenizer.encode_batch(pairs)
        return [Pair(e.ids, e.type_ids.index(1) if 1 in e.type_ids else len(e)) for e in encodings]

    def check_query(self, query: str) -> None:
        """Raises TooLong for one that leaves no room for any document."""
        (alone,) = self.encode(query, [""])
        if len(alone) > self.max_input_tokens:
            raise TooLong(f"{self._limit()} The query alone has {len(alone)}.")

    def check(self, pair: Pair) -> None:
        """Raises TooLong."""
        if len(pair) > self.max_input_tokens:
            raise TooLong(f"{self._limit()} This pair has {len(pair)}.")

    def score(self, batch: Sequence[Sequence[int]]) -> Floats:
        """B pairs -> B numbers from 0 to 1, float32 [B]."""
        padded = Padded.of(batch, self._padding_id)
        (logits,) = self._session.run([LOGITS], padded.feed(self._inputs))
        scores: Floats = 1 / (1 + np.exp(-logits[:, 0].astype(np.float32)))
        if not np.isfinite(scores).all():
            raise ArithmeticError("The model's score is not finite.")
        return scores

    def _limit(self) -> str:
        return f"This model reads at most {self.max_input_tokens} tokens, query and document."

    def _is_batchable(self) -> bool:
        limit = min(self.max_input_tokens, PROBE_TOKENS)
        spread = np.linspace(0, self.vocabulary_size - 1, limit, dtype=np.int64).tolist()
        probes = [Pair(spread, limit // 2), Pair(spread[limit // 2 :], 2), Pair(spread[:1], 1)]
        return is_batchable(self.score, probes)
