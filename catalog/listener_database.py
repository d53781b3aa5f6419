"""The listeners' database: what people made, so it cannot be made again from anything.

One SQLite file (WAL, shareable between processes). It is never dropped, moved aside or replaced: tables change by
migrations that only go forward, and a file that is damaged or another program's is an error. Each part of the product
brings its own tables:

    PLAYLISTS = Migrations(name="playlists", steps=("CREATE TABLE playlists (…)",))
    database.migrate(PLAYLISTS)

A table whose rows belong to a listener says `listener_id TEXT NOT NULL REFERENCES listeners ON DELETE CASCADE` (and
has an index on it): the rows go with the listener.
"""

import os
import secrets
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from catalog.sqlite_file import IN_MEMORY, SqliteFile, application_of, connected, hint_of, is_damage, transaction
from model.errors import CatalogError, ListenerDataError
from model.track import TRACK_ID_LENGTH

APPLICATION_ID = 0x5365674C  # "SegL": neither the catalog nor the database of another program
_APPLIED = "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, applied INTEGER NOT NULL) WITHOUT ROWID"

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


def new_id() -> str:
    """An id by chance, in the form of all our ids: of a listener, or of something that is one's own."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(TRACK_ID_LENGTH))


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrations:
    """The tables of one part, as SQL statements. Steps are added at the end, never changed: files out there have them
    behind them."""

    name: str
    steps: tuple[str, ...]


LISTENERS = Migrations(
    name="listeners",
    steps=(
        """CREATE TABLE listeners (
            listener_id TEXT PRIMARY KEY, key_sha256 BLOB NOT NULL UNIQUE, name TEXT NOT NULL,
            created_s INTEGER NOT NULL
        ) WITHOUT ROWID""",
        """CREATE TABLE last_used (
            listener_id TEXT PRIMARY KEY REFERENCES listeners ON DELETE CASCADE, used_s INTEGER NOT NULL
        ) WITHOUT ROWID""",
        "INSERT INTO last_used SELECT listener_id, CAST(strftime('%s', 'now') AS INTEGER) FROM listeners",
    ),
)


class ListenerDatabase(SqliteFile):
    """The database of listeners, with the table that all others refer to. A context manager.

    A file that is made has rights for its owner only. Every commit is on the disk when it returns. Deleted rows are
    overwritten. Raises ListenerDataError, a CatalogError.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Open or create the database at `path`; None keeps it in memory."""
        super().__init__(path)
        try:
            self.migrate(LISTENERS)
        except BaseException:
            self.close()
            raise

    def migrate(self, migrations: Migrations) -> None:
        """Do what steps of these were not done yet, all or none, whichever of several processes comes first."""
        with self.writing() as db:
            found = db.execute("SELECT applied FROM migrations WHERE name = ?", (migrations.name,)).fetchone()
            applied = found[0] if found else 0
            if applied > len(migrations.steps):
                raise ListenerDataError(
                    f"the listeners' database is of a newer Segue ({migrations.name} {applied})",
                    subject=self._subject,
                    hint="run the Segue that wrote it, or a newer one",
                )
            for step in migrations.steps[applied:]:
                db.execute(step)
            db.execute("INSERT OR REPLACE INTO migrations VALUES (?, ?)", (migrations.name, len(migrations.steps)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

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
