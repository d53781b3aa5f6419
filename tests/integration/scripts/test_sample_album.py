"""The album maker: real files with real tags, made once."""

import hashlib
from pathlib import Path
from typing import Any

import mutagen
import pytest
from mutagen.id3 import ID3

from scripts.debian_files import PackageUnavailable, unpack_package
from scripts.sample_album import EXIT_UNAVAILABLE, main
from scripts.songs import Section, Song
from scripts.synth import RATE_HZ, ROOM_S
from scripts.synthetic_album import ALBUM, ARTIST, FORMATS, FileFormat, write_song

SONG = Song(
    title="Test Piece", seed=7, tempo_bpm=120, swing=0.1, tonic=57, chords=("Am9", "Fmaj7"), peak_dbfs=-6.0,
    sections=(Section(name="all", bars=2, players="piano bass beat hats melody"),),
)  # fmt: skip

# Knows the package only by lists that were fetched into a folder of the caller's.
APT_WITHOUT_LISTS = """
case "$*" in
*Dir::State::Lists=*update) touch ../updated ;;
*Dir::State::Lists=*download*) [ -e ../updated ] && echo archive > some-music_1_all.deb ;;
*) echo 'E: Unable to locate package' >&2; exit 100 ;;
esac
"""


def tags_of(path: Path) -> list[str]:
    """Title, artist, album and number as mutagen reads them."""
    tags: Any = mutagen.File(path).tags
    if isinstance(tags, ID3):
        return [str(tags[name]) for name in ("TIT2", "TPE1", "TALB", "TRCK")]
    return [tags[name][0] for name in ("title", "artist", "album", "tracknumber")]


@pytest.mark.parametrize("file_format", FORMATS, ids=[entry.suffix for entry in FORMATS])
def test_every_format_has_its_tags_and_its_length(file_format: FileFormat, tmp_path: Path) -> None:
    """Each file says what it is, and lasts as long as the song and the room's tail."""
    written = write_song(SONG, file_format, tmp_path, number=3)
    assert written.name == f"03 Test Piece.{file_format.suffix}"
    assert tags_of(written) == ["Test Piece", ARTIST, ALBUM, "3/4"]
    assert mutagen.File(written).info.length == pytest.approx(SONG.duration_s + ROOM_S, abs=0.06)


@pytest.mark.parametrize("file_format", FORMATS, ids=[entry.suffix for entry in FORMATS])
def test_the_same_song_gives_the_same_file(file_format: FileFormat, tmp_path: Path) -> None:
    """A demo album that is made again has the same track ids."""
    digests = set()
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        digests.add(hashlib.sha256(write_song(SONG, file_format, folder, number=1).read_bytes()).hexdigest())
    assert len(digests) == 1


def test_files_differ_in_rate_and_depth(tmp_path: Path) -> None:
    """The album tries the pipeline's resampling: not everything is 48 kHz."""
    rates = {mutagen.File(write_song(SONG, entry, tmp_path, number=1)).info.sample_rate for entry in FORMATS[:3]}
    assert rates == {44_100, RATE_HZ}


def test_a_folder_that_is_there_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second run does nothing."""
    album = tmp_path / "album"
    album.mkdir()
    (album / "mine.txt").write_text("kept")
    assert main([str(album)]) == 0
    assert main(["--synthetic", str(album)]) == 0
    assert [path.name for path in album.iterdir()] == ["mine.txt"]
    assert "kept" in capsys.readouterr().err


def test_without_apt_the_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On another system the package cannot be had, and the album maker knows why."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PackageUnavailable, match="no apt-get"):
        unpack_package("singularity-music", tmp_path)


def test_odd_sounds_without_apt_leave_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be made whole is not made at all; the exit status says so."""
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert main(["--odd", str(tmp_path / "odd")]) == EXIT_UNAVAILABLE
    assert list(tmp_path.iterdir()) == []


def test_empty_package_lists_are_fetched_privately(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the machine's lists do not know the package, lists of our own are fetched, and no archive is kept."""
    programs = tmp_path / "bin"
    _program(programs / "apt-get", APT_WITHOUT_LISTS)
    _program(programs / "dpkg-deb", 'mkdir "$3" && cp "$2" "$3/song.ogg"')
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    scratch = Path("scratch")  # relative, as the demo names it
    root = unpack_package("some-music", scratch)
    assert (root / "song.ogg").read_text() == "archive\n"
    assert list((scratch / "downloads").glob("*.deb")) == []


def test_a_package_that_is_nowhere_names_apts_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason that apt gave reaches whoever has to mend it."""
    programs = tmp_path / "bin"
    _program(programs / "apt-get", "echo 'E: Unable to locate package' >&2; exit 100")
    _program(programs / "dpkg-deb", "exit 1")
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    with pytest.raises(PackageUnavailable, match="Unable to locate package"):
        unpack_package("some-music", tmp_path / "scratch")


def _program(path: Path, script: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
