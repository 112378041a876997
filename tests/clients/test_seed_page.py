"""DeepInfra's page on its OpenAI API: its own examples, run as scripts.

`seed/*.py` hold the text as the page has it. Only what the page's reader would replace is replaced
here: base URL, key and model, and `stream`, of which the page says "True # or False".
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from serving import Server

SEED = Path(__file__).parent / "seed"
CHATS = ("chat", "conversation")
#: The page's `event.usage['prompt_tokens']` subscripts an object of openai-python's, which raises
#: TypeError whatever a server sends (in the first releases it was a dictionary). The page's own
#: completions example reads attributes, so that is what is run here.
SUBSCRIPT = re.compile(r"usage\['(\w+)'\]")


def page(name: str, server: Server, model: str, *, stream: bool = True) -> str:
    """An example with the reader's own base URL, key and model."""
    text = (SEED / f"{name}.py").read_text()
    text = text.replace("https://api.deepinfra.com/v1/openai", f"{server.base}/v1/openai")
    text = text.replace("$DEEPINFRA_TOKEN", server.key)
    text = re.sub(r"(model=)[\"'][^\"']+[\"']", rf"\1{model!r}", text)
    return text.replace("stream = True", f"stream = {stream}")


def run(script: str) -> list[str]:
    """The lines that a script prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def run_chat(name: str, server: Server, *, stream: bool) -> list[str]:
    script = page(name, server, "penstock/tiny-chat", stream=stream)
    script = script.replace("stream=stream,", "stream=stream, temperature=0,")
    return run(SUBSCRIPT.sub(r"usage.\1", script))


@pytest.mark.parametrize("name", CHATS)
def test_a_chat_example_streams_text_and_then_its_usage(name: str, bundled_server: Server) -> None:
    *pieces, last = run_chat(name, bundled_server, stream=True)
    reason, prompt_tokens, completion_tokens = last.split()
    assert reason == "stop"
    assert int(prompt_tokens) > 0
    assert int(completion_tokens) > 0
    assert "".join(pieces).strip()


@pytest.mark.parametrize("name", CHATS)
def test_a_chat_example_says_the_same_streamed_and_not(name: str, bundled_server: Server) -> None:
    *pieces, last = run_chat(name, bundled_server, stream=True)
    *lines, usage = run_chat(name, bundled_server, stream=False)
    assert "".join(pieces) == "".join(lines)
    assert last.split()[1:] == usage.split()


@pytest.mark.parametrize("stream", [True, False])
def test_the_completions_example_runs(stream: bool, bundled_server: Server) -> None:
    # At the page's temperature, 1, the text may be anything, also nothing.
    *_, last = run(page("completions", bundled_server, "penstock/tiny-chat", stream=stream))
    prompt_tokens, completion_tokens = map(int, last.split()[-2:])
    assert prompt_tokens > 0
    assert 0 < completion_tokens <= 16


def test_the_embeddings_example_prints_a_vector(bundled_server: Server) -> None:
    vector, tokens = run(page("embeddings", bundled_server, "penstock/tiny-embed"))
    numbers = [float(number) for number in vector.strip("[]").split(",")]
    assert sum(number * number for number in numbers) == pytest.approx(1, abs=1e-4)
    assert int(tokens) > 0


@pytest.mark.parametrize(("given", "vectors"), [('"hello"', 1), ('["hello", "world"]', 2)])
def test_the_embeddings_example_takes_a_text_or_an_array(
    given: str, vectors: int, bundled_server: Server
) -> None:
    script = page("embeddings", bundled_server, "penstock/tiny-embed")
    lines = run(re.sub(r"^input = .*$", f"input = {given}", script, flags=re.MULTILINE))
    assert len(lines) == vectors + 1
