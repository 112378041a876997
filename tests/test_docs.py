"""The docs say what the code does: every name in them is compared with the real ones."""

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from serving import Server

from penstock.api.openai.wire import (
    IGNORED,
    ChatCompletionRequest,
    CompletionRequest,
    EmbeddingRequest,
    ImagesRequest,
)
from penstock.api.routes import Route, openai_routes, service_routes
from penstock.config.load import ENVIRONMENT_PREFIX, OTHER_VARIABLES, load
from penstock.config.settings import ModelSettings, Settings
from penstock.domain.errors import PenstockError
from penstock.engines.workers import fake
from penstock.gateway.gauges import DeploymentGauges
from penstock.gateway.meter import Meter

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
#: What a setting's default is called where a value would not say it.
DEFAULTS = {
    "auth": "`true`",
    "models": "nothing",
    "context_length": "by the model",
    "parallel": "by free memory",
    "threads": "by the machine",
}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    return [text for kind, text in FENCE.findall(read(name)) if kind == language]


def section(name: str, title: str) -> str:
    """What stands under the heading `## title`."""
    return read(name).partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def routes() -> list[Route]:
    return [*openai_routes(Mock()), *service_routes(Mock())]


def errors(type_: type[PenstockError] = PenstockError) -> Iterator[type[PenstockError]]:
    for below in type_.__subclasses__():
        yield below
        yield from errors(below)


# -- settings ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", Settings.__struct_fields__)
def test_every_setting_is_documented_with_its_default(name: str) -> None:
    default = DEFAULTS.get(name, f"`{getattr(Settings(), name)}`")
    table = section("docs/configuration.md", "Settings")
    assert re.search(rf"^\| `{name}` \| {re.escape(default)} \| \w", table, re.MULTILINE)


@pytest.mark.parametrize("name", ModelSettings.__struct_fields__)
def test_every_setting_of_a_model_is_documented(name: str) -> None:
    assert f"\n| `{name}` | " in section("docs/configuration.md", "Settings of one model")


def test_no_setting_is_documented_that_does_not_exist() -> None:
    named = re.findall(r"^\| `(\w+)` ", read("docs/configuration.md"), re.MULTILINE)
    variables = {name for name in named if name.isupper()}
    known = {*Settings.__struct_fields__, *ModelSettings.__struct_fields__}
    assert set(named) - variables <= known


def test_every_variable_is_documented_and_real() -> None:
    named = set(re.findall(rf"`({ENVIRONMENT_PREFIX}[A-Z_]+)`", read("docs/configuration.md")))
    of_settings = {f"{ENVIRONMENT_PREFIX}{name.upper()}" for name in Settings.__struct_fields__}
    assert named == of_settings | OTHER_VARIABLES.keys()


def test_the_example_file_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [*OTHER_VARIABLES, "PENSTOCK_PORT"]:
        monkeypatch.delenv(variable, raising=False)
    (example,) = blocks("docs/configuration.md", "toml")
    file = tmp_path / "penstock.toml"
    file.write_text(example)
    assert len(load({}, file=file).settings.models) == 3


# -- the API ----------------------------------------------------------------------------------


def test_the_routes_in_the_docs_are_the_real_ones() -> None:
    table = section("docs/api.md", "Routes")
    named = re.findall(r"^\| `(\w+ \S+)` \| .* \| (yes|no) \|$", table, re.MULTILINE)
    real = {(f"{r.method} {r.path}", "no" if r.public else "yes") for r in routes()}
    assert set(named) == real


@pytest.mark.parametrize("error", list(errors()), ids=lambda error: error.__name__)
def test_every_error_is_documented_with_its_status(error: type[PenstockError]) -> None:
    row = f"| {error.status} | `{error.code}` | `{error.type}` | "
    assert row in section("docs/api.md", "Errors")


