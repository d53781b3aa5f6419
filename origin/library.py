"""The store as the origin sees it: packages, their parts and documents, read once and kept while they are good."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from manifests.build import key_base_uri, multivariant, quotable, segment_playlist, session_data_of
from manifests.codecs import JSON_TYPE, MEDIA_SUFFIX, MPD_TYPE, PLAYLIST_SUFFIX, PLAYLIST_TYPE
from manifests.dash import render_mpd
from manifests.playlist import SessionData
from manifests.render import render
from model.errors import ObjectNotFound, RangeNotSatisfiable, RecordMalformed, StorageError, StorageUnavailable
from model.package import Current, Package
from model.records import from_json
from model.rendition import Codec
from model.segment import SegmentedRendition
from model.track import Track, is_id
from origin.blocks import Block, block_of
from origin.coalesce import Coalescer
from origin.encoding import Document, document
from origin.health import HealthState
from origin.hot_cache import HotCache
from origin.metrics_table import STORAGE_READS_IN_PROGRESS, STORAGE_READS_WAITING, Cache
from origin.observe import Metrics, Turns
from origin.settings import OriginSettings
from storage.base import ByteRange, ObjectBody, ObjectStore
from storage.keys import art_key, current_key, package_key, track_file_key, track_key

ART_SIDE = 640  # pixels of a cover where no size is asked for
_WEIGHT_PER_JSON_BYTE = 3  # the JSON itself, and 1.2 times as much parsed (measured on nine renditions), rounded up

Pointed = TypeVar("Pointed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """Which package of a track is live, and since when (seconds since the epoch)."""

    track_id: str
    recording_id: str
    package_id: str
    modified_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What listeners see of a track: its names and its cover, and since when (seconds since the epoch)."""

    title: str
    session_data: tuple[SessionData, ...]
    art_id: str
    modified_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPackage:
    """A package record, and the object it came from."""

    package: Package
    body: bytes
    modified_s: int

    @property
    def uri(self) -> str:
        """Where a document of a track finds what lies under this package: relative, so that a prefix is inherited."""
        return f"../../recordings/{self.package.recording_id}/{self.package.package_id}"

    def track_file_key(self, rendition: SegmentedRendition) -> str:
        """The object key of a rendition's track file: in this package, or the mezzanine that it was made of."""
        return track_file_key(self.package.recording_id, self.package.package_id, rendition.track_file_path)


