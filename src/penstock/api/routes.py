"""The route table of the whole server, and the dispatcher over it."""

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import unquote

import msgspec

from penstock.api.deepinfra.activity_handlers import ActivityHandlers
from penstock.api.deepinfra.adapter_handlers import AdapterHandlers
from penstock.api.deepinfra.adapters import LoraModelRequest
from penstock.api.deepinfra.answers import (
    ModelFamilyOut,
    ModelInfoOut,
    ModelOut,
    ModelVersionOut,
    SchemaOut,
)
from penstock.api.deepinfra.catalogue_handlers import CatalogueHandlers
from penstock.api.deepinfra.deployment_answers import (
    ClientVersionOut,
    DeploymentLogsOut,
    DeploymentOut,
    DeployStatusOut,
    DetailedStatsOut,
    GpuAvailabilityOut,
    LogsOut,
    ModelStatsOut,
    ReplicaOut,
    StatsOut,
)
from penstock.api.deepinfra.deployment_handlers import DeploymentHandlers
from penstock.api.deepinfra.inference_handlers import InferenceHandlers
from penstock.api.deepinfra.inference_wire import ANSWERS, REQUESTS
from penstock.api.deepinfra.wire import DeployHubRequest, DeployRequest, DeployUpdateRequest
from penstock.api.errors import NATIVE, OPENAI, PLATFORM, Dialect, error_response
from penstock.api.loopback import Loopback
from penstock.api.openai.answers import (
    ChatCompletion,
    Completion,
    EmbeddingList,
    ImagesResponse,
    ModelList,
    ModelObject,
    RerankResponse,
)
from penstock.api.openai.handlers import OpenAIHandlers
from penstock.api.openai.wire import (
    ChatCompletionRequest,
    CompletionRequest,
    EmbeddingRequest,
    ImageEditsRequest,
    ImagesRequest,
    ImageVariationsRequest,
    RerankRequest,
)
from penstock.api.service import ServiceHandlers
from penstock.domain.errors import (
    Forbidden,
    MethodNotAllowed,
    PenstockError,
    RouteNotFound,
    Unauthorized,
)
from penstock.domain.key import NOBODY, Principal
from penstock.gateway.auth import Keyring
from penstock.http.message import Answer, Request

#: Called with a request, its caller, and what the path's `{…}` stood for.
Handle = Callable[..., Awaitable[Answer]]

PREFIXES = ("/v1/openai", "/v1")


class Route(msgspec.Struct, frozen=True):
    """One endpoint. A `{…}` in its path stands for any text, slashes included: names hold some.

    `takes` and `gives` are the wire structs, or tuples of several, from which /openapi.json is
    made; `form` tells that the request is a multipart form, `query` which parameters its address
    may have. A `public` one needs no key; one of `optional_key` shows more to whoever sends one.
    """

    method: str
    path: str
    handle: Handle
    summary: str
    takes: Any = None
    gives: Any = None
    form: bool = False
    public: bool = False
    dialect: Dialect = OPENAI
    query: tuple[str, ...] = ()
    optional_key: bool = False


def openai_routes(handlers: OpenAIHandlers) -> list[Route]:
    """OpenAI's endpoints, under each of PREFIXES."""
    h = handlers
    endpoints = (
        Route("POST", "/chat/completions", h.chat_completions,
              "A model's answer to a conversation.", ChatCompletionRequest, ChatCompletion),
        Route("POST", "/completions", h.completions,
              "A model's continuation of a raw prompt.", CompletionRequest, Completion),
        Route("POST", "/embeddings", h.embeddings,
              "Vectors that stand for texts.", EmbeddingRequest, EmbeddingList),
        Route("POST", "/rerank", h.rerank,
              "Documents in the order in which they answer a query.",
              RerankRequest, RerankResponse),
        Route("POST", "/images/generations", h.images,
              "Pictures of a prompt.", ImagesRequest, ImagesResponse),
        Route("POST", "/images/edits", h.image_edits,
              "A picture, painted anew where a mask is transparent.",
              ImageEditsRequest, ImagesResponse, form=True),
        Route("POST", "/images/variations", h.image_variations,
              "Other pictures like a picture.",
              ImageVariationsRequest, ImagesResponse, form=True),
        Route("GET", "/models", h.list_models,
              "The models that are served.", gives=ModelList),
        Route("GET", "/models/{model}", h.retrieve_model,
              "One model, and what it can do.", gives=ModelObject),
    )  # fmt: skip
    return [
        msgspec.structs.replace(endpoint, path=prefix + endpoint.path)
        for prefix in PREFIXES
        for endpoint in endpoints
    ]


