"""The playlists of several tracks on one timeline: one media playlist for each rung, and the multivariant one.

Every track has the same form, so there is one init section and never a discontinuity; date ranges tell which track is
on. See `model.joining` for what is kept of each.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from manifests.build import PROTOCOL_VERSION, START_BITRATES_BPS, audio_groups, quotable, ranked
from manifests.codecs import CODECS
from manifests.playlist import (
    DateRange,
    InitMap,
    Key,
    MediaPlaylist,
    MediaSegment,
    MultivariantPlaylist,
    PlaylistType,
    SessionData,
    VariantStream,
)
from manifests.rates import average_rate_bps, peak_rate_bps
from model.joining import JOINED_RATE_HZ, Kept, Met, Strip, joinable, kept_in_step, kept_of, met_of, strip_of
from model.package import Package
from model.rendition import Codec
from model.segment import SegmentedRendition
from model.timebase import cumulative_microseconds, microseconds, rounded_seconds

# Dates of a stream that is no broadcast say how far into it something is; players take 0 for none.
FIRST_DATE_MS = 946_684_800_000  # 2000-01-01T00:00:00Z
TRACK_CLASS = "org.segue.track"
GAPLESS_PREFIX = "gapless-"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTrack:
    """A track in a list: which package players get, and what it is called."""

    track_id: str
    recording_id: str
    package_id: str
    title: str
    artist: str = ""
    album: str = ""
    art_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedSegment:
    """Frames `first` to `end` of a rendition, beginning at `start_ticks`. Without `end` they are the rest of the file,
    and the last one is as long as that says. `size_bytes` is what it has at most: a few frames may be left out.
    Frames of a protected track are encrypted with the key of that `period`. Where tracks meet as browsers need it, the
    first frame is `skip_ticks` shorter, and the init section says `init_ticks`."""

    track: ListedTrack
    rendition_id: str
    first: int
    end: int | None
    start_ticks: int
    duration_ticks: int
    size_bytes: int
    period: int | None = None
    skip_ticks: int | None = None
    init_ticks: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One rung of a joined stream: the rendition of each track, which need not be called like the rung."""

    rendition_id: str
    bitrate_bps: int
    renditions: tuple[SegmentedRendition, ...]

    @property
    def codec(self) -> Codec:
        """That of all its renditions."""
        return self.renditions[0].rendition.codec

    @property
    def priming_ticks(self) -> int:
        """What the player leaves out at the very beginning."""
        return self.renditions[0].priming_ticks


def rungs_of(packages: Sequence[Package], codec: Codec) -> tuple[Rung, ...]:
    """Every rung that a track has, by ascending rate. A track that lacks one is heard at its next lower rate, or its
    lowest. Every package has a rendition of the codec."""
    own = [sorted(package.of(codec), key=_rate) for package in packages]
    rates = {each.rendition.rendition_id: _rate(each) for renditions in own for each in renditions}
    return tuple(
        Rung(rendition_id=name, bitrate_bps=rate, renditions=tuple(_nearest(renditions, rate) for renditions in own))
        for name, rate in sorted(rates.items(), key=lambda item: (item[1], item[0]))
    )


def can_join(package: Package, codec: Codec) -> bool:
    """Whether a package has what a joined stream of this codec is made of: all in the one form."""
    renditions = package.of(codec)
    return bool(renditions) and all(map(joinable, renditions))


def strips_of(packages: Sequence[Package], codec: Codec) -> list[Strip]:
    """The frames of each package, which are the same in all rungs of a codec."""
    return [strip_of(package.of(codec)[0], package.run, package.position) for package in packages]


def laid_out(tracks: Sequence[ListedTrack], rung: Rung, kept: Sequence[Kept]) -> Iterator[JoinedSegment]:
    """The segments of a rung: those of the tracks, one after another, each at its time."""
    starts = accumulate((each.duration_ticks for each in kept), initial=0)
    for track, rendition, keeping, start in zip(tracks, rung.renditions, kept, starts, strict=False):
        yield from _segments(track, rendition, keeping, start)


