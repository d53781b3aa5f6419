"""Never ask twice: callers who want the same thing at the same time share one fetch."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

from model.errors import Overloaded

Result = TypeVar("Result")


class Coalescer:
    """Runs each fetch as a task of its own, so it outlives the caller who happened to come first.

    Beyond `fetches_max` fetches, or `waiters_max` callers who wait, a caller gets Overloaded at once. A fetch that
    takes longer than `deadline_s` ends with TimeoutError. Failures go to all who wait and are kept for nobody: the next
    caller asks anew.
    """

    def __init__(
        self,
        *,
        deadline_s: float,
        fetches_max: int = 256,
        waiters_max: int = 2048,
        on_shared: Callable[[], None] = lambda: None,
    ) -> None:
        self._deadline_s = deadline_s
        self._fetches_max = fetches_max
        self._waiters_max = waiters_max
        self._waiters = 0
        self._on_shared = on_shared
        self._running: dict[Hashable, asyncio.Task[Any]] = {}
        self._expected: set[Hashable] = set()  # of these, that nobody has asked for yet

    def __contains__(self, key: Hashable) -> bool:
        """Whether a fetch for `key` that somebody asked for is under way."""
        return key in self._running and key not in self._expected

    def expect(self, key: Hashable, fetch: Callable[[], Awaitable[Result]]) -> asyncio.Task[Result] | None:
        """Let `fetch` run, if none runs for `key`, for a caller who is about to come: he shares it with nobody. Gives
        its task, which does not begin at once; None if another one runs."""
        if key in self._running:
            return None
        task = self.begin(key, fetch)
        self._expected.add(key)
        return task

    async def run(self, key: Hashable, fetch: Callable[[], Awaitable[Result]]) -> Result:
        """The result of `fetch`, or of the fetch that already runs for `key`. Cancelling a caller stops no fetch."""
        if self._waiters >= self._waiters_max:
            raise Overloaded("too many wait for the store", subject="waiters")
        shared = key in self
        self._expected.discard(key)
        task = self.begin(key, fetch)
        if shared:
            self._on_shared()
        self._waiters += 1
        try:
            return await asyncio.shield(task)
        finally:
            self._waiters -= 1

    def begin(self, key: Hashable, fetch: Callable[[], Awaitable[Result]]) -> asyncio.Task[Result]:
        """Let `fetch` run, if none runs for `key`; nobody needs to wait for it. Shield the task to await it."""
        task: asyncio.Task[Result] | None = self._running.get(key)
        if task is None:
            if len(self._running) >= self._fetches_max:
                raise Overloaded("too many reads of the store", subject="fetches")
            task = asyncio.create_task(self._bounded(key, fetch))
            self._running[key] = task
            task.add_done_callback(_mark_seen)
        return task

    async def close(self) -> None:
        """Cancel what still runs and wait for its end."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._running.clear()

    async def _bounded(self, key: Hashable, fetch: Callable[[], Awaitable[Result]]) -> Result:
        try:
            async with asyncio.timeout(self._deadline_s):
                return await fetch()
        finally:
            del self._running[key]
            self._expected.discard(key)


def _mark_seen(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()  # the callers may all be gone; asyncio would complain of an error nobody asked for
