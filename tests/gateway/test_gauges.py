"""Whose metrics are shown to whom."""

from datetime import UTC, datetime

from prometheus_client import CollectorRegistry

from penstock.domain.adapter import Adapter
from penstock.domain.catalogue import CatalogueEntry
from penstock.domain.deployment import DeploymentSpec
from penstock.domain.key import Principal
from penstock.fleet.groups import Groups
from penstock.gateway.gauges import MODEL, DeploymentGauges, PublicMetrics
from penstock.gateway.meter import Meter
from penstock.gateway.resolve import Catalogue, Contents

NOW = datetime.now(UTC)
ANN = Principal(account_id="ann", key_id="1", account="ann")


def entry(name: str, account: str | None = None) -> CatalogueEntry:
    return CatalogueEntry(
        name=name, created_at=NOW, account_id=account, private=account is not None
    )


def adapter(name: str, base: str) -> Adapter:
    return Adapter(name=name, base=base, source="/adapter", created_at=NOW)


def spec(name: str) -> DeploymentSpec:
    return DeploymentSpec(
        id=name, model=name, kind="llm", source="fake:", created_at=NOW, updated_at=NOW
    )


async def test_metrics_of_public_models_and_adapters_are_public() -> None:
    catalogue = Catalogue(Groups(), queue_limit=1)
    entries = [entry("base"), entry("hers", "ann"), entry("poet"), entry("her-poet", "ann")]
    adapters = [adapter("poet", "base"), adapter("her-poet", "base"), adapter("of-hers", "hers")]
    catalogue.replace(
        Contents(
            entries=[*entries, entry("of-hers")],
            specs=[spec("base"), spec("hers")],
            adapters=adapters,
        )
    )
    registry, public = CollectorRegistry(), CollectorRegistry()
    registry.register(DeploymentGauges(catalogue))
    meter = Meter(registry)
    for name in ("base", "hers", "poet", "her-poet", "of-hers"):
        with meter.record("chat", catalogue.resolve(name, ANN).counted_as, (0,)):
            pass
    public.register(PublicMetrics(registry, catalogue))
    shown = [sample for family in public.collect() for sample in family.samples]
    counted = {s.labels[MODEL] for s in shown if s.name == "penstock_generations_total"}
    assert counted == {"base", "poet"}
    assert {sample.labels[MODEL] for sample in shown} == counted
