"""What is so right now, for /metrics: read when asked, kept nowhere."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from penstock.gateway.deployment import Deployment
from penstock.gateway.resolve import Catalogue

MODEL = "gen_ai_request_model"
LABELS = (MODEL,)


class DeploymentGauges(Collector):
    """One sample a deployment for each gauge."""

    def __init__(self, deployments: Iterable[Deployment]) -> None:
        self._deployments = deployments

    def collect(self) -> Iterable[GaugeMetricFamily | CounterMetricFamily]:
        running = GaugeMetricFamily("penstock_calls_running", "Calls at work.", labels=LABELS)
        waiting = GaugeMetricFamily("penstock_calls_waiting", "Calls in the queue.", labels=LABELS)
        slots = GaugeMetricFamily("penstock_slots", "Calls that may be at work.", labels=LABELS)
        ready = GaugeMetricFamily("penstock_replicas_ready", "Ready replicas.", labels=LABELS)
        wanted = GaugeMetricFamily(
            "penstock_replicas_wanted", "Replicas that there are to be.", labels=LABELS
        )
        restarts = CounterMetricFamily(
            "penstock_replica_restarts", "Engines started again.", labels=LABELS
        )
        ejections = CounterMetricFamily(
            "penstock_replica_ejections", "Replicas left alone for not answering.", labels=LABELS
        )
        engine_running = GaugeMetricFamily(
            "penstock_engine_requests_running", "Requests that engines compute.", labels=LABELS
        )
        engine_waiting = GaugeMetricFamily(
            "penstock_engine_requests_waiting", "Requests that engines let wait.", labels=LABELS
        )
        cache = GaugeMetricFamily(
            "penstock_engine_cache_used_ratio", "Of the fullest replica's cache.", labels=LABELS
        )
        for deployment in self._deployments:
            name = [deployment.counted_as]
            running.add_metric(name, deployment.lane.running)
            waiting.add_metric(name, deployment.lane.waiting)
            slots.add_metric(name, deployment.lane.slots)
            ready.add_metric(name, sum(replica.ready for replica in deployment.group.replicas))
            wanted.add_metric(name, deployment.group.progress.wanted)
            restarts.add_metric(name, deployment.group.restarts)
            ejections.add_metric(name, deployment.group.ejections)
            loads = [r.load for r in deployment.group.replicas if r.load is not None]
            if loads:
                engine_running.add_metric(name, sum(load.running for load in loads))
                engine_waiting.add_metric(name, sum(load.waiting for load in loads))
                cache.add_metric(name, max(load.cache_share for load in loads))
        return [
            running, waiting, slots, ready, wanted, restarts, ejections, engine_running,
            engine_waiting, cache,
        ]  # fmt: skip


class PublicMetrics(Collector):
    """Of all metrics, those of models that everybody may use."""

    def __init__(self, registry: CollectorRegistry, catalogue: Catalogue) -> None:
        self._registry = registry
        self._catalogue = catalogue

    def collect(self) -> Iterable[Metric]:
        public = self._catalogue.public_names()
        for metric in self._registry.collect():
            metric.samples = [each for each in metric.samples if each.labels.get(MODEL) in public]
            yield metric
