"""Log-probabilities of a chat's tokens."""

from typing import Any

from penstock.conformance.check import check, expect, expect_none
from penstock.conformance.subject import Subject, text_of


@check
def one_entry_per_token(subject: Subject) -> None:
    """With logprobs each token of the answer has an entry, and the end has none.

    Source: OpenAI API reference, logprobs: of each output token in the content.
    """
    question, _ = subject.long_answer()
    answer = subject.chat(question, max_tokens=8, logprobs=True)
    entries, count = _entries(answer), answer["usage"]["completion_tokens"]
    expect(len(entries) == count, f"{len(entries)} entries for {count} tokens")
    positive = [entry["logprob"] for entry in entries if entry["logprob"] > 0]
    expect(not positive, f"a logprob is positive: {positive[:1]}")


@check
def no_alternatives_unasked(subject: Subject) -> None:
    """Without top_logprobs each entry has an empty list of alternatives.

    Source: OpenAI API reference, top_logprobs: required list, as many as asked for.
    """
    answer = subject.chat(max_tokens=4, logprobs=True)
    lengths = {len(entry["top_logprobs"]) for entry in _entries(answer)}
    expect(lengths == {0}, f"lists of {sorted(lengths)}")


@check
def as_many_alternatives_as_asked_for(subject: Subject) -> None:
    """`top_logprobs: 3` gives three alternatives, likeliest first, the chosen at their head.

    Source: OpenAI API reference, top_logprobs.
    """
    for entry in _entries(subject.chat(max_tokens=4, logprobs=True, top_logprobs=3)):
        alternatives = [other["logprob"] for other in entry["top_logprobs"]]
        expect(len(alternatives) == 3, f"{len(alternatives)} alternatives")
        expect(alternatives == sorted(alternatives, reverse=True), "they are not in order")
        first = entry["top_logprobs"][0]["token"]
        expect(entry["token"] == first, f"greedy chose {entry['token']!r}, likeliest is {first!r}")


@check
def zero_alternatives_still_gives_logprobs(subject: Subject) -> None:
    """`top_logprobs: 0` still gives the chosen tokens' logprobs.

    Source: OpenAI's schema CreateChatCompletionRequest: top_logprobs from 0 to 20.
    """
    entries = _entries(subject.chat(max_tokens=4, logprobs=True, top_logprobs=0))
    expect(entries, "there are none")
    expect(not entries[0]["top_logprobs"], "there are alternatives")


@check
def twenty_alternatives_are_taken(subject: Subject) -> None:
    """Up to 20 alternatives can be asked for.

    Source: OpenAI's schema CreateChatCompletionRequest: top_logprobs from 0 to 20.
    """
    entries = _entries(subject.chat(max_tokens=2, logprobs=True, top_logprobs=20))
    lengths = {len(entry["top_logprobs"]) for entry in entries}
    expect(lengths == {20}, f"lists of {sorted(lengths)}")


@check
def bytes_spell_the_content(subject: Subject) -> None:
    """The entries' bytes, put together, are the content's.

    Source: OpenAI API reference, logprobs bytes: combined to generate the correct text.
    """
    question, _ = subject.long_answer()
    answer = subject.chat(question, max_tokens=8, logprobs=True)
    spelled = bytes(byte for entry in _entries(answer) for byte in entry["bytes"] or ())
    content = text_of(answer).encode()
    expect(spelled == content, f"{spelled[:40]!r} is not {content[:40]!r}")


@check
def content_and_refusal_are_there(subject: Subject) -> None:
    """The object has both content and refusal.

    Source: OpenAI's schema CreateChatCompletionResponse: both required.
    """
    found = subject.chat(max_tokens=2, logprobs=True)["choices"][0]["logprobs"]
    missing = {"content", "refusal"} - set(found or {})
    expect(not missing, f"missing: {', '.join(sorted(missing))}")


@check
def streamed_logprobs_are_those_of_the_whole(subject: Subject) -> None:
    """A stream has the same tokens, with the same logprobs, in its chunks.

    Source: OpenAI's schema CreateChatCompletionStreamResponse.
    """
    question, _ = subject.long_answer()
    fields = {"max_tokens": 8, "logprobs": True, "top_logprobs": 2}
    whole = _entries(subject.chat(question, **fields))
    streamed: list[dict[str, Any]] = []
    for choice in subject.chat_stream(question, **fields).choices():
        streamed += (choice.get("logprobs") or {}).get("content") or []
    tokens = [entry["token"] for entry in whole]
    expect([entry["token"] for entry in streamed] == tokens, "the tokens are others")
    apart = max(abs(a["logprob"] - b["logprob"]) for a, b in zip(whole, streamed, strict=True))
    expect(apart < 0.01, f"a logprob differs by {apart:.3f}")


@check
def wrong_use_is_refused(subject: Subject) -> None:
    """top_logprobs without logprobs, 21 of them, and -1 are refused.

    Source: OpenAI API reference, top_logprobs: logprobs must be true; 0 to 20.
    """
    fields: dict[str, dict[str, Any]] = {
        "without logprobs": {"top_logprobs": 2},
        "21": {"logprobs": True, "top_logprobs": 21},
        "-1": {"logprobs": True, "top_logprobs": -1},
        "logprobs 3": {"logprobs": 3},
    }
    bodies = {label: subject.chat_body(**each) for label, each in fields.items()}
    expect_none(subject.accepted("/chat/completions", bodies))


def _entries(answer: Any) -> list[dict[str, Any]]:
    found = answer["choices"][0].get("logprobs")
    expect(found and found.get("content"), "there are no logprobs")
    return list(found["content"])
