"""The plan of a batch: its sources in their order, and which of them are worked on together.

It grows with the batch, and whoever plans must not: what does not fit SQLite's cache lies in a temporary file without a
name, which is gone with the process, however that ends.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from catalog.database import Temporary
from catalog.schema import Schema

PLAN = Schema(
    application_id=0x5365506C,  # "SePl"
    version=1,
    tables=(
        """CREATE TABLE sources (
            place BLOB PRIMARY KEY, path BLOB NOT NULL UNIQUE, source BLOB NOT NULL, wanted INTEGER NOT NULL,
            album TEXT, together INTEGER, seconds REAL
        )""",
        "CREATE TABLE folders (place BLOB PRIMARY KEY, folder BLOB NOT NULL) WITHOUT ROWID",
        "CREATE TABLE pictures (folder BLOB, name TEXT, picture BLOB NOT NULL, PRIMARY KEY (folder, name))",
        """CREATE TABLE albums (
            first BLOB PRIMARY KEY, album TEXT, sources INTEGER NOT NULL, seconds REAL, longest REAL NOT NULL
        ) WITHOUT ROWID""",
        "CREATE INDEX albums_by_length ON albums (longest DESC, first)",
    ),
)
_IS_MEMBER = "(together OR wanted)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A source. Sources are ordered by `place`; of those with one `path` the first that is added stays."""

    place: bytes
    path: bytes
    source: bytes
    wanted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a look at a source told. If it is worked on `together` with its album, all of that is, wanted or
    not. `wanted` None leaves that as it was."""

    place: bytes
    album: str
    together: bool
    seconds: float | None
    wanted: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Album:
    """Sources that are worked on together, with their lengths, in their order; None is no album but one source."""

    album: str | None
    members: tuple[tuple[bytes, float | None], ...]


class PlanTable:
    """A plan. Every call blocks for a moment: call it through asyncio.to_thread. Raises CatalogError."""

    def __init__(self) -> None:
        self._database = Temporary(PLAN, what="the plan of the batch")
        self._left_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def add(self, lines: Iterable[Line]) -> None:
        """Sources that are not there yet."""
        values = ((each.place, each.path, each.source, each.wanted) for each in lines)
        with self._database.writing() as db:
            db.executemany("INSERT OR IGNORE INTO sources (place, path, source, wanted) VALUES (?, ?, ?, ?)", values)

    def add_pictures(self, found: Iterable[tuple[bytes, str, bytes]]) -> None:
        """Pictures by the folder that they lie in, and their names there."""
        with self._database.writing() as db:
            db.executemany("INSERT OR IGNORE INTO pictures VALUES (?, ?, ?)", found)

    def pictures(self, folder: bytes) -> list[bytes]:
        """Those in a folder."""
        return [found for (found,) in self._database.select("SELECT picture FROM pictures WHERE folder = ?", (folder,))]

    def add_folders(self, found: Iterable[tuple[bytes, bytes]]) -> None:
        """Folders that are to be looked into, with their places."""
        with self._database.writing() as db:
            db.executemany("INSERT OR IGNORE INTO folders VALUES (?, ?)", found)

    def take_folder(self) -> tuple[bytes, bytes] | None:
        """The next that is to be looked into; it is so no more."""
        for place, folder in self._database.select("SELECT place, folder FROM folders ORDER BY place LIMIT 1"):
            with self._database.writing() as db:
                db.execute("DELETE FROM folders WHERE place = ?", (place,))
            return place, folder
        return None

    def count(self) -> int:
        """How many sources there are."""
        return int(self._database.select("SELECT count(*) FROM sources")[0][0])

    def after(self, place: bytes, most: int) -> list[tuple[bytes, bytes]]:
        """So many sources behind a place, each with its own."""
        query = "SELECT place, source FROM sources WHERE place > ? ORDER BY place LIMIT ?"
        return self._database.select(query, (place, most))

    def looked(self, found: Iterable[Looked]) -> None:
        """Remember what looks at sources told."""
        values = ((each.album, each.together, each.seconds, each.wanted, each.place) for each in found)
        with self._database.writing() as db:
            query = (
                "UPDATE sources SET album = ?, together = ?, seconds = ?, wanted = ifnull(?, wanted) WHERE place = ?"
            )
            db.executemany(query, values)

    def group(self, most: int) -> tuple[int, float | None]:
        """Put together what belongs together, once all was looked at: how many sources are to be worked on, and how
        long they are, None where no length is known.

        An album comes where the first of it was. One of more than `most` sources is none: each of them stands alone.
        """
        sums = f"sum{_IS_MEMBER}, sum(iif({_IS_MEMBER}, seconds, NULL)), max(iif({_IS_MEMBER}, ifnull(seconds, 0), 0))"
        large = "SELECT album FROM sources GROUP BY album HAVING count(*) > ?"
        with self._database.writing() as db:
            db.execute("CREATE INDEX sources_by_album ON sources (album, place)")
            db.execute(
                f"INSERT INTO albums SELECT min(place), album, {sums} FROM sources GROUP BY album "
                "HAVING count(*) <= ? AND max(wanted)",
                (most,),
            )
            db.execute(
                "INSERT INTO albums SELECT place, NULL, 1, seconds, ifnull(seconds, 0) FROM sources "
                f"WHERE wanted AND album IN ({large})",
                (most,),
            )
        found = self._database.select("SELECT sum(sources), sum(seconds), sum(longest) FROM albums")
        count, seconds, longest = found[0]
        self._left_s = longest or 0.0
        return count or 0, seconds or None

    def take(self, most: int, early: Callable[[float, float], bool]) -> list[Album]:
        """The next that are to be worked on, in their order; but the one with the longest source comes first where
        `early` says so, told its length and that of the longest of all that are left together."""
        by_turn = self._database.select("SELECT first, album, longest FROM albums ORDER BY first LIMIT ?", (most,))
        by_length = self._database.select(
            "SELECT first, album, longest FROM albums ORDER BY longest DESC, first LIMIT ?", (most,)
        )
        taken: dict[bytes, Album] = {}
        while len(taken) < len(by_turn):
            first, album, longest = next(each for each in by_length if each[0] not in taken)
            if not early(longest, self._left_s):
                first, album, longest = next(each for each in by_turn if each[0] not in taken)
            taken[first] = Album(album=album, members=tuple(self._members(first, album)))
            self._left_s -= longest
        with self._database.writing() as db:
            db.executemany("DELETE FROM albums WHERE first = ?", [(first,) for first in taken])
        return list(taken.values())

    def _members(self, first: bytes, album: str | None) -> Sequence[tuple[bytes, float | None]]:
        if album is None:
            return self._database.select("SELECT source, seconds FROM sources WHERE place = ?", (first,))
        query = f"SELECT source, seconds FROM sources WHERE album = ? AND {_IS_MEMBER} ORDER BY place"
        return self._database.select(query, (album,))
