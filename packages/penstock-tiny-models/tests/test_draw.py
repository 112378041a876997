"""tiny-draw end to end: a caption goes in, a picture comes out."""

import io

import pytest
from PIL import Image

from penstock_tiny_models import path
from penstock_tiny_models.draw import Drawer, Stopped

ASTRONAUT = "A photo of an astronaut riding a horse on Mars."


@pytest.fixture(scope="module")
def drawer() -> Drawer:
    return Drawer(path("tiny-draw"))


def drawn(drawer: Drawer, prompt: str, width: int = 64, height: int = 64, seed: int = 0) -> bytes:
    return drawer.draw(prompt, width=width, height=height, seed=seed)


def test_the_astronaut_rides_a_horse_on_mars(drawer):
    for seed in range(5):
        picture = drawer.picture(ASTRONAUT, seed=seed)
        (unit,) = picture.units
        assert picture.place == "mars"
        assert unit.noun.thing == "astronaut"
        assert [(joint, noun.thing) for joint, noun in unit.joined] == [("ride", "horse")]


def test_a_picture_is_a_png_of_the_size_asked_for(drawer):
    image = Image.open(io.BytesIO(drawn(drawer, "a cat", width=200, height=96)))
    assert (image.format, image.size, image.mode) == ("PNG", (200, 96), "RGB")


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_picture(drawer):
    assert drawn(drawer, ASTRONAUT, seed=3) == drawn(drawer, ASTRONAUT, seed=3)
    assert len({drawn(drawer, ASTRONAUT, seed=seed) for seed in range(6)}) == 6


def test_colours_numbers_and_sides_are_drawn_as_said(drawer):
    picture = drawer.picture("three red cars to the left of a blue house", seed=1)
    cars, house = picture.units
    assert (cars.noun.thing, cars.noun.count, cars.noun.colour) == ("car", 3, "red")
    assert (house.noun.thing, house.noun.colour) == ("house", "blue")
    assert cars.x < house.x


@pytest.mark.parametrize("prompt", ["", "   ", "zxqv blorp", "42", "Ein Pferd", "🦄🦄", "a" * 5000])
def test_something_is_drawn_whatever_is_said(drawer, prompt):
    picture = drawer.picture(prompt, seed=5)
    assert picture.units or picture.place != "plain"
    assert drawn(drawer, prompt, seed=5).startswith(b"\x89PNG")


def test_unknown_words_are_ignored(drawer):
    plain = drawer.picture("a red car in the forest", seed=2)
    wordy = drawer.picture("a gorgeous red car in the misty enchanted forest", seed=2)
    assert plain == wordy


def test_every_mentioned_thing_is_drawn_and_no_other(drawer):
    caption = "a duck and a frog behind a red castle, a kite, two pigs and a very old green teapot"
    for seed in range(3):
        units = drawer.picture(caption, seed=seed).units
        nouns = [n for unit in units for n in (unit.noun, *(noun for _, noun in unit.joined))]
        looks = {noun.thing: (noun.count, noun.colour) for noun in nouns}
        assert len(nouns) == 6
        assert looks["castle"] == (1, "red")
        assert looks["pig"] == (2, "natural")
        assert looks["teapot"] == (1, "green")
        assert {"duck", "frog", "kite"} < set(looks)


def test_drawing_stops_when_it_is_told_to(drawer):
    asked = iter([True, True, False])
    with pytest.raises(Stopped):
        drawer.draw(ASTRONAUT, width=64, height=64, seed=0, keep_going=lambda: next(asked))
    assert next(asked, None) is None


@pytest.mark.parametrize("size", [(0, 64), (64, 5000), (-1, -1)])
def test_senseless_sizes_are_refused(drawer, size):
    with pytest.raises(ValueError, match="pixels"):
        drawn(drawer, "a cat", *size)


def test_a_very_long_caption_ends(drawer):
    caption = " and ".join(["three huge red cats wearing hats riding green horses"] * 30)
    assert 1 <= len(drawer.picture(caption, seed=0).units) <= 12
