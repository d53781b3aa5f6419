"""The parser: what we render comes back equal; everything else is a value or a typed error that says where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.parse import BYTES_MAX, LINES_MAX, parse, parse_media, parse_multivariant
from manifests.playlist import (
    DATE_MS_MAX,
    DECIMAL_INTEGER_MAX,
    FORBIDDEN,
    AudioGroup,
    DateRange,
    InitMap,
    Key,
    KeyMethod,
    MediaPlaylist,
    MediaSegment,
    MultivariantPlaylist,
    Playlist,
    PlaylistByteRange,
    PlaylistType,
    SessionData,
    VariantStream,
)
from manifests.render import render
from model.errors import PlaylistError, PlaylistSyntaxError

MEDIA = """#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:6
#EXT-X-MAP:URI="a.mp4",BYTERANGE="700@0"
#EXTINF:6.080000,
#EXT-X-BYTERANGE:100@800
a.mp4
#EXTINF:3.000000,
#EXT-X-BYTERANGE:50@900
a.mp4
#EXT-X-ENDLIST
"""
MULTIVARIANT = """#EXTM3U
#EXT-X-VERSION:6
#EXT-X-SESSION-DATA:DATA-ID="a",VALUE="b"
#EXT-X-STREAM-INF:BANDWIDTH=2,AVERAGE-BANDWIDTH=1,CODECS="Opus",STABLE-VARIANT-ID="x"
a.m3u8
"""

quoted = st.text(st.characters(blacklist_characters='"', blacklist_categories=("Cs", "Cc")), max_size=20).filter(
    lambda text: not FORBIDDEN.search(text)
)
uris = st.from_regex(r"[A-Za-z0-9./_~%?&=é-][A-Za-z0-9./_~%?&=#,:é-]{0,20}", fullmatch=True)
codec_entries = quoted.map(lambda text: text.replace(",", "").strip()).filter(bool)
numbers = st.integers(1, DECIMAL_INTEGER_MAX)
byte_ranges = st.builds(PlaylistByteRange, length_bytes=numbers, offset_bytes=st.integers(0, DECIMAL_INTEGER_MAX))
keys = st.builds(Key, method=st.sampled_from(KeyMethod), uri=uris, iv=st.none() | st.binary(min_size=16, max_size=16))
date_ranges = st.builds(
    DateRange,
    range_id=quoted.filter(bool),
    start_ms=st.integers(0, DATE_MS_MAX),
    duration_us=st.none() | st.integers(0, 10**15),
    class_name=quoted,
    texts=st.dictionaries(st.from_regex(r"X-[A-Z0-9-]{1,8}", fullmatch=True), quoted, max_size=3).map(
        lambda found: tuple(found.items())
    ),
)
media_playlists = st.builds(
    MediaPlaylist,
    date_ms=st.integers(0, DATE_MS_MAX),
    date_ranges=st.lists(date_ranges, max_size=3).map(tuple),
    version=numbers,
    target_duration_s=numbers,
    segments=st.lists(
        st.builds(
            MediaSegment, uri=uris, duration_us=numbers, byte_range=st.none() | byte_ranges, key=st.none() | keys
        ),
        min_size=1,
        max_size=8,
    ).map(tuple),
    init_map=st.none() | st.builds(InitMap, uri=uris, byte_range=st.none() | byte_ranges),
    media_sequence=st.integers(0, DECIMAL_INTEGER_MAX),
    playlist_type=st.none() | st.sampled_from(PlaylistType),
    independent_segments=st.booleans(),
    ended=st.booleans(),
)
multivariant_playlists = st.builds(
    MultivariantPlaylist,
    version=numbers,
    variants=st.lists(
        st.builds(
            VariantStream,
            uri=uris,
            bandwidth_bps=numbers,
            average_bandwidth_bps=st.none() | numbers,
            codecs=st.lists(codec_entries, max_size=3).map(tuple),
            stable_variant_id=st.from_regex(r"[A-Za-z0-9+/=.\-_]{0,12}", fullmatch=True),
            score=st.none() | st.decimals(0, 10**6, places=3),
            audio=quoted,
        ),
        min_size=1,
        max_size=5,
    ).map(tuple),
    independent_segments=st.booleans(),
    session_data=st.lists(
        st.builds(SessionData, data_id=quoted.filter(bool), value=quoted, language=quoted), max_size=3
    ).map(tuple),
    audio_groups=st.lists(
        st.builds(
            AudioGroup,
            group_id=quoted.filter(bool),
            name=quoted.filter(bool),
            language=quoted,
            channels=st.none() | numbers,
            sample_rate_hz=st.none() | numbers,
            bit_depth=st.none() | numbers,
        ),
        max_size=3,
        unique_by=lambda group: group.group_id,
    ).map(tuple),
)


@given(playlist=media_playlists | multivariant_playlists)
def test_what_is_rendered_parses_to_the_same_value(playlist: Playlist) -> None:
    """Any playlist value, not only the ones that we build."""
    assert parse(render(playlist)) == playlist


@given(playlist=media_playlists | multivariant_playlists)
def test_line_ends_of_windows_change_nothing(playlist: Playlist) -> None:
    """RFC 8216 §4.1: LF or CRLF."""
    assert parse(render(playlist).replace(b"\n", b"\r\n")) == playlist


@given(data=st.binary(max_size=300) | st.binary(max_size=100).map(lambda junk: b"#EXTM3U\n" + junk))
def test_random_bytes_are_a_typed_error(data: bytes) -> None:
    """Nothing but a PlaylistError leaves the parser, and it says what to do."""
    check_value_or_error(data)


tags = st.sampled_from(
    [
        "EXTINF:",
        "EXTINF:6,",
        "EXTINF:1.5,t",
        "EXT-X-BYTERANGE:5@6",
        "EXT-X-BYTERANGE:7",
        'EXT-X-MAP:URI="a"',
        "EXT-X-ENDLIST",
        "EXT-X-TARGETDURATION:6",
        "EXT-X-VERSION:6",
        "EXT-X-VERSION:",
        "EXT-X-STREAM-INF:BANDWIDTH=1",
        "EXT-X-STREAM-INF:",
        "EXT-X-KEY:",
        "EXT-X-KEY:METHOD=NONE",
        'EXT-X-KEY:METHOD=AES-128,URI="k"',
        'EXT-X-KEY:METHOD=AES-128,URI="l",IV=0x1F',
        'EXT-X-SESSION-DATA:DATA-ID="a",VALUE="b"',
        "EXT-X-PLAYLIST-TYPE:VOD",
        "EXT-X-MEDIA-SEQUENCE:1",
        "EXT-X-INDEPENDENT-SEGMENTS",
        "EXT-X-PROGRAM-DATE-TIME:2026",
        "EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000Z",
        'EXT-X-DATERANGE:ID="a",START-DATE="2026-01-01T00:00:00.000Z",DURATION=1.5,X-A="b",X-B=7',
        'EXT-X-MAP:BYTERANGE="5",URI="b"',
        "EXTM3U",
    ]
).map("#{}".format)


@given(lines=st.lists(tags | uris | st.text(max_size=8), max_size=12))
def test_shuffled_tags_are_a_playlist_or_a_typed_error(lines: list[str]) -> None:
    """Real tags in senseless orders reach further than random bytes."""
    check_value_or_error("\n".join(["#EXTM3U", *lines]).encode(errors="surrogatepass"))


@given(
    text=st.sampled_from([MEDIA, MULTIVARIANT]),
    at=st.integers(0, 250),
    cut=st.integers(0, 9),
    paste=st.binary(max_size=6),
)
def test_a_damaged_playlist_is_a_playlist_or_a_typed_error(text: str, at: int, cut: int, paste: bytes) -> None:
    """Some bytes lost, some others in their place."""
    data = text.encode()
    check_value_or_error(data[:at] + paste + data[at + cut :])


def check_value_or_error(data: bytes) -> None:
    """A value that renders and parses to itself, or an error with a line that exists and a hint."""
    try:
        playlist = parse(data, subject="x.m3u8")
    except PlaylistError as error:
        assert isinstance(error, PlaylistSyntaxError)
        assert 1 <= error.line <= data.count(b"\n") + 1
        assert error.hint and error.subject == "x.m3u8"
    else:
        assert parse(render(playlist)) == playlist


def media(*lines: str) -> str:
    """A media playlist of these lines after the tags that every one needs."""
    return "\n".join(["#EXTM3U", "#EXT-X-TARGETDURATION:6", *lines])


def multivariant(*lines: str) -> str:
    """A multivariant playlist of these lines."""
    return "\n".join(["#EXTM3U", *lines])


ONE = "#EXTINF:6,\na.mp4"
STREAM = "#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8"
GROUP = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="b"'


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "#EXTM3U"),
        ("<html>", 1, "#EXTM3U"),
        (" #EXTM3U\n", 1, "#EXTM3U"),
        ("\ufeff#EXTM3U\n", 1, "byte order mark"),
        (media("#EXTINF:6,a\x07", "a.mp4"), 3, "control character"),
        (media("# \ufeff", ONE), 3, "byte order mark"),
        ("#EXTM3U\n#EXTINF:6,\na.mp4", 3, "no EXT-X-TARGETDURATION"),
        (media(), 2, "at least one segment"),
        (media("a.mp4"), 3, "without EXTINF"),
        (media("#EXTINF:6,", ONE), 3, "without a URI"),
        (media(ONE, "#EXTINF:6,"), 5, "without a URI"),
        (media("#EXTINF:6", "a.mp4"), 3, "EXTINF is not"),
        (media("#EXTINF:-6,", "a.mp4"), 3, "EXTINF is not"),
        (media("#EXTINF:1e3,", "a.mp4"), 3, "EXTINF is not"),
        (media("#EXTINF:٣,", "a.mp4"), 3, "EXTINF is not"),
        (media("#EXTINF:0,", "a.mp4"), 4, "duration in microseconds"),
        (media("#EXTINF:99999999999999999999,", "a.mp4"), 4, "duration in microseconds"),
        (media("#EXTINF:6,", "a b.mp4"), 4, "not a URI"),
        (media("#EXT-X-BYTERANGE:5", ONE), 5, "starts nowhere"),
        (media("#EXT-X-BYTERANGE:5@0", ONE, "#EXT-X-BYTERANGE:5", "#EXTINF:1,", "b.mp4"), 8, "starts nowhere"),
        (media("#EXT-X-BYTERANGE:@5", ONE), 3, "not a byte range"),
        (media("#EXT-X-BYTERANGE:", ONE), 3, "not a byte range"),
        (media("#EXT-X-BYTERANGE:0@5", ONE), 3, "not a byte range"),
        (media(f"#EXT-X-BYTERANGE:1@{2**64}", ONE), 5, "offset of a byte range"),
        (media('#EXT-X-MAP:BYTERANGE="5@0"', ONE), 3, "without URI"),
        (media("#EXT-X-MAP:URI=a", ONE), 3, "not quoted"),
        (media('#EXT-X-MAP:URI="a",', ONE), 3, "not an attribute list"),
        (media('#EXT-X-MAP:URI="a"b', ONE), 3, "not an attribute list"),
        (media('#EXT-X-MAP:URI="a",URI="b"', ONE), 3, "a second time"),
        (media('#EXT-X-MAP:URI="a"', '#EXT-X-MAP:URI="b"', ONE), 4, "a second time"),
        (media(ONE, '#EXT-X-MAP:URI="b"'), 5, "after the first segment"),
        (media("#EXT-X-TARGETDURATION:6", ONE), 3, "a second time"),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:0\n" + ONE, 2, "not an integer from 1"),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:6.0\n" + ONE, 2, "not an integer from 1"),
        (media("#EXT-X-VERSION:six", ONE), 3, "not an integer from 1"),
        (media("#EXT-X-MEDIA-SEQUENCE:-1", ONE), 3, "not an integer from 0"),
        (media("#EXT-X-PLAYLIST-TYPE:vod", ONE), 3, "neither VOD nor EVENT"),
        (media('#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k"', ONE), 3, "another kind than AES-128"),
        (media('#EXT-X-KEY:METHOD=AES-128,URI="k",KEYFORMAT="com.apple"', ONE), 3, "another kind than AES-128"),
        (media("#EXT-X-KEY:METHOD=AES-128", ONE), 3, "without URI"),
        (media('#EXT-X-KEY:URI="k"', ONE), 3, "without an unquoted METHOD"),
        (media('#EXT-X-KEY:METHOD="AES-128",URI="k"', ONE), 3, "without an unquoted METHOD"),
        (media('#EXT-X-KEY:METHOD=NONE,URI="k"', ONE), 3, "NONE with a key"),
        (media('#EXT-X-KEY:METHOD=AES-128,URI="k",IV=1', ONE), 3, "IV is not 16 bytes"),
        (media(f'#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x{"0" * 33}', ONE), 3, "IV is not 16 bytes"),
        (media('#EXT-X-KEY:METHOD=AES-128,URI="k",IV="0x1"', ONE), 3, "IV is not 16 bytes"),
        (media('#EXT-X-KEY:METHOD=AES-128,URI="k"', '#EXT-X-MAP:URI="a"', ONE), 4, "encrypted map"),
        (multivariant(STREAM, '#EXT-X-KEY:METHOD=AES-128,URI="k"'), 4, "out of place"),
        (media(ONE, "#EXT-X-DISCONTINUITY", ONE), 5, "unsupported tag EXT-X-DISCONTINUITY"),
        (media('#EXT-X-SESSION-DATA:DATA-ID="a",VALUE="b"', ONE), 3, "out of place"),
        (multivariant(STREAM, "#EXT-X-ENDLIST"), 4, "out of place"),
        (multivariant(STREAM, "#EXTINF:6,"), 4, "out of place"),
        (multivariant(STREAM, "b.m3u8"), 4, "without EXT-X-STREAM-INF"),
        (multivariant("#EXT-X-STREAM-INF:BANDWIDTH=1", STREAM), 2, "without a URI"),
        (multivariant(STREAM, "#EXT-X-STREAM-INF:BANDWIDTH=1"), 4, "without a URI"),
        (multivariant('#EXT-X-STREAM-INF:CODECS="Opus"', "", "a.m3u8"), 2, "without BANDWIDTH"),
        (multivariant('#EXT-X-STREAM-INF:BANDWIDTH="1"', "a.m3u8"), 2, "BANDWIDTH is quoted"),
        (multivariant("#EXT-X-STREAM-INF:BANDWIDTH=1.5", "", "a.m3u8"), 2, "not an integer"),
        (multivariant("#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=Opus", "a.m3u8"), 2, "not quoted"),
        (multivariant(STREAM, '#EXT-X-SESSION-DATA:DATA-ID="a"'), 4, "VALUE or URI"),
        (multivariant(STREAM, '#EXT-X-SESSION-DATA:DATA-ID="a",VALUE="b",URI="c"'), 4, "VALUE or URI"),
        (multivariant(STREAM, '#EXT-X-SESSION-DATA:VALUE="b"'), 4, "without DATA-ID"),
        (multivariant(STREAM, '#EXT-X-MEDIA:TYPE=AUDIO,NAME="a"'), 4, "without GROUP-ID"),
        (multivariant(STREAM, '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME=""'), 4, "GROUP-ID or NAME is empty"),
        (multivariant(STREAM, '#EXT-X-MEDIA:TYPE=VIDEO,GROUP-ID="a",NAME="b"'), 4, "of another TYPE"),
        (multivariant(STREAM, '#EXT-X-MEDIA:TYPE="AUDIO",GROUP-ID="a",NAME="b"'), 4, "TYPE is quoted"),
        (multivariant(STREAM, '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="b",URI="c"'), 4, "with a URI"),
        (multivariant(STREAM, f'{GROUP},CHANNELS="two"'), 4, "CHANNELS is not an integer"),
        (multivariant(STREAM, f"{GROUP},SAMPLE-RATE=0"), 4, "SAMPLE-RATE must be 1"),
        (multivariant(STREAM, GROUP, GROUP), 5, "a GROUP-ID names one audio group"),
        (multivariant("#EXT-X-STREAM-INF:BANDWIDTH=1,SCORE=-1", "a.m3u8"), 2, "SCORE is no decimal number"),
        (multivariant('#EXT-X-STREAM-INF:BANDWIDTH=1,SCORE="1"', "a.m3u8"), 2, "SCORE is quoted"),
        (media(GROUP, ONE), 3, "out of place"),
        (media("#EXT-X-PROGRAM-DATE-TIME:yesterday", ONE), 3, "is no date"),
        (media("#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00", ONE), 3, "is no date"),
        (media(ONE, "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z", ONE), 5, "after the first segment"),
        (media('#EXT-X-DATERANGE:ID="a"', ONE), 3, "without START-DATE"),
        (media('#EXT-X-DATERANGE:ID="a",START-DATE="1"', ONE), 3, "is no date"),
        (media('#EXT-X-DATERANGE:ID="a",START-DATE="2026-01-01T00:00:00Z"', ONE), 5, "need EXT-X-PROGRAM-DATE-TIME"),
        (multivariant(STREAM, '#EXT-X-DEFINE:NAME="a",VALUE="b"'), 4, "unsupported tag EXT-X-DEFINE"),
    ],
)
def test_junk_is_named_with_its_line(text: str, line: int, message: str) -> None:
    """An operator is told where, what, and what to do."""
    with pytest.raises(PlaylistSyntaxError, match=message) as caught:
        parse(text.encode(), subject="index.m3u8")
    assert caught.value.line == line
    assert caught.value.hint
    assert str(caught.value).startswith(f"line {line}: ") and str(caught.value).endswith(": index.m3u8")


def test_bytes_that_are_not_utf8_are_named_with_their_line() -> None:
    """The line of the first bad byte."""
    with pytest.raises(PlaylistSyntaxError, match="not UTF-8") as caught:
        parse(b"#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\xff\n")
    assert caught.value.line == 3


@pytest.mark.parametrize("data", [b"#EXTM3U\n" + b"#" * BYTES_MAX, b"#EXTM3U" + b"\n" * LINES_MAX])
def test_a_playlist_beyond_the_limits_is_refused_unread(data: bytes) -> None:
    """Bytes and lines are bounded."""
    with pytest.raises(PlaylistSyntaxError, match="larger than"):
        parse(data)


def test_the_longest_playlist_within_the_limits_is_read() -> None:
    """A whole day of 6 s segments in the byte-range form fits."""
    segments = "".join(f"#EXTINF:6,\n#EXT-X-BYTERANGE:1@{n}\na\n" for n in range(14_400))
    playlist = parse_media(media('#EXT-X-MAP:URI="a"', segments).encode())
    assert playlist.duration_us == 86_400_000_000


def test_the_unknown_is_ignored() -> None:
    """RFC 8216 §6.3.1: unknown tags, attributes and comments; titles too, which we never write."""
    known = media('#EXT-X-MAP:URI="a"', ONE)
    noisy = media(
        "# comment", "#EXT-X-NEW:1", '#EXT-X-MAP:NEW="x,y",URI="a",F=0x1f', "", "#EXTINF:6,A title", "a.mp4", ""
    )
    assert parse(noisy.encode()) == parse(known.encode())
    variants = multivariant('#EXT-X-STREAM-INF:BANDWIDTH=1,VIDEO-RANGE=SDR,NAME="a,b"', "a.m3u8")
    data = '#EXT-X-SESSION-DATA:DATA-ID="a",URI="b.json"'
    assert parse(f"{variants}\n{data}".encode()) == parse(multivariant(STREAM).encode())


def test_of_channels_the_count_is_read() -> None:
    """RFC 8216bis §4.4.6.1: what follows a slash is about spatial audio."""
    playlist = parse_multivariant(multivariant(f'{GROUP},CHANNELS="16/JOC"', STREAM).encode())
    assert playlist.audio_groups == (AudioGroup(group_id="a", name="b", channels=16),)


def test_a_byte_range_without_offset_goes_on_where_the_last_one_ended() -> None:
    """RFC 8216 §4.3.2.2, in the same resource only; in a map it starts at 0."""
    text = media(
        '#EXT-X-MAP:URI="a",BYTERANGE="7"',
        "#EXTINF:6,",
        "#EXT-X-BYTERANGE:5@10",
        "a",
        "#EXT-X-BYTERANGE:8",
        "#EXTINF:6,",
        "a",
    )
    playlist = parse_media(text.encode())
    assert playlist.init_map and playlist.init_map.byte_range == PlaylistByteRange(length_bytes=7, offset_bytes=0)
    assert playlist.segments[1].byte_range == PlaylistByteRange(length_bytes=8, offset_bytes=15)


@pytest.mark.parametrize(
    ("seconds", "microseconds"),
    [
        ("6", 6_000_000),
        ("6.", None),
        ("0.0000005", 1),
        ("0.00000149999", 1),
        ("6.08", 6_080_000),
        ("9.9999995", 10_000_000),
    ],
)
def test_seconds_become_microseconds_without_floats(seconds: str, microseconds: int | None) -> None:
    """The seventh decimal rounds half up."""
    data = media(f"#EXTINF:{seconds},", "a").encode()
    if microseconds is None:
        with pytest.raises(PlaylistSyntaxError):
            parse(data)
    else:
        assert parse_media(data).duration_us == microseconds


def test_every_element_knows_its_line() -> None:
    """What the rules find can be pointed at."""
    playlist = parse_media(MEDIA.encode())
    assert playlist.init_map and playlist.init_map.line == 4
    assert [segment.line for segment in playlist.segments] == [5, 8]
    multi = parse_multivariant(MULTIVARIANT.encode())
    assert (multi.session_data[0].line, multi.variants[0].line) == (3, 4)


def test_the_wrong_kind_of_playlist_is_a_typed_error() -> None:
    """Who asks for one kind gets that kind or is told."""
    with pytest.raises(PlaylistSyntaxError, match="a media, not a multivariant"):
        parse_multivariant(MEDIA.encode())
    with pytest.raises(PlaylistSyntaxError, match="a multivariant, not a media"):
        parse_media(MULTIVARIANT.encode())
