"""The checks pass on our own server, and fail on servers that are wrong."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest
from faulty import Answer, Fault, always, behind, listening
from serving import KEY, Server

from penstock.conformance.catalogue import SECTIONS
from penstock.conformance.check import check
from penstock.conformance.examine import examine, find_models
from penstock.conformance.subject import ModelNames, Subject
from penstock.conformance.wire import Origin

ALL_KINDS = ModelNames(chat="m", completions="m", embeddings="e", images="i")


def command(*argv: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "penstock", "conformance", *argv],
        capture_output=True,
        text=True,
        timeout=170,
    )


def failed_checks(url: str, models: ModelNames, *sections: str, timeout_s: float = 30) -> set[str]:
    origin = Origin.parse(url)
    with Subject(origin, key=KEY, models=models, timeout_s=timeout_s, extra={}) as subject:
        results = list(examine(subject, sections))
    return {r.check.name for r in results if r.outcome == "failed"}


# -- our own server ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own_report(bundled_server: Server) -> Any:
    done = command(bundled_server.url, "--key", bundled_server.key, "--json")
    assert done.stdout, done.stderr
    return {"status": done.returncode, **json.loads(done.stdout)}


def test_nothing_fails_on_our_own_server(own_report: Any) -> None:
    failed = {c["name"]: c["reason"] for c in own_report["checks"] if c["outcome"] == "failed"}
    assert failed == {}
    assert own_report["status"] == 0


def test_nothing_is_skipped_on_our_own_server(own_report: Any) -> None:
    skipped = {c["name"]: c["reason"] for c in own_report["checks"] if c["outcome"] == "skipped"}
    assert skipped == {}
    assert own_report["models"] == {
        "chat": "penstock/tiny-chat",
        "completions": "penstock/tiny-chat",
        "embeddings": "penstock/tiny-embed",
        "images": "penstock/tiny-draw",
    }


# -- wrong servers ----------------------------------------------------------------------------


USELESS = (
    always(200, "application/json", b"{}"),
    always(500, "application/json", b'{"error": "no"}'),
    always(200, "text/html", b"<p>Welcome!</p>"),
)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_check_fails_on_some_useless_server(section: str) -> None:
    """What passes on all of these would pass on anything."""
    failed = set()
    for answering in USELESS:
        with listening(answering) as url:
            failed |= failed_checks(url, ALL_KINDS, section, timeout_s=5)
    assert {each.name for each in SECTIONS[section]} - failed == set()


def without(*path: str) -> Any:
    """Deletes what `path` leads to; "choices" leads to each of them."""

    def change(body: dict[str, Any]) -> None:
        *above, last = path
        inners: list[Any] = [body]
        for name in above:
            inners = [inner.get(name) or {} for inner in inners]
            if name == "choices":
                inners = [choice for choices in inners for choice in choices]
        for inner in inners:
            inner.pop(last, None)

    return change


def with_value(name: str, value: object) -> Any:
    def change(body: dict[str, Any]) -> None:
        body[name] = value

    return change


def count_the_prompt_for_each(answer: dict[str, Any]) -> None:
    if "usage" in answer:
        answer["usage"]["prompt_tokens"] *= len(answer["choices"])


def as_fastapi(answer: Answer) -> None:
    if answer.status >= 400:
        answer.status, answer.body = 422, b'{"detail": "no"}'


def as_plain_200(answer: Answer) -> None:
    answer.status = 200


def list_of_numbers(body: dict[str, Any]) -> None:
    if body.get("encoding_format") == "base64":
        body["encoding_format"] = "float"


def name_again(event: dict[str, Any]) -> None:
    for choice in event["choices"]:
        for piece in choice["delta"].get("tool_calls") or ():
            piece["function"]["name"] = "switch_light"


def as_if_unnamed(body: dict[str, Any]) -> None:
    if isinstance(body.get("tool_choice"), dict):
        body["tool_choice"] = "none"


#: what is wrong -> section, how to be so wrong, and checks that have to fail (others may, too)
FAULTS: dict[str, tuple[str, Fault, set[str]]] = {
    "the same id always": (
        "chat",
        Fault(of_answer=with_value("id", "chatcmpl-1")),
        {"ids_are_unique"},
    ),
    "no finish reason": (
        "chat",
        Fault(of_answer=without("choices", "finish_reason")),
        {"answer_fits_the_schema"},
    ),
    "no refusal": (
        "chat",
        Fault(of_answer=without("choices", "message", "refusal")),
        {"answer_fits_the_schema"},
    ),
    "max_tokens ignored": (
        "chat",
        Fault(of_request=without("max_tokens")),
        {"max_tokens_is_a_bound"},
    ),
    "stop ignored": (
        "stop",
        Fault(of_request=without("stop")),
        {"text_ends_before_the_match", "streams_stop_at_the_same_place", "other_types_are_refused"},
    ),
    "no finish reason in a stream": (
        "streaming",
        Fault(of_event=without("choices", "finish_reason")),
        {"chunks_fit_the_schema", "one_finish_reason"},
    ),
    "stream_options ignored": (
        "streaming",
        Fault(of_request=without("stream_options")),
        {"usage_comes_last_when_asked", "usage_is_null_before", "stream_options_need_stream"},
    ),
    "chunks without choices": (
        "streaming",
        Fault(of_event=with_value("choices", [])),
        {"no_chunk_without_choices_unasked", "role_comes_first_and_once"},
    ),
    "seed ignored": ("sampling", Fault(of_request=without("seed")), {"seed_repeats"}),
    "always greedy": (
        "sampling",
        Fault(of_request=with_value("temperature", 0)),
        {"temperature_2_varies", "seeds_differ"},
    ),
    "logit_bias ignored": (
        "sampling",
        Fault(of_request=without("logit_bias")),
        {"logit_bias_has_effect", "logit_bias_takes_token_ids_only"},
    ),
    "presence_penalty ignored": (
        "sampling",
        Fault(of_request=without("presence_penalty")),
        {"presence_penalty_has_effect"},
    ),
    "n ignored": (
        "choices",
        Fault(of_request=without("n")),
        {"as_many_as_asked_for", "streams_interleave", "out_of_range_is_refused"},
    ),
    "the prompt counted for each choice": (
        "choices",
        Fault(of_answer=count_the_prompt_for_each),
        {"usage_counts_the_prompt_once"},
    ),
    "always five alternatives": (
        "logprobs",
        Fault(of_request=with_value("top_logprobs", 5)),
        {"no_alternatives_unasked", "as_many_alternatives_as_asked_for"},
    ),
    "no call where one is named": (
        "tools",
        Fault(of_request=as_if_unnamed),
        {"named_function_is_called", "official_client_gets_a_call"},
    ),
    "the name in every piece": (
        "tools",
        Fault(of_event=name_again),
        {"streamed_call_begins_with_id_and_name"},
    ),
    "response_format ignored": (
        "structured",
        Fault(of_request=without("response_format")),
        {"flat_schema_is_obeyed", "malformed_formats_are_refused"},
    ),
    "echo ignored": (
        "completions",
        Fault(of_request=without("echo")),
        {"echo_gives_the_prompt_back", "echoed_prompt_has_logprobs"},
    ),
    "a list where base64 was asked for": (
        "embeddings",
        Fault(of_request=list_of_numbers),
        {"base64_is_honoured_or_refused"},
    ),
    "one text embedded whatever comes": (
        "embeddings",
        Fault(of_request=with_value("input", "a")),
        {"lists_keep_their_order", "batch_equals_single", "wrong_inputs_are_refused"},
    ),
    "one picture always": ("images", Fault(of_request=without("n")), {"as_many_as_asked_for"}),
    "errors of a framework": (
        "errors",
        Fault(of_whole=as_fastapi),
        {"errors_fit_the_schema", "unknown_model_is_404", "out_of_range_is_400"},
    ),
    "errors with status 200": (
        "errors",
        Fault(of_whole=as_plain_200),
        {"broken_json_is_400", "unknown_path_is_404", "wrong_method_is_405", "wrong_keys_are_401"},
    ),
    "no total": ("usage", Fault(of_answer=without("usage", "total_tokens")), {"total_is_the_sum"}),
    "no usage in streams": (
        "deepinfra",
        Fault(of_event=without("usage")),
        {"usage_comes_with_the_finish_reason"},
    ),
}
BUNDLED = ModelNames(
    chat="penstock/tiny-chat",
    completions="penstock/tiny-chat",
    embeddings="penstock/tiny-embed",
    images="penstock/tiny-draw",
)


@pytest.mark.parametrize("wrong", FAULTS)
def test_a_fault_fails_the_checks_of_it(bundled_server: Server, wrong: str) -> None:
    section, fault, expected = FAULTS[wrong]
    with listening(behind(bundled_server.base, fault)) as url:
        assert expected - failed_checks(url, BUNDLED, section) == set()


def test_a_server_that_is_right_fails_nothing_behind_the_same_proxy(bundled_server: Server) -> None:
    """So what a fault makes fail is the fault's doing."""
    sections = ("chat", "streaming", "stop", "sampling", "choices", "logprobs", "usage")
    with listening(behind(bundled_server.base, Fault())) as url:
        assert failed_checks(url, BUNDLED, *sections) == set()


