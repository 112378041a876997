"""What a GGUF file says is read; what is hostile or damaged is refused in a sentence."""

import contextlib
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.engines.formats.gguf import GgufMetadata, read_metadata
from penstock.engines.formats.gguf_reader import MOST_KEYS, MOST_STRINGS, GgufError
from penstock.engines.llama_cpp.memory import estimate_memory

U8, U32, FLOAT, BOOL, STRING, ARRAY, U64 = 0, 4, 6, 7, 8, 9, 10
ALIGNMENT = 32


def text(value: str | bytes) -> bytes:
    raw = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(raw)) + raw


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def array(kind: int, count: int, *elements: bytes) -> bytes:
    return struct.pack("<IQ", kind, count) + b"".join(elements)


def pair(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + u32(kind) + value


def tensor(name: str, *, offset: int = 0, dimensions: int = 2) -> bytes:
    shape = struct.pack(f"<{dimensions}Q", *[4] * dimensions)
    return text(name) + u32(dimensions) + shape + u32(0) + struct.pack("<Q", offset)


def gguf(
    *pairs: bytes,
    tensors: tuple[bytes, ...] = (),
    data: bytes = b"\0" * 64,
    version: int = 3,
    keys: int | None = None,
    tensor_count: int | None = None,
) -> bytes:
    """The bytes of a file; `keys` and `tensor_count` may lie about what follows."""
    counts = (
        len(tensors) if tensor_count is None else tensor_count,
        len(pairs) if keys is None else keys,
    )
    head = b"GGUF" + struct.pack("<IQQ", version, *counts) + b"".join(pairs) + b"".join(tensors)
    return head + b"\0" * (-len(head) % ALIGNMENT) + data


ARCHITECTURE = pair("general.architecture", STRING, text("llama"))
LLAMA = (
    ARCHITECTURE,
    pair("general.name", STRING, text("Tiny")),
    pair("llama.context_length", U32, u32(2048)),
    pair("llama.block_count", U32, u32(3)),
    pair("llama.embedding_length", U32, u32(256)),
    pair("llama.attention.head_count", U32, u32(8)),
    pair("llama.attention.head_count_kv", U32, u32(2)),
    pair("llama.rope.freq_base", FLOAT, struct.pack("<f", 1e6)),
    pair(
        "tokenizer.ggml.tokens", ARRAY, array(STRING, 3, text("<s>"), text("a"), text("b" * 5000))
    ),
    pair("tokenizer.ggml.scores", ARRAY, array(FLOAT, 3, struct.pack("<3f", 0, 1, 2))),
    pair("tokenizer.ggml.bos_token_id", U32, u32(0)),
    pair("tokenizer.ggml.add_bos_token", BOOL, b"\1"),
    pair("tokenizer.chat_template", STRING, text("{{ messages }} ü")),
)

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: bytes, name: str = "model.gguf") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


# -- what is read ------------------------------------------------------------------------------


def test_metadata(write: Write) -> None:
    content = gguf(*LLAMA, tensors=(tensor("token_embd.weight"),))
    assert read_metadata(write(content)) == GgufMetadata(
        architecture="llama",
        name="Tiny",
        file_size_bytes=len(content),
        context_length=2048,
        block_count=3,
        embedding_length=256,
        vocabulary_size=3,
        head_count=(8, 8, 8),
        head_count_kv=(2, 2, 2),
        key_length=32,
        value_length=32,
        chat_template="{{ messages }} ü",
        bos_token_id=0,
        add_bos_token=True,
    )


def test_version_2_is_the_same(write: Write) -> None:
    assert read_metadata(write(gguf(*LLAMA, version=2))).context_length == 2048


def test_heads_may_differ_from_layer_to_layer(write: Write) -> None:
    heads = pair("x.attention.head_count_kv", ARRAY, array(U32, 3, struct.pack("<3I", 4, 0, 1)))
    pairs = (
        pair("x.attention.key_length", U32, u32(64)),
        heads,
        pair("x.block_count", U32, u32(3)),
        pair("general.architecture", STRING, text("x")),  # the order is free
    )
    metadata = read_metadata(write(gguf(*pairs)))
    assert metadata.head_count_kv == (4, 0, 1)
    assert (metadata.key_length, metadata.value_length) == (64, None)


@pytest.mark.parametrize(
    ("number", "pooling", "embeds"),
    [(0, None, False), (1, "mean", True), (2, "cls", True), (3, "last", True), (4, "rank", True)],
)
def test_pooling(write: Write, number: int, pooling: str | None, embeds: bool) -> None:
    metadata = read_metadata(write(gguf(*LLAMA, pair("llama.pooling_type", U32, u32(number)))))
    assert (metadata.pooling_type, metadata.embeds) == (pooling, embeds)


