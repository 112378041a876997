"""Refusals: their status, their shape, and that nothing wrong is taken."""

import math
from collections.abc import Iterator
from typing import Any

from penstock.conformance.check import Failed, Skipped, check, expect, expect_none
from penstock.conformance.schema import complaints
from penstock.conformance.subject import Subject, encoded, official
from penstock.conformance.wire import Reply

UNKNOWN = "no-such/model"
#: Numbers outside of what OpenAI's schema of the request allows.
OUT_OF_RANGE: dict[str, tuple[object, ...]] = {
    "temperature": (-0.1, 2.1),
    "top_p": (-0.1, 1.1),
    "presence_penalty": (-2.1, 2.1),
    "frequency_penalty": (-2.1, 2.1),
    "max_tokens": (-1, -2),
    "max_completion_tokens": (-1, -2),
}
WRONG_TYPES: dict[str, tuple[object, ...]] = {
    "temperature": ("hot", True, [1]),
    "top_p": ("all", {}),
    "max_tokens": ("many", 1.5, True, []),
    "n": ("two", True),
    "stream": ("yes", 1, "true"),
    "seed": ("lucky", 1.5),
    "stop": (5, {"a": 1}),
    "logit_bias": ("none", [1]),
    "messages": ("hello", {"role": "user", "content": "hello"}, None),
    "model": (5, ["a"], {}),
}


@check
def errors_fit_the_schema(subject: Subject) -> None:
    """Every error is an object `error` with message, type, param and code, all four.

    Source: OpenAI's schema ErrorResponse: type is a string, code and param a string or null.
    """
    problems = []
    refused = [(label, reply) for label, reply in _refusals(subject) if reply.status >= 400]
    expect(refused, "nothing is refused")
    for label, reply in refused:
        found = complaints(reply.json, "ErrorResponse")
        missing = {"message", "type", "param", "code"} - set(_error(reply))
        if missing:
            problems.append(f"{label}: no {', '.join(sorted(missing))}")
        elif found:
            problems.append(f"{label}: {found[0]}")
    expect_none(problems)


@check
def errors_are_json(subject: Subject) -> None:
    """An error's content-type is application/json.

    Source: OpenAI API reference, errors; RFC 9110, 8.3.
    """
    kinds = {label: r.headers.get("content-type", "none") for label, r in _refusals(subject)}
    expect_none([f"{k}: {v}" for k, v in kinds.items() if not v.startswith("application/json")])


@check
def unknown_model_is_404(subject: Subject) -> None:
    """An unknown model is 404 with the code model_not_found, on every endpoint.

    Source: OpenAI guide, error codes: model_not_found.
    """
    bodies: dict[str, dict[str, object]] = {
        "/chat/completions": {"messages": [{"role": "user", "content": "Hello!"}]},
        "/completions": {"prompt": "Hello", "max_tokens": 1},
        "/embeddings": {"input": "Hello"},
    }
    problems = []
    for path, body in bodies.items():
        reply = subject.post(path, {"model": UNKNOWN, **body})
        code = _error(reply).get("code")
        if (reply.status, code) != (404, "model_not_found"):
            problems.append(f"{path}: {reply.status}, code {code!r}")
    expect_none(problems)


@check
def missing_model_is_400(subject: Subject) -> None:
    """A request without a model is refused.

    Source: OpenAI's schema CreateChatCompletionRequest: model is required.
    """
    body = subject.chat_body()
    del body["model"]
    expect_none(subject.accepted("/chat/completions", {"no model": body}))


@check
def missing_messages_are_400(subject: Subject) -> None:
    """A chat without messages, or with an empty list of them, is refused.

    Source: OpenAI's schema CreateChatCompletionRequest: messages is required, minItems 1.
    """
    without = subject.chat_body()
    del without["messages"]
    bodies = {"no messages": without, "[]": subject.chat_body(messages=[])}
    expect_none(subject.accepted("/chat/completions", bodies))


