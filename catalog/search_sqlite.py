"""A search index in SQLite: FTS5 over terms that we make ourselves, names beside them, and a table of spellings.

A rowid is a rank, and FTS5 gives rowids in order, so a search for a common prefix stops at the first hundred instead of
scoring a million. `detail=none` keeps no positions: which words stand where is judged on the names themselves.
"""

import threading
import zlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from sqlite3 import Connection

from catalog.database import Database, Opened
from catalog.schema import Schema
from catalog.search_fill import Filling
from catalog.search_postings import NO_FILTERS, Filters, Found, Group, Lookups, SearchRow, TextRules
from catalog.statements import marks

_APPLICATION_ID = 0x53656766  # "Segf": found, not the catalog
_LAYOUT = 2
# What is filled is held back and sorted by so much. FTS5 merges what was written from level to level, sixteen pieces at
# a time, a whole level in one step. Pieces this small lift a large index to a level that single changes reach only
# after tens of thousands: until then it is merged bit by bit, and no change has to wait for all of it.
_SORTED_BYTES = 4 << 20
_TERMS = "USING fts5 (names, content='', columnsize=0, detail=none, tokenize='ascii', prefix='1 2 3')"
_INDEXES = {
    "tracks_by_track": "CREATE UNIQUE INDEX tracks_by_track ON tracks (track_id)",
    "tracks_by_artist": "CREATE INDEX tracks_by_artist ON tracks (artist)",
    "tracks_by_album": "CREATE INDEX tracks_by_album ON tracks (album)",
}
_TABLES = (
    """CREATE TABLE tracks (
        id INTEGER PRIMARY KEY, track_id TEXT NOT NULL, title TEXT NOT NULL,
        artist INTEGER NOT NULL, album INTEGER NOT NULL, state INTEGER NOT NULL
    )""",
    *_INDEXES.values(),
    "CREATE TABLE artists (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, track_id TEXT NOT NULL, tracks INTEGER)",
    """CREATE TABLE albums (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL, artist TEXT NOT NULL, track_id TEXT NOT NULL, tracks INTEGER,
        UNIQUE (name, artist)
    )""",
    f"CREATE VIRTUAL TABLE track_terms {_TERMS}",
    f"CREATE VIRTUAL TABLE artist_terms {_TERMS}",
    f"CREATE VIRTUAL TABLE album_terms {_TERMS}",
    "CREATE TABLE terms (id INTEGER PRIMARY KEY, term TEXT NOT NULL UNIQUE, uses INTEGER NOT NULL)",
    "CREATE TABLE spellings (key INTEGER, term INTEGER, PRIMARY KEY (key, term)) WITHOUT ROWID",
)
_NAMES = """SELECT t.id, t.track_id, t.title, ifnull(a.name, ''), ifnull(b.name, ''), 1 FROM {of}
    LEFT JOIN artists a ON a.id = t.artist LEFT JOIN albums b ON b.id = t.album"""
_FIND = {
    Group.TRACK: _NAMES.format(of="track_terms f CROSS JOIN tracks t ON t.id = f.rowid"),
    Group.ALBUM: "SELECT b.id, b.track_id, '', b.artist, b.name, b.tracks"
    " FROM album_terms f CROSS JOIN albums b ON b.id = f.rowid",
    Group.ARTIST: "SELECT a.id, a.track_id, '', a.name, '', a.tracks"
    " FROM artist_terms f CROSS JOIN artists a ON a.id = f.rowid",
}
_Changes = tuple[list[SearchRow], list[str]]
_ARTIST = {Group.TRACK: "a.name", Group.ALBUM: "b.artist", Group.ARTIST: "a.name"}


