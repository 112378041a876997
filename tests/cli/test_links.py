"""What a path is called when the server is to serve from it."""

from pathlib import Path

import pytest

from penstock.cli.links import link_to
from penstock.domain.source import GgufFile, ModelDirectory


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "models"


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_link_never_leads_elsewhere_than_it_did(tmp_path: Path, models: Path) -> None:
    """Though the server refuses the second, since the name is taken, the first runs from there."""
    one, other = (written(tmp_path / v / "model.gguf", v) for v in ("v1", "v2"))
    first = link_to("mine", GgufFile(one))
    second = link_to("mine", GgufFile(other))
    assert first != second
    assert [(models / place).read_text() for place in (first, second)] == ["v1", "v2"]
    assert link_to("mine", GgufFile(one)) == first


def test_a_directory_is_never_written_into(tmp_path: Path, models: Path) -> None:
    written(tmp_path / "dir" / "config.json", "{}")
    place = link_to("mine", ModelDirectory(tmp_path / "dir"))
    link_to("mine", GgufFile(written(tmp_path / "model.gguf", "x")))
    assert (models / place / "config.json").read_text() == "{}"
    assert [file.name for file in (tmp_path / "dir").iterdir()] == ["config.json"]
