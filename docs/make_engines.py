"""Writes the table of docs/engines.md that says what each engine honours, from the engines' code.

Each engine is asked: what fields it honours, and whether it takes or refuses a call. Run it after
a change of them: python docs/make_engines.py

tests/test_docs.py fails while the page is not current.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).parent
sys.path.append(str(DOCS.parent / "tests"))

from gguf_files import chat_model_path
from safetensors_model import write_safetensors_model

from penstock.domain.errors import UnsupportedParameter
from penstock.domain.generation import (
    Chat,
    Function,
    Generation,
    JsonObject,
    JsonSchema,
    Message,
    Regex,
    Text,
    Tokens,
    Tool,
)
from penstock.engines import attributes
from penstock.engines.base import Engine
from penstock.engines.llama_cpp.engine import LlamaCpp
from penstock.engines.openai.dialects import DIALECTS
from penstock.engines.openai.engine import ATTRIBUTES, OpenAIServer
from penstock.engines.vllm.engine import Vllm
from penstock.engines.vllm.install import VllmInstall
from penstock.http.client import Client, Origin

PAGE = DOCS / "engines.md"
BEGIN = "<!-- Made by docs/make_engines.py: do not edit. -->\n"
END = "<!-- Made until here. -->\n"
PLENTY_BYTES = 16 * 1024**3
NOWHERE = Client(Origin(socket_path="/nowhere"))

HELLO = (Message(role="user", content="Hello"),)
CHAT = Chat(messages=HELLO)
TOOL = Tool(function=Function(name="weather", parameters={"type": "object"}))
TOOLS = Chat(messages=HELLO, tools=(TOOL,))
SCHEMA = JsonSchema({"type": "object", "properties": {"n": {"type": "integer"}}})
STORY = Text("Once upon a time")


class Row(NamedTuple):
    """`fields` must be among the engine's attributes, and each of `calls` must not be refused."""

    title: str
    fields: frozenset[str] = frozenset()
    calls: tuple[Generation, ...] = ()


class Column(NamedTuple):
    title: str
    engine: Engine
    honoured: frozenset[str]


def fields(*names: str) -> frozenset[str]:
    return frozenset(names)


def rows() -> Iterator[Row]:
    yield Row("`max_tokens`, `max_completion_tokens`, `stop`, `n`, `stream`, `stream_options`",
              fields("max_tokens", "max_completion_tokens", "stop", "n", "stream"))  # fmt: skip
    yield Row("`temperature`, `top_p`, `seed`", fields("temperature", "top_p", "seed"))
    for name in (
        "presence_penalty", "frequency_penalty", "repetition_penalty", "top_k", "min_p",
        "logit_bias",
    ):  # fmt: skip
        yield Row(f"`{name}`", fields(name))
    format_ = fields("response_format")
    for title, wanted in (
        ("json_object", JsonObject()),
        ("json_schema", SCHEMA),
        ("regex", Regex("a+")),
    ):
        for where, prompt in (("chat", CHAT), ("completions", STORY)):
            call = Generation(prompt=prompt, output_format=wanted)
            yield Row(f"`response_format`: `{title}` in {where}", format_, (call,))
    yield Row("`tools`, called as the model likes", attributes.TOOLS, (Generation(prompt=TOOLS),))
    for title, choice in (("required", "required"), ("a named tool", ("weather",))):
        chat = Chat(messages=HELLO, tools=(TOOL,), tool_choice=choice)  # type: ignore[arg-type]
        yield Row(f"`tool_choice`: {title}", attributes.TOOLS, (Generation(prompt=chat),))
    one = Chat(messages=HELLO, tools=(TOOL,), parallel_tool_calls=False)
    yield Row("`parallel_tool_calls`: false", attributes.TOOLS, (Generation(prompt=one),))
    yield Row("`response_format` beside tools that may be called", attributes.TOOLS | format_,
              (Generation(prompt=TOOLS, output_format=SCHEMA),))  # fmt: skip
    yield Row("`reasoning_effort`", fields("reasoning_effort"))
    yield Row("`chat_template_kwargs`", fields("chat_template_kwargs"))
    scored = tuple(Generation(prompt=prompt, logprobs=2) for prompt in (CHAT, STORY))
    yield Row("`logprobs`, `top_logprobs`", fields("logprobs", "top_logprobs"), scored)
    yield Row("`logprobs` beside tools", attributes.TOOLS, (Generation(prompt=TOOLS, logprobs=2),))
    yield Row("`echo`", fields("echo"), (Generation(prompt=STORY, echo=True),))
    yield Row("`echo` with `logprobs`", fields("echo"),
              (Generation(prompt=STORY, echo=True, logprobs=2),))  # fmt: skip
    yield Row("token ids as `prompt`", frozenset(), (Generation(prompt=Tokens((1, 2))),))


def render() -> str:
    page = PAGE.read_text("utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    with tempfile.TemporaryDirectory() as directory:
        table = "".join(lines(columns(Path(directory))))
    return before + BEGIN + "\n" + table + "\n" + END + after


def columns(directory: Path) -> list[Column]:
    llama_cpp = LlamaCpp(chat_model_path(), alias="m", free_memory_bytes=PLENTY_BYTES)
    vllm = Vllm(
        write_safetensors_model(directory / "model"),
        alias="m",
        install=VllmInstall(Path("python"), "", "cpu"),
        free_memory_bytes=PLENTY_BYTES,
    )
    servers = [
        Column(
            kind,
            OpenAIServer("http://localhost/v1", model="m", dialect=kind),
            ATTRIBUTES - dialect.ignores,
        )
        for kind, dialect in DIALECTS.items()
        if "chat" in dialect.tasks
    ]
    own = [Column(f"`{e.name}`", e, e.honoured) for e in (llama_cpp, vllm)]
    return [*own, *servers]


def lines(columns: Sequence[Column]) -> Iterator[str]:
    yield line("field", *(column.title for column in columns))
    yield line("---", *(":-:" for _ in columns))
    for row in rows():
        yield line(row.title, *("✓" if honours(column, row) else "" for column in columns))


def honours(column: Column, row: Row) -> bool:
    return column.honoured >= row.fields and all(takes(column.engine, call) for call in row.calls)


def takes(engine: Engine, call: Generation) -> bool:
    """Whether the call would be sent. It is made, and not opened."""
    try:
        engine.generate(NOWHERE, call)
    except UnsupportedParameter:
        return False
    return True


def line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
