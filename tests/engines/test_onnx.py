"""The embedding engine: a small graph of our own, served by the real worker process."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import penstock_tiny_models
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from penstock.domain.embedding import EmbeddingCall, Vectors
from penstock.domain.errors import ContextLengthExceeded, InvalidRequest
from penstock.engines.base import CannotStart
from penstock.engines.onnx.engine import OnnxModel
from penstock.engines.workers.batching import CALL_TOKENS, Collector, Item, Job, choose, in_turn
from penstock.http.client import Broken, Client

FRAME = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WORDS = [*FRAME, "[", "]", "cls", "sep", "red", "green", "blue", "one", "two", "three", "four"]
WORD_IDS = {word: i for i, word in enumerate(WORDS)}
PAD, UNK, CLS, SEP = range(4)
LENGTH = 16
MAX_TOKENS = 40
TABLE = np.random.default_rng(5).normal(size=(len(WORDS), LENGTH)).astype(np.float32)


# -- a model of our own ----------------------------------------------------------------------


def token_graph(output: str = "last_hidden_state", *, leaky: bool = False) -> onnx.ModelProto:
    """Each token's row, times one plus its share of the text; `leaky` adds the batch's maximum."""
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("CumSum", ["mask", "axis"], ["ranks"]),
        helper.make_node("Cast", ["token_type_ids"], ["types"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["ranks", "types"], ["weights"]),
        helper.make_node("Unsqueeze", ["weights", "last"], ["weights_3d"]),
        helper.make_node("Mul", ["rows", "weights_3d"], ["clean"]),
        helper.make_node("ReduceMax", ["clean"], ["peak"], keepdims=0),
        helper.make_node("Add", ["clean", "peak"], ["spoiled"]),
        helper.make_node("Identity", ["spoiled" if leaky else "clean"], [output]),
    ]
    inputs = [_integers(n) for n in ("input_ids", "attention_mask", "token_type_ids")]
    constants = [
        numpy_helper.from_array(TABLE, "table"),
        numpy_helper.from_array(np.array(1), "axis"),
        numpy_helper.from_array(np.array([2]), "last"),
    ]
    result = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["b", "t", LENGTH])
    return _model(nodes, inputs, result, constants)


def sentence_graph() -> onnx.ModelProto:
    """A graph that pools by itself: the sum of its tokens' rows; it asks for 32-bit ids only."""
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["mask_3d"]),
        helper.make_node("Mul", ["rows", "mask_3d"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "middle"], ["sentence_embedding"], keepdims=0),
    ]
    inputs = [_integers(n, TensorProto.INT32) for n in ("input_ids", "attention_mask")]
    constants = [
        numpy_helper.from_array(TABLE, "table"),
        numpy_helper.from_array(np.array([2]), "last"),
        numpy_helper.from_array(np.array([1]), "middle"),
    ]
    result = helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["b", LENGTH])
    return _model(nodes, inputs, result, constants)


def _integers(name: str, kind: int = TensorProto.INT64) -> Any:
    return helper.make_tensor_value_info(name, kind, ["b", "t"])


def _model(nodes: Any, inputs: Any, result: Any, constants: Any) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "small", inputs, [result], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def tokenizer() -> Tokenizer:
    """[CLS] words [SEP], with the padding and cutting that such files often come with."""
    made = Tokenizer(models.WordLevel(WORD_IDS, unk_token="[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.add_special_tokens(FRAME)
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)]
    )
    made.enable_padding(length=12, pad_id=PAD, pad_token="[PAD]")
    made.enable_truncation(8)
    return made


def write_model(
    directory: Path,
    *,
    graph: onnx.ModelProto | None = None,
    pooling: str | None = None,
    modules: list[str] | None = None,
    config: dict[str, Any] | None = None,
) -> Path:
    (directory / "onnx").mkdir(parents=True)
    onnx.save(graph or token_graph(), str(directory / "onnx" / "model.onnx"))
    tokenizer().save(str(directory / "tokenizer.json"))
    settings = {"vocab_size": len(WORDS), "max_position_embeddings": 64, "pad_token_id": PAD}
    _write(directory / "config.json", settings | (config or {}))
    _write(directory / "sentence_bert_config.json", {"max_seq_length": MAX_TOKENS})
    _write(directory / "tokenizer_config.json", {"model_max_length": 10**30})
    if pooling is not None:
        (directory / "1_Pooling").mkdir()
        _write(directory / "1_Pooling" / "config.json", {pooling: True})
    if modules is not None:
        listed = [{"type": f"sentence_transformers.models.{m}", "path": ""} for m in modules]
        _write(directory / "modules.json", listed)
    return directory


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value))


