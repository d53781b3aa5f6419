"""What listeners played: events as they came, the plays that they are of, and how often each track was heard.

Tables of the listeners' database. Whatever is written about plays is written by `Plays.add`, in one transaction, and
only for listeners who agreed. An event that is there already changes nothing, so a batch may be sent again whenever it
is not known whether it arrived.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, NamedTuple

from catalog.listener_database import ListenerDatabase, Migrations, Writer
from catalog.statements import marks

PAGE = 5_000  # rows held at a time
DAY_MS = 86_400_000
HALF_LIVES = 10  # what was heard before so many counts for nothing: less than a thousandth

PLAYS = Migrations(
    name="plays",
    steps=(
        """CREATE TABLE consents (
            listener_id TEXT PRIMARY KEY REFERENCES listeners ON DELETE CASCADE, at_ms INTEGER NOT NULL
        ) WITHOUT ROWID""",
        """CREATE TABLE play_events (
            listener_id TEXT NOT NULL REFERENCES consents ON DELETE CASCADE, play_id TEXT NOT NULL,
            event_id TEXT NOT NULL, track_id TEXT NOT NULL, kind TEXT NOT NULL, at_ms INTEGER NOT NULL,
            position_ms INTEGER NOT NULL, played_ms INTEGER NOT NULL, source TEXT NOT NULL, reason TEXT NOT NULL,
            listened INTEGER NOT NULL, skipped INTEGER NOT NULL, PRIMARY KEY (listener_id, play_id, event_id)
        ) WITHOUT ROWID""",
        """CREATE TABLE heard (
            listener_id TEXT NOT NULL REFERENCES consents ON DELETE CASCADE, track_id TEXT NOT NULL,
            listens INTEGER NOT NULL, skips INTEGER NOT NULL, last_played_ms INTEGER NOT NULL,
            PRIMARY KEY (listener_id, track_id)
        ) WITHOUT ROWID""",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayRow:
    """An event to be kept, and what it says of its play. Ids of events differ within one play, those of plays within
    one listener."""

    listener_id: str
    play_id: str
    event_id: str
    track_id: str
    kind: str
    at_ms: int
    position_ms: int
    played_ms: int
    source: str
    reason: str
    listened: bool
    skipped: bool


class Heard(NamedTuple):
    """How often a listener heard a track and how often it skipped it, and when that was last."""

    listener_id: str
    track_id: str
    listens: int
    skips: int
    last_played_ms: int


@dataclass(frozen=True, slots=True)
class Play:
    """One time that a track was played, from its first to its last event, and how much of it was heard."""

    play_id: str
    track_id: str
    began_ms: int
    last_ms: int
    played_ms: int
    listened: bool
    skipped: bool
    source: str


IMPORTED = "import"  # the kind of events that an operator brought from elsewhere: kept however old they are
_AGREED = "SELECT listener_id FROM consents WHERE listener_id IN ({})"
_FIELDS = attrgetter(*(field.name for field in fields(PlayRow)))
_ADD_EVENT = f"INSERT INTO play_events VALUES ({marks(fields(PlayRow))}) ON CONFLICT DO NOTHING"
_ENDS = """WITH asked (listener_id, play_id) AS (VALUES {})
    SELECT listener_id, play_id, track_id, max(listened), max(skipped) FROM asked
    JOIN play_events USING (listener_id, play_id) GROUP BY listener_id, play_id, track_id"""
_KNOWN = """WITH asked (listener_id, play_id, event_id) AS (VALUES {})
    SELECT listener_id, play_id, event_id FROM asked JOIN play_events USING (listener_id, play_id, event_id)"""
_ADD_HEARD = """INSERT INTO heard VALUES (?, ?, ?, ?, ?) ON CONFLICT (listener_id, track_id) DO UPDATE SET
    listens = heard.listens + excluded.listens, skips = heard.skips + excluded.skips,
    last_played_ms = CASE WHEN excluded.last_played_ms > heard.last_played_ms THEN excluded.last_played_ms
        ELSE heard.last_played_ms END"""
_HISTORY = """SELECT play_id, track_id, min(at_ms), max(at_ms), max(played_ms), max(listened),
    CASE WHEN max(listened) = 1 THEN 0 ELSE max(skipped) END, max(source) FROM play_events WHERE listener_id = ?
    GROUP BY play_id, track_id ORDER BY min(at_ms) DESC, play_id, track_id LIMIT ? OFFSET ?"""
_PAGE_OF_EVENTS = """SELECT listener_id, play_id, event_id, at_ms, kind FROM play_events
    WHERE (listener_id, play_id, event_id) > (?, ?, ?) ORDER BY listener_id, play_id, event_id LIMIT ?"""
_DROP_EVENT = "DELETE FROM play_events WHERE listener_id = ? AND play_id = ? AND event_id = ?"


class Plays:
    """The tables of plays. Every call blocks for a moment: call it through asyncio.to_thread. Safe to use from several
    threads and processes at once. Raises CatalogError."""

    def __init__(self, database: ListenerDatabase, *, migrate: bool = True) -> None:
        """In a database that stays the caller's to close, and that may have its tables already."""
        self._database = database
        if migrate:
            database.migrate(PLAYS)

    def add(self, rows: Sequence[PlayRow]) -> frozenset[str]:
        """Keep events, all or none; they are on the disk when this returns. Those of listeners who did not agree are
        thrown away: whose that was."""
        asked = frozenset(row.listener_id for row in rows)
        with self._database.writing(*asked) as db:
            agreed = {found[0] for found in db.execute(_AGREED.format(marks(asked)), [*asked])}
            kept = [row for row in rows if row.listener_id in agreed]
            db.executemany(_ADD_EVENT, [_event(row) for row in kept if not (row.listened or row.skipped)])
            heard = _add_heard(db, [row for row in kept if row.listened or row.skipped])
            db.executemany(_ADD_HEARD, heard)
        return asked - agreed

    def consented_at_ms(self, listener_id: str) -> int | None:
        """When a listener agreed; None if it did not."""
        found = self._database.select("SELECT at_ms FROM consents WHERE listener_id = ?", (listener_id,))
        return int(found[0][0]) if found else None

    def consent(self, listener_id: str, *, at_ms: int) -> None:
        """A listener agrees. Who agreed before did so then."""
        with self._database.writing(listener_id) as db:
            db.execute("INSERT INTO consents VALUES (?, ?) ON CONFLICT DO NOTHING", (listener_id, at_ms))

    def withdraw(self, listener_id: str) -> None:
        """A listener agrees no more: all that was kept of its plays goes, counts too, and is overwritten on disk."""
        with self._database.writing(listener_id) as db:
            db.execute("DELETE FROM consents WHERE listener_id = ?", (listener_id,))
        self._database.overwrite()

    def history(self, listener_id: str, *, limit: int, offset: int = 0) -> list[Play]:
        """The last plays of a listener, by when they began, the latest first."""
        found = self._database.select(_HISTORY, (listener_id, limit, offset))
        return [_play(*row) for row in found]

    def heard(self, listener_id: str, *, limit: int = 500) -> list[Heard]:
        """The tracks that a listener played, the last played first."""
        query = "SELECT * FROM heard WHERE listener_id = ? ORDER BY last_played_ms DESC, track_id LIMIT ?"
        return [Heard._make(row) for row in self._database.select(query, (listener_id, limit))]

    def heard_among(self, listener_id: str, track_ids: Sequence[str]) -> list[Heard]:
        """Those of some tracks that a listener played."""
        query = f"SELECT * FROM heard WHERE listener_id = ? AND track_id IN ({marks(track_ids)}) ORDER BY track_id"
        return [Heard._make(row) for row in self._database.select(query, (listener_id, *track_ids))]

    def all_plays(self) -> Iterator[tuple[str, str, int, int]]:
        """Listener, track, listens and the last time, of all that was listened to, by listener and track; a page at a
        time, so that a writer may go on meanwhile."""
        after = ("", "")
        query = "SELECT * FROM heard WHERE (listener_id, track_id) > (?, ?) ORDER BY listener_id, track_id LIMIT ?"
        while page := self._database.select(query, (*after, PAGE)):
            for listener_id, track_id, listens, _, last_ms in page:
                if listens:
                    yield listener_id, track_id, listens, last_ms
            after = page[-1][:2]

    def popularity(self, *, now_ms: int, half_life_days: float) -> dict[str, float]:
        """How popular tracks are. Each listener counts with the logarithm of its listens, so that nobody makes a track
        popular alone, and half as much for every half-life since it last played it."""
        weights: dict[str, float] = {}
        half_life_ms = half_life_days * DAY_MS
        for _, track_id, listens, last_ms in self.all_plays():
            age = max(0.0, (now_ms - last_ms) / half_life_ms)
            if age < HALF_LIVES:
                weights[track_id] = weights.get(track_id, 0.0) + math.log1p(listens) * 0.5**age
        return weights

    def prune(self, *, before_ms: int) -> int:
        """Drop the events before a moment, and so the plays that ended before it; how many. Counts stay, and so do
        imported events: they can be told from others that come again only as long as they are there.

        A page at a time by primary key: no index has to be kept for it, and no writer waits for longer than that.
        """
        dropped, after = 0, ("", "", "")
        while page := self._database.select(_PAGE_OF_EVENTS, (*after, PAGE)):
            old = [row[:3] for row in page if row[3] < before_ms and row[4] != IMPORTED]
            if old:
                with self._database.writing(*{row[0] for row in old}) as db:
                    dropped += db.executemany(_DROP_EVENT, old).rowcount
            after = page[-1][:3]
        return dropped


