"""Random scenes: what a caption will say, before it is put in words or given a place.

A scene is the truth that a program is checked against.
"""

import hashlib
from dataclasses import dataclass, field, replace
from itertools import combinations
from random import Random

from penstock_tiny_models.draw.colours import COLOURS
from penstock_tiny_models.draw.program import NATURAL, Noun
from penstock_tiny_models.draw.things import ANIMALS, PEOPLE, SHAPES, THINGS, Thing, settled

PLAIN_SHAPES = {thing.name for thing in SHAPES}
BEASTS = [thing.name for thing in ANIMALS]
FOLK = [thing.name for thing in PEOPLE]
SPOTS = (
    "left",
    "right",
    "top",
    "bottom",
    "middle",
    "top left",
    "top right",
    "bottom left",
    "bottom right",
)
ORDERED = ("left-of", "right-of", "above", "below", "behind", "front", "beside")
SKY_ONLY = ("sun", "moon", "cloud", "rainbow", "planet", "star")


@dataclass(frozen=True)
class Said:
    """A noun as said: `vague` counts ("some cats") leave the number to the drawer."""

    noun: Noun
    vague: bool = False


@dataclass(frozen=True)
class Group:
    """What becomes one unit of the program."""

    said: Said
    joined: tuple[tuple[str, Said], ...] = ()
    spot: str = ""
    facing: str = ""
    flying: bool = False


@dataclass(frozen=True)
class Scene:
    groups: tuple[Group, ...]
    relations: tuple[tuple[str, int, int], ...] = ()  # (relation, of group, to group)
    between: bool = False  # the first group stands between the second and the third
    place: str = ""  # "" where the caption does not say
    colour: str = ""
    light: str = ""
    nothing: bool = field(default=False)  # the caption names no thing at all


def kept_apart(*names: str) -> bool:
    """One in ten combinations, by hash: never in a training caption."""
    digest = hashlib.sha256(" ".join(names).encode()).digest()
    return digest[0] % 10 == 0


Numbers = tuple[float, float, float]  # how often a scene has one, two and three groups
USUAL: Numbers = (0.54, 0.32, 0.14)
FOR_PRACTICE: Numbers = (0.38, 0.34, 0.28)  # long captions are what is hard


