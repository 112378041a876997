"""The route table of the whole server, and the dispatcher over it."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec

from penstock.api.errors import error_response
from penstock.api.openai.handlers import OpenAIHandlers
from penstock.api.openai.wire import (
    ChatCompletion,
    ChatCompletionRequest,
    Completion,
    CompletionRequest,
    EmbeddingList,
    EmbeddingRequest,
    ImagesRequest,
    ImagesResponse,
    ModelList,
    ModelObject,
)
from penstock.api.service import ServiceHandlers
from penstock.domain.errors import MethodNotAllowed, PenstockError, RouteNotFound, Unauthorized
from penstock.domain.key import ANYONE, Principal
from penstock.gateway.pipeline import Gateway
from penstock.http.message import Answer, Request

Handle = Callable[[Request, Principal], Awaitable[Answer]]

PREFIXES = ("/v1/openai", "/v1")


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint. A path that ends in `{…}` takes the whole rest, slashes included.

    `takes` and `gives` are the wire structs, from which /openapi.json is made.
    """

    method: str
    path: str
    handle: Handle
    summary: str
    takes: type[Any] | None = None
    gives: type[Any] | None = None
    public: bool = False


def openai_routes(handlers: OpenAIHandlers) -> list[Route]:
    """OpenAI's endpoints, under each of PREFIXES."""
    routes = []
    for prefix in PREFIXES:
        routes += [
            Route(
                method="POST",
                path=f"{prefix}/chat/completions",
                handle=handlers.chat_completions,
                summary="A model's answer to a conversation.",
                takes=ChatCompletionRequest,
                gives=ChatCompletion,
            ),
            Route(
                method="POST",
                path=f"{prefix}/completions",
                handle=handlers.completions,
                summary="A model's continuation of a raw prompt.",
                takes=CompletionRequest,
                gives=Completion,
            ),
            Route(
                method="POST",
                path=f"{prefix}/embeddings",
                handle=handlers.embeddings,
                summary="Vectors that stand for texts.",
                takes=EmbeddingRequest,
                gives=EmbeddingList,
            ),
            Route(
                method="POST",
                path=f"{prefix}/images/generations",
                handle=handlers.images,
                summary="Pictures of a prompt.",
                takes=ImagesRequest,
                gives=ImagesResponse,
            ),
            Route(
                method="GET",
                path=f"{prefix}/models",
                handle=handlers.list_models,
                summary="The models that are served.",
                gives=ModelList,
            ),
            Route(
                method="GET",
                path=f"{prefix}/models/{{model}}",
                handle=handlers.retrieve_model,
                summary="One model, and what it can do.",
                gives=ModelObject,
            ),
        ]
    return routes


def service_routes(handlers: ServiceHandlers) -> list[Route]:
    """What operators and their tools ask for."""
    return [
        Route(
            method="GET",
            path="/health",
            handle=handlers.health,
            summary="200 while the server lives.",
            public=True,
        ),
        Route(
            method="GET",
            path="/ready",
            handle=handlers.ready,
            summary="200 once every model is ready, 503 before and while draining.",
            public=True,
        ),
        Route(
            method="GET",
            path="/metrics",
            handle=handlers.metrics,
            summary="Prometheus metrics.",
            public=True,
        ),
        Route(
            method="GET",
            path="/openapi.json",
            handle=handlers.openapi,
            summary="This API, described in OpenAPI 3.1.",
            public=True,
        ),
        Route(
            method="GET",
            path="/docs",
            handle=handlers.docs,
            summary="This API, described for people.",
            public=True,
        ),
        Route(
            method="GET",
            path="/",
            handle=handlers.index,
            summary="What this server is, and where its docs are.",
            public=True,
        ),
    ]


class Dispatcher:
    """Request -> route -> answer, with every error in OpenAI's shape."""

    def __init__(self, routes: Iterable[Route], gateway: Gateway) -> None:
        self._gateway = gateway
        self._exact: dict[str, dict[str, Route]] = {}
        self._by_prefix: list[tuple[str, dict[str, Route]]] = []
        for route in routes:
            prefix, brace, _ = route.path.partition("{")
            if brace:
                self._by_prefix.append((prefix, {route.method: route}))
            else:
                self._exact.setdefault(route.path, {})[route.method] = route

    async def __call__(self, request: Request) -> Answer:
        """Never raises a PenstockError; what else it raises is a bug of ours."""
        try:
            route = self._route(request.method, request.path)
            principal = (
                ANYONE
                if route.public
                else self._gateway.authenticate(request.headers.get(b"authorization"))
            )
            return await route.handle(request, principal)
        except PenstockError as error:
            return error_response(error)

    def screen(self, head: Request) -> Answer | None:
        """Refuse a large body before it is sent: no route, or no key."""
        try:
            if not self._route(head.method, head.path).public:
                self._gateway.authenticate(head.headers.get(b"authorization"))
        except (RouteNotFound, MethodNotAllowed, Unauthorized) as error:
            return error_response(error)
        return None

    def _route(self, method: str, path: str) -> Route:
        methods = self._exact.get(path) or self._under_prefix(path)
        if methods is None:
            raise RouteNotFound(
                f"Unknown request URL: {method} {path[:200]}. The API is under /v1/openai and /v1; "
                "/docs describes it."
            )
        route = methods.get("GET" if method == "HEAD" else method)
        if route is None:
            allow = ", ".join(sorted(methods) + (["HEAD"] if "GET" in methods else []))
            raise MethodNotAllowed(
                f"Not allowed to {method} on {path[:200]}. Allowed: {allow}.", allow=allow
            )
        return route

    def _under_prefix(self, path: str) -> dict[str, Route] | None:
        for prefix, methods in self._by_prefix:
            if path.startswith(prefix) and len(path) > len(prefix):
                return methods
        return None
