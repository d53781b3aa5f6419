"""Objects that may be replaced at any time: kept for moments, renewed in the background, and old when it has to be."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from model.errors import ObjectNotFound, Overloaded, PipelineError
from origin.cache_status import Tier, Trace
from origin.coalesce import Coalescer
from origin.errors import code_of, status_of
from origin.hot_cache import HotCache
from origin.metrics_table import Cache
from origin.observe import Metrics
from origin.settings import OriginSettings

log = logging.getLogger(__name__)

Made = TypeVar("Made")


@dataclass(slots=True)
class _Kept(Generic[Made]):
    made: Made
    confirmed_s: float  # when the store was asked for it: it was so then, or later
    asked_s: float  # when it was last asked anew
    failed_s: float | None = None  # when that failed


class MutableObjects(Generic[Made]):
    """What is made of each of many small objects, by key.

    - Younger than `pointer_ttl_s`: given at once. In the second half of that time one read in the background renews
      it, so those who ask often never wait.
    - Older: the store is asked, all together once.
    - If that fails, or takes longer than `stale_wait_s`, what was confirmed at most `stale_if_error_s` ago is given;
      at once while a read hangs, and for `stale_retry_s` after one failed. Only ObjectNotFound is believed.
    """

    def __init__(
        self,
        settings: OriginSettings,
        fetches: Coalescer,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._fetches = fetches
        self._metrics = metrics
        self._clock = clock
        self._cache: HotCache[_Kept[Made]] = HotCache(settings.pointers_max)

    async def get(self, key: str, make: Callable[[], Awaitable[Made]], trace: Trace) -> Made:
        """What `make` reads and makes of the object, now or lately. Raises what it raises, and TimeoutError."""
        kept = self._cache.get(key)
        age_s = 0.0 if kept is None else self._clock() - kept.confirmed_s
        fresh = kept is not None and age_s < self._settings.pointer_ttl_s
        self._metrics.cache_asked(Cache.POINTER, hit=fresh)
        if kept is None or age_s > max(self._settings.stale_if_error_s, self._settings.pointer_ttl_s):
            trace.asked(collapsed=key in self._fetches)
            return await self._fetches.run(key, partial(self._make, key, make))
        if fresh:
            if age_s >= self._settings.pointer_ttl_s / 2 and not self._failing(kept):
                with suppress(Overloaded):  # there is time
                    self._renew(key, kept, make)
            trace.hit(Tier.MEMORY, age_s=age_s, ttl_s=self._settings.pointer_ttl_s - age_s)
            return kept.made
        return await self._renewed(key, kept, make, trace)

    async def _renewed(self, key: str, kept: _Kept[Made], make: Callable[[], Awaitable[Made]], trace: Trace) -> Made:
        running = key in self._fetches
        hangs = running and self._clock() - kept.asked_s > self._settings.stale_wait_s
        if hangs or self._failing(kept):
            age_s = self._clock() - kept.confirmed_s
            trace.hit(Tier.MEMORY, age_s=age_s, ttl_s=self._settings.pointer_ttl_s - age_s)
            self._metrics.stale_answered()
            return kept.made
        if running:
            self._metrics.coalesced()
        trace.asked(stale=True, collapsed=running)
        try:
            task = self._renew(key, kept, make)
            async with asyncio.timeout(self._settings.stale_wait_s):
                return await asyncio.shield(task)
        except ObjectNotFound:
            raise
        except (PipelineError, TimeoutError) as error:
            age_s = self._clock() - kept.confirmed_s
            ttl_s = self._settings.pointer_ttl_s - age_s
            trace.failed(status_of(error), code_of(error), age_s=age_s, ttl_s=ttl_s)
            self._metrics.stale_answered()
            return kept.made

    def _failing(self, kept: _Kept[Made]) -> bool:
        return kept.failed_s is not None and self._clock() - kept.failed_s < self._settings.stale_retry_s

    def _renew(self, key: str, kept: _Kept[Made], make: Callable[[], Awaitable[Made]]) -> asyncio.Task[Made]:
        if key in self._fetches:
            return self._fetches.begin(key, make)
        kept.asked_s = self._clock()
        task = self._fetches.begin(key, partial(self._make, key, make))
        task.add_done_callback(partial(self._note, key, kept))
        return task

    async def _make(self, key: str, make: Callable[[], Awaitable[Made]]) -> Made:
        asked_s = self._clock()
        try:
            made = await make()
        except ObjectNotFound:
            self._cache.discard(key)
            raise
        self._cache.put(key, _Kept(made, asked_s, asked_s), weight=1)
        return made

    def _note(self, key: str, kept: _Kept[Made], task: asyncio.Task[Made]) -> None:
        """Remember that a renewal failed, and say so: nobody else may hear of it."""
        error = None if task.cancelled() else task.exception()
        if error is None or isinstance(error, ObjectNotFound):
            return
        kept.failed_s = self._clock()
        age_s = round(kept.failed_s - kept.confirmed_s, 1)
        code = code_of(error) if isinstance(error, Exception) else "internal"
        log.warning("object not renewed", extra={"object_key": key, "error_code": code, "age_s": age_s})
