"""The official Node client: one script asks, the tests look at what it was told."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from serving import Server

pytestmark = pytest.mark.node

NODE = Path(__file__).parent / "node"
FILES = ("package.json", "package-lock.json", "client.mjs")


@pytest.fixture(scope="module")
def told(bundled_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What node/client.mjs prints, run in a copy of its folder with its packages installed."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not on PATH")
    folder = tmp_path_factory.mktemp("node")
    for name in FILES:
        shutil.copy(NODE / name, folder)
    install = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    installed = subprocess.run(install, cwd=folder, capture_output=True, text=True)
    if installed.returncode:
        pytest.skip(f"npm could not fetch the openai package: {installed.stderr[-300:]}")
    there = {"BASE_URL": bundled_server.url, "API_KEY": bundled_server.key}
    done = subprocess.run(
        ["node", "client.mjs"], cwd=folder, env=os.environ | there, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_chat_is_the_same_streamed_and_not(told: Any) -> None:
    assert told["whole"]["text"]
    assert told["streamed"]["text"] == told["whole"]["text"]
    assert told["streamed"]["reason"] == "stop"


def test_usage_is_read_on_the_chunk_that_finishes(told: Any) -> None:
    assert told["streamed"]["usage"]["total_tokens"] == told["whole"]["usage"]["total_tokens"]


def test_models_are_listed_and_found(told: Any) -> None:
    assert {"penstock/tiny-chat", "penstock/tiny-embed"} <= set(told["models"])
    assert told["model"] == "penstock/tiny-chat"


def test_the_default_encoding_gives_the_same_vector_as_floats(told: Any) -> None:
    assert told["vector"] == pytest.approx(told["floats"], abs=1e-6)
    assert sum(number * number for number in told["vector"]) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("what", "kind", "status", "code", "param"),
    [
        ("notFound", "NotFoundError", 404, "model_not_found", "model"),
        ("badRequest", "BadRequestError", 400, "invalid_value", "temperature"),
        ("badKey", "AuthenticationError", 401, "invalid_api_key", None),
    ],
)
def test_an_error_is_of_the_right_class(
    what: str, kind: str, status: int, code: str, param: str | None, told: Any
) -> None:
    error = told[what]
    assert (error["kind"], error["status"]) == (kind, status)
    assert (error["code"], error["param"]) == (code, param)
    assert error["requestID"]
