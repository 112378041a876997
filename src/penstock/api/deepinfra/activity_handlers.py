"""The routes of what deployments do and have done: replicas, statistics and logs."""

import asyncio
from datetime import timedelta
from typing import cast

import msgspec

from penstock.api.deepinfra.deployment_answers import (
    ClientVersionOut,
    DeploymentLogsOut,
    LogsOut,
    ModelStatsOut,
)
from penstock.api.deepinfra.deployments import replica_out
from penstock.api.deepinfra.own import OwnDeployments
from penstock.api.deepinfra.query import count, moment, parameter, span
from penstock.api.deepinfra.stats import Done, detailed_stats, stats, together
from penstock.domain.deployment import DeploymentSpec
from penstock.domain.errors import Gone, InvalidRequest
from penstock.domain.key import Principal
from penstock.domain.price import Price
from penstock.gateway.history import History, Span, series_of
from penstock.gateway.meter import Operation, Series
from penstock.gateway.resolve import Catalogue
from penstock.http.message import Answer, Request, Response
from penstock.store.deployments import DeploymentStore
from penstock.store.events import EventStore
from penstock.store.replicas import ReplicaStore
from penstock.store.statistics import StatisticsStore

encode = msgspec.json.encode

MOST_LINES = 1000
LONGEST_RANGE = timedelta(days=31)


class ActivityHandlers:
    """Replicas, statistics and logs of the caller's deployments."""

    def __init__(
        self,
        *,
        store: DeploymentStore,
        events: EventStore,
        catalogue: Catalogue,
        history: History,
        statistics: StatisticsStore,
        replicas: ReplicaStore,
        server: str,
    ) -> None:
        """`history` is what this very `server` has counted, `statistics` what all have."""
        self._own = OwnDeployments(store)
        self._events = events
        self._catalogue = catalogue
        self._history = history
        self._statistics = statistics
        self._replicas = replicas
        self._server = server

    async def replicas(self, http: Request, principal: Principal, id_: str) -> Answer:
        """All that run or try to, on whichever of the servers that share the state."""
        spec = await self._own.known(id_, principal)
        found = await asyncio.to_thread(self._replicas.of, spec.id)
        return Response(body=encode([replica_out(host, replica) for host, replica in found]))

    async def stats(self, http: Request, principal: Principal, id_: str) -> Answer:
        done, prices = await self._done(http, principal, id_)
        return Response(body=encode(stats(done, prices)))

    async def detailed_stats(self, http: Request, principal: Principal, id_: str) -> Answer:
        done, prices = await self._done(http, principal, id_)
        return Response(body=encode(detailed_stats(done, prices)))

    async def all_stats(self, http: Request, principal: Principal) -> Answer:
        asked = span(http)
        told = []
        for spec in await self._own.all(principal):
            done = await self._between(spec.model, asked)
            told.append(ModelStatsOut(spec.model, together(done, done).requests))
        return Response(body=encode(told))

    async def _done(
        self, http: Request, principal: Principal, id_: str
    ) -> tuple[Done, tuple[Price, ...]]:
        asked = span(http)
        spec = await self._own.known(id_, principal)
        if spec.deleted:
            raise Gone(f"The deployment {spec.id!r} is deleted.")
        entry = self._catalogue.entry(spec.model, principal)
        # A deployment of that name before this one is none of its own.
        since_s = max(asked.since_s, spec.created_at.timestamp())
        asked = msgspec.structs.replace(asked, since_s=since_s)
        return await self._between(spec.model, asked), entry.prices

    async def _between(self, model: str, asked: Span) -> Done:
        """What a model did in a range of time, by this server and by others, or before."""
        done = dict(self._history.between(model, asked))
        for each in await asyncio.to_thread(
            self._statistics.between, model, asked.since_s, asked.until_s, but=self._server
        ):
            operation = cast(Operation, each.operation)
            done[operation] = done.get(operation, Series()) + series_of(each)
        return done

    async def logs(self, http: Request, principal: Principal) -> Answer:
        _, lines = await self._lines(http, principal)
        return Response(body=encode(LogsOut(lines)))

    async def logs_by_pod(self, http: Request, principal: Principal) -> Answer:
        spec, lines = await self._lines(http, principal)
        pod = parameter(http, "pod_name")
        told = {spec.id: lines} if pod in ("", spec.id) else {}
        return Response(body=encode(DeploymentLogsOut(told)))

    async def _lines(
        self, http: Request, principal: Principal
    ) -> tuple[DeploymentSpec, list[tuple[str, str]]]:
        since, until = moment(http, "from"), moment(http, "to")
        if since is not None and until is not None and until - since > LONGEST_RANGE:
            raise InvalidRequest("'from' and 'to' must be at most a month apart.", param="to")
        limit = count(http, "limit", default=100, most=MOST_LINES)
        spec = await self._own.known(parameter(http, "deploy_id"), principal)
        events = await asyncio.to_thread(
            lambda: self._events.of(spec.id, since=since, until=until, limit=limit)
        )
        return spec, [(f"{event.at.timestamp():.6f}", event.message) for event in events]

    async def client_version(self, http: Request, principal: Principal) -> Answer:
        """deepctl asks whether it is too old: it is not."""
        asked = parameter(http, "version")[:32]
        return Response(body=encode(ClientVersionOut(min="0.0.0", update="0.0.0", latest=asked)))
