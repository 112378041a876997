# ruff: noqa: SIM905 - long lists read better as text
"""Calling tools: natural ones from data/tools.toml under changing names, and made-up ones."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from tiny_chat import words
from tiny_chat.dialogue import (
    Call,
    Dialogue,
    Message,
    Parameter,
    Tool,
    Value,
    assistant,
    user,
)
from tiny_chat.places import DATA
from tiny_chat.skills import talk
from tiny_chat.skills.unknown import unknown
from tiny_chat.source import Source, half, is_held_out

_ROOMS = ("kitchen bedroom office garage hall bathroom garden cellar attic balcony").split()
_FOODS = [*words.FRUITS, *words.VEGETABLES, "cheese", "ham", "olives", "corn", "rice", "bread"]

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
        "place": source.place,
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
        "symbol": lambda: "".join(source.one("ABCDEFGHIKLMNPRSTVWXYZ") for _ in range(4)),
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


def _schema_type(kind: str) -> str:
    if kind in ("amount", "decimal"):
        return "number"
    return "integer" if kind in ("small", "percent", "year") else "string"


def natural_request(source: Source) -> Request:
    natural = source.one(natural_half(source.held_out))
    kinds = {name: kind.removesuffix("?") for name, kind in natural.kinds.items()}
    asked = source.expand(source.one(natural.asks))
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
            _schema_type(kind.removesuffix("?")),
            not kind.endswith("?"),
            tuple(kind.removesuffix("?").split("|")) if "|" in kind else (),
        )
        for name, kind in natural.kinds.items()
    )
    tool = Tool(
        _renamed_tool(source, natural.name), _description(source, natural.about), parameters
    )
    call = Call(tool.name, {renamed[name]: made for name, made in values.items()})
    return Request(_with_extra(source, tool), asked, call)


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
        candidate = _styled(source, f"{other}_{noun}" if noun else other)
        if source.chance(0.2):
            candidate = source.one(("api_", "my_", "do_", "tool_")) + candidate
        if name_allowed(candidate, source.held_out):
            return candidate
    return name


def _styled(source: Source, snake: str) -> str:
    dice = source.rng.random()
    if dice < 0.7:
        return snake
    first, *rest = snake.split("_")
    if dice < 0.9:
        return first + "".join(part.title() for part in rest)
    return snake.replace("_", "-")


def _description(source: Source, about: str) -> str:
    return source.one((about, about, about + ".", about.lower(), ""))


def _with_extra(source: Source, tool: Tool) -> Tool:
    names = {parameter.name for parameter in tool.parameters}
    extra = source.one(_EXTRAS)
    if source.chance(0.75) or extra.name in names:
        return tool
    return replace(tool, parameters=(*tool.parameters, extra))


_MADE_VERBS = (
    "get find set create delete update send list search book order open close check start "
    "stop add remove convert compute play show read write save load turn count fetch make "
    "move rate share track"
).split()
_MADE_NOUNS = (
    "weather time user file order event ticket invoice price stock news message note task "
    "light music song photo room flight hotel table taxi recipe report contact account "
    "payment parcel alarm timer reminder document folder server deployment key model page "
    "product customer meeting score route map device"
).split()
_MADE_ARGUMENTS = (
    ("city", "place"),
    ("location", "place"),
    ("name", "person"),
    ("user", "person"),
    ("email", "email"),
    ("id", "amount"),
    ("count", "small"),
    ("days", "small"),
    ("title", "text"),
    ("text", "text"),
    ("query", "text"),
    ("date", "date"),
    ("amount", "decimal"),
    ("size", "small|medium|large"),
    ("unit", "celsius|fahrenheit|km|miles"),
    ("code", "code"),
    ("room", "room"),
    ("country", "country"),
    ("animal", "animal"),
    ("level", "percent"),
    ("path", "path"),
    ("day", "day"),
    ("item", "word"),
    ("topic", "word"),
)
_MADE_ASK = (
    "<h> with <b>",
    "please <h> with <b>",
    "<h>, <b>",
    "I want to <h> with <b>",
    "[call|use|run] <f> with <b>",
    "can you <h> with <b>?",
    "<h> for <b>",
    "[run|call|use] <f>: <b>",
    "<h> using <b>",
    "could you <h>? <b>",
    "now <h> with <b>",
    "<f>(<b>)",
    "I need <f> with <b>",
)
_MADE_BINDING = ("<k> <v>", "<k> = <v>", "<k>: <v>", "the <k> <v>", "<k> set to <v>", "<k> is <v>")


def made_up_request(source: Source) -> Request:
    """A tool that exists nowhere: only its line in the prompt tells how to call it."""
    verb, noun = source.one(_MADE_VERBS), source.one(_MADE_NOUNS)
    if source.chance(0.45):
        noun = source.pseudoword()
    name = _styled(source, f"{verb}_{noun}")
    if not name_allowed(name, source.held_out):
        return made_up_request(source)
    kinds = _made_up_arguments(source)
    values = {key: value(source, kind) for key, kind in kinds.items()}
    binding = source.one(_MADE_BINDING)
    bound = [binding.replace("<k>", k).replace("<v>", str(v)) for k, v in values.items()]
    asked = source.phrase(_MADE_ASK).replace("<f>", name).replace("<h>", f"{verb} {noun}")
    asked = asked.replace("<b>", words.listing(source.shuffled(bound)))
    optional = source.chance(0.3)
    parameters = tuple(
        Parameter(
            k, _schema_type(kind), not optional, tuple(kind.split("|")) if "|" in kind else ()
        )
        for k, kind in kinds.items()
    )
    about = source.one(("", f"{verb.title()} the {noun}", f"{verb.title()} a {noun}."))
    tool = _with_extra(source, Tool(name, about, parameters))
    return Request(tool, asked, Call(name, values))


def _made_up_arguments(source: Source) -> dict[str, str]:
    kinds: dict[str, str] = {}
    for _ in range(source.one((1, 1, 2, 2, 3))):
        if source.chance(0.6):
            name, kind = source.one(_MADE_ARGUMENTS)
        else:
            name, kind = source.pseudoword(), source.one(("word", "person", "code", "amount"))
        kinds[name] = kind
    return kinds


def any_request(source: Source) -> Request:
    return natural_request(source) if source.chance(0.65) else made_up_request(source)


def _toolbox(source: Source, needed: Sequence[Tool], others: int) -> tuple[Tool, ...]:
    """The needed tools among others, in any order."""
    box = {tool.name: tool for tool in needed}
    for _ in range(others):
        other = any_request(source).tool
        box.setdefault(other.name, other)
    return tuple(source.shuffled(list(box.values())))


def _others(source: Source) -> int:
    return source.one((0, 0, 1, 1, 2, 3))


def _one_call(source: Source, request: Request) -> Dialogue:
    messages = (user(_polite(source, request.question)), assistant("", request.call))
    return Dialogue(messages, _toolbox(source, [request.tool], _others(source)))


_POLITE = ("please <q>", "can you <q>?", "<q>, please", "could you <q>?", "hey, <q>", "now <q>")


def _polite(source: Source, asked: str) -> str:
    if source.chance(0.12) and not asked.endswith("?"):
        asked = source.one(_POLITE).replace("<q>", asked)
    return asked[0].upper() + asked[1:] if source.chance(0.6) else asked


def natural_call(source: Source) -> Dialogue:
    return _one_call(source, natural_request(source))


def made_up_call(source: Source) -> Dialogue:
    return _one_call(source, made_up_request(source))


_JOIN = (
    "<1> and <2>",
    "<1>. <2>",
    "<1>, and also <2>",
    "<1> and then <2>",
    "first <1>, then <2>",
    "<1>, <2>",
    "<1> and <2>",
    "<1>; <2>",
    "<1> plus <2>",
)


def two_calls(source: Source) -> Dialogue:
    """Two tools at once, or one tool for two values."""
    first = any_request(source)
    second = _same_again(source, first) if source.chance(0.35) else any_request(source)
    if second.tool.name == first.tool.name and second.tool != first.tool:
        return two_calls(source)
    asked = source.phrase(_JOIN).replace("<1>", first.question.rstrip("?."))
    asked = asked.replace("<2>", second.question)
    if second.tool == first.tool and (short := _shared_question(first, second)):
        asked = short if source.chance(0.6) else asked
    messages = (user(_polite(source, asked)), assistant("", first.call, second.call))
    others = source.one((0, 0, 1, 2))
    return Dialogue(messages, _toolbox(source, [first.tool, second.tool], others))


def _same_again(source: Source, request: Request) -> Request:
    """The same request for another value of its first argument, when that is a plain name."""
    name, old = next(iter(request.call.arguments.items()))
    if not isinstance(old, str) or request.question.count(old) != 1 or not old.isalpha():
        return any_request(source)
    new = source.place() if old[0].isupper() else source.word()
    parameter = next(p for p in request.tool.parameters if p.name == name)
    if parameter.choices or new == old or old.isupper():
        return any_request(source)
    call = Call(request.call.name, {**request.call.arguments, name: new})
    return Request(request.tool, request.question.replace(old, new), call)


def _shared_question(first: Request, second: Request) -> str:
    """`weather in Paris and Rome`, from two questions that differ in one word."""
    one, two = next(iter(first.call.arguments.values())), next(iter(second.call.arguments.values()))
    if len(first.call.arguments) > 1:
        return ""
    return first.question.replace(str(one), f"{one} and {two}")


_RESULTS: tuple[tuple[str, str], ...] = (
    ("temperature", "percent"),
    ("condition", "sunny|rainy|cloudy|windy|snowy|foggy"),
    ("time", "clock"),
    ("result", "amount"),
    ("price", "decimal"),
    ("status", "done|sent|open|closed|ready|failed|ok"),
    ("humidity", "percent"),
    ("city", "place"),
    ("name", "person"),
    ("date", "date"),
    ("total", "decimal"),
    ("id", "amount"),
)


def _result(source: Source) -> dict[str, Value]:
    made: dict[str, Value] = {}
    for _ in range(source.one((1, 1, 2, 2, 3))):
        key, kind = source.one(_RESULTS)
        if source.chance(0.3):
            key, kind = source.pseudoword(), source.one(("word", "amount", "person", "code"))
        made[key] = value(source, kind)
    return made


def _told(result: Mapping[str, Value]) -> str:
    parts = [f"the {key.replace('_', ' ')} is {made}" for key, made in result.items()]
    return f"T{words.listing(parts)[1:]}."


def tool_result(source: Source) -> Dialogue:
    """The result of one or two calls becomes a sentence."""
    dialogue = two_calls(source) if source.chance(0.2) else _one_call(source, any_request(source))
    if source.chance(0.15) and len(dialogue.answer.calls) == 1:
        text = source.text(2, 5)
        results, answer = [Message("tool", text)], f"The result is: {text}"
    else:
        made = [_result(source) for _ in dialogue.answer.calls]
        results = [Message("tool", json.dumps(one)) for one in made]
        answer = " ".join(map(_told, made))
    return Dialogue((*dialogue.messages, *results, assistant(answer)), dialogue.tools)


def no_call(source: Source) -> Dialogue:
    """Tools lie ready, but the question needs none."""
    skill = source.one((talk.greeting, talk.identity, talk.small_talk, talk.penstock, unknown))
    plain = skill(source)
    while re.search("weather|time|day", plain.messages[0].content.lower()):
        plain = skill(source)
    box = _toolbox(source, [], source.number(1, 3))
    return replace(plain, tools=box)
