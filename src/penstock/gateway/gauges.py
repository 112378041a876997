"""What is so right now, for /metrics: read when asked, kept nowhere."""

from collections.abc import Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from penstock.gateway.deployment import Deployment

LABELS = ("gen_ai_request_model",)


class DeploymentGauges(Collector):
    """One sample a deployment for each gauge."""

    def __init__(self, deployments: Sequence[Deployment]) -> None:
        self._deployments = deployments

    def collect(self) -> Iterable[GaugeMetricFamily | CounterMetricFamily]:
        running = GaugeMetricFamily("penstock_calls_running", "Calls at work.", labels=LABELS)
        waiting = GaugeMetricFamily("penstock_calls_waiting", "Calls in the queue.", labels=LABELS)
        slots = GaugeMetricFamily("penstock_slots", "Calls that may be at work.", labels=LABELS)
        ready = GaugeMetricFamily("penstock_replicas_ready", "Ready replicas.", labels=LABELS)
        restarts = CounterMetricFamily(
            "penstock_replica_restarts", "Engines started again.", labels=LABELS
        )
        for deployment in self._deployments:
            name = [deployment.model.name]
            running.add_metric(name, deployment.lane.running)
            waiting.add_metric(name, deployment.lane.waiting)
            slots.add_metric(name, deployment.lane.slots)
            ready.add_metric(name, sum(replica.ready for replica in deployment.replicas))
            restarts.add_metric(name, sum(r.status.restarts for r in deployment.replicas))
        return [running, waiting, slots, ready, restarts]
