"""Several choices for one request."""

from penstock.conformance.check import check, expect, expect_none
from penstock.conformance.subject import Subject, texts_of


@check
def as_many_as_asked_for(subject: Subject) -> None:
    """`n` choices come, with the indices 0 to n - 1.

    Source: OpenAI API reference, n.
    """
    answer = subject.chat(n=3, max_tokens=4)
    indices = sorted(choice["index"] for choice in answer["choices"])
    expect(indices == [0, 1, 2], f"indices {indices}")


@check
def choices_differ(subject: Subject) -> None:
    """At temperature 2 the choices of a request differ, also with a seed.

    Source: OpenAI API reference, n: how many choices to generate.
    """
    question, _ = subject.long_answer()
    for more in ({}, {"seed": 7}):
        answer = subject.chat(question, n=4, temperature=2, max_tokens=24, **more)
        texts = texts_of(answer)
        expect(len(set(texts)) > 1, f"{len(texts)} choices are the same {more or ''}")


@check
def usage_counts_the_prompt_once(subject: Subject) -> None:
    """The prompt is counted once, however many choices there are.

    Source: OpenAI API reference, usage: tokens in the prompt.
    """
    one = subject.chat(max_tokens=4)["usage"]["prompt_tokens"]
    three = subject.chat(max_tokens=4, n=3)["usage"]["prompt_tokens"]
    expect(three == one, f"{three} prompt tokens for 3 choices, {one} for one")


@check
def usage_counts_every_choice(subject: Subject) -> None:
    """The completion tokens of all choices are counted.

    Source: OpenAI API reference, n: you will be charged for the tokens across all choices.
    """
    question, _ = subject.long_answer()
    answer = subject.chat(question, n=3, max_tokens=4)
    cut = sum(choice["finish_reason"] == "length" for choice in answer["choices"])
    count = answer["usage"]["completion_tokens"]
    expect(count >= 4 * cut, f"{count} completion tokens for {cut} choices of 4")


@check
def streams_interleave(subject: Subject) -> None:
    """A stream has all choices: text, one finish reason and a role for each index.

    Source: OpenAI API reference, chat completion chunk: index of the choice.
    """
    question, _ = subject.long_answer()
    stream = subject.chat_stream(question, n=3, max_tokens=6)
    problems = []
    for index in range(3):
        choices = list(stream.choices(index))
        finished = [choice for choice in choices if choice.get("finish_reason")]
        if not choices or len(finished) != 1 or choices[-1] is not finished[0]:
            problems.append(f"choice {index}: {len(choices)} chunks, {len(finished)} finish")
        elif choices[0]["delta"].get("role") != "assistant":
            problems.append(f"choice {index} has no role")
    expect_none(problems)


@check
def streamed_usage_is_that_of_the_whole(subject: Subject) -> None:
    """With several choices a stream ends with one usage, that of the whole answer.

    Source: OpenAI API reference, stream_options.include_usage: for the entire request.
    """
    question, _ = subject.long_answer()
    whole = subject.chat(question, n=3, max_tokens=4)["usage"]
    stream = subject.chat_stream(
        question, n=3, max_tokens=4, stream_options={"include_usage": True}
    )
    told = [event for event in stream.events if event.get("usage")]
    expect(len(told) == 1, f"usage is told {len(told)} times")
    pairs = {key: (stream.usage[key], whole[key]) for key in ("prompt_tokens", "completion_tokens")}
    wrong = {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
    expect(not wrong, f"streamed against whole: {wrong}")


@check
def out_of_range_is_refused(subject: Subject) -> None:
    """`n` of 0, of 129 and of 1.5 are refused.

    Source: OpenAI's schema CreateChatCompletionRequest: integer, 1 to 128.
    """
    bodies = {str(n): subject.chat_body(n=n, max_tokens=1) for n in (0, -1, 129, 1.5)}
    expect_none(subject.accepted("/chat/completions", bodies))
