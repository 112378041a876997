"""Pictures in messages: seen where the model has eyes, and nothing inward is ever fetched."""

import base64
import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gguf_files import chat_model_path, make_eyes
from rawhttp import Reply
from serving import Server, serving


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = zlib.compress((b"\0" + b"\xff\0\0" * min(width, 1000)) * min(height, 1000))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def data_url(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


PICTURE = data_url(png(30, 20))


def show(server: Server, model: str, *urls: Any, role: str = "user", **more: Any) -> Reply:
    parts: list[Any] = [{"type": "text", "text": "What is it?"}]
    parts += [{"type": "image_url", "image_url": u if isinstance(u, dict) else {"url": u}}
              for u in urls]  # fmt: skip
    messages = [{"role": role, "content": parts}, {"role": "user", "content": "Say."}]
    body = {"model": model, "messages": messages, "max_tokens": 4, "temperature": 0}
    return server.post("chat/completions", body | more)


def refused(reply: Reply, param: str) -> str:
    assert reply.status == 400, reply
    assert (reply.error["param"] or "").startswith(param), reply.error
    return str(reply.error["message"])


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`eyes` sees, by llama.cpp; `blind` does not; `far` is `eyes` over HTTP."""
    directory = tmp_path_factory.mktemp("seeing")
    eyes = make_eyes(directory / "mmproj.gguf")
    config = directory / "near" / "penstock.toml"
    config.parent.mkdir()
    config.write_text(
        f"""
        [[models]]
        source = "eyes={chat_model_path()}"
        mmproj = "{eyes}"
        [[models]]
        source = "blind={chat_model_path()}"
        """
    )
    with serving(home=config.parent, flags=["--parallel", "2"]) as server:
        yield server


@pytest.fixture(scope="module")
def far(seeing: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server in front of that one, which fetches pictures."""
    home = tmp_path_factory.mktemp("far")
    (home / "penstock.toml").write_text(
        f"""
        fetch_images = true
        [[models]]
        source = "eyes={seeing.url}#eyes"
        key_env = "FAR_KEY"
        vision = true
        [[models]]
        source = "blind={seeing.url}#blind"
        key_env = "FAR_KEY"
        """
    )
    with serving(home=home, env={"FAR_KEY": seeing.key}) as server:
        yield server


@pytest.mark.parametrize("where", ["seeing", "far"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_picture_is_a_part_of_the_prompt(
    request: pytest.FixtureRequest, where: str, stream: bool
) -> None:
    server: Server = request.getfixturevalue(where)

    def prompt_tokens(*urls: Any) -> int:
        reply = show(server, "eyes", *urls, stream=stream)
        assert reply.status == 200, reply
        usage = (reply.events[-1] if stream else reply.json)["usage"]
        return int(usage["prompt_tokens"])

    one = prompt_tokens(PICTURE) - prompt_tokens()
    assert one > 0
    assert prompt_tokens(PICTURE, {"url": PICTURE, "detail": "low"}) - prompt_tokens() >= 2 * one


def test_a_model_says_whether_it_sees(seeing: Server) -> None:
    for name, kinds in (("eyes", ["image", "text"]), ("blind", ["text"])):
        facts = seeing.get(f"/v1/models/{name}").json["penstock"]
        assert facts["modalities"]["input"] == kinds


@pytest.mark.parametrize("where", ["seeing", "far"])
def test_a_model_without_eyes_refuses_pictures(request: pytest.FixtureRequest, where: str) -> None:
    reply = show(request.getfixturevalue(where), "blind", PICTURE)
    refused(reply, "messages[0].content[1]")
    assert reply.error["code"] == "unsupported_parameter"


@pytest.mark.parametrize("role", ["system", "assistant"])
def test_only_users_show_pictures(seeing: Server, role: str) -> None:
    refused(show(seeing, "eyes", PICTURE, role=role), "messages[0].content[1]")


@pytest.mark.parametrize(
    "url",
    [
        None, 1, True, [], {}, "", "x", "picture.png", "data:", "data:image/png",
        "data:image/png,abc",
        "data:image/png;base64,", "data:image/png;base64,!!!!", "data:image/png;base64,AAA",
        "data:text/html;base64,AAAA", "data:image/png;base64,AAAA", data_url(b"GIF89a" + b"x" * 99),
        data_url(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        data_url(png(30, 20)[:20]), data_url(png(0, 20)), data_url(png(60_000, 60_000)),
        data_url(png(2**31 - 1, 1)), "file:///etc/passwd", "https://example.com/x.png",
    ],
    ids=range(24),
)  # fmt: skip
def test_what_is_no_picture_is_400(seeing: Server, url: Any) -> None:
    refused(show(seeing, "eyes", {"url": url}), "messages[0]")


def test_a_picture_that_only_begins_like_one_is_the_clients_error(seeing: Server) -> None:
    broken = png(30, 20)[:60]
    assert show(seeing, "eyes", data_url(broken)).status == 400
    assert show(seeing, "eyes", PICTURE).status == 200


@pytest.mark.parametrize(
    "part",
    [{"detail": "low"}, {"url": PICTURE, "detail": "closest"}, {"url": PICTURE, "detail": 1}],
    ids=range(3),
)
def test_a_part_that_is_wrong_is_named(seeing: Server, part: Any) -> None:
    refused(show(seeing, "eyes", part), "messages[0]")


def test_too_many_pictures_are_400(seeing: Server) -> None:
    refused(show(seeing, "eyes", *[PICTURE] * 17), "messages")


def test_a_large_picture_is_413_or_400(seeing: Server) -> None:
    assert show(seeing, "eyes", data_url(png(30, 20) + b"x" * 21_000_000)).status == 400


def test_a_spelled_control_token_beside_eyes_is_refused(seeing: Server) -> None:
    reply = seeing.chat("eyes", "a <|im_end|> b")
    refused(reply, "messages")


def test_token_ids_for_a_model_that_sees_are_refused(seeing: Server) -> None:
    reply = seeing.post("completions", {"model": "eyes", "prompt": [5, 6], "max_tokens": 1})
    refused(reply, "prompt")
    assert seeing.post("completions", {"model": "eyes", "prompt": "hi"}).status == 200


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/x.png", "http://localhost/x.png", "http://127.1/", "http://2130706433/",
     "http://0x7f000001/", "http://0177.0.0.1/", "http://[::1]/", "http://[::ffff:127.0.0.1]/",
     "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://0/", "http://0.0.0.0/",
     "http://10.0.0.1/", "http://192.168.1.1/", "http://172.16.0.1/", "http://100.64.0.1/",
     "http://169.254.169.254/latest/meta-data/", "http://[fe80::1]/", "http://[fd00::1]/",
     "http://[fd00:ec2::254]/", "http://224.0.0.1/", "http://255.255.255.255/",
     "http://a@127.0.0.1/", "http://8.8.8.8@127.0.0.1/", "http://127.0.0.1#@8.8.8.8/",
     "http://8.8.8.8\\@127.0.0.1/", "http://127.0.0.1\\.example.com/", "http://127.0.0.1:80/",
     "http://example.com:22/", "http://localhost.:80/", "http://LOCALHOST/", "http:///x",
     "http://", "http://[", "http://[::1", "http://1.1.1.1:99999/", "http://\u24db/",
     "http://exa mple.com/", "http://a\nb/", "ftp://example.com/x.png", "gopher://127.0.0.1/",
     "http://nowhere.invalid/x.png", "//127.0.0.1/", "http://" + "a" * 5000],
)  # fmt: skip
def test_nothing_inward_is_fetched(far: Server, url: str) -> None:
    message = refused(show(far, "eyes", url), "messages[0].content[1]")
    assert "refused" not in message.lower()  # nothing is told of what listens where


def test_the_large_and_the_inward_harm_nobody(seeing: Server, far: Server) -> None:
    for server in (seeing, far):
        assert server.metric("penstock_replica_restarts_total") == 0
        assert json.loads(show(server, "eyes", PICTURE).body)["object"] == "chat.completion"


def test_eyes_that_are_none_are_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "penstock.toml").write_text(
        f"""
        [[models]]
        source = "m={chat_model_path()}"
        mmproj = "{chat_model_path()}"
        """
    )
    server = Server([], home=tmp_path)
    assert server.process.wait(30) != 0
    assert "mmproj names the eyes" in server.log
