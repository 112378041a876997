# ruff: noqa: E501 - long lists read better as text
"""JSON on demand: with asked keys, from a sentence, or after a schema."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tiny_chat import words
from tiny_chat.dialogue import Dialogue, Value, assistant, exchange, system, user
from tiny_chat.grammars import grammar
from tiny_chat.skills.requests import value
from tiny_chat.source import Source

_KEYS = (
    ("name", "person"),
    ("age", "percent"),
    ("city", "place"),
    ("country", "country"),
    ("color", "colour"),
    ("animal", "animal"),
    ("price", "decimal"),
    ("title", "text"),
    ("count", "amount"),
    ("job", "job"),
    ("food", "food"),
    ("code", "code"),
    ("day", "day"),
    ("email", "email"),
    ("score", "percent"),
    ("size", "small|medium|large"),
    ("date", "date"),
    ("active", "flag"),
    ("id", "amount"),
    ("item", "word"),
    ("quantity", "small"),
)
ASK = (
    "[return|give me|write|output|make] [a JSON object|JSON] with [|the ]keys <k>: <b>",
    "make JSON with <k> from: <b>",
    "give me [a JSON object|JSON] with <k>: <b>",
    "as JSON[| please]: <b>",
    "write [this|] as JSON: <b>",
    "[convert|turn this] [in|]to JSON: <b>",
    "[answer|reply] in JSON with the keys <k>. <b>",
    "extract <k> as JSON: <b>",
    "JSON with <k>: <b>",
    "put this into JSON: <b>",
    "<b>. [Return|Give me|Write] [this|it] as JSON[| with the keys <k>]",
    "[fill|make] a JSON object[| with <k>] from this: <b>",
    "I need JSON with [|the keys ]<k> for: <b>",
    "extract [the|] [fields|keys] <k>: <b>",
    "[please|can you|could you] [write|make|give me] [a JSON object|JSON|json] with [|the ][keys|fields] <k>: <b>",
    "[fields|keys]: <k>. Text: <b>",
    "<b>\n[Make|Write] [a|] JSON [object|] [with|from it with] <k>",
    "[take|get|pull] <k> from this [as|into] JSON: <b>",
    "JSON please: <b>",
    "json: <b>",
    "[what is|show me] this as JSON[| with <k>]: <b>",
    "a JSON object with <k> [from|for|of]: <b>",
    "[format|encode|express|represent] this [in|as] JSON: <b>",
    "turn the [text|sentence|data] into [a JSON object|JSON]: <b>",
    "<b> [As|In] JSON[| with <k>], please.",
    "I want <k> in JSON. <b>",
    "[create|produce|build|generate] JSON [with|from] [the keys|the fields|] <k>: <b>",
    "[read|parse] this and [answer|reply] in JSON with <k>: <b>",
    "[only|just] JSON with <k>: <b>",
    "[return|give] [an object|a JSON] with [exactly|] [the keys|] <k>: <b>",
    "[find|collect|pick] <k> in this [and|,] [answer|write] JSON: <b>",
    "JSON only[|, with <k>|, keys <k>]: <b>",
    "[make|build] an object of <k> from: <b>",
    "[translate|map|change] this [to|into] a JSON object[| with <k>]: <b>",
    "<k> as JSON, from this: <b>",
    "[text|input|data]: <b> [keys|fields]: <k>. [JSON|Answer in JSON|Give JSON]",
    "[please|now] [answer|reply] [only|] with JSON of <k>: <b>",
    "what would this be [in|as] JSON[|, with <k>]? <b>",
)
_ASK_SYSTEM = (
    "[Answer|Reply|Respond] [in|with|only in] JSON with the keys <k>.",
    "Extract <k> as JSON.",
    "You turn texts into JSON with the keys <k>.",
    "Output a JSON object with <k>.",
    "[Always|Only] [return|write] JSON with <k>.",
    "Your output is JSON. The keys are <k>.",
    "[Reply|Answer] [only|] with [an object|a JSON object] of <k>.",
    "From each text, take <k> as JSON.",
    "[JSON only|Only JSON]: <k>.",
    "[Convert|Turn] what the user says to JSON with <k>.",
    "Make a JSON object with [the keys|the fields|] <k> from the text.",
    "You are a parser: JSON with <k>.",
    "[Give|Send] back JSON with [the keys|] <k>[| and nothing else].",
    "[Speak|Talk] JSON only, with <k>.",
    "For every message [make|write] JSON with [the fields|] <k>.",
    "[Read|Parse] the text, [answer|reply] JSON with <k>.",
    "Fields of your JSON: <k>.",
    "[You write|You answer with] objects: <k>.",
)
_SCHEMA_ASK = (
    "[Answer|Reply] as JSON that obeys this schema: <s>\n<b>",
    "<b>\nSchema: <s>",
    "JSON schema: <s> Text: <b>",
    "Use this JSON schema: <s>. <b>",
    "Fill this schema: <s> from: <b>",
    "<b>. [Answer|Reply] in JSON after the schema <s>",
    "[Reply|Answer] in JSON. Schema: <s> Text: <b>",
    "[Fill|Use|Obey] the schema <s> [with|for]: <b>",
    "<s>\n[Make|Write] JSON [of|from] this: <b>",
    "Text: <b>\nJSON schema: <s>",
    "Given the schema <s>, [convert|parse|turn into JSON]: <b>",
    "[Extract|Parse] by this schema <s>\n<b>",
)
_BINDINGS = ("<k> is <v>", "<k>: <v>", "<k> = <v>", "the <k> is <v>", "<k> <v>", "its <k> is <v>")


def _value(source: Source, kind: str) -> Value:
    if kind == "colour":
        return source.one(words.COLOURS)
    if kind == "job":
        return source.one(words.JOBS)
    return source.chance(0.5) if kind == "flag" else value(source, kind)


def record(source: Source, size: int) -> dict[str, Value]:
    made: dict[str, Value] = {}
    while len(made) < size:
        if source.chance(0.7):
            key, kind = source.one(_KEYS)
        else:
            key, kind = source.word(), source.one(("word", "person", "amount", "code"))
        made[key] = _value(source, kind)
    return made


def _shown(made: Value) -> str:
    return str(made).lower() if isinstance(made, bool) else str(made)


def _listed(source: Source, made: Mapping[str, Value]) -> str:
    binding = source.one(_BINDINGS)
    bound = [binding.replace("<k>", k).replace("<v>", _shown(v)) for k, v in made.items()]
    return source.one((", ", ", ", "; ")).join(bound)


def _sentence(source: Source) -> tuple[str, dict[str, Value]]:
    """A sentence about a person, and what stands in it."""
    name, age, city = source.person(), source.number(2, 95), source.place()
    job, animal = source.one(words.JOBS), source.one(words.ANIMALS)
    sentences: tuple[tuple[str, dict[str, Value]], ...] = (
        (f"{name} is {age} years old.", {"name": name, "age": age}),
        (f"{name} lives in {city}.", {"name": name, "city": city}),
        (f"{name} is {age} and lives in {city}.", {"name": name, "age": age, "city": city}),
        (f"{name} works as a {job} in {city}.", {"name": name, "job": job, "city": city}),
        (f"{name} is a {job}.", {"name": name, "job": job}),
        (f"{name}, {age}, has a {animal}.", {"name": name, "age": age, "animal": animal}),
        (f"{name} from {city} is {age}.", {"name": name, "city": city, "age": age}),
        (f"My name is {name} and I am {age}.", {"name": name, "age": age}),
    )
    return source.one(sentences)


def _material(source: Source, whole: bool) -> tuple[str, dict[str, Value]]:
    """A text and the record to make of it; without `whole`, not all that it says is asked for."""
    if source.chance(0.45):
        text, made = _sentence(source)
    else:
        made = record(source, source.number(1, 4))
        text = _listed(source, made)
    while not whole and len(made) > 1 and source.chance(0.2 if source.held_out else 0.4):
        del made[source.one(list(made))]
    return text, made


def _keys(source: Source, made: Mapping[str, Value]) -> str:
    joint = words.listing(list(made))
    return ", ".join(made) if source.chance(0.3) else joint


def json_type(value: object) -> str:
    kinds = {bool: "boolean", int: "integer", float: "number", list: "array"}
    return kinds.get(type(value), "string")


def schema(made: Mapping[str, object]) -> str:
    properties = {key: {"type": json_type(one)} for key, one in made.items()}
    return json.dumps({"type": "object", "properties": properties, "required": list(made)})


def fill(source: Source) -> Dialogue:
    if source.chance(0.2):
        text, made = _material(source, whole=False)
        prompt = source.phrase(_ASK_SYSTEM, grammar("json_system")).replace(
            "<k>", _keys(source, made)
        )
        return Dialogue((system(prompt), user(text), assistant(_dumped(made))))
    asked = source.phrase(ASK, (*grammar("json"), *grammar("json_whole")))
    text, made = _material(source, whole="<k>" not in asked)
    asked = asked.replace("<k>", _keys(source, made))
    asked = asked[0].upper() + asked[1:] if source.chance(0.5) else asked
    return exchange(asked.replace("<b>", text), _dumped(made))


def obey_schema(source: Source) -> Dialogue:
    text, made = _material(source, whole=False)
    asked = source.phrase(_SCHEMA_ASK).replace("<s>", schema(made)).replace("<b>", text)
    return exchange(asked, _dumped(made))


def _dumped(made: Mapping[str, Value]) -> str:
    return json.dumps(made, ensure_ascii=False)