@check
def malformed_messages_are_400(subject: Subject) -> None:
    """Messages of an unknown role, without content, or that are no objects are refused.

    Source: OpenAI's schema ChatCompletionRequestMessage.
    """
    messages: dict[str, object] = {
        "role zork": {"role": "zork", "content": "Hello!"},
        "no role": {"content": "Hello!"},
        "role 5": {"role": 5, "content": "Hello!"},
        "content 5": {"role": "user", "content": 5},
        "content null": {"role": "user", "content": None},
        "no content": {"role": "user"},
        "an unknown part": {"role": "user", "content": [{"type": "zork", "zork": "a"}]},
        "a part of text": {"role": "user", "content": ["Hello!"]},
        "a string": "Hello!",
        "null": None,
        "a tool's without its call": {"role": "tool", "content": "12:00"},
    }
    bodies = {label: subject.chat_body(messages=[each]) for label, each in messages.items()}
    expect_none(subject.accepted("/chat/completions", bodies))


@check
def broken_json_is_400(subject: Subject) -> None:
    """A body that is not JSON is refused with 400: cut, empty, or no Unicode.

    Source: OpenAI guide, error codes; RFC 8259.
    """
    bodies = {
        "cut": b'{"model": "',
        "empty": b"",
        "text": b"hello",
        "bad UTF-8": b'{"model": "\xff\xfe"}',
        "a comma too many": b'{"model": "a",}',
    }
    expect_none(subject.accepted("/chat/completions", bodies))


@check
def body_must_be_an_object(subject: Subject) -> None:
    """A body that is JSON but no object is refused with 400.

    Source: OpenAI's schema CreateChatCompletionRequest: type object.
    """
    bodies = {text: text.encode() for text in ("null", "[]", '"x"', "1", "true")}
    expect_none(subject.accepted("/chat/completions", bodies))


@check
def numbers_that_json_lacks_are_400(subject: Subject) -> None:
    """NaN, Infinity and a number beyond any float are refused with 400.

    Source: RFC 8259, 6: Infinity and NaN are not permitted.
    """
    values = {"NaN": math.nan, "Infinity": math.inf}
    bodies: dict[str, object] = {k: subject.chat_body(temperature=v) for k, v in values.items()}
    huge = subject.chat_body(temperature=math.inf)
    bodies["1e400"] = encoded(huge).replace(b"Infinity", b"1e400")
    expect_none(subject.accepted("/chat/completions", bodies))


@check
def out_of_range_is_400(subject: Subject) -> None:
    """Numbers out of their range are refused.

    Source: OpenAI's schema CreateChatCompletionRequest: minimum and maximum.
    """
    expect_none(subject.accepted("/chat/completions", _with(subject, OUT_OF_RANGE)))


@check
def zero_tokens_are_400(subject: Subject) -> None:
    """A chat of no token is refused.

    Source: OpenAI API: a chat's max_tokens is at least 1.
    """
    bodies = _with(subject, {"max_tokens": (0,), "max_completion_tokens": (0,)})
    expect_none(subject.accepted("/chat/completions", bodies))


@check
def wrong_types_are_400(subject: Subject) -> None:
    """Values of a wrong type are refused; true is no number, and 1.5 no count.

    Source: OpenAI's schema CreateChatCompletionRequest: types.
    """
    expect_none(subject.accepted("/chat/completions", _with(subject, WRONG_TYPES)))


@check
def param_names_the_field(subject: Subject) -> None:
    """When a field is wrong, `param` names it.

    Source: OpenAI's schema Error, param; OpenAI guide, error codes.
    """
    problems = []
    for name, value in (("temperature", 9), ("top_p", "all"), ("n", 0), ("max_tokens", "many")):
        error = _error(subject.post("/chat/completions", subject.chat_body(**{name: value})))
        if error.get("param") != name:
            problems.append(f"{name}: param {error.get('param')!r}")
    expect_none(problems)


@check
def completions_are_checked_too(subject: Subject) -> None:
    """Completions refuse what is out of range or of a wrong type.

    Source: OpenAI's schema CreateCompletionRequest.
    """
    fields: dict[str, tuple[object, ...]] = {
        "temperature": (9, "hot"),
        "top_p": (2,),
        "max_tokens": (-1, "many", 1.5),
        "n": (0, 129),
        "logprobs": (6, -1, "many"),
        "echo": ("yes",),
    }
    bodies = {
        f"{name} {value!r}": subject.completion_body("Hello", max_tokens=1) | {name: value}
        for name, values in fields.items()
        for value in values
    }
    expect_none(subject.accepted("/completions", bodies))


