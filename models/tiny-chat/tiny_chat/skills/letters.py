"""Work on words and numbers: copy, spell, count, sort, list, add."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tiny_chat import words
from tiny_chat.dialogue import Dialogue, Reply, assistant, exchange, user
from tiny_chat.manners import spoken
from tiny_chat.skills import talk
from tiny_chat.skills.unknown import unknown
from tiny_chat.source import Source

TOO_LARGE = "That is too large for me; I only do sums to twenty."

_COPY = (
    "repeat [after me|this|the text|]: <v>",
    "[say|echo|write|print|copy|type|quote]: <v>",
    "please [say|repeat|write|echo]: <v>",
    '[say|repeat|echo|write|print] "<v>"',
    "say <v>",
    "copy this[| text| word for word| exactly]: <v>",
    'can you [repeat|say|write] "<v>"?',
    "[repeat|say|write] exactly this: <v>",
    "say after me: <v>",
    "[just|only] [answer|say|reply] with: <v>",
    "repeat <v>",
    'your answer should be "<v>"',
    "[reply|answer] with <v>",
    "say the following: <v>",
    "[please|can you|could you] [repeat|say|write|echo|copy][| this| after me]: <v>",
    "[echo|copy|repeat|say] [the words|the sentence|this sentence|these words|the line]: <v>",
    "[give|send|write] [me|] [back|] exactly: <v>",
    "what I say, you repeat: <v>",
    "[say|write|print] [only|just] <v>",
    "[repeat|echo|copy] what I [say|write]: <v>",
    "now [say|repeat|write] <v>",
    "[say|write] it [back|again]: <v>",
    "parrot this: <v>",
    '[type|output|answer] "<v>"',
)
_SENTENCES = (
    "the <a> <w> jumps over the <a> <w>",
    "I am <n> from <p>",
    "this is a <w>",
    "<n> and <n> went to <p>",
    "the <w> is <a>",
    "hello <n>",
    "my <w> has <d> <w>s",
    "<w>, <w> and <w>",
)


def _copied(source: Source) -> str:
    dice = source.rng.random()
    if dice < 0.4:
        return source.text(1, 6)
    if dice < 0.5:
        return source.code()
    if not source.held_out and dice < 0.7:
        return source.one((talk.greeting, talk.penstock, unknown))(source).messages[0].content
    text = source.phrase(_SENTENCES)
    slots: dict[str, Callable[[], str]] = {
        "<a>": lambda: source.one(words.ADJECTIVES),
        "<w>": source.word,
        "<n>": source.person,
        "<p>": source.place,
        "<d>": lambda: str(source.amount()),
    }
    for slot, make in slots.items():
        while slot in text:
            text = text.replace(slot, make(), 1)
    text = text[0].upper() + text[1:] if source.chance(0.6) else text
    return text + source.one(("", "", ".", "!"))


def copy(source: Source) -> Dialogue:
    value = _copied(source)
    asked = source.phrase(_COPY)
    asked = asked[0].upper() + asked[1:] if source.chance(0.5) else asked
    return exchange(asked.replace("<v>", value), value)


_SPELL = (
    "spell [|the word ]<v>",
    "how do you spell <v>?",
    "[please|can you|could you] spell <v>",
    "spell [this word|out]: <v>",
    "how is <v> [spelled|spelt|written]?",
    "what are the letters [of|in] <v>?",
    "<v> letter by letter",
    "give me the letters of <v>",
    'spell "<v>"',
    "spelling of <v>?",
)
_UPPER = (
    "[uppercase|upper case|capitals|in capitals]: <v>",
    "[write|put] <v> in [capitals|capital letters|upper case]",
    "make <v> uppercase",
    "convert to uppercase: <v>",
    "turn into capitals: <v>",
    "<v> in capital letters",
    "capital letters please: <v>",
)
_BACKWARD = (
    "reverse [the words|the order|this list]: <v>",
    "reverse: <v>",
    "[write|say] the words backwards: <v>",
    "put [these|the] words in reverse order: <v>",
    "turn the words around: <v>",
    "list backwards: <v>",
    "the words from last to first: <v>",
)
_WHICH = (
    "what is the <k> word of: <v>",
    "[give|tell] me the <k> word[| of this]: <v>",
    "<k> word of: <v>",
    'what is the <k> word in "<v>"?',
    "which word is the <k> one: <v>",
    "find the <k> word: <v>",
    "<k> word: <v>",
)
_COUNT_WORDS = (
    "how many words [are in|are there in|are]: <v>",
    "count the words[| in]: <v>",
    "number of words[| in]: <v>",
    "word count: <v>",
    'how many words does "<v>" have?',
    "how many words: <v>",
    "count these words: <v>",
)


def spell(source: Source) -> Dialogue:
    word = source.person().lower() if source.chance(0.15) else source.word()
    asked = spoken(source, source.phrase(_SPELL)).replace("<v>", word)
    return exchange(asked, "-".join(word))


def rewrite(source: Source) -> Dialogue:
    parts = [source.word() for _ in range(source.number(2, 4))]
    if source.chance(0.4):
        parts = parts[:2]
        phrasings, answer = _UPPER, " ".join(parts).upper()
    else:
        phrasings, answer = _BACKWARD, " ".join(reversed(parts))
    return exchange(_asked(source, phrasings, " ".join(parts)), answer)


def which_word(source: Source) -> Dialogue:
    parts = [source.word() for _ in range(source.number(2, 6))]
    position, index = source.one((("first", 0), ("last", -1), ("second", 1)))
    asked = _asked(source, _WHICH, " ".join(parts)).replace("<k>", position)
    return exchange(asked, parts[index])


def count_words(source: Source) -> Dialogue:
    parts = [source.word() for _ in range(source.number(1, 7))]
    return exchange(_asked(source, _COUNT_WORDS, " ".join(parts)), str(len(parts)))


def _asked(source: Source, phrasings: Sequence[str], value: str) -> str:
    asked = source.phrase(phrasings)
    asked = asked[0].upper() + asked[1:] if source.chance(0.5) else asked
    return asked.replace("<v>", value)


_COUNT_TO = (
    "count [|from 1 ]to <n>",
    "please count to <n>",
    "[list|write|say] the numbers [from 1 to|1 to|up to] <n>",
    "numbers from 1 to <n>",
    "can you count to <n>?",
    "count up to <n>",
    "one to <n> please",
    "I want you to count to <n>",
)
_SORT = (
    "sort[| these| this list| the words| alphabetically]: <v>",
    "sort <v>",
    "put [these|this|them|the words] in order: <v>",
    "order [these|the list]: <v>",
    "please sort [|these: ]<v>",
    "[bring|get] into order: <v>",
    "can you sort <v>?",
    "sorted list of <v>",
    "arrange in order: <v>",
)
_NAME_SOME = (
    "[name|list|tell me|give me|say|write] <n> <c>",
    "can you [name|list] <n> <c>?",
    "I need <n> <c>",
    "what are <n> <c>?",
    "please [list|name] <n> <c>",
    "I want [to hear|to see|] <n> <c>",
    "do you know <n> <c>?",
    "<n> <c>",
    "[give|write] me a list of <n> <c>",
    "a list of <n> <c>",
)


def _numeral(source: Source, number: int) -> str:
    return source.one((str(number), words.NUMBER_WORDS[number]))


def count_to(source: Source) -> Dialogue:
    last = source.number(2, 20)
    asked = source.phrase(_COUNT_TO).replace("<n>", _numeral(source, last))
    return exchange(spoken(source, asked), ", ".join(map(str, range(1, last + 1))))


def sort(source: Source) -> Dialogue:
    count = source.number(2, 5)
    if source.chance(0.5):
        numbers = source.some(range(100), count)
        items, ordered = list(map(str, numbers)), list(map(str, sorted(numbers)))
    else:
        items = source.some(words.NOUNS, count)
        ordered = sorted(items)
    return exchange(_asked(source, _SORT, ", ".join(items)), ", ".join(ordered))


def name_some(source: Source) -> Dialogue:
    category = source.one(list(words.CATEGORIES))
    known = words.CATEGORIES[category]
    count = source.number(2, 5)
    asked = source.phrase(_NAME_SOME).replace("<n>", _numeral(source, count))
    answer = ", ".join(source.some(known, count))

    def accept(reply: Reply) -> bool:
        items = reply.content.strip().split(", ")
        return len(items) == len(set(items)) == count and set(items) <= set(known)

    messages = (user(spoken(source, asked.replace("<c>", category))), assistant(answer))
    return Dialogue(messages, accept=accept)


_ADD = (
    "[what is|what's|how much is|calculate|compute|solve|] <a> + <b>[|?]",
    "[what is|what's|how much is] <a> plus <b>?",
    "add <a> and <b>",
    "[the|] sum of <a> and <b>",
    "<a>+<b>",
    "what do <a> and <b> make?",
    "<a> plus <b> is?",
    "<a> + <b> =",
)
_SUBTRACT = (
    "[what is|what's|how much is|calculate|compute|] <a> - <b>[|?]",
    "[what is|what's|how much is] <a> minus <b>?",
    "subtract <b> from <a>",
    "<a>-<b>",
    "take <b> away from <a>",
    "<a> minus <b> is?",
    "<a> - <b> =",
)
_MULTIPLY = (
    "[what is|what's|how much is] <a> times <b>?",
    "[what is|calculate|] <a> * <b>[|?]",
    "multiply <a> by <b>",
    "[what is|] <a> x <b>[|?]",
    "<a>*<b>",
    "<a> times <b> is?",
)


def sums(source: Source) -> Dialogue:
    dice = source.rng.random()
    if dice < 0.5:
        a = source.number(0, 20)
        b = source.number(0, 20 - a)
        asked, sign, result = _sum_question(source, _ADD, a, b), "+", a + b
    elif dice < 0.85:
        a = source.number(0, 20)
        b = source.number(0, a)
        asked, sign, result = _sum_question(source, _SUBTRACT, a, b), "-", a - b
    else:
        a, b = source.number(0, 10), source.number(0, 10)
        asked, sign, result = _sum_question(source, _MULTIPLY, a, b), "*", a * b
    return exchange(asked, f"{a} {sign} {b} = {result}")


def too_large(source: Source) -> Dialogue:
    a, b = source.number(40, 9999), source.number(40, 9999)
    phrasings: Sequence[str] = source.one((_ADD, _SUBTRACT, _MULTIPLY))
    return exchange(_sum_question(source, phrasings, a, b), TOO_LARGE)


def _sum_question(source: Source, phrasings: Sequence[str], a: int, b: int) -> str:
    asked = source.phrase(phrasings)
    in_words = source.chance(0.15) and max(a, b) <= 20 and any(ch.isalpha() for ch in asked)
    shown = (words.NUMBER_WORDS[a], words.NUMBER_WORDS[b]) if in_words else (str(a), str(b))
    asked = asked.replace("<a>", shown[0]).replace("<b>", shown[1])
    return asked[0].upper() + asked[1:] if source.chance(0.5) else asked
