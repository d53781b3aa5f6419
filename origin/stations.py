"""Stations: endless streams that every origin and every worker makes alike, from the clock and a list of tracks.

Numbers, times and lengths of the segments follow from the clock alone (`model.schedule`); the list says what is in
them. So when the list changes the stream goes on, and only what is heard is something else from some segment on: one
that nobody was told of yet.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from manifests.build import PROTOCOL_VERSION, SESSION_DATA_PREFIX, bandwidths_bps, quotable
from manifests.codecs import CODECS, PLAYLIST_SUFFIX, PLAYLIST_TYPE
from manifests.joined import ListedTrack, Rung, joined_multivariant, rungs_of, strips_of, track_range
from manifests.playlist import (
    DateRange,
    InitMap,
    MediaPlaylist,
    MediaSegment,
    MultivariantPlaylist,
    SessionData,
    VariantStream,
)
from manifests.render import render
from model.errors import ObjectNotFound
from model.joining import FRAME_TICKS, JOINED_RATE_HZ, Kept, kept_of
from model.rendition import Codec
from model.schedule import (
    EPOCH_MS,
    SEGMENT_MS,
    SEGMENT_TICKS,
    SLOT_SEGMENTS,
    Schedule,
    Slice,
    segment_at,
    segment_frames,
    segment_start_ms,
    slot_of,
)
from origin.cache_status import Tier, Trace
from origin.coalesce import Coalescer
from origin.encoding import Document, document
from origin.hot_cache import HotCache
from origin.joined import Gatherer, Programme, TrackLists, list_id_of
from origin.joined_paths import Part, init_path, segment_path
from origin.metrics_table import Cache
from origin.mutable import MutableObjects
from origin.observe import Metrics
from origin.settings import OriginSettings

CODECS_ON_AIR = (Codec.AAC, Codec.OPUS)  # the first is what every player, car radio and speaker can play
WINDOW_SEGMENTS = 8  # 46 s; players begin three target durations before its end
TRACK_SECONDS_MIN = 1  # a segment is made of a few tracks at most
PROGRAMMES_MAX = 256
TARGET_S = 6
NOTICE_SEGMENTS = 2  # from that in which a list changed to the first that is made of the new one: all know by then
_ROOT = "../../"  # from the playlists of a station to the origin's root
_PROGRAMME_TRACKS_MAX = 50_000  # in the programmes that are kept, all together


@dataclass(frozen=True, slots=True, kw_only=True)
class _OnAir:
    """A programme with all that its segments and playlists are made of."""

    list_id: str
    since_s: int
    codec: Codec
    tracks: tuple[ListedTrack, ...]
    kept: tuple[Kept, ...]
    schedule: Schedule
    ends_frame: int | None  # where the programme is over, if it ever is
    renditions: dict[str, tuple[str, ...]]  # by rung, ascending: what is played of each track
    multivariant: Document

    @property
    def weight(self) -> int:
        """How much of it there is."""
        return 1 + len(self.tracks)

    @property
    def number(self) -> int:
        """The segment in which it became what it is, as far as that is known."""
        return segment_at(1000 * self.since_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What this process told of a station: which programme is on from which segment on, in their order, and the last
    segment that anybody was told of."""

    last: int
    turns: tuple[tuple[int, _OnAir], ...]

    def now(self, last: int, on_air: _OnAir) -> "_Told":
        """The same, where `last` is the last segment and this is the programme of now. What was told stays."""
        first = last - WINDOW_SEGMENTS + 1
        if self.last < first:  # nobody remembers anything of it
            return _Told(last=last, turns=((0, on_air),))
        turns = self.turns
        if turns[-1][1].list_id != on_air.list_id:
            begins = max(self.last + 1, min(on_air.number + NOTICE_SEGMENTS, last + WINDOW_SEGMENTS))
            turns = (*(turn for turn in turns if turn[0] < begins), (begins, on_air))
        gone = [begins for begins, _ in turns if begins <= first][:-1]
        return _Told(last=max(last, self.last), turns=turns[len(gone) :])

    def at(self, number: int) -> tuple[int, _OnAir]:
        """From which segment on it plays what is on in this one."""
        return next(turn for turn in reversed(self.turns) if turn[0] <= number)


