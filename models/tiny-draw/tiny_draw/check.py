"""Does a picture say what the scene says? Things, numbers, looks, joints, places, relations."""

from collections.abc import Callable
from itertools import permutations

from penstock_tiny_models.draw.measure import box_of
from penstock_tiny_models.draw.program import Noun, Picture, Unit

from tiny_draw.scenes import Group, Said, Scene


def faults(scene: Scene, picture: Picture) -> list[str]:
    """What is wrong, in words; an empty list is a right picture."""
    if scene.nothing:
        return [] if picture.units else ["nothing is drawn"]
    wrong = _surroundings(scene, picture)
    if len(scene.groups) != len(picture.units):
        return [*wrong, f"{len(picture.units)} groups instead of {len(scene.groups)}"]
    orders = permutations(picture.units)
    return wrong + min(([*_contents(scene, list(units))] for units in orders), key=len)


def _surroundings(scene: Scene, picture: Picture) -> list[str]:
    wrong = []
    if scene.place and picture.place != scene.place:
        wrong.append(f"place {picture.place} instead of {scene.place}")
    if scene.colour and picture.colour != scene.colour:
        wrong.append(f"background {picture.colour} instead of {scene.colour}")
    if picture.light != (scene.light or "day"):
        wrong.append(f"light {picture.light} instead of {scene.light or 'day'}")
    return wrong


def _contents(scene: Scene, units: list[Unit]) -> list[str]:
    wrong = []
    for group, unit in zip(scene.groups, units, strict=True):
        wrong += _group(group, unit)
    for kind, of, to in scene.relations:
        if not RELATIONS[kind](units[of], units[to]):
            wrong.append(f"{units[of].noun.thing} is not {kind} {units[to].noun.thing}")
    if scene.between and not _between(*units):
        wrong.append(f"{units[0].noun.thing} is not between the others")
    return wrong


def _group(group: Group, unit: Unit) -> list[str]:
    wrong = []
    if not _same(group.said, unit.noun):
        wrong.append(f"{unit.noun} instead of {group.said.noun}")
    wanted = sorted(group.joined, key=_order)
    drawn = sorted(unit.joined, key=_order)
    if [joint for joint, _ in wanted] != [joint for joint, _ in drawn] or not all(
        _same(said, noun) for (_, said), (_, noun) in zip(wanted, drawn, strict=True)
    ):
        wrong.append(f"{unit.noun.thing}: joined {unit.joined} instead of {group.joined}")
    if group.facing and unit.faces_left != (group.facing == "left"):
        wrong.append(f"{unit.noun.thing} does not face {group.facing}")
    if group.spot and not _at(group.spot, unit):
        wrong.append(f"{unit.noun.thing} is not at {group.spot}")
    if group.flying and unit.y > 0.8:
        wrong.append(f"{unit.noun.thing} does not fly")
    return wrong


def _order(joined: tuple[str, Said | Noun]) -> tuple[str, str]:
    joint, noun = joined
    return joint, noun.noun.thing if isinstance(noun, Said) else noun.thing


def _same(said: Said, noun: Noun) -> bool:
    wanted = said.noun
    number = noun.count > 1 if said.vague else noun.count == wanted.count
    looks = (noun.thing, noun.size, noun.colour, noun.accent)
    return number and looks == (wanted.thing, wanted.size, wanted.colour, wanted.accent)


def _middle(unit: Unit) -> float:
    return unit.y - box_of(unit).height * unit.scale / 2


def _apart(one: Unit, other: Unit) -> bool:
    return abs(one.x - other.x) > 0.08


def _between(unit: Unit, one: Unit, other: Unit) -> bool:
    return min(one.x, other.x) + 0.04 < unit.x < max(one.x, other.x) - 0.04


RELATIONS: dict[str, Callable[[Unit, Unit], bool]] = {
    "left-of": lambda one, other: one.x < other.x - 0.04,
    "right-of": lambda one, other: one.x > other.x + 0.04,
    "above": lambda one, other: one.y < other.y and _middle(one) < _middle(other),
    "below": lambda one, other: one.y > other.y and _middle(one) > _middle(other),
    "behind": lambda one, other: one.y < other.y,
    "front": lambda one, other: one.y > other.y,
    "beside": _apart,
}


def _at(spot: str, unit: Unit) -> bool:
    middle = _middle(unit)
    tests = {
        "left": unit.x < 0.45,
        "right": unit.x > 0.55,
        "top": middle < 0.5,
        "bottom": middle > 0.5,
        "middle": 0.3 < unit.x < 0.7,
    }
    return all(tests[word] for word in spot.split())
