"""What was consumed."""

from penstock.conformance.check import check, expect
from penstock.conformance.subject import Subject

COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")


@check
def total_is_the_sum(subject: Subject) -> None:
    """total_tokens is prompt_tokens and completion_tokens together.

    Source: OpenAI's schema CompletionUsage.
    """
    usage = subject.chat()["usage"]
    prompt, completion, total = (usage[key] for key in COUNTS)
    expect(total == prompt + completion, f"{prompt} + {completion} is not {total}")
    expect(prompt > 0, "no prompt tokens")


@check
def streamed_usage_is_that_of_the_whole(subject: Subject) -> None:
    """A stream counts what the whole answer counts.

    Source: OpenAI API reference, stream_options.include_usage: for the entire request.
    """
    question, _ = subject.long_answer()
    whole = subject.chat(question)["usage"]
    streamed = subject.chat_stream(question, stream_options={"include_usage": True}).usage
    wrong = {key: (streamed[key], whole[key]) for key in COUNTS if streamed[key] != whole[key]}
    expect(not wrong, f"streamed against whole: {wrong}")


@check
def repeating_changes_nothing(subject: Subject) -> None:
    """A prompt counts the same when the server has seen it before.

    Source: OpenAI guide, prompt caching: cached tokens are a part of prompt_tokens.
    """
    question = "This very question is asked three times in a row, for a reason."
    usages = [subject.chat(question, max_tokens=1)["usage"] for _ in range(3)]
    counts = [usage["prompt_tokens"] for usage in usages]
    expect(len(set(counts)) == 1, f"prompt tokens {counts}")


@check
def cached_tokens_are_prompt_tokens(subject: Subject) -> None:
    """Cached tokens, where they are told, are a part of the prompt tokens.

    Source: OpenAI's schema CompletionUsage, prompt_tokens_details.
    """
    for _ in range(2):
        usage = subject.chat("Is this in the cache?", max_tokens=1)["usage"]
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        whole = usage["prompt_tokens"]
        expect(0 <= cached <= whole, f"{cached} cached of {whole}")


@check
def longer_prompts_count_more(subject: Subject) -> None:
    """A longer prompt has more prompt tokens.

    Source: OpenAI's schema CompletionUsage.
    """
    short = subject.chat("one", max_tokens=1)["usage"]["prompt_tokens"]
    long = subject.chat("one two three four five six", max_tokens=1)["usage"]["prompt_tokens"]
    expect(long >= short + 4, f"{short} tokens for one word, {long} for six")


@check
def cut_answers_count_their_bound(subject: Subject) -> None:
    """An answer that ended by length has as many completion tokens as its bound.

    Source: OpenAI API reference, max_tokens and usage.
    """
    question, _ = subject.long_answer()
    for bound in (1, 5):
        answer = subject.chat(question, max_tokens=bound)
        if answer["choices"][0]["finish_reason"] == "length":
            count = answer["usage"]["completion_tokens"]
            expect(count == bound, f"{count} tokens with a bound of {bound}")
