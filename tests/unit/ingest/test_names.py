"""Where tags are missing, the names of files and folders speak."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.metadata.names import is_disc_folder, named


@pytest.mark.parametrize(
    ("name", "title", "track", "disc"),
    [
        ("07 Evening.wav", "Evening", 7, None),
        ("07. Evening.wav", "Evening", 7, None),
        ("2-07 - Evening.wav", "Evening", 7, 2),
        ("Evening.wav", "Evening", None, None),
        ("07.wav", "07", None, None),
        ("1984.wav", "1984", None, None),
        ("007_Evening.live.wav", "Evening.live", 7, None),
        ("line\nfeed.wav", "line feed", None, None),
        (os.fsdecode(b"caf\xe9.wav"), "caf\N{REPLACEMENT CHARACTER}", None, None),
        ("\x07.wav", "untitled", None, None),
    ],
)
def test_files(name: str, title: str, track: int | None, disc: int | None) -> None:
    """Number and title of a file's name."""
    found = named(Path("/music/Album") / name)
    assert (found.title, found.track_number, found.disc_number) == (title, track, disc)


@pytest.mark.parametrize(
    ("folder", "album", "disc"),
    [
        ("/music/Album", "Album", None),
        ("/music/Album/CD1", "Album", 1),
        ("/music/Album/cd 02", "Album", 2),
        ("/music/Album/Disc 3", "Album", 3),
        ("/music/Album/disk-4", "Album", 4),
        ("/music/Album (Disc 2)", "Album", 2),
        ("/music/Album [CD2]", "Album", 2),
        ("/music/Album CD2", "Album", 2),
        ("/music/Discovery", "Discovery", None),
        ("/music/ABCD1", "ABCD1", None),
        ("/music/Album/CD", "CD", None),
        ("/", "", None),
        ("/CD1", "", 1),
    ],
)
def test_folders(folder: str, album: str, disc: int | None) -> None:
    """The folder is the album; a folder for a disc takes the name of the one above."""
    found = named(Path(folder) / "a.wav")
    assert (found.album, found.disc_number) == (album, disc)


def test_relative_names_have_folders_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file named alone stands in a folder as well."""
    folder = tmp_path / "My Album"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert named(Path("a.wav")).album == "My Album"


@pytest.mark.parametrize(
    ("name", "artist", "title"),
    [
        ("Somebody - Evening.wav", "Somebody", "Evening"),
        ("03 - Somebody - Evening.wav", "Somebody", "Evening"),
        ("Somebody - 03 - Evening.wav", "", ""),
        ("Evening - Live at Home.wav", "", ""),
        ("Evening - 2011 Remaster.wav", "", ""),
        ("Some-body.wav", "", ""),
        ("1 - 2.wav", "", ""),
        ("Evening.wav", "", ""),
    ],
)
def test_artist_and_title(name: str, artist: str, title: str) -> None:
    """Told apart where it is certain, and only there."""
    found = named(Path("/music/Album") / name)
    assert (found.artist, found.artist_title) == (artist, title)


@given(st.text(alphabet=st.characters(exclude_characters="/\0"), min_size=1, max_size=60), st.text(max_size=30))
def test_any_name(name: str, folder: str) -> None:
    """There is always a title, and never an exception."""
    path = Path("/music", folder.replace("\0", "").strip("/") or "x", name)
    try:
        os.fsencode(path)
    except UnicodeEncodeError:  # no file can be called that
        return
    assert named(path).title


def test_disc_folders() -> None:
    """Only a folder that is nothing but a disc."""
    assert is_disc_folder(Path("/a/CD 2"))
    assert not is_disc_folder(Path("/a/Album CD 2"))
