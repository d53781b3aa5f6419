"""The tracks that listeners marked as their favourites. A table of the listeners' database."""

from collections.abc import Sequence
from dataclasses import dataclass

from catalog.listener_database import ListenerDatabase, Migrations
from catalog.statements import marks

FAVOURITES_MAX = 50_000  # of one listener
FAVOURITES = Migrations(
    name="favourites",
    steps=(
        """CREATE TABLE favourites (
            listener_id TEXT NOT NULL REFERENCES listeners ON DELETE CASCADE, track_id TEXT NOT NULL,
            at_ms INTEGER NOT NULL, PRIMARY KEY (listener_id, track_id)
        ) WITHOUT ROWID""",
    ),
)


@dataclass(frozen=True, slots=True)
class Favourite:
    """A track, and since when it is a favourite."""

    track_id: str
    at_ms: int


class Favourites:
    """The favourites of all listeners. Every call blocks for a moment: call it through asyncio.to_thread. Safe to use
    from several threads and processes at once. Raises CatalogError."""

    def __init__(self, database: ListenerDatabase, *, migrate: bool = True) -> None:
        """In a database that stays the caller's to close, and that may have its tables already."""
        self._database = database
        if migrate:
            database.migrate(FAVOURITES)

    def add(self, listener_id: str, track_id: str, *, at_ms: int) -> bool:
        """Mark a track; one that is marked stays as it was. False if the listener has FAVOURITES_MAX others."""
        with self._database.writing(listener_id) as db:
            query = "SELECT count(*), count(*) FILTER (WHERE track_id = ?) FROM favourites WHERE listener_id = ?"
            count, known = db.execute(query, (track_id, listener_id)).fetchone()
            if count >= FAVOURITES_MAX and not known:
                return False
            db.execute("INSERT INTO favourites VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (listener_id, track_id, at_ms))
        return True

    def remove(self, listener_id: str, track_id: str) -> None:
        """Mark a track no more; no error if it was not."""
        with self._database.writing(listener_id) as db:
            db.execute("DELETE FROM favourites WHERE listener_id = ? AND track_id = ?", (listener_id, track_id))

    def get(self, listener_id: str, track_id: str) -> Favourite | None:
        """The mark on one track."""
        query = "SELECT track_id, at_ms FROM favourites WHERE listener_id = ? AND track_id = ?"
        found = self._database.select(query, (listener_id, track_id))
        return Favourite(*found[0]) if found else None

    def among(self, listener_id: str, track_ids: Sequence[str]) -> dict[str, int]:
        """Since when those of some tracks that are favourites are, in milliseconds since the epoch."""
        query = f"SELECT track_id, at_ms FROM favourites WHERE listener_id = ? AND track_id IN ({marks(track_ids)})"
        return dict(self._database.select(query, (listener_id, *track_ids)))

    def page(self, listener_id: str, *, offset: int, limit: int) -> list[Favourite]:
        """Some of a listener's, the latest first."""
        query = """SELECT track_id, at_ms FROM favourites WHERE listener_id = ?
            ORDER BY at_ms DESC, track_id LIMIT ? OFFSET ?"""
        return [Favourite(*row) for row in self._database.select(query, (listener_id, limit, offset))]

    def count(self, listener_id: str) -> int:
        """How many a listener has."""
        query = "SELECT count(*) FROM favourites WHERE listener_id = ?"
        return int(self._database.select(query, (listener_id,))[0][0])

    def export(self, listener_id: str) -> list[dict[str, object]]:
        """All that a listener has."""
        query = "SELECT track_id, at_ms FROM favourites WHERE listener_id = ? ORDER BY at_ms, track_id"
        return [{"track_id": row[0], "at_ms": row[1]} for row in self._database.select(query, (listener_id,))]
