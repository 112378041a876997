# ruff: noqa: SIM905 - long lists read better as text
"""How people really type: greetings before a question, missing capitals, lost words, typos."""

from __future__ import annotations

import re

from tiny_chat import words
from tiny_chat.neighbours import neighbours
from tiny_chat.phrasings import SMALL_WORDS
from tiny_chat.source import Source

_BEFORE = (
    "please",
    "hi,",
    "hello,",
    "hey,",
    "hey,",
    "ok,",
    "so,",
    "now",
    "and",
    "well,",
    "um,",
    "tell me:",
    "question:",
    "quick question:",
    "sorry,",
    "one more thing:",
    "just wondering:",
    "I have a question:",
    "thanks,",
    "but",
)
_AFTER = ("please", "thanks", "thank you", "please?", "for me", "pls", "ok?", "then", "now")


def cased(source: Source, text: str) -> str:
    """Mostly with a capital at the start."""
    if source.chance(0.6):
        return text[0].upper() + text[1:]
    return text.lower() if source.chance(0.2) else text


def spoken(source: Source, text: str) -> str:
    """A question with some courtesy around it and some care lost. Never touches values."""
    if source.chance(0.16):
        text = f"{source.one(_BEFORE)} {text}"
    if source.chance(0.1):
        mark = text[-1] if text[-1] in "?.!" else ""
        text = f"{text.rstrip('?.! ')} {source.one(_AFTER)}{'' if mark == '.' else mark}"
    text = cased(source, text)
    dice = source.rng.random()
    if dice < 0.14:
        return text.rstrip("?.! ").lower()
    if dice < 0.24:
        return text.rstrip("?.! ")
    if dice < 0.28 and not text.endswith(("?", "!", ".")):
        return text + source.one((".", "!", "?"))
    return text


# Turns of phrase that mean the same, each row as good as any other of it.
_ALIKE = (
    (
        "how do I",
        "how can I",
        "how could I",
        "how should I",
        "how to",
        "how would I",
        "how does one",
    ),
    ("what is", "what's", "whats", "what exactly is"),
    ("can I", "may I", "could I", "am I able to", "is it possible to"),
    ("I want to", "I'd like to", "I would like to", "I need to", "I wanna", "I wish to"),
    ("is there", "do you have", "does it have", "is there any kind of", "do we have"),
    ("where is", "where's", "where do I find", "where can I find"),
    ("which", "what"),
    ("do not", "don't", "dont"),
    ("does not", "doesn't", "doesnt"),
    ("cannot", "can't", "cant", "can not"),
    ("tell me", "explain", "please tell me", "can you tell me", "show me", "let me know"),
    ("are you", "are u", "r u"),
    ("you are", "you're", "youre", "u are"),
    ("I am", "I'm", "im"),
    ("I get", "I got", "I see", "I receive", "I am getting"),
    ("use", "work with", "make use of"),
    ("see", "look at", "view"),
    ("make", "create", "produce"),
    ("start", "launch", "begin"),
    ("my", "our", "the"),
    ("delete", "remove", "erase", "drop", "revoke", "get rid of", "throw away"),
    ("list", "show", "display", "print", "view"),
    ("change", "alter", "modify", "adjust", "edit"),
    ("find", "locate", "look up", "discover", "search for"),
    ("answer", "reply", "response", "output"),
    ("answers", "replies", "responses", "outputs"),
    ("quick", "fast", "speedy", "rapid"),
    ("slow", "sluggish", "not fast"),
    ("error", "failure", "fault", "problem"),
    ("model", "LLM", "language model", "AI model"),
    ("models", "LLMs", "language models", "AI models"),
    ("machine", "computer", "box", "PC"),
    ("machines", "computers", "hosts", "PCs"),
    ("server", "service", "daemon", "backend"),
    ("limit", "restrict", "cap", "bound"),
    ("conversation", "chat", "dialogue", "talk"),
    ("choose", "select", "pick", "decide on"),
    ("get", "obtain", "receive", "retrieve", "have"),
    ("download", "fetch", "load", "grab"),
    ("picture", "image", "photo", "drawing", "pic"),
    ("pictures", "images", "photos", "drawings", "pics"),
    ("send", "submit", "transmit", "pass", "post"),
    ("need", "require", "want", "must have"),
    ("big", "large", "huge", "great"),
    ("small", "little", "tiny", "mini"),
    ("many", "several", "multiple", "a lot of", "lots of"),
    ("stop", "halt", "end", "quit", "finish"),
    ("run", "execute", "operate", "start up"),
    ("text", "string", "passage", "words"),
    ("document", "text", "file", "page"),
    ("documents", "texts", "files", "pages"),
    ("option", "setting", "parameter", "switch"),
    ("options", "settings", "parameters", "switches"),
    ("docs", "documentation", "manual", "handbook"),
    ("company", "firm", "business", "office"),
    ("program", "app", "application", "software", "script"),
    ("force", "oblige", "compel", "make sure of"),
    ("count", "number", "amount"),
    ("long", "lengthy", "big"),
    ("longest", "maximum", "biggest"),
    ("cost", "price", "charge", "fee"),
    ("free", "gratis", "free of charge", "at no cost"),
    ("possible", "doable", "feasible", "allowed"),
    ("support", "handle", "offer", "know"),
    ("connect", "hook up", "attach", "link"),
    ("remember", "recall", "keep in mind", "memorize"),
    ("talk", "chat", "speak", "converse"),
    ("people", "users", "persons", "folks"),
    ("called", "named", "known as"),
    ("built", "made", "created", "constructed"),
    ("trained", "taught", "schooled"),
    ("clever", "smart", "intelligent", "bright"),
    ("right", "correct", "true", "accurate"),
    ("mistakes", "errors", "slips", "faults"),
    ("help", "assist", "support", "aid"),
    ("skills", "abilities", "talents", "capabilities"),
    ("human", "person", "human being", "man"),
    ("hello", "hi", "hey", "hiya"),
    ("good", "nice", "fine", "great"),
    ("every time", "each time", "always", "all the time"),
    ("directly", "straight", "by hand", "myself"),
    ("internet", "network", "web", "net"),
    ("key", "API key", "api key", "access key"),
    ("keys", "API keys", "api keys", "access keys"),
    ("request", "call", "query"),
    ("requests", "calls", "queries"),
    ("function", "tool", "method"),
    ("functions", "tools", "methods"),
    ("several machines", "a cluster", "many servers", "multiple nodes"),
    ("installed", "set up", "in place"),
    ("private", "confidential", "secret"),
    ("data", "texts", "documents", "information"),
    ("default", "standard", "preset"),
    ("field", "parameter", "property", "attribute"),
    ("write", "put", "enter", "type"),
)
_WEAK_WORDS = frozenset(
    "the a an do does did to of is are am be my i can could it in for on at with this that so and "
    "me please you there have has will would should may if its your any some just".split()
)
_FILLERS = "just really actually maybe please exactly again here now also simply perhaps".split()
_ASIDES_BEFORE = (
    "I am new here.",
    "I am a beginner.",
    "Sorry to bother you.",
    "I have been trying for an hour.",
    "One thing I do not get:",
    "Maybe a silly question:",
    "I have looked everywhere.",
    "My boss asks:",
)
_ASIDES_AFTER = (
    "Any idea?",
    "Thanks in advance.",
    "I am lost.",
    "Please help.",
    "I could not find it.",
    "I need it today.",
    "That would be great.",
)


