# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "numpy",
#     "onnx",
#     "penstock-tiny-models",
#     "torch",
# ]
#
# [tool.uv.sources]
# penstock-tiny-models = { path = "../../packages/penstock-tiny-models", editable = true }
# ///
"""Makes penstock/tiny-draw from nothing: `uv run models/tiny-draw/make.py`."""

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from penstock_tiny_models import path
from tiny_draw import directory, evaluate
from tiny_draw.network import Network
from tiny_draw.training import Course, train

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=path("tiny-draw"))
    parser.add_argument("--steps", type=int, default=Course.steps)
    parser.add_argument("--minutes", type=float, default=Course.minutes, help="at most")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--captions", type=int, default=1000, help="to evaluate on, each kind")
    parser.add_argument("--only-evaluate", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if not args.only_evaluate:
        network = train(replace(Course(), steps=args.steps, minutes=args.minutes), _report)
        directory.write(args.out, network, HERE / "README.md")
    print(evaluate.table(args.out, args.captions))


def _report(line: str, _: Network) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