def test_what_follows_the_death_of_a_server_is_skipped() -> None:
    """The fake engine dies of its first answer."""
    fake = [
        sys.executable,
        "-m",
        "penstock.engines.workers.fake",
        "--port",
        "0",
        "--die-after",
        "0",
    ]
    with subprocess.Popen(fake, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        subject = Subject(
            Origin.parse(url), key=None, models=ModelNames(chat="fake"), timeout_s=30, extra={}
        )
        first, *others = examine(subject, ["usage", "reasoning"])
    assert first.outcome == "failed"
    assert first.reason == "the connection was closed without an answer"
    assert {(r.outcome, r.reason) for r in others} == {
        ("skipped", "the server went away at usage total_is_the_sum")
    }


# -- the command ------------------------------------------------------------------------------


def test_a_wrong_server_ends_with_status_1_and_reasons(bundled_server: Server) -> None:
    fault = Fault(of_answer=without("choices", "message", "refusal"))
    with listening(behind(bundled_server.base, fault)) as url:
        done = command(url, "--key", KEY, "--section", "chat", "--section", "usage")
    assert done.returncode == 1
    assert "chat answer_fits_the_schema: choices[0].message: 'refusal' is a" in done.stdout
    assert re.search(r"^usage +6 +0 +0$", done.stdout, re.MULTILINE)


def test_what_has_no_model_is_skipped_with_a_reason(fake_server: Server) -> None:
    done = command(
        fake_server.url, "--key", fake_server.key, "--model", "fast", "--section", "images"
    )
    assert done.returncode == 0, done.stdout
    assert "the server has no model for images" in done.stdout


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["localhost:8000"], "it begins with http:// or https://"),
        (["http://127.0.0.1:9/v1"], "no connection to 127.0.0.1:9"),
        (["http://127.0.0.1:9/v1", "--extra", "[]"], "--extra is no JSON object"),
        (["http://127.0.0.1:9/v1", "--section", "zork"], "'zork' is not one of"),
    ],
)
def test_mistakes_are_told_in_a_sentence(argv: list[str], sentence: str) -> None:
    done = command(*argv)
    assert done.returncode in (1, 2)
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_packages_that_are_missing_are_named() -> None:
    script = (
        "import sys; sys.modules['jsonschema'] = None; from penstock.cli.main import main; main()"
    )
    argv = [sys.executable, "-c", script, "conformance", "http://127.0.0.1:9/v1"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    sentence = "This command needs jsonschema: pip install 'penstock[conformance]'"
    assert done.stderr.strip() == f"Error: {sentence}"


def test_rules_are_listed_without_a_server() -> None:
    done = command("http://127.0.0.1:9/v1", "--rules")
    assert done.returncode == 0
    for section, checks in SECTIONS.items():
        assert f"{section}:\n" in done.stdout
        assert all(f"  {each.name}: {each.rule}" in done.stdout for each in checks)


def test_a_check_says_its_rule_and_where_it_is_from() -> None:
    def nameless(subject: Subject) -> None:
        """A rule without anything behind it."""

    with pytest.raises(TypeError, match="where it is from"):
        check(nameless)


def test_models_are_found_by_asking(bundled_server: Server) -> None:
    origin = Origin.parse(bundled_server.url)
    subject = Subject(origin, key=bundled_server.key, models=ModelNames(), timeout_s=30, extra={})
    assert find_models(subject, ModelNames(images="another")).images == "another"
    assert find_models(subject, ModelNames()).embeddings == "penstock/tiny-embed"
