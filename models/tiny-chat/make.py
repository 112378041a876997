"""Makes penstock/tiny-chat: `python make.py` does all of it, `python make.py STEP` one step.

    corpus     writes the dialogues and learns the tokenizer (a minute)
    train      trains the decoder for --minutes (90 by default) on two cores
    export     writes the GGUF file into packages/penstock-tiny-models
    evaluate   asks the file what it never saw, and prints a table
    talk       plays hand-typed conversations, for reading
    faq        writes docs/faq.md from docs/facts.toml

Needs torch, numpy, tokenizers, gguf and xllamacpp (see README.md). What it makes on the way lies
in the folder --work, which git ignores.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from tiny_chat.places import FAQ_PAGE, FOLDER, GGUF

STEPS = ("corpus", "train", "export", "evaluate")
MAIN, DRILLS, LONG = 220_000, 24_000, 4_000


def corpus(options: argparse.Namespace) -> None:
    from tiny_chat import corpus as mixture
    from tiny_chat import packing, tokenizer

    options.work.mkdir(parents=True, exist_ok=True)
    sample = packing.written(packing.orders(9_000_000, 30_000))
    learnt = tokenizer.train("".join(piece.text for piece in pieces) for pieces in sample)
    learnt.save(str(options.work / "tokenizer.json"))
    drills = {name: mixture.MIXTURE[name] for name in mixture.DRILLS}
    plans = {
        "main": packing.orders(1_000_000, MAIN),
        "drills": packing.orders(2_000_000, DRILLS, drills),
        "long": packing.orders(3_000_000, LONG, long=1.0),
    }
    packs = {n: packing.pack(packing.written(o), learnt, 2048) for n, o in plans.items()}
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
        plan, start = plan.continued(), out
    training.train(packs, Shape(VOCABULARY), plan, out, options.workers, start)


def export(options: argparse.Namespace) -> None:
    from tiny_chat import export as writing
    from tiny_chat import tokenizer, training

    decoder = training.load(options.work / "decoder.pt")
    writing.export(decoder, tokenizer.load(options.work / "tokenizer.json"), options.gguf)
    logging.info("%s: %.2f MB", options.gguf.name, options.gguf.stat().st_size / 1e6)


def evaluate(options: argparse.Namespace) -> None:
    from tiny_chat import evaluation

    print(evaluation.report(options.gguf, options.cases))


def talk(options: argparse.Namespace) -> None:
    from tiny_chat import transcript

    for played in transcript.transcripts(options.gguf):
        print(played)


def faq(options: argparse.Namespace) -> None:
    from tiny_chat import faq as page

    FAQ_PAGE.write_text(page.page(), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "step", nargs="?", choices=(*STEPS, "talk", "faq"), help="default: all but the last two"
    )
    parser.add_argument("--work", type=Path, default=FOLDER / "build")
    parser.add_argument("--gguf", type=Path, default=GGUF)
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread")
    parser.add_argument("--again", action="store_true", help="train: go on from the last weights")
    parser.add_argument("--cases", type=int, default=100, help="per skill, for evaluate")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    for step in [options.step] if options.step else STEPS:
        globals()[step](options)


if __name__ == "__main__":
    main()
