"""The docs say what the code does: every name in them is compared with the real ones."""

import ast
import importlib.util
import json
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
from serving import Server, environment

from penstock.api.deepinfra.inference_wire import REQUESTS
from penstock.api.openai.wire import (
    IGNORED,
    IMAGE_HINTS,
    ChatCompletionRequest,
    CompletionRequest,
    EmbeddingRequest,
    ImageEditsRequest,
    ImagesRequest,
    ImageVariationsRequest,
    RerankRequest,
)
from penstock.api.routes import (
    Route,
    adapter_routes,
    catalogue_routes,
    deployment_routes,
    inference_routes,
    openai_routes,
    service_routes,
)
from penstock.config.load import ENVIRONMENT_PREFIX, OTHER_VARIABLES, load
from penstock.config.settings import ModelSettings, Settings
from penstock.conformance.catalogue import SECTIONS
from penstock.domain.errors import PenstockError
from penstock.engines.openai.dialects import DIALECTS
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
    "fetch_images": "`false`",
    "database_url": "SQLite",
    "models": "nothing",
    "context_length": "by the model",
    "parallel": "by free memory",
    "engine": "by the files",
    "vllm_python": "Penstock's own",
    "memory_limit": "by free memory",
    "idle_stop_s": "never",
    "threads": "by the machine",
    "cors_origins": "none",
    "deploy_paths": "none",
    "diffusers_python": "none",
    "image_model": "by what is served",
}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    return [text for kind, text in FENCE.findall(read(name)) if kind == language]


def section(name: str, title: str) -> str:
    """What stands under the heading `## title`."""
    return read(name).partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def routes() -> list[Route]:
    families = (
        openai_routes,
        inference_routes,
        catalogue_routes,
        adapter_routes,
        service_routes,
    )
    found = [route for routes_of in families for route in routes_of(Mock())]
    return [*found, *deployment_routes(Mock(), Mock())]


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
        (RerankRequest, "Rerank"),
        (ImagesRequest, "Images"),
        (ImageEditsRequest, "Images"),
        (ImageVariationsRequest, "Images"),
        *((type_, "Native inference") for type_ in REQUESTS),
    ],
)
def test_every_field_of_a_request_is_documented(type_: type[msgspec.Struct], title: str) -> None:
    text = section("docs/api.md", title)
    fields = set(type_.__struct_fields__) - IGNORED.keys()
    assert [name for name in sorted(fields) if f"`{name}`" not in text] == []


@pytest.mark.parametrize(("name", "reason"), [*IGNORED.items(), *IMAGE_HINTS.items()])
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


@pytest.mark.parametrize("name", DIALECTS)
def test_what_a_kind_of_server_ignores_is_documented(name: str) -> None:
    (row,) = re.findall(rf"^\| `{name}` \|(.*)$", section("docs/engines.md", "openai"), re.M)
    assert [field for field in DIALECTS[name].ignores if f"`{field}`" not in row] == []


def test_the_flags_of_the_fake_are_the_real_ones() -> None:
    own = {"socket", "port", "model", "with_parent"}
    real = set(fake.Settings.__struct_fields__) - own
    assert set(re.findall(r"^\| `(\w+)` \| ", section("docs/engines.md", "fake"), re.M)) == real


@pytest.mark.parametrize(
    ("page", "script"),
    [
        ("cli.md", "make_cli"),
        ("compatibility.md", "make_compatibility"),
        ("engines.md", "make_engines"),
    ],
)
def test_a_page_that_is_made_is_current(page: str, script: str) -> None:
    spec = importlib.util.spec_from_file_location(script, DOCS / f"{script}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert read(f"docs/{page}") == module.render(), f"run: python docs/{script}.py"


def test_the_page_of_compatibility_has_every_check() -> None:
    """A check that is new or has another rule asks for new results."""
    report = json.loads(read("docs/compatibility/penstock.json"))
    told = {(each["section"], each["name"], each["rule"]) for each in report["checks"]}
    assert told == {(name, c.name, c.rule) for name, checks in SECTIONS.items() for c in checks}


def test_the_reason_for_every_dependency_is_given() -> None:
    project = tomllib.loads(read("pyproject.toml"))
    extras = project["project"]["optional-dependencies"].values()
    needed = [
        *project["project"]["dependencies"],
        *(item for extra in extras for item in extra),
        *project["dependency-groups"]["dev"],
    ]
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


@pytest.mark.parametrize(
    "command", sorted(set(re.findall(r"bench/\w+\.py", read("bench/README.md"))))
)
def test_every_benchmark_that_is_described_can_be_called(command: str) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / command, "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"usage: {command}" in done.stdout


def test_every_file_that_the_readme_names_exists() -> None:
    named = re.findall(r"`((?:src|docs|tests)/[\w./]+)`", read("README.md"))
    assert [name for name in named if not (ROOT / name.replace("NAME", "vllm")).exists()] == []


def test_the_readmes_commands_are_the_real_ones() -> None:
    project = tomllib.loads(read("pyproject.toml"))
    first, *others, last = blocks("README.md", "sh")
    assert first == "pip install uv && uv run penstock serve\n"
    assert last == "uv run pytest\n"
    assert all(line.startswith("uv run penstock ") for line in others)
    assert project["project"]["scripts"]["penstock"] == "penstock.cli.main:main"
    assert any(item.startswith("pytest>") for item in project["dependency-groups"]["dev"])
    assert project["project"]["requires-python"] == ">=3.11"


def readme_python(server: Server, count: int) -> str:
    """What the first `count` examples of the README print, run as one program."""
    examples = "".join(blocks("README.md", "python")[:count])
    examples = examples.replace("http://127.0.0.1:8000", server.base)
    examples = examples.replace("THE KEY IT PRINTED", server.key)
    done = subprocess.run(
        [sys.executable, "-c", examples], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_readmes_example_runs(bundled_server: Server) -> None:
    example, *_ = blocks("README.md", "python")
    assert len(ast.parse(example).body) == 4
    assert readme_python(bundled_server, 1).strip()


def test_the_readmes_stream_is_a_real_one(bundled_server: Server) -> None:
    _, streamed = readme_python(bundled_server, 2).splitlines()
    assert streamed in blocks("README.md", "text")[0].splitlines()


def test_the_readmes_conversation_is_a_real_one(bundled_server: Server, tmp_path: Path) -> None:
    command = blocks("README.md", "sh")[1]
    arguments = command.splitlines()[0].removeprefix("uv run ").split(" <<")[0].split()
    questions = command.partition("\n")[2].removesuffix("END\n")
    own = {"PENSTOCK_BASE_URL": bundled_server.url}
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        env=environment(tmp_path, key=bundled_server.key, env=own),
        input=questions,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == blocks("README.md", "text")[0]


def test_the_readmes_tool_call_is_a_real_one(bundled_server: Server) -> None:
    _, _, *rest = readme_python(bundled_server, 3).splitlines()
    assert rest == blocks("README.md", "text")[1].splitlines()
