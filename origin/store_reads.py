"""Every read of the store: bounded in number, counted, told to the health, and not repeated for what is not there."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from model.errors import ObjectNotFound, StorageDenied, StorageError, StorageUnavailable
from origin.cache_status import Tier, Trace
from origin.hot_cache import HotCache
from origin.observe import Cache, HealthState, Metrics
from origin.settings import OriginSettings
from storage.base import ByteRange, ObjectBody, ObjectStore, ObjectStream


class StoreReads:
    """Reads through to the store, `store_reads_max` at a time; a quarter of them only whole small objects, so that
    these never wait for long blocks. Sets no deadline: who reads does.

    What the store said is not there counts as missing for `negative_ttl_s`; ask `refuse_missing` before reading.
    """

    def __init__(
        self,
        store: ObjectStore,
        settings: OriginSettings,
        *,
        metrics: Metrics,
        health: HealthState,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._health = health
        self._clock = clock
        blocks_max = max(1, settings.store_reads_max * 3 // 4)
        self._for_blocks = asyncio.Semaphore(blocks_max)
        self._for_records = asyncio.Semaphore(max(1, settings.store_reads_max - blocks_max))
        self._missing_for_s = settings.negative_ttl_s
        self._missing: HotCache[float] = HotCache(settings.negatives_max)

    def refuse_missing(self, key: str, trace: Trace) -> None:
        """Raise ObjectNotFound if the store said so lately."""
        until_s = self._missing.get(key)
        if until_s is None:
            return
        if self._clock() >= until_s:
            self._missing.discard(key)
            return
        self._metrics.cache_asked(Cache.NEGATIVE, hit=True)
        trace.hit(Tier.NEGATIVE)
        raise ObjectNotFound("not there a moment ago", subject=key)

    async def read(self, key: str) -> ObjectBody:
        """A whole object, which is small."""
        async with self._for_records, self._counted(key) as done:
            body = await self._store.read(key)
            if len(body.data) != body.info.size_bytes:
                raise fell_short(key)
            done(len(body.data))
        return body

    @asynccontextmanager
    async def open(self, key: str, wanted: ByteRange) -> AsyncIterator[ObjectStream]:
        """The bytes of a range as they come. The read counts as failed if the body of the `with` raises."""
        async with self._for_blocks, self._counted(key) as done, self._store.open(key, wanted) as stream:
            self._health.store_answered()
            yield stream
            done(wanted.size_bytes)

    @asynccontextmanager
    async def _counted(self, key: str) -> AsyncIterator[Callable[[int], None]]:
        size_bytes = 0

        def done(size: int) -> None:
            nonlocal size_bytes
            size_bytes = size

        try:
            yield done
        except (StorageUnavailable, StorageDenied) as error:
            self._health.store_failed()
            self._metrics.store_read(error.code)
            raise
        except StorageError as error:  # an answer, if not the one that was hoped for
            if isinstance(error, ObjectNotFound):
                self._missing.put(key, self._clock() + self._missing_for_s, weight=1)
            self._health.store_answered()
            self._metrics.store_read(error.code)
            raise
        except asyncio.CancelledError:  # the deadline passed, or we are closing
            self._health.store_failed()
            self._metrics.store_read("deadline")
            raise
        self._health.store_answered()
        self._metrics.store_read("ok", size_bytes=size_bytes)


def fell_short(key: str) -> StorageUnavailable:
    """The error of an answer with fewer bytes than it should have."""
    hint = "if it happens again, the object is damaged: run `segue package --repair`"
    return StorageUnavailable("the store sent fewer bytes than asked for", subject=key, hint=hint)
