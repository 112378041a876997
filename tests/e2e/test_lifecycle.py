"""Engines that die, gateways that die, clients that come in crowds: nothing is lost or left."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest
from rawhttp import Reply, Wire, error_of
from serving import KEY, Server, environment, is_alive, serving, until
from upstream_servers import Says, never, upstream

Serve = Callable[..., Server]


def engine_of(server: Server, model: str) -> psutil.Process:
    """The process behind a fake model."""
    for child in server.remember_children():
        with contextlib.suppress(psutil.NoSuchProcess):
            line = child.cmdline()
            if "--model" in line and line[line.index("--model") + 1] == model:
                return child
    raise AssertionError(f"no engine of {model}")


def state(server: Server, model: str) -> str:
    return str(server.get("/ready").json["models"][model])


def stream_events(reply: Reply) -> tuple[list[Any], dict[str, Any] | None]:
    """The chunks of a stream, and the error it ended in."""
    *payloads, done = reply.payloads
    assert done == "[DONE]"
    events = [json.loads(payload) for payload in payloads]
    broken = error_of(events.pop()) if "error" in events[-1] else None
    return events, broken


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Models that fail in each way, and one that does not."""
    home = tmp_path_factory.mktemp("faulty")
    once = quote(str(home / "died-once"))
    mute = upstream({"GET /v1/models": Says({"data": []}), "POST /v1/chat/completions": never})
    models = (
        "good=fake:",
        "slow=fake:?tokens_per_second=20",
        "dies=fake:?die_after=3&tokens_per_second=50",
        f"dies-once=fake:?die_once={once}",
        "dies-always=fake:?die_after=0",
        "stalls=fake:?stall_after=3&tokens_per_second=50",
        "stalls-first=fake:?stall_after=0",
        "deaf=fake:?ignore_sigterm=true",
        "loads=fake:?load_s=1",
    )
    flags = ("--stall-timeout-s", "1", "--first-byte-timeout-s", "1", "--stop-grace-s", "0.5")
    with mute as silent, serving(f"mute={silent.url}", *models, home=home, flags=flags) as server:
        yield server


# -- engines that fail ---------------------------------------------------------------------------


def test_a_killed_engine_is_back_by_itself_and_others_never_notice(faulty: Server) -> None:
    with faulty.open_chat("good", max_tokens=5) as other:
        before = engine_of(faulty, "slow")
        before.send_signal(signal.SIGKILL)
        until(lambda: state(faulty, "slow") != "ready", "the gateway notices")
        assert other.final().events
        assert faulty.chat("good").status == 200
        assert faulty.chat("slow", max_tokens=2).status == 200
        assert engine_of(faulty, "slow").pid != before.pid
    assert faulty.metric("penstock_replica_restarts_total", gen_ai_request_model="slow") == 1


def test_an_engine_that_dies_in_mid_stream_ends_in_a_typed_error(faulty: Server) -> None:
    events, broken = stream_events(faulty.chat("dies", stream=True))
    assert [e["choices"][0]["delta"].get("content") for e in events][1:] == [
        "You",
        " said:",
        " hello",
    ]
    assert broken is not None
    assert (broken["type"], broken["code"]) == ("server_error", "engine_error")


def test_an_engine_that_dies_in_a_plain_answer_is_502(faulty: Server) -> None:
    reply = faulty.chat("dies")
    assert (reply.status, reply.error["code"]) == (502, "engine_error")


def test_an_engine_that_dies_before_the_first_token_is_tried_again_unseen(faulty: Server) -> None:
    assert len(faulty.chat("dies-once", stream=True).events) > 10
    name = "dies-once"
    assert faulty.metric("penstock_replica_restarts_total", gen_ai_request_model=name) == 1


def test_an_engine_that_always_dies_first_is_an_error_with_a_status(faulty: Server) -> None:
    reply = faulty.chat("dies-always", stream=True)
    assert (reply.status, reply.error["code"]) == (502, "engine_error")
    assert faulty.chat("good").status == 200


