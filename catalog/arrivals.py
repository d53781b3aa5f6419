"""What was seen in watched folders, and what of it has arrived. However much it is: it lies in a temporary file without
a name, which is gone with the process, and not in memory. Nothing is written for what did not change."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from catalog.database import Temporary
from catalog.schema import Schema
from catalog.statements import marks

ARRIVALS = Schema(
    application_id=0x53654172,  # "SeAr"
    version=1,
    tables=(
        """CREATE TABLE files (
            folder BLOB, name BLOB, state BLOB NOT NULL, since REAL NOT NULL, source INTEGER NOT NULL,
            given INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (folder, name)
        ) WITHOUT ROWID""",
        "CREATE TABLE busy (folder BLOB PRIMARY KEY, since REAL NOT NULL) WITHOUT ROWID",
        "CREATE TABLE arrived (turn INTEGER, name BLOB, folder BLOB NOT NULL, PRIMARY KEY (turn, name)) WITHOUT ROWID",
    ),
)
_ROWS = 500  # at once
_READY = "folder = ? AND source AND NOT given AND since <= ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSeen:
    """What is in a folder: how many files, how many of them are sources, and when the last of all changed."""

    files: int
    sources: int
    changed: float


class ArrivalTable:
    """Files by folder and name, with the `state` that each is in `since` it was first seen so. A state is `given` once.

    Every call blocks for a moment. Raises CatalogError.
    """

    def __init__(self) -> None:
        self._database = Temporary(ARRIVALS, what="what was seen in watched folders")

    def close(self) -> None:
        """Forget all. Idempotent."""
        self._database.close()

    def see(self, folder: bytes, files: Mapping[bytes, tuple[bytes, bool]], now: float) -> None:
        """Files of a folder as they are now: by name, the state, and whether it is a source. At most _ROWS."""
        query = f"SELECT name, state FROM files WHERE folder = ? AND name IN ({marks(files)})"
        known = dict(self._database.select(query, (folder, *files)))
        changed = [(folder, name, *each, now) for name, each in files.items() if known.get(name) != each[0]]
        if changed:
            with self._database.writing() as db:
                query = "INSERT OR REPLACE INTO files (folder, name, state, source, since) VALUES (?, ?, ?, ?, ?)"
                db.executemany(query, changed)

    def seen(self, folder: bytes) -> FolderSeen:
        """What is known of a folder."""
        query = "SELECT count(*), ifnull(sum(source), 0), ifnull(max(since), 0.0) FROM files WHERE folder = ?"
        files, sources, changed = self._database.select(query, (folder,))[0]
        return FolderSeen(files=files, sources=sources, changed=changed)

    def names(self, folder: bytes) -> Iterator[list[bytes]]:
        """Those that are known in a folder, some at a time."""
        query = "SELECT name FROM files WHERE folder = ? AND name > ? ORDER BY name LIMIT ?"
        last = b""
        while found := [name for (name,) in self._database.select(query, (folder, last, _ROWS))]:
            yield found
            last = found[-1]

    def folders(self) -> Iterator[bytes]:
        """All in which there is something, in order."""
        last: bytes | None = b""
        while last := self._database.select("SELECT min(folder) FROM files WHERE folder > ?", (last,))[0][0]:
            yield last

    def forget(self, folder: bytes, names: Iterable[bytes] | None = None) -> None:
        """Forget what vanished from a folder; without names, the folder."""
        with self._database.writing() as db:
            if names is None:
                db.execute("DELETE FROM files WHERE folder = ?", (folder,))
                db.execute("DELETE FROM busy WHERE folder = ?", (folder,))
            else:
                db.executemany("DELETE FROM files WHERE folder = ? AND name = ?", ((folder, name) for name in names))

    def busy_since(self, folder: bytes, now: float) -> float:
        """When a folder began to be busy, which it is now."""
        with self._database.writing() as db:
            db.execute("INSERT OR IGNORE INTO busy VALUES (?, ?)", (folder, now))
        return float(self._database.select("SELECT since FROM busy WHERE folder = ?", (folder,))[0][0])

    def calm(self, folder: bytes) -> None:
        """A folder is not busy any more."""
        if self._database.select("SELECT 1 FROM busy WHERE folder = ?", (folder,)):
            with self._database.writing() as db:
                db.execute("DELETE FROM busy WHERE folder = ?", (folder,))

    def give(self, folder: bytes, turn: int, before: float) -> None:
        """The sources of a folder that did not change from then on arrive, each state once."""
        if self._database.select(f"SELECT 1 FROM files WHERE {_READY} LIMIT 1", (folder, before)):
            with self._database.writing() as db:
                query = f"INSERT INTO arrived SELECT ?, name, folder FROM files WHERE {_READY}"
                db.execute(query, (turn, folder, before))
                db.execute(f"UPDATE files SET given = 1 WHERE {_READY}", (folder, before))

    def count(self) -> int:
        """How many have arrived."""
        return int(self._database.select("SELECT count(*) FROM arrived")[0][0])

    def arrived(self) -> Iterator[tuple[bytes, bytes]]:
        """They, as folder and name: by turn, then by name."""
        query = "SELECT turn, name, folder FROM arrived WHERE (turn, name) > (?, ?) ORDER BY turn, name LIMIT ?"
        place = (-1, b"")
        while found := self._database.select(query, (*place, _ROWS)):
            yield from ((folder, name) for _, name, folder in found)
            place = found[-1][0], found[-1][1]

    def taken(self) -> None:
        """What has arrived was taken."""
        with self._database.writing() as db:
            db.execute("DELETE FROM arrived")
