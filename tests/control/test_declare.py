"""Declared models in the store: what keeps its version, what gets a new one, what goes."""

import os
from pathlib import Path

import msgspec
import pytest

from penstock.config.settings import ModelSettings
from penstock.control.declare import Declared, declare
from penstock.control.digest import MOST_FILES, WEIGHTS, WITHOUT_EFFECT, Digester, given, pinned
from penstock.domain.source import (
    Bundled,
    FakeEngine,
    GgufFile,
    HubReference,
    ModelDirectory,
    RemoteServer,
)
from penstock.domain.version import Version
from penstock.engines.base import CannotStart
from penstock.engines.registry import LocalSource
from penstock.store.home import Stores, open_stores

COMMIT = "c" * 40
SHA256 = "d" * 64


class Heard:
    """A progress that remembers what it was told."""

    def __init__(self) -> None:
        self.started: list[tuple[int, str]] = []
        self.advanced_bytes = 0
        self.finished = 0

    def note(self, sentence: str) -> None:
        raise AssertionError(sentence)

    def start(self, total_bytes: int, label: str, *, arrived_bytes: int) -> None:
        self.started.append((total_bytes, label))
        self.advanced_bytes = arrived_bytes

    def advance(self, size_bytes: int) -> None:
        self.advanced_bytes += size_bytes

    def finish(self) -> None:
        self.finished += 1


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return open_stores(tmp_path / "home")


def model(name: str, local: LocalSource, **settings: object) -> Declared:
    own = ModelSettings(source=str(local), **settings)  # type: ignore[arg-type]
    assert not isinstance(local, Bundled)
    return Declared(name=name, source=local, local=local, engine="fake", settings=own)  # type: ignore[arg-type]


def start(stores: Stores, *models: Declared, context_length: int | None = None) -> list[Version]:
    """What a start of the server writes; the current versions, in the models' order."""
    declare(
        models,
        catalogue=stores.catalogue,
        deployments=stores.deployments,
        adapters=stores.adapters,
        digester=Digester(stores.digests, Heard()),
        context_length=context_length,
    )
    adapters = {name for declared in models for name in declared.settings.adapters}
    current = {
        entry.name: entry.current_version
        for entry in stores.catalogue.all()
        if entry.name not in adapters
    }
    assert current.keys() == {declared.name for declared in models}
    specs = {spec.model: spec.version_id for spec in stores.deployments.all()}
    assert specs == current
    versions = {version.id: version for version in stores.catalogue.versions()}
    return [versions[current[declared.name] or ""] for declared in models]


def gguf(path: Path, contents: bytes = b"weights") -> GgufFile:
    path.write_bytes(contents)
    return GgufFile(path)


def test_the_same_weights_and_settings_keep_their_version(stores: Stores, tmp_path: Path) -> None:
    file = gguf(tmp_path / "model.gguf")
    (first,) = start(stores, model("chat", file, context_length=64))
    (spec,) = stores.deployments.all()
    (again,) = start(stores, model("chat", file, context_length=64))
    os.utime(file.path, (1, 1))
    (touched,) = start(stores, model("chat", file, context_length=64))
    (renamed,) = start(
        stores, model("chat", gguf(tmp_path / "other.gguf"), context_length=64, threads=3)
    )
    assert first == again == touched
    assert renamed.id == first.id
    assert stores.deployments.all()[0].id == spec.id
    assert len(stores.catalogue.versions()) == 1


def test_deployments_are_listed_in_the_order_in_which_they_were_declared(
    stores: Stores, tmp_path: Path
) -> None:
    file = gguf(tmp_path / "model.gguf")
    names = ["z", "b", "y", "a", "x", "c"]
    start(stores, *(model(name, file) for name in names[:4]))
    start(stores, *(model(name, file) for name in sorted(names)))
    listed = [spec.model for spec in stores.deployments.all()]
    assert listed == ["z", "b", "y", "a", "c", "x"]


def test_adapters_are_models_and_change_no_version(stores: Stores, tmp_path: Path) -> None:
    base = gguf(tmp_path / "base.gguf")
    (plain,) = start(stores, model("base", base))
    both = {"one": str(tmp_path / "one.gguf"), "two": "me/two"}
    (adapted,) = start(stores, model("base", base, adapters=both))
    assert plain == adapted
    assert stores.deployments.all()[0].generation == 1
    assert [(a.name, a.base, a.source) for a in stores.adapters.all()] == [
        ("one", "base", str(tmp_path / "one.gguf")),
        ("two", "base", "me/two"),
    ]
    (old,) = [a for a in stores.adapters.all() if a.name == "two"]
    start(stores, model("base", base, adapters={"two": "me/two"}))
    assert stores.adapters.all() == [old]
    start(stores, model("base", base, adapters={"two": "me/other"}))
    assert [a.source for a in stores.adapters.all()] == ["me/other"]
    start(stores, model("base", base))
    assert stores.adapters.all() == []


