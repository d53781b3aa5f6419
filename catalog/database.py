"""One SQLite file, opened, shared between processes, and replaced when it turns out damaged."""

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from catalog.schema import CATALOG, Schema
from model.errors import CatalogError

log = logging.getLogger(__name__)

BUSY_TIMEOUT_S = 10.0  # how long to wait for another process that writes
IN_MEMORY = ":memory:"
# Virtual ones first: they take those that they are kept in with them.
_TABLES_FOUND = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY sql NOT LIKE 'CREATE VIRTUAL %'"


class Database:
    """A database in one file (WAL, shareable between processes) or in memory.

    Every call blocks for a moment: call it through asyncio.to_thread. Safe to use from several threads at once.
    Raises CatalogError. A file that is damaged is moved aside and an empty one takes its place, with a warning.
    """

    def __init__(self, path: Path | None = None, schema: Schema = CATALOG, *, scratch: bool = False) -> None:
        """Open or create the database at `path`; None keeps it in memory. What is `scratch` is lost in a crash."""
        self._path = path
        self._journal = "PRAGMA journal_mode = OFF" if scratch else "PRAGMA journal_mode = WAL"
        self._schema = schema
        self._lock = threading.RLock()
        self._db: sqlite3.Connection | None = None
        with self._errors():
            self._db = self._opened()

    def select(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._lock, self._errors():
            return self._connection().execute(query, values).fetchall()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or nothing."""
        with self._lock, self._errors(), _transaction(self._connection()) as db:
            yield db

    def replace_by(self, other: "Database") -> None:
        """Become a copy of the other in one step: whoever reads sees the old or the new, in this process or another."""
        with self._lock, other._lock, self._errors():
            other._connection().backup(self._connection())
            self._connection().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()  # not with the next small write

    def close(self) -> None:
        """Give the file back. Idempotent."""
        with self._lock:
            if self._db is not None:
                self._db.close()
            self._db = None

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
            return self._connected(IN_MEMORY)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return self._connected(str(self._path))
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            return self._afresh(self._path)

    def _connected(self, name: str) -> sqlite3.Connection:
        # Autocommit: transactions are begun by hand, so that a write takes its lock at once and waits for its turn.
        db = sqlite3.connect(name, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT_S)
        try:
            _prepare(db, self._schema)
            db.execute(self._journal).fetchone()
            db.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost the last rows, never the file
        except BaseException:
            db.close()
            raise
        return db

    def _afresh(self, path: Path) -> sqlite3.Connection:
        if self._db is not None:
            self._db.close()
        self._db = None
        aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
        for suffix in ("-wal", "-shm"):  # they belong to the damaged file: a new one must not replay them
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        path.rename(aside)
        log.warning("catalog damaged, starting afresh", extra={"catalog": str(path), "moved_to": str(aside)})
        return self._connected(str(path))


class Opened:
    """What keeps a database open: a context manager."""

    def __init__(self, path: Path | None = None) -> None:
        """Open or create the database at `path`; None keeps it in memory."""
        self._database = Database(path)

    @property
    def database(self) -> Database:
        """What is kept open, for others who have tables in it."""
        return self._database

    def close(self) -> None:
        """Give the file back. Idempotent."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _prepare(db: sqlite3.Connection, schema: Schema) -> None:
    if _version(db) == schema.version and _is_ours(db, schema):
        return
    with _transaction(db):
        found = _version(db)  # again, now that no other process can be at the same
        tables = db.execute(_TABLES_FOUND).fetchall()
        if tables and not _is_ours(db, schema):
            raise sqlite3.IntegrityError("the file is the database of another program")
        if tables and found == schema.version:
            return
        if tables:
            log.warning("catalog of another version, starting afresh", extra={"found": found, "own": schema.version})
        for (table,) in tables:
            db.execute(f'DROP TABLE IF EXISTS "{table}"')
        for statement in schema.tables:
            db.execute(statement)
        db.execute(f"PRAGMA application_id = {schema.application_id}")
        db.execute(f"PRAGMA user_version = {schema.version}")


def _is_ours(db: sqlite3.Connection, schema: Schema) -> bool:
    return bool(db.execute("PRAGMA application_id").fetchone()[0] == schema.application_id)


def _version(db: sqlite3.Connection) -> int:
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
