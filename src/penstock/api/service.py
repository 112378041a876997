"""What operators and their tools ask for: health, readiness, metrics, the API's description."""

from collections.abc import Callable

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from penstock.domain.key import Principal
from penstock.gateway.resolve import Catalogue
from penstock.http.message import Answer, Request, Response

HTML = b"content-type: text/html; charset=utf-8\r\n"
REDIRECT = b"location: /docs\r\n"


class ServiceHandlers:
    """`openapi` and `page` are made once, at the start."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        registry: CollectorRegistry,
        draining: Callable[[], bool],
    ) -> None:
        self._catalogue = catalogue
        self._registry = registry
        self._draining = draining
        self._description = b"{}"
        self._page = b""

    def describe(self, description: bytes, page: bytes) -> None:
        """Take what the route table, these routes included, says of itself."""
        self._description = description
        self._page = page

    async def health(self, http: Request, principal: Principal) -> Answer:
        return Response(body=b'{"status":"ok"}')

    async def ready(self, http: Request, principal: Principal) -> Answer:
        """Names and states only: why a model fails is the operator's to see, in the log."""
        states = {d.model.name: d.replicas[0].status.state.value for d in self._catalogue}
        ready = not self._draining() and all(state == "ready" for state in states.values())
        body = msgspec.json.encode({"ready": ready, "models": states})
        return Response(status=200 if ready else 503, body=body)

    async def metrics(self, http: Request, principal: Principal) -> Answer:
        accept = http.headers.get(b"accept", b"").decode("latin-1")
        encoder, content_type = choose_encoder(accept)
        headers = f"content-type: {content_type}\r\n".encode()
        return Response(headers=headers, body=encoder(self._registry))

    async def openapi(self, http: Request, principal: Principal) -> Answer:
        return Response(body=self._description)

    async def docs(self, http: Request, principal: Principal) -> Answer:
        return Response(headers=HTML, body=self._page)

    async def index(self, http: Request, principal: Principal) -> Answer:
        return Response(status=307, headers=HTML + REDIRECT, body=b"")
