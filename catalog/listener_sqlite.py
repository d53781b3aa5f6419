"""The listeners' database in one SQLite file, which all processes of one machine share: the embedded default."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from catalog.listener_database import LISTENERS, Column, ListenerDatabase, Writer
from catalog.sqlite_file import IN_MEMORY, SqliteFile, application_of, connected, hint_of, is_damage, transaction
from model.errors import CatalogError, ListenerDataError

APPLICATION_ID = 0x5365674C  # "SegL": neither the catalog nor the database of another program
_APPLIED = "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, applied INTEGER NOT NULL) WITHOUT ROWID"
_COLUMNS = """SELECT t.name, c.name, upper(c.type) = 'BLOB', c.pk, f."table", f."to" FROM sqlite_master AS t
    JOIN pragma_table_info(t.name) AS c LEFT JOIN pragma_foreign_key_list(t.name) AS f ON f."from" = c.name
    WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' ORDER BY t.name, c.cid"""


class SqliteListeners(SqliteFile, ListenerDatabase):
    """A file (WAL), or memory. A file that is made has rights for its owner only. Deleted rows are overwritten. One
    transaction writes at a time, whomever it is about."""

    def __init__(self, path: Path | None = None) -> None:
        """Open or create the database at `path`; None keeps it in memory."""
        super().__init__(path)
        try:
            self.migrate(LISTENERS)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def writing(self, *listener_ids: str) -> Iterator[sqlite3.Connection]:
        """As ListenerDatabase has it."""
        with super().writing() as db:
            yield db

    def columns(self) -> list[Column]:
        """As ListenerDatabase has it."""
        return [Column(table, name, bool(is_bytes), *rest) for table, name, is_bytes, *rest in self.select(_COLUMNS)]

    def overwrite(self) -> None:
        """Bring what was deleted from the log into the file, so that nothing of it is left in either. If others are
        reading this is left to them, and to whoever closes the file last."""
        self.select("PRAGMA wal_checkpoint(TRUNCATE)")

    def _migrating(self) -> AbstractContextManager[Writer]:
        return self.writing()

    def _opened(self) -> sqlite3.Connection:
        if self._path is not None:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # what is beside it follows
        db = connected(str(self._path or IN_MEMORY))
        try:
            _prepare(db)
            db.execute("PRAGMA journal_mode = WAL").fetchone()
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("PRAGMA secure_delete = ON").fetchone()
        except BaseException:
            db.close()
            raise
        return db

    def _error_of(self, error: Exception) -> CatalogError:
        hint = hint_of(error) or "look at the message; the file is left as it is"
        if is_damage(error):
            hint = "it is left as it is: put a backup in its place, or name another file with --listeners"
        return ListenerDataError(f"listeners' database failed ({error})", subject=self._subject, hint=hint)


def _prepare(db: sqlite3.Connection) -> None:
    if application_of(db) == APPLICATION_ID:
        return
    with transaction(db):
        if application_of(db) == APPLICATION_ID:  # another process was first
            return
        if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise sqlite3.DatabaseError("the file is the database of another program")
        db.execute(_APPLIED)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