@check
def unknown_path_is_404(subject: Subject) -> None:
    """An unknown path is 404 with an error of the same shape.

    Source: OpenAI's schema ErrorResponse; OpenAI API, unknown URLs.
    """
    for reply in (subject.get("/no/such/path"), subject.post("/no/such/path", {})):
        expect(reply.status == 404, f"status {reply.status}")
        expect_none(complaints(reply.json, "ErrorResponse")[:2])


@check
def wrong_method_is_405(subject: Subject) -> None:
    """A wrong method is 405, says in Allow which are right, and has the same shape.

    Source: RFC 9110, 15.5.6: must generate an Allow header; OpenAI's schema ErrorResponse.
    """
    reply = subject.get("/chat/completions")
    expect(reply.status == 405, f"status {reply.status}")
    expect("POST" in reply.headers.get("allow", ""), f"allow {reply.headers.get('allow')!r}")
    expect_none(complaints(reply.json, "ErrorResponse")[:2])


@check
def wrong_keys_are_401(subject: Subject) -> None:
    """No key, an empty one, another one and a piece of the right one are 401 invalid_api_key.

    Source: OpenAI guide, error codes: 401, invalid_api_key.
    """
    key = _needed_key(subject)
    headers: dict[str, str | None] = {
        "none": None,
        "Bearer": "Bearer",
        "an empty one": "Bearer ",
        "another scheme": f"Basic {key}",
        "a wrong one": "Bearer sk-0123456789abcdef",
        "its beginning": f"Bearer {key[:-1]}",
        "one letter more": f"Bearer {key}x",
        "no scheme": key,
        "6 KB": f"Bearer {'a' * 6000}",
        "letters beyond ASCII": "Bearer sk-schlüssel-🔑",
        "a token that signs itself": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.",
    }
    problems = []
    for label, value in headers.items():
        own = {"authorization": value} if value is not None else {}
        reply = subject.post("/chat/completions", subject.chat_body(), headers=own, key="")
        code = _error(reply).get("code") if reply.status == 401 else None
        if code not in ("invalid_api_key", "missing_api_key"):
            problems.append(f"{label}: {reply.status}, code {code!r}")
        elif key in reply.body.decode("utf-8", "replace"):
            problems.append(f"{label}: the answer repeats the key")
    expect_none(problems)


@check
def challenge_comes_with_a_401(subject: Subject) -> None:
    """A 401 says in WWW-Authenticate how to authenticate.

    Source: RFC 9110, 15.5.2: must send a WWW-Authenticate header field.
    """
    _needed_key(subject)
    reply = subject.post("/chat/completions", subject.chat_body(), key="sk-wrong")
    expect(reply.status == 401, f"status {reply.status}")
    expect("www-authenticate" in reply.headers, "it does not")


@check
def key_comes_before_the_body(subject: Subject) -> None:
    """Without a key nothing is said about the body, or about which models there are.

    Source: OWASP API Security, broken authentication: authenticate before anything else.
    """
    _needed_key(subject)
    bodies = {"broken JSON": b"{", "an unknown model": encoded({"model": UNKNOWN})}
    found = {k: subject.post("/chat/completions", v, key="").status for k, v in bodies.items()}
    expect_none([f"{label}: {status}" for label, status in found.items() if status != 401])


@check
def scheme_may_be_in_any_case(subject: Subject) -> None:
    """The scheme bearer is taken in any case.

    Source: RFC 9110, 11.1: a case-insensitive token.
    """
    key = _needed_key(subject)
    for scheme in ("bearer", "BEARER"):
        headers = {"authorization": f"{scheme} {key}"}
        body = subject.chat_body(max_tokens=1)
        reply = subject.post("/chat/completions", body, headers=headers, key="")
        expect(reply.status == 200, f"{scheme}: status {reply.status}")


@check
def too_long_prompt_is_400(subject: Subject) -> None:
    """A prompt beyond the model's context is 400 context_length_exceeded, also for a stream.

    Source: OpenAI guide, error codes: context_length_exceeded.
    """
    text = "river " * 300_000
    bodies: dict[str, tuple[str, object]] = {
        "a chat": ("/chat/completions", subject.chat_body(text, max_tokens=1)),
        "a stream": ("/chat/completions", subject.chat_body(text, max_tokens=1, stream=True)),
    }
    if subject.models.completions:
        bodies["a completion"] = ("/completions", subject.completion_body(text, max_tokens=1))
    problems = []
    for label, (path, body) in bodies.items():
        reply = subject.post(path, body)
        if reply.status in (200, 413):
            raise Skipped(f"300,000 words are answered with {reply.status}")
        code = _error(reply).get("code")
        if (reply.status, code) != (400, "context_length_exceeded"):
            problems.append(f"{label}: {reply.status}, code {code!r}")
    expect_none(problems)


