# ruff: noqa: SIM905, E501 - long lists read better as text
"""Requests for natural tools, from data/tools.toml under changing names, and their values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from tiny_chat import words
from tiny_chat.dialogue import Call, Parameter, Tool, Value
from tiny_chat.manners import reworded, with_a_like_word, with_a_near_word
from tiny_chat.phrasings import half
from tiny_chat.places import DATA
from tiny_chat.skills import talk
from tiny_chat.source import Source, is_held_out

_ROOMS = ("kitchen bedroom office garage hall bathroom garden cellar attic balcony").split()
_FOODS = [*words.FRUITS, *words.VEGETABLES, "cheese", "ham", "olives", "corn", "rice", "bread"]
_CITY_FRONTS = "San New Saint Los Las Port El La Old North South East West Bad Fort Santa".split()

# Other names for arguments. Every sixth of a list is held out, as with phrasings.
_ARGUMENT_SYNONYMS = {
    "city": "city location town place city_name municipality".split(),
    "location": "location city place where region spot".split(),
    "text": "text message content body words utterance".split(),
    "query": "query q search_term keywords terms search_text".split(),
    "title": "title name subject heading label caption".split(),
    "minutes": ("minutes duration duration_minutes mins length_minutes minute_count").split(),
    "days": "days number_of_days day_count num_days n_days days_ahead".split(),
    "date": "date day on_date event_date when calendar_date".split(),
    "name": "name user_name full_name username who person_name".split(),
    "path": "path file file_path filename file_name target_file".split(),
    "product": "product item product_name article sku goods".split(),
    "service": "service service_name app application component process".split(),
    "amount": "amount sum value total money figure".split(),
    "room": "room room_name area zone where_to chamber".split(),
    "origin": "origin from_city departure start source departure_city".split(),
    "destination": "destination to_city arrival end target arrival_city".split(),
    "order_id": "order_id order order_number id reference order_ref".split(),
    "recipient": "recipient to receiver contact person addressee".split(),
    "a": "a x first left number1 lhs".split(),
    "b": "b y second right number2 rhs".split(),
    "word": "word term expression token vocabulary lemma".split(),
    "email": "email email_address mail address e_mail mail_address".split(),
    "unit": "unit units scale measure temperature_unit unit_name".split(),
    "symbol": "symbol ticker stock stock_symbol code ticker_symbol".split(),
    "url": "url link website page address web_address".split(),
}
_VERBS = {
    "get": "get fetch show look_up lookup retrieve read query".split(),
    "find": "find search look_for locate discover seek".split(),
    "create": "create make add new open build".split(),
    "delete": "delete remove erase drop destroy discard".split(),
    "set": "set change adjust update put configure".split(),
    "send": "send deliver submit transmit dispatch forward".split(),
    "book": "book reserve order request arrange secure".split(),
    "start": "start run launch begin activate trigger".split(),
    "turn": ["turn", "switch", "toggle", "flip"],
    "convert": "convert change exchange transform turn_into".split(),
    "list": "list show enumerate get_all display print_all".split(),
}
# Optional arguments that nobody asks for: they must be left out.
_EXTRAS = (
    Parameter("verbose", "boolean", required=False),
    Parameter("language", "string", required=False),
    Parameter("limit", "integer", required=False),
    Parameter("format", "string", required=False, choices=("text", "json")),
    Parameter("unit", "string", required=False, choices=("metric", "imperial")),
    Parameter("timezone", "string", required=False),
    Parameter("priority", "string", required=False, choices=("low", "high")),
    Parameter("country", "string", required=False),
)


@dataclass(frozen=True)
class Request:
    """A tool, a question that needs it, and the call that answers."""

    tool: Tool
    question: str
    call: Call


@dataclass(frozen=True)
class Natural:
    """One entry of data/tools.toml."""

    name: str
    about: str
    kinds: Mapping[str, str]
    asks: Sequence[str]


@cache
def naturals() -> tuple[Natural, ...]:
    entries = talk.read(DATA / "tools.toml")
    return tuple(Natural(n, e["about"], e["args"], e["ask"]) for n, e in entries.items())  # type: ignore[arg-type]


@cache
def natural_half(held_out: bool) -> tuple[Natural, ...]:
    return tuple(half(naturals(), held_out))


@cache
def _natural_names(held_out: bool) -> frozenset[str]:
    return frozenset(natural.name for natural in natural_half(held_out))


def name_allowed(name: str, held_out: bool) -> bool:
    """Whether a tool may have this name on the given side of the wall."""
    if name in _natural_names(held_out):
        return True
    return name not in _natural_names(not held_out) and is_held_out(name) == held_out


def value(source: Source, kind: str) -> Value:
    """An argument of a kind that data/tools.toml names."""
    if "|" in kind:
        return source.one(kind.split("|"))
    makers: dict[str, Callable[[], Value]] = {
        "place": lambda: _place(source),
        "person": source.person,
        "text": lambda: source.text(1, 4),
        "word": source.word,
        "email": source.email,
        "date": source.date,
        "clock": lambda: f"{source.number(0, 23):02}:{source.one(('00', '15', '30', '45'))}",
        "code": source.code,
        "path": lambda: (
            f"/{source.word()}/{source.word()}{source.one(('.txt', '.md', '.csv', ''))}"
        ),
        "symbol": lambda: _symbol(source, 4),
        "amount": source.amount,
        "decimal": source.decimal,
        "small": lambda: source.number(1, 20),
        "percent": lambda: source.number(1, 100),
        "year": lambda: source.number(2000, 2050),
        "day": lambda: source.one(words.DAYS),
        "room": lambda: source.one(_ROOMS),
        "food": lambda: source.one(_FOODS),
        "drink": lambda: source.one(words.DRINKS),
        "sport": lambda: source.one(words.SPORTS),
        "animal": lambda: source.one(words.ANIMALS),
        "country": lambda: source.one(words.COUNTRIES),
        "url": lambda: (
            f"https://{source.word()}.{source.one(('com', 'org', 'io'))}/{source.word()}"
        ),
        "sum": lambda: f"{source.amount()} {source.one('+-*/')} {source.amount()}",
    }
    return makers[kind]()


def _place(source: Source) -> str:
    """A city; in training at times one of two words, or with its country or state."""
    if source.held_out or not source.chance(0.15):
        return source.place()
    city = f"{source.one(_CITY_FRONTS)} {source.place()}" if source.chance(0.5) else source.place()
    state = source.one((source.one(words.COUNTRIES), source.place(), _symbol(source, 2)))
    return f"{city}, {state}" if source.chance(0.6) else city


def _symbol(source: Source, length: int) -> str:
    return "".join(source.one("ABCDEFGHIKLMNPRSTVWXYZ") for _ in range(length))


def schema_type(kind: str) -> str:
    if kind in ("amount", "decimal"):
        return "number"
    return "integer" if kind in ("small", "percent", "year") else "string"


def natural_request(source: Source) -> Request:
    natural = source.one(natural_half(source.held_out))
    kinds = {name: kind.removesuffix("?") for name, kind in natural.kinds.items()}
    asked = _question(source, natural)
    named = [name for name in kinds if f"<{name}>" in asked]
    values = {name: value(source, kinds[name]) for name in named}
    while len(set(map(str, values.values()))) < len(values):
        values = {name: value(source, kinds[name]) for name in named}
    for name, made in values.items():
        asked = asked.replace(f"<{name}>", _quoted(source, made, kinds[name]))
    renamed = _renamed_arguments(source, list(kinds))
    parameters = tuple(
        Parameter(
            renamed[name],
            schema_type(kind.removesuffix("?")),
            not kind.endswith("?"),
            tuple(kind.removesuffix("?").split("|")) if "|" in kind else (),
        )
        for name, kind in natural.kinds.items()
    )
    tool = Tool(
        _renamed_tool(source, natural.name), _description(source, natural.about), parameters
    )
    call = Call(tool.name, {renamed[name]: made for name, made in values.items()})
    return Request(with_extra(source, tool), asked, call)


# A tool asked for in the words of its description <d>, with bare values <b>.
_DESCRIBED = (
    "[please |now |can you |could you |I want to |I need to |let us |let's |time to |try to |]<d>[:|,| -| with| for|.|] <b>",
    "<b>[:|,| -|.] [please |now |can you |could you |I want to |I need to |]<d>[| please]",
    "[I want|I need|is there|do you have|give me|use] [a tool|something|a way|a function] to <d>[:|,|. Take|. Here is| for] <b>",
)


def _question(source: Source, natural: Natural) -> str:
    """How people ask for the tool; in training also in other words, or those of its description."""
    if source.held_out:
        return source.expand(source.one(natural.asks))
    needed = [f"<{k}>" for k, kind in natural.kinds.items() if not kind.endswith("?")]
    if source.chance(0.12):
        about = natural.about[0].lower() + natural.about[1:].rstrip(".")
        if source.chance(0.5):
            about = with_a_near_word(source, about)
        asked = source.expand(source.one(_DESCRIBED)).replace("<d>", about)
        return asked.replace("<b>", words.listing(needed or ["now"]))
    if source.chance(0.08):
        named = natural.name.removeprefix("get_").split("_")
        return loose(source, [*named, *needed] if source.chance(0.6) else [*needed, *named])
    if source.chance(0.06):
        said = [word for word in natural.about.lower().split() if word not in _FILLERS]
        kept = source.some(said, min(len(said), source.number(1, 2)))
        return loose(source, source.shuffled([*kept, *needed]))
    asked = source.expand(source.one(natural.asks))
    if source.chance(0.35):
        asked = reworded(source, asked)
    if source.chance(0.25):
        asked = with_a_like_word(source, asked)
    return with_a_near_word(source, asked) if source.chance(0.12) else asked


_FILLERS = (
    "the a my our your this that some any for of in on at to from with by as and please now just "
    "need want have has is are was be do does can could would let put take give make bring show "
    "tell see know there here me us it them out up down off into over again more today"
).split()


def loose(source: Source, parts: Sequence[str]) -> str:
    """The parts in order among words that say little: only the parts can be gone by."""
    loose: list[str] = []
    for part in parts:
        loose += [source.one(_FILLERS) for _ in range(source.one((0, 0, 1, 1, 2, 3)))]
        loose.append(part)
    loose += [source.one(_FILLERS) for _ in range(source.one((0, 0, 0, 1, 2)))]
    return " ".join(loose) + source.one(("", "", "?", " please"))


def _quoted(source: Source, made: Value, kind: str) -> str:
    text = str(made)
    if kind == "text" and source.chance(0.3):
        return source.one((f'"{text}"', f"'{text}'"))
    return text


def _renamed_arguments(source: Source, names: list[str]) -> dict[str, str]:
    """Some arguments under another name, as every API has its own."""
    renamed: dict[str, str] = {}
    for name in names:
        synonyms = _ARGUMENT_SYNONYMS.get(name, ())
        new = source.one(half(synonyms, source.held_out)) if synonyms else name
        use = synonyms and (source.held_out or source.chance(0.5))
        taken = {*renamed.values(), *names}
        renamed[name] = new if use and new not in taken else name
    return renamed


def _renamed_tool(source: Source, name: str) -> str:
    if source.chance(0.4):
        return name
    verb, _, noun = name.partition("_")
    for _ in range(8):
        other = source.one(_VERBS.get(verb, [verb]))
        candidate = styled(source, f"{other}_{noun}" if noun else other)
        if source.chance(0.2):
            candidate = source.one(("api_", "my_", "do_", "tool_")) + candidate
        if name_allowed(candidate, source.held_out):
            return candidate
    return name


def styled(source: Source, snake: str) -> str:
    dice = source.rng.random()
    if dice < 0.7:
        return snake
    first, *rest = snake.split("_")
    if dice < 0.9:
        return first + "".join(part.title() for part in rest)
    return snake.replace("_", "-")


def _description(source: Source, about: str) -> str:
    return source.one((about, about, about + ".", about.lower(), ""))


def with_extra(source: Source, tool: Tool) -> Tool:
    names = {parameter.name for parameter in tool.parameters}
    extra = source.one(_EXTRAS)
    if source.chance(0.75) or extra.name in names:
        return tool
    return replace(tool, parameters=(*tool.parameters, extra))
