"""Playlists of anybody: read to their end, whatever they are, and the same as ours where they are like ours."""

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.build import multivariant, segment_playlist
from manifests.listing import MediaListing, MultivariantListing
from manifests.listing_reader import read_listing
from manifests.listing_text import TROUBLES_MAX
from manifests.parse import BYTES_MAX, parse_media, parse_multivariant
from manifests.render import render
from manifests.rules import check_listed_media, check_listed_presentation, check_listing
from model.errors import PlaylistSyntaxError
from model.package import Package
from tests.unit.manifests.samples import NAMES, media_uri, packages

SECONDS_MAX = 5.0  # generous: 10,000 lines take 60 ms
TAGS = [
    "#EXTINF:6.0,",
    "#EXTINF:x",
    "#EXT-X-BYTERANGE:10",
    "#EXT-X-BYTERANGE:10@5",
    '#EXT-X-MAP:URI="i.mp4",BYTERANGE="9@0"',
    '#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x1',
    "#EXT-X-KEY:METHOD=NONE",
    "#EXT-X-DISCONTINUITY",
    "#EXT-X-GAP",
    "#EXT-X-TARGETDURATION:6",
    "#EXT-X-TARGETDURATION:99999999999999999999",
    "#EXT-X-ENDLIST",
    "#EXT-X-PLAYLIST-TYPE:LATER",
    '#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="mp4a.40.2",AUDIO="a"',
    '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="n",URI="a.m3u8"',
    '#EXT-X-SESSION-DATA:DATA-ID="x",VALUE="y"',
    '#EXT-X-DEFINE:NAME="v",VALUE="w"',
    "a b.mp4",
    "{$v}.mp4",
    "#",
    "",
    '"',
    "\x00",
]


@given(package=packages())
def test_a_playlist_of_ours_reads_the_same_either_way(package: Package) -> None:
    """The strict parser and the listing agree on all that both can say, and nothing troubles the listing."""
    for rendition in package.renditions:
        data = render(segment_playlist(rendition, target_duration_s=package.target_duration_s))
        listing = read_listing(data)
        assert isinstance(listing, MediaListing) and not listing.troubles
        assert listing.plain() == parse_media(data)
    for codec in package.codecs:
        data = render(multivariant(package, codec, uri_of=media_uri, session_data=NAMES))
        listing = read_listing(data)
        assert isinstance(listing, MultivariantListing) and not listing.troubles
        plain = listing.plain()  # of audio groups it knows only that they are there
        assert plain and replace(plain, audio_groups=()) == replace(parse_multivariant(data), audio_groups=())


def _judged(data: bytes) -> None:
    """Read and judged, in a bounded time and with a bounded number of complaints; or no playlist."""
    began = time.monotonic()
    try:
        listing = read_listing(data)
    except PlaylistSyntaxError:
        return
    assert len(listing.troubles) <= TROUBLES_MAX
    check_listing(listing)
    if isinstance(listing, MediaListing):
        check_listed_media(listing)
        check_listed_presentation(read_multivariant(), {"x": listing})
    else:
        check_listed_presentation(listing, {})
    assert time.monotonic() - began < SECONDS_MAX


