"""The exact text of playlists."""

from decimal import Decimal

from hypothesis import given

from manifests.build import media_playlist, multivariant, segment_playlist
from manifests.playlist import (
    AudioGroup,
    DateRange,
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
from model.package import Package
from model.rendition import Codec
from tests.unit.manifests.samples import NAMES, media_uri, packages

KEY = Key(method=KeyMethod.AES_128, uri="../k/0")
WITH_IV = Key(method=KeyMethod.AES_128, uri="k", iv=b"\x1f" * 16)


def test_an_init_section_of_a_segment_is_never_under_a_key() -> None:
    """It is in the clear, and holds until another is named (RFC 8216 §4.3.2.4, §4.3.2.5)."""
    other, key = InitMap(uri="other"), Key(method=KeyMethod.AES_128, uri="k")
    segments = [
        MediaSegment(uri=name, duration_us=6_000_000, key=key, init_map=own)
        for name, own in (("a", None), ("b", other), ("c", other), ("d", None))
    ]
    playlist = MediaPlaylist(version=6, target_duration_s=6, segments=tuple(segments), init_map=InitMap(uri="own"))
    head = ("#EXTM3U", "#EXT-X-VERSION", "#EXT-X-TARGETDURATION", "#EXT-X-MEDIA-SEQUENCE", "#EXTINF")
    lines = [line for line in render(playlist).decode().splitlines() if not line.startswith(head)]
    tag, none, maps = '#EXT-X-KEY:METHOD=AES-128,URI="k"', "#EXT-X-KEY:METHOD=NONE", '#EXT-X-MAP:URI="{}"'
    assert lines == [
        maps.format("own"), tag, "a", none, maps.format("other"), tag, "b", "c", none, maps.format("own"), tag, "d",
    ]  # fmt: skip


def test_a_media_playlist_with_everything() -> None:
    """Every tag and attribute, in the one order."""
    playlist = MediaPlaylist(
        version=6,
        target_duration_s=6,
        segments=(
            MediaSegment(
                uri="a.mp4", duration_us=960_000, byte_range=PlaylistByteRange(length_bytes=10, offset_bytes=800)
            ),
            MediaSegment(uri="b.mp4", duration_us=6_000_001, key=KEY),
            MediaSegment(uri="c.mp4", duration_us=6_000_000, key=KEY),
            MediaSegment(uri="d.mp4", duration_us=6_000_000, key=WITH_IV),
            MediaSegment(uri="e.mp4", duration_us=6_000_000),
        ),
        init_map=InitMap(uri="a.mp4", byte_range=PlaylistByteRange(length_bytes=700, offset_bytes=0)),
        media_sequence=3,
        playlist_type=PlaylistType.VOD,
        independent_segments=True,
        ended=True,
        date_ms=1_767_225_600_007,
        date_ranges=(
            DateRange(
                range_id="0", start_ms=1_767_225_600_000, duration_us=2_090_667, class_name="org.segue.track",
                texts=(("X-TITLE", "Song"), ("X-ART", "../a.jpg")),
            ),
            DateRange(range_id="1", start_ms=0),
        ),
    )  # fmt: skip
    assert render(playlist).decode() == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:6\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        "#EXT-X-TARGETDURATION:6\n"
        "#EXT-X-MEDIA-SEQUENCE:3\n"
        "#EXT-X-PLAYLIST-TYPE:VOD\n"
        '#EXT-X-MAP:URI="a.mp4",BYTERANGE="700@0"\n'
        '#EXT-X-DATERANGE:ID="0",CLASS="org.segue.track",START-DATE="2026-01-01T00:00:00.000Z",DURATION=2.090667,'
        'X-TITLE="Song",X-ART="../a.jpg"\n'
        '#EXT-X-DATERANGE:ID="1",START-DATE="1970-01-01T00:00:00.000Z"\n'
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.007Z\n"
        "#EXTINF:0.960000,\n"
        "#EXT-X-BYTERANGE:10@800\n"
        "a.mp4\n"
        '#EXT-X-KEY:METHOD=AES-128,URI="../k/0"\n'
        "#EXTINF:6.000001,\n"
        "b.mp4\n"
        "#EXTINF:6.000000,\n"
        "c.mp4\n"
        '#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f\n'
        "#EXTINF:6.000000,\n"
        "d.mp4\n"
        "#EXT-X-KEY:METHOD=NONE\n"
        "#EXTINF:6.000000,\n"
        "e.mp4\n"
        "#EXT-X-ENDLIST\n"
    )


def test_a_multivariant_playlist_with_everything() -> None:
    """Every tag and attribute, in the one order."""
    playlist = MultivariantPlaylist(
        version=6,
        independent_segments=True,
        session_data=(SessionData(data_id="a.b", value="é", language="fr"),),
        variants=(
            VariantStream(
                uri="x.m3u8",
                bandwidth_bps=2,
                average_bandwidth_bps=1,
                codecs=("mp4a.40.2", "Opus"),
                stable_variant_id="aac-64",
                score=Decimal("2.5"),
                audio="g",
            ),
        ),
        audio_groups=(
            AudioGroup(group_id="g", name="N", language="und", channels=2, sample_rate_hz=48_000, bit_depth=24),
        ),
    )
    assert render(playlist).decode() == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:6\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-SESSION-DATA:DATA-ID="a.b",VALUE="é",LANGUAGE="fr"\n'
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",NAME="N",LANGUAGE="und",DEFAULT=YES,AUTOSELECT=YES,'
        'CHANNELS="2",BIT-DEPTH=24,SAMPLE-RATE=48000\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=2,AVERAGE-BANDWIDTH=1,SCORE=2.5,CODECS="mp4a.40.2,Opus",'
        'STABLE-VARIANT-ID="aac-64",AUDIO="g"\n'
        "x.m3u8\n"
    )


def test_what_is_not_said_is_not_written() -> None:
    """No empty attributes, no tags for the absent."""
    media = MediaPlaylist(version=3, target_duration_s=1, segments=(MediaSegment(uri="a", duration_us=1),))
    head = "#EXTM3U\n#EXT-X-VERSION:3\n"
    assert render(media).decode() == (f"{head}#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:0.000001,\na\n")
    variants = (VariantStream(uri="a", bandwidth_bps=1),)
    groups = (AudioGroup(group_id="g", name="N"),)
    plain = MultivariantPlaylist(version=3, variants=variants, audio_groups=groups)
    media_line = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",NAME="N",DEFAULT=YES,AUTOSELECT=YES\n'
    assert render(plain).decode() == f"{head}{media_line}#EXT-X-STREAM-INF:BANDWIDTH=1\na\n"


@given(package=packages())
def test_the_bytes_are_utf8_without_mark_in_lines_that_end_in_lf(package: Package) -> None:
    """RFC 8216 §4.1, and equal playlists give equal bytes."""
    first = package.renditions[0]
    for build in (
        lambda: multivariant(package, Codec.AAC, uri_of=media_uri, session_data=NAMES),
        lambda: multivariant(package, Codec.FLAC, uri_of=media_uri, session_data=NAMES),
        lambda: media_playlist(first, target_duration_s=package.target_duration_s, track_file_uri="aac-64.mp4"),
        lambda: segment_playlist(first, target_duration_s=package.target_duration_s),
    ):
        data = render(build())
        assert data.decode().startswith("#EXTM3U\n") and data.endswith(b"\n")
        assert b"\r" not in data and b"\n\n" not in data
        assert data == render(build())
