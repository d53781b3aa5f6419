"""Live tracks by album, artist and genre."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest

from catalog.schema import TrackRow
from catalog.shelves import AlbumOrder, AlbumShelf, ArtistShelf, GenreShelf, Shelves
from catalog.store import Catalog
from model.album import album_id_of, artist_id_of
from tests.unit.catalog.test_schema import ROW

ROWS = (
    replace(ROW, track_id="one", title="One", artist="Björk feat. Thom", album_artist="Björk", album="Hunter",
            track_number=2, year=1997, genres=("Trip Hop", "Élan"), published_s=30, art_id="e" * 16),
    replace(ROW, track_id="two", title="Two", artist="BJÖRK", album="HUNTER", track_number=1, year=1998,
            genres=("trip hop",), published_s=10, art_id="f" * 16),
    replace(ROW, track_id="three", title="Three", artist="Abba", album="Waterloo", year=1974, published_s=50),
    replace(ROW, track_id="four", title="Four", artist="Abba", album="", genres=("Trip",)),
    replace(ROW, track_id="gone", title="Gone", artist="Nobody", album="Gone", package_id=None, genres=("Gone",)),
)  # fmt: skip
BJORK, ABBA = artist_id_of("Björk"), artist_id_of("Abba")
HUNTER, WATERLOO = album_id_of("Björk", "Hunter"), album_id_of("Abba", "Waterloo")


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    """Two albums, a single, and a track that is not live."""
    with Catalog() as opened:
        opened.apply(ROWS, [])
        yield opened


@pytest.fixture
def shelves(catalog: Catalog) -> Shelves:
    """What is in it."""
    return Shelves(catalog)


def _ids(rows: list[TrackRow]) -> list[str]:
    return [row.track_id for row in rows]


def test_an_album_is_one_however_its_tracks_write_it(shelves: Shelves) -> None:
    """By the names of its first track; counted and summed over all that are live."""
    abba, bjork = shelves.albums(0, 10)
    assert abba == AlbumShelf(WATERLOO, ABBA, "Abba", "Waterloo", ROW.art_id, 1, 180.5, 1974, 50)
    assert bjork == AlbumShelf(HUNTER, BJORK, "BJÖRK", "HUNTER", "f" * 16, 2, 361.0, 1997, 30)
    assert _ids(shelves.tracks_on(HUNTER)) == ["two", "one"]
    assert shelves.tracks_on(album_id_of("Nobody", "Gone")) == []


@pytest.mark.parametrize(
    ("order", "first"),
    [
        (AlbumOrder.ARTIST, WATERLOO),
        (AlbumOrder.NAME, HUNTER),
        (AlbumOrder.NEWEST, WATERLOO),
        (AlbumOrder.YEAR, WATERLOO),
        (AlbumOrder.YEAR_DOWN, HUNTER),
    ],
)
def test_albums_come_in_the_order_that_is_asked_for(shelves: Shelves, order: AlbumOrder, first: str) -> None:
    """A page at a time."""
    pages = [shelves.albums(0, 1, order=order), shelves.albums(1, 1, order=order), shelves.albums(2, 1, order=order)]
    assert [[each.album_id for each in page] for page in pages] == [
        [first], [HUNTER if first == WATERLOO else WATERLOO], []
    ]  # fmt: skip


def test_chance_leaves_no_album_out(shelves: Shelves) -> None:
    """The order is nobody's, the albums are all."""
    assert {each.album_id for each in shelves.albums(0, 9, order=AlbumOrder.RANDOM)} == {HUNTER, WATERLOO}
    assert sorted(_ids(shelves.random_tracks(9))) == ["four", "one", "three", "two"]
    assert _ids(shelves.random_tracks(9, genre="ÉLAN", years=(1997, 1990))) == ["one"]


def test_albums_of_years_and_genres(shelves: Shelves) -> None:
    """Years in either order; a genre whole, not a part of one."""
    assert [each.album_id for each in shelves.albums(0, 9, years=(1980, 1970))] == [WATERLOO]
    assert [each.album_id for each in shelves.albums_of_genre("TRIP HOP", 0, 9)] == [HUNTER]
    assert shelves.albums_of_genre("Trip", 0, 9) == []
    assert _ids(shelves.tracks_of_genre("trip", 0, 9)) == ["four"]
    assert _ids(shelves.tracks_of_genre("trip hop", 1, 9)) == ["one"]


def test_albums_by_id_come_in_the_order_of_the_ids(shelves: Shelves) -> None:
    """What is not there is left out."""
    assert [each.album_id for each in shelves.albums_of([HUNTER, "nothing", WATERLOO])] == [HUNTER, WATERLOO]
    assert shelves.albums_of([]) == []


