"""Every rule finds its breach, and only that; what we build breaks none."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given

from manifests.build import media_playlist, multivariant, segment_playlist
from manifests.parse import parse_media, parse_multivariant
from manifests.playlist import (
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
from manifests.render import render
from manifests.rules import RULE_IDS, Finding, Severity, check_media, check_multivariant, check_presentation
from model.package import Package
from model.rendition import Codec
from model.segment import SegmentedRendition
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
    wild_renditions,
)

RENDITION = coded(LADDER[2], cut(4 * NOMINAL_TICKS))
PACKAGE = package_of([coded(rendition, cut(4 * NOMINAL_TICKS)) for rendition in LADDER])
WITH_IV = MediaSegment(uri="a", duration_us=1_000_000, key=Key(method=KeyMethod.AES_128, uri="k", iv=bytes(16)))


def ids(findings: tuple[Finding, ...]) -> set[str]:
    """The rules that were broken."""
    return {finding.rule for finding in findings}


def in_ranges(rendition: SegmentedRendition, package: Package = PACKAGE) -> MediaPlaylist:
    """The byte-range form of a rendition, as a client reads it."""
    uri = f"{rendition.rendition.rendition_id}.mp4"
    playlist = media_playlist(rendition, target_duration_s=package.target_duration_s, track_file_uri=uri)
    return parse_media(render(playlist))


def variants_of(package: Package, codec: Codec) -> MultivariantPlaylist:
    """A multivariant playlist, as a client reads it."""
    return parse_multivariant(render(multivariant(package, codec, uri_of=media_uri, session_data=NAMES)))


def media_of(package: Package) -> dict[str, MediaPlaylist]:
    """All media playlists of a package, byte-range form, by URI."""
    return {media_uri(each.rendition.rendition_id): in_ranges(each, package) for each in package.renditions}


MEDIA = in_ranges(RENDITION)
AAC = variants_of(PACKAGE, Codec.AAC)
LOSSLESS = variants_of(package_of([*PACKAGE.renditions, lossless(cut(4 * NOMINAL_TICKS))]), Codec.FLAC)
ALL_MEDIA = media_of(PACKAGE)


@given(package=packages())
def test_what_we_package_breaks_no_rule(package: Package) -> None:
    """Both forms, both families, with everything that is known of the bytes: no finding, not even a SHOULD."""
    media = media_of(package)
    for rendition in package.renditions:
        for form in (
            media[media_uri(rendition.rendition.rendition_id)],
            segment_playlist(rendition, target_duration_s=package.target_duration_s),
        ):
            assert check_media(form, file_size_bytes=rendition.size_bytes, rendition=rendition) == ()
    for codec in Codec:
        playlist = variants_of(package, codec)
        assert check_multivariant(playlist, codec=codec) == ()
        assert check_presentation(playlist, media) == ()


@given(rendition=wild_renditions())
def test_no_segment_list_makes_us_break_a_rule_of_time_range_or_rate(rendition: SegmentedRendition) -> None:
    """Whatever the durations, sizes and timescale: what remains is the encoder's to answer for."""
    package = package_of([rendition])
    playlist, media = variants_of(package, Codec.AAC), media_of(package)
    (form,) = media.values()
    assert check_media(form, file_size_bytes=rendition.size_bytes, rendition=rendition) == ()
    assert check_presentation(playlist, media) == ()
    assert ids(check_multivariant(playlist, codec=Codec.AAC)) <= {"APPLE-1.30", "APPLE-9.21"}


def with_segment(playlist: MediaPlaylist, index: int, segment: MediaSegment) -> MediaPlaylist:
    """The playlist with one segment exchanged."""
    segments = list(playlist.segments)
    segments[index] = segment
    return replace(playlist, segments=tuple(segments))


def lasting(playlist: MediaPlaylist, index: int, duration_us: int) -> MediaPlaylist:
    """The playlist with one segment of another duration."""
    return with_segment(playlist, index, replace(playlist.segments[index], duration_us=duration_us))


def moved(playlist: MediaPlaylist, index: int, by_bytes: int) -> MediaPlaylist:
    """The playlist with one byte range moved."""
    segment = playlist.segments[index]
    assert segment.byte_range
    byte_range = replace(segment.byte_range, offset_bytes=segment.byte_range.offset_bytes + by_bytes)
    return with_segment(playlist, index, replace(segment, byte_range=byte_range))


def at_line(playlist: MediaPlaylist, index: int) -> int:
    """Where the parser saw a segment."""
    return playlist.segments[index].line