def read_multivariant() -> MultivariantListing:
    """One variant."""
    listing = read_listing(b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nx\n")
    assert isinstance(listing, MultivariantListing)
    return listing


@given(st.lists(st.sampled_from(TAGS), max_size=30))
def test_tags_in_any_order(lines: list[str]) -> None:
    """Right ones and wrong ones."""
    _judged("\n".join(["#EXTM3U", *lines]).encode())


@given(st.binary(max_size=500))
def test_any_bytes_behind_the_first_line(data: bytes) -> None:
    """Text or not."""
    _judged(b"#EXTM3U\n" + data)


@given(st.text(alphabet='#EXT-X:MEDIA="=,@0123456789{$}', max_size=200))
def test_anything_like_a_tag(text: str) -> None:
    """Attribute lists that break off, numbers that are none."""
    _judged(f"#EXTM3U\n#EXT-X-MEDIA:{text}\n#EXT-X-STREAM-INF:{text}\n{text}".encode())


@pytest.mark.parametrize("data", [b"", b"<html>", b"ID3", b"#EXTM3U\n" + bytes(BYTES_MAX), b"\n#EXTM3U"])
def test_what_is_no_playlist_is_refused(data: bytes) -> None:
    """With a line and a hint."""
    with pytest.raises(PlaylistSyntaxError) as caught:
        read_listing(data, subject="x")
    assert caught.value.line == 1 and caught.value.hint


def test_many_variants_of_one_name_cost_little() -> None:
    """A stranger's list of 5,000 is no way to keep us busy."""
    one = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{}",NAME="n{}",URI="u"\n#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="{}"\nu\n'
    lines = "".join(one.format(number % 7, number // 2, number % 7) for number in range(5_000))
    began = time.monotonic()
    check_listing(read_listing(f"#EXTM3U\n{lines}".encode()))
    assert time.monotonic() - began < SECONDS_MAX


def _media(*lines: str) -> MediaListing:
    listing = read_listing("\n".join(["#EXTM3U", "#EXT-X-TARGETDURATION:6", *lines]).encode(), query={"t": "1"})
    assert isinstance(listing, MediaListing)
    return listing


def test_a_range_without_a_start_follows_the_one_before() -> None:
    """Of the same resource (RFC 8216 §4.3.2.2), as Shaka Packager writes them."""
    listing = _media(
        "#EXTINF:6,", "#EXT-X-BYTERANGE:10@5", "a.mp4", "#EXTINF:6,", "#EXT-X-BYTERANGE:20", "a.mp4",
        "#EXTINF:6,", "#EXT-X-BYTERANGE:20", "b.mp4",
    )  # fmt: skip
    ranges = [each.byte_range and each.byte_range.offset_bytes for each in listing.segments]
    assert ranges == [5, 15, None]
    assert [(each.rule, each.line) for each in listing.troubles] == [("RFC8216-4.3.2.2-syntax", 10)]


def test_keys_and_maps_hold_until_the_next() -> None:
    """A key before the map encrypts it; METHOD=NONE ends it; each knows its line."""
    listing = _media(
        '#EXT-X-MAP:URI="i"', '#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x1', "#EXTINF:6,", "a", '#EXT-X-MAP:URI="j"',
        "#EXTINF:6,", "b", "#EXT-X-KEY:METHOD=NONE", "#EXT-X-DISCONTINUITY", "#EXTINF:6,", "c",
    )  # fmt: skip
    maps = [each.init_map for each in listing.segments]
    assert [(each.uri, each.key is not None) for each in maps if each] == [("i", False), ("j", True), ("j", True)]
    assert [each.key is not None for each in listing.segments] == [True, True, False]
    assert [each.period for each in listing.segments] == [0, 0, 1]
    assert [each.line for each in listing.segments] == [5, 8, 12]


def test_variables_are_put_in() -> None:
    """By name and from the playlist's own URL (RFC 8216bis §4.4.2.3)."""
    listing = _media(
        '#EXT-X-DEFINE:NAME="v",VALUE="w"', '#EXT-X-DEFINE:QUERYPARAM="t"', "#EXTINF:6,", "{$v}.mp4?t={$t}",
    )  # fmt: skip
    assert listing.segments[0].uri == "w.mp4?t=1"
    assert {each.version for each in listing.needs} == {8, 11}


def test_a_uri_that_ours_could_not_hold_is_encoded_for_the_rules() -> None:
    """A space is no fault that clients know of."""
    plain = _media("#EXTINF:6,", 'a "b".mp4').plain()
    assert plain and plain.segments[0].uri == "a%20%22b%22.mp4"
