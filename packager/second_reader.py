"""What readers that are not ours see in our playlists: the `m3u8` package, and for the MPD an XML parser.

Each function gives a message for everything that the other reader sees in another way.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator

import m3u8

from manifests.codecs import CODECS
from manifests.playlist import MediaPlaylist, MultivariantPlaylist
from model.package import Package
from model.timebase import MICROSECONDS

_MPD = "{urn:mpeg:dash:schema:mpd:2011}"


def second_opinion(data: bytes, ours: MediaPlaylist) -> Iterator[str]:
    """On a media playlist: the segments, their places and their keys."""
    try:
        theirs = m3u8.loads(data.decode())
    except (ValueError, TypeError, LookupError) as error:  # it has no errors of its own
        yield f"another reader fails: {type(error).__name__}"
        return
    durations = [round(segment.duration * MICROSECONDS) for segment in theirs.segments]
    if (
        durations != [segment.duration_us for segment in ours.segments]
        or theirs.target_duration != ours.target_duration_s
    ):
        yield "another reader sees other segments"
    ranges = [each.byte_range for each in ours.segments]
    texts = [f"{each.length_bytes}@{each.offset_bytes}" if each else None for each in ranges]
    places = [(segment.uri, segment.byterange) for segment in theirs.segments]
    if places != [(each.uri, text) for each, text in zip(ours.segments, texts, strict=True)]:
        yield "another reader sees the segments in other places"
    keys = [
        (segment.key.method, segment.key.uri, segment.key.iv) if segment.key else None for segment in theirs.segments
    ]
    if keys != [(each.key.method, each.key.uri, None) if each.key else None for each in ours.segments]:
        yield "another reader sees other keys"


def second_opinion_on_variants(data: bytes, ours: MultivariantPlaylist) -> Iterator[str]:
    """On a multivariant playlist: variants, audio groups and session data. (m3u8 6.0 reads no SCORE, SAMPLE-RATE and
    BIT-DEPTH, and fails on a FORMAT in EXT-X-SESSION-DATA, which we never write.)"""
    theirs = m3u8.loads(data.decode())
    seen = [
        (each.uri, info.bandwidth, info.average_bandwidth, info.codecs, info.stable_variant_id, info.audio)
        for each in theirs.playlists
        for info in (each.stream_info,)
    ]
    said = [
        (
            *(each.uri, each.bandwidth_bps, each.average_bandwidth_bps, ",".join(each.codecs) or None),
            *(each.stable_variant_id or None, each.audio or None),
        )
        for each in ours.variants
    ]
    if seen != said:
        yield "another reader sees other variants"
    groups = [(each.type, each.group_id, each.name, each.channels, each.uri) for each in theirs.media]
    channels = [None if each.channels is None else str(each.channels) for each in ours.audio_groups]
    expected = [
        ("AUDIO", each.group_id, each.name, count, None)
        for each, count in zip(ours.audio_groups, channels, strict=True)
    ]
    if groups != expected:
        yield "another reader sees other audio groups"
    if [(each.data_id, each.value) for each in theirs.session_data] != [
        (each.data_id, each.value) for each in ours.session_data
    ]:
        yield "another reader sees other session data"


def second_opinion_on_mpd(data: bytes, package: Package) -> Iterator[str]:
    """On an MPD: where the init section and the index of every rendition lie, and in which family it is."""
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        yield f"not well-formed: {error}"
        return
    seen = [
        (family.get("codecs"), each.get("id"), _range(each, "Initialization", "range"), _range(each, "", "indexRange"))
        for family in root.iter(f"{_MPD}AdaptationSet")
        for each in family.iter(f"{_MPD}Representation")
    ]
    said = []
    for each in package.renditions:
        init_end, end = each.init_size_bytes, each.init_size_bytes + each.index_size_bytes
        ranges = (f"0-{init_end - 1}", f"{init_end}-{end - 1}")
        said.append((CODECS[each.rendition.codec], each.rendition.rendition_id, *ranges))
    if sorted(map(str, seen)) != sorted(map(str, said)):
        yield "another reader sees other representations"


def _range(representation: "ElementTree.Element[str]", child: str, attribute: str) -> str | None:
    base = representation.find(f"{_MPD}SegmentBase")
    if base is not None and child:
        base = base.find(f"{_MPD}{child}")
    return None if base is None else base.get(attribute)
