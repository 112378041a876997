"""Sentences made from parts (data/grammars.toml). Only training says them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache

from tiny_chat.places import DATA


@cache
def grammars() -> Mapping[str, Sequence[str]]:
    """The sentences of each kind, their choices still open."""
    stored = tomllib.loads((DATA / "grammars.toml").read_text(encoding="utf-8"))
    parts: Mapping[str, str] = stored.pop("parts")

    def whole(sentence: str) -> str:
        for part, choice in parts.items():
            sentence = sentence.replace(f"<{part}>", choice)
        return sentence

    return {name: tuple(map(whole, sentences)) for name, sentences in stored.items()}


def grammar(name: str) -> Sequence[str]:
    return grammars()[name]
