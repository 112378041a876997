"""The HTTP edge, over raw sockets, behind a real `penstock serve` with small limits."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from rawhttp import Reply, Wire, error_of, head, request
from serving import Server, chat_body, serving, until

MAX_BODY_BYTES = 200_000
MAX_CONNECTIONS = 60
TIMEOUT_S = 1
#: The sweeper looks once a second.
TIMEOUT_SEEN_S = 6
GONE_WITHIN_S = 1.5

FLAGS = {
    "--head-timeout-s": TIMEOUT_S,
    "--body-timeout-s": TIMEOUT_S,
    "--idle-timeout-s": 3,
    "--write-timeout-s": TIMEOUT_S,
    "--max-body-bytes": MAX_BODY_BYTES,
    "--max-connections": MAX_CONNECTIONS,
}


class Edge(Server):
    """The server under test; `calls` is the log of the engine that serves all its models."""

    engine_log: Path

    @property
    def auth(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}

    def chat_request(self, model: str = "fast", **more: Any) -> bytes:
        body = json.dumps(chat_body(model, "hello", **more)).encode()
        return request("POST", "/v1/chat/completions", body, self.auth)

    def ask(self, *parts: bytes) -> Reply:
        with self.wire() as wire:
            for part in parts:
                wire.send(part)
            return wire.final()

    def calls(self) -> list[Any]:
        log = self.engine_log
        return list(map(json.loads, log.read_text().splitlines())) if log.exists() else []


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    home = tmp_path_factory.mktemp("edge")
    log = f"log={quote(str(home / 'engine.log'))}"
    models = (
        f"fast=fake:?{log}",
        f"slow=fake:?tokens_per_second=20&{log}",
        f"late=fake:?first_token_after_s=1&{log}",
        f"very-late=fake:?first_token_after_s=60&{log}",
    )
    flags = [str(word) for pair in FLAGS.items() for word in pair]
    with serving(*models, home=home, flags=flags) as server:
        server.__class__ = Edge
        assert isinstance(server, Edge)
        server.engine_log = home / "engine.log"
        yield server


HEALTH = head("GET", "/health")


@pytest.fixture(autouse=True)
def _it_still_answers_afterwards(edge: Edge) -> Iterator[None]:
    yield
    assert edge.get("/health").status == 200


# -- time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [b"G", b"GET /health HTTP/1.1\r\n", HEALTH[:-2], HEALTH[:-2] + b"x: "],
)
def test_a_head_that_does_not_end_in_time_is_408(edge: Edge, sent: bytes) -> None:
    with edge.wire() as wire:
        reply = wire.send(sent).final()
        assert reply.status == 408
        assert reply.headers["connection"] == "close"
        assert error_of(reply.json)["type"] == "invalid_request_error"
        assert wire.at_end()


def test_a_body_that_does_not_come_in_time_is_408(edge: Edge) -> None:
    assert edge.ask(edge.chat_request()[:-1]).status == 408


@pytest.mark.parametrize("start", [b"", b"GET /health HTTP/1.1\r\nx-long: "])
def test_dripping_bytes_does_not_prolong_a_head(edge: Edge, start: bytes) -> None:
    with edge.wire() as wire:
        wire.send(start or b"GET /")
        began_s = time.monotonic()
        wire.sock.settimeout(0.1)
        while time.monotonic() - began_s < TIMEOUT_SEEN_S:
            try:
                if wire.sock.recv(16):
                    return
            except TimeoutError:
                wire.send(b"a")
        pytest.fail("the server went on to wait")


def test_dripping_bytes_does_not_prolong_a_body(edge: Edge) -> None:
    with edge.wire() as wire:
        wire.send(edge.chat_request()[:-60])
        wire.sock.settimeout(0.1)
        for _ in range(10 * TIMEOUT_SEEN_S):
            try:
                assert wire.sock.recv(16).startswith(b"HTTP/1.1 408")
                return
            except TimeoutError:
                wire.send(b" ")
        pytest.fail("the server went on to wait")


@pytest.mark.parametrize("before", [b"", HEALTH])
def test_a_connection_without_a_request_is_closed_without_a_word(edge: Edge, before: bytes) -> None:
    with edge.wire() as wire:
        if before:
            assert wire.send(before).final().status == 200
        assert wire.at_end()


def test_slow_clients_do_not_hold_others_up(edge: Edge) -> None:
    wires = [edge.wire().send(b"GET /health HT") for _ in range(30)]
    began_s = time.monotonic()
    assert edge.chat("fast").status == 200
    assert time.monotonic() - began_s < 1
    for wire in wires:
        wire.close()


# -- half-closed and gone ------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["fast", "late"])
def test_a_half_closed_client_still_gets_its_answer(edge: Edge, model: str) -> None:
    with edge.wire() as wire:
        reply = wire.send(edge.chat_request(model)).shut().final()
        assert reply.status == 200
        assert reply.json["choices"][0]["message"]["content"].startswith("You said: hello")
        assert wire.at_end()


@pytest.mark.parametrize("model", ["fast", "late", "slow"])
def test_a_half_closed_client_still_gets_its_stream(edge: Edge, model: str) -> None:
    with edge.wire() as wire:
        reply = wire.send(edge.chat_request(model, stream=True, max_tokens=20)).shut().final()
        text = "".join(e["choices"][0]["delta"].get("content", "") for e in reply.events)
        assert len(text.split()) == 20
        assert wire.at_end()


def test_a_half_closed_client_gets_all_it_pipelined(edge: Edge) -> None:
    with edge.wire() as wire:
        wire.send(edge.chat_request("late") + HEALTH + edge.chat_request()).shut()
        assert [wire.final().status for _ in range(3)] == [200, 200, 200]


def test_a_client_that_shuts_in_the_middle_of_a_request_is_let_go(edge: Edge) -> None:
    with edge.wire() as wire:
        assert wire.send(edge.chat_request()[:-5]).shut().at_end()


@pytest.mark.parametrize("leave", [Wire.close, Wire.reset])
@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("slow", {"stream": True, "max_tokens": 1000}),
        ("slow", {"max_tokens": 1000}),
        ("slow", {"stream": True, "max_tokens": 1000, "n": 3}),
        ("very-late", {"stream": True}),
        ("very-late", {}),
    ],
)
def test_a_client_that_leaves_stops_the_engine(
    edge: Edge, leave: Any, model: str, more: dict[str, Any]
) -> None:
    before = len(edge.calls())
    wire = edge.wire().send(edge.chat_request(model, **more))
    until(lambda: edge.running() == more.get("n", 1), "the engine is at work")
    time.sleep(0.2)  # the engine, too, has to have read the request
    leave(wire)
    until(lambda: edge.running() == 0, "the place is free", GONE_WITHIN_S)
    until(lambda: len(edge.calls()) > before, "the engine has noticed", GONE_WITHIN_S)
    assert all(call["left"] for call in edge.calls()[before:])


def test_a_client_that_leaves_in_the_middle_of_its_body_is_forgotten(edge: Edge) -> None:
    edge.wire().send(edge.chat_request()[:-5]).reset()
    assert edge.running() == 0


def test_a_client_that_does_not_read_holds_nobody_up_and_is_dropped(edge: Edge) -> None:
    with edge.wire() as wire:
        wire.send(edge.chat_request(stream=True, max_tokens=2_000_000))
        # Each look at the metrics is a request that is answered beside it.
        until(lambda: edge.running() == 1, "the engine is at work")
        assert edge.chat("fast").status == 200
        until(lambda: edge.running() == 0, "the client is dropped", TIMEOUT_SEEN_S)


def test_a_client_that_pipelines_and_does_not_read_is_dropped(edge: Edge) -> None:
    with edge.wire() as wire:
        wire.sock.settimeout(0.1)
        for _ in range(10 * TIMEOUT_SEEN_S):
            try:
                wire.send(head("GET", "/openapi.json") * 10_000)
            except TimeoutError:
                continue
            except OSError:
                return
        pytest.fail("the server went on to wait")


# -- sizes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        head("GET", "/health", {"x-long": "a" * 100_000}),
        head("GET", "/health?" + "a" * 100_000),
        head("GET", "/health", {f"x-{number}": "a" * 100 for number in range(1_000)}),
        b"GET /health HTTP/1.1\r\nx-endless: " + b"a" * 100_000,
        b"A" * 100_000,
    ],
    ids=["value", "url", "many", "endless", "method"],
)
def test_a_giant_head_is_refused(edge: Edge, sent: bytes) -> None:
    reply = edge.ask(sent)
    assert reply.status == (400 if sent.startswith(b"AAA") else 431)
    assert reply.error["type"] == "invalid_request_error"


def test_a_head_of_just_under_the_limit_is_taken(edge: Edge) -> None:
    assert edge.ask(head("GET", "/health", {"x-long": "a" * 60_000})).status == 200


def test_endless_trailers_are_refused(edge: Edge) -> None:
    start = head("GET", "/health", {"transfer-encoding": "chunked"}) + b"0\r\n"
    lines = b"".join(b"x-%d: a\r\n" % number for number in range(100_000))
    assert edge.ask(start + lines).status in (400, 431)


def test_trailers_do_not_change_the_head(edge: Edge) -> None:
    start = head("GET", "/v1/models", {"transfer-encoding": "chunked", "authorization": "Basic x"})
    trailer = f"authorization: Bearer {edge.key}\r\n\r\n".encode()
    assert edge.ask(start + b"0\r\n" + trailer).status == 401


def test_a_body_larger_than_the_limit_is_413_before_it_is_sent(edge: Edge) -> None:
    announced = {**edge.auth, "content-length": str(MAX_BODY_BYTES + 1)}
    with edge.wire() as wire:
        reply = wire.send(head("POST", "/v1/chat/completions", announced)).final()
        assert reply.status == 413
        assert reply.error["code"] == "request_too_large"
        assert wire.at_end()


def test_a_chunked_body_larger_than_the_limit_is_413(edge: Edge) -> None:
    start = head("POST", "/v1/chat/completions", {**edge.auth, "transfer-encoding": "chunked"})
    chunk = b"1000\r\n" + b" " * 4096 + b"\r\n"
    reply = edge.ask(start, chunk * (MAX_BODY_BYTES // 4096 + 2))
    assert reply.status == 413


def test_a_client_that_goes_on_to_send_still_reads_its_413(edge: Edge) -> None:
    announced = {**edge.auth, "content-length": str(5_000_000)}
    reply = edge.ask(head("POST", "/v1/chat/completions", announced), b" " * 400_000)
    assert reply.status == 413


def test_a_large_body_without_a_key_is_refused_before_it_is_sent(edge: Edge) -> None:
    announced = {"content-length": str(MAX_BODY_BYTES - 1)}
    reply = edge.ask(head("POST", "/v1/chat/completions", announced))
    assert reply.status == 401
    assert reply.error["code"] == "invalid_api_key"


def test_more_connections_than_allowed_are_503(edge: Edge) -> None:
    wires = [edge.wire() for _ in range(MAX_CONNECTIONS)]
    time.sleep(0.1)  # the last of them is still to be accepted
    with edge.wire() as wire:
        reply = wire.final()
        assert reply.status == 503
        assert reply.error["type"] == "server_error"
    for wire in wires:
        wire.close()
    until(lambda: edge.get("/health").status == 200, "there is room again")


# -- framing -------------------------------------------------------------------------------------

SMUGGLED = head("GET", "/v1/smuggled")


@pytest.mark.parametrize(
    "headers",
    [
        b"content-length: 5\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        b"content-length: 5\r\ncontent-length: 6\r\n",
        b"content-length: +5\r\n",
        b"content-length: -5\r\n",
        b"content-length: 0x5\r\n",
        b"content-length: 5, 5\r\n",
        b"content-length: 99999999999999999999999\r\n",
        b"content-length: \r\n",
        b"transfer-encoding: chunked, gzip\r\n",
        b"transfer-encoding: gzip\r\n",
        b"transfer-encoding: xchunked\r\n",
        b"transfer-encoding : chunked\r\n",
        b"x y: z\r\n",
        b" folded: x\r\n",
        b"no colon\r\n",
        b"nul: a\x00b\r\n",
        b": empty\r\n",
    ],
)
def test_ambiguous_framing_is_400_and_nothing_behind_it_is_read(edge: Edge, headers: bytes) -> None:
    key = edge.key.encode()
    line = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
    start = line + b"authorization: Bearer %b\r\n%b\r\n0\r\n\r\n"
    with edge.wire() as wire:
        reply = wire.send(start % (key, headers) + SMUGGLED).final()
        assert reply.status in (400, 413)
        assert error_of(reply.json)["type"] == "invalid_request_error"
        assert wire.at_end()


@pytest.mark.parametrize("body", [b"zz\r\nabc", b"-1\r\n", b"5\r\nabcdefgh\r\n", b"5 5\r\nab"])
def test_a_broken_chunk_is_400(edge: Edge, body: bytes) -> None:
    start = head("POST", "/v1/chat/completions", {**edge.auth, "transfer-encoding": "chunked"})
    assert edge.ask(start + body).status == 400


def test_a_chunked_body_is_read(edge: Edge) -> None:
    body = json.dumps(chat_body("fast", "hello")).encode()
    start = head("POST", "/v1/chat/completions", {**edge.auth, "transfer-encoding": "chunked"})
    cut = b"".join(b"1;a=b\r\n%c\r\n" % byte for byte in body)
    assert edge.ask(start, cut[:50], cut[50:], b"0\r\n\r\n").status == 200


def test_a_request_may_come_byte_by_byte(edge: Edge) -> None:
    assert edge.ask(*(bytes([byte]) for byte in edge.chat_request())).status == 200


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),  # TLS
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /health HTTP/3.0\r\n\r\n",
        b"get /health http/1.1\r\n\r\n",
        b"BREW /health HTTP/1.1\r\n\r\n",
        b"\x00\xff" * 100,
        b"{}\n\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
    ],
)
def test_garbage_is_400(edge: Edge, garbage: bytes) -> None:
    with edge.wire() as wire:
        reply = wire.send(garbage).final()
        assert reply.status == 400
        assert error_of(reply.json)["code"]
        assert wire.at_end()


def test_empty_lines_before_a_request_are_skipped(edge: Edge) -> None:
    assert edge.ask(b"\r\n\r\n" + HEALTH).status == 200


# -- persistence ---------------------------------------------------------------------------------


def test_answers_to_pipelined_requests_come_in_order(edge: Edge) -> None:
    paths = ["/health", "/v1/nothing", "/ready", "/v1/models", "/v1/nothing"]
    with edge.wire() as wire:
        wire.send(edge.chat_request("late") + b"".join(head("GET", path) for path in paths))
        assert [wire.final().status for _ in range(6)] == [200, 200, 404, 200, 401, 404]


def test_a_hundred_pipelined_requests_are_all_answered_once(edge: Edge) -> None:
    with edge.wire() as wire:
        wire.send(HEALTH * 100)
        ids = [wire.final().headers["x-request-id"] for _ in range(100)]
    assert ids == sorted(set(ids))


def test_a_stream_may_be_followed_by_another_request(edge: Edge) -> None:
    with edge.wire() as wire:
        wire.send(edge.chat_request(stream=True) + edge.chat_request(stream=True))
        assert wire.final().events
        assert wire.final().events


@pytest.mark.parametrize("bad", [b"{", b"[]", b'{"model":"fast"}', b'{"model":"nobody"}'])
def test_a_connection_lives_on_after_a_400(edge: Edge, bad: bytes) -> None:
    with edge.wire() as wire:
        for _ in range(3):
            wire.send(request("POST", "/v1/chat/completions", bad, edge.auth))
            assert wire.final().status == 400
            assert wire.send(edge.chat_request()).final().status == 200


def test_connection_close_closes(edge: Edge) -> None:
    with edge.wire() as wire:
        reply = wire.send(head("GET", "/health", {"connection": "close"})).final()
        assert reply.headers["connection"] == "close"
        assert wire.at_end()


# -- HTTP/1.0, HEAD, Expect, Upgrade -------------------------------------------------------------


def to_http_1_0(sent: bytes) -> bytes:
    return sent.replace(b"HTTP/1.1", b"HTTP/1.0", 1)


def test_http_1_0_gets_a_stream_that_is_not_chunked(edge: Edge) -> None:
    with edge.wire() as wire:
        reply = wire.send(to_http_1_0(edge.chat_request(stream=True))).final()
        assert "transfer-encoding" not in reply.headers
        assert reply.events
        assert wire.at_end()


@pytest.mark.parametrize("keep", [True, False])
def test_http_1_0_keeps_a_connection_only_when_asked_to(edge: Edge, keep: bool) -> None:
    with edge.wire() as wire:
        sent = head("GET", "/health", {"connection": "keep-alive"} if keep else {})
        reply = wire.send(to_http_1_0(sent)).final()
        assert reply.headers["content-length"] == str(len(reply.body))
        assert reply.headers["connection"] == ("keep-alive" if keep else "close")
        if keep:
            assert wire.send(HEALTH).final().status == 200
        else:
            assert wire.at_end()


@pytest.mark.parametrize(("path", "status"), [("/health", 200), ("/nothing", 404)])
def test_head_has_the_length_and_not_the_body(edge: Edge, path: str, status: int) -> None:
    with edge.wire() as wire:
        reply = wire.send(head("HEAD", path)).final(bodiless=True)
        assert reply.status == status
        assert int(reply.headers["content-length"]) > 0
        assert wire.send(HEALTH).final().body == b'{"status":"ok"}'


def test_expect_100_continue_is_answered_before_the_body(edge: Edge) -> None:
    start, _, body = edge.chat_request().partition(b"\r\n\r\n")
    with edge.wire() as wire:
        wire.send(start + b"\r\nexpect: 100-continue\r\n\r\n")
        assert wire.head() == (100, {})
        assert wire.send(body).final().status == 200


def test_expect_100_continue_in_a_pipeline_does_not_disturb_the_answer_before(edge: Edge) -> None:
    start, _, body = edge.chat_request().partition(b"\r\n\r\n")
    with edge.wire() as wire:
        wire.send(edge.chat_request("slow", stream=True, max_tokens=10))
        assert wire.head()[0] == 200
        wire.send(start + b"\r\nexpect: 100-continue\r\n\r\n" + body)
        assert b"".join(wire.chunks()).endswith(b"data: [DONE]\n\n")
        assert wire.final().status == 200


def test_expect_100_continue_without_a_key_is_401_at_once(edge: Edge) -> None:
    headers = {"expect": "100-continue", "content-length": "10"}
    assert edge.ask(head("POST", "/v1/chat/completions", headers)).status == 401


def test_another_expectation_is_417(edge: Edge) -> None:
    headers = {**edge.auth, "expect": "tea", "content-length": "10"}
    assert edge.ask(head("POST", "/v1/chat/completions", headers)).status == 417


UPGRADE = {"connection": "Upgrade, HTTP2-Settings", "http2-settings": "AAMA"}


@pytest.mark.parametrize("to", ["h2c", "websocket", "TLS/1.0"])
def test_an_offer_to_upgrade_is_declined_by_answering(edge: Edge, to: str) -> None:
    with edge.wire() as wire:
        wire.send(head("GET", "/health", {**UPGRADE, "upgrade": to}) + HEALTH)
        assert [wire.final().status, wire.final().status] == [200, 200]


@pytest.mark.parametrize("framing", [{}, {"transfer-encoding": "chunked"}])
def test_a_body_beside_an_offer_to_upgrade_is_read_and_what_follows_it(
    edge: Edge, framing: dict[str, str]
) -> None:
    body = json.dumps(chat_body("fast", "hello")).encode()
    headers = {**edge.auth, **UPGRADE, "upgrade": "h2c", **framing}
    if framing:
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        headers["content-length"] = str(len(body))
    start = head("POST", "/v1/chat/completions", headers)
    assert edge.ask(start + body).status == 200
    assert edge.ask(start, body[:9], body[9:]).status == 200
    with edge.wire() as wire:
        wire.send(start + body + HEALTH + start + body)
        assert [wire.final().status for _ in range(3)] == [200, 200, 200]
        for part in (HEALTH, start, body, edge.chat_request()):
            wire.send(part)
        assert [wire.final().status for _ in range(3)] == [200, 200, 200]
        assert wire.send(b"G\0T / HTTP/1.1\r\n").final().status == 400


@pytest.mark.parametrize(
    "line", [b"CONNECT example.org:443", b"OPTIONS *", b"TRACE /health", b"DELETE /health"]
)
def test_other_methods_are_errors_in_shape(edge: Edge, line: bytes) -> None:
    reply = edge.ask(line + b" HTTP/1.1\r\nhost: x\r\n\r\n")
    assert 400 <= reply.status < 500
    assert reply.error["type"] == "invalid_request_error"


def test_the_absolute_form_of_a_url_is_understood(edge: Edge) -> None:
    assert edge.ask(head("GET", f"{edge.base}/health")).status == 200


@pytest.mark.parametrize("hosts", [b"", b"host:\r\n", b"host: x\r\nhost: y\r\n"])
def test_http_1_1_has_one_host(edge: Edge, hosts: bytes) -> None:
    reply = edge.ask(b"GET /health HTTP/1.1\r\n" + hosts + b"\r\n")
    assert reply.status == 400
    assert "Host" in reply.error["message"]


def test_http_1_0_needs_no_host(edge: Edge) -> None:
    assert edge.ask(b"GET /health HTTP/1.0\r\n\r\n").status == 200


# -- credentials and ids -------------------------------------------------------------------------


def test_two_credentials_are_none(edge: Edge) -> None:
    line = f"authorization: Bearer {edge.key}\r\n".encode()
    for first, second in ((line, b"authorization: Bearer x\r\n"), (line, line)):
        sent = b"GET /v1/models HTTP/1.1\r\nhost: x\r\n" + first + second + b"\r\n"
        assert edge.ask(sent).status == 401


@pytest.mark.parametrize(
    "sent",
    [
        HEALTH,
        head("GET", "/nothing"),
        head("PUT", "/health"),
        head("GET", "/v1/models"),
        b"garbage\r\n\r\n",
        head("GET", "/health", {"x": "a" * 100_000}),
        head("POST", "/health", {"content-length": str(MAX_BODY_BYTES + 1)}),
        b"GET /slow HTTP/1.1\r\n",
    ],
)
def test_every_answer_has_an_id_of_its_own(edge: Edge, sent: bytes) -> None:
    ids = [edge.ask(sent).headers["x-request-id"] for _ in range(2)]
    assert all(ids)
    assert ids[0] != ids[1]
