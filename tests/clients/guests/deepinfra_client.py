# /// script
# requires-python = ">=3.11"
# dependencies = ["deepinfra==0.3.0", "pytest==9.2.0"]
# ///
"""DeepInfra's own package: its client for the platform's routes, and its inference wrappers."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from deepinfra import (
    APIStatusError,
    AuthenticationError,
    ConflictError,
    DeepInfraClient,
    Embeddings,
    NotFoundError,
    RequestSpec,
    TextGeneration,
    TextToImage,
)
from place import API_KEY, BASE_URL, CHAT, EMBED

ROOT = BASE_URL.removesuffix("/v1")


@pytest.fixture
def client() -> Iterator[DeepInfraClient]:
    client = DeepInfraClient(API_KEY, base_url=ROOT)
    yield client
    client.close()


def ask(client: DeepInfraClient, method: str, path: str, **more: object) -> object:
    return client.request(RequestSpec(method, path, **more)).json()


def inference(model: str) -> str:
    return f"{ROOT}/v1/inference/{model}"


# -- the catalogue ----------------------------------------------------------------------------


def test_the_catalogue_is_listed_with_and_without_a_key(client: DeepInfraClient) -> None:
    models = {model["model_name"]: model for model in ask(client, "GET", "/models/list")}
    assert models[CHAT]["type"] == "text-generation"
    assert models[EMBED]["type"] == "embeddings"
    assert models[CHAT]["pricing"]["type"] == "tokens"
    stranger = DeepInfraClient("none", base_url=ROOT)
    assert ask(stranger, "GET", "/models/list")
    assert ask(stranger, "GET", "/model-families/names") == ["penstock"]
    stranger.close()


def test_a_model_tells_all_of_itself(client: DeepInfraClient) -> None:
    info = ask(client, "GET", f"/models/{CHAT}")
    (version,) = ask(client, "GET", f"/models/{CHAT}/versions")
    assert info["version"] == version["version"]
    at = ask(client, "GET", f"/models/{CHAT}", params={"version": version["version"]})
    assert at["version"] == version["version"]
    schema = ask(client, "GET", f"/models/{CHAT}/schema/openai-completions")
    assert "prompt" in {field["name"] for field in schema["fields_in"]}


def test_the_catalogue_is_read_asynchronously_too() -> None:
    async def read() -> list[object]:
        client = DeepInfraClient(API_KEY, base_url=ROOT)
        answer = await client.arequest(RequestSpec("GET", "/models/list"))
        await client.aclose()
        return answer.json()

    assert asyncio.run(read())


# -- deployments ------------------------------------------------------------------------------


def test_a_deployment_from_its_making_to_its_end(client: DeepInfraClient) -> None:
    body = {"model_name": "sdk-test", "gpu": "other", "base_model": CHAT}
    made = ask(client, "POST", "/deploy/llm", json=body)
    id_ = made["deploy_id"]
    try:
        with pytest.raises(ConflictError, match=made["model_name"]):
            ask(client, "POST", "/deploy/llm", json=body)
        # Called before it runs, by id and by name: the request waits for it.
        early = TextGeneration(inference(f"deploy/{id_}"), API_KEY)
        assert early.generate({"input": "Hello", "max_new_tokens": 4}).results
        named = TextGeneration(inference(made["model_name"]), API_KEY)
        assert named.generate({"input": "Hello", "max_new_tokens": 4}).results
        while (now := ask(client, "GET", f"/deploy/{id_}"))["status"] != "running":
            assert now["status"] in ("initializing", "downloading", "deploying")
            time.sleep(0.1)
        assert now["instances"] == {"running": 1, "pending": 0}
        assert len(now["version"]) == 64
        listed = ask(client, "GET", "/deploy/list", params={"status": "running"})
        assert id_ in {each["deploy_id"] for each in listed}
        changed = {"settings": {"min_instances": 0, "max_instances": 1}}
        assert ask(client, "PUT", f"/deploy/{id_}", json=changed) == {"deploy_id": id_}
        told = ask(client, "GET", f"/deploy/{id_}/stats2", params={"from": "now-1h"})
        assert told["llm"]["requests"] == 2
        asked = {"deploy_id": id_}
        while not ask(client, "GET", "/v1/deployment_logs/query", params=asked)["entries"][id_]:
            time.sleep(0.1)  # the log is written twice a second
        assert ask(client, "POST", f"/deploy/{id_}/stop") == {"deploy_id": id_}
        assert ask(client, "POST", f"/deploy/{id_}/start") == {"deploy_id": id_}
    finally:
        assert ask(client, "DELETE", f"/deploy/{id_}") == {"deploy_id": id_}
    assert ask(client, "GET", f"/deploy/{id_}")["status"] == "deleted"
    with pytest.raises(NotFoundError, match="does not exist"):
        named.generate({"input": "Hello"})


# -- inference --------------------------------------------------------------------------------


def test_text_is_generated() -> None:
    answer = TextGeneration(inference(CHAT), API_KEY).generate(
        {"input": "Once upon a time", "max_new_tokens": 8}
    )
    assert answer.results[0]["generated_text"]
    assert 1 <= answer.num_tokens <= 8
    assert answer.num_input_tokens > 0
    assert answer.inference_status["status"] == "succeeded"


def test_texts_become_vectors() -> None:
    answer = Embeddings(inference(EMBED), API_KEY).generate({"inputs": ["one", "two"]})
    one, two = answer.embeddings
    assert len(one) == len(two) > 0
    assert answer.input_tokens > 0


def test_pictures_are_drawn() -> None:
    drawer = TextToImage(inference("penstock/tiny-draw"), API_KEY)
    answer = drawer.generate({"prompt": "a red circle", "width": 64, "height": 64, "seed": 1})
    assert answer.images[0].startswith("data:image/png;base64,")


# -- errors -----------------------------------------------------------------------------------


def test_errors_are_the_packages_own_with_our_sentence(client: DeepInfraClient) -> None:
    with pytest.raises(NotFoundError, match="no deployment 'nobody'"):
        ask(client, "GET", "/deploy/nobody")
    with pytest.raises(NotFoundError, match="'nobody' does not exist"):
        ask(client, "GET", "/models/nobody")
    with pytest.raises(APIStatusError, match="gpu") as raised:
        ask(client, "POST", "/deploy/llm", json={"model_name": "x", "gpu": "Z", "base_model": CHAT})
    assert raised.value.status_code == 422
    with pytest.raises(AuthenticationError, match="Incorrect API key"):
        ask(DeepInfraClient("wrong", base_url=ROOT), "GET", "/deploy/list")
    with pytest.raises(NotFoundError, match="does not exist"):
        TextGeneration(inference("nobody"), API_KEY).generate({"input": "Hello"})


def test_errors_of_inference_are_the_packages_own() -> None:
    with pytest.raises(AuthenticationError):
        TextGeneration(inference(CHAT), "wrong").generate({"input": "x"})
    with pytest.raises(APIStatusError, match="does not exist") as missing:
        TextGeneration(inference("no/such"), API_KEY).generate({"input": "x"})
    assert missing.value.status_code == 404
    with pytest.raises(APIStatusError, match="max_new_tokens") as wrong:
        TextGeneration(inference(CHAT), API_KEY).generate({"input": "x", "max_new_tokens": 0})
    assert wrong.value.status_code == 422
