# /// script
# requires-python = ">=3.11"
# dependencies = ["llm==0.36", "pytest==9.2.0"]
# ///
"""simonw's llm, on the terminal: chat and completion models named in its YAML file.

It has no such file for embeddings.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from place import API_KEY, BASE_URL, CHAT

MODELS = f"""
- model_id: tiny
  model_name: {CHAT}
  api_base: {BASE_URL}
  api_key_name: penstock
  supports_tools: true
  supports_schema: true
- model_id: tiny-completion
  model_name: {CHAT}
  api_base: {BASE_URL}
  api_key_name: penstock
  completion: true
"""
Llm = Callable[..., str]


@pytest.fixture
def llm(tmp_path: Path) -> Llm:
    """`llm(*arguments)`: what the command prints, with a directory of its own."""
    (tmp_path / "extra-openai-models.yaml").write_text(MODELS)
    (tmp_path / "keys.json").write_text(json.dumps({"penstock": API_KEY}))

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "llm", *arguments],
            env=os.environ | {"LLM_USER_PATH": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


def test_a_prompt_is_answered_the_same_streamed_and_not_and_counted(llm: Llm) -> None:
    ask = ("prompt", "Hello", "-m", "tiny", "-o", "temperature", "0")
    streamed = llm(*ask)
    assert streamed
    assert llm(*ask, "--no-stream") == streamed
    plain, first = json.loads(llm("logs", "list", "--json"))
    assert first["input_tokens"] == plain["input_tokens"] > 0
    assert first["output_tokens"] == plain["output_tokens"] > 0


def test_a_completion_goes_on_from_the_prompt(llm: Llm) -> None:
    said = llm("prompt", "Once upon a time", "-m", "tiny-completion", "-o", "max_tokens", "8")
    assert said


def test_a_schema_is_kept(llm: Llm) -> None:
    said = llm("prompt", "Ada is 36.", "-m", "tiny", "--schema", "name, age int")
    person = json.loads(said)
    assert set(person) == {"name", "age"}
    assert isinstance(person["age"], int)


def test_a_tool_is_called_and_its_result_is_sent_back(llm: Llm) -> None:
    weather = "def weather(city: str) -> str:\n    'Tell the weather.'\n    return 'Sunny there.'\n"
    ask = ("prompt", "What is the weather in Paris?", "-m", "tiny", "-o", "temperature", "0")
    assert llm(*ask, "--functions", weather)
    calls = [call for row in json.loads(llm("logs", "--json")) for call in row["tool_results"]]
    assert {call["output"] for call in calls} == {"Sunny there."}
