"""What is to run, of what is desired: adapters are part of what a replica runs."""

from datetime import UTC, datetime

import msgspec

from penstock.config.settings import Settings
from penstock.control.wishes import wish_of, wishes_of
from penstock.domain.adapter import Adapter
from penstock.domain.deployment import DeploymentSpec
from penstock.domain.version import Version

NOW = datetime(2026, 11, 28, tzinfo=UTC)


def spec(model: str, version: str, fallback: str | None = None) -> DeploymentSpec:
    return DeploymentSpec(
        id=model,
        model=model,
        kind="llm",
        source="fake:",
        created_at=NOW,
        updated_at=NOW,
        version_id=version,
        fallback_version=fallback,
    )


def version(model: str, id_: str) -> Version:
    return Version(id=id_, model=model, engine="fake", source="fake:", created_at=NOW)


def adapter(name: str, base: str) -> Adapter:
    return Adapter(name=name, base=base, source=f"./{name}.gguf", created_at=NOW)


def test_what_a_model_s_own_settings_say_holds_over_the_size_of_a_batch() -> None:
    batched = msgspec.structs.replace(spec("base", "1"), max_batch_size=96)
    exact = msgspec.structs.replace(batched, settings={"parallel": 2})
    slots = [wish_of(each, {}, Settings()).recipe.settings.parallel for each in (batched, exact)]
    assert slots == [96, 2]


def test_adapters_are_of_their_base_s_deployment_and_of_what_it_returns_to() -> None:
    versions = [version("base", "1"), version("base", "2"), version("other", "3")]
    specs = [spec("base", "2", fallback="1"), spec("other", "3")]
    adapters = [adapter("warm", "base"), adapter("cold", "base"), adapter("lost", "nobody")]
    base, other = wishes_of(specs, versions, adapters, Settings())[:2]
    expected = {"warm": "./warm.gguf", "cold": "./cold.gguf"}
    assert base.recipe.settings.adapters == expected
    assert base.fallback is not None
    assert base.fallback.settings.adapters == expected
    assert other.recipe.settings.adapters == {}
    (before, _) = wishes_of(specs, versions, [], Settings())[:2]
    assert before.recipe != base.recipe
