"""Puts a scene in words. Every way to say something is a form; every fourth form is held out.

Training captions use the other forms only, held-out captions use the held-out form of every list
that has one. Forms differ as the model reads them (in tokens, see `draw/lexicon.py`), not merely
in spelling: a test asserts it. Synonyms, by contrast, are the lexicon's, and known to both.
"""

import re
from itertools import combinations
from random import Random

from penstock_tiny_models.draw.lexicon import COUNTS, LIGHTS, PLACES, plural, tokens_of
from penstock_tiny_models.draw.program import NATURAL
from penstock_tiny_models.draw.things import LIVING, PEOPLE, THINGS, settled

from tiny_draw.scenes import Group, Said, Scene, wearable

FOLK = {thing.name for thing in PEOPLE}
_NOISE = ("a", "it", "that", "in", "of", "and", "with", "at", "has", "which", "some", ",", "please")
_JOINTS_WITH_UNKNOWN = (
    "riding",
    "holding",
    "with",
    "and",
    "wearing",
    "on",
    "next to",
    "under",
    "behind",
    "in front of",
    "in",
    "above",
    "to the left of",
)
UNKNOWN = ("wombat", "gizmo", "zeppel", "quokka", "widget", "blorp", "accordion", "trombone")


# A word for every slot of a form, each a token of its own: what a form is, whatever fills it.
_FILLERS = {
    "a": "cat",
    "b": "dog",
    "c": "cow",
    "b0": "the pig",
    "s": "fish",
    "noun": "horse",
    "garment": "shirt",
    "part": "roof",
    "colour": "red",
    "accent": "blue",
    "size": "big",
    "r": "behind",
    "q": "above",
    "clause": "bird",
    "at": "left",
    "to": "right",
    "side": "top",
    "p": "forest",
    "place": "desert",
    "l": "night",
    "noise": "wombat",
}
# Other ways to say the same: any of a row may stand for any other of it.
_ALIKE = (
    (" that is ", ", that is ", ", it is ", " and it is ", ", and it is ", ". It is "),
    (" with ", " that has ", ", it has ", " and it has ", ", with ", ". It has "),
    (" and ", ", and ", ", "),
)


def reading(form: str) -> tuple[str, ...]:
    """A form as the model reads it, its slots filled with words of their own."""
    return tuple(tokens_of(form.format(**_FILLERS)))


def _variants(form: str) -> list[str]:
    """The form with one of its joints or commas said in another way."""
    found = [
        form.replace(said, other, 1)
        for row in _ALIKE
        for said in row
        if said in form
        for other in row
        if other != said
    ]
    return [*found, form.replace(",", "", 1), *([form.removesuffix(",")] if "," in form else [])]


class Forms:
    """The ways to say one kind of thing, parted into those for training and those held out.

    For practice, variants of the forms for training are said too, but none that reads like a
    held-out form. `strict` lists have none, because their variants would mean something else.
    """

    def __init__(self, *forms: str, strict: bool = False) -> None:
        train = [form for i, form in enumerate(forms) if i % 4 != 3]
        self.heldout = [form for i, form in enumerate(forms) if i % 4 == 3]
        barred = {reading(form) for form in forms}
        spare = {reading(v): v for form in train for v in ([] if strict else _variants(form))}
        self.train = train
        self.variants = [form for read, form in spare.items() if read not in barred]

    def choose(self, rng: Random, ways: str) -> str:
        """`ways`: "usual" (as in training), "practice" (and their variants) or "heldout"."""
        if ways == "heldout" and self.heldout:
            return rng.choice(self.heldout)
        if ways == "practice" and self.variants and rng.random() < VARIED:
            return rng.choice(self.variants)
        return rng.choice(self.train)


_HOLDS = re.compile(r"\b(hold|holds|holding|hand)\b")
VARIED = 0.3  # how often a variant is said for practice