def catalogue_routes(handlers: CatalogueHandlers) -> list[Route]:
    """DeepInfra's routes of models. A route's `{model}` may hold slashes."""
    h = handlers
    endpoints = (
        Route("GET", "/models/list", h.list_models, "All public models.",
              gives=list[ModelOut], public=True),
        Route("GET", "/models/featured", h.featured, "The public models that are featured.",
              gives=list[ModelOut], public=True),
        Route("GET", "/models/private/list", h.private, "Your private models.",
              gives=list[ModelOut]),
        Route("GET", "/models/deployment/list", h.deployed, "The models that you have deployed.",
              gives=list[ModelOut]),
        Route("GET", "/models/{model}", h.model, "One model, at its current version or another.",
              gives=ModelInfoOut, public=True, optional_key=True, query=("version",)),
        Route("GET", "/models/{model}/versions", h.versions, "The versions of a model.",
              gives=list[ModelVersionOut]),
        Route("GET", "/models/{model}/schema/{variant}", h.schema,
              "What goes into a model and comes out, asked in one way.",
              gives=SchemaOut, query=("version",)),
        Route("GET", "/model-families/names", h.family_names, "The families of models.",
              gives=list[str], public=True),
        Route("GET", "/model-families/{family}", h.family, "The models of a family, with prices.",
              gives=ModelFamilyOut, public=True),
    )  # fmt: skip
    return [msgspec.structs.replace(route, dialect=PLATFORM) for route in endpoints]


def inference_routes(handlers: InferenceHandlers) -> list[Route]:
    """DeepInfra's native inference. What goes in and out is by the model's task."""
    h = handlers
    endpoints = (
        Route("POST", "/v1/inference/{model}", h.infer,
              "Whatever the model does, asked in DeepInfra's native way.",
              REQUESTS, ANSWERS, query=("version",)),
        Route("POST", "/v1/inference/deploy/{deploy_id}", h.infer_by_deployment,
              "The same, of a deployment.", REQUESTS, ANSWERS),
    )  # fmt: skip
    return [msgspec.structs.replace(route, dialect=NATIVE) for route in endpoints]


def deployment_routes(deployments: DeploymentHandlers, activity: ActivityHandlers) -> list[Route]:
    """DeepInfra's routes of deployments."""
    d, a = deployments, activity
    span = ("from", "to")
    lines = ("deploy_id", "from", "to", "limit")
    endpoints = (
        Route("POST", "/deploy/llm", d.create, "Deploy a model of your own.",
              DeployRequest, DeploymentOut),
        Route("POST", "/deploy/hf/", d.create_from_hub, "Deploy a repository: the older way.",
              DeployHubRequest, DeployStatusOut),
        Route("POST", "/v1/deploy", d.create_from_hub, "The same.",
              DeployHubRequest, DeployStatusOut),
        Route("GET", "/deploy/list", d.list_deployments, "Your deployments.",
              gives=list[DeploymentOut], query=("status",)),
        Route("GET", "/deploy/list/", d.list_deployments, "The same.",
              gives=list[DeploymentOut], query=("status",)),
        Route("GET", "/deploy/stats", a.all_stats, "How many requests each deployment had.",
              gives=list[ModelStatsOut], query=span),
        Route("GET", "/deploy/llm/gpu_availability", d.gpu_availability,
              "What there is to run on.", gives=GpuAvailabilityOut,
              query=("source", "base_model")),
        Route("GET", "/deploy/{deploy_id}", d.show, "A deployment.", gives=DeploymentOut),
        Route("PUT", "/deploy/{deploy_id}", d.update, "Change a deployment.",
              DeployUpdateRequest, DeployStatusOut),
        Route("DELETE", "/deploy/{deploy_id}", d.delete, "Delete a deployment and its model.",
              gives=DeployStatusOut),
        Route("POST", "/deploy/{deploy_id}/start", d.start, "Start it, or try it anew.",
              gives=DeployStatusOut),
        Route("POST", "/deploy/{deploy_id}/stop", d.stop, "Stop it, until it is started.",
              gives=DeployStatusOut),
        Route("GET", "/deploy/{deploy_id}/stats", a.stats, "What it has done.",
              gives=StatsOut, query=span),
        Route("GET", "/deploy/{deploy_id}/stats2", a.detailed_stats,
              "What it has done, by kind of work.", gives=DetailedStatsOut, query=span),
        Route("GET", "/deploy/{deploy_id}/replicas", a.replicas,
              "Its running copies: where, how they are, and why.", gives=list[ReplicaOut]),
        Route("GET", "/v1/logs/query", a.logs, "The log of a deployment.",
              gives=LogsOut, query=lines),
        Route("GET", "/v1/deployment_logs/query", a.logs_by_pod, "The same, by what said it.",
              gives=DeploymentLogsOut, query=(*lines, "pod_name")),
        Route("GET", "/cli/version", a.client_version, "Which versions of deepctl would do.",
              gives=ClientVersionOut, public=True, query=("version",)),
    )  # fmt: skip
    return [msgspec.structs.replace(route, dialect=PLATFORM) for route in endpoints]


