"""Where listeners stopped: the queue of one, to go on with on another device. A table of the listeners' database."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from catalog.listener_database import ListenerDatabase, Migrations

QUEUE_MAX = 1_000  # tracks
CHANGED_BY_CHARS_MAX = 100
PLAY_QUEUES = Migrations(
    name="play queues",
    steps=(
        """CREATE TABLE play_queues (
            listener_id TEXT PRIMARY KEY REFERENCES listeners ON DELETE CASCADE, track_ids TEXT NOT NULL,
            current TEXT NOT NULL, position_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL, changed_by TEXT NOT NULL
        ) WITHOUT ROWID""",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayQueue:
    """The tracks, the one that plays and where in it, and what player saved that, and when."""

    track_ids: Sequence[str]
    current: str
    position_ms: int
    changed_ms: int
    changed_by: str


class PlayQueues:
    """The queues of all listeners, one each. Calls block for a moment. Safe to use from several threads and processes
    at once. Raises CatalogError."""

    def __init__(self, database: ListenerDatabase) -> None:
        database.migrate(PLAY_QUEUES)
        self._database = database

    def save(self, listener_id: str, queue: PlayQueue) -> None:
        """In the place of the one before; an empty one is none."""
        with self._database.writing(listener_id) as db:
            db.execute("DELETE FROM play_queues WHERE listener_id = ?", (listener_id,))
            if queue.track_ids:
                values = (queue.current, queue.position_ms, queue.changed_ms, queue.changed_by[:CHANGED_BY_CHARS_MAX])
                ids = json.dumps(list(queue.track_ids[:QUEUE_MAX]))
                db.execute("INSERT INTO play_queues VALUES (?, ?, ?, ?, ?, ?)", (listener_id, ids, *values))

    def of(self, listener_id: str) -> PlayQueue | None:
        """The queue of a listener, if it has one."""
        query = "SELECT track_ids, current, position_ms, changed_ms, changed_by FROM play_queues WHERE listener_id = ?"
        for ids, current, position_ms, changed_ms, changed_by in self._database.select(query, (listener_id,)):
            return PlayQueue(
                track_ids=json.loads(ids),
                current=current,
                position_ms=position_ms,
                changed_ms=changed_ms,
                changed_by=changed_by,
            )
        return None
