"""Completions of a raw prompt."""

from typing import Any

from penstock.conformance.check import check, expect, expect_none
from penstock.conformance.schema import complaints, null_complaints
from penstock.conformance.subject import Subject, official, text_of

PROMPT = "Once upon a time"
ODD_PROMPT = "  Two spaces\n\na line, and a tab\t"
#: Every optional field of OpenAI's that may be null.
NULLABLE = (
    "best_of",
    "echo",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_tokens",
    "n",
    "presence_penalty",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "suffix",
    "temperature",
    "top_p",
)
#: Token ids that every vocabulary has.
IDS = [100, 200, 300, 400]


@check
def answer_fits_the_schema(subject: Subject) -> None:
    """An answer fits OpenAI's schema.

    Source: OpenAI's schema CreateCompletionResponse.
    """
    expect_none(complaints(subject.complete(PROMPT), "CreateCompletionResponse")[:4])


@check
def no_null_where_none_is_allowed(subject: Subject) -> None:
    """What is not there is left out, where OpenAI's schema has no null for it.

    Source: OpenAI's schema CreateCompletionResponse.
    """
    expect_none(null_complaints(subject.complete(PROMPT), "CreateCompletionResponse")[:4])


@check
def chunks_fit_the_schema(subject: Subject) -> None:
    """Every chunk of a stream fits the schema; each has text, the last one too.

    Source: OpenAI's schema CreateCompletionResponse, as streamed: finish_reason may be null.
    """
    events = subject.completion_stream(PROMPT).events
    found = (complaints(event, "CompletionChunk") for event in events)
    expect_none([complaint for each in found for complaint in each][:3])


@check
def official_client_completes(subject: Subject) -> None:
    """The official client gets the same text streamed and whole.

    Source: openai-python, completions.create.
    """
    fields: dict[str, Any] = {
        "model": subject.models.of("completions"),
        "prompt": PROMPT,
        "max_tokens": 16,
        "temperature": 0,
    }
    with official():
        whole = subject.client.completions.create(**fields).choices[0].text
        chunks = list(subject.client.completions.create(**fields, stream=True))
    texts = [choice.text for chunk in chunks for choice in chunk.choices]
    expect(None not in texts, "a chunk's text is null, which clients join with others")
    streamed = "".join(texts)
    expect(streamed == whole, f"{streamed!r} streamed, {whole!r} whole")


@check
def null_means_the_default(subject: Subject) -> None:
    """Every optional field may be null, which means its default.

    Source: OpenAI's schema CreateCompletionRequest (nullable fields); SDKs send them.
    """
    problems = []
    for name in NULLABLE:
        reply = subject.post("/completions", subject.completion_body(PROMPT) | {name: None})
        if reply.status != 200:
            problems.append(f"{name}: status {reply.status}")
    expect_none(problems)


@check
def sixteen_tokens_by_default(subject: Subject) -> None:
    """Without max_tokens at most 16 tokens are made.

    Source: OpenAI API reference, completions: max_tokens defaults to 16.
    """
    body = subject.completion_body(PROMPT)
    del body["max_tokens"]
    count = subject.ok("/completions", body)["usage"]["completion_tokens"]
    expect(count <= 16, f"{count} tokens")


@check
def lists_are_answered_in_order(subject: Subject) -> None:
    """A list of prompts gets n choices for each, at index prompt times n plus choice.

    Source: OpenAI API reference, prompt: array of strings; n.
    """
    prompts = [PROMPT, "The river"]
    alone = [text_of(subject.complete(prompt, max_tokens=8)) for prompt in prompts]
    answer = subject.complete(prompts, n=2, max_tokens=8)
    indices = sorted(choice["index"] for choice in answer["choices"])
    expect(indices == [0, 1, 2, 3], f"indices {indices}")
    together = [text_of(answer, i) for i in range(4)]
    expected = [alone[0], alone[0], alone[1], alone[1]]
    expect(together == expected, f"{together} is not {expected}")


@check
def token_ids_are_a_prompt(subject: Subject) -> None:
    """A list of token ids is a prompt of so many tokens, and a list of lists several.

    Source: OpenAI API reference, prompt: array of tokens, array of token arrays.
    """
    one = subject.complete(IDS, max_tokens=8)
    count = one["usage"]["prompt_tokens"]
    expect(count == len(IDS), f"{count} prompt tokens for {len(IDS)} ids")
    two = subject.complete([IDS, IDS[:2]], max_tokens=8)
    expect(len(two["choices"]) == 2, f"{len(two['choices'])} choices for two lists")
    expect(text_of(two) == text_of(one), "the first of two lists is answered otherwise than alone")


@check
def usage_of_lists_is_the_sum(subject: Subject) -> None:
    """The prompt tokens of a list are those of its prompts together.

    Source: OpenAI API reference, usage.
    """
    prompts = [PROMPT, "The river is long and the mill is old"]
    alone = [subject.complete(p, max_tokens=2)["usage"]["prompt_tokens"] for p in prompts]
    together = subject.complete(prompts, max_tokens=2)["usage"]["prompt_tokens"]
    expect(together == sum(alone), f"{together} together, {alone} alone")


