"""What operators and their tools ask for: health, readiness, metrics, the API's description."""

from collections.abc import Callable

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from penstock.domain.errors import Unauthorized
from penstock.domain.key import Principal
from penstock.gateway.gauges import PublicMetrics
from penstock.gateway.resolve import Catalogue
from penstock.http.message import Answer, Request, Response

HTML = b"content-type: text/html; charset=utf-8\r\n"
REDIRECT = b"location: /docs\r\n"
#: States of a model that answers, or says at once that its server is away; an idle one is started
#: by a request.
READY = frozenset({"ready", "idle", "unreachable"})


class ServiceHandlers:
    """`openapi` and `page` are made once, at the start."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        registry: CollectorRegistry,
        open_metrics: bool,
        draining: Callable[[], bool],
    ) -> None:
        """`open_metrics`: those of public models need no key."""
        self._catalogue = catalogue
        self._registry = registry
        self._public = CollectorRegistry() if open_metrics else None
        if self._public is not None:
            self._public.register(PublicMetrics(registry, catalogue))
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
        """Names and states of public models: why one fails is the operator's to see, in the log.

        One server of someone else's that is down must not take all other models out of service.
        """
        named = (self._catalogue.deployment(e.name) for e in self._catalogue.entries(principal))
        states = {d.model.name: d.group.state for d in named if d is not None and not d.only_for}
        ready = not self._draining() and READY.issuperset(states.values())
        body = msgspec.json.encode({"ready": ready, "models": states})
        return Response(status=200 if ready else 503, body=body)

    async def metrics(self, http: Request, principal: Principal) -> Answer:
        """What names private models, and who does how much, is the operator's to see."""
        shown = self._registry if principal.is_operator else self._public
        if shown is None:
            raise Unauthorized(
                "Metrics need a key of the operator's account, in an Authorization header: "
                "'Authorization: Bearer YOUR_KEY'. Prometheus sends one if it is told to."
            )
        accept = http.headers.get(b"accept", b"").decode("latin-1")
        encoder, content_type = choose_encoder(accept)
        headers = f"content-type: {content_type}\r\n".encode()
        return Response(headers=headers, body=encoder(shown))

    async def openapi(self, http: Request, principal: Principal) -> Answer:
        return Response(body=self._description)

    async def docs(self, http: Request, principal: Principal) -> Answer:
        return Response(headers=HTML, body=self._page)

    async def index(self, http: Request, principal: Principal) -> Answer:
        return Response(status=307, headers=HTML + REDIRECT, body=b"")
