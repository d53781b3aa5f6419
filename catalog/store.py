"""The catalog: an SQLite index of the tracks in a store, and a ledger of source files already read."""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from catalog.schema import APPLICATION_ID, COLUMNS, SCHEMA_VERSION, TABLES, TrackRow, sort_key
from model.errors import CatalogError

log = logging.getLogger(__name__)

BUSY_TIMEOUT_S = 10.0  # how long to wait for another process that writes
IN_MEMORY = ":memory:"
ITERATE_ROWS = 500  # rows held at a time while iterating

_SELECT = f"SELECT {', '.join(COLUMNS)} FROM tracks"
_UPSERT = (
    f"INSERT OR REPLACE INTO tracks ({', '.join(COLUMNS)}, sort_key) VALUES ({', '.join('?' * (len(COLUMNS) + 1))})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStamp:
    """What tells one state of a source file from another without reading it. `path` is absolute, as bytes."""

    path: bytes
    size_bytes: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> "SourceStamp":
        """The stamp of the file as it is now; OSError as os.stat raises it."""
        absolute = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links and hide a replaced one
        found = absolute.stat()
        return cls(path=os.fsencode(absolute), size_bytes=found.st_size, mtime_ns=found.st_mtime_ns, inode=found.st_ino)

    @property
    def text(self) -> str:
        """Everything but the path, as one text."""
        return f"{self.size_bytes}-{self.mtime_ns}-{self.inode}"


@dataclass(frozen=True, slots=True)
class PointerVersions:
    """Which versions of a track's pointers its row was made from."""

    ingest: str | None
    current: str | None


class Catalog:
    """The index, in one file (WAL, shareable between processes) or in memory.

    Every call blocks for a moment: call it through asyncio.to_thread. Safe to use from several threads at once.
    Raises CatalogError. A file that is damaged is moved aside and an empty catalog takes its place, with a warning.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Open or create the catalog at `path`; None keeps it in memory."""
        self._path = path
        self._lock = threading.RLock()
        self._db: sqlite3.Connection | None = None
        with self._errors():
            self._db = self._opened()

    def upsert(self, row: TrackRow) -> None:
        """Write one row, new or again."""
        self.apply([row], [])

    def remove(self, track_id: str) -> None:
        """Forget a track; no error if it is unknown."""
        self.apply([], [track_id])

    def apply(self, rows: Iterable[TrackRow], removed: Iterable[str]) -> None:
        """Write rows and forget tracks, all in one transaction."""
        upserts = [(*(getattr(row, name) for name in COLUMNS), sort_key(row)) for row in rows]
        removals = [(track_id,) for track_id in removed]
        if not (upserts or removals):
            return
        with self._writing() as db:
            db.executemany(_UPSERT, upserts)
            db.executemany("DELETE FROM tracks WHERE track_id = ?", removals)

    def get(self, track_id: str) -> TrackRow | None:
        """The row of a track, live or not."""
        rows = self._rows(f"{_SELECT} WHERE track_id = ?", (track_id,))
        return rows[0] if rows else None

    def count(self, *, live_only: bool = True) -> int:
        """How many tracks there are."""
        where = " WHERE package_id IS NOT NULL" if live_only else ""
        count: int = self._select(f"SELECT count(*) FROM tracks{where}")[0][0]
        return count

    def page(self, offset: int, limit: int, *, live_only: bool = True) -> list[TrackRow]:
        """At most `limit` tracks from `offset` on, by album artist (else artist), album, disc, track, title, id."""
        if offset < 0 or limit < 0:
            raise ValueError(f"offset and limit are not negative: {offset}, {limit}")
        where = " WHERE package_id IS NOT NULL" if live_only else ""
        return self._rows(f"{_SELECT}{where} ORDER BY sort_key LIMIT ? OFFSET ?", (limit, offset))

    def iterate(self) -> Iterator[TrackRow]:
        """Every row by track id, a few at a time; a writer may go on meanwhile."""
        after = ""
        while rows := self._rows(f"{_SELECT} WHERE track_id > ? ORDER BY track_id LIMIT ?", (after, ITERATE_ROWS)):
            yield from rows
            after = rows[-1].track_id

    def versions_between(self, after: str, through: str | None) -> dict[str, PointerVersions]:
        """The pointer versions of every track whose id is greater than `after` and at most `through` (None: no end)."""
        query = "SELECT track_id, ingest_version, current_version FROM tracks WHERE track_id > ?"
        bounds = (after,) if through is None else (after, through)
        found = self._select(query + ("" if through is None else " AND track_id <= ?"), bounds)
        return {track_id: PointerVersions(ingest, current) for track_id, ingest, current in found}

    def recall_source(self, stamp: SourceStamp) -> str | None:
        """The SHA-256 (hex) remembered for the file in exactly this state."""
        found = self._select("SELECT sha256 FROM sources WHERE path = ? AND stamp = ?", (stamp.path, stamp.text))
        return str(found[0][0]) if found else None

    def remember_source(self, stamp: SourceStamp, sha256: str) -> None:
        """Remember what the file in this state holds; earlier states of the same path are forgotten."""
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO sources VALUES (?, ?, ?)", (stamp.path, stamp.text, sha256))

    def close(self) -> None:
        """Give the file back. Idempotent."""
        with self._lock:
            if self._db is not None:
                self._db.close()
            self._db = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _rows(self, query: str, values: Sequence[object] = ()) -> list[TrackRow]:
        return [TrackRow(**dict(zip(COLUMNS, values, strict=True))) for values in self._select(query, values)]

    def _select(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._lock, self._errors():
            return self._connection().execute(query, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._errors(), _transaction(self._connection()) as db:
            yield db

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            raise CatalogError("the catalog is closed", subject=self._subject)
        return self._db

    @property
    def _subject(self) -> str:
        return str(self._path or IN_MEMORY)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what SQLite and the system raise into CatalogError; start afresh when the file turns out damaged."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            hint = self._recovered(error) or _hint(error)
            raise CatalogError(f"catalog failed ({error})", subject=self._subject, hint=hint) from error

    def _recovered(self, error: Exception) -> str:
        if not (_is_damage(error) and self._path):
            return ""
        try:
            self._db = self._afresh(self._path)
        except (sqlite3.Error, OSError):
            return ""
        return "it was moved aside and an empty one took its place; run the command again to fill it"

    def _opened(self) -> sqlite3.Connection:
        if self._path is None:
            return _connected(IN_MEMORY)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return _connected(str(self._path))
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            return self._afresh(self._path)

    def _afresh(self, path: Path) -> sqlite3.Connection:
        if self._db is not None:
            self._db.close()
        self._db = None
        aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
        for suffix in ("-wal", "-shm"):  # they belong to the damaged file: a new one must not replay them
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        path.rename(aside)
        log.warning("catalog damaged, starting afresh", extra={"catalog": str(path), "moved_to": str(aside)})
        return _connected(str(path))


def _connected(name: str) -> sqlite3.Connection:
    # Autocommit: transactions are begun by hand, so that a write takes its lock at once and waits for its turn.
    db = sqlite3.connect(name, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT_S)
    try:
        _prepare(db)
        db.execute("PRAGMA journal_mode = WAL").fetchone()
        db.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost the last rows, never the file
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection) -> None:
    if _schema_version(db) == SCHEMA_VERSION and _is_ours(db):
        return
    with _transaction(db):
        found = _schema_version(db)  # again, now that no other process can be at the same
        tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        if tables and not _is_ours(db):
            raise sqlite3.IntegrityError("the file is the database of another program")
        if tables and found == SCHEMA_VERSION:
            return
        if tables:
            log.warning("catalog of another version, starting afresh", extra={"found": found, "own": SCHEMA_VERSION})
        for (table,) in tables:
            db.execute(f'DROP TABLE "{table}"')
        for statement in TABLES:
            db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _is_ours(db: sqlite3.Connection) -> bool:
    return bool(db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID)


def _schema_version(db: sqlite3.Connection) -> int:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    return version


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
    except BaseException:
        if db.in_transaction:  # some errors end it by themselves
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _is_damage(error: Exception) -> bool:
    return _primary_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _primary_code(error: Exception) -> int:
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF  # the rest says more: SQLITE_CORRUPT_INDEX is a SQLITE_CORRUPT too


def _hint(error: Exception) -> str:
    if isinstance(error, OSError):
        return "name a file in a folder that this user may write to"
    match _primary_code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "another process kept the catalog for too long; try again"
        case sqlite3.SQLITE_FULL:
            return "make room on the disk"
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY:
            return "name a file in a folder that this user may write to"
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return "the catalog is an index: delete the file, it will be made again"
        case _:
            return "name another file for the catalog; it is an index and will be made again"
