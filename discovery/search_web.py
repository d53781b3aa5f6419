"""Search over HTTP: `GET /api/v1/search?q=` and `GET /api/v1/suggest?q=`.

Names come back in pieces that are marked or not (`marks`), so a page can show what was found without making HTML of
names.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

from msgspec import Struct, structs

from catalog.schema import TrackRow
from catalog.search_postings import Filters, Found, Group
from catalog.store import Catalog
from discovery.operations import Call, Operation, Served, Who
from discovery.operations import Group as RateGroup
from discovery.parameters import Choices, Number, Text
from discovery.search import LIMIT_MAX, NOTHING_OWN, SUGGESTIONS_MAX, Results, SearchIndex
from discovery.search_marks import marked
from discovery.search_text import QUERY_CHARS_MAX, TEXT_CHARS_MAX
from discovery.tracks import Track, art_of, track_answer
from model.errors import SearchUnavailable

AT_ONCE = 2  # searches that run: each is a few milliseconds of CPU
WAITING_MAX = 64  # searches that wait for their turn; more are told to come again


class Piece(Struct, frozen=True, kw_only=True):
    """A piece of a name, and whether it is what was looked for."""

    text: str
    match: bool


class FoundArtist(Struct, frozen=True, kw_only=True):
    """An artist, and how many tracks there are of it."""

    artist: str
    tracks: int
    marks: dict[str, list[Piece]]


class FoundAlbum(Struct, frozen=True, kw_only=True):
    """An album, and how many tracks are on it. `art` is null while the catalog does not have it yet."""

    album: str
    artist: str
    tracks: int
    art: str | None
    marks: dict[str, list[Piece]]


class FoundTrack(Track, frozen=True, kw_only=True):
    """A track with its names in pieces."""

    marks: dict[str, list[Piece]]


class SearchAnswer(Struct, frozen=True, kw_only=True):
    """What was found in each group; `corrected`: what was typed was taken for misspelt."""

    corrected: bool
    artists: list[FoundArtist]
    albums: list[FoundAlbum]
    tracks: list[FoundTrack]


class Suggestion(Struct, frozen=True, kw_only=True):
    """A name, and of what."""

    text: str
    group: Group


class Suggestions(Struct, frozen=True, kw_only=True):
    """Names, what is meant first."""

    suggestions: list[Suggestion]


_Q = Text(name="q", chars_max=QUERY_CHARS_MAX, required=True, help="what the listener typed so far")
SEARCH = Operation(
    method="GET",
    path="/api/v1/search",
    summary="tracks, artists and albums for what a listener types",
    parameters=(
        _Q,
        Number(name="limit", default=10, least=1, most=LIMIT_MAX, help="how many of each group"),
        Choices(name="groups", words=tuple(Group), help="which groups"),
        Text(name="artist", chars_max=TEXT_CHARS_MAX, help="only what is of this artist, as an answer names it"),
        Text(name="album", chars_max=TEXT_CHARS_MAX, help="only what is on an album of this name"),
    ),
    answer=SearchAnswer,
    who=Who.EITHER,
    group=RateGroup.SEARCH,
)
SUGGEST = Operation(
    method="GET",
    path="/api/v1/suggest",
    summary="names to complete what a listener types",
    parameters=(_Q, Number(name="limit", default=8, least=1, most=SUGGESTIONS_MAX, help="how many")),
    answer=Suggestions,
    who=Who.EITHER,
    group=RateGroup.SEARCH,
)

Answer = TypeVar("Answer")


class Searching:
    """The index that is searched, once it is open, by a few requests at a time."""

    def __init__(self, catalog: Catalog, own: Callable[[str], Awaitable[Mapping[str, float]]]) -> None:
        """`own` tells which tracks a listener plays, and how much."""
        self._own = own
        self.index: SearchIndex | None = None
        self._catalog = catalog
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self.served = (Served(SEARCH, self.search), Served(SUGGEST, self.suggest))

    async def search(self, call: Call) -> SearchAnswer:
        """The answer of SEARCH."""
        asked = call.query
        groups = frozenset(map(Group, asked["groups"]))
        filters = Filters(artist=asked["artist"], album=asked["album"])
        own = await self._own_of(call)

        def answer(index: SearchIndex) -> SearchAnswer:
            found = index.search(asked["q"], limit=asked["limit"], groups=groups, filters=filters, own=own)
            shown = self._catalog.rows_of({each.track_id for each in (*found.artists, *found.albums, *found.tracks)})
            return _results(found, shown)

        return await self._in_turn(answer)

    async def suggest(self, call: Call) -> Suggestions:
        """The answer of SUGGEST."""

        own = await self._own_of(call)

        def answer(index: SearchIndex) -> Suggestions:
            found = index.suggest(call.query["q"], limit=call.query["limit"], own=own)
            return Suggestions(suggestions=[Suggestion(text=each.text, group=Group(each.group)) for each in found])

        return await self._in_turn(answer)

    async def _own_of(self, call: Call) -> Mapping[str, float]:
        """What the listener plays; nothing where nobody proved to be one."""
        return await self._own(call.listener_id) if call.listener_id else NOTHING_OWN

    async def _in_turn(self, work: Callable[[SearchIndex], Answer]) -> Answer:
        if self.index is None:
            raise SearchUnavailable("the search index is not open yet")
        if self._waiting >= WAITING_MAX:
            raise SearchUnavailable("too many searches at once")
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(work, self.index)
        finally:
            self._waiting -= 1


def _results(found: Results, shown: Mapping[str, TrackRow]) -> SearchAnswer:
    """What of it the catalog has, too: the index of a server may be ahead of ours, or behind."""

    def marks(**names: str) -> dict[str, list[Piece]]:
        return {
            field: [Piece(text=piece.text, match=piece.match) for piece in marked(name, found.terms, found.words)]
            for field, name in names.items()
        }

    return SearchAnswer(
        corrected=found.corrected,
        artists=[
            FoundArtist(artist=each.artist, tracks=each.tracks, marks=marks(artist=each.artist))
            for each in found.artists
        ],
        albums=[
            FoundAlbum(
                album=each.album,
                artist=each.artist,
                tracks=each.tracks,
                art=art_of(row.art_id) if (row := shown.get(each.track_id)) else None,
                marks=marks(album=each.album, artist=each.artist),
            )
            for each in found.albums
        ],
        tracks=[
            FoundTrack(
                marks=marks(title=row.title, artist=row.artist, album=row.album), **structs.asdict(track_answer(row))
            )
            for row in _live(found.tracks, shown)
        ],
    )


def _live(tracks: Iterable[Found], shown: Mapping[str, TrackRow]) -> list[TrackRow]:
    rows = (shown.get(each.track_id) for each in tracks)
    return [row for row in rows if row is not None and row.live]
