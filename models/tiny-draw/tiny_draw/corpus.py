"""Captions with their programs, as many as wanted, and the arrays that the network is fed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from penstock_tiny_models.draw import program
from penstock_tiny_models.draw.lexicon import tokens_of
from penstock_tiny_models.draw.mentions import read
from penstock_tiny_models.draw.program import Noun, Picture, Unit
from penstock_tiny_models.draw.things import THINGS

from tiny_draw.check import faults
from tiny_draw.layout import picture_of
from tiny_draw.phrasing import Phrasing
from tiny_draw.scenes import FOR_PRACTICE, USUAL, Group, Said, Scene, SceneMaker, ambiguous

NUMBERS = {token: number for number, token in enumerate(program.TOKENS)}


@dataclass(frozen=True)
class Example:
    caption: str
    scene: Scene
    picture: Picture

    def numbers(self) -> tuple[list[int], list[int]]:
        """The caption (closed by START) and the program, as token numbers; both without looks,
        as the writer has it: those are read by rule."""
        words = [*read(tokens_of(self.caption)).plain, program.START]
        plain = replace(self.picture, units=tuple(map(_plain, self.picture.units)))
        return [NUMBERS[t] for t in words], [NUMBERS[t] for t in plain.tokens()]


def _plain(unit: Unit) -> Unit:
    joined = tuple((joint, Noun(noun.thing, noun.count)) for joint, noun in unit.joined)
    return replace(unit, noun=Noun(unit.noun.thing, unit.noun.count), joined=joined)


class Corpus:
    """An endless row of examples.

    `ways` of saying things: "practice" (what training sees: longer captions and variants of the
    forms too), "usual" (its plain forms only) or "heldout".
    `apart`: from combinations that training never sees.
    """

    def __init__(self, seed: int, ways: str, apart: bool = False) -> None:
        self.rng = Random(seed)
        self.scenes = SceneMaker(self.rng, apart, FOR_PRACTICE if ways == "practice" else USUAL)
        self.phrasing = Phrasing(self.rng, ways)
        self.drawable = ways == "heldout" or apart  # no captions with unknown things

    def __iter__(self) -> Iterator[Example]:
        while True:
            example = self._example()
            if not faults(example.scene, program.parse(example.picture.tokens())):
                yield example

    def _example(self) -> Example:
        draw = self.rng.random()
        if not self.drawable and draw < 0.02:
            return self._nothing()
        if not self.drawable and draw < 0.1:
            return self._with_unknown()
        scene = self.scenes.scene()
        while ambiguous(scene):
            scene = self.scenes.scene()
        return Example(self.phrasing.caption(scene), scene, picture_of(scene, self.rng))

    def _nothing(self) -> Example:
        thing = self.rng.choice(tuple(THINGS))
        scene = Scene((Group(Said(Noun(thing))),), nothing=True)
        return Example(self.phrasing.nothing(), scene, picture_of(scene, self.rng))

    def _with_unknown(self) -> Example:
        group = self.scenes.group(joins=self.rng.random() < 0.3)
        scene = Scene((replace(group, spot="", facing=""),))
        caption = self.phrasing.with_unknown(self.phrasing.group(group))
        return Example(caption, scene, picture_of(scene, self.rng))
