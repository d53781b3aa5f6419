"""Names and records on disk for the length of one run, so that memory does not grow with the store."""

import sqlite3
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from model.errors import CatalogError

_TABLES = """
create table names (name text primary key, since_s integer not null) without rowid;
create table versions (key text primary key, version text not null) without rowid;
create table pending (name text primary key, record blob not null) without rowid;
"""
_CACHE_KIB = 16 << 10
_PAGE = 256


class Marks:
    """A temporary database: gone with the process, in SQLite's folder for temporary files once it outgrows 16 MiB.

    Calls take microseconds, and now and then a page of the disk. Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._db.execute(f"pragma cache_size = -{_CACHE_KIB}")
        self._db.execute("pragma journal_mode = off")
        self._db.executescript(_TABLES)

    def mark(self, name: str, since_s: int) -> None:
        """Remember a name, and the latest moment that came with it."""
        self._run(
            "insert into names values (?, ?) on conflict do update set since_s = max(since_s, excluded.since_s)",
            name, since_s,
        )  # fmt: skip

    def since(self, name: str) -> int | None:
        """The latest moment that came with a name; None if it was never marked."""
        rows = self._run("select since_s from names where name = ?", name)
        return int(rows[0][0]) if rows else None

    def has_version(self, key: str, version: str) -> bool:
        """Whether this is the version that was last noted for a key."""
        return bool(self._run("select 1 from versions where key = ? and version = ?", key, version))

    def note_version(self, key: str, version: str) -> None:
        """Note the version of a key."""
        self._run("insert or replace into versions values (?, ?)", key, version)

    def hold(self, name: str, record: bytes) -> None:
        """Keep a record under a name."""
        self._run("insert or replace into pending values (?, ?)", name, record)

    def record(self, name: str) -> bytes | None:
        """The record that is held under a name; None if there is none."""
        rows = self._run("select record from pending where name = ?", name)
        return bytes(rows[0][0]) if rows else None

    def held(self) -> Iterator[tuple[str, bytes]]:
        """Every name that is held, with its record, in order; some are read at a time."""
        after = ""
        while rows := self._run("select name, record from pending where name > ? order by name limit ?", after, _PAGE):
            for name, record in rows:
                yield str(name), bytes(record)
            after = str(rows[-1][0])

    def close(self) -> None:
        """Forget everything. Idempotent."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            with self._lock:
                return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            hint = "make room in the folder for temporary files, or name another one with SQLITE_TMPDIR"
            raise CatalogError(f"the temporary index failed ({error})", hint=hint) from error
