"""The store as the origin sees it: packages, their parts and documents, read once and kept while they are good."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from functools import partial

from manifests.build import multivariant, segment_playlist
from manifests.codecs import JSON_TYPE, PLAYLIST_TYPE
from manifests.render import render
from model.errors import ObjectNotFound, RangeNotSatisfiable, RecordMalformed, StorageError, StorageUnavailable
from model.package import Current, Package
from model.records import from_json
from model.rendition import Codec
from model.segment import SegmentedRendition
from origin.blocks import Block, block_of
from origin.coalesce import Coalescer
from origin.encoding import Document, document
from origin.hot_cache import HotCache
from origin.observe import Cache, HealthState, Metrics
from origin.settings import OriginSettings
from storage.base import ByteRange, ObjectBody, ObjectStore
from storage.keys import current_key, package_key

_WEIGHT_PER_JSON_BYTE = 3  # the JSON itself, and 1.2 times as much parsed (measured on nine renditions), rounded up


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """Which package of a track is live, and since when (seconds since the epoch)."""

    package_id: str
    modified_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPackage:
    """A package record, and the object it came from."""

    package: Package
    body: bytes
    modified_s: int

    def key_of(self, name: str) -> str:
        """The object key of a file of this package."""
        return package_key(self.package.track_id, self.package.package_id, name)


class Library:
    """Reads through to the store. What lies under a package id never changes and is cached by weight; the pointer to
    the live package is trusted for `pointer_ttl_s`. Equal reads at the same time are one read.

    Raises what the store raises, and TimeoutError when it takes longer than `store_deadline_s`.
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
        self._settings = settings
        self._metrics = metrics
        self._health = health
        self._clock = clock
        self._fetches = Coalescer(deadline_s=settings.store_deadline_s, on_shared=metrics.coalesced)
        self._reads = asyncio.Semaphore(settings.store_reads_max)
        self._pointers: HotCache[tuple[float, Live]] = HotCache(settings.pointers_max)
        self._packages: HotCache[StoredPackage] = HotCache(settings.package_cache_bytes // 2)
        self._documents: HotCache[Document] = HotCache(settings.package_cache_bytes // 2)
        self._parts: HotCache[bytes] = HotCache(settings.media_cache_bytes)
        self._pictures: HotCache[ObjectBody] = HotCache(settings.picture_cache_bytes)

    @property
    def cached_bytes(self) -> int:
        """What all caches hold now."""
        return sum(cache.weight for cache in (self._packages, self._documents, self._parts, self._pictures))

    async def close(self) -> None:
        """End the reads that still run."""
        await self._fetches.close()

    async def live(self, track_id: str) -> Live:
        """The live package of a track, at most `pointer_ttl_s` out of date."""
        kept = self._pointers.get(track_id)
        hit = kept is not None and self._clock() < kept[0]
        self._metrics.cache_asked(Cache.POINTER, hit=hit)
        if kept is not None and hit:
            return kept[1]
        key = current_key(track_id)
        return await self._fetches.run(key, partial(self._read_pointer, track_id, key))

    async def package(self, track_id: str, package_id: str) -> StoredPackage:
        """The record of a package, live or not."""
        key = package_key(track_id, package_id, "package.json")
        kept = self._packages.get(key)
        self._metrics.cache_asked(Cache.PACKAGE, hit=kept is not None)
        if kept is not None:
            return kept
        return await self._fetches.run(key, partial(self._read_package, track_id, package_id, key))

    async def part(self, stored: StoredPackage, rendition: SegmentedRendition, number: int) -> bytes:
        """Part `number` of a track file, which exists; its neighbours are read and kept with it."""
        key = stored.key_of(f"{rendition.rendition.rendition_id}.mp4")
        kept = self._parts.get((key, number))
        self._metrics.cache_asked(Cache.MEDIA, hit=kept is not None)
        if kept is not None:
            return kept
        block = block_of(rendition, number, bytes_max=self._settings.read_ahead_bytes)
        parts = await self._fetches.run((key, block), partial(self._read_parts, key, rendition, block))
        return parts[number]

    async def stream(
        self, stored: StoredPackage, rendition: SegmentedRendition, start: int, end: int
    ) -> AsyncGenerator[bytes, None]:
        """Bytes `start` to `end` of a track file in blocks, uncached: the next is read when it is asked for."""
        key = stored.key_of(f"{rendition.rendition.rendition_id}.mp4")
        step = self._settings.stream_block_bytes
        for at in range(start, end, step):
            wanted = ByteRange(at, min(end, at + step))
            yield await self._fetches.run((key, wanted), partial(self._read_media, key, rendition, wanted))

    async def picture(self, stored: StoredPackage) -> ObjectBody:
        """The cover art of a package. Raises ObjectNotFound if it has none."""
        key = stored.key_of("art.jpg")
        if not stored.package.has_art:
            raise ObjectNotFound("no cover art", subject=key)
        kept = self._pictures.get(key)
        self._metrics.cache_asked(Cache.MEDIA, hit=kept is not None)
        return kept if kept is not None else await self._fetches.run(key, partial(self._read_picture, key))

    def multivariant(self, stored: StoredPackage, codec: Codec, *, modified_s: int) -> Document:
        """The multivariant playlist of one family, at the place of a track's live package."""
        package = stored.package
        if not package.of(codec):
            raise ObjectNotFound("no rendition of this codec", subject=f"{package.track_id} {codec}")

        def build() -> bytes:
            return render(multivariant(package, codec, uri_of=lambda name: f"{package.package_id}/{name}.m3u8"))

        return self._document(stored, codec, build, media_type=PLAYLIST_TYPE, modified_s=modified_s)

    def media_playlist(self, stored: StoredPackage, rendition: SegmentedRendition) -> Document:
        """The media playlist of a rendition, in the segment-URL form."""

        def build() -> bytes:
            return render(segment_playlist(rendition, target_duration_s=stored.package.target_duration_s))

        name = rendition.rendition.rendition_id
        return self._document(stored, name, build, media_type=PLAYLIST_TYPE, modified_s=stored.modified_s)

    def record(self, stored: StoredPackage, *, modified_s: int) -> Document:
        """The package record itself."""
        return self._document(stored, "package", lambda: stored.body, media_type=JSON_TYPE, modified_s=modified_s)

    def _document(
        self, stored: StoredPackage, name: str, build: Callable[[], bytes], *, media_type: str, modified_s: int
    ) -> Document:
        key = (stored.package.track_id, stored.package.package_id, name, modified_s)
        kept = self._documents.get(key)
        self._metrics.cache_asked(Cache.DOCUMENT, hit=kept is not None)
        if kept is None:
            kept = document(build(), media_type=media_type, modified_s=modified_s)
            self._documents.put(key, kept, weight=kept.size_bytes)
        return kept

    async def _read_pointer(self, track_id: str, key: str) -> Live:
        read_s = self._clock()
        body = await self._read(key)
        current = from_json(Current, body.data, subject=key)
        if current.track_id != track_id:
            raise RecordMalformed("the pointer is of another track", subject=key, hint="run `segue package --repair`")
        live = Live(package_id=current.package_id, modified_s=body.info.modified_s)
        self._pointers.put(track_id, (read_s + self._settings.pointer_ttl_s, live), weight=1)
        return live

    async def _read_package(self, track_id: str, package_id: str, key: str) -> StoredPackage:
        body = await self._read(key)
        # In a thread: nine renditions of four minutes take some 20 ms to check, too long for the event loop.
        package = await asyncio.to_thread(from_json, Package, body.data, subject=key)
        if (package.track_id, package.package_id) != (track_id, package_id):
            raise RecordMalformed("the record is of another package", subject=key, hint="run `segue package --repair`")
        stored = StoredPackage(package=package, body=body.data, modified_s=body.info.modified_s)
        self._packages.put(key, stored, weight=_WEIGHT_PER_JSON_BYTE * len(body.data))
        return stored

    async def _read_parts(self, key: str, rendition: SegmentedRendition, block: Block) -> dict[int, bytes]:
        parts = block.split(await self._read_media(key, rendition, block.byte_range))
        for number, data in parts.items():
            self._parts.put((key, number), data, weight=len(data))
        return parts

    async def _read_media(self, key: str, rendition: SegmentedRendition, wanted: ByteRange) -> bytes:
        body = await self._read(key, wanted)
        if body.info.sha256 != rendition.sha256:  # its entity tags would lie for a year
            hint = "run `segue package --repair`"
            raise StorageError("the track file is not the one that its package names", subject=key, hint=hint)
        return body.data

    async def _read_picture(self, key: str) -> ObjectBody:
        body = await self._read(key)
        self._pictures.put(key, body, weight=len(body.data))
        return body

    async def _read(self, key: str, wanted: ByteRange | None = None) -> ObjectBody:
        async with self._reads:
            try:
                body = await self._store.read(key, wanted)
                _check_length(body, wanted)
            except (ObjectNotFound, RangeNotSatisfiable) as error:  # an answer, not a failure
                self._health.store_answered()
                self._metrics.store_read(error.code)
                raise
            except StorageError as error:
                self._health.store_failed()
                self._metrics.store_read(error.code)
                raise
            except asyncio.CancelledError:  # the deadline passed, or we are closing
                self._health.store_failed()
                self._metrics.store_read("deadline")
                raise
        self._health.store_answered()
        self._metrics.store_read("ok", size_bytes=len(body.data))
        return body


def _check_length(body: ObjectBody, wanted: ByteRange | None) -> None:
    expected = wanted.size_bytes if wanted else body.info.size_bytes
    if len(body.data) != expected:
        hint = "if it happens again, the object is damaged: run `segue package --repair`"
        raise StorageUnavailable("the store sent fewer bytes than asked for", subject=body.info.key, hint=hint)
