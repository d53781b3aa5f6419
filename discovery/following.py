"""Catalog and search index kept in step with the store: by what is told of changes at once, by all that there is later.

What publishers tell (`storage/changes.py`) is looked at every `interval_s`. It names tracks, so how many others there
are does not matter. All tracks are listed less often: that finds what nobody told.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager

from catalog.search_postings import Postings
from catalog.store import Catalog
from discovery.alongside import alongside
from discovery.search_follow import Follower, nothing_counted
from discovery.sync import Changed, sync, sync_named, unheard
from model.errors import PipelineError
from storage.base import ObjectStore
from storage.changes import WINDOW_MS, changes_since, now_ms
from storage.keys import Change

log = logging.getLogger(__name__)

LIST_ALL_EVERY = 10  # looks at what was told
RANK_EVERY_S = 600.0
RANK_REST = 100  # times as long as a look at popularity, and filling the index, take


class Following:
    """What keeps one catalog, and one search index, in step with a store."""

    def __init__(
        self,
        store: ObjectStore,
        catalog: Catalog,
        *,
        interval_s: float,
        rest: float,
        postings: Callable[[], Postings],
        opened: Callable[[Postings], None],
        synced: Callable[[], None],
        popularity: Callable[[], Mapping[str, float]] = nothing_counted,
        rank_every_s: float = RANK_EVERY_S,
    ) -> None:
        """Listing all tracks takes at most one part in `rest` of the time. `postings` opens the search index, again and
        again until it can, and `opened` is told when it did. `synced` is called whenever all tracks were listed.
        `popularity` is looked at every `rank_every_s`, or less often where that takes long; 0: only when the index is
        filled."""
        self._store = store
        self._catalog = catalog
        self._interval_s = interval_s
        self._rest = rest
        self._postings = postings
        self._opened = opened
        self._synced = synced
        self._popularity = popularity
        self._rank_every_s = rank_every_s
        self._logged: set[object] = set()
        self._follower: Follower | None = None
        self._since_ms = now_ms()  # what was told before is in the first listing
        self._seen: set[Change] = set()
        self._named: set[str] = set()  # brought by name since the listing under way began

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """In step at the beginning, as far as all can be had, and following until the end."""
        with ExitStack() as closing:
            await self.all_once(closing)
            async with alongside(self._all(closing), self._told(), self._ranks()):
                yield

    async def _all(self, closing: ExitStack) -> None:
        took_s = 0.0
        while True:
            await asyncio.sleep(max(LIST_ALL_EVERY * self._interval_s, (self._rest - 1) * took_s))
            started_s = time.monotonic()
            await self.all_once(closing)
            took_s = time.monotonic() - started_s

    async def _told(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            await attempted("changes not looked at", self.told_once)

    async def _ranks(self) -> None:
        took_s = 0.0
        while self._rank_every_s:
            await asyncio.sleep(max(self._rank_every_s, RANK_REST * took_s))
            started_s = time.monotonic()
            if self._follower:
                await self._follower.rank()
            took_s = time.monotonic() - started_s

    async def all_once(self, closing: ExitStack) -> None:
        """The catalog as the store is, and the index as the catalog is, as far as both can be had."""
        await attempted("search index not opened", lambda: self._open(closing))
        await attempted("catalog sync failed", self._sync)
        if self._follower:
            await self._follower.catch_up()

    async def told_once(self) -> None:
        """Bring those tracks up to date of which something was told since the last time."""
        began_ms = now_ms()
        told = set(await changes_since(self._store, self._since_ms - WINDOW_MS))
        track_ids = {change.track_id for change in told - self._seen}
        if track_ids:
            self._named |= track_ids
            await sync_named(self._store, self._catalog, track_ids, self._changed, logged=self._logged)
        self._since_ms, self._seen = began_ms, told

    async def _sync(self) -> None:
        self._named.clear()
        await sync(self._store, self._catalog, self._changed, logged=self._logged, newer=self._named)
        self._synced()

    @property
    def _changed(self) -> Changed:
        return self._follower.changed if self._follower else unheard

    async def _open(self, closing: ExitStack) -> None:
        if self._follower is not None:
            return
        postings = await asyncio.to_thread(self._postings)
        closing.callback(postings.close)
        self._follower = Follower(self._catalog, postings, self._popularity)
        self._opened(postings)


async def attempted(failure: str, work: Callable[[], Awaitable[None]]) -> None:
    """Work that is tried again later: what fails is logged, and nothing is raised."""
    try:
        await work()
    except PipelineError as error:
        log.warning(failure, extra={"error_code": error.code, "error": str(error), "hint": error.hint})