def test_an_adapter_is_known_by_its_bytes(stores: Stores, tmp_path: Path) -> None:
    base = gguf(tmp_path / "base.gguf")
    files = {
        "one": gguf(tmp_path / "one.gguf", b"warm"),
        "copy": gguf(tmp_path / "copy.gguf", b"warm"),
        "two": gguf(tmp_path / "two.gguf", b"cold"),
    }

    def digests() -> dict[str, str | None]:
        own = model("base", base, adapters={name: str(file.path) for name, file in files.items()})
        start(stores, msgspec.structs.replace(own, adapters=files))
        return {adapter.name: adapter.digest for adapter in stores.adapters.all()}

    before = digests()
    assert before["one"] == before["copy"] != before["two"]
    assert digests() == before
    gguf(files["one"].path, b"hotter")
    after = digests()
    assert after["one"] != before["one"]
    assert (after["copy"], after["two"]) == (before["copy"], before["two"])


def test_a_server_takes_no_adapter_of_anothers_models_away(stores: Stores, tmp_path: Path) -> None:
    file = gguf(tmp_path / "base.gguf")
    start(stores, model("mine", file, adapters={"warm": "me/warm"}))
    declare(
        [model("theirs", file, adapters={"cold": "me/cold"})],
        catalogue=stores.catalogue,
        deployments=stores.deployments,
        adapters=stores.adapters,
        digester=Digester(stores.digests, Heard()),
        context_length=None,
    )
    assert {a.name: a.base for a in stores.adapters.all()} == {"warm": "mine", "cold": "theirs"}


def test_other_weights_are_another_version_and_the_old_one_stays(
    stores: Stores, tmp_path: Path
) -> None:
    (old,) = start(stores, model("chat", gguf(tmp_path / "model.gguf")))
    (new,) = start(stores, model("chat", gguf(tmp_path / "model.gguf", b"others!")))
    assert old.id != new.id
    assert {version.id for version in stores.catalogue.versions("chat")} == {old.id, new.id}
    (spec,) = stores.deployments.all()
    assert spec.generation == 2


@pytest.mark.parametrize(
    "settings",
    [
        {"context_length": 128},
        {"vision": True},
        {"num_inference_steps": 4},
        {"mmproj": "eyes.gguf"},
        {"transformer": "eyes.gguf"},
    ],
)
def test_settings_that_change_answers_make_a_version(
    stores: Stores, tmp_path: Path, settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    gguf(Path("eyes.gguf"), b"eyes")
    file = gguf(tmp_path / "model.gguf")
    plain, changed = start(stores, model("plain", file), model("changed", file, **settings))
    assert plain.id != changed.id
    assert changed.settings == settings
    (same,) = start(stores, model("changed", file, **settings))
    assert same.id == changed.id


@pytest.mark.parametrize(
    "settings",
    [
        {"parallel": 3, "threads": 2, "gpu_layers": 0, "replicas": 2, "key_env": "KEY"},
        {"description": "Good.", "tags": ("x",), "prices": {"image": 0.1}},
    ],
)
def test_settings_that_do_not_change_answers_make_none(
    stores: Stores, tmp_path: Path, settings: dict[str, object]
) -> None:
    file = gguf(tmp_path / "model.gguf")
    plain, other = start(stores, model("plain", file), model("other", file, **settings))
    assert plain.id == other.id


def test_every_setting_named_without_effect_exists() -> None:
    assert WITHOUT_EFFECT | set(WEIGHTS) <= set(ModelSettings.__struct_fields__)


def test_the_servers_context_length_counts_where_a_model_has_none(
    stores: Stores, tmp_path: Path
) -> None:
    file = gguf(tmp_path / "model.gguf")
    (none,) = start(stores, model("chat", file))
    (servers,) = start(stores, model("chat", file), context_length=64)
    (own,) = start(stores, model("chat", file, context_length=64), context_length=128)
    assert none.id != servers.id == own.id


def test_the_eyes_count_by_their_contents(stores: Stores, tmp_path: Path) -> None:
    file = gguf(tmp_path / "model.gguf")
    eyes = gguf(tmp_path / "eyes.gguf", b"one").path
    (before,) = start(stores, model("chat", file, mmproj=str(eyes)))
    moved = eyes.rename(tmp_path / "moved.gguf")
    (same,) = start(stores, model("chat", file, mmproj=str(moved)))
    moved.write_bytes(b"two")
    (other,) = start(stores, model("chat", file, mmproj=str(moved)))
    assert before.id == same.id != other.id


def test_a_directory_counts_by_what_engines_read(stores: Stores, tmp_path: Path) -> None:
    directory = tmp_path / "model"
    (directory / "onnx").mkdir(parents=True)
    (directory / "onnx" / "model.onnx").write_bytes(b"weights")
    (before,) = start(stores, model("embed", ModelDirectory(directory)))
    (directory / "README.md").write_text("For people.")
    (directory / ".git").mkdir()
    (directory / ".git" / "config").write_text("For git.")
    (same,) = start(stores, model("embed", ModelDirectory(directory)))
    (directory / "tokenizer.json").write_text("{}")
    (other,) = start(stores, model("embed", ModelDirectory(directory)))
    (directory / "onnx" / "model.onnx").rename(directory / "model.onnx")
    (elsewhere,) = start(stores, model("embed", ModelDirectory(directory)))
    (directory / "model_int8.onnx").write_bytes(b"small")
    (plain,) = start(stores, model("embed", ModelDirectory(directory)))
    (int8,) = start(stores, model("embed", ModelDirectory(directory, "model_int8.onnx")))
    assert before.id == same.id
    assert len({same.id, other.id, elsewhere.id, plain.id, int8.id}) == 5


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (RemoteServer("https://a/v1", "m"), RemoteServer("https://a/v1", "n")),
        (FakeEngine(), FakeEngine((("delay", "1"),))),
    ],
)
def test_what_has_no_weights_is_known_by_its_address(
    stores: Stores, one: LocalSource, other: LocalSource
) -> None:
    first, same, second = start(
        stores, model("first", one), model("same", one), model("second", other)
    )
    assert first.id == same.id != second.id


