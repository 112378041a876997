"""What is to run, of what the stores say is desired."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from penstock.config.settings import ModelSettings, Settings
from penstock.control.observed import Wish
from penstock.control.recipe import Recipe, recipe_of
from penstock.domain.adapter import Adapter
from penstock.domain.deployment import DeploymentSpec, Scale
from penstock.domain.version import Version, deployment_of_version

#: A deployment that runs only while it is asked for stays so long, where nobody says otherwise.
IDLE_STOP_S = 900.0
ON_DEMAND = Scale(min_instances=0, max_instances=1)


def wishes_of(
    specs: Sequence[DeploymentSpec],
    versions: Iterable[Version],
    adapters: Iterable[Adapter],
    settings: Settings,
) -> list[Wish]:
    """A wish for each deployment, and for each version that none of them is of.

    Adapters are of the deployments: a change of them is a change of their replicas.
    """
    by_name = {(version.model, version.id): version for version in versions}
    of_base: dict[str, dict[str, str]] = defaultdict(dict)
    for adapter in adapters:
        of_base[adapter.base][adapter.name] = adapter.source
    wishes = [
        with_adapters(wish_of(spec, by_name, settings), of_base.get(spec.model, {}))
        for spec in specs
        if spec.kind != "lora"  # served by its base
    ]
    served = {(spec.model, spec.version_id) for spec in specs}
    for key, version in by_name.items():
        if key not in served:
            wishes.append(wish_of(spec_of_version(version), by_name, settings))
    return wishes


def wish_of(
    spec: DeploymentSpec, versions: Mapping[tuple[str, str], Version], settings: Settings
) -> Wish:
    """A deployment's wish. Its source is that of its version, once that is known."""
    own = model_settings(spec.source, spec.settings)
    if spec.max_batch_size is not None and own.parallel is None:
        own = msgspec.structs.replace(own, parallel=spec.max_batch_size)
    fallback = versions.get((spec.model, spec.fallback_version or ""))
    current = versions.get((spec.model, spec.version_id or ""))
    said = (spec.idle_stop_s, own.idle_stop_s, settings.idle_stop_s)
    on_demand = IDLE_STOP_S if spec.scale.min_instances == 0 else None
    return Wish(
        spec=msgspec.structs.replace(spec, pinned=spec.pinned or own.pinned),
        recipe=recipe_of(spec.model, spec.source, own),
        fallback=None if fallback is None else recipe_of_version(fallback),
        capabilities=None if current is None else current.capabilities,
        version_source=None if current is None else current.source,
        idle_stop_s=next((value for value in said if value is not None), on_demand),
    )


def with_adapters(wish: Wish, adapters: Mapping[str, str]) -> Wish:
    """The same, with adapters at whatever runs. `adapters` are sources by names."""

    def adapted(recipe: Recipe) -> Recipe:
        settings = msgspec.structs.replace(recipe.settings, adapters=dict(adapters))
        return msgspec.structs.replace(recipe, settings=settings)

    if not adapters:
        return wish
    fallback = None if wish.fallback is None else adapted(wish.fallback)
    return msgspec.structs.replace(wish, recipe=adapted(wish.recipe), fallback=fallback)


def recipe_of_version(version: Version) -> Recipe:
    return recipe_of(
        version.model, version.source, model_settings(version.source, version.settings)
    )


def spec_of_version(version: Version) -> DeploymentSpec:
    """What serves a version that nobody has deployed, while somebody asks for it."""
    return DeploymentSpec(
        id=deployment_of_version(version.id),
        model=version.model,
        kind="declared",
        source=version.source,
        created_at=version.created_at,
        updated_at=version.created_at,
        version_id=version.id,
        scale=ON_DEMAND,
        settings=version.settings,
    )


def model_settings(source: str, given: Mapping[str, Any]) -> ModelSettings:
    """The settings of a model, of those that were given."""
    return msgspec.convert({**given, "source": source}, ModelSettings)