MEDIA_BREACHES: dict[str, tuple[Callable[[MediaPlaylist], MediaPlaylist], set[str], int]] = {
    "rounds up": (lambda p: lasting(p, 3, 6_500_000), {"RFC8216-4.3.3.1"}, at_line(MEDIA, 3)),
    "far too long": (lambda p: lasting(p, 3, 6_500_001), {"RFC8216-4.3.3.1", "APPLE-7.7"}, at_line(MEDIA, 3)),
    "event": (lambda p: replace(p, playlist_type=PlaylistType.EVENT), {"APPLE-8.6"}, 0),
    "no type": (lambda p: replace(p, playlist_type=None), {"APPLE-8.6"}, 0),
    "no end": (lambda p: replace(p, ended=False), {"RFC8216-4.3.3.4"}, 0),
    "no map": (lambda p: replace(p, init_map=None), {"APPLE-8.20"}, 0),
    "version of ranges": (lambda p: replace(p, version=5), {"RFC8216-7"}, 0),
    "not independent": (lambda p: replace(p, independent_segments=False), {"RFC8216-4.3.5.1"}, 0),
    "hole": (lambda p: moved(p, 2, 1), {"SEGUE-contiguous"}, at_line(MEDIA, 2)),
    "overlap": (lambda p: moved(p, 2, -1), {"SEGUE-contiguous"}, at_line(MEDIA, 2)),
    "map over segment": (
        lambda p: replace(
            p, init_map=InitMap(uri="x", byte_range=PlaylistByteRange(length_bytes=2_000, offset_bytes=0))
        ),
        {"SEGUE-contiguous"},
        0,
    ),
    "tail": (lambda p: lasting(p, -1, 499_999), {"CLIENT-tail"}, at_line(MEDIA, -1)),
}


@pytest.mark.parametrize("breach", MEDIA_BREACHES)
def test_a_breach_in_a_media_playlist_is_found_alone_and_in_its_place(breach: str) -> None:
    """One change, its rule, its line, and nothing else."""
    change, expected, line = MEDIA_BREACHES[breach]
    assert check_media(MEDIA) == ()
    findings = check_media(change(MEDIA))
    assert ids(findings) == expected
    assert findings[0].line == line


@pytest.mark.parametrize(
    ("playlist", "needed"),
    [
        (MediaPlaylist(version=1, target_duration_s=6, segments=(WITH_IV,)), 2),
        (MediaPlaylist(version=2, target_duration_s=6, segments=(MediaSegment(uri="a", duration_us=1_000_001),)), 3),
        (replace(MEDIA, version=3, init_map=None), 4),
        (replace(MEDIA, version=5), 6),
    ],
)
def test_the_version_covers_every_tag(playlist: MediaPlaylist, needed: int) -> None:
    """IV 2, decimal EXTINF 3, BYTERANGE 4, MAP 6 (RFC 8216 §7)."""
    assert "RFC8216-7" in ids(check_media(playlist))
    assert "RFC8216-7" not in ids(check_media(replace(playlist, version=needed)))


@pytest.mark.parametrize(("size_change", "rule"), [(-1, "RFC8216-4.3.2.2"), (1, "SEGUE-contiguous")])
def test_the_ranges_end_where_the_file_ends(size_change: int, rule: str) -> None:
    """A truncated file, and a playlist that leaves music out."""
    assert check_media(MEDIA, file_size_bytes=RENDITION.size_bytes) == ()
    (finding,) = check_media(MEDIA, file_size_bytes=RENDITION.size_bytes + size_change)
    assert (finding.rule, finding.line) == (rule, at_line(MEDIA, -1))


def test_a_map_beyond_the_file_is_outside_too() -> None:
    """Not only segments."""
    findings = check_media(MEDIA, file_size_bytes=699)
    assert MEDIA.init_map and findings[0].line == MEDIA.init_map.line
    assert len(findings) == 1 + len(MEDIA.segments)


def test_a_single_segment_may_be_as_short_as_the_track() -> None:
    """A track of 0.3 s has nothing to be merged with."""
    short = coded(LADDER[0], [14_400])
    assert check_media(segment_playlist(short, target_duration_s=1)) == ()


