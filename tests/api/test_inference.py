"""DeepInfra's native inference: every task, through real servers and real engines."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from clip_files import write_clip
from pictures import picture
from rawhttp import Reply
from serving import Server, serving
from test_rerank import write_model as write_reranker

CHAT, EMBED, DRAW = "penstock/tiny-chat", "penstock/tiny-embed", "penstock/tiny-draw"
#: What is answered with many tokens.
TALE = "<|im_start|>user\nTell me a story about a cat<|im_end|>\n<|im_start|>assistant\n"
RED = picture((250, 20, 30))
LABELS = ["blue", "red", "green"]


def data_url(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("native")
    models: list[dict[str, Any]] = [
        {"source": CHAT, "prices": {"input_token": 2.0, "output_token": 4.0}},
        {"source": EMBED},
        {"source": DRAW},
        {"source": str(write_clip(home / "clip")), "name": "org/clip"},
        {"source": str(write_reranker(home / "ranker")), "name": "org/ranker"},
        {"source": "fake:?first_token_after_s=30", "name": "late"},
        {"source": "fake:?error_in_stream_after=3", "name": "error"},
    ]
    config = home / "penstock.toml"
    tables = [
        "[[models]]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in model.items())
        for model in models
    ]
    config.write_text("\n".join(tables))
    with serving(home=home / "state", flags=("--config", str(config))) as running:
        yield running


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {each}" for key, each in value.items()) + "}"
    return json.dumps(value)


def ask(server: Server, model: str, **body: Any) -> Reply:
    return server.post(f"inference/{model}", body)


def answer(reply: Reply) -> dict[str, Any]:
    """The answer, in its envelope."""
    assert reply.status == 200, reply
    body: dict[str, Any] = reply.json
    assert body["request_id"].startswith("R")
    assert len(body["request_id"]) == 24
    assert body["inference_status"]["status"] == "succeeded"
    assert body["inference_status"]["runtime_ms"] >= 0
    return body


def refused(reply: Reply, status: int) -> str:
    """The sentence of an error in DeepInfra's native shape."""
    assert reply.status == status, reply
    assert list(reply.json) == ["detail"]
    assert list(reply.json["detail"]) == ["error"]
    return str(reply.json["detail"]["error"])


# -- zero-shot-image-classification ---------------------------------------------------------------


def test_labels_come_with_the_best_first(server: Server) -> None:
    body = answer(ask(server, "org/clip", image=data_url(RED), candidate_labels=LABELS))
    results = body["results"]
    assert results[0]["label"] == "red"
    assert {result["label"] for result in results} == set(LABELS)
    assert [r["score"] for r in results] == sorted((r["score"] for r in results), reverse=True)
    assert sum(result["score"] for result in results) == pytest.approx(1.0, abs=1e-5)
    assert body["inference_status"]["tokens_input"] == 27


