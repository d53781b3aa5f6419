"""What players are told a codec or a file is."""

import pytest

from manifests.codecs import CODECS, MULTIVARIANT_NAMES, family_of, media_type_of
from model.rendition import Codec


def test_codecs_are_spelled_in_the_case_that_safari_and_apple_take() -> None:
    """`opus` is refused by Safari's MSE, `flac` by Apple's validator."""
    assert CODECS == {Codec.AAC: "mp4a.40.2", Codec.OPUS: "Opus", Codec.FLAC: "fLaC"}


@pytest.mark.parametrize("codec", Codec)
def test_every_codec_has_a_spelling_and_a_playlist(codec: Codec) -> None:
    """A new codec family cannot be forgotten in a table."""
    assert family_of(CODECS[codec]) is codec
    assert MULTIVARIANT_NAMES[codec].endswith(".m3u8")


@pytest.mark.parametrize("spelling", ["opus", "flac", "mp4a.40.5", "", "Opus,mp4a.40.2"])
def test_another_spelling_is_no_family(spelling: str) -> None:
    """Only our exact spellings count."""
    assert family_of(spelling) is None


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