@pytest.mark.parametrize("index", [0, -1])
def test_an_extinf_that_is_not_the_medias_is_found_where_the_sum_leaves_it(index: int) -> None:
    """Apple HLS authoring 8.1; a tick at 48 kHz is 20.8 µs, and one microsecond is only rounding."""
    duration_us = MEDIA.segments[index].duration_us
    assert check_media(lasting(MEDIA, index, duration_us + 1), rendition=RENDITION) == ()
    (finding,) = check_media(lasting(MEDIA, index, duration_us + 21), rendition=RENDITION)
    assert (finding.rule, finding.line) == ("APPLE-8.1", at_line(MEDIA, index))


def test_a_lost_segment_is_found() -> None:
    """The segment index has more than the playlist."""
    shorter = replace(MEDIA, segments=MEDIA.segments[:-1])
    assert "APPLE-8.1" in ids(check_media(shorter, rendition=RENDITION))


def test_a_priming_taken_from_the_first_extinf_is_found() -> None:
    """Decision 5, and what ffmpeg's muxer does."""
    primed = lasting(MEDIA, 0, MEDIA.segments[0].duration_us - 21_333)
    assert ids(check_media(primed, rendition=RENDITION)) == {"APPLE-8.1"}


@pytest.mark.parametrize(
    "change",
    [
        lambda p: replace(p, segments=tuple(moved(p, n, 1).segments[n] for n in range(len(p.segments)))),
        lambda p: replace(p, init_map=InitMap(uri="x", byte_range=PlaylistByteRange(length_bytes=701, offset_bytes=0))),
        lambda p: replace(p, init_map=InitMap(uri="x")),
    ],
    ids=["all moved by one", "map with a byte of the index", "map of the whole file"],
)
def test_ranges_that_are_not_the_segment_index_are_found(change: Callable[[MediaPlaylist], MediaPlaylist]) -> None:
    """Contiguous, inside the file, and still wrong."""
    assert ids(check_media(change(MEDIA), rendition=RENDITION)) == {"SEGUE-index"}


def variant(index: int, **changes: object) -> Callable[[MultivariantPlaylist], MultivariantPlaylist]:
    """A change of one variant."""

    def change(playlist: MultivariantPlaylist) -> MultivariantPlaylist:
        variants = list(playlist.variants)
        variants[index] = replace(variants[index], **changes)  # type: ignore[arg-type]  # any field, by name
        return replace(playlist, variants=tuple(variants))

    return change


MULTIVARIANT_BREACHES: dict[str, tuple[Callable[[MultivariantPlaylist], MultivariantPlaylist], set[str], int]] = {
    "no codecs": (variant(1, codecs=()), {"APPLE-9.1"}, AAC.variants[1].line),
    "unknown codec": (
        variant(1, codecs=("mp4a.40.2", "mp4a.40.5")),
        {"SEGUE-family"},
        AAC.variants[1].line,
    ),
    "codec of nobody": (variant(1, codecs=("mp4a",)), {"CLIENT-codecs", "SEGUE-family"}, AAC.variants[1].line),
    "opus in aac": (variant(1, codecs=("Opus",)), {"SEGUE-family"}, AAC.variants[1].line),
    "no average": (variant(2, average_bandwidth_bps=None), {"APPLE-9.14"}, AAC.variants[2].line),
    "average above peak": (variant(1, average_bandwidth_bps=10**6), {"RFC8216-4.3.4.2"}, AAC.variants[1].line),
    "spiky": (variant(1, average_bandwidth_bps=1), {"APPLE-1.30"}, AAC.variants[1].line),
    "no cellular": (lambda p: replace(p, variants=p.variants[-1:]), {"APPLE-9.21"}, 0),
    "not independent": (lambda p: replace(p, independent_segments=False), {"APPLE-9.11"}, 0),
    "same id": (variant(1, stable_variant_id="aac-256"), {"RFC8216BIS-4.4.6.2"}, AAC.variants[1].line),
    "one without id": (variant(1, stable_variant_id=""), {"RFC8216BIS-4.4.6.2"}, AAC.variants[1].line),
    "data twice": (
        lambda p: replace(p, session_data=(*p.session_data, SessionData(data_id="org.segue.title", value="x"))),
        {"RFC8216-4.3.4.4"},
        AAC.session_data[0].line,
    ),
}


@pytest.mark.parametrize("breach", MULTIVARIANT_BREACHES)
def test_a_breach_in_a_multivariant_playlist_is_found_alone_and_in_its_place(breach: str) -> None:
    """One change, its rule, its line, and nothing else."""
    change, expected, line = MULTIVARIANT_BREACHES[breach]
    assert check_multivariant(AAC) == ()
    findings = check_multivariant(change(AAC))
    assert ids(findings) == expected
    assert findings[0].line == line


