"""The catalog: an SQLite index of the tracks in a store."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.database import Opened
from catalog.feature_rows import (
    FEATURE_COLUMNS,
    SOUND_COLUMNS,
    UPSERT_FEATURES,
    SoundRow,
    feature_values,
    features_in,
)
from catalog.journal import Journal
from catalog.schema import COLUMNS, TrackRow, album_artist_of, sort_key
from catalog.shelf_rows import GENRES_SEPARATOR, Shelved
from catalog.statements import marks
from model.album import album_id_of, artist_id_of
from model.features import Features, FeatureSet

ITERATE_ROWS = 500  # rows held at a time while iterating

_SELECT = f"SELECT {', '.join(COLUMNS)} FROM tracks"
_WRITTEN = (*COLUMNS, "sort_key", "album_id", "artist_id")
_UPSERT = f"INSERT OR REPLACE INTO tracks ({', '.join(_WRITTEN)}) VALUES ({', '.join('?' * len(_WRITTEN))})"


_FEATURES = f"SELECT f.track_id, {', '.join(f'f.{each}' for each in FEATURE_COLUMNS)} FROM features f"
_SOUNDS = (
    f"SELECT f.track_id, t.artist_id, {', '.join(f'f.{each}' for each in SOUND_COLUMNS)} "
    "FROM features f JOIN tracks t USING (track_id) "
    "WHERE f.format = ? AND t.package_id IS NOT NULL AND "
)
_FEATURES_NOTED = "features"
NO_FEATURES: Mapping[str, Features] = {}


@dataclass(frozen=True, slots=True)
class PointerVersions:
    """Which versions of a track's pointers its row was made from."""

    ingest: str | None
    current: str | None


