"""Live tracks as a recommender needs them: a few of many, the same ones again and again."""

import threading
from collections.abc import Iterable
from itertools import islice

from catalog.schema import TrackRow
from catalog.shelves import Shelves
from catalog.store import Catalog

KEPT = 20_000  # rows, 30 MB; of a larger library those that were asked for last
NEWEST = 500
_AT_ONCE = 100  # rows that are read while others wait


class KnownRows:
    """Rows of the catalog, kept until this process changes them: for a catalog that nobody else writes to, or for a
    moment. Safe to use from several threads. Blocking."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._shelves = Shelves(catalog)
        self._lock = threading.Lock()
        self._number = -1
        self._rows: dict[str, TrackRow | None] = {}
        self._newest: tuple[str, ...] | None = None

    def live(self, track_ids: Iterable[str]) -> list[TrackRow]:
        """The live ones of these, in their order, each once."""
        with self._lock:
            return self._read(tuple(dict.fromkeys(track_ids)))

    def fill(self, track_ids: Iterable[str]) -> None:
        """Know these before they are asked for; whoever asks for others meanwhile hardly waits."""
        rest = iter(track_ids)
        while some := tuple(islice(rest, _AT_ONCE)):
            self.live(some)

    def first(self, track_ids: Iterable[str], limit: int) -> list[TrackRow]:
        """The first `limit` live ones of these; others are not looked at."""
        rest, seen, found = iter(track_ids), set[str](), list[TrackRow]()
        while some := list(islice(rest, limit - len(found))):
            found += self.live(each for each in some if each not in seen)
            seen.update(some)
        return found

    @property
    def number(self) -> int:
        """Another one, whenever the catalog was changed."""
        with self._lock:
            self._forget_changed()
            return self._number

    def newest(self) -> tuple[str, ...]:
        """The live tracks that became so last, the newest first; NEWEST of them."""
        with self._lock:
            self._forget_changed()
            if self._newest is None:
                self._newest = tuple(row.track_id for row in self._shelves.newest_tracks(NEWEST))
            return self._newest

    def _read(self, track_ids: tuple[str, ...]) -> list[TrackRow]:
        self._forget_changed()
        unknown = [each for each in track_ids if each not in self._rows]
        if unknown:
            read = self._catalog.rows_of(unknown)
            for each in unknown:
                self._rows[each] = row if (row := read.get(each)) is not None and row.live else None
        found = [row for each in track_ids if (row := self._rows[each]) is not None]
        while len(self._rows) > KEPT:
            del self._rows[next(iter(self._rows))]
        return found

    def _forget_changed(self) -> None:
        self._number, changed = self._catalog.journal.since(self._number)
        if changed is None:
            self._rows.clear()
        if changed is None or changed:
            self._newest = None
        for each in changed or ():
            self._rows.pop(each, None)
