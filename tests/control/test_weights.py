"""Models are fetched from a real hub in another process: chosen, resumed, verified, refused."""

import errno
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import pytest
from hub import Hub, commit_of, serving_hub

from penstock.control import download
from penstock.control.fetch_error import FetchError
from penstock.control.hub_cache import RepositoryCache, cached, is_safe_name
from penstock.control.local_source import fetched_source
from penstock.control.quantisation import CannotChoose, RepoFile, choose_quantisation, label_of
from penstock.control.weights import EngineCheck, fetch
from penstock.domain.source import HubReference, ModelDirectory
from penstock.engines.base import CannotStart

GB = 10**9
PLENTY = 64 * GB
BIG = os.urandom(3_000_000)

QWEN = "qwen/Qwen3-GGUF"
MINILM = "st/MiniLM"


class Watcher:
    """A Progress that remembers; `on_advance` may interfere."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.total_bytes = self.done_bytes = self.arrived_bytes = self.finished = 0
        self.on_advance: Callable[[], None] = lambda: None
        self.on_note: Callable[[], None] = lambda: None

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)
        self.on_note()

    def start(self, total_bytes: int, label: str, *, arrived_bytes: int) -> None:
        self.total_bytes, self.arrived_bytes = total_bytes, arrived_bytes
        self.done_bytes = arrived_bytes

    def advance(self, size_bytes: int) -> None:
        self.done_bytes += size_bytes
        self.on_advance()

    def finish(self) -> None:
        self.finished += 1


class Fetched(NamedTuple):
    path: Path
    watcher: Watcher


class World:
    """What hubs serve, and a cache. Hubs come and go; HF_ENDPOINT names the one of the moment."""

    def __init__(self, directory: Path, patch: pytest.MonkeyPatch) -> None:
        self.served = directory / "served"
        self.cache = directory / "cache"
        self._patch = patch

    def add(self, name: str, content: bytes = b"x") -> None:
        path = self.served / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def serving(self, *flags: str) -> AbstractContextManager[Hub]:
        return serving_hub(self.served, *flags)

    def fetch(
        self,
        hub: Hub,
        repository: str = QWEN,
        *,
        revision: str | None = None,
        quant: str | None = None,
        watcher: Watcher | None = None,
        free_memory_bytes: int = PLENTY,
        check_engine: EngineCheck = lambda _: None,
    ) -> Fetched:
        self._patch.setenv("HF_ENDPOINT", hub.url)
        watcher = watcher or Watcher()
        path = fetch(
            HubReference(repository, revision, quant),
            cache_dir=self.cache,
            free_memory_bytes=free_memory_bytes,
            progress=watcher,
            check_engine=check_engine,
        )
        return Fetched(path, watcher)

    def part(self) -> Path:
        (part,) = self.cache.rglob("*.part")
        return part


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    from huggingface_hub import constants

    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(download, "RETRY_WAIT_S", 0.01)
    world = World(tmp_path, monkeypatch)
    world.add(f"{QWEN}/README.md", b"hello")
    world.add(f"{QWEN}/Qwen3-Q4_K_M.gguf", BIG)
    world.add(f"{QWEN}/Qwen3-Q8_0.gguf", BIG * 2)
    world.add(f"{QWEN}/mmproj-F16.gguf")
    for name in (
        "onnx/model.onnx", "onnx/model_O4.onnx", "onnx/model_quantized.onnx", "tokenizer.json",
        "config.json", "modules.json", "1_Pooling/config.json", "2_Normalize/config.json",
        "sentence_bert_config.json", "special_tokens_map.json", "tokenizer_config.json",
        "model.safetensors", "README.md", "vocab.txt",
    ):  # fmt: skip
        world.add(f"{MINILM}/{name}", name.encode())
    return world


# -- fetching ----------------------------------------------------------------------------------


def test_a_gguf_repository(world: World) -> None:
    with world.serving() as hub:
        path, watcher = world.fetch(hub)
        assert path.name == "Qwen3-Q4_K_M.gguf"
        assert path.read_bytes() == BIG
        assert watcher.total_bytes == watcher.done_bytes == len(BIG)
        assert watcher.finished == 1
        assert "Q4_K_M (3.0 MB): the best choice" in watcher.notes[0]
        assert [row["path"] for row in hub.requests(containing="mmproj")] == []
        assert all("penstock" in row["user_agent"] for row in hub.requests(containing="/resolve/"))
        before = len(hub.requests())
        again, watcher = world.fetch(hub)
        assert (again, watcher.total_bytes) == (path, 0)
        assert len(hub.requests()) == before + 1  # the listing only
        assert world.fetch(hub, quant="Q8_0").path.read_bytes() == BIG * 2


WHOLE = "meta/Llama-1B"
WHOLE_FILES = (
    "config.json", "generation_config.json", "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors", "model.safetensors.index.json", "tokenizer.json",
    "tokenizer_config.json", "chat_template.jinja",
)  # fmt: skip


def test_a_repository_in_safetensors(world: World) -> None:
    others = ("pytorch_model.bin", "original/consolidated.00.pth", "consolidated.safetensors")
    for name in (*WHOLE_FILES, *others, "modeling_llama.py", "README.md"):
        world.add(f"{WHOLE}/{name}", name.encode())
    with world.serving() as hub:
        path, _ = world.fetch(hub, WHOLE)
        assert sorted(file.name for file in path.iterdir()) == sorted(WHOLE_FILES)
        with pytest.raises(FetchError, match=r"in safetensors, .* Leave out ':Q4_K_M'"):
            world.fetch(hub, WHOLE, quant="Q4_K_M")
    assert [model.path for model in cached(world.cache)] == [path]


def test_an_embedding_models_modules_come_too(world: World) -> None:
    modules = ("modules.json", "1_Pooling/config.json", "2_Dense/model.safetensors")
    for name in (*WHOLE_FILES, *modules, "2_Dense/pytorch_model.bin", "openvino/config.json"):
        world.add(f"{WHOLE}/{name}", name.encode())
    with world.serving() as hub:
        path, _ = world.fetch(hub, WHOLE)
    found = {str(f.relative_to(path)) for f in path.rglob("*") if not f.is_dir()}
    assert found == {*WHOLE_FILES, *modules}


def test_nothing_is_fetched_that_no_engine_would_run(world: World) -> None:
    for name in WHOLE_FILES:
        world.add(f"{WHOLE}/{name}", name.encode())

    def check(engine: str) -> None:
        raise CannotStart(f"It needs {engine}: uv pip install …")

    with world.serving() as hub:
        with pytest.raises(FetchError, match=r"meta/Llama-1B cannot be served\. It needs vllm: uv"):
            world.fetch(hub, WHOLE, check_engine=check)
        assert hub.requests(containing="/resolve/") == []


def test_parts_come_together(world: World) -> None:
    names = [f"Q2_K/m-Q2_K-0000{part}-of-00003.gguf" for part in (1, 2, 3)]
    for name in names:
        world.add(f"big/Model-GGUF/{name}", name.encode())
    with world.serving() as hub:
        path = world.fetch(hub, "big/Model-GGUF").path
    assert path.name == "m-Q2_K-00001-of-00003.gguf"
    assert sorted(p.name for p in path.parent.iterdir()) == [name[5:] for name in names]


def test_an_embedding_repository(world: World) -> None:
    world.add(f"{MINILM}/onnx/model.onnx_data", BIG)
    with world.serving() as hub:
        path = world.fetch(hub, MINILM).path
    found = sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())
    assert found == [
        "1_Pooling/config.json", "config.json", "modules.json", "onnx/model.onnx",
        "onnx/model.onnx_data", "sentence_bert_config.json", "special_tokens_map.json",
        "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip
    assert (path / "onnx/model.onnx_data").read_bytes() == BIG


def test_a_graph_comes_with_its_own_data_however_it_is_named(world: World) -> None:
    own = [
        "Constant_7_attr__value", "model.onnx", "model.onnx.data", "model.onnx_data",
        "model.onnx_data_1",
    ]  # fmt: skip
    others = ["model_quantized.onnx_data", "model_fp16.onnx.data", "convert.py", "sub/weights"]
    for name in (*own, *others):
        world.add(f"{MINILM}/onnx/{name}", name.encode())
    with world.serving() as hub:
        path = world.fetch(hub, MINILM).path
        assert sorted(p.name for p in (path / "onnx").iterdir()) == own
        quantised = world.fetch(hub, MINILM, quant="QUANTIZED").path
    found = {p.name for p in quantised.parent.iterdir()} - set(own)
    assert found == {"model_quantized.onnx", "model_quantized.onnx_data"}


@pytest.mark.parametrize("quant", ["INT8", "QUANTIZED", "O4"])
def test_a_quantised_graph_comes_only_when_it_is_asked_for(world: World, quant: str) -> None:
    with world.serving() as hub:
        path = world.fetch(hub, MINILM, quant=quant).path
        name = "model_O4.onnx" if quant == "O4" else "model_quantized.onnx"
        assert path.name == name
        assert path.read_bytes() == f"onnx/{name}".encode()
        assert not (path.parent / "model.onnx").exists()
        assert (path.parents[1] / "tokenizer.json").exists()
        assert fetched_source(path) == ModelDirectory(path.parents[1], f"onnx/{name}")
        references = [str(item.reference) for item in cached(world.cache)]
        assert f"{MINILM}:{name[6:-5].upper()}" in references
        with pytest.raises(FetchError, match=r"no graph of FP16\. There are: O4, QUANTIZED"):
            world.fetch(hub, MINILM, quant="FP16")


def test_an_adapter_without_its_pickles(world: World) -> None:
    for name in ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"):
        world.add(f"me/lora/{name}", name.encode())
    world.add("me/pickled-lora/adapter_config.json")
    world.add("me/pickled-lora/adapter_model.bin")
    with world.serving() as hub:
        path = world.fetch(hub, "me/lora").path
        with pytest.raises(FetchError, match=r"without adapter_model\.safetensors.*pickles"):
            world.fetch(hub, "me/pickled-lora")
    found = sorted(file.name for file in path.iterdir())
    assert found == ["adapter_config.json", "adapter_model.safetensors"]


PICTURES = "st/Pictures"
PARTS = ("model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors",
         "tokenizer/merges.txt", "vae/config.json", "vae/diffusion_pytorch_model.fp16.safetensors",
         "text_encoder/model-00001-of-00002.safetensors")  # fmt: skip
COPIES = ("unet/diffusion_pytorch_model.fp16.safetensors", "unet/diffusion_pytorch_model.bin",
          "unet/diffusion_pytorch_model.non_ema.safetensors", "whole.safetensors", "README.md",
          "vae/model.onnx", "pipeline.py", "unet/code.py")  # fmt: skip


def test_a_picture_model_comes_without_copies_and_without_programs(world: World) -> None:
    for name in (*PARTS, *COPIES):
        world.add(f"{PICTURES}/{name}", name.encode())
    with world.serving() as hub:
        path = world.fetch(hub, PICTURES).path
        assert [row["path"] for row in hub.requests(containing="/resolve/")][-1].endswith(PARTS[0])
    found = {p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()}
    assert found == set(PARTS)
    assert [str(model.reference) for model in cached(world.cache)] == [PICTURES]


def test_an_adapter_of_a_picture_model(world: World) -> None:
    world.add("st/Style/pytorch_lora_weights.safetensors", BIG)
    world.add("st/Style/pytorch_lora_weights.bin")
    with world.serving() as hub:
        path = world.fetch(hub, "st/Style").path
    assert [file.name for file in path.iterdir()] == ["pytorch_lora_weights.safetensors"]


def test_a_revision(world: World) -> None:
    world.add(f"{QWEN}@v1/Qwen3-Q4_K_M.gguf", b"older")
    commit = commit_of(world.served / f"{QWEN}@v1")
    with world.serving() as hub:
        assert world.fetch(hub, revision="v1").path.read_bytes() == b"older"
        assert world.fetch(hub, revision=commit).path.read_bytes() == b"older"
        assert world.fetch(hub).path.read_bytes() == BIG
    assert [str(model.reference) for model in cached(world.cache)] == [
        str(HubReference(QWEN, revision, "Q4_K_M"))
        for _, revision in sorted([(commit, "v1"), (commit_of(world.served / QWEN), None)])
    ]


def test_a_changed_repository_is_fetched_anew(world: World) -> None:
    with world.serving() as hub:
        world.fetch(hub)
        world.add(f"{QWEN}/Qwen3-Q4_K_M.gguf", b"newer")
        assert world.fetch(hub).path.read_bytes() == b"newer"


def test_the_hub_is_not_asked_for_a_commit_that_is_here(world: World) -> None:
    """It never changes, whatever has become of the repository, and of one's right to it."""
    commit = commit_of(world.served / QWEN)
    with world.serving() as hub:
        path = world.fetch(hub).path
        before = len(hub.requests())
        assert world.fetch(hub, revision=commit, quant="Q4_K_M").path == path
        assert len(hub.requests()) == before
        assert world.fetch(hub, revision=commit, quant="Q8_0").path.read_bytes() == BIG * 2
        assert len(hub.requests(containing="/api/")) == 1
    for flags in (("--status", "404"), ("--gated", QWEN)):
        with world.serving(*flags) as hub:
            assert world.fetch(hub, revision=commit, quant="Q4_K_M").path == path
            assert hub.requests() == []


