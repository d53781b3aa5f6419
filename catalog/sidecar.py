"""The rows of a sidecar, by what they are known by. However many they are: they lie in a temporary file without a name,
which is gone with the process, and not in memory."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from catalog.database import Temporary
from catalog.schema import Schema

SIDECAR = Schema(
    application_id=0x53655369,  # "SeSi"
    version=1,
    tables=(
        """CREATE TABLE rows (
            number INTEGER PRIMARY KEY, kind TEXT NOT NULL, key BLOB NOT NULL, name BLOB, told BLOB NOT NULL,
            row BLOB NOT NULL, used INTEGER NOT NULL DEFAULT 0, seen BLOB, shared INTEGER NOT NULL DEFAULT 0,
            UNIQUE (kind, key)
        )""",
        "CREATE INDEX rows_by_name ON rows (name) WHERE name IS NOT NULL",
    ),
)
_ROWS = 500  # at once
_KNOWN_BY = (
    "kind = 'path' AND key = ?", "kind = 'sha256' AND key = ?", "name = ? AND NOT shared", "kind = 'isrc' AND key = ?",
)  # fmt: skip
_FIND = " UNION ALL ".join(
    f"SELECT {turn} AS turn, number, row, used FROM rows WHERE {known_by}" for turn, known_by in enumerate(_KNOWN_BY)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row: how it is `told`, what it is known by (`key` of a `kind`, and a `name` if it is that of a file), and the
    `row` itself. Rows are ordered by `number`."""

    number: int
    kind: str
    key: bytes
    name: bytes | None
    told: bytes
    row: bytes


class SidecarTable:
    """The rows. Every call blocks for a moment. Raises CatalogError."""

    def __init__(self) -> None:
        self._database = Temporary(SIDECAR, what="the rows of the sidecar")

    def close(self) -> None:
        """Forget them. Idempotent."""
        self._database.close()

    def add(self, rows: Sequence[Row]) -> tuple[Row, bytes] | None:
        """Add rows; the first whose key another has, and how that one is told, if there is such a row."""
        values = [(each.number, each.kind, each.key, each.name, each.told, each.row) for each in rows]
        query = "INSERT OR IGNORE INTO rows (number, kind, key, name, told, row) VALUES (?, ?, ?, ?, ?, ?)"
        with self._database.writing() as db:
            if db.executemany(query, values).rowcount == len(rows):
                return None
        for row in rows:
            query = "SELECT number, told FROM rows WHERE kind = ? AND key = ?"
            (number, told), *_ = self._database.select(query, (row.kind, row.key))
            if number != row.number:
                return row, told
        return None

    def see(self, sources: Iterable[tuple[bytes, bytes]]) -> None:
        """Sources, by name and path. A row that has the name of two of them is not found by it any more."""
        query = "UPDATE rows SET shared = shared OR ifnull(seen != ?1, 0), seen = ifnull(seen, ?1) WHERE name = ?2"
        with self._database.writing() as db:
            db.executemany(query, ((path, name) for name, path in sources))

    def find(self, *, path: bytes, sha256: bytes, name: bytes, isrc: bytes) -> bytes | None:
        """The row of a source: by its path, else by its hash, else by its name, else by its ISRC."""
        query = f"SELECT number, row, used FROM ({_FIND}) ORDER BY turn LIMIT 1"
        for number, row, used in self._database.select(query, (path, sha256, name, isrc)):
            if not used:
                with self._database.writing() as db:
                    db.execute("UPDATE rows SET used = 1 WHERE number = ?", (number,))
            return bytes(row)
        return None

    def unused(self) -> Iterator[bytes]:
        """How the rows are told that were not found so far, in order; some are read at a time."""
        query = "SELECT number, told FROM rows WHERE NOT used AND number > ? ORDER BY number LIMIT ?"
        number = 0
        while found := self._database.select(query, (number, _ROWS)):
            yield from (told for _, told in found)
            number = found[-1][0]
