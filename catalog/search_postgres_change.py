"""A few tracks of a search index in a PostgreSQL server taken up or dropped, within a transaction."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from catalog.postgres import Connection
from catalog.search_postgres_tables import POSTINGS
from catalog.search_postings import Group, SearchRow, TextRules
from catalog.search_ranks import PostingRow, Sizes, changed, in_buckets, is_of_beginning, lists_of

_GROUPS = {"artists": Group.ARTIST, "albums": Group.ALBUM}
_LEFT = """DELETE FROM tracks t WHERE track_id = %s RETURNING id, artist, album, title,
    coalesce((SELECT name FROM artists a WHERE a.id = t.artist), ''),
    coalesce((SELECT name FROM albums b WHERE b.id = t.album), '')"""
# The row of each list that a number lies in, with all the numbers that lie there: none if the list has no row so early.
_COVERING = """SELECT c.term, c.start, c.numbers, p.ranks FROM (
        SELECT w.term, s.start, array_agg(w.number) AS numbers FROM unnest(%s::text[], %s::integer[]) w (term, number)
        LEFT JOIN LATERAL (SELECT start FROM {table} WHERE term = w.term AND start <= w.number
            ORDER BY start DESC LIMIT 1) s ON true
        GROUP BY w.term, s.start
    ) c LEFT JOIN {table} p ON p.term = c.term AND p.start = c.start"""


class Change:
    """What is taken up and dropped. `finish` writes what these calls left to be written together."""

    def __init__(self, db: Connection, rules: TextRules, sizes: Sizes) -> None:
        self._db = db
        self._rules = rules
        self._sizes = sizes
        self._uses = Counter[str]()
        self._posted: dict[Group, dict[tuple[str, int], bool]] = {group: {} for group in Group}

    def take(self, row: SearchRow) -> None:
        """Index a track, in its old place if it has one."""
        artist = self._join("artists", ("name",), (row.artist,), row.track_id) if row.artist else 0
        album = self._join("albums", ("name", "artist"), (row.album, row.of_album), row.track_id) if row.album else 0
        terms = self._rules.indexed_as((row.title, row.artist, row.album))
        number, *left = self._take_out(row.track_id)
        found = self._db.execute(
            """INSERT INTO tracks (id, track_id, title, artist, album, state) VALUES
            (coalesce(%s, (SELECT coalesce(max(id), 0) + 1 FROM tracks)), %s, %s, %s, %s, %s) RETURNING id""",
            (number, row.track_id, row.title, artist, album, row.state),
        ).fetchone()
        assert found is not None
        self._post(Group.TRACK, found[0], terms, there=True)
        self._uses.update(filter(self._rules.is_spelled, terms))
        self._leave_both(row.track_id, *left)

    def drop(self, track_id: str) -> None:
        """Forget a track, and its artist and album with the last of their tracks."""
        _, *left = self._take_out(track_id)
        self._leave_both(track_id, *left)

    def finish(self) -> None:
        """Write the lists, and the spellings."""
        for group, posted in self._posted.items():
            if posted:
                self._write(POSTINGS[group], posted)
        if self._uses:
            self._spell()

    def _take_out(self, track_id: str) -> tuple[int | None, int, int]:
        found = self._db.execute(_LEFT, (track_id,)).fetchone()
        if found is None:
            return None, 0, 0
        number, artist, album, *names = found
        self._post(Group.TRACK, number, self._rules.indexed_as(names), there=False)
        return number, artist, album

    def _join(self, table: str, keys: tuple[str, ...], names: tuple[str, ...], track_id: str) -> int:
        """The number of an artist or album, which has one more track now."""
        marks = ", ".join(["%s"] * len(names))
        query = f"""INSERT INTO {table} (id, {", ".join(keys)}, track_id, tracks) VALUES
            ((SELECT coalesce(max(id), 0) + 1 FROM {table}), {marks}, %s, 1)
            ON CONFLICT ({", ".join(keys)}) DO UPDATE SET tracks = {table}.tracks + 1 RETURNING id, tracks"""
        found = self._db.execute(query, (*names, track_id)).fetchone()
        assert found is not None
        number, tracks = found
        if tracks == 1:
            self._post(_GROUPS[table], number, self._rules.indexed_as(names), there=True)
        return int(number)

    def _leave_both(self, track_id: str, artist: int, album: int) -> None:
        if artist:
            self._leave("artists", ("name",), artist, track_id)
        if album:
            self._leave("albums", ("name", "artist"), album, track_id)

    def _leave(self, table: str, keys: tuple[str, ...], number: int, track_id: str) -> None:
        query = f"UPDATE {table} SET tracks = tracks - 1 WHERE id = %s RETURNING tracks, track_id, {', '.join(keys)}"
        found = self._db.execute(query, (number,)).fetchone()
        if found is None:
            return
        tracks, shown, *names = found
        if not tracks:
            self._db.execute(f"DELETE FROM {table} WHERE id = %s", (number,))
            self._post(_GROUPS[table], number, self._rules.indexed_as(names), there=False)
        elif shown == track_id:  # another has to stand for it
            other = f"SELECT track_id FROM tracks WHERE {table[:-1]} = %s ORDER BY id LIMIT 1"
            self._db.execute(f"UPDATE {table} SET track_id = ({other}) WHERE id = %s", (number, number))

    def _post(self, group: Group, number: int, terms: Iterable[str], *, there: bool) -> None:
        """What goes and comes again, or comes and goes, is as it was."""
        posted = self._posted[group]
        for name in lists_of(terms, self._sizes):
            if posted.pop((name, number), there) == there:
                posted[name, number] = there

    def _write(self, table: str, posted: Mapping[tuple[str, int], bool]) -> None:
        kept: list[PostingRow] = []
        covering = self._db.execute(_COVERING.format(table=table), _columns(list(posted)), binary=True)
        for name, start, some, ranks in covering.fetchall():
            if start is None and is_of_beginning(name):
                continue  # there is no such list: few terms begin so, and they are looked up one by one
            more = {number for number in some if posted[name, number]}
            less = set(some) - more
            pieces = changed(start or 0, ranks or b"", more=more, less=less, size=self._sizes.row)
            kept += [(name, first, piece) for first, piece in pieces]
        self._keep(table, kept)

    def _keep(self, table: str, rows: Sequence[PostingRow]) -> None:
        """The first row of a list stays, be it empty: who finds none knows that nothing is there."""
        gone = [(name, start) for name, start, ranks in rows if start and not ranks]
        left = [(name, start, ranks) for name, start, ranks in rows if ranks or not start]
        if gone:
            query = f"""DELETE FROM {table} p USING unnest(%s::text[], %s::integer[]) w (term, start)
                WHERE p.term = w.term AND p.start = w.start"""
            self._db.execute(query, _columns(gone))
        if left:
            query = f"""INSERT INTO {table} SELECT * FROM unnest(%s::text[], %s::integer[], %s::bytea[])
                ON CONFLICT (term, start) DO UPDATE SET ranks = excluded.ranks"""
            self._db.execute(query, _columns(left))

    def _spell(self) -> None:
        """Count the uses of words, and take up those that are new, with their keys."""
        query = """WITH used AS (SELECT * FROM unnest(%s::text[], %s::integer[]) u (term, uses)),
            known AS (UPDATE terms t SET uses = t.uses + u.uses FROM used u WHERE t.term = u.term RETURNING t.term)
            INSERT INTO terms (id, uses, term)
            SELECT (SELECT coalesce(max(id), 0) FROM terms) + row_number() OVER (), uses, term FROM used
            WHERE term NOT IN (SELECT term FROM known) RETURNING id, term"""
        new = self._db.execute(query, _columns(list(self._uses.items()))).fetchall()
        pairs = sorted((key, number) for number, term in new for key in self._rules.spelling_keys(term))
        if pairs:
            query = """INSERT INTO spellings SELECT * FROM unnest(%s::integer[], %s::bytea[])
                ON CONFLICT (bucket) DO UPDATE SET pairs = spellings.pairs || excluded.pairs"""
            self._db.execute(query, _columns(list(in_buckets(pairs))))


def _columns(rows: Sequence[tuple[Any, ...]]) -> tuple[list[Any], ...]:
    return tuple(map(list, zip(*rows, strict=True)))
