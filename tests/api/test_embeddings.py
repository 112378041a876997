"""Embeddings over every form of input and of vector, on each engine that makes them."""

import base64
import itertools
import math
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import gguf
import pytest
from gguf_files import as_embedder
from openai import BadRequestError, OpenAI
from rawhttp import Reply
from serving import Server, serving

WORDS = ("boat", "sea", "bird", "red", "blue", "wide", "sails", "sings")
#: Of very unequal lengths, so that padding would show; none begins as another does, since the first
#: token of a model that only looks back (pooling "cls") is all that its vector knows.
TEXTS = [
    " ".join(itertools.islice(itertools.cycle(WORDS), at, at + length))
    for at, length in enumerate((1, 90, 3, 40, 2, 17))
]
POOLINGS = {
    "mean": gguf.PoolingType.MEAN,
    "cls": gguf.PoolingType.CLS,
    "last": gguf.PoolingType.LAST,
}
TINY = "penstock/tiny-embed"
MODELS = (TINY, *POOLINGS)
#: Batches and single calls may differ by the rounding of 8-bit weights, not by more.
SAME_COSINE = 0.999


@pytest.fixture(scope="module")
def embedders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The bundled embedder (onnx), and the bundled chat model as GGUF embedders (llama.cpp)."""
    home = tmp_path_factory.mktemp("embedders")
    files = [
        f"{name}={as_embedder(home / f'{name}.gguf', pooling)}"
        for name, pooling in POOLINGS.items()
    ]
    with serving(TINY, *files, home=home) as server:
        yield server


@pytest.fixture
def client(embedders: Server) -> OpenAI:
    return OpenAI(base_url=embedders.url, api_key=embedders.key, max_retries=0)


EVERY_MODEL = pytest.mark.parametrize("model", MODELS)


def embed(server: Server, model: str, given: Any, **more: Any) -> Reply:
    return server.post("embeddings", {"model": model, "input": given, **more})


def rows(reply: Reply) -> list[list[float]]:
    assert reply.status == 200, reply.body
    assert [row["index"] for row in reply.json["data"]] == list(range(len(reply.json["data"])))
    return [row["embedding"] for row in reply.json["data"]]


def cosine(a: list[float], b: list[float]) -> float:
    return math.fsum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))


@EVERY_MODEL
def test_a_batch_equals_its_texts_alone_in_order_and_is_of_unit_length(
    embedders: Server, model: str
) -> None:
    together = rows(embed(embedders, model, TEXTS))
    alone = [rows(embed(embedders, model, text))[0] for text in TEXTS]
    for a, b in zip(together, alone, strict=True):
        assert cosine(a, b) > SAME_COSINE
        assert math.hypot(*a) == pytest.approx(1, abs=1e-5)
    for a, b in itertools.combinations(together, 2):
        assert a != b, "different texts have different vectors"


@EVERY_MODEL
def test_many_clients_at_once_get_their_own_vectors(embedders: Server, model: str) -> None:
    alone = [rows(embed(embedders, model, text))[0] for text in TEXTS]
    with ThreadPoolExecutor(12) as pool:
        replies = pool.map(lambda text: rows(embed(embedders, model, text))[0], TEXTS * 4)
    for vector, expected in zip(replies, alone * 4, strict=True):
        assert cosine(vector, expected) > SAME_COSINE


@EVERY_MODEL
def test_base64_is_little_endian_float32_of_the_same_numbers(embedders: Server, model: str) -> None:
    floats = rows(embed(embedders, model, TEXTS[:2], encoding_format="float"))
    packed = embed(embedders, model, TEXTS[:2], encoding_format="base64").json["data"]
    for row, numbers in zip(packed, floats, strict=True):
        data = base64.b64decode(row["embedding"], validate=True)
        assert list(struct.unpack(f"<{len(data) // 4}f", data)) == pytest.approx(numbers, abs=1e-7)


@EVERY_MODEL
def test_the_official_clients_default_and_a_null_give_the_same(client: OpenAI, model: str) -> None:
    default = client.embeddings.create(model=model, input=TEXTS[0])
    null = client.post(
        "/embeddings",
        body={"model": model, "input": TEXTS[0], "encoding_format": None, "dimensions": None},
        cast_to=object,
    )
    assert isinstance(null, dict)
    assert default.data[0].embedding == pytest.approx(null["data"][0]["embedding"], abs=1e-7)


@EVERY_MODEL
def test_token_ids_are_taken_as_they_are_in_both_forms(embedders: Server, model: str) -> None:
    single = embed(embedders, model, [7, 8, 9])
    several = embed(embedders, model, [[7, 8, 9], [5]])
    assert cosine(rows(single)[0], rows(several)[0]) > SAME_COSINE
    assert single.json["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    assert several.json["usage"] == {"prompt_tokens": 4, "total_tokens": 4}


@EVERY_MODEL
def test_usage_is_the_sum_of_the_inputs(embedders: Server, model: str) -> None:
    alone = [embed(embedders, model, text).json["usage"]["prompt_tokens"] for text in TEXTS]
    usage = embed(embedders, model, TEXTS).json["usage"]
    assert usage == {"prompt_tokens": sum(alone), "total_tokens": sum(alone)}
    assert alone[1] > alone[0] > 0


@EVERY_MODEL
@pytest.mark.parametrize("text", [" ", "\n", "東京 🙂", "\0", "[CLS]", "<|im_end|>", "a" * 300])
def test_unusual_texts_have_a_vector(embedders: Server, model: str, text: str) -> None:
    (vector,) = rows(embed(embedders, model, text))
    assert math.hypot(*vector) == pytest.approx(1, abs=1e-5)


@EVERY_MODEL
def test_2048_inputs_are_taken_and_one_more_is_not(embedders: Server, model: str) -> None:
    assert len(rows(embed(embedders, model, ["a"] * 2048))) == 2048
    reply = embed(embedders, model, ["a"] * 2049)
    assert (reply.status, reply.error["param"]) == (400, "input")
    assert "2048" in reply.error["message"]


@EVERY_MODEL
def test_an_input_longer_than_the_model_reads_is_400_for_all(embedders: Server, model: str) -> None:
    limit = embedders.get(f"/v1/models/{model}").json["penstock"]["max_input_tokens"]
    assert embed(embedders, model, [5] * limit).status == 200
    for given in ([5] * (limit + 1), [[5], [5] * (limit + 1)], ["a", "a b " * limit]):
        reply = embed(embedders, model, given)
        assert (reply.status, reply.error["code"]) == (400, "context_length_exceeded")
        assert reply.error["param"] == "input"


@EVERY_MODEL
@pytest.mark.parametrize("ids", [[2**31 - 1], [[1], [10**6]], [10**18]])
def test_an_id_outside_the_vocabulary_is_400(embedders: Server, model: str, ids: Any) -> None:
    reply = embed(embedders, model, ids)
    assert (reply.status, reply.error["param"]) == (400, "input")
    assert "vocabulary" in reply.error["message"]


@EVERY_MODEL
def test_dimensions_are_the_models_own_or_refused(client: OpenAI, model: str) -> None:
    whole = client.embeddings.create(model=model, input="hello")
    length = len(whole.data[0].embedding)
    same = client.embeddings.create(model=model, input="hello", dimensions=length)
    assert same.data == whole.data
    for wanted in (1, length - 1, length + 1, 100_000):
        with pytest.raises(BadRequestError, match=str(length)) as caught:
            client.embeddings.create(model=model, input="hello", dimensions=wanted)
        assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "dimensions")


def test_where_a_model_may_be_cut_the_shorter_vector_is_the_beginning_made_unit(
    fake_server: Server,
) -> None:
    (whole,) = rows(embed(fake_server, "fast", "hello there"))
    for length in range(1, len(whole) + 1):
        (cut,) = rows(embed(fake_server, "fast", "hello there", dimensions=length))
        norm = math.hypot(*whole[:length])
        assert cut == pytest.approx([x / norm for x in whole[:length]], abs=1e-6)


def test_a_chat_model_makes_no_embeddings(bundled_server: Server) -> None:
    reply = embed(bundled_server, "penstock/tiny-chat", "hello")
    assert (reply.status, reply.error["code"]) == (400, "unsupported_parameter")
    assert reply.error["param"] == "model"
