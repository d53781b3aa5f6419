"""Search over HTTP: `GET /api/v1/search?q=` and `GET /api/v1/suggest?q=`.

Handlers answer plain JSON; entity tags, codings and caching come from the application that they are added to. Names
come back in pieces that are marked or not (`marks`), so a page can show what was found without making HTML of names.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

from aiohttp import web

from catalog.schema import TrackRow
from catalog.search_postings import Filters, Found, Group
from catalog.store import Catalog
from discovery.parameters import Choices, Endpoint, Number, Text, read_all
from discovery.search import LIMIT_MAX, SUGGESTIONS_MAX, Results, SearchIndex
from discovery.search_marks import marked
from discovery.search_text import QUERY_CHARS_MAX, TEXT_CHARS_MAX
from discovery.tracks import art_of, track_answer
from model.errors import SearchUnavailable

AT_ONCE = 2  # searches that run: each is a few milliseconds of CPU
WAITING_MAX = 64  # searches that wait for their turn; more are told to come again

_Q = Text(name="q", chars_max=QUERY_CHARS_MAX, required=True, help="what the listener typed so far")
SEARCH = Endpoint(
    path="/api/v1/search",
    summary="tracks, artists and albums for what a listener types",
    parameters=(
        _Q,
        Number(name="limit", default=10, least=1, most=LIMIT_MAX, help="how many of each group"),
        Choices(name="groups", words=tuple(Group), help="which groups"),
        Text(name="artist", chars_max=TEXT_CHARS_MAX, help="only what is of this artist, as an answer names it"),
        Text(name="album", chars_max=TEXT_CHARS_MAX, help="only what is on an album of this name"),
    ),
)
SUGGEST = Endpoint(
    path="/api/v1/suggest",
    summary="names to complete what a listener types",
    parameters=(_Q, Number(name="limit", default=8, least=1, most=SUGGESTIONS_MAX, help="how many")),
)
ENDPOINTS = (SEARCH, SUGGEST)

Answer = TypeVar("Answer")
Json = dict[str, object]


class Searching:
    """The index that is searched, once it is open, by a few requests at a time."""

    def __init__(self, catalog: Catalog) -> None:
        self.index: SearchIndex | None = None
        self._catalog = catalog
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def search(self, asked: Mapping[str, Any]) -> Json:
        """The answer of SEARCH."""
        groups = frozenset(map(Group, asked["groups"]))
        filters = Filters(artist=asked["artist"], album=asked["album"])

        def answer(index: SearchIndex) -> Json:
            found = index.search(asked["q"], limit=asked["limit"], groups=groups, filters=filters)
            shown = self._catalog.rows_of({each.track_id for each in (*found.artists, *found.albums, *found.tracks)})
            return _results(found, shown)

        return await self._in_turn(answer)

    async def suggest(self, asked: Mapping[str, Any]) -> Json:
        """The answer of SUGGEST."""

        def answer(index: SearchIndex) -> Json:
            found = index.suggest(asked["q"], limit=asked["limit"])
            return {"suggestions": [{"text": each.text, "group": each.group} for each in found]}

        return await self._in_turn(answer)

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


def add_search_routes(app: web.Application, searching: Searching) -> None:
    """Add both endpoints."""
    handlers: tuple[tuple[Endpoint, Callable[[Mapping[str, Any]], Awaitable[Json]]], ...] = (
        (SEARCH, searching.search),
        (SUGGEST, searching.suggest),
    )
    for endpoint, answer in handlers:
        app.router.add_get(endpoint.path, _handler(endpoint, answer))


def _handler(
    endpoint: Endpoint, answer: Callable[[Mapping[str, Any]], Awaitable[Json]]
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        return web.json_response(await answer(read_all(endpoint, request.query)))

    return handle


def _results(found: Results, shown: Mapping[str, TrackRow]) -> Json:
    """What of it the catalog has, too: the index of a server may be ahead of ours, or behind."""

    def marks(**names: str) -> Json:
        return {
            field: [{"text": piece.text, "match": piece.match} for piece in marked(name, found.terms, found.words)]
            for field, name in names.items()
        }

    return {
        "corrected": found.corrected,
        "artists": [
            {"artist": each.artist, "tracks": each.tracks, "marks": marks(artist=each.artist)} for each in found.artists
        ],
        "albums": [
            {
                "album": each.album,
                "artist": each.artist,
                "tracks": each.tracks,
                "art": art_of(row) if (row := shown.get(each.track_id)) else None,
                "marks": marks(album=each.album, artist=each.artist),
            }
            for each in found.albums
        ],
        "tracks": [
            track_answer(row) | {"marks": marks(title=row.title, artist=row.artist, album=row.album)}
            for row in _live(found.tracks, shown)
        ],
    }


def _live(tracks: Iterable[Found], shown: Mapping[str, TrackRow]) -> list[TrackRow]:
    rows = (shown.get(each.track_id) for each in tracks)
    return [row for row in rows if row is not None and row.live]
