"""What the builder promises: exact times, exact ranges, honest rates, one order, safe text."""

from dataclasses import replace
from fractions import Fraction
from itertools import accumulate
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.build import (
    SESSION_TEXT_MAX,
    key_base_uri,
    media_playlist,
    multivariant,
    peak_bandwidth_bps,
    quotable,
    segment_playlist,
    session_data_of,
    target_duration_s,
)
from manifests.playlist import FORBIDDEN, AudioGroup, Key, KeyMethod, PlaylistByteRange, PlaylistType, SessionData
from manifests.render import render
from model.package import Package
from model.protection import Protection, ProtectionMethod
from model.rendition import Codec
from model.segment import SegmentedRendition
from model.track import TrackTags
from tests.unit.manifests.samples import (
    LADDER,
    NAMES,
    NOMINAL_TICKS,
    coded,
    cut,
    lossless,
    media_uri,
    package_of,
    packages,
    rendition_of,
    wild_renditions,
)


def test_a_protected_rendition_names_its_keys_alike_in_both_forms() -> None:
    """One for each period, relative, without IV; what is in the clear has none."""
    clear = coded(LADDER[2], cut(40 * 48_000))
    protection = Protection(method=ProtectionMethod.AES_128, key_set="a" * 16, key_id="b" * 26, rotation_segments=4)
    rendition = replace(clear, protection=protection)
    package = package_of([rendition])
    base = key_base_uri(package, rendition)
    assert base == f"../../../keys/{package.recording_id}/{package.package_id}/aac-128"
    ranges = media_playlist(rendition, target_duration_s=6, track_file_uri="x.mp4", key_base_uri=base)
    segments = segment_playlist(rendition, target_duration_s=6, key_base_uri=base)
    keys = [each.key for each in ranges.segments]
    assert keys == [each.key for each in segments.segments]
    assert keys[:5] == [Key(method=KeyMethod.AES_128, uri=f"{base}/{n}") for n in (0, 0, 0, 0, 1)]
    assert render(ranges).count(b"#EXT-X-KEY:") == render(segments).count(b"#EXT-X-KEY:") == 3
    assert b"#EXT-X-KEY" not in render(segment_playlist(clear, target_duration_s=6, key_base_uri=base))
    with pytest.raises(ValueError, match="URI"):
        segment_playlist(rendition, target_duration_s=6)


@given(rendition=wild_renditions())
def test_every_sum_of_extinfs_is_within_half_a_microsecond_of_the_media(rendition: SegmentedRendition) -> None:
    """Apple HLS authoring 8.1, against exact fractions; no drift over the length of a track."""
    playlist = segment_playlist(rendition, target_duration_s=12)
    said = accumulate(segment.duration_us for segment in playlist.segments)
    true = accumulate(segment.duration_ticks for segment in rendition.segments)
    for until_us, ticks in zip(said, true, strict=True):
        assert abs(until_us - Fraction(ticks * 1_000_000, rendition.timescale)) <= Fraction(1, 2)


def test_extinf_counts_the_priming() -> None:
    """Decision 5: 10 s of AAC are 10.021333 s of segments; shortening the first EXTINF makes Shaka Player cut."""
    rendition = rendition_of(cut(480_000 + 1_024), [1000] * 4)
    assert segment_playlist(rendition, target_duration_s=6).duration_us == 10_021_333


@given(renditions=st.lists(wild_renditions(), min_size=1, max_size=4))
def test_the_target_is_the_longest_extinf_rounded_to_the_nearest_second(renditions: list[SegmentedRendition]) -> None:
    """RFC 8216 §4.3.3.1: over all renditions, nearest and not up, at least 1."""
    target_s = target_duration_s(renditions)
    extinfs = [
        Fraction(segment.duration_us, 1_000_000)
        for rendition in renditions
        for segment in segment_playlist(rendition, target_duration_s=target_s).segments
    ]
    assert target_s == max(1, floor(max(extinfs) + Fraction(1, 2)))


def test_a_track_shorter_than_half_a_second_still_has_a_target() -> None:
    """Zero would be no playlist."""
    assert target_duration_s([rendition_of([4_800], [500])]) == 1


@given(rendition=wild_renditions())
def test_byte_ranges_tile_the_track_file_from_its_first_fragment_to_its_end(rendition: SegmentedRendition) -> None:
    """The map is the init section and nothing else; the segment index lies between it and the first range."""
    playlist = media_playlist(rendition, target_duration_s=12, track_file_uri="aac-128.mp4")
    assert playlist.init_map
    assert playlist.init_map.byte_range == PlaylistByteRange(length_bytes=rendition.init_size_bytes, offset_bytes=0)
    position = rendition.init_size_bytes + rendition.index_size_bytes
    for segment in playlist.segments:
        assert segment.byte_range and segment.byte_range.offset_bytes == position
        position = segment.byte_range.end_bytes
    assert position == rendition.size_bytes
    assert {playlist.init_map.uri, *(segment.uri for segment in playlist.segments)} == {"aac-128.mp4"}


