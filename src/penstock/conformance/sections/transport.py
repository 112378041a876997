"""HTTP itself: what clients, proxies and the net do with connections and bodies."""

import gzip
from concurrent.futures import ThreadPoolExecutor

from penstock.conformance.check import Failed, check, expect, expect_none
from penstock.conformance.subject import EventStream, Subject, encoded, gzipped
from penstock.conformance.wire import Broken, Reply

CHAT = "/chat/completions"
CLIENTS = 32
BOMB_BYTES = 1 << 28


@check
def answers_are_json(subject: Subject) -> None:
    """An answer that is not streamed has the content-type application/json.

    Source: OpenAI API reference; RFC 9110, 8.3.
    """
    found = subject.post(CHAT, subject.chat_body(max_tokens=1)).headers.get("content-type", "")
    expect(found.startswith("application/json"), f"content-type {found!r}")


@check
def gzip_bodies_are_taken_or_415(subject: Subject) -> None:
    """A body with Content-Encoding gzip is understood, or refused with 415.

    Source: RFC 9110, 8.4 and 15.5.16.
    """
    body = gzipped(subject.chat_body(max_tokens=1))
    reply = subject.post(CHAT, body, headers={"content-encoding": "gzip"})
    expect(reply.status in (200, 415), f"status {reply.status}: {reply.complaint}")


@check
def unknown_encodings_are_415(subject: Subject) -> None:
    """A body in an encoding that nobody knows is refused.

    Source: RFC 9110, 15.5.16.
    """
    body = subject.chat_body(max_tokens=1)
    reply = subject.post(CHAT, body, headers={"content-encoding": "zork"})
    expect(reply.status == 415, f"status {reply.status}")


@check
def gzip_bombs_are_survived(subject: Subject) -> None:
    """A small body that inflates to 256 MiB is refused, and the server goes on.

    Source: RFC 9110, 15.5.14 and 15.5.16; OWASP API Security, unrestricted resource consumption.
    """
    bomb = gzip.compress(b" " * BOMB_BYTES + encoded(subject.chat_body(max_tokens=1)), 1)
    reply = subject.post(CHAT, bomb, headers={"content-encoding": "gzip"})
    expect(400 <= reply.status < 500, f"status {reply.status}")
    subject.chat(max_tokens=1)


@check
def chunked_bodies_are_taken(subject: Subject) -> None:
    """A body in chunks of any size, with an extension and a trailer, is read.

    Source: RFC 9112, 7.1: must be able to parse the chunked coding.
    """
    body = encoded(subject.chat_body(max_tokens=1))
    chunks = b"".join(
        b"%x;note=1\r\n%s\r\n" % (len(piece), piece) for piece in (body[:1], body[1:7], body[7:])
    )
    with subject.wire() as wire:
        headers = {"content-type": "application/json", "transfer-encoding": "chunked"}
        wire.send(subject.request("POST", CHAT, None, headers))
        reply = wire.send(chunks + b"0\r\nx-trailer: a\r\n\r\n").reply()
    expect(reply.status == 200, f"status {reply.status}: {reply.complaint}")


@check
def connections_are_kept(subject: Subject) -> None:
    """A second request on the same connection is answered.

    Source: RFC 9112, 9.3: persistent by default.
    """
    request = subject.request("POST", CHAT, encoded(subject.chat_body(max_tokens=1)))
    with subject.wire() as wire:
        replies = [wire.send(request).reply() for _ in range(3)]
    _expect_all_200(replies)


@check
def connections_outlive_a_stream(subject: Subject) -> None:
    """After a whole stream the connection takes another request, or was said to be closed.

    Source: RFC 9112, 9.3 and 9.6: persistent by default; a server that closes says so.
    """
    stream = subject.request("POST", CHAT, encoded(subject.chat_body(stream=True)))
    with subject.wire() as wire:
        for _ in range(5):
            reply = wire.send(stream).reply()
            _expect_all_200([reply])
            if reply.headers.get("connection", "").lower() == "close":
                return


@check
def connections_outlive_a_refusal(subject: Subject) -> None:
    """After a 400 the connection goes on, or was said to be closed.

    Source: RFC 9112, 9.6: a server that closes says so.
    """
    with subject.wire() as wire:
        first = wire.send(subject.request("POST", CHAT, b"{}")).reply()
        if first.headers.get("connection", "").lower() == "close":
            return
        second = wire.send(subject.request("GET", "/models")).reply()
    expect(second.status == 200, f"status {second.status}")


@check
def pipelined_requests_are_answered_in_order(subject: Subject) -> None:
    """Requests that come at once on a connection are answered one after another, in order.

    Source: RFC 9112, 9.3.2: in the same order that the requests were received.
    """
    chat = subject.request("POST", CHAT, encoded(subject.chat_body(max_tokens=1)))
    models = subject.request("GET", "/models")
    with subject.wire() as wire:
        wire.send(chat + models + chat)
        kinds = [wire.reply().json.get("object") for _ in range(3)]
    expect(kinds == ["chat.completion", "list", "chat.completion"], f"answers {kinds}")


@check
def expectation_of_100_is_met(subject: Subject) -> None:
    """A client that waits for 100 Continue before its body gets it, or an answer.

    Source: RFC 9110, 10.1.1.
    """
    body = encoded(subject.chat_body(max_tokens=1))
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "expect": "100-continue",
    }
    with subject.wire() as wire:
        wire.send(subject.request("POST", CHAT, None, headers))
        status, _ = wire.next_head()
        if status == 100:
            status = wire.send(body).reply().status
    expect(status in (200, 417), f"status {status}")


