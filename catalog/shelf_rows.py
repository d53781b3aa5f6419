"""Albums and artists as rows, made anew with each change of their tracks, so that no page has to group the catalog.

An album or an artist has the names and the cover of its first track: SQLite takes bare columns from the row with the
least sort key.
"""

from collections.abc import Collection
from sqlite3 import Connection

LIVE = "package_id IS NOT NULL"
_BY = "coalesce(nullif(album_artist, ''), artist)"
_GENRES = f"""(SELECT group_concat(each, char(10)) FROM (
    SELECT DISTINCT lower(genres) AS each FROM tracks WHERE album_id = t.album_id AND {LIVE} AND genres <> ''))"""
_ALBUM = f"""INSERT INTO albums
    SELECT album_id, artist_id, {_BY}, album, art_id, count(*), sum(duration_s), min(year), max(published_s), {_GENRES},
    min(sort_key) FROM tracks t WHERE album_id = ? AND {LIVE} AND album <> '' GROUP BY album_id"""
_ARTIST = f"""INSERT INTO artists
    SELECT artist_id, {_BY}, art_id, (SELECT count(*) FROM albums a WHERE a.artist_id = t.artist_id), sort_key
    FROM tracks t WHERE artist_id = ? AND {LIVE} AND {_BY} <> '' ORDER BY sort_key LIMIT 1"""
SHELF_TABLES = (
    """CREATE TABLE albums (
        album_id TEXT PRIMARY KEY, artist_id TEXT NOT NULL, artist TEXT NOT NULL, album TEXT NOT NULL,
        art_id TEXT NOT NULL, tracks INTEGER NOT NULL, duration_s REAL NOT NULL, year INTEGER, published_s INTEGER,
        genres TEXT, place BLOB NOT NULL
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
)


class Shelved:
    """The albums and artists of tracks that a change touches: those that they leave, and those that they come to."""

    def __init__(self, db: Connection, track_ids: Collection[str]) -> None:
        """Before the tracks are changed, in the same transaction."""
        self._db = db
        self._track_ids = track_ids
        self._left = self._found()

    def refresh(self) -> None:
        """Make their rows again, now that the tracks are changed."""
        found = self._left | self._found()
        albums = [(album,) for album in {album for album, _ in found}]
        artists = [(artist,) for artist in {artist for _, artist in found}]
        self._db.executemany("DELETE FROM albums WHERE album_id = ?", albums)
        self._db.executemany(_ALBUM, albums)
        self._db.executemany("DELETE FROM artists WHERE artist_id = ?", artists)
        self._db.executemany(_ARTIST, artists)

    def _found(self) -> set[tuple[str, str]]:
        query = "SELECT album_id, artist_id FROM tracks WHERE track_id = ?"
        return {found for each in self._track_ids for found in self._db.execute(query, (each,))}