def test_models_come_and_go_and_come_back(stores: Stores, tmp_path: Path) -> None:
    file = gguf(tmp_path / "model.gguf")
    (old,) = start(stores, model("chat", file, aliases=("talk",), description="Good."))
    (spec,) = stores.deployments.all()
    start(stores, model("renamed", file, aliases=("chat",)))
    gone = stores.deployments.get(spec.id)
    assert gone is not None
    assert gone.deleted
    (back,) = start(stores, model("chat", file))
    assert back == old
    assert stores.deployments.all()[0].id == spec.id
    assert stores.catalogue.all()[0].description == "Good."


def test_only_what_was_given_is_kept() -> None:
    settings = ModelSettings(source="x", name="y", parallel=2, vision=False, tags=("a",))
    assert given(settings) == {"parallel": 2}


# -- reading files -----------------------------------------------------------------------------


def test_a_file_is_read_once(stores: Stores, tmp_path: Path) -> None:
    file = gguf(tmp_path / "model.gguf")
    (first,) = start(stores, model("chat", file))
    stat = file.path.stat()
    file.path.write_bytes(b"sthgiew")  # of the same size; nobody could tell but by reading
    os.utime(file.path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert start(stores, model("chat", file)) == [first]


def test_files_of_the_hub_are_not_read(stores: Stores, tmp_path: Path) -> None:
    repository = tmp_path / "models--org--repo"
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    (repository / "blobs" / SHA256).write_bytes(b"not what the digest says")
    (snapshot / "model-Q8_0.gguf").symlink_to(f"../../blobs/{SHA256}")
    of_hub = GgufFile(snapshot / "model-Q8_0.gguf")
    start(stores, model("chat", of_hub))
    assert stores.digests.all() == {}
    assert pinned(HubReference("org/repo"), of_hub) == f"org/repo@{COMMIT}:Q8_0"


@pytest.mark.parametrize(
    ("source", "local", "text"),
    [
        (HubReference("a/b", "main"), ModelDirectory(Path(f"/w/{COMMIT}")), f"a/b@{COMMIT}"),
        (GgufFile(Path("./x.gguf")), GgufFile(Path("./x.gguf")), f"{Path.cwd()}/x.gguf"),
        (Bundled("penstock/tiny-chat"), GgufFile(Path("/t.gguf")), "penstock/tiny-chat"),
        (FakeEngine(), FakeEngine(), "fake:"),
    ],
)
def test_a_versions_source_means_the_same_for_ever(
    source: HubReference | GgufFile, local: LocalSource, text: str
) -> None:
    assert pinned(source, local) == text


def test_long_reading_is_told_of(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [gguf(tmp_path / f"model-0000{n}-of-00002.gguf", bytes(3_000_000)) for n in (1, 2)]
    settings = ModelSettings(source="x")
    quiet, told = Heard(), Heard()
    Digester(stores.digests, quiet).version_id(files[0], engine="fake", settings=settings)
    assert quiet.started == []
    os.utime(files[0].path, (1, 1))
    os.utime(files[1].path, (1, 1))
    monkeypatch.setattr("penstock.control.digest.QUIET_S", -1.0)
    Digester(stores.digests, told).version_id(files[0], engine="fake", settings=settings)
    assert told.started == [(6_000_000, "checksum of model-00001-of-00002.gguf")]
    assert (told.advanced_bytes, told.finished) == (6_000_000, 1)


@pytest.mark.parametrize("what", ["missing", "too many"])
def test_what_cannot_be_read_is_a_sentence(
    stores: Stores, tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    local: LocalSource = GgufFile(tmp_path / "none.gguf")
    if what == "too many":
        monkeypatch.setattr("penstock.control.digest.MOST_FILES", 3)
        for number in range(4):
            (tmp_path / f"{number}").touch()
        local = ModelDirectory(tmp_path)
    with pytest.raises(CannotStart, match=r"none\.gguf cannot be read|more than 3 files"):
        start(stores, model("chat", local))
    assert stores.catalogue.all() == []
    assert MOST_FILES == 10_000
