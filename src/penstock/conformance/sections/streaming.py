"""Chat completions as event streams."""

from typing import Any

from penstock.conformance.check import Failed, Skipped, check, expect, expect_none
from penstock.conformance.schema import complaints, null_complaints
from penstock.conformance.subject import Subject, official

WITH_USAGE = {"stream_options": {"include_usage": True}}
MULTIBYTE = "Größe 東京 🌊 naïve"


@check
def chunks_fit_the_schema(subject: Subject) -> None:
    """Every chunk fits OpenAI's schema; finish_reason is there in each, null until the end.

    Source: OpenAI's schema CreateChatCompletionStreamResponse.
    """
    found = (complaints(e, "CreateChatCompletionStreamResponse") for e in _events(subject))
    expect_none([complaint for each in found for complaint in each][:3])


@check
def no_null_where_none_is_allowed(subject: Subject) -> None:
    """What a chunk does not have is left out, where OpenAI's schema has no null for it.

    Source: OpenAI's schema CreateChatCompletionStreamResponse.
    """
    found = (null_complaints(e, "CreateChatCompletionStreamResponse") for e in _events(subject))
    expect_none([complaint for each in found for complaint in each][:3])


@check
def content_type_is_event_stream(subject: Subject) -> None:
    """The answer's type is text/event-stream.

    Source: HTML standard, server-sent events; OpenAI API reference, streaming.
    """
    found = subject.chat_stream().content_type
    expect(found.startswith("text/event-stream"), f"content-type {found!r}")


@check
def ends_with_done(subject: Subject) -> None:
    """The last event is [DONE], once; all others are JSON objects.

    Source: OpenAI API reference, stream: terminated by a data: [DONE] message.
    """
    stream = subject.chat_stream()
    expect(stream.payloads[-1] == "[DONE]", f"the last event is {stream.payloads[-1][:60]!r}")
    expect(stream.payloads.count("[DONE]") == 1, "there is more than one [DONE]")
    expect(stream.events, "there is nothing before [DONE]")


@check
def no_chunk_without_choices_unasked(subject: Subject) -> None:
    """Without include_usage every chunk has a choice: clients read the first of them.

    Source: OpenAI API reference, choices: can be empty if include_usage is set.
    """
    empty = [i for i, e in enumerate(_events(subject)) if not e.get("choices")]
    expect(not empty, f"no choices in event {empty[:3]}")


@check
def usage_comes_last_when_asked(subject: Subject) -> None:
    """With include_usage the last chunk has usage and no choices.

    Source: OpenAI API reference, stream_options.include_usage.
    """
    last = _events(subject, **WITH_USAGE)[-1]
    expect(last.get("choices") == [], f"its choices are {str(last.get('choices'))[:60]}")
    expect(isinstance(last.get("usage"), dict), f"its usage is {last.get('usage')!r}")


@check
def usage_is_null_before(subject: Subject) -> None:
    """With include_usage all chunks before the last have usage null.

    Source: OpenAI API reference, stream_options.include_usage.
    """
    *before, _ = _events(subject, **WITH_USAGE)
    without = [i for i, event in enumerate(before) if "usage" not in event]
    expect(not without, f"no usage in {len(without)} of {len(before)} events")
    early = [i for i, event in enumerate(before) if event["usage"] is not None]
    expect(not early, f"usage is not null in event {early[:3]}")


@check
def one_finish_reason(subject: Subject) -> None:
    """A choice has one finish reason, in its last chunk.

    Source: OpenAI API reference, chat completion chunk.
    """
    choices = list(subject.chat_stream().choices())
    given = [i for i, choice in enumerate(choices) if choice.get("finish_reason")]
    expect(len(given) == 1, f"{len(given)} finish reasons")
    expect(given[0] == len(choices) - 1, "there are chunks after the finish reason")


@check
def finishing_chunk_has_an_empty_delta(subject: Subject) -> None:
    """The chunk with the finish reason has an empty delta.

    Source: OpenAI API reference, streaming example.
    """
    for choice in subject.chat_stream().choices():
        if choice.get("finish_reason"):
            said = {key: value for key, value in choice["delta"].items() if value}
            expect(not said, f"its delta is {str(said)[:80]}")


