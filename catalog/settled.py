"""What is settled: sources of groups that were published whole and have not changed since. A run over them is short.

A row says that a source, worked on as told by `wanted`, became a track whose records had these versions in the store.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from catalog.ledger import Ledger
from catalog.store import PointerVersions

_ROWS = 1_000  # at once: of a store that is gone there may be millions
_AFTER_ALL = b"\xff"  # behind all paths of a track


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledRow:
    """A source that is done. `wanted` tells all that it was made from and as; `outcome` is for who tells of it."""

    path: bytes
    wanted: str
    track_id: str
    versions: PointerVersions
    outcome: str


class Settled:
    """The settled sources of a ledger. Every call blocks for a moment. Raises CatalogError."""

    def __init__(self, ledger: Ledger) -> None:
        self._database = ledger.database

    def outcomes(self, paths: Sequence[bytes], wanted: str) -> list[str] | None:
        """What became of these sources; None unless all of them are settled so."""
        found = []
        for path in paths:
            rows = self._database.select("SELECT outcome FROM settled WHERE path = ? AND wanted = ?", (path, wanted))
            if not rows:
                return None
            found.append(str(rows[0][0]))
        return found

    def settle(self, rows: Sequence[SettledRow]) -> None:
        """Remember these, all or none."""
        values = [
            (row.path, row.wanted, row.track_id, row.versions.ingest, row.versions.current, row.outcome) for row in rows
        ]
        with self._database.writing() as db:
            db.executemany("INSERT OR REPLACE INTO settled VALUES (?, ?, ?, ?, ?, ?)", values)

    def keep(self, found: Mapping[str, PointerVersions], *, after: str, through: str | None) -> None:
        """Forget what became tracks between these ids (None: no end) that are not in the store in these versions."""
        query = "SELECT track_id, path, ingest_version, current_version FROM settled WHERE (track_id, path) > (?, ?)"
        query += ("" if through is None else " AND track_id <= ?") + " ORDER BY track_id, path LIMIT ?"
        place: tuple[str, bytes] = after, _AFTER_ALL
        while rows := self._database.select(query, (*place, *([] if through is None else [through]), _ROWS)):
            place = rows[-1][0], rows[-1][1]
            gone = [(path,) for track_id, path, *known in rows if found.get(track_id) != PointerVersions(*known)]
            if gone:
                with self._database.writing() as db:
                    db.executemany("DELETE FROM settled WHERE path = ?", gone)
