"""What a model says it can do is what it does: every field of every endpoint is tried."""

import io
from typing import Any

import pytest
from openai import OpenAI
from PIL import Image
from rawhttp import Reply
from serving import Server

from penstock.api.openai.models import ENDPOINTS
from penstock.api.openai.wire import IGNORED, IMAGE_HINTS

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
BOUNDARY = "b0undary"


def _png() -> bytes:
    file = io.BytesIO()
    Image.new("RGBA", (64, 64)).save(file, "png")
    return file.getvalue()


#: The fields without which an endpoint says nothing of others.
NEEDED: dict[str, dict[str, Any]] = {
    "chat/completions": {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1},
    "completions": {"prompt": "hi", "max_tokens": 1},
    "embeddings": {"input": "hi"},
    "rerank": {"query": "hi", "documents": ["ho"]},
    "images/generations": {"prompt": "a cat", "size": "64x64"},
    "images/edits": {"prompt": "a cat", "image": _png()},
    "images/variations": {"image": _png()},
    "inference": {"image": "data:image/png;base64,", "candidate_labels": ["a cat"]},
}
#: A value for each field that would ask for something, and what else it needs to make sense.
VALUES: dict[str, tuple[Any, dict[str, Any]]] = {
    "max_tokens": (2, {}),
    "max_completion_tokens": (2, {}),
    "temperature": (0.5, {}),
    "top_p": (0.5, {}),
    "top_k": (3, {}),
    "min_p": (0.5, {}),
    "presence_penalty": (0.5, {}),
    "frequency_penalty": (0.5, {}),
    "repetition_penalty": (1.1, {}),
    "logit_bias": ({"1": 1}, {}),
    "seed": (1, {}),
    "stop": (["x"], {}),
    "n": (2, {}),
    "stream": (True, {}),
    "stream_options": ({"include_usage": True}, {"stream": True}),
    "response_format": ({"type": "json_object"}, {}),
    "user": ("somebody", {}),
    "models": ([], {}),
    "fail_fast": (True, {}),
    "modalities": (["text"], {}),
    "tools": ([TOOL], {}),
    "tool_choice": ("auto", {"tools": [TOOL]}),
    "parallel_tool_calls": (False, {"tools": [TOOL]}),
    "logprobs": (1, {}),
    "top_logprobs": (1, {"logprobs": True}),
    "reasoning_effort": ("low", {}),
    "reasoning": ({"effort": "low"}, {}),
    "chat_template_kwargs": ({"a": 1}, {}),
    "echo": (True, {}),
    "best_of": (1, {}),
    "suffix": ("x", {}),
    "encoding_format": ("base64", {}),
    "dimensions": (4, {}),
    "top_n": (1, {}),
    "return_documents": (True, {}),
    "size": ("64x64", {}),
    "num_inference_steps": (2, {}),
    "guidance_scale": (2.0, {}),
    "negative_prompt": ("a dog", {}),
    "output_format": ("png", {}),
    "output_compression": (100, {}),
    "background": ("opaque", {}),
    "partial_images": (0, {}),
}
#: Values that differ by endpoint.
OTHERWISE: dict[tuple[str, str], Any] = {
    ("chat/completions", "logprobs"): True,
    ("images/generations", "response_format"): "b64_json",
}
JSON_ENDPOINTS = [task for task, end in ENDPOINTS.items() if end.path in NEEDED][:5]


def facts(server: Server, model: str) -> dict[str, Any]:
    body: dict[str, Any] = server.get(f"/v1/models/{model}").json["penstock"]
    return body


def ask(server: Server, model: str, path: str, field: str) -> Reply:
    value, more = VALUES[field]
    value = [model] if field == "models" else OTHERWISE.get((path, field), value)
    return server.post(path, {"model": model, **NEEDED[path], **more, field: value})


@pytest.mark.parametrize("model", ["tiny-chat", "tiny-embed", "tiny-draw"])
def test_a_bundled_model_honours_what_it_lists_and_nothing_else(
    bundled_server: Server, subtests: pytest.Subtests, model: str
) -> None:
    check(bundled_server, subtests, f"penstock/{model}")


