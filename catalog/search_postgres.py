"""A search index in a PostgreSQL server, which many origins share: the same terms, ranks and spellings as in SQLite.

Terms are the lexemes of a tsvector, so none of PostgreSQL's own parsers or dictionaries takes part. GIN knows no order:
it would collect half a million rows for one letter. And the planner takes every beginning for a frequent one, and goes
through all rows in their order for one that nothing has. So how frequent words are is asked of the table of spellings:
if one is rare GIN finds its rows, and these are held against the rest. If none is, and a short beginning is looked up,
the most popular rows are gone through in their order first. The answer is always the same.
"""

import logging
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

import psycopg

from catalog.postgres import CONNECT_S, Connection, checked_url, said_of
from catalog.search_fill import Filling
from catalog.search_postings import NO_FILTERS, Filters, Found, Group, Lookup, Lookups, SearchRow, TextRules
from model.errors import CatalogError

log = logging.getLogger(__name__)

SCHEMA = "segue_search"
STATEMENT_S = 30
FILL_STATEMENT_S = 3600  # indexes of millions of rows
HEADS = (4_000, 20_000)  # rows that are gone through first, and if they have a part of what is wanted
SHORT_CHARS = 2
RARE_ROWS = 3_000  # as many as are read in some milliseconds
FEW = 10  # times as many are read in the time in which GIN collects a short beginning
FURTHER = 5  # a further word leaves one row in so many
_MANY = 1 << 40
_LAST = "\U0010ffff"  # comes after whatever a word goes on with
_CJK = "\u2e80"  # from here on two characters are a rare term
_LAYOUT = 2
_TABLES = """
    CREATE TABLE made (version text NOT NULL);
    CREATE TABLE tracks (
        id integer NOT NULL, track_id text COLLATE "C" NOT NULL, title text NOT NULL,
        artist integer NOT NULL, album integer NOT NULL, state bigint NOT NULL, terms tsvector NOT NULL
    );
    CREATE TABLE artists (
        id integer NOT NULL, name text COLLATE "C" NOT NULL,
        track_id text NOT NULL, tracks integer NOT NULL, terms tsvector NOT NULL
    );
    CREATE TABLE albums (
        id integer NOT NULL, name text COLLATE "C" NOT NULL, artist text COLLATE "C" NOT NULL,
        track_id text NOT NULL, tracks integer NOT NULL, terms tsvector NOT NULL
    );
    CREATE TABLE terms (id integer NOT NULL, term text COLLATE "C" NOT NULL, uses integer NOT NULL);
    CREATE TABLE spellings (key integer NOT NULL, term integer NOT NULL);
"""
_INDEXES = """
    ALTER TABLE tracks ADD PRIMARY KEY (id), ADD UNIQUE (track_id);
    ALTER TABLE artists ADD PRIMARY KEY (id), ADD UNIQUE (name);
    ALTER TABLE albums ADD PRIMARY KEY (id), ADD UNIQUE (name, artist);
    ALTER TABLE terms ADD PRIMARY KEY (id), ADD UNIQUE (term);
    CREATE INDEX ON tracks (artist);
    CREATE INDEX ON tracks (album);
    CREATE INDEX ON spellings (key);
    CREATE INDEX ON tracks USING gin (terms);
    CREATE INDEX ON artists USING gin (terms);
    CREATE INDEX ON albums USING gin (terms);
    ANALYZE tracks, artists, albums, terms, spellings;
"""
_TRACKS = """SELECT t.id, t.track_id, t.title, coalesce(a.name, ''), coalesce(b.name, ''), 1 FROM tracks t
    LEFT JOIN artists a ON a.id = t.artist LEFT JOIN albums b ON b.id = t.album WHERE {where}"""
_FIND = {
    Group.TRACK: _TRACKS,
    Group.ALBUM: "SELECT t.id, t.track_id, '', t.artist, t.name, t.tracks FROM albums t WHERE {where}",
    Group.ARTIST: "SELECT t.id, t.track_id, '', t.name, '', t.tracks FROM artists t WHERE {where}",
}
# The ids first: else the names of all that match would be looked up, and then a hundred be taken.
_BEST = "t.id = ANY (ARRAY(SELECT id FROM {of} s WHERE {where} ORDER BY id LIMIT {limit:d})) ORDER BY t.id"
_OF_ARTIST = {
    Group.TRACK: "artist = (SELECT id FROM artists WHERE name = %s)",
    Group.ALBUM: "artist = %s",
    Group.ARTIST: "name = %s",
}
_ON_ALBUM = {
    Group.TRACK: "album = ANY (ARRAY(SELECT id FROM albums WHERE name = %s))",
    Group.ALBUM: "name = %s",
    Group.ARTIST: "name = %s",
}


