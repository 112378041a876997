"""Asks the finished file what its corpus provably never held, at temperature 0."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tiny_chat import corpus
from tiny_chat.dialogue import Dialogue
from tiny_chat.served import Answer, Served
from tiny_chat.source import Source

# What the model is meant to reach: the name, the skills it covers, the share that must be right.
GOALS: Sequence[tuple[str, Sequence[str], float]] = (
    ("greeting and identity", ("greeting", "identity"), 0.98),
    ("Penstock questions", ("penstock",), 0.90),
    ("recall of unseen names and facts", ("recall",), 0.95),
    ("calls of unseen tools", ("tool", "made-up tool"), 0.90),
    ("two tools at once", ("two tools",), 0.80),
    ("JSON with asked keys", ("json",), 0.95),
    ("ignorance admitted", ("unknown",), 0.90),
)
_LONG_PROMPTS = (400, 1000, 2000, 3500)  # characters; about 3 to a token


@dataclass(frozen=True)
class Case:
    skill: str
    dialogue: Dialogue
    answer: Answer

    @property
    def right(self) -> bool:
        return self.dialogue.accepts(self.answer.reply)

    @property
    def runs_on(self) -> bool:
        """Ended by the limit, or says some words over and over."""
        return self.answer.finish_reason == "length" or repeats(self.answer.reply.content)


def repeats(text: str) -> bool:
    """Whether three words in a row come back at once."""
    parts = text.split()
    return any(
        parts[i : i + 3] == parts[i + 3 : i + 6] and len(set(parts[i : i + 3])) > 1
        for i in range(len(parts) - 5)
    )


def dialogues(skill: str, count: int, held_out: bool, seed: int = 7) -> list[Dialogue]:
    source = Source(random.Random(f"{skill}/{seed}"), held_out)
    return [corpus.SKILLS[skill](source) for _ in range(count)]


def ask(served: Served, skill: str, asked: Sequence[Dialogue]) -> list[Case]:
    def one(dialogue: Dialogue) -> Case:
        answer = served.chat(dialogue.messages[:-1], dialogue.tools)
        return Case(skill, dialogue, answer)

    with ThreadPoolExecutor(served.slots) as pool:
        return list(pool.map(one, asked))


def share(cases: Sequence[Case]) -> float:
    return sum(case.right for case in cases) / len(cases)


def mixed(served: Served, count: int) -> list[Case]:
    """Whole dialogues of the mixture, held out, for reading through."""
    source = Source(random.Random("mixed"), held_out=True)
    asked = [corpus.dialogue(source, corpus.MIXTURE) for _ in range(count)]
    return ask(served, "mixed", asked)


def recall_by_length(served: Served, count: int) -> Iterator[tuple[int, float]]:
    source = Source(random.Random("long"), held_out=True)
    for characters in _LONG_PROMPTS:
        asked = [corpus.long_dialogue(source, characters) for _ in range(count)]
        yield characters, share(ask(served, "long", asked))


def speed(served: Served) -> float:
    """Tokens per second of one stream on one thread: the median of some answers."""
    asked = dialogues("penstock", 9, held_out=False)
    rates = [served.chat(one.messages[:-1]).tokens_per_second for one in asked]
    return sorted(rates)[len(rates) // 2]


def report(gguf: Path, cases_per_skill: int) -> str:
    served = Served(gguf)
    unseen = _all(served, cases_per_skill, held_out=True)
    seen = _all(served, max(cases_per_skill // 3, 1), held_out=False)
    lines = ["| goal | wanted | reached |", "| --- | --- | --- |"]
    for name, skills, wanted in GOALS:
        reached = share([case for skill in skills for case in unseen[skill]])
        lines.append(f"| {name} | {wanted:.0%} | {reached:.1%} |")
    everything = [case for cases in (*unseen.values(), mixed(served, 200)) for case in cases]
    run_on = sum(case.runs_on for case in everything)
    lines += [
        f"| run-on answers | 0 | {run_on} of {len(everything)} |",
        f"| tokens/s, one stream, one thread | 60 | {speed(served):.0f} |",
        f"| seconds to load | 1 | {served.load_seconds:.2f} |",
        f"| megabytes | 8 | {gguf.stat().st_size / 1e6:.1f} |",
        "",
        "| skill | held-out phrasings, names, tools | those of the training |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {s} | {share(unseen[s]):.0%} | {share(seen[s]):.0%} |" for s in corpus.SKILLS]
    lines += ["", "| recall after so many characters | right |", "| --- | --- |"]
    lines += [f"| {size} | {right:.0%} |" for size, right in recall_by_length(served, 40)]
    return "\n".join(lines)


def _all(served: Served, count: int, held_out: bool) -> Mapping[str, list[Case]]:
    return {skill: ask(served, skill, dialogues(skill, count, held_out)) for skill in corpus.SKILLS}