FORMS: dict[str, Forms] = {
    "wrap": Forms(
        "{s}",
        "{s}.",
        "a photo of {s}",
        "a painting in which there is {s}",
        "draw {s}",
        "a picture with {s}",
        "please draw me {s}!",
        "{s}, in a cartoon style",
        "{s}, digital art",
        "an image that has {s}",
        "a drawing of {s}, please",
        "it is a picture and it has {s}",
        "{noise} {s}",
        "{noise} {s}, {noise}",
        strict=True,
    ),
    "colour": Forms(
        "{colour} {noun}",
        "{noun} that is {colour}",
        "{colour} coloured {noun}",
        "{noun} of {colour} colour",
        "{noun} in {colour}",
        "{noun} painted {colour}",
        "{noun} that is {colour} coloured",
        "{noun}, {colour},",
        "{noun} and it is {colour}",
        "{noun} with a {colour} colour",
        "{noun}, it is {colour},",
        "{noun} and its colour is {colour}",
        "{noun}, that has a {colour} colour,",
        "{noun} with {colour} colour",
    ),
    "garment": Forms(
        "{noun} in a {colour} {garment}",
        "{noun} wearing a {colour} {garment}",
        "{noun} with a {colour} {garment}",
        "{noun} that has a {colour} {garment}",
        "{noun} that wears a {colour} {garment}",
        "{noun}, in a {colour} {garment},",
        "{noun} and its {garment} is {colour}",
        "{noun}, its {garment} is {colour},",
        "{noun} in a {garment} that is {colour}",
        "{noun} in {colour} {garment}",
        "{noun} dressed in a {colour} {garment}",
    ),
    "size and colour": Forms(
        "{size} {colour} {noun}",
        "{colour} {size} {noun}",
        "{size} {noun} that is {colour}",
        "{noun} that is {size} and {colour}",
        "{size}, {colour} {noun}",
        "{size} and {colour} {noun}",
        "{size} {noun} in {colour}",
        "{noun}, {size} and {colour},",
        "{noun} that is {colour} and {size}",
        "{size} {noun} painted {colour}",
        "{noun} in {colour} that is {size}",
        "{size} {noun} of {colour} colour",
        "{noun}, {colour} and {size},",
        "{noun}, {size}, that is {colour}",
    ),
    "accent": Forms(
        "{noun} with a {accent} {part}",
        "{noun} with {accent} {part}",
        "{noun} that has a {accent} {part}",
        "{noun}, its {part} in {accent},",
        "{noun} and its {part} is {accent}",
        "{noun} that has {accent} {part}",
        "{noun}, the {part} is {accent},",
        "{noun} with its {part} in {accent}",
        "{noun} and it has a {accent} {part}",
    ),
    "ride": Forms(
        "{a} riding {b}",
        "{a} that is riding {b}",
        "{a}, riding {b}",
        "{a} and it is riding {b}",
        "{b} ridden by {a}",
        "{b} with {a} riding it",
        "{b} that is ridden by {a}",
        "{b}, {a} rides it",
        "{a}, it is riding {b}",
        "{b} and {a} riding it",
        "{b}, ridden by {a}",
    ),
    "on": Forms(
        "{a} on {b}",
        "{a} that is on {b}",
        "{b} with {a} on it",
        "{a}, it is on {b}",
        "on {b} is {a}",
        "{b} with {a} on top",
        "{b} and on it {a}",
        "{b} that has {a} on it",
        "{a}, on {b}",
        "{b}, {a} is on it",
        "{a} and it is on {b}",
        "{b} and it has {a} on top",
    ),
    "in": Forms(
        "{a} in {b}",
        "{a} that is in {b}",
        "{b} with {a} in it",
        "{a}, it is in {b}",
        "{a} driving {b}",
        "{b} and {a} in it",
        "in {b} is {a}",
        "{b}, {a} is in it",
    ),
    "hold": Forms(
        "{a} holding {b}",
        "{a} that holds {b}",
        "{a} with {b} in its hand",
        "{a} and it holds {b}",
        "{a} with {b}",
        "{a}, holding {b}",
        "{b} in the hand of {a}",
        "{a} that has {b} in its hand",
        "{a}, it holds {b}",
        "{a} that is holding {b}",
        "{a} and in its hand {b}",
        "{a}, with {b} in the hand",
    ),
    "wear": Forms(
        "{a} wearing {b}",
        "{a} that wears {b}",
        "{a} with {b}",
        "{a} that has {b} on its head",
        "{a} with {b} on its head",
        "{a} in {b}",
        "{a}, wearing {b}",
        "{a} and it wears {b}",
        "{a}, it wears {b}",
        "{a} that is wearing {b}",
        "{a} and on its head {b}",
        "{b} on the head of {a}",
    ),
    "second joint": Forms(
        "{a} {clause}",
        "{a} and {clause}",
        "{a}, {clause}",
        "{a} that is {clause}",
        "{a} and it is {clause}",
        "{a}, and {clause}",
        "{a}, that is {clause}",
        "{a} and that is {clause}",
    ),
    "relation": Forms(
        "{a} {r} {b}",
        "{a} that is {r} {b}",
        "{r} {b}, {a}",
        "{r} {b} is {a}",
        "{b} with {a} {r} it",
        "{a}, {r} {b}",
        "{a} and it is {r} {b}",
        "{b}, and {r} it {a}",
        "{b} and {r} it {a}",
        "{b} that has {a} {r} it",
        "{a}, it is {r} {b}",
        "{b}; {a} is {r} it",
        "{a}. It is {r} {b}",
        "{b}. {r} it is {a}",
    ),
    "between": Forms(
        "{a} between {b} and {c}",
        "between {b} and {c}, {a}",
        "{a} that is between {b} and {c}",
        "{b} and {c} with {a} between them",
        "between {b} and {c} is {a}",
        "{b}, {c} and {a} between them",
        "{b} and {c}, {a} between them",
        "{b} and {c}; between them is {a}",
        "{b}, {c}, and {a} is between them",
        "{b}, {a} between it and {c}",
        "{a}, it is between {b} and {c}",
        "{b} and {c}, and {a} is between them",
        "{b} and {c}. Between them: {a}",
        "{b} with {a} between it and {c}",
        "{b} with {c} and {a} between them",
        "between {b} and {c} there is {a} and it is in the middle",
        "{b}, {c} with {a} between",
    ),
    "two": Forms(
        "{a} and {b}",
        "{a} with {b}",
        "{a}, {b}",
        "{a}. {b}",
        "{a} and a picture of {b}",
        "{a} and with it {b}",
        "{a}, and {b}",
        "{a} and it is with {b}",
        "{a}, with {b}",
        "{a}. And {b}",
        "{a}, and with it is {b}",
        "{a} with it is {b}",
        strict=True,
    ),
    "three": Forms(
        "{a}, {b} and {c}",
        "{a} and {b} and {c}",
        "{a} with {b} and {c}",
        "{a}, {b}, {c}",
        "{a} and {b} with {c}",
        "{a}, {b}, and {c}",
        "{a}, and {b}, and {c}",
        "{a} and {b}, {c}",
        "{a}, {b} with {c}",
        "{a}. {b} and {c}",
        "{a} and {b}. {c}",
        "{a}. {b}. {c}",
        "{a}, with {b}, and {c}",
        "{a}, and {b} and {c}",
        "{a} and {b}. And {c}",
        strict=True,
    ),
    "chain": Forms(
        "{a} {r} {b} {q} {c}",
        "{a} {r} {b} that is {q} {c}",
        "{a} {r} {b}, and {b0} is {q} {c}",
        "{a} {r} {b}, {q} {c}",
        "{a} {r} {b}, that is {q} {c}",
        "{a} {r} {b}. {b0} is {q} {c}",
        "{a} that is {r} {b} that is {q} {c}",
        "{a} {r} {b} and {b0} is {q} {c}",
        "{a}, {r} {b} that is {q} {c}",
        "{b} with {a} {r} it, and {b0} is {q} {c}",
        "{b} {q} {c}, and {a} is {r} {b0}",
        "{r} {b} that is {q} {c}, {a}",
        "{r} {b} is {a}, and {b0} is {q} {c}",
        "{b} is {q} {c}. {a} is {r} {b0}",
    ),
    "spot": Forms(
        "{a} {at}",
        "{a} that is {at}",
        "{at}, {a}",
        "{at} is {a}",
        "{a}, {at}",
        "{a} and it is {at}",
        "a picture with {a} {at}",
        "{at} there is a picture of {a}",
        "{at}: {a} and nothing else",
        "{a}. It is {at}",
    ),
    "two spots": Forms(
        "{a} {at} and {b} {to}",
        "{at} {a}, {to} {b}",
        "{a} {at}, {b} {to}",
        "{at} is {a} and {to} is {b}",
        "{b} {to} and {a} {at}",
        "{to} is {b}, {at} is {a}",
        "{a} is {at} and {b} is {to}; that is it",
        "{at}: {a}. {to}: {b}",
        "{a} that is {at} and {b} that is {to}",
        "{a}, {at}, and {b}, {to}",
        "{b} {to}, {a} {at}",
        "{at} {a} and {to} {b}",
    ),
    "facing": Forms(
        "{a} facing {side}",
        "{a} looking to the {side}",
        "a {side} facing {a}",
        "{a}, facing {side}",
        "{a} that is facing {side}",
        "{a} with its head turned to the {side}",
        "{a} and it is facing {side}",
        "{a}, and it is facing {side}",
        "{side} facing {a}",
        "{a}, it is looking {side}",
        "{a}. It is facing {side}",
    ),
    "flying": Forms(
        "flying {a}",
        "{a} flying",
        "{a} that is flying",
        "{a}, flying",
        "{a} that flies",
        "{a} and it is flying",
        "{a}. It is flying",
        "{a}, it is flying",
    ),
    "around": Forms(
        "{s} {p}",
        "{p}, {s}",
        "{s}, {p}",
        "{p} {s}",
        "{place} with {s}",
        "{s} with {place} in the background",
        "{s}, and the background is {place}",
        "{place}: {s}",
        "{s}, {place}",
        "{s}. {p}",
        "{s} and {p}",
        "{place} and {s}",
        "{s}, it is {p}",
        "{p} with {s}",
        "{place}, with {s}",
        "{s} that is {p}",
    ),
    "backdrop": Forms(
        "{s} on a {colour} background",
        "{s} with a {colour} background",
        "{s}, {colour} background",
        "{s}. The background is {colour}",
        "{s} on {colour}",
        "on a {colour} background, {s}",
        "{s} and a {colour} background",
        "a {colour} background with {s}",
        "{colour} background, {s}",
        "{s}, the background is {colour}",
        "{s} and the background is {colour}",
        "{s}, and it has a {colour} background",
    ),
    "over": Forms(
        "{s} over {place}",
        "over {place}, {s}",
        "{s} above {place}",
        "over {place} {s}",
        "{place} and over it {s}",
        "{place} with {s} over it",
        "{s}, over {place}",
        "{s} that is over {place}",
        "{place}, {s} over it",
    ),
    "empty": Forms(
        "{place}",
        "a picture with {place}",
        "in {place}",
        "{place}, nothing else",
        "a picture of {place}",
        "it is {place}",
        "there is {place} and that is it",
        "{place} in a picture",
    ),
    "lighting": Forms(
        "{s} {l}",
        "{s}, {l}",
        "{l}, {s}",
        "{l} {s}",
        "{s} and {l}",
        "{s}, it is {l}",
        "{s}. {l}",
    ),
}

