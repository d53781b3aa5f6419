"""The store as the origin sees it: packages, their parts and documents, read once and kept while they are good."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from manifests.build import key_base_uri, multivariant, quotable, segment_playlist, session_data_of
from manifests.codecs import JSON_TYPE, MEDIA_SUFFIX, MPD_TYPE, PLAYLIST_SUFFIX, PLAYLIST_TYPE
from manifests.dash import render_mpd
from manifests.playlist import SessionData
from manifests.render import render
from model.errors import ObjectNotFound, Overloaded, RecordMalformed
from model.package import Current, Package
from model.records import from_json
from model.rendition import Codec
from model.segment import SegmentedRendition
from model.track import Track, is_id
from origin.blocks import FIRST_SEGMENT_PART, part_range
from origin.cache_status import Tier, Trace
from origin.coalesce import Coalescer
from origin.disk_cache import DiskCache
from origin.encoding import Document, document
from origin.health import HealthState
from origin.hot_cache import HotCache
from origin.media_tiers import MediaTiers, TrackFile
from origin.metrics_table import CACHED_BYTES, DISK_CACHES_USABLE, Cache
from origin.metrics_table import Tier as CountedTier
from origin.mutable import MutableObjects
from origin.observe import Metrics
from origin.settings import OriginSettings
from origin.store_reads import StoreReads
from storage.base import ByteRange, ObjectBody, ObjectStore
from storage.keys import art_key, current_key, package_key, track_file_key, track_key

ART_SIDE = 640  # pixels of a cover where no size is asked for
_PARSED_AT_ONCE_BYTES = 128 << 10  # in less than a millisecond; what takes longer may not hold up the event loop
_WEIGHT_PER_JSON_BYTE = 3  # the JSON itself, and 1.2 times as much parsed (measured on nine renditions), rounded up

Lasting = TypeVar("Lasting")


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
    _files: dict[str, TrackFile] = field(default_factory=dict, repr=False, compare=False)  # that were asked for

    @property
    def uri(self) -> str:
        """Where a document of a track finds what lies under this package: relative, so that a prefix is inherited."""
        return f"../../recordings/{self.package.recording_id}/{self.package.package_id}"

    def track_file(self, rendition: SegmentedRendition) -> TrackFile:
        """A rendition's track file: in this package, or the mezzanine that it was made of."""
        file = self._files.get(rendition.rendition.rendition_id)
        if file is None:
            key = track_file_key(self.package.recording_id, self.package.package_id, rendition.track_file_path)
            file = self._files[rendition.rendition.rendition_id] = TrackFile(key, rendition)
        return file