LOSSLESS_BREACHES: dict[str, tuple[Callable[[MultivariantPlaylist], MultivariantPlaylist], set[str], int]] = {
    "no score on one": (variant(2, score=None), {"APPLE-9.19"}, LOSSLESS.variants[2].line),
    "no scores": (
        lambda p: replace(p, variants=tuple(replace(each, score=None) for each in p.variants)),
        {"APPLE-score"},
        LOSSLESS.variants[0].line,
    ),
    "aac as good": (variant(1, score=Decimal(6)), {"APPLE-score"}, LOSSLESS.variants[0].line),
    "lossless alone": (lambda p: replace(p, variants=p.variants[:1]), {"APPLE-2.3"}, 0),
    "nothing lossless": (lambda p: replace(p, variants=p.variants[1:]), {"SEGUE-lossless"}, 0),
    "opus among them": (variant(1, codecs=("Opus",)), {"SEGUE-family"}, LOSSLESS.variants[1].line),
    "no such group": (variant(1, audio="x"), {"RFC8216-4.3.4.2.1"}, LOSSLESS.variants[1].line),
}


@pytest.mark.parametrize("breach", LOSSLESS_BREACHES)
def test_a_breach_in_the_lossless_playlist_is_found_alone_and_in_its_place(breach: str) -> None:
    """One change, its rule, its line, and nothing else."""
    change, expected, line = LOSSLESS_BREACHES[breach]
    assert check_multivariant(LOSSLESS, codec=Codec.FLAC) == ()
    findings = check_multivariant(change(LOSSLESS), codec=Codec.FLAC)
    assert ids(findings) == expected
    assert findings[0].line == line


def test_lossless_and_aac_are_together_only_in_their_own_playlist() -> None:
    """Whoever knows the family says so; of another's playlist nobody does, and Apple's players move between them."""
    assert check_multivariant(LOSSLESS) == ()
    assert ids(check_multivariant(LOSSLESS, codec=Codec.AAC)) == {"SEGUE-family"}
    assert ids(check_multivariant(variant(0, codecs=("Opus",))(LOSSLESS))) == {"SEGUE-family"}


@pytest.mark.parametrize("spelling", ["opus", "flac", "FLAC", "mp4a.40.02"])
def test_a_codec_in_another_spelling_is_found(spelling: str) -> None:
    """It might play here; Safari's MSE and Apple's validator refuse it."""
    playlist = MultivariantPlaylist(
        version=6,
        independent_segments=True,
        variants=(VariantStream(uri="a", bandwidth_bps=2, average_bandwidth_bps=1, codecs=(spelling,)),),
    )
    assert ids(check_multivariant(playlist)) - {"APPLE-2.3"} == {"CLIENT-codecs"}  # FLAC alone is nothing for Apple


def test_a_whole_playlist_of_the_wrong_family_is_found_by_who_knows_better() -> None:
    """`index.m3u8` is AAC, whatever else is in it."""
    opus = variants_of(PACKAGE, Codec.OPUS)
    assert check_multivariant(opus, codec=Codec.OPUS) == check_multivariant(opus) == ()
    findings = check_multivariant(opus, codec=Codec.AAC)
    assert ids(findings) == {"SEGUE-family"} and len(findings) == 4


def test_no_stable_ids_at_all_are_no_breach() -> None:
    """All or none."""
    without = replace(AAC, variants=tuple(replace(each, stable_variant_id="") for each in AAC.variants))
    assert check_multivariant(without) == ()


def exchanged(change: Callable[[MediaPlaylist], MediaPlaylist]) -> dict[str, MediaPlaylist]:
    """The media playlists of the package with one changed that is not the first variant's."""
    return ALL_MEDIA | {"aac-64.m3u8": change(ALL_MEDIA["aac-64.m3u8"])}


