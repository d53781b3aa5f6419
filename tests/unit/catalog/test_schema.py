"""Rows that exist are valid, and sort as a listener expects."""

import math
import sqlite3
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.schema import COLUMNS, TABLES, TrackRow, sort_key

ROW = TrackRow(
    track_id="a" * 20,
    ingest_version="1",
    current_version="2",
    recording_id="c" * 20,
    package_id="b" * 16,
    art_id="d" * 16,
    title="Song",
    artist="Band",
    album="Album",
    album_artist="",
    track_number=3,
    disc_number=None,
    duration_s=180.5,
    level_lufs=-14.0,
    families="aac opus",
    protected=False,
)


@pytest.mark.parametrize(
    "nonsense",
    [
        {"title": ""},
        {"track_id": ""},
        {"recording_id": ""},
        {"art_id": "../x"},
        {"duration_s": -1.0},
        {"duration_s": math.nan},
        {"level_lufs": -math.inf},
        {"track_number": -1},
        {"disc_number": 1 << 63},
        {"album": "\ud800"},
        {"families": "aac mp3"},
        {"genres": ("Dub\nTrip Hop",)},
        {"genres": ("",)},
    ],
)
def test_a_row_refuses_nonsense(nonsense: dict[str, object]) -> None:
    """What the database could not hold or a player not show never becomes a row."""
    with pytest.raises(ValueError):
        replace(ROW, **nonsense)  # type: ignore[arg-type]


def test_the_columns_are_the_table() -> None:
    """The table has a column for every field, in order, and what it is found by."""
    db = sqlite3.connect(":memory:")
    for statement in TABLES:
        db.execute(statement)
    found = [name for _, name, *_ in db.execute("PRAGMA table_info(tracks)")]
    db.close()
    assert found == [*COLUMNS, "sort_key", "album_id", "artist_id"]


def test_tracks_sort_by_artist_album_disc_number_title_and_id() -> None:
    """The order of a record shelf; every earlier field wins over all later ones, and 2 comes before 10."""
    shelf = [
        replace(ROW, artist="z", album_artist="Abba", album="z"),  # the album artist decides
        replace(ROW, artist="abba", album_artist="", album="z1"),  # the artist where there is no album artist
        replace(ROW, album="a", disc_number=9, track_number=9),
        replace(ROW, album="b", disc_number=1, track_number=2),
        replace(ROW, album="b", disc_number=None, track_number=10),  # no disc is the first disc
        replace(ROW, album="b", disc_number=2, track_number=1),
        replace(ROW, album="b", disc_number=2, track_number=1, title="Tango"),
        replace(ROW, album="b", disc_number=2, track_number=1, title="tango", track_id="b" * 20),
        replace(ROW, album="b", disc_number=2, track_number=None, title="A"),  # no number comes last on its disc
        replace(ROW, album="bb", track_number=1),
    ]
    assert [sort_key(row) for row in shelf] == sorted({sort_key(row) for row in shelf})


@given(a=st.text(), b=st.text(), c=st.text(), d=st.text())
def test_an_album_is_never_split(a: str, b: str, c: str, d: str) -> None:
    """The artist decides before the album does, whatever characters are in their names."""
    try:
        one, two = replace(ROW, artist=a, album=b), replace(ROW, artist=c, album=d)
    except ValueError:
        return
    by_artist = a.casefold().replace("\0", " "), c.casefold().replace("\0", " ")
    if by_artist[0] != by_artist[1] and not by_artist[1].startswith(by_artist[0]):
        assert (sort_key(one) < sort_key(two)) == (by_artist[0] < by_artist[1])
