"""From the words of a caption to the few tokens that the model knows; other words are dropped.

Synonyms are settled here, by table ("to the left of" and "left of" are one token, "kitten" is
"cat"), so that the model spends itself on the order and the belonging of words. A plural is its
thing followed by PLURAL.
"""

import re
import unicodedata
from collections.abc import Iterator

from penstock_tiny_models.draw.colours import COLOURS
from penstock_tiny_models.draw.things import THINGS

PLURAL = "-s"
COUNTS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
SIZES = ("tiny", "small", "medium", "big", "huge")
LONGEST_CAPTION = 64

# Each token and the words or phrases that mean it.
_WORDS: dict[str, str] = {
    "a": "a|an|another",
    "and": "and|&|as well as",
    "of": "of",
    "with": "with|having|has|have",
    "in": "in|inside|within|into",
    "on": "on|atop|on top of|upon|onto|standing on|sitting on|sits on|stands on",
    "at": "at",
    "that": "that|which|who|whose",
    "it": "it|its|his|her|their|he|she|they",
    ",": ",|;|:",
    ".": ".|!|?",
    "background": "background|backdrop",
    "colour": "colour|color|coloured|colored",
    "some": "some|several|many|a few|few|a group of|a lot of|lots of|various|a bunch of",
    "ride": "riding|rides|ride|on the back of|mounted on|astride|seated on|sitting on the back of"
    "|driving|drives|drive|piloting|steering|flying on|surfing on|rode",
    "ridden-by": "ridden by|driven by|carrying on its back|being ridden by|steered by",
    "hold": "holding|holds|hold|carrying|carries|carry|waving|playing|gripping|clutching|reading"
    "|eating|drinking|lifting|swinging",
    "hand": "hand|hands|paw|paws|mouth|beak|arms|arm",
    "wear": "wearing|wears|wear|dressed in|dressed with|sporting",
    "head": "head|face|eyes|neck",
    "garment": "shirt|dress|suit|coat|jacket|clothes|outfit|uniform|sweater|robe|costume|t-shirt"
    "|spacesuit|space suit",
    "part": "roof|sail|sails|wing|wings|wheel|wheels|trunk|peak|handle|ribbon|cone|pillow|fins|fin"
    "|basket|funnel|rotor|turrets|band|stand|seat|tires|stripes",
    "left-of": "to the left of|left of|on the left of|on the left side of|to the left side of"
    "|at the left of",
    "right-of": "to the right of|right of|on the right of|on the right side of"
    "|to the right side of|at the right of",
    "above": "above|over|higher than|hovering over|floating above|flying over|flying above",
    "below": "below|under|underneath|beneath|lower than",
    "beside": "beside|next to|near|by|alongside|close to|at the side of|adjacent to|and next to it",
    "behind": "behind|in back of",
    "front": "in front of|before",
    "between": "between|in between|in the middle of",
    "left": "left|on the left|to the left|at the left|left side|on the left side|left-hand side"
    "|on the left-hand side",
    "right": "right|on the right|to the right|at the right|right side|on the right side"
    "|right-hand side|on the right-hand side",
    "top": "top|at the top|on top|upper",
    "bottom": "bottom|at the bottom|lower",
    "middle": "middle|center|centre|in the middle|in the center|in the centre",
    "corner": "corner",
    "facing": "facing|looking|pointing|turned|heading",
    "flying": "flying|floating|hovering|jumping|soaring|leaping|flies",
}

PLACES: dict[str, str] = {
    "plain": "",
    "meadow": "meadow|field|grass|park|countryside|lawn|farm|pasture|prairie|grassland",
    "garden": "garden|flower bed|yard|backyard",
    "forest": "forest|woods|jungle|woodland|rainforest",
    "desert": "desert|sahara|dunes|sand dunes",
    "beach": "beach|seaside|shore|seashore|coast|tropical island|island",
    "sea": "sea|ocean|lake|waves|open sea|pond|river|water",
    "underwater": "underwater|under water|bottom of the sea|sea floor|sea bed|seabed|coral reef"
    "|under the sea|aquarium|deep sea",
    "mars": "mars|red planet|surface of mars|the red planet|planet mars",
    "moonscape": "on the moon|lunar surface|surface of the moon|moonscape",
    "space": "space|outer space|galaxy|universe|cosmos|milky way",
    "city": "city|street|town|downtown|cityscape|skyline|new york|paris|tokyo|village",
    "road": "road|highway|motorway|race track",
    "room": "room|living room|indoors|bedroom|office|kitchen|classroom|studio",
    "snow": "snow|winter|arctic|snowy landscape|north pole|antarctica|snowy field|ice|snowy",
    "mountains": "in the mountains|alps|mountain range|himalayas|mountain landscape",
    "sky": "sky|in the air|among the clouds|in the clouds|heaven|blue sky",
    "stage": "stage|theatre|theater|concert|circus",
}

LIGHTS: dict[str, str] = {
    "day": "day|daytime|by day|during the day|sunny|sunshine|noon",
    "sunset": "sunset|sunrise|dusk|dawn|evening|golden hour|twilight",
    "night": "night|midnight|at night|by night|nighttime|night time|starry|starry night"
    "|moonlight|night sky|starry sky",
    "rain": "rain|rainy|raining|storm|in the rain",
    "snowfall": "snowing|snowfall|falling snow|snowstorm|blizzard",
}

