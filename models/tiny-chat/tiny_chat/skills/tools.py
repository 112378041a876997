# ruff: noqa: SIM905, E501 - long lists read better as text
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
from tiny_chat.grammars import grammar
from tiny_chat.manners import reworded, with_a_near_word
from tiny_chat.phrasings import half
from tiny_chat.places import DATA
from tiny_chat.skills import talk
from tiny_chat.skills.unknown import unknown
from tiny_chat.source import Source, is_held_out

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
    if source.chance(0.12):
        needed = [k for k, kind in natural.kinds.items() if not kind.endswith("?")]
        about = natural.about[0].lower() + natural.about[1:].rstrip(".")
        if source.chance(0.5):
            about = with_a_near_word(source, about)
        asked = source.expand(source.one(_DESCRIBED)).replace("<d>", about)
        return asked.replace("<b>", words.listing([f"<{k}>" for k in needed] or ["now"]))
    if source.chance(0.08):
        needed = [f"<{k}>" for k, kind in natural.kinds.items() if not kind.endswith("?")]
        named = natural.name.removeprefix("get_").split("_")
        return _loose(source, [*named, *needed] if source.chance(0.6) else [*needed, *named])
    asked = source.expand(source.one(natural.asks))
    if source.chance(0.35):
        asked = reworded(source, asked)
    return with_a_near_word(source, asked) if source.chance(0.1) else asked


_FILLERS = (
    "the a my our your this that some any for of in on at to from with by as and please now just "
    "need want have has is are was be do does can could would let put take give make bring show "
    "tell see know there here me us it them out up down off into over again more today"
).split()


