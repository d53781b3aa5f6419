"""The list of live tracks over HTTP: `GET /api/v1/tracks?offset=0&limit=100`; and search, in `search_web.py`.

Handlers answer plain JSON; entity tags, codings and caching come from the application that they are added to.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from aiohttp import web

from catalog.search_postings import Postings
from catalog.store import Catalog
from discovery.following import Following
from discovery.parameters import Number
from discovery.search import SearchIndex
from discovery.search_open import open_postings
from discovery.search_web import Searching, add_search_routes
from discovery.tracks import track_answer
from storage.base import ObjectStore

_OFFSET = Number(name="offset", default=0, least=0, most=10_000_000, help="how many tracks to leave out")
_LIMIT = Number(name="limit", default=100, least=1, most=500, help="how many tracks")


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoverySettings:
    """How the index follows the store, and where the search index is kept (`search_open.py` has the addresses).

    What was told of changes is looked at every `sync_interval_s`. All tracks are listed a tenth as often, or less in a
    store that takes long to list: that takes at most one part in `sync_rest` of the time.
    """

    sync_interval_s: float = 0.5
    sync_rest: float = 20.0
    search_index: str = ""

    def __post_init__(self) -> None:
        if not self.sync_interval_s > 0:
            raise ValueError(f"sync_interval_s must be positive, got {self.sync_interval_s}")
        if not self.sync_rest >= 1:
            raise ValueError(f"sync_rest must be at least 1, got {self.sync_rest}")


def add_routes(
    app: web.Application,
    *,
    catalog: Catalog,
    store: ObjectStore,
    settings: DiscoverySettings,
    synced: Callable[[], None] = lambda: None,
) -> None:
    """Add the API, and a task that keeps catalog and search index in step with the store while the application runs.

    The first sync ends before the application is ready. A store that cannot be listed is no reason not to start:
    what the catalog knows is served, and the next round tries again. So it is with a search index in a server.
    `synced` is called whenever a sync succeeded.
    """
    searching = Searching(catalog)

    async def get_tracks(request: web.Request) -> web.Response:
        """A page of live tracks, and how many there are in all."""
        offset, limit = _OFFSET.read(request.query), _LIMIT.read(request.query)
        rows, total = await asyncio.to_thread(lambda: (catalog.page(offset, limit), catalog.count()))
        return web.json_response({"tracks": [track_answer(row) for row in rows], "total": total})

    async def following(_: web.Application) -> AsyncIterator[None]:
        def opened(postings: Postings) -> None:
            searching.index = SearchIndex(postings)

        followed = Following(
            store,
            catalog,
            interval_s=settings.sync_interval_s,
            rest=settings.sync_rest,
            postings=lambda: open_postings(settings.search_index),
            opened=opened,
            synced=synced,
        )
        async with followed.running():
            yield

    app.cleanup_ctx.append(following)
    app.router.add_get("/api/v1/tracks", get_tracks)
    add_search_routes(app, searching)