_COLOUR_WORDS = {
    "gray": "gray|grey",
    "cyan": "cyan|turquoise|teal|aqua",
    "gold": "gold|golden",
    "silver": "silver|silvery|metallic",
    "red": "red|crimson|scarlet",
    "purple": "purple|violet|lilac|lavender",
    "pink": "pink|magenta|rosy",
    "brown": "brown|tan|beige|wooden",
    "orange": "orange|amber",
    "white": "white|ivory",
    "blue": "blue|navy|azure",
    "green": "green|lime|emerald",
}

_SIZE_WORDS = {
    "tiny": "tiny|minuscule|miniature|very small",
    "small": "small|little|mini",
    "medium": "medium|medium-sized",
    "big": "big|large|tall",
    "huge": "huge|giant|enormous|gigantic|very big|very large|massive",
}

_COUNT_WORDS = {
    "one": "one|1|single",
    "two": "two|2|a couple of|a pair of|couple of|pair of|twin",
    "three": "three|3|trio of|a trio of",
}

_IRREGULAR = {
    "man": "men people persons",
    "woman": "women",
    "child": "children",
    "mouse": "mice",
    "fish": "fish",
    "sheep": "sheep",
    "goose": "geese",
    "bus": "buses",
    "snowman": "snowmen",
    "spaceman": "spacemen",
    "dwarf": "dwarves",
    "aircraft": "aircraft",
    "cactus": "cacti cactuses",
}

# Phrases that mean more than one token, or another thing than their last word.
_SPECIAL = {
    "a pair of glasses": "a glasses",
    "a pair of sunglasses": "a glasses",
    "polar bear": "white bear",
    "polar bears": f"white bear {PLURAL}",
    "teddy": "teddy",
    "fire truck": "red truck",
    "fire engine": "red truck",
    "school bus": "yellow bus",
    "police car": "blue car",
    "t rex": "dinosaur",
    "full moon": "moon",
    "crescent moon": "moon",
    "brown bear": "brown bear",
    "steam train": "train",
    "sail boat": "boat",
    "rowing boat": "boat",
    "sports car": "car",
    "race car": "car",
    "birthday present": "gift",
    "rubber duck": "yellow duck",
    "sea turtle": "turtle",
    "party hat": "hat",
    "space rocket": "rocket",
    "space ship": "rocket",
    "space helmet": "helmet",
    "stuffed bear": "teddy",
}


def plural(word: str) -> str:
    """The usual plural of an English noun (of its last word when there are several)."""
    if word in _IRREGULAR:
        return _IRREGULAR[word].split()[0]
    if re.search(r"(s|x|ch|sh)$", word):
        return word + "es"
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "ies"
    return word + "s"


def _phrases() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every known word or phrase with its tokens; later ones win."""
    for table in (_WORDS, LIGHTS, PLACES):
        for token, words in table.items():
            yield from ((word, (token,)) for word in words.split("|") if word)
    for table, names in (
        (_COLOUR_WORDS, COLOURS),
        (_SIZE_WORDS, SIZES),
        (_COUNT_WORDS, COUNTS),
    ):
        for number, name in enumerate(names, 1):
            spare = f"{name}|{number}" if names is COUNTS else name
            yield from ((word, (name,)) for word in table.get(name, spare).split("|"))
    for thing in THINGS.values():
        for word in thing.words:
            yield word, (thing.name,)
            for form in (plural(word), *_IRREGULAR.get(word, "").split()):
                if form and form != word:
                    yield form, (thing.name, PLURAL)
    yield from ((phrase, tuple(tokens.split())) for phrase, tokens in _SPECIAL.items())


def _without_articles(phrase: str) -> str:
    return " ".join(word for word in phrase.split() if word != "the")


PHRASES = {_without_articles(phrase): tokens for phrase, tokens in _phrases()}
TOKENS: tuple[str, ...] = (
    *_WORDS,
    PLURAL,
    *PLACES,
    *LIGHTS,
    *COLOURS,
    *SIZES,
    *COUNTS,
    *THINGS,
)
_LONGEST_PHRASE = max(phrase.count(" ") + 1 for phrase in PHRASES)
_WORD = re.compile(r"[a-z0-9]+(?:['-][a-z0-9]+)*|[,.;:!?&]")


def words_of(caption: str) -> list[str]:
    """Lower-case ASCII words and the punctuation that matters; a hyphenated unknown is split."""
    folded = unicodedata.normalize("NFKD", caption).encode("ascii", "ignore").decode().lower()
    words: list[str] = []
    for match in _WORD.findall(folded):
        word = match.removesuffix("'s")
        words += [word] if word in PHRASES else word.split("-")
    return [word for word in words if word != "the"]


def tokens_of(caption: str) -> list[str]:
    """The tokens of a caption, longest phrase first; at most LONGEST_CAPTION."""
    words = words_of(caption)
    tokens: list[str] = []
    start = 0
    while start < len(words):
        for length in range(_LONGEST_PHRASE, 0, -1):
            found = PHRASES.get(" ".join(words[start : start + length]))
            if found:
                tokens += found
                break
        start += length
    return tokens[:LONGEST_CAPTION]