class Stations:
    """The playlists of stations, as of now. `clock` gives seconds since 1970."""

    def __init__(
        self,
        lists: TrackLists,
        gatherer: Gatherer,
        settings: OriginSettings,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._lists = lists
        self._gatherer = gatherer
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._asking = asking = Coalescer(
            deadline_s=settings.store_deadline_s, fetches_max=settings.fetches_max, waiters_max=settings.waiters_max
        )
        self._programmes: MutableObjects[Programme] = MutableObjects(settings, asking, metrics)
        self._on_air: HotCache[_OnAir] = HotCache(_PROGRAMME_TRACKS_MAX)
        self._told: HotCache[_Told] = HotCache(_PROGRAMME_TRACKS_MAX)
        self._documents: HotCache[Document] = HotCache(PROGRAMMES_MAX)

    async def close(self) -> None:
        """End what still runs."""
        await self._asking.close()

    async def multivariant(self, station_id: str, codec: Codec, trace: Trace) -> Document:
        """The multivariant playlist of a station. Raises ObjectNotFound if it has nothing to play in this codec."""
        last, _ = self._now()
        return (await self._playing(station_id, slot_of(last), codec, trace)).multivariant

    async def media(self, station_id: str, rendition_id: str, trace: Trace) -> tuple[Document, float]:
        """The media playlist of a rung: the latest segments; and for how many seconds it is the latest."""
        last, lasts_s = self._now()
        numbers = range(last - WINDOW_SEGMENTS + 1, last + 1)
        codec = next((each for each in CODECS_ON_AIR if each == rendition_id.partition("-")[0]), CODECS_ON_AIR[0])
        told = {
            slot: self._tell(station_id, slot, last, await self._playing(station_id, slot, codec, trace))
            for slot in sorted({slot_of(numbers[0]), slot_of(last)})
        }
        on = {number: told[slot_of(number)].at(number) for number in numbers}
        if all(rendition_id not in on_air.renditions for _, on_air in on.values()):
            raise ObjectNotFound("no such rendition", subject=f"{station_id} {rendition_id}")
        key = (station_id, rendition_id, last, *((begins, on_air.list_id) for begins, on_air in on.values()))
        kept = self._documents.get(key)
        self._metrics.cache_asked(Cache.DOCUMENT, hit=kept is not None)
        if kept is None:
            kept = document(render(_window(on, codec, rendition_id)), media_type=PLAYLIST_TYPE, modified_s=None)
            self._documents.put(key, kept, weight=1)  # a few kB
        trace.hit(Tier.MEMORY)
        return kept, lasts_s

    def _now(self) -> tuple[int, float]:
        """The last segment that is over, and how long it is the last one."""
        now_ms = int(self._clock() * 1000)
        last = segment_at(now_ms) - 1
        if last < WINDOW_SEGMENTS:
            raise ObjectNotFound("the clock is wrong: there was nothing on the air before 2026")
        return last, (segment_start_ms(last + 1) + SEGMENT_MS - now_ms) / 1000

    def _tell(self, station_id: str, slot: int, last: int, on_air: _OnAir) -> _Told:
        key = (station_id, on_air.codec, None if on_air.ends_frame is None else slot)
        before = self._told.get(key)
        told = before.now(last, on_air) if before else _Told(last=last, turns=((0, on_air),))
        if told != before:
            self._told.put(key, told, weight=sum(each.weight for _, each in told.turns))
        return told

    async def _playing(self, station_id: str, slot: int, codec: Codec, trace: Trace) -> _OnAir:
        ask = partial(self._lists.station, station_id, slot)
        programme = await self._programmes.get(f"{station_id}/{slot}", ask, trace)
        list_id = list_id_of(programme)
        key = (list_id, codec, None if programme.loops else slot)
        kept = self._on_air.get(key)
        if kept is not None:
            return kept
        return await self._gatherer.run(("station", *key), partial(self._build, programme, list_id, codec, slot), trace)

    async def _build(self, programme: Programme, list_id: str, codec: Codec, slot: int) -> _OnAir:
        tracks = programme.tracks[: self._settings.joined_tracks_max]
        members = [
            (track, package)
            for track, package in await self._gatherer.members(tracks, codec, in_the_clear=True)
            if package.media_samples >= TRACK_SECONDS_MIN * JOINED_RATE_HZ
        ]
        if not members:
            raise ObjectNotFound("the station has nothing to play", subject=list_id)
        packages = [package for _, package in members]
        rungs, kept = rungs_of(packages, codec), kept_of(strips_of(packages, codec), endless=True)
        slot_frames = SLOT_SEGMENTS * segment_frames(codec)
        base = 0 if programme.loops else slot * slot_frames
        made = _OnAir(
            list_id=list_id,
            since_s=programme.since_s,
            codec=codec,
            tracks=tuple(track for track, _ in members),
            kept=kept,
            schedule=Schedule([each.end - each.first for each in kept], base_frame=base),
            ends_frame=None if programme.loops else base + slot_frames,
            renditions={
                rung.rendition_id: tuple(each.rendition.rendition_id for each in rung.renditions) for rung in rungs
            },
            multivariant=document(render(_multivariant(programme, rungs)), media_type=PLAYLIST_TYPE, modified_s=None),
        )
        self._on_air.put((list_id, codec, None if programme.loops else slot), made, weight=made.weight)
        return made


def _multivariant(programme: Programme, rungs: Sequence[Rung]) -> MultivariantPlaylist:
    title = quotable(programme.title)
    data = (SessionData(data_id=f"{SESSION_DATA_PREFIX}title", value=title),) if title else ()
    return joined_multivariant(rungs, [_variant(rung) for rung in rungs], data)


def _variant(rung: Rung) -> VariantStream:
    """The rates of the whole programme: the largest peak, and the average of all."""
    peaks = [bandwidths_bps(each, TARGET_S)[0] for each in rung.renditions]
    size_bytes = sum(segment.size_bytes for each in rung.renditions for segment in each.segments)
    ticks = sum(each.duration_ticks for each in rung.renditions)
    average_bps = -(-8 * size_bytes * JOINED_RATE_HZ // ticks)
    return VariantStream(
        uri=f"{rung.rendition_id}{PLAYLIST_SUFFIX}",
        bandwidth_bps=max(*peaks, average_bps),
        average_bandwidth_bps=average_bps,
        codecs=(CODECS[rung.codec],),
        stable_variant_id=rung.rendition_id,
    )


def _window(on: Mapping[int, tuple[int, _OnAir]], codec: Codec, rendition_id: str) -> MediaPlaylist:
    """The playlist of segments by number, each with what is on in it and from which segment on that is."""
    ranges: dict[str, DateRange] = {}
    segments, frames = [], segment_frames(codec)
    for number, (begins, on_air) in on.items():
        slices = list(on_air.schedule.slices(number * frames, frames))
        parts = [_part(on_air, each, rendition_id) for each in slices]
        uri = _ROOT + segment_path(number * SEGMENT_TICKS, parts)
        segments.append(MediaSegment(uri=uri, duration_us=1000 * SEGMENT_MS))
        for each in slices:
            date_range = _date_range(on_air, each, begins * frames)
            ranges[date_range.range_id] = date_range
    return MediaPlaylist(
        version=PROTOCOL_VERSION,
        target_duration_s=TARGET_S,
        media_sequence=min(on),
        independent_segments=True,
        init_map=InitMap(uri=_ROOT + init_path(codec, 0)),
        segments=tuple(segments),
        date_ms=segment_start_ms(min(on)),
        date_ranges=tuple(ranges.values()),
    )


def _part(on_air: _OnAir, each: Slice, rendition_id: str) -> Part:
    track, skipped = on_air.tracks[each.index], on_air.kept[each.index].first
    # What has begun at a rung that the next programme lacks goes on at the best that it has.
    renditions = on_air.renditions.get(rendition_id) or next(reversed(on_air.renditions.values()))
    return Part(
        recording_id=track.recording_id,
        package_id=track.package_id,
        rendition_id=renditions[each.index],
        first=skipped + each.first,
        end=skipped + each.end,
    )


def _date_range(on_air: _OnAir, each: Slice, begins_frame: int) -> DateRange:
    """What is on: from where it began, or the programme did, until it or the programme ends. What a change of the list
    cuts off keeps the end that it was told with: the range that begins there tells better."""
    kept, frame, began = on_air.kept[each.index], FRAME_TICKS[on_air.codec], max(each.began_frame, begins_frame)
    ends = each.began_frame + kept.end - kept.first
    if on_air.ends_frame is not None:
        ends = min(ends, on_air.ends_frame)
    return track_range(
        on_air.tracks[each.index],
        range_id=f"{began}-{on_air.tracks[each.index].track_id}",
        start_ms=EPOCH_MS,
        start_ticks=began * frame,
        duration_ticks=(ends - began) * frame,
        root_uri=_ROOT,
    )
