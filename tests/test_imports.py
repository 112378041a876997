"""Arrows point one way, and what is heavy is imported where it is needed."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = (
    "alembic",
    "huggingface_hub",
    "numpy",
    "onnxruntime",
    "prompt_toolkit",
    "rich",
    "sqlalchemy",
    "tokenizers",
    "xllamacpp",
)
REPLICAS_ONLY = ("numpy", "onnxruntime", "tokenizers", "xllamacpp")


def imported_by(statement: str) -> set[str]:
    """The top-level modules that are there after `statement`, in a new interpreter."""
    script = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_arrows_of_the_import_linter_hold() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "command", ["main", "chat", "serve", "config", "keys", "models", "pull", "doctor"]
)
def test_a_command_is_imported_without_heavy_libraries(command: str) -> None:
    assert not imported_by(f"import penstock.cli.{command}") & set(HEAVY)


def test_the_doctor_looks_at_heavy_libraries_without_importing_them() -> None:
    look = "from click.testing import CliRunner\nfrom penstock.cli.doctor import doctor\n"
    assert not imported_by(look + "CliRunner().invoke(doctor, [])") & {*HEAVY, "torch"}


def test_the_gateway_does_not_import_what_replicas_need() -> None:
    assert not imported_by("import penstock.app") & set(REPLICAS_ONLY)