def test_huggingface_hub_itself_understands_both(world: World) -> None:
    """The test hub speaks the hub's tongue, and the cache is laid out as the library's own."""
    from huggingface_hub import hf_hub_download, snapshot_download

    with world.serving() as hub:
        ours = world.fetch(hub).path
        found = hf_hub_download(QWEN, ours.name, cache_dir=world.cache, local_files_only=True)
        assert Path(found) == ours
        theirs = Path(snapshot_download(MINILM, cache_dir=world.cache, endpoint=hub.url))
        before = len(hub.requests(containing="/resolve/"))
        assert world.fetch(hub, MINILM).path == theirs
        assert len(hub.requests(containing="/resolve/")) == before


def test_the_token_goes_to_the_hub_and_not_beyond(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with world.serving("--token", "hf_secret", "--gated", QWEN) as hub:
        world.fetch(hub)
        by_origin = {(row["origin"], row["authorization"]) for row in hub.requests()}
    assert by_origin == {("hub", "Bearer hf_secret"), ("cdn", None)}


# -- interruptions -----------------------------------------------------------------------------


def test_a_cut_connection_is_gone_on_with(world: World) -> None:
    with world.serving("--cut-after", "1000000", "--cut-times", "2") as hub:
        path, watcher = world.fetch(hub)
        ranges = [row["range"] for row in hub.requests(containing=path.name)]
    assert path.read_bytes() == BIG
    assert watcher.done_bytes == len(BIG)
    assert {"bytes=1000000-", "bytes=2000000-"} <= set(ranges)


def test_the_next_attempt_resumes(world: World) -> None:
    with world.serving("--cut-after", "1000000", "--die-after-cut") as hub:
        with pytest.raises(FetchError) as failure:
            world.fetch(hub)
        assert "after 1.0 MB of 3.0 MB: the hub answered 503" in failure.value.message
        assert "run it again" in failure.value.message
    assert world.part().read_bytes() == BIG[:1_000_000]
    with world.serving() as hub:
        path, watcher = world.fetch(hub)
        (row,) = [row for row in hub.requests() if row["origin"] == "cdn"]
    assert row["range"] == "bytes=1000000-"
    assert path.read_bytes() == BIG
    assert (watcher.arrived_bytes, watcher.done_bytes) == (1_000_000, len(BIG))
    assert list(world.cache.rglob("*.part")) == []


def test_a_killed_process_resumes(world: World) -> None:
    script = f"""
import os, signal, sys
from pathlib import Path
from penstock.control.weights import fetch
from penstock.domain.source import HubReference, ModelDirectory
class Killer:
    done = 0
    def note(self, sentence): pass
    def start(self, total_bytes, label, *, arrived_bytes): pass
    def advance(self, size_bytes):
        self.done += size_bytes
        if self.done > 2_000_000: os.kill(os.getpid(), signal.SIGKILL)
    def finish(self): pass
fetch(HubReference({QWEN!r}), cache_dir=Path(sys.argv[1]), free_memory_bytes=10**12,
      progress=Killer())
"""
    with world.serving() as hub:
        child = subprocess.run(
            [sys.executable, "-c", script, str(world.cache)],
            env=os.environ | {"HF_ENDPOINT": hub.url},
            check=False,
        )
        assert child.returncode == -9
        arrived_bytes = world.part().stat().st_size
        assert 1_000_000 < arrived_bytes < len(BIG)
        path, watcher = world.fetch(hub)
    assert path.read_bytes() == BIG
    assert watcher.arrived_bytes == arrived_bytes


def test_control_c_keeps_what_has_arrived(world: World) -> None:
    def interrupt() -> None:
        if watcher.done_bytes > 1_000_000:
            raise KeyboardInterrupt

    watcher = Watcher()
    watcher.on_advance = interrupt
    with world.serving() as hub:
        with pytest.raises(KeyboardInterrupt):
            world.fetch(hub, watcher=watcher)
        assert watcher.finished == 1
        assert world.part().stat().st_size > 1_000_000
        assert world.fetch(hub).path.read_bytes() == BIG


def test_a_server_without_ranges_starts_over(world: World) -> None:
    with world.serving("--ignore-range", "--cut-after", "1000000", "--cut-times", "1") as hub:
        path, watcher = world.fetch(hub)
    assert path.read_bytes() == BIG
    assert watcher.done_bytes == len(BIG)


def test_two_at_once_fetch_once(world: World) -> None:
    first, second = Watcher(), Watcher()
    started, waiting = threading.Event(), threading.Event()

    def hold_the_lock() -> None:
        started.set()
        waiting.wait(10)

    def look_for_the_wait() -> None:
        if "Another process is fetching" in second.notes[-1]:
            waiting.set()

    first.on_advance, second.on_note = hold_the_lock, look_for_the_wait
    paths: list[Path] = []
    with world.serving() as hub:
        threads = [
            threading.Thread(target=lambda: paths.append(world.fetch(hub, watcher=first).path)),
            threading.Thread(target=lambda: paths.append(world.fetch(hub, watcher=second).path)),
        ]
        threads[0].start()
        assert started.wait(10)
        threads[1].start()
        for thread in threads:
            thread.join(20)
        assert len([row for row in hub.requests() if row["origin"] == "cdn"]) == 1
    assert len(set(paths)) == 1
    assert len(paths) == 2
    assert second.done_bytes == second.total_bytes == len(BIG)


def test_many_may_link_and_remember_at_once(tmp_path: Path) -> None:
    cache = RepositoryCache(tmp_path, QWEN)
    cache.blob("digest").parent.mkdir(parents=True)
    cache.blob("digest").write_bytes(BIG)
    commit = "c" * 40

    def link(_: int) -> int:
        cache.link(commit, "a/b.gguf", "digest")
        cache.remember(None, commit)
        assert cache.commit_of(None) == commit
        return sum(file.size_bytes for file in cache.files(commit))

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(link, range(300))) == {len(BIG)}
    assert len(list(tmp_path.rglob("*new*"))) == 0


