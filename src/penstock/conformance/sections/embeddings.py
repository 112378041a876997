"""Vectors that stand for texts."""

import base64
import math
import struct
from typing import Any

from penstock.conformance.check import Skipped, check, expect, expect_none
from penstock.conformance.schema import complaints, null_complaints
from penstock.conformance.subject import Subject, official

TEXTS = [
    "The mill stands by the river.",
    "A short one",
    "An engineer is patient, and this sentence is a good deal longer than the other two are.",
]
IDS = [100, 200, 300]
#: Two vectors of the same text, made in batches of different sizes, are at least so alike.
ALIKE = 0.999


@check
def answer_fits_the_schema(subject: Subject) -> None:
    """An answer fits OpenAI's schema, with numbers where base64 was not asked for.

    Source: OpenAI's schema CreateEmbeddingResponse.
    """
    for fields in ({}, {"encoding_format": "float"}):
        answer = subject.embed("Hello", **fields)
        expect_none(complaints(answer, "CreateEmbeddingResponse")[:3])
        expect_none(null_complaints(answer, "CreateEmbeddingResponse")[:3])


@check
def official_client_embeds(subject: Subject) -> None:
    """The official client, which asks for base64 by itself, gets the vector that floats give.

    Source: openai-python, embeddings.create: base64 of little-endian float32.
    """
    plain = _vectors(subject.embed("Hello", encoding_format="float"))[0]
    with official():
        answer = subject.client.embeddings.create(
            model=subject.models.of("embeddings"), input="Hello"
        )
    own = list(answer.data[0].embedding)
    expect(len(own) == len(plain), f"{len(own)} numbers, and {len(plain)} as floats")
    expect(cosine(own, plain) > ALIKE, f"cosine {cosine(own, plain):.3f} with the floats")


@check
def base64_is_honoured_or_refused(subject: Subject) -> None:
    """With encoding_format base64 the vector is base64, never a list: openai-node cannot tell.

    Source: OpenAI API reference, encoding_format; openai-node decodes without looking.
    """
    reply = subject.post("/embeddings", subject.embedding_body("Hello", encoding_format="base64"))
    if reply.status == 400:
        return
    expect(reply.status == 200, f"status {reply.status}: {reply.complaint}")
    found = reply.json["data"][0]["embedding"]
    expect(isinstance(found, str), f"it is a {type(found).__name__}")
    packed = base64.b64decode(found)
    plain = _vectors(subject.embed("Hello", encoding_format="float"))[0]
    expect(len(packed) == 4 * len(plain), f"{len(packed)} bytes for {len(plain)} numbers")
    vector = list(struct.unpack(f"<{len(plain)}f", packed))
    expect(cosine(vector, plain) > ALIKE, "it is another vector")


@check
def lists_keep_their_order(subject: Subject) -> None:
    """A list gets a vector for each text, in order, with its index.

    Source: OpenAI's schema Embedding, index.
    """
    data = subject.embed(TEXTS)["data"]
    indices = [item["index"] for item in data]
    expect(indices == [0, 1, 2], f"indices {indices}")


@check
def batch_equals_single(subject: Subject) -> None:
    """A text's vector does not depend on what else is in the list.

    Source: OpenAI API reference, input: to embed multiple inputs in a single request.
    """
    together = _vectors(subject.embed(TEXTS))
    likeness = [
        cosine(vector, _vectors(subject.embed(text))[0])
        for text, vector in zip(TEXTS, together, strict=True)
    ]
    expect(min(likeness) > ALIKE, f"cosines {[round(each, 3) for each in likeness]}")


@check
def texts_get_different_vectors(subject: Subject) -> None:
    """Different texts get different vectors.

    Source: OpenAI guide, embeddings.
    """
    one, other, _ = _vectors(subject.embed(TEXTS))
    expect(cosine(one, other) < ALIKE, "two different texts have the same vector")


@check
def vectors_have_length_one(subject: Subject) -> None:
    """Vectors have length 1.

    Source: OpenAI guide, embeddings: normalized to length 1.
    """
    lengths = [math.sqrt(sum(x * x for x in v)) for v in _vectors(subject.embed(TEXTS))]
    expect(all(abs(length - 1) < 0.01 for length in lengths), f"lengths {lengths}")


@check
def token_ids_are_an_input(subject: Subject) -> None:
    """A list of token ids is one input, and a list of lists several.

    Source: OpenAI API reference, input: array of tokens; LangChain sends them by default.
    """
    one = _vectors(subject.embed(IDS))
    expect(len(one) == 1, f"{len(one)} vectors for one list of ids")
    two = _vectors(subject.embed([IDS, IDS[:2]]))
    expect(len(two) == 2, f"{len(two)} vectors for two lists of ids")
    expect(cosine(one[0], two[0]) > ALIKE, "the same ids have another vector in a list")


