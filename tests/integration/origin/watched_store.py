"""A real store, watched: which reads reach it, held back or failing when a test wants so."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from model.errors import StorageUnavailable
from storage.base import ByteRange, Hasty, ObjectBody, ObjectEntry, ObjectInfo, ObjectStore, ObjectStream


class WatchedStore:
    """Passes everything on to a real store. Counts reads by key; `gate` holds them, `error` fails them."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.reads: Counter[str] = Counter()
        self.ranges: list[ByteRange | None] = []
        self.bytes_read = 0
        self.hastened = 0
        self.heads = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.fail_after = 0  # reads that still succeed once `error` is set
        self.breaks_after: int | None = None  # bytes of the next stream, which ends there

    async def read(self, key: str, byte_range: ByteRange | None = None) -> ObjectBody:
        """Read from the real store, once the gate is open and unless it shall fail."""
        await self._admit(key, byte_range)
        body = await self._store.read(key, byte_range)
        self.bytes_read += len(body.data)
        return body

    @asynccontextmanager
    async def open(self, key: str, byte_range: ByteRange | None = None) -> AsyncIterator[ObjectStream]:
        """A stream of the real store, counted, held and failed as a read is."""
        await self._admit(key, byte_range)
        async with self._store.open(key, byte_range) as stream:
            yield replace(stream, chunks=self._counted(stream))

    def hasten(self, key: str, byte_range: ByteRange | None = None) -> Callable[[], None] | None:
        """As the real store if it can, while nothing holds or fails reads; `open` counts it."""
        if not isinstance(self._store, Hasty) or not self.gate.is_set() or self.error is not None:
            return None
        give_up = self._store.hasten(key, byte_range)
        self.hastened += give_up is not None
        return give_up

    async def _counted(self, stream: ObjectStream) -> AsyncIterator[bytes]:
        async for chunk in stream.chunks:
            part = chunk[: self.breaks_after]
            self.bytes_read += len(part)
            if part:
                yield part
            if self.breaks_after is not None:
                self.breaks_after -= len(part)
                if not self.breaks_after:
                    self.breaks_after = None
                    raise StorageUnavailable("broken off")

    async def _admit(self, key: str, byte_range: ByteRange | None) -> None:
        self.reads[key] += 1
        self.ranges.append(byte_range)
        await self.gate.wait()
        if self.error is not None:
            if self.fail_after <= 0:
                raise self.error
            self.fail_after -= 1

    async def head(self, key: str) -> ObjectInfo:
        """As the real store, once the gate is open and unless it shall fail."""
        self.heads += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return await self._store.head(key)

    async def fetch(self, key: str, target: Path) -> ObjectInfo:
        """As the real store."""
        return await self._store.fetch(key, target)

    async def lend(self, key: str, target: Path) -> ObjectInfo:
        """As the real store."""
        return await self._store.lend(key, target)

    async def put(self, key: str, body: Path | bytes, *, media_type: str, cache_control: str) -> ObjectInfo:
        """As the real store."""
        return await self._store.put(key, body, media_type=media_type, cache_control=cache_control)

    async def give(self, key: str, body: Path, *, sha256: str, media_type: str, cache_control: str) -> ObjectInfo:
        """As the real store."""
        return await self._store.give(key, body, sha256=sha256, media_type=media_type, cache_control=cache_control)

    async def put_if_absent(self, key: str, body: bytes, *, media_type: str, cache_control: str) -> bool:
        """As the real store."""
        return await self._store.put_if_absent(key, body, media_type=media_type, cache_control=cache_control)

    def walk(self, prefix: str, *, after: str = "") -> AsyncIterator[ObjectEntry]:
        """As the real store."""
        return self._store.walk(prefix, after=after)

    async def delete(self, key: str) -> None:
        """As the real store."""
        await self._store.delete(key)

    async def close(self) -> None:
        """As the real store."""
        await self._store.close()
