"""Entries of files find their tracks, and no others."""

from dataclasses import replace

import pytest

from catalog.schema import TrackRow
from discovery.playlists.entries import Entry
from discovery.playlists.match import LookUps, matched, track_in, track_uri
from tests.unit.catalog.test_schema import ROW

_ID = "abcdefghij234567abc"


def _row(end: str, title: str, artist: str, duration_s: float, album: str = "") -> TrackRow:
    row = replace(ROW, track_id=_ID + end, title=title, artist=artist, album=album, album_artist="")
    return replace(row, duration_s=duration_s)


ROWS = [
    _row("a", "Jóga", "Björk", 305.0, album="Homogenic"),
    _row("b", "Jóga (Live)", "Björk", 331.0, album="Live Box"),
    _row("c", "Jóga", "Björk", 306.0, album="Greatest Hits"),
    _row("d", "All Is Full of Love", "Björk", 272.0),
    _row("e", "Hunter", "Björk feat. Somebody", 255.0),
    _row("f", "Another Song", "A - B", 100.0),
    _row("g", "Heroes - 2017 Remaster", "David Bowie", 371.0),
    replace(_row("h", "Gone", "Björk", 200.0), package_id=None),
    _row("i", "!!!", "!!!", 60.0),
]
_BY_ID = {row.track_id: row for row in ROWS}


def _look_ups(asked: list[str] | None = None, searches_max: int = 500) -> LookUps:
    """All tracks come up in every search, as if it were a bad one."""

    def search(text: str) -> list[str]:
        if asked is not None:
            asked.append(text)
        return [row.track_id for row in ROWS]

    return LookUps(
        rows_of=lambda ids: {each: _BY_ID[each] for each in ids if each in _BY_ID},
        of_artist=lambda name: [row for row in ROWS if row.live and row.artist.casefold() == name.casefold()],
        search=search,
        track_of_file=lambda uri: _ID + "d" if uri == "../Music/x.flac" else "",
        searches_max=searches_max,
    )


def _found(entry: Entry) -> str:
    row = matched([entry], _look_ups())[0]
    return row.track_id[-1] if row else ""


@pytest.mark.parametrize(
    "uri",
    [
        track_uri(_ID + "a"),
        f"/tracks/{_ID}a/index.m3u8",
        f"https://music.example/tracks/{_ID}a/opus.m3u8?x#y",
        f"http://127.0.0.1:8080/t/abc~1/tracks/{_ID}a/index.m3u8",
    ],
)
def test_our_own_uris_name_their_track(uri: str) -> None:
    """Whatever else the entry says."""
    assert track_in(uri) == _ID + "a"
    assert _found(Entry(title="Something else", uris=("file:///nowhere", uri))) == "a"


@pytest.mark.parametrize(
    "uri", ["", "segue:track:", "segue:missing", "file:///tracks/x", f"ftp://x/tracks/{_ID}a", "#"]
)
def test_other_uris_name_none(uri: str) -> None:
    """Not of this shape, or of another scheme."""
    assert track_in(uri) == ""


def test_a_file_that_was_ingested_is_its_track() -> None:
    """By its path, as whoever ingested it knows."""
    assert _found(Entry(uris=("../Music/x.flac",))) == "d"


@pytest.mark.parametrize(
    ("entry", "end"),
    [
        (Entry(title="joga", artist="BJORK", duration_s=304), "a"),
        (Entry(title="Jóga", artist="Björk", duration_s=306), "c"),
        (Entry(title="Jóga", artist="Björk", album="homogenic", duration_s=306), "a"),
        (Entry(title="Jóga (Live)", artist="Björk", duration_s=330), "b"),
        (Entry(title="Jóga", artist="Björk", duration_s=340), ""),  # that is another version
        (Entry(title="Jóga [2015 Mix]", artist="Björk", duration_s=305), "a"),
        (Entry(title="Jóga [2015 Mix]", artist="Björk"), ""),  # nothing says that it is not another one
        (Entry(title="All is full of lvoe", artist="Bjork", duration_s=271), "d"),
        (Entry(title="All is full of lvoe", artist="Bjork"), ""),
        (Entry(title="Hunter", artist="Björk", duration_s=255), "e"),
        (Entry(title="Heroes", artist="David Bowie", duration_s=370), "g"),
        (Entry(title="B - Another Song", artist="A", duration_s=100), "f"),  # as M3U splits it
        (Entry(title="A - B - Another Song", duration_s=100), "f"),
        (Entry(title="Jóga", artist="Somebody", duration_s=305), ""),
        (Entry(title="Jóga", duration_s=306), "c"),
        (Entry(title="Jóga"), ""),  # whose?
        (Entry(title="Gone", artist="Björk", duration_s=200), ""),  # not live
        (Entry(title="!!!", artist="!!!", duration_s=60), "i"),
        (Entry(uris=("Music/Björk/Homogenic/02 - Jóga.flac",)), "c"),
        (Entry(uris=("C:\\Music\\Björk\\Vespertine\\1-04 All%20Is Full of Love.mp3",)), "d"),
        (Entry(uris=("David Bowie - Heroes.mp3",), duration_s=371), "g"),
        (Entry(), ""),
        (Entry(artist="Björk"), ""),
        (Entry(uris=("/", "?")), ""),
    ],
)
def test_names_and_durations_find_a_track_or_none(entry: Entry, end: str) -> None:
    """The likest one; none if it may be another version, or another's."""
    assert _found(entry) == end


def test_the_order_is_that_of_the_file() -> None:
    """With a place for each that was not found, and tracks as often as they are named."""
    entries = [Entry(title=title, artist="Björk") for title in ("Jóga", "Nothing", "All Is Full of Love", "Jóga")]
    found = matched(entries, _look_ups())
    assert [row and row.title for row in found] == ["Jóga", None, "All Is Full of Love", "Jóga"]


def test_searches_are_only_made_where_they_are_needed_and_have_a_limit() -> None:
    """A file with ten thousand strange names does not keep a server for minutes."""
    asked: list[str] = []
    entries = [Entry(title="Jóga", artist="Björk")] + [Entry(title=f"Strange {n}", artist="X") for n in range(9)]
    matched(entries, _look_ups(asked, searches_max=4))
    assert [text.split()[-1] for text in asked] == ["0", "1", "2", "3"]
