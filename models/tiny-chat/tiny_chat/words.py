# ruff: noqa: SIM905, E501 - long lists read better as text
"""Vocabulary of the corpus: plain lists, all written for it."""

import re
import tomllib
from collections.abc import Mapping
from functools import cache

from tiny_chat.places import DATA

FIRST_NAMES = (
    "Anna Ben Carla David Emma Frank Grace Henry Iris Jack Karen Leo Mia Noah Olivia Paul "
    "Quinn Rosa Sam Tina Umar Vera Will Xenia Yuri Zoe Alice Bob Charlie Diana Eric Fiona "
    "George Hannah Ivan Julia Kevin Laura Mark Nina Oscar Petra Ralph Sara Tom Ursula Victor "
    "Wendy Amir Bella Cyrus Dora Elias Freya Gina Hugo Ines Jonas Kira Liam Maya Nico Otto "
    "Priya Rafael Sofia Theo Uma Viktor Willa Yara Zack Ali Chen Dmitri Fatima Ravi Sven "
    "Olga Kofi Akira Lucia Marco Jane John Peter Mary Max Lena Felix Clara Simon Eva Adam "
    "Ruth Joel Nora Ian Ella Luke Amy Dan Kim Lee Rita Stan Hana Omar Zara Erik Johannes "
    "Alexander Katherine Sebastian Magdalena Christopher Barbara Vincent Natalie Patrick "
    "Isabella Dominic Stephanie Leonard Gabriela Tobias Martin Anja Bruno Celia Derek Elsa "
    "Fritz Gloria Harold Ingrid Jorge Kaya Lars Mona Nils Odette Pablo Rachel"
).split()
ANIMALS = (
    "cat dog fox bear mouse rabbit owl lion tiger wolf horse cow pig duck goat sheep frog "
    "snail whale eagle camel zebra monkey panda hen otter hedgehog turtle crow bee dragon "
    "dolphin parrot squirrel penguin giraffe"
).split()
COLOURS = (
    "red blue green yellow orange purple black white brown pink grey gold silver violet turquoise"
).split()
FRUITS = (
    "apple banana pear orange cherry grape mango peach plum lemon melon kiwi fig lime berry"
).split()
VEGETABLES = ("carrot potato onion pea bean tomato spinach cabbage pepper garlic").split()
DRINKS = "water tea coffee milk juice lemonade cocoa".split()
SPORTS = ("football tennis chess swimming running cycling boxing golf rowing hockey").split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = (
    "January February March April May June July August September October November December"
).split()
PLANETS = "Mercury Venus Earth Mars Jupiter Saturn Uranus Neptune".split()
CAPITALS = {
    "France": "Paris",
    "Germany": "Berlin",
    "Italy": "Rome",
    "Spain": "Madrid",
    "Portugal": "Lisbon",
    "Greece": "Athens",
    "Poland": "Warsaw",
    "Austria": "Vienna",
    "Sweden": "Stockholm",
    "Norway": "Oslo",
    "Japan": "Tokyo",
    "China": "Beijing",
    "Egypt": "Cairo",
    "England": "London",
}
STRANGE_COUNTRIES = (
    "Latvia Estonia Bolivia Nepal Mongolia Ghana Senegal Jordan Iceland Malta Fiji Chad Laos "
    "Oman Panama Haiti Peru Kenya Cuba Canada Brazil India Russia Turkey Hungary Finland"
).split()
CITIES = (
    *CAPITALS.values(),
    *(
        "Hamburg Munich Milan Porto Boston Chicago Denver Seattle Mumbai Osaka Sydney Geneva "
        "Lyon Leeds Krakow Turin Toronto Dallas Perth Basel Freiburg Bergen Utrecht Valencia "
        "Dresden Houston Nairobi Lima Helsinki Dublin Ottawa Zurich Prague Budapest Seoul Lagos "
        "Amsterdam Barcelona Marseille Glasgow Melbourne Portland Atlanta Phoenix Montreal "
        "Brussels Riga"
    ).split(),
)
NAMES = (*FIRST_NAMES, *CITIES)
NAMES = (*FIRST_NAMES, *CITIES)
COUNTRIES = (*CAPITALS, *STRANGE_COUNTRIES)
THINGS = (
    "ball book lamp key box cup chair table hat shoe coin clock kite drum bell rope boat "
    "bike car train pen bag map ring stone leaf flower cake door window"
).split()
PLACES = "forest village garden castle valley city island mountain".split()
NOUNS = sorted(
    {
        *ANIMALS,
        *FRUITS,
        *VEGETABLES,
        *THINGS,
        *DRINKS,
        *(
            "river forest mountain bridge school market garden castle island desert ocean valley "
            "village tower station kitchen office library museum engine rocket planet music paper "
            "letter picture doctor teacher farmer pilot sailor baker painter winter summer spring "
            "autumn morning evening copper wood glass cloud rain snow storm wind fire light shadow "
            "dream story song game friend brother sister mother father child queen king knight robot "
            "wizard computer keyboard printer meeting report strawberry elephant mississippi "
            "chocolate sandwich umbrella holiday birthday hospital airport battery camera guitar "
            "piano pencil pillow blanket bottle basket button candle carpet cheese bread butter "
            "sugar honey soup pizza salad pasta rice coat shirt sock glove scarf jacket wallet "
            "ticket passport train bus truck tractor ship harbour beach lake hill cave field farm "
            "barn fence gate road street corner square park tree branch root seed grass hello world "
            "banana quick brown lazy over jump number secret password token server client model"
        ).split(),
    }
)
ADJECTIVES = (
    "big small happy sad fast slow old young brave shy kind clever funny quiet loud warm "
    "cold bright dark soft strong gentle lazy busy hungry sleepy friendly cheerful grumpy "
    "polite curious calm wise tiny"
).split()
JOBS = (
    "cook gardener librarian tutor guide poet teacher pilot detective doctor chef sailor "
    "coach translator baker farmer nurse painter driver lawyer engineer plumber tailor"
).split()
OPPOSITES = {
    "hot": "cold",
    "big": "small",
    "up": "down",
    "left": "right",
    "day": "night",
    "fast": "slow",
    "old": "young",
    "happy": "sad",
    "open": "closed",
    "wet": "dry",
    "hard": "soft",
    "full": "empty",
    "light": "dark",
    "high": "low",
    "early": "late",
    "black": "white",
    "good": "bad",
    "long": "short",
    "near": "far",
}
NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty"
).split()
CATEGORIES = {
    "animals": ANIMALS,
    "colours": COLOURS,
    "colors": COLOURS,
    "fruits": FRUITS,
    "vegetables": VEGETABLES,
    "drinks": DRINKS,
    "sports": SPORTS,
    "planets": PLANETS,
    "months": MONTHS,
}
ONSETS = ("b c d f g h j k l m n p r s t v w z br ch cl dr fl gr kr pl sh st th tr").split()
VOWELS = "a e i o u a e i o ai ee oo".split()
CODAS = ("", "", "n", "r", "l", "s", "t", "k", "m")


def listing(items: list[str]) -> str:
    """`a, b and c`."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def with_article(noun: str) -> str:
    return ("an " if noun[0] in "aeiou" else "a ") + noun


@cache
def ordinary() -> tuple[str, ...]:
    """Every word of the phrasings: to copy them all is to copy every piece of the vocabulary."""
    texts = (file.read_text(encoding="utf-8") for file in sorted(DATA.glob("*.toml")))
    return tuple(sorted({word for text in texts for word in re.findall(r"\b[a-z]{3,}\b", text)}))


@cache
def alike(kind: str) -> tuple[tuple[str, ...], ...]:
    """Rows of words for one thing or deed, of data/synonyms.toml."""
    text = tomllib.loads((DATA / "synonyms.toml").read_text(encoding="utf-8"))[kind]
    return tuple(tuple(row.split()) for row in text.split(";"))


@cache
def _likes() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for row in (*alike("things"), *alike("deeds")):
        for word in row:
            others = (one for one in row if one != word)
            found[word] = tuple(dict.fromkeys((*found.get(word, ()), *others)))
    return found


def like(word: str) -> tuple[str, ...]:
    """Other words for the same thing or deed; none for most words."""
    return _likes().get(word, ())