_PREPOSITIONS: dict[str, tuple[str, ...]] = {
    "meadow": ("in a {}", "on a {}"),
    "garden": ("in a {}", "in the {}"),
    "forest": ("in a {}", "in the {}"),
    "desert": ("in the {}", "in a {}"),
    "beach": ("at the {}", "on the {}", "on a {}"),
    "sea": ("on the {}", "in the {}", "at {}"),
    "underwater": ("{}", "in the {}", "at the {}"),
    "mars": ("on {}", "on the {}"),
    "moonscape": ("{}", "on the {}"),
    "space": ("in {}", "in the {}"),
    "city": ("in the {}", "in a {}"),
    "road": ("on a {}", "on the {}"),
    "room": ("in a {}", "in the {}"),
    "snow": ("in the {}", "on {}", "in {}"),
    "mountains": ("in the {}",),
    "sky": ("in the {}", "{}"),
    "stage": ("on a {}", "on {}", "at the {}"),
}
_AT = {
    "left": ("on the left", "left", "at the left"),
    "right": ("on the right", "right", "at the right"),
    "top": ("at the top", "top"),
    "bottom": ("at the bottom", "bottom"),
    "middle": ("in the middle", "in the centre"),
    "top left": ("in the top left corner", "at the top left", "in the left top corner"),
    "top right": ("in the top right corner", "at the top right"),
    "bottom left": ("in the bottom left corner", "at the bottom left"),
    "bottom right": ("in the bottom right corner", "at the bottom right"),
}
_RELATIONS = {
    "left-of": ("to the left of", "left of"),
    "right-of": ("to the right of", "right of"),
    "above": ("above", "over"),
    "below": ("under", "below", "beneath"),
    "behind": ("behind",),
    "front": ("in front of",),
    "beside": ("next to", "beside", "near"),
}
_CLAUSES = {
    "ride": ("riding {b}", "on the back of {b}"),
    "on": ("on {b}", "on top of {b}"),
    "in": ("in {b}", "inside {b}"),
    "hold": ("holding {b}", "carrying {b}"),
    "wear": ("wearing {b}",),
}
_LIGHT_WORDS = {
    "day": ("by day", "in the sunshine"),
    "sunset": ("at sunset", "at dusk", "in the evening"),
    "night": ("at night", "by night", "at midnight", "under a starry sky"),
    "rain": ("in the rain", "in a storm"),
    "snowfall": ("in a blizzard", "in falling snow"),
}