@pytest.mark.parametrize(
    ("type_", "title"),
    [
        (ChatCompletionRequest, "Chat completions"),
        (CompletionRequest, "Completions"),
        (EmbeddingRequest, "Embeddings"),
        (ImagesRequest, "Images"),
    ],
)
def test_every_field_of_a_request_is_documented(type_: type[msgspec.Struct], title: str) -> None:
    text = section("docs/api.md", title)
    fields = set(type_.__struct_fields__) - IGNORED.keys()
    assert [name for name in sorted(fields) if f"`{name}`" not in text] == []


@pytest.mark.parametrize(("name", "reason"), IGNORED.items())
def test_every_ignored_field_is_documented_with_its_reason(name: str, reason: str) -> None:
    table = section("docs/api.md", "Fields that are taken and change nothing")
    assert f"| `{name}` | {reason} |" in table


# -- metrics, engines, commands ---------------------------------------------------------------


def test_the_metrics_in_the_docs_are_the_real_ones() -> None:
    registry = CollectorRegistry()
    registry.register(DeploymentGauges([]))
    Meter(registry)
    real = {
        (family.name + ("_total" if family.type == "counter" else ""), family.type)
        for family in registry.collect()
    }
    table = section("docs/operating.md", "Metrics")
    assert set(re.findall(r"^\| `(\w+)` \| (\w+) \|", table, re.MULTILINE)) == real


def test_the_flags_of_the_fake_are_the_real_ones() -> None:
    own = {"socket", "port", "model", "with_parent"}
    real = set(fake.Settings.__struct_fields__) - own
    assert set(re.findall(r"^\| `(\w+)` \| ", section("docs/engines.md", "fake"), re.M)) == real


def test_the_page_of_commands_is_current() -> None:
    spec = importlib.util.spec_from_file_location("make_cli", DOCS / "make_cli.py")
    assert spec is not None
    assert spec.loader is not None
    make_cli = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_cli)
    assert read("docs/cli.md") == make_cli.render(), "run: python docs/make_cli.py"


def test_the_reason_for_every_dependency_is_given() -> None:
    project = tomllib.loads(read("pyproject.toml"))
    needed = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    text = read("docs/decisions/0002-dependencies.md")
    names = [re.split(r"[\[<>=~! ]", item)[0] for item in needed]
    assert [name for name in names if f"`{name}`" not in text] == []


# -- pages ------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The anchors that headings get on the usual sites."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_inside_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target


@pytest.mark.parametrize("page", sorted(DOCS.glob("decisions/*.md")), ids=lambda page: page.stem)
def test_a_decision_is_short_and_has_three_parts(page: Path) -> None:
    text = page.read_text("utf-8")
    parts = re.findall(r"^(?:## |\*\*)(Context|Decision|Consequence)\b", text, re.MULTILINE)
    assert len(text.splitlines()) <= 40
    assert parts == ["Context", "Decision", "Consequence"]


def test_every_file_that_the_readme_names_exists() -> None:
    named = re.findall(r"`((?:src|docs|tests)/[\w./]+)`", read("README.md"))
    assert [name for name in named if not (ROOT / name.replace("NAME", "fake")).exists()] == []


def test_the_readmes_commands_are_the_real_ones() -> None:
    project = tomllib.loads(read("pyproject.toml"))
    first, *others, last = blocks("README.md", "sh")
    assert first == "pip install uv && uv run penstock serve\n"
    assert last == "uv run pytest\n"
    assert all(line.startswith("uv run penstock ") for line in others)
    assert project["project"]["scripts"]["penstock"] == "penstock.cli.main:main"
    assert any(item.startswith("pytest>") for item in project["dependency-groups"]["dev"])
    assert project["project"]["requires-python"] == ">=3.11"


def test_the_readmes_example_runs(bundled_server: Server) -> None:
    (example,) = blocks("README.md", "python")
    example = example.replace("http://127.0.0.1:8000", bundled_server.base)
    example = example.replace("THE KEY IT PRINTED", bundled_server.key)
    assert len(ast.parse(example).body) == 4
    done = subprocess.run(
        [sys.executable, "-c", example], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