def test_a_stall_in_mid_stream_ends_in_a_typed_error_within_its_bound(faulty: Server) -> None:
    began_s = time.monotonic()
    events, broken = stream_events(faulty.chat("stalls", stream=True))
    assert len(events) == 4
    assert broken is not None
    assert broken["code"] == "engine_error"
    assert time.monotonic() - began_s < 5
    until(lambda: faulty.running() == 0, "the places are free")


@pytest.mark.parametrize("stream", [False, True])
def test_an_engine_that_never_begins_to_answer_is_an_error_within_its_bound(
    faulty: Server, stream: bool
) -> None:
    reply = faulty.chat("mute", stream=stream)
    assert (reply.status, reply.error["code"]) == (502, "engine_error")
    assert "silent" in reply.error["message"]
    assert faulty.running() == 0


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["badjson", "error"])
def test_garbage_or_an_error_in_a_stream_is_a_typed_error(
    fake_server: Server, model: str, stream: bool
) -> None:
    reply = fake_server.chat(model, stream=stream)
    if not stream:
        assert (reply.status, reply.error["code"]) == (502, "engine_error")
        return
    events, broken = stream_events(reply)
    assert len(events) == 4
    assert broken is not None
    assert broken["type"] == "server_error"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "status"), [("error-first", 502), ("status-500", 502), ("status-429", 429)]
)
def test_an_error_before_the_first_token_has_a_status(
    fake_server: Server, model: str, status: int, stream: bool
) -> None:
    reply = fake_server.chat(model, stream=stream)
    assert reply.status == status, reply
    assert reply.error["message"]


def test_a_stream_that_forgets_to_say_done_is_whole(fake_server: Server) -> None:
    events = fake_server.chat("forgets-done", stream=True).events
    assert events[-1]["choices"][0]["finish_reason"] == "stop"


def test_an_engine_that_refuses_to_start_gives_its_reason_to_the_operator(serve: Serve) -> None:
    server = serve("bad=fake:?refuse_to_start=true", "good=fake:", ready=False)
    until(lambda: state(server, "good") == "ready", "the good one is ready")
    until(lambda: "refuses to start, as it was told to" in server.log, "the reason is logged")
    until(lambda: state(server, "bad") == "failed", "it is given up", 30)
    reply = server.chat("bad")
    assert (reply.status, reply.error["code"]) == (503, "model_not_ready")
    assert int(reply.headers["retry-after"]) >= 1
    assert "as it was told to" not in reply.body.decode()
    assert server.chat("good").status == 200
    assert server.get("/health").status == 200


def test_a_request_waits_for_a_starting_engine_within_a_bound(serve: Serve) -> None:
    server = serve("loads=fake:?load_s=1.5", ready=False)
    assert server.chat("loads").status == 200
    impatient = serve("loads=fake:?load_s=600", ready=False, flags=("--ready-timeout-s", "0.3"))
    reply = impatient.chat("loads")
    assert (reply.status, reply.headers["retry-after"] > "0") == (503, True)


# -- gateways that end ---------------------------------------------------------------------------


@pytest.mark.parametrize("models", [("a=fake:", "b=fake:?ignore_sigterm=true"), ()])
def test_kill_9_of_the_gateway_leaves_no_engine(tmp_path: Path, models: tuple[str, ...]) -> None:
    server = Server(models, home=tmp_path)
    try:
        server.wait_ready()
        assert len(server.children) >= 2
    finally:
        server.process.kill()
        server.process.wait()
    server.check_no_child_is_left()


def test_sigterm_ends_an_engine_that_ignores_it(serve: Serve) -> None:
    server = serve("deaf=fake:?ignore_sigterm=true", flags=("--stop-grace-s", "0.3"))
    engine = engine_of(server, "deaf")
    began_s = time.monotonic()
    assert server.stop() == 0
    assert not is_alive(engine)
    assert time.monotonic() - began_s < 5


def test_sigterm_lets_running_streams_finish_and_takes_no_new_work(serve: Serve) -> None:
    server = serve("slow=fake:?tokens_per_second=20")
    base = server.base
    with server.open_chat("slow", max_tokens=30) as wire, server.wire() as idle:
        until(lambda: server.running() == 1, "it runs")
        server.process.send_signal(signal.SIGTERM)
        assert idle.at_end()
        with pytest.raises(ConnectionRefusedError):
            Wire.to(base)
        events, broken = stream_events(wire.final())
        assert broken is None
        assert len(events) == 32
        assert wire.at_end()
    assert server.process.wait(timeout=30) == 0