def test_segment_urls_are_numbered_from_zero_under_the_rendition() -> None:
    """The form that the origin shows: relative, so that a path prefix is inherited."""
    rendition = coded(LADDER[0], cut(3 * NOMINAL_TICKS))
    playlist = segment_playlist(rendition, target_duration_s=6)
    assert playlist.init_map and playlist.init_map.uri == "aac-64/init.mp4" and not playlist.init_map.byte_range
    assert [segment.uri for segment in playlist.segments] == [f"aac-64/{n}.mp4" for n in range(5)]
    elsewhere = segment_playlist(rendition, target_duration_s=6, base_uri="/t/token/aac-64")
    assert elsewhere.segments[1].uri == "/t/token/aac-64/1.mp4"


@given(rendition=wild_renditions())
def test_both_forms_tell_the_same_times(rendition: SegmentedRendition) -> None:
    """They differ in URIs and ranges only; both are finished VOD playlists."""
    one = media_playlist(rendition, target_duration_s=9, track_file_uri="x.mp4")
    other = segment_playlist(rendition, target_duration_s=9)
    assert [each.duration_us for each in one.segments] == [each.duration_us for each in other.segments]
    for playlist in (one, other):
        assert playlist.ended and playlist.independent_segments and playlist.playlist_type is PlaylistType.VOD
        assert playlist.target_duration_s == 9


@given(rendition=wild_renditions(), target_s=st.integers(1, 13))
def test_bandwidth_is_the_brute_force_peak_of_the_extinfs(rendition: SegmentedRendition, target_s: int) -> None:
    """RFC 8216 §4.1 divides by the EXTINF durations, so the rounded ones count."""
    durations = [segment.duration_us for segment in segment_playlist(rendition, target_duration_s=target_s).segments]
    sizes = [segment.size_bytes for segment in rendition.segments]
    rates = []
    for first in range(len(sizes)):
        for end in range(first + 1, len(sizes) + 1):
            run_us = sum(durations[first:end])
            if 500_000 * target_s <= run_us <= 1_500_000 * target_s:
                rates.append(Fraction(8_000_000 * sum(sizes[first:end]), run_us))
    expected = ceil(max(rates, default=Fraction(8_000_000 * sum(sizes), sum(durations))))
    assert peak_bandwidth_bps(rendition.segments, rendition.timescale, target_s) == expected


@given(package=packages())
def test_every_rendition_of_the_family_is_one_variant(package: Package) -> None:
    """Plain variants (decision 6): URI, both rates, CODECS and a stable id."""
    for codec, spelling in ((Codec.AAC, "mp4a.40.2"), (Codec.OPUS, "Opus")):
        playlist = multivariant(package, codec, uri_of=media_uri)
        expected = {each.rendition.rendition_id for each in package.of(codec)}
        assert {variant.stable_variant_id for variant in playlist.variants} == expected
        for variant in playlist.variants:
            assert variant.uri == f"{variant.stable_variant_id}.m3u8"
            assert variant.codecs == (spelling,)
            assert variant.average_bandwidth_bps and variant.average_bandwidth_bps <= variant.bandwidth_bps


def test_the_start_rung_comes_first_then_the_others_ascending() -> None:
    """Apple HLS authoring 9.17: the first variant is tried first. hls.js sorts, so it does not mind."""
    package = package_of([coded(rendition, cut(NOMINAL_TICKS)) for rendition in LADDER])
    order = [
        [variant.stable_variant_id for variant in multivariant(package, codec, uri_of=media_uri).variants]
        for codec in (Codec.AAC, Codec.OPUS)
    ]
    assert order == [
        ["aac-128", "aac-64", "aac-96", "aac-192", "aac-256"],
        ["opus-96", "opus-64", "opus-128", "opus-160"],
    ]


@pytest.mark.parametrize(("rungs", "first"), [((0, 1), "aac-96"), ((4, 3), "aac-192"), ((4,), "aac-256")])
def test_a_short_ladder_starts_as_near_below_as_it_can(rungs: tuple[int, ...], first: str) -> None:
    """The highest rung within the start rate; where all are above it, the lowest."""
    package = package_of([coded(LADDER[n], cut(NOMINAL_TICKS)) for n in rungs])
    assert multivariant(package, Codec.AAC, uri_of=media_uri).variants[0].stable_variant_id == first


@given(package=packages())
def test_lossless_comes_first_and_has_the_aac_rungs_under_it(package: Package) -> None:
    """Decision 7 and Apple 9.17, 9.19: what was asked for is tried first, and SCORE ranks it above AAC whatever its
    rate; the others are those of index.m3u8, in its order."""
    playlist = multivariant(package, Codec.FLAC, uri_of=media_uri)
    others = multivariant(package, Codec.AAC, uri_of=media_uri).variants
    assert [each.stable_variant_id for each in playlist.variants] == [
        "flac", *(each.stable_variant_id for each in others)
    ]  # fmt: skip
    assert {each.stable_variant_id: each.score for each in playlist.variants} == {
        "flac": 6, "aac-256": 5, "aac-192": 4, "aac-128": 3, "aac-96": 2, "aac-64": 1
    }  # fmt: skip
    assert [replace(each, score=None, audio="") for each in playlist.variants[1:]] == list(others)