class Library:
    """Reads through to the store. Packages, media and art never change and are cached by weight; the two mutable
    objects of a track are trusted for `pointer_ttl_s`, and longer where the store fails. Equal reads at the same time
    are one read. Each answer's `trace` is told what was found where.

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
        self._metrics = metrics
        self._reads = StoreReads(store, settings, metrics=metrics, health=health, clock=clock)
        self._fetches = Coalescer(
            deadline_s=settings.store_deadline_s,
            fetches_max=settings.fetches_max,
            waiters_max=settings.waiters_max,
            on_shared=metrics.coalesced,
        )
        self._pointers: MutableObjects[Live] = MutableObjects(settings, self._fetches, metrics, clock=clock)
        self._labels: MutableObjects[Label] = MutableObjects(settings, self._fetches, metrics, clock=clock)
        self._packages: HotCache[StoredPackage] = HotCache(settings.package_cache_bytes // 2)
        self._documents: HotCache[Document] = HotCache(settings.package_cache_bytes // 2)
        self._pictures: HotCache[ObjectBody] = HotCache(settings.picture_cache_bytes)
        self._disk = disk = DiskCache(settings.disk_cache, metrics) if settings.disk_cache else None
        if disk is not None:
            metrics.watch(DISK_CACHES_USABLE, lambda: disk.usable)
            metrics.watch(CACHED_BYTES, lambda: disk.weight, CountedTier.DISK)
        self._media = MediaTiers(self._reads, settings, metrics, self._disk)

    @property
    def cached_bytes(self) -> int:
        """What is held in memory."""
        return self._packages.weight + self._documents.weight + self._media.weight + self._pictures.weight

    @property
    def holds_something(self) -> bool:
        """Whether there is anything to serve without the store."""
        on_disk = self._disk is not None and self._disk.usable and self._disk.weight > 0
        return on_disk or self.cached_bytes > 0

    def start(self) -> None:
        """Take in what the disk has kept, in the background."""
        if self._disk is not None:
            self._disk.start()

    async def close(self) -> None:
        """End the reads that still run."""
        await self._fetches.close()
        await self._media.close()
        if self._disk is not None:
            await self._disk.close()

    async def live(self, track_id: str, trace: Trace) -> Live:
        """The live package of a track, at most `pointer_ttl_s` out of date while the store answers."""
        key = current_key(track_id)
        self._reads.refuse_missing(key, trace)
        return await self._pointers.get(key, partial(self._read_live, key, track_id), trace)

    async def label(self, track_id: str, trace: Trace) -> Label:
        """Names and cover of a track, live or not, at most `pointer_ttl_s` out of date while the store answers."""
        key = track_key(track_id)
        self._reads.refuse_missing(key, trace)
        return await self._labels.get(key, partial(self._read_label, key, track_id), trace)

    async def package(self, recording_id: str, package_id: str, trace: Trace) -> StoredPackage:
        """The record of a package, live or not."""
        key = package_key(recording_id, package_id, "package.json")
        read = partial(self._read_package, recording_id, package_id, key)
        return await self._lasting(self._packages, Cache.PACKAGE, key, read, trace)

    async def picture(self, art_id: str, side: int, trace: Trace) -> ObjectBody:
        """Cover art of this many pixels a side."""
        key = art_key(art_id, side)
        return await self._lasting(self._pictures, Cache.MEDIA, key, partial(self._read_picture, key), trace)

    def held(
        self, stored: StoredPackage, rendition: SegmentedRendition, start: int, end: int, trace: Trace
    ) -> bytes | None:
        """Bytes `start` to `end` of a track file, if they are in memory as one segment or a part of one."""
        return self._media.held(stored.track_file(rendition), start, end, trace)

    def expect_part(self, recording_id: str, package_id: str, rendition_id: str, number: int) -> None:
        """Begin to read a part, and before it the record of its package if that is not known, for a request that is
        about to ask for both. The start of a file can be read without the record, and is read beside it. What fails
        the request will hear of."""
        key = package_key(recording_id, package_id, "package.json")
        stored = self._packages.get(key)
        if stored is not None:
            self._expect_part(stored, rendition_id, number)
            return

        async def read() -> StoredPackage:
            stored = await self._read_package(recording_id, package_id, key)
            self._expect_part(stored, rendition_id, number)
            return stored

        with suppress(ObjectNotFound, Overloaded):
            self._reads.refuse_missing(key, Trace())
            task = self._fetches.expect(key, read)
            if task is None:
                return
            if (give_up := self._reads.hasten(key)) is not None:
                task.add_done_callback(lambda _: give_up())
            if number <= FIRST_SEGMENT_PART:
                path = f"{rendition_id}{MEDIA_SUFFIX}"
                give_up_guess = self._media.guess(track_file_key(recording_id, package_id, path))
                task.add_done_callback(lambda _: give_up_guess())

    def _expect_part(self, stored: StoredPackage, rendition_id: str, number: int) -> None:
        rendition = stored.package.rendition(rendition_id)
        part = part_range(rendition, number) if rendition is not None else None
        if rendition is not None and part is not None:
            self._media.expect(stored.track_file(rendition), part)

    def held_part(
        self, stored: StoredPackage, rendition: SegmentedRendition, part: ByteRange
    ) -> Callable[[], bytes | None]:
        """Gives a part for as long as it is held in memory; asking keeps it there."""
        return self._media.held_piece(stored.track_file(rendition), part)

    def stream(
        self, stored: StoredPackage, rendition: SegmentedRendition, start: int, end: int, trace: Trace
    ) -> AsyncGenerator[bytes, None]:
        """Bytes `start` to `end` of a track file, as they come."""
        return self._media.read(stored.track_file(rendition), start, end, trace)

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

    async def media_playlist(
        self, stored: StoredPackage, rendition: SegmentedRendition, *, to_play: bool = False
    ) -> Document:
        """The media playlist of a rendition, in the segment-URL form. For who is going to play it the first segment is
        read ahead, unless the playlist was given out lately."""

        def build() -> bytes:
            package = stored.package
            keys = key_base_uri(package, rendition)
            return render(segment_playlist(rendition, target_duration_s=package.target_duration_s, key_base_uri=keys))

        key = (stored.uri, rendition.rendition.rendition_id)
        if to_play and key not in self._documents:
            self._media.prepare(stored.track_file(rendition))
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

    async def _lasting(
        self, cache: HotCache[Lasting], name: Cache, key: str, read: Callable[[], Awaitable[Lasting]], trace: Trace
    ) -> Lasting:
        """What is made of an object that never changes."""
        kept = cache.get(key)
        self._metrics.cache_asked(name, hit=kept is not None)
        if kept is not None:
            trace.hit(Tier.MEMORY)
            return kept
        self._reads.refuse_missing(key, trace)
        trace.asked(collapsed=key in self._fetches)
        return await self._fetches.run(key, read)

    async def _read_live(self, key: str, track_id: str) -> Live:
        return _live(track_id, await self._reads.read(key))

    async def _read_label(self, key: str, track_id: str) -> Label:
        return _label(track_id, await self._reads.read(key))

    async def _read_package(self, recording_id: str, package_id: str, key: str) -> StoredPackage:
        body = await self._reads.read(key)
        if len(body.data) <= _PARSED_AT_ONCE_BYTES:
            package = from_json(Package, body.data, subject=key)
        else:
            package = await asyncio.to_thread(from_json, Package, body.data, subject=key)
        if (package.recording_id, package.package_id) != (recording_id, package_id):
            raise _misplaced(key)
        stored = StoredPackage(package=package, body=body.data, modified_s=body.info.modified_s)
        self._packages.put(key, stored, weight=_WEIGHT_PER_JSON_BYTE * len(body.data))
        return stored

    async def _read_picture(self, key: str) -> ObjectBody:
        body = await self._reads.read(key)
        self._pictures.put(key, body, weight=len(body.data))
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
