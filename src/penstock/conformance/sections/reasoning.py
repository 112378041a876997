"""Models that think before they answer, and how that is asked for."""

from penstock.conformance.check import check, expect, expect_none
from penstock.conformance.subject import Subject, text_of


@check
def effort_is_honoured_or_refused(subject: Subject) -> None:
    """`reasoning_effort` is taken, or refused with 400 that names it.

    Source: OpenAI API reference, reasoning_effort; models without it answer 400.
    """
    reply = subject.post("/chat/completions", subject.chat_body(reasoning_effort="low"))
    if reply.status == 200:
        return
    expect(reply.status == 400, f"status {reply.status}: {reply.complaint}")
    param = reply.json.get("error", {}).get("param")
    expect(param == "reasoning_effort", f"param {param!r}")


@check
def unknown_effort_is_refused(subject: Subject) -> None:
    """An effort of no known name is refused.

    Source: OpenAI's schema ReasoningEffort.
    """
    bodies = {
        "zork": subject.chat_body(reasoning_effort="zork"),
        "5": subject.chat_body(reasoning_effort=5),
    }
    expect_none(subject.accepted("/chat/completions", bodies))


@check
def thoughts_are_not_in_the_content(subject: Subject) -> None:
    """What the model thinks is not in the content.

    Source: OpenAI guide, reasoning: reasoning tokens are not visible in the message.
    """
    text = text_of(subject.chat("What is 17 + 25?", max_tokens=256))
    expect("<think>" not in text and "</think>" not in text, f"content {text[:60]!r}")


@check
def reasoning_tokens_are_completion_tokens(subject: Subject) -> None:
    """Reasoning tokens, where they are told, are a part of the completion tokens.

    Source: OpenAI's schema CompletionUsage, completion_tokens_details.
    """
    usage = subject.chat("What is 17 + 25?", max_tokens=64)["usage"]
    thought = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
    whole = usage["completion_tokens"]
    expect(0 <= thought <= whole, f"{thought} reasoning tokens of {whole} completion tokens")