# -- what is not what it should be -------------------------------------------------------------


def test_a_corrupt_file_is_thrown_away(world: World) -> None:
    with world.serving("--corrupt", "Qwen3-Q4_K_M.gguf") as hub:
        assert "arrived damaged" in refusal(world, hub)
    assert world.part().stat().st_size == 0
    with world.serving() as hub:
        assert world.fetch(hub).path.read_bytes() == BIG


def test_a_corrupt_small_file_too(world: World) -> None:
    """Files kept in git have no SHA-256 in the listing: git's own digest is checked."""
    with (
        world.serving("--corrupt", "tokenizer.json") as hub,
        pytest.raises(FetchError, match="arrived damaged"),
    ):
        world.fetch(hub, MINILM)


def test_a_body_without_end_is_cut_off(world: World) -> None:
    with world.serving("--more", "5000000") as hub, pytest.raises(FetchError, match="sent more"):
        world.fetch(hub)


def test_a_damaged_part_on_the_disk_is_found_out(world: World) -> None:
    with world.serving("--cut-after", "1000000", "--die-after-cut") as hub:
        refusal(world, hub)
    world.part().write_bytes(b"?" * 1_000_000)
    with world.serving() as hub:
        with pytest.raises(FetchError, match="arrived damaged"):
            world.fetch(hub)
        assert world.fetch(hub).path.read_bytes() == BIG