def test_a_stream_longer_than_the_drain_is_cut(serve: Serve) -> None:
    server = serve("slow=fake:?tokens_per_second=20", flags=("--drain-timeout-s", "0.5"))
    with server.open_chat("slow", max_tokens=10_000) as wire:
        until(lambda: server.running() == 1, "it runs")
        assert server.stop(within_s=5) == 0
        assert b"[DONE]" not in b"".join(cut_off_chunks(wire))


def cut_off_chunks(wire: Wire) -> Iterator[bytes]:
    wire.head()
    with contextlib.suppress(OSError, ValueError, AssertionError):
        yield from wire.chunks()


def test_a_second_sigint_stops_at_once(serve: Serve) -> None:
    server = serve("slow=fake:?tokens_per_second=20")
    with server.open_chat("slow", max_tokens=10_000):
        until(lambda: server.running() == 1, "it runs")
        server.process.send_signal(signal.SIGINT)
        until(lambda: "1 running" in server.log or "Letting" in server.log, "it drains")
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(5) == 0
    server.check_no_child_is_left()


def test_sigterm_while_engines_start_leaves_nothing(serve: Serve) -> None:
    server = serve("loads=fake:?load_s=600", ready=False)
    until(server.remember_children, "the engine is there")
    assert server.stop(within_s=10) == 0


