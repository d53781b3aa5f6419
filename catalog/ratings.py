"""How many stars listeners gave to songs, albums and artists: 1 to 5. A table of the listeners' database."""

from collections.abc import Sequence

from catalog.listener_database import ListenerDatabase, Migrations
from catalog.statements import marks

RATINGS_MAX = 50_000  # of one listener
BEST = 5
RATINGS = Migrations(
    name="ratings",
    steps=(
        """CREATE TABLE ratings (
            listener_id TEXT NOT NULL REFERENCES listeners ON DELETE CASCADE, item_id TEXT NOT NULL,
            rating INTEGER NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (listener_id, item_id)
        ) WITHOUT ROWID""",
    ),
)


class Ratings:
    """The ratings of all listeners. Calls block for a moment. Safe to use from several threads and processes at once.
    Raises CatalogError."""

    def __init__(self, database: ListenerDatabase) -> None:
        database.migrate(RATINGS)
        self._database = database

    def rate(self, listener_id: str, item_id: str, rating: int, *, at_ms: int) -> bool:
        """Give so many stars, 0 for none any more. False if the listener has rated RATINGS_MAX others."""
        if not 0 <= rating <= BEST:
            raise ValueError(f"a rating is from 0 to {BEST}, not {rating}")
        with self._database.writing(listener_id) as db:
            db.execute("DELETE FROM ratings WHERE listener_id = ? AND item_id = ?", (listener_id, item_id))
            if rating:
                count = db.execute("SELECT count(*) FROM ratings WHERE listener_id = ?", (listener_id,)).fetchone()[0]
                if count >= RATINGS_MAX:
                    return False
                db.execute("INSERT INTO ratings VALUES (?, ?, ?, ?)", (listener_id, item_id, rating, at_ms))
        return True

    def among(self, listener_id: str, item_ids: Sequence[str]) -> dict[str, int]:
        """The ratings of those of some that have one."""
        query = f"SELECT item_id, rating FROM ratings WHERE listener_id = ? AND item_id IN ({marks(item_ids)})"
        return dict(self._database.select(query, (listener_id, *item_ids)))

    def rated(self, listener_id: str) -> list[tuple[str, int, int]]:
        """All that a listener rated, how many stars each has, and since when, in ms."""
        query = "SELECT item_id, rating, at_ms FROM ratings WHERE listener_id = ?"
        return [(str(item), stars, at_ms) for item, stars, at_ms in self._database.select(query, (listener_id,))]

    def best(self, listener_id: str, limit: int) -> list[str]:
        """What a listener rated highest, of equals the latest first."""
        query = "SELECT item_id FROM ratings WHERE listener_id = ? ORDER BY rating DESC, at_ms DESC, item_id LIMIT ?"
        return [str(found[0]) for found in self._database.select(query, (listener_id, limit))]
