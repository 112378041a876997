"""How tokens are chosen."""

from typing import Any

from penstock.conformance.check import Failed, check, expect, expect_none
from penstock.conformance.subject import Subject, text_of

TOKENS = 48


@check
def temperature_0_repeats(subject: Subject) -> None:
    """At temperature 0 the same question gets the same answer.

    Source: OpenAI API reference, temperature: lower values make it more deterministic.
    """
    question, _ = subject.long_answer(TOKENS)
    answers = {_answer(subject, question) for _ in range(3)}
    expect(len(answers) == 1, f"{len(answers)} different answers of 3")


@check
def temperature_2_varies(subject: Subject) -> None:
    """At temperature 2 answers differ.

    Source: OpenAI API reference, temperature: higher values make the output more random.
    """
    question, _ = subject.long_answer(TOKENS)
    answers = {_answer(subject, question, temperature=2, top_p=1) for _ in range(4)}
    expect(len(answers) > 1, "four answers are the same")


@check
def seed_repeats(subject: Subject) -> None:
    """The same seed gives the same answer, also at temperature 2.

    Source: OpenAI API reference, seed: a best effort to sample deterministically.
    """
    question, _ = subject.long_answer(TOKENS)
    for seed in (1, 42):
        one, other = (_answer(subject, question, temperature=2, seed=seed) for _ in range(2))
        expect(one == other, f"{one[:40]!r}, then {other[:40]!r}")


@check
def seeds_differ(subject: Subject) -> None:
    """Different seeds give different answers at temperature 2.

    Source: OpenAI API reference, seed and temperature.
    """
    question, _ = subject.long_answer(TOKENS)
    answers = {_answer(subject, question, temperature=2, seed=seed) for seed in range(4)}
    expect(len(answers) > 1, "four seeds give the same answer")


@check
def tiny_top_p_is_greedy(subject: Subject) -> None:
    """With top_p near 0 only the likeliest token is left, as at temperature 0.

    Source: OpenAI API reference, top_p: the tokens comprising the top probability mass.
    """
    question, whole = subject.long_answer(TOKENS)
    found = _answer(subject, question, temperature=1, top_p=0.000001)
    expect(found == whole, f"{found[:40]!r}, greedy {whole[:40]!r}")


@check
def logit_bias_has_effect(subject: Subject) -> None:
    """A bias of 100 on a token changes the answer.

    Source: OpenAI API reference, logit_bias: 100 should result in exclusive selection.
    """
    question, whole = subject.long_answer(TOKENS)
    found = {_answer(subject, question, logit_bias={str(i): 100}) for i in (100, 200, 300)}
    expect(found != {whole}, "three tokens have been biased, and the answer is the same")


@check
def logit_bias_takes_token_ids_only(subject: Subject) -> None:
    """A key of logit_bias that is no token id is refused, and so is a value beyond 100.

    Source: OpenAI API reference, logit_bias: token IDs mapped to a value from -100 to 100.
    """
    values = {"a word": {"hello": 5}, "101": {"100": 101}, "a list": [[100, 5]]}
    bodies = {label: subject.chat_body(logit_bias=value) for label, value in values.items()}
    expect_none(subject.accepted("/chat/completions", bodies))


@check
def frequency_penalty_has_effect(subject: Subject) -> None:
    """A frequency penalty of 2, or of -2, changes a long answer, greedy or sampled with a seed.

    Source: OpenAI API reference, frequency_penalty.
    """
    _expect_effect(subject, "frequency_penalty")


@check
def presence_penalty_has_effect(subject: Subject) -> None:
    """A presence penalty of 2, or of -2, changes a long answer, greedy or sampled with a seed.

    Source: OpenAI API reference, presence_penalty.
    """
    _expect_effect(subject, "presence_penalty")


@check
def default_temperature_is_1(subject: Subject) -> None:
    """Without a temperature answers are sampled at 1, not greedily: with a seed, as with 1 given.

    Source: OpenAI API reference, temperature and top_p default to 1.
    """
    question, _ = subject.long_answer(TOKENS)
    differing = []
    for seed in range(3):
        body = subject.chat_body(question, max_tokens=TOKENS, seed=seed, temperature=None)
        del body["temperature"]
        silent = text_of(subject.ok("/chat/completions", body))
        spoken = _answer(subject, question, temperature=1, top_p=1, seed=seed)
        if silent != spoken:
            differing.append(seed)
    expect(not differing, f"{len(differing)} of 3 seeded answers differ from temperature 1")


def _expect_effect(subject: Subject, penalty: str) -> None:
    question, _ = subject.long_answer(TOKENS)
    for fields in ({}, *({"temperature": 2, "seed": seed} for seed in range(8))):
        without, *found = (
            _answer(subject, question, **fields, **{penalty: value}) for value in (0, 2, -2)
        )
        if set(found) != {without}:
            return
    raise Failed("the answer is the same with 2, with -2 and with 0")


def _answer(subject: Subject, question: str, **fields: Any) -> str:
    return text_of(subject.chat(question, **{"max_tokens": TOKENS, **fields}))
