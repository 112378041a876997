"""Captions with their programs, as many as wanted, and the arrays that the network is fed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from penstock_tiny_models.draw import program
from penstock_tiny_models.draw.lexicon import tokens_of
from penstock_tiny_models.draw.program import Noun, Picture
from penstock_tiny_models.draw.things import THINGS

from tiny_draw.check import faults
from tiny_draw.layout import picture_of
from tiny_draw.phrasing import Phrasing
from tiny_draw.scenes import Group, Said, Scene, SceneMaker, ambiguous

NUMBERS = {token: number for number, token in enumerate(program.TOKENS)}


@dataclass(frozen=True)
class Example:
    caption: str
    scene: Scene
    picture: Picture

    def numbers(self) -> tuple[list[int], list[int]]:
        """The caption (closed by START) and the program, as token numbers."""
        words = [*tokens_of(self.caption), program.START]
        return [NUMBERS[t] for t in words], [NUMBERS[t] for t in self.picture.tokens()]


class Corpus:
    """An endless row of examples. `apart`: from combinations that training never sees."""

    def __init__(self, seed: int, heldout: bool = False, apart: bool = False) -> None:
        self.rng = Random(seed)
        self.scenes = SceneMaker(self.rng, apart)
        self.phrasing = Phrasing(self.rng, heldout)
        self.plain = heldout or apart  # no captions with unknown things when measuring

    def __iter__(self) -> Iterator[Example]:
        while True:
            example = self._example()
            if not faults(example.scene, program.parse(example.picture.tokens())):
                yield example

    def _example(self) -> Example:
        draw = self.rng.random()
        if not self.plain and draw < 0.02:
            return self._nothing()
        if not self.plain and draw < 0.1:
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
