"""Finds the models to look at, and runs the checks one after another."""

import time
from collections.abc import Iterable, Iterator, Mapping

from penstock.conformance.catalogue import SECTIONS
from penstock.conformance.check import Check, Failed, Outcome, Result, Skipped
from penstock.conformance.subject import ModelNames, Subject

#: What the names of models that embed, or draw, usually have in them: those are tried first.
HINTS = {
    "embeddings": ("embed", "bge", "e5-", "gte", "minilm"),
    "images": ("image", "draw", "flux", "diffusion", "dall"),
}
#: With so many models or fewer all are tried, whatever they are called.
FEW = 8
#: So long a server that is gone is waited for: somebody may be starting it again.
RETURN_S = 5.0
POLL_S = 0.5
PROBES: dict[str, tuple[str, Mapping[str, object]]] = {
    "chat": ("/chat/completions", {"messages": [{"role": "user", "content": "Hello!"}]}),
    "completions": ("/completions", {"prompt": "Hello"}),
    "embeddings": ("/embeddings", {"input": "Hello"}),
    "images": ("/images/generations", {"prompt": "a red circle", "response_format": "b64_json"}),
}


def find_models(subject: Subject, given: ModelNames) -> ModelNames:
    """Those that are given, and for the other kinds the first listed that does the work.

    Raises Failed when the server cannot be reached, or chats with no model.
    """
    listed = [] if given.chat and given.embeddings and given.images else _listed(subject)
    chat = given.chat or _first(subject, "chat", listed)
    if chat is None:
        raise Failed("no model of the list answers a chat; name one with --model")
    return ModelNames(
        chat=chat,
        completions=given.completions or _first(subject, "completions", [chat]),
        embeddings=given.embeddings or _first(subject, "embeddings", _likely("embeddings", listed)),
        images=given.images or _first(subject, "images", _likely("images", listed)),
    )


def examine(subject: Subject, names: Iterable[str]) -> Iterator[Result]:
    """The result of every check of the sections of those names.

    When the server goes away for good at a check, those that follow are skipped and say so.
    """
    gone_at = ""
    for name in names:
        for check in SECTIONS[name]:
            if gone_at:
                yield Result(name, check, "skipped", f"the server went away at {gone_at}", 0.0)
                continue
            result = _run(subject, name, check)
            if result.outcome == "failed" and not _is_there(subject):
                gone_at = f"{name} {check.name}"
            yield result


def _run(subject: Subject, section: str, check: Check) -> Result:
    began_s = time.perf_counter()
    outcome: Outcome = "passed"
    reason = ""
    try:
        check.run(subject)
    except Skipped as skipped:
        outcome, reason = "skipped", str(skipped)
    except Failed as failed:
        outcome, reason = "failed", str(failed)
    except (
        Exception
    ) as error:  # the checks read answers as they should be, any other shape is wrong
        outcome, reason = "failed", f"the answer has another shape: {type(error).__name__} {error}"
    line = " ".join(reason.split())
    return Result(section, check, outcome, line, time.perf_counter() - began_s)


def _is_there(subject: Subject) -> bool:
    """Whether a chat is answered, with whatever, given some time to start again.

    A gateway lists its models also when what runs them has died, or is busy for good.
    """
    path, body = PROBES["chat"]
    end_s = time.monotonic() + RETURN_S
    while True:
        try:
            subject.post(path, {"model": subject.models.chat, **body, "max_tokens": 1})
        except Failed:
            if time.monotonic() > end_s:
                return False
            time.sleep(POLL_S)
        else:
            return True


def _listed(subject: Subject) -> list[str]:
    reply = subject.get("/models")
    if reply.status != 200:
        raise Failed(f"GET models is answered with {reply.status}: {reply.complaint}")
    try:
        return [str(model["id"]) for model in reply.json["data"]]
    except (KeyError, TypeError):
        return []


def _likely(kind: str, names: list[str]) -> list[str]:
    """Those whose name hints at the kind; after them all others, if the server has only few."""
    hinted = [name for name in names if any(hint in name.lower() for hint in HINTS[kind])]
    return hinted + [n for n in names if n not in hinted and len(names) <= FEW]


def _first(subject: Subject, kind: str, names: Iterable[str]) -> str | None:
    path, body = PROBES[kind]
    short = {} if kind in ("embeddings", "images") else {"max_tokens": 1}
    for name in names:
        if subject.post(path, {"model": name, **body, **short}).status == 200:
            return name
    return None
