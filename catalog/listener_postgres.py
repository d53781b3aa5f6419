"""The listeners' database in a PostgreSQL server, which many origins share: the same tables in a schema of their own.

Who writes for a listener holds its row in `listeners` until the transaction ends (decision 36), so what was counted
stays true; others are not held up. Locks are taken in the order of the ids, and they let rows be added that refer to
the listener: nobody waits for somebody who waits for them.
"""

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import psycopg

from catalog.listener_database import LISTENERS, Column, ListenerDatabase, Migrations, Rows, Writer
from catalog.postgres import Connection, Connections, said_of
from model.errors import ListenerDataError, ListenersUnavailable

SCHEMA = "segue_listeners"
CONNECTIONS = 4  # of a process: fewer than it has threads, so that some are left for music while the server hangs
STATEMENT_S = 10
_MIGRATION_LOCK = 0x5365674C
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
_HOLD = "SELECT 1 FROM listeners WHERE listener_id = ANY (%s) ORDER BY listener_id FOR NO KEY UPDATE"
_APPLIED = 'CREATE TABLE migrations (name text COLLATE "C" PRIMARY KEY, applied integer NOT NULL)'
_WORDS = (  # of SQLite's in migrations, and what they are here
    (re.compile(r" WITHOUT ROWID\b"), ""),
    (re.compile(r"CAST\(strftime\('%s', 'now'\) AS INTEGER\)"), "extract(epoch FROM now())::bigint"),
    (re.compile(r"\bINTEGER\b"), "bigint"),
    (re.compile(r"\bREAL\b"), "double precision"),
    (re.compile(r"\bBLOB\b"), "bytea"),
    (re.compile(r"\bTEXT\b"), 'text COLLATE "C"'),
)
_COLUMNS = """SELECT t.relname, a.attname, a.atttypid = 'bytea'::regtype,
        coalesce(array_position(p.conkey, a.attnum), 0), parent.relname, parent_column.attname
    FROM pg_class t
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_constraint p ON p.conrelid = t.oid AND p.contype = 'p'
    LEFT JOIN pg_constraint f ON f.conrelid = t.oid AND f.contype = 'f' AND f.conkey[1] = a.attnum
    LEFT JOIN pg_class parent ON parent.oid = f.confrelid
    LEFT JOIN pg_attribute parent_column ON parent_column.attrelid = parent.oid AND parent_column.attnum = f.confkey[1]
    WHERE t.relkind = 'r' AND t.relnamespace = current_schema()::regnamespace ORDER BY t.relname, a.attnum"""

Result = TypeVar("Result")


