# ruff: noqa: SIM905, E501 - long lists read better as text
"""Requests for made-up tools: only their lines in the prompt tell how to call them."""

from __future__ import annotations

from tiny_chat import words
from tiny_chat.dialogue import Call, Parameter, Tool
from tiny_chat.grammars import grammar
from tiny_chat.skills.requests import (
    Request,
    loose,
    name_allowed,
    schema_type,
    styled,
    value,
    with_extra,
)
from tiny_chat.source import Source

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


# A tool asked for as programmers write it: <f> is its name with the bare values behind it.
_APPLIED = (
    "<f>",
    "[call|run|use|try|start|execute|invoke|apply|evaluate|compute] <f>[| now| please| once]",
    "what [is|was|will be] [the value|the result|the output] of <f>?[| Use the tool.| Use a tool.]",
    "[what|which value] does <f> [give|return|yield|say|print]?[| Use the tool.| Call it.]",
    "[give|show|tell|get] me [the value|the result|the output|what comes out] of <f>",
    "I [need|want|would like] [the value of|the result of|to call|to run|to see] <f>",
    "[please|now|can you|could you] [call|run|use|evaluate] <f>[|. Use the tool.]",
    "<f> [=|is|gives|returns] [what|?|how much?]",
)


def applied_request(source: Source) -> Request:
    """A made-up function of no argument or a few, with the values in brackets; for training."""
    name = styled(source, "_".join(source.word() for _ in range(source.number(1, 3))))
    if not name_allowed(name, source.held_out):
        return applied_request(source)
    kinds = _made_up_arguments(source, source.one((0, 0, 1, 1, 2)))
    values = {key: value(source, kind) for key, kind in kinds.items()}
    said = f"{name}({', '.join(map(str, values.values()))})"
    parameters = tuple(
        Parameter(k, schema_type(kind), choices=tuple(kind.split("|")) if "|" in kind else ())
        for k, kind in kinds.items()
    )
    about = source.one(("", "A function.", f"{name.title()}.", f"Compute {name}"))
    asked = source.expand(source.one(_APPLIED)).replace("<f>", said)
    return Request(Tool(name, about, parameters), asked, Call(name, values))


# To make a thing <t> called <n>, about which <d> is said.
_NAMED = (
    "[create|add|make|register|open|new|set up] [a|the|] <t> [named|called|with the name] '<n>' [-|:|,|;] <d>",
    "[create|add|make|register|open] [a|the|] <t> [named|called] '<n>' (<w>) [-|:|,] <d>",
    "[a|one|] <t>: '<n>', <d>",
    "[please|now|I want to|can you] [create|add|register] '<n>' as <t>: <d>",
    '[create|add|make|register] [a|the|] <t> "<n>"[, description:|. It is|:| -] <d>',
)


def named_request(source: Source) -> Request:
    """A tool that makes a thing of any name, in any script, with a few words on it; for training."""
    thing = source.word()
    name = styled(source, f"{source.one(('create', 'add', 'make', 'new'))}_{thing}")
    if not name_allowed(name, source.held_out):
        return named_request(source)
    called = source.text(1, 3) if source.chance(0.6) else source.foreign()
    said = source.one(("a <a> <w>", "<a>", "the <a> <w> of <w>", "<w> <w>"))
    for slot, make in (("<a>", lambda: source.one(words.ADJECTIVES)), ("<w>", source.word)):
        while slot in said:
            said = said.replace(slot, make(), 1)
    asked = source.expand(source.one(_NAMED)).replace("<t>", source.one((thing, name)))
    asked = asked.replace("<n>", called).replace("<d>", said).replace("<w>", source.text(1, 2))
    keys = source.one((f"{thing}_name", "name", "title")), source.one(("description", "about"))
    tool = Tool(
        name, source.one(("", f"Create a {thing}.")), tuple(Parameter(k, "string") for k in keys)
    )
    return Request(tool, asked, Call(name, dict(zip(keys, (called, said), strict=True))))


def made_up_request(source: Source) -> Request:
    """A tool that exists nowhere: only its line in the prompt tells how to call it."""
    if not source.held_out and source.chance(0.3):
        return source.one((applied_request, applied_request, named_request))(source)
    verb, noun = source.one(_MADE_VERBS), source.one(_MADE_NOUNS)
    if source.chance(0.45):
        noun = source.pseudoword()
    name = styled(source, f"{verb}_{noun}")
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
        Parameter(k, schema_type(kind), not optional, tuple(kind.split("|")) if "|" in kind else ())
        for k, kind in kinds.items()
    )
    about = source.one(("", f"{verb.title()} the {noun}", f"{verb.title()} a {noun}."))
    tool = with_extra(source, Tool(name, about, parameters))
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
    name = styled(
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
        asked = loose(source, ["<o>", *slots] if source.chance(0.5) else [*slots, "<o>"])
    asked = asked.replace("<v>", said).replace("<o>", meant)
    for slot, made in zip(("<x>", "<y>"), values.values(), strict=False):
        asked = asked.replace(slot, str(made))
    about = source.one(_WORDED_ABOUT).replace("<V>", verb.title()).replace("<o>", thing)
    about = about.replace("<k>", next(iter(kinds), "user"))
    parameters = tuple(
        Parameter(k, schema_type(kind), choices=tuple(kind.split("|")) if "|" in kind else ())
        for k, kind in kinds.items()
    )
    return Request(with_extra(source, Tool(name, about, parameters)), asked, Call(name, values))


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