@check
def streamed_lists_finish_everywhere(subject: Subject) -> None:
    """A stream for a list of prompts has text and a finish reason for each index.

    Source: OpenAI API reference, stream and prompt: array of strings.
    """
    stream = subject.completion_stream([PROMPT, "The river"], max_tokens=8)
    problems = []
    for index in (0, 1):
        finished = [choice for choice in stream.choices(index) if choice.get("finish_reason")]
        if len(finished) != 1:
            problems.append(f"index {index}: {len(finished)} finish reasons")
    expect_none(problems)


@check
def streamed_usage_when_asked(subject: Subject) -> None:
    """With include_usage the last chunk has usage and no choices, and those before have null.

    Source: OpenAI API reference, completions: stream_options.
    """
    *before, last = subject.completion_stream(PROMPT, stream_options={"include_usage": True}).events
    expect(last.get("choices") == [], f"the last one's choices: {str(last.get('choices'))[:60]}")
    expect(isinstance(last.get("usage"), dict), f"the last one's usage: {last.get('usage')}")
    expect(all("usage" in event for event in before), "a chunk before has no usage")
    expect(not any(event["usage"] for event in before), "a chunk before has usage")


@check
def echo_gives_the_prompt_back(subject: Subject) -> None:
    """`echo` puts the prompt before the text, byte for byte.

    Source: OpenAI API reference, echo.
    """
    problems = []
    for prompt in (PROMPT, ODD_PROMPT):
        text = text_of(subject.complete(prompt, echo=True, max_tokens=4))
        if not text.startswith(prompt):
            problems.append(f"{text[:40]!r} does not begin with {prompt!r}")
    expect_none(problems)


@check
def echo_is_streamed_for_every_prompt(subject: Subject) -> None:
    """`echo` is honoured in streams, for each prompt of a list.

    Source: OpenAI API reference, echo and stream.
    """
    prompts = [PROMPT, "The river"]
    stream = subject.completion_stream(prompts, echo=True, max_tokens=4)
    wrong = [i for i, prompt in enumerate(prompts) if not stream.text(i).startswith(prompt)]
    expect(not wrong, f"no echo at index {wrong}")


@check
def echo_alone_makes_no_token(subject: Subject) -> None:
    """`echo` with max_tokens 0 gives the prompt back and nothing more.

    Source: OpenAI API reference, echo; evaluation harnesses score prompts in this way.
    """
    answer = subject.complete(PROMPT, echo=True, max_tokens=0)
    text, count = text_of(answer), answer["usage"]["completion_tokens"]
    expect(text == PROMPT, f"the text is {text!r}")
    expect(count == 0, f"{count} completion tokens")


@check
def echo_is_not_counted_as_completion(subject: Subject) -> None:
    """What `echo` repeats is not counted as completion.

    Source: OpenAI API reference, usage: tokens in the generated completion.
    """
    plain = subject.complete(PROMPT, max_tokens=4)["usage"]
    echoed = subject.complete(PROMPT, max_tokens=4, echo=True)["usage"]
    for key in ("prompt_tokens", "completion_tokens"):
        expect(echoed[key] == plain[key], f"{key}: {echoed[key]} with echo, {plain[key]} without")


@check
def logprobs_have_the_old_shape(subject: Subject) -> None:
    """`logprobs` gives tokens, token_logprobs, top_logprobs and text_offset, of one length.

    Source: OpenAI's schema CreateCompletionResponse, logprobs.
    """
    answer = subject.complete(PROMPT, logprobs=2, max_tokens=8)
    found = _logprobs(answer)
    lengths = {key: len(found[key] or ()) for key in KEYS}
    count = answer["usage"]["completion_tokens"]
    expect(set(lengths.values()) == {count}, f"{lengths} for {count} tokens")
    expect("".join(found["tokens"]) == text_of(answer), "the tokens do not spell the text")


@check
def offsets_point_into_the_text(subject: Subject) -> None:
    """Each text_offset is where its token begins in the text.

    Source: OpenAI's schema CreateCompletionResponse, logprobs.text_offset.
    """
    answer = subject.complete(PROMPT, logprobs=1, max_tokens=8, echo=True)
    found, text = _logprobs(answer), text_of(answer)
    for token, offset in zip(found["tokens"], found["text_offset"], strict=True):
        expect(text.startswith(token, offset), f"{token!r} is not at {offset} of {text[:60]!r}")


@check
def top_logprobs_hold_the_likeliest(subject: Subject) -> None:
    """`logprobs: 2` gives two alternatives, or three with the chosen token, for each token.

    Source: OpenAI API reference, logprobs: may be up to logprobs+1 elements.
    """
    found = _logprobs(subject.complete(PROMPT, logprobs=2, max_tokens=8))
    expect(found["top_logprobs"], "there are none")
    for token, own, top in zip(
        found["tokens"], found["token_logprobs"], found["top_logprobs"], strict=True
    ):
        expect(len(top) in (2, 3), f"{len(top)} alternatives")
        expect(own == max(top.values()), f"{token!r} was chosen greedily and is not the likeliest")


