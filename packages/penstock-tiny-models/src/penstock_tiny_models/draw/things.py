"""What can be drawn: each thing's words, measures and the parts that it can play in a scene.

Measures are in the sprite's own unit: `width` and `height` of its box, whose largest side is about
1, and `size`, how large that unit is beside a person. What a sprite looks like is not known here.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Thing:
    name: str
    words: tuple[str, ...]  # singular words that mean it, its usual name first
    width: float
    height: float
    size: float
    home: str  # where it is found: ground, sky, water or page (a plain shape)
    colours: tuple[str, ...]  # natural colours; the first is the usual one
    part: str  # what a second colour in a caption paints, or ""
    roles: frozenset[str]

    def can(self, role: str) -> bool:
        """rider, mount, vessel, support, holder, held, head, eyes or neck (the last: worn there)"""
        return role in self.roles


def _thing(
    words: str,
    box: tuple[float, float],
    size: float,
    home: str,
    colours: str,
    roles: str = "",
    part: str = "",
) -> Thing:
    names = tuple(word.replace("_", " ") for word in words.split())
    return Thing(
        words.split()[0],
        names,
        *box,
        size,
        home,
        tuple(colours.split()),
        part,
        frozenset(roles.split()),
    )


_CLOTHES = "blue red green purple orange"
_PERSON = "rider holder"
_BEAST = "rider mount support holder"
_PET = "rider support holder"

PEOPLE = (
    _thing("man guy person gentleman farmer human", (0.5, 1), 1, "ground", _CLOTHES, _PERSON),
    _thing("woman lady mother", (0.5, 1), 1, "ground", "red purple pink cyan green", _PERSON),
    _thing("boy kid child", (0.5, 1), 0.76, "ground", "orange green blue red", _PERSON),
    _thing("girl daughter", (0.5, 1), 0.76, "ground", "pink yellow purple cyan", _PERSON),
    _thing("astronaut cosmonaut spaceman", (0.55, 1), 1.02, "ground", "white", _PERSON),
    _thing("king prince emperor", (0.55, 1.05), 1, "ground", "purple red blue", _PERSON),
    _thing("queen princess", (0.55, 1.05), 1, "ground", "purple pink red", _PERSON),
    _thing("wizard magician sorcerer", (0.55, 1.2), 1, "ground", "blue purple", _PERSON),
    _thing("pirate", (0.5, 1.05), 1, "ground", "red black", _PERSON),
    _thing("knight", (0.5, 1.05), 1, "ground", "silver", _PERSON),
    _thing("cowboy cowgirl", (0.5, 1.05), 1, "ground", "brown red blue", _PERSON),
    _thing("clown jester", (0.5, 1), 1, "ground", "yellow cyan", _PERSON),
    _thing("robot android droid", (0.55, 1), 0.95, "ground", "silver cyan", _PERSON),
    _thing("alien martian extraterrestrial", (0.5, 1), 0.85, "ground", "green", _PERSON),
    _thing("ghost phantom", (0.6, 0.9), 0.9, "ground", "white", _PERSON),
    _thing("snowman", (0.55, 1), 0.95, "ground", "white", _PERSON),
)

ANIMALS = (
    _thing("horse pony stallion mare", (1.15, 1), 1.25, "ground", "brown white gray black", _BEAST),
    _thing("unicorn", (1.15, 1.1), 1.25, "ground", "white", _BEAST),
    _thing("zebra", (1.15, 1), 1.15, "ground", "white", _BEAST),
    _thing("cow bull", (1.15, 0.8), 1.15, "ground", "white brown", _BEAST),
    _thing("pig piglet", (1, 0.65), 0.75, "ground", "pink", _BEAST),
    _thing("sheep lamb", (1, 0.75), 0.75, "ground", "white", _BEAST),
    _thing("dog puppy hound", (1, 0.85), 0.65, "ground", "brown gold gray black", _BEAST),
    _thing("cat kitten kitty", (0.95, 0.9), 0.58, "ground", "orange gray black white", _BEAST),
    _thing("rabbit bunny hare", (0.65, 1), 0.5, "ground", "gray white brown", _PET),
    _thing("mouse rat", (1, 0.6), 0.4, "ground", "gray white", _PET),
    _thing("fox", (1.1, 0.75), 0.68, "ground", "orange", _BEAST),
    _thing("bear", (0.75, 1), 0.95, "ground", "brown black white", _PET),
    _thing("panda", (0.75, 1), 0.9, "ground", "white", _PET),
    _thing("lion", (1.1, 0.85), 0.95, "ground", "gold", _BEAST),
    _thing("tiger", (1.1, 0.8), 0.95, "ground", "orange white", _BEAST),
    _thing("elephant", (1.25, 0.95), 1.55, "ground", "gray", _BEAST),
    _thing("giraffe", (0.85, 1.3), 1.45, "ground", "yellow", _BEAST),
    _thing("camel dromedary", (1.2, 1), 1.25, "ground", "gold brown", _BEAST),
    _thing("monkey ape chimpanzee", (0.7, 0.95), 0.7, "ground", "brown", _PET),
    _thing("bird sparrow robin", (0.95, 0.7), 0.45, "sky", "red blue yellow brown", _PET),
    _thing("parrot", (0.5, 1), 0.5, "sky", "green red blue", _PET),
    _thing("duck duckling", (0.9, 0.75), 0.5, "water", "yellow white", _PET),
    _thing("chicken hen rooster", (0.85, 0.9), 0.5, "ground", "white brown", _PET),
    _thing("penguin", (0.6, 1), 0.65, "ground", "black", _PET),
    _thing("owl", (0.65, 0.95), 0.5, "sky", "brown gray", _PET),
    _thing("fish goldfish", (1, 0.6), 0.5, "water", "orange blue yellow red", "rider mount holder"),
    _thing("shark", (1.2, 0.6), 1.1, "water", "gray blue", "mount rider"),
    _thing("whale", (1.25, 0.8), 1.5, "water", "blue gray", "mount rider support"),
    _thing("dolphin porpoise", (1.15, 0.65), 0.95, "water", "gray blue", "mount rider"),
    _thing("octopus squid", (0.95, 0.9), 0.75, "water", "purple red orange", "rider holder"),
    _thing("crab lobster", (1.1, 0.65), 0.5, "ground", "red orange", "rider holder"),
    _thing("turtle tortoise", (1.1, 0.6), 0.6, "ground", "green", _BEAST),
    _thing("frog toad", (0.85, 0.7), 0.45, "ground", "green", _PET),
    _thing("snake serpent", (1.1, 0.65), 0.6, "ground", "green yellow", "rider holder"),
    _thing("snail slug", (1.05, 0.7), 0.4, "ground", "brown orange", _BEAST),
    _thing("butterfly moth", (1, 0.85), 0.45, "sky", "orange purple blue pink", "rider"),
    _thing("bee bumblebee wasp", (0.95, 0.8), 0.4, "sky", "yellow", "rider mount"),
    _thing("dinosaur dino tyrannosaurus", (1.15, 1.05), 1.45, "ground", "green", _BEAST),
    _thing("dragon", (1.25, 1.1), 1.4, "ground", "red green purple", _BEAST),
    _thing("teddy teddy_bear", (0.75, 0.95), 0.5, "ground", "brown", "rider held holder"),
)

NATURE = (
    _thing("tree oak", (0.85, 1.1), 1.6, "ground", "green", "support", "trunk"),
    _thing("palm palm_tree", (0.95, 1.15), 1.6, "ground", "green", "support", "trunk"),
    _thing("pine pine_tree fir christmas_tree", (0.7, 1.15), 1.6, "ground", "green", "support"),
    _thing("flower tulip rose daisy", (0.5, 1), 0.6, "ground", "red pink yellow purple", "held"),
    _thing("sunflower", (0.6, 1.1), 0.75, "ground", "yellow", "held"),
    _thing("mushroom toadstool", (0.85, 0.85), 0.5, "ground", "red brown", "support held"),
    _thing("cactus", (0.7, 1), 0.9, "ground", "green", "support held"),
    _thing("bush shrub", (1, 0.6), 0.7, "ground", "green", "support"),
    _thing("rock stone boulder", (1, 0.6), 0.6, "ground", "gray brown", "support held"),
    _thing("mountain hill", (1.5, 1), 1.9, "ground", "gray", "support", "peak"),
    _thing("volcano", (1.5, 1.1), 1.9, "ground", "brown", "support"),
    _thing("cloud", (1.1, 0.6), 0.9, "sky", "white", "support mount"),
    _thing("sun", (1, 1), 0.75, "sky", "yellow", "support"),
    _thing("moon crescent", (0.85, 1), 0.65, "sky", "yellow", "support"),
    _thing("planet saturn", (1.3, 0.8), 0.9, "sky", "orange purple gold", "support"),
    _thing("earth globe", (0.9, 0.9), 0.9, "sky", "blue", "support held"),
    _thing("star", (1, 1), 0.5, "sky", "yellow", "support held"),
    _thing("rainbow", (1.5, 0.75), 1.6, "sky", "red", "support"),
)

BUILDINGS = (
    _thing(
        "house home cottage hut cabin",
        (1.05, 1),
        1.5,
        "ground",
        "white red yellow blue",
        "support",
        "roof",
    ),
    _thing("castle palace fortress", (1.15, 1.1), 1.8, "ground", "gray", "support", "turrets"),
    _thing("skyscraper building tower", (0.55, 1.25), 1.8, "ground", "gray blue", "support"),
    _thing("church chapel", (0.95, 1.25), 1.6, "ground", "white", "support", "roof"),
    _thing("lighthouse", (0.5, 1.25), 1.6, "ground", "red", "support"),
    _thing("windmill", (0.95, 1.2), 1.5, "ground", "white", "support", "roof"),
    _thing("tent", (1.15, 0.8), 1.1, "ground", "orange green", "support"),
    _thing("igloo", (1.15, 0.65), 1.1, "ground", "white", "support"),
)

VEHICLES = (
    _thing(
        "car automobile taxi",
        (1.3, 0.6),
        1.25,
        "ground",
        "red blue yellow green",
        "support mount vessel",
        "wheels",
    ),
    _thing("bus minibus", (1.35, 0.75), 1.5, "ground", "yellow red", "support", "wheels"),
    _thing("truck lorry", (1.4, 0.75), 1.5, "ground", "blue red", "support", "wheels"),
    _thing(
        "train locomotive",
        (1.35, 0.85),
        1.5,
        "ground",
        "green red black",
        "support mount",
        "wheels",
    ),
    _thing("tractor", (1.15, 0.9), 1.2, "ground", "green red", "support mount", "wheels"),
    _thing("bicycle bike", (1.15, 0.75), 0.95, "ground", "red blue green", "mount", "wheels"),
    _thing("motorcycle motorbike scooter", (1.2, 0.7), 1, "ground", "red black", "mount", "wheels"),
    _thing("skateboard", (1, 0.22), 0.7, "ground", "red blue", "mount support", "wheels"),
    _thing(
        "boat sailboat sailing_boat yacht",
        (1.1, 1.1),
        1.4,
        "water",
        "red brown",
        "vessel mount support",
        "sail",
    ),
    _thing(
        "ship steamer ferry", (1.4, 0.85), 1.6, "water", "blue black", "vessel support", "funnel"
    ),
    _thing("submarine", (1.3, 0.7), 1.3, "water", "yellow", "support mount"),
    _thing(
        "plane airplane aeroplane jet aircraft",
        (1.35, 0.65),
        1.4,
        "sky",
        "white",
        "support mount",
        "wings",
    ),
    _thing("helicopter", (1.3, 0.75), 1.2, "sky", "blue red", "support", "rotor"),
    _thing(
        "rocket spaceship spacecraft", (0.65, 1.2), 1.3, "sky", "white", "support mount", "fins"
    ),
    _thing("airship hot_air_balloon", (0.8, 1.2), 1.5, "sky", "red purple", "vessel", "basket"),
    _thing("ufo flying_saucer", (1.2, 0.6), 1, "sky", "silver", "support mount vessel"),
)

CLOTHING = (
    _thing("hat top_hat", (1, 0.75), 0.4, "ground", "black", "head held support", "band"),
    _thing("cap baseball_cap", (1.1, 0.55), 0.35, "ground", "red blue", "head held"),
    _thing("crown tiara", (0.9, 0.6), 0.35, "ground", "gold", "head held"),
    _thing("helmet", (0.95, 0.8), 0.38, "ground", "red", "head held"),
    _thing("glasses sunglasses spectacles", (1, 0.4), 0.35, "ground", "black", "eyes held"),
    _thing("scarf", (0.9, 0.8), 0.4, "ground", "red", "neck held"),
    _thing("tie bow_tie necktie", (0.9, 0.5), 0.3, "ground", "red", "neck held"),
)

OBJECTS = (
    _thing(
        "cup mug", (0.95, 0.85), 0.42, "ground", "blue red white", "held vessel support", "handle"
    ),
    _thing("teapot kettle", (1.15, 0.85), 0.5, "ground", "blue", "held support"),
    _thing("bottle", (0.4, 1.1), 0.5, "ground", "green", "held"),
    _thing("ball football beach_ball", (0.9, 0.9), 0.45, "ground", "red", "held support"),
    _thing("balloon", (0.6, 1.2), 0.6, "sky", "red blue yellow", "held"),
    _thing("umbrella parasol", (1, 1), 0.75, "ground", "red blue purple", "held", "handle"),
    _thing("kite", (0.8, 1.2), 0.6, "sky", "red", "held"),
    _thing("flag banner", (0.8, 1.1), 0.8, "ground", "red", "held"),
    _thing("sword", (0.3, 1.1), 0.6, "ground", "silver", "held", "handle"),
    _thing("book", (1, 0.8), 0.42, "ground", "red blue", "held support"),
    _thing("key", (0.45, 1), 0.42, "ground", "gold", "held"),
    _thing("lamp lantern", (0.65, 1), 0.6, "ground", "yellow", "held", "stand"),
    _thing("candle", (0.35, 1), 0.45, "ground", "white", "held"),
    _thing("clock watch", (0.9, 0.95), 0.5, "ground", "white", "held support"),
    _thing("guitar", (0.5, 1.15), 0.75, "ground", "orange", "held"),
    _thing("drum", (0.9, 0.7), 0.5, "ground", "red", "held support"),
    _thing("gift present", (0.9, 0.95), 0.48, "ground", "red blue", "held support", "ribbon"),
    _thing("box crate", (0.95, 0.85), 0.6, "ground", "brown", "held support vessel"),
    _thing("cake birthday_cake", (1, 0.9), 0.55, "ground", "pink", "held support"),
    _thing("cupcake muffin", (0.8, 0.95), 0.4, "ground", "pink", "held"),
    _thing("pizza", (0.9, 0.9), 0.5, "ground", "yellow", "held"),
    _thing("burger hamburger", (1, 0.75), 0.42, "ground", "orange", "held"),
    _thing("ice_cream", (0.6, 1.1), 0.45, "ground", "pink", "held", "cone"),
    _thing("apple", (0.85, 0.95), 0.34, "ground", "red green", "held"),
    _thing("banana", (0.95, 0.75), 0.38, "ground", "yellow", "held"),
    _thing("carrot", (0.45, 1.1), 0.4, "ground", "orange", "held"),
    _thing("pumpkin", (1, 0.85), 0.5, "ground", "orange", "held support"),
    _thing("egg", (0.7, 0.9), 0.34, "ground", "white", "held"),
    _thing("phone smartphone telephone", (0.5, 0.95), 0.36, "ground", "black", "held"),
    _thing("computer laptop", (1.1, 0.8), 0.5, "ground", "gray", "held support"),
    _thing("television tv", (1.1, 0.95), 0.75, "ground", "black", "support"),
    _thing("camera", (1, 0.75), 0.4, "ground", "black", "held"),
    _thing("chair armchair", (0.7, 1), 0.85, "ground", "brown red", "support mount"),
    _thing("table desk", (1.3, 0.65), 1.05, "ground", "brown", "support"),
    _thing("bed", (1.4, 0.7), 1.3, "ground", "blue", "support mount", "pillow"),
    _thing("bathtub tub", (1.25, 0.7), 1.05, "ground", "white", "vessel"),
)

SHAPES = (
    _thing("circle disc dot", (0.9, 0.9), 0.8, "page", "red blue green purple", "support"),
    _thing("square", (0.85, 0.85), 0.8, "page", "blue red orange", "support"),
    _thing("rectangle", (1.2, 0.7), 0.8, "page", "green blue", "support"),
    _thing("triangle", (1, 0.9), 0.8, "page", "green orange", "support"),
    _thing("oval ellipse", (1.2, 0.75), 0.8, "page", "purple cyan", "support"),
    _thing("heart", (0.95, 0.9), 0.7, "page", "red pink", "held support"),
    _thing("diamond rhombus", (0.8, 1), 0.7, "page", "cyan purple", "held support"),
    _thing("pentagon", (0.95, 0.9), 0.8, "page", "orange", "support"),
    _thing("hexagon", (1, 0.9), 0.8, "page", "purple", "support"),
    _thing("ring donut doughnut", (0.9, 0.9), 0.75, "page", "gold pink", "held support"),
    _thing("cross plus", (0.9, 0.9), 0.75, "page", "red", "support"),
    _thing("arrow", (1.2, 0.7), 0.75, "page", "blue red", "held"),
)

THINGS: dict[str, Thing] = {
    thing.name: thing
    for group in (PEOPLE, ANIMALS, NATURE, BUILDINGS, VEHICLES, CLOTHING, OBJECTS, SHAPES)
    for thing in group
}

LIVING = frozenset(thing.name for thing in (*PEOPLE, *ANIMALS))


def settled(joint: str, upper: str, base: str) -> str:
    """The joint that the two things allow: whoever rides a boat sits in it, a cat on a horse
    rides it, and only the living ride."""
    below = THINGS[base]
    if joint == "ride" and upper not in LIVING:
        return "on"
    if joint == "ride" and below.can("vessel"):
        return "in"
    ridden = base in {thing.name for thing in ANIMALS} or not below.can("support")
    if joint == "on" and upper in LIVING and below.can("mount") and ridden:
        return "in" if below.can("vessel") else "ride"
    return joint