# -- a worker --------------------------------------------------------------------------------


class Replica(NamedTuple):
    engine: OnnxModel
    process: subprocess.Popen[bytes]
    client: Client

    async def embed(self, *inputs: Any, dimensions: int | None = None) -> Vectors:
        call = EmbeddingCall(inputs=inputs, dimensions=dimensions)
        return await self.engine.embed(self.client, call)

    async def rows(self, *inputs: Any, dimensions: int | None = None) -> Any:
        """float32 [inputs, D]"""
        vectors = await self.embed(*inputs, dimensions=dimensions)
        return np.array([np.frombuffer(row, "<f4") for row in vectors.rows])


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="module")
async def small(model_dir: Path) -> AsyncIterator[Replica]:
    async with replica(OnnxModel(model_dir)) as running:
        yield running


@asynccontextmanager
async def replica(engine: OnnxModel, *flags: str) -> AsyncIterator[Replica]:
    with tempfile.TemporaryDirectory(prefix="pen-") as run_dir:
        launch = engine.launch(Path(run_dir))
        environment = {**os.environ, **launch.environment}
        command = [*launch.argv, *flags]
        with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as process:
            client = engine.connect(launch)
            try:
                await until_ready(engine, client, process)
                yield Replica(engine, process, client)
            finally:
                await client.aclose()
                process.kill()


async def until_ready(engine: OnnxModel, client: Client, process: subprocess.Popen[bytes]) -> None:
    async with asyncio.timeout(30):
        while process.poll() is None:
            try:
                assert await engine.is_ready(client)
                return
            except Broken:
                await asyncio.sleep(0.02)
    raise AssertionError("the worker ended")


async def eventually(holds: Callable[[], Any], within_s: float = 10) -> None:
    deadline_s = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline_s, "this took too long"
        await asyncio.sleep(0.02)


def expected(ids: list[int], pooling: str = "mean") -> Any:
    """The vector of `ids`, worked out by hand."""
    rows = TABLE[ids] * np.arange(1, len(ids) + 1, dtype=np.float32)[:, None]
    return _unit(
        {"mean": rows.mean(0), "cls": rows[0], "last": rows[-1], "max": rows.max(0)}[pooling]
    )


def _unit(row: Any) -> Any:
    return row / np.linalg.norm(row)


def framed(*words: str) -> list[int]:
    return [CLS, *(WORD_IDS.get(word, UNK) for word in words), SEP]


def close(a: Any, b: Any) -> bool:
    """Within 1e-5 in each number."""
    return bool(np.abs(np.asarray(a) - np.asarray(b)).max() < 1e-5)


# -- vectors ---------------------------------------------------------------------------------


async def test_a_text_becomes_the_pooled_unit_vector_of_its_tokens(small: Replica) -> None:
    vectors = await small.embed("red Green")
    row = np.frombuffer(vectors.rows[0], "<f4")
    assert close(row, expected(framed("red", "green")))
    assert np.linalg.norm(row) == pytest.approx(1)
    assert vectors.prompt_tokens == 4


async def test_a_batch_equals_its_texts_alone_and_keeps_their_order(small: Replica) -> None:
    words = ["red", "green", "blue", "one", "two", "three"]
    texts = [" ".join(words[i % 6] for i in range(n)) for n in (1, 30, 2, 17, 9, 3, 24, 1, 38)] * 20
    together = await small.rows(*texts)
    alone = [(await small.rows(text))[0] for text in texts[:9]]
    assert close(together, alone * 20)
    assert close(alone[1], expected(framed(*texts[1].split())))


async def test_token_ids_are_taken_as_they_are(small: Replica) -> None:
    vectors = await small.embed((7, 8, 9), (14,))
    assert vectors.prompt_tokens == 4
    assert close(np.frombuffer(vectors.rows[0], "<f4"), expected([7, 8, 9]))
    assert close(np.frombuffer(vectors.rows[1], "<f4"), expected([14]))


