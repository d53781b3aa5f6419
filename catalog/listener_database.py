"""The listeners' database: what people made, so it cannot be made again from anything.

It is a file (`listener_sqlite.py`) or a schema in a server (`listener_postgres.py`). It is never dropped, moved aside
or replaced: tables change by migrations that only go forward, and what is damaged or another program's is an error.
Each part of the product brings its own tables:

    PLAYLISTS = Migrations(name="playlists", steps=("CREATE TABLE playlists (…)",))
    database.migrate(PLAYLISTS)

A table whose rows belong to a listener says `listener_id TEXT NOT NULL REFERENCES listeners ON DELETE CASCADE` (and
has an index on it): the rows go with the listener.

Statements are written once for both: values stand at `?`, yes and no are 1 and 0, what a conflict changes is named with
its table and its key. Text is in the order of its bytes in both.
"""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from model.errors import ListenerDataError
from model.track import TRACK_ID_LENGTH

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


def new_id() -> str:
    """An id by chance, in the form of all our ids: of a listener, or of something that is one's own."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(TRACK_ID_LENGTH))


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrations:
    """The tables of one part, as SQL statements. Steps are added at the end, never changed: databases out there have
    them behind them. They are SQLite's; a server translates them (`listener_postgres.py` says what it understands)."""

    name: str
    steps: tuple[str, ...]


MIGRATIONS_TABLE = "migrations"  # which steps of which parts are done
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


class Rows(Protocol):
    """What a statement found, or how much it changed."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...


class Writer(Protocol):
    """A transaction under way: whoever has it reads and writes."""

    def execute(self, query: str, values: Sequence[object] = (), /) -> Rows: ...
    def executemany(self, query: str, values: Iterable[Sequence[object]], /) -> Rows: ...


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: whether it holds bytes, its place in the primary key (0: none), and the table and column
    that it refers to. No `parent_column` is the primary key of the parent."""

    table: str
    name: str
    is_bytes: bool
    key_place: int
    parent: str | None
    parent_column: str | None


class ListenerDatabase(ABC):
    """The database of listeners, with the table that all others refer to. A context manager.

    Every commit is on the disk when it returns. Every call blocks for a moment: call it through asyncio.to_thread. Safe
    to use from several threads and processes at once. Raises ListenerDataError, a CatalogError.
    """

    @abstractmethod
    def select(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""

    @abstractmethod
    def writing(self, *listener_ids: str) -> AbstractContextManager[Writer]:
        """One transaction: all of it or nothing. Until it ends nobody else is in one of the same listeners, so what it
        counts of theirs stays true. Of what is not theirs, single statements are all that is safe."""

    @abstractmethod
    def columns(self) -> list[Column]:
        """Every column that there is, by table."""

    @abstractmethod
    def overwrite(self) -> None:
        """See that nothing is left of what was deleted, as far as this is in our hands."""

    @abstractmethod
    def close(self) -> None:
        """Give it back. Idempotent."""

    def migrate(self, migrations: Migrations) -> None:
        """Do what steps of these were not done yet, all or none, whichever of several processes comes first."""
        with self._migrating() as db:
            self._migrate(db, migrations)

    def _migrate(self, db: Writer, migrations: Migrations) -> None:
        found = db.execute("SELECT applied FROM migrations WHERE name = ?", (migrations.name,)).fetchone()
        applied = found[0] if found else 0
        if applied > len(migrations.steps):
            raise ListenerDataError(
                f"the listeners' database is of a newer Segue ({migrations.name} {applied})",
                subject=self._subject,
                hint="run the Segue that wrote it, or a newer one",
            )
        if applied == len(migrations.steps):
            return
        for step in migrations.steps[applied:]:
            db.execute(self._translated(step))
        query = "INSERT INTO migrations VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET applied = excluded.applied"
        db.execute(query, (migrations.name, len(migrations.steps)))

    @abstractmethod
    def _migrating(self) -> AbstractContextManager[Writer]:
        """A transaction in which nobody else migrates."""

    def _translated(self, step: str) -> str:
        """A step of a migration as this database understands it."""
        return step

    @property
    @abstractmethod
    def _subject(self) -> str:
        """What errors are about."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def by_table(columns: Iterable[Column]) -> dict[str, list[Column]]:
    """The columns of each table, in their order."""
    tables: dict[str, list[Column]] = {}
    for column in columns:
        tables.setdefault(column.table, []).append(column)
    return tables
