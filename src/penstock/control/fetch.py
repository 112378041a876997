"""Brings weights here while the server runs: a few downloads at a time, each can be called off."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from penstock.control.local_source import fetched_source, found_here, source_at
from penstock.control.recipe import Recipe
from penstock.control.weights import fill, look_up
from penstock.domain.source import HubReference
from penstock.engines.registry import LocalSource

log = logging.getLogger(__name__)

#: More would only share the same line, and each would end later.
DOWNLOADS_AT_A_TIME = 2

#: Told of a download's percent; None when there is nothing to download any more.
Tell = Callable[[int | None], None]


class CalledOff(Exception):
    """Nobody wants the download any more. What has arrived is kept."""


class Fetcher:
    """`here` are sources that have been brought before, by their texts."""

    def __init__(
        self,
        *,
        cache_dir: Path,
        budget_bytes: int,
        check_engine: Callable[[str], None],
        here: Mapping[str, LocalSource],
    ) -> None:
        self._cache_dir = cache_dir
        self._check_engine = check_engine
        self._budget_bytes = budget_bytes
        self._here = dict(here)
        self._places = asyncio.Semaphore(DOWNLOADS_AT_A_TIME)

    async def bring(
        self, recipe: Recipe, tell: Tell, *, version_source: str | None = None
    ) -> LocalSource:
        """The recipe's source on this machine. Cancelling it calls off the download.

        `version_source` is that of the version that the recipe is known to be. Raises BadSource,
        FetchError.
        """
        source = source_at(recipe.name, recipe.source, version_source)
        if (known := self._here.get(str(source))) is not None:
            return known
        loop = asyncio.get_running_loop()

        def tell_loop(percent: int | None) -> None:
            loop.call_soon_threadsafe(tell, percent)

        tracker = _Tracker(recipe.name, tell_loop)
        try:
            if isinstance(source, HubReference):
                local = await self._from_hub(source, tracker)
            else:
                local = found_here(source)
        finally:
            tracker.called_off.set()
        self._here[str(source)] = local
        return local

    async def _from_hub(self, reference: HubReference, tracker: "_Tracker") -> LocalSource:
        """Only a download takes a place: what is here already waits for nobody's."""
        order = await asyncio.to_thread(
            look_up,
            reference,
            cache_dir=self._cache_dir,
            free_memory_bytes=self._budget_bytes,
            progress=tracker,
            check_engine=self._check_engine,
        )
        place = self._places if order.missing() else contextlib.nullcontext()
        async with place:
            return fetched_source(await asyncio.to_thread(fill, order, tracker))


class _Tracker:
    """Watches a download from its thread."""

    def __init__(self, name: str, tell: Tell) -> None:
        self.called_off = threading.Event()
        self._name = name
        self._tell = tell
        self._total_bytes = self._done_bytes = 0
        self._told: int | None = None

    def note(self, sentence: str) -> None:
        log.info("%s: %s", self._name, sentence)

    def start(self, total_bytes: int, label: str, *, arrived_bytes: int) -> None:
        self._total_bytes, self._done_bytes = total_bytes, 0
        self.advance(arrived_bytes)

    def advance(self, size_bytes: int) -> None:
        """Raises CalledOff in the download, which keeps what has arrived."""
        if self.called_off.is_set():
            raise CalledOff
        self._done_bytes += size_bytes
        percent = 100 * self._done_bytes // max(1, self._total_bytes)
        if percent != self._told:
            self._told = percent
            self._tell(percent)

    def finish(self) -> None:
        if not self.called_off.is_set():
            self._tell(None)
