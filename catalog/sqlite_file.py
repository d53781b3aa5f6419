"""One SQLite file, kept open: queries, transactions, threads, and errors as ours."""

import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from model.errors import CatalogError

BUSY_TIMEOUT_S = 10.0  # how long to wait for another process that writes
IN_MEMORY = ":memory:"


class SqliteFile(ABC):
    """A database in one file (WAL, shareable between processes) or in memory.

    Every call blocks for a moment: call it through asyncio.to_thread. Safe to use from several threads at once.
    Raises CatalogError.
    """

    def __init__(self, path: Path | None) -> None:
        """Open or create the database at `path`; None keeps it in memory."""
        self._path = path
        self._lock = threading.RLock()
        self._db: sqlite3.Connection | None = None
        with self._errors():
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._db = self._opened()

    def select(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._lock, self._errors():
            return self._connection().execute(query, values).fetchall()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or nothing."""
        with self._lock, self._errors(), transaction(self._connection()) as db:
            yield db

    def close(self) -> None:
        """Give the file back. Idempotent."""
        with self._lock:
            if self._db is not None:
                self._db.close()
            self._db = None

    @abstractmethod
    def _opened(self) -> sqlite3.Connection:
        """A connection to a database that has its tables."""

    @abstractmethod
    def _error_of(self, error: Exception) -> CatalogError:
        """What an error of SQLite or the system means."""

    @property
    def _subject(self) -> str:
        return str(self._path or IN_MEMORY)

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            raise CatalogError("the database is closed", subject=self._subject)
        return self._db

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise self._error_of(error) from error


def connected(name: str) -> sqlite3.Connection:
    """A connection in autocommit: transactions are begun by hand, so that a write takes its lock at once and waits for
    its turn."""
    return sqlite3.connect(name, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT_S)


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """One that writes: all of it or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
    except BaseException:
        if db.in_transaction:  # some errors end it by themselves
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def application_of(db: sqlite3.Connection) -> int:
    """Whose database it is: the mark that each program gives its own."""
    found: int = db.execute("PRAGMA application_id").fetchone()[0]
    return found


def is_damage(error: Exception) -> bool:
    """Whether the file is no database, or no whole one."""
    return primary_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def primary_code(error: Exception) -> int:
    """SQLite's code for an error, 0 if it is none of SQLite's."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF  # the rest says more: SQLITE_CORRUPT_INDEX is a SQLITE_CORRUPT too


def hint_of(error: Exception) -> str:
    """What to do about an error that does not come from the file's own contents; empty if that is not known."""
    if isinstance(error, OSError):
        return "name a file in a folder that this user may write to"
    match primary_code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "another process kept the database for too long; try again"
        case sqlite3.SQLITE_FULL:
            return "make room on the disk"
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY:
            return "name a file in a folder that this user may write to"
        case _:
            return ""
