"""The threads of a store: one hop per operation, and writes that are settled before a cancellation goes on."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from model.errors import StorageError

Result = TypeVar("Result")


class Cancelled(Exception):
    """Inside a worker: the caller is gone; undo what was begun and stop."""


class CancelFlag:
    """How the loop tells a worker that nobody waits any more."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ask the worker to stop."""
        self._event.set()

    def check(self) -> None:
        """Raise Cancelled if the worker was asked to stop; called between steps that can be undone."""
        if self._event.is_set():
            raise Cancelled


class Workers:
    """A bounded pool of threads for blocking calls, apart from the loop's own pool, which also looks up names."""

    def __init__(self, threads: int, *, name: str) -> None:
        self._pool: ThreadPoolExecutor | None = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._name = name

    async def run(self, call: Callable[[CancelFlag], Result]) -> Result:
        """What `call` returns. Cancelling goes on at once; the worker is told and what it returns is dropped."""
        flag = CancelFlag()
        try:
            return await asyncio.wrap_future(self._open_pool().submit(call, flag))
        except asyncio.CancelledError:
            flag.set()
            raise

    async def settle(self, call: Callable[[CancelFlag], Result]) -> Result:
        """What `call` returns. Cancelling waits until the worker has stopped, so nothing happens behind one's back."""
        flag = CancelFlag()
        job = self._open_pool().submit(call, flag)
        waiter = asyncio.wrap_future(job)
        try:
            return await asyncio.shield(waiter)
        except asyncio.CancelledError:
            flag.set()
            if not job.cancel():
                while not waiter.done():
                    with suppress(asyncio.CancelledError):  # asked twice; the first one is raised below
                        await asyncio.wait([waiter])
                waiter.exception()  # seen: the caller hears of the cancellation instead
            raise

    async def close(self) -> None:
        """Wait for the calls under way and end the threads. Idempotent."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown)

    def _open_pool(self) -> ThreadPoolExecutor:
        if self._pool is None:
            raise StorageError("the store is closed", subject=self._name)
        return self._pool
