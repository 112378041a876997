"""`POST /v1/inference/{model}`: what a model does is told by the model, not by the path."""

import itertools
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any
from urllib.parse import parse_qs

import msgspec

from penstock.api.deepinfra.inference import (
    completion_request,
    cost_usd,
    data_url,
    embedding_request,
    generated,
    images_request,
    labelled,
    rerank_calls,
    rerank_request,
)
from penstock.api.deepinfra.inference_wire import (
    EmbeddingsIn,
    EmbeddingsOut,
    InferenceStatus,
    NativeAnswer,
    NativeRequest,
    RerankerIn,
    RerankerOut,
    StreamedError,
    StreamedText,
    StreamedToken,
    TextGenerationIn,
    TextGenerationOut,
    TextToImageIn,
    TextToImageOut,
    ZeroShotImageClassificationIn,
    ZeroShotImageClassificationOut,
)
from penstock.api.deepinfra.native_body import decode_native
from penstock.api.openai.completions import completion_job
from penstock.api.openai.embeddings import embedding_call
from penstock.api.openai.handlers import first_part, noted
from penstock.api.openai.images import image_calls
from penstock.api.openai.limits import check_length
from penstock.api.openai.pictures import PictureReader
from penstock.api.openai.request import check_request
from penstock.domain.classification import ClassificationCall
from penstock.domain.errors import InvalidRequest, PenstockError, UnsupportedParameter
from penstock.domain.event import Event, Finished, Reasoning, ScoredText, Text, end_of
from penstock.domain.key import Principal
from penstock.domain.model import Capabilities, Task
from penstock.domain.price import Price
from penstock.domain.usage import Usage, total
from penstock.engines.vectors import unpack
from penstock.gateway.deployment import Deployment
from penstock.gateway.pipeline import Gateway, Part, Parts, gathered
from penstock.gateway.resolve import DEPLOYMENT_PREFIX
from penstock.http.message import JSON, Answer, Request, Response, StreamingResponse

encode = msgspec.json.encode


class Asked(msgspec.Struct, frozen=True):
    """A native request on its way: who asks which deployment, what it can do, what it costs, since
    when. The prices are those of the beginning: by the end the model may be gone."""

    principal: Principal
    deployment: Deployment
    capabilities: Capabilities
    prices: tuple[Price, ...]
    began_s: float


class Way(msgspec.Struct, frozen=True):
    """A task that is asked for natively."""

    task: Task
    takes: type[NativeRequest]
    serve: Callable[[Any, Asked], Awaitable[Answer]]


