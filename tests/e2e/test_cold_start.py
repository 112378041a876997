"""Models that are not up when they are asked for: what waits, what is told, and who makes room."""

import json
import threading
import time
from collections.abc import Callable

import psutil
import pytest
from openai import OpenAI
from rawhttp import Reply
from serving import Server, until

from penstock.engines.fake import WORKER_BYTES

Serve = Callable[..., Server]

#: Room for so many fake engines without ballast.
PLACES = 3
ROOM = ("--memory-limit", str(PLACES * WORKER_BYTES + WORKER_BYTES // 2))
ONE_PLACE = ("--memory-limit", str(WORKER_BYTES + WORKER_BYTES // 2))
LOADS = "fake:?load_s=2.5"


def states(server: Server) -> dict[str, str]:
    return dict(server.get("/ready").json["models"])


def engines(server: Server) -> list[psutil.Process]:
    return server.remember_children()


def comments(reply: Reply) -> list[str]:
    """The comments of an event stream."""
    lines = reply.body.decode().splitlines()
    return [line.removeprefix(":").strip() for line in lines if line.startswith(":")]


# -- waiting -----------------------------------------------------------------------------------


def test_a_stream_is_told_how_far_its_model_has_come(serve: Serve) -> None:
    server = serve(f"cold={LOADS}", ready=False)
    reply = server.chat("cold", stream=True)
    assert reply.status == 200
    assert "starting" in comments(reply)
    assert reply.body.rstrip().endswith(b"data: [DONE]")
    assert server.chat("cold", stream=True).body.startswith(b"data: ")


def test_the_official_client_reads_a_stream_with_comments(serve: Serve) -> None:
    server = serve(f"cold={LOADS}", ready=False)
    client = OpenAI(base_url=server.url, api_key=server.key, max_retries=0)
    stream = client.chat.completions.create(
        model="cold", messages=[{"role": "user", "content": "hello there"}], stream=True
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert text.startswith("You said: hello there")


def test_beyond_the_bound_it_is_503_or_the_same_in_the_stream(serve: Serve) -> None:
    server = serve("never=fake:?load_s=600", ready=False, flags=("--ready-timeout-s", "1.5"))
    plain = server.chat("never")
    assert (plain.status, plain.error["code"]) == (503, "model_not_ready")
    assert int(plain.headers["retry-after"]) >= 1
    assert "starting" in plain.error["message"]
    streamed = server.chat("never", stream=True)
    assert streamed.status == 200
    error, done = streamed.payloads
    assert json.loads(error)["error"]["code"] == "model_not_ready"
    assert done == "[DONE]"
    until(lambda: server.metric("penstock_calls_waiting") == 0, "nobody waits any more")


def test_what_is_wrong_with_a_request_is_told_after_a_cold_start_too(serve: Serve) -> None:
    server = serve(f"cold={LOADS}", ready=False)
    reply = server.chat("cold", stream=True, top_logprobs=3)
    error, done = reply.payloads
    assert (json.loads(error)["error"]["param"], done) == ("top_logprobs", "[DONE]")
    assert server.chat("cold", stream=True, top_logprobs=3).status == 400


def test_a_client_that_leaves_during_a_cold_start_leaves_nothing(serve: Serve) -> None:
    server = serve("never=fake:?load_s=600", ready=False)
    with server.open_chat("never") as wire:
        wire.head()
    assert server.stop(within_s=15) == 0


def test_fail_fast_is_429_at_once(serve: Serve) -> None:
    server = serve("one=fake:?tokens_per_second=20", f"cold={LOADS}", flags=("--parallel", "1"))
    embed = {"model": "one", "input": "x", "fail_fast": True}
    assert server.chat("one", max_tokens=1, fail_fast=True).status == 200
    assert server.post("embeddings", embed).status == 200
    with server.open_chat("one", max_tokens=10_000):
        until(lambda: server.running() == 1, "it runs")
        for stream in (False, True):
            reply = server.chat("one", fail_fast=True, stream=stream)
            assert reply.status == 429
            assert reply.error == {
                "message": "Model busy, retry later",
                "type": "invalid_request_error",
                "param": None,
                "code": "engine_overloaded",
            }
        assert server.post("embeddings", embed).status == 429


# -- room --------------------------------------------------------------------------------------


def test_the_first_ones_start_and_a_request_makes_room_for_another(serve: Serve) -> None:
    names = ("a", "b", "c", "d")
    server = serve(*(f"{name}=fake:" for name in names), flags=ROOM)
    assert states(server) == {"a": "ready", "b": "ready", "c": "ready", "d": "idle"}
    assert "no room" in server.log
    time.sleep(1.2)  # the last use is seen once a second
    assert server.chat("a", fail_fast=True).status == 200
    assert server.chat("c").status == 200
    time.sleep(1.2)
    assert server.chat("d", fail_fast=True).status == 429
    assert server.chat("d").status == 200
    assert states(server) == {"a": "ready", "b": "idle", "c": "ready", "d": "ready"}
    assert len(engines(server)) == PLACES


def test_a_pinned_model_stays(serve: Serve, tmp_path: object) -> None:
    config = """
    [[models]]
    name = "pinned"
    source = "fake:"
    pinned = true

    [[models]]
    name = "other"
    source = "fake:"
    """
    path = f"{tmp_path}/penstock.toml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(config)
    server = serve(flags=(*ONE_PLACE, "--ready-timeout-s", "1", "--config", path))
    assert states(server) == {"pinned": "ready", "other": "idle"}
    assert server.chat("other").status == 503
    assert states(server)["pinned"] == "ready"


def test_a_running_answer_is_never_cut_for_another_model(serve: Serve) -> None:
    server = serve("slow=fake:?tokens_per_second=10", "other=fake:", flags=ONE_PLACE)
    with server.open_chat("slow", max_tokens=60) as wire:
        until(lambda: server.running() == 1, "it runs")
        replies: list[Reply] = []
        asking = threading.Thread(target=lambda: replies.append(server.chat("other")))
        asking.start()
        whole = wire.final()
        asking.join()
    assert whole.payloads[-1] == "[DONE]"
    assert len(whole.events) >= 60
    assert replies[0].status == 200
    assert states(server) == {"slow": "idle", "other": "ready"}


def test_an_idle_model_stops_and_a_request_brings_it_back(serve: Serve) -> None:
    server = serve("a=fake:", flags=("--idle-stop-s", "1.5"))
    until(lambda: states(server)["a"] == "idle", "it stops")
    until(lambda: not engines(server), "its process has ended")
    assert server.get("/ready").status == 200
    assert server.chat("a").status == 200


def test_one_start_however_many_ask(serve: Serve) -> None:
    server = serve("a=fake:", "b=fake:", flags=ONE_PLACE)
    replies: list[Reply] = []
    asking = [threading.Thread(target=lambda: replies.append(server.chat("b"))) for _ in range(20)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert [reply.status for reply in replies] == [200] * 20
    assert server.log.count("Stopped to make room") == 1


@pytest.mark.slow
def test_models_that_take_turns_lose_no_request_and_leave_no_process(serve: Serve) -> None:
    names = [f"m{number}" for number in range(8)]
    server = serve(*(f"{name}=fake:" for name in names), flags=ROOM)
    until_s = time.monotonic() + 20
    statuses: list[int] = []
    most_engines = 0

    def ask(first: int) -> None:
        turn = first
        while time.monotonic() < until_s:
            statuses.append(server.chat(names[turn % len(names)]).status)
            turn += 3

    asking = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in asking:
        thread.start()
    while any(thread.is_alive() for thread in asking):
        most_engines = max(most_engines, len(engines(server)))
        time.sleep(0.2)
    assert set(statuses) == {200}
    assert most_engines <= PLACES