class PostgresListeners(ListenerDatabase):
    """A schema in a database of a server. That the server is away is an error that passes: ListenersUnavailable.

    Nothing has to be there when it is opened: what is to be migrated while the server is away is migrated when it is
    back, before anything else is asked. A question is asked again on another connection if one breaks. A change is not,
    once its first statement was sent.
    """

    def __init__(self, url: str, *, schema: str = SCHEMA) -> None:
        """Connect to `postgresql://user@host/database`, and make the schema if it is missing.

        Raises UsageError for a URL that cannot be, or that has a password.
        """
        self._url = url
        self._schema = schema
        options = (
            f"-c search_path={schema} -c statement_timeout={STATEMENT_S}s -c client_min_messages=warning -c jit=off"
            f" -c idle_in_transaction_session_timeout={STATEMENT_S}s"  # an origin that was cut off holds nobody up
        )
        self._connections = Connections(
            url,
            most=CONNECTIONS,
            options=options,
            prepare_threshold=None,  # plans would outlive the tables that a newer Segue changes
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=1000 * STATEMENT_S,
        )
        self._catching_up = threading.Lock()
        self._to_migrate: list[Migrations] = []
        self.migrate(LISTENERS)

    def select(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """As ListenerDatabase has it."""

        def asked(db: Connection) -> list[tuple[Any, ...]]:
            return db.execute(_marked(query), _sendable(values)).fetchall()

        with self._errors():
            self._catch_up()
            db, found = self._begun(asked)
            self._connections.give(db)
        return found

    @contextmanager
    def writing(self, *listener_ids: str) -> Iterator[Writer]:
        """As ListenerDatabase has it."""
        with self._errors():
            self._catch_up()
            with self._transaction(partial(_hold, listener_ids)) as db:
                yield db

    def migrate(self, migrations: Migrations) -> None:
        """As ListenerDatabase has it; later, if the server is away."""
        with self._catching_up:
            self._to_migrate.append(migrations)
        try:
            with self._errors():
                self._catch_up()
        except ListenersUnavailable:
            return
        except BaseException:
            with self._catching_up:
                self._to_migrate.remove(migrations)
            raise

    def columns(self) -> list[Column]:
        """As ListenerDatabase has it."""
        return [Column(*row) for row in self.select(_COLUMNS)]

    def overwrite(self) -> None:
        """Nothing: the server's own VACUUM does what there is to do."""

    def close(self) -> None:
        """As ListenerDatabase has it."""
        self._connections.close()

    @property
    def _subject(self) -> str:
        return self._url

    def _translated(self, step: str) -> str:
        for found, own in _WORDS:
            step = found.sub(own, step)
        return step

    @contextmanager
    def _migrating(self) -> Iterator[Writer]:
        with self._transaction(partial(_make_schema, self._schema)) as db:
            yield db

    def _catch_up(self) -> None:
        """Do the migrations that were not done yet."""
        if not self._to_migrate:
            return
        with self._catching_up:
            while self._to_migrate:
                with self._migrating() as db:
                    self._migrate(db, self._to_migrate[0])
                del self._to_migrate[0]

    @contextmanager
    def _transaction(self, begin: Callable[[Connection], None]) -> Iterator[Writer]:
        db, _ = self._begun(begin)
        try:
            yield _Writing(db)
            db.execute("COMMIT")
        except psycopg.errors.ReadOnlySqlTransaction:
            db.close()
            raise
        finally:
            self._connections.give(db)

    def _begun(self, first: Callable[[Connection], Result]) -> tuple[Connection, Result]:
        """A connection on which something went well that can be done twice: one that was kept may be broken, or lead to
        a server that is not the one to write to any more."""
        for may_be_broken in (True, False):
            db = self._connections.take()
            try:
                return db, first(db)
            except BaseException as error:
                if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
                    db.close()
                self._connections.give(db)
                if not (may_be_broken and db.closed):
                    raise
        raise AssertionError("the second time it is raised")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.ReadOnlySqlTransaction) as error:
            hint = "is the server up? A change that was under way may have been made: look before you make it again"
            message = f"listeners' database away ({said_of(error)})"
            raise ListenersUnavailable(message, subject=self._url, hint=hint) from error
        except psycopg.Error as error:
            hint = "look at the message; may this user create a schema in the database?"
            message = f"listeners' database failed ({said_of(error)})"
            raise ListenerDataError(message, subject=self._url, hint=hint) from error


class _Writing:
    """A transaction under way."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def execute(self, query: str, values: Sequence[object] = (), /) -> Rows:
        """As Writer has it."""
        return self._db.execute(_marked(query), _sendable(values))

    def executemany(self, query: str, values: Iterable[Sequence[object]], /) -> Rows:
        """As Writer has it."""
        cursor = self._db.cursor()
        cursor.executemany(_marked(query), map(_sendable, values))
        return cursor


def _marked(query: str) -> str:
    """A statement with the marks that psycopg has for values."""
    return query.replace("%", "%%").replace("?", "%s")


def _sendable(values: Sequence[object]) -> list[object]:
    """The values; PostgreSQL has no text with a NUL, so this is the sign for what cannot be shown instead."""
    return [each.replace("\0", "\ufffd") if isinstance(each, str) else each for each in values]


def _hold(listener_ids: Sequence[str], db: Connection) -> None:
    db.execute(_BEGIN)
    if listener_ids:
        db.execute(_HOLD, (list(listener_ids),))


def _make_schema(schema: str, db: Connection) -> None:
    db.execute(_BEGIN)
    db.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATION_LOCK,))
    if db.execute("SELECT to_regclass('migrations')").fetchone() == (None,):
        db.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        db.execute(_APPLIED)
