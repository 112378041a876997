"""Pages in browsers: what they may read, and that the door is no wider for it."""

from collections.abc import Iterator

import pytest
from rawhttp import Reply
from serving import Server, chat_body, serving

PAGE = "https://app.example.com"
OTHER = "http://localhost:5173"
STRANGER = "https://evil.example.com"
ALLOW = "access-control-allow-origin"
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-stainless-lang",
}


@pytest.fixture(scope="module")
def open_to_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    flags = ["--cors-origins", f"{PAGE} {OTHER}"]
    with serving("fast=fake:", home=tmp_path_factory.mktemp("cors"), flags=flags) as server:
        yield server


def preflight(server: Server, origin: str, **headers: str) -> Reply:
    asked = {"origin": origin, **PREFLIGHT, **headers}
    return server.send("OPTIONS", "/v1/chat/completions", headers=asked, key="")


@pytest.mark.parametrize("origin", [PAGE, OTHER])
def test_a_preflight_needs_no_key_and_allows_what_clients_send(
    open_to_pages: Server, origin: str
) -> None:
    reply = preflight(open_to_pages, origin)
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers[ALLOW] == origin
    assert "POST" in reply.headers["access-control-allow-methods"]
    asked = PREFLIGHT["access-control-request-headers"]
    assert reply.headers["access-control-allow-headers"] == asked
    assert "access-control-allow-credentials" not in reply.headers


def test_an_answer_may_be_read_with_its_id(open_to_pages: Server) -> None:
    reply = open_to_pages.post(
        "chat/completions", chat_body("fast", "hi"), headers={"origin": PAGE}
    )
    assert (reply.status, reply.headers[ALLOW]) == (200, PAGE)
    assert "x-request-id" in reply.headers["access-control-expose-headers"]
    assert reply.headers["vary"] == "origin"


def test_a_stream_may_be_read(open_to_pages: Server) -> None:
    body = chat_body("fast", "hello", stream=True)
    reply = open_to_pages.post("chat/completions", body, headers={"origin": PAGE})
    assert reply.headers[ALLOW] == PAGE
    assert reply.events


@pytest.mark.parametrize(("path", "key", "status"), [("models", "wrong", 401), ("no", None, 404)])
def test_an_error_may_be_read_and_a_page_needs_a_key(
    open_to_pages: Server, path: str, key: str | None, status: int
) -> None:
    reply = open_to_pages.get(f"/v1/{path}", headers={"origin": PAGE}, key=key)
    assert (reply.status, reply.headers[ALLOW]) == (status, PAGE)
    assert reply.error


@pytest.mark.parametrize(
    "origin", [STRANGER, "null", "", PAGE.upper(), f"{PAGE}:8443", f"{PAGE}.evil.org", PAGE[:-1]]
)
def test_another_page_gets_no_permission(open_to_pages: Server, origin: str) -> None:
    assert preflight(open_to_pages, origin).status == 405
    for reply in (
        preflight(open_to_pages, origin),
        open_to_pages.post("chat/completions", chat_body("fast", "hi"), headers={"origin": origin}),
    ):
        assert not [name for name in reply.headers if name.startswith("access-control-")]
        assert reply.headers["vary"] == "origin"


def test_headers_that_are_no_names_are_not_repeated(open_to_pages: Server) -> None:
    for names in ("<script>", "a" * 3000, '"x"', "a;b", "ä"):
        reply = preflight(open_to_pages, PAGE, **{"access-control-request-headers": names})
        assert reply.headers[ALLOW] == PAGE
        assert "access-control-allow-headers" not in reply.headers


def test_options_without_a_question_is_a_wrong_method(open_to_pages: Server) -> None:
    reply = open_to_pages.send("OPTIONS", "/v1/chat/completions", headers={"origin": PAGE})
    assert (reply.status, reply.error["code"]) == (405, "method_not_allowed")


def test_a_star_allows_every_page(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("star")
    with serving("fast=fake:", home=home, env={"PENSTOCK_CORS_ORIGINS": "*"}) as server:
        assert preflight(server, STRANGER).headers[ALLOW] == "*"
        assert server.get("/v1/models", headers={"origin": "null"}).headers[ALLOW] == "*"
        assert server.get("/v1/models", headers={"origin": PAGE}, key="").status == 401


def test_it_is_off_by_default(fake_server: Server) -> None:
    for reply in (
        preflight(fake_server, PAGE),
        fake_server.get("/health", headers={"origin": PAGE}),
    ):
        assert not {name for name in reply.headers if name.startswith(("access-control-", "vary"))}


@pytest.mark.parametrize("value", ["example.com", "https://a.b/path", "https://a,https://b", "* x"])
def test_a_setting_that_is_no_list_of_origins_is_refused(value: str) -> None:
    from penstock.config.load import BadSettings, load

    with pytest.raises(BadSettings, match="cors_origins"):
        load({"cors_origins": value})
