"""Live tracks as a library has them: by album, by artist, by genre.

An album is what its artist and name say (`model/album.py`), each track on one; tracks without an album are on none.
Every call blocks for a moment: call it through asyncio.to_thread. Raises CatalogError.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from catalog.schema import COLUMNS, TrackRow
from catalog.shelf_rows import LIVE, folded_genre
from catalog.statements import marks
from catalog.store import Catalog, row_of

_ALBUMS = "SELECT album_id, artist_id, artist, album, art_id, tracks, duration_s, year, published_s FROM albums"
_ARTISTS = "SELECT artist_id, artist, art_id, albums FROM artists"
_GENRES = """SELECT (SELECT shown FROM track_genres t WHERE t.genre = g.genre ORDER BY sort_key LIMIT 1), tracks, albums
    FROM genres g WHERE tracks > 0 ORDER BY tracks DESC, genre"""


class AlbumOrder(StrEnum):
    """How albums can be listed."""

    ARTIST = "artist"
    NAME = "name"
    NEWEST = "newest"
    YEAR = "year"
    YEAR_DOWN = "year down"
    RANDOM = "random"


_ORDERS = {
    AlbumOrder.ARTIST: "place",
    AlbumOrder.NAME: "album COLLATE NOCASE, place",
    AlbumOrder.NEWEST: "published_s DESC, place",
    AlbumOrder.YEAR: "year, place",
    AlbumOrder.YEAR_DOWN: "year DESC, place",
    AlbumOrder.RANDOM: "random()",
}


@dataclass(frozen=True, slots=True)
class AlbumShelf:
    """An album with live tracks: whose, its cover (of the first track), how many tracks and seconds, when published."""

    album_id: str
    artist_id: str
    artist: str
    album: str
    art_id: str
    tracks: int
    duration_s: float
    year: int | None
    published_s: int | None


@dataclass(frozen=True, slots=True)
class ArtistShelf:
    """An artist of albums or of single tracks, with a cover, and on how many albums."""

    artist_id: str
    artist: str
    art_id: str
    albums: int


@dataclass(frozen=True, slots=True)
class GenreShelf:
    """A genre and how many tracks and albums have it."""

    genre: str
    tracks: int
    albums: int


class Shelves:
    """The library in a catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self._database = catalog.database

    def albums(
        self,
        offset: int,
        limit: int,
        *,
        order: AlbumOrder = AlbumOrder.ARTIST,
        years: tuple[int, int] | None = None,
    ) -> list[AlbumShelf]:
        """A page of albums; of some years (both included) only, if they are given. The year of an album is that of its
        oldest track."""
        where, values = ("1", []) if years is None else ("year BETWEEN ? AND ?", sorted(years))
        # The ids alone, which are in the index of the order: what is left out is never looked up.
        query = f"SELECT album_id FROM albums WHERE {where} ORDER BY {_ORDERS[order]} LIMIT ? OFFSET ?"
        return self.albums_of([str(found[0]) for found in self._database.select(query, (*values, limit, offset))])

    def albums_of_genre(self, genre: str, offset: int, limit: int) -> list[AlbumShelf]:
        """A page of the albums with a track of a genre, by artist and name."""
        query = "SELECT album_id FROM album_genres WHERE genre = ? ORDER BY place LIMIT ? OFFSET ?"
        found = self._database.select(query, (folded_genre(genre), limit, offset))
        return self.albums_of([str(each[0]) for each in found])

    def albums_total(self) -> int:
        """How many albums there are."""
        count: int = self._database.select("SELECT count(*) FROM albums")[0][0]
        return count

    def albums_of(self, album_ids: Sequence[str]) -> list[AlbumShelf]:
        """Those of some albums that have live tracks, in the order that is asked for."""
        query = f"{_ALBUMS} WHERE album_id IN ({marks(album_ids)})"
        found = {each[0]: AlbumShelf(*each) for each in self._database.select(query, tuple(album_ids))}
        return [found[album_id] for album_id in album_ids if album_id in found]

    def albums_by(self, artist_id: str) -> list[AlbumShelf]:
        """The albums of an artist, the oldest first."""
        query = f"{_ALBUMS} WHERE artist_id = ? ORDER BY year, place"
        return [AlbumShelf(*found) for found in self._database.select(query, (artist_id,))]

    def tracks_on(self, album_id: str) -> list[TrackRow]:
        """The live tracks of an album, in their order."""
        return self._tracks("album_id = ? ORDER BY sort_key", (album_id,))

    def tracks_by(self, artist_id: str, limit: int) -> list[TrackRow]:
        """At most `limit` live tracks of an artist."""
        return self._tracks("artist_id = ? ORDER BY sort_key LIMIT ?", (artist_id, limit))

    def tracks_of_genre(self, genre: str, offset: int, limit: int) -> list[TrackRow]:
        """A page of the live tracks of a genre."""
        query = "SELECT track_id FROM track_genres WHERE genre = ? ORDER BY sort_key LIMIT ? OFFSET ?"
        return self._those(query, (folded_genre(genre), limit, offset))

    def track_ids_of_genre(self, genre: str, limit: int) -> list[str]:
        """The ids of the first `limit` of these."""
        query = "SELECT track_id FROM track_genres WHERE genre = ? ORDER BY sort_key LIMIT ?"
        return [str(found[0]) for found in self._database.select(query, (folded_genre(genre), limit))]

    def random_tracks(
        self, limit: int, *, genre: str | None = None, years: tuple[int, int] | None = None
    ) -> list[TrackRow]:
        """Live tracks by chance; of a genre or of some years (both included), if they are given."""
        table, where, values = "tracks", LIVE, list[object]()
        if genre is not None:
            table, where, values = "track_genres", "genre = ?", [folded_genre(genre)]
        if years is not None:
            where, values = f"{where} AND year BETWEEN ? AND ?", [*values, *sorted(years)]
        # The ids alone: they are in an index, whichever it is.
        return self._those(f"SELECT track_id FROM {table} WHERE {where} ORDER BY random() LIMIT ?", (*values, limit))

    def newest_tracks(self, limit: int) -> list[TrackRow]:
        """The live tracks that became so last, the newest first."""
        return self._tracks("1 ORDER BY published_s DESC, sort_key LIMIT ?", (limit,))

    def artists(self, offset: int = 0, limit: int = -1) -> list[ArtistShelf]:
        """Every artist of an album or a single track, by name; or a page of them."""
        query = f"{_ARTISTS} ORDER BY place LIMIT ? OFFSET ?"
        return [ArtistShelf(*found) for found in self._database.select(query, (limit, offset))]

    def artist(self, artist_id: str) -> ArtistShelf | None:
        """One artist, or None."""
        found = self._database.select(f"{_ARTISTS} WHERE artist_id = ?", (artist_id,))
        return ArtistShelf(*found[0]) if found else None

    def genres(self) -> list[GenreShelf]:
        """Every genre, the most frequent first. Case does not count; the first way to write it is shown."""
        return [GenreShelf(*found) for found in self._database.select(_GENRES)]

    def _those(self, query: str, values: Sequence[object]) -> list[TrackRow]:
        """The tracks whose ids a query finds, in its order."""
        ids = [str(found[0]) for found in self._database.select(query, values)]
        known = {row.track_id: row for row in self._tracks(f"track_id IN ({marks(ids)})", ids)}
        return [known[each] for each in ids if each in known]

    def _tracks(self, rest: str, values: Sequence[object]) -> list[TrackRow]:
        query = f"SELECT {', '.join(COLUMNS)} FROM tracks WHERE {LIVE} AND {rest}"
        return [row_of(found) for found in self._database.select(query, values)]