NAMES = (
    "../../evil.gguf", "/etc/evil.gguf", "a/../../evil.gguf", "a\\..\\evil.gguf", "a//evil.gguf",
    "c:evil.gguf", "a/./evil.gguf", "evil\n.gguf", "", "a/", "..", "x" * 300,
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_that_lead_outside(name: str) -> None:
    assert not is_safe_name(name)


def test_a_listing_that_leads_outside_is_refused(world: World) -> None:
    with (
        world.serving("--rename", "../../../evil.gguf") as hub,
        pytest.raises(FetchError, match="refused as unsafe"),
    ):
        world.fetch(hub)


# -- refusals as sentences ---------------------------------------------------------------------


def refusal(world: World, hub: Hub, repository: str = QWEN, revision: str | None = None) -> str:
    with pytest.raises(FetchError) as failure:
        world.fetch(hub, repository, revision=revision)
    return failure.value.message


def test_not_found(world: World) -> None:
    with world.serving() as hub:
        message = refusal(world, hub, "qwen/No")
        assert "is not on the hub" in message
        assert "./qwen/No" in message
        assert "has no revision 'v9'" in refusal(world, hub, revision="v9")


def test_gated_and_bad_tokens(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with world.serving("--gated", QWEN, "--token", "hf_good") as hub:
        assert "is gated, and HF_TOKEN is not set" in refusal(world, hub)
        monkeypatch.setenv("HF_TOKEN", "hf_bad")
        assert "does not accept the token" in refusal(world, hub)
        monkeypatch.setenv("HF_TOKEN", "hf_good")
        assert world.fetch(hub).path.read_bytes() == BIG
    with world.serving("--gated", QWEN) as hub:
        monkeypatch.delenv("HF_TOKEN")
        shutil.rmtree(world.cache)
        assert "put a token" in refusal(world, hub)


@pytest.mark.parametrize("flags", [("--status", "503"), ("--status", "429")])
def test_a_hub_that_is_down(world: World, flags: tuple[str, ...]) -> None:
    with world.serving(*flags) as hub:
        message = refusal(world, hub)
        assert f"The hub answered {flags[1]}, and {QWEN} has not been fetched before" in message


def test_not_a_hub(world: World) -> None:
    with world.serving("--not-a-hub") as hub:
        assert "is not a model hub" in refusal(world, hub)
    with world.serving("--status", "404") as hub:
        assert QWEN in refusal(world, hub)


@pytest.mark.parametrize("endpoint", ["nonsense", "http://[bad", "http://127.0.0.1:1", "ftp://h"])
def test_an_endpoint_that_is_none(world: World, endpoint: str) -> None:
    message = refusal(world, Hub(endpoint, world.served))
    assert "HF_ENDPOINT" in message


def test_offline(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    with world.serving() as hub:
        path = world.fetch(hub).path
        embeddings = world.fetch(hub, MINILM).path
    # The hub is gone: what is here is used, and said so.
    again, watcher = world.fetch(hub)
    assert again == path
    assert "cannot be reached (connect error). Using what is in the cache" in watcher.notes[0]
    assert world.fetch(hub, MINILM).path == embeddings
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert world.fetch(hub).path == path
    assert "It has no Q8_0" in str(refusal_of(lambda: world.fetch(hub, quant="Q8_0")))
    message = str(refusal_of(lambda: world.fetch(hub, "qwen/Other-GGUF")))
    assert "HF_HUB_OFFLINE is set, and qwen/Other-GGUF has not been fetched before" in message


def refusal_of(call: Callable[[], object]) -> FetchError:
    with pytest.raises(FetchError) as failure:
        call()
    return failure.value


def test_an_interrupted_state_is_not_taken_for_complete(world: World) -> None:
    with world.serving("--cut-after", "1000000", "--die-after-cut") as hub:
        refusal(world, hub)
    assert "has not been fetched before" in refusal(world, hub)
    assert cached(world.cache) == []


def test_disk_full(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(world.served)._replace(free=101_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with world.serving() as hub:
        message = refusal(world, hub)
        assert "needs 3.0 MB more on the disk" in message
        assert "101.0 MB are free" in message
        assert [row for row in hub.requests() if row["origin"] == "cdn"] == []


def test_disk_full_while_writing(world: World) -> None:
    def fill() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    watcher = Watcher()
    watcher.on_advance = fill
    with world.serving() as hub:
        message = refusal_of(lambda: world.fetch(hub, watcher=watcher)).message
    assert "The disk is full. What has arrived is kept" in message


def test_a_cache_that_cannot_be_written(world: World) -> None:
    world.cache.write_text("a file")
    with world.serving() as hub:
        assert "cannot be written to" in refusal(world, hub)


def test_nothing_to_run(world: World) -> None:
    world.add("org/Torch/model.safetensors")
    (world.served / "org/Empty").mkdir()
    with world.serving() as hub:
        message = refusal(world, hub, "org/Torch")
        assert "a .gguf file" in message
        assert "It has model.safetensors." in message
        assert "-GGUF" in message
        assert "no files" in refusal(world, hub, "org/Empty")
        quantised = refusal_of(lambda: world.fetch(hub, MINILM, quant="Q4_K_M"))
        assert "no graph of Q4_K_M" in quantised.message


def test_what_is_cached(world: World) -> None:
    with world.serving() as hub:
        gguf, onnx = world.fetch(hub).path, world.fetch(hub, MINILM).path
    rows = [(str(model.reference), model.path, model.size_bytes) for model in cached(world.cache)]
    assert rows[0] == (f"{QWEN}:Q4_K_M", gguf, len(BIG))
    assert rows[1][:2] == (MINILM, onnx)
    assert cached(world.cache / "nothing") == []


# -- choosing a quantisation -------------------------------------------------------------------

LLAMA = {
    "L-Q2_K.gguf": 3.2,
    "L-Q3_K_M.gguf": 4.0,
    "L-Q4_K_M.gguf": 4.9,
    "L-Q5_K_M.gguf": 5.7,
    "L-Q8_0.gguf": 8.5,
    "L-F16-00001-of-00002.gguf": 10.0,
    "L-F16-00002-of-00002.gguf": 6.1,
    "mmproj-L-F16.gguf": 0.9,
    "L.imatrix.gguf": 0.1,
    "README.md": 0.0,
}

CHOICES = (
    # wanted, free memory in GB, quantisation chosen, what the reason has to say
    (None, 64.0, "Q4_K_M", "the best choice; it needs about 6.2 GB of 64.0 GB free memory"),
    (None, 6.2, "Q4_K_M", "the best choice"),
    (None, 5.5, "Q3_K_M", "where Q4_K_M would need 6.2 GB"),
    (None, 4.5, "Q2_K", "it needs about 4.1 GB of 4.5 GB free memory"),
    ("Q8_0", 64.0, "Q8_0", "as asked for."),
    ("q8_0", 2.0, "Q8_0", "It needs about 10.5 GB of memory, and 2.0 GB are free."),
    ("FP16", 64.0, "F16", "F16 (16.1 GB), as asked for"),
)


def repo_files(sizes: dict[str, float]) -> list[RepoFile]:
    return [RepoFile(name, int(size * GB)) for name, size in sizes.items()]


@pytest.mark.parametrize(("wanted", "free_gb", "quant", "reason"), CHOICES)
def test_choice(wanted: str | None, free_gb: float, quant: str, reason: str) -> None:
    choice = choose_quantisation(repo_files(LLAMA), wanted, int(free_gb * GB))
    assert choice.quant == quant
    assert reason in choice.reason
    assert len(choice.files) == (2 if quant == "F16" else 1)


REFUSALS = (
    (LLAMA, None, 2.0, "None of it fits into 2.0 GB of free memory"),
    (LLAMA, None, 2.0, "org/repo:Q2_K"),
    (LLAMA, "Q4_K_S", 64.0, "Did you mean Q4_K_M ?"),
    (LLAMA, "Q6_K", 64.0, "There are: Q2_K (3.2 GB), Q3_K_M (4.0 GB), Q4_K_M (4.9 GB)"),
    ({"mmproj.gguf": 1.0, "README.md": 0.1}, None, 64.0, "no .gguf file of a model"),
    ({"L-Q4_K_M-00002-of-00002.gguf": 1.0}, None, 64.0, "parts of it are missing"),
)


@pytest.mark.parametrize(("sizes", "wanted", "free_gb", "sentence"), REFUSALS)
def test_no_choice(
    sizes: dict[str, float], wanted: str | None, free_gb: float, sentence: str
) -> None:
    with pytest.raises(CannotChoose) as failure:
        choose_quantisation(repo_files(sizes), wanted, int(free_gb * GB))
    assert sentence in str(failure.value)


LABELS = (
    ("Qwen3-0.6B-Q4_K_M.gguf", "Q4_K_M"),
    ("model.q5_k_s.gguf", "Q5_K_S"),
    ("gpt-oss-20b-mxfp4.gguf", "MXFP4"),
    ("gpt-oss-20b-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"),
    ("Q8_0.gguf", "Q8_0"),
    ("Q4_K_M/big-00001-of-00009.gguf", "Q4_K_M"),
    ("nomic-embed-text-v1.5.f16.gguf", "F16"),
    ("model-fp32.gguf", "F32"),
    ("Llama-IQ4_XS-imat.gguf", "IQ4_XS"),
    ("deep/BF16/x.gguf", "BF16"),
    ("stories260K.gguf", "STORIES260K"),
)


@pytest.mark.parametrize(("name", "label"), LABELS)
def test_labels(name: str, label: str) -> None:
    assert label_of(name) == label
