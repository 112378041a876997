"""DeepInfra's page on its OpenAI API, from top to bottom: its examples, run as scripts.

`seed/*.py` hold the text as the page has it; `.mjs` and `.sh` send the same from Node and curl.
Only what the page's reader would replace is replaced here: base URL, key and model, and `stream`,
of which the page says "True # or False". The temperature, 0, is ours.
"""

import io
import json
import re
import shutil
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nodejs import Node
from PIL import Image
from serving import Server

SEED = Path(__file__).parent / "seed"
CHATS = ("chat", "conversation")
PAINTING = "output.png"
#: The page's `event.usage['prompt_tokens']` subscripts an object of openai-python's, which raises
#: TypeError whatever a server sends (in the first releases it was a dictionary). The page's own
#: completions example reads attributes, so that is what is run here.
SUBSCRIPT = re.compile(r"usage\['(\w+)'\]")
MODEL = re.compile(r"(\bmodel\"?[=:] ?)[\"'][^\"']+[\"']")
OWN_MODELS = {"embeddings": "penstock/tiny-embed"}
Run = Callable[[str], list[str]]


def page(name: str, server: Server, *, stream: bool = True) -> str:
    """An example with the reader's own base URL, key and model."""
    text = (SEED / name).read_text()
    text = text.replace("https://api.deepinfra.com/v1/openai", f"{server.base}/v1/openai")
    text = text.replace("$DEEPINFRA_TOKEN", server.key)
    model = OWN_MODELS.get(name.partition(".")[0], "penstock/tiny-chat")
    text = MODEL.sub(rf'\1"{model}"', text)
    text = SUBSCRIPT.sub(r"usage.\1", text)
    return text.replace("stream = True", f"stream = {stream}").replace(
        "stream = true", f"stream = {str(stream).lower()}"
    )


def greedy(script: str) -> str:
    """At temperature 0, so that two runs say the same."""
    return re.sub(r"^( *)(stream(=stream)?,)$", _with_temperature, script, flags=re.MULTILINE)


def _with_temperature(found: re.Match[str]) -> str:
    return f"{found[1]}temperature{'=' if found[3] else ': '}0,\n{found[0]}"


@pytest.fixture
def python(tmp_path: Path) -> Run:
    """`python(script)`: the lines that it prints."""
    return lambda script: lines([sys.executable, "-W", "error", "-c", script], tmp_path)


@pytest.fixture
def curl(tmp_path: Path) -> Run:
    """`curl(script)`: the lines that a shell's script with curl prints."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not on PATH")
    return lambda script: lines(["sh", "-c", script], tmp_path)


@pytest.fixture
def javascript(node: Node, bundled_server: Server) -> Run:
    return lambda script: node.run(script, bundled_server).splitlines()


@pytest.fixture(params=["py", pytest.param("mjs", marks=pytest.mark.node)])
def run(request: pytest.FixtureRequest, bundled_server: Server) -> Callable[..., list[str]]:
    """`run(name, stream=…)`: an example of the page in one of its two languages."""
    language: Run = request.getfixturevalue({"py": "python", "mjs": "javascript"}[request.param])
    return lambda name, stream=True: language(
        greedy(page(f"{name}.{request.param}", bundled_server, stream=stream))
    )


def lines(argv: list[str], folder: Path) -> list[str]:
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


# -- Python and JavaScript --------------------------------------------------------------------


@pytest.mark.parametrize("name", CHATS)
def test_a_chat_example_streams_text_and_then_its_usage(
    name: str, run: Callable[..., list[str]]
) -> None:
    *pieces, last = run(name)
    reason, prompt_tokens, completion_tokens = last.split()
    assert reason == "stop"
    assert int(prompt_tokens) > 0
    assert int(completion_tokens) > 0
    assert "".join(pieces).strip()


@pytest.mark.parametrize("name", CHATS)
def test_a_chat_example_says_the_same_streamed_and_not(
    name: str, run: Callable[..., list[str]]
) -> None:
    *pieces, last = run(name)
    *whole, usage = run(name, stream=False)
    assert "".join(pieces) == "".join(whole)
    assert last.split()[1:] == usage.split()


@pytest.mark.parametrize("stream", [True, False])
def test_the_completions_example_runs(stream: bool, run: Callable[..., list[str]]) -> None:
    *_, last = run("completions", stream=stream)
    prompt_tokens, completion_tokens = map(int, last.split()[-2:])
    assert prompt_tokens > 0
    assert 0 < completion_tokens <= 16


def test_the_embeddings_example_prints_a_vector(run: Callable[..., list[str]]) -> None:
    vector, tokens = run("embeddings")
    assert_unit_length(json.loads(vector))
    assert int(tokens) > 0


@pytest.mark.parametrize(("given", "vectors"), [('"hello"', 1), ('["hello", "world"]', 2)])
def test_the_embeddings_example_takes_a_text_or_an_array(
    given: str, vectors: int, python: Run, bundled_server: Server
) -> None:
    script = page("embeddings.py", bundled_server)
    said = python(re.sub(r"^input = .*$", f"input = {given}", script, flags=re.MULTILINE))
    assert len(said) == vectors + 1


def test_the_images_example_saves_a_picture_of_its_size(
    python: Run, bundled_server: Server, tmp_path: Path
) -> None:
    python(page("images.py", bundled_server))
    assert sides(tmp_path / PAINTING) == (1024, 1024)


@pytest.mark.node
def test_the_images_example_does_so_from_javascript_too(
    javascript: Run, node: Node, bundled_server: Server
) -> None:
    javascript(page("images.mjs", bundled_server))
    assert sides(node.folder / PAINTING) == (1024, 1024)


# -- curl -------------------------------------------------------------------------------------


def events(said: list[str]) -> list[dict[str, Any]]:
    """The chunks of a stream, whose last line is checked."""
    data = [line.removeprefix("data: ") for line in said if line]
    assert data.pop() == "[DONE]"
    return [json.loads(event) for event in data]


@pytest.mark.parametrize("name", [*CHATS, "completions"])
def test_an_example_with_curl_streams(name: str, curl: Run, bundled_server: Server) -> None:
    *_, last = events(curl(page(f"{name}.sh", bundled_server)))
    assert last["choices"][0]["finish_reason"] in ("stop", "length")
    assert last["usage"]["completion_tokens"] > 0


def test_the_embeddings_example_with_curl_gives_a_vector(curl: Run, bundled_server: Server) -> None:
    answer = json.loads("\n".join(curl(page("embeddings.sh", bundled_server))))
    assert_unit_length(answer["data"][0]["embedding"])
    assert answer["usage"]["prompt_tokens"] > 0


def test_the_images_example_with_curl_gives_a_picture(curl: Run, bundled_server: Server) -> None:
    answer = json.loads("\n".join(curl(page("images.sh", bundled_server))))
    picture = io.BytesIO(b64decode(answer["data"][0]["b64_json"]))
    assert sides(picture) == (1024, 1024)


def sides(picture: Path | io.BytesIO) -> tuple[int, int]:
    with Image.open(picture) as image:
        return image.size


def assert_unit_length(vector: list[float]) -> None:
    assert sum(number * number for number in vector) == pytest.approx(1, abs=1e-4)
