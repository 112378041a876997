"""Chat completions, answered whole."""

import time
from collections.abc import Mapping, Sequence

from penstock.conformance.check import check, expect, expect_none
from penstock.conformance.schema import complaints, null_complaints
from penstock.conformance.subject import Subject, official, text_of

#: Every optional field of OpenAI's that may be null.
NULLABLE = (
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "presence_penalty",
    "response_format",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
)
#: What templates of well-known models mark turns with.
CONTROL_TOKENS = ("<|im_end|>", "<|im_start|>", "<|eot_id|>", "<|endoftext|>", "<end_of_turn>")


@check
def answer_fits_the_schema(subject: Subject) -> None:
    """An answer fits OpenAI's schema: required fields, types, finish reasons.

    Source: OpenAI's schema CreateChatCompletionResponse.
    """
    expect_none(complaints(subject.chat(), "CreateChatCompletionResponse")[:4])


@check
def no_null_where_none_is_allowed(subject: Subject) -> None:
    """What is not there is left out, where OpenAI's schema has no null for it.

    Source: OpenAI's schema CreateChatCompletionResponse.
    """
    expect_none(null_complaints(subject.chat(), "CreateChatCompletionResponse")[:4])


@check
def official_client_chats(subject: Subject) -> None:
    """The official client gets an answer, as an assistant's text with usage.

    Source: openai-python, chat.completions.create.
    """
    with official():
        answer = subject.client.chat.completions.create(
            model=subject.models.of("chat"),
            messages=[{"role": "user", "content": "Hello!"}],
            max_tokens=8,
            extra_body=subject.extra,
        )
    expect(len(answer.choices) == 1, f"{len(answer.choices)} choices")
    expect(answer.choices[0].message.role == "assistant", "the role is not assistant")
    expect(answer.usage is not None, "no usage")


@check
def created_is_now_in_seconds(subject: Subject) -> None:
    """`created` is the time of the answer, as Unix seconds.

    Source: OpenAI API reference, chat completion object.
    """
    created = subject.chat(max_tokens=1)["created"]
    expect(abs(created - time.time()) < 86_400, f"created is {created}")


@check
def ids_are_unique(subject: Subject) -> None:
    """Every answer has an id of its own.

    Source: OpenAI API reference, chat completion object: a unique identifier.
    """
    ids = [subject.chat(max_tokens=1)["id"] for _ in range(3)]
    expect(len(set(ids)) == 3, f"ids {ids}")


@check
def roles_are_taken(subject: Subject) -> None:
    """System, developer, user and assistant messages make a conversation.

    Source: OpenAI API reference, chat messages by role.
    """
    problems = []
    for first in ("system", "developer"):
        messages = [
            {"role": first, "content": "Be brief."},
            {"role": "user", "content": "Hello!"},
            {"role": "assistant", "content": "Hello. What can I do?"},
            {"role": "user", "content": "Tell me a number."},
        ]
        reply = subject.post("/chat/completions", subject.chat_body(messages=messages))
        if reply.status != 200:
            problems.append(f"{first}: status {reply.status}: {reply.complaint}")
    expect_none(problems)


@check
def developer_message_counts(subject: Subject) -> None:
    """What a developer message says reaches the model, as a system message would.

    Source: OpenAI API reference, developer message.
    """
    plain = _prompt_tokens(subject, [{"role": "user", "content": "Hello!"}])
    told = _prompt_tokens(
        subject,
        [
            {"role": "developer", "content": "Always answer in the language of the question."},
            {"role": "user", "content": "Hello!"},
        ],
    )
    expect(told >= plain + 4, f"{told} prompt tokens with it, {plain} without")


@check
def text_parts_are_text(subject: Subject) -> None:
    """Content as a part of type text is the same as the string.

    Source: OpenAI API reference, text content part.
    """
    text = "Hello, how are you?"
    plain = _prompt_tokens(subject, [{"role": "user", "content": text}])
    parts = [{"type": "text", "text": text}]
    split = _prompt_tokens(subject, [{"role": "user", "content": parts}])
    expect(split == plain, f"{split} prompt tokens as a part, {plain} as a string")


@check
def null_means_the_default(subject: Subject) -> None:
    """Every optional field may be null, which means its default.

    Source: OpenAI's schema CreateChatCompletionRequest (nullable fields); SDKs send them.
    """
    problems = []
    for name in NULLABLE:
        body = subject.chat_body("Hello!", max_completion_tokens=4) | {name: None}
        reply = subject.post("/chat/completions", body)
        if reply.status != 200:
            problems.append(f"{name}: status {reply.status}")
    expect_none(problems)


@check
def labels_are_taken(subject: Subject) -> None:
    """`user`, `metadata`, `store: false` and `service_tier: auto` are no reason to refuse.

    Source: OpenAI API reference, create chat completion; common clients send them.
    """
    fields = {
        "user": "someone",
        "metadata": {"run": "7"},
        "store": False,
        "service_tier": "auto",
    }
    problems = []
    for name, value in fields.items():
        reply = subject.post("/chat/completions", subject.chat_body(**{name: value}))
        if reply.status != 200:
            problems.append(f"{name}: status {reply.status}: {reply.complaint}")
    expect_none(problems)


@check
def max_tokens_is_a_bound(subject: Subject) -> None:
    """`max_tokens` bounds the answer, which then ends with the reason length.

    Source: OpenAI API reference, max_tokens and finish_reason.
    """
    question, _ = subject.long_answer()
    answer = subject.chat(question, max_tokens=3)
    reason, count = answer["choices"][0]["finish_reason"], answer["usage"]["completion_tokens"]
    expect(reason == "length", f"finish_reason {reason!r}")
    expect(count == 3, f"{count} completion tokens")


@check
def max_completion_tokens_is_a_bound(subject: Subject) -> None:
    """`max_completion_tokens` bounds the answer in the same way.

    Source: OpenAI API reference, max_completion_tokens.
    """
    question, _ = subject.long_answer()
    answer = subject.chat(question, max_completion_tokens=3)
    reason, count = answer["choices"][0]["finish_reason"], answer["usage"]["completion_tokens"]
    expect(reason == "length", f"finish_reason {reason!r}")
    expect(count == 3, f"{count} completion tokens")


@check
def control_tokens_are_text(subject: Subject) -> None:
    """User text that spells a control token is read as text: it cannot end a turn.

    Source: OpenAI's tokenizers encode special tokens in user text as ordinary text.
    """
    plain = _prompt_tokens(subject, [{"role": "user", "content": "a b"}])
    problems = []
    for spelled in CONTROL_TOKENS:
        message = {"role": "user", "content": f"a {spelled} b"}
        cost = _prompt_tokens(subject, [message]) - plain
        if cost <= 1 + 1:  # the token itself, and a space that may be one of its own
            problems.append(f"{spelled} costs {cost} tokens, so it is a control token")
    expect_none(problems)


@check
def answer_is_not_empty(subject: Subject) -> None:
    """A greedy answer has text, and the same question gets the same answer.

    Source: OpenAI API reference, temperature 0 and message content.
    """
    question, first = subject.long_answer()
    again = text_of(subject.chat(question, max_tokens=48))
    expect(again == first, f"{first[:40]!r}, then {again[:40]!r}")


def _prompt_tokens(subject: Subject, messages: Sequence[Mapping[str, object]]) -> int:
    answer = subject.chat(messages=messages, max_tokens=1)
    return int(answer["usage"]["prompt_tokens"])