class SceneMaker:
    """Draws scenes; with `apart`, from the combinations that training never sees, as far as
    there are any: (colour, thing), (rider, mount), (holder, held), (wearer, worn)."""

    def __init__(self, rng: Random, apart: bool = False, numbers: Numbers = USUAL) -> None:
        self.rng = rng
        self.apart = apart
        self.numbers = numbers

    def scene(self) -> Scene:
        rng = self.rng
        if rng.random() < 0.04:
            return self._landscape()
        number = rng.choices((1, 2, 3), self.numbers)[0]
        busy = {1: 0.72, 2: 0.3, 3: 0.12}[number]
        groups = [self.group(joins=rng.random() < busy) for _ in range(number)]
        scene = Scene(tuple(groups))
        if number == 1:
            scene = self._alone(scene)
        elif number == 2:
            scene = self._two(scene)
        else:
            scene = self._three(scene)
        return self._surroundings(scene)

    def _alone(self, scene: Scene) -> Scene:
        group = scene.groups[0]
        draw = self.rng.random()
        if draw < 0.1:
            group = replace(group, spot=self.rng.choice(SPOTS))
        elif draw < 0.16:
            group = replace(group, facing=self.rng.choice(("left", "right")))
        elif draw < 0.22 and not group.joined:
            group = replace(group, flying=True)
        return replace(scene, groups=(group,))

    def _two(self, scene: Scene) -> Scene:
        first, second = scene.groups
        draw = self.rng.random()
        if draw < 0.2:
            return scene
        if draw < 0.3:
            one, other = self.rng.choice((("left", "right"), ("right", "left"), ("top", "bottom")))
            groups = replace(first, spot=one), replace(second, spot=other)
            return replace(scene, groups=groups)
        return replace(scene, relations=((self.rng.choice(ORDERED), 0, 1),))

    def _three(self, scene: Scene) -> Scene:
        draw = self.rng.random()
        if draw < 0.25:
            return scene
        if draw < 0.4:
            return replace(scene, between=True)
        relations = [(self.rng.choice(ORDERED), 0, 1)]
        if draw < 0.75:
            relations.append((self.rng.choice(ORDERED), 1, 2))
        return replace(scene, relations=tuple(relations))

    def _surroundings(self, scene: Scene) -> Scene:
        rng = self.rng
        if rng.random() < 0.55:
            if rng.random() < 0.25:
                scene = replace(scene, place="plain", colour=rng.choice(tuple(COLOURS)))
            else:
                scene = replace(scene, place=rng.choice(_PLACES))
        lit = scene.place not in ("plain", "space", "moonscape", "underwater")
        if lit and rng.random() < 0.25:
            scene = replace(scene, light=rng.choice(_LIGHTS))
        return scene

    def _landscape(self) -> Scene:
        scene = self._surroundings(Scene(()))
        while not scene.place or scene.place == "plain":
            scene = self._surroundings(Scene(()))
        return scene

    # Groups and nouns

    def group(self, joins: bool) -> Group:
        if not joins:
            return Group(self._said(self.rng.choice(_ALL)))
        kind = self.rng.choices(
            ("ride", "on", "in", "hold", "wear", "two"), (26, 16, 8, 16, 16, 18)
        )[0]
        if kind == "two":
            first, second = self.rng.choice(
                (
                    ("hold", "ride"),
                    ("wear", "ride"),
                    ("wear", "hold"),
                    ("hold", "on"),
                    ("wear", "in"),
                    ("wear", "on"),
                    ("wear", "wear"),
                )
            )
            return self._with_two(first, second)
        actor = self._actor(kind)
        return self._counted(actor, kind)

    def _counted(self, actor: str, joint: str) -> Group:
        said = self._said(actor, crowd=0.2)
        other = self._partner(joint, actor)
        joined = self._said(other, crowd=0.06 if joint == "hold" else 0)
        many = said.noun.count
        if many > 1 and joint in ("ride", "hold", "wear", "in") and self.rng.random() < 0.8:
            joined = Said(replace(joined.noun, count=many), said.vague)
        elif many > 1 and joint in ("ride", "hold", "wear", "in"):
            said = Said(replace(said.noun, count=1))
        return Group(said, ((joint, joined),))

    def _with_two(self, first: str, second: str) -> Group:
        actor = self.rng.choice([n for n in _can(first) if n in _can(second)])
        joined = tuple(
            (joint, self._said(self._partner(joint, actor), crowd=0)) for joint in (first, second)
        )
        if first == second and joined[0][1].noun.thing == joined[1][1].noun.thing:
            joined = joined[:1]
        return Group(self._said(actor, crowd=0), joined)

    def _actor(self, joint: str) -> str:
        return self.rng.choice(_can(joint))

    def _partner(self, joint: str, actor: str) -> str:
        names = [name for name in _PARTNERS[joint] if name != actor]
        names = [name for name in names if settled(joint, actor, name) == joint]
        fitting = [name for name in names if kept_apart(joint, actor, name) == self.apart]
        return self.rng.choice(fitting or names)

    def _said(self, thing: str, crowd: float = 0.22) -> Said:
        rng = self.rng
        size = rng.choices(("medium", "tiny", "small", "big", "huge"), (74, 4, 8, 9, 5))[0]
        colour = self._colour(thing) if rng.random() < 0.4 else NATURAL
        accent = NATURAL
        if THINGS[thing].part and rng.random() < 0.2:
            accent = rng.choice([name for name in COLOURS if name != colour])
        if rng.random() >= crowd:
            return Said(Noun(thing, 1, size, colour, accent))
        if rng.random() < 0.25:
            return Said(Noun(thing, rng.randint(3, 5), size, colour, accent), vague=True)
        count = rng.choices((2, 3, 4, 5, 6, 7, 8, 9, 10), (28, 22, 14, 12, 8, 5, 4, 3, 4))[0]
        return Said(Noun(thing, count, size, colour, accent))

    def _colour(self, thing: str) -> str:
        names = [name for name in COLOURS if kept_apart(name, thing) == self.apart]
        return self.rng.choice(names or tuple(COLOURS))


_ALL = tuple(THINGS)
_LIGHTS = ("sunset", "night", "night", "rain", "snowfall", "day")
_PLACES = (
    "meadow",
    "garden",
    "forest",
    "desert",
    "beach",
    "sea",
    "underwater",
    "mars",
    "mars",
    "moonscape",
    "space",
    "city",
    "road",
    "room",
    "snow",
    "mountains",
    "sky",
    "stage",
)


def wearable(thing: str) -> bool:
    return any(THINGS[thing].can(role) for role in ("head", "eyes", "neck"))


def ambiguous(scene: Scene) -> bool:
    """Whether a list would read as worn or held: "a cat wearing a hat and a scarf"."""
    related = {frozenset((of, to)) for _, of, to in scene.relations}
    pairs = [(1, 2)] if scene.between else combinations(range(len(scene.groups)), 2)
    for one, other in pairs:
        group, after = scene.groups[one], scene.groups[other]
        if group.spot or frozenset((one, other)) in related or not group.joined:
            continue
        last, thing = group.joined[-1][0], after.said.noun.thing
        if last in ("wear", "hold") and (wearable(thing) or THINGS[thing].can("held")):
            return True
    return False


def _names(role: str) -> list[str]:
    return [thing.name for thing in THINGS.values() if thing.can(role)]


def _stands_on(thing: Thing) -> bool:
    return thing.size <= 1.05 and thing.name not in SKY_ONLY


_PARTNERS = {
    "ride": _names("mount"),
    "on": _names("support"),
    "in": _names("vessel"),
    "hold": _names("held"),
    "wear": [*_names("head"), *_names("eyes"), *_names("neck")],
}
_ACTORS = {
    "ride": _names("rider"),
    "on": [thing.name for thing in THINGS.values() if _stands_on(thing)],
    "in": _names("rider"),
    "hold": _names("holder"),
    "wear": [*FOLK, *FOLK, *BEASTS, "teddy"],
}


def _can(joint: str) -> list[str]:
    return _ACTORS[joint]
