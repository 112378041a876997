"""Looks at an adapter before it is taken: is it here, and does it fit its base?"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from penstock.config.settings import ModelSettings
from penstock.control.adapters import Unwatched, bring_adapter
from penstock.control.digest import Digester, pinned
from penstock.control.fetch_error import FetchError
from penstock.control.local_source import bring_here, fetched_source, source_at
from penstock.control.recipe import EngineMaker, Recipe
from penstock.domain.adapter import Adapter
from penstock.domain.deployment import DeploymentSpec
from penstock.domain.source import HubReference, parse_source
from penstock.domain.version import Version
from penstock.engines.base import CannotStart
from penstock.engines.formats.peft import is_peft, read_config
from penstock.engines.registry import LocalSource

#: More than any machine has: nothing is started, only whether it fits is asked.
ENOUGH_BYTES = 2**62


class Fitting:
    """Its methods may download, and block. They raise CannotStart, with the reason."""

    def __init__(self, engines: EngineMaker, *, cache_dir: Path, digester: Digester) -> None:
        self._engines = engines
        self._digester = digester
        self._cache_dir = cache_dir

    def named_base(self, name: str, source: str) -> str | None:
        """What an adapter itself says that it was made for."""
        path = self._bring(name, source)
        try:
            return read_config(path).base_model_name_or_path if is_peft(path) else None
        except OSError as error:
            raise CannotStart(f"The adapter {path} cannot be read: {error.strerror}.") from None

    def fit(
        self,
        adapter: Adapter,
        base: DeploymentSpec,
        running: Version | None,
        beside: Sequence[Adapter],
    ) -> Adapter:
        """The adapter with its rank and digest, and its source pinned to what is here now.

        `running` is the version that answers for its base, by whose weights it is looked at;
        `beside` are the adapters that the base has, with all of which it must have room.
        """
        source = parse_source(f"{adapter.name}={adapter.source}").source
        local = fetched_source(self._bring(adapter.name, adapter.source))
        text = pinned(source, local)
        weights = self._base(base, running)
        recipe = _adapted(base, {adapter.name: text})
        engine = self._engines.make(recipe, weights, free_bytes=ENOUGH_BYTES)
        together = _adapted(base, {a.name: a.source for a in beside} | {adapter.name: text})
        there, _ = self._engines.without_lost(together)
        self._engines.need(there, weights)
        return msgspec.structs.replace(
            adapter,
            source=text,
            rank=engine.rank_of(adapter.name),
            digest=self._digester.digest_of(local),
        )

    def _bring(self, name: str, source: str) -> Path:
        return bring_adapter(name, source, cache_dir=self._cache_dir, progress=Unwatched())

    def _base(self, spec: DeploymentSpec, running: Version | None) -> LocalSource:
        """What is to be compared with. Raises CannotStart, also while it has yet to be fetched."""
        source = source_at(spec.model, spec.source, running.source if running is not None else None)
        if running is None and isinstance(source, HubReference):
            raise CannotStart(f"Its base, {spec.model}, is not here yet. Add it when that runs.")
        try:
            return bring_here(
                source,
                cache_dir=self._cache_dir,
                free_memory_bytes=ENOUGH_BYTES,
                progress=Unwatched(),
            )
        except FetchError as error:
            raise CannotStart(f"Its base, {spec.model}: {error}") from None


def _adapted(base: DeploymentSpec, adapters: Mapping[str, str]) -> Recipe:
    given = {**base.settings, "source": base.source, "adapters": dict(adapters)}
    return Recipe(base.model, base.source, msgspec.convert(given, ModelSettings))
