"""A search index in a PostgreSQL server, which many origins share: the same terms, ranks and spellings as in SQLite.

GIN knows no order: it would collect half a million rows for one letter. So the posting lists are ours: rows of ranks in
the order of popularity (catalog/search_ranks.py), found by the primary key. The most popular ranks of each list are
read first, and are put together here; all of them only if too few of those have every word. A beginning that many terms
have is a list of its own, any other is looked up as the terms that have it.
"""

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

import psycopg

from catalog.postgres import CONNECT_S, Connection, checked_url, said_of
from catalog.search_postgres_change import Change
from catalog.search_postgres_find import TRACKS, Finding, Replaced, as_array
from catalog.search_postgres_tables import INDEXES, LAYOUT, LOCKED, TABLES, fill
from catalog.search_postings import NO_FILTERS, Filters, Found, Group, Lookups, SearchRow, TextRules
from catalog.search_ranks import SIZES, Sizes, bucket_of, words_in
from model.errors import CatalogError

SCHEMA = "segue_search"
STATEMENT_S = 30
FILL_STATEMENT_S = 3600  # indexes of millions of rows
TRIES = 3  # of a search that another index came between
_FILLING = 0x53656766  # the lock of who fills
_NAMES = "track_id, title, artist, album, album_artist"  # of a SearchRow


class PostgresPostings:
    """Postings in a schema of their own in a database."""

    def __init__(self, url: str, rules: TextRules, *, schema: str = SCHEMA, sizes: Sizes = SIZES) -> None:
        """Connect to `postgresql://user@host/database`, and make the schema if it is missing or of other rules.

        Raises CatalogError if there is no such server; UsageError for a URL that cannot be, or that has a password.
        """
        self._url = checked_url(url)
        self._rules = rules
        self._schema = schema
        self._sizes = sizes
        self._version = f"{LAYOUT}/{rules.version}"
        self._lock = threading.RLock()
        self._db: Connection | None = None
        self._closed = False
        with self._writing() as db:
            made = self._is_made(db)
        if not made:
            self._make()

    def _make(self) -> None:
        with self._writing() as db:
            db.execute("SELECT pg_advisory_xact_lock(%s)", (_FILLING,))  # of two processes that both find nothing
            if not self._is_made(db):
                self._begin(db, self._schema)
                db.execute(INDEXES)

    def fill(self, rows: Iterable[SearchRow]) -> int:
        """As Postings has it. The new index is made in a schema whose name ends in `_new`, which then takes the place
        of the old one; over a connection of its own, so that searches and changes go on."""
        new = f"{self._schema}_new"
        with self._errors(), self._connection() as db, db.transaction():
            db.execute(f"SET LOCAL statement_timeout = '{FILL_STATEMENT_S}s'")
            db.execute("SELECT pg_advisory_xact_lock(%s)", (_FILLING,))  # one after another
            db.execute(f"DELETE FROM {self._schema}.meanwhile")  # of what another has filled
            db.execute(f"SET LOCAL search_path = {new}")
            self._begin(db, new)
            count = fill(db, self._rules, rows, self._sizes)
            for name in LOCKED:
                db.execute(f"LOCK TABLE {self._schema}.{name} IN ACCESS EXCLUSIVE MODE")
            self._catch_up(db)
            db.execute(f"DROP SCHEMA {self._schema} CASCADE")
            db.execute(f"ALTER SCHEMA {new} RENAME TO {self._schema}")
        return count

    def _catch_up(self, db: Connection) -> None:
        """Take up in a new index what was changed in the old one since its filling began."""
        query = f"SELECT removed, {_NAMES} FROM {self._schema}.meanwhile ORDER BY number"
        change = Change(db, self._rules, self._sizes)
        for removed, *values in db.execute(query).fetchall():
            if removed:
                change.drop(values[0])
            else:
                change.take(SearchRow(**dict(zip(_NAMES.split(", "), values, strict=True))))
        change.finish()

    def apply(self, rows: Iterable[SearchRow], removed: Iterable[str]) -> None:
        """As Postings has it."""
        taken, gone = list(rows), list(removed)
        with self._writing() as db:
            free = db.execute("SELECT pg_try_advisory_xact_lock_shared(%s)", (_FILLING,)).fetchone()
            db.execute("LOCK TABLE tracks IN SHARE ROW EXCLUSIVE MODE")  # writers one after another; readers go on
            if free != (True,):
                _note(db, taken, gone)
            change = Change(db, self._rules, self._sizes)
            for row in taken:
                change.take(row)
            for track_id in gone:
                change.drop(track_id)
            change.finish()

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
        for _ in range(TRIES):
            try:
                return Finding(self._select, self._rules, self._sizes, group, limit).found(lookups, filters)
            except Replaced:
                continue
        raise CatalogError("search index failed (it changes all the time)", subject=self._url, hint="try again")

    def tracks(self, track_ids: Collection[str]) -> list[Found]:
        """As Postings has it."""
        query = TRACKS.format(where="t.track_id = ANY (%s)")
        return [Found(*each) for each in self._select(query, (list(track_ids),))]

    def terms_by_keys(self, keys: Collection[int]) -> Mapping[str, int]:
        """As Postings has it."""
        buckets = sorted(set(map(bucket_of, keys)))
        rows = self._select("SELECT pairs FROM spellings WHERE bucket = ANY (%s::integer[])", (as_array(buckets),))
        numbers = words_in((pairs for (pairs,) in rows), keys)
        query = "SELECT term, uses FROM terms WHERE id = ANY (%s::integer[])"
        return dict(self._select(query, (as_array(numbers),)))

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
            return self._connected().execute(query, values, binary=True).fetchall()

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
        if self._db is None or self._db.closed:
            self._db = self._connection()
        return self._db

    def _connection(self) -> Connection:
        if self._closed:
            raise CatalogError("the search index is closed", subject=self._url)
        options = (
            f"-c search_path={self._schema} -c statement_timeout={STATEMENT_S}s -c client_min_messages=warning"
            " -c jit=off"  # queries of milliseconds
            " -c enable_seqscan=off -c enable_bitmapscan=off"  # all is looked up by keys, whatever the planner expects
            " -c plan_cache_mode=force_generic_plan"
        )
        return psycopg.connect(
            self._url, autocommit=True, connect_timeout=CONNECT_S, options=options, prepare_threshold=2
        )

    def _is_made(self, db: Connection) -> bool:
        if db.execute("SELECT to_regclass('made')").fetchone() == (None,):
            return False
        return db.execute("SELECT version FROM made").fetchone() == (self._version,)

    def _begin(self, db: Connection, schema: str) -> None:
        db.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        db.execute(f"CREATE SCHEMA {schema}")
        db.execute(TABLES)
        db.execute("INSERT INTO made VALUES (%s)", (self._version,))


def _note(db: Connection, rows: Iterable[SearchRow], removed: Iterable[str]) -> None:
    """Keep changes for whoever is filling a new index."""
    query = f"INSERT INTO meanwhile (removed, {_NAMES}) VALUES (%s, %s, %s, %s, %s, %s)"
    taken = [(False, row.track_id, row.title, row.artist, row.album, row.album_artist) for row in rows]
    db.cursor().executemany(query, [*taken, *((True, track_id, "", "", "", "") for track_id in removed)])
