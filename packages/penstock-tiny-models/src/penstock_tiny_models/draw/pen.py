"""A pen that draws vector shapes in a sprite's own coordinates and records them in the page's.

Local coordinates have x to the right and y up; a sprite stands with its foot at (0, 0). Filled
shapes get a dark edge of their own colour, which sets them off from whatever lies behind.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from penstock_tiny_models.draw.colours import Colour, dark

Point = tuple[float, float]
EDGE = 0.012
ROUND = 28  # corners of an ellipse


@dataclass(frozen=True)
class Fill:
    """A filled polygon on the page, y down, in pixels."""

    points: list[Point]
    colour: Colour
    alpha: int = 255


@dataclass(frozen=True)
class Stroke:
    """A line with round joints and ends on the page."""

    points: list[Point]
    width: float
    colour: Colour
    alpha: int = 255


Mark = Fill | Stroke


@dataclass(frozen=True)
class Frame:
    """From local to page coordinates: x' = a x + b y + e, y' = c x + d y + f."""

    a: float
    b: float
    c: float
    d: float
    e: float
    f: float

    @classmethod
    def page(cls, x: float, y: float, unit: float) -> "Frame":
        """One local unit is `unit` pixels, the local origin is at pixel (x, y)."""
        return cls(unit, 0.0, 0.0, -unit, x, y)

    def moved(self, x: float, y: float, scale: float, flip: bool, degrees: float) -> "Frame":
        cos = math.cos(math.radians(degrees)) * scale
        sin = math.sin(math.radians(degrees)) * scale
        side = -1.0 if flip else 1.0
        e, f = self.place(x, y)
        return Frame(
            side * (self.a * cos + self.b * sin),
            self.b * cos - self.a * sin,
            side * (self.c * cos + self.d * sin),
            self.d * cos - self.c * sin,
            e,
            f,
        )

    def place(self, x: float, y: float) -> Point:
        return self.a * x + self.b * y + self.e, self.c * x + self.d * y + self.f

    @property
    def scale(self) -> float:
        return math.sqrt(abs(self.a * self.d - self.b * self.c))


class Pen:
    def __init__(self, frame: Frame, marks: list[Mark] | None = None) -> None:
        self.frame = frame
        self.marks: list[Mark] = [] if marks is None else marks

    def at(
        self, x: float, y: float, scale: float = 1.0, flip: bool = False, degrees: float = 0.0
    ) -> "Pen":
        """A pen with its origin there; what it draws is recorded with this one's."""
        return Pen(self.frame.moved(x, y, scale, flip, degrees), self.marks)

    def polygon(
        self, points: Sequence[Point], fill: Colour, edge: bool = True, alpha: int = 255
    ) -> None:
        placed = [self.frame.place(x, y) for x, y in points]
        if edge:
            self.marks.append(Fill(grown(placed, EDGE * self.frame.scale), dark(fill), alpha))
        self.marks.append(Fill(placed, fill, alpha))

    def blob(
        self, points: Sequence[Point], fill: Colour, edge: bool = True, alpha: int = 255
    ) -> None:
        """A smooth closed curve through the points."""
        self.polygon(rounded(points, closed=True), fill, edge, alpha)

    def ellipse(
        self,
        x: float,
        y: float,
        rx: float,
        ry: float,
        fill: Colour,
        edge: bool = True,
        degrees: float = 0.0,
        alpha: int = 255,
    ) -> None:
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        points = [
            (x + rx * px * cos - ry * py * sin, y + rx * px * sin + ry * py * cos)
            for px, py in _CIRCLE
        ]
        self.polygon(points, fill, edge, alpha)

    def dot(self, x: float, y: float, radius: float, fill: Colour) -> None:
        self.ellipse(x, y, radius, radius, fill, edge=False)

    def box(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        fill: Colour,
        corner: float = 0.0,
        edge: bool = True,
        alpha: int = 255,
    ) -> None:
        if not corner:
            self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], fill, edge, alpha)
            return
        points: list[Point] = []
        for cx, cy, start in (
            (x1 - corner, y1 - corner, 0),
            (x0 + corner, y1 - corner, 90),
            (x0 + corner, y0 + corner, 180),
            (x1 - corner, y0 + corner, 270),
        ):
            for step in range(6):
                angle = math.radians(start + 18 * step)
                points.append((cx + corner * math.cos(angle), cy + corner * math.sin(angle)))
        self.polygon(points, fill, edge, alpha)

    def line(
        self,
        points: Sequence[Point],
        width: float,
        colour: Colour,
        smooth: bool = False,
        alpha: int = 255,
    ) -> None:
        """An unedged line."""
        path = rounded(points, closed=False) if smooth else points
        placed = [self.frame.place(x, y) for x, y in path]
        self.marks.append(Stroke(placed, width * self.frame.scale, colour, alpha))

    def limb(
        self, points: Sequence[Point], width: float, colour: Colour, smooth: bool = True
    ) -> None:
        """An edged line: an arm, a leg, a tail."""
        self.line(points, width + 2 * EDGE, dark(colour), smooth)
        self.line(points, width, colour, smooth)

    def arc(
        self,
        x: float,
        y: float,
        rx: float,
        ry: float,
        start: float,
        end: float,
        width: float,
        colour: Colour,
    ) -> None:
        """Part of an ellipse's line, in degrees, counted from the right and up."""
        self.line(bow(x, y, rx, ry, start, end), width, colour)