def test_artists_have_albums_or_single_tracks(shelves: Shelves) -> None:
    """Each once, by name; who only has tracks that are not live is none."""
    found = shelves.artists()
    assert found == [ArtistShelf(ABBA, "Abba", ROW.art_id, 1), ArtistShelf(BJORK, "BJÖRK", "f" * 16, 1)]
    assert shelves.artist(BJORK) == found[1]
    assert shelves.artist(artist_id_of("Nobody")) is None
    assert [each.album_id for each in shelves.albums_by(ABBA)] == [WATERLOO]
    assert sorted(_ids(shelves.tracks_by(ABBA, 9))) == ["four", "three"]


def test_genres_are_counted(shelves: Shelves) -> None:
    """Once, whatever the case, as it was written first on the shelf; a track without an album is on none."""
    assert shelves.genres() == [GenreShelf("trip hop", 2, 1), GenreShelf("Trip", 1, 0), GenreShelf("Élan", 1, 1)]


def test_what_is_asked_for_is_never_sql(shelves: Shelves) -> None:
    """Quotes and wild cards are letters."""
    for text in ("' OR 1 --", '"', "%", "_", "\n", ""):
        assert shelves.tracks_of_genre(text, 0, 9) == []
        assert shelves.albums_of([text]) == shelves.albums_by(text) == []


def test_shelves_follow_every_change_of_their_tracks() -> None:
    """Whatever came, moved and went, in whatever order: as if the catalog were filled with what is there now."""
    luck = random.Random(5)
    names = ("Abba", "Björk", "")
    with Catalog() as changed:
        now: dict[str, TrackRow] = {}
        for _ in range(60):
            some = [
                replace(
                    ROW, track_id=f"t{luck.randrange(12)}", title=luck.choice(("A", "B")), year=luck.choice((1, 2)),
                    artist=luck.choice(names), album_artist=luck.choice(names), album=luck.choice(("", "One", "Two")),
                    package_id=luck.choice((None, "p" * 16, "q" * 16)),
                    genres=luck.choice(((), ("A", "b"), ("a",), ("b", "B"))),
                )
                for _ in range(3)
            ]  # fmt: skip
            removed = [f"t{luck.randrange(12)}"]
            changed.apply(some, removed)
            now |= {row.track_id: row for row in some}
            now.pop(removed[0], None)
            with Catalog() as fresh:
                fresh.apply(now.values(), [])
                assert _all(Shelves(changed)) == _all(Shelves(fresh))


def _all(shelves: Shelves) -> object:
    of_genres = [(shelves.albums_of_genre(each, 0, 99), shelves.tracks_of_genre(each, 0, 99)) for each in "ab"]
    return shelves.albums(0, 99), shelves.albums_total(), shelves.artists(), shelves.genres(), of_genres


def test_genres_are_read_from_what_was_counted(catalog: Catalog, shelves: Shelves) -> None:
    """No track is read for how many there are, and none but those of the page for a page; nothing is sorted."""
    asked: list[tuple[Callable[[], object], str]] = [
        (shelves.genres, "t USING PRIMARY KEY"),
        (lambda: shelves.tracks_of_genre("Trip", 1, 2), "track_genres USING PRIMARY KEY"),
        (lambda: shelves.albums_of_genre("Trip", 1, 2), "album_genres USING PRIMARY KEY"),
        (lambda: shelves.random_tracks(2), "tracks USING COVERING INDEX"),
        (lambda: shelves.random_tracks(2, years=(1, 2)), "tracks USING COVERING INDEX tracks_of_year"),
    ]
    for ask, way in asked:
        plan = _plan(catalog, ask)
        assert way in plan and "SCAN tracks\n" not in plan, plan


def _plan(catalog: Catalog, ask: Callable[[], object]) -> str:
    """How the first query of what is asked is answered."""
    said: list[str] = []
    with catalog.database.writing() as db:
        db.set_trace_callback(said.append)
        ask()
        db.set_trace_callback(None)
        return "\n".join(row[-1] for row in db.execute(f"EXPLAIN QUERY PLAN {said[0]}"))


def test_a_page_of_albums_reads_that_page(catalog: Catalog, shelves: Shelves) -> None:
    """By an index of its order: no albums are grouped or sorted, and no track is read."""
    for order in set(AlbumOrder) - {AlbumOrder.RANDOM}:
        plan = _plan(catalog, partial(shelves.albums, 0, 2, order=order))
        assert "USING COVERING INDEX albums_by_" in plan and "TEMP B-TREE" not in plan, plan
