"""Servers of someone else's that are late, busy, down, or back again."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from serving import Server, serving, until
from upstream_servers import Answers, Asked, Says, Upstream, stream_of, upstream

Serve = Callable[..., Server]
Upstreams = dict[str, Upstream]
MODELS = Says({"object": "list", "data": [{"id": "m", "object": "model", "owned_by": "them"}]})
HELLO = Says(
    {
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "hello"},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1},
    }
)
DOWN = Says({"error": {"message": "down for now"}}, 503)
FAULTY = Says({"error": {"message": "Internal Server Error"}}, 500)


def in_turn(*answers: Says) -> Answers:
    """The answers one after the other; the last one again and again."""
    left = list(answers)

    def answer(asked: Asked) -> Says:
        return left.pop(0) if len(left) > 1 else left[0]

    return answer


def routes(*answers: Says) -> dict[str, Any]:
    return {"GET /v1/models": MODELS, "POST /v1/chat/completions": in_turn(*answers)}


def state(server: Server) -> str:
    return str(server.get("/ready").json["models"]["m"])


#: What a server answers, one after the other; the status that a client gets, and after how many
#: tries.
DECLINING: dict[str, tuple[tuple[Says, ...], int, int]] = {
    "down-once": ((DOWN, HELLO), 200, 2),
    "down-twice": ((DOWN, DOWN, HELLO), 200, 3),
    "down": ((DOWN,), 503, 3),
    "bad-gateway": ((Says({}, 502), HELLO), 200, 2),
    "busy": ((Says({"error": "busy"}, 429, {"retry-after": "1"}), HELLO), 200, 2),
    "busy-for-long": ((Says({"error": "busy"}, 429, {"retry-after": "3600"}), HELLO), 429, 1),
    "busy-unsaid": ((Says({"error": "busy"}, 429), HELLO), 429, 1),
    "faulty-once": ((FAULTY, HELLO), 502, 1),
    "wrong": ((Says({"error": "no"}, 400), HELLO), 400, 1),
    "moved": ((Says({}, 302, {"location": "http://127.0.0.1:1/"}), HELLO), 502, 1),
}


@pytest.fixture(scope="module")
def declining(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Upstreams]]:
    """A server of each kind of refusal, all behind one Penstock."""
    with contextlib.ExitStack() as stack:
        theirs = {
            name: stack.enter_context(upstream(routes(*answers)))
            for name, (answers, _, _) in DECLINING.items()
        }
        models = [f"{name}={server.url}#m" for name, server in theirs.items()]
        home = tmp_path_factory.mktemp("declining")
        yield stack.enter_context(serving(*models, home=home)), theirs


@pytest.mark.parametrize("name", DECLINING)
def test_what_is_tried_again_before_the_first_byte(
    declining: tuple[Server, Upstreams], name: str
) -> None:
    server, theirs = declining
    _, status, tries = DECLINING[name]
    reply = server.chat(name)
    assert reply.status == status, reply
    assert len(theirs[name].posted("/v1/chat/completions")) == tries
    if name == "busy-for-long":
        assert reply.headers["retry-after"] == "3600"


def test_an_echo_is_told_when_the_server_has_begun_to_answer(serve: Serve) -> None:
    """What it says before is no event of a stream: it has a status, or is tried again."""
    wrong = Says({"error": {"message": "no such thing"}}, 400)
    answers = in_turn(DOWN, HELLO, wrong)
    with upstream(routes() | {"POST /v1/completions": answers}) as theirs:
        server = serve(f"m={theirs.url}")
        body = {"model": "m", "prompt": "Once, ", "echo": True, "stream": True}
        told = server.post("completions", body)
        assert len(theirs.posted("/v1/completions")) == 2
        refused = server.post("completions", body)
    assert (told.status, refused.status) == (200, 400)
    texts = [choice["text"] for event in told.events for choice in event["choices"]]
    assert texts == ["Once, ", "hello", ""]
    assert refused.error["message"] == "no such thing"


def test_a_stream_that_ends_at_once_has_a_role(serve: Serve) -> None:
    """The first text is the stop; openai-node's helper throws where no chunk had a role."""
    usage = {"prompt_tokens": 3, "completion_tokens": 1}
    first = {"choices": [{"index": 0, "delta": {"content": "END"}}], "usage": usage}
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage}
    with upstream(routes(stream_of(first, end))) as theirs:
        reply = serve(f"m={theirs.url}").chat("m", stream=True, stop="END")
    deltas = [choice["delta"] for event in reply.events for choice in event["choices"]]
    assert deltas == [{"role": "assistant", "content": "", "refusal": None}, {}]


@pytest.mark.parametrize("field", [{"reasoning": {"effort": "low"}}, {"reasoning_effort": "low"}])
def test_how_much_to_think_is_refused_where_a_server_drops_it(
    serve: Serve, field: dict[str, Any]
) -> None:
    with upstream(routes(HELLO) | {"GET /info": Says({"max_total_tokens": 4096})}) as theirs:
        server = serve(f"m={theirs.url}")
        reply = server.chat("m", **field)
        assert (reply.status, reply.error["code"]) == (400, "unsupported_parameter")
        assert reply.error["param"] == next(iter(field))
        assert server.chat("m").status == 200


