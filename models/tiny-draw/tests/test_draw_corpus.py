"""The maker of captions: what it promises about forms, combinations and programs."""

import sys
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from penstock_tiny_models.draw import program
from penstock_tiny_models.draw.lexicon import tokens_of
from penstock_tiny_models.draw.program import NATURAL, Noun, Picture, Unit
from tiny_draw.check import faults
from tiny_draw.corpus import Corpus
from tiny_draw.phrasing import FORMS, UNKNOWN
from tiny_draw.scenes import Group, Said, Scene, kept_apart

# A word for every slot of a form, each its own token.
WORDS = {
    "a": "cat",
    "b": "dog",
    "c": "cow",
    "s": "fish",
    "noun": "horse",
    "colour": "red",
    "accent": "blue",
    "size": "big",
    "part": "roof",
    "garment": "shirt",
    "r": "behind",
    "q": "above",
    "b0": "the pig",
    "clause": "bird",
    "at": "left",
    "to": "right",
    "side": "left",
    "p": "forest",
    "place": "desert",
    "l": "night",
    "noise": "wombat",
}


def read(form: str) -> tuple[str, ...]:
    return tuple(tokens_of(form.format(**WORDS)))


def test_no_held_out_form_reads_like_a_form_for_training():
    for kind, forms in FORMS.items():
        known = {read(form) for form in forms.train}
        assert not [form for form in forms.heldout if read(form) in known], kind


def test_training_never_says_a_held_out_caption():
    said = {tuple(tokens_of(e.caption)) for e in islice(Corpus(0), 3000)}
    for example in islice(Corpus(1, heldout=True), 300):
        if len(example.caption.split()) > 3:
            assert tuple(tokens_of(example.caption)) not in said


def test_training_never_combines_what_is_kept_apart():
    for example in islice(Corpus(2), 1500):
        for group in example.scene.groups:
            for said in (group.said, *(said for _, said in group.joined)):
                if said.noun.colour != NATURAL:
                    assert not kept_apart(said.noun.colour, said.noun.thing)


def test_every_program_is_grammatical_and_right_for_its_scene():
    for example in islice(Corpus(3), 500):
        tokens = example.picture.tokens()
        assert not faults(example.scene, program.parse(tokens)), example.caption
        assert len(tokens) <= program.MOST_TOKENS


def test_the_words_that_nobody_can_draw_are_unknown():
    assert tokens_of(" ".join(UNKNOWN)) == []


def test_a_wrong_colour_a_wrong_place_and_a_missing_thing_are_faults():
    scene = Scene((Group(Said(Noun("cat", colour="red"))),), place="forest")
    right = Unit(Noun("cat", colour="red"))
    assert faults(scene, Picture("forest", NATURAL, "day", (right,))) == []
    assert faults(scene, Picture("forest", NATURAL, "day", (Unit(Noun("cat")),)))
    assert faults(scene, Picture("city", NATURAL, "day", (right,)))
    assert faults(scene, Picture("forest", NATURAL, "day", ()))


def test_left_is_left():
    scene = Scene((Group(Said(Noun("cat"))), Group(Said(Noun("dog")))), (("left-of", 0, 1),))
    cat, dog = Unit(Noun("cat"), x=0.2), Unit(Noun("dog"), x=0.8)
    assert faults(scene, Picture(units=(cat, dog))) == []
    swapped = Unit(Noun("cat"), x=0.8), Unit(Noun("dog"), x=0.2)
    assert faults(scene, Picture(units=swapped)) == ["cat is not left-of dog"]


def test_the_same_seed_makes_the_same_corpus():
    assert [e.caption for e in islice(Corpus(7), 20)] == [e.caption for e in islice(Corpus(7), 20)]