class SqlitePostings(Opened):
    """Postings in one file (shareable between processes) or in memory."""

    def __init__(self, path: Path | None, rules: TextRules) -> None:
        """Open or create the index at `path`; None keeps it in memory. One made by other rules is emptied."""
        version = zlib.crc32(f"{_LAYOUT}/{rules.version}".encode()) >> 1
        self._schema = Schema(application_id=_APPLICATION_ID, version=version, tables=_TABLES)
        self._path = path
        self._rules = rules
        self._database = Database(path, self._schema)
        self._filling = threading.Lock()
        self._changing = threading.Lock()
        self._meanwhile: list[_Changes] | None = None  # what is applied while a new index is filled

    def fill(self, rows: Iterable[SearchRow]) -> int:
        """As Postings has it. The new index is made beside the old one, in a file whose name ends in `.new`."""
        with self._filling:
            aside = self._path.with_name(f"{self._path.name}.new") if self._path else None
            if aside:
                aside.unlink(missing_ok=True)  # left by a run that was killed
            made = Database(aside, self._schema, scratch=aside is not None)
            try:
                return self._filled(made, rows)
            finally:
                made.close()
                if aside:
                    aside.unlink(missing_ok=True)

    def _filled(self, made: Database, rows: Iterable[SearchRow]) -> int:
        meanwhile: list[_Changes] = []
        with self._changing:
            self._meanwhile = meanwhile
        try:
            with made.writing() as db:
                count = _fill(db, self._rules, rows)
            with self._changing:
                with made.writing() as db:
                    for taken, removed in meanwhile:
                        _change(db, self._rules, taken, removed)
                self._database.replace_by(made)
        finally:
            with self._changing:
                self._meanwhile = None
        return count

    def apply(self, rows: Iterable[SearchRow], removed: Iterable[str]) -> None:
        """As Postings has it."""
        taken, gone = list(rows), list(removed)
        with self._changing:
            if self._meanwhile is not None:
                self._meanwhile.append((taken, gone))
            with self._database.writing() as db:
                _change(db, self._rules, taken, gone)

    def states_between(self, after: str, through: str | None) -> dict[str, int]:
        """As Postings has it."""
        query = "SELECT track_id, state FROM tracks WHERE track_id > ?"
        bounds = (after,) if through is None else (after, through)
        return dict(self._database.select(query + ("" if through is None else " AND track_id <= ?"), bounds))

    def count(self) -> int:
        """As Postings has it."""
        return int(self._database.select("SELECT count(*) FROM tracks")[0][0])

    def find(self, group: Group, lookups: Lookups, *, limit: int, filters: Filters = NO_FILTERS) -> list[Found]:
        """As Postings has it."""
        query, values = f"{_FIND[group]} WHERE f.{group}_terms MATCH ?", [_match(lookups, self._rules, filters)]
        if filters.artist:
            query, values = f"{query} AND {_ARTIST[group]} = ?", [*values, filters.artist]
        if filters.album:
            query, values = f"{query} AND b.name = ?", [*values, filters.album]
        found = self._database.select(f"{query} ORDER BY f.rowid LIMIT ?", [*values, limit])
        return [Found(*values) for values in found]

    def tracks(self, track_ids: Collection[str]) -> list[Found]:
        """As Postings has it."""
        query = f"{_NAMES.format(of='tracks t')} WHERE t.track_id IN ({marks(track_ids)})"
        return [Found(*values) for values in self._database.select(query, tuple(track_ids))]

    def terms_by_keys(self, keys: Collection[int]) -> Mapping[str, int]:
        """As Postings has it."""
        query = f"SELECT t.term, t.uses FROM spellings s JOIN terms t ON t.id = s.term WHERE s.key IN ({marks(keys)})"
        return dict(self._database.select(query, tuple(keys)))


def _match(lookups: Lookups, rules: TextRules, filters: Filters) -> str:
    """An expression of FTS5. Every term is quoted, so none of them is ever taken for its syntax."""
    groups = [" OR ".join(_quoted(each.text) + ("*" if each.prefix else "") for each in group) for group in lookups]
    groups += [_quoted(term) for term in rules.indexed_as((filters.artist, filters.album))]
    return " AND ".join(f"({group})" for group in groups)


def _quoted(term: str) -> str:
    return '"' + term.replace('"', '""') + '"'


def _fill(db: Connection, rules: TextRules, rows: Iterable[SearchRow]) -> int:
    filling = Filling(rules)
    for index in _INDEXES:  # made at the end, from sorted values
        db.execute(f"DROP INDEX {index}")
    db.execute(f"INSERT INTO track_terms (track_terms, rank) VALUES ('hashsize', {_SORTED_BYTES})")
    for batch in filling.batches(rows):
        db.executemany("INSERT INTO tracks VALUES (?, ?, ?, ?, ?, ?)", (values[:-1] for values in batch))
        db.executemany("INSERT INTO track_terms (rowid, names) VALUES (?, ?)", ((each[0], each[-1]) for each in batch))
    for artist in filling.artists():
        db.execute("INSERT INTO artists VALUES (?, ?, ?, ?)", artist[:-1])
        db.execute("INSERT INTO artist_terms (rowid, names) VALUES (?, ?)", (artist[0], artist[-1]))
    for album in filling.albums():
        db.execute("INSERT INTO albums VALUES (?, ?, ?, ?, ?)", album[:-1])
        db.execute("INSERT INTO album_terms (rowid, names) VALUES (?, ?)", (album[0], album[-1]))
    db.executemany("INSERT INTO terms VALUES (?, ?, ?)", filling.words())
    db.executemany("INSERT INTO spellings VALUES (?, ?)", filling.spellings())
    for statement in _INDEXES.values():
        db.execute(statement)
    for table in ("track_terms", "artist_terms", "album_terms"):
        db.execute(f"INSERT INTO {table} ({table}) VALUES ('optimize')")
    return filling.count


