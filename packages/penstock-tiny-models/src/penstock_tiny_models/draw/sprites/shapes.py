"""Plain geometric shapes."""

# Points stay in rows: a sprite is read as a figure, not as a list.
# fmt: off

from penstock_tiny_models.draw.colours import dark, light
from penstock_tiny_models.draw.pen import Pen, Point, bow, regular
from penstock_tiny_models.draw.sprites.sprite import Look, Sprite, sprite


def _flat(points: list[Point], smooth: bool = False, **spots: tuple[float, float]) -> Sprite:
    def draw(pen: Pen, look: Look) -> None:
        if smooth:
            pen.blob(points, look.colour)
        else:
            pen.polygon(points, look.colour)

    return sprite(**spots)(draw)


@sprite(top=(0, 0.88))
def circle(pen: Pen, look: Look) -> None:
    pen.ellipse(0, 0.45, 0.43, 0.43, look.colour)


@sprite(top=(0, 0.74))
def oval(pen: Pen, look: Look) -> None:
    pen.ellipse(0, 0.375, 0.58, 0.36, look.colour)


@sprite(top=(0, 0.88), grip=(0, 0.05))
def ring(pen: Pen, look: Look) -> None:
    path = bow(0, 0.45, 0.32, 0.32, 0, 360, 36)
    pen.line(path, 0.225, dark(look.colour))
    pen.line(path, 0.2, look.colour)
    pen.line(bow(0, 0.45, 0.32, 0.32, 100, 170, 10), 0.05, light(look.colour, 0.5))


square = _flat([(-0.4, 0.02), (0.4, 0.02), (0.4, 0.83), (-0.4, 0.83)], top=(0, 0.83))
rectangle = _flat([(-0.58, 0.02), (0.58, 0.02), (0.58, 0.68), (-0.58, 0.68)], top=(0, 0.68))
triangle = _flat([(-0.49, 0.02), (0.49, 0.02), (0, 0.87)], top=(0, 0.84))
diamond = _flat([(0, 0.0), (0.38, 0.5), (0, 1.0), (-0.38, 0.5)], top=(0, 0.97), grip=(0, 0.1))
pentagon = _flat(regular(0, 0.43, 0.47, 5), top=(0, 0.87))
hexagon = _flat(regular(0, 0.45, 0.48, 6, 0), top=(0, 0.86))
cross = _flat(
    [(-0.15, 0.02), (0.15, 0.02), (0.15, 0.3), (0.43, 0.3), (0.43, 0.6), (0.15, 0.6), (0.15, 0.88),
     (-0.15, 0.88), (-0.15, 0.6), (-0.43, 0.6), (-0.43, 0.3), (-0.15, 0.3)],
    top=(0, 0.88),
)
arrow = _flat(
    [(-0.58, 0.22), (0.12, 0.22), (0.12, 0.02), (0.58, 0.35), (0.12, 0.68), (0.12, 0.48),
     (-0.58, 0.48)],
    grip=(-0.3, 0.3),
)
heart = _flat(
    [(0, 0.66), (0.14, 0.84), (0.34, 0.84), (0.46, 0.66), (0.4, 0.44), (0.2, 0.2), (0.02, 0.02),
     (-0.02, 0.02), (-0.2, 0.2), (-0.4, 0.44), (-0.46, 0.66), (-0.34, 0.84), (-0.14, 0.84)],
    smooth=True,
    top=(0.24, 0.84),
    grip=(0, 0.1),
)
