"""What files are told to be by their first bytes."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.checks.sniff import HEAD_BYTES, sniff, text_kind
from ingest.scan import Source
from model.errors import (
    SourceEncrypted,
    SourceError,
    SourceImageOnly,
    SourceNotMusic,
    SourceUnreadable,
    SourceUnsupported,
    SourceVanished,
)

TEXTS = {
    b"#EXTM3U\nsong.mp3": "a playlist (M3U)",
    b"\xef\xbb\xbf#EXTINF:1,a": "a playlist (M3U)",
    b"[playlist]\nFile1=a": "a playlist (PLS)",
    b"ffconcat version 1.0": "a list of files for ffmpeg",
    b"\n <!DOCTYPE html><p>404": "a web page",
    b"<html><body>": "a web page",
    b"<?xml version='1.0'?><svg>": "an SVG picture",
    b"<svg xmlns=''/>": "an SVG picture",
    b"<?xml version='1.0'?><MPD/>": "an XML document",
    b"<Tag/>": "an XML document",
    b"#!/usr/bin/env python": "a script",
    b"v=0\r\no=- 0 0 IN": "a session description (SDP)",
    b'{"error": 404}': "JSON",
    b"[1, 2]": "JSON",
    b'REM GENRE Jazz\nFILE "a.wav" WAVE\n  TRACK 01 AUDIO': "a cue sheet",
    b"just words\n": "text",
    "Grüße aus Köln, in UTF-8".encode(): "text",
    "Grüße aus Köln, in Latin-1, mit viel Text".encode("latin-1"): "text",
    "plain words in UTF-16".encode("utf-16"): "text",
}
MUSIC = (
    b"RIFF\x24\0\0\0WAVEfmt ",
    b"RF64\xff\xff\xff\xffWAVEds64",
    b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\0\0",
    b"FORM\0\0\0\x10AIFFCOMM",
    b"fLaC\0\0\0\x22",
    b"OggS\0\2\0\0",
    b"wvpk\0\0\0\0\x10\4",
    b"caff\0\1\0\0desc",
    b"\x1aE\xdf\xa3\x01\0\0\0",
    b"\0\0\0\x1cftypM4A \0\0\0\0",
    b"\0\0\0\x14ftypqt  ",
    b"ID3\4\0\0\0\0\0\0",
    b"\xff\xfb\x90\x64",
    b"\xff\xfa\x90\x64",
    b"\xff\xf1\x50\x80",
    b"\xff\xf9\x50\x80",
)


def told(tmp_path: Path, data: bytes) -> SourceError | None:
    """What is said of a file with these bytes; None if nothing."""
    path = tmp_path / "file.wav"
    path.write_bytes(data)
    try:
        sniff(Source(path=path))
    except SourceError as error:
        assert error.hint
        assert error.subject
        return error
    return None


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_texts_are_told_apart(tmp_path: Path, text: bytes) -> None:
    """The operator reads what the file really is."""
    assert text_kind(text) == TEXTS[text]
    error = told(tmp_path, text)
    assert type(error) is SourceNotMusic
    assert error.message == f"it is {TEXTS[text]}"


@pytest.mark.parametrize("head", MUSIC)
def test_music_passes(tmp_path: Path, head: bytes) -> None:
    """Every format that we take, by its first bytes, with anything behind them."""
    assert told(tmp_path, head + bytes(range(256)) * 4) is None
    assert told(tmp_path, head + b"\0" + b"a" * 8000) is None


@pytest.mark.parametrize(
    ("head", "kind", "words"),
    [
        (b"\xff\xd8\xff\xe0\0\x10JFIF", SourceImageOnly, "JPEG"),
        (b"\x89PNG\r\n\x1a\n\0", SourceImageOnly, "PNG"),
        (b"RIFF\1\0\0\0WEBPVP8 ", SourceImageOnly, "WebP"),
        (b"\0\0\0\x18ftypheic", SourceImageOnly, "HEIC"),
        (b"%PDF-1.7\n%\xe2\xe3", SourceNotMusic, "PDF"),
        (b"MZ\x90\0\3", SourceNotMusic, "Windows program"),
        (b"\x1f\x8b\x08\0", SourceNotMusic, "gzip"),
        (b"\0\5\x16\7\0\2", SourceNotMusic, "Finder"),
        (bytes(5000), SourceNotMusic, "zero bytes"),
        (bytes(257) + b"ustar", SourceNotMusic, "tar"),
        (bytes.fromhex("3026b2758e66cf11a6d9"), SourceUnsupported, "Windows Media"),
        (b"DSD \x1c\0\0\0", SourceUnsupported, "DSD"),
        (b"MAC \x96\x0f", SourceUnsupported, "APE"),
        (b"MThd\0\0\0\6", SourceUnsupported, "MIDI"),
        (b"MPCKSH\0\0", SourceUnsupported, "Musepack"),
        (bytes(1080) + b"M.K.\1", SourceUnsupported, "MOD"),
        (b"\xff\xfb\x04\x64", SourceUnsupported, "free-format"),
        (b"\0\0\0\x18ftypaax \0\0", SourceEncrypted, "encrypted"),
        (b"\0\0\0\1\x57\x90\x75\x36", SourceEncrypted, "encrypted"),
    ],
)
def test_other_files_are_named(tmp_path: Path, head: bytes, kind: type[SourceError], words: str) -> None:
    """Pictures, archives, programs, music of other formats: each its error, and its name."""
    error = told(tmp_path, head + b"\0\1\2\3" * 40)
    if head == bytes(5000):
        error = told(tmp_path, head)
    assert type(error) is kind
    assert words in error.message


@pytest.mark.parametrize("head", [b"\x00\x01\x02\x03", b"\xff\xfe\x00\x00\x10", b"\x90\x80" * 30, b"\xff" + b"a" * 100])
def test_unknown_bytes_are_for_the_decoder(tmp_path: Path, head: bytes) -> None:
    """What is not known for certain is not refused here."""
    assert told(tmp_path, head + b"\x80\x01") is None


@given(st.binary(max_size=600))
def test_any_bytes(data: bytes) -> None:
    """Nothing that a file can begin with breaks it."""
    assert text_kind(data) is None or isinstance(text_kind(data), str)


def test_only_the_beginning_is_read(tmp_path: Path) -> None:
    """Gigabytes behind it cost nothing."""
    path = tmp_path / "huge.wav"
    path.touch()
    os.truncate(path, 1 << 34)
    with pytest.raises(SourceNotMusic):
        sniff(Source(path=path))
    assert HEAD_BYTES == 65_536


def test_no_file(tmp_path: Path) -> None:
    """Gone, or a pipe by now: typed, and without waiting."""
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(SourceUnreadable):
        sniff(Source(path=tmp_path / "pipe.wav"))
    with pytest.raises(SourceVanished):
        sniff(Source(path=tmp_path / "gone.wav"))