class Catalog(Opened):
    """The index of the tracks in a store, in a database of its own or one that it shares with the ledger.

    Every call blocks for a moment: call it through asyncio.to_thread. Safe to use from several threads at once.
    Raises CatalogError. `journal` tells what this object wrote, and nothing that others did in the same file.
    Of `features` it knows one set, and tells of no other.
    """

    def __init__(self, path: Path | None = None, *, features: FeatureSet = FeatureSet.OWN) -> None:
        """Open or create the database at `path`; None keeps it in memory."""
        super().__init__(path)
        self.features = features
        self.journal = Journal()

    def upsert(self, row: TrackRow) -> None:
        """Write one row, new or again."""
        self.apply([row], [])

    def remove(self, track_id: str) -> None:
        """Forget a track; no error if it is unknown."""
        self.apply([], [track_id])

    def apply(
        self, rows: Iterable[TrackRow], removed: Iterable[str], features: Mapping[str, Features] = NO_FEATURES
    ) -> None:
        """Write rows, and features by track id, and forget tracks, all in one transaction."""
        upserts = [_values(row) for row in rows]
        removals = [(track_id,) for track_id in removed]
        heard = [feature_values(*each) for each in features.items()]
        if not (upserts or removals or heard):
            return
        with self._database.writing() as db:
            shelved = Shelved(db, {str(track_id) for track_id, *_ in (*upserts, *removals)})
            db.executemany(_UPSERT, upserts)
            db.executemany(UPSERT_FEATURES, heard)
            db.executemany("DELETE FROM tracks WHERE track_id = ?", removals)
            shelved.refresh()
            db.executemany("DELETE FROM features WHERE track_id = ?", removals)
        self.journal.note(str(each[0]) for each in (*upserts, *heard, *removals))

    def get(self, track_id: str) -> TrackRow | None:
        """The row of a track, live or not."""
        rows = self._rows(f"{_SELECT} WHERE track_id = ?", (track_id,))
        return rows[0] if rows else None

    def rows_of(self, track_ids: Collection[str]) -> dict[str, TrackRow]:
        """The rows of those of some tracks that are known, live or not."""
        rows = self._rows(f"{_SELECT} WHERE track_id IN ({marks(track_ids)})", tuple(track_ids))
        return {row.track_id: row for row in rows}

    def count(self, *, live_only: bool = True) -> int:
        """How many tracks there are."""
        where = " WHERE package_id IS NOT NULL" if live_only else ""
        count: int = self._database.select(f"SELECT count(*) FROM tracks{where}")[0][0]
        return count

    def page(self, offset: int, limit: int, *, live_only: bool = True) -> list[TrackRow]:
        """At most `limit` tracks from `offset` on, by album artist (else artist), album, disc, track, title, id."""
        if offset < 0 or limit < 0:
            raise ValueError(f"offset and limit are not negative: {offset}, {limit}")
        where = " WHERE package_id IS NOT NULL" if live_only else ""
        # The ids alone first, which are in an index: what is left out is never looked up.
        ids = f"SELECT track_id FROM tracks{where} ORDER BY sort_key LIMIT ? OFFSET ?"
        return self._rows(f"{_SELECT} WHERE track_id IN ({ids}) ORDER BY sort_key", (limit, offset))

    def live_from(self, track_id: str, limit: int) -> list[TrackRow]:
        """At most `limit` live tracks by track id, from this id on; whether there is such a track or not."""
        where = "track_id >= ? AND package_id IS NOT NULL"
        return self._rows(f"{_SELECT} WHERE {where} ORDER BY track_id LIMIT ?", (track_id, limit))

    def iterate(self) -> Iterator[TrackRow]:
        """Every row by track id, a few at a time; a writer may go on meanwhile."""
        after = ""
        while rows := self._rows(f"{_SELECT} WHERE track_id > ? ORDER BY track_id LIMIT ?", (after, ITERATE_ROWS)):
            yield from rows
            after = rows[-1].track_id

    def versions_between(self, after: str, through: str | None) -> dict[str, PointerVersions]:
        """The pointer versions of every track whose id is greater than `after` and at most `through` (None: no end)."""
        query = "SELECT track_id, ingest_version, current_version FROM tracks WHERE track_id > ?"
        bounds = (after,) if through is None else (after, through)
        found = self._database.select(query + ("" if through is None else " AND track_id <= ?"), bounds)
        return {track_id: PointerVersions(ingest, current) for track_id, ingest, current in found}

    def features_of(self, track_ids: Collection[str]) -> dict[str, Features]:
        """The features of those of some tracks that have them, live or not; none of another set or version."""
        return dict(
            self._features(
                f"WHERE f.track_id IN ({marks(track_ids)}) AND f.format = ?", (*track_ids, self.features.version)
            )
        )

    def live_features(self) -> Iterator[tuple[str, Features]]:
        """Every live track that has features, by track id, a few at a time; a writer may go on meanwhile."""
        after = ""
        where = (
            "JOIN tracks t USING (track_id) WHERE f.track_id > ? AND f.format = ? AND t.package_id IS NOT NULL "
            "ORDER BY f.track_id LIMIT ?"
        )
        while found := self._features(where, (after, self.features.version, ITERATE_ROWS)):
            yield from found
            after = found[-1][0]

    def live_sounds(self) -> Iterator[SoundRow]:
        """What every live track that has features sounds like, by track id, a few at a time."""
        after = ""
        query = f"{_SOUNDS} f.track_id > ? ORDER BY f.track_id LIMIT ?"
        while found := self._database.select(query, (self.features.version, after, ITERATE_ROWS)):
            yield from (SoundRow(*each) for each in found)
            after = found[-1][0]

    def sounds_of(self, track_ids: Collection[str]) -> Iterator[SoundRow]:
        """The same of those of some tracks, a few at a time."""
        ids = sorted(track_ids)
        for at in range(0, len(ids), ITERATE_ROWS):
            some = ids[at : at + ITERATE_ROWS]
            query = f"{_SOUNDS} f.track_id IN ({', '.join('?' * len(some))})"
            yield from (SoundRow(*each) for each in self._database.select(query, (self.features.version, *some)))

    def without_features(self, after: str, limit: int) -> list[tuple[str, str]]:
        """Live tracks whose id is greater than `after` that have no features, and their recordings."""
        query = (
            "SELECT t.track_id, t.recording_id FROM tracks t LEFT JOIN features f "
            "ON f.track_id = t.track_id AND f.format = ? "
            "WHERE t.track_id > ? AND t.package_id IS NOT NULL AND f.track_id IS NULL ORDER BY t.track_id LIMIT ?"
        )
        found = self._database.select(query, (self.features.version, after, limit))
        return [(track_id, recording) for track_id, recording in found]

    def features_noted(self) -> str | None:
        """Of which mark of new features we took note last; None if that was for another set."""
        found = self._database.select("SELECT value FROM noted WHERE name = ?", (_FEATURES_NOTED,))
        version, _, mark = str(found[0][0]).partition("/") if found else ("", "", "")
        return mark if version == self.features.version else None

    def note_features(self, mark: str) -> None:
        """All features that were there when this mark was written are known now."""
        with self._database.writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO noted VALUES (?, ?)", (_FEATURES_NOTED, f"{self.features.version}/{mark}")
            )

    def _features(self, where: str, values: Sequence[object]) -> list[tuple[str, Features]]:
        found = self._database.select(f"{_FEATURES} {where}", values)
        return [(track_id, features_in(rest)) for track_id, *rest in found]

    def _rows(self, query: str, values: Sequence[object] = ()) -> list[TrackRow]:
        return [row_of(found) for found in self._database.select(query, values)]


def _values(row: TrackRow) -> tuple[object, ...]:
    known = {name: getattr(row, name) for name in COLUMNS}
    by = album_artist_of(row)
    ids = (album_id_of(by, row.album), artist_id_of(by))
    return (*(known | {"genres": GENRES_SEPARATOR.join(row.genres)}).values(), sort_key(row), *ids)


def row_of(values: Sequence[Any]) -> TrackRow:
    """The row with these values, in the order of COLUMNS."""
    known = dict(zip(COLUMNS, values, strict=True))
    known["genres"] = tuple(known["genres"].split(GENRES_SEPARATOR)) if known["genres"] else ()
    return TrackRow(**known)