@pytest.mark.parametrize("text", ["[CLS] red", "red [SEP]", "[PAD]"])
async def test_what_spells_a_special_token_is_text(small: Replica, text: str) -> None:
    words = text.lower().replace("[", "[ ").replace("]", " ]").split()
    assert close(await small.rows(text), expected(framed(*words)))


async def test_a_text_of_white_space_has_a_vector(small: Replica) -> None:
    assert close(await small.rows("  "), expected(framed()))


async def test_32_clients_at_once_get_their_own_vectors(model_dir: Path) -> None:
    async with replica(OnnxModel(model_dir)) as it:

        async def client(number: int) -> None:
            ids = [(number + i) % len(WORDS) for i in range(1 + number % 20)]
            for _ in range(10):
                assert close(await it.rows(ids), expected(ids))

        await asyncio.gather(*map(client, range(32)))


@pytest.mark.parametrize(
    ("switch", "pooling"),
    [
        ("pooling_mode_mean_tokens", "mean"),
        ("pooling_mode_cls_token", "cls"),
        ("pooling_mode_lasttoken", "last"),
        ("pooling_mode_max_tokens", "max"),
    ],
)
async def test_pooling_is_read_from_the_files(tmp_path: Path, switch: str, pooling: str) -> None:
    directory = write_model(tmp_path / "m", pooling=switch, graph=token_graph("token_embeddings"))
    async with replica(OnnxModel(directory)) as it:
        rows = await it.rows((7, 8, 9), (10, 11))
    assert close(rows, [expected([7, 8, 9], pooling), expected([10, 11], pooling)])


async def test_a_graph_that_pools_by_itself_is_only_made_unit(tmp_path: Path) -> None:
    graph = sentence_graph()
    directory = write_model(tmp_path / "m", graph=graph, pooling="pooling_mode_cls_token")
    async with replica(OnnxModel(directory)) as it:
        rows = await it.rows((7, 8, 9), (10, 11))
    assert close(rows, [_unit(TABLE[[7, 8, 9]].sum(0)), _unit(TABLE[[10, 11]].sum(0))])


async def test_a_graph_whose_rows_depend_on_each_other_is_not_batched(tmp_path: Path) -> None:
    directory = write_model(tmp_path / "m", graph=token_graph(leaky=True))
    async with replica(OnnxModel(directory)) as it:
        together = await it.rows((7, 8), (9, 10, 11), (12,))
        alone = [(await it.rows(ids))[0] for ids in ((7, 8), (9, 10, 11), (12,))]
    assert close(together, alone)


async def test_dimensions_are_cut_and_made_unit_again(tmp_path: Path) -> None:
    directory = write_model(tmp_path / "m", config={"matryoshka_dimensions": [4, 8]})
    async with replica(OnnxModel(directory)) as it:
        row = (await it.rows((7, 8), dimensions=4))[0]
        assert close(row, _unit(expected([7, 8])[:4]))
        assert (await it.rows((7, 8), dimensions=LENGTH)).shape == (1, LENGTH)
        with pytest.raises(InvalidRequest) as refused:
            await it.rows((7, 8), dimensions=5)
        assert refused.value.param == "dimensions"
        known = await it.engine.inspect(it.client)
    assert known.dimensions == (4, 8)
    assert "dimensions" in known.attributes


async def test_what_it_can_do_is_asked_of_the_worker(small: Replica) -> None:
    known = await small.engine.inspect(small.client)
    assert known.tasks == {"embeddings"}
    assert known.attributes == {"encoding_format", "user"}
    assert (known.embedding_length, known.max_input_tokens) == (LENGTH, MAX_TOKENS)
    assert known.vocabulary_size == len(WORDS)


# -- bad input -------------------------------------------------------------------------------


async def test_a_longer_input_is_an_error_and_not_cut(small: Replica) -> None:
    fits = "red " * (MAX_TOKENS - 2)
    assert (await small.embed(fits)).prompt_tokens == MAX_TOKENS
    for inputs in (("red", fits + "red"), ("red", "x" * 10**6), ((7,), (7,) * (MAX_TOKENS + 1))):
        with pytest.raises(ContextLengthExceeded) as refused:
            await small.embed(*inputs)
        assert refused.value.param == "input"
        assert refused.value.message.startswith("Input 1: This model reads at most 40 tokens.")