@check
def dimensions_are_honoured_or_refused(subject: Subject) -> None:
    """`dimensions` gives a vector of that length, of length 1, or is refused; never ignored.

    Source: OpenAI API reference, dimensions.
    """
    reply = subject.post("/embeddings", subject.embedding_body("Hello", dimensions=32))
    if reply.status == 400:
        return
    expect(reply.status == 200, f"status {reply.status}: {reply.complaint}")
    vector = _vectors(reply.json)[0]
    expect(len(vector) == 32, f"{len(vector)} numbers for 32")
    length = math.sqrt(sum(x * x for x in vector))
    expect(abs(length - 1) < 0.01, f"its length is {length:.3f}")


@check
def usage_is_the_sum(subject: Subject) -> None:
    """The prompt tokens of a list are those of its texts together, and all there are.

    Source: OpenAI's schema CreateEmbeddingResponse, usage.
    """
    alone = [subject.embed(text)["usage"]["prompt_tokens"] for text in TEXTS]
    usage = subject.embed(TEXTS)["usage"]
    count, total = usage["prompt_tokens"], usage["total_tokens"]
    expect(count == sum(alone), f"{count} together, {alone} alone")
    expect(total == count, f"total_tokens {total}, prompt_tokens {count}")


@check
def wrong_inputs_are_refused(subject: Subject) -> None:
    """Nothing, empty texts, mixed lists and other types are refused.

    Source: OpenAI API reference, input: cannot be an empty string.
    """
    inputs: dict[str, object] = {
        '""': "",
        "[]": [],
        '[""]': [""],
        '["a", ""]': ["a", ""],
        "null": None,
        "5": 5,
        "mixed": ["a", [1]],
        "[[]]": [[]],
        "-1": [[-1]],
        "1.5": [1.5],
        "an object": {"a": 1},
    }
    bodies = {label: subject.embedding_body(each) for label, each in inputs.items()}
    expect_none(subject.accepted("/embeddings", bodies))


@check
def wrong_formats_are_refused(subject: Subject) -> None:
    """An unknown encoding_format, and dimensions of 0 or of text, are refused.

    Source: OpenAI's schema CreateEmbeddingRequest.
    """
    fields: dict[str, dict[str, object]] = {
        "encoding_format hex": {"encoding_format": "hex"},
        "dimensions 0": {"dimensions": 0},
        "dimensions of text": {"dimensions": "many"},
    }
    bodies = {label: subject.embedding_body("Hello", **each) for label, each in fields.items()}
    expect_none(subject.accepted("/embeddings", bodies))


@check
def too_many_inputs_are_refused(subject: Subject) -> None:
    """More than 2048 texts are refused.

    Source: OpenAI API reference, input: 2048 dimensions or less in an array.
    """
    body = subject.embedding_body(["a"] * 2049)
    expect_none(subject.accepted("/embeddings", {"2049 texts": body}))


@check
def too_long_input_is_refused(subject: Subject) -> None:
    """A text longer than the model reads is refused with 400, neither cut nor a 500.

    Source: OpenAI API reference, input: must not exceed the max input tokens for the model.
    """
    body = subject.embedding_body("river " * 100_000)
    expect_none(subject.accepted("/embeddings", {"100,000 words": body}))


@check
def embedder_does_not_chat(subject: Subject) -> None:
    """A chat to a model that only embeds is refused with 4xx, not with 500.

    Source: OpenAI API reference, errors: a wrong request is a 4xx.
    """
    model = subject.models.of("embeddings")
    if model == subject.models.chat:
        raise Skipped("this model chats, too")
    reply = subject.post("/chat/completions", subject.chat_body(model=model))
    expect(400 <= reply.status < 500, f"status {reply.status}")


def _vectors(answer: Any) -> list[list[float]]:
    vectors = [item["embedding"] for item in answer["data"]]
    expect(all(isinstance(v, list) and v for v in vectors), "an embedding is no list of numbers")
    return vectors


def cosine(one: list[float], other: list[float]) -> float:
    """How alike two vectors are, from -1 to 1."""
    product = sum(x * y for x, y in zip(one, other, strict=True))
    lengths = math.sqrt(sum(x * x for x in one) * sum(y * y for y in other))
    return product / lengths if lengths else 0.0
