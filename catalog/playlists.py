"""The playlists that listeners keep: tables of the listeners' database, which nothing can make again.

An entry names a track and keeps what it was called, so that it can be shown when the track is gone; an entry whose
track was never found has no track at all. Entries stand at positions with gaps between, so to move one writes one row;
when a gap is used up, all of the playlist are spread anew.

Every change of a playlist gives it the next version. Who names the version that they saw changes that one or nothing.
"""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from catalog.listener_database import ListenerDatabase, Migrations, Writer, new_id
from catalog.statements import marks
from model.errors import PlaylistChanged, PlaylistRefused, PlaylistUnknown

PLAYLISTS_MAX = 1_000  # of one listener
ENTRIES_MAX = 10_000  # of one playlist
READERS_MAX = 1_000  # invited to one playlist; and as many playlists that one listener follows
GAP = 1 << 32  # between two entries: 32 moves to the same place until they are spread anew
_POSITION_END = 1 << 62

PLAYLISTS = Migrations(
    name="playlists",
    steps=(
        """CREATE TABLE playlists (
            playlist_id TEXT PRIMARY KEY, listener_id TEXT NOT NULL REFERENCES listeners ON DELETE CASCADE,
            name TEXT NOT NULL, comment TEXT NOT NULL, public INTEGER NOT NULL, rules TEXT NOT NULL,
            version INTEGER NOT NULL, entries INTEGER NOT NULL, entry_last INTEGER NOT NULL,
            created_s INTEGER NOT NULL, changed_s INTEGER NOT NULL
        ) WITHOUT ROWID""",
        "CREATE INDEX playlists_by_listener ON playlists (listener_id)",
        """CREATE TABLE playlist_entries (
            playlist_id TEXT NOT NULL REFERENCES playlists ON DELETE CASCADE, position INTEGER NOT NULL,
            entry_id INTEGER NOT NULL, track_id TEXT NOT NULL, title TEXT NOT NULL, artist TEXT NOT NULL,
            album TEXT NOT NULL, track_number INTEGER, duration_s REAL, uris TEXT NOT NULL,
            PRIMARY KEY (playlist_id, position)
        ) WITHOUT ROWID""",
        "CREATE UNIQUE INDEX playlist_entries_by_id ON playlist_entries (playlist_id, entry_id)",
        """CREATE TABLE playlist_readers (
            playlist_id TEXT NOT NULL REFERENCES playlists ON DELETE CASCADE,
            listener_id TEXT NOT NULL REFERENCES listeners ON DELETE CASCADE,
            invited INTEGER NOT NULL, PRIMARY KEY (playlist_id, listener_id)
        ) WITHOUT ROWID""",
        "CREATE INDEX playlist_readers_by_listener ON playlist_readers (listener_id)",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaylistRow:
    """A playlist without its entries. One with `rules` has none: rules choose its tracks."""

    playlist_id: str
    listener_id: str  # whose it is
    name: str
    comment: str
    public: bool
    rules: str
    version: int
    entries: int
    created_s: int
    changed_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """An entry. `track_id` is empty where no track was found; the names are those of when it was added."""

    entry_id: int = 0  # given when it is added
    track_id: str
    title: str = ""
    artist: str = ""
    album: str = ""
    track_number: int | None = None
    duration_s: float | None = None
    uris: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaylistChange:
    """What is changed about a playlist; None stays as it is."""

    name: str | None = None
    comment: str | None = None
    public: bool | None = None
    rules: str | None = None


_COLUMNS = "playlist_id, listener_id, name, comment, public, rules, version, entries, created_s, changed_s"
_ENTRY = "entry_id, track_id, title, artist, album, track_number, duration_s, uris"
_READABLE = """(p.public = 1 OR p.listener_id = ? OR EXISTS (SELECT 1 FROM playlist_readers AS r
    WHERE r.invited = 1 AND r.playlist_id = p.playlist_id AND r.listener_id = ?))"""
_LISTED = f"""FROM playlists AS p WHERE p.listener_id = ? OR p.playlist_id IN
    (SELECT playlist_id FROM playlist_readers WHERE listener_id = ?) AND {_READABLE}"""


class Playlists:
    """The playlists in a database of listeners.

    Every call blocks for a moment: call it through asyncio.to_thread. Safe to use from several threads at once. Raises
    PlaylistUnknown, PlaylistChanged, PlaylistRefused; ListenerDataError.
    """

    def __init__(self, database: ListenerDatabase) -> None:
        self._database = database
        database.migrate(PLAYLISTS)

    def create(
        self,
        listener_id: str,
        *,
        name: str,
        comment: str = "",
        public: bool = False,
        rules: str = "",
        entries: Sequence[EntryRow] = (),
    ) -> PlaylistRow:
        """A new playlist of a listener's."""
        playlist_id, now_s = new_id(), int(time.time())
        with self._database.writing(listener_id) as db:
            _listener(db, listener_id)
            (owned,) = db.execute("SELECT count(*) FROM playlists WHERE listener_id = ?", (listener_id,)).fetchone()
            if owned >= PLAYLISTS_MAX:
                raise PlaylistRefused(f"a listener has at most {PLAYLISTS_MAX} playlists", hint="delete some first")
            values = (playlist_id, listener_id, name, comment, int(public), rules, 1, 0, 0, now_s, now_s)
            db.execute(f"INSERT INTO playlists VALUES ({marks(values)})", values)
            _insert(db, playlist_id, entries, before=None)
            _count(db, playlist_id)
            return _owned(db, playlist_id, listener_id)

    def get(self, playlist_id: str, reader: str | None) -> PlaylistRow:
        """The playlist, if this listener (None: anybody) may read it: it is public, theirs, or they were invited."""
        query = f"SELECT {_COLUMNS} FROM playlists AS p WHERE playlist_id = ? AND {_READABLE}"
        found = self._database.select(query, (playlist_id, reader, reader))
        if not found:
            raise _unknown(playlist_id)
        return _row(found[0])

    def listed(self, reader: str, *, offset: int = 0, limit: int = PLAYLISTS_MAX) -> list[PlaylistRow]:
        """The playlists of a listener, and those of others that they follow or were invited to, by name."""
        query = f"SELECT {_COLUMNS} {_LISTED} ORDER BY lower(p.name), p.playlist_id LIMIT ? OFFSET ?"
        return [_row(found) for found in self._database.select(query, (*(reader,) * 4, limit, offset))]

    def count(self, reader: str) -> int:
        """How many `listed` has in all."""
        count: int = self._database.select(f"SELECT count(*) {_LISTED}", (reader,) * 4)[0][0]
        return count

    def entries(self, playlist_id: str, *, offset: int = 0, limit: int = ENTRIES_MAX) -> list[EntryRow]:
        """The entries of a playlist, in their order."""
        query = f"SELECT {_ENTRY} FROM playlist_entries WHERE playlist_id = ? ORDER BY position LIMIT ? OFFSET ?"
        return [_entry(found) for found in self._database.select(query, (playlist_id, limit, offset))]

    def change(
        self,
        playlist_id: str,
        owner: str,
        what: PlaylistChange,
        *,
        entries: Sequence[EntryRow] | None = None,
        version: int | None = None,
    ) -> int:
        """Change names, rules, whether it is public, and have these entries instead of all that there are; its new
        version. What has entries gets no rules, and what has rules keeps some."""
        with self._changing(playlist_id, owner, version, ordered=entries is not None) as (db, row):
            rules = row.rules if what.rules is None else what.rules
            if bool(rules) is not bool(row.rules):
                raise PlaylistRefused("a playlist has either rules or entries", subject=playlist_id)
            name = row.name if what.name is None else what.name
            comment = row.comment if what.comment is None else what.comment
            public = row.public if what.public is None else what.public
            values = (name, comment, int(public), rules, playlist_id)
            db.execute(
                "UPDATE playlists SET name = ?, comment = ?, public = ?, rules = ? WHERE playlist_id = ?", values
            )
            if entries is not None:
                db.execute("DELETE FROM playlist_entries WHERE playlist_id = ?", (playlist_id,))
                _insert(db, playlist_id, entries, before=None)
        return row.version + 1

    def add(
        self,
        playlist_id: str,
        owner: str,
        entries: Sequence[EntryRow],
        *,
        before: int | None = None,
        version: int | None = None,
    ) -> tuple[list[int], int]:
        """Add entries before another one (None: at the end); their ids, and the new version."""
        with self._changing(playlist_id, owner, version, ordered=True) as (db, row):
            return _insert(db, playlist_id, entries, before=before), row.version + 1

    def remove(self, playlist_id: str, owner: str, entry_ids: Iterable[int], *, version: int | None = None) -> int:
        """Take entries out, all or none; its new version."""
        with self._changing(playlist_id, owner, version, ordered=True) as (db, row):
            for entry_id in entry_ids:
                _position(db, playlist_id, entry_id)
                where = "WHERE playlist_id = ? AND entry_id = ?"
                db.execute(f"DELETE FROM playlist_entries {where}", (playlist_id, entry_id))
        return row.version + 1

    def move(
        self, playlist_id: str, owner: str, entry_id: int, *, before: int | None, version: int | None = None
    ) -> int:
        """Move an entry before another one (None: to the end); its new version."""
        with self._changing(playlist_id, owner, version, ordered=True) as (db, row):
            position = _position(db, playlist_id, entry_id)
            if entry_id != before:
                (position,) = _places(db, playlist_id, before, 1)
            db.execute(
                "UPDATE playlist_entries SET position = ? WHERE playlist_id = ? AND entry_id = ?",
                (position, playlist_id, entry_id),
            )
        return row.version + 1

    def delete(self, playlist_id: str, owner: str, *, version: int | None = None) -> None:
        """Delete a playlist with all that belongs to it."""
        with self._changing(playlist_id, owner, version) as (db, _):
            db.execute("DELETE FROM playlists WHERE playlist_id = ?", (playlist_id,))

    def invite(self, playlist_id: str, owner: str, reader: str) -> None:
        """Let another listener read a playlist, public or not; it is in their list. Again is no error."""
        with self._database.writing(owner, reader) as db:
            _owned(db, playlist_id, owner)
            _listener(db, reader)
            _limit(db, "playlist_id = ? AND invited = 1", playlist_id)
            _read_by(db, playlist_id, reader, invited=True)

    def follow(self, playlist_id: str, reader: str) -> None:
        """Have another's public playlist in one's own list. Again is no error."""
        with self._database.writing(reader) as db:
            found = db.execute(
                f"SELECT 1 FROM playlists AS p WHERE playlist_id = ? AND {_READABLE}", (playlist_id, reader, reader)
            ).fetchone()
            if not found:
                raise _unknown(playlist_id)
            _limit(db, "listener_id = ? AND invited = 0", reader)
            _read_by(db, playlist_id, reader, invited=False)

    def part(self, playlist_id: str, by: str, reader: str) -> None:
        """Take a reader away: the owner takes any, a reader themselves. Again is no error."""
        with self._database.writing(by) as db:
            if by != reader:
                _owned(db, playlist_id, by)
            where = "WHERE playlist_id = ? AND listener_id = ?"
            db.execute(f"DELETE FROM playlist_readers {where}", (playlist_id, reader))

    @contextmanager
    def _changing(
        self, playlist_id: str, owner: str, version: int | None, *, ordered: bool = False
    ) -> Iterator[tuple[Writer, PlaylistRow]]:
        """A change of the owner's to this version; of entries, if `ordered`."""
        with self._database.writing(owner) as db:
            row = _owned(db, playlist_id, owner)
            if version is not None and version != row.version:
                raise PlaylistChanged(f"it is at version {row.version} now", subject=playlist_id)
            if ordered and row.rules:
                raise PlaylistRefused("rules make this playlist", subject=playlist_id, hint="change its rules")
            yield db, row
            db.execute(
                "UPDATE playlists SET version = version + 1, changed_s = ? WHERE playlist_id = ?",
                (int(time.time()), playlist_id),
            )
            _count(db, playlist_id)


def _owned(db: Writer, playlist_id: str, owner: str) -> PlaylistRow:
    """A playlist of this owner's; what is somebody else's is as unknown as what is not there."""
    query = f"SELECT {_COLUMNS} FROM playlists WHERE playlist_id = ? AND listener_id = ?"
    found = db.execute(query, (playlist_id, owner)).fetchone()
    if found is None:
        raise _unknown(playlist_id)
    return _row(found)


def _listener(db: Writer, listener_id: str) -> None:
    if not db.execute("SELECT 1 FROM listeners WHERE listener_id = ?", (listener_id,)).fetchone():
        raise PlaylistRefused("no such listener", subject=listener_id)


def _unknown(playlist_id: str) -> PlaylistUnknown:
    return PlaylistUnknown("no such playlist", subject=playlist_id)


def _row(found: Sequence[Any]) -> PlaylistRow:
    names = _COLUMNS.split(", ")
    known = dict(zip(names, found, strict=True))
    return PlaylistRow(**(known | {"public": bool(known["public"])}))


def _entry(found: Sequence[Any]) -> EntryRow:
    known = dict(zip(_ENTRY.split(", "), found, strict=True))
    return EntryRow(**(known | {"uris": tuple(json.loads(known["uris"]))}))


def _insert(db: Writer, playlist_id: str, entries: Sequence[EntryRow], *, before: int | None) -> list[int]:
    """Write entries with new ids: one that was taken out is never another one later."""
    query = "SELECT count(*) FROM playlist_entries WHERE playlist_id = ?"
    (already,) = db.execute(query, (playlist_id,)).fetchone()
    if already + len(entries) > ENTRIES_MAX:
        raise PlaylistRefused(f"a playlist has at most {ENTRIES_MAX} entries", subject=playlist_id)
    (last,) = db.execute("SELECT entry_last FROM playlists WHERE playlist_id = ?", (playlist_id,)).fetchone()
    entry_ids = list(range(last + 1, last + 1 + len(entries)))
    rows = [
        (
            playlist_id, position, entry_id, entry.track_id, entry.title, entry.artist, entry.album,
            entry.track_number, entry.duration_s, json.dumps(entry.uris),
        )
        for position, entry_id, entry in zip(
            _places(db, playlist_id, before, len(entries)), entry_ids, entries, strict=True
        )
    ]  # fmt: skip
    db.executemany("INSERT INTO playlist_entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    values = (last + len(entries), playlist_id)
    db.execute("UPDATE playlists SET entry_last = ? WHERE playlist_id = ?", values)
    return entry_ids


def _places(db: Writer, playlist_id: str, before: int | None, count: int) -> list[int]:
    """Free positions, one after the other, before an entry or at the end; entries are spread if there is no room."""
    for _ in range(2):
        after, end = _room(db, playlist_id, before, count)
        step = (end - after) // (count + 1)
        if step and end < _POSITION_END:
            return [after + step * n for n in range(1, count + 1)]
        _spread(db, playlist_id)
    raise AssertionError("entries that were just spread have room between them")


def _room(db: Writer, playlist_id: str, before: int | None, count: int) -> tuple[int, int]:
    """The positions that what is inserted comes after, and before."""
    end = None if before is None else _position(db, playlist_id, before)
    query = "SELECT max(position) FROM playlist_entries WHERE playlist_id = ? AND position < ?"
    (after,) = db.execute(query, (playlist_id, _POSITION_END if end is None else end)).fetchone()
    after = after or 0
    return after, after + GAP * (count + 1) if end is None else end


def _spread(db: Writer, playlist_id: str) -> None:
    query = "SELECT entry_id FROM playlist_entries WHERE playlist_id = ? ORDER BY position"
    entry_ids = [entry_id for (entry_id,) in db.execute(query, (playlist_id,))]
    # By way of negative ones: no two may stand at one position, not even for a moment.
    spread = [(-GAP * n, playlist_id, entry_id) for n, entry_id in enumerate(entry_ids, 1)]
    db.executemany("UPDATE playlist_entries SET position = ? WHERE playlist_id = ? AND entry_id = ?", spread)
    db.execute("UPDATE playlist_entries SET position = -position WHERE playlist_id = ?", (playlist_id,))


def _position(db: Writer, playlist_id: str, entry_id: int) -> int:
    query = "SELECT position FROM playlist_entries WHERE playlist_id = ? AND entry_id = ?"
    found = db.execute(query, (playlist_id, entry_id)).fetchone()
    if found is None:
        raise PlaylistRefused("no such entry", subject=f"{playlist_id} {entry_id}")
    position: int = found[0]
    return position


def _count(db: Writer, playlist_id: str) -> None:
    query = "(SELECT count(*) FROM playlist_entries WHERE playlist_id = ?)"
    db.execute(f"UPDATE playlists SET entries = {query} WHERE playlist_id = ?", (playlist_id, playlist_id))


def _limit(db: Writer, where: str, subject: str) -> None:
    (readers,) = db.execute(f"SELECT count(*) FROM playlist_readers WHERE {where}", (subject,)).fetchone()
    if readers >= READERS_MAX:
        raise PlaylistRefused(f"there are {READERS_MAX} already", subject=subject)


def _read_by(db: Writer, playlist_id: str, reader: str, *, invited: bool) -> None:
    db.execute(
        """INSERT INTO playlist_readers VALUES (?, ?, ?) ON CONFLICT (playlist_id, listener_id) DO UPDATE SET
            invited = CASE WHEN excluded.invited = 1 THEN 1 ELSE playlist_readers.invited END""",
        (playlist_id, reader, int(invited)),
    )
