"""Connections to a PostgreSQL server: which URLs can be one, and a few that are shared by the threads of a process."""

import threading
import time
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus

from model.errors import UsageError

Connection = psycopg.Connection[tuple[Any, ...]]

CONNECT_S = 5
AWAY_S = 1.0  # from a connection that failed to the next that is tried
WAIT_S = 2.0  # for one of those that others use, since the first of them took it


def checked_url(url: str) -> str:
    """The URL itself. Raises UsageError for what is none, and for one that has a password."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error as error:  # which repeats some of the URL: perhaps of a password
        raise UsageError("not a URL of PostgreSQL", hint="postgresql://user@host/database") from error
    if parts.get("password") or parts.get("sslpassword"):
        hint = "put it into ~/.pgpass or PGPASSWORD: a URL is shown by `segue config`, and by `ps`"
        raise UsageError("the URL of PostgreSQL has a password", hint=hint)
    return url


def said_of(error: psycopg.Error) -> str:
    """What an error says, without the rows that it is about."""
    return str(error).strip().partition("\n")[0]


class Connections:
    """At most `most` connections of one kind. Each is taken, used by one thread, and given back.

    While the server is away nobody waits for it: one try a second is made, by whoever comes first, and everybody else
    is told at once that the last one failed. Nor does anybody wait long for those that others have: if the server
    hangs, threads are left for what does not need it. Raises psycopg.OperationalError.
    """

    def __init__(self, url: str, *, most: int, **options: Any) -> None:
        """Connect to nothing yet. `options` are those of psycopg."""
        self._url = checked_url(url)
        self._most = most
        self._options = options
        self._changed = threading.Condition()
        self._taken_s: list[float] = []  # when each that is in use was taken, the first one first
        self._since_s: dict[Connection, float] = {}
        self._idle: list[Connection] = []
        self._closed = False
        self._away_until_s = 0.0
        self._why_away = ""

    def take(self) -> Connection:
        """One that nobody else uses. It may be broken: the server does not say when it ends one that is idle."""
        with self._changed:
            self._wait_for_room()
            if self._closed:
                raise psycopg.OperationalError("it is closed")
            now_s = time.monotonic()
            self._taken_s.append(now_s)
            db = self._idle.pop() if self._idle else None
        try:
            db = db or self._connected()
        except BaseException:
            self._leave(now_s)
            raise
        self._since_s[db] = now_s
        return db

    def give(self, db: Connection) -> None:
        """Give one back. What is under way is undone; if it is broken, so are all that are idle."""
        if not db.closed and db.info.transaction_status is not TransactionStatus.IDLE:
            try:
                db.execute("ROLLBACK")
            except psycopg.Error:
                db.close()
        with self._changed:
            gone = [db] if self._closed else []
            if db.closed:
                gone, self._idle = self._idle, []
            elif not self._closed:
                self._idle.append(db)
        self._leave(self._since_s.pop(db))
        for each in gone:
            each.close()

    def close(self) -> None:
        """End those that are idle, and all others as they are given back. Idempotent."""
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
        for each in idle:
            each.close()

    def _wait_for_room(self) -> None:
        """Until another may be taken, but not for those that others have had for too long already."""
        came_s = time.monotonic()
        while len(self._taken_s) >= self._most:
            left_s = min(came_s, self._taken_s[0]) + WAIT_S - time.monotonic()
            if left_s <= 0:
                raise psycopg.OperationalError("all connections are in use")
            self._changed.wait(left_s)

    def _leave(self, taken_s: float) -> None:
        with self._changed:
            self._taken_s.remove(taken_s)
            self._changed.notify()

    def _connected(self) -> Connection:
        with self._changed:
            if time.monotonic() < self._away_until_s:
                raise psycopg.OperationalError(self._why_away)
            if self._why_away:
                self._away_until_s = time.monotonic() + CONNECT_S + AWAY_S  # nobody else tries meanwhile
        try:
            db = psycopg.connect(self._url, autocommit=True, connect_timeout=CONNECT_S, **self._options)
        except psycopg.OperationalError as error:
            with self._changed:
                self._why_away, self._away_until_s = said_of(error), time.monotonic() + AWAY_S
            raise
        with self._changed:
            self._why_away, self._away_until_s = "", 0.0
        return db