class Library:
    """Reads through to the store. Packages and art never change and are cached by weight; the two mutable objects of a
    track are trusted for `pointer_ttl_s`. Equal reads at the same time are one read.

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
        self._fetches = Coalescer(
            deadline_s=settings.store_deadline_s,
            fetches_max=settings.fetches_max,
            waiters_max=settings.waiters_max,
            on_shared=metrics.coalesced,
        )
        self._reads = Turns(settings.store_reads_max)
        self._pointers: HotCache[tuple[float, Live]] = HotCache(settings.pointers_max)
        self._labels: HotCache[tuple[float, Label]] = HotCache(settings.pointers_max)
        self._packages: HotCache[StoredPackage] = HotCache(settings.package_cache_bytes // 2)
        self._documents: HotCache[Document] = HotCache(settings.package_cache_bytes // 2)
        self._parts: HotCache[bytes] = HotCache(settings.media_cache_bytes)
        self._pictures: HotCache[ObjectBody] = HotCache(settings.picture_cache_bytes)
        metrics.watch(STORAGE_READS_IN_PROGRESS, lambda: self._reads.holders)
        metrics.watch(STORAGE_READS_WAITING, lambda: self._reads.waiters)

    @property
    def cached_bytes(self) -> int:
        """What all caches hold now."""
        return sum(cache.weight for cache in (self._packages, self._documents, self._parts, self._pictures))

    async def close(self) -> None:
        """End the reads that still run."""
        await self._fetches.close()

    async def live(self, track_id: str) -> Live:
        """The live package of a track, at most `pointer_ttl_s` out of date."""
        return await self._mutable(self._pointers, current_key(track_id), partial(_live, track_id))

    async def label(self, track_id: str) -> Label:
        """Names and cover of a track, live or not, at most `pointer_ttl_s` out of date."""
        return await self._mutable(self._labels, track_key(track_id), partial(_label, track_id))

    def trusted_until_s(self, track_id: str) -> float:
        """Until when, by the monotonic clock, what is known of a track needs no further look."""
        known = self._pointers.get(current_key(track_id)), self._labels.get(track_key(track_id))
        return min((each[0] for each in known if each is not None), default=0.0)

    async def package(self, recording_id: str, package_id: str) -> StoredPackage:
        """The record of a package, live or not."""
        key = package_key(recording_id, package_id, "package.json")
        kept = self._packages.get(key)
        self._metrics.cache_asked(Cache.PACKAGE, hit=kept is not None)
        if kept is not None:
            return kept
        return await self._fetches.run(key, partial(self._read_package, recording_id, package_id, key))

    async def part(self, stored: StoredPackage, rendition: SegmentedRendition, number: int) -> bytes:
        """Part `number` of a track file, which exists; its neighbours are read and kept with it."""
        key = stored.track_file_key(rendition)
        kept = self._parts.get((key, number))
        self._metrics.cache_asked(Cache.MEDIA, hit=kept is not None)
        if kept is not None:
            return kept
        block = block_of(rendition, number, bytes_max=self._settings.read_ahead_bytes)
        parts = await self._fetches.run((key, block), partial(self._read_parts, key, rendition, block))
        return parts[number]

    def held_part(
        self, stored: StoredPackage, rendition: SegmentedRendition, number: int
    ) -> Callable[[], bytes | None]:
        """Gives part `number` for as long as it is held in memory; asking keeps it there."""
        return partial(self._parts.get, (stored.track_file_key(rendition), number))

    async def stream(
        self, stored: StoredPackage, rendition: SegmentedRendition, start: int, end: int
    ) -> AsyncGenerator[bytes, None]:
        """Bytes `start` to `end` of a track file in blocks, uncached: the next is read when it is asked for."""
        key = stored.track_file_key(rendition)
        step = self._settings.stream_block_bytes
        for at in range(start, end, step):
            wanted = ByteRange(at, min(end, at + step))
            yield await self._fetches.run((key, wanted), partial(self._read_media, key, rendition, wanted))

    async def picture(self, art_id: str, side: int) -> ObjectBody:
        """Cover art of this many pixels a side."""
        key = art_key(art_id, side)
        kept = self._pictures.get(key)
        self._metrics.cache_asked(Cache.MEDIA, hit=kept is not None)
        return kept if kept is not None else await self._fetches.run(key, partial(self._read_picture, key))

    async def multivariant(self, stored: StoredPackage, codec: Codec, live: Live, label: Label) -> Document:
        """The multivariant playlist of one family, at the place of a track."""
        package = stored.package
        if not package.of(codec):
            raise ObjectNotFound("no rendition of this codec", subject=f"{live.track_id} {codec}")

        def uri_of(rendition_id: str) -> str:
            return f"{stored.uri}/{rendition_id}{PLAYLIST_SUFFIX}"

        def build() -> bytes:
            return render(multivariant(package, codec, uri_of=uri_of, session_data=label.session_data))

        modified_s = max(live.modified_s, label.modified_s)
        # By what it shows, not by its date alone: two changes may fall into one second.
        return await self._document((live, label, codec), build, media_type=PLAYLIST_TYPE, modified_s=modified_s)

    async def mpd(self, stored: StoredPackage, live: Live, label: Label) -> Document:
        """All families as a DASH presentation, at the place of a track; a protected package has none."""
        if stored.package.protection is not None:
            raise ObjectNotFound("no DASH of a protected package", subject=live.track_id)

        def uri_of(rendition: SegmentedRendition) -> str:
            return f"{stored.uri}/{rendition.rendition.rendition_id}{MEDIA_SUFFIX}"

        def build() -> bytes:
            return render_mpd(stored.package, uri_of=uri_of, title=label.title)

        modified_s = max(live.modified_s, label.modified_s)
        return await self._document((live, label, MPD_TYPE), build, media_type=MPD_TYPE, modified_s=modified_s)

    async def media_playlist(self, stored: StoredPackage, rendition: SegmentedRendition) -> Document:
        """The media playlist of a rendition, in the segment-URL form."""

        def build() -> bytes:
            package = stored.package
            keys = key_base_uri(package, rendition)
            return render(segment_playlist(rendition, target_duration_s=package.target_duration_s, key_base_uri=keys))

        key = (stored.uri, rendition.rendition.rendition_id)
        return await self._document(key, build, media_type=PLAYLIST_TYPE, modified_s=stored.modified_s)

    async def record(self, stored: StoredPackage, live: Live) -> Document:
        """The package record itself, at the place of a track."""
        return await self._document(live, lambda: stored.body, media_type=JSON_TYPE, modified_s=live.modified_s)

    async def _document(
        self, key: Hashable, build: Callable[[], bytes], *, media_type: str, modified_s: int
    ) -> Document:
        kept = self._documents.get(key)
        self._metrics.cache_asked(Cache.DOCUMENT, hit=kept is not None)
        if kept is not None:
            return kept

        def make() -> Document:
            return document(build(), media_type=media_type, modified_s=modified_s)

        async def fetch() -> Document:
            made = await asyncio.to_thread(make)  # a playlist of hours takes tens of milliseconds
            self._documents.put(key, made, weight=made.size_bytes)
            return made

        return await self._fetches.run(("document", key), fetch)

    async def _mutable(
        self, cache: HotCache[tuple[float, Pointed]], key: str, made_of: Callable[[ObjectBody], Pointed]
    ) -> Pointed:
        """What is made of an object that may be replaced at any time, kept for `pointer_ttl_s` from the read on."""
        kept = cache.get(key)
        hit = kept is not None and self._clock() < kept[0]
        self._metrics.cache_asked(Cache.POINTER, hit=hit)
        if kept is not None and hit:
            return kept[1]

        async def fetch() -> Pointed:
            read_s = self._clock()
            made = made_of(await self._read(key))
            cache.put(key, (read_s + self._settings.pointer_ttl_s, made), weight=1)
            return made

        return await self._fetches.run(key, fetch)

    async def _read_package(self, recording_id: str, package_id: str, key: str) -> StoredPackage:
        body = await self._read(key)
        # In a thread: nine renditions of four minutes take some 20 ms to check, too long for the event loop.
        package = await asyncio.to_thread(from_json, Package, body.data, subject=key)
        if (package.recording_id, package.package_id) != (recording_id, package_id):
            raise _misplaced(key)
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
            began_s = self._clock()
            try:
                body = await self._store.read(key, wanted)
                _check_length(body, wanted)
            except (ObjectNotFound, RangeNotSatisfiable) as error:  # an answer, not a failure
                self._health.store_answered()
                self._metrics.store_read(error.code, duration_s=self._clock() - began_s)
                raise
            except StorageError as error:
                self._health.store_failed()
                self._metrics.store_read(error.code, duration_s=self._clock() - began_s)
                raise
            except asyncio.CancelledError:  # the deadline passed, or we are closing
                self._health.store_failed()
                self._metrics.store_read("deadline", duration_s=self._clock() - began_s)
                raise
        self._health.store_answered()
        self._metrics.store_read("ok", size_bytes=len(body.data), duration_s=self._clock() - began_s)
        return body


def _live(track_id: str, body: ObjectBody) -> Live:
    current = from_json(Current, body.data, subject=body.info.key)
    if current.track_id != track_id:
        raise _misplaced(body.info.key)
    return Live(
        track_id=track_id,
        recording_id=current.recording_id,
        package_id=current.package_id,
        modified_s=body.info.modified_s,
    )


def _label(track_id: str, body: ObjectBody) -> Label:
    track = from_json(Track, body.data, subject=body.info.key)
    if track.track_id != track_id:
        raise _misplaced(body.info.key)
    if not is_id(track.art_id):
        raise RecordMalformed("no art id", subject=body.info.key, hint="publish the track again")
    art_uri = f"../../art/{track.art_id}/{ART_SIDE}.jpg"  # as seen from the playlists of the track
    return Label(
        title=quotable(track.tags.title),
        session_data=session_data_of(track.tags, art_uri=art_uri),
        art_id=track.art_id,
        modified_s=body.info.modified_s,
    )


def _misplaced(key: str) -> RecordMalformed:
    hint = "publish the track again; `segue package --repair` mends packages"
    return RecordMalformed("the record is about something else", subject=key, hint=hint)


def _check_length(body: ObjectBody, wanted: ByteRange | None) -> None:
    expected = wanted.size_bytes if wanted else body.info.size_bytes
    if len(body.data) != expected:
        hint = "if it happens again, the object is damaged: run `segue package --repair`"
        raise StorageUnavailable("the store sent fewer bytes than asked for", subject=body.info.key, hint=hint)
