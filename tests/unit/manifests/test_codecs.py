"""What players are told a codec or a file is."""

import pytest

from manifests.codecs import CODECS, MULTIVARIANT_NAMES, media_type_of, spelling_of
from model.rendition import Codec


def test_codecs_are_spelled_in_the_case_that_safari_and_apple_take() -> None:
    """`opus` is refused by Safari's MSE, `flac` by Apple's validator."""
    assert CODECS == {Codec.AAC: "mp4a.40.2", Codec.OPUS: "Opus", Codec.FLAC: "fLaC"}


@pytest.mark.parametrize("codec", Codec)
def test_every_codec_has_a_spelling_and_a_playlist(codec: Codec) -> None:
    """A new codec family cannot be forgotten in a table."""
    assert spelling_of(CODECS[codec]) == CODECS[codec]
    assert MULTIVARIANT_NAMES[codec].endswith(".m3u8")


@pytest.mark.parametrize(
    ("entry", "spelling"),
    [
        ("opus", "Opus"),
        ("flac", "fLaC"),
        ("mp4a.40.02", "mp4a.40.2"),
        ("mp4a.40.5", "mp4a.40.5"),
        ("mp4a", ""),
        ("", ""),
    ],
)
def test_a_codec_has_one_spelling(entry: str, spelling: str) -> None:
    """Every spelling of what HLS clients know leads to the right one; anything else to none."""
    assert spelling_of(entry) == spelling


def test_video_codecs_are_taken_as_they_are() -> None:
    """They are not ours to judge."""
    assert spelling_of("avc1.64001f") == "avc1.64001f"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("index.m3u8", "application/vnd.apple.mpegurl"),
        ("tracks/a/b/aac-64.mp4", "audio/mp4"),
        ("package.json", "application/json"),
        ("index.mpd", "application/dash+xml"),
        ("art.jpg", "image/jpeg"),
        (".mp4", "audio/mp4"),
    ],
)
def test_a_media_type_follows_from_the_suffix(name: str, media_type: str) -> None:
    """Apple HLS authoring 10.4."""
    assert media_type_of(name) == media_type


@pytest.mark.parametrize("name", ["song.m4s", "README", "", "a.b/c"])
def test_a_suffix_that_we_never_publish_has_no_type(name: str) -> None:
    """A guess would be served as truth."""
    with pytest.raises(KeyError):
        media_type_of(name)