def test_a_poisonous_request_cannot_shut_others_out(serve: Serve) -> None:
    """It fails again and again with 500; the server passes its trial and is never left alone."""

    def choosy(asked: Asked) -> Says:
        return FAULTY if asked.body["messages"][0]["content"] == "poison" else HELLO

    with upstream(routes() | {"POST /v1/chat/completions": choosy}) as theirs:
        server = serve(f"m={theirs.url}")

        def tried(times: int) -> bool:
            bodies = theirs.posted("/v1/chat/completions")
            return [body["messages"][0]["content"] for body in bodies].count("Hi") >= times

        for round_ in range(1, 4):
            assert [server.chat("m", "poison").status for _ in range(6)] == [502] * 6
            until(partial(tried, round_), "it is tried")
            assert server.chat("m").status == 200
        assert state(server) == "ready"
        assert server.metric("penstock_replica_ejections_total") == 0


@pytest.mark.parametrize("stream", [False, True])
def test_a_server_that_fails_at_everything_is_left_alone_until_it_works(
    serve: Serve, stream: bool
) -> None:
    """Its list of models is as it was all the while."""
    with upstream(routes(FAULTY)) as theirs:
        server = serve(f"m={theirs.url}")
        for _ in range(5):
            reply = server.chat("m", stream=stream)
            assert (reply.status, reply.error["code"]) == (502, "engine_error")
        until(lambda: state(server) == "unreachable", "it is left alone")
        reply = server.chat("m", stream=stream)
        assert (reply.status, reply.error["code"]) == (503, "model_not_ready")
        assert int(reply.headers["retry-after"]) >= 1
        assert "answered 500" in server.log
        assert server.metric("penstock_replica_ejections_total") == 1
        theirs.routes |= routes(HELLO)
        until(lambda: state(server) == "ready", "it is found again", 30)
        assert server.chat("m").status == 200
        assert server.metric("penstock_replica_ejections_total") == 1


def test_embeddings_are_tried_by_embeddings(serve: Serve) -> None:
    with upstream({"GET /v1/models": MODELS, "POST /v1/embeddings": FAULTY}) as theirs:
        server = serve(f"m={theirs.url}")
        for _ in range(5):
            reply = server.post("embeddings", {"model": "m", "input": "some text"})
            assert reply.status == 502
        until(lambda: state(server) == "unreachable", "it is left alone")
        vector = {"object": "embedding", "index": 0, "embedding": [0.6, 0.8]}
        theirs.routes["POST /v1/embeddings"] = Says(
            {"object": "list", "data": [vector], "usage": {"prompt_tokens": 1, "total_tokens": 1}}
        )
        until(lambda: state(server) == "ready", "it is found again", 30)


def test_a_server_that_goes_away_is_left_alone_and_found_again(serve: Serve) -> None:
    with upstream(routes(HELLO)) as theirs:
        server = serve(f"m={theirs.url}", "other=fake:")
        assert server.chat("m").status == 200
        port = theirs.port
    for _ in range(3):  # two tries each
        assert server.chat("m").status in (502, 503)
    until(lambda: state(server) == "unreachable", "it is left alone")
    asked = len(theirs.asked)
    reply = server.chat("m")
    assert (reply.status, reply.error["code"]) == (503, "model_not_ready")
    assert int(reply.headers["retry-after"]) >= 1
    assert len(theirs.asked) == asked
    assert server.get("/ready").status == 200
    assert server.chat("other").status == 200
    with upstream(routes(HELLO), port=port):
        until(lambda: state(server) == "ready", "it is found again", 30)
        assert server.chat("m").status == 200


def test_a_server_that_is_down_at_the_start_is_found_later(serve: Serve) -> None:
    with upstream(routes(HELLO)) as theirs:
        port = theirs.port
    server = serve(f"m=http://127.0.0.1:{port}/v1", ready=False)
    until(lambda: state(server) == "unreachable", "it is looked for")
    assert server.chat("m").status == 503
    with upstream(routes(HELLO), port=port):
        until(lambda: state(server) == "ready", "it is found", 30)
        assert server.chat("m").status == 200


def test_the_key_of_a_server_is_seen_by_that_server_only(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Even if it repeats the key in its errors, plain and streamed."""
    key = "sk-theirs-0123456789abcdef"
    angry = Says({"error": {"message": f"Incorrect API key provided: {key}"}}, 401)
    broken = stream_of({"error": {"message": f"{key} has no money left"}})
    home = tmp_path_factory.mktemp("keyed")
    with upstream(routes(angry, broken, Says({"error": key}, 400), HELLO)) as theirs:
        config = home / "penstock.toml"
        config.write_text(
            f'[[models]]\nname = "m"\nsource = "{theirs.url}"\nkey_env = "THEIR_KEY"\n'
        )
        flags = ("--config", str(config), "--log-level", "debug")
        with serving(home=home, flags=flags, env={"THEIR_KEY": key}) as server:
            replies = [
                server.chat("m"),
                server.chat("m", stream=True),
                server.chat("m"),
                server.chat("m"),
                server.get("/metrics"),
                server.get("/v1/models/m"),
                server.get("/ready"),
            ]
            log = server.log
        sent = {asked.headers["authorization"] for asked in theirs.asked}
    assert [reply.status for reply in replies[:4]] == [502, 502, 400, 200]
    assert all(key not in reply.body.decode() for reply in replies)
    assert key not in log
    assert "answered 401" in log
    assert sent == {f"Bearer {key}"}
