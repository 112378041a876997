"""How people really type: greetings before a question, missing capitals, lost words, typos."""

from __future__ import annotations

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
_DROPPABLE = frozenset(
    ["the", "a", "an", "do", "to", "of", "is", "my", "i", "can", "it", "in", "for"]
)


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
        text = f"{text.rstrip('?.!')} {source.one(_AFTER)}{'' if mark == '.' else mark}"
    text = cased(source, text)
    dice = source.rng.random()
    if dice < 0.14:
        return text.rstrip("?.!").lower()
    if dice < 0.24:
        return text.rstrip("?.!")
    if dice < 0.28 and not text.endswith(("?", "!", ".")):
        return text + source.one((".", "!", "?"))
    return text


def careless(source: Source, text: str) -> str:
    """Loses a small word or slips on a key, sometimes."""
    parts = text.split(" ")
    if len(parts) > 3 and source.chance(0.12):
        droppable = [i for i, part in enumerate(parts) if part.lower() in _DROPPABLE]
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
