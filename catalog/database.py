"""The catalog's SQLite file: opened, shared between processes, and replaced when it turns out damaged."""

import logging
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from catalog.schema import CATALOG, Schema
from catalog.sqlite_file import IN_MEMORY, SqliteFile, application_of, connected, hint_of, is_damage, transaction
from catalog.statements import marks
from model.errors import CatalogError

log = logging.getLogger(__name__)

# Virtual ones first: they take those that they are kept in with them.
_TABLES_FOUND = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY sql NOT LIKE 'CREATE VIRTUAL %'"


class Database(SqliteFile):
    """A database that is an index: a file that is damaged is moved aside and an empty one takes its place, with a
    warning."""

    def __init__(self, path: Path | None = None, schema: Schema = CATALOG, *, scratch: bool = False) -> None:
        """Open or create the database at `path`; None keeps it in memory. What is `scratch` is lost in a crash."""
        self._journal = "PRAGMA journal_mode = OFF" if scratch else "PRAGMA journal_mode = WAL"
        self._schema = schema
        super().__init__(path)

    def select_beside(
        self, tables: Mapping[str, tuple[str, Iterable[Sequence[object]]]], query: str, values: Sequence[object] = ()
    ) -> list[tuple[Any, ...]]:
        """All rows of a query that has these tables besides, each with its columns and its rows, and only for itself:
        nobody else sees them, and nothing is written to the file."""
        with self._lock, self._errors():
            db = self._connection()
            try:
                for name, (columns, rows) in tables.items():
                    db.execute(f"CREATE TEMP TABLE {name} ({columns}) WITHOUT ROWID")
                    db.execute("BEGIN")
                    db.executemany(f"INSERT OR REPLACE INTO temp.{name} VALUES ({marks(columns.split(','))})", rows)
                    db.execute("COMMIT")
                return db.execute(query, values).fetchall()
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                for name in tables:
                    db.execute(f"DROP TABLE IF EXISTS temp.{name}")

    def replace_by(self, other: "Database") -> None:
        """Become what the other is in one step: whoever reads sees the old or the new, in this process or another. The
        other, which has to be in memory if this one is, is of no more use."""
        with other._lock, self._errors():
            if self._path is None:
                with self._lock:
                    self._db, other._db = other._connection(), self._connection()
                return
            db = connected(str(self._path))  # of its own: whoever reads goes on meanwhile
            try:
                other._connection().backup(db)
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()  # not with the next small write
            finally:
                db.close()

    def _error_of(self, error: Exception) -> CatalogError:
        hint = self._recovered(error) or _hint(error)
        return CatalogError(f"catalog failed ({error})", subject=self._subject, hint=hint)

    def _recovered(self, error: Exception) -> str:
        if not (is_damage(error) and self._path):
            return ""
        try:
            with self._lock:
                self._db = self._afresh(self._path)
        except (sqlite3.Error, OSError):
            return ""
        return "it was moved aside and an empty one took its place; run the command again to fill it"

    def _opened(self) -> sqlite3.Connection:
        if self._path is None:
            return self._connected(IN_MEMORY)
        try:
            return self._connected(str(self._path))
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            return self._afresh(self._path)

    def _connected(self, name: str) -> sqlite3.Connection:
        db = connected(name)
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


class Temporary(Database):
    """A database that nobody else sees: SQLite keeps what does not fit its cache in a file without a name, where
    temporary files go. `what` is in it, for whoever is told that it cannot be kept."""

    def __init__(self, schema: Schema, *, what: str) -> None:
        self._what = what
        super().__init__(None, schema, scratch=True)

    def _opened(self) -> sqlite3.Connection:
        return self._connected("")

    def _error_of(self, error: Exception) -> CatalogError:
        hint = "make room where temporary files go, or name another folder: SQLITE_TMPDIR"
        return CatalogError(f"cannot keep {self._what} ({error})", hint=hint)


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
    with transaction(db):
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
    return application_of(db) == schema.application_id


def _version(db: sqlite3.Connection) -> int:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    return version


def _hint(error: Exception) -> str:
    if is_damage(error):
        return "the catalog is an index: delete the file, it will be made again"
    return hint_of(error) or "name another file for the catalog; it is an index and will be made again"
