"""One at a time for each name: what two tracks have in common is made by the first and found by the second."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class Turns:
    """A lock for every name that is in use, within this process."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # gone with the last who holds one

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[None]:
        """Wait until nobody else holds this name, and hold it."""
        lock = self._locks.setdefault(name, asyncio.Lock())
        async with lock:
            yield