class PostgresPostings:
    """Postings in a schema of their own in a database."""

    def __init__(self, url: str, rules: TextRules, *, schema: str = SCHEMA, rare_rows: int = RARE_ROWS) -> None:
        """Connect to `postgresql://user@host/database`, and make the schema if it is missing or of other rules.
        A word that so many rows have is rare: that changes no answer.

        Raises CatalogError if there is no such server; UsageError for a URL that cannot be, or that has a password.
        """
        self._url = checked_url(url)
        self._rules = rules
        self._schema = schema
        self._rare_rows = rare_rows
        self._version = f"{_LAYOUT}/{rules.version}"
        self._lock = threading.RLock()
        self._db: Connection | None = None
        self._closed = False
        self._looked_up: tuple[object, list[int]] = (None, [])
        with self._writing() as db:
            if not self._is_made(db):
                self._begin(db, schema)
                db.execute(_INDEXES)

    def fill(self, rows: Iterable[SearchRow]) -> int:
        """As Postings has it. The new index is made in a schema whose name ends in `_new`, which then takes the place
        of the old one."""
        new = f"{self._schema}_new"
        with self._writing() as db:
            db.execute(f"SET LOCAL statement_timeout = '{FILL_STATEMENT_S}s'")
            db.execute(f"SET LOCAL search_path = {new}")
            self._begin(db, new)
            count = _fill(db, self._rules, rows)
            db.execute(_INDEXES)
            db.execute(f"DROP SCHEMA {self._schema} CASCADE")
            db.execute(f"ALTER SCHEMA {new} RENAME TO {self._schema}")
        return count

    def apply(self, rows: Iterable[SearchRow], removed: Iterable[str]) -> None:
        """As Postings has it."""
        with self._writing() as db:
            db.execute("LOCK TABLE tracks IN SHARE ROW EXCLUSIVE MODE")  # writers one after another; readers go on
            change = _Change(db, self._rules)
            for row in rows:
                change.take(row)
            for track_id in removed:
                change.drop(track_id)

    def states_between(self, after: str, through: str | None) -> dict[str, int]:
        """As Postings has it."""
        query = "SELECT track_id, state FROM tracks WHERE track_id > %s"
        bounds = (after,) if through is None else (after, through)
        return dict(self._select(query + ("" if through is None else " AND track_id <= %s"), bounds))

    def count(self) -> int:
        """As Postings has it."""
        return int(self._select("SELECT count(*) FROM tracks", ())[0][0])

    def find(self, group: Group, lookups: Lookups, *, limit: int, filters: Filters = NO_FILTERS) -> list[Found]:
        """As Postings has it."""
        where, values = "terms @@ %s::tsquery", [_asked(lookups, self._rules, filters)]
        if filters.artist:
            where, values = f"{where} AND {_OF_ARTIST[group]}", [*values, filters.artist]
        if filters.album:
            where, values = f"{where} AND {_ON_ALBUM[group]}", [*values, filters.album]

        def best(of: str, first: Lookups = ()) -> list[Found]:
            query = _FIND[group].format(where=_BEST.format(of=of, where=where, limit=limit))
            asked = [_asked(first, self._rules, NO_FILTERS)] if first else []
            return [Found(*each) for each in self._select(query, [*asked, *values])]

        # OFFSET 0 is a fence for the planner: it takes GIN for what is inside, and for nothing else.
        table = f"{group}s"
        fenced = f"(SELECT * FROM {table} WHERE {{}} OFFSET 0)"
        some = fenced.format("terms @@ %s::tsquery")
        rows = self._rows(lookups)
        if rare := [each for each, count in zip(lookups, rows, strict=True) if count <= self._rare_rows]:
            return best(some, rare)
        whole = [(each, count) for each, count in zip(lookups, rows, strict=True) if not any(map(_is_short, each))]
        if len(whole) == len(lookups):
            return best(table)
        for head in HEADS:
            found = best(fenced.format(f"id <= {head} ORDER BY id"))
            if len(found) == limit:
                return found
            if len(found) * HEADS[-1] < limit * head:
                break
        about = min((count for _, count in whole), default=_MANY) / FURTHER ** (len(whole) - 1)
        return best(some, [each for each, _ in whole]) if about <= FEW * self._rare_rows else best(table)

    def _rows(self, lookups: Lookups) -> list[int]:
        """How many rows can match each of some lookups, about, by how many use its words; _MANY: unknown."""
        asked = tuple(map(tuple, lookups))
        if (known := self._looked_up)[0] == asked:  # one search asks for artists, for albums and for tracks
            return known[1]
        ends = {term: term.text + _LAST * term.prefix for each in lookups for term in each}
        spelled = [term for term in ends if self._rules.is_spelled(term.text)]
        query = """SELECT w.last, sum(t.uses) FROM unnest(%s::text[], %s::text[]) w (first, last)
            JOIN terms t ON t.term BETWEEN w.first AND w.last GROUP BY w.last"""
        values = ([term.text for term in spelled], [ends[term] for term in spelled])
        uses = dict(self._select(query, values)) if spelled else {}

        def count(term: Lookup) -> int:
            if self._rules.is_spelled(term.text):
                return int(uses.get(ends[term], 0))
            return 0 if len(term.text) > 1 and term.text >= _CJK else _MANY

        counts = [sum(map(count, each)) for each in lookups]
        self._looked_up = asked, counts
        return counts

    def tracks(self, track_ids: Collection[str]) -> list[Found]:
        """As Postings has it."""
        query = _TRACKS.format(where="t.track_id = ANY (%s)")
        return [Found(*each) for each in self._select(query, (list(track_ids),))]

    def terms_by_keys(self, keys: Collection[int]) -> Mapping[str, int]:
        """As Postings has it."""
        query = "SELECT t.term, t.uses FROM spellings s JOIN terms t ON t.id = s.term WHERE s.key = ANY (%s)"
        return dict(self._select(query, (list(keys),)))

    def close(self) -> None:
        """End the connection. Idempotent."""
        with self._lock:
            self._closed = True
            if self._db is not None:
                self._db.close()
            self._db = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _select(self, query: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        with self._lock, self._errors():
            return self._connected().execute(query, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._lock, self._errors():
            db = self._connected()
            with db.transaction():
                yield db

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (psycopg.Error, UnicodeError) as error:
            hint = "is the server up, and may this user create a schema in the database?"
            said = said_of(error) if isinstance(error, psycopg.Error) else str(error)
            raise CatalogError(f"search index failed ({said})", subject=self._url, hint=hint) from error

    def _connected(self) -> Connection:
        """The connection; another one if the server ended it."""
        if self._closed:
            raise CatalogError("the search index is closed", subject=self._url)
        if self._db is None or self._db.closed:
            options = (
                f"-c search_path={self._schema} -c statement_timeout={STATEMENT_S}s -c client_min_messages=warning"
                " -c jit=off"  # queries of milliseconds
            )
            # Plans are not kept: they would outlive the tables that `fill` replaces.
            self._db = psycopg.connect(
                self._url, autocommit=True, connect_timeout=CONNECT_S, options=options, prepare_threshold=None
            )
        return self._db

    def _is_made(self, db: Connection) -> bool:
        if db.execute("SELECT to_regclass('made')").fetchone() == (None,):
            return False
        return db.execute("SELECT version FROM made").fetchone() == (self._version,)

    def _begin(self, db: Connection, schema: str) -> None:
        db.execute("SELECT pg_advisory_xact_lock(%s)", (0x53656766,))  # two processes that both find nothing
        db.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        db.execute(f"CREATE SCHEMA {schema}")
        db.execute(_TABLES)
        db.execute("INSERT INTO made VALUES (%s)", (self._version,))


def _is_short(term: Lookup) -> bool:
    """Whether it is the beginning of very many terms."""
    return term.prefix and len(term.text) <= SHORT_CHARS


def _asked(lookups: Lookups, rules: TextRules, filters: Filters) -> str:
    """A tsquery. Every term is quoted, so none of them is ever taken for its syntax."""
    groups = [" | ".join(_quoted(each.text) + (":*" if each.prefix else "") for each in group) for group in lookups]
    groups += [_quoted(term) for term in rules.indexed_as((filters.artist, filters.album))]
    return " & ".join(f"({group})" for group in groups)


def _quoted(term: str) -> str:
    return "'" + term.replace("\\", "\\\\").replace("'", "''") + "'"


def _vector(terms: Iterable[str]) -> str:
    """The terms as a tsvector is written."""
    return " ".join(map(_quoted, terms))


def _fill(db: Connection, rules: TextRules, rows: Iterable[SearchRow]) -> int:
    filling = Filling(rules)
    for batch in filling.batches(rows):
        _copy(db, "tracks", ((*values[:-1], _vector(values[-1].split())) for values in batch))
    _copy(db, "artists", ((*values[:-1], _vector(values[-1].split())) for values in filling.artists()))
    _copy(db, "albums", ((*values[:-1], _vector(values[-1].split())) for values in filling.albums()))
    _copy(db, "terms", filling.words())
    _copy(db, "spellings", filling.spellings())
    return filling.count


def _copy(db: Connection, table: str, rows: Iterable[tuple[object, ...]]) -> None:
    with db.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


class _Change:
    """A few tracks taken up or dropped, within a transaction."""

    def __init__(self, db: Connection, rules: TextRules) -> None:
        self._db = db
        self._rules = rules

    def take(self, row: SearchRow) -> None:
        """Index a track, in its old place if it has one."""
        artist = self._join("artists", ("name",), (row.artist,), row.track_id) if row.artist else 0
        album = self._join("albums", ("name", "artist"), (row.album, row.of_album), row.track_id) if row.album else 0
        terms = self._rules.indexed_as((row.title, row.artist, row.album))
        number, *left = self._take_out(row.track_id)
        self._db.execute(
            """INSERT INTO tracks VALUES
            (coalesce(%s, (SELECT coalesce(max(id), 0) + 1 FROM tracks)), %s, %s, %s, %s, %s, %s::tsvector)""",
            (number, row.track_id, row.title, artist, album, row.state, _vector(terms)),
        )
        self._spell(terms)
        self._leave_both(row.track_id, *left)

    def drop(self, track_id: str) -> None:
        """Forget a track, and its artist and album with the last of their tracks."""
        _, *left = self._take_out(track_id)
        self._leave_both(track_id, *left)

    def _take_out(self, track_id: str) -> tuple[int | None, int, int]:
        query = "DELETE FROM tracks WHERE track_id = %s RETURNING id, artist, album"
        return self._db.execute(query, (track_id,)).fetchone() or (None, 0, 0)

    def _join(self, table: str, keys: tuple[str, ...], names: tuple[str, ...], track_id: str) -> int:
        """The number of an artist or album, which has one more track now."""
        marks = ", ".join(["%s"] * len(names))
        query = f"""INSERT INTO {table} VALUES
            ((SELECT coalesce(max(id), 0) + 1 FROM {table}), {marks}, %s, 1, %s::tsvector)
            ON CONFLICT ({", ".join(keys)}) DO UPDATE SET tracks = {table}.tracks + 1 RETURNING id"""
        found = self._db.execute(query, (*names, track_id, _vector(self._rules.indexed_as(names)))).fetchone()
        assert found is not None
        return int(found[0])

    def _leave_both(self, track_id: str, artist: int, album: int) -> None:
        for table, number in (("artists", artist), ("albums", album)):
            self._leave(table, number, track_id)

    def _leave(self, table: str, number: int, track_id: str) -> None:
        query = f"UPDATE {table} SET tracks = tracks - 1 WHERE id = %s RETURNING tracks, track_id"
        found = self._db.execute(query, (number,)).fetchone()
        if found is None:
            return
        tracks, shown = found
        if not tracks:
            self._db.execute(f"DELETE FROM {table} WHERE id = %s", (number,))
        elif shown == track_id:  # another has to stand for it
            other = f"SELECT track_id FROM tracks WHERE {table[:-1]} = %s ORDER BY id LIMIT 1"
            self._db.execute(f"UPDATE {table} SET track_id = ({other}) WHERE id = %s", (number, number))

    def _spell(self, terms: Sequence[str]) -> None:
        for term in filter(self._rules.is_spelled, terms):
            if self._db.execute("UPDATE terms SET uses = uses + 1 WHERE term = %s", (term,)).rowcount:
                continue
            query = "INSERT INTO terms VALUES ((SELECT coalesce(max(id), 0) + 1 FROM terms), %s, 1) RETURNING id"
            found = self._db.execute(query, (term,)).fetchone()
            assert found is not None
            keys = [(key, found[0]) for key in self._rules.spelling_keys(term)]
            self._db.cursor().executemany("INSERT INTO spellings VALUES (%s, %s)", keys)
