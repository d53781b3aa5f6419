"""The sounds of a catalog's live tracks, held in memory and kept up to date. Blocking: use asyncio.to_thread."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from catalog.store import Catalog
from discovery.alongside import alongside
from discovery.sequence.soundscape import Soundscape
from model.errors import CatalogError

log = logging.getLogger(__name__)

LOOK_S = 2.0  # from one look at what changed to the next
REST = 20  # to take up changes takes at most one part in so many of the time


class CatalogSounds:
    """What mixes and stations of one process share. Safe to use from several threads. Raises CatalogError."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()
        self._number = -1
        self._soundscape: Soundscape | None = None

    def now(self) -> Soundscape:
        """The sounds as they were at the last look; there is one before the first answer."""
        if self._soundscape is None:
            self.look()
        return self._soundscape or Soundscape(())

    def look(self) -> None:
        """Take up what this process wrote to the catalog since the last look: all that is there, at the first."""
        with self._lock:
            number, changed = self._catalog.journal.since(self._number)
            if changed is None or self._soundscape is None:
                self._soundscape = Soundscape(self._catalog.live_sounds())
            elif changed:
                self._soundscape = self._soundscape.changed(changed, self._catalog.sounds_of(changed))
            self._number = number

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """While this is open, changes are taken up by themselves, and whoever makes a mix need not wait for it."""
        await self._attempt()
        async with alongside(self._looking()):
            yield

    async def _looking(self) -> None:
        took_s = 0.0
        while True:
            await asyncio.sleep(max(LOOK_S, REST * took_s))
            started_s = time.monotonic()
            await self._attempt()
            took_s = time.monotonic() - started_s

    async def _attempt(self) -> None:
        try:
            await asyncio.to_thread(self.look)
        except CatalogError as error:
            extra = {"error_code": error.code, "error": str(error), "hint": error.hint}
            log.warning("sounds not looked at", extra=extra)
