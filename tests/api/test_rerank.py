"""Reranking by a small cross-encoder of our own, through a real server and its real worker."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from serving import Server, serving
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from penstock.engines.onnx.embedder_files import EmbedderFiles, NotAnEmbedder

FRAME = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WORDS = [*FRAME, "red", "green", "blue", "one", "two", "three", "four"]
IDS = {word: i for i, word in enumerate(WORDS)}
WEIGHTS = np.random.default_rng(3).normal(size=len(WORDS)).astype(np.float32)
MAX_TOKENS = 40


def graph() -> onnx.ModelProto:
    """The sum of each token's weight, twice over in the second text."""
    nodes = [
        helper.make_node("Gather", ["weights", "input_ids"], ["rows"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["token_type_ids"], ["types"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["mask", "types"], ["factors"]),
        helper.make_node("Mul", ["rows", "factors"], ["parts"]),
        helper.make_node("ReduceSum", ["parts", "axis"], ["logits"], keepdims=1),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["b", "t"])
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    constants = [
        numpy_helper.from_array(WEIGHTS, "weights"),
        numpy_helper.from_array(np.array([1]), "axis"),
    ]
    result = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", 1])
    made = helper.make_graph(nodes, "small", inputs, [result], constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def write_model(directory: Path, labels: int = 1) -> Path:
    (directory / "onnx").mkdir(parents=True)
    onnx.save(graph(), str(directory / "onnx" / "model.onnx"))
    made = Tokenizer(models.WordLevel(IDS, unk_token="[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.add_special_tokens(FRAME)
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", IDS["[CLS]"]), ("[SEP]", IDS["[SEP]"])],
    )
    made.enable_truncation(8)
    made.save(str(directory / "tokenizer.json"))
    config = {
        "architectures": ["BertForSequenceClassification"],
        "id2label": {str(i): f"LABEL_{i}" for i in range(labels)},
        "vocab_size": len(WORDS),
        "max_position_embeddings": MAX_TOKENS,
        "pad_token_id": 0,
    }
    (directory / "config.json").write_text(json.dumps(config))
    return directory


def score(query: str, document: str) -> float:
    first = ["[CLS]", *query.split(), "[SEP]"]
    second = [*document.split(), "[SEP]"]
    logit = sum(WEIGHTS[IDS[w]] for w in first) + 2 * sum(WEIGHTS[IDS[w]] for w in second)
    return float(1 / (1 + np.exp(-logit)))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("rerank")
    with serving(f"judge={write_model(home / 'model')}", home=home) as server:
        server.wait_ready()
        yield server


DOCUMENTS = ["red red red", "green", "blue two three", "four", "one two"]


def rerank(server: Server, **fields: Any) -> Any:
    return server.post(
        "rerank", {"model": "judge", "query": "red one", "documents": DOCUMENTS} | fields
    )


def test_scores_are_the_models_own_and_results_are_in_their_order(server: Server) -> None:
    answer = rerank(server).json
    expected = {i: score("red one", document) for i, document in enumerate(DOCUMENTS)}
    found = {result["index"]: result["relevance_score"] for result in answer["results"]}
    assert found == pytest.approx(expected, abs=1e-5)
    assert list(found.values()) == sorted(found.values(), reverse=True)
    tokens = sum(2 + 2 + len(document.split()) + 1 for document in DOCUMENTS)
    assert answer["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}
    assert (answer["model"], answer["id"][:7]) == ("judge", "rerank-")


def test_top_n_and_the_documents_themselves(server: Server) -> None:
    every = rerank(server).json["results"]
    best = rerank(server, top_n=2, return_documents=True).json["results"]
    assert [r["index"] for r in best] == [r["index"] for r in every[:2]]
    assert [r["document"] for r in best] == [{"text": DOCUMENTS[r["index"]]} for r in best]
    assert len(rerank(server, top_n=99).json["results"]) == len(DOCUMENTS)


def test_documents_may_be_objects(server: Server) -> None:
    objects = [{"text": text} for text in DOCUMENTS]
    assert rerank(server, documents=objects).json["results"] == rerank(server).json["results"]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("query", None, "invalid_value"),
        ("query", "", "invalid_value"),
        ("query", 7, "invalid_value"),
        ("query", "red " * 50, "context_length_exceeded"),
        ("query", "x" * 100_000, "context_length_exceeded"),
        ("documents", None, "invalid_value"),
        ("documents", [], "invalid_value"),
        ("documents", "text", "invalid_value"),
        ("documents", ["red"] * 1001, "invalid_value"),
        ("documents", ["red", ""], "invalid_value"),
        ("documents", ["red " * 50], "context_length_exceeded"),
        ("documents", ["x" * 100_000], "context_length_exceeded"),
        ("top_n", 0, "invalid_value"),
        ("top_n", -1, "invalid_value"),
        ("top_n", 2**63, "invalid_value"),
        ("top_n", 1.5, "invalid_value"),
        ("return_documents", "yes", "invalid_value"),
        ("rank_fields", ["a"], "unknown_parameter"),
        ("temperature", 1, "unknown_parameter"),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    server: Server, field: str, value: object, code: str
) -> None:
    reply = rerank(server, **{field: value})
    assert reply.status == 400
    assert reply.error["code"] == code
    assert reply.error["param"].startswith(field)


def test_many_long_documents_are_refused_before_all_are_tokenised(server: Server) -> None:
    rerank(server)
    (worker,) = server.remember_children()
    before = peak_bytes(worker.pid)
    reply = rerank(server, documents=["red", *["red " * 630] * 999])
    assert reply.error["message"].startswith("Document 1: ")
    assert peak_bytes(worker.pid) - before < 64 * 2**20


def peak_bytes(pid: int) -> int:
    """The most memory that a process has had."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


WRONG: dict[str, tuple[object, ...]] = {
    "model": (None, 1, True, [], {}, "", "x" * 1000),
    "query": (None, 1, True, [], {}, "", "x" * 100_001),
    "documents": (None, 1, True, "x", {}, [], [1], [None], [[]], [["a"]], [{}], [{"text": 1}],
                  [{"text": None}], [{"text": ""}], ["a"] * 1001, [True]),
    "top_n": ("1", True, [], {}, 1.5, 0, -1, 2**31, 2**64),
    "return_documents": (0, 1, "true", []),
    "user": (1, [], "x" * 2000),
}  # fmt: skip


@pytest.mark.parametrize("field", WRONG)
def test_a_wrong_value_of_a_field_is_400_and_the_field_is_named(
    server: Server, subtests: pytest.Subtests, field: str
) -> None:
    for value in WRONG[field]:
        with subtests.test(value=f"{value!r:.40}"):
            reply = rerank(server, **{field: value})
            assert reply.status == 400
            assert reply.error["param"].partition("[")[0] == field


@pytest.mark.parametrize("literal", [b"NaN", b"Infinity", b"1e400", b"1" * 400])
def test_numbers_that_are_none_are_400(server: Server, literal: bytes) -> None:
    body = b'{"model": "judge", "query": "a", "documents": ["red"], "top_n": %b}' % literal
    assert server.post("rerank", body).status == 400


def test_optional_fields_may_be_null(server: Server) -> None:
    nulls = dict.fromkeys(("top_n", "return_documents", "user", "metadata"))
    assert rerank(server, **nulls).json["results"] == rerank(server).json["results"]


def test_many_clients_at_once_get_their_own_scores(server: Server) -> None:
    with ThreadPoolExecutor(16) as pool:
        replies = pool.map(lambda d: rerank(server, documents=[d]).json["results"], DOCUMENTS * 8)
    found = [results[0]["relevance_score"] for results in replies]
    assert found == pytest.approx([score("red one", d) for d in DOCUMENTS] * 8, abs=1e-5)


def test_a_reranker_does_nothing_else_and_others_do_not_rerank(
    server: Server, bundled_server: Server
) -> None:
    assert server.post("embeddings", {"model": "judge", "input": "red"}).error["param"] == "model"
    assert rerank(bundled_server, model="penstock/tiny-embed").error["param"] == "model"


def test_what_it_can_do_is_told(server: Server) -> None:
    facts = server.get("/v1/models/judge").json["penstock"]
    assert facts["tasks"] == ["rerank"]
    assert facts["modalities"] == {"input": ["text"], "output": ["score"]}
    assert facts["max_input_tokens"] == MAX_TOKENS
    assert facts["attributes"] == ["return_documents", "top_n", "user"]


def test_a_classifier_of_several_labels_is_refused_before_it_starts(tmp_path: Path) -> None:
    with pytest.raises(NotAnEmbedder, match="3 classes"):
        EmbedderFiles.read(write_model(tmp_path / "model", labels=3))