class InferenceHandlers:
    """Errors are raised as PenstockError; the route spells them in DeepInfra's native way."""

    def __init__(self, gateway: Gateway, *, max_body_bytes: int, pictures: PictureReader) -> None:
        self._gateway = gateway
        self._max_body_bytes = max_body_bytes
        self._pictures = pictures
        self._random = os.urandom(6).hex()
        self._count = itertools.count()
        #: The first that a model does is what it is asked for.
        self._ways = (
            Way("completions", TextGenerationIn, self._generate),
            Way("embeddings", EmbeddingsIn, self._embed),
            Way("rerank", RerankerIn, self._rerank),
            Way("images", TextToImageIn, self._draw),
            Way("zero_shot_image_classification", ZeroShotImageClassificationIn, self._classify),
        )

    async def infer(self, http: Request, principal: Principal, model: str) -> Answer:
        version = parse_qs(http.query).get("version", [""])[-1]
        return await self._ask(http, principal, f"{model}:{version}" if version else model)

    async def infer_by_deployment(
        self, http: Request, principal: Principal, deploy_id: str
    ) -> Answer:
        return await self._ask(http, principal, f"{DEPLOYMENT_PREFIX}{deploy_id}")

    async def _ask(self, http: Request, principal: Principal, name: str) -> Answer:
        began_s = time.perf_counter()
        deployment = self._gateway.catalogue.resolve(name, principal)
        capabilities = await self._gateway.capabilities(deployment)
        way = next((way for way in self._ways if way.task in capabilities.tasks), None)
        if way is None:
            raise UnsupportedParameter(
                f"{name!r} is not asked natively: it does {', '.join(sorted(capabilities.tasks))}.",
                param="model",
            )
        request = decode_native(way.takes, http, self._max_body_bytes)
        if request.webhook is not None:
            raise UnsupportedParameter(
                "Unsupported parameter: 'webhook'. Wait for the answer.", param="webhook"
            )
        entry = self._gateway.catalogue.entry(deployment.model.name.partition(":")[0], principal)
        asked = Asked(principal, deployment, capabilities, entry.prices, began_s)
        return await way.serve(request, asked)

    # -- the tasks -------------------------------------------------------------------------

    async def _generate(self, request: TextGenerationIn, asked: Asked) -> Answer:
        openai = completion_request(request, asked.deployment.model.name)
        check_request(openai, asked.deployment, asked.capabilities, "completions")
        if request.stream and request.num_responses not in (None, 1):
            raise InvalidRequest("A stream has one response.", param="num_responses")
        if request.stream and "logprobs" in asked.capabilities.attributes:
            openai = msgspec.structs.replace(openai, logprobs=0)
        job = completion_job(
            openai, asked.capabilities, asked.principal.account_id, asked.deployment.adapter
        )
        if request.stream:
            parts = self._gateway.generate(asked.principal, asked.deployment, job)
            first = await first_part(parts)
            return noted(
                StreamingResponse(chunks=self._streamed(first, parts, asked)), asked.deployment
            )
        answers = await self._gateway.complete(asked.principal, asked.deployment, job)
        usage = total({at: end_of(events).usage for at, events in enumerate(answers)}, job.prompts)
        return answered(
            asked,
            TextGenerationOut(
                **self._envelope(asked, usage),
                results=generated(answers),
                num_tokens=usage.completion_tokens,
                num_input_tokens=usage.prompt_tokens,
            ),
        )

    async def _embed(self, request: EmbeddingsIn, asked: Asked) -> Answer:
        openai = embedding_request(request, asked.deployment.model.name)
        check_request(openai, asked.deployment, asked.capabilities, "embeddings")
        call = embedding_call(openai, asked.capabilities)
        vectors = await self._gateway.embed(asked.principal, asked.deployment, call)
        usage = Usage(prompt_tokens=vectors.prompt_tokens)
        return answered(
            asked,
            EmbeddingsOut(
                **self._envelope(asked, usage),
                embeddings=[unpack(row) for row in vectors.rows],
                input_tokens=vectors.prompt_tokens,
            ),
        )

    async def _rerank(self, request: RerankerIn, asked: Asked) -> Answer:
        openai = rerank_request(request, asked.deployment.model.name)
        check_request(openai, asked.deployment, asked.capabilities, "rerank")
        calls = rerank_calls(request, asked.capabilities)
        scores = await gathered(
            self._gateway.rerank(asked.principal, asked.deployment, call) for call in calls
        )
        usage = Usage(prompt_tokens=sum(each.prompt_tokens for each in scores))
        return answered(
            asked,
            RerankerOut(
                **self._envelope(asked, usage),
                scores=[value for each in scores for value in each.values],
                input_tokens=usage.prompt_tokens,
            ),
        )

    async def _draw(self, request: TextToImageIn, asked: Asked) -> Answer:
        openai = images_request(request, asked.deployment.model.name)
        check_request(openai, asked.deployment, asked.capabilities, "images")
        calls = image_calls(openai, asked.capabilities)
        pictures = await self._gateway.draw(asked.principal, asked.deployment, calls)
        return answered(
            asked,
            TextToImageOut(
                **self._envelope(asked, Usage(), images=len(pictures)),
                images=[data_url(picture) for picture in pictures],
                seed=calls[0].seed,
            ),
        )

    async def _classify(self, request: ZeroShotImageClassificationIn, asked: Asked) -> Answer:
        for label in request.candidate_labels:
            check_length(len(label), asked.capabilities.max_input_tokens, "candidate_labels")
        picture = await self._pictures.data_of(request.image, "image")
        call = ClassificationCall(picture=picture, labels=tuple(request.candidate_labels))
        likelihoods = await self._gateway.classify(asked.principal, asked.deployment, call)
        usage = Usage(prompt_tokens=likelihoods.prompt_tokens)
        return answered(
            asked,
            ZeroShotImageClassificationOut(
                **self._envelope(asked, usage), results=labelled(request, likelihoods)
            ),
        )

    # -- answers ---------------------------------------------------------------------------

    def _envelope(self, asked: Asked, usage: Usage, *, images: int = 0) -> dict[str, Any]:
        return {
            "request_id": f"R{self._random}{next(self._count):011d}",
            "inference_status": InferenceStatus(
                runtime_ms=round((time.perf_counter() - asked.began_s) * 1000),
                cost=cost_usd(asked.prices, usage, images=images),
                tokens_generated=usage.completion_tokens or None,
                tokens_input=usage.prompt_tokens or None,
            ),
        }

    async def _streamed(
        self, first: Part, parts: Parts, asked: Asked
    ) -> AsyncGenerator[bytes, None]:
        """An event a token, one with the whole text, `[DONE]`; an error is the last event."""
        text = ""
        async with aclosing(parts):
            try:
                async for event in events_of(first, parts):
                    if isinstance(event, Finished):
                        yield sse(self._end(text, event, asked))
                    for token in tokens_of(event):
                        text += token.text
                        yield sse(StreamedText(token=token))
            except PenstockError as error:
                yield sse(StreamedError(error.type, error.message))
        yield b"data: [DONE]\n\n"

    def _end(self, text: str, end: Finished, asked: Asked) -> StreamedText:
        return StreamedText(
            generated_text=text,
            details={"finish_reason": end.reason},
            num_output_tokens=end.usage.completion_tokens,
            num_input_tokens=end.usage.prompt_tokens,
            estimated_cost=cost_usd(asked.prices, end.usage),
        )


def answered(asked: Asked, answer: NativeAnswer) -> Answer:
    return Response(headers=JSON + asked.deployment.notice, body=encode(answer))


async def events_of(first: Part, parts: Parts) -> AsyncGenerator[Event, None]:
    for event in first.events:
        yield event
    async for part in parts:
        for event in part.events:
            yield event


def tokens_of(event: Event) -> list[StreamedToken]:
    """A token each; a text whose tokens are cut inside its characters is one."""
    if isinstance(event, Text | Reasoning):
        return [StreamedToken(event.text)]
    if not isinstance(event, ScoredText):
        return []
    if "".join(score.token for score in event.logprobs) != event.text:
        return [StreamedToken(event.text)]
    return [StreamedToken(score.token, score.logprob) for score in event.logprobs]


def sse(event: StreamedText | StreamedError) -> bytes:
    return b"data: " + encode(event) + b"\n\n"