@check
def hostile_bodies_are_survived(subject: Subject) -> None:
    """Endless nesting, lone surrogates and long names are refused or taken, never a 500.

    Source: RFC 8259, 9: an implementation may limit depth; a fault of the request is a 4xx.
    """
    deep = b"[" * 100_000 + b"]" * 100_000
    plain = encoded(subject.chat_body("HERE", max_tokens=1))
    bodies = {
        "100,000 brackets": deep,
        "nested metadata": plain[:-1] + b', "metadata": ' + deep + b"}",
        "a lone surrogate": plain.replace(b"HERE", rb"\ud800"),
        "a null character": plain.replace(b"HERE", rb"\u0000"),
        "a field of 100,000 letters": plain[:-1] + b', "' + b"a" * 100_000 + b'": 1}',
    }
    problems = []
    for label, body in bodies.items():
        try:
            status = subject.post("/chat/completions", body).status
        except Failed as failure:
            problems.append(f"{label}: {failure}")
            continue
        if status >= 500:
            problems.append(f"{label}: {status}")
    expect_none(problems)
    subject.chat(max_tokens=1)


@check
def answers_have_a_request_id(subject: Subject) -> None:
    """Every answer has an x-request-id, refusals too, and each its own.

    Source: OpenAI API reference, debugging requests: x-request-id.
    """
    replies = [subject.get("/models"), *(reply for _, reply in _refusals(subject))]
    ids = [reply.headers.get("x-request-id") for reply in replies]
    expect(all(ids), f"{ids.count(None)} of {len(ids)} answers have none")
    expect(len(set(ids)) == len(ids), "an id comes twice")


@check
def official_client_raises_what_it_should(subject: Subject) -> None:
    """The official client raises NotFoundError and BadRequestError, with code and param.

    Source: openai-python, APIStatusError.
    """
    from openai import BadRequestError, NotFoundError

    create = subject.client.chat.completions.create
    with official():
        try:
            create(model=UNKNOWN, messages=[{"role": "user", "content": "Hello!"}])
        except NotFoundError as error:
            expect(error.code == "model_not_found", f"code {error.code!r}")
        else:
            raise Failed("an unknown model is answered")
        try:
            create(
                model=subject.models.of("chat"),
                messages=[{"role": "user", "content": "Hello!"}],
                temperature=9,
            )
        except BadRequestError as error:
            expect(error.param == "temperature", f"param {error.param!r}")
        else:
            raise Failed("temperature 9 is answered")


def _refusals(subject: Subject) -> Iterator[tuple[str, Reply]]:
    """What any server should refuse, one of each kind, with what it is about."""
    yield "bad JSON", subject.post("/chat/completions", b"{")
    yield "temperature 9", subject.post("/chat/completions", subject.chat_body(temperature=9))
    unknown = subject.chat_body(model=UNKNOWN, max_tokens=1)
    yield "unknown model", subject.post("/chat/completions", unknown)
    yield "unknown path", subject.get("/no/such/path")
    yield "wrong method", subject.get("/chat/completions")
    if subject.key:
        yield "a wrong key", subject.post("/chat/completions", subject.chat_body(), key="sk-wrong")


def _error(reply: Reply) -> dict[str, Any]:
    """The error of an answer; empty when it has none of OpenAI's shape."""
    try:
        found = reply.json
    except Failed:
        return {}
    error = found.get("error") if isinstance(found, dict) else None
    return error if isinstance(error, dict) else {}


def _needed_key(subject: Subject) -> str:
    if not subject.key:
        raise Skipped("no key was given")
    return subject.key


def _with(subject: Subject, fields: dict[str, tuple[object, ...]]) -> dict[str, object]:
    """A chat for each wrong value, under a label that tells it."""
    plain = subject.chat_body(max_tokens=1)
    return {
        f"{name} {value!r}": plain | {name: value}
        for name, values in fields.items()
        for value in values
    }
