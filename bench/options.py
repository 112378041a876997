"""Types of command-line options: every number is bounded, every name is checked."""

import argparse
from collections.abc import Callable, Sequence


def between(least: float, most: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = float(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not between {least:g} and {most:g}")
        return value

    return number


def among(known: Sequence[str]) -> Callable[[str], list[str]]:
    def names(text: str) -> list[str]:
        wanted = list(dict.fromkeys(filter(None, text.split(","))))
        unknown = [name for name in wanted if name not in known]
        if unknown or not wanted:
            raise argparse.ArgumentTypeError(f"{text!r}: choose among {', '.join(known)}")
        return wanted

    return names