def test_a_model_in_parts(write: Write) -> None:
    first = write(gguf(*LLAMA, pair("split.count", 2, b"\2\0")), "m-00001-of-00002.gguf")
    with pytest.raises(GgufError, match=r"m-00002-of-00002\.gguf is missing"):
        read_metadata(first)
    second = write(b"GGUF" + b"\0" * 1000, "m-00002-of-00002.gguf")
    metadata = read_metadata(first)
    assert metadata.split_count == 2
    assert metadata.file_size_bytes == first.stat().st_size + 1004
    with pytest.raises(GgufError, match=r"Name m-00001-of-00002\.gguf"):
        read_metadata(second)


def test_the_gguf_package_writes_what_is_read(tmp_path: Path) -> None:
    """The writer of llama.cpp itself, so that our own idea of the format is not what is tested."""
    numpy, package = pytest.importorskip("numpy"), pytest.importorskip("gguf")
    path = tmp_path / "written.gguf"
    writer = package.GGUFWriter(path, "qwen3")
    writer.add_name("Written")
    writer.add_context_length(4096)
    writer.add_block_count(2)
    writer.add_embedding_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv([2, 1])
    writer.add_key_length(16)
    writer.add_value_length(16)
    writer.add_token_list(["a", "b", "c", "d"])
    writer.add_eos_token_id(3)
    writer.add_tensor("token_embd.weight", numpy.ones((4, 64), numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    metadata = read_metadata(path)
    assert (metadata.architecture, metadata.name) == ("qwen3", "Written")
    assert (metadata.vocabulary_size, metadata.eos_token_id) == (4, 3)
    assert metadata.head_count_kv == (2, 1)
    path.write_bytes(path.read_bytes()[:-1024])
    with pytest.raises(GgufError, match="ends too early"):
        read_metadata(path)


# -- what is refused ---------------------------------------------------------------------------

HUGE = 2**63
REFUSED = {
    "empty": (b"", "does not begin with 'GGUF'"),
    "another format": (b"PK\3\4" + b"\0" * 100, "does not begin with 'GGUF'"),
    "magic only": (b"GGUF", "ends too early"),
    "version 1": (gguf(version=1), "version is 0x1"),
    "big endian": (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "version is 0x3000000"),
    "keys without end": (gguf(keys=HUGE), "which cannot be"),
    "too many keys": (gguf(keys=MOST_KEYS + 1), "which cannot be"),
    "more keys than there are": (gguf(ARCHITECTURE, keys=9000, data=b""), "ends too early"),
    "tensors without end": (gguf(ARCHITECTURE, tensor_count=HUGE), "which cannot be"),
    "long key": (gguf(struct.pack("<Q", 2**40)), "which cannot be"),
    "string behind the end": (
        gguf(text("k") + u32(STRING) + struct.pack("<Q", HUGE)),
        "ends too early",
    ),
    "kept string behind the end": (
        gguf(text("general.name") + u32(STRING) + struct.pack("<Q", 1000)),
        "ends too early",
    ),
    "kept string of 2 MiB": (
        gguf(pair("tokenizer.chat_template", STRING, text("x" * 2**21))),
        "which cannot be",
    ),
    "numbers behind the end": (gguf(pair("k", ARRAY, array(U64, 2**60))), "ends too early"),
    "strings without end": (gguf(pair("k", ARRAY, array(STRING, HUGE))), "strings"),
    "too many strings": (
        gguf(pair("k", ARRAY, array(STRING, MOST_STRINGS + 1))),
        "strings",
    ),
    "strings behind the end": (
        gguf(pair("tokenizer.ggml.tokens", ARRAY, array(STRING, 1000))),
        "ends too early",
    ),
    "array of arrays": (gguf(pair("k", ARRAY, array(ARRAY, 1, array(U8, 1, b"a")))), "type 9"),
    "unknown type": (gguf(pair("k", 77, b"\0" * 8)), "type 77"),
    "key twice": (gguf(ARCHITECTURE, ARCHITECTURE), "twice"),
    "no architecture": (gguf(pair("general.name", STRING, text("x"))), "which architecture"),
    "architecture a number": (gguf(pair("general.architecture", U32, u32(1))), "not a text"),
    "layers a text": (
        gguf(ARCHITECTURE, pair("llama.block_count", STRING, text("3"))),
        "not a whole number",
    ),
    "layers without end": (
        gguf(ARCHITECTURE, pair("llama.block_count", U32, u32(2**31))),
        "which cannot be",
    ),
    "negative context": (
        gguf(ARCHITECTURE, pair("llama.context_length", 5, struct.pack("<i", -1))),
        "not a whole number",
    ),
    "huge context": (
        gguf(ARCHITECTURE, pair("llama.context_length", U64, struct.pack("<Q", 2**63))),
        "not a whole number",
    ),
    "heads for other layers": (
        gguf(
            ARCHITECTURE,
            pair("llama.block_count", U32, u32(3)),
            pair("llama.attention.head_count", ARRAY, array(U32, 1, u32(1))),
        ),
        "1 numbers for 3 layers",
    ),
    "heads without end": (
        gguf(pair("llama.attention.head_count", ARRAY, array(U32, 2**50))),
        "number per layer",
    ),
    "unknown pooling": (
        gguf(ARCHITECTURE, pair("llama.pooling_type", U32, u32(99))),
        "pooling type 99",
    ),
    "alignment 0": (gguf(ARCHITECTURE, pair("general.alignment", U32, u32(0))), "power of two"),
    "alignment 33": (gguf(ARCHITECTURE, pair("general.alignment", U32, u32(33))), "power of two"),
    "tensor of 5000 dimensions": (
        gguf(ARCHITECTURE, tensors=(text("t") + u32(5000) + b"\0" * 64,)),
        "5000 dimensions",
    ),
    "tensor behind the end": (
        gguf(ARCHITECTURE, tensors=(tensor("t", offset=2**62),)),
        "ends too early",
    ),
    "data cut off": (gguf(ARCHITECTURE, tensors=(tensor("t"),), data=b""), "ends too early"),
}


@pytest.mark.parametrize(("content", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(write: Write, content: bytes, sentence: str) -> None:
    with pytest.raises(GgufError, match=sentence):
        read_metadata(write(content))


def test_absurd_parts_are_refused(write: Write) -> None:
    with pytest.raises(GgufError, match="part 9 of 2"):
        read_metadata(write(gguf(*LLAMA), "m-00009-of-00002.gguf"))


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        read_metadata(tmp_path / "no.gguf")


def _read(content: bytes, directory: Path) -> None:
    """Raises nothing but GgufError; anything else fails the test."""
    path = directory / f"fuzz-{os.getpid()}.gguf"
    path.write_bytes(content)
    with contextlib.suppress(GgufError):
        read_metadata(path)


@given(st.binary(max_size=400))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, tail: bytes) -> None:
    directory = tmp_path_factory.getbasetemp()
    _read(tail, directory)
    _read(b"GGUF" + struct.pack("<IQQ", 3, 1, 3) + tail, directory)


WHOLE = gguf(*LLAMA, tensors=(tensor("token_embd.weight"),))


@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=9))
def test_any_damage(tmp_path_factory: pytest.TempPathFactory, at: int, damage: bytes) -> None:
    directory = tmp_path_factory.getbasetemp()
    _read(WHOLE[:at] + damage + WHOLE[at + len(damage) :], directory)
    _read(WHOLE[:at], directory)


# -- memory ------------------------------------------------------------------------------------


def test_the_sum_by_hand(write: Write) -> None:
    metadata = read_metadata(write(gguf(*LLAMA)))
    estimate = estimate_memory(metadata, context_tokens=4096, parallel=2)
    assert estimate.weights_bytes == metadata.file_size_bytes
    assert estimate.kv_cache_bytes == 2 * (32 + 32) * 2 * 3 * 4096
    assert estimate.total_bytes == (
        estimate.weights_bytes + estimate.kv_cache_bytes + estimate.overhead_bytes
    )


def test_encoders_keep_no_cache_and_batch_by_context() -> None:
    bert = GgufMetadata(
        architecture="bert",
        file_size_bytes=46_000_000,
        block_count=6,
        embedding_length=384,
        vocabulary_size=30_522,
        head_count_kv=(12,) * 6,
        key_length=32,
        value_length=32,
        pooling_type="mean",
    )
    one, four = (estimate_memory(bert, context_tokens=512 * n, parallel=n) for n in (1, 4))
    assert one.kv_cache_bytes == four.kv_cache_bytes == 0
    assert 158e6 < one.total_bytes < four.total_bytes < 1.4 * 158e6  # measured: 158 MB


MEASURED = {
    # Peak resident memory, in bytes, of real children (xllamacpp 2026.10.11549), and what they ran.
    "152k vocabulary, 27 MB": (138e6, 27_230_880, 151_936, 128, 4, 2, 32, 4096, 1),
    "152k vocabulary, 8 slots": (216e6, 27_230_880, 151_936, 128, 4, 2, 32, 4096, 8),
    "128k vocabulary, 45 MB": (200e6, 45_226_720, 128_256, 256, 4, 2, 64, 4096, 2),
    "0.6B at 8 bits": (1003e6, 639_446_400, 151_936, 1024, 28, 8, 128, 2048, 1),
}


@pytest.mark.parametrize("row", MEASURED.values(), ids=MEASURED.keys())
def test_real_children_take_a_little_less(row: tuple[float, ...]) -> None:
    resident, size, vocabulary, embedding, layers, heads, length, context, slots = row
    metadata = GgufMetadata(
        architecture="qwen3",
        file_size_bytes=int(size),
        block_count=int(layers),
        embedding_length=int(embedding),
        vocabulary_size=int(vocabulary),
        head_count_kv=(int(heads),) * int(layers),
        key_length=int(length),
        value_length=int(length),
    )
    estimate = estimate_memory(metadata, context_tokens=int(context * slots), parallel=int(slots))
    assert resident < estimate.total_bytes < 1.5 * resident
