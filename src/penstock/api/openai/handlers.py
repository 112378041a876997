"""OpenAI's endpoints: a sentence each, over what the other files know."""

from urllib.parse import unquote

import msgspec

from penstock.api.body import decode
from penstock.api.openai.chat import ChatChunkWriter, ChatFold, chat_job
from penstock.api.openai.completions import CompletionChunkWriter, CompletionFold, completion_job
from penstock.api.openai.embeddings import embedding_call, embedding_list
from penstock.api.openai.identity import Identity, IdentityMaker
from penstock.api.openai.images import image_calls, images_response
from penstock.api.openai.models import model_list, model_object
from penstock.api.openai.request import (
    check_attributes,
    check_stream_options,
    check_task,
    includes_usage,
)
from penstock.api.openai.sse import ChunkWriter, stream
from penstock.api.openai.wire import (
    ChatCompletionRequest,
    CompletionRequest,
    EmbeddingRequest,
    ImagesRequest,
)
from penstock.domain.errors import EngineFailed
from penstock.domain.key import Principal
from penstock.gateway.deployment import Deployment
from penstock.gateway.pipeline import Gateway, Job, Part, Parts
from penstock.http.message import Answer, Request, Response, StreamingResponse

encode = msgspec.json.encode


class OpenAIHandlers:
    """Each method takes a request and its caller; errors are raised as PenstockError."""

    def __init__(self, gateway: Gateway, *, image_model: str, max_body_bytes: int) -> None:
        """`image_model` draws for those who name none."""
        self._gateway = gateway
        self._max_body_bytes = max_body_bytes
        self._image_model = image_model
        self._ids = IdentityMaker()
        self._decode_chat = msgspec.json.Decoder(ChatCompletionRequest)
        self._decode_completion = msgspec.json.Decoder(CompletionRequest)
        self._decode_images = msgspec.json.Decoder(ImagesRequest)
        self._decode_embedding = msgspec.json.Decoder(EmbeddingRequest)

    async def chat_completions(self, http: Request, principal: Principal) -> Answer:
        request = decode(self._decode_chat, http, self._max_body_bytes)
        check_stream_options(request)
        deployment = self._gateway.resolve(request.model)
        capabilities = await self._gateway.capabilities(deployment)
        check_task(deployment, capabilities, "chat")
        check_attributes(request, capabilities)
        job = chat_job(request, capabilities)
        identity = self._identity("chatcmpl", deployment)
        if request.stream:
            writer = ChatChunkWriter(
                identity,
                prompts=job.prompts,
                choices=len(job.calls),
                include_usage=includes_usage(request),
                alternatives=request.top_logprobs,
                ids=self._ids,
            )
            return await streamed(self._gateway.generate(principal, deployment, job), writer)
        fold = ChatFold(
            identity, prompts=job.prompts, alternatives=request.top_logprobs, ids=self._ids
        )
        return Response(body=fold.render(await self._gateway.complete(principal, deployment, job)))

    async def completions(self, http: Request, principal: Principal) -> Answer:
        request = decode(self._decode_completion, http, self._max_body_bytes)
        check_stream_options(request)
        deployment = self._gateway.resolve(request.model)
        capabilities = await self._gateway.capabilities(deployment)
        check_task(deployment, capabilities, "completions")
        check_attributes(request, capabilities)
        job: Job = completion_job(request, capabilities)
        identity = self._identity("cmpl", deployment)
        if request.stream:
            writer = CompletionChunkWriter(
                identity,
                prompts=job.prompts,
                choices=len(job.calls),
                include_usage=includes_usage(request),
                logprobs=request.logprobs,
            )
            return await streamed(self._gateway.generate(principal, deployment, job), writer)
        fold = CompletionFold(identity, prompts=job.prompts, logprobs=request.logprobs)
        return Response(body=fold.render(await self._gateway.complete(principal, deployment, job)))

    async def embeddings(self, http: Request, principal: Principal) -> Answer:
        request = decode(self._decode_embedding, http, self._max_body_bytes)
        deployment = self._gateway.resolve(request.model)
        capabilities = await self._gateway.capabilities(deployment)
        check_task(deployment, capabilities, "embeddings")
        call = embedding_call(request, capabilities)
        vectors = await self._gateway.embed(principal, deployment, call)
        return Response(body=encode(embedding_list(request, deployment.model.name, vectors)))

    async def images(self, http: Request, principal: Principal) -> Answer:
        request = decode(self._decode_images, http, self._max_body_bytes)
        deployment = self._gateway.resolve(request.model or self._image_model)
        capabilities = await self._gateway.capabilities(deployment)
        check_task(deployment, capabilities, "images")
        calls = image_calls(request, capabilities)
        pictures = await self._gateway.draw(principal, deployment, calls)
        return Response(body=encode(images_response(calls, pictures)))

    async def list_models(self, http: Request, principal: Principal) -> Answer:
        return Response(body=encode(model_list(self._gateway.catalogue)))

    async def retrieve_model(self, http: Request, principal: Principal) -> Answer:
        """The id is the rest of the path: ids hold slashes."""
        name = unquote(http.path.partition("/models/")[2])
        return Response(body=encode(model_object(self._gateway.resolve(name))))

    def _identity(self, prefix: str, deployment: Deployment) -> Identity:
        return self._ids.new(prefix, deployment.model.name, deployment.model.fingerprint)


async def streamed(parts: Parts, writer: ChunkWriter) -> Answer:
    """An event stream, once the first part has come: until then an error has a status."""
    first = await first_part(parts)
    return StreamingResponse(chunks=stream(first, parts, writer))


async def first_part(parts: Parts) -> Part:
    """The first part. Raises what the pipeline raises before it."""
    async for part in parts:
        return part
    raise EngineFailed("The engine gave no answer.")