def form(fields: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    """A multipart form: bytes are files."""
    parts = b""
    for name, value in fields.items():
        file = b'; filename="x"' if isinstance(value, bytes) else b""
        data = value if isinstance(value, bytes) else value.encode()
        parts += b"--edge\r\ncontent-disposition: form-data; name=\"%b\"%b\r\n\r\n%b\r\n" % (
            name.encode(), file, data,
        )  # fmt: skip
    return parts + b"--edge--\r\n", {"content-type": "multipart/form-data; boundary=edge"}


@pytest.mark.parametrize("labels", [json.dumps(LABELS), '["blue","red","green"]'])
def test_a_form_is_the_same_as_json(server: Server, labels: str) -> None:
    body, headers = form({"image": RED, "candidate_labels": labels})
    by_form = answer(server.send("POST", "/v1/inference/org/clip", body, headers))
    by_json = answer(ask(server, "org/clip", image=data_url(RED), candidate_labels=LABELS))
    assert by_form["results"] == by_json["results"]


def test_it_is_counted(server: Server) -> None:
    labels = {"gen_ai_request_model": "org/clip", "gen_ai_operation_name": "image_classification"}
    before = server.metric("penstock_generations_total", outcome="ok", **labels)
    answer(ask(server, "org/clip", image=data_url(RED), candidate_labels=["red"]))
    assert server.metric("penstock_generations_total", outcome="ok", **labels) == before + 1
    assert server.metric("gen_ai_usage_tokens_total", gen_ai_token_type="input", **labels) > 0


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"candidate_labels": LABELS}, "image"),
        ({"image": data_url(RED)}, "candidate_labels"),
        ({"image": data_url(RED), "candidate_labels": []}, "candidate_labels"),
        ({"image": data_url(RED), "candidate_labels": [""]}, "candidate_labels"),
        ({"image": data_url(RED), "candidate_labels": ["red " * 90]}, "at most 16 tokens"),
        ({"image": data_url(RED), "candidate_labels": "red"}, "candidate_labels"),
        ({"image": "http://127.0.0.1/x.png", "candidate_labels": LABELS}, "must be a data: URL"),
        ({"image": "data:image/png;base64,!!", "candidate_labels": LABELS}, "Base64"),
        ({"image": data_url(b"GIF89a"), "candidate_labels": LABELS}, "neither PNG"),
        ({"image": data_url(RED[:30]), "candidate_labels": LABELS}, "cannot be decoded"),
        ({"image": data_url(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xc3\x50\0\0\xc3\x50"),
          "candidate_labels": LABELS}, "50000 x 50000"),
        ({"image": data_url(RED), "candidate_labels": LABELS, "webhook": "http://x/"}, "webhook"),
        ({"image": data_url(RED), "candidate_labels": LABELS, "top_k": 1}, "top_k"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(server: Server, body: Any, sentence: str) -> None:
    assert sentence in refused(ask(server, "org/clip", **body), 422)


def test_refusals_have_their_status(server: Server) -> None:
    assert "does not exist" in refused(ask(server, "no/such", input="x"), 404)
    reply = server.post("inference/org/clip", {}, key="wrong")
    refused(reply, 401)
    reply = server.post("chat/completions", {"model": "org/clip", "messages": [
        {"role": "user", "content": "x"}]})  # fmt: skip
    assert reply.error["code"] == "unsupported_parameter"


# -- text-generation ------------------------------------------------------------------------------


def test_text_is_generated_and_costs_what_it_costs(server: Server) -> None:
    body = answer(ask(server, CHAT, input=TALE, max_new_tokens=8, temperature=0))
    (result,) = body["results"]
    assert result["generated_text"]
    assert body["num_tokens"] == body["inference_status"]["tokens_generated"] == 8
    assert body["num_input_tokens"] == body["inference_status"]["tokens_input"] > 0
    cost = (body["num_input_tokens"] * 2 + 8 * 4) / 1e6
    assert body["inference_status"]["cost"] == pytest.approx(cost)


def test_several_responses_and_stops(server: Server) -> None:
    body = answer(
        ask(server, CHAT, input="Once", num_responses=3, max_new_tokens=6, stop=["zzz"], seed=1)
    )
    assert len(body["results"]) == 3
    assert 3 <= body["num_tokens"] <= 18


def test_a_stream_has_a_token_an_event_and_the_whole_at_its_end(server: Server) -> None:
    more = {"max_new_tokens": 8, "temperature": 0}
    plain = answer(ask(server, CHAT, input=TALE, **more))
    *payloads, done = ask(server, CHAT, input=TALE, stream=True, **more).payloads
    assert done == "[DONE]"
    *tokens, end = [json.loads(payload) for payload in payloads]
    text = "".join(event["token"]["text"] for event in tokens)
    assert text == end["generated_text"] == plain["results"][0]["generated_text"]
    assert all(event["generated_text"] is None for event in tokens)
    assert all(event["token"]["logprob"] <= 0 for event in tokens)
    assert end["num_output_tokens"] == 8
    assert end["details"] == {"finish_reason": "length"}


def test_an_error_in_a_stream_is_its_last_event(server: Server) -> None:
    *payloads, done = ask(server, "error", input="hello", stream=True).payloads
    assert done == "[DONE]"
    assert list(json.loads(payloads[-1])) == ["error_type", "error_message"]


@pytest.mark.parametrize(
    "more",
    [{"max_new_tokens": 0}, {"temperature": 3}, {"num_responses": 2, "stream": True}, {"input": 1}],
)
def test_fields_have_bounds(server: Server, more: dict[str, Any]) -> None:
    refused(ask(server, CHAT, **({"input": "x"} | more)), 422)


# -- embeddings, reranker, text-to-image ----------------------------------------------------------


def test_embeddings_are_those_of_openais_endpoint(server: Server) -> None:
    texts = ["a cat", "a dog"]
    body = answer(ask(server, EMBED, inputs=texts, normalize=False))
    openai = server.post("embeddings", {"model": EMBED, "input": texts, "encoding_format": "float"})
    assert body["embeddings"] == [row["embedding"] for row in openai.json["data"]]
    assert body["input_tokens"] == openai.json["usage"]["prompt_tokens"]
    assert "dimensions" in refused(ask(server, EMBED, inputs=texts, dimensions=3), 422)


def test_pairs_are_scored_one_by_one(server: Server) -> None:
    documents = ["red", "blue one", "green"]
    pairs = answer(ask(server, "org/ranker", queries=["one", "one", "two"], documents=documents))
    single = answer(ask(server, "org/ranker", queries=["one"], documents=documents))
    same = answer(ask(server, "org/ranker", query="one", documents=documents))
    assert single["scores"] == same["scores"]
    assert pairs["scores"][:2] == pytest.approx(single["scores"][:2])
    other = answer(ask(server, "org/ranker", query="two", documents=documents))
    assert pairs["scores"][2] == pytest.approx(other["scores"][2])
    assert pairs["input_tokens"] == pairs["inference_status"]["tokens_input"] > 0


@pytest.mark.parametrize(
    "body", [{}, {"queries": ["a", "b"]}, {"queries": ["a"], "query": "a"}, {"queries": []}]
)
def test_queries_that_do_not_go_with_the_documents_are_refused(
    server: Server, body: dict[str, Any]
) -> None:
    sentence = refused(ask(server, "org/ranker", documents=["x", "y", "z"], **body), 422)
    assert "queries" in sentence


def test_pictures_are_data_urls(server: Server) -> None:
    body = answer(ask(server, DRAW, prompt="a red circle", width=128, height=64, seed=7))
    (url,) = body["images"]
    head, _, data = url.partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(data)[16:24] == (128).to_bytes(4, "big") + (64).to_bytes(4, "big")
    assert body["seed"] == 7
    assert body["nsfw_content_detected"] is None
    as_text = answer(ask(server, DRAW, prompt="a red circle", width="128", height="64", seed=7))
    assert as_text["images"] == body["images"]
    for wrong in ("", "64px", "-1", "999999", 1.5):
        assert "width" in refused(ask(server, DRAW, prompt="a red circle", width=wrong), 422)


def test_a_deployment_may_be_asked_by_its_id(server: Server) -> None:
    assert "does not exist" in refused(server.post("inference/deploy/nothing", {"input": "x"}), 404)


def test_the_catalogue_knows_what_it_is(server: Server) -> None:
    model = server.get("/models/org/clip").json
    assert model["type"] == "zero-shot-image-classification"
    facts = server.get("/v1/models/org/clip").json["penstock"]
    assert facts["tasks"] == ["zero_shot_image_classification"]
    assert facts["modalities"] == {"input": ["image", "text"], "output": ["score"]}
    assert facts["endpoints"] == {"inference": ["image", "candidate_labels"]}