def laid_close(tracks: Sequence[ListedTrack], rung: Rung, met: Sequence[Met]) -> Iterator[JoinedSegment]:
    """The same of a stream for browsers."""
    starts = accumulate((each.kept.duration_ticks for each in met), initial=0)
    for track, rendition, own, start in zip(tracks, rung.renditions, met, starts, strict=False):
        frames = replace(own.kept, duration_ticks=own.kept.duration_ticks + own.skip_ticks)
        for number, each in enumerate(_segments(track, rendition, frames, start - own.skip_ticks)):
            skip = 0 if number else own.skip_ticks
            yield replace(
                each,
                start_ticks=each.start_ticks + skip,
                duration_ticks=each.duration_ticks - skip,
                skip_ticks=skip,
                init_ticks=own.init_ticks,
            )


def _segments(track: ListedTrack, rendition: SegmentedRendition, kept: Kept, start: int) -> Iterator[JoinedSegment]:
    strip, protection = strip_of(rendition, (), 0), rendition.protection
    frame, before, at, left = strip.frame_ticks, 0, start, kept.duration_ticks
    for index, segment in enumerate(rendition.segments):
        frames = -(-segment.duration_ticks // frame)
        first, end = max(before, kept.first), min(before + frames, kept.end)
        before += frames
        if first >= end:
            continue
        rest = end == strip.frames and not kept.whole_frames
        ticks = left if end == kept.end else (end - first) * frame
        yield JoinedSegment(
            track=track,
            rendition_id=rendition.rendition.rendition_id,
            first=first,
            end=None if rest else end,
            start_ticks=at,
            duration_ticks=ticks,
            size_bytes=segment.size_bytes,
            period=protection.period_of(index) if protection else None,
        )
        at += ticks
        left -= ticks


def joined_media_playlist(
    segments: Sequence[JoinedSegment],
    *,
    target_duration_s: int,
    init_uri: str,
    init_uri_of: Callable[[JoinedSegment], str | None] = lambda _: None,
    uri_of: Callable[[JoinedSegment], str],
    key_of: Callable[[JoinedSegment], Key | None],
    date_ranges: tuple[DateRange, ...],
) -> MediaPlaylist:
    """All segments of a stream that has an end. `init_uri_of` names the init section of one that has another."""
    durations = cumulative_microseconds((each.duration_ticks for each in segments), JOINED_RATE_HZ)
    return MediaPlaylist(
        version=PROTOCOL_VERSION,
        target_duration_s=target_duration_s,
        playlist_type=PlaylistType.VOD,
        independent_segments=True,
        init_map=InitMap(uri=init_uri),
        segments=tuple(
            MediaSegment(
                uri=uri_of(each),
                duration_us=duration_us,
                key=key_of(each),
                init_map=InitMap(uri=own_uri) if (own_uri := init_uri_of(each)) else None,
            )
            for each, duration_us in zip(segments, durations, strict=True)
        ),
        ended=True,
        date_ms=FIRST_DATE_MS,
        date_ranges=date_ranges,
    )


def track_range(
    track: ListedTrack, *, range_id: str, start_ms: int, start_ticks: int, duration_ticks: int, root_uri: str
) -> DateRange:
    """Which track is on, `start_ticks` after `start_ms`. `root_uri` leads from the playlist to the origin's root."""
    art_uri = f"{root_uri}art/{track.art_id}/640.jpg" if track.art_id else ""
    texts = {"ID": track.track_id, "TITLE": track.title, "ARTIST": track.artist, "ALBUM": track.album, "ART": art_uri}
    names = {"ID": "X-TRACK-ID"}
    return DateRange(
        range_id=range_id,
        class_name=TRACK_CLASS,
        start_ms=start_ms + microseconds(start_ticks, JOINED_RATE_HZ) // 1000,
        duration_us=microseconds(duration_ticks, JOINED_RATE_HZ),
        texts=tuple((names.get(name, f"X-{name}"), quotable(text)) for name, text in texts.items() if text),
    )


def joined_target_s(segments: Sequence[JoinedSegment]) -> int:
    """EXT-X-TARGETDURATION of these."""
    durations = cumulative_microseconds((each.duration_ticks for each in segments), JOINED_RATE_HZ)
    return max(1, *map(rounded_seconds, durations))


def joined_variant(rung: Rung, segments: Sequence[JoinedSegment], *, target_duration_s: int, uri: str) -> VariantStream:
    """The variant of a rung, with the rates of the joined whole."""
    sizes = [each.size_bytes for each in segments]
    durations = list(cumulative_microseconds((each.duration_ticks for each in segments), JOINED_RATE_HZ))
    average_bps = average_rate_bps(sizes, durations)
    return VariantStream(
        uri=uri,
        bandwidth_bps=max(peak_rate_bps(sizes, durations, target_duration_s), average_bps),
        average_bandwidth_bps=average_bps,
        codecs=(CODECS[rung.codec],),
        stable_variant_id=rung.rendition_id,
    )


def joined_multivariant(
    rungs: Sequence[Rung], variants: Sequence[VariantStream], session_data: tuple[SessionData, ...] = ()
) -> MultivariantPlaylist:
    """The variants of the rungs, one codec after the other: the highest within the start rate first (else the lowest),
    then the others. With SCORE and groups where there is a lossless one, as for a track by itself."""
    order = [at for codec in dict.fromkeys(rung.codec for rung in rungs) for at in _start_first(rungs, codec)]
    chosen, renditions = [variants[at] for at in order], [rungs[at].renditions[0] for at in order]
    lossless = any(rung.codec is Codec.FLAC for rung in rungs)
    return MultivariantPlaylist(
        version=PROTOCOL_VERSION,
        independent_segments=True,
        session_data=session_data,
        audio_groups=audio_groups(renditions) if lossless else (),
        variants=tuple(ranked(chosen, renditions) if lossless else chosen),
    )


def _start_first(rungs: Sequence[Rung], codec: Codec) -> list[int]:
    """The places of the rungs of a codec, that to start with first."""
    own = [at for at, rung in enumerate(rungs) if rung.codec is codec]
    within = [at for at in own if rungs[at].bitrate_bps <= START_BITRATES_BPS[codec]]
    start = within[-1] if within else own[0]
    return [start, *(at for at in own if at != start)]


def joined(
    tracks: Sequence[ListedTrack], packages: Sequence[Package], codec: Codec
) -> tuple[tuple[Rung, ...], tuple[Kept, ...], list[list[JoinedSegment]]]:
    """The rungs of a stream that has an end, what is kept of each track, and the segments of each rung.

    Under the lossless rung are those in AAC, if every track has some, on its timeline; `kept` is that of the codec.
    """
    rungs = rungs_of(packages, codec)
    kept = kept_of(strips_of(packages, codec))
    segments = [list(laid_out(tracks, rung, kept)) for rung in rungs]
    if codec is not Codec.FLAC or not all(package.of(Codec.AAC) for package in packages):
        return rungs, kept, segments
    under = rungs_of(packages, Codec.AAC)
    in_step = kept_in_step(strips_of(packages, Codec.AAC), [each.duration_ticks for each in kept])
    segments += [list(laid_out(tracks, rung, in_step)) for rung in under]
    named = tuple(replace(rung, rendition_id=f"{codec}-{rung.rendition_id}") for rung in under)
    return (*rungs, *named), kept, segments


def joined_close(
    tracks: Sequence[ListedTrack], packages: Sequence[Package], codec: Codec
) -> tuple[tuple[Rung, ...], tuple[Kept, ...], list[list[JoinedSegment]]]:
    """The same of a stream for browsers, in AAC or Opus; its rungs are named so that they are no others', and `kept`
    has the times at which a browser that seeks finds the tracks."""
    rungs = rungs_of(packages, codec)
    met = met_of(strips_of(packages, codec))
    segments = [list(laid_close(tracks, rung, met)) for rung in rungs]
    named = tuple(replace(rung, rendition_id=GAPLESS_PREFIX + rung.rendition_id) for rung in rungs)
    kept = [each.kept for each in met]
    if codec is Codec.AAC:  # a browser's time begins after the edit list's priming
        kept[0] = replace(kept[0], duration_ticks=kept[0].duration_ticks - packages[0].of(codec)[0].priming_ticks)
    return named, tuple(kept), segments


def _rate(rendition: SegmentedRendition) -> int:
    return rendition.rendition.bitrate_bps


def _nearest(ascending: Sequence[SegmentedRendition], rate_bps: int) -> SegmentedRendition:
    within = [each for each in ascending if _rate(each) <= rate_bps]
    return within[-1] if within else ascending[0]
