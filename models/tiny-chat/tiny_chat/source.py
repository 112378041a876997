"""Where every phrase, name and value of the corpus is drawn from, and the wall between the halves.

A `Source` is on one side of the wall: training or held out. Of each list of phrasings every sixth
is held out, and whatever it can become; of names, places, made-up words and tool names one in
eight, by a hash. There is no other way to draw them, so a training source cannot emit what the
evaluation asks.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tiny_chat import words
from tiny_chat.phrasings import CHOICE, core, half, held_out_questions

T = TypeVar("T")
_BETWEEN = (", ", ", ", " - ", " & ", " / ", ". ", "-")
# Code points: Latin with accents, Greek, Cyrillic, Arabic, Devanagari, Thai, kana, Chinese, Korean.
_SCRIPTS = (
    *((0xE0, 0xFF), (0x3B1, 0x3C9), (0x430, 0x44F), (0x628, 0x64A), (0x915, 0x939)),
    *((0xE01, 0xE2E), (0x3042, 0x3093), (0x30A2, 0x30F3), (0x4E00, 0x9FA5), (0xAC00, 0xD7A3)),
)


def is_held_out(text: str) -> bool:
    """Whether a name, place, word or tool belongs to the held-out half."""
    return hashlib.sha256(text.lower().encode()).digest()[0] % 8 == 0


@dataclass(frozen=True)
class Source:
    rng: random.Random
    held_out: bool = False

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def number(self, low: int, high: int) -> int:
        return self.rng.randint(low, high)

    def one(self, options: Sequence[T]) -> T:
        """Any of a closed list, on both sides of the wall."""
        return options[int(self.rng.random() * len(options))]

    def some(self, options: Sequence[T], count: int) -> list[T]:
        return self.rng.sample(list(options), count)

    def shuffled(self, options: Sequence[T]) -> list[T]:
        return self.some(options, len(options))

    def phrase(self, phrasings: Sequence[str], made: Sequence[str] = ()) -> str:
        """A phrasing from this side of the wall, with its [a|b] choices made.

        In training most come from `made`, sentences that say the same in far more ways.
        """
        if self.held_out:
            return self.expand(self.one(half(phrasings, held_out=True)))
        own = made if made and self.chance(0.65) else half(phrasings, held_out=False)
        others = held_out_questions(tuple(phrasings))
        while core(text := self.expand(self.one(own))) in others:
            pass
        return re.sub(r" +([?.,:;!])", r"\1", text)

    def expand(self, text: str) -> str:
        while match := CHOICE.search(text):
            chosen = self.one(match.group(1).split("|"))
            text = text[: match.start()] + chosen + text[match.end() :]
        return re.sub(" +", " ", text).strip()

    def _mine(self, draw: Callable[[], str]) -> str:
        while is_held_out(text := draw()) != self.held_out:
            pass
        return text

    def person(self) -> str:
        return self._mine(
            lambda: self.one(words.FIRST_NAMES) if self.chance(0.5) else self._made_name()
        )

    def place(self) -> str:
        return self._mine(
            lambda: self.one(words.CITIES) if self.chance(0.55) else self._made_name()
        )

    def pseudoword(self) -> str:
        return self._mine(self._syllables)

    def word(self) -> str:
        """A common noun, a made-up word or loose letters."""
        return self._mine(self._any_word)

    def mine(self, options: Sequence[str]) -> list[str]:
        """Those words of a list that are on this side of the wall."""
        return [one for one in options if is_held_out(one) == self.held_out]

    def noun(self) -> str:
        return self._mine(lambda: self.one(words.NOUNS))

    def text(self, low: int = 2, high: int = 5) -> str:
        """A few words in a row; in training at times a sign between them or another script."""
        if not self.held_out and self.chance(0.06):
            return self.one((self._joined_text, self.foreign))()
        return " ".join(self.word() for _ in range(self.number(low, high)))

    def code(self) -> str:
        """Letters and digits, such as B7K2 or Blue-Kite-77."""
        if self.chance(0.25):
            return f"{self.word().title()}-{self.word().title()}-{self.number(1, 99)}"
        signs = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
        return "".join(self.one(signs) for _ in range(self.number(3, 6)))

    def amount(self) -> int:
        return self.one((self.number(0, 9), self.number(0, 99), self.number(100, 9999)))

    def decimal(self) -> float:
        return round(self.rng.uniform(0, 100), self.one((1, 2)))

    def date(self) -> str:
        return f"20{self.number(20, 39)}-{self.number(1, 12):02}-{self.number(1, 28):02}"

    def email(self) -> str:
        return f"{self.person().lower()}@{self.pseudoword()}.{self.one(('com', 'org', 'net'))}"

    def _made_name(self) -> str:
        """Syllables, or the front of one name and the end of another, as Bos-gen or Port-lin."""
        if not self.held_out and self.chance(0.25):
            return self._joined_word().title()
        if self.chance(0.5):
            return self._syllables().title()
        front, end = (self._mine(lambda: self.one(words.NAMES)) for _ in range(2))
        return front[: self.number(2, 4)] + end[-self.number(2, 5) :].lower()

    def _joined_text(self) -> str:
        """Words with a comma, a dash or an ampersand, as `Lyon, FR` or `Fox & Sons - 7`."""
        parts = [
            self.person() if self.chance(0.5) else self.word() for _ in range(self.number(2, 3))
        ]
        parts += [self.one((self.one("ABCDEFGHIJKL") * 2, str(self.amount())))] * self.chance(0.4)
        return "".join(part + self.one(_BETWEEN) for part in parts[:-1]) + parts[-1]

    def foreign(self) -> str:
        """Some signs of another script, which are copied byte by byte."""
        first, last = self.one(_SCRIPTS)
        return "".join(chr(self.number(first, last)) for _ in range(self.number(2, 6)))

    def _joined_word(self) -> str:
        """Halves of ordinary words, in one of the ways in which identifiers are written."""
        first, second = self.one(words.ordinary()), self.one(words.ordinary())
        if self.chance(0.6):
            return first[: self.number(1, 7)] + second[-self.number(1, 7) :]
        return self.one((f"{first}_{second}", f"{first}-{second}", first + second.title()))

    def _syllables(self) -> str:
        count = self.one((2, 2, 2, 3))
        body = "".join(self.one(words.ONSETS) + self.one(words.VOWELS) for _ in range(count))
        return body + self.one(words.CODAS)

    def _any_word(self) -> str:
        if not self.held_out and self.chance(0.3):
            return self._joined_word() if self.chance(0.96) else self.foreign()
        dice = self.rng.random()
        if dice < 0.4:
            return self.one(words.NOUNS)
        if dice < 0.58:
            return self.one(words.ordinary())
        if dice < 0.9:
            return self._syllables()
        return "".join(self.one("abcdefghijklmnopqrstuvwxyz") for _ in range(self.number(3, 8)))
