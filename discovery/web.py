"""The list of live tracks over HTTP: `GET /api/v1/tracks?offset=0&limit=100`; and search, in `search_web.py`.

Handlers answer plain JSON; entity tags, codings and caching come from the application that they are added to.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass

from aiohttp import web

from catalog.store import Catalog
from discovery.parameters import Number
from discovery.search import SearchIndex
from discovery.search_follow import Follower
from discovery.search_open import open_postings
from discovery.search_web import Searching, add_search_routes
from discovery.sync import sync, unheard
from discovery.tracks import track_answer
from model.errors import PipelineError
from storage.base import ObjectStore

log = logging.getLogger(__name__)

_OFFSET = Number(name="offset", default=0, least=0, most=10_000_000, help="how many tracks to leave out")
_LIMIT = Number(name="limit", default=100, least=1, most=500, help="how many tracks")


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoverySettings:
    """How the index follows the store, and where the search index is kept (`search_open.py` has the addresses).

    From the end of one sync to the next it is `sync_interval_s`, or longer in a store that takes long to list: syncs
    take at most one part in `sync_rest` of the time.
    """

    sync_interval_s: float = 0.5
    sync_rest: float = 10.0
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
        with ExitStack() as opened:
            rounds = _Rounds(store, catalog, searching, settings, opened, synced)
            await rounds.one()
            task = asyncio.create_task(rounds.all())
            yield
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    app.cleanup_ctx.append(following)
    app.router.add_get("/api/v1/tracks", get_tracks)
    add_search_routes(app, searching)


class _Rounds:
    """Syncs, one after another, and what follows them."""

    def __init__(
        self,
        store: ObjectStore,
        catalog: Catalog,
        searching: Searching,
        settings: DiscoverySettings,
        opened: ExitStack,
        synced: Callable[[], None],
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._searching = searching
        self._settings = settings
        self._opened = opened  # what has to be closed at the end
        self._synced = synced
        self._logged: set[object] = set()
        self._follower: Follower | None = None

    async def all(self) -> None:
        """One after another, until cancelled."""
        took_s = 0.0
        while True:
            await asyncio.sleep(max(self._settings.sync_interval_s, (self._settings.sync_rest - 1) * took_s))
            started_s = time.monotonic()
            await self.one()
            took_s = time.monotonic() - started_s

    async def one(self) -> None:
        """The catalog as the store is, and the index as the catalog is, as far as both can be had."""
        await _attempted("search index not opened", self._open)
        await _attempted("catalog sync failed", self._sync)
        if self._follower:
            await self._follower.catch_up()

    async def _sync(self) -> None:
        await sync(
            self._store, self._catalog, self._follower.changed if self._follower else unheard, logged=self._logged
        )
        self._synced()

    async def _open(self) -> None:
        if self._follower is not None:
            return
        postings = await asyncio.to_thread(open_postings, self._settings.search_index)
        self._opened.callback(postings.close)
        self._follower = Follower(self._catalog, postings)
        self._searching.index = SearchIndex(postings)


async def _attempted(failure: str, work: Callable[[], Awaitable[None]]) -> None:
    try:
        await work()
    except PipelineError as error:
        log.warning(failure, extra={"error_code": error.code, "error": str(error), "hint": error.hint})
