"""What DeepInfra has beside OpenAI's API: its own clients rely on it, OpenAI itself lacks it."""

import re

from penstock.conformance.check import check, expect, expect_none
from penstock.conformance.subject import Subject, text_of


@check
def usage_comes_with_the_finish_reason(subject: Subject) -> None:
    """Without stream_options the chunk with the finish reason has usage.

    Source: DeepInfra documentation, streaming: its example reads usage there.
    """
    last = subject.chat_stream().events[-1]
    expect(
        last["choices"] and last["choices"][0]["finish_reason"], "the last chunk does not finish"
    )
    expect(isinstance(last.get("usage"), dict), "it has no usage")


@check
def json_is_json_object(subject: Subject) -> None:
    """response_format json is another name of json_object.

    Source: DeepInfra documentation, JSON mode.
    """
    body = subject.chat_body(
        'Answer with {"a": 1}.', response_format={"type": "json"}, max_tokens=64
    )
    reply = subject.post("/chat/completions", body)
    expect(reply.status == 200, f"status {reply.status}: {reply.complaint}")
    text = text_of(reply.json)
    expect(text.lstrip().startswith("{"), f"it begins {text[:40]!r}")


@check
def regex_is_obeyed(subject: Subject) -> None:
    """response_format regex gives text that matches.

    Source: DeepInfra API, response_format of type regex.
    """
    wanted = {"type": "regex", "regex": "(north|south)-[0-9]{3}"}
    text = text_of(subject.chat("Which way?", response_format=wanted, max_tokens=32))
    expect(re.fullmatch(wanted["regex"], text), f"it is {text[:40]!r}")


@check
def sampling_fields_are_taken(subject: Subject) -> None:
    """top_k, min_p and repetition_penalty are taken; top_k 1 is greedy.

    Source: DeepInfra API, chat completions.
    """
    question, whole = subject.long_answer()
    problems = []
    for name, value in (("top_k", 5), ("min_p", 0.1), ("repetition_penalty", 1.1)):
        reply = subject.post("/chat/completions", subject.chat_body(**{name: value}))
        if reply.status != 200:
            problems.append(f"{name}: status {reply.status}: {reply.complaint}")
    expect_none(problems)
    greedy = text_of(subject.chat(question, max_tokens=48, temperature=1, top_k=1))
    expect(greedy == whole, f"top_k 1 gives {greedy[:40]!r}, not {whole[:40]!r}")


@check
def sixteen_stops_are_taken(subject: Subject) -> None:
    """Up to 16 stop strings are taken.

    Source: DeepInfra API, chat completions: stop.
    """
    stops = [f"\u2603{i}" for i in range(16)]
    reply = subject.post("/chat/completions", subject.chat_body(stop=stops))
    expect(reply.status == 200, f"status {reply.status}: {reply.complaint}")


@check
def reasoning_can_be_switched_off(subject: Subject) -> None:
    """`reasoning` with enabled false, and reasoning_effort none, are taken.

    Source: DeepInfra API, chat completions: reasoning, reasoning_effort.
    """
    problems = []
    for fields in ({"reasoning": {"enabled": False}}, {"reasoning_effort": "none"}):
        reply = subject.post("/chat/completions", subject.chat_body(**fields))
        if reply.status != 200:
            problems.append(f"{', '.join(fields)}: status {reply.status}: {reply.complaint}")
    expect_none(problems)


@check
def unknown_versions_are_404(subject: Subject) -> None:
    """An unknown version of a model, and an unknown deployment, are 404 model_not_found.

    Source: DeepInfra documentation, models: MODEL:VERSION and deploy_id:ID in `model`.
    """
    names = (f"{subject.models.of('chat')}:no-such-version", "deploy_id:no-such-deployment")
    bodies = {name: subject.chat_body(model=name, max_tokens=1) for name in names}
    expect_none(subject.accepted("/chat/completions", bodies, status=404))


@check
def images_need_no_model(subject: Subject) -> None:
    """A picture can be asked for without a model.

    Source: DeepInfra documentation, images: model is optional.
    """
    body = subject.image_body()
    del body["model"]
    reply = subject.post("/images/generations", body)
    expect(reply.status == 200, f"status {reply.status}: {reply.complaint}")
