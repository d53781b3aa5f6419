"""Rules put to a catalog: all tracks are gone through, some at a time, and the best are kept.

What sorts them is worked out here and not by SQLite, so that no one query takes long: the catalog answers one at a
time, and in an origin everybody asks the same.
"""

import hashlib
import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Protocol, TypeVar
from zlib import crc32

from catalog.rules import FIELDS, HANDED, RANDOM, Kind, Known, OneOf, RuleQuery, Rules, Sort

SLICE = 2000  # tracks that are gone through before others have their turn: some milliseconds


Row = TypeVar("Row")


class Selecting(Protocol):
    """A database that answers queries with tables of their own."""

    def select_beside(
        self,
        tables: Mapping[str, tuple[str, Iterable[Sequence[object]]]],
        query: str,
        values: Sequence[object] = (),
        /,
    ) -> list[tuple[Any, ...]]: ...


def tracks_by_rules(database: Selecting, rules: Rules, known: Known, *, most: int, at_once: int = SLICE) -> list[str]:
    """The live tracks of a catalog's database that rules choose, in their order, at most `most` of them.

    The same rules, catalog, `known` and day give the same order, of random ones too. All tracks are gone through, so
    many `at_once`, and whoever else asks the database waits for no more than that; what is changed meanwhile is seen as
    it was or as it is. Raises CatalogError.
    """
    query = RuleQuery(known)
    select, where = query.select(rules), query.where(rules)
    limit = most if rules.limit is None else min(rules.limit, most)
    best, matching = _Best(rules.sort, rules.offset + limit, query.day), 0
    kept = {"heard": known.heard, "loved": known.loved, "rated": known.rated}
    rows: dict[str, list[tuple[Any, ...]]] = {name: sorted(each) for name, each in kept.items()}
    tables = sorted(rules.tables() & HANDED.keys())
    for those in _slices(database, at_once):
        beside = {name: (HANDED[name], those.of(rows[name], itemgetter(0))) for name in tables}
        values = [json.dumps(those.of(each, str)) if isinstance(each, OneOf) else each for each in query.values]
        asked = f"{select} WHERE {those.condition} AND {where}"
        found = database.select_beside(beside, asked, (*those.bounds, *values))
        matching += len(found)
        best.add(found)
    if rules.limit is None and rules.limit_percent is not None:
        limit = min(max(1, matching * rules.limit_percent // 100), most)
    return best.track_ids()[rules.offset : rules.offset + limit]


@dataclass(frozen=True, slots=True)
class _Slice:
    """Tracks whose ids are greater than the one and at most the other, if there is another."""

    bounds: tuple[str] | tuple[str, str]

    @property
    def condition(self) -> str:
        """What holds for them in a query."""
        return "t.track_id > ?" + (" AND t.track_id <= ?" if len(self.bounds) == 2 else "")

    def of(self, rows: Sequence[Row], track_id: Callable[[Row], str]) -> Sequence[Row]:
        """Those of some rows, sorted by track id, that are theirs."""
        first, *end = (bisect_right(rows, bound, key=track_id) for bound in self.bounds)
        return rows[first : end[0] if end else None]


def _slices(database: Selecting, size: int) -> Iterator[_Slice]:
    """All tracks, so many at a time."""
    query = "SELECT track_id FROM main.tracks WHERE track_id > ? ORDER BY track_id LIMIT 1 OFFSET ?"
    after = ""
    while found := database.select_beside({}, query, (after, size - 1)):
        yield _Slice((after, found[0][0]))
        after = str(found[0][0])
    yield _Slice((after,))


class _Best:
    """The first tracks by some sorts, out of rows of a query: the id, the sort key, and a value for each sort."""

    def __init__(self, sorts: Sequence[Sort], keep: int, day: str) -> None:
        self._sorts = sorts
        self._keep = keep
        self._keys = [_chance(day) if each.field == RANDOM else _ORDERED[FIELDS[each.field].kind] for each in sorts]
        self._rows: list[tuple[Any, ...]] = []
        self._last: Any = None  # the first key of the last that counts, as far as is known

    def add(self, found: Sequence[tuple[Any, ...]]) -> None:
        """Rows, in any order."""
        last, first = self._last, self._keys[0]
        if last is None:
            self._rows += found
        elif self._sorts[0].descending:
            self._rows += [row for row in found if first(row[2]) >= last]
        else:
            self._rows += [row for row in found if first(row[2]) <= last]
        if len(self._rows) > self._keep + 2 * len(found):
            self._sort()

    def track_ids(self) -> list[str]:
        """The best, in their order."""
        self._sort()
        return [row[0] for row in self._rows]

    def _sort(self) -> None:
        rows = self._rows
        rows.sort(key=itemgetter(1))
        for place in reversed(range(len(self._sorts))):
            rows.sort(key=_at(2 + place, self._keys[place]), reverse=self._sorts[place].descending)
        if len(rows) >= self._keep:
            del rows[self._keep :]
            self._last = self._keys[0](rows[-1][2]) if rows else None


def _at(place: int, key: Callable[[Any], Any]) -> Callable[[tuple[Any, ...]], Any]:
    return lambda row: key(row[place])


def _chance(seed: str) -> Callable[[str], int]:
    """What sorts tracks at random, by their ids, in the same way whenever the seed is the same."""
    factor = int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=8).digest()) | 1
    return lambda track_id: crc32(track_id.encode()) * factor & 0xFFFF_FFFF_FFFF_FFFF


def _folded(text: str) -> bytes:
    """As NOCASE has it: without regard to the case of A to Z."""
    return text.encode().lower()


def _number(value: float | None) -> float:
    """What is missing comes before any number."""
    return float("-inf") if value is None else value


_ORDERED: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.TEXT: _folded,
    Kind.TEXTS: _folded,
    Kind.NUMBER: _number,
    Kind.DATE: _number,
    Kind.FLAG: _number,
}