@check
def logprobs_0_gives_the_chosen(subject: Subject) -> None:
    """`logprobs: 0` gives the chosen tokens' logprobs.

    Source: OpenAI's schema CreateCompletionRequest: logprobs from 0 to 5.
    """
    found = _logprobs(subject.complete(PROMPT, logprobs=0, max_tokens=4))
    expect(found["token_logprobs"], "there are none")


@check
def echoed_prompt_has_logprobs(subject: Subject) -> None:
    """`echo` with `logprobs` scores the prompt: an entry for each token, the first null.

    Source: OpenAI API reference, echo and logprobs; lm-evaluation-harness rests on it.
    """
    answer = subject.complete(PROMPT, echo=True, logprobs=1, max_tokens=0)
    found, count = _logprobs(answer), answer["usage"]["prompt_tokens"]
    scores = found["token_logprobs"]
    expect(len(scores) in (count, count - 1), f"{len(scores)} entries for {count} tokens")
    expect(scores[0] is None, f"the first is {scores[0]}")
    expect(all(s is not None and s <= 0 for s in scores[1:]), f"logprobs {scores[:4]}")
    expect("".join(found["tokens"]) == PROMPT, "the tokens do not spell the prompt")


@check
def evaluation_harness_can_score(subject: Subject) -> None:
    """Lists of token ids with echo, logprobs 1 and max_tokens 1 are scored as the harness reads it.

    Source: lm-evaluation-harness, local-completions: token_logprobs, and top_logprobs beside it.
    """
    answer = subject.complete([IDS, IDS[:3]], echo=True, logprobs=1, max_tokens=1, seed=1234)
    for index, ids in enumerate((IDS, IDS[:3])):
        found = _logprobs(answer, index)
        scores, top = found["token_logprobs"], found["top_logprobs"]
        expect(len(scores) == len(ids) + 1, f"{len(scores)} entries for {len(ids)} ids and 1 token")
        for score, likeliest in zip(scores[1:], top[1:], strict=True):
            expect(score <= max(likeliest.values()), f"{score} is above the likeliest")
        expect(scores[-1] == max(top[-1].values()), "the greedy token is not the likeliest")


@check
def best_of_below_n_is_refused(subject: Subject) -> None:
    """best_of below n is refused.

    Source: OpenAI API reference, best_of: must be greater than n.
    """
    body = subject.completion_body(PROMPT, n=2, best_of=1, max_tokens=2)
    expect_none(subject.accepted("/completions", {"n 2, best_of 1": body}))


@check
def suffix_is_honoured_or_refused(subject: Subject) -> None:
    """A suffix reaches the model, or is refused; it is not dropped.

    Source: OpenAI API reference, suffix: comes after a completion of inserted text.
    """
    plain = subject.complete("def add(a, b):\n    ", max_tokens=2)["usage"]["prompt_tokens"]
    body = subject.completion_body(
        "def add(a, b):\n    ", suffix="\n    return total\n", max_tokens=2
    )
    reply = subject.post("/completions", body)
    if reply.status == 400:
        return
    expect(reply.status == 200, f"status {reply.status}: {reply.complaint}")
    count = reply.json["usage"]["prompt_tokens"]
    expect(count > plain, "it was taken, and the prompt is no longer for it")


@check
def wrong_prompts_are_refused(subject: Subject) -> None:
    """Empty and mixed lists, ids below zero and beyond any vocabulary are refused.

    Source: OpenAI's schema CreateCompletionRequest, prompt.
    """
    prompts: dict[str, object] = {
        "[]": [],
        "[[]]": [[]],
        "mixed": ["a", [1]],
        "text and a number": ["a", 1],
        "-1": [-1],
        "an id of 2^31 - 1": [2**31 - 1],
        "1.5": [1.5],
        "5": 5,
        "an object": {"a": 1},
    }
    bodies = {label: subject.completion_body(p, max_tokens=1) for label, p in prompts.items()}
    expect_none(subject.accepted("/completions", bodies))


@check
def stop_is_not_searched_in_the_echo(subject: Subject) -> None:
    """A stop string within the echoed prompt stops nothing.

    Source: OpenAI API reference, stop and echo.
    """
    free = text_of(subject.complete(PROMPT, max_tokens=4))
    text = text_of(subject.complete(PROMPT, echo=True, stop="upon", max_tokens=4))
    expected = PROMPT + free.partition("upon")[0]
    expect(text == expected, f"the text is {text!r}")


KEYS = ("tokens", "token_logprobs", "top_logprobs", "text_offset")


def _logprobs(answer: Any, index: int = 0) -> dict[str, Any]:
    choice = next(choice for choice in answer["choices"] if choice["index"] == index)
    found = choice.get("logprobs")
    expect(isinstance(found, dict), f"logprobs are {found!r}")
    missing = [key for key in KEYS if key not in found]
    expect(not missing, f"logprobs without {', '.join(missing)}")
    empty = [key for key in KEYS if found[key] is None and key != "top_logprobs"]
    expect(not empty, f"null in logprobs: {', '.join(empty)}")
    return dict(found)
