"""The parts of the drawer that need no network: words, programs, sprites, places, pixels."""

from random import Random

import pytest

from penstock_tiny_models.draw import compose, measure, program, raster
from penstock_tiny_models.draw.colours import COLOURS
from penstock_tiny_models.draw.lexicon import LIGHTS, PLACES, TOKENS, plural, tokens_of
from penstock_tiny_models.draw.mentions import Mention, read
from penstock_tiny_models.draw.pen import Fill, Frame, Pen, grown
from penstock_tiny_models.draw.program import Grammar, Noun, Picture, Unit, parse
from penstock_tiny_models.draw.relations import Placed, Relations
from penstock_tiny_models.draw.sprites import SPRITES, Look
from penstock_tiny_models.draw.things import THINGS, settled

RIDER = Unit(Noun("astronaut"), (("ride", Noun("horse")),), x=0.5, y=0.9, scale=0.47)


@pytest.mark.parametrize(
    ("caption", "tokens"),
    [
        ("Two kittens", "two cat -s"),
        ("a pony to the left of the hot-air balloon", "a horse left-of airship"),
        ("on the back of", "ride"),
        ("Café, naïve wombats!", ", ."),
        ("3 mice on the moon", "three mouse -s moonscape"),
        ("a grey man's hat", "a gray man hat"),
        ("a pair of glasses", "a glasses"),
        ("ICE CREAM", "ice_cream"),
    ],
)
def test_captions_become_known_tokens(caption, tokens):
    assert tokens_of(caption) == tokens.split()


@pytest.mark.parametrize(
    ("word", "many"),
    [
        ("cat", "cats"),
        ("fox", "foxes"),
        ("man", "men"),
        ("puppy", "puppies"),
        ("monkey", "monkeys"),
        ("ice cream", "ice creams"),
    ],
)
def test_plurals(word, many):
    assert plural(word) == many


def test_no_token_has_two_meanings():
    assert len(set(program.TOKENS)) == len(program.TOKENS)
    assert len(set(TOKENS)) == len(TOKENS)


def test_a_picture_survives_its_own_program():
    unit = Unit(
        Noun("cat", 3, "big", "red"),
        (("wear", Noun("hat", 3, accent="blue")),),
        0.1875,
        0.8125,
        program.SCALES[4],
        faces_left=True,
    )
    picture = Picture("forest", program.NATURAL, "night", (unit,))
    assert parse(picture.tokens()) == picture


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["mars"],
        ["mars", "natural", "day", "one", "medium", "red"],
        [*Picture().tokens(), "one"],
        ["mars", "natural", "day", "one", "medium", "cat", "natural", "natural", "y3"],
    ],
)
def test_what_the_grammar_forbids_is_refused(wrong):
    with pytest.raises(ValueError, match=r"stand here|does not end"):
        parse(wrong)


def test_any_walk_through_the_grammar_ends_in_a_picture_that_can_be_drawn():
    for seed in range(60):
        rng, grammar, tokens = Random(seed), Grammar(), []
        while not grammar.ended:
            tokens.append(rng.choice(grammar.allowed()))
            grammar.take(tokens[-1])
        assert len(tokens) <= program.MOST_TOKENS
        assert compose.marks_of(parse(tokens), 64, 48, seed)


def test_every_thing_has_a_sprite_and_every_sprite_is_a_thing():
    assert set(SPRITES) == set(THINGS)


@pytest.mark.parametrize("name", THINGS)
def test_a_sprite_keeps_to_its_box_in_any_colour_and_pose(name):
    thing = THINGS[name]
    for look in (
        Look(COLOURS[thing.colours[0]]),
        Look(COLOURS["black"], COLOURS["pink"], natural=False, riding=True, holding=True),
        Look(COLOURS["white"], natural=False, holding=True, carrying=True),
    ):
        pen = Pen(Frame.page(0, 0, 1))
        SPRITES[name].draw(pen, look)
        xs = [x for mark in pen.marks for x, _ in mark.points]
        ys = [-y for mark in pen.marks for _, y in mark.points]
        assert max(map(abs, xs)) <= thing.width / 2 + 0.26  # a lighthouse has a beam
        assert min(ys) >= -0.16
        assert thing.height * 0.75 <= max(ys) <= thing.height + 0.2


@pytest.mark.parametrize("place", PLACES)
def test_every_place_covers_the_page_in_every_light(place):
    for light in LIGHTS:
        marks = compose.marks_of(Picture(place, program.NATURAL, light), 60, 40, 1)
        image = raster.pixels(marks, 60, 40)
        assert image.size == (60, 40)
        edge = [image.getpixel((x, y)) for x in (0, 59) for y in (0, 13, 26, 39)]
        assert place in ("plain", "snow", "room", "sky") or (255, 255, 255) not in edge


