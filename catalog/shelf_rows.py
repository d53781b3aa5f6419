"""Albums, artists and genres as rows, made anew with each change of their tracks, so that no page has to group the
catalog.

An album or an artist has the names and the cover of its first track: SQLite takes bare columns from the row with the
least sort key. A genre is kept in lower case, and each of its tracks with the way that it writes it.
"""

from collections.abc import Collection, Iterator
from sqlite3 import Connection

GENRES_SEPARATOR = "\n"  # in the column of tracks
LIVE = "package_id IS NOT NULL"
_BY = "coalesce(nullif(album_artist, ''), artist)"
_ALBUM = f"""INSERT INTO albums
    SELECT album_id, artist_id, {_BY}, album, art_id, count(*), sum(duration_s), min(year),
    max(published_s), min(sort_key) FROM tracks t WHERE album_id = ? AND {LIVE} AND album <> '' GROUP BY album_id"""
_ARTIST = f"""INSERT INTO artists
    SELECT artist_id, {_BY}, art_id, (SELECT count(*) FROM albums a WHERE a.artist_id = t.artist_id), sort_key
    FROM tracks t WHERE artist_id = ? AND {LIVE} AND {_BY} <> '' ORDER BY sort_key LIMIT 1"""
SHELF_TABLES = (
    """CREATE TABLE albums (
        album_id TEXT PRIMARY KEY, artist_id TEXT NOT NULL, artist TEXT NOT NULL, album TEXT NOT NULL,
        art_id TEXT NOT NULL, tracks INTEGER NOT NULL, duration_s REAL NOT NULL, year INTEGER, published_s INTEGER,
        place BLOB NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX albums_by_place ON albums (place)",
    "CREATE INDEX albums_by_name ON albums (album COLLATE NOCASE, place)",
    "CREATE INDEX albums_by_time ON albums (published_s DESC, place)",
    "CREATE INDEX albums_by_year ON albums (year, place)",
    "CREATE INDEX albums_by_year_down ON albums (year DESC, place)",
    "CREATE INDEX albums_of_artist ON albums (artist_id, year, place)",
    """CREATE TABLE artists (
        artist_id TEXT PRIMARY KEY, artist TEXT NOT NULL, art_id TEXT NOT NULL, albums INTEGER NOT NULL,
        place BLOB NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX artists_by_place ON artists (place)",
    """CREATE TABLE track_genres (
        genre TEXT NOT NULL, sort_key BLOB NOT NULL, track_id TEXT NOT NULL, year INTEGER, shown TEXT NOT NULL,
        PRIMARY KEY (genre, sort_key)
    ) WITHOUT ROWID""",
    """CREATE TABLE album_genres (
        genre TEXT NOT NULL, place BLOB NOT NULL, album_id TEXT NOT NULL, PRIMARY KEY (genre, place)
    ) WITHOUT ROWID""",
    "CREATE INDEX album_genres_of_album ON album_genres (album_id)",
    "CREATE TABLE genres (genre TEXT PRIMARY KEY, tracks INTEGER NOT NULL, albums INTEGER NOT NULL) WITHOUT ROWID",
    *(
        f"""CREATE TRIGGER genres_{many}_{event} AFTER {event} ON {one}_genres BEGIN
        INSERT INTO genres (genre, tracks, albums) VALUES ({row}.genre, 0, 0) ON CONFLICT DO NOTHING;
        UPDATE genres SET {many} = {many} {change} WHERE genre = {row}.genre;
        END"""
        for one, many in (("track", "tracks"), ("album", "albums"))
        for event, row, change in (("INSERT", "new", "+ 1"), ("DELETE", "old", "- 1"))
    ),
)
_TRACK_GENRES = "SELECT genres, sort_key, year FROM tracks WHERE track_id = ? AND genres <> ''"
_ALBUM_GENRES = f"""SELECT DISTINCT genres, place FROM tracks t JOIN albums USING (album_id)
    WHERE album_id = ? AND t.{LIVE} AND genres <> ''"""
_GenreRow = tuple[str, bytes, str, int | None, str]


def folded_genre(genre: str) -> str:
    """The genre as it is kept: lower case, for ASCII alone."""
    return genre.encode().lower().decode()


class Shelved:
    """The albums, artists and genres of tracks that a change touches: those that they leave, and come to."""

    def __init__(self, db: Connection, track_ids: Collection[str]) -> None:
        """Before the tracks are changed, in the same transaction."""
        self._db = db
        self._track_ids = track_ids
        self._left = self._found()
        self._left_genres = self._genres()

    def refresh(self) -> None:
        """Make their rows again, now that the tracks are changed."""
        genres = self._genres()
        left = [each[:2] for each in self._left_genres - genres]
        self._db.executemany("DELETE FROM track_genres WHERE genre = ? AND sort_key = ?", left)
        self._db.executemany("INSERT INTO track_genres VALUES (?, ?, ?, ?, ?)", genres - self._left_genres)
        found = self._left | self._found()
        albums = [(album,) for album in {album for album, _ in found}]
        artists = [(artist,) for artist in {artist for _, artist in found}]
        self._db.executemany("DELETE FROM album_genres WHERE album_id = ?", albums)
        self._db.executemany("DELETE FROM albums WHERE album_id = ?", albums)
        self._db.executemany(_ALBUM, albums)
        self._db.executemany("INSERT INTO album_genres VALUES (?, ?, ?)", self._album_genres(albums))
        self._db.executemany("DELETE FROM artists WHERE artist_id = ?", artists)
        self._db.executemany(_ARTIST, artists)

    def _found(self) -> set[tuple[str, str]]:
        query = "SELECT album_id, artist_id FROM tracks WHERE track_id = ?"
        return {found for each in self._track_ids for found in self._db.execute(query, (each,))}

    def _genres(self) -> set[_GenreRow]:
        """The rows of the tracks' genres; one that a track has twice is written as it has it first."""
        rows: dict[tuple[str, bytes], _GenreRow] = {}
        for track_id in self._track_ids:
            for genres, key, year in self._db.execute(f"{_TRACK_GENRES} AND {LIVE}", (track_id,)):
                for genre in genres.split(GENRES_SEPARATOR):
                    kept = folded_genre(genre)
                    rows.setdefault((kept, key), (kept, key, track_id, year, genre))
        return set(rows.values())

    def _album_genres(self, albums: Collection[tuple[str]]) -> Iterator[tuple[str, bytes, str]]:
        for (album_id,) in albums:
            found = self._db.execute(_ALBUM_GENRES, (album_id,)).fetchall()
            yield from {
                (folded_genre(genre), place, album_id)
                for genres, place in found
                for genre in genres.split(GENRES_SEPARATOR)
            }