def test_two_servers_on_one_home_do_not_harm_each_other(serve: Serve, tmp_path: Path) -> None:
    first = serve("a=fake:", home=tmp_path)
    second = serve("b=fake:", home=tmp_path)
    assert (first.chat("a").status, second.chat("b").status) == (200, 200)
    run_keys(tmp_path, "create", "another")
    assert first.stop() == 0
    assert second.chat("b").status == 200
    assert serve("c=fake:", home=tmp_path).chat("c").status == 200
    with sqlite3.connect(tmp_path / "penstock.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


# -- crowds --------------------------------------------------------------------------------------


def test_200_streams_at_once_are_all_served_or_429_and_never_mixed(serve: Serve) -> None:
    server = serve(
        "crowd=fake:?tokens_per_second=20", flags=("--parallel", "64", "--queue-limit", "100")
    )
    wires = [server.open_chat("crowd", f"client-{n}", max_tokens=30) for n in range(200)]
    served = refused = 0
    for number, wire in enumerate(wires):
        reply = wire.final()
        if reply.status == 429:
            assert reply.error["type"] == "rate_limit_error"
            assert int(reply.headers["retry-after"]) >= 1
            refused += 1
        else:
            text = "".join(e["choices"][0]["delta"].get("content", "") for e in reply.events)
            assert set(text.split()) == {"You", "said:", f"client-{number}", "-"}
            served += 1
        wire.close()
    assert (served, refused) == (164, 36)
    until(lambda: server.running() == 0, "all places are free")


def test_100_clients_that_leave_in_mid_stream_free_their_places(fake_server: Server) -> None:
    wires = [fake_server.open_chat("slow", max_tokens=10_000) for _ in range(100)]
    until(lambda: fake_server.running() == 100, "all run")
    for number, wire in enumerate(wires):
        wire.reset() if number % 2 else wire.close()
    until(lambda: fake_server.running() == 0, "all places are free", 3)
    left = fake_server.metric("penstock_generations_total", outcome="client_left")
    assert left >= 100


def test_clients_that_leave_the_queue_leave_no_ghost(serve: Serve) -> None:
    server = serve("one=fake:?tokens_per_second=20", flags=("--parallel", "1"))
    with server.open_chat("one", max_tokens=10_000):
        waiting = [server.open_chat("one") for _ in range(20)]
        until(lambda: server.metric("penstock_calls_waiting") == 20, "they wait")
        for wire in waiting:
            wire.reset()
        until(lambda: server.metric("penstock_calls_waiting") == 0, "they are gone", 3)
        assert server.running() == 1
    until(lambda: server.running() == 0, "the place is free", 3)
    assert server.chat("one", max_tokens=1).status == 200


def test_a_full_queue_is_429_with_retry_after(serve: Serve) -> None:
    server = serve(
        "one=fake:?tokens_per_second=20",
        flags=("--parallel", "1", "--queue-limit", "1", "--queue-timeout-s", "1"),
    )
    with server.open_chat("one", max_tokens=10_000), server.open_chat("one") as waits:
        until(lambda: server.metric("penstock_calls_waiting") == 1, "one waits")
        for more in ({}, {"stream": True}, {"n": 3}):
            reply = server.chat("one", **more)
            assert (reply.status, reply.error["code"]) == (429, "rate_limit_exceeded")
            assert int(reply.headers["retry-after"]) >= 1
        late = waits.final()
        assert (late.status, late.error["type"]) == (429, "rate_limit_error")
        assert server.metric("penstock_generations_total") == 0, "a model was asked in vain"
        assert server.metric("gen_ai_server_request_duration_seconds_count") == 0


def test_more_choices_than_can_ever_run_are_refused_at_once(serve: Serve) -> None:
    server = serve("one=fake:", flags=("--parallel", "2", "--queue-limit", "2"))
    assert server.chat("one", n=4).status == 200
    assert server.chat("one", n=5).status == 429


# -- keys and exposure ---------------------------------------------------------------------------


def run(home: Path, *argv: str, key: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "penstock", *argv],
        env=environment(home, key=key),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def run_keys(home: Path, *argv: str) -> str:
    done = run(home, "keys", *argv)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_first_start_prints_a_key_that_works_and_the_second_does_not(
    serve: Serve, tmp_path: Path
) -> None:
    first = serve("a=fake:", home=tmp_path, key="")
    found = [word for word in first.log.split() if word.startswith("sk-penstock-")]
    assert len(set(found)) >= 1
    assert first.get("/v1/models", key=found[0]).status == 200
    assert first.get("/v1/models", key="").status == 401
    first.stop()
    second = serve("a=fake:", home=tmp_path, key="")
    assert "sk-penstock-" not in second.log
    assert second.get("/v1/models", key=found[0]).status == 200
    assert found[0].encode() not in (tmp_path / "penstock.db").read_bytes()


def test_state_is_for_its_owner_only(fake_server: Server) -> None:
    for name in ("penstock.db", "pepper", "cli-key"):
        assert (fake_server.home / name).stat().st_mode & 0o077 == 0


def test_keys_made_and_deleted_hold_in_a_running_server_within_2_s(
    serve: Serve, tmp_path: Path
) -> None:
    server = serve("a=fake:", home=tmp_path)
    key = run_keys(tmp_path, "create", "temporary").split()[0]
    until(lambda: server.get("/v1/models", key=key).status == 200, "the key works", 2)
    run_keys(tmp_path, "delete", "temporary", "--yes")
    until(lambda: server.get("/v1/models", key=key).status == 401, "the key is refused", 2)
    assert server.get("/v1/models").status == 200


UNSERVABLE = {
    "--no-auth --host 0.0.0.0": "--no-auth works on a loopback address only",
    "--no-auth --host ::": "--no-auth works on a loopback address only",
    "--no-auth --host example.org": "--no-auth works on a loopback address only",
    "--host 256.1.1.1 a=fake:": "Cannot listen",
    "--port 99999": "port",
    "--port x": "port",
    "--queue-limit -1": "queue_limit",
    "--nonsense 1": "nonsense",
    "--memory-limit 50000000 a=fake:?ballast_mib=500": "It needs 532 MiB of memory",
    "a=fake: a=fake:": "Two models are called 'a'",
    "./missing.gguf": "missing.gguf",
    "./missing": "missing",
    "./garbage.gguf": "garbage.gguf",
    "./empty.gguf": "empty.gguf",
    "./cut.gguf": "cut.gguf",
    "./head.gguf": "head.gguf",
    "./bomb.gguf": "bomb.gguf",
    "./directory": "directory",
    "bad;name=fake:": "bad;name",
    "tiny-chat": "Did you mean penstock/tiny-chat",
    "x=http://user:pw@127.0.0.1/v1": "password",
    "--config missing.toml": "missing.toml",
    "--context-length 100000000 penstock/tiny-chat": "2048",
    "./huge.gguf": "It does not fit into memory: 8192.00 GiB weights",
}
SERVE_EACH = """
import json, sys
from click.testing import CliRunner
from penstock.cli.main import penstock
for line in json.load(sys.stdin):
    done = CliRunner().invoke(penstock, ["serve", "--port", "0", *line.split()])
    print(json.dumps([done.exit_code, type(done.exception).__name__, done.output]))
"""


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import penstock_tiny_models

    home = tmp_path_factory.mktemp("bad-files")
    (true,) = penstock_tiny_models.path("tiny-chat").glob("*.gguf")
    whole = true.read_bytes()
    (home / "garbage.gguf").write_bytes(os.urandom(4096))
    (home / "empty.gguf").write_bytes(b"")
    (home / "cut.gguf").write_bytes(whole[: len(whole) // 2])
    (home / "head.gguf").write_bytes(whole[:20])
    (home / "bomb.gguf").write_bytes(b"GGUF" + (3).to_bytes(4, "little") + b"\xff" * 16)
    (home / "directory").mkdir()
    with (home / "huge.gguf").open("wb") as huge:  # of holes: it takes no room on the disk
        huge.write(whole)
        huge.truncate(8 * 2**40)
    return home


@pytest.fixture(scope="module")
def refusals(bad_files: Path) -> dict[str, tuple[int, str, str]]:
    """What `penstock serve` says to each of UNSERVABLE, by one process for all."""
    done = subprocess.run(
        [sys.executable, "-c", SERVE_EACH],
        env=environment(bad_files, key=""),
        cwd=bad_files,
        input=json.dumps(list(UNSERVABLE)),
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    return dict(zip(UNSERVABLE, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("line", UNSERVABLE)
def test_what_cannot_be_served_is_a_sentence_and_not_a_stack_trace(
    refusals: dict[str, tuple[int, str, str]], line: str
) -> None:
    status, exception, said = refusals[line]
    assert (status > 0, exception) == (True, "SystemExit"), said
    assert UNSERVABLE[line] in said


def test_a_taken_port_is_a_sentence(fake_server: Server, tmp_path: Path) -> None:
    port = fake_server.base.rpartition(":")[2]
    done = run(tmp_path, "serve", "--port", port, "a=fake:")
    assert done.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_another_address_is_served_when_there_are_keys(serve: Serve) -> None:
    server = serve("a=fake:", flags=("--host", "0.0.0.0"))
    assert server.get("/v1/models").status == 200
    assert server.get("/v1/models", key="").status == 401
    refused = server.get("/metrics", key="")
    assert refused.status == 401
    assert "a key of the operator's account" in refused.error["message"]
    assert b'"a"' not in refused.body
    assert server.metric("penstock_replicas_ready", gen_ai_request_model="a") == 1


def test_no_auth_on_loopback_needs_no_key(serve: Serve) -> None:
    server = serve("a=fake:", flags=("--no-auth",))
    assert server.get("/v1/models", key="").status == 200
    assert server.get("/v1/models", key="anything").status == 200


def test_the_key_of_the_environment_becomes_the_first_key_only(
    serve: Serve, tmp_path: Path
) -> None:
    server = serve("a=fake:", home=tmp_path)
    assert server.get("/v1/models", key=KEY).status == 200
    server.stop()
    again = serve("a=fake:", home=tmp_path, key="sk-another-key-that-comes-too-late")
    assert again.get("/v1/models", key=KEY).status == 200
    assert again.get("/v1/models", key=again.key).status == 401


def test_sockets_of_engines_are_private(fake_server: Server) -> None:
    (engine,) = [c for c in fake_server.children if "fast" in c.cmdline()]
    line = engine.cmdline()
    path = Path(line[line.index("--socket") + 1])
    assert path.parent.stat().st_mode & 0o077 == 0
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
    assert not [c for c in engine.net_connections("inet") if c.status == "LISTEN"]
