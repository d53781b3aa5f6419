"""Segmented renditions to whole playlists. There is no half-built playlist."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal

from manifests.codecs import CODECS, INIT_NAME, LOSSLESS_BIT_DEPTH, MEDIA_SUFFIX
from manifests.playlist import (
    FORBIDDEN,
    AudioGroup,
    InitMap,
    Key,
    KeyMethod,
    MediaPlaylist,
    MediaSegment,
    MultivariantPlaylist,
    PlaylistByteRange,
    PlaylistType,
    SessionData,
    VariantStream,
)
from manifests.rates import average_rate_bps, peak_rate_bps
from model.package import Package
from model.rendition import Codec
from model.segment import Segment, SegmentedRendition
from model.timebase import cumulative_microseconds, rounded_seconds
from model.track import TrackTags

# What EXT-X-MAP needs, and the first version in which TARGETDURATION is compared with *rounded* durations (RFC 8216
# §7). A client must not play a version that it does not know, so a higher number could only lose listeners.
PROTOCOL_VERSION = 6
# Apple 9.17: the first variant is tried first. A rate that a phone can start with and that sounds good.
START_BITRATES_BPS = {Codec.AAC: 128_000, Codec.OPUS: 96_000, Codec.FLAC: 0}
SESSION_DATA_PREFIX = "org.segue."
SESSION_TEXT_MAX = 500  # characters; tags come from strangers
_BREAKS = re.compile(f"(?:{FORBIDDEN.pattern}|[\u2028\u2029]|\\s)+")


def target_duration_s(renditions: Iterable[SegmentedRendition]) -> int:
    """EXT-X-TARGETDURATION of a presentation: the longest EXTINF, rounded to the nearest second, at least 1."""
    return max(1, *(rounded_seconds(duration_us) for each in renditions for duration_us in durations_us(each)))


def durations_us(rendition: SegmentedRendition) -> list[int]:
    """The EXTINF of every segment in microseconds; every prefix sum is within half a microsecond of the media."""
    return _durations_us(rendition.segments, rendition.timescale)


def key_base_uri(package: Package, rendition: SegmentedRendition) -> str:
    """Where the origin has the keys of a rendition, as its media playlists say it in either form.

    Relative, so that what a token puts before the playlist's path comes before the key's too. Nothing of it is in a
    store: a bucket alone plays what is in the clear.
    """
    return f"../../../keys/{package.recording_id}/{package.package_id}/{rendition.rendition.rendition_id}"


def media_playlist(
    rendition: SegmentedRendition, *, target_duration_s: int, track_file_uri: str, key_base_uri: str = ""
) -> MediaPlaylist:
    """The byte-range form: every segment is a range of one track file, the map covers the init section only.

    A protected rendition needs `key_base_uri`.
    """
    init_range = PlaylistByteRange(length_bytes=rendition.init_size_bytes, offset_bytes=0)
    segments = tuple(
        MediaSegment(uri=track_file_uri, duration_us=duration_us, byte_range=_range_of(segment), key=key)
        for segment, duration_us, key in zip(
            rendition.segments, durations_us(rendition), _keys(rendition, key_base_uri), strict=True
        )
    )
    return _vod(InitMap(uri=track_file_uri, byte_range=init_range), segments, target_duration_s)


def segment_playlist(
    rendition: SegmentedRendition, *, target_duration_s: int, base_uri: str = "", key_base_uri: str = ""
) -> MediaPlaylist:
    """The segment-URL form: `{base_uri}/init.mp4`, `{base_uri}/0.mp4`, `{base_uri}/1.mp4`, …

    Without `base_uri` the rendition id stands there, which is right for a playlist beside its renditions. A protected
    rendition needs `key_base_uri`.
    """
    base = base_uri or rendition.rendition.rendition_id
    segments = tuple(
        MediaSegment(uri=f"{base}/{index}{MEDIA_SUFFIX}", duration_us=duration_us, key=key)
        for index, (duration_us, key) in enumerate(
            zip(durations_us(rendition), _keys(rendition, key_base_uri), strict=True)
        )
    )
    return _vod(InitMap(uri=f"{base}/{INIT_NAME}"), segments, target_duration_s)


def multivariant(
    package: Package,
    codec: Codec,
    *,
    uri_of: Callable[[str], str],
    session_data: tuple[SessionData, ...] = (),
) -> MultivariantPlaylist:
    """The variants of one codec family; `uri_of` gives the URI of a rendition id's media playlist.

    The start rung comes first, then the others by ascending rate. `session_data` says what the track is called, where
    that is known: a package is of a recording, which may have several names. Raises ValueError if the package has no
    rendition of this family.

    The lossless family has the AAC rungs under it, for lines that are too slow; see docs/decisions/0013-families.md.
    """
    own = package.of(codec)
    lossless = codec is Codec.FLAC and bool(own)
    renditions = _start_first(own, codec)
    if lossless:
        renditions += _start_first(package.of(Codec.AAC), Codec.AAC)
    variants = [_variant(each, package.target_duration_s, uri_of) for each in renditions]
    return MultivariantPlaylist(
        version=PROTOCOL_VERSION,
        independent_segments=True,
        session_data=session_data,
        audio_groups=audio_groups(renditions) if lossless else (),
        variants=tuple(ranked(variants, renditions) if lossless else variants),
    )


def audio_groups(renditions: Sequence[SegmentedRendition]) -> tuple[AudioGroup, ...]:
    """What the audio of each codec is like, in the order of the variants: a group without a URI changes nothing in
    how players adapt (docs/decisions/0013-families.md)."""
    formats = {each.rendition.codec: each.rendition for each in renditions}
    return tuple(
        AudioGroup(
            group_id=codec.value,
            name="Music",
            language="und",  # Apple 8.10 wants one; what is sung in a recording is not known here
            channels=rendition.channels,
            sample_rate_hz=rendition.sample_rate_hz,
            bit_depth=LOSSLESS_BIT_DEPTH if codec is Codec.FLAC else None,
        )
        for codec, rendition in formats.items()
    )


def ranked(variants: Sequence[VariantStream], renditions: Sequence[SegmentedRendition]) -> list[VariantStream]:
    """The variants with SCORE and group: lossless above all others, whatever its rate happens to be; then by rate."""
    of = [each.rendition for each in renditions]
    worst_first = sorted(range(len(of)), key=lambda at: (of[at].codec is Codec.FLAC, of[at].bitrate_bps))
    scores = {at: Decimal(score) for score, at in enumerate(worst_first, start=1)}
    return [replace(variant, score=scores[at], audio=of[at].codec.value) for at, variant in enumerate(variants)]


def session_data_of(tags: TrackTags, *, art_uri: str = "") -> tuple[SessionData, ...]:
    """Title, artist, album and cover for the players that show them; at most SESSION_TEXT_MAX characters each.

    The cover is a VALUE, which players hand on as text: a URI would have to lead to JSON (RFC 8216 §4.3.4.4).
    """
    texts = {"title": tags.title, "artist": ", ".join(tags.artists), "album": tags.album, "art": art_uri}
    values = {SESSION_DATA_PREFIX + name: quotable(text) for name, text in texts.items()}
    return tuple(SessionData(data_id=data_id, value=value) for data_id, value in values.items() if value)


def peak_bandwidth_bps(segments: Sequence[Segment], timescale: int, target_duration_s: int) -> int:
    """The peak segment bit rate of these segments with the durations that their EXTINFs say (RFC 8216 §4.1)."""
    return peak_rate_bps([each.size_bytes for each in segments], _durations_us(segments, timescale), target_duration_s)


def average_bandwidth_bps(segments: Sequence[Segment], timescale: int) -> int:
    """The average segment bit rate of these segments with the durations that their EXTINFs say (RFC 8216 §4.1)."""
    return average_rate_bps([each.size_bytes for each in segments], _durations_us(segments, timescale))


def quotable(text: str) -> str:
    """Any text as one line that a quoted-string can hold and that no client takes for anything else.

    `"` becomes `”`. Control characters and line separators become spaces: some clients end a line at U+2028.
    `{$` is the start of a variable reference (RFC 8216bis §4.3), which fails where nothing defines the variable.
    """
    line = _BREAKS.sub(" ", text).strip().replace('"', "”").replace("{$", "{ $")
    return line if len(line) <= SESSION_TEXT_MAX else line[: SESSION_TEXT_MAX - 1] + "…"


def bandwidths_bps(rendition: SegmentedRendition, target_duration_s: int) -> tuple[int, int]:
    """BANDWIDTH and AVERAGE-BANDWIDTH of a rendition. A dense tail that no qualifying run holds can lift the average
    above the peak: then both are the average."""
    peak_bps = peak_bandwidth_bps(rendition.segments, rendition.timescale, target_duration_s)
    average_bps = average_bandwidth_bps(rendition.segments, rendition.timescale)
    return max(peak_bps, average_bps), average_bps


def _durations_us(segments: Sequence[Segment], timescale: int) -> list[int]:
    return list(cumulative_microseconds((each.duration_ticks for each in segments), timescale))


def _keys(rendition: SegmentedRendition, base_uri: str) -> list[Key | None]:
    """The key of each segment. Without IV: the media sequence number, which no two segments under one key share."""
    protection = rendition.protection
    if protection is None:
        return [None for _ in rendition.segments]
    if not base_uri:
        raise ValueError("a protected rendition has keys, and they have a URI")
    periods = (protection.period_of(index) for index in range(len(rendition.segments)))
    return [Key(method=KeyMethod.AES_128, uri=f"{base_uri}/{period}") for period in periods]


def _range_of(segment: Segment) -> PlaylistByteRange:
    return PlaylistByteRange(length_bytes=segment.size_bytes, offset_bytes=segment.offset_bytes)


def _vod(init_map: InitMap, segments: tuple[MediaSegment, ...], target_duration_s: int) -> MediaPlaylist:
    return MediaPlaylist(
        version=PROTOCOL_VERSION,
        target_duration_s=target_duration_s,
        playlist_type=PlaylistType.VOD,
        independent_segments=True,
        init_map=init_map,
        segments=segments,
        ended=True,
    )


def _start_first(renditions: Sequence[SegmentedRendition], codec: Codec) -> list[SegmentedRendition]:
    """The highest rung within the start rate (else the lowest), then the others, ascending."""
    ascending = sorted(renditions, key=lambda each: each.rendition.bitrate_bps)
    within = [each for each in ascending if each.rendition.bitrate_bps <= START_BITRATES_BPS[codec]]
    start = within[-1:] or ascending[:1]
    return start + [each for each in ascending if each not in start]


def _variant(rendition: SegmentedRendition, target_duration_s: int, uri_of: Callable[[str], str]) -> VariantStream:
    bandwidth_bps, average_bps = bandwidths_bps(rendition, target_duration_s)
    rendition_id = rendition.rendition.rendition_id
    return VariantStream(
        uri=uri_of(rendition_id),
        bandwidth_bps=bandwidth_bps,
        average_bandwidth_bps=average_bps,
        codecs=(CODECS[rendition.rendition.codec],),
        stable_variant_id=rendition_id,
    )
