"""The search index kept in step with the catalog: what a sync changed is taken up at once, all else by comparison."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice

from catalog.schema import TrackRow
from catalog.search_postings import Postings, SearchRow
from catalog.store import Catalog
from model.errors import ListenersUnavailable, PipelineError

log = logging.getLogger(__name__)

COMPARED_ROWS = 500  # at a time


def search_row(row: TrackRow) -> SearchRow:
    """A track of the catalog as it is indexed."""
    title, artist, album, album_artist = (
        text.replace("\0", " ") for text in (row.title, row.artist, row.album, row.album_artist)
    )
    return SearchRow(track_id=row.track_id, title=title, artist=artist, album=album, album_artist=album_artist)


def nothing_counted() -> Mapping[str, float]:
    """How popular tracks are where nobody counts."""
    return {}


def popular_first(catalog: Catalog, popularity: Mapping[str, float]) -> Iterator[SearchRow]:
    """Every live track: first those that are popular at all, by how much, then the others by id."""
    ranking = iter(ranking_of(popularity))
    while some := list(islice(ranking, COMPARED_ROWS)):
        rows = catalog.rows_of(some)
        yield from (search_row(rows[each]) for each in some if each in rows and rows[each].live)
    yield from (search_row(row) for row in catalog.iterate() if row.live and row.track_id not in popularity)


def ranking_of(popularity: Mapping[str, float]) -> list[str]:
    """The tracks that are popular at all, the most popular first."""
    return sorted(popularity, key=lambda track_id: (-popularity[track_id], track_id))


def compare(
    catalog: Catalog, postings: Postings, popularity: Callable[[], Mapping[str, float]] = nothing_counted
) -> None:
    """Make the index that of the catalog's live tracks, whatever it was. Blocks, for long if much is different.

    An index that is filled anew has the most popular first. Raises CatalogError.
    """
    if 2 * postings.count() < catalog.count():  # much faster than one by one
        postings.fill(popular_first(catalog, popularity()))
        return
    after = ""
    for rows in _stretches(catalog):
        through = rows[-1].track_id if rows else None
        wanted = {row.track_id: search_row(row) for row in rows if row.live}
        known = postings.states_between(after, through)
        changed = [row for track_id, row in wanted.items() if known.get(track_id) != row.state]
        vanished = known.keys() - wanted.keys()
        if changed or vanished:
            postings.apply(changed, vanished)
        after = through or after


def _stretches(catalog: Catalog) -> Iterator[list[TrackRow]]:
    """The catalog by track id, some rows at a time; at last none, for whatever comes after them."""
    rows: list[TrackRow] = []
    for row in catalog.iterate():
        rows.append(row)
        if len(rows) == COMPARED_ROWS:
            yield rows
            rows = []
    if rows:
        yield rows
    yield []


class Follower:
    """What a sync tells of its changes. A change that could not be taken up is found by the next comparison."""

    def __init__(
        self,
        catalog: Catalog,
        postings: Postings,
        popularity: Callable[[], Mapping[str, float]] = nothing_counted,
    ) -> None:
        """`popularity` tells how popular tracks are now; it blocks, and may raise CatalogError."""
        self._catalog = catalog
        self._postings = postings
        self._popularity = popularity
        self._ranking: list[str] = []
        self._behind = True
        self._turn = asyncio.Lock()  # what changes during a comparison may be where it has been already

    async def changed(self, rows: Sequence[TrackRow], vanished: Collection[str]) -> None:
        """Take up what has just been written to the catalog. Never raises PipelineError: the catalog is right."""
        live = [search_row(row) for row in rows if row.live]
        gone = [*vanished, *(row.track_id for row in rows if not row.live)]
        async with self._turn:
            if self._behind:
                return
            try:
                await asyncio.to_thread(self._postings.apply, live, gone)
            except PipelineError as error:
                self._fell_behind(error)

    async def catch_up(self) -> None:
        """Compare, if something may have been missed. Never raises PipelineError: the next round tries again."""
        async with self._turn:
            if not self._behind:
                return
            try:
                await asyncio.to_thread(compare, self._catalog, self._postings, self._weights)
                self._behind = False
            except PipelineError as error:
                self._fell_behind(error)

    async def rank(self) -> bool:
        """Fill the index anew if other tracks are popular than when it was filled, or in another order; whether it was.
        Searches and changes go on meanwhile. Never raises PipelineError."""
        try:
            return not self._behind and await asyncio.to_thread(self._rank)
        except PipelineError as error:
            extra = {"error_code": error.code, "error": str(error), "hint": error.hint}
            log.warning("search index not ranked", extra=extra)
            return False

    def _rank(self) -> bool:
        popularity = self._popularity()
        ranking = ranking_of(popularity)
        if ranking == self._ranking:
            return False
        self._postings.fill(popular_first(self._catalog, popularity))
        self._ranking = ranking
        return True

    def _weights(self) -> Mapping[str, float]:
        """How popular tracks are, for an index that is filled with that. Not known for now is no reason not to fill it:
        it is ranked later."""
        try:
            popularity = self._popularity()
        except ListenersUnavailable:
            popularity = {}
        self._ranking = ranking_of(popularity)
        return popularity

    def _fell_behind(self, error: PipelineError) -> None:
        self._behind = True
        extra = {"error_code": error.code, "error": str(error), "hint": error.hint}
        log.warning("search index not brought up to date", extra=extra)