def _belongs(scene: Scene) -> bool:
    """Whether a group of the scene could be held or worn by the one before it."""
    for group, after in combinations(scene.groups, 2):
        first, second = group.said.noun.thing, after.said.noun.thing
        if THINGS[first].can("holder") and THINGS[second].can("held"):
            return True
        if first in LIVING and wearable(second):
            return True
    return False


def _in_the_air(scene: Scene) -> bool:
    return len(scene.groups) == 1 and THINGS[scene.groups[0].said.noun.thing].home == "sky"


class Phrasing:
    """Says scenes; `ways` as for Forms."""

    def __init__(self, rng: Random, ways: str) -> None:
        self.rng = rng
        self.ways = ways

    def caption(self, scene: Scene) -> str:
        text = self._groups(scene)
        text = self._surroundings(text, scene)
        return self._wrapped(text)

    def _wrapped(self, text: str) -> str:
        """Around the scene: how pictures are asked for, or words that say nothing about it."""
        words = self.rng.choices(_NOISE, k=self.rng.randint(0, 5))
        return self._form("wrap", s=text, noise=" ".join(words))

    def nothing(self) -> str:
        """A caption without any known thing."""
        words = self.rng.sample(UNKNOWN, self.rng.randint(0, 3))
        return self._wrapped(" ".join(words))

    def with_unknown(self, text: str) -> str:
        """The caption of a group, joined to something that nobody can draw."""
        joint = self.rng.choice(_JOINTS_WITH_UNKNOWN)
        adjective = self.rng.choice(("", "", "", "red ", "big "))
        return f"{text} {joint} a {adjective}{self.rng.choice(UNKNOWN)}"

    def _form(self, kind: str, **parts: str) -> str:
        return FORMS[kind].choose(self.rng, self.ways).format(**parts)

    # The whole scene

    def _groups(self, scene: Scene) -> str:
        said = [self.group(group) for group in scene.groups]
        if not said:
            return ""
        if len(said) == 1:
            return self._spot(said[0], scene.groups[0])
        if scene.between:
            return self._form("between", a=said[0], b=said[1], c=said[2])
        if len(said) == 2:
            return self._two(said, scene)
        return self._three(said, scene)

    def _spot(self, text: str, group: Group) -> str:
        if group.spot:
            return self._form("spot", a=text, at=self.rng.choice(_AT[group.spot]))
        return text

    def _two(self, said: list[str], scene: Scene) -> str:
        a, b = said
        first, second = scene.groups
        if first.spot and second.spot:
            at, to = self.rng.choice(_AT[first.spot]), self.rng.choice(_AT[second.spot])
            return self._form("two spots", a=a, b=b, at=at, to=to)
        if scene.relations:
            relation = self.rng.choice(_RELATIONS[scene.relations[0][0]])
            return self._form("relation", a=a, b=b, r=relation)
        return self._listed("two", scene, a=a, b=b)

    def _listed(self, kind: str, scene: Scene, **said: str) -> str:
        """A list; without the word "with" where it would mean holding or wearing."""
        form = FORMS[kind].choose(self.rng, self.ways)
        while _belongs(scene) and re.search(r"\b(with|has)\b", form):
            form = FORMS[kind].choose(self.rng, self.ways)
        return form.format(**said)

    def _three(self, said: list[str], scene: Scene) -> str:
        a, b, c = said
        if not scene.relations:
            return self._listed("three", scene, a=a, b=b, c=c)
        r, *rest = (self.rng.choice(_RELATIONS[kind]) for kind, _, _ in scene.relations)
        if rest:
            b0 = "the " + self._word(scene.groups[1].said)
            return self._form("chain", a=a, b=b, c=c, r=r, q=rest[0], b0=b0)
        return self._listed("two", scene, a=self._form("relation", a=a, b=b, r=r), b=c)

    def _surroundings(self, text: str, scene: Scene) -> str:
        if not text:
            return self._empty(scene)
        light = self.rng.choice(_LIGHT_WORDS[scene.light]) if scene.light else ""
        if scene.place == "plain":
            text = self._form("backdrop", s=text, colour=scene.colour)
        elif scene.place and light and self.rng.random() < 0.3:
            place, _ = self._place(scene.place)
            prefix = self.rng.choice([w for w in LIGHTS[scene.light].split("|") if " " not in w])
            return self._form(
                "around", s=text, p=f"in a {prefix} {place}", place=f"a {prefix} {place}"
            )
        elif scene.place:
            word, phrase = self._place(scene.place)
            if _in_the_air(scene) and self.rng.random() < 0.4:
                text = self._form("over", s=text, place=self._article(word))
            else:
                text = self._form("around", s=text, p=phrase, place=self._article(word))
        return self._form("lighting", s=text, l=light) if light else text

    def _empty(self, scene: Scene) -> str:
        text = self._form("empty", place=self._article(self._place(scene.place)[0]))
        if not scene.light:
            return text
        return self._form("lighting", s=text, l=self.rng.choice(_LIGHT_WORDS[scene.light]))

    def _place(self, place: str) -> tuple[str, str]:
        word = self.rng.choice(PLACES[place].split("|"))
        if word.split()[0] in ("on", "in", "at", "under", "among", "underwater", "indoors"):
            return word, word
        return word, self.rng.choice(_PREPOSITIONS[place]).format(word).replace("the the", "the")

    def _article(self, word: str) -> str:
        return self.rng.choice((word, word, f"the {word}", f"a {word}")).replace("the the", "the")

    # Groups

    def group(self, group: Group) -> str:
        text = self.noun(group.said, group.flying)
        if group.facing:
            text = self._form("facing", a=text, side=group.facing).replace("a a ", "a ")
        if not group.joined:
            return text
        (joint, other), *more = group.joined
        if not more:
            return self._joined(text, group.said, joint, other)
        clause = self._clause(joint, other)
        text = f"{text} {clause}"
        for again, other in more:
            if again == joint and self.rng.random() < 0.7:
                text = f"{text} and {self.noun(other)}"
            else:
                text = self._form("second joint", a=text, clause=self._clause(again, other))
        return text

    def _joined(self, text: str, said: Said, joint: str, other: Said) -> str:
        kind = joint
        on_is_riding = joint == "ride" == settled("on", said.noun.thing, other.noun.thing)
        if on_is_riding and self.rng.random() < 0.25:
            kind = "on"
        elif joint == "in" and THINGS[other.noun.thing].can("mount") and self.rng.random() < 0.2:
            kind = "ride"  # whoever rides a boat sits in it
        form = FORMS[kind].choose(self.rng, self.ways)
        while joint == "hold" and wearable(other.noun.thing) and not _HOLDS.search(form):
            form = FORMS[kind].choose(self.rng, self.ways)  # "with a hat" is wearing it
        return form.format(a=text, b=self.noun(other))

    def _clause(self, joint: str, other: Said) -> str:
        return self.rng.choice(_CLAUSES[joint]).format(b=self.noun(other))

    # Nouns

    def noun(self, said: Said, flying: bool = False) -> str:
        noun = said.noun
        colour = "" if noun.colour == NATURAL else self._colour(noun.colour)
        size = "" if noun.size == "medium" else self._size(noun.size)
        text = self._word(said)
        if noun.accent != NATURAL:
            text = self._form(
                "accent", noun=text, accent=self._colour(noun.accent), part=THINGS[noun.thing].part
            )
        if colour and size and noun.accent == NATURAL:
            text = self._form("size and colour", noun=text, size=size, colour=colour)
        elif colour and noun.thing in FOLK and not size and self.rng.random() < 0.5:
            text = self._form("garment", noun=text, colour=colour, garment=self._garment())
        elif colour and noun.accent == NATURAL:
            text = self._form("colour", noun=text, colour=colour)
        else:
            text = " ".join(part for part in (size, colour, text) if part)
        if flying:
            text = self._form("flying", a=text)
        return f"{self._count(said)} {text}"

    def _garment(self) -> str:
        return self.rng.choice(("shirt", "dress", "suit", "coat", "jacket", "robe"))

    def _word(self, said: Said) -> str:
        words = THINGS[said.noun.thing].words
        word = words[0] if self.rng.random() < 0.6 else self.rng.choice(words)
        return word if said.noun.count == 1 else plural(word)

    def _count(self, said: Said) -> str:
        if said.vague:
            return self.rng.choice(("some", "several", "many", ""))
        count = said.noun.count
        if count == 1:
            return self.rng.choices(("a", "the", "one"), (80, 12, 8))[0]
        return self.rng.choice((COUNTS[count - 1], COUNTS[count - 1], str(count)))

    def _colour(self, colour: str) -> str:
        return {"gray": self.rng.choice(("gray", "grey")), "gold": "golden"}.get(colour, colour)

    def _size(self, size: str) -> str:
        words = {
            "tiny": ("tiny",),
            "small": ("small", "little"),
            "big": ("big", "large"),
            "huge": ("huge", "giant", "enormous"),
        }
        return self.rng.choice(words[size])
