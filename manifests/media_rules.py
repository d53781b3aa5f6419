"""The rules for one media playlist."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

from manifests.listing import Need
from manifests.playlist import MediaPlaylist, PlaylistByteRange, PlaylistType
from model.rule import Breaches, Rule, Severity
from model.segment import SegmentedRendition
from model.timebase import MICROSECONDS, decimal_seconds, rounded_seconds

LAST_SEGMENT_LEAST_US = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaTimes:
    """The durations of the media segments themselves, in ticks, and how far EXTINFs may be from them (Apple 8.1)."""

    durations_ticks: Sequence[int]
    timescale: int
    tolerance_ticks: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A media playlist, and what is known of the bytes behind it.

    That is the size of the track file (or of each resource, by URI), and its segment index or the media's times alone.
    `needs` are the versions that other tags than ours need.
    """

    playlist: MediaPlaylist
    file_size_bytes: int | None = None
    file_sizes: Mapping[str, int] = field(default_factory=dict)
    rendition: SegmentedRendition | None = None
    media_times: MediaTimes | None = None
    needs: Sequence[Need] = ()

    def times(self) -> MediaTimes | None:
        """The times of the media: as measured, else as the segment index says."""
        if self.media_times or self.rendition is None:
            return self.media_times
        durations = tuple(each.duration_ticks for each in self.rendition.segments)
        return MediaTimes(durations_ticks=durations, timescale=self.rendition.timescale)

    def ranges(self) -> Iterator[tuple[int, PlaylistByteRange]]:
        """The byte ranges of the segments with their lines."""
        return ((each.line, each.byte_range) for each in self.playlist.segments if each.byte_range)


def _rounds_above_target(it: Media) -> Breaches:
    for segment in it.playlist.segments:
        if rounded_seconds(segment.duration_us) > it.playlist.target_duration_s:
            yield segment.line, f"EXTINF rounds above the target duration: {decimal_seconds(segment.duration_us)}"


def _far_above_target(it: Media) -> Breaches:
    longest_us = it.playlist.target_duration_s * MICROSECONDS + MICROSECONDS // 2
    for segment in it.playlist.segments:
        if segment.duration_us > longest_us:
            yield segment.line, f"more than 0.5 s above the target duration: {decimal_seconds(segment.duration_us)}"


def _not_vod(it: Media) -> Breaches:
    if it.playlist.playlist_type is not PlaylistType.VOD:
        yield 0, f"EXT-X-PLAYLIST-TYPE is not VOD: {it.playlist.playlist_type}"


def _not_ended(it: Media) -> Breaches:
    if not it.playlist.ended:
        yield 0, "no EXT-X-ENDLIST: players take it for a live stream and wait for more"


def _no_map(it: Media) -> Breaches:
    if not it.playlist.init_map:
        yield 0, "no EXT-X-MAP"


def _version_too_low(it: Media) -> Breaches:
    needs = {
        6: it.playlist.init_map is not None,
        4: any(True for _ in it.ranges()),
        3: any(segment.duration_us % MICROSECONDS for segment in it.playlist.segments),
        2: any(segment.key and segment.key.iv is not None for segment in it.playlist.segments),
    }
    needed = max((version for version, is_needed in needs.items() if is_needed), default=1)
    if it.playlist.version < needed:
        yield 0, f"EXT-X-VERSION is {it.playlist.version}, the tags used need {needed}"
    for need in it.needs:
        if it.playlist.version < need.version and need.version > needed:
            yield need.line, f"EXT-X-VERSION is {it.playlist.version}, {need.what} needs {need.version}"


def _not_independent(it: Media) -> Breaches:
    if not it.playlist.independent_segments:
        yield 0, "no EXT-X-INDEPENDENT-SEGMENTS"


def _outside_the_file(it: Media) -> Breaches:
    init_map = it.playlist.init_map
    ranged = [(init_map.line, init_map.uri, init_map.byte_range)] if init_map else []
    ranged += [(each.line, each.uri, each.byte_range) for each in it.playlist.segments]
    for line, uri, byte_range in ranged:
        size_bytes = it.file_sizes.get(uri, it.file_size_bytes)
        if byte_range and size_bytes is not None and byte_range.end_bytes > size_bytes:
            yield line, f"the range ends at byte {byte_range.end_bytes}, the file at {size_bytes}"


def _not_contiguous(it: Media) -> Breaches:
    ranges = list(it.ranges())
    init_map = it.playlist.init_map
    if ranges and init_map and init_map.byte_range and init_map.byte_range.end_bytes > ranges[0][1].offset_bytes:
        yield init_map.line, "the init section overlaps the first segment"
    for (_, before), (line, after) in pairwise(ranges):
        if after.offset_bytes != before.end_bytes:
            yield line, f"the range starts at byte {after.offset_bytes}, the one before ends at {before.end_bytes}"
    if ranges and it.file_size_bytes is not None and ranges[-1][1].end_bytes < it.file_size_bytes:
        yield ranges[-1][0], f"the last range ends at byte {ranges[-1][1].end_bytes}, the file at {it.file_size_bytes}"


