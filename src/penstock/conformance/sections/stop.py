"""Where a stop string ends an answer."""

from typing import Any

from penstock.conformance.check import Skipped, check, expect, expect_none
from penstock.conformance.subject import Subject, text_of

TOKENS = 48


@check
def text_ends_before_the_match(subject: Subject) -> None:
    """The answer is exactly the text before the stop string.

    Source: OpenAI API reference, stop: the returned text will not contain the stop sequence.
    """
    question, whole = subject.long_answer(TOKENS)
    stop = _middle(whole)
    _same(_stopped(subject, question, stop), whole[: whole.index(stop)])


@check
def finish_reason_is_stop(subject: Subject) -> None:
    """An answer that a stop string ended has the finish reason stop.

    Source: OpenAI API reference, finish_reason.
    """
    question, whole = subject.long_answer(TOKENS)
    answer = subject.chat(question, max_tokens=TOKENS, stop=_middle(whole))
    reason = answer["choices"][0]["finish_reason"]
    expect(reason == "stop", f"finish_reason {reason!r}")


@check
def earliest_match_counts(subject: Subject) -> None:
    """Of several stop strings the one that comes first in the text ends it.

    Source: OpenAI API reference, stop: up to four sequences.
    """
    question, whole = subject.long_answer(TOKENS)
    early, late = _middle(whole, 0.3), _middle(whole, 0.7)
    end = min(whole.index(early), whole.index(late))
    _same(_stopped(subject, question, [late, "never in the text", early]), whole[:end])


@check
def match_may_span_tokens(subject: Subject) -> None:
    """A stop string that begins and ends within words is found.

    Source: OpenAI API reference, stop: sequences are text, not tokens.
    """
    question, whole = subject.long_answer(TOKENS)
    for i in range(2, len(whole) - 4):
        stop = whole[i : i + 5]
        if stop[2] == " " and whole.index(stop) == i and "\n" not in stop:
            _same(_stopped(subject, question, stop), whole[:i])
            return
    raise Skipped("no two words in the model's answer")


@check
def streams_stop_at_the_same_place(subject: Subject) -> None:
    """A stream ends where the whole answer does, and shows no piece of the stop string.

    Source: OpenAI API reference, stop and stream.
    """
    question, whole = subject.long_answer(TOKENS)
    stop = _middle(whole)
    stream = subject.chat_stream(question, max_tokens=TOKENS, stop=stop)
    _same(stream.text(), whole[: whole.index(stop)])
    expect(stream.finish_reason() == "stop", f"finish_reason {stream.finish_reason()!r}")


@check
def held_back_text_is_flushed(subject: Subject) -> None:
    """Text that might begin a stop string is still told when the answer ends without it.

    Source: OpenAI API reference, stop: without a match the text is whole.
    """
    question, whole = subject.long_answer(TOKENS)
    stop = whole[-3:] + "\u2603 never"
    streamed = subject.chat_stream(question, max_tokens=TOKENS, stop=stop).text()
    expect(streamed == whole, f"streamed {streamed[-30:]!r}, the text is {whole[-30:]!r}")
    plain = _stopped(subject, question, stop)
    expect(plain == whole, f"whole {plain[-30:]!r}, the text is {whole[-30:]!r}")


@check
def prompt_is_not_searched(subject: Subject) -> None:
    """A stop string in the prompt stops nothing.

    Source: OpenAI API reference, stop: where the API will stop generating.
    """
    question, whole = subject.long_answer(TOKENS)
    word = max(question.split(), key=lambda word: (word not in whole, len(word)))
    if word in whole:
        raise Skipped("the answer repeats the question")
    _same(_stopped(subject, question, word), whole)


@check
def four_strings_are_taken(subject: Subject) -> None:
    """Up to four stop strings are taken, and a list of one is the same as the string.

    Source: OpenAI API reference, stop: up to 4 sequences.
    """
    question, whole = subject.long_answer(TOKENS)
    stop = _middle(whole)
    end = whole[: whole.index(stop)]
    _same(_stopped(subject, question, [stop]), end)
    _same(_stopped(subject, question, ["\u2603a", "\u2603b", "\u2603c", stop]), end)


@check
def other_types_are_refused(subject: Subject) -> None:
    """A number, an object, a list of numbers and more than 16 strings are refused.

    Source: OpenAI API reference, stop: string or array; OpenAI takes 4, others up to 16.
    """
    values = {"5": 5, "{}": {"a": 1}, "[1]": [1], "17 strings": [f"s{i}" for i in range(17)]}
    bodies = {label: subject.chat_body(stop=value) for label, value in values.items()}
    expect_none(subject.accepted("/chat/completions", bodies))


def _middle(text: str, where: float = 0.5) -> str:
    """A few characters out of the text, the first time that they come."""
    start = int(len(text) * where)
    return text[start : start + 4]


def _stopped(subject: Subject, question: str, stop: Any) -> str:
    return text_of(subject.chat(question, max_tokens=TOKENS, stop=stop))


def _same(found: str, expected: str) -> None:
    expect(found == expected, f"the text ends {found[-30:]!r}, not {expected[-30:]!r}")
