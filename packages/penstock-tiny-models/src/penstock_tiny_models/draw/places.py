"""Backgrounds: where a picture is set, in which light, and the weather in front of it.

Coordinates: y from 0 at the bottom to 1 at the top of the page, x from 0 to `aspect`. Things stand
at about y = 0.12, so horizons lie at 0.3 and above.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from penstock_tiny_models.draw.colours import COLOURS, Colour, dark, light, mix
from penstock_tiny_models.draw.pen import Pen, bow, rays, rounded
from penstock_tiny_models.draw.program import NATURAL
from penstock_tiny_models.draw.sprites import SPRITES, Look

WHITE: Colour = (255, 255, 255)
_SKIES: dict[str, tuple[Colour, Colour]] = {
    "day": ((104, 184, 244), (214, 238, 252)),
    "sunset": ((122, 84, 156), (255, 186, 110)),
    "night": ((12, 18, 52), (58, 70, 128)),
    "rain": ((112, 126, 144), (176, 188, 198)),
    "snowfall": ((166, 184, 208), (224, 232, 242)),
}
_TINTS: dict[str, tuple[Colour, float]] = {
    "day": (WHITE, 0.0),
    "sunset": ((200, 90, 60), 0.22),
    "night": ((14, 18, 56), 0.55),
    "rain": ((90, 104, 122), 0.35),
    "snowfall": ((236, 242, 250), 0.45),
}
_PASTELS: tuple[Colour, ...] = (
    (253, 244, 222),
    (228, 243, 250),
    (236, 246, 228),
    (250, 232, 236),
    (240, 234, 250),
    (246, 246, 244),
)


@dataclass(frozen=True)
class Scenery:
    pen: Pen
    aspect: float
    light: str
    rng: Random

    def tint(self, colour: Colour) -> Colour:
        """The colour in this light."""
        other, share = _TINTS[self.light]
        return mix(colour, other, share)

    def fade(self, top: Colour, bottom: Colour, y0: float = 0.0, y1: float = 1.0) -> None:
        bands = 40
        step = (y1 - y0) / bands
        for i in range(bands):
            self.band(y0 + i * step, y0 + (i + 1.2) * step, mix(bottom, top, i / (bands - 1)))

    def band(self, y0: float, y1: float, colour: Colour) -> None:
        self.pen.box(-0.01, y0, self.aspect + 0.01, y1, colour, edge=False)

    def sky(self, horizon: float = 0.3, clouds: bool = True) -> None:
        self.fade(*_SKIES[self.light], y0=horizon - 0.02)
        if self.light == "night":
            self.stars(50, horizon + 0.1)
            self.put("moon", self.somewhere(0.1, 0.9), 0.78, 0.15)
        elif self.light == "sunset":
            x = self.somewhere(0.25, 0.75)
            self.pen.ellipse(x, horizon + 0.05, 0.13, 0.13, (255, 226, 150), edge=False)
        elif clouds:
            self.clouds(self.rng.randint(2, 4))

    def somewhere(self, left: float, right: float) -> float:
        return self.aspect * self.rng.uniform(left, right)

    def stars(self, count: int, lowest: float) -> None:
        for _ in range(count):
            x, y = self.somewhere(0, 1), self.rng.uniform(lowest, 1)
            self.pen.dot(x, y, self.rng.choice((0.0022, 0.003, 0.0045)), (255, 252, 226))

    def clouds(self, count: int) -> None:
        white = WHITE if self.light == "day" else (206, 214, 224)
        for i in range(count):
            x = self.aspect * (i + self.rng.uniform(0.2, 0.8)) / count
            y, r = self.rng.uniform(0.72, 0.94), self.rng.uniform(0.03, 0.05)
            for dx, dy, share in ((-1.4, 0, 0.75), (0, 0.35, 1.1), (1.4, 0, 0.8), (0, -0.15, 1.0)):
                self.pen.ellipse(
                    x + dx * r,
                    y + dy * r,
                    r * share * 1.25,
                    r * share,
                    white,
                    edge=False,
                    alpha=225,
                )

    def hills(self, y: float, swing: float, colour: Colour, waves: float = 1.5) -> None:
        """Ground up to a smooth line around y."""
        count = max(4, round(4 * waves * max(1.0, self.aspect)))
        top = [
            (self.aspect * (i - 0.5) / (count - 1), y + self.rng.uniform(-swing, swing))
            for i in range(count + 1)
        ]
        shape = [(-1.0, -0.1), (-1.0, y), *top, (self.aspect + 1, y), (self.aspect + 1, -0.1)]
        from_curve = [shape[0], shape[1], *rounded(top, closed=False), shape[-2], shape[-1]]
        self.pen.polygon(from_curve, self.tint(colour), edge=False)

    def put(
        self,
        thing: str,
        x: float,
        y: float,
        size: float,
        colour: Colour | None = None,
        flip: bool = False,
    ) -> None:
        """A sprite as part of the background, in this light."""
        usual = {"moon": COLOURS["yellow"], "sun": COLOURS["yellow"]}.get(thing, (74, 150, 80))
        paint = colour or usual
        if thing != "moon":
            paint = self.tint(paint)
        look = Look(paint, natural=colour is None, rng=Random(0))
        SPRITES[thing].draw(self.pen.at(x, y, size, flip), look)

    def row(
        self, thing: str, count: int, y: float, size: float, colour: Colour | None = None
    ) -> None:
        for i in range(count):
            x = self.aspect * (i + self.rng.uniform(0.15, 0.85)) / count
            self.put(
                thing,
                x,
                y + self.rng.uniform(-0.01, 0.01),
                size * self.rng.uniform(0.8, 1.2),
                colour,
            )

    def specks(self, count: int, y0: float, y1: float, colour: Colour, size: float = 0.01) -> None:
        for _ in range(count):
            y = self.rng.uniform(y0, y1)
            r = size * self.rng.uniform(0.5, 1.3) * (1.6 - y)
            self.pen.ellipse(
                self.somewhere(0, 1), y, r * 1.7, r * 0.6, self.tint(colour), edge=False
            )


def meadow(scenery: Scenery) -> None:
    scenery.sky()
    scenery.hills(0.42, 0.05, (142, 196, 110))
    scenery.row("tree", scenery.rng.randint(2, 4), 0.36, 0.12)
    scenery.hills(0.34, 0.02, (112, 186, 88))
    scenery.specks(26, 0.02, 0.3, (92, 166, 72))
    for _ in range(10):
        x, y = scenery.somewhere(0, 1), scenery.rng.uniform(0.02, 0.28)
        scenery.pen.dot(
            x,
            y,
            0.007,
            scenery.tint(scenery.rng.choice((WHITE, COLOURS["yellow"], COLOURS["pink"]))),
        )


def garden(scenery: Scenery) -> None:
    scenery.sky(0.3)
    fence = scenery.tint((240, 226, 200))
    for i in range(round(14 * scenery.aspect) + 1):
        x = i / 14 + 0.01
        scenery.pen.polygon(
            [(x, 0.3), (x + 0.045, 0.3), (x + 0.045, 0.5), (x + 0.0225, 0.53), (x, 0.5)], fence
        )
    scenery.band(0.43, 0.45, dark(fence, 0.12))
    scenery.hills(0.33, 0.012, (120, 190, 92))
    scenery.row("bush", 3, 0.32, 0.2)
    for i in range(round(9 * scenery.aspect)):
        colour = COLOURS[scenery.rng.choice(("red", "pink", "yellow", "purple", "orange"))]
        x = (i + scenery.rng.uniform(0.2, 0.8)) / 9
        scenery.put("flower", x, scenery.rng.choice((0.02, 0.27)), 0.1, colour)


def forest(scenery: Scenery) -> None:
    scenery.sky(0.3, clouds=False)
    scenery.row("pine", round(9 * scenery.aspect), 0.36, 0.34, (66, 116, 84))
    scenery.row("tree", round(5 * scenery.aspect), 0.32, 0.44, (60, 134, 70))
    scenery.hills(0.33, 0.015, (98, 148, 74))
    scenery.specks(30, 0.02, 0.3, (80, 126, 60))
    scenery.row("mushroom", 3, 0.27, 0.045, COLOURS["red"])
    for x, size in ((0.0, 0.78), (1.0, 0.7)):
        scenery.put("tree", scenery.aspect * x, 0.14, size, (52, 122, 62))


def desert(scenery: Scenery) -> None:
    scenery.sky(clouds=False)
    if scenery.light == "day":
        scenery.put("sun", scenery.somewhere(0.12, 0.88), 0.76, 0.17)
    scenery.hills(0.42, 0.05, (240, 206, 138))
    scenery.hills(0.35, 0.03, (232, 190, 116))
    for _ in range(3):
        scenery.put(
            "cactus",
            scenery.somewhere(0.03, 0.97),
            scenery.rng.uniform(0.27, 0.33),
            0.14,
            (86, 146, 82),
        )
    scenery.hills(0.24, 0.02, (240, 202, 130))
    scenery.specks(22, 0.02, 0.2, (214, 170, 98), 0.008)


def beach(scenery: Scenery) -> None:
    scenery.sky(0.42)
    _water(scenery, 0.24, 0.44)
    scenery.hills(0.29, 0.012, (250, 228, 170))
    side = scenery.rng.random() < 0.5
    scenery.put("palm", scenery.aspect * (0.1 if side else 0.9), 0.2, 0.5, (70, 160, 84), side)
    scenery.specks(24, 0.02, 0.24, (226, 198, 136), 0.007)


def _water(scenery: Scenery, y0: float, y1: float) -> None:
    scenery.fade(scenery.tint((70, 150, 214)), scenery.tint((38, 108, 178)), y0, y1)
    for _ in range(round(18 * (y1 - y0) / 0.45 * scenery.aspect) + 4):
        x, y = scenery.somewhere(0, 1), scenery.rng.uniform(y0 + 0.02, y1 - 0.02)
        size = 0.02 + 0.05 * (y1 - y)
        path = bow(x, y, size, size * 0.35, 200, 340, 6)
        scenery.pen.line(path, 0.005, scenery.tint((150, 206, 244)))


def sea(scenery: Scenery) -> None:
    scenery.sky(0.46)
    _water(scenery, -0.02, 0.48)


def underwater(scenery: Scenery) -> None:
    scenery.fade((98, 200, 232), (16, 70, 140))
    for i in range(4):
        x = scenery.aspect * (i + scenery.rng.random()) / 4
        scenery.pen.polygon(
            [(x, 1.0), (x + 0.08, 1.0), (x - 0.05, 0.1), (x - 0.22, 0.1)],
            WHITE,
            edge=False,
            alpha=26,
        )
    scenery.pen.polygon(
        [
            (-1, -0.1),
            (-1, 0.1),
            *rounded(
                [
                    (scenery.aspect * i / 5, 0.08 + scenery.rng.uniform(-0.02, 0.03))
                    for i in range(6)
                ],
                closed=False,
            ),
            (scenery.aspect + 1, 0.1),
            (scenery.aspect + 1, -0.1),
        ],
        (214, 196, 140),
        edge=False,
    )
    for _ in range(round(8 * scenery.aspect)):
        x, high = scenery.somewhere(0, 1), scenery.rng.uniform(0.12, 0.3)
        sway = scenery.rng.uniform(-0.04, 0.04)
        weed = scenery.rng.choice(((46, 140, 92), (30, 116, 96), (214, 98, 110)))
        scenery.pen.line(
            [(x, 0.03), (x + sway, high * 0.4), (x - sway, high * 0.75), (x + sway, high)],
            0.02,
            weed,
            smooth=True,
        )
    for _ in range(14):
        x, y, r = (
            scenery.somewhere(0, 1),
            scenery.rng.uniform(0.15, 0.95),
            scenery.rng.uniform(0.006, 0.016),
        )
        scenery.pen.ellipse(x, y, r, r, (210, 240, 252), edge=False, alpha=130)


def mars(scenery: Scenery) -> None:
    skies = {"night": ((30, 14, 30), (110, 52, 50)), "sunset": ((120, 96, 130), (206, 140, 110))}
    scenery.fade(*skies.get(scenery.light, ((214, 142, 106), (248, 208, 166))), y0=0.3)
    if scenery.light == "night":
        scenery.stars(50, 0.5)
    for x, y, r in ((0.16, 0.88, 0.035), (0.78, 0.8, 0.022)):
        x = scenery.aspect * min(0.95, max(0.05, x + scenery.rng.uniform(-0.1, 0.1)))
        scenery.pen.ellipse(x, y, r, r * 0.92, (238, 216, 196), edge=False)
        scenery.pen.dot(x - r * 0.3, y + r * 0.2, r * 0.22, (214, 188, 168))
    for i in range(3):
        x = scenery.aspect * (i + scenery.rng.uniform(0.2, 0.8)) / 3
        half, top = scenery.rng.uniform(0.1, 0.2), scenery.rng.uniform(0.44, 0.54)
        scenery.pen.polygon(
            [
                (x - half * 1.5, 0.3),
                (x - half * 0.7, top),
                (x + half * 0.6, top),
                (x + half * 1.4, 0.3),
            ],
            scenery.tint((176, 84, 56)),
            edge=False,
        )
    scenery.hills(0.37, 0.025, (206, 98, 58))
    scenery.hills(0.27, 0.015, (190, 80, 46))
    for _ in range(6):
        x, y = scenery.somewhere(0, 1), scenery.rng.uniform(0.03, 0.3)
        r = 0.03 + 0.07 * (0.32 - y)
        scenery.pen.ellipse(x, y, r * 1.8, r * 0.55, scenery.tint((148, 56, 34)), edge=False)
        scenery.pen.ellipse(
            x, y - r * 0.12, r * 1.5, r * 0.38, scenery.tint((170, 70, 42)), edge=False
        )
    for _ in range(7):
        y = scenery.rng.uniform(0.02, 0.32)
        scenery.put("rock", scenery.somewhere(0, 1), y, 0.05 + 0.06 * (0.32 - y), (150, 66, 44))


def moonscape(scenery: Scenery) -> None:
    scenery.fade((6, 8, 22), (22, 26, 52))
    scenery.stars(90, 0.35)
    scenery.put("earth", scenery.somewhere(0.12, 0.88), 0.72, 0.18, COLOURS["blue"])
    for y, colour in ((0.38, (150, 152, 160)), (0.3, (184, 186, 192))):
        plain = Scenery(scenery.pen, scenery.aspect, "day", scenery.rng)
        plain.hills(y, 0.02, colour)
    for _ in range(11):
        x, y = scenery.somewhere(0, 1), scenery.rng.uniform(0.02, 0.3)
        r = 0.015 + 0.1 * (0.34 - y) * scenery.rng.uniform(0.6, 1.2)
        scenery.pen.ellipse(x, y, r * 1.8, r * 0.6, (138, 140, 148), edge=False)
        scenery.pen.ellipse(x, y - r * 0.12, r * 1.5, r * 0.42, (160, 162, 170), edge=False)


def space(scenery: Scenery) -> None:
    scenery.fade((10, 10, 34), (40, 22, 70))
    for _ in range(5):
        x, y, r = scenery.somewhere(0, 1), scenery.rng.random(), scenery.rng.uniform(0.1, 0.25)
        cloud = scenery.rng.choice(((96, 60, 150), (50, 80, 160), (150, 60, 120)))
        scenery.pen.ellipse(
            x, y, r * 1.4, r, cloud, edge=False, alpha=34, degrees=scenery.rng.uniform(0, 90)
        )
    scenery.stars(120, 0.0)
    for _ in range(5):
        x, y = scenery.somewhere(0, 1), scenery.rng.random()
        scenery.pen.polygon(rays(x, y, 0.017, 0.004, 4), WHITE, edge=False)
    colour = COLOURS[scenery.rng.choice(("orange", "purple", "cyan", "pink"))]
    scenery.put("planet", scenery.aspect * scenery.rng.choice((0.13, 0.87)), 0.8, 0.14, colour)


def city(scenery: Scenery) -> None:
    scenery.sky(0.3)
    for size, tone in ((0.46, 0.55), (0.36, 0.2)):
        count = round(7 * scenery.aspect) + 1
        for i in range(count):
            x = scenery.aspect * (i + scenery.rng.uniform(0.2, 0.8)) / count
            base = scenery.rng.choice(
                ((120, 134, 156), (168, 140, 126), (104, 120, 148), (186, 170, 150))
            )
            scenery.put(
                "skyscraper", x, 0.28, size * scenery.rng.uniform(0.65, 1.05), light(base, tone)
            )
    scenery.band(-0.02, 0.3, scenery.tint((186, 188, 192)))
    scenery.band(-0.02, 0.23, scenery.tint((92, 94, 102)))
    for i in range(round(6 * scenery.aspect) + 1):
        scenery.pen.box(
            i / 6, 0.055, i / 6 + 0.08, 0.068, scenery.tint((240, 240, 236)), edge=False
        )


def road(scenery: Scenery) -> None:
    scenery.sky(0.3)
    scenery.hills(0.44, 0.04, (136, 190, 110))
    scenery.hills(0.35, 0.015, (116, 182, 92))
    scenery.row("tree", 4, 0.3, 0.2)
    scenery.band(0.0, 0.27, scenery.tint((88, 90, 98)))
    for y in (0.255, 0.012):
        scenery.band(y, y + 0.008, scenery.tint((236, 236, 230)))
    for i in range(round(5 * scenery.aspect) + 1):
        scenery.pen.box(
            i / 5 + 0.02, 0.05, i / 5 + 0.12, 0.064, scenery.tint((250, 214, 90)), edge=False
        )


def room(scenery: Scenery) -> None:
    wall = scenery.rng.choice(((246, 226, 196), (206, 226, 232), (224, 232, 204), (240, 214, 210)))
    scenery.band(0.0, 1.0, wall)
    for i in range(round(16 * scenery.aspect)):
        if i % 2:
            scenery.pen.box(i / 16, 0.3, (i + 1) / 16, 1.0, light(wall, 0.22), edge=False)
    x = scenery.somewhere(0.2, 0.8)
    pen = scenery.pen
    pen.box(x - 0.14, 0.6, x + 0.14, 0.92, WHITE)
    sky = _SKIES[scenery.light][0] if scenery.light != "day" else (160, 214, 248)
    pen.box(x - 0.12, 0.62, x + 0.12, 0.9, sky, edge=False)
    if scenery.light == "night":
        pen.dot(x + 0.06, 0.84, 0.022, (255, 246, 190))
    pen.line([(x, 0.62), (x, 0.9)], 0.012, WHITE)
    pen.line([(x - 0.12, 0.76), (x + 0.12, 0.76)], 0.012, WHITE)
    far = x - 0.42 if x > scenery.aspect / 2 else x + 0.3
    pen.box(far, 0.66, far + 0.14, 0.84, (130, 84, 50))
    pen.box(far + 0.015, 0.675, far + 0.125, 0.825, (190, 222, 236), edge=False)
    pen.polygon([(far + 0.02, 0.68), (far + 0.06, 0.77), (far + 0.1, 0.68)], (96, 160, 96), False)
    scenery.band(-0.02, 0.3, (190, 140, 92))
    for y in (0.06, 0.13, 0.19, 0.24):
        scenery.band(y, y + 0.004, (164, 116, 74))
    scenery.band(0.29, 0.315, WHITE)
    rug = COLOURS[scenery.rng.choice(("red", "blue", "purple", "green"))]
    pen.ellipse(scenery.aspect / 2, 0.11, 0.42, 0.085, light(rug, 0.35))
    pen.ellipse(scenery.aspect / 2, 0.11, 0.34, 0.062, light(rug, 0.6), edge=False)


def snow(scenery: Scenery) -> None:
    scenery.sky()
    scenery.row("mountain", 3, 0.32, 0.36, (150, 168, 194))
    scenery.hills(0.4, 0.03, (222, 234, 246))
    scenery.row("pine", 5, 0.35, 0.17, (92, 140, 122))
    scenery.hills(0.33, 0.015, (242, 247, 252))
    scenery.specks(26, 0.02, 0.3, (214, 226, 242), 0.012)


def mountains(scenery: Scenery) -> None:
    scenery.sky()
    scenery.row("mountain", round(3 * scenery.aspect) + 1, 0.3, 0.52, (138, 142, 160))
    scenery.row("mountain", round(2 * scenery.aspect) + 1, 0.28, 0.36, (112, 116, 132))
    scenery.hills(0.34, 0.03, (126, 168, 104))
    scenery.row("pine", 6, 0.27, 0.13)
    scenery.hills(0.25, 0.015, (138, 184, 108))


def sky(scenery: Scenery) -> None:
    scenery.fade(*_SKIES[scenery.light])
    if scenery.light == "night":
        scenery.stars(80, 0.05)
    scenery.clouds(4)
    white = scenery.tint(WHITE)
    for i in range(round(6 * scenery.aspect) + 1):
        x, r = i / 6, scenery.rng.uniform(0.07, 0.12)
        scenery.pen.ellipse(x, 0.0, r * 1.3, r, white, edge=False, alpha=235)


def stage(scenery: Scenery) -> None:
    scenery.fade((60, 20, 60), (120, 50, 90))
    aspect, pen = scenery.aspect, scenery.pen
    for x in (0.25, 0.75):
        pen.polygon(
            [
                (aspect * x, 1.0),
                (aspect * x + 0.02, 1.0),
                (aspect * (x * 0.4 + 0.45), 0.1),
                (aspect * (x * 0.4 + 0.15), 0.1),
            ],
            (255, 246, 200),
            edge=False,
            alpha=60,
        )
    scenery.band(-0.02, 0.26, (170, 112, 64))
    for y in (0.07, 0.14, 0.2):
        scenery.band(y, y + 0.004, (140, 90, 50))
    cloth = (176, 30, 46)
    for i in range(3):
        for x, side in ((0.0, 1), (aspect, -1)):
            edge = x + side * 0.055 * i
            pen.box(
                min(edge, edge + side * 0.06),
                0.14,
                max(edge, edge + side * 0.06),
                1.0,
                dark(cloth, 0.12 * (i % 2)),
            )
    for i in range(round(6 * aspect) + 1):
        pen.ellipse(i / 6, 1.0, 0.1, 0.09, cloth)


def _plain(scenery: Scenery, colour: str) -> None:
    if colour == NATURAL:
        tone = scenery.rng.choice(_PASTELS)
        if scenery.light in ("night", "sunset"):
            scenery.sky(0.0)
            scenery.hills(0.3, 0.01, (150, 170, 130))
        else:
            scenery.fade(tone, mix(tone, (150, 140, 130), 0.12))
        return
    scenery.band(-0.02, 1.02, COLOURS[colour])


_PLACES: dict[str, Callable[[Scenery], None]] = {
    "meadow": meadow,
    "garden": garden,
    "forest": forest,
    "desert": desert,
    "beach": beach,
    "sea": sea,
    "underwater": underwater,
    "mars": mars,
    "moonscape": moonscape,
    "space": space,
    "city": city,
    "road": road,
    "room": room,
    "snow": snow,
    "mountains": mountains,
    "sky": sky,
    "stage": stage,
}


def background(scenery: Scenery, place: str, colour: str) -> None:
    if place == "plain":
        _plain(scenery, colour)
    else:
        _PLACES[place](scenery)


def weather(scenery: Scenery, place: str) -> None:
    """What falls in front of everything."""
    if place in ("room", "underwater", "space", "moonscape", "stage"):
        return
    if scenery.light == "rain":
        for _ in range(round(70 * scenery.aspect)):
            x, y = scenery.somewhere(0, 1.1), scenery.rng.random()
            length = scenery.rng.uniform(0.03, 0.06)
            scenery.pen.line(
                [(x, y), (x - length * 0.3, y - length)], 0.004, (214, 232, 248), alpha=170
            )
    elif scenery.light == "snowfall":
        for _ in range(round(90 * scenery.aspect)):
            r = scenery.rng.uniform(0.004, 0.01)
            scenery.pen.ellipse(
                scenery.somewhere(0, 1), scenery.rng.random(), r, r, WHITE, edge=False, alpha=235
            )