def test_the_fake_honours_what_it_lists_and_nothing_else(
    fake_server: Server, subtests: pytest.Subtests
) -> None:
    check(fake_server, subtests, "fast")


def check(server: Server, subtests: pytest.Subtests, model: str) -> None:
    listed = facts(server, model)["endpoints"]
    for task in JSON_ENDPOINTS:
        end = ENDPOINTS[task]
        if end.path not in listed:
            reply = server.post(end.path, {"model": model, **NEEDED[end.path]})
            assert (reply.status, reply.error["code"]) == (400, "unsupported_parameter")
            assert reply.error["param"] == "model"
            continue
        fields = set(end.takes.__struct_fields__) - IGNORED.keys() - IMAGE_HINTS.keys()
        for field in sorted(fields - NEEDED[end.path].keys() - {"model"}):
            with subtests.test(path=end.path, field=field):
                reply = ask(server, model, end.path, field)
                if field in listed[end.path]:
                    assert reply.status == 200, reply.body
                else:
                    assert (reply.status, reply.error["code"]) == (400, "unsupported_parameter")
                    assert reply.error["param"] == field


def test_every_field_of_the_endpoints_is_tried() -> None:
    tried = VALUES.keys() | IGNORED.keys() | IMAGE_HINTS.keys() | {"model"}
    for end in ENDPOINTS.values():
        missing = set(end.takes.__struct_fields__) - tried - NEEDED[end.path].keys()
        assert missing <= {"mask", "webhook", "service_tier"}, end.path


@pytest.mark.parametrize(
    ("model", "tasks", "modalities"),
    [
        ("tiny-chat", {"chat", "completions"}, (["text"], ["text"])),
        ("tiny-embed", {"embeddings"}, (["text"], ["embedding"])),
        (
            "tiny-draw",
            {"images", "image_edits", "image_variations"},
            (["image", "text"], ["image"]),
        ),
    ],
)
def test_tasks_and_modalities_are_told(
    bundled_server: Server, model: str, tasks: set[str], modalities: tuple[list[str], list[str]]
) -> None:
    told = facts(bundled_server, f"penstock/{model}")
    assert set(told["tasks"]) == tasks
    assert (told["modalities"]["input"], told["modalities"]["output"]) == modalities
    assert set(told["endpoints"]) == {end.path for t, end in ENDPOINTS.items() if t in tasks}
    every = {field for fields in told["endpoints"].values() for field in fields}
    assert set(told["attributes"]) <= every


def test_lengths_are_told_and_hold(bundled_server: Server) -> None:
    chat = facts(bundled_server, "penstock/tiny-chat")
    assert chat["context_length"] > 0
    body = {"model": "penstock/tiny-chat", "prompt": [1] * (chat["context_length"] + 1)}
    reply = bundled_server.post("completions", body)
    assert (reply.status, reply.error["code"]) == (400, "context_length_exceeded")
    embed = facts(bundled_server, "penstock/tiny-embed")
    for length, status in ((embed["max_input_tokens"], 200), (embed["max_input_tokens"] + 1, 400)):
        body = {"model": "penstock/tiny-embed", "input": [5] * length}
        assert bundled_server.post("embeddings", body).status == status


def test_the_list_has_the_same_objects_and_deepinfras_fields(bundled_server: Server) -> None:
    client = OpenAI(base_url=bundled_server.url, api_key=bundled_server.key)
    for model in client.models.list():
        same = client.models.retrieve(model.id)
        assert same.to_dict() == model.to_dict()
        extra = model.to_dict()
        assert (extra["root"], extra["parent"]) == (model.id, None)
        metadata = extra["metadata"]
        assert isinstance(metadata, dict)
        assert set(metadata) == {
            "description",
            "context_length",
            "max_tokens",
            "pricing",
            "tags",
        }


def test_before_it_is_ready_a_model_tells_what_is_known(serve: Any) -> None:
    server = serve("slow-start=fake:?load_s=30", ready=False)
    told = server.get("/v1/models/slow-start").json
    assert told["metadata"]["context_length"] is None
    assert told["penstock"]["engine"] == "fake"
    assert told["penstock"]["endpoints"] is None
