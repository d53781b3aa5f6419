"""Play events on their way to the disk: one write for all who wait, and no more waiting than there is room for."""

import asyncio
from collections import deque
from collections.abc import Sequence

from catalog.plays import PlayRow, Plays
from model.errors import ListeningUnavailable, PipelineError

EVENTS_AT_ONCE = 1_000  # in one write
EVENTS_WAITING_MAX = 10_000

Waiting = tuple[Sequence[PlayRow], asyncio.Future[bool]]


class PlayWriter:
    """Takes batches while the application runs. One write is under way at a time; what comes meanwhile is the next."""

    def __init__(self, plays: Plays) -> None:
        self._plays = plays
        self._waiting: deque[Waiting] = deque()
        self._events = 0  # taken and not yet written
        self._task: asyncio.Task[None] | None = None

    async def add(self, rows: Sequence[PlayRow]) -> bool:
        """Keep the events of one listener; they are on the disk when this returns. False, and nothing is kept, if the
        listener did not agree. Cancelled, they may be kept all the same.

        Raises ListeningUnavailable if too many wait, CatalogError if they could not be written."""
        if self._events + len(rows) > EVENTS_WAITING_MAX:
            raise ListeningUnavailable("too many play events at once", hint="send the batch again in a while")
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((rows, done))
        self._events += len(rows)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_all())
        return await done

    async def close(self) -> None:
        """Write what was taken."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _write_all(self) -> None:
        while self._waiting:
            taken = self._take()
            try:
                refused = await asyncio.to_thread(self._plays.add, [row for rows, _ in taken for row in rows])
                for rows, done in taken:
                    if not done.done():  # whoever waited may have gone
                        done.set_result(not any(row.listener_id in refused for row in rows))
            except PipelineError as error:
                for _, done in taken:
                    if not done.done():
                        done.set_exception(error)
            finally:
                self._events -= sum(len(rows) for rows, _ in taken)

    def _take(self) -> list[Waiting]:
        """At least one batch, and more as long as they fit into one write."""
        taken = [self._waiting.popleft()]
        count = len(taken[0][0])
        while self._waiting and count + len(self._waiting[0][0]) <= EVENTS_AT_ONCE:
            taken.append(self._waiting.popleft())
            count += len(taken[-1][0])
        return taken