@check
def role_comes_first_and_once(subject: Subject) -> None:
    """The role assistant is in a choice's first delta and in no other.

    Source: OpenAI API reference, streaming example; clients that merge deltas rely on it.
    """
    roles = [choice["delta"].get("role") for choice in subject.chat_stream().choices()]
    expect(roles and roles[0] == "assistant", f"the first role is {roles[:1]}")
    expect(not any(roles[1:]), f"{sum(map(bool, roles))} deltas have a role")


@check
def frame_is_the_same_in_all_chunks(subject: Subject) -> None:
    """`id`, `created` and `model` are the same in all chunks.

    Source: OpenAI API reference, chat completion chunk: each chunk has the same id.
    """
    events = _events(subject)
    changing = [k for k in ("id", "created", "model") if len({str(e.get(k)) for e in events}) > 1]
    expect(not changing, f"changing: {', '.join(changing)}")


@check
def text_is_that_of_the_whole_answer(subject: Subject) -> None:
    """At temperature 0 the streamed text is the text of the answer that is not streamed.

    Source: OpenAI API reference, stream: the same answer, in pieces.
    """
    question, whole = subject.long_answer()
    streamed = subject.chat_stream(question, max_tokens=48).text()
    expect(streamed == whole, f"{streamed[-40:]!r} streamed, {whole[-40:]!r} whole")


@check
def characters_are_not_cut(subject: Subject) -> None:
    """A character of several bytes is not cut in two between chunks.

    Source: JSON text is Unicode: half a character has no spelling in it.
    """
    constant = {"type": "object", "properties": {"word": {"const": MULTIBYTE}}}
    schema = {**constant, "required": ["word"], "additionalProperties": False}
    response_format = {
        "type": "json_schema",
        "json_schema": {"name": "word", "schema": schema, "strict": True},
    }
    text = subject.chat_stream(
        f"Write {MULTIBYTE}", response_format=response_format, max_tokens=128
    ).text()
    expect("\ufffd" not in text, f"a broken character in {text!r}")
    if MULTIBYTE not in text:
        raise Skipped("the model was not brought to write such characters")


@check
def errors_before_the_first_token_are_http(subject: Subject) -> None:
    """What is wrong with a request is told as HTTP 4xx with JSON, not inside a stream.

    Source: OpenAI API reference, errors; clients look at the status.
    """
    bodies = {
        "temperature 9": subject.chat_body(stream=True, temperature=9),
        "no messages": subject.chat_body(stream=True, messages=[]),
    }
    problems = []
    for label, body in bodies.items():
        reply = subject.post("/chat/completions", body)
        kind = reply.headers.get("content-type", "")
        if reply.status != 400 or not kind.startswith("application/json"):
            problems.append(f"{label}: {reply.status} {kind}")
    expect_none(problems)


@check
def stream_options_need_stream(subject: Subject) -> None:
    """`stream_options` without `stream` is refused.

    Source: OpenAI API reference, stream_options: only set this when you set stream: true.
    """
    expect_none(subject.accepted("/chat/completions", {"alone": subject.chat_body(**WITH_USAGE)}))


@check
def official_client_streams(subject: Subject) -> None:
    """The official client's stream helper puts the answer together, usage included.

    Source: openai-python, chat.completions.stream.
    """
    from openai import LengthFinishReasonError
    from openai.types.chat import ChatCompletion

    question, whole = subject.long_answer()
    with (
        official(),
        subject.client.chat.completions.stream(
            model=subject.models.of("chat"),
            messages=[{"role": "user", "content": question}],
            temperature=0,
            max_tokens=48,
            stream_options={"include_usage": True},
            extra_body=subject.extra,
        ) as stream,
    ):
        try:
            answer: ChatCompletion = stream.get_final_completion()
        except LengthFinishReasonError as cut:  # the model has more to say
            answer = cut.completion
    expect(answer.choices[0].message.content == whole, "the text is another one")
    expect(answer.usage is not None, "no usage")


@check
def long_streams_are_alive(subject: Subject) -> None:
    """Text comes in several chunks, not all at the end.

    Source: OpenAI API reference, stream: partial message deltas as they become available.
    """
    question, whole = subject.long_answer()
    with_text = [
        choice
        for choice in subject.chat_stream(question, max_tokens=48).choices()
        if choice["delta"].get("content")
    ]
    expect(len(with_text) > 1, f"{len(whole)} characters in {len(with_text)} chunk")


def _events(subject: Subject, **fields: Any) -> list[dict[str, Any]]:
    events = subject.chat_stream(**fields).events
    if not events:
        raise Failed("the stream has no event")
    return events