@check
def http_1_0_gets_no_chunks(subject: Subject) -> None:
    """A client of HTTP/1.0 is not answered in chunks, streams neither.

    Source: RFC 9112, 6.1: must not send Transfer-Encoding to HTTP/1.0.
    """
    for stream in (False, True):
        body = encoded(subject.chat_body(max_tokens=4, stream=stream))
        reply = subject.send("POST", CHAT, body, version="1.0")
        expect(reply.status == 200, f"status {reply.status}")
        expect("transfer-encoding" not in reply.headers, f"chunks, with stream {stream}")


@check
def half_closed_clients_are_answered(subject: Subject) -> None:
    """A client that has closed its sending side, and waits, gets its answer.

    Source: RFC 9293, 3.6: the user who closes may continue to receive.
    """
    body = encoded(subject.chat_body())
    with subject.wire() as wire:
        reply = wire.send(subject.request("POST", CHAT, body)).shut().reply()
    expect(reply.status == 200, f"status {reply.status}")


@check
def two_lengths_are_not_believed(subject: Subject) -> None:
    """Content-Length beside Transfer-Encoding is refused, or the connection ends after it.

    Source: RFC 9112, 6.1: request smuggling; must close the connection after responding.
    """
    body = encoded(subject.chat_body(max_tokens=1))
    headers = {"content-length": str(len(body)), "transfer-encoding": "chunked"}
    with subject.wire() as wire:
        wire.send(subject.request("POST", CHAT, None, headers))
        wire.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        try:
            status = wire.reply().status
        except Broken:
            return
        expect(status < 500, f"status {status}")
        if status == 200:
            expect(wire.is_closed(), "it was answered, and the connection is still open")


@check
def missing_host_is_400(subject: Subject) -> None:
    """A request of HTTP/1.1 without Host is refused.

    Source: RFC 9112, 3.2: must respond with a 400.
    """
    request = subject.request("GET", "/models")
    host = f"host: {subject.origin.host}:{subject.origin.port}\r\n".encode()
    with subject.wire() as wire:
        status = wire.send(request.replace(host, b"")).reply().status
    expect(status == 400, f"status {status}")


@check
def giant_headers_are_refused(subject: Subject) -> None:
    """A header of 1 MiB is refused with 4xx, or the connection closed; the server goes on.

    Source: RFC 6585, 5: 431 Request Header Fields Too Large.
    """
    try:
        status = subject.get("/models", headers={"x-giant": "a" * (1 << 20)}).status
    except Broken:
        status = 431
    expect(400 <= status < 500, f"status {status}")
    expect(subject.get("/models").status == 200, "nothing is answered after it")


@check
def many_clients_are_all_served(subject: Subject) -> None:
    """32 streams at once are all whole, or refused with 429 or 503 and an error; none mixed up.

    Source: OpenAI guide, error codes: 429, 503; OpenAI API reference, chat completion chunk, id.
    """
    with ThreadPoolExecutor(CLIENTS) as pool:
        replies = list(pool.map(lambda _: _caught(subject), range(CLIENTS)))
    problems, ids = [], []
    for reply in replies:
        if isinstance(reply, str):
            problems.append(reply)
        elif reply.status == 200:
            stream = EventStream(reply)
            found = {event.get("id") for event in stream.events}
            ids += list(found)
            if len(found) != 1 or not stream.finish_reason():
                problems.append(f"a stream with {len(found)} ids, or without an end")
        elif reply.status not in (429, 503):
            problems.append(f"status {reply.status}")
    expect_none(sorted(set(problems)))
    expect(ids, "all were refused")
    expect(len(set(ids)) == len(ids), "two streams have the same id")


@check
def leaving_clients_leave_room(subject: Subject) -> None:
    """Clients that leave in the midst of their answers do not keep others from being served.

    Source: RFC 9112, 9.5: a server should notice that a connection is closed, and react.
    """
    bodies = [
        encoded(subject.chat_body(max_tokens=1000, temperature=1, stream=stream))
        for stream in (True, False)
    ]
    for body in bodies * (CLIENTS // 2):
        with subject.wire() as wire:
            wire.send(subject.request("POST", CHAT, body))
    for body in bodies[:1] * (CLIENTS // 2):
        with subject.wire() as wire:
            status, headers = wire.send(subject.request("POST", CHAT, body)).reply_head()
            if status == 200:
                next(wire.pieces(status, headers), b"")
    subject.chat(max_tokens=1)


@check
def client_that_leaves_amid_its_body_does_no_harm(subject: Subject) -> None:
    """A client that leaves before its body is whole is forgotten.

    Source: RFC 9112, 8: incomplete messages.
    """
    request = subject.request("POST", CHAT, encoded(subject.chat_body()))
    for _ in range(CLIENTS):
        with subject.wire() as wire:
            wire.send(request[: len(request) // 2])
    subject.chat(max_tokens=1)


def _caught(subject: Subject) -> Reply | str:
    try:
        return subject.post(CHAT, subject.chat_body(stream=True, max_tokens=16))
    except Failed as failure:
        return str(failure)


def _expect_all_200(replies: list[Reply]) -> None:
    statuses = [reply.status for reply in replies]
    expect(set(statuses) == {200}, f"statuses {statuses}")