def test_only_the_lossless_playlist_says_what_its_audio_is_like() -> None:
    """Rate, depth and channels by codec, without a URI: players adapt as they do without groups (decision 6)."""
    package = package_of([coded(LADDER[0], cut(NOMINAL_TICKS)), lossless(cut(NOMINAL_TICKS))])
    playlist = multivariant(package, Codec.FLAC, uri_of=media_uri)
    same = {"name": "Music", "language": "und", "channels": 2, "sample_rate_hz": 48_000}
    assert playlist.audio_groups == (
        AudioGroup(group_id="flac", bit_depth=24, **same),  # type: ignore[arg-type]
        AudioGroup(group_id="aac", **same),  # type: ignore[arg-type]
    )
    assert [each.audio for each in playlist.variants] == ["flac", "aac"]
    plain = multivariant(package, Codec.AAC, uri_of=media_uri)
    assert plain.audio_groups == () and {(each.score, each.audio) for each in plain.variants} == {(None, "")}


def test_a_mezzanine_may_be_the_track_file_of_a_lossless_rendition() -> None:
    """Its byte-range playlist leads there, relative as ever."""
    rendition = lossless(cut(NOMINAL_TICKS), track_file="../mezzanine/qrstuvwxyz234567.mp4")
    playlist = media_playlist(rendition, target_duration_s=6, track_file_uri=rendition.track_file_path)
    assert {each.uri for each in playlist.segments} == {"../mezzanine/qrstuvwxyz234567.mp4"}
    assert playlist.init_map and playlist.init_map.uri == "../mezzanine/qrstuvwxyz234567.mp4"


@pytest.mark.parametrize("codec", [Codec.OPUS, Codec.FLAC])
def test_a_family_that_the_package_lacks_is_no_playlist(codec: Codec) -> None:
    """An empty multivariant playlist would be a player's error instead of ours."""
    package = package_of([coded(LADDER[0], cut(NOMINAL_TICKS))])
    with pytest.raises(ValueError, match="at least one variant"):
        multivariant(package, codec, uri_of=media_uri)


def test_bandwidth_is_never_below_the_average() -> None:
    """6 s and 3 s stay under 1.5 target durations together, 6.1 s and 3 s do not: then the dense tail is in no run."""
    rendition = rendition_of([292_800, 143_900], [1_000, 90_000])
    (variant,) = multivariant(package_of([rendition]), Codec.AAC, uri_of=media_uri).variants
    assert peak_bandwidth_bps(rendition.segments, 48_000, 6) < variant.bandwidth_bps == variant.average_bandwidth_bps


def test_title_artist_and_album_are_session_data() -> None:
    """What there is, in one order; an empty tag is left out. A playlist has what it is given, by itself nothing."""
    assert [data.value for data in NAMES] == ["Song", "Singer, Band", "Album"]
    untagged = session_data_of(TrackTags(title='Blue "Monday"\n(12" Mix)', album="\x00"))
    assert untagged == (SessionData(data_id="org.segue.title", value="Blue ”Monday” (12” Mix)"),)
    with_art = session_data_of(TrackTags(title="x"), art_uri="../../art/a/640.jpg")
    assert with_art[-1] == SessionData(data_id="org.segue.art", value="../../art/a/640.jpg")
    package = package_of([coded(LADDER[0], cut(NOMINAL_TICKS))])
    assert multivariant(package, Codec.AAC, uri_of=media_uri).session_data == ()
    assert multivariant(package, Codec.AAC, uri_of=media_uri, session_data=NAMES).session_data == NAMES


@given(text=st.text())
def test_any_tag_becomes_text_that_a_playlist_can_hold(text: str) -> None:
    """Whatever strangers write into tags, the line stays one line in every client."""
    line = quotable(text)
    assert '"' not in line and "{$" not in line and not FORBIDDEN.search(line)
    assert len(line.splitlines()) <= 1
    assert len(line) <= SESSION_TEXT_MAX


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ágætis byrjun", "Ágætis byrjun"),
        (" a\r\n\tb ", "a b"),
        ("a\u2028b", "a b"),
        ("{$name}", "{ $name}"),
        ("\udc80", ""),
        ("x" * 501, "x" * 499 + "…"),
        ("'s Wonderful", "'s Wonderful"),
    ],
)
def test_tags_keep_what_can_be_kept(text: str, expected: str) -> None:
    """hls.js stops at an undefined `{$name}`; JavaScript's dot stops at U+2028."""
    assert quotable(text) == expected
