"""Who listens: accounts without a person behind them, each an id and the key that proves it.

Keys have 256 bits by chance, so what is kept of one is its plain SHA-256: nobody can guess back from it, and what the
time of a look-up tells is about a hash that the asker cannot choose.
"""

import hashlib
import secrets
import time
from dataclasses import dataclass

from catalog.listener_database import ListenerDatabase, new_id

KEY_PREFIX = "sk_"  # so that scanners for leaked secrets, and people, see what it is
_KEY_BYTES = 32
_DAY_S = 86_400
_KEY_CHARS_MAX = 100  # more than any key of ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """An account. `name` is the operator's word for it, empty for those that made themselves."""

    listener_id: str
    name: str
    created_s: int


class Listeners:
    """The accounts in the listeners' database.

    Every call blocks for a moment: call it through asyncio.to_thread. Raises CatalogError.
    """

    def __init__(self, database: ListenerDatabase) -> None:
        self._database = database

    def add(self, name: str = "") -> tuple[Listener, str]:
        """A new listener and its key, which is told this once."""
        listener_id = new_id()
        made, key = Listener(listener_id=listener_id, name=name, created_s=int(time.time())), _new_key()
        with self._database.writing() as db:
            db.execute("INSERT INTO listeners VALUES (?, ?, ?, ?)", (listener_id, _hash(key), name, made.created_s))
        return made, key

    def remove(self, listener_id: str) -> bool:
        """Forget a listener and all that belongs to it; False if there is none."""
        with self._database.writing(listener_id) as db:
            return db.execute("DELETE FROM listeners WHERE listener_id = ?", (listener_id,)).rowcount > 0

    def new_key(self, listener_id: str) -> str | None:
        """Another key, told this once, in the place of the one before; None if there is no such listener."""
        key = _new_key()
        with self._database.writing(listener_id) as db:
            changed = db.execute(
                "UPDATE listeners SET key_sha256 = ? WHERE listener_id = ?", (_hash(key), listener_id)
            ).rowcount
        return key if changed else None

    def of_key(self, key: str) -> str | None:
        """Whose key this is; None if it is nobody's."""
        if not (key.startswith(KEY_PREFIX) and key.isascii() and len(key) <= _KEY_CHARS_MAX):
            return None
        query = "SELECT listener_id, used_s FROM listeners LEFT JOIN last_used USING (listener_id) WHERE key_sha256 = ?"
        for listener_id, used_s in self._database.select(query, (_hash(key),)):
            self._used(listener_id, used_s)
            return str(listener_id)
        return None

    def used(self, listener_id: str) -> None:
        """A listener proved itself by something else than its key."""
        found = self._database.select("SELECT used_s FROM last_used WHERE listener_id = ?", (listener_id,))
        self._used(listener_id, found[0][0] if found else None)

    def _used(self, listener_id: str, used_s: int | None) -> None:
        """Note the day, not the moment, and once."""
        today_s = int(time.time()) // _DAY_S * _DAY_S
        if used_s is None or used_s < today_s:
            query = """INSERT INTO last_used SELECT listener_id, ? FROM listeners WHERE listener_id = ?
                ON CONFLICT (listener_id) DO UPDATE SET used_s = excluded.used_s"""
            with self._database.writing(listener_id) as db:
                db.execute(query, (today_s, listener_id))

    def get(self, listener_id: str) -> Listener | None:
        """One listener."""
        found = self._select("WHERE listener_id = ?", listener_id)
        return found[0] if found else None

    def all(self) -> list[Listener]:
        """Every listener, the oldest first."""
        return self._select("ORDER BY created_s, listener_id")

    def _select(self, rest: str, *values: object) -> list[Listener]:
        rows = self._database.select(f"SELECT listener_id, name, created_s FROM listeners {rest}", values)
        return [Listener(listener_id=listener_id, name=name, created_s=at) for listener_id, name, at in rows]


def _new_key() -> str:
    return KEY_PREFIX + secrets.token_urlsafe(_KEY_BYTES)


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
