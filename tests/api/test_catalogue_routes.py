"""DeepInfra's routes of models: what there is, what it costs, and how it is asked."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from rawhttp import Reply
from serving import Server, serving

from penstock.api.deepinfra.answers import ModelInfoOut, ModelOut, SchemaOut
from penstock.api.openai.wire import IGNORED
from penstock.api.pricing import dollars, pricing
from penstock.domain.price import Price
from penstock.engines.llama_cpp.prompt import SAMPLE

MODELS = """
[[models]]
source = "fake:"
name = "acme/talker"
aliases = ["talker"]
description = "It talks."
licence = "Apache-2.0"
tags = ["small"]
featured = true
prices = { input_token = 0.05, cached_input_token = 0.01, output_token = 0.2 }

[[models]]
source = "fake:"
name = "acme/old"
family = "Heritage"
deprecated = 2099-12-31
replaced_by = "acme/talker"

[[models]]
source = "penstock/tiny-chat"
"""
OPEN = (
    "/models/list", "/models/featured", "/models/acme/talker", "/model-families/names",
    "/model-families/acme",
)  # fmt: skip
KEYED = (
    "/models/private/list", "/models/deployment/list", "/models/acme/talker/versions",
    "/models/acme/talker/schema/default",
)  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("catalogue")
    file = home / "penstock.toml"
    file.write_text(MODELS)
    with serving(home=home, flags=("--config", str(file))) as server:
        yield server


def names(reply: Reply) -> list[str]:
    return [model["model_name"] for model in reply.json]


@pytest.mark.parametrize("path", [*OPEN, *KEYED])
def test_who_may_ask_without_a_key(server: Server, path: str) -> None:
    reply = server.get(path, key="")
    if path in OPEN:
        assert reply.status == 200
    else:
        assert reply.status == 401
        assert isinstance(reply.json["error"], str)
        assert server.get(path).status == 200


def test_a_wrong_key_is_refused_where_one_would_show_more(server: Server) -> None:
    assert server.get("/models/acme/talker", key="wrong").status == 401
    assert server.get("/models/list", key="wrong").status == 200


def test_lists_have_what_they_say(server: Server) -> None:
    lists = ("list", "featured", "private/list", "deployment/list")
    everything, featured, private, deployed = (names(server.get(f"/models/{n}")) for n in lists)
    assert sorted(everything) == ["acme/old", "acme/talker", "penstock/tiny-chat"]
    assert featured == ["acme/talker"]
    assert private == deployed == []


def test_a_line_of_the_list_is_deepinfras(server: Server) -> None:
    models = {m.model_name: m for m in msgspec.json.decode(
        server.get("/models/list").body, type=list[ModelOut])}  # fmt: skip
    talker, old = models["acme/talker"], models["acme/old"]
    assert (talker.type, talker.description, talker.tags) == (
        "text-generation", "It talks.", ["small"],
    )  # fmt: skip
    assert (talker.deprecated, talker.replaced_by, talker.private) == (None, None, 0)
    assert (old.deprecated, old.replaced_by) == (4102358400, "acme/talker")
    assert models["penstock/tiny-chat"].max_tokens == 2048


def test_prices_are_told_everywhere(server: Server) -> None:
    told = server.get("/models/talker").json["pricing"]
    assert told["type"] == "tokens"
    assert told["cents_per_input_token"] == pytest.approx(5e-6)
    assert told["cents_per_output_token"] == pytest.approx(2e-5)
    assert told["rate_per_input_token_cached"] == pytest.approx(0.2)
    metadata = server.get("/v1/openai/models/acme/talker").json["metadata"]
    assert metadata["pricing"] == pytest.approx(
        {"input_tokens": 0.05, "cache_read_tokens": 0.01, "output_tokens": 0.2}
    )
    assert (metadata["description"], metadata["tags"][-1]) == ("It talks.", "small")
    assert server.get("/models/acme/old").json["pricing"]["short"] == "free"


@pytest.mark.parametrize(
    ("type_", "price", "kind", "field", "cents"),
    [
        ("text-generation", Price.of("output_token", 1), "tokens", "cents_per_output_token", 1e-4),
        ("embeddings", Price.of("input_token", 1), "input_tokens", "cents_per_input_token", 1e-4),
        ("reranker", Price.of("input_token", 1), "input_tokens", "cents_per_input_token", 1e-4),
        ("text-to-image", Price.of("image", 3000), "image_units", "cents_per_image_unit", 0.3),
        ("automatic-speech-recognition", Price.of("second", 100), "input_length",
         "cents_per_input_sec", 0.01),
        ("text-to-speech", Price.of("character", 10), "input_character_length",
         "cents_per_input_chars", 0.001),
    ],
)  # fmt: skip
def test_each_kind_of_model_is_sold_in_its_own_way(
    type_: Any, price: Price, kind: str, field: str, cents: float
) -> None:
    told = msgspec.to_builtins(pricing(type_, [price]))
    assert told["type"] == kind
    assert told[field] == pytest.approx(cents)
    assert dollars([Price.of("image", 3000)]) == pytest.approx({"per_image_unit": 0.003})


def test_a_model_is_found_by_its_alias_and_at_a_version(server: Server) -> None:
    (version,) = server.get("/models/talker/versions").json
    assert version["model_name"] == "acme/talker"
    assert len(version["version"]) == 64
    digits = version["version"][:12]
    info = server.get(f"/models/acme%2Ftalker?version={digits}").json
    assert (info["model_name"], info["version"]) == ("acme/talker", version["version"])


def test_all_that_is_told_of_a_model_is_true(server: Server) -> None:
    info = msgspec.json.decode(server.get("/models/acme/talker").body, type=ModelInfoOut)
    assert (info.featured, info.public, info.owner) == (True, True, False)
    assert (info.meta.licence, info.meta.family, info.meta.aliases) == (
        "Apache-2.0", "acme", ["talker"],
    )  # fmt: skip
    assert (info.meta.engine, info.meta.state, info.meta.input_format) == ("fake", "ready", None)
    assert [each.key for each in info.schemas][:3] == [
        "default", "openai-chat-completions", "openai-completions",
    ]  # fmt: skip
    assert "http://127.0.0.1/v1/openai/chat/completions" in info.curl_inv
    assert server.chat(f"deploy_id:{info.meta.deploy_id}").json["model"] == "acme/talker"


def test_the_fields_of_a_model_are_those_that_it_honours(server: Server) -> None:
    listed = server.get("/v1/models/penstock/tiny-chat").json["penstock"]["endpoints"]
    for key, path in (
        ("openai-chat-completions", "chat/completions"),
        ("openai-completions", "completions"),
    ):
        told = msgspec.json.decode(
            server.get(f"/models/penstock/tiny-chat/schema/{key}").body, type=SchemaOut
        )
        top = [field.name for field in told.fields_in if field.parent is None]
        assert top == listed[path]
        assert told.schema_in is not None
        assert set(told.schema_in["properties"]) == set(top)
        assert not IGNORED.keys() & set(top)
        assert told.variant.url == f"http://127.0.0.1/v1/openai/{path}"
    fields = {(f.parent, f.name): f for f in told.fields_in}
    temperature = fields[None, "temperature"]
    assert (temperature.ftype, temperature.minimum, temperature.maximum) == ("number", 0, 2)
    assert fields["stream_options", "include_usage"].ftype == "boolean"


def test_the_input_format_is_what_the_model_reads(server: Server) -> None:
    """As a raw prompt it has as many tokens as the conversation itself, and the same answer."""
    model = "penstock/tiny-chat"
    info = server.get(f"/models/{model}").json
    prompt = info["meta"]["input_format"]
    assert "Tell me a joke." in prompt
    assert prompt in info["txt_docs"]
    assert server.get(f"/v1/models/{model}").json["penstock"]["input_format"] == prompt
    fixed = {"model": model, "temperature": 0, "max_tokens": 12}
    chat = server.post("chat/completions", {**fixed, "messages": SAMPLE}).json
    raw = server.post("completions", {**fixed, "prompt": prompt, "stop": ["<|im_end|>"]}).json
    assert raw["usage"]["prompt_tokens"] == chat["usage"]["prompt_tokens"]
    assert raw["choices"][0]["text"] == chat["choices"][0]["message"]["content"]


def test_families(server: Server) -> None:
    assert server.get("/model-families/names").json == ["acme", "heritage", "penstock"]
    family = server.get("/model-families/Acme").json
    assert (family["name"], family["featured_models"]) == ("acme", ["acme/talker"])
    (section,) = family["pp_sections_out"]
    assert [entry["model_name"] for entry in section["entries"]] == ["acme/talker"]


@pytest.mark.parametrize(
    "path",
    [
        "/models/nobody", "/models/nobody/versions", "/models/nobody/schema/default",
        "/models/acme/talker?version=" + "0" * 64, "/models/acme/talker?version=x",
        "/models/acme/talker/schema/openai-images", "/model-families/nobody",
        "/models/..%2f..%2fetc", "/models/" + "x" * 10_000, "/models/a%00b", "/models/%ff",
    ],
)  # fmt: skip
def test_what_nobody_knows_is_a_404_of_the_platform(server: Server, path: str) -> None:
    reply = server.get(path)
    assert reply.status == 404
    assert list(reply.json) == ["error"]
    assert 0 < len(reply.json["error"]) < 1000