def adapter_routes(handlers: AdapterHandlers) -> list[Route]:
    """DeepInfra's routes of LoRA adapters."""
    h = handlers
    endpoints = (
        Route("POST", "/lora-model", h.create, "Add a LoRA adapter to a model.",
              LoraModelRequest, DeploymentOut),
        Route("GET", "/lora-model", h.list_deployments, "Your adapters.",
              gives=list[DeploymentOut]),
        Route("DELETE", "/lora-model/{lora_model_name}", h.delete, "Remove an adapter.",
              gives=dict[str, str]),
        Route("GET", "/models/lora/list", h.list_adapters, "The adapters that you may use.",
              gives=list[ModelOut], public=True, optional_key=True),
    )  # fmt: skip
    return [msgspec.structs.replace(route, dialect=PLATFORM) for route in endpoints]


def service_routes(handlers: ServiceHandlers) -> list[Route]:
    """What operators and their tools ask for."""
    return [
        Route("GET", "/metrics", handlers.metrics,
              "Prometheus metrics: all with the operator's key, else of public models, from the "
              "same machine.", public=True, optional_key=True),
        *(Route("GET", path, handle, summary, public=True)
        for path, handle, summary in (
            ("/health", handlers.health, "200 while the server lives."),
            ("/ready", handlers.ready,
             "200 once every model is ready, 503 before and while draining."),
            ("/openapi.json", handlers.openapi, "This API, described in OpenAPI 3.1."),
            ("/docs", handlers.docs, "This API, described for people."),
            ("/", handlers.index, "What this server is, and where its docs are."),
        )),
    ]  # fmt: skip


class Dispatcher:
    """Request -> route -> answer, with every error as the route's clients read it."""

    def __init__(
        self, routes: Iterable[Route], keyring: Keyring, loopback: Loopback | None = None
    ) -> None:
        """`loopback` where the server listens on such an address."""
        self._authenticate = keyring.authenticate
        self._recognise = keyring.recognise
        self._open = keyring.is_open
        self._loopback = loopback
        self._exact: dict[str, dict[str, Route]] = {}
        patterns: dict[str, dict[str, Route]] = {}
        for route in routes:
            paths = patterns if "{" in route.path else self._exact
            paths.setdefault(route.path, {})[route.method] = route
        # Of several that fit, the one that says most is meant.
        ordered = sorted(patterns, key=lambda path: -len(_literal(path)))
        self._patterns = [(_pattern(path), patterns[path]) for path in ordered]

    async def answer(self, request: Request) -> Answer:
        """Never raises a PenstockError; what else it raises is a bug of ours."""
        dialect = OPENAI
        try:
            methods = self._exact.get(request.path)
            route = methods.get(request.method) if methods is not None else None
            arguments: tuple[str, ...] = ()
            if route is None:
                route, arguments = self._route(request.method, request.path)
            dialect = route.dialect
            if route.public or self._open:
                principal = self._anybody(route, request)
            else:
                principal = self._authenticate(request.headers.get(b"authorization"))
            return await route.handle(request, principal, *arguments)
        except PenstockError as error:
            return error_response(error, dialect)

    def screen(self, head: Request) -> Answer | None:
        """Refuse a large body before it is sent: no route, no key, or a page's."""
        dialect = OPENAI
        try:
            route, _ = self._route(head.method, head.path)
            dialect = route.dialect
            if route.public or self._open:
                self._anybody(route, head)
            else:
                self._authenticate(head.headers.get(b"authorization"))
        except (RouteNotFound, MethodNotAllowed, Unauthorized, Forbidden) as error:
            return error_response(error, dialect)
        return None

    def _anybody(self, route: Route, request: Request) -> Principal:
        """Who asks what needs no key. Raises Unauthorized, Forbidden."""
        if self._loopback is not None:
            self._loopback.check(request)
        if route.public and not route.optional_key:
            return NOBODY
        return self._recognise(request.headers.get(b"authorization"))

    def _route(self, method: str, path: str) -> tuple[Route, tuple[str, ...]]:
        """The route, and what its path's `{…}` stand for, percent-decoded."""
        methods = self._exact.get(path)
        arguments: tuple[str, ...] = ()
        if methods is None:
            methods, arguments = self._matched(path)
        route = methods.get(method) or (methods.get("GET") if method == "HEAD" else None)
        if route is not None:
            return route, arguments
        if not methods:
            raise RouteNotFound(
                f"Unknown request URL: {method} {path[:200]}. OpenAI's API is under /v1/openai "
                "and /v1; /docs describes all there is."
            )
        allow = ", ".join(sorted(methods) + (["HEAD"] if "GET" in methods else []))
        raise MethodNotAllowed(
            f"Not allowed to {method} on {path[:200]}. Allowed: {allow}.", allow=allow
        )

    def _matched(self, path: str) -> tuple[dict[str, Route], tuple[str, ...]]:
        for pattern, methods in self._patterns:
            if found := pattern.fullmatch(path):
                return methods, tuple(map(unquote, found.groups()))
        return {}, ()


def _literal(path: str) -> str:
    return re.sub(r"\{\w+\}", "", path)


def _pattern(path: str) -> re.Pattern[str]:
    """`/models/{name}/versions` as a regular expression that finds the name."""
    pieces = (re.escape(piece) for piece in re.split(r"\{\w+\}", path))
    return re.compile("(.+)".join(pieces), re.DOTALL)
