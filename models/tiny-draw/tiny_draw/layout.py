"""Gives each group of a scene its place on the page: the scene becomes a picture."""

from dataclasses import dataclass, replace
from random import Random

from penstock_tiny_models.draw.measure import Box, box_of
from penstock_tiny_models.draw.program import NATURAL, SCALES, Picture, Unit
from penstock_tiny_models.draw.things import THINGS

from tiny_draw.scenes import PLAIN_SHAPES, SKY_ONLY, Group, Scene

GROUND = 0.88  # where feet stand, from the top of the page
LARGEST = 0.56
_SPOT_X = {"left": 0.24, "right": 0.76}
_SPOT_Y = {"top": 0.0, "bottom": 1.0}


@dataclass
class Cell:
    """A group's column (left to right), row (1 is above 0) and depth (-1 is behind 0)."""

    column: float = 0.0
    row: int = 0
    depth: float = 0.0


def picture_of(scene: Scene, rng: Random) -> Picture:
    """One of the pictures that the scene describes."""
    units = [_unit(group) for group in scene.groups]
    if not units:
        placed = []
    elif len(units) == 1:
        placed = [_alone(units[0], scene.groups[0], scene, rng)]
    else:
        placed = _together(units, scene, rng)
    placed = [
        replace(unit, faces_left=_faces_left(group, rng))
        for unit, group in zip(placed, scene.groups, strict=True)
    ]
    place, colour, light = _surroundings(scene, rng)
    return Picture(place, colour, light, tuple(placed))


def _unit(group: Group) -> Unit:
    return Unit(group.said.noun, tuple((joint, said.noun) for joint, said in group.joined))


def _faces_left(group: Group, rng: Random) -> bool:
    return group.facing == "left" if group.facing else rng.random() < 0.3


def _surroundings(scene: Scene, rng: Random) -> tuple[str, str, str]:
    light = scene.light or "day"
    if scene.place:
        return scene.place, scene.colour or NATURAL, light
    shapes = any(group.said.noun.thing in PLAIN_SHAPES for group in scene.groups)
    home = THINGS[scene.groups[0].said.noun.thing].home
    fitting = {"ground": "meadow", "water": "sea", "sky": "sky"}.get(home, "plain")
    if shapes or (not scene.light and rng.random() < 0.5):
        return "plain", NATURAL, light
    return fitting, NATURAL, light


def _home(unit: Unit) -> str:
    """Where the lowest thing of the unit is at home."""
    base = next((noun for joint, noun in unit.joined if joint in ("ride", "on", "in")), unit.noun)
    return THINGS[base.thing].home


def _neutral(unit: Unit) -> Unit:
    """Without sizes that the caption names: they must show, not be scaled away."""
    if unit.joined:
        return unit
    return replace(unit, noun=replace(unit.noun, size="medium"))


def _scale(width: float, height: float, room: Box, rng: Random) -> float:
    most = min(room.width / width, room.height / height, LARGEST * 1.18)
    wanted = most * rng.uniform(0.82, 1.0)
    below = [scale for scale in SCALES if scale <= wanted]
    return below[-1] if below else SCALES[0]


def _alone(unit: Unit, group: Group, scene: Scene, rng: Random) -> Unit:
    neutral, real = box_of(_neutral(unit)), box_of(unit)
    cornered = " " in group.spot
    room = Box(0.45, 0.42) if cornered else Box(0.8, 0.7)
    if group.spot in ("top", "bottom", "left", "right"):
        room = Box(0.5, 0.45)
    if unit.noun.size in ("big", "huge") and not unit.joined:
        room = Box(room.width * 1.2, room.height * 1.2)
    neutral = Box(max(neutral.width, real.width * 0.9), max(neutral.height, real.height * 0.9))
    scale = _scale(neutral.width, neutral.height, room, rng)
    x = _x_of(group, real.width * scale, rng)
    y = _y_of(unit, group, scene, real.height * scale, rng)
    return replace(unit, x=x, y=y, scale=scale)


def _x_of(group: Group, width: float, rng: Random) -> float:
    for side, x in _SPOT_X.items():
        if side in group.spot:
            return x + rng.uniform(-0.04, 0.04)
    free = max(0.0, (0.94 - width) / 2)
    if group.spot:
        free = min(free, 0.05)
    return 0.5 + rng.uniform(-0.5, 0.5) * min(free, 0.3)


def _y_of(unit: Unit, group: Group, scene: Scene, height: float, rng: Random) -> float:
    if "top" in group.spot:
        return 0.05 + height + rng.uniform(0, 0.03)
    if "bottom" in group.spot:
        return 0.95 - rng.uniform(0, 0.03)
    home = _home(unit)
    centred = (1 + height) / 2
    if group.spot == "middle" or home == "page" or scene.place == "space":
        return centred + rng.uniform(-0.04, 0.04)
    if group.flying:
        return min(0.72, centred) - rng.uniform(0.02, 0.08)
    if home == "sky" or (home == "water" and scene.place == "underwater"):
        return max(height + 0.05, centred - rng.uniform(0.0, 0.1))
    return GROUND + rng.uniform(-0.04, 0.05)


# Several groups: cells of a grid, then room for each column and row


