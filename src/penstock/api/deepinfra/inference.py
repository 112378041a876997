"""DeepInfra's native inference: native request -> OpenAI's for the same task, and back.

So that both ways to ask have the same checks, limits and bills.
"""

import base64
from collections.abc import Iterable, Sequence

from penstock.api.deepinfra.inference_wire import (
    EmbeddingsIn,
    GeneratedText,
    LabelScore,
    RerankerIn,
    TextGenerationIn,
    TextToImageIn,
    ZeroShotImageClassificationIn,
)
from penstock.api.openai.limits import check_length
from penstock.api.openai.wire import (
    CompletionRequest,
    EmbeddingRequest,
    ImagesRequest,
    JsonObjectFormat,
    RerankRequest,
)
from penstock.domain.classification import Likelihoods
from penstock.domain.errors import InvalidRequest
from penstock.domain.event import Event, Reasoning, ScoredText, Text
from penstock.domain.model import Capabilities
from penstock.domain.price import Price
from penstock.domain.rerank import RerankCall
from penstock.domain.usage import Usage

DEFAULT_NEW_TOKENS = 512
DEFAULT_SIDE = 1024


def completion_request(request: TextGenerationIn, model: str) -> CompletionRequest:
    wants_json = request.response_format is not None and request.response_format.type != "text"
    return CompletionRequest(
        model=model,
        prompt=request.input,
        max_tokens=request.max_new_tokens or DEFAULT_NEW_TOKENS,
        temperature=request.temperature,
        top_p=request.top_p,
        min_p=request.min_p,
        top_k=request.top_k,
        repetition_penalty=request.repetition_penalty,
        presence_penalty=request.presence_penalty,
        frequency_penalty=request.frequency_penalty,
        stop=request.stop or None,
        n=request.num_responses,
        response_format=JsonObjectFormat() if wants_json else None,
        seed=request.seed,
        user=request.user,
        stream=request.stream,
    )


def embedding_request(request: EmbeddingsIn, model: str) -> EmbeddingRequest:
    return EmbeddingRequest(model=model, input=[*request.inputs], dimensions=request.dimensions)


def images_request(request: TextToImageIn, model: str) -> ImagesRequest:
    sides = (request.width or DEFAULT_SIDE, request.height or DEFAULT_SIDE)
    sized = request.width is not None or request.height is not None
    return ImagesRequest(
        model=model,
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        size=f"{sides[0]}x{sides[1]}" if sized else None,
        n=request.num_images,
        num_inference_steps=request.num_inference_steps,
        guidance_scale=request.guidance_scale,
        seed=request.seed,
    )


def rerank_calls(request: RerankerIn, capabilities: Capabilities) -> list[RerankCall]:
    """One call a run of documents with the same query, in order. Raises InvalidRequest and kin."""
    queries = queries_of(request)
    calls: list[RerankCall] = []
    for query, document in zip(queries, request.documents, strict=True):
        check_length(len(query) + len(document), capabilities.max_input_tokens, "documents")
        if calls and calls[-1].query == query:
            documents = (*calls.pop().documents, document)
            calls.append(RerankCall(query=query, documents=documents))
        else:
            calls.append(RerankCall(query=query, documents=(document,)))
    return calls


def queries_of(request: RerankerIn) -> Sequence[str]:
    """A query for each document. Raises InvalidRequest."""
    queries = request.queries if request.queries is not None else request.query
    if queries is None or (request.queries is not None and request.query is not None):
        raise InvalidRequest("Give 'queries', or one 'query'.", param="queries")
    number = len(request.documents)
    if isinstance(queries, str):
        return [queries] * number
    if len(queries) == 1:
        return queries * number
    if len(queries) != number:
        raise InvalidRequest(
            f"There are {len(queries)} 'queries' and {number} 'documents': give as many, or one "
            "query.",
            param="queries",
        )
    return queries


def rerank_request(request: RerankerIn, model: str) -> RerankRequest:
    """What is looked at for its fields only."""
    return RerankRequest(model=model, query="-", documents=list(request.documents))


def generated(answers: Iterable[Sequence[Event]]) -> list[GeneratedText]:
    return [GeneratedText(text_of(events)) for events in answers]


def text_of(events: Iterable[Event]) -> str:
    return "".join(e.text for e in events if isinstance(e, Text | ScoredText | Reasoning))


def labelled(request: ZeroShotImageClassificationIn, likelihoods: Likelihoods) -> list[LabelScore]:
    """The best first; equal ones stay in the order of the request."""
    pairs = zip(request.candidate_labels, likelihoods.values, strict=True)
    return sorted((LabelScore(label, score) for label, score in pairs), key=lambda r: -r.score)


def data_url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def cost_usd(prices: Iterable[Price], usage: Usage, *, images: int = 0) -> float:
    """What the work costs by the model's prices."""
    by_unit = {price.unit: price.usd_per_unit for price in prices}
    cached = usage.cached_tokens
    cost = (
        (usage.prompt_tokens - cached) * by_unit.get("input_token", 0.0)
        + cached * by_unit.get("cached_input_token", by_unit.get("input_token", 0.0))
        + usage.completion_tokens * by_unit.get("output_token", 0.0)
        + images * by_unit.get("image", 0.0)
    )
    return round(cost, 12)