async def test_many_long_inputs_are_refused_before_all_are_tokenised(model_dir: Path) -> None:
    async with replica(OnnxModel(model_dir)) as it:
        await it.embed("red")
        before = peak_bytes(it.process.pid)
        with pytest.raises(ContextLengthExceeded, match=r"^Input 2: "):
            await it.embed("red", "one", *["red " * 2500] * 600)
        assert peak_bytes(it.process.pid) - before < 64 * 2**20


def peak_bytes(pid: int) -> int:
    """The most memory that a process has had."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


async def test_the_first_input_that_is_too_long_is_named_wherever_it_stands(small: Replica) -> None:
    for inputs in (("red",) * 70 + ("red " * 50,), ("red",) * 70 + ("x" * 10**6,)):
        with pytest.raises(ContextLengthExceeded, match=r"^Input 70: "):
            await small.embed(*inputs, *inputs)


@pytest.mark.parametrize("token_id", [len(WORDS), -1, 2**63, 2**80])
async def test_an_id_outside_the_vocabulary_is_refused(small: Replica, token_id: int) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await small.embed((7,), (8, token_id))
    assert refused.value.param == "input"
    assert refused.value.code == "invalid_value"
    assert "Input 1" in refused.value.message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"inputs": []}',
        b'{"inputs": [[]]}',
        b'{"inputs": ["a", [1]]}',
        b'{"inputs": [1.5]}',
        b'{"inputs": [[true]]}',
        b'{"inputs": ["\\ud800"]}',
        b'{"inputs": ["\xff"]}',
        b"[" * 100_000,
    ],
)
async def test_the_worker_refuses_what_it_cannot_read(small: Replica, body: bytes) -> None:
    async with small.client.post("/embed", body) as exchange:
        error = json.loads(await exchange.read())["error"]
        assert exchange.status == 400
    assert set(error) == {"message", "code", "index", "param"}
    assert close(await small.rows((7,)), expected([7]))


async def test_a_client_that_left_costs_no_more_work(model_dir: Path) -> None:
    async with replica(OnnxModel(model_dir), "--batch-items", "1") as it:
        much = asyncio.create_task(it.embed(*[(7,)] * 200_000))
        await eventually(lambda: cpu_s(it.process.pid) > 1)
        assert not much.done()
        much.cancel()
        with pytest.raises(asyncio.CancelledError):
            await much
        await asyncio.sleep(1)
        before_s = cpu_s(it.process.pid)
        await asyncio.sleep(0.5)
        assert cpu_s(it.process.pid) - before_s < 0.1
        assert close(await it.rows((7,)), expected([7]))


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# -- starting and ending ---------------------------------------------------------------------


def test_a_launch_says_what_it_costs(model_dir: Path, tmp_path: Path) -> None:
    launch = OnnxModel(model_dir, threads=2).launch(tmp_path)
    assert launch.memory_bytes > 120 * 2**20
    assert "weights" in launch.memory_reason
    assert launch.argv[:3] == (sys.executable, "-m", "penstock.engines.workers.onnx")


def test_the_attention_of_the_longest_text_is_counted(tmp_path: Path) -> None:
    plain = write_model(tmp_path / "plain")
    heads = write_model(tmp_path / "heads", config={"num_attention_heads": 16})
    without = OnnxModel(plain).launch(tmp_path).memory_bytes
    for context_length, tokens in ((None, MAX_TOKENS), (64, MAX_TOKENS), (20, 20)):
        launch = OnnxModel(heads, context_length=context_length).launch(tmp_path)
        assert launch.memory_bytes - without == 2 * 4 * 16 * tokens**2
    assert "attention" in launch.memory_reason


async def test_context_length_makes_inputs_shorter(model_dir: Path) -> None:
    async with replica(OnnxModel(model_dir, context_length=20)) as it:
        assert (await it.engine.inspect(it.client)).max_input_tokens == 20
        assert (await it.embed("red " * 18)).prompt_tokens == 20
        with pytest.raises(ContextLengthExceeded, match="at most 20 tokens"):
            await it.embed("red " * 19)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda d: (d / "tokenizer.json").unlink(), "it has no tokenizer.json"),
        (lambda d: (d / "config.json").unlink(), "it has no config.json"),
        (lambda d: (d / "onnx" / "model.onnx").unlink(), "no onnx/model.onnx or model.onnx"),
        (lambda d: (d / "config.json").write_text("{"), "config.json cannot be read"),
        (lambda d: (d / "modules.json").write_text("[1]"), "should list modules"),
    ],
)
def test_what_is_missing_is_said(
    tmp_path: Path, spoil: Callable[[Path], Any], sentence: str
) -> None:
    directory = write_model(tmp_path / "m")
    spoil(directory)
    with pytest.raises(CannotStart, match=sentence):
        OnnxModel(directory).launch(tmp_path)


def test_no_directory_and_no_room_for_a_socket(tmp_path: Path, model_dir: Path) -> None:
    with pytest.raises(CannotStart, match="is not a directory"):
        OnnxModel(tmp_path / "none").launch(tmp_path)
    with pytest.raises(CannotStart, match="too long for the path of a unix socket"):
        OnnxModel(model_dir).launch(tmp_path / ("x" * 110))


@pytest.mark.parametrize(
    ("graph", "modules", "reason"),
    [
        (token_graph("logits"), None, "it has logits"),
        (token_graph(), ["Transformer", "Pooling", "Dense"], "goes on after its graph (Dense)"),
        (None, None, "cannot be loaded"),
    ],
)
def test_a_graph_that_cannot_be_used_ends_the_worker_with_a_sentence(
    tmp_path: Path, graph: onnx.ModelProto | None, modules: list[str] | None, reason: str
) -> None:
    directory = write_model(tmp_path / "m", graph=graph, modules=modules)
    if graph is None:
        (directory / "onnx" / "model.onnx").write_bytes(b"not a graph")
    said = last_words(directory)
    assert reason in said
    assert "Traceback" not in said


def last_words(directory: Path) -> str:
    """What a worker that cannot start writes to its standard error."""
    with tempfile.TemporaryDirectory(prefix="pen-") as run_dir:
        argv = OnnxModel(directory).launch(Path(run_dir)).argv
        pipe = subprocess.PIPE
        with subprocess.Popen(argv, stdin=pipe, stderr=pipe, text=True) as process:
            assert process.stderr is not None
            said = process.stderr.read()
            assert process.wait(30) == 1
    return said


def test_data_outside_the_directory_is_not_read(tmp_path: Path) -> None:
    directory = write_model(tmp_path / "m")
    graph = token_graph()
    onnx.save(
        graph,
        str(directory / "onnx" / "model.onnx"),
        save_as_external_data=True,
        location="weights",
        size_threshold=0,
    )
    (directory / "onnx" / "weights").rename(tmp_path / "weights")
    for tensor in graph.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../../weights"
    (directory / "onnx" / "model.onnx").write_bytes(graph.SerializeToString())
    assert "cannot be loaded" in last_words(directory)


@pytest.fixture
def parent_script(model_dir: Path) -> Iterator[tuple[str, Path]]:
    with tempfile.TemporaryDirectory(prefix="pen-") as run_dir:
        launch = OnnxModel(model_dir).launch(Path(run_dir))
        script = (
            "import subprocess, time\n"
            f"p = subprocess.Popen({list(launch.argv)!r}, stdin=subprocess.PIPE)\n"
            "print(p.pid, flush=True)\n"
            "time.sleep(60)\n"
        )
        yield script, launch.socket_path


async def test_it_dies_with_its_parent(parent_script: tuple[str, Path]) -> None:
    script, socket_path = parent_script
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        await eventually(socket_path.exists)
        parent.send_signal(signal.SIGKILL)
        parent.wait(10)
        await eventually(lambda: not is_alive(pid), within_s=5)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # whoever adopted it may be slow to bury it


# -- batches ---------------------------------------------------------------------------------


def job(loop: asyncio.AbstractEventLoop, *lengths: int) -> Job:
    return Job([[1] * n for n in lengths], loop.create_future())


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


def test_items_come_in_turn_from_each_job(loop: asyncio.AbstractEventLoop) -> None:
    jobs = [job(loop, 1, 2, 3), job(loop, 4), job(loop, 5, 6)]
    assert [len(item.ids) for item in in_turn(jobs)] == [1, 4, 5, 2, 6, 3]


@given(
    lengths=st.lists(st.integers(1, 600), min_size=1, max_size=80),
    max_items=st.integers(1, 64),
)
def test_a_batch_has_the_first_and_stays_within_its_bounds(
    lengths: list[int], max_items: int
) -> None:
    candidates = [Item(None, i, [0] * n) for i, n in enumerate(lengths)]  # type: ignore[arg-type]
    batch = choose(candidates, max_tokens=1024, max_items=max_items)
    sizes = [len(item.ids) for item in batch]
    assert candidates[0] in batch
    assert len(batch) <= max_items
    assert len(batch) == 1 or max(sizes) * len(sizes) <= 1024
    assert sum(max(sizes) - size for size in sizes) <= CALL_TOKENS
    assert len({id(item) for item in batch}) == len(batch)


async def test_a_small_request_does_not_wait_for_a_big_one() -> None:
    batches: list[int] = []

    def run(batch: Any) -> list[bytes]:
        batches.append(len(batch))
        time.sleep(0.01)
        return [b"%d" % len(ids) for ids in batch]

    async with collecting(run, max_tokens=64, max_items=8) as collector:
        big = asyncio.create_task(collector.submit([[1] * (1 + i % 32) for i in range(800)]))
        await asyncio.sleep(0.05)
        before = len(batches)
        assert await collector.submit([[1] * 64]) == [b"64"]
        assert len(batches) - before <= 4
        assert await big == [b"%d" % (1 + i % 32) for i in range(800)]


async def test_what_nobody_waits_for_is_dropped() -> None:
    sizes: list[int] = []

    def run(batch: Any) -> list[bytes]:
        sizes.append(len(batch))
        time.sleep(0.01)
        return [b"" for _ in batch]

    async with collecting(run, max_tokens=64, max_items=8) as collector:
        left = asyncio.create_task(collector.submit([[1]] * 800))
        await asyncio.sleep(0.05)
        left.cancel()
        await asyncio.sleep(0)
        assert await collector.submit([[1]]) == [b""]
    assert sum(sizes) < 200


async def test_one_bad_input_fails_alone() -> None:
    def run(batch: Any) -> list[bytes]:
        if [13] in batch:
            raise ArithmeticError("unlucky")
        return [b"ok" for _ in batch]

    async with collecting(run, max_tokens=64, max_items=8) as collector:
        answers = await asyncio.gather(
            *(collector.submit([[i]]) for i in (1, 13, 2)), return_exceptions=True
        )
    assert answers[0] == answers[2] == [b"ok"]
    assert isinstance(answers[1], ArithmeticError)


@asynccontextmanager
async def collecting(
    run: Callable[[Any], list[bytes]], *, max_tokens: int, max_items: int
) -> AsyncIterator[Collector]:
    collector = Collector(run, max_tokens=max_tokens, max_items=max_items)
    serving = asyncio.create_task(collector.serve())
    try:
        yield collector
    finally:
        serving.cancel()


async def test_a_quantised_graph_is_served_when_it_is_named(tmp_path: Path) -> None:
    """The bundled model, really quantised: near the plain vectors, and not the same."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    directory = tmp_path / "tiny"
    shutil.copytree(penstock_tiny_models.path("tiny-embed"), directory)
    graph = directory / "onnx" / "model_int8.onnx"
    quantize_dynamic(directory / "onnx" / "model.onnx", graph, weight_type=QuantType.QInt8)
    texts = ("a cat on a mat", "the price of bread")
    async with replica(OnnxModel(directory)) as plain:
        expected = await plain.rows(*texts)
    async with replica(OnnxModel(directory, graph="onnx/model_int8.onnx")) as small:
        found = await small.rows(*texts)
    likeness = (expected * found).sum(axis=1)
    assert likeness.min() > 0.9
    assert np.abs(expected - found).max() > 1e-4


def test_a_graph_that_is_not_there_is_refused_by_name(model_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"no onnx/model_int8\.onnx"):
        OnnxModel(model_dir, graph="onnx/model_int8.onnx").launch(tmp_path)
