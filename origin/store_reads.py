"""Every read of the store: bounded in number, counted, told to the health, and not repeated for what is not there."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from model.errors import ObjectNotFound, StorageDenied, StorageError, StorageUnavailable
from origin.cache_status import Tier, Trace
from origin.health import HealthState
from origin.hot_cache import HotCache
from origin.metrics_table import STORAGE_READS_IN_PROGRESS, STORAGE_READS_WAITING
from origin.observe import Metrics, Turns
from origin.settings import OriginSettings
from storage.base import ByteRange, Hasty, ObjectBody, ObjectStore, ObjectStream


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
        self._hasty = store if isinstance(store, Hasty) else None
        self._metrics = metrics
        self._health = health
        self._clock = clock
        blocks_max = max(1, settings.store_reads_max * 3 // 4)
        self._for_blocks = blocks = Turns(blocks_max)
        self._for_records = records = Turns(max(1, settings.store_reads_max - blocks_max))
        metrics.watch(STORAGE_READS_IN_PROGRESS, lambda: blocks.holders + records.holders)
        metrics.watch(STORAGE_READS_WAITING, lambda: blocks.waiters + records.waiters)
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
        self._metrics.known_missing()
        trace.hit(Tier.NEGATIVE)
        raise ObjectNotFound("not there a moment ago", subject=key)

    async def read(self, key: str) -> ObjectBody:
        """A whole object, which is small."""
        async with self._for_records, self._counted(key) as count:
            body = await self._store.read(key)
            if len(body.data) != body.info.size_bytes:
                raise fell_short(key)
            count.size_bytes = len(body.data)
        return body

    def hasten(self, key: str, wanted: ByteRange | None = None) -> Callable[[], None] | None:
        """Ask for what `open` is about to be called for, or without a range `read`, where the store can and it would
        not have to wait; see Hasty."""
        turns = self._for_records if wanted is None else self._for_blocks
        return None if self._hasty is None or turns.locked() else self._hasty.hasten(key, wanted)

    @asynccontextmanager
    async def open(self, key: str, wanted: ByteRange) -> AsyncIterator[ObjectStream]:
        """The bytes of a range as they come. The read counts as failed if the body of the `with` raises."""
        async with self._for_blocks, self._counted(key) as count, self._store.open(key, wanted) as stream:
            count.first_byte_s = self._clock() - count.began_s
            self._health.store_answered()
            yield stream
            count.size_bytes = wanted.size_bytes

    @asynccontextmanager
    async def _counted(self, key: str) -> AsyncIterator["_Count"]:
        count = _Count(began_s=self._clock())
        try:
            yield count
        except (StorageUnavailable, StorageDenied) as error:
            self._health.store_failed()
            self._told(error.code, count)
            raise
        except StorageError as error:  # an answer, if not the one that was hoped for
            if isinstance(error, ObjectNotFound):
                self._missing.put(key, self._clock() + self._missing_for_s, weight=1)
            self._health.store_answered()
            self._told(error.code, count)
            raise
        except asyncio.CancelledError:  # the deadline passed, or we are closing
            self._health.store_failed()
            self._told("deadline", count)
            raise
        self._health.store_answered()
        self._told("ok", count)

    def _told(self, result: str, count: "_Count") -> None:
        self._metrics.store_read(
            result,
            size_bytes=count.size_bytes,
            duration_s=self._clock() - count.began_s,
            first_byte_s=count.first_byte_s,
        )


@dataclass(slots=True, kw_only=True)
class _Count:
    """What is known of a read."""

    began_s: float
    size_bytes: int = 0
    first_byte_s: float | None = None


def fell_short(key: str) -> StorageUnavailable:
    """The error of an answer with fewer bytes than it should have."""
    hint = "if it happens again, the object is damaged: run `segue package --repair`"
    return StorageUnavailable("the store sent fewer bytes than asked for", subject=key, hint=hint)