def bow(
    x: float, y: float, rx: float, ry: float, start: float, end: float, steps: int = 14
) -> list[Point]:
    angles = [math.radians(start + (end - start) * i / steps) for i in range(steps + 1)]
    return [(x + rx * math.cos(angle), y + ry * math.sin(angle)) for angle in angles]


def rays(
    x: float, y: float, outer: float, inner: float, count: int, turn: float = 90.0
) -> list[Point]:
    """The corners of a star."""
    points: list[Point] = []
    for i in range(2 * count):
        angle = math.radians(turn + 180 * i / count)
        radius = inner if i % 2 else outer
        points.append((x + radius * math.cos(angle), y + radius * math.sin(angle)))
    return points


def regular(x: float, y: float, radius: float, corners: int, turn: float = 90.0) -> list[Point]:
    angles = [math.radians(turn + 360 * i / corners) for i in range(corners)]
    return [(x + radius * math.cos(a), y + radius * math.sin(a)) for a in angles]


def rounded(points: Sequence[Point], closed: bool) -> list[Point]:
    """A Catmull-Rom curve through the points."""
    count = len(points)
    if count < 3:
        return list(points)
    curve: list[Point] = []
    for i in range(count if closed else count - 1):
        p0 = points[(i - 1) % count] if closed or i else points[0]
        p1, p2 = points[i], points[(i + 1) % count]
        p3 = points[(i + 2) % count] if closed or i + 2 < count else points[-1]
        for x, y, z, w in _SPLINE:
            curve.append(
                (
                    x * p0[0] + y * p1[0] + z * p2[0] + w * p3[0],
                    x * p0[1] + y * p1[1] + z * p2[1] + w * p3[1],
                )
            )
    return curve if closed else [*curve, points[-1]]


def grown(points: Sequence[Point], by: float) -> list[Point]:
    """The polygon with every side moved outwards; sharp corners are cut short."""
    area = sum(
        x0 * y1 - x1 * y0
        for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True)
    )
    side = by if area > 0 else -by
    count = len(points)
    normals: list[Point] = []
    for i, (x0, y0) in enumerate(points):
        x1, y1 = points[(i + 1) % count]
        length = math.hypot(x1 - x0, y1 - y0) or 1.0
        normals.append(((y1 - y0) / length * side, (x0 - x1) / length * side))
    outer: list[Point] = []
    for i, (x, y) in enumerate(points):
        (ax, ay), (bx, by_) = normals[i - 1], normals[i]
        mx, my = (ax + bx) / 2, (ay + by_) / 2
        stretch = min(2.5, by * by / max(mx * mx + my * my, 1e-9))
        outer.append((x + mx * stretch, y + my * stretch))
    return outer


_CIRCLE = [
    (math.cos(2 * math.pi * i / ROUND), math.sin(2 * math.pi * i / ROUND)) for i in range(ROUND)
]
_SPLINE = [
    (
        (-t + 2 * t**2 - t**3) / 2,
        (2 - 5 * t**2 + 3 * t**3) / 2,
        (t + 4 * t**2 - 3 * t**3) / 2,
        (-(t**2) + t**3) / 2,
    )
    for t in (i / 6 for i in range(6))
]
