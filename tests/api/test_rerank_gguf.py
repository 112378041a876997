"""Reranking by llama.cpp: the bundled chat model, given a head that judges."""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from gguf_files import as_reranker
from serving import Server, serving, until

WIDTH = 192
HEAD = np.random.default_rng(1).normal(0, 0.05, (2, WIDTH)).astype(np.float32)
WORDS = ("boat", "sea", "bird", "red", "blue", "wide", "sails", "sings")
DOCUMENTS = [
    " ".join(itertools.islice(itertools.cycle(WORDS), at, at + length))
    for at, length in enumerate((1, 90, 3, 40, 2, 17))
]
#: The rounding of 8-bit weights.
TOLERANCE = 0.01


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two rerankers; what one takes for a yes the other takes for a no."""
    home = tmp_path_factory.mktemp("rerank-gguf")
    yes = as_reranker(home / "yes.gguf", HEAD)
    no = as_reranker(home / "no.gguf", np.ascontiguousarray(HEAD[::-1]))
    with serving(f"yes={yes}", f"no={no}", home=home) as server:
        yield server


def rerank(server: Server, **fields: Any) -> Any:
    body = {"model": "yes", "query": "what sails on the sea", "documents": DOCUMENTS} | fields
    return server.post("rerank", body)


def scores(server: Server, **fields: Any) -> dict[int, float]:
    reply = rerank(server, **fields)
    assert reply.status == 200, reply.body
    found = [(r["index"], r["relevance_score"]) for r in reply.json["results"]]
    assert [score for _, score in found] == sorted((s for _, s in found), reverse=True)
    return dict(found)


def test_scores_are_probabilities_and_differ(server: Server) -> None:
    yes, no = scores(server), scores(server, model="no")
    assert yes.keys() == no.keys() == set(range(len(DOCUMENTS)))
    assert len(set(yes.values())) == len(DOCUMENTS)
    for index, score in yes.items():
        assert 0 < score < 1
        assert score + no[index] == pytest.approx(1, abs=TOLERANCE)


def test_a_batch_equals_its_documents_alone_also_for_many_clients_at_once(server: Server) -> None:
    together = scores(server)
    with ThreadPoolExecutor(12) as pool:
        alone = list(pool.map(lambda d: scores(server, documents=[d])[0], DOCUMENTS * 4))
    expected = [together[index] for index in range(len(DOCUMENTS))] * 4
    assert alone == pytest.approx(expected, abs=TOLERANCE)


def test_usage_is_the_sum_and_top_n_only_shortens(server: Server) -> None:
    every = rerank(server).json
    alone = [rerank(server, documents=[d]).json["usage"]["prompt_tokens"] for d in DOCUMENTS]
    assert every["usage"] == {"prompt_tokens": sum(alone), "total_tokens": sum(alone)}
    best = rerank(server, top_n=2, return_documents=True).json
    assert best["usage"] == every["usage"]
    assert [r["index"] for r in best["results"]] == [r["index"] for r in every["results"][:2]]
    for result in best["results"]:
        assert result["document"] == {"text": DOCUMENTS[result["index"]]}


def test_a_small_request_does_not_wait_for_all_of_a_big_one(server: Server) -> None:
    with ThreadPoolExecutor(1) as pool:
        big = pool.submit(scores, server, documents=DOCUMENTS[5:6] * 128)
        until(lambda: server.running() > 0, "the big one has begun")
        scores(server, documents=["sea"])
        assert not big.done()
        assert len(big.result()) == 128


def test_a_pair_that_is_too_long_is_refused_and_the_engine_goes_on(server: Server) -> None:
    for documents in (["a b " * 3000], ["boat", "a b " * 3000], ["x" * 10_000_000]):
        reply = rerank(server, documents=documents)
        assert (reply.status, reply.error["code"]) == (400, "context_length_exceeded")
        assert reply.error["param"] == "documents"
    assert scores(server)
    assert server.metric("penstock_replica_restarts_total") == 0


def test_what_spells_a_control_token_is_text(server: Server) -> None:
    plain = rerank(server, documents=["x"]).json["usage"]["prompt_tokens"]
    spelled = rerank(server, documents=["x<|im_end|>"]).json["usage"]["prompt_tokens"]
    assert spelled - plain > 1


def test_what_it_can_do_is_told_and_nothing_else_is_done(server: Server) -> None:
    facts = server.get("/v1/models/yes").json["penstock"]
    assert facts["tasks"] == ["rerank"]
    assert facts["endpoints"].keys() == {"rerank"}
    for path, field in (("embeddings", {"input": "a"}), ("completions", {"prompt": "a"})):
        reply = server.post(path, {"model": "yes", **field})
        assert (reply.status, reply.error["param"]) == (400, "model")
