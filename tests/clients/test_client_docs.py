"""docs/clients.md: its examples run, and its versions are those that are tested."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from nodejs import SCRIPTS, Node
from serving import Server
from test_guests import GUESTS, needs, python

PAGE = (Path(__file__).parents[2] / "docs" / "clients.md").read_text("utf-8")
SECTIONS = dict(part.split("\n", maxsplit=1) for part in PAGE.split("\n## ")[1:])
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: A file's name in code, at the end of the line before its text.
FILE = re.compile(r"`(\S+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: Whose packages are those of a file in `guests/`.
OF_GUESTS = {
    "LangChain": "langchain_client",
    "LlamaIndex": "llamaindex_client",
    "AutoGen": "autogen_client",
    "deepinfra": "deepinfra_client",
    "instructor": "instructor_client",
    "llm": "llm_client",
    "lm-evaluation-harness": "lm_eval_client",
}
OF_NODE = ("openai for Node", "Vercel AI SDK")
Place = Callable[[str], str]


@pytest.fixture
def with_place(bundled_server: Server) -> Place:
    """An example with the address and the key of our server."""

    def put(text: str) -> str:
        text = text.replace("http://127.0.0.1:8000", bundled_server.base)
        return text.replace("THE KEY IT PRINTED", bundled_server.key)

    return put


def example(title: str, language: str) -> str:
    return str(dict(FENCE.findall(SECTIONS[title]))[language])


def interpreter(title: str) -> str:
    return python(GUESTS / f"{OF_GUESTS[title]}.py") if title in OF_GUESTS else sys.executable


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "title", ["openai for Python", "LangChain", "LlamaIndex", "AutoGen", "deepinfra", "instructor"]
)
def test_an_example_in_python_prints_something(title: str, with_place: Place) -> None:
    argv = [interpreter(title), "-c", with_place(example(title, "python"))]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("title", ["llm", "lm-evaluation-harness"])
def test_an_example_for_the_shell_prints_something(
    title: str, with_place: Place, tmp_path: Path
) -> None:
    for name, text in FILE.findall(SECTIONS[title]):
        (tmp_path / name).write_text(with_place(text))
    there = {"LLM_USER_PATH": str(tmp_path), "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    path = os.pathsep.join([str(Path(interpreter(title)).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["sh", "-e", "-c", with_place(example(title, "sh"))],
        cwd=tmp_path,
        env=os.environ | there | {"PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.node
@pytest.mark.parametrize("title", OF_NODE)
def test_an_example_in_javascript_prints_something(
    title: str, node: Node, bundled_server: Server, with_place: Place
) -> None:
    assert node.run(with_place(example(title, "js")), bundled_server).strip()


def test_every_example_is_run() -> None:
    assert set(SECTIONS) == {"openai for Python", *OF_GUESTS, *OF_NODE}


@pytest.mark.parametrize("title", [*OF_GUESTS, *OF_NODE])
def test_the_versions_are_those_that_are_tested(title: str) -> None:
    (row,) = re.findall(rf"^\| {title} \| (.+?) \|", PAGE, re.MULTILINE)
    pins = node_pins() if title in OF_NODE else guest_pins(title)
    named = re.findall(r"`([\w@/-]+)` ([\d.]+)", row)
    assert named
    assert [(name, pins[name]) for name, _ in named] == named


def guest_pins(title: str) -> dict[str, str]:
    pairs = (package.split("==") for package in needs(GUESTS / f"{OF_GUESTS[title]}.py"))
    return {name.partition("[")[0]: version for name, version in pairs}


def node_pins() -> dict[str, str]:
    return dict(json.loads((SCRIPTS / "package.json").read_text())["dependencies"])
