"""What every benchmark's command line has: every number is bounded, every name is checked."""

import argparse
from collections.abc import Callable, Sequence


def parser_of(name: str, description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"bench/{name}.py",
        description=description,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument(
        "--json", action="store_true", help="print every run and the summary as JSON"
    )
    return parser


def whole(least: int, most: int) -> Callable[[str], int]:
    number = between(least, most)
    return lambda text: int(number(text))


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
