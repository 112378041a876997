"""OpenAI's endpoints: a sentence each, over what the other files know."""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

import msgspec

from penstock.api.body import decode
from penstock.api.form import decode_form
from penstock.api.openai.chat import ChatChunkWriter, chat_completion, chat_job
from penstock.api.openai.cold import check_room, cold_stream
from penstock.api.openai.completions import (
    CompletionChunkWriter,
    completion_job,
    text_completion,
)
from penstock.api.openai.embeddings import embedding_call, embedding_list
from penstock.api.openai.identity import Identity, IdentityMaker
from penstock.api.openai.images import (
    default_drawer,
    edit_calls,
    image_calls,
    images_response,
    variation_calls,
)
from penstock.api.openai.models import model_list, model_object
from penstock.api.openai.picture_stream import EventType, picture_stream
from penstock.api.openai.pictures import PictureReader
from penstock.api.openai.request import (
    AnyRequest,
    check_request,
    check_stream_options,
    includes_usage,
)
from penstock.api.openai.rerank import rerank_call, rerank_response
from penstock.api.openai.sse import stream
from penstock.api.openai.wire import (
    ChatCompletionRequest,
    CompletionRequest,
    EmbeddingRequest,
    ImageEditsRequest,
    ImagesRequest,
    ImageVariationsRequest,
    PicturesRequest,
    RerankRequest,
    SampledRequest,
)
from penstock.domain.errors import (
    EngineFailed,
    EngineOverloaded,
    ModelNotFound,
    ModelNotReady,
    TooManyRequests,
)
from penstock.domain.image import AnyImageCall
from penstock.domain.key import Principal
from penstock.domain.model import Capabilities, Model, Task
from penstock.domain.version import fingerprint_of, split_version
from penstock.gateway.deployment import Deployment
from penstock.gateway.pipeline import Gateway, Job, Part, Parts
from penstock.http.message import JSON, Answer, Request, Response, StreamingResponse

encode = msgspec.json.encode
Pictures = TypeVar("Pictures", bound=PicturesRequest)
Sampled = TypeVar("Sampled", bound=SampledRequest)


