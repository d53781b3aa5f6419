"""Albums and playlists as streams with an end.

A media playlist is under the id of the list as it was: it never changes, whatever becomes of the list, and the rungs of
a stream that somebody has begun stay together. Lists that were asked for lately are remembered for that.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from manifests.build import SESSION_DATA_PREFIX, quotable
from manifests.codecs import GAPLESS_NAMES, PLAYLIST_SUFFIX, PLAYLIST_TYPE
from manifests.joined import (
    FIRST_DATE_MS,
    JoinedSegment,
    ListedTrack,
    joined,
    joined_close,
    joined_media_playlist,
    joined_multivariant,
    joined_target_s,
    joined_variant,
    track_range,
)
from manifests.playlist import DateRange, Key, KeyMethod, SessionData
from manifests.render import render
from model.errors import ObjectNotFound
from model.joining import JOINED_RATE_HZ, Kept
from model.rendition import Codec
from origin.cache_status import Tier, Trace
from origin.coalesce import Coalescer
from origin.encoding import Document, document
from origin.hot_cache import HotCache
from origin.joined import Gatherer, ListKind, Member, TrackList, TrackLists, list_id_of
from origin.joined_paths import Part, init_path, segment_iv, segment_path
from origin.metrics_table import Cache
from origin.mutable import MutableObjects
from origin.observe import Metrics
from origin.settings import OriginSettings

REMEMBERED_TRACKS_MAX = 50_000  # in the lists that are remembered, all together
_ROOT = "../../../"  # from a media playlist to the origin's root


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A list as it was at some moment, and the id of that state of it."""

    list_id: str
    found: TrackList


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """The playlists of a list in one codec; the media playlists by rendition id."""

    multivariant: Document
    media: Mapping[str, Document]

    @property
    def size_bytes(self) -> int:
        """What it holds in memory."""
        return self.multivariant.size_bytes + sum(each.size_bytes for each in self.media.values())


class JoinedLists:
    """Lists, at most `pointer_ttl_s` out of date, and their playlists, which are kept by weight."""

    def __init__(self, lists: TrackLists, gatherer: Gatherer, settings: OriginSettings, metrics: Metrics) -> None:
        self._lists = lists
        self._gatherer = gatherer
        self._settings = settings
        self._metrics = metrics
        asking = Coalescer(
            deadline_s=settings.store_deadline_s, fetches_max=settings.fetches_max, waiters_max=settings.waiters_max
        )
        self._current: MutableObjects[Listed] = MutableObjects(settings, asking, metrics)
        self._remembered: HotCache[Listed] = HotCache(REMEMBERED_TRACKS_MAX)
        self._documents: HotCache[Joined] = HotCache(settings.joined_documents_bytes)
        self._asking = asking

    @property
    def weight(self) -> int:
        """The bytes of the playlists that are held."""
        return self._documents.weight

    async def close(self) -> None:
        """End what still runs."""
        await self._asking.close()

    async def current(self, kind: ListKind, name: str, trace: Trace) -> Listed:
        """A list as it is now. Raises ObjectNotFound."""
        listed = await self._current.get(f"{kind}/{name}", partial(self._ask, kind, name), trace)
        return self._remember(kind, name, listed)

    async def of_tracks(self, track_ids: Sequence[str]) -> Listed:
        """Those of some tracks that are live now, in this order. Raises ObjectNotFound and TimeoutError."""
        async with asyncio.timeout(self._settings.store_deadline_s):
            found = await self._lists.mix(track_ids)
        return Listed(list_id=list_id_of(found), found=found)

    async def personal(self, name: str, listener_id: str) -> Listed:
        """A playlist as it is now, for this listener: asked anew each time, so that nobody hears what they may not hear
        any more. Raises ObjectNotFound and TimeoutError."""
        async with asyncio.timeout(self._settings.store_deadline_s):
            found = await self._lists.playlist_for(name, listener_id)
        return self._remember(ListKind.MINE, name, Listed(list_id=list_id_of(found), found=found))

    async def personal_as_it_was(self, name: str, list_id: str, listener_id: str) -> Listed:
        """The same in the state of this id if that is remembered, for who may hear the present one."""
        now = await self.personal(name, listener_id)
        return self._remembered.get((ListKind.MINE, name, list_id)) or now

    async def as_it_was(self, kind: ListKind, name: str, list_id: str, trace: Trace) -> Listed:
        """A list in the state of this id if that is remembered, else as it is now."""
        remembered = self._remembered.get((kind, name, list_id))
        if remembered is not None:
            trace.hit(Tier.MEMORY)
            return remembered
        return await self.current(kind, name, trace)

    async def joined(self, listed: Listed, codec: Codec, trace: Trace, *, close: bool) -> Joined:
        """The playlists of a list in a codec; `close`: for browsers, in AAC or Opus. Raises ObjectNotFound if there is
        nothing to play."""
        if close and codec not in GAPLESS_NAMES:
            raise ObjectNotFound("this codec has no stream of its own for browsers", subject=codec)
        key = (listed.list_id, codec, close)
        kept = self._documents.get(key)
        self._metrics.cache_asked(Cache.DOCUMENT, hit=kept is not None)
        if kept is not None:
            trace.hit(Tier.MEMORY)
            return kept
        return await self._gatherer.run(("list", *key), partial(self._join, listed, codec, close=close), trace)

    def _remember(self, kind: ListKind, name: str, listed: Listed) -> Listed:
        self._remembered.put((kind, name, listed.list_id), listed, weight=1 + len(listed.found.tracks))
        return listed

    async def _ask(self, kind: ListKind, name: str) -> Listed:
        if kind is ListKind.MIX:
            found = await self._lists.mix(name.split("-"))
        else:
            found = await (self._lists.album(name) if kind is ListKind.ALBUM else self._lists.playlist(name))
        return Listed(list_id=list_id_of(found), found=found)

    async def _join(self, listed: Listed, codec: Codec, *, close: bool) -> Joined:
        tracks = listed.found.tracks[: self._settings.joined_tracks_max]
        members = _within(await self._gatherer.members(tracks, codec), codec, self._settings.joined_seconds_max)
        if not members:
            raise ObjectNotFound("nothing of this list can be joined in this codec", subject=listed.list_id)
        made = await asyncio.to_thread(
            _documents, listed, members, codec, close=close
        )  # a day of music: a second or two
        self._documents.put((listed.list_id, codec, close), made, weight=made.size_bytes)
        return made


