"""Writes the trained network as a model directory: ONNX, its tokens, the model card."""

import json
import warnings
from pathlib import Path

import torch
from penstock_tiny_models.draw import program
from torch import Tensor, nn

from tiny_draw.network import Network


class _Step(nn.Module):
    """The network as it runs when drawing."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: Tensor, parts: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.step(ids, parts, past)


def write(folder: Path, network: Network, card: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shape = network.shape
    past = torch.zeros(shape.layers, 2, 1, shape.heads, 3, shape.head_width)
    ids = torch.ones(1, 2, dtype=torch.long)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter calls itself old
        torch.onnx.export(
            _Step(network).eval(),
            (ids, torch.zeros_like(ids), past),
            str(folder / "model.onnx"),
            input_names=["ids", "parts", "past"],
            output_names=["logits", "seen"],
            dynamic_axes={
                "ids": {1: "tokens"},
                "parts": {1: "tokens"},
                "past": {4: "before"},
                "seen": {4: "after"},
            },
            opset_version=17,
            dynamo=False,
        )
    config = {
        "model_type": "tiny-draw",
        "layers": shape.layers,
        "heads": shape.heads,
        "head_width": shape.head_width,
        "parameters": sum(p.numel() for p in network.parameters()),
        "tokens": list(program.TOKENS),
    }
    text = json.dumps(config, indent=1) + "\n"
    (folder / "config.json").write_text(text, encoding="utf-8")
    (folder / "README.md").write_text(card.read_text(encoding="utf-8"), encoding="utf-8")
