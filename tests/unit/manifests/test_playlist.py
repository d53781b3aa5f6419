"""A playlist value that exists can be rendered; nonsense does not come to exist."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from manifests.playlist import (
    AudioGroup,
    InitMap,
    Key,
    KeyMethod,
    MediaPlaylist,
    MediaSegment,
    MultivariantPlaylist,
    PlaylistByteRange,
    SessionData,
    VariantStream,
)

SEGMENT = MediaSegment(uri="0.mp4", duration_us=6_080_000)
VARIANT = VariantStream(uri="a.m3u8", bandwidth_bps=1)


@pytest.mark.parametrize(
    "uri", ["", "#0.mp4", "a b.mp4", "a\n#EXT-X-ENDLIST", 'a"b', "a\x00", "a\x85b", "\ufeffa", "\ud800"]
)
@pytest.mark.parametrize(
    "element",
    [
        lambda uri: InitMap(uri=uri),
        lambda uri: MediaSegment(uri=uri, duration_us=1),
        lambda uri: VariantStream(uri=uri, bandwidth_bps=1),
    ],
    ids=["map", "segment", "variant"],
)
def test_a_uri_cannot_break_out_of_its_line_or_its_quotes(element: Callable[[str], object], uri: str) -> None:
    """What a URI may hold is the same wherever one stands."""
    with pytest.raises(ValueError, match="not a URI"):
        element(uri)


@pytest.mark.parametrize("text", ['a"b', "a\nb", "a\rb", "\x00", "\x9f", "\ufeff", "\udc80"])
def test_a_quoted_string_cannot_be_left(text: str) -> None:
    """RFC 8216 §4.2: no quotation mark, no line break; §4.1: no control character."""
    for make in (
        lambda: SessionData(data_id=text, value="v"),
        lambda: SessionData(data_id="a", value=text),
        lambda: SessionData(data_id="a", value="v", language=text),
        lambda: VariantStream(uri="a", bandwidth_bps=1, codecs=(text,)),
        lambda: VariantStream(uri="a", bandwidth_bps=1, audio=text),
        lambda: AudioGroup(group_id=text, name="n"),
        lambda: AudioGroup(group_id="g", name=text),
        lambda: AudioGroup(group_id="g", name="n", language=text),
    ):
        with pytest.raises(ValueError, match="quoted-string"):
            make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: PlaylistByteRange(length_bytes=0, offset_bytes=0),
        lambda: PlaylistByteRange(length_bytes=1, offset_bytes=-1),
        lambda: PlaylistByteRange(length_bytes=2**64, offset_bytes=0),
        lambda: MediaSegment(uri="a", duration_us=0),
        lambda: VariantStream(uri="a", bandwidth_bps=1, score=Decimal("-0.5")),
        lambda: VariantStream(uri="a", bandwidth_bps=1, score=Decimal("NaN")),
        lambda: VariantStream(uri="a", bandwidth_bps=1, score=Decimal("1e20")),
        lambda: AudioGroup(group_id="g", name="n", bit_depth=0),
        lambda: AudioGroup(group_id="", name="n"),
        lambda: MediaPlaylist(version=6, target_duration_s=6, segments=()),
        lambda: MediaPlaylist(version=0, target_duration_s=6, segments=(SEGMENT,)),
        lambda: MediaPlaylist(version=6, target_duration_s=0, segments=(SEGMENT,)),
        lambda: MediaPlaylist(version=6, target_duration_s=6, segments=(SEGMENT,), media_sequence=-1),
        lambda: Key(method=KeyMethod.AES_128, uri=""),
        lambda: Key(method=KeyMethod.AES_128, uri="k", iv=bytes(15)),
        lambda: VariantStream(uri="a", bandwidth_bps=0),
        lambda: VariantStream(uri="a", bandwidth_bps=1, average_bandwidth_bps=0),
        lambda: VariantStream(uri="a", bandwidth_bps=1, codecs=("",)),
        lambda: VariantStream(uri="a", bandwidth_bps=1, codecs=("Opus,fLaC",)),
        lambda: VariantStream(uri="a", bandwidth_bps=1, codecs=(" Opus",)),
        lambda: VariantStream(uri="a", bandwidth_bps=1, stable_variant_id="aac 64"),
        lambda: SessionData(data_id="", value="v"),
        lambda: MultivariantPlaylist(version=6, variants=()),
        lambda: MultivariantPlaylist(version=0, variants=(VARIANT,)),
    ],
)
def test_nonsense_is_refused_at_birth(make: Callable[[], object]) -> None:
    """Empty lists, zero durations and rates, numbers beyond 64 bits."""
    with pytest.raises(ValueError):
        make()


def test_where_an_element_was_read_is_not_part_of_what_it_is() -> None:
    """Two playlists with the same text at other lines are equal."""
    assert MediaSegment(uri="0.mp4", duration_us=1, line=7) == MediaSegment(uri="0.mp4", duration_us=1)


def test_a_playlist_lasts_as_long_as_its_segments() -> None:
    """The sum of the EXTINFs, exactly."""
    segments = (SEGMENT, MediaSegment(uri="1.mp4", duration_us=1))
    assert MediaPlaylist(version=6, target_duration_s=6, segments=segments).duration_us == 6_080_001
