"""A model that compares pictures with texts, in memory: both become unit vectors of one space.

How like they are is the product of their vectors, times a scale, plus a shift; both are found by
asking the joint graph, where there is one.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from penstock.engines.onnx.embedder_files import NotAnEmbedder
from penstock.engines.onnx.zero_shot_files import ZeroShotFiles
from penstock.engines.workers.embedder import (
    INTEGER_TYPES,
    MAX_CHARACTERS_PER_TOKEN,
    Floats,
    Padded,
    TooLong,
    load_session,
    load_tokenizer,
    unit,
)

TEXT_OUTPUTS = ("text_embeds", "pooler_output")
PICTURE_OUTPUTS = ("image_embeds", "pooler_output")
LOGITS = "logits_per_image"
PIXELS = "pixel_values"
#: What a label is put into before it is read, as by transformers' pipeline of this task.
SENTENCE = "This is a photo of {}."
#: Every CLIP of OpenAI's was trained up to this scale, which its two single graphs do not tell.
CLIP_SCALE = 100.0
PROBES = 4


class ZeroShot:
    """`sigmoid` tells that each label is judged by itself."""

    def __init__(self, files: ZeroShotFiles, *, threads: int) -> None:
        """Loads the model. Raises NotAnEmbedder when its graphs are not such that we can use."""
        self.preprocessing = files.preprocessing
        self.max_input_tokens = files.max_input_tokens
        self.sigmoid = files.kind == "siglip"
        self._tokenizer = load_tokenizer(files.tokenizer)
        self._padding_id = _padding_id(self._tokenizer, files)
        self._pads_to_longest = files.pads_to_longest
        joint = _session(files.joint, threads) if files.needs_joint else None
        self.scale, self.shift = self._usual_scale() if joint is None else self._scale_of(joint)
        if files.texts is not None:
            joint = None  # its memory is free before the halves take theirs
        self._texts = _session(files.texts, threads) or joint
        self._pictures = _session(files.pictures, threads) or joint
        self._text_output = _output(self._texts, TEXT_OUTPUTS)
        self._picture_output = _output(self._pictures, PICTURE_OUTPUTS)

    # -- what it does ----------------------------------------------------------------------

    def encode(self, labels: Sequence[str]) -> list[list[int]]:
        """Token ids of the sentences about these labels. Raises TooLong."""
        sentences = [SENTENCE.format(label) for label in labels]
        if max(map(len, sentences)) > self.max_input_tokens * MAX_CHARACTERS_PER_TOKEN:
            raise TooLong(self._limit())
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(sentences)]

    def check(self, ids: Sequence[int]) -> None:
        """Raises TooLong."""
        if len(ids) > self.max_input_tokens:
            raise TooLong(f"{self._limit()} This label's sentence has {len(ids)}.")

    def embed_texts(self, batch: Sequence[Sequence[int]]) -> Floats:
        """Token ids of B texts -> float32 [B, D], unit vectors."""
        return self._run(self._texts, self._text_output, self._filled(batch), None)

    def embed_pictures(self, batch: Sequence[Floats]) -> Floats:
        """B pictures [3, height, width] -> float32 [B, D], unit vectors."""
        return self._run(self._pictures, self._picture_output, None, np.stack(batch))

    def likelihoods(self, picture: Floats, texts: Floats) -> Floats:
        """[D], [labels, D] -> [labels], from 0 to 1."""
        logits = (texts @ picture).astype(np.float64) * self.scale + self.shift
        if self.sigmoid:
            each: Floats = (1 / (1 + np.exp(-logits))).astype(np.float32)
            return each
        exponents = np.exp(logits - logits.max())
        shares: Floats = (exponents / exponents.sum()).astype(np.float32)
        return shares

    # -- how ------------------------------------------------------------------------------

    def _filled(self, batch: Sequence[Sequence[int]]) -> Padded:
        padded = Padded.of(batch, self._padding_id)
        missing = self.max_input_tokens - padded.ids.shape[1]
        if not self._pads_to_longest or missing <= 0:
            return padded
        wider = ((0, 0), (0, missing))
        return Padded(
            np.pad(padded.ids, wider, constant_values=self._padding_id),
            np.pad(padded.mask, wider),
            padded.lengths,
            padded.seconds,
        )

    def _run(
        self,
        session: onnxruntime.InferenceSession,
        output: str,
        texts: Padded | None,
        pixels: Floats | None,
    ) -> Floats:
        (rows,) = session.run([output], self._feed(session, texts, pixels))
        rows = rows.astype(np.float32, copy=False)
        if not np.isfinite(rows).all():
            raise ArithmeticError("The model's vector is not finite.")
        return unit(rows)

    def _feed(
        self, session: onnxruntime.InferenceSession, texts: Padded | None, pixels: Floats | None
    ) -> dict[str, NDArray[Any]]:
        """What the graph asks for; of a joint one, something small for the half that is not."""
        if texts is None:
            texts = self._filled([[self._padding_id]])
        feed: dict[str, NDArray[Any]] = {}
        for node in session.get_inputs():
            if node.name == PIXELS:
                width, height = self.preprocessing.sides
                empty = np.zeros((1, 3, height, width), np.float32)
                feed[node.name] = empty if pixels is None else pixels
            elif node.name == "input_ids" and node.type in INTEGER_TYPES:
                feed[node.name] = texts.ids.astype(INTEGER_TYPES[node.type])
            elif node.name == "attention_mask" and node.type in INTEGER_TYPES:
                feed[node.name] = texts.mask.astype(INTEGER_TYPES[node.type])
            else:
                raise NotAnEmbedder(f"The graph wants {node.name!r}, which such a model has not.")
        return feed

    def _scale_of(self, joint: onnxruntime.InferenceSession) -> tuple[float, float]:
        """From what the joint graph makes of a few texts and pictures of noise: a straight line."""
        width, height = self.preprocessing.sides
        noise = np.random.default_rng(0).normal(size=(PROBES, 3, height, width))
        pixels = noise.astype(np.float32)
        words = self.encode(["a cat", "two dogs", "the sea", "snow"])
        texts = self._filled(words)
        outputs = [LOGITS, _output(joint, PICTURE_OUTPUTS[:1]), _output(joint, TEXT_OUTPUTS[:1])]
        logits, of_pictures, of_texts = joint.run(outputs, self._feed(joint, texts, pixels))
        likeness = unit(of_pictures) @ unit(of_texts).T
        if not (np.isfinite(logits).all() and np.isfinite(likeness).all()):
            raise NotAnEmbedder("The graph gives numbers that are not finite.")
        scale, shift = np.polyfit(likeness.ravel(), logits.ravel(), 1)
        off = np.abs(likeness * scale + shift - logits).max()
        if not off < 1e-2 * max(1.0, float(np.abs(logits).max())):
            raise NotAnEmbedder("The graph's likeness of texts and pictures is not understood.")
        return float(scale), float(shift)

    def _usual_scale(self) -> tuple[float, float]:
        if self.sigmoid:
            raise NotAnEmbedder(
                "A SigLIP model needs onnx/model.onnx beside its two encoders: only there do its "
                "scale and shift stand."
            )
        return CLIP_SCALE, 0.0

    def _limit(self) -> str:
        return f"This model reads at most {self.max_input_tokens} tokens."


def _padding_id(tokenizer: Tokenizer, files: ZeroShotFiles) -> int:
    token = files.padding_token
    known = tokenizer.token_to_id(token) if token is not None else None
    return files.padding_id if known is None else known


def _session(graph: Path | None, threads: int) -> onnxruntime.InferenceSession | None:
    return load_session(graph, threads) if graph is not None else None


def _output(session: onnxruntime.InferenceSession, names: Sequence[str]) -> str:
    ranks = {node.name: len(node.shape) for node in session.get_outputs()}
    for name in names:
        if ranks.get(name) == 2:
            return name
    raise NotAnEmbedder(
        f"The graph has no output {' or '.join(names)} [inputs, numbers]; it has "
        f"{', '.join(ranks)}."
    )
