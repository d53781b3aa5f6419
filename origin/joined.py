"""What the origin asks of those who know lists of tracks, and the packages of many tracks."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol, TypeVar

from manifests.joined import ListedTrack, can_join
from model.errors import ObjectNotFound
from model.package import Package
from model.rendition import Codec
from model.segment import SegmentedRendition
from model.track import derived_id
from origin.cache_status import Trace
from origin.coalesce import Coalescer
from origin.library import Library
from origin.observe import Metrics
from origin.settings import OriginSettings
from protection.keys import KeyRing

READS = 16  # packages asked for at the same time, for one list
BUILDS_MAX = 16  # streams made at the same time

Made = TypeVar("Made")
Member = tuple[ListedTrack, Package]


class ListKind(StrEnum):
    """What a list is, as its URL says it."""

    ALBUM = "albums"
    PLAYLIST = "playlists"
    MIX = "mixes"  # tracks that are named one by one
    MY_MIX = "my-mixes"  # the same, for a mix that no URL names: the request says in a header which tracks
    MINE = "my-playlists"  # a playlist as the listener whose key comes with the request may hear it


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackList:
    """Live tracks in their order, and what they are called together."""

    title: str
    artist: str = ""
    tracks: tuple[ListedTrack, ...]
    since_s: int = 0  # when it became this, as far as that can be known


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """What a station plays. If it `loops`, the tracks come in this order again and again, whatever the time; else they
    are for one slot (`model.schedule`), from its beginning to its end, and again if they do not fill it. `since_s` says
    when it became this, in seconds since 1970, as far as that can be known: and all who are asked agree on it."""

    title: str
    tracks: tuple[ListedTrack, ...]
    loops: bool
    since_s: int = 0


class TrackLists(Protocol):
    """Who knows what is in a list now. Each call raises ObjectNotFound for what is not there, or not for everybody."""

    async def album(self, album_id: str) -> TrackList:
        """The live tracks of an album, in its order."""
        ...

    async def playlist(self, playlist_id: str) -> TrackList:
        """The live tracks of a playlist that everybody may hear."""
        ...

    async def mix(self, track_ids: Sequence[str]) -> TrackList:
        """Those of some tracks that are live, in this order."""
        ...

    async def playlist_for(self, playlist_id: str, listener_id: str) -> TrackList:
        """The live tracks of a playlist that this listener may hear."""
        ...

    async def station(self, station_id: str, slot: int) -> Programme:
        """What a station plays in a slot. All who are asked say the same, as far as they know the same tracks."""
        ...


def list_id_of(found: TrackList | Programme) -> str:
    """The id of a list that says this: equal lists have equal ids, everywhere."""
    words = [
        word
        for each in found.tracks
        for word in (
            each.track_id, each.recording_id, each.package_id, each.title, each.artist, each.album, each.art_id,
        )
    ]  # fmt: skip
    return derived_id("list", found.title, *words)


class Gatherer:
    """Makes what needs the packages of many tracks, each once for all who ask at the same time.

    A listener waits `store_deadline_s`, then TimeoutError is raised; the work goes on, for `joined_deadline_s` at most,
    and who comes again finds it done. Raises what the store raises, and Overloaded beyond BUILDS_MAX at a time.
    """

    def __init__(self, library: Library, settings: OriginSettings, metrics: Metrics, keys: KeyRing) -> None:
        self._library = library
        self._keys = keys
        self._patience_s = settings.store_deadline_s
        self._running = Coalescer(
            deadline_s=settings.joined_deadline_s,
            fetches_max=BUILDS_MAX,
            waiters_max=settings.waiters_max,
            on_shared=metrics.coalesced,
        )

    async def close(self) -> None:
        """End what still runs."""
        await self._running.close()

    async def run(self, key: object, make: Callable[[], Awaitable[Made]], trace: Trace) -> Made:
        """What `make` makes, or what somebody makes already under this key."""
        trace.asked(collapsed=key in self._running)
        async with asyncio.timeout(self._patience_s):
            return await self._running.run(key, make)

    async def members(self, tracks: Sequence[ListedTrack], codec: Codec, *, in_the_clear: bool = False) -> list[Member]:
        """The tracks with as much of their packages as a stream of this codec is made of. Left out are those whose
        package is gone, has another form than all others, is protected by a key that is not here (or at all, for a
        stream that is `in_the_clear`), or has nothing of this codec; of Opus and FLAC there is nothing then: a stream
        in a family of choice is whole, or there is none."""
        gate = asyncio.Semaphore(READS)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._package(each, gate)) for each in tracks]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors  # the first; the others were cancelled or say the same
        found = [(each, package) for each, task in zip(tracks, tasks, strict=True) if (package := task.result())]
        if codec is not Codec.AAC and any(not package.of(codec) for _, package in found):
            return []
        return [
            (track, replace(package, renditions=_needed(package, codec), attempts=()))
            for track, package in found
            if can_join(package, codec) and self._opens(package, in_the_clear)
        ]

    def _opens(self, package: Package, in_the_clear: bool) -> bool:
        protection = package.protection
        return protection is None or (not in_the_clear and self._keys.has(protection.key_set))

    async def _package(self, track: ListedTrack, gate: asyncio.Semaphore) -> Package | None:
        async with gate:
            try:
                return (await self._library.package(track.recording_id, track.package_id, Trace())).package
            except ObjectNotFound:
                return None


def _needed(package: Package, codec: Codec) -> tuple[SegmentedRendition, ...]:
    """The renditions of a codec; under lossless ones those in AAC, as far as they can be joined."""
    under = package.of(Codec.AAC) if codec is Codec.FLAC and can_join(package, Codec.AAC) else ()
    return (*package.of(codec), *under)
