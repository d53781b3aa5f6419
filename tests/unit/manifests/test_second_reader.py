"""The m3u8 package, which shares no code with us, reads the same out of our playlists."""

from fractions import Fraction

import m3u8
from hypothesis import given

from manifests.build import media_playlist, multivariant, segment_playlist, session_data_of
from manifests.playlist import MediaPlaylist
from manifests.render import render
from model.package import Package
from model.rendition import Codec
from model.segment import SegmentedRendition
from model.track import TrackTags
from tests.unit.manifests.samples import LADDER, NAMES, coded, cut, media_uri, package_of, packages, wild_renditions


def seconds(duration_us: int) -> float:
    """The float that the decimal text of these microseconds reads as."""
    return float(Fraction(duration_us, 1_000_000))


def check_media_playlist(playlist: MediaPlaylist) -> None:
    """Durations, URIs, ranges and the tags of the whole list."""
    read = m3u8.loads(render(playlist).decode())
    assert not read.is_variant and read.is_endlist and read.is_independent_segments
    assert (read.version, read.target_duration, read.playlist_type) == (6, playlist.target_duration_s, "vod")
    assert [each.uri for each in read.segments] == [each.uri for each in playlist.segments]
    assert [each.duration for each in read.segments] == [seconds(each.duration_us) for each in playlist.segments]
    ranges = [each.byte_range for each in playlist.segments]
    assert [each.byterange for each in read.segments] == [
        each and f"{each.length_bytes}@{each.offset_bytes}" for each in ranges
    ]
    assert playlist.init_map
    (read_map,) = read.segment_map
    assert read_map.uri == playlist.init_map.uri
    map_range = playlist.init_map.byte_range
    assert read_map.byterange == (map_range and f"{map_range.length_bytes}@{map_range.offset_bytes}")


@given(rendition=wild_renditions())
def test_media_playlists_read_the_same(rendition: SegmentedRendition) -> None:
    """Both forms."""
    check_media_playlist(media_playlist(rendition, target_duration_s=12, track_file_uri="aac-128.mp4"))
    check_media_playlist(segment_playlist(rendition, target_duration_s=12))


@given(package=packages())
def test_multivariant_playlists_read_the_same(package: Package) -> None:
    """URIs, both rates, CODECS, ids and session data."""
    for codec in Codec:
        playlist = multivariant(package, codec, uri_of=media_uri, session_data=NAMES)
        read = m3u8.loads(render(playlist).decode())
        assert read.is_variant and read.is_independent_segments and read.version == 6
        assert [
            (
                each.uri,
                each.stream_info.bandwidth,
                each.stream_info.average_bandwidth,
                each.stream_info.codecs,
                each.stream_info.stable_variant_id,
            )
            for each in read.playlists
        ] == [
            (each.uri, each.bandwidth_bps, each.average_bandwidth_bps, ",".join(each.codecs), each.stable_variant_id)
            for each in playlist.variants
        ]
        assert [(each.type, each.group_id, each.channels, each.uri) for each in read.media] == [
            ("AUDIO", each.group_id, "2", None) for each in playlist.audio_groups
        ]
        assert [(each.data_id, each.value) for each in read.session_data] == [
            (each.data_id, each.value) for each in playlist.session_data
        ]


def test_a_title_full_of_traps_reads_the_same() -> None:
    """Quotes, commas, equals signs, line separators and a variable reference do not change what follows them."""
    tags = TrackTags(title='A, "B"=C\u2028#EXTINF:1,\n{$d}', artists=("O'Neil",), album="Ünder, cover")
    package = package_of([coded(LADDER[0], cut(480_000))])
    playlist = multivariant(package, Codec.AAC, uri_of=media_uri, session_data=session_data_of(tags))
    read = m3u8.loads(render(playlist).decode())
    assert [each.value for each in read.session_data] == ["A, ”B”=C #EXTINF:1, { $d}", "O'Neil", "Ünder, cover"]
    assert [each.uri for each in read.playlists] == ["aac-64.m3u8"]