def _change(db: Connection, rules: TextRules, rows: Iterable[SearchRow], removed: Iterable[str]) -> None:
    change = _Change(db, rules)
    for row in rows:
        change.take(row)
    for track_id in removed:
        change.drop(track_id)


class _Change:
    """A few tracks taken up or dropped, within a transaction."""

    def __init__(self, db: Connection, rules: TextRules) -> None:
        self._db = db
        self._rules = rules

    def take(self, row: SearchRow) -> None:
        """Index a track, in its old place if it has one."""
        artist = self._join("artists", (row.artist,), row.track_id) if row.artist else 0
        album = self._join("albums", (row.album, row.of_album), row.track_id) if row.album else 0
        number, *left = self._unpost_track(row.track_id)
        values = (number, row.track_id, row.title, artist, album, row.state)
        number = self._db.execute("INSERT INTO tracks VALUES (?, ?, ?, ?, ?, ?)", values).lastrowid
        terms = self._rules.indexed_as((row.title, row.artist, row.album))
        self._post("track_terms", number, terms)
        self._spell(terms)
        self._leave_both(row.track_id, *left)

    def drop(self, track_id: str) -> None:
        """Forget a track, and its artist and album with the last of their tracks."""
        _, *left = self._unpost_track(track_id)
        self._leave_both(track_id, *left)

    def _unpost_track(self, track_id: str) -> tuple[int | None, int, int]:
        """Take a track out; the number that it had, and those of its artist and album."""
        query = _NAMES.format(of="tracks t").replace(", 1 FROM", ", t.artist, t.album FROM")
        found = self._db.execute(f"{query} WHERE t.track_id = ?", (track_id,)).fetchone()
        if found is None:
            return None, 0, 0
        number, _, *names, artist, album = found
        self._unpost("track_terms", number, self._rules.indexed_as(names))
        self._db.execute("DELETE FROM tracks WHERE id = ?", (number,))
        return number, artist, album

    def _leave_both(self, track_id: str, artist: int, album: int) -> None:
        self._leave("artists", artist, track_id)
        self._leave("albums", album, track_id)

    def _join(self, table: str, names: tuple[str, ...], track_id: str) -> int:
        """The number of an artist or album, which has one more track now."""
        where = "name = ?" if table == "artists" else "name = ? AND artist = ?"
        query = f"UPDATE {table} SET tracks = tracks + 1 WHERE {where} RETURNING id"
        found = self._db.execute(query, names).fetchall()
        if found:
            return int(found[0][0])
        values = (None, *names, track_id, 1)
        number = self._db.execute(f"INSERT INTO {table} VALUES ({marks(values)})", values).lastrowid
        assert number is not None
        self._post(f"{table[:-1]}_terms", number, self._rules.indexed_as(names))
        return number

    def _leave(self, table: str, number: int, track_id: str) -> None:
        query = f"UPDATE {table} SET tracks = tracks - 1 WHERE id = ? RETURNING *"
        found = self._db.execute(query, (number,)).fetchall()
        if not found:
            return
        _, *names, shown, tracks = found[0]
        if not tracks:
            self._unpost(f"{table[:-1]}_terms", number, self._rules.indexed_as(names))
            self._db.execute(f"DELETE FROM {table} WHERE id = ?", (number,))
        elif shown == track_id:  # another has to stand for it
            other = f"SELECT track_id FROM tracks WHERE {table[:-1]} = ? LIMIT 1"
            self._db.execute(f"UPDATE {table} SET track_id = ({other}) WHERE id = ?", (number, number))

    def _post(self, table: str, number: int | None, terms: list[str]) -> None:
        self._db.execute(f"INSERT INTO {table} (rowid, names) VALUES (?, ?)", (number, " ".join(terms)))

    def _unpost(self, table: str, number: int, terms: list[str]) -> None:
        """What has no content is deleted by saying what was in it."""
        values = (number, " ".join(terms))
        self._db.execute(f"INSERT INTO {table} ({table}, rowid, names) VALUES ('delete', ?, ?)", values)

    def _spell(self, terms: list[str]) -> None:
        for term in filter(self._rules.is_spelled, terms):
            if self._db.execute("UPDATE terms SET uses = uses + 1 WHERE term = ?", (term,)).rowcount:
                continue
            number = self._db.execute("INSERT INTO terms VALUES (NULL, ?, 1)", (term,)).lastrowid
            keys = [(key, number) for key in self._rules.spelling_keys(term)]
            self._db.executemany("INSERT INTO spellings VALUES (?, ?)", keys)