def _together(units: list[Unit], scene: Scene, rng: Random) -> list[Unit]:
    cells = _cells(scene, rng)
    boxes = [box_of(_neutral(unit)) for unit in units]
    real = [box_of(unit) for unit in units]
    boxes = [
        Box(max(b.width, r.width * 0.9), max(b.height, r.height * 0.9))
        for b, r in zip(boxes, real, strict=True)
    ]
    widths = _extents([cell.column for cell in cells], [box.width for box in boxes])
    heights = _extents([float(cell.row) for cell in cells], [box.height for box in boxes])
    airy = len(heights) == 1 and any(_home(unit) == "sky" for unit in units)
    room = Box(0.93 - 0.03 * len(widths), 0.6 if airy else 0.8 - 0.04 * len(heights))
    scale = _scale(sum(widths.values()), sum(heights.values()), room, rng)
    lefts = _centres(widths, scale, rng)
    bases = _bases(heights, scale, scene, units, rng)
    placed = []
    for unit, cell, box in zip(units, cells, real, strict=True):
        x = lefts[cell.column] + 0.0
        y = bases[float(cell.row)] + 0.1 * cell.depth
        if cell.depth:
            x += 0.22 * box.width * scale * rng.choice((-1, 1))
        y = _raised(unit, cell, y, box.height * scale, scene, rng)
        placed.append(replace(unit, x=_inside(x, box.width * scale), y=y, scale=scale))
    return placed


def _inside(x: float, width: float) -> float:
    margin = min(0.5, width / 2 + 0.02)
    return max(margin, min(1 - margin, x))


def _raised(unit: Unit, cell: Cell, y: float, height: float, scene: Scene, rng: Random) -> float:
    """Suns and birds beside grounded things belong to the sky, unless the caption ranks them."""
    ranked = any(kind in ("above", "below") for kind, _, _ in scene.relations)
    spots = [group.spot for group in scene.groups]
    if ranked or any("top" in spot or "bottom" in spot for spot in spots) or cell.depth:
        return y
    if _home(unit) == "sky" and scene.place != "plain":
        return height + rng.uniform(0.06, 0.16)
    if unit.noun.thing in SKY_ONLY:
        return height + rng.uniform(0.06, 0.16)
    return y


def _cells(scene: Scene, rng: Random) -> list[Cell]:
    cells = [Cell() for _ in scene.groups]
    spots = [group.spot for group in scene.groups]
    if any(spots):
        for cell, spot in zip(cells, spots, strict=True):
            cell.column = {"left": -1.0, "right": 1.0}.get(spot, 0.0)
            cell.row = {"top": 1, "bottom": 0}.get(spot, 0)
        return cells
    if scene.between:
        side = rng.choice((-1.0, 1.0))
        cells[1].column, cells[2].column = -side, side
        return cells
    if not scene.relations:
        columns = list(range(len(cells)))
        for cell, column in zip(cells, columns, strict=True):
            cell.column = float(column)
        return cells
    known = {scene.relations[0][2]}
    for kind, of, to in scene.relations:
        mover, anchor, kind = (of, to, kind) if to in known else (to, of, _INVERSE[kind])
        known |= {of, to}
        _put(cells, mover, anchor, kind, known - {mover}, rng)
    for index, cell in enumerate(cells):
        if index not in known:
            cell.column = max(other.column for other in cells) + 1
    return cells


_INVERSE = {
    "left-of": "right-of",
    "right-of": "left-of",
    "above": "below",
    "below": "above",
    "behind": "front",
    "front": "behind",
    "beside": "beside",
}
_STEP = {
    "left-of": (-1.0, 0, 0.0),
    "right-of": (1.0, 0, 0.0),
    "above": (0.0, 1, 0.0),
    "below": (0.0, -1, 0.0),
    "behind": (0.0, 0, -1.0),
    "front": (0.0, 0, 1.0),
}


def _put(
    cells: list[Cell], mover: int, anchor: int, kind: str, placed: set[int], rng: Random
) -> None:
    """Next to its anchor in the direction of the relation, pushed on past what is there."""
    base = cells[anchor]
    column, row, depth = (rng.choice((-1.0, 1.0)), 0, 0.0) if kind == "beside" else _STEP[kind]
    taken = {(cells[i].column, cells[i].row, cells[i].depth) for i in placed}
    cell = Cell(base.column + column, base.row + row, base.depth + depth)
    while (cell.column, cell.row, cell.depth) in taken:
        if kind == "beside":
            column = -column
            cell.column = base.column + column
            if (cell.column, cell.row, cell.depth) in taken:
                cell.column += column
        else:
            cell = Cell(cell.column + column, cell.row + row, cell.depth + depth)
    cells[mover] = cell


def _extents(keys: list[float], lengths: list[float]) -> dict[float, float]:
    largest: dict[float, float] = {}
    for key, length in zip(keys, lengths, strict=True):
        largest[key] = max(largest.get(key, 0.0), length)
    return dict(sorted(largest.items()))


def _centres(widths: dict[float, float], scale: float, rng: Random) -> dict[float, float]:
    gap = (1 - sum(widths.values()) * scale) / (len(widths) + 1)
    centres: dict[float, float] = {}
    x = 0.0
    for column, width in widths.items():
        shift = rng.uniform(-0.2, 0.2) * gap
        centres[column] = x + gap + width * scale / 2 + shift
        x += gap + width * scale
    return centres


def _bases(
    heights: dict[float, float], scale: float, scene: Scene, units: list[Unit], rng: Random
) -> dict[float, float]:
    total = sum(heights.values()) * scale
    free = max(0.0, 0.96 - total)
    on_page = all(_home(unit) == "page" for unit in units) or scene.place == "space"
    bottom = 0.98 - free / 2 if on_page else min(0.97, GROUND + rng.uniform(-0.03, 0.04))
    gap = min(0.16, max(0.0, bottom - total - 0.03) / max(1, len(heights)))
    bases: dict[float, float] = {}
    y = bottom
    for row, height in heights.items():
        bases[row] = y
        y -= height * scale + gap
    return bases