def _tiny_last_segment(it: Media) -> Breaches:
    last = it.playlist.segments[-1]
    if len(it.playlist.segments) > 1 and last.duration_us < LAST_SEGMENT_LEAST_US:
        yield last.line, f"the last segment is shorter than 0.5 s: {decimal_seconds(last.duration_us)}"


def _not_the_medias_time(it: Media) -> Breaches:
    times = it.times()
    if times is None:
        return
    segments = it.playlist.segments
    if len(segments) != len(times.durations_ticks):
        yield 0, f"{len(segments)} segments, the segment index has {len(times.durations_ticks)}"
        return
    said = accumulate(segment.duration_us for segment in segments)
    true = accumulate(times.durations_ticks)
    least = most = 0  # how far the sums were off so far: a run from one extreme to the other is off by both
    for segment, until_us, until_ticks in zip(segments, said, true, strict=True):
        off = until_us * times.timescale - until_ticks * MICROSECONDS
        least, most = min(least, off), max(most, off)
        if most - least >= times.tolerance_ticks * MICROSECONDS:
            yield segment.line, f"the EXTINFs up to here sum to {decimal_seconds(until_us)}, the media to another time"
            return


def _not_the_index(it: Media) -> Breaches:
    ranges = list(it.ranges())
    if it.rendition is None or not ranges:
        return
    init_map = it.playlist.init_map
    init_range = PlaylistByteRange(length_bytes=it.rendition.init_size_bytes, offset_bytes=0)
    if init_map and init_map.byte_range != init_range:
        yield init_map.line, f"the map is not the init section of {it.rendition.init_size_bytes} bytes"
    for (line, byte_range), segment in zip(ranges, it.rendition.segments, strict=False):
        if (byte_range.offset_bytes, byte_range.length_bytes) != (segment.offset_bytes, segment.size_bytes):
            yield line, f"the segment index says {segment.size_bytes}@{segment.offset_bytes}"


MEDIA_RULES: tuple[Rule[Media], ...] = (
    Rule(
        "RFC8216-4.3.3.1",
        "RFC 8216 §4.3.3.1",
        Severity.MUST,
        _rounds_above_target,
        "set EXT-X-TARGETDURATION to the longest EXTINF of the presentation, rounded to the nearest second",
    ),
    Rule(
        "APPLE-7.7",
        "Apple HLS authoring 7.7",
        Severity.MUST,
        _far_above_target,
        "cut the segment shorter",
    ),
    Rule(
        "APPLE-8.6",
        "Apple HLS authoring 8.6",
        Severity.MUST,
        _not_vod,
        "write #EXT-X-PLAYLIST-TYPE:VOD",
    ),
    Rule(
        "RFC8216-4.3.3.4",
        "RFC 8216 §4.3.3.4",
        Severity.MUST,
        _not_ended,
        "write #EXT-X-ENDLIST; if segments are missing, package again (ours: `segue package --repair`)",
    ),
    Rule(
        "APPLE-8.20",
        "Apple HLS authoring 8.20, RFC 8216 §3.3",
        Severity.MUST,
        _no_map,
        "write #EXT-X-MAP with the init section before the first segment",
    ),
    Rule(
        "RFC8216-7",
        "RFC 8216 §7",
        Severity.MUST,
        _version_too_low,
        "raise EXT-X-VERSION to what the tags need",
    ),
    Rule(
        "RFC8216-4.3.5.1",
        "RFC 8216 §4.3.5.1, Apple HLS authoring 9.11, 9.12",
        Severity.SHOULD,
        _not_independent,
        "write #EXT-X-INDEPENDENT-SEGMENTS: every audio frame can be decoded alone",
    ),
    Rule(
        "RFC8216-4.3.2.2",
        "RFC 8216 §4.3.2.2",
        Severity.MUST,
        _outside_the_file,
        "the file is truncated or another one; upload it again (ours: `segue package --repair`)",
    ),
    Rule(
        "SEGUE-contiguous",
        "decision 1, Apple HLS authoring (downloads)",
        Severity.MUST,
        _not_contiguous,
        "write the ranges in the order of the file, from the first fragment to its end, without hole or overlap",
    ),
    Rule(
        "CLIENT-tail",
        "hls.js 1.7 never ends a stream whose last segment is about as short as the priming",
        Severity.SHOULD,
        _tiny_last_segment,
        "merge the last segment into the one before",
    ),
    Rule(
        "APPLE-8.1",
        "Apple HLS authoring 8.1",
        Severity.MUST,
        _not_the_medias_time,
        "write each EXTINF from the sample durations, rounding the running sum and not each duration",
    ),
    Rule(
        "SEGUE-index",
        "decision 1",
        Severity.MUST,
        _not_the_index,
        "write the ranges from the segment index of the track file",
    ),
)
