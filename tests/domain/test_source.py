"""What a model can be named by: tables of texts and values, and of texts and refusals."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.domain.source import (
    BadSource,
    Bundled,
    FakeEngine,
    GgufFile,
    HubReference,
    ModelDirectory,
    NamedSource,
    RemoteServer,
    Source,
    gguf_parts,
    parse_source,
)

READ: tuple[tuple[str, str | None, Source, str], ...] = (
    # text, name given, source, name used
    ("penstock/tiny-chat", None, Bundled("penstock/tiny-chat"), "penstock/tiny-chat"),
    ("e=penstock/tiny-embed", "e", Bundled("penstock/tiny-embed"), "e"),
    ("./x.gguf", None, GgufFile(Path("x.gguf")), "x"),
    ("x.gguf", None, GgufFile(Path("x.gguf")), "x"),
    ("models/My Model.gguf", None, GgufFile(Path("models/My Model.gguf")), "My-Model"),
    ("x-00002-of-00003.gguf", None, GgufFile(Path("x-00001-of-00003.gguf")), "x"),
    ("./a=b.gguf", None, GgufFile(Path("a=b.gguf")), "a-b"),
    ("m=./a=b.gguf", "m", GgufFile(Path("a=b.gguf")), "m"),
    ("/models/minilm", None, ModelDirectory(Path("/models/minilm")), "minilm"),
    ("../minilm/", None, ModelDirectory(Path("../minilm")), "minilm"),
    (
        "./minilm/onnx/model_int8.onnx",
        None,
        ModelDirectory(Path("minilm"), "onnx/model_int8.onnx"),
        "minilm-int8",
    ),
    ("minilm/other.onnx", None, ModelDirectory(Path("minilm"), "other.onnx"), "minilm-other"),
    ("./minilm/onnx/model.onnx", None, ModelDirectory(Path("minilm")), "minilm"),
    ("here=.", "here", ModelDirectory(Path()), "here"),
    ("~/minilm", None, ModelDirectory(Path("/home/user/minilm")), "minilm"),
    ("org/repo", None, HubReference("org/repo"), "org/repo"),
    ("a/b=org/repo", "a/b", HubReference("org/repo"), "a/b"),
    ("org/repo:q4_k_m", None, HubReference("org/repo", None, "Q4_K_M"), "org/repo"),
    ("org/repo@v1.0", None, HubReference("org/repo", "v1.0"), "org/repo"),
    (
        "org/repo@refs/pr/1:UD-Q4_K_XL",
        None,
        HubReference("org/repo", "refs/pr/1", "UD-Q4_K_XL"),
        "org/repo",
    ),
    ("r=http://h:8000/v1/", "r", RemoteServer("http://h:8000/v1"), "r"),
    ("r=https://h/v1#up/stream", "r", RemoteServer("https://h/v1", "up/stream"), "r"),
    ("r=http://[::1]:8000/v1", "r", RemoteServer("http://[::1]:8000/v1"), "r"),
    ("fake:", None, FakeEngine(), "fake"),
    (
        " f=fake:?tokens_per_second=50&ignore_sigterm ",
        "f",
        FakeEngine((("tokens_per_second", "50"), ("ignore_sigterm", "true"))),
        "f",
    ),
)

REFUSED = (
    # text, and what the sentence has to say
    ("", "Write one of"),
    ("x=", "Write one of"),
    ("tiny-chat", "Did you mean penstock/tiny-chat ?"),
    ("penstock/tiny-cat", "Did you mean penstock/tiny-chat ?"),
    ("penstock/tiny-chat:Q8_0", "Did you mean penstock/tiny-chat ?"),
    ("fake", "Did you mean fake: ?"),
    ("qwen3", "org/repo"),
    ("a/b/c", "Did you mean a/b ?"),
    ("models/", "begins with './'"),
    ("org/re..po", "begins with './'"),
    ("org/..", "begins with './'"),
    ("org/repo:", "org/repo:Q4_K_M"),
    ("org/repo@", "org/repo@main"),
    ("org/repo@../../etc", "org/repo@main"),
    ("org/repo:Q8_0@main", "Q8_0@main"),
    ("org/repo:a:b", "org/repo@revision:QUANT"),
    ("https://huggingface.co/Qwen/Qwen3-GGUF/tree/main", "Did you mean Qwen/Qwen3-GGUF ?"),
    ("hf.co/Qwen/Qwen3-GGUF", "Did you mean Qwen/Qwen3-GGUF ?"),
    ("http://h/v1", "my-model=http://h/v1"),
    (".", "my-model=."),
    ("r=http://user:secret@h/v1", "does not belong into a URL"),
    ("r=http://h/v1?key=secret", "/chat/completions"),
    ("r=http://h:99999/v1", "is not a URL"),
    ("r=http://[::1/v1", "is not a URL"),
    ("r=http:/h/v1", "name=http://host:port/v1"),
    ("r=http://h\\@evil/v1", "name=http://host:port/v1"),
    ("r=ftp://h/v1", "name=http://host:port/v1"),
    ("fake:tokens_per_second=1", "fake:?tokens_per_second=50"),
    ("fake:?a=1&a=2", "name of its own"),
    ("fake:?=2", "name of its own"),
    ("my model=fake:", "cannot be the name"),
    ("=fake:", "cannot be the name"),
    ("n" * 200 + "=fake:", "cannot be the name"),
    ("penstock/tiny-chat=org/repo", "comes with Penstock"),
    ("x-00004-of-00003.gguf", "part 4 of 3"),
    ("x\0y.gguf", "one line"),
    ("x" * 5000, "one line"),
)


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/user")


@pytest.mark.parametrize(("text", "name", "source", "model_name"), READ)
def test_read(text: str, name: str | None, source: Source, model_name: str) -> None:
    named = parse_source(text)
    assert named == NamedSource(name, source)
    assert named.model_name == model_name
    assert parse_source(str(named)) == named


@pytest.mark.parametrize(("text", "advice"), REFUSED)
def test_refused_with_advice(text: str, advice: str) -> None:
    with pytest.raises(BadSource) as refusal:
        parse_source(text)
    assert advice in str(refusal.value)
    assert "secret" not in str(refusal.value)


@given(st.text(alphabet="aZ0./~:=@?#&-_ \\\0é", max_size=30))
def test_any_text_is_read_back_or_refused(text: str) -> None:
    try:
        named = parse_source(text)
    except BadSource:
        return
    assert parse_source(str(named)) == named


def test_parts_of_a_split_file() -> None:
    assert gguf_parts("x.gguf") == ("x.gguf",)
    assert gguf_parts("x-00002-of-00002.gguf") == ("x-00001-of-00002.gguf", "x-00002-of-00002.gguf")
    assert GgufFile(Path("/d/x-00001-of-00002.gguf")).parts == (
        Path("/d/x-00001-of-00002.gguf"),
        Path("/d/x-00002-of-00002.gguf"),
    )