def peak_off(percent: int) -> MultivariantPlaylist:
    """The multivariant playlist with the second BANDWIDTH off by so many percent."""
    second = AAC.variants[1]
    return variant(1, bandwidth_bps=second.bandwidth_bps * (100 + percent) // 100)(AAC)


def average_off(percent: int) -> MultivariantPlaylist:
    """The multivariant playlist with the second AVERAGE-BANDWIDTH off by so many percent."""
    said_bps = AAC.variants[1].average_bandwidth_bps
    assert said_bps
    return variant(1, average_bandwidth_bps=said_bps * (100 + percent) // 100)(AAC)


PRESENTATION_BREACHES: dict[str, tuple[MultivariantPlaylist, dict[str, MediaPlaylist], set[str], int]] = {
    "missing": (
        AAC,
        {uri: media for uri, media in ALL_MEDIA.items() if uri != "aac-64.m3u8"},
        {"SEGUE-complete"},
        AAC.variants[1].line,
    ),
    "other target": (AAC, exchanged(lambda p: replace(p, target_duration_s=7)), {"APPLE-8.2"}, 0),
    "other total": (AAC, exchanged(lambda p: lasting(p, -1, 6_470_000)), {"APPLE-8.3", "APPLE-8.22"}, 0),
    "other boundaries": (
        AAC,
        exchanged(lambda p: lasting(lasting(p, 3, 6_081_000), 4, p.segments[4].duration_us - 1_000)),
        {"APPLE-8.22"},
        0,
    ),
    "bandwidth too low": (peak_off(-1), ALL_MEDIA, {"APPLE-1.27"}, AAC.variants[1].line),
    "bandwidth too high": (peak_off(11), ALL_MEDIA, {"APPLE-1.27"}, AAC.variants[1].line),
    "average too low": (average_off(-11), ALL_MEDIA, {"APPLE-1.26"}, AAC.variants[1].line),
    "average too high": (average_off(11), ALL_MEDIA, {"APPLE-1.26"}, AAC.variants[1].line),
}


@pytest.mark.parametrize("breach", PRESENTATION_BREACHES)
def test_playlists_that_do_not_fit_together_are_found(breach: str) -> None:
    """One change, its rule, its line, and nothing else."""
    playlist, media, expected, line = PRESENTATION_BREACHES[breach]
    assert check_presentation(AAC, ALL_MEDIA) == ()
    findings = check_presentation(playlist, media)
    assert ids(findings) == expected
    assert findings[0].line == line


@pytest.mark.parametrize(
    ("playlist", "found"),
    [(peak_off(-15), False), (peak_off(60), False), (average_off(30), False), (peak_off(-30), True)],
)
def test_a_moment_of_a_live_stream_is_judged_by_its_peak_alone(playlist: MultivariantPlaylist, found: bool) -> None:
    """What is louder or softer may have been, or come."""
    live = {uri: replace(media, ended=False, playlist_type=None) for uri, media in ALL_MEDIA.items()}
    assert ("APPLE-1.27" in ids(check_presentation(playlist, live))) == found
    assert "APPLE-1.26" not in ids(check_presentation(playlist, live))


def test_rates_of_segment_urls_are_checked_by_the_sizes_given() -> None:
    """Without sizes there is nothing to measure; with them the same rules hold."""
    media = {
        media_uri(each.rendition.rendition_id): segment_playlist(each, target_duration_s=PACKAGE.target_duration_s)
        for each in PACKAGE.renditions
    }
    sizes = {
        media_uri(each.rendition.rendition_id): [s.size_bytes for s in each.segments] for each in PACKAGE.renditions
    }
    assert check_presentation(peak_off(-1), media) == ()
    assert check_presentation(AAC, media, segment_sizes=sizes) == ()
    assert ids(check_presentation(peak_off(-1), media, segment_sizes=sizes)) == {"APPLE-1.27"}


def test_every_rule_is_broken_somewhere_here() -> None:
    """A rule without a test that triggers it does not count; ids are unique."""
    tables = (MEDIA_BREACHES, MULTIVARIANT_BREACHES, LOSSLESS_BREACHES, PRESENTATION_BREACHES)
    expected = {rule for table in tables for breach in table.values() for rule in breach[-2]}
    assert set(RULE_IDS) == expected | {"RFC8216-4.3.2.2", "APPLE-8.1", "SEGUE-index"}  # those need bytes: tests above
    assert len(set(RULE_IDS)) == len(RULE_IDS)


def test_a_finding_tells_an_operator_all() -> None:
    """Rule, where it is written, the line, what is wrong, how to mend it, how bad it is."""
    (finding,) = check_media(lasting(MEDIA, 3, 6_500_000))
    assert finding == Finding(
        rule="RFC8216-4.3.3.1",
        section="RFC 8216 §4.3.3.1",
        line=at_line(MEDIA, 3),
        message="EXTINF rounds above the target duration: 6.500000",
        how_to_fix="set EXT-X-TARGETDURATION to the longest EXTINF of the presentation, rounded to the nearest second",
        severity=Severity.MUST,
    )