def _loose(source: Source, parts: Sequence[str]) -> str:
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
MADE_ASK = (
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
    "<h>: <b>",
    "[I'd like|I would like|we need] to <h>, <b>",
    "[do|make] a <f> with <b>",
    "<h> where <b>",
    "[let us|let's] <h> with <b>",
    "<f>, <b>",
    "[execute|start|trigger|invoke] <f> with <b>",
    "<b>: <h>",
    "with <b>, <h>",
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
    kinds = _made_up_arguments(source, source.one((1, 1, 2, 2, 3)))
    values = {key: value(source, kind) for key, kind in kinds.items()}
    binding = source.one(_MADE_BINDING)
    bound = [binding.replace("<k>", k).replace("<v>", str(v)) for k, v in values.items()]
    asked = (
        source.phrase(MADE_ASK, grammar("made_call"))
        .replace("<f>", name)
        .replace("<h>", f"{verb} {noun}")
    )
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


def _made_up_arguments(source: Source, count: int) -> dict[str, str]:
    kinds: dict[str, str] = {}
    while len(kinds) < count:
        if source.chance(0.6):
            name, kind = source.one(_MADE_ARGUMENTS)
        else:
            name, kind = source.pseudoword(), source.one(("word", "person", "code", "amount"))
        kinds[name] = "|".join(_some_words(source)) if source.chance(0.12) else kind
    return kinds


def _some_words(source: Source) -> list[str]:
    """An enumeration that no other tool has."""
    return list(dict.fromkeys(source.word() for _ in range(source.number(3, 5))))


# Tools for all sorts of things: <v> a verb, <o> the thing, <x> and <y> the arguments.
_WORDED_VERBS = (
    "get find check show book order open close start stop send read call cancel update delete "
    "rate buy sell repair clean move share print count test lock unlock rent reset scan mark pay "
    "wash paint measure watch follow block invite plan load save copy"
).split()
_WORDED_PLAIN = (
    "<v> the <o>",
    "<v> <o>[| now]",
    "[what|which|how] is the <o>?",
    "[show|tell] me the <o>",
    "[please|now] <v> my <o>",
    "the <o>[| please|?]",
    "I [want|need|would like] [the|a] <o>",
    "[can you|could you] <v> the <o>[|?]",
)
_WORDED_ONE = (
    "<v> the <o> [of|for|in|at|from] <x>",
    "<v> <o> [of|for|in|at|from|to] <x>",
    "[what is|what's|how is|where is|show me|tell me|I want|I need] the <o> [of|for|in|at|from] <x>[|?]",
    "<v> <x>'s <o>",
    "<x>: <v> the <o>",
    "<o> [of|for|in|at] <x>[|?]",
    "[is|are] there [a|any] <o> [for|in|at|near] <x>?",
    "<v> me [a|the] <o> [for|to|from|in] <x>",
    "how [much|many|good|old] is the <o> [of|in|for] <x>?",
    "the <o> [of|in|at] <x>",
    "I would like to <v> the <o> [of|for|in] <x>",
    "<x> <o>[|?]",
    "[I want|I need|get me] [a|the] <o> [for|from|in|at] <x>",
    "<v> <x> [for|in|as|to] the <o>",
    "<o>: <x>",
    "[can you|could you] <v> the <o> [of|for|in] <x>[|?]",
    "<v> <x>, the <o>",
    "[give|bring|tell] <x> [the|a] <o>",
    "<x> [needs|wants] [a|the] <o>",
)
_WORDED_TWO = (
    "<v> the <o> [of|for|in|at|from] <x> [to|with|on|at|for|as] <y>",
    "<v> <o> <x> [to|with|on|at|for|as] <y>",
    "<v> <y> <o> [of|for|in|at|from|to] <x>",
    "<o> [from|of|in|for] <x> [to|on|until|with] <y>[|?]",
    "<v> a <o> for <x>, <y>",
    "[what is|what's|show me] the <o> [of|for|in] <x> [on|at|with|for] <y>[|?]",
    "<x> [wants|needs] <y> <o>",
    "<v> <x> and <y> in the <o>",
    "<o>: <x>, <y>",
    "<v> <o> <y> [for|of|at|in] <x>",
    "[I want|I need|get me] [a|the] <o> [for|from|in] <x> [with|at|to|on] <y>",
    "<v> the <o> [of|in|for] <x>: <y>",
    "[can you|could you] <v> the <o> [from|of] <x> [to|with] <y>[|?]",
    "[with|at|on] <y>, <v> the <o> [of|for|in] <x>",
    "<x>, <y>: <v> <o>",
)
_WORDED_ABOUT = ("<V> the <o>", "<V> a <o> for a <k>", "The <o> of a <k>", "<V>s <o>", "")


def worded_request(source: Source) -> Request:
    """A tool for some thing, asked for by the thing's name; the arguments are not named."""
    verb, said, thing, meant = _deed_and_thing(source)
    name = _styled(
        source, source.one((f"{verb}_{thing}", f"{verb}_{thing}", f"{thing}_{verb}", thing))
    )
    if not name_allowed(name, source.held_out):
        return worded_request(source)
    kinds = _made_up_arguments(source, source.one((0, 1, 1, 1, 2, 2)))
    values = {key: value(source, kind) for key, kind in kinds.items()}
    while len(set(map(str, values.values()))) < len(values):
        values = {key: value(source, kind) for key, kind in kinds.items()}
    asked = source.phrase((_WORDED_PLAIN, _WORDED_ONE, _WORDED_TWO)[len(values)])
    if not source.held_out and source.chance(0.3):
        slots = ["<x>", "<y>"][: len(values)]
        asked = _loose(source, ["<o>", *slots] if source.chance(0.5) else [*slots, "<o>"])
    asked = asked.replace("<v>", said).replace("<o>", meant)
    for slot, made in zip(("<x>", "<y>"), values.values(), strict=False):
        asked = asked.replace(slot, str(made))
    about = source.one(_WORDED_ABOUT).replace("<V>", verb.title()).replace("<o>", thing)
    about = about.replace("<k>", next(iter(kinds), "user"))
    parameters = tuple(
        Parameter(k, _schema_type(kind), choices=tuple(kind.split("|")) if "|" in kind else ())
        for k, kind in kinds.items()
    )
    return Request(_with_extra(source, Tool(name, about, parameters)), asked, Call(name, values))


def _deed_and_thing(source: Source) -> tuple[str, str, str, str]:
    """A verb and a thing, each as the tool calls it and as the user does."""
    verb, thing = source.one(_WORDED_VERBS), source.word()
    said = verb if source.chance(0.7) else source.one(_WORDED_VERBS)
    if source.held_out or source.chance(0.45):
        return verb, said, thing, thing
    deeds = source.mine(source.one(words.alike("deeds"))) or [verb]
    things = source.mine(source.one(words.alike("things"))) or [thing]
    verb, said = source.one(deeds), source.one(deeds).replace("_", " ")
    return verb, said, source.one(things), source.one(things)


def any_request(source: Source) -> Request:
    if not source.held_out and source.chance(0.35):
        return worded_request(source)
    return natural_request(source) if source.chance(0.65) else made_up_request(source)


def _toolbox(source: Source, needed: Sequence[Tool], others: int) -> tuple[Tool, ...]:
    """The needed tools among others, in any order."""
    box = {tool.name: tool for tool in needed}
    for _ in range(others):
        other = any_request(source).tool
        box.setdefault(other.name, other)
    return tuple(source.shuffled(list(box.values())))


def _others(source: Source) -> int:
    return source.one((0, 0, 1, 1, 2, 3) if source.held_out else (0, 1, 1, 2, 3))


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


def worded_call(source: Source) -> Dialogue:
    return _one_call(source, worded_request(source))


JOIN = (
    "<1> and <2>",
    "<1>. <2>",
    "<1>, and also <2>",
    "<1> and then <2>",
    "first <1>, then <2>",
    "<1>, <2>",
    "<1> and <2>",
    "<1>; <2>",
    "<1> plus <2>",
    "<1>, then <2>",
    "<1>\n<2>",
    "<1>; besides, <2>",
    "1. <1> 2. <2>",
    "[do two things|two things]: <1>, <2>",
    "<1>, [afterwards|after that|next|besides] <2>",
    "<1> [as well as|together with|followed by|along with] <2>",
    "both: <1> and <2>",
    "<1>[| please]. [Then|Also|And then|Next] <2>",
    "<1>? And <2>",
    "[I have two wishes|I need two things]: <1>, [and|also] <2>",
    "<1> & <2>",
    "<1> / <2>",
)


def two_calls(source: Source) -> Dialogue:
    """Two tools at once, or one tool for two values."""
    first = any_request(source)
    second = _same_again(source, first) if source.chance(0.35) else any_request(source)
    if second.tool.name == first.tool.name and second.tool != first.tool:
        return two_calls(source)
    asked = source.phrase(JOIN, grammar("join")).replace("<1>", first.question.rstrip("?."))
    asked = asked.replace("<2>", second.question)
    if second.tool == first.tool and (short := _shared_question(first, second)):
        asked = short if source.chance(0.6) else asked
    messages = (user(_polite(source, asked)), assistant("", first.call, second.call))
    others = source.one((0, 0, 1, 2))
    return Dialogue(messages, _toolbox(source, [first.tool, second.tool], others))


def _same_again(source: Source, request: Request) -> Request:
    """The same request for another value of its first argument, when that is a plain name."""
    if not request.call.arguments:
        return any_request(source)
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
    if len(first.call.arguments) != 1:
        return ""
    one, two = next(iter(first.call.arguments.values())), next(iter(second.call.arguments.values()))
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