def _within(members: list[Member], codec: Codec, seconds_max: int) -> list[Member]:
    """The first members that last so long, and at least one."""
    left = seconds_max * JOINED_RATE_HZ
    for count, (_, package) in enumerate(members):
        left -= package.of(codec)[0].duration_ticks
        if left < 0:
            return members[: max(1, count)]
    return members


def _documents(listed: Listed, members: list[Member], codec: Codec, *, close: bool) -> Joined:
    tracks = [track for track, _ in members]
    packages = [package for _, package in members]
    rungs, kept, laid_out = (joined_close if close else joined)(tracks, packages, codec)
    target_s = max(map(joined_target_s, laid_out))
    ranges = _date_ranges(tracks, kept)
    media, variants = {}, []
    for rung, segments in zip(rungs, laid_out, strict=True):
        uri = f"{listed.list_id}/{rung.rendition_id}{PLAYLIST_SUFFIX}"
        variants.append(joined_variant(rung, segments, target_duration_s=target_s, uri=uri))
        playlist = joined_media_playlist(
            segments,
            target_duration_s=target_s,
            init_uri=_ROOT + init_path(rung.codec, rung.priming_ticks),
            init_uri_of=partial(_init_uri, rung.codec),
            uri_of=_uri,
            key_of=_key,
            date_ranges=ranges,
        )
        media[rung.rendition_id] = document(render(playlist), media_type=PLAYLIST_TYPE, modified_s=None)
    data = _session_data(listed.found, tracks[0], left_out=len(listed.found.tracks) - len(tracks))
    multivariant = render(joined_multivariant(rungs, variants, data))
    return Joined(multivariant=document(multivariant, media_type=PLAYLIST_TYPE, modified_s=None), media=media)


def _init_uri(codec: Codec, segment: JoinedSegment) -> str | None:
    """Of Opus alone: in AAC an edit list holds for the whole stream."""
    if codec is not Codec.OPUS or segment.init_ticks is None:
        return None
    return _ROOT + init_path(codec, segment.init_ticks)


def _uri(segment: JoinedSegment) -> str:
    return _ROOT + segment_path(segment.start_ticks, (_part(segment),), segment.skip_ticks)


def _key(segment: JoinedSegment) -> Key | None:
    if segment.period is None:
        return None
    track = segment.track
    uri = f"{_ROOT}keys/{track.recording_id}/{track.package_id}/{segment.rendition_id}/{segment.period}"
    return Key(
        method=KeyMethod.AES_128, uri=uri, iv=segment_iv(segment.start_ticks, _part(segment), segment.skip_ticks)
    )


def _part(segment: JoinedSegment) -> Part:
    return Part(
        recording_id=segment.track.recording_id,
        package_id=segment.track.package_id,
        rendition_id=segment.rendition_id,
        first=segment.first,
        end=segment.end,
    )


def _date_ranges(tracks: list[ListedTrack], kept: tuple[Kept, ...]) -> tuple[DateRange, ...]:
    ranges, at = [], 0
    for number, (track, keeping) in enumerate(zip(tracks, kept, strict=True)):
        ranges.append(
            track_range(
                track,
                range_id=f"{number}-{track.track_id}",
                start_ms=FIRST_DATE_MS,
                start_ticks=at,
                duration_ticks=keeping.duration_ticks,
                root_uri=_ROOT,
            )
        )
        at += keeping.duration_ticks
    return tuple(ranges)


def _session_data(found: TrackList, first: ListedTrack, *, left_out: int) -> tuple[SessionData, ...]:
    """What the list is called, and how many of its tracks are not in the stream, if any."""
    art = f"../../art/{first.art_id}/640.jpg" if first.art_id else ""
    texts = {"title": found.title, "artist": found.artist, "art": art, "left-out": str(left_out or "")}
    return tuple(
        SessionData(data_id=SESSION_DATA_PREFIX + name, value=value)
        for name, text in texts.items()
        if (value := quotable(text))
    )