class OpenAIHandlers:
    """Each method takes a request and its caller; errors are raised as PenstockError."""

    def __init__(
        self,
        gateway: Gateway,
        *,
        image_model: str | None,
        max_body_bytes: int,
        pictures: PictureReader,
    ) -> None:
        """`image_model` draws for those who name none; None: whatever can.

        `pictures` reads those in messages.
        """
        self._gateway = gateway
        self._resolve = gateway.catalogue.resolve
        self._max_body_bytes = max_body_bytes
        self._image_model = image_model
        self._pictures = pictures
        self._ids = IdentityMaker()
        self._decode_chat = msgspec.json.Decoder(ChatCompletionRequest)
        self._decode_completion = msgspec.json.Decoder(CompletionRequest)
        self._decode_images = msgspec.json.Decoder(ImagesRequest)
        self._decode_rerank = msgspec.json.Decoder(RerankRequest)
        self._decode_embedding = msgspec.json.Decoder(EmbeddingRequest)

    def chat_completions(self, http: Request, principal: Principal) -> Awaitable[Answer]:
        request = decode(self._decode_chat, http, self._max_body_bytes)
        return self._answered(request, principal, self._chat)

    async def _chat(
        self, request: ChatCompletionRequest, principal: Principal, deployment: Deployment
    ) -> Answer:
        capabilities = deployment.group.capabilities
        if capabilities is None:
            capabilities = await self._gateway.capabilities(deployment)
        check_request(request, deployment, capabilities, "chat")
        job = chat_job(request, capabilities, principal.account_id, deployment.adapter)
        if capabilities.sees:
            job = await self._pictures.read(job)
        model = deployment.model
        identity = self._ids.new("chatcmpl", model)
        if request.stream:
            parts = self._gateway.generate(principal, deployment, job)
            first = await first_part(parts)
            if job.answered.version_id != model.version_id:
                identity = self._answered_by(job, model, identity, principal)
            writer = ChatChunkWriter(
                identity,
                prompts=job.prompts,
                choices=len(job.calls),
                include_usage=includes_usage(request),
                alternatives=request.top_logprobs,
                ids=self._ids,
            )
            return StreamingResponse(chunks=stream(first, parts, writer))
        answers = await self._gateway.complete(principal, deployment, job)
        if job.answered.version_id != model.version_id:
            identity = self._answered_by(job, model, identity, principal)
        return Response(
            body=chat_completion(
                answers,
                identity=identity,
                prompts=job.prompts,
                alternatives=request.top_logprobs,
                ids=self._ids,
            )
        )

    def completions(self, http: Request, principal: Principal) -> Awaitable[Answer]:
        request = decode(self._decode_completion, http, self._max_body_bytes)
        return self._answered(request, principal, self._complete)

    async def _complete(
        self, request: CompletionRequest, principal: Principal, deployment: Deployment
    ) -> Answer:
        capabilities = deployment.capabilities or await self._gateway.capabilities(deployment)
        check_request(request, deployment, capabilities, "completions")
        job: Job = completion_job(request, capabilities, principal.account_id, deployment.adapter)
        model = deployment.model
        identity = self._ids.new("cmpl", model)
        if request.stream:
            if job.prompts[-1] > 0:
                await self._gateway.check_prompts(deployment, job)
            parts = self._gateway.generate(principal, deployment, job)
            first = await first_part(parts)
            if job.answered.version_id != model.version_id:
                identity = self._answered_by(job, model, identity, principal)
            writer = CompletionChunkWriter(
                identity,
                prompts=job.prompts,
                choices=len(job.calls),
                include_usage=includes_usage(request),
                logprobs=request.logprobs,
            )
            return StreamingResponse(chunks=stream(first, parts, writer))
        answers = await self._gateway.complete(principal, deployment, job)
        if job.answered.version_id != model.version_id:
            identity = self._answered_by(job, model, identity, principal)
        return Response(
            body=text_completion(
                answers,
                identity=identity,
                prompts=job.prompts,
                alternatives=request.logprobs,
            )
        )

    def _answered_by(
        self, job: Job, model: Model, identity: Identity, principal: Principal
    ) -> Identity:
        """The identity with the fingerprint of the version that answers. While the job waited for
        its turn, another version than `model` is of may have taken over."""
        answered = job.answered.version_id
        if answered is None:
            return identity  # it is not known yet
        fingerprint: str | None = fingerprint_of(answered)
        if model.parent is not None:  # an adapter's is made of its base's
            fingerprint = None
            with contextlib.suppress(ModelNotFound):  # it may have been removed meanwhile
                now = self._resolve(model.name, principal).model
                fingerprint = now.fingerprint if now.version_id == answered else None
        return msgspec.structs.replace(identity, fingerprint=fingerprint)

    def _answered(
        self,
        request: Sampled,
        principal: Principal,
        ask: Callable[[Sampled, Principal, Deployment], Awaitable[Answer]],
    ) -> Awaitable[Answer]:
        """What the model that is named answers, or the first of `models` that has room.

        Nearly every request needs no more than `ask`, so no coroutine is put around it.
        """
        if request.stream_options is not None:
            check_stream_options(request)
        if request.models is None:
            deployment = self._resolve(request.model, principal)
            if deployment.group.up and not (deployment.notice or request.fail_fast):
                return ask(request, principal, deployment)
        return self._of_several(request, principal, ask)

    def _of_several(
        self,
        request: Sampled,
        principal: Principal,
        ask: Callable[[Sampled, Principal, Deployment], Awaitable[Answer]],
    ) -> Awaitable[Answer]:
        names = request.models or [request.model]
        return first_with_room(
            [self._resolve(name, principal) for name in dict.fromkeys(names)],
            lambda deployment: self._waited(request, principal, deployment, ask),
        )

    async def _waited(
        self,
        request: Sampled,
        principal: Principal,
        deployment: Deployment,
        ask: Callable[[Sampled, Principal, Deployment], Awaitable[Answer]],
    ) -> Answer:
        """The answer of a model that may have to be waited for."""
        if request.fail_fast:
            check_room(deployment, request.n or 1)
        if request.stream and not deployment.group.up:
            return await cold_stream(
                deployment.group,
                self._gateway.started(deployment),
                lambda: ask(request, principal, deployment),
            )
        return await ask(request, principal, deployment)

    async def embeddings(self, http: Request, principal: Principal) -> Answer:
        request = decode(self._decode_embedding, http, self._max_body_bytes)
        deployment = self._resolve(request.model, principal)
        if request.fail_fast:
            check_room(deployment, 1)
        capabilities = await self._checked(request, deployment, "embeddings")
        call = embedding_call(request, capabilities)
        vectors = await self._gateway.embed(principal, deployment, call)
        answer = embedding_list(request, deployment.model.name, vectors)
        return Response(headers=JSON + deployment.notice, body=encode(answer))

    async def rerank(self, http: Request, principal: Principal) -> Answer:
        request = decode(self._decode_rerank, http, self._max_body_bytes)
        deployment = self._resolve(request.model, principal)
        capabilities = await self._checked(request, deployment, "rerank")
        call = rerank_call(request, capabilities)
        scores = await self._gateway.rerank(principal, deployment, call)
        id_ = f"rerank-{self._ids.unique()}"
        answer = rerank_response(request, deployment.model.name, scores, id_=id_)
        return Response(headers=JSON + deployment.notice, body=encode(answer))

    async def images(self, http: Request, principal: Principal) -> Answer:
        request = decode(self._decode_images, http, self._max_body_bytes)
        event: EventType | None = "image_generation.completed" if request.stream else None
        return await self._draw(request, "images", image_calls, principal, event)

    async def image_edits(self, http: Request, principal: Principal) -> Answer:
        request = decode_form(ImageEditsRequest, http, self._max_body_bytes)
        event: EventType | None = "image_edit.completed" if request.stream else None
        return await self._draw(request, "image_edits", edit_calls, principal, event)

    async def image_variations(self, http: Request, principal: Principal) -> Answer:
        request = decode_form(ImageVariationsRequest, http, self._max_body_bytes)
        return await self._draw(request, "image_variations", variation_calls, principal)

    async def _draw(
        self,
        request: Pictures,
        task: Task,
        calls_of: Callable[[Pictures, Capabilities], list[AnyImageCall]],
        principal: Principal,
        event: EventType | None = None,
    ) -> Answer:
        """The pictures of a request, or with `event` a stream of such events."""
        deployment = self._drawer(request.model, principal)

        async def ask() -> Answer:
            capabilities = await self._checked(request, deployment, task)
            calls = calls_of(request, capabilities)
            draw = partial(self._gateway.draw, principal, deployment, calls)
            if event is not None:
                return await picture_stream(event, calls, draw)
            answer = images_response(calls, await draw())
            return Response(headers=JSON, body=encode(answer))

        if event is None or deployment.group.up:
            return noted(await ask(), deployment)
        start = self._gateway.started(deployment)
        return noted(await cold_stream(deployment.group, start, ask), deployment)

    async def _checked(
        self, request: AnyRequest, deployment: Deployment, task: Task
    ) -> Capabilities:
        """What the model can do: the task, and every field of the request."""
        capabilities = await self._gateway.capabilities(deployment)
        check_request(request, deployment, capabilities, task)
        return capabilities

    def _drawer(self, name: str | None, principal: Principal) -> Deployment:
        try:
            return self._resolve(name or self._image_model or self._can_draw(principal), principal)
        except ModelNotFound as error:
            if name is not None:
                raise
            raise ModelNotFound(
                "No 'model' was named, and what this server draws with then is not served. "
                f"{error.message}",
                param="model",
            ) from None

    def _can_draw(self, principal: Principal) -> str:
        catalogue = self._gateway.catalogue
        served = ((e.name, catalogue.deployment(e.name)) for e in catalogue.entries(principal))
        plain = ((name, d) for name, d in served if d is not None and d.adapter is None)
        return default_drawer({name: deployment.model.engine for name, deployment in plain})

    async def list_models(self, http: Request, principal: Principal) -> Answer:
        return Response(body=encode(model_list(self._gateway.catalogue, principal)))

    async def retrieve_model(self, http: Request, principal: Principal, name: str) -> Answer:
        deployment = self._resolve(name, principal)
        known_as, _ = split_version(deployment.model.name)
        entry = self._gateway.catalogue.entry(known_as, principal)
        return Response(
            headers=JSON + deployment.notice, body=encode(model_object(entry, deployment))
        )


async def first_with_room(
    deployments: Sequence[Deployment], ask: Callable[[Deployment], Awaitable[Answer]]
) -> Answer:
    """The answer of the first that need not wait, or of the last. DeepInfra's `models`.

    Raises what `ask` raises of the last; of those before it, all but that they are busy.
    """
    *others, last = deployments
    for deployment in others:
        if deployment.has_room:
            with contextlib.suppress(TooManyRequests, EngineOverloaded, ModelNotReady):
                return noted(await ask(deployment), deployment)
    return noted(await ask(last), last)


def noted(answer: Answer, deployment: Deployment) -> Answer:
    """The answer, with what is to be told of the name that was called."""
    answer.headers += deployment.notice
    return answer


async def first_part(parts: Parts) -> Part:
    """The first part, with which a stream begins: until then an error has a status.

    Raises what the pipeline raises before it.
    """
    async for part in parts:
        return part
    raise EngineFailed("The engine gave no answer.")