def varied(source: Source, text: str) -> str:
    """Says it another way, so that what is asked is learnt from the words that carry it.

    For training only: the evaluation asks phrasings as they are written.
    """
    if source.chance(0.5):
        text = reworded(source, text)
    if source.chance(0.25):
        text = with_a_near_word(source, text)
    if source.chance(0.05):
        text = _with_a_strange_word(source, text)
    if source.chance(0.12):
        text = _thinned(source, text)
    if source.chance(0.03):
        text = " ".join(_shuffled_a_little(source, text.split()))
    if source.chance(0.04):
        parts = text.split()
        parts.insert(source.number(0, len(parts)), source.one(_FILLERS))
        text = " ".join(parts)
    if source.chance(0.02):
        text = f"{source.one(_ASIDES_BEFORE)} {text}"
    if source.chance(0.02):
        text = f"{text} {source.one(_ASIDES_AFTER)}"
    return text


def reworded(source: Source, text: str) -> str:
    """Up to two turns of phrase become others that mean the same."""
    found = [
        (row, turn) for row in _ALIKE for turn in row if f" {turn} ".lower() in f" {text} ".lower()
    ]
    for row, turn in source.some(found, min(len(found), source.number(1, 2))):
        other = source.one(row)
        text = re.sub(rf"(?<!\S){re.escape(turn)}(?!\S)", other, text, count=1, flags=re.IGNORECASE)
    return text


def with_a_near_word(source: Source, text: str) -> str:
    """One word becomes another that is near to it and stands in no phrasing."""
    parts = text.split(" ")
    near = neighbours()
    places = [i for i, part in enumerate(parts) if part.lower().rstrip("?.!,") in near]
    if places:
        place = source.one(places)
        bare = parts[place].rstrip("?.!,")
        parts[place] = source.one(near[bare.lower()]) + parts[place][len(bare) :]
    return " ".join(parts)


def with_a_like_word(source: Source, text: str) -> str:
    """One word becomes another for the same thing or deed."""
    parts = text.split(" ")
    others = {place: source.mine(words.like(part.lower())) for place, part in enumerate(parts)}
    places = [place for place, found in others.items() if found]
    if places:
        place = source.one(places)
        parts[place] = source.one(others[place]).replace("_", " ")
    return " ".join(parts)


def _with_a_strange_word(source: Source, text: str) -> str:
    """One word of many becomes another, so that no single word decides alone."""
    parts = text.split()
    if len(parts) > 4:
        parts[source.number(1, len(parts) - 1)] = source.word()
    return " ".join(parts)


def _thinned(source: Source, text: str) -> str:
    """Small words get lost, at times all of them, at times also one that is not small."""
    parts = text.split()
    lost = source.one((0.3, 0.3, 1.0))
    kept = [
        p for p in parts if p.lower().strip("?.!,") not in _WEAK_WORDS or not source.chance(lost)
    ]
    if len(kept) > 4 and source.chance(0.15):
        del kept[source.number(0, len(kept) - 1)]
    return " ".join(kept) if len(kept) > 1 else text


def _shuffled_a_little(source: Source, parts: list[str]) -> list[str]:
    if len(parts) < 3:
        return parts
    at = source.number(0, len(parts) - 2)
    return [*parts[:at], parts[at + 1], parts[at], *parts[at + 2 :]]


def careless(source: Source, text: str) -> str:
    """Loses a small word or slips on a key, sometimes."""
    parts = text.split(" ")
    if len(parts) > 3 and source.chance(0.12):
        droppable = [i for i, part in enumerate(parts) if part.lower() in SMALL_WORDS]
        if droppable:
            del parts[source.one(droppable)]
    if source.chance(0.08):
        long = [i for i, part in enumerate(parts) if len(part) > 4 and part.isalpha()]
        if long:
            place = source.one(long)
            parts[place] = _slip(source, parts[place])
    return " ".join(parts)


def _slip(source: Source, word: str) -> str:
    at = source.number(1, len(word) - 2)
    if source.chance(0.5):
        return word[:at] + word[at + 1 :]
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
