"""The maker of captions: what it promises about forms, combinations and programs."""

import sys
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from penstock_tiny_models.draw import program
from penstock_tiny_models.draw.colours import COLOURS
from penstock_tiny_models.draw.lexicon import SIZES, tokens_of
from penstock_tiny_models.draw.mentions import read
from penstock_tiny_models.draw.program import NATURAL, Noun, Picture, Unit
from tiny_draw.check import faults
from tiny_draw.corpus import NUMBERS, Corpus
from tiny_draw.phrasing import FORMS, UNKNOWN, reading
from tiny_draw.scenes import Group, Said, Scene, kept_apart


def test_no_held_out_form_reads_like_a_form_for_training():
    for kind, forms in FORMS.items():
        known = {reading(form) for form in (*forms.train, *forms.variants)}
        assert not [form for form in forms.heldout if reading(form) in known], kind


def test_training_never_says_a_held_out_caption():
    said = {tuple(tokens_of(e.caption)) for e in islice(Corpus(0, "practice"), 3000)}
    for example in islice(Corpus(1, "heldout"), 300):
        if len(example.caption.split()) > 3:
            assert tuple(tokens_of(example.caption)) not in said


def test_training_never_combines_what_is_kept_apart():
    for example in islice(Corpus(2, "practice"), 1500):
        for group in example.scene.groups:
            for said in (group.said, *(said for _, said in group.joined)):
                if said.noun.colour != NATURAL:
                    assert not kept_apart(said.noun.colour, said.noun.thing)


def test_every_program_is_grammatical_and_right_for_its_scene():
    for example in islice(Corpus(3, "practice"), 500):
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
    assert [e.caption for e in islice(Corpus(7, "practice"), 20)] == [
        e.caption for e in islice(Corpus(7, "practice"), 20)
    ]


def test_the_network_reads_captions_and_writes_programs_without_looks():
    looks = {NUMBERS[look] for look in (*COLOURS, *SIZES) if look != "medium"}
    for example in islice(Corpus(5, "practice"), 300):
        _, drawn = example.numbers()
        assert not looks.intersection(drawn[3:]), example.caption


def test_what_is_mentioned_is_read_by_rule():
    """A look belongs to the noun that the scene gave it, in nearly every caption."""
    examples = [e for e in islice(Corpus(6, "heldout"), 400) if not e.scene.nothing]
    right = sum(_mentions(e) == _nouns(e) for e in examples)
    assert right >= 0.98 * len(examples)


def _mentions(example):
    mentions = read(tokens_of(example.caption)).mentions
    return sorted((m.thing, m.size, m.colour, m.accent) for m in mentions)


def _nouns(example):
    units = example.picture.units
    nouns = [noun for unit in units for noun in (unit.noun, *(noun for _, noun in unit.joined))]
    return sorted((n.thing, n.size, n.colour, n.accent) for n in nouns)