def test_a_rider_sits_above_the_horse_and_not_on_its_head():
    page = Pen(Frame.page(0, 100, 100))
    composer = compose.Composer(page, "mars", 100, 100, Random(0))
    composer.unit(RIDER)
    ys = [y for mark in page.marks for _, y in mark.points]
    assert 2 < min(ys) < 30


def test_a_huge_thing_is_larger_than_a_tiny_one():
    boxes = [measure.box_of(Unit(Noun("cat", size=size))) for size in program.SIZES]
    assert [box.height for box in boxes] == sorted(box.height for box in boxes)


@pytest.mark.parametrize("count", range(1, 11))
def test_groups_have_a_spot_for_each(count):
    spots = measure.spread(count, upright=True)
    assert len(set(spots)) == len(spots) == count


def test_grown_polygons_contain_the_old_one_whichever_way_they_turn():
    square = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
    for points in (square, square[::-1]):
        outer = grown(points, 0.1)
        assert min(x for x, _ in outer) == pytest.approx(-0.1)
        assert max(y for _, y in outer) == pytest.approx(1.1)


def test_pixels_are_smooth_at_edges():
    mark = Fill([(0, 0), (40, 0), (0, 40)], (0, 0, 0))
    colours = raster.pixels([mark], 40, 40).getcolors() or []
    assert len(colours) > 2


def test_looks_are_read_where_english_puts_them():
    caption = "two big, red cats in a house with a blue roof, and a dog that is tiny. A gold wombat"
    cats, house, dog = read(tokens_of(caption)).mentions
    assert cats == Mention("cat", ("two",), "big", "red")
    assert house == Mention("house", accent="blue")
    assert dog == Mention("dog", size="tiny")


@pytest.mark.parametrize(
    ("caption", "plain"),
    [
        ("a big red car", "a car"),
        ("a house with a blue roof on a red background", "a house on a red background"),
        ("a cat of golden colour, on a huge mat", "a cat, on a huge"),
        ("a king in a green robe riding a horse, brown and tiny", "a king ride a horse"),
    ],
)
def test_a_caption_without_its_looks(caption, plain):
    assert list(read(tokens_of(caption)).plain) == tokens_of(plain)


def test_a_thing_named_again_is_the_same_one():
    again = read(tokens_of("a cat left of a dog, and the dog is above a bird")).mentions
    assert [mention.thing for mention in again] == ["cat", "dog", "bird"]
    other = read(tokens_of("a cat left of a cat")).mentions
    assert [mention.thing for mention in other] == ["cat", "cat"]


@pytest.mark.parametrize(
    ("joint", "upper", "base", "meant"),
    [
        ("on", "cat", "horse", "ride"),
        ("on", "cat", "table", "on"),
        ("on", "cup", "horse", "on"),
        ("ride", "pirate", "boat", "in"),
        ("ride", "guitar", "dinosaur", "on"),
        ("ride", "astronaut", "horse", "ride"),
    ],
)
def test_a_joint_is_what_its_things_allow(joint, upper, base, meant):
    assert settled(joint, upper, base) == meant


def placed(thing: str, number: int, x: float, y: float = 0.9) -> Placed:
    return Placed(Unit(Noun(thing), x=x, y=y, scale=0.3), frozenset({number}))


@pytest.mark.parametrize(
    ("caption", "cat_x", "dog_x"),
    [
        ("a cat left of a dog", 0.2, 0.8),
        ("left of a dog is a cat", 0.2, 0.8),
        ("a dog, and left of it a cat", 0.2, 0.8),
        ("a dog with a cat to the right of it", 0.8, 0.2),
        ("on the left is a cat and on the right is a dog", 0.2, 0.8),
        ("a cat on the right and a dog on the left", 0.8, 0.2),
    ],
)
def test_nothing_stands_where_the_caption_forbids_it(caption, cat_x, dog_x):
    reading = read(tokens_of(caption))
    relations = Relations(reading)
    cat, dog = (
        next(n for n, mention in enumerate(reading.mentions) if mention.thing == thing)
        for thing in ("cat", "dog")
    )
    first = placed("cat", cat, cat_x)
    assert relations.allow(first, [], "x")
    assert relations.allow(placed("dog", dog, dog_x), [first], "x")
    wrong = placed("cat", cat, dog_x)
    assert not relations.allow(placed("dog", dog, cat_x), [wrong], "x")


def test_what_is_between_stands_between():
    relations = Relations(read(tokens_of("a cat and a dog with a cow between them")))
    flanks = [placed("cat", 0, 0.2), placed("dog", 1, 0.8)]
    assert relations.allow(placed("cow", 2, 0.5), flanks, "x")
    assert not relations.allow(placed("cow", 2, 0.95), flanks, "x")


def test_words_between_two_things_keep_them_in_units_of_their_own():
    relations = Relations(read(tokens_of("a cat on a mat. A dog on a car behind a bird")))
    assert relations.apart(0, 1)
    assert not relations.apart(1, 2)
    assert relations.apart(2, 3)
