"""curl, with the flags that people use."""

import gzip
import json
import shutil
import subprocess
from collections.abc import Callable

import pytest
from serving import Server

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on PATH")

Curl = Callable[..., str]
ASK = {"model": "fast", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def curl(fake_server: Server) -> Curl:
    """`curl(path, *flags, data=…)`: what curl prints."""

    def run(path: str, *flags: str, data: bytes | None = None) -> str:
        argv = ["curl", "--silent", "--show-error", "--max-time", "30", *flags]
        argv += ["-H", f"Authorization: Bearer {fake_server.key}", f"{fake_server.url}/{path}"]
        if data is not None:
            argv += ["--data-binary", "@-"]
        done = subprocess.run(argv, input=data or b"", capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    return run


def body(**more: object) -> bytes:
    return json.dumps({**ASK, **more}).encode()


def content(answer: str) -> str:
    return str(json.loads(answer)["choices"][0]["message"]["content"])


def test_a_stream_arrives_line_by_line_and_ends_with_done(curl: Curl) -> None:
    lines = curl("chat/completions", "-N", data=body(stream=True)).split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    assert all(line.startswith("data: {") for line in lines[:-2])


@pytest.mark.parametrize("flag", ["--http1.0", "--http1.1", "--http2"])
def test_every_version_of_http_gets_the_same_answer(flag: str, curl: Curl) -> None:
    # --http2 offers an upgrade over plain HTTP, which is declined by answering in HTTP/1.1.
    assert content(curl("chat/completions", flag, data=body())).startswith("You said: Hello")


def test_an_offer_of_http_2_without_a_body_is_declined(curl: Curl) -> None:
    assert curl("models", "--http2", "-i").startswith("HTTP/1.1 200")


def test_a_stream_over_http_1_0_is_not_chunked(curl: Curl) -> None:
    answer = curl("chat/completions", "--http1.0", "-N", "-i", data=body(stream=True))
    head, _, stream = answer.partition("\r\n\r\n")
    assert "transfer-encoding" not in head.lower()
    assert "connection: close" in head.lower()
    assert stream.startswith("data: {")
    assert stream.endswith("data: [DONE]\n\n")


def test_a_gzip_body_is_inflated(curl: Curl) -> None:
    answer = curl("chat/completions", "-H", "Content-Encoding: gzip", data=gzip.compress(body()))
    assert content(answer).startswith("You said: Hello")


def test_a_body_that_curl_announces_with_100_continue_arrives(curl: Curl) -> None:
    text = "word " * 100_000
    data = body(messages=[{"role": "user", "content": text}], max_tokens=3)
    assert content(curl("chat/completions", "-H", "Expect: 100-continue", data=data))


def test_a_chunked_body_arrives(curl: Curl) -> None:
    answer = curl("chat/completions", "-H", "Transfer-Encoding: chunked", data=body())
    assert content(answer).startswith("You said: Hello")


def test_head_gives_the_headers_of_get(curl: Curl) -> None:
    head = curl("models", "--head").lower()
    assert head.startswith("http/1.1 200")
    assert "x-request-id: " in head


@pytest.mark.parametrize(
    ("path", "flags", "status", "code"),
    [
        ("nothing", (), 404, "unknown_url"),
        ("models/no/such", (), 404, "model_not_found"),
        ("chat/completions", (), 405, "method_not_allowed"),
        ("models", ("-H", "Authorization: Basic eDp5"), 401, "invalid_api_key"),
    ],
)
def test_errors_have_a_status_and_openais_shape(
    path: str, flags: tuple[str, ...], status: int, code: str, curl: Curl
) -> None:
    *lines, last = curl(path, "--write-out", "\n%{http_code}", *flags).split("\n")
    error = json.loads("\n".join(lines))["error"]
    assert int(last) == status
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == code
