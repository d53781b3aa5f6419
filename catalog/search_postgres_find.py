"""How a search finds its way through posting lists in a PostgreSQL server."""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from catalog.search_postgres_tables import POSTINGS
from catalog.search_postings import Filters, Found, Group, Lookup, Lookups, TextRules
from catalog.search_ranks import Ranks, Sizes, common, from_numbers, list_of_beginning, unpacked

Row = tuple[int, bytes]
Select = Callable[[str, Sequence[object]], list[tuple[Any, ...]]]

_LAST = "\U0010ffff"  # comes after whatever a word goes on with
_ALL = (1 << 31) - 1  # comes after every rank
TRACKS = """SELECT t.id, t.track_id, t.title, coalesce(a.name, ''), coalesce(b.name, ''), 1 FROM tracks t
    LEFT JOIN artists a ON a.id = t.artist LEFT JOIN albums b ON b.id = t.album WHERE {where}"""
_FIND = {
    Group.TRACK: TRACKS,
    Group.ALBUM: "SELECT t.id, t.track_id, '', t.artist, t.name, t.tracks FROM albums t WHERE {where}",
    Group.ARTIST: "SELECT t.id, t.track_id, '', t.name, '', t.tracks FROM artists t WHERE {where}",
}
# `of` is the table in which the ranks were found: they say nothing about another that took its place.
_NAMED = "t.id = ANY (%s::integer[]) AND to_regclass('{of}')::oid::bigint = %s ORDER BY t.id"
_ROWS = """SELECT w.number, p.start, p.ranks, p.tableoid::bigint, (SELECT coalesce(max(id), 0) FROM {names})
    FROM json_to_recordset(%s) w (number integer, begun text, first text, last text)
    CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM {of} WHERE term = w.begun) AS listed OFFSET 0) l
    CROSS JOIN LATERAL (SELECT start, ranks, tableoid FROM {of} WHERE start >= %s AND start < %s
        AND term >= CASE WHEN l.listed THEN w.begun ELSE w.first END
        AND term <= CASE WHEN l.listed THEN w.begun ELSE w.last END OFFSET 0) p"""
_OF_ARTIST = {
    Group.TRACK: "artist = (SELECT id FROM artists WHERE name = %s)",
    Group.ALBUM: "artist = %s",
    Group.ARTIST: "name = %s",
}
_ON_ALBUM = {
    Group.TRACK: "album = ANY (ARRAY(SELECT id FROM albums WHERE name = %s))",
    Group.ALBUM: "name = %s",
    Group.ARTIST: "name = %s",
}


class Replaced(Exception):
    """Another index took the place of the one that was searched."""


class Finding:
    """One search under way in one group."""

    def __init__(self, select: Select, rules: TextRules, sizes: Sizes, group: Group, limit: int) -> None:
        self._select = select
        self._rules = rules
        self._group = group
        self._limit = limit
        self._heads = sizes.heads if group is Group.TRACK else sizes.heads[-1:]  # of artists and albums there are fewer
        self._tables: set[int] = set()
        self._last = _ALL  # rank of all

    def found(self, lookups: Lookups, filters: Filters) -> list[Found]:
        """The first that match. Raises Replaced."""
        narrowed = self._narrowed(filters)
        rows: list[list[Row]] = [[] for _ in lookups]
        seen, most = 0, self._limit
        for high in self._heads:
            if 2 * most * high < self._limit * seen:
                break  # there are hardly enough of them before it
            for known, more in zip(rows, self._rows(lookups, seen, high), strict=True):
                known += more
            if not all(rows):  # a list that is not empty begins at 0
                return []
            ranks = self._first(rows, high, narrowed)
            if len(ranks) >= self._limit:
                return self._named(ranks)
            seen, most = high, len(ranks)
        return self._found_anywhere(lookups, rows, seen, narrowed)

    def _first(self, rows: Sequence[Sequence[Row]], high: int, narrowed: Ranks | None) -> Ranks:
        """The ranks below `high` that match, if they are enough; if not, at least those."""
        first, *others = self._rarest_first(rows)
        ranks = _common(narrowed, unpacked(rows[first]))
        for at in others:
            ranks = ranks[ranks < high]
            if len(ranks) < self._limit:
                break
            ranks = common(ranks, unpacked(rows[at]))
        return ranks[ranks < high]

    def _found_anywhere(
        self, lookups: Lookups, rows: Sequence[Sequence[Row]], seen: int, ranks: Ranks | None
    ) -> list[Found]:
        """The whole list of what seems to be the rarest, then of the next one, until those that are left are so few
        that their names can be looked at."""
        rest = self._rarest_first(rows)
        while rest and (ranks is None or len(ranks) > self._limit):
            at = rest.pop(0)
            (more,) = self._rows([lookups[at]], seen, _ALL) if self._last >= seen else ([],)
            ranks = _common(ranks, unpacked([*rows[at], *more]))
        found = [] if ranks is None else self._named(ranks)
        return [each for each in found if self._has(each, [lookups[at] for at in rest])] if rest else found

    def _has(self, found: Found, lookups: Lookups) -> bool:
        terms = set(self._rules.indexed_as((found.title, found.artist, found.album)))
        return all(any(_is_in(terms, term) for term in lookup) for lookup in lookups)

    def _rows(self, lookups: Lookups, low: int, high: int) -> list[list[Row]]:
        """Of each lookup the rows that begin from one rank to before another."""
        asked = [
            {
                "number": number,
                "begun": list_of_beginning(term.text) if term.prefix else None,
                "first": term.text,
                "last": term.text + _LAST * term.prefix,
            }
            for number, each in enumerate(lookups)
            for term in each
        ]
        rows: list[list[Row]] = [[] for _ in lookups]
        query = _ROWS.format(of=POSTINGS[self._group], names=f"{self._group}s")
        for number, start, ranks, table, last in self._select(query, (json.dumps(asked), low, high)):
            rows[number].append((start, ranks))
            self._tables.add(table)
            self._last = last
        return rows

    @staticmethod
    def _rarest_first(rows: Sequence[Sequence[Row]]) -> list[int]:
        return sorted(range(len(rows)), key=lambda at: sum(len(data) for _, data in rows[at]))

    def _named(self, ranks: Ranks) -> list[Found]:
        """The first of some ranks with their names."""
        first = ranks[: self._limit].tolist()
        if not first:
            return []
        query = _FIND[self._group].format(where=_NAMED.format(of=POSTINGS[self._group]))
        found = [Found(*each) for each in self._select(query, (as_array(first), min(self._tables)))]
        if len(found) < len(first) or len(self._tables) > 1:
            raise Replaced
        return found

    def _narrowed(self, filters: Filters) -> Ranks | None:
        """What the filters leave; None: all."""
        wanted = [(_OF_ARTIST[self._group], filters.artist), (_ON_ALBUM[self._group], filters.album)]
        asked = [(where, name) for where, name in wanted if name]
        if not asked:
            return None
        query = f"SELECT id FROM {self._group}s WHERE " + " AND ".join(where for where, _ in asked)
        return from_numbers(rank for (rank,) in self._select(query, [name for _, name in asked]))


def _common(some: Ranks | None, others: Ranks) -> Ranks:
    return others if some is None else common(some, others)


def _is_in(terms: Collection[str], term: Lookup) -> bool:
    return any(each.startswith(term.text) for each in terms) if term.prefix else term.text in terms


def as_array(numbers: Iterable[int]) -> str:
    """Numbers as PostgreSQL writes an array of them."""
    return "{" + ",".join(map(str, numbers)) + "}"
