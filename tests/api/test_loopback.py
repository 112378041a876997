"""Web pages that are open on the server's own machine, and what they may not do there."""

import json
from collections.abc import Iterator

import pytest
from rawhttp import Reply
from serving import Server, chat_body, serving

PAGE = "https://app.example.com"
STRANGER = "https://evil.example.com"
#: What a page sends that has led its own name here.
REBOUND = {"host": "evil.example.com:8000"}


@pytest.fixture(scope="module")
def keyless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    flags = ["--no-auth", "--cors-origins", PAGE]
    with serving("fast=fake:", home=tmp_path_factory.mktemp("keyless"), flags=flags) as server:
        yield server


def sent_by_page(server: Server, origin: str, **headers: str) -> Reply:
    """What `fetch` with the mode "no-cors" sends: any page may, without a preflight."""
    body = json.dumps(chat_body("fast", "hi")).encode()
    own = {"origin": origin, "content-type": "text/plain;charset=UTF-8", **headers}
    return server.post("chat/completions", body, headers=own, key="")


def forbidden(reply: Reply) -> str:
    assert (reply.status, reply.error["code"]) == (403, "forbidden")
    return str(reply.error["message"])


@pytest.mark.parametrize("path", ["/metrics", "/ready", "/models/list", "/models/fast", "/docs"])
def test_a_name_that_was_led_here_reads_nothing(
    fake_server: Server, keyless: Server, path: str
) -> None:
    for server in (fake_server, keyless):
        reply = server.get(path, headers=REBOUND, key="")
        assert reply.status == 403
        assert b"evil.example.com" in reply.body
        assert b"cors_origins" in reply.body


@pytest.mark.parametrize(
    "host",
    ["evil.example.com", "127.0.0.1.evil.example.com", "127.evil.example.com", "0.0.0.0:8000",
     "localhost.evil.example.com", "[::2]", "10.0.0.1", "x", "localhost@evil.example.com", "::1"],
)  # fmt: skip
def test_other_hosts_are_refused(keyless: Server, host: str) -> None:
    assert host in forbidden(keyless.get("/v1/models", headers={"host": host}, key=""))


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8000", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:9000", "127.1.2.3",
     "[::1]", "[::1]:8000", "app.example.com", "App.Example.com:443"],
)  # fmt: skip
def test_names_of_this_machine_and_of_allowed_pages_are_answered(
    keyless: Server, host: str
) -> None:
    assert keyless.get("/v1/models", headers={"host": host}, key="").status == 200


def test_a_request_without_a_host_is_no_pages(keyless: Server) -> None:
    with keyless.wire() as wire:
        assert wire.send(b"GET /v1/models HTTP/1.0\r\n\r\n").reply().status == 200


@pytest.mark.parametrize(
    "origin", [STRANGER, "null", "", "http://localhost:5173", f"{PAGE}:8443", "http://localhost:"]
)
def test_without_keys_another_page_sends_nothing(keyless: Server, origin: str) -> None:
    assert "web page" in forbidden(sent_by_page(keyless, origin))
    head = {"origin": origin, "content-length": "1000000", "expect": "100-continue"}
    assert keyless.send("POST", "/v1/completions", headers=head, key="").status == 403


def test_without_keys_own_pages_and_allowed_ones_send(keyless: Server) -> None:
    for origin, host in (
        (PAGE, "localhost"),
        ("http://localhost:8000", "localhost:8000"),
        ("https://localhost", "localhost"),
        ("http://[::1]:9", "[::1]:9"),
    ):
        assert sent_by_page(keyless, origin, host=host).status == 200


def test_a_valid_key_is_no_pages_on_either_kind_of_server(
    fake_server: Server, keyless: Server
) -> None:
    for server in (fake_server, keyless):
        for path in ("/metrics", "/ready", "/v1/models"):
            assert server.get(path, headers=REBOUND).status == 200
    forbidden(keyless.get("/v1/models", headers=REBOUND, key="wrong"))
    assert keyless.get("/v1/models", headers={"origin": STRANGER}).status == 200


def test_with_keys_a_page_needs_one_and_nothing_else(fake_server: Server) -> None:
    assert sent_by_page(fake_server, STRANGER).status == 401
    assert fake_server.get("/health", headers={"origin": STRANGER}, key="").status == 200


def test_a_star_allows_every_page(tmp_path_factory: pytest.TempPathFactory) -> None:
    flags = ["--no-auth", "--cors-origins", "*"]
    with serving("fast=fake:", home=tmp_path_factory.mktemp("star"), flags=flags) as server:
        assert sent_by_page(server, STRANGER, **REBOUND).status == 200


def test_a_listener_for_others_has_names_of_its_own(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    flags = ["--host", "0.0.0.0"]
    home = tmp_path_factory.mktemp("wide")
    with serving("fast=fake:", home=home) as first:
        assert first.key
    with serving("fast=fake:", home=home, flags=flags) as server:
        assert server.get("/ready", headers=REBOUND, key="").status == 200
