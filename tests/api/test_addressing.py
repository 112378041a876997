"""The field `model`, and DeepInfra's `models`, at a real server of declared models."""

from collections.abc import Iterator

import pytest
from openai import NotFoundError, OpenAI
from rawhttp import Reply
from serving import Server, serving, until

MODELS = """
[[models]]
source = "fake:"
name = "current"
aliases = ["nick", "org/nick"]

[[models]]
source = "fake:"
name = "old"
deprecated = 2020-01-01
replaced_by = "current"

[[models]]
source = "fake:"
name = "leaving"
deprecated = 2099-12-31
replaced_by = "current"

[[models]]
source = "fake:?tokens_per_second=5"
name = "busy"
parallel = 1

[[models]]
source = "fake:?load_s=3600"
name = "never-up"
"""
ENDPOINTS: dict[str, dict[str, object]] = {
    "chat/completions": {"messages": [{"role": "user", "content": "hi"}]},
    "completions": {"prompt": "hi"},
    "embeddings": {"input": "hi"},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("addressing")
    file = home / "penstock.toml"
    file.write_text(MODELS)
    with serving(home=home, flags=("--config", str(file)), ready=False) as server:
        for name in ("current", "old", "leaving", "busy"):
            assert server.chat(name, max_tokens=1).status == 200
        yield server


@pytest.fixture
def busy(server: Server) -> Iterator[str]:
    """The name of a model whose only place is taken."""
    with server.open_chat("busy", "a long one", max_tokens=1000):
        until(lambda: server.metric("penstock_calls_running", gen_ai_request_model="busy"), "runs")
        yield "busy"
    until(lambda: not server.running(), "the place is free again")


def ask(server: Server, path: str, model: str) -> Reply:
    return server.post(path, {"model": model, **ENDPOINTS[path]})


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize(
    ("asked", "answers"),
    [("current", "current"), ("nick", "nick"), ("org/nick", "org/nick"), ("old", "current")],
)
def test_every_endpoint_finds_a_model_by_any_of_its_names(
    server: Server, path: str, asked: str, answers: str
) -> None:
    reply = ask(server, path, asked)
    assert (reply.status, reply.json["model"]) == (200, answers)


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("asked", ["nobody", "current:" + "0" * 64, "deploy_id:x", "cur\nrent"])
def test_every_endpoint_refuses_a_name_that_nobody_knows(
    server: Server, path: str, asked: str
) -> None:
    reply = ask(server, path, asked)
    assert (reply.status, reply.error["code"]) == (404, "model_not_found")
    assert reply.error["param"] == "model"


@pytest.mark.parametrize("stream", [False, True])
def test_the_answer_says_which_version_answered(server: Server, stream: bool) -> None:
    client = OpenAI(base_url=server.url, api_key=server.key)
    plain = client.chat.completions.create(
        model="current", messages=[{"role": "user", "content": "hi"}]
    )
    assert plain.system_fingerprint
    digits = plain.system_fingerprint.removeprefix("fp_")
    reply = server.chat(f"current:{digits}", stream=stream)
    first = reply.events[0] if stream else reply.json
    assert first["system_fingerprint"] == plain.system_fingerprint
    name, _, version = first["model"].partition(":")
    assert (name, len(version), version[:12]) == ("current", 64, digits)


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize(("asked", "date"), [("old", b"@1577836800"), ("leaving", b"@4102358400")])
def test_answers_to_a_deprecated_name_say_so(
    server: Server, path: str, asked: str, date: bytes
) -> None:
    headers = ask(server, path, asked).headers
    assert headers["deprecation"] == date.decode()
    assert headers["link"] == '</models/current>; rel="successor-version"'
    assert "deprecation" not in ask(server, path, "current").headers


def test_streams_of_a_deprecated_name_say_so_too(server: Server) -> None:
    reply = server.chat("old", stream=True)
    assert reply.headers["deprecation"] == "@1577836800"
    assert {event["model"] for event in reply.events} == {"current"}


# -- models: [..] -----------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["chat/completions", "completions"])
def test_the_first_with_room_answers(server: Server, path: str, stream: bool, busy: str) -> None:
    models = ["never-up", busy, "nick", "leaving"]
    body = {"model": "ignored", "models": models, "stream": stream, **ENDPOINTS[path]}
    reply = server.post(path, body)
    assert reply.status == 200
    assert (reply.events[0] if stream else reply.json)["model"] == "nick"


def test_the_first_is_taken_when_it_has_room(server: Server) -> None:
    reply = server.chat("current", models=["leaving", "current"])
    assert reply.json["model"] == "leaving"
    assert reply.headers["deprecation"]


def test_the_last_is_waited_for(server: Server, busy: str) -> None:
    client = OpenAI(base_url=server.url, api_key=server.key, timeout=1.0, max_retries=0)
    with pytest.raises(Exception, match="timed out"):
        client.chat.completions.create(
            model=busy,
            messages=[{"role": "user", "content": "hi"}],
            extra_body={"models": ["never-up", busy, busy]},
        )


def test_a_name_in_models_that_nobody_knows_is_refused(server: Server) -> None:
    client = OpenAI(base_url=server.url, api_key=server.key)
    with pytest.raises(NotFoundError, match="nobody"):
        client.chat.completions.create(
            model="current",
            messages=[{"role": "user", "content": "hi"}],
            extra_body={"models": ["current", "nobody"]},
        )


@pytest.mark.parametrize("models", [[], ["a", "b", "c", "d", "e"], "current", [1], [""]])
def test_bad_lists_of_models_are_refused(server: Server, models: object) -> None:
    reply = server.chat("current", models=models)
    assert (reply.status, reply.error["code"]) == (400, "invalid_value")
    assert reply.error["param"].startswith("models")