def _play(
    play_id: str, track_id: str, began_ms: int, last_ms: int, played_ms: int, listened: int, skipped: int, source: str
) -> Play:
    return Play(play_id, track_id, began_ms, last_ms, played_ms, bool(listened), bool(skipped), source)


def _event(row: PlayRow) -> list[object]:
    """A row of the table of events."""
    return [int(each) if isinstance(each, bool) else each for each in _FIELDS(row)]


def _add_heard(db: Writer, rows: Sequence[PlayRow]) -> list[tuple[str, str, int, int, int]]:
    """Add events that say how their play ends; what they change in the counts. A few questions for all of them: a
    server may be far away."""
    plays: dict[tuple[str, str, str], dict[str, PlayRow]] = {}
    for row in rows:
        plays.setdefault((row.listener_id, row.play_id, row.track_id), {}).setdefault(row.event_id, row)
    of_plays = [*{key[:2] for key in plays}]
    ends = {(*key,): (listened, skipped) for *key, listened, skipped in _among(db, _ENDS, of_plays)}
    known = {*_among(db, _KNOWN, [(*key[:2], event_id) for key, told in plays.items() for event_id in told])}
    heard, added = [], []
    for key, told in plays.items():
        new = [row for event_id, row in told.items() if (*key[:2], event_id) not in known]
        known.update((*key[:2], row.event_id) for row in new)
        added += new
        if new:
            listened, skipped = ends.get(key, (0, 0))
            before = _counted(listened, skipped)
            after = _counted(listened or any(row.listened for row in new), skipped or any(row.skipped for row in new))
            last_ms = max(row.at_ms for row in new)
            heard.append((key[0], key[2], after[0] - before[0], after[1] - before[1], last_ms))
    db.executemany(_ADD_EVENT, map(_event, added))
    return heard


def _among(db: Writer, query: str, keys: Sequence[tuple[str, ...]]) -> list[tuple[Any, ...]]:
    """What a query finds of these keys."""
    if not keys:
        return []
    row = f"({marks(keys[0])})"
    return [*db.execute(query.format(", ".join([row] * len(keys))), [each for key in keys for each in key])]


def _counted(listened: object, skipped: object) -> tuple[int, int]:
    """The listens and skips that a play counts for: one, the other or none."""
    return int(bool(listened)), int(bool(skipped and not listened))
