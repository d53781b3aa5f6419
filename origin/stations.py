"""Stations: endless streams that every origin and every worker makes alike, from the clock and a list of tracks.

Numbers, times and lengths of the segments follow from the clock alone (`model.schedule`); the list says what is in
them. So when the list changes the stream goes on, and only what is heard is something else from some segment on.
"""

import time
from collections.abc import Callable, Iterable
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
from model.joining import JOINED_RATE_HZ, Kept, kept_of
from model.rendition import Codec
from model.schedule import (
    EPOCH_MS,
    FRAME,
    SEGMENT_FRAMES,
    SEGMENT_MS,
    SLOT_FRAMES,
    Schedule,
    Slice,
    last_segment,
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

CODEC = Codec.AAC  # what every player, car radio and speaker can play
WINDOW_SEGMENTS = 8  # 46 s; players begin three target durations before its end
TRACK_SECONDS_MIN = 1  # a segment is made of a few tracks at most
PROGRAMMES_MAX = 256
TARGET_S = 6
_ROOT = "../../"  # from the playlists of a station to the origin's root
_PROGRAMME_TRACKS_MAX = 50_000  # in the programmes that are kept, all together


@dataclass(frozen=True, slots=True, kw_only=True)
class _OnAir:
    """A programme with all that its segments and playlists are made of."""

    list_id: str
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
        self._documents: HotCache[Document] = HotCache(PROGRAMMES_MAX)

    async def close(self) -> None:
        """End what still runs."""
        await self._asking.close()

    async def multivariant(self, station_id: str, trace: Trace) -> Document:
        """The multivariant playlist of a station. Raises ObjectNotFound if it has nothing to play."""
        last, _ = self._now()
        return (await self._playing(station_id, slot_of(last), trace)).multivariant

    async def media(self, station_id: str, rendition_id: str, trace: Trace) -> tuple[Document, float]:
        """The media playlist of a rung: the latest segments; and for how many seconds it is the latest."""
        last, lasts_s = self._now()
        first = last - WINDOW_SEGMENTS + 1
        playing = {
            slot: await self._playing(station_id, slot, trace) for slot in sorted({slot_of(first), slot_of(last)})
        }
        if all(rendition_id not in each.renditions for each in playing.values()):
            raise ObjectNotFound("no such rendition", subject=f"{station_id} {rendition_id}")
        key = (station_id, rendition_id, last, *(each.list_id for each in playing.values()))
        kept = self._documents.get(key)
        self._metrics.cache_asked(Cache.DOCUMENT, hit=kept is not None)
        if kept is None:
            playlist = _window(range(first, last + 1), playing, rendition_id)
            kept = document(render(playlist), media_type=PLAYLIST_TYPE, modified_s=None)  # a few kB
            self._documents.put(key, kept, weight=1)
        trace.hit(Tier.MEMORY)
        return kept, lasts_s

    def _now(self) -> tuple[int, float]:
        """The last segment that is over, and how long it is the last one."""
        now_ms = int(self._clock() * 1000)
        last = last_segment(now_ms)
        if last < WINDOW_SEGMENTS:
            raise ObjectNotFound("the clock is wrong: there was nothing on the air before 2026")
        return last, (segment_start_ms(last + 1) + SEGMENT_MS - now_ms) / 1000

    async def _playing(self, station_id: str, slot: int, trace: Trace) -> _OnAir:
        ask = partial(self._lists.station, station_id, slot)
        programme = await self._programmes.get(f"{station_id}/{slot}", ask, trace)
        list_id = list_id_of(programme)
        key = (list_id, None if programme.loops else slot)
        kept = self._on_air.get(key)
        if kept is not None:
            return kept
        return await self._gatherer.run(("station", *key), partial(self._build, programme, list_id, slot), trace)

    async def _build(self, programme: Programme, list_id: str, slot: int) -> _OnAir:
        tracks = programme.tracks[: self._settings.joined_tracks_max]
        members = [
            (track, package)
            for track, package in await self._gatherer.members(tracks, CODEC, in_the_clear=True)
            if package.media_samples >= TRACK_SECONDS_MIN * JOINED_RATE_HZ
        ]
        if not members:
            raise ObjectNotFound("the station has nothing to play", subject=list_id)
        packages = [package for _, package in members]
        rungs, kept = rungs_of(packages, CODEC), kept_of(strips_of(packages, CODEC), endless=True)
        base = 0 if programme.loops else slot * SLOT_FRAMES
        playlist = _multivariant(programme, rungs, members[0][0])
        made = _OnAir(
            list_id=list_id,
            tracks=tuple(track for track, _ in members),
            kept=kept,
            schedule=Schedule([each.end - each.first for each in kept], base_frame=base),
            ends_frame=None if programme.loops else base + SLOT_FRAMES,
            renditions={
                rung.rendition_id: tuple(each.rendition.rendition_id for each in rung.renditions) for rung in rungs
            },
            multivariant=document(render(playlist), media_type=PLAYLIST_TYPE, modified_s=None),
        )
        self._on_air.put((list_id, None if programme.loops else slot), made, weight=made.weight)
        return made


def _multivariant(programme: Programme, rungs: Iterable[Rung], first: ListedTrack) -> MultivariantPlaylist:
    rungs = list(rungs)
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
        codecs=(CODECS[CODEC],),
        stable_variant_id=rung.rendition_id,
    )


def _window(numbers: range, playing: dict[int, _OnAir], rendition_id: str) -> MediaPlaylist:
    ranges: dict[str, DateRange] = {}
    segments = []
    for number in numbers:
        on_air = playing[slot_of(number)]
        slices = list(on_air.schedule.slices(number * SEGMENT_FRAMES, SEGMENT_FRAMES))
        parts = [_part(on_air, each, rendition_id) for each in slices]
        uri = _ROOT + segment_path(number * SEGMENT_FRAMES * FRAME, parts)
        segments.append(MediaSegment(uri=uri, duration_us=1000 * SEGMENT_MS))
        for each in slices:
            date_range = _date_range(on_air, each)
            ranges[date_range.range_id] = date_range
    return MediaPlaylist(
        version=PROTOCOL_VERSION,
        target_duration_s=TARGET_S,
        media_sequence=numbers[0],
        independent_segments=True,
        init_map=InitMap(uri=_ROOT + init_path(CODEC, 0)),
        segments=tuple(segments),
        date_ms=segment_start_ms(numbers[0]),
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


def _date_range(on_air: _OnAir, each: Slice) -> DateRange:
    """What is on: from where it began, or the programme did, until it or the programme ends."""
    kept = on_air.kept[each.index]
    ends = each.began_frame + kept.end - kept.first
    if on_air.ends_frame is not None:
        ends = min(ends, on_air.ends_frame)
    return track_range(
        on_air.tracks[each.index],
        range_id=f"{each.began_frame}-{on_air.tracks[each.index].track_id}",
        start_ms=EPOCH_MS,
        start_ticks=each.began_frame * FRAME,
        duration_ticks=(ends - each.began_frame) * FRAME,
        root_uri=_ROOT,
    )
