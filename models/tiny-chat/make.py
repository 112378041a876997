# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "gguf>=0.17",
#     "numpy>=2.0",
#     "tokenizers>=0.23",
#     "torch>=2.13",
#     "xllamacpp==2026.10.11549",
# ]
#
# [tool.uv.sources]
# torch = { index = "pytorch-cpu" }
#
# [[tool.uv.index]]
# name = "pytorch-cpu"
# url = "https://download.pytorch.org/whl/cpu"
# explicit = true
# ///
"""Makes penstock/tiny-chat from nothing: `uv run models/tiny-chat/make.py`, or one step of it.

    corpus     writes the dialogues and learns the tokenizer (some minutes)
    train      trains the decoder for --minutes (90 by default) on two cores
    settle     keeps names from being cut into pieces that training hardly ever said
    export     writes the GGUF file into packages/penstock-tiny-models
    evaluate   asks the file what it never saw, and prints a table
    restore    takes decoder and tokenizer out of the GGUF file, for train --again
    grow       adds a layer behind each of those named by --after, which at first does nothing
    mean       sets the decoder to the mean of several weights
    read       prints 200 mixed held-out dialogues with what was said, for reading
    talk       plays hand-typed conversations, for reading
    faq        writes docs/faq.md from docs/facts.toml
    neighbours writes data/neighbours.toml, in Penstock's own environment

What it makes on the way lies in the folder --work, which git ignores.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from tiny_chat.places import FAQ_PAGE, FOLDER, GGUF

STEPS = ("corpus", "train", "settle", "export", "evaluate")
MORE = ("restore", "grow", "mean", "read", "talk", "faq", "neighbours")
MAIN, DRILLS, LONG = 600_000, 26_000, 5_000


def corpus(options: argparse.Namespace) -> None:
    from tiny_chat import corpus as mixture
    from tiny_chat import packing, tokenizer

    options.work.mkdir(parents=True, exist_ok=True)
    if options.again:
        learnt = tokenizer.load(options.work / "tokenizer.json")
    else:
        sample = packing.written(packing.orders(9_000_000, 30_000))
        learnt = tokenizer.train("".join(piece.text for piece in pieces) for pieces in sample)
        learnt.save(str(options.work / "tokenizer.json"))
    first = 10_000_000 * options.seed
    drills = {name: mixture.MIXTURE[name] for name in mixture.DRILLS}
    plans = {
        "main": packing.orders(first + 1_000_000, MAIN),
        "drills": packing.orders(first + 2_000_000, DRILLS, drills),
        "long": packing.orders(first + 3_000_000, LONG, long=1.0),
    }
    packs = {name: packing.packed(one, learnt, 2048) for name, one in plans.items()}
    for name, pack in packs.items():
        share = pack.answers.mean()
        size = len(pack.tokens) / 1e6
        logging.info(
            "%s: %d dialogues, %.2f M tokens, %.0f %% answers",
            name,
            len(pack.lengths),
            size,
            100 * share,
        )
    packing.save(options.work / "corpus.npz", packs)


def train(options: argparse.Namespace) -> None:

    from tiny_chat import packing, training
    from tiny_chat.model import Shape
    from tiny_chat.tokenizer import VOCABULARY

    names = ("main", "drills", "long")
    packs = {name: packing.load(options.work / "corpus.npz", name) for name in names}
    plan = training.Plan(options.minutes)
    out, start = options.work / "decoder.pt", None
    if options.again:
        plan, start = plan.continued(options.rate), out
    training.train(packs, Shape(VOCABULARY), plan, out, options.workers, start)


def restore(options: argparse.Namespace) -> None:
    from tiny_chat import restoring, tokenizer, training

    options.work.mkdir(parents=True, exist_ok=True)
    tokenizer.restored(options.gguf).save(str(options.work / "tokenizer.json"))
    training.save(restoring.restored_decoder(options.gguf), options.work / "decoder.pt")


def grow(options: argparse.Namespace) -> None:
    from tiny_chat import training

    file = options.work / "decoder.pt"
    training.save(training.load(file).grown(options.after), file)


def mean(options: argparse.Namespace) -> None:
    from tiny_chat import training

    shares = [one.split("=", 1) for one in options.mean]
    files = {Path(file): float(share) for share, file in shares}
    training.save_mean(files, options.work / "decoder.pt")


def settle(options: argparse.Namespace) -> None:
    import torch
    from tiny_chat import packing, rare, tokenizer, training

    packs = [packing.load(options.work / "corpus.npz", name) for name in ("main", "long")]
    counts = rare.Counts.of(packs, tokenizer.VOCABULARY)
    file = options.work / "tokenizer.json"
    rare.without_rare_pieces(tokenizer.load(file), counts).save(str(file))
    decoder = training.load(options.work / "decoder.pt")
    known = decoder.embedding.weight.data
    known.copy_(torch.from_numpy(rare.pulled_apart(known.numpy(), counts.rare)))
    training.save(decoder, options.work / "decoder.pt")


def export(options: argparse.Namespace) -> None:
    from tiny_chat import export as writing
    from tiny_chat import tokenizer, training

    decoder = training.load(options.work / "decoder.pt")
    writing.export(decoder, tokenizer.load(options.work / "tokenizer.json"), options.gguf)
    logging.info("%s: %.2f MB", options.gguf.name, options.gguf.stat().st_size / 1e6)


def evaluate(options: argparse.Namespace) -> None:
    from tiny_chat import evaluation

    print(evaluation.report(options.gguf, options.cases))


def read(options: argparse.Namespace) -> None:
    from tiny_chat import transcript

    for asked in transcript.mixed(options.gguf, 200):
        print(asked)


def talk(options: argparse.Namespace) -> None:
    from tiny_chat import transcript

    for played in transcript.transcripts(options.gguf):
        print(played)


def faq(options: argparse.Namespace) -> None:
    from tiny_chat import faq as page

    FAQ_PAGE.write_text(page.page(), encoding="utf-8")


def neighbours(options: argparse.Namespace) -> None:
    from tiny_chat import neighbours as words

    words.write()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "step",
        nargs="?",
        choices=(*STEPS, *MORE),
        help="default: the first five",
    )
    parser.add_argument("--work", type=Path, default=FOLDER / "build")
    parser.add_argument("--gguf", type=Path, default=GGUF)
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread")
    parser.add_argument(
        "--again",
        action="store_true",
        help="corpus: keep the tokenizer; train: go on from the last weights",
    )
    parser.add_argument("--rate", type=float, default=0.018, help="train --again: how fast")
    parser.add_argument("--after", type=int, nargs="+", help="grow: numbers of layers, from 0")
    parser.add_argument("--mean", nargs="+", help="mean: SHARE=FILE, shares sum to 1")
    parser.add_argument("--seed", type=int, default=0, help="corpus: another has other dialogues")
    parser.add_argument("--cases", type=int, default=100, help="per skill, for evaluate")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    for step in [options.step] if options.step else STEPS:
        globals()[step](options)


if __name__ == "__main__":
    main()
